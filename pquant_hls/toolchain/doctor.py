"""What of the tools and packages is here, what is missing, and what that means for measuring."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from pquant_hls.programs import PROGRAMS, Tool, find_tools
from pquant_hls.spec import BACKENDS, Backend

Severity = Literal["ok", "optional", "required"]
PACKAGES = (
    "tensorflow",
    "keras",
    "qkeras-v3",
    "hls4ml",
    "numpy",
    "optuna",
    "pydantic",
    "typer",
    "rich",
    "PyYAML",
    "h5py",
    "defusedxml",
    "alkaid",
)


@dataclass(frozen=True)
class ToolCheck:
    """One line of the doctor's answer.

    ``severity`` is ``ok`` when found, else whether the main job can do without it (``optional``) or not
    (``required``). ``means`` says what works or does not; ``install`` is the line to type, empty where found.
    """

    name: str
    severity: Severity
    version: str | None
    means: str
    install: str = ""


def doctor(env: Mapping[str, str] | None = None) -> list[ToolCheck]:
    """Python, packages and programs, in the order of their weight for the main job; imports none of them."""
    backends = [BACKENDS.find(name) for name in BACKENDS.names()]
    tools = find_tools(
        env, programs=(*PROGRAMS, *(program for one in backends for program in one.all_programs))
    )
    return [
        _python(),
        *(_package(name) for name in PACKAGES),
        *_conflicts(),
        *_compilers(tools),
        *_synthesis(tools, backends),
        *_licenses(tools, backends, os.environ if env is None else env),
        _tool(
            tools,
            "iverilog",
            "optional",
            "simulation of the RTL to confirm its cycles",
            "apt-get install iverilog",
        ),
        _pyosys(),
    ]


def exit_code(checks: Sequence[ToolCheck]) -> int:
    """0 when the main job can run, 3 otherwise."""
    return 3 if any(check.severity == "required" for check in checks) else 0


def _python() -> ToolCheck:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return ToolCheck("python", "ok", version, "supported")
    return ToolCheck(
        "python", "required", version, "only 3.11 to 3.13 are supported", "apt-get install python3.12"
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str) -> ToolCheck:
    version = _version(name)
    if version is not None:
        return ToolCheck(name, "ok", version, "installed")
    return ToolCheck(name, "required", None, "the main job needs it", "pip install pquant_hls")


def _conflicts() -> list[ToolCheck]:
    """HGQ2 installs a package named qkeras over the files of qkeras-v3 without a warning."""
    version = _version("HGQ2")
    if version is None:
        return []
    means = "overwrites qkeras-v3's files: quantized models are then not what they say"
    return [
        ToolCheck(
            "HGQ2",
            "required",
            version,
            means,
            "pip uninstall HGQ2 && pip install --force-reinstall qkeras-v3",
        )
    ]


def _compilers(tools: Mapping[str, Tool]) -> list[ToolCheck]:
    return [
        _tool(tools, "g++", "required", "csim (the firmware's C++ compiled and run)", "apt-get install g++"),
        _tool(tools, "make", "optional", "make quickstart or make test", "apt-get install make"),
    ]


def _tool(tools: Mapping[str, Tool], name: str, severity: Severity, use: str, install: str) -> ToolCheck:
    tool = tools.get(name)
    if tool is None:
        return ToolCheck(name, severity, None, f"no {use}", install)
    return ToolCheck(name, "ok", tool.version, use)


def _synthesis(tools: Mapping[str, Tool], backends: Sequence[Backend]) -> list[ToolCheck]:
    """C synthesis of each backend, and what its further steps need; without any, latency is an estimate."""
    found = [
        ToolCheck(name, "ok", tools[name].version, f"{', '.join(one.flow)} of {one.name} projects")
        for one in backends
        for name in one.program_names
        if name in tools
    ]
    if not found:
        names = [name for one in backends for name in one.program_names]
        means = f"no csynth by {', '.join(names[:-1])} or {names[-1]}: latency and resources are estimated"
        found = [ToolCheck(names[0], "optional", None, means, _install(backends))]
    needed = {program.name: step for one in backends for step, program in one.needs.items()}
    return [
        *found,
        *(_tool(tools, name, "optional", step, _install(backends)) for name, step in needed.items()),
    ]


def _install(backends: Sequence[Backend]) -> str:
    return "; ".join(dict.fromkeys(one.install for one in backends))


def _licenses(
    tools: Mapping[str, Tool], backends: Sequence[Backend], env: Mapping[str, str]
) -> list[ToolCheck]:
    """Backends that are here without a word of where their license is."""
    means = "no license variable set: parts beyond the free edition may be refused"
    unset = {
        one.licenses[0]: ToolCheck(
            "license", "optional", None, means, f"export {one.licenses[0]}=port@server"
        )
        for one in backends
        if one.licenses
        and any(name in tools for name in (program.name for program in one.all_programs))
        and not any(name in env for name in one.licenses)
    }
    return list(unset.values())


def _pyosys() -> ToolCheck:
    version = _version("pyosys")
    if version is not None:
        return ToolCheck("pyosys", "ok", version, "resources of the RTL by open synthesis")
    means = "no resources of the RTL by open synthesis"
    return ToolCheck("pyosys", "optional", None, means, "pip install 'pquant_hls[rtl]'")
