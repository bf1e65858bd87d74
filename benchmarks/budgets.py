"""Does the closed loop find a design wherever a grid has one? Resource budgets over parts, clocks and strategies.

Each cell is a part, a clock, a strategy, one resource (LUT, FF, DSP or BRAM) limited alone or with the latency. The
grid takes every sparsity and every width that the loop's ladders hold (with the resource strategy every reuse factor
too) straight from the original; a cell's limits are those that a share of them meet (``--share``) whose accuracy
is within ``LOSS`` of the original's. Then the loop runs on the same budget. Both look at designs by the
estimator, which is what is to be tried here: no C++ is compiled. Each cell is tried twice: with intervals that are
wider than their value refused, as they are by default, and taken (``accept_wide``).

Printed for each part and in all: cells, those in which the grid has a design whose interval fits, how many of these the
loop ends MET, UNKNOWN and MISSED, MET where the grid has none, and the loop's rounds (an epoch each) against the grid's
designs.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from _common import parse, save, show
from pipelines import jets, trained

from pquant_hls.decide import Verdict, judge
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.loop import closed_loop
from pquant_hls.engine.score import errors_of
from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.hls import fixed_graph
from pquant_hls.qor import FixedPointGraph, QoR
from pquant_hls.spec import Budget, HlsSpec, Recipe
from pquant_hls.store import RunFolder

PARTS = {
    "VU13P": "xcvu13p-flga2577-2-e",
    "VU9P": "xcvu9p-flga2104-2-e",
    "KU115": "xcku115-flvb2104-2-e",
    "690T": "xc7vx690tffg1927-2",
    "Z7020": "xc7z020clg400-1",
    "ZU9EG": "xczu9eg-ffvb1156-2-e",
}
CLOCKS_NS = (2.78, 4.17, 5.0, 10.0, 25.0)
RESOURCES = ("lut", "ff", "dsp", "bram_18k")
LOSS = 0.05
Settings = dict[str, Any]
SPARSITY: Settings = {"step": 0.25, "max": 0.8}
BITS: Settings = {"step": 1, "min": 3}
REUSE: Settings = {"factor": 2, "max": 16}
START: Settings = {"sparsity": 0.2, "bits": 8, "reuse": 4}
NS = "latency_ns"
EPOCHS = 1
UNPROVEN = {"measure": "estimate", "exact": False}


TITLES = {"wide intervals refused": False, "wide intervals taken": True}


@dataclass(frozen=True)
class Cell:
    """What is limited, where."""

    part: str
    clock_ns: float
    strategy: str
    resource: str
    timed: bool
    accept_wide: bool = False

    @property
    def hls(self) -> HlsSpec:
        backend = "Vivado" if self.part == "690T" else "Vitis"
        reuse = START["reuse"] if self.strategy == "resource" else 1
        return HlsSpec(
            backend=backend,
            part=PARTS[self.part],
            clock_ns=self.clock_ns,
            strategy=self.strategy,
            reuse_factor=reuse,
        )


def cells() -> Iterator[Cell]:
    places = itertools.product(PARTS, CLOCKS_NS, ("latency", "resource"))
    return (Cell(*place, name, timed) for place in places for name in RESOURCES for timed in (False, True))


@dataclass
class Quick(Bench):
    """A bench whose designs are graphs and estimates, in memory; steps are kept by the run folder for all cells."""

    graphs: dict[Any, FixedPointGraph] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)

    def graph(self, point: Point, spec: HlsSpec, exact: bool = True) -> FixedPointGraph:
        key = (point.digest, spec.backend, spec.strategy, spec.reuse_factor, spec.keep_softmax)
        if key not in self.graphs:
            self.graphs[key] = fixed_graph(point.model, spec, exact=exact)
        return self.graphs[key]

    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        spec = hls or self.hls
        graph = self.graph(point, spec, exact)
        qor, score = estimated(graph, spec), self.score(point)
        qor = qor.with_(
            part=spec.part,
            accuracy=score.value(),
            metrics={**qor.metrics, **errors_of(score, self.baseline)},
        )
        project: Any = SimpleNamespace(graph=graph, spec=spec)
        return replace(point, project=project, qor=qor, fidelity="sketch")


def estimated(graph: FixedPointGraph, spec: HlsSpec) -> QoR:
    try:
        return estimate(graph, spec.target)
    except NotMeasured as cause:
        return QoR(source="estimate", notes=(str(cause),))


def steps(sparsity: float, bits: int) -> list[dict[str, Any]]:
    return [
        {"step": "prune", "sparsity": sparsity, "sparsity_of": "units", "epochs": 0},
        {"step": "quantize", "bits": bits, "epochs": EPOCHS, "learning_rate": 0.002},
    ]


def recipe(cell: Cell, budget: Mapping[str, Any]) -> Recipe:
    """The loop's recipe; with the resource strategy the reuse factor is a knob too."""
    loop: Settings = {"max_rounds": 40, "sparsity": SPARSITY, "bits": BITS}
    if cell.strategy == "resource":
        loop["reuse_factor"] = REUSE
    limits: Settings = {**budget, "max_accuracy_loss": LOSS, "accept_wide": cell.accept_wide, **UNPROVEN}
    first = steps(START["sparsity"], START["bits"])
    hls = cell.hls.model_dump(mode="json")
    return Recipe.parse({"steps": first, "hls": hls, "budget": limits, "loop": loop})


class Grid:
    """Every sparsity and width of the ladders, straight from the original."""

    def __init__(self, bench: Quick, start: Point, quick: bool) -> None:
        rungs, left = [float(START["sparsity"])], 1 - float(START["sparsity"])
        while (left := left * (1 - SPARSITY["step"])) >= 1 - SPARSITY["max"]:
            rungs.append(1 - left)
        widths = range(int(START["bits"]), int(BITS["min"]) - 1, -2 if quick else -1)
        self.bench, self.points = bench, []
        for sparsity, bits in itertools.product(rungs, widths):
            point = start
            for step in Recipe.parse({"steps": steps(sparsity, bits), "budget": {NS: 1e6}}).steps:
                point = bench.apply(point, step)
            self.points.append(point)

    def designs(self, cell: Cell) -> list[QoR]:
        factors = [1]
        if cell.strategy == "resource":
            factors = [2**n for n in range(int(REUSE["max"]).bit_length())]
        specs = [
            cell.hls.with_(reuse_factor=n, strategy="resource" if n > 1 else cell.strategy) for n in factors
        ]
        found = [self.bench.sketch(point, hls=spec).qor for spec in specs for point in self.points]
        return [qor for qor in found if qor is not None]


def budget_of(cell: Cell, designs: list[QoR], share: float) -> dict[str, Any] | None:
    """Limits that ``share`` of the designs have their intervals within, and half of them the latency; None where
    nothing is estimated."""
    used = [_high(qor, cell.resource) for qor in designs]
    if not used or any(value is None for value in used):
        return None
    limit = float(np.quantile(np.array(used, float), share))
    found: dict[str, Any] = {"resources": {cell.resource: float(np.ceil(limit))}}
    if cell.timed:
        times = [qor.latency.worst_ns_hi for qor in designs if qor.latency is not None]
        if len(times) < len(designs) or any(value is None for value in times):
            return None
        found[NS] = max(cell.clock_ns, float(np.quantile(np.array(times, float), 0.5)))
    return found


def _high(qor: QoR, name: str) -> float | None:
    used = qor.resources
    return None if used is None else used.intervals.get(name, (0.0, getattr(used, name)))[1]


@dataclass
class Count:
    """What came of the cells of one part."""

    verdicts: Counter[tuple[bool, str]] = field(default_factory=Counter)
    rounds: int = 0
    designs: int = 0
    unknown: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        if row["budget"] is None:
            self.unknown += 1
            return
        self.verdicts[row["grid"] > 0, row["verdict"]] += 1
        self.rounds += row["rounds"]
        self.designs += row["designs"]

    def row(self, part: str) -> dict[str, Any]:
        fits = sum(count for (has, _), count in self.verdicts.items() if has)
        met = self.verdicts[True, "MET"]
        return {
            "part": part,
            "cells": self.verdicts.total(),
            "not estimated": self.unknown,
            "grid fits": fits,
            "loop MET": met,
            "%": 100 * met / fits if fits else None,
            "UNKNOWN": self.verdicts[True, "UNKNOWN"],
            "MISSED": self.verdicts[True, "MISSED"],
            "MET where the grid has none": self.verdicts[False, "MET"],
            "rounds a cell": self.rounds / max(1, self.verdicts.total()),
            "grid's designs a cell": self.designs / max(1, self.verdicts.total()),
        }


def tried(bench: Quick, start: Point, grid: Grid, cell: Cell, share: float) -> dict[str, Any]:
    """One cell: its budget, whether the grid has a design for it, where the loop ends."""
    designs, base = grid.designs(cell), bench.baseline_accuracy
    accurate = Budget(max_accuracy_loss=LOSS, exact=False)
    held = [q for q in designs if judge(q, accurate, baseline_accuracy=base).accuracy_verdict is Verdict.MET]
    budget = budget_of(cell, held, share)
    row: dict[str, Any] = {**vars(cell), "budget": budget, "designs": len(designs)}
    if budget is None:
        return row
    asked = recipe(cell, budget)
    fitting = [
        qor for qor in designs if judge(qor, asked.budget, baseline_accuracy=base).verdict is Verdict.MET
    ]
    bench.budget, bench.hls = asked.budget, cell.hls
    found = closed_loop(bench, start, asked, fidelity="sketch", hls=cell.hls)
    return {
        **row,
        "grid": len(fitting),
        "grid's accuracy": max((qor.accuracy or 0.0 for qor in fitting), default=None),
        "verdict": str(found.verdict),
        "accuracy": None if found.best.qor is None else found.best.qor.accuracy,
        "rounds": len(found.rounds),
        "reason": found.action.reason,
    }


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--share", type=float, default=0.3, help="share of the grid within the limit (0.3)")
    parser.add_argument("--cells", type=int, help="so many cells, drawn by the seed (all; with --quick 4)")


def part_of(data: Any, events: int) -> Any:
    """The first events of each split."""
    names = [f"{axis}_{split}" for axis in "xy" for split in ("train", "val", "test")]
    return replace(data, **{name: getattr(data, name)[:events] for name in names})


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a part, and one of all."""
    counts = {part: Count() for part in (*PARTS, "all")}
    for row in rows:
        for count in (counts[row["part"]], counts["all"]):
            count.add(row)
    return [count.row(part) for part, count in counts.items() if count.verdicts or count.unknown]


def main() -> None:
    args = parse(__doc__, options)
    every = list(cells())
    wanted = args.cells or (4 if args.quick else len(every))
    chosen = sorted(random.Random(args.seed).sample(range(len(every)), min(wanted, len(every))))  # noqa: S311
    data = part_of(jets(False), 3000 if args.quick else 10_000)
    model = trained(data, (32, 16, 16), args.seed, 5 if args.quick else 20)
    rows: dict[str, list[dict[str, Any]]] = {title: [] for title in TITLES}
    with (
        tempfile.TemporaryDirectory(prefix="budgets-") as scratch,
        RunFolder.open(Path(scratch) / "run", {"benchmark": "budgets"}) as run,
    ):
        bench = Quick(data, HlsSpec(), None, run)
        start = bench.start(model)
        grid = Grid(bench, start, args.quick)
        for cell in (every[index] for index in chosen):
            for title, wide in TITLES.items():
                rows[title].append(tried(bench, start, grid, replace(cell, accept_wide=wide), args.share))
                print({k: v for k, v in rows[title][-1].items() if k != "reason"}, flush=True)
    for title, found in rows.items():
        show(f"closed loop against a grid, {title}", table(found))
    save(args, "budgets", rows)


if __name__ == "__main__":
    main()
