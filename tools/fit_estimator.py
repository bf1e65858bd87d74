"""Refit the estimator: read synthesised designs and operator delays, write
``pquant_hls/estimate/constants.json``.

    python tools/fit_estimator.py --corpus DIR [--out FILE]

DIR holds ``designs/`` with one JSON (and ``.npz``) for each design, and ``designs/op_delays.csv``. What is
fitted from what: adder delays from the schedule reports (medians over repositories), the cycles of the top
from whole designs, LUT and FF per counted bit by non-negative least squares, and the intervals as quantiles
of the errors of designs whose group (repository; network and task within one large set) took no part in the
fit. Delays of multipliers and activations, the stream rules and the DSP rule are read from reports by hand
(``READ``).
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _designs import Design, read_designs  # noqa: E402

from pquant_hls.errors import NotMeasured  # noqa: E402
from pquant_hls.estimate.compose import Estimate, point_estimate  # noqa: E402
from pquant_hls.estimate.constants import SCHEMA_VERSION, using  # noqa: E402
from pquant_hls.estimate.intervals import OFFSET, fallbacks  # noqa: E402
from pquant_hls.estimate.resources import model_of, module_resources  # noqa: E402

TARGET = ROOT / "pquant_hls" / "estimate" / "constants.json"
READ = ROOT / "tools" / "estimator_read.json"
"""Numbers read from reports by hand; copied into the constants as they are."""
WIDTHS = (4, 8, 12, 16, 20, 24, 26)
COVERAGE = 0.95
ROUNDS, SMALL_ERROR = 20, 0.03
ENOUGH = 8
"""Designs a class needs for LUT and FF weights of its own."""
LUT_TERMS = (
    "add_bits",
    "chain_add_bits",
    "negate_bits",
    "double_bits",
    "multiply_bits",
    "dsp",
    "memory_bits",
)
FF_TERMS = (
    "live_bits",
    "chain_live_bits",
    "waiting_bits",
    "border_bits",
    "dsp",
    "out_bits",
    "add_bits",
    "memory_bits",
)
FITTED_RULES = ("tree", "chain", "reuse")
ADDITIVE = ("tree", "chain")


@dataclass(frozen=True)
class Case:
    """One design with its estimate under some constants."""

    design: Design
    point: Estimate

    @property
    def rule(self) -> str:
        return self.point.key.split("/")[0].partition("@")[0]

    @property
    def is_pipeline(self) -> bool:
        """One pipelined top, whose own cycles are fitted."""
        return self.design.graph.io_type == "io_parallel" and self.rule != "conv"

    @property
    def free_dense(self) -> int:
        """Dense modules that take an input every cycle."""
        rules = ("tree", "chain", "unseen_weights")
        return sum(module.op == "dense" and module.rule in rules for module in self.point.modules)


def neutral(designs: Iterable[Design], delays: dict[str, Any]) -> list[Case]:
    """Estimates with nothing fitted in them, of the designs that have a rule and a true number of cycles."""
    found = []
    with using(_frame(delays)):
        for design in designs:
            try:
                found.append(Case(design, point_estimate(design.graph, design.target)))
            except NotMeasured:
                continue
    return [case for case in found if case.design.truth.cycles is not None]


def settle(case: Case, table: dict[str, Any]) -> Case:
    """The same case under fitted constants: they add to its cycles and turn its counts into LUT and FF."""
    point, target = case.point, case.design.target
    cycles = point.cycles
    if case.is_pipeline:
        rule = table["top"].get(f"{target.family}/{target.tool}", table["top"]["other"])
        cycles = max(0, cycles + rule["cycles"] + rule["dense"] * case.free_dense)
    with using(table):
        resources = {module.name: module_resources(module, point.key) for module in point.modules}
    return replace(case, point=replace(point, cycles=cycles, resources=resources))


def _frame(delays: dict[str, Any]) -> dict[str, Any]:
    """What is read from reports, with nothing fitted."""
    table: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **json.loads(READ.read_text()),
        "top": {"other": {"cycles": 0, "dense": 0}},
        "intervals": {name: {} for name in OFFSET},
        "resources": {"common": {"lut": {}, "ff": {}}},
        "clock": {"other": 2.0},
    }
    for key, tables in delays.items():
        table["operators"][key].update(tables)
    return table


def fit(found: Sequence[Case], delays: dict[str, Any]) -> dict[str, Any]:
    """Constants from these neutral cases, still without intervals."""
    trusted = [case for case in found if case.design.trust != "low"]
    fitted = {
        "top": _fit_top(trusted),
        "resources": _fit_resources(trusted),
        "clock": _fit_clock([case.design for case in trusted]),
    }
    return {**_frame(delays), **fitted}


def adder_delays(path: Path) -> dict[str, Any]:
    """Median delays (ns) of plain and three-input adders by width, over repositories, for each family and
    tool.
    """
    if not path.is_file():
        raise SystemExit(f"{path}: not there; fitting needs the operator delays of schedule reports")
    seen: dict[tuple[str, str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in csv.DictReader(path.open()):
        if row["op"] not in ("add", "sub") or not row["width"] or float(row["delay_ns"]) == 0.0:
            continue
        family = "7series" if row["part"].startswith("xc7") else "ultrascale+"
        tool = "vitis" if row["tool_version"] >= "2021" else "vivado"
        name = "level" if row["core"] == "TAddSub" else "add"
        if row["grouped"] and name == "add":
            continue
        seen[f"{family}/{tool}", name, int(row["width"])][row["repo"]] += [float(row["delay_ns"])] * int(
            row["count"]
        )
    result: dict[str, Any] = defaultdict(dict)
    for key, name in sorted({(key, name) for key, name, _ in seen}):
        result[key][name] = _table({w: repos for (k, n, w), repos in seen.items() if (k, n) == (key, name)})
    return dict(result)


def _table(by_width: dict[int, dict[str, list[float]]]) -> list[list[float]]:
    """[bits, ns] at a few widths: the median over repositories of their medians near that width.

    Three-input adders are a little slower when very narrow; the table is kept from falling with the width,
    so that taking bits away never makes an estimate slower.
    """
    rows = []
    for width in WIDTHS:
        near = [
            statistics.median(values)
            for w, repos in by_width.items()
            if abs(w - width) <= 1
            for values in repos.values()
        ]
        if near:
            rows.append([width, round(statistics.median(near), 3)])
    least = np.minimum.accumulate([delay for _, delay in reversed(rows)])[::-1]
    return [[width, float(delay)] for (width, _), delay in zip(rows, least, strict=True)]


def _fit_top(found: Sequence[Case]) -> dict[str, Any]:
    """Cycles of the top, and of each dense module beside its own, by family and tool with three designs."""
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for case in found:
        if case.is_pipeline:
            key = f"{case.design.target.family}/{case.design.target.tool}"
            groups[key].append(((case.design.truth.cycles or 0) - case.point.cycles, case.free_dense))
    top = {key: _best_top(rows) for key, rows in sorted(groups.items()) if len(rows) >= 3}
    return {**top, "other": {"cycles": 0, "dense": 0}}


def _best_top(rows: list[tuple[int, int]]) -> dict[str, int]:
    grid = [(dense, cycles) for dense in (0, 1) for cycles in (-2, -1, 0, 1)]
    dense, cycles = min(grid, key=lambda g: sum(abs(rest - g[1] - g[0] * count) for rest, count in rows))
    return {"cycles": cycles, "dense": dense}


def _fit_resources(found: Sequence[Case]) -> dict[str, Any]:
    """LUT and FF per counted bit of each class, rule and tool, and rule with enough designs, and of all
    pipelines.
    """
    members: dict[str, list[Case]] = defaultdict(list)
    for case in found:
        tool, family = case.design.target.tool, case.design.target.family
        model = model_of(case.rule)
        for key in (model, f"{model}/{tool}", f"{model}/{tool}/{family}"):
            members[key].append(case)
    own = {key: _weights(rows) for key, rows in sorted(members.items()) if len(rows) >= ENOUGH}
    return {"common": _weights([case for case in found if case.rule in FITTED_RULES]), **own}


def _weights(members: Sequence[Case]) -> dict[str, dict[str, float]]:
    known: dict[str, float] = json.loads(READ.read_text())["known_lut"]
    if all(case.is_pipeline for case in members):
        lut = _solve(members, "lut", LUT_TERMS, known)
    else:  # in streams an activation carries its task and its buffers
        lut = _solve(members, "lut", (*LUT_TERMS, *known), {})
    return {"lut": lut, "ff": _solve(members, "ff", FF_TERMS, {})}


def _solve(
    members: Sequence[Case], what: str, terms: Sequence[str], known: dict[str, float]
) -> dict[str, float]:
    """Non-negative weights that make the relative errors of ``what`` small, beside the ``known`` ones."""
    rows, rest = [], []
    for case in members:
        truth = getattr(case.design.truth, what)
        if not truth:
            continue
        totals = {
            term: sum(module.counts.get(term, 0.0) for module in case.point.modules)
            for term in (*terms, *known)
        }
        rows.append(np.array([totals[term] / truth for term in terms]))
        rest.append(1.0 - sum(weight * totals[term] for term, weight in known.items()) / truth)
    if not rows:
        return {}
    matrix = np.array(rows)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    solution = _robust(matrix / scale, np.array(rest)) / scale
    found = {term: round(float(value), 6) for term, value in zip(terms, solution, strict=True)}
    return {**known, **{term: value for term, value in found.items() if value > 1e-9}}


def _robust(matrix: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Non-negative least absolute deviations by reweighting, with a small ridge.

    The ridge keeps terms that are nearly equal in all designs from trading places.
    """
    ridge = 1e-3 * np.eye(matrix.shape[1])
    weight = np.ones(len(truth))
    for _ in range(ROUNDS):
        system = np.vstack([matrix * weight[:, None], ridge])
        solution, _ = nnls(system, np.concatenate([truth * weight, np.zeros(len(ridge))]))
        weight = 1.0 / np.sqrt(np.maximum(np.abs(matrix @ solution - truth), SMALL_ERROR))
    return np.asarray(solution)


def _fit_clock(designs: Sequence[Design]) -> dict[str, float]:
    """The highest estimated clock over its target, by io type, family and tool; ``other`` tops them."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for design in designs:
        if design.clock_estimated_ns:
            key = f"{design.graph.io_type}/{design.target.family}/{design.target.tool}"
            ratios[key].append(design.clock_estimated_ns / design.target.clock_ns)
    clock = {
        key: round(max(1.0, float(np.quantile(values, 0.98))), 3)
        for key, values in sorted(ratios.items())
        if len(values) >= 5
    }
    return {**clock, "other": max([2.0, *clock.values()])}


def cross_validate(found: Sequence[Case], delays: dict[str, Any], folds: int = 12) -> list[Case]:
    """Every neutral case under constants fitted without its group."""
    groups = sorted({case.design.group for case in found})
    outside: list[Case] = []
    for fold in range(min(folds, len(groups))):
        held = set(groups[fold::folds])
        table = fit([case for case in found if case.design.group not in held], delays)
        outside += [settle(case, table) for case in found if case.design.group in held]
    return outside


def intervals(found: Sequence[Case]) -> dict[str, Any]:
    """Bounds from the errors of designs outside the fit, for each class, rule and family, rule, and all."""
    result: dict[str, Any] = {}
    # changed kernels are not what is estimated
    judged = [case for case in found if case.design.trust != "low"]
    for what in OFFSET:
        members: dict[str, list[Case]] = defaultdict(list)
        for case in judged:
            for key in fallbacks(case.point.key):
                members[key].append(case)
        table = {key: _bounds(key, what, rows) for key, rows in sorted(members.items())}
        result[what] = {key: entry for key, entry in table.items() if entry is not None}
    return result


def _bounds(key: str, what: str, members: Sequence[Case]) -> dict[str, Any] | None:
    pairs = [
        (truth, value)
        for case in members
        if (truth := getattr(case.design.truth, what)) is not None
        for value in [case.point.cycles if what == "cycles" else case.point.total(what)]
    ]
    if len(pairs) < 2:
        return None
    additive = what == "cycles" and key.partition("/")[0] in ADDITIVE and key.endswith("/ultrascale+")
    offset = OFFSET[what]
    errors = [t - v if additive else math.log((t + offset) / (v + offset)) for t, v in pairs]
    low, high = _quantiles(errors)
    if not additive:  # errors within a group are alike, so few groups tell little of the next one
        wider = 1.0 + 1.0 / len({case.design.group for case in members})
        low, high = wider * low, wider * high
    floor = 1.0 if additive else 0.05
    return {
        "scale": "cycles" if additive else "ratio",
        "low": round(min(low, -floor), 3),
        "high": round(max(high, floor), 3),
        "designs": len(pairs),
    }


def _quantiles(errors: Sequence[float]) -> tuple[float, float]:
    """Conformal bounds: the ranks that leave (1 - COVERAGE) / 2 of a new design outside on each side.

    With too few designs for those ranks the extremes are widened, the more the fewer there are.
    """
    ordered, count = sorted(errors), len(errors)
    rank = (count + 1) * (1.0 - COVERAGE) / 2.0
    if rank >= 1.0:
        return ordered[math.floor(rank) - 1], ordered[count - math.floor(rank)]
    spread = max(abs(ordered[0]), abs(ordered[-1]), ordered[-1] - ordered[0])
    extra = spread * (1.0 - rank) * 2.0 / count
    return ordered[0] - extra, ordered[-1] + extra


def build(corpus: Path) -> dict[str, Any]:
    """The whole constants file from a corpus folder."""
    folder = corpus / "designs" if (corpus / "designs").is_dir() else corpus
    designs, delays = read_designs(corpus), adder_delays(folder / "op_delays.csv")
    found = neutral(designs, delays)
    table = fit(found, delays)
    outside = cross_validate(found, delays)
    table["intervals"] = intervals(outside)
    table["origin"] = {
        "command": "python tools/fit_estimator.py --corpus DIR",
        "designs": len(designs),
        "estimated": len(outside),
        "groups": len({design.group for design in designs}),
        "coverage": COVERAGE,
    }
    return table


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=TARGET, metavar="FILE")
    args = parser.parse_args(argv)
    table = copy.deepcopy(build(args.corpus))
    part = args.out.with_suffix(".json.part")
    part.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
    part.replace(args.out)
    print(f"{args.out}: {table['origin']['estimated']} designs in {table['origin']['groups']} groups")


if __name__ == "__main__":
    main()
