"""What is found and what its absence means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pquant_hls.programs import PROGRAMS, find_tools
from pquant_hls.spec.backends import VITIS
from pquant_hls.toolchain import ToolCheck, doctor, exit_code

AddTool = Callable[..., Path]


def say(text: str) -> str:
    return f"#!/bin/sh\necho '{text}'\n"


def by_name(checks: list[ToolCheck]) -> dict[str, ToolCheck]:
    return {check.name: check for check in checks}


def test_versions_are_read_from_what_the_tools_say(add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    add_tool("g++", say("g++ (Debian 12.2.0-14) 12.2.0"))
    add_tool("iverilog", say("Icarus Verilog version 11.0 (stable)"))
    add_tool("vivado", say("no version here"))
    tools = find_tools(programs=(*PROGRAMS, *VITIS.all_programs))
    assert {name: tool.version for name, tool in tools.items()} == {
        "vitis_hls": "2023.1",
        "g++": "12.2.0",
        "iverilog": "11.0",
        "vivado": None,
    }


def test_a_tool_that_does_not_answer_is_still_found(
    add_tool: AddTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_VERSION_S", "600")
    assert find_tools(timeout_s=0.5, programs=VITIS.programs)["vitis_hls"].version is None


def test_only_the_path_of_the_environment_counts(tmp_path: Path) -> None:
    assert find_tools({"PATH": str(tmp_path)}) == {}


def test_the_main_job_needs_a_compiler_and_nothing_else(add_tool: AddTool) -> None:
    without = doctor()
    assert exit_code(without) == 3
    assert by_name(without)["g++"].install == "apt-get install g++"
    add_tool("g++", say("g++ 12.2.0"))
    checks = doctor()
    assert exit_code(checks) == 0
    assert [check.name for check in checks if check.severity == "required"] == []


def test_missing_tools_say_what_they_mean_and_how_to_get_them(add_tool: AddTool) -> None:
    checks = by_name(doctor())
    for name in ("vitis_hls", "vivado", "iverilog"):
        assert checks[name].severity == "optional"
        assert checks[name].version is None
        assert checks[name].means
        assert checks[name].install
    assert "estimated" in checks["vitis_hls"].means


def test_vendor_tools_without_a_license_are_noted(add_tool: AddTool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE"):
        monkeypatch.delenv(name, raising=False)
    add_tool("vitis_hls")
    assert "license" in by_name(doctor())
    monkeypatch.setenv("XILINXD_LICENSE_FILE", "2100@server")
    checks = by_name(doctor())
    assert "license" not in checks
    assert checks["vitis_hls"].version == "2023.1"
