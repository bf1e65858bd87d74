"""Cycles and outputs of a Verilog project by simulation under Icarus Verilog."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pquant_hls.errors import ToolFailed
from pquant_hls.files import scratch
from pquant_hls.programs import Limits, require, run
from pquant_hls.rtl import vectors
from pquant_hls.rtl.emulator import Inputs, Outputs, split_outputs, stored_inputs
from pquant_hls.rtl.project import RtlProject

MEND = "apt-get install iverilog"
TIMEOUT_S = 900.0


class Simulation(NamedTuple):
    """``cycles`` is None where the outputs are the same for every input, so that no delay can be seen."""

    outputs: Outputs
    cycles: int | None


def simulate(project: RtlProject, x: Inputs | None = None, *, timeout_s: float = TIMEOUT_S) -> Simulation:
    """Run the Verilog on its golden vectors and then on ``x``, one input a cycle.

    Returns the outputs for ``x`` (the golden ones when left out), float64 (n, *output shape), and
    the latency in cycles at which the golden outputs come out, in register ranks as ``RtlProject`` counts.

    Raises
    ------
    ToolNotFound : Icarus Verilog is not on PATH.
    ToolFailed : it failed, hung beyond ``timeout_s`` seconds, or the golden outputs never came.
    DataError : ``x`` does not fit.
    """
    for program in ("iverilog", "vvp"):
        require(program, mend=MEND)
    golden, expected = golden_words(project)
    asked = [] if x is None else vectors.pack(project.ports[0], stored_inputs(project.graph, x))
    fed = [*golden, *asked]
    seen = _run(project, fed, timeout_s)
    delays = [d for d in range(len(seen) - len(fed) + 1) if seen[d : d + len(expected)] == expected]
    if not delays:
        raise ToolFailed("the simulated Verilog never gives the golden outputs", where=project.path)
    delay = project.latency_cycles if project.latency_cycles in delays else delays[0]
    wanted = slice(delay, delay + len(golden)) if x is None else slice(delay + len(golden), delay + len(fed))
    rows = vectors.unpack(project.ports[1], [_known(word, project.path) for word in seen[wanted]])
    return Simulation(split_outputs(project.graph, rows), delays[0] if len(delays) == 1 else None)


def golden_words(project: RtlProject) -> tuple[list[int], list[int]]:
    """Golden inputs and outputs as the testbench reads them."""
    names = ("golden_inputs.hex", "golden_outputs.hex")
    files = [project.path / "sim" / name for name in names]
    inputs, outputs = ([_known(w, f) for w in vectors.from_hex(f.read_text(), f)] for f in files)
    return inputs, outputs


def _known(word: int | None, where: Path) -> int:
    if word is None:
        raise ToolFailed("an output has undefined bits", where=where)
    return word


def _run(project: RtlProject, fed: Sequence[int], timeout_s: float) -> list[int | None]:
    """What the outputs hold at each cycle, the first of ``fed`` entering in cycle 0."""
    bits = sum(port.bits for port in project.ports[0])
    with scratch() as folder:
        (folder / "golden_inputs.hex").write_text(vectors.to_hex(fed, bits))
        bench = f"{project.name}_tb"
        compile_it = ["iverilog", "-g2012", f"-P{bench}.VECTORS={len(fed)}", "-o", "tb", "-s", bench]
        sources = [str(path.absolute()) for path in (project.testbench, *project.sources)]
        _tool([*compile_it, *sources], folder, timeout_s)
        _tool(["vvp", "-n", "tb", "+record"], folder, timeout_s)
        return vectors.from_hex((folder / "result.hex").read_text(), project.path)


def _tool(args: Sequence[str], folder: Path, timeout_s: float) -> None:
    result = run(args, folder, Limits(timeout_s), folder / f"{args[0]}.log")
    if not result.ok:
        raise result.failure(args[0], where=shutil.which(args[0]), lines=3)
