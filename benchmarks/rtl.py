"""The emulator against csim, and the Verilog: stages, simulated cycles, cells, for a jet-tagger-size network.

A 16-64-32-32-5 network of random 6-bit weights, half of them zero (16-16-8-5 with --quick), becomes a
FixedPointGraph by the usual conversion. Measured in one process, wall time:

* ``csim``: compiling hls4ml's C++ with g++ (cache empty), then predicting;
* ``emulator``: tracing the graph through alkaid, then predicting the same inputs; the share of equal outputs;
* ``verilog``: for each clock, stages and latency by construction, and the model's delay of the longest stage;
* ``simulation``: Icarus on 64 golden vectors, the cycles it sees;
* ``synthesis``: Yosys' cells (skipped with --no-synthesis; the large network takes minutes).

Absolute times depend on the machine and on what else runs on it; shares and cycles do not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from _common import parse, save, show

from pquant_hls.errors import PquantError
from pquant_hls.qor import FixedPointGraph, Target
from pquant_hls.rtl import Emulator, simulate, to_verilog
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


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-synthesis", action="store_true", help="leave Yosys out")


def main() -> None:
    args = parse(__doc__, options)
    widths = (16, 16, 8, 5) if args.quick else (16, 64, 32, 32, 5)
    with tempfile.TemporaryDirectory() as work:
        graph, equal = compare(widths, args.seed, 2_000 if args.quick else 20_000, Path(work))
        show("csim and emulator", [equal])
        rows = [hardware(graph, ns, Path(work), not args.no_synthesis and ns == 5.0) for ns in CLOCKS_NS]
        show(f"Verilog on {PART}", [row for row, _ in rows])
        show("Icarus and Yosys", [row for _, row in rows])
    save(args, "rtl", {"emulator": equal, "verilog": [built | tools for built, tools in rows]})


if __name__ == "__main__":
    main()
