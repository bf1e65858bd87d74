"""The QoR of the Verilog made from a graph: cycles by construction and by simulation, cells by Yosys."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from pquant_hls.errors import GoldenError, NotMeasured, ToolFailed, ToolNotFound
from pquant_hls.qor import FixedPointGraph, Latency, QoR, Resources, Target
from pquant_hls.rtl import vectors
from pquant_hls.rtl.emulator import Inputs, Outputs, split_outputs
from pquant_hls.rtl.project import RtlProject, to_verilog
from pquant_hls.rtl.simulation import golden_words, simulate
from pquant_hls.rtl.synthesis import carries, cells, resources

CLOCK_NOTE = (
    "the clock of the Verilog is a model, not a timing analysis: run vivado.tcl to know; "
    "the latency counts input and output registers"
)


def measure_rtl(
    graph: FixedPointGraph,
    target: Target,
    out: Path,
    x_golden: Inputs | None = None,
    expected: Outputs | None = None,
    *,
    yosys: bool = True,
    simulation: bool = True,
) -> QoR:
    """Write the Verilog project into ``out``, simulate it on golden vectors, say what routing makes of it.

    Parameters
    ----------
    x_golden : golden inputs (n, *shape), float64; 64 random ones when left out.
    expected : what csim gave for them, compared bit for bit with the Verilog's golden outputs.
    simulation : prove outputs and cycles by the simulator, where it is there; without, cycles are those of construction.
    yosys : also count cells by Yosys, where it is there, as a second opinion (minutes for a large design).

    Returns
    -------
    QoR of ``design: rtl``. LUT and clock are those expected after routing (``rtl.routed``), Yosys' counts stand in
    ``metrics`` as ``yosys_lut`` and so on. What a missing tool would have told is left out, with the reason in
    ``notes``.

    Raises
    ------
    NotMeasured : a layer that cannot be exact, by name.
    GoldenError : the golden outputs are not ``expected``.
    ToolFailed : the simulated Verilog does not give the golden outputs in the cycles it was built for.
    """
    project = to_verilog(graph, target, out, x_golden=x_golden)
    if expected is not None:
        emulated = vectors.unpack(project.ports[1], golden_words(project)[1])
        same_outputs(split_outputs(graph, emulated), expected, project.path)
    notes = [CLOCK_NOTE, project.note]
    simulated = simulation and _simulated(project, notes)
    if not simulation:
        notes.append("cycles by construction, not simulated")
    counted = _counted(project, target, notes) if yosys else {}
    return QoR(
        design="rtl",
        source="rtl",
        tool=_tools(simulated, bool(counted)),
        part=target.part,
        digest=graph.digest(),
        latency=_latency(project),
        resources=expected_resources(project),
        metrics=counted,
        notes=tuple(notes),
    )


def expected_resources(project: RtlProject) -> Resources | None:
    """After routing: LUT with its bounds, the pipeline's registers, no memories; DSP unless variables are multiplied."""
    if project.lut is None:
        return None
    lut, low, high = project.lut
    return Resources(
        lut=lut,
        ff=project.register_bits,
        dsp=0 if project.products == 0 else None,
        bram_18k=0,
        uram=0,
        intervals={"lut": (low, high)},
    )


def _latency(project: RtlProject) -> Latency:
    """II is 1: the pipeline has no feedback."""
    return Latency(
        cycles_min=project.latency_cycles,
        cycles_max=project.latency_cycles,
        ii_cycles=1,
        clock_target_ns=project.target.clock_ns,
        clock_uncertainty_ns=project.target.clock_uncertainty_ns,
        clock_estimated_ns=project.stage_typical_ns,
        clock_estimated_hi_ns=project.stage_worst_ns,
    )


def _simulated(project: RtlProject, notes: list[str]) -> bool:
    """Golden outputs and cycles confirmed; False, with a note, where there is no simulator."""
    try:
        cycles = simulate(project).cycles
    except ToolNotFound as cause:
        notes.append(f"cycles by construction, not simulated: {cause}")
        return False
    if cycles is None:
        notes.append("cycles by construction: the outputs do not change, so simulation cannot see the delay")
    elif cycles != project.latency_cycles:
        raise ToolFailed(f"simulated {cycles} cycles, built {project.latency_cycles}", where=project.path)
    return True


def same_outputs(found: Outputs, wanted: Outputs, where: object) -> None:
    """Raises GoldenError with the first value that differs."""
    for name, (got, want) in enumerate(zip(_listed(found), _listed(wanted), strict=True)):
        if got.shape != np.shape(want):
            raise GoldenError(f"output {name} has shape {got.shape}, expected {np.shape(want)}", where=where)
        wrong = np.argwhere(got != want)
        if len(wrong) > 0:
            at = tuple(int(i) for i in wrong[0])
            raise GoldenError(
                f"output {name}{list(at)} is {got[at]:g}, expected {np.asarray(want)[at]:g}",
                where=where,
                mend=f"{len(wrong)} of {got.size} values differ",
            )


def _listed(outputs: Outputs) -> Sequence[np.ndarray]:
    return outputs if isinstance(outputs, list) else [outputs]


def _counted(project: RtlProject, target: Target, notes: list[str]) -> dict[str, float | None]:
    """Yosys' cells as metrics; empty, with a note, where it cannot tell."""
    try:
        counts = cells(project, target)
    except (ToolNotFound, ToolFailed, NotMeasured) as cause:
        notes.append(f"no second opinion by Yosys: {cause}")
        return {}
    notes.append(
        f"yosys_*: cells by Yosys, out of context, {carries(counts)} carry cells; Vivado needs fewer LUTs"
    )
    used = resources(counts)
    low, high = used.intervals["lut"]
    found = {f"yosys_{name}": getattr(used, name) for name in ("lut", "ff", "dsp", "bram_18k")}
    return {**found, "yosys_lut_lo": low, "yosys_lut_hi": high}


def _tools(simulated: bool, counted: bool) -> str:
    parts = [f"alkaid {metadata.version('alkaid')}"]
    if simulated:
        parts.append("Icarus Verilog")
    if counted:
        parts.append(f"Yosys (pyosys {metadata.version('pyosys')})")
    return ", ".join(parts)
