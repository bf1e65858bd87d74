"""What the commands say of what they hand over."""

from __future__ import annotations

import pytest

from pquant_hls.cli.compress import handed_over
from pquant_hls.spec import Recipe

STEPS = [{"step": "quantize", "bits": 6}]


@pytest.mark.parametrize(
    ("hls", "budget", "project", "verilog"),
    [
        ({}, {}, "for vitis_hls or vitis-run: its script is build_prj.tcl", False),
        ({"backend": "Vivado"}, {}, "for vivado_hls: its script is build_prj.tcl", False),
        ({}, {"deliver": "rtl"}, "for vitis_hls or vitis-run", True),
    ],
)
def test_the_project_is_for_its_own_backend_and_delivered_verilog_is_named(
    hls: dict[str, str], budget: dict[str, str], project: str, verilog: bool
) -> None:
    limits = {"latency_ns": "50 ns", **budget}
    recipe = Recipe.parse({"steps": STEPS, "hls": hls, "budget": limits})
    found = dict(handed_over(recipe))
    assert project in found["project"]
    assert ("rtl" in found) == verilog
