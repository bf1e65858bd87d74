"""Pictures of values to be met, and of scores without labels: csim beside the float model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pquant_hls.qor.words import number
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.of_classes import SIDES
from pquant_hls.reporting.plane import Axis, Curve, Plane, stairs
from pquant_hls.reporting.style import series

FLOAT = ("thin grey", "float model")


def residual_figures(output: Mapping[str, Any]) -> list[Picture]:
    """The residuals (found - truth) of each column, and their mean and width over the true value."""
    rows: Sequence[Mapping[str, Any]] = output.get("values") or ()
    found = []
    for row in rows:
        of = f" of column {row['name']}" if len(rows) > 1 else ""
        found.append(_residuals(row, of))
        if len(row["truth"]) > 1:
            found.append(_response(row, of))
        found += [_turn_on(curve, of) for curve in row.get("turn_on", ()) if len(curve["truth"]) > 1]
    return found


def _residuals(row: Mapping[str, Any], of: str) -> Picture:
    spread = {
        side: f"bias {_pair(row[f'bias:{side}'])}, resolution {_pair(row[f'resolution:{side}'])}"
        for side in SIDES
        if side in row
    }
    plane, table = _distribution(row, "found - truth")
    alt = (
        f"Distribution of the residuals{of}; "
        + "; ".join(f"{side}: {said}" for side, said in spread.items())
        + "."
    )
    return Picture(
        f"Residuals{of}",
        alt,
        table,
        plane.draw,
        "; ".join(f"{side}: {said}" for side, said in spread.items()) + ".",
    )


def _pair(pair: Sequence[float]) -> str:
    return f"{number(pair[0])} ± {number(pair[1], 2)}"


def _response(row: Mapping[str, Any], of: str) -> Picture:
    """Mean and width of the residuals in bins of the true value."""
    truth, kinds = row["truth"], {"means": series(0), "widths": series(1)}
    curves = [
        Curve(
            f"{what} {side}", list(zip(truth, row[f"{what}:{side}"], strict=True)), f"{style} {kinds[what]}"
        )
        for what in kinds
        for side, style in SIDES.items()
        if f"{what}:{side}" in row
    ]
    values = [point[1] for curve in curves for point in curve.points]
    plane = Plane(
        Axis.over("true value", truth),
        Axis.over("found - truth", [0.0, *values]),
        curves,
        keys=[(f"solid {kinds['means']}", "mean"), (f"solid {kinds['widths']}", "standard deviation"), FLOAT],
        height=170.0,
    )
    columns = [f"{what}:{side}" for what in kinds for side in SIDES if f"{what}:{side}" in row]
    cells = tuple(
        (number(value), *(number(row[key][index]) for key in columns)) for index, value in enumerate(truth)
    )
    table = TextTable(("true value", *(key.replace(":", ", ") for key in columns)), cells)
    alt = f"Mean and standard deviation of the residuals{of} in {len(truth)} bins of the true value, csim and float."
    return Picture(f"Bias and resolution{of}", alt, table, plane.draw)


def _turn_on(row: Mapping[str, Any], of: str) -> Picture:
    """The share of events above a threshold over the true value."""
    truth, sides = row["truth"], [side for side in SIDES if side in row]
    curves = [
        Curve(
            side,
            list(zip(truth, [share for share, _ in row[side]], strict=True)),
            f"{SIDES[side]} {series(0)}",
        )
        for side in sides
    ]
    plane = Plane(
        Axis.over("true value", truth),
        Axis("share of events above", 0.0, 1.0),
        curves,
        keys=[(f"solid {series(0)}", "csim"), FLOAT],
        height=170.0,
    )
    cells = tuple(
        (number(value), *(_pair(row[side][index]) for side in sides)) for index, value in enumerate(truth)
    )
    said = f"Share of the events whose value{of} lies above {number(row['threshold'])}, over the true value, csim and float."
    table = TextTable(("true value", *sides), cells)
    return Picture(f"Turn-on above {number(row['threshold'])}{of}", said, table, plane.draw)


def score_figure(output: Mapping[str, Any]) -> list[Picture]:
    """The distribution of a score, and the share of events above each threshold; none where there is no score."""
    row = output.get("score")
    if not row:
        return []
    plane, table = _distribution(row, "score")
    spread = Picture(
        "Scores", "Distribution of the score over the events, csim and float.", table, plane.draw
    )
    above = {side: _above(row[side]) for side in SIDES if side in row}
    least = min(share for shares in above.values() for share in shares if share > 0)
    curves = [
        Curve(
            side,
            [(edge, share) for edge, share in zip(row["edges"], shares, strict=False) if share > 0],
            f"{SIDES[side]} {series(0)}",
        )
        for side, shares in above.items()
    ]
    rate = Plane(
        Axis.over("threshold", row["edges"]),
        Axis("share of events above", 10.0 ** _power_below(least), 1.0, log=10),
        curves,
        keys=[(f"solid {series(0)}", "csim"), FLOAT],
        height=170.0,
    )
    cells = tuple(
        (number(edge), *(f"{above[side][index]:.2g}" for side in above))
        for index, edge in enumerate(row["edges"][:-1])
    )
    table = TextTable(("threshold", *above), cells)
    return [
        spread,
        Picture(
            "Events above a threshold",
            "Share of the events above a threshold on the score, csim and float.",
            table,
            rate.draw,
        ),
    ]


def _above(shares: Sequence[float]) -> list[float]:
    return [sum(shares[index:]) for index in range(len(shares))]


def _power_below(value: float) -> int:
    return next(power for power in range(0, -12, -1) if 10.0**power <= value * 1.0001)


def _distribution(row: Mapping[str, Any], label: str) -> tuple[Plane, TextTable]:
    edges, sides = row["edges"], [side for side in SIDES if side in row]
    curves = [
        Curve(side, stairs(edges, row[side]), f"{SIDES[side]} {series(0)}", area=side == "csim")
        for side in sides
    ]
    plane = Plane(
        Axis.over(label, edges),
        Axis.over(
            "share of events in a bin",
            [share for side in sides for share in row[side]],
            zero=True,
        ),
        curves,
        keys=[(f"solid {series(0)}", "csim"), FLOAT],
        height=170.0,
    )
    cells = tuple(
        (
            f"{number(edges[index])} to {number(edges[index + 1])}",
            *(f"{row[side][index]:.4f}" for side in sides),
        )
        for index in range(len(edges) - 1)
    )
    return plane, TextTable((label, *sides), cells)
