"""Pictures of a classifier: ROC curves, scores and confusion, csim beside the float model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pquant_hls.qor.words import percent
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.plane import Axis, Cells, Curve, Plane, stairs
from pquant_hls.reporting.recorded import missing
from pquant_hls.reporting.style import series

SIDES = {"csim": "solid", "float": "thin"}
"""Who scored, and how their curves are drawn."""
QUOTED = {"0.01", "0.1"}
"""Background shares that are quoted of every classifier; others are those of the budget's gates."""


def roc_figure(output: Mapping[str, Any]) -> Picture:
    """Signal efficiency over the background let through, class by class."""
    rows = _classes(output, "ROC curves")
    least = min(min((x for x in row["roc"]["csim"][0] if x > 0), default=1.0) for row in rows)
    low = max(1e-6, 10.0 ** _floor_log(least))
    curves = [
        _roc(row, index, side, low) for index, row in enumerate(rows) for side in SIDES if side in row["roc"]
    ]
    asked = sorted({rate for row in rows for rate in row["efficiency"]} - QUOTED)
    keys = [(f"solid {series(index)}", _area(row)) for index, row in enumerate(rows)]
    plane = Plane(
        Axis("background efficiency", low, 1.0, log=10),
        Axis("signal efficiency", 0.0, 1.0),
        curves,
        limits=[("x", float(rate)) for rate in asked],
        keys=[*keys, ("thin grey", "float model"), *(("limit red", f"asked at {rate}") for rate in asked)],
    )
    worst = min(rows, key=lambda row: float(row["auc"]["csim"][0]))
    alt = f"ROC curves of {len(rows)} classes, csim and float; the least area is {_area(worst)}."
    return Picture(
        "ROC curves",
        alt,
        efficiencies([output]),
        plane.draw,
        "Each class against the rest.",
    )


def _floor_log(value: float) -> int:
    return next(power for power in range(0, -12, -1) if 10.0**power <= value * 1.0001)


def _classes(output: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    found = list(output.get("classes") or ())
    if not found:
        raise missing(what)
    return found


def _roc(row: Mapping[str, Any], index: int, side: str, low: float) -> Curve:
    points = [(x, y) for x, y in zip(*row["roc"][side], strict=True) if x >= low]
    return Curve(f"{row['name']} {side}", points, f"{SIDES[side]} {series(index)}")


def _area(row: Mapping[str, Any]) -> str:
    return f"{row['name']}, AUC {row['auc']['csim'][0]:.4f}"


def efficiencies(outputs: Sequence[Mapping[str, Any]]) -> TextTable:
    """AUC and signal efficiency of each class of the outputs, csim and float, each with its error. An output's name stands
    before its classes where there are several; what only some are read at is ``-`` in the others' rows."""
    rows = [
        (f"{output['name']}: {row['name']}" if len(outputs) > 1 else str(row["name"]), row)
        for output in outputs
        for row in _classes(output, "efficiencies")
    ]
    rates = sorted({rate for _, row in rows for rate in row["efficiency"]}, key=float)
    heads = ["class"] + [
        f"{what}, {side}"
        for what in ("AUC", *(f"at {float(rate):.4g} of background" for rate in rates))
        for side in SIDES
    ]
    cells = []
    for name, row in rows:
        pairs = [row["auc"].get(side) for side in SIDES]
        pairs += [row["efficiency"].get(rate, {}).get(side) for rate in rates for side in SIDES]
        cells.append((name, *map(_pair, pairs)))
    return TextTable(tuple(heads), tuple(cells))


def _pair(pair: Sequence[float] | None) -> str:
    return percent(*(pair or (None, None)))


def score_figures(output: Mapping[str, Any]) -> list[Picture]:
    """The distribution of each class's score, for its events and for the others."""
    return [_scores(row) for row in _classes(output, "score distributions")]


def _scores(row: Mapping[str, Any]) -> Picture:
    held, name = row["scores"], row["name"]
    edges = held["edges"]
    kinds = {"signal": series(0), "background": series(1)}
    curves = [
        Curve(
            f"{of} {side}", stairs(edges, held[f"{of}:{side}"]), f"{style} {kinds[of]}", area=side == "csim"
        )
        for of in kinds
        for side, style in SIDES.items()
        if f"{of}:{side}" in held
    ]
    shares = [share for key, values in held.items() if key != "edges" for share in values]
    plane = Plane(
        Axis.over(f"score of {name}", edges),
        Axis.over("share of events in a bin", shares, zero=True),
        curves,
        keys=[
            (f"solid {series(0)}", str(name)),
            (f"solid {series(1)}", "the others"),
            ("thin grey", "float model"),
        ],
        height=170.0,
    )
    columns = [key for key in held if key != "edges"]
    cells = tuple(
        (f"{edges[index]:.3g} to {edges[index + 1]:.3g}", *(f"{held[key][index]:.4f}" for key in columns))
        for index in range(len(edges) - 1)
    )
    table = TextTable(("score", *(key.replace(":", ", ") for key in columns)), cells)
    alt = f"Distributions of the score of {name}, for its own events and for the others, csim and float."
    return Picture(f"Scores of {name}", alt, table, plane.draw)


def confusion_figure(output: Mapping[str, Any], classes: Sequence[str] = ()) -> Picture:
    """Which class is taken for which, by csim, as shares of the true class."""
    cells = (output.get("confusion") or {}).get("csim")
    if not cells:
        raise missing("confusion of classes")
    names = [classes[number] if number < len(classes) else str(number) for number in range(len(cells))]
    shares = [[None if sum(row) == 0 else cell / sum(row) for cell in row] for row in cells]
    said = [["" if share is None else f"{100 * share:.1f} %" for share in row] for row in shares]
    right = sum(row[index] for index, row in enumerate(cells)) / sum(map(sum, cells))
    drawn = Cells(names, names, shares, said, "decided", "true class in rows, share of its events; csim")
    table = TextTable(
        ("true class", *(f"decided {name}" for name in names)),
        tuple((name, *(f"{cell:,}" for cell in row)) for name, row in zip(names, cells, strict=False)),
    )
    alt = f"Confusion matrix of {len(names)} classes by csim; {100 * right:.2f} % are decided rightly."
    return Picture("Confusion", alt, table, drawn.draw)
