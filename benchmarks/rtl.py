"""The emulator against csim, and the Verilog: stages, simulated cycles, cells, for a jet-tagger-size network.

A 16-64-32-32-5 network of random 6-bit weights, half of them zero (16-16-8-5 with --quick), becomes a
FixedPointGraph by the usual conversion. Measured in one process, wall time:

* ``csim``: compiling hls4ml's C++ with g++ (cache empty), then predicting;
* ``emulator``: tracing the graph through alkaid, then predicting the same inputs; the share of equal outputs;
* ``verilog``: for each clock, stages and latency by construction, and the model's delay of the longest stage;
* ``simulation``: Icarus on 64 golden vectors, the cycles it sees;
* ``synthesis``: Yosys' cells (skipped with --no-synthesis; the large network takes minutes).
* ``routed``: LUT and period against the placed and routed designs of ``--corpus``'s post_route.csv, each by a fit to the
  others and by the one that is shipped (left out where there is no such file; ``--routed`` prints it alone).

Absolute times depend on the machine and on what else runs on it; shares and cycles do not.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from _common import CORPUS, parse, save, show

from pquant_hls.errors import PquantError
from pquant_hls.qor import FixedPointGraph, Target
from pquant_hls.rtl import Emulator, simulate, to_verilog
from pquant_hls.rtl.routed import routed
from pquant_hls.rtl.synthesis import carries, cells, resources

PART = "xcvu13p-flga2577-2-e"
CLOCKS_NS = (25.0, 5.0, 2.78)
T = TypeVar("T")
Row = dict[str, Any]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start


def tagger(widths: tuple[int, ...], seed: int) -> Any:
    """A QKeras network with random weights, half of them zero."""
    import keras
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    stack = [keras.layers.Input(widths[:1]), QActivation(quantized_bits(10, 3, alpha=1))]
    for index, width in enumerate(widths[1:]):
        weights, bias = quantized_bits(6, 0, alpha=1), quantized_bits(6, 0, alpha=1)
        stack.append(QDense(width, kernel_quantizer=weights, bias_quantizer=bias))
        if index < len(widths) - 2:
            stack.append(QActivation(quantized_relu(6, 2)))
    model = keras.Sequential(stack)
    for weight in model.weights:
        weight.assign(weight.numpy() * (rng.random(weight.shape) < 0.5))
    return model


def compare(widths: tuple[int, ...], seed: int, rows: int, folder: Path) -> tuple[FixedPointGraph, Row]:
    """Time and equality of csim and emulator on ``rows`` random inputs, off the grid and beyond its range."""
    from pquant_hls.csim import build, predict
    from pquant_hls.hls import convert
    from pquant_hls.spec import HlsSpec

    project = convert(tagger(widths, seed), HlsSpec(), folder / "hls")
    assert project.graph is not None
    graph = project.graph
    x = np.random.default_rng(seed).normal(0, 3, (rows, widths[0]))
    library, compile_s = timed(lambda: build(project, cache=folder / "cache"))
    expected, csim_s = timed(lambda: predict(library, x))
    emulator, trace_s = timed(lambda: Emulator(graph))
    found, emulator_s = timed(lambda: emulator.predict(x))
    return graph, {
        "network": "-".join(map(str, widths)),
        "inputs": rows,
        "equal": float(np.mean(found == expected)),
        "compile s": compile_s,
        "csim s": csim_s,
        "trace s": trace_s,
        "emulator s": emulator_s,
    }


def hardware(graph: FixedPointGraph, clock_ns: float, folder: Path, synthesis: bool) -> tuple[Row, Row]:
    """What is built for one clock, and what the tools say of it; what fails or is missing stays None."""
    target = Target(part=PART, clock_ns=clock_ns, clock_uncertainty_ns=0.27 * clock_ns)
    project, write_s = timed(lambda: to_verilog(graph, target, folder / f"rtl_{clock_ns}"))
    built: Row = {
        "clock ns": clock_ns,
        "stages": project.stages,
        "cycles": project.latency_cycles,
        "latency ns": project.latency_cycles * clock_ns,
        "stage ns": project.stage_typical_ns,
        "worst ns": project.stage_worst_ns,
        "register bits": project.register_bits,
        "write s": write_s,
    }
    tools: Row = {"clock ns": clock_ns, "simulated cycles": None, "simulation s": None}
    tools |= dict.fromkeys(("LUT", "FF", "CARRY", "DSP", "synthesis s"))
    try:
        found, tools["simulation s"] = timed(lambda: simulate(project))
        tools["simulated cycles"] = found.cycles
        if synthesis:
            counts, tools["synthesis s"] = timed(lambda: cells(project, target, 3600.0))
            used = resources(counts)
            tools |= {"LUT": used.lut, "FF": used.ff, "CARRY": carries(counts), "DSP": used.dsp}
    except PquantError as cause:
        tools["failed"] = str(cause)
    return built, tools


UNITS, UNIT_NS = 2.6, 0.53
"""Longest stage of a design cut at 2 units of delay, and ns of a unit on UltraScale+ (``rtl.routed``)."""


def line(x: Any, y: Any) -> tuple[float, float]:
    """Offset and slope of least absolute relative deviations: such a line goes through two of its points."""
    pairs = [(i, j) for i in range(len(x)) for j in range(i) if x[i] != x[j]]
    lines = [((y[j] - y[i]) / (x[j] - x[i]), i) for i, j in pairs]
    slope, at = min(
        lines, key=lambda one: float(np.abs((y - y[one[1]] - one[0] * (x - x[one[1]])) / y).sum())
    )
    return float(y[at] - slope * x[at]), float(slope)


def left_out(path: Path) -> list[Row]:
    """Each routed design by the others: errors of LUT and period in percent, and the shipped intervals."""
    with path.open() as file:
        designs = list(csv.DictReader(file))
    cost, lut, period = (
        np.array([float(one[key]) for one in designs]) for key in ("alkaid_cost", "lut", "actual_period_ns")
    )
    stages = np.array([int(one["stages"]) for one in designs])
    wire, target, rows = np.sqrt(cost / stages), Target(part=PART, clock_ns=2.0, clock_uncertainty_ns=0.0), []
    for index, design in enumerate(designs):
        others = np.arange(len(designs)) != index
        ratio = math.exp(float(np.mean(np.log(lut[others] / cost[others]))))
        offset, slope = line(wire[others], period[others])
        found = routed(cost[index], UNITS, int(stages[index]), target, UNIT_NS)
        rows.append(
            {
                "design": design["design"],
                "LUT": int(lut[index]),
                "LUT by others, %": round(100 * (ratio * cost[index] / lut[index] - 1), 1),
                "LUT interval": f"{found.lut_low:,.0f}..{found.lut_high:,.0f}",
                "LUT within": bool(found.lut_low <= lut[index] <= found.lut_high),
                "period ns": period[index],
                "period by others, %": round(100 * ((offset + slope * wire[index]) / period[index] - 1), 1),
                "period up to, ns": round(found.period_high_ns, 2),
                "period within": bool(period[index] <= found.period_high_ns),
            }
        )
    return rows


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-synthesis", action="store_true", help="leave Yosys out")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with post_route.csv")
    parser.add_argument("--routed", action="store_true", help="only the table of routed designs")


def show_routed(path: Path) -> list[Row]:
    rows = left_out(path) if path.is_file() else []
    if rows:
        worst = max(abs(row["LUT by others, %"]) for row in rows)
        mean = float(np.mean([abs(row["period by others, %"]) for row in rows]))
        show(f"routed designs: LUT within {worst:.1f} % left out, period {mean:.1f} % in the mean", rows)
    return rows


def main() -> None:
    args = parse(__doc__, options)
    by_others = show_routed(args.corpus / "post_route.csv")
    if args.routed:
        save(args, "rtl", {"routed": by_others})
        return
    widths = (16, 16, 8, 5) if args.quick else (16, 64, 32, 32, 5)
    with tempfile.TemporaryDirectory() as work:
        graph, equal = compare(widths, args.seed, 2_000 if args.quick else 20_000, Path(work))
        show("csim and emulator", [equal])
        rows = [hardware(graph, ns, Path(work), not args.no_synthesis and ns == 5.0) for ns in CLOCKS_NS]
        show(f"Verilog on {PART}", [row for row, _ in rows])
        show("Icarus and Yosys", [row for _, row in rows])
    found = {"emulator": equal, "verilog": [built | tools for built, tools in rows], "routed": by_others}
    save(args, "rtl", found)


if __name__ == "__main__":
    main()
