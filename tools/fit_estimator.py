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
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tools")]

from _dense_table import TABLE, read_dense_table  # noqa: E402
from _designs import Design, read_designs  # noqa: E402
from _fit_intervals import COVERAGE, intervals  # noqa: E402
from _fit_resources import Row, fit_resources, rows_of  # noqa: E402

from pquant_hls.errors import NotMeasured  # noqa: E402
from pquant_hls.estimate.compose import Estimate, point_estimate, slower  # noqa: E402
from pquant_hls.estimate.constants import SCHEMA_VERSION, using  # noqa: E402
from pquant_hls.estimate.intervals import OFFSET  # noqa: E402
from pquant_hls.estimate.resources import module_resources  # noqa: E402

ROUNDED_NS = 0.005
"""Reports print clocks with two or three decimals."""
EACH_OF_TABLE = 15
"""One row in so many of the table of single dense layers is fitted, so that it does not outweigh designs."""
TARGET = ROOT / "pquant_hls" / "estimate" / "constants.json"
READ = ROOT / "tools" / "estimator_read.json"
"""Numbers read from reports by hand; copied into the constants as they are."""
DELAY_STEP, MOST_STEPS = 1.04, 30
"""Steps in which the delay of all logic is tried, and how many of them."""
WIDTHS = (4, 8, 12, 16, 20, 24, 26)


@dataclass(frozen=True)
class Case:
    """One design with its estimate under some constants; ``frame`` has none that are fitted.

    ``rescheduled`` keeps its neutral cycles with all logic slower by so many steps; ``top_cycles`` are what fitted
    constants add to them.
    """

    design: Design
    point: Estimate
    frame: dict[str, Any]
    top_cycles: int = 0
    rescheduled: dict[int, int] = field(default_factory=dict)

    @cached_property
    def rows(self) -> list[Row]:
        """What resources are fitted to; counts do not change with what is fitted."""
        return rows_of(self)

    def delay_error(self) -> float:
        """The logarithm of the least factor on all delays that gives the true cycles; below 0 where logic is faster."""
        truth = self.design.truth.cycles or 0
        way = 1 if truth > self.point.cycles else -1
        steps = range(0, way * (MOST_STEPS + 1), way)
        reached = (step for step in steps if way * (self._cycles(step) - truth) >= 0)
        return math.log(DELAY_STEP) * next(reached, way * MOST_STEPS)

    def _cycles(self, step: int) -> int:
        if step not in self.rescheduled:
            target = slower(self.design.target, step * math.log(DELAY_STEP))
            with using(self.frame):
                self.rescheduled[step] = point_estimate(self.design.graph, target).cycles
        return max(0, self.rescheduled[step] + self.top_cycles)

    @property
    def is_pipeline(self) -> bool:
        """One pipelined top, whose own cycles are fitted."""
        return self.point.model.split("/")[0] in ("pipeline", "reuse")

    @property
    def free_dense(self) -> int:
        """Dense modules that take an input every cycle."""
        rules = ("tree", "chain", "unseen_weights")
        return sum(module.op == "dense" and module.rule in rules for module in self.point.modules)


def neutral(designs: Iterable[Design], delays: dict[str, Any]) -> list[Case]:
    """Estimates with nothing fitted in them, of the designs that have a rule and a true number of cycles."""
    found, frame = [], _frame(delays)
    with using(frame):
        for design in designs:
            try:
                found.append(Case(design, point_estimate(design.graph, design.target), frame))
            except NotMeasured:
                continue
    return [case for case in found if case.design.truth.cycles is not None]


def is_impossible(design: Design) -> bool:
    """Fewer LUTs than a layer has result bits, and no DSP: the report of another firmware."""
    sums = [node for node in design.graph.nodes if node.op == "dense"]
    bits = max((node.shape[-1] * node.result.width for node in sums), default=0)
    return design.truth.lut is not None and not design.truth.dsp and design.truth.lut < bits


def settle(case: Case, table: dict[str, Any]) -> Case:
    """The same case under fitted constants: they add to its cycles and turn its counts into LUT and FF."""
    point, target = case.point, case.design.target
    added = 0
    if case.is_pipeline:
        rule = table["top"].get(f"{target.family}/{target.tool}", table["top"]["other"])
        added = rule["cycles"] + rule["dense"] * case.free_dense
    with using(table):
        resources = {module.name: module_resources(module, point.model) for module in point.modules}
    settled = replace(point, cycles=max(0, point.cycles + added), resources=resources)
    return replace(case, point=settled, top_cycles=added)


def _frame(delays: dict[str, Any]) -> dict[str, Any]:
    """What is read from reports, with nothing fitted."""
    table: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **json.loads(READ.read_text()),
        "top": {"other": {"cycles": 0, "dense": 0}},
        "intervals": {"seen": [], **{name: {} for name in OFFSET}},
        "resources": {"common": {"lut": {}, "ff": {}}},
        "clock": {"other": 0.0},
    }
    for key, tables in delays.items():
        table["operators"][key].update(tables)
    return table


def fit(found: Sequence[Case], delays: dict[str, Any]) -> dict[str, Any]:
    """Constants from these neutral cases, still without intervals."""
    trusted = [case for case in found if case.design.trust != "low" and not is_impossible(case.design)]
    whole = [case for case in trusted if case.design.trust != TABLE]
    fitted = {
        "top": _fit_top(whole),
        "resources": fit_resources(trusted),
        "clock": _fit_clock(whole),
    }
    return {**_frame(delays), **fitted}


def inner(corpus: Path) -> Path:
    """The folder of the designs: the one given, or its subfolder of that name."""
    return corpus / "designs" if (corpus / "designs").is_dir() else corpus


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


def _fit_clock(found: Sequence[Case]) -> dict[str, float]:
    """The slowest operation (ns) that the tools left uncut: the largest estimated clock beyond target and known
    chains, widened by one part in the number of authors; 0 where none was. By kind of top, tool and family with two
    authors, by kind and family with five, then by family.
    """
    slowest: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for case in found:
        design, chain = case.design, max(module.slow_ns for module in case.point.modules)
        if design.clock_estimated_ns:
            is_beyond = design.clock_estimated_ns > max(design.target.clock_ns, chain) + ROUNDED_NS
            kind, family = "pipeline" if case.is_pipeline else "tasks", design.target.family
            for name in (f"{kind}/{design.target.tool}/{family}", f"{kind}/*/{family}", f"*/*/{family}"):
                by_author = slowest[name]
                by_author[design.owner] = max(by_author[design.owner], design.clock_estimated_ns * is_beyond)
    clock = {
        name: round(max(values.values()) * (1 + 1 / len(values)), 3)
        for name, values in sorted(slowest.items())
        if len(values) >= (5 if "*" in name else 2)
    }
    return {**clock, "other": max([0.0, *clock.values()])}


def cross_validate(found: Sequence[Case], delays: dict[str, Any], folds: int = 12) -> list[Case]:
    """Every neutral case under constants fitted without its group."""
    groups = sorted({case.design.group for case in found})
    outside: list[Case] = []
    for fold in range(min(folds, len(groups))):
        held = set(groups[fold::folds])
        table = fit([case for case in found if case.design.group not in held], delays)
        outside += [settle(case, table) for case in found if case.design.group in held]
    return outside


def error_bounds(outside: Sequence[Case]) -> dict[str, Any]:
    """Intervals from cases that took no part in their own estimate."""
    return intervals(
        [case for case in outside if case.design.trust != TABLE and not is_impossible(case.design)]
    )


def single_layers(corpus: Path) -> list[Design]:
    """Some of the table of single dense layers, where it is there: the Resource strategy in io_parallel."""
    rows = read_dense_table(inner(corpus) / "wa_hls4ml_dense.csv")
    return [design for design in rows if "Resource, R > 1" in design.kind][::EACH_OF_TABLE]


def build(corpus: Path) -> dict[str, Any]:
    """The whole constants file from a corpus folder."""
    designs, delays = read_designs(corpus).designs, adder_delays(inner(corpus) / "op_delays.csv")
    found = neutral([*designs, *single_layers(corpus)], delays)
    table = fit(found, delays)
    outside = cross_validate(found, delays)
    table["intervals"] = error_bounds(outside)
    table["origin"] = {
        "command": "python tools/fit_estimator.py --corpus DIR",
        "designs": len(designs),
        "estimated": sum(case.design.trust != TABLE for case in outside),
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
