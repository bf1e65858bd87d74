"""``rtl``: our own Verilog of the design, written and simulated by open tools."""

from __future__ import annotations

from typing import ClassVar, Literal

from pquant_hls.measure.evaluator import Design, Evaluator, of_the_part
from pquant_hls.qor import QoR

FOLDER = "rtl"
"""Folder of the Verilog project, in the folder where the evaluator may write."""


class ByVerilog(Evaluator):
    """Cycles by construction and simulation, LUT and clock as routing leaves them; Yosys as a second opinion.

    A layer without exact RTL is a NotMeasured.
    """

    describes: ClassVar[Literal["hls", "rtl"]] = "rtl"

    def measure(self, design: Design) -> QoR:
        from pquant_hls.rtl import measure_rtl

        inputs, expected = (None, None) if design.golden is None else design.golden
        out = design.work / FOLDER
        found = measure_rtl(
            design.graph,
            design.target,
            out,
            inputs,
            expected,
            yosys=design.thorough,
            simulation=design.thorough or design.golden is not None,
        )
        return of_the_part(found)
