"""LUT, FF, carry and DSP of a Verilog project by Yosys' synth_xilinx (extra ``rtl``)."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from pquant_hls.errors import NotMeasured, ToolFailed, ToolNotFound
from pquant_hls.files import scratch
from pquant_hls.programs import Limits, run
from pquant_hls.qor import Resources, Target
from pquant_hls.rtl.project import RtlProject

FAMILIES = {"ultrascale+": "xcup", "ultrascale": "xcu", "7series": "xc7"}
"""Yosys' words for AMD's families."""

MEND = "pip install 'pquant_hls[rtl]'"
TIMEOUT_S = 1800.0
"""A 16-64-32-32-5 network of 6-bit weights takes about 90 s of one core, nine tenths of it in ABC."""
_OTHERWISE = "cycles stand without it; for resources run vivado.tcl, or synthesize(project, timeout_s=...)"
_LUT = re.compile(r"^LUT[1-6](_2)?$|^SRL(16|C32)E$")
_FF = re.compile(r"^(FD|LD)[A-Z]+(_1)?$")


def synthesize(
    project: RtlProject, target: Target | None = None, *, timeout_s: float = TIMEOUT_S
) -> Resources:
    """Cells after Yosys' mapping to the family of ``target`` (the project's own when left out).

    Out of context. Yosys packs no two functions into one LUT6 and maps three-input adds to two carry chains:
    expect fewer LUTs from Vivado, hence the interval of ``resources``.

    Raises
    ------
    ToolNotFound : pyosys is not installed.
    NotMeasured : Yosys does not know the family.
    ToolFailed : it failed, or took longer than ``timeout_s`` seconds or more memory than ``programs.Limits`` gives.
    """
    return resources(cells(project, target or project.target, timeout_s))


def cells(project: RtlProject, target: Target, timeout_s: float = TIMEOUT_S) -> dict[str, int]:
    """Number of cells by Yosys' type, e.g. ``{"LUT6": 312, "FDRE": 410, "CARRY8": 77}``."""
    if importlib.util.find_spec("pyosys") is None:
        raise ToolNotFound("pyosys is not installed", mend=MEND)
    if target.family not in FAMILIES:
        raise NotMeasured(f"Yosys does not map to the family {target.family!r}", where=target.part)
    with scratch() as work:
        out = work / "stat.json"
        child = Path(__file__).with_name("_synth.py")
        files = [str(path.absolute()) for path in project.sources]
        args = [sys.executable, str(child), str(out), FAMILIES[target.family], project.name, *files]
        result = run(args, work, Limits(timeout_s), work / "yosys.log")
        if not result.ok:
            raise result.failure("Yosys", where=project.path, mend=_OTHERWISE)
        if not out.is_file():
            raise ToolFailed("Yosys ended without its counts", where=project.path, mend=_OTHERWISE)
        return _counts(json.loads(out.read_text()))


def _counts(stat: Mapping[str, object]) -> dict[str, int]:
    design = stat["design"]
    found = design["num_cells_by_type"] if isinstance(design, Mapping) else {}
    return {str(name): int(count) for name, count in found.items()}


def resources(counts: Mapping[str, int]) -> Resources:
    """LUTs include those used as shift registers; a RAMB36 counts as two 18 kb blocks.

    The interval of the LUTs: at best every two functions of five inputs or fewer share one LUT6, as Vivado may pack
    them (UG574); at worst none do and every inverter takes a LUT of its own.
    """
    luts = sum(n for name, n in counts.items() if _LUT.match(name))
    small = sum(counts.get(f"LUT{inputs}", 0) for inputs in range(1, 6))
    return Resources(
        lut=luts,
        intervals={"lut": (luts - small // 2, luts + counts.get("INV", 0))},
        ff=sum(n for name, n in counts.items() if _FF.match(name)),
        dsp=sum(n for name, n in counts.items() if name.startswith("DSP")),
        bram_18k=sum(n * (2 if "36" in name else 1) for name, n in counts.items() if name.startswith("RAMB")),
        uram=sum(n for name, n in counts.items() if name.startswith("URAM")),
    )


def carries(counts: Mapping[str, int]) -> int:
    """CARRY4 (7 series) or CARRY8 (UltraScale, UltraScale+) cells."""
    return sum(n for name, n in counts.items() if name.startswith("CARRY"))
