"""What a firmware's own build files say it is built for: backend, part, clock."""

from __future__ import annotations

import re
from pathlib import Path

from pquant_hls.errors import PquantError
from pquant_hls.errors.bounds import YAML_BYTES
from pquant_hls.firmware.layout import Layout
from pquant_hls.spec import HlsSpec

_FILES = ("project.tcl", "build_prj.tcl", "hls4ml_config.yml", "hls4ml_config.yaml")
_PATTERNS = {
    "backend": (r'^\s*set\s+backend\s+"?(\w+)', r"^Backend:\s*(\w+)"),
    "part": (
        r'^\s*set\s+part\s+"?([\w.-]+)',
        r"^\s*set_part\s+\{?([\w.-]+)",
        r"^(?:Part|XilinxPart):\s*([\w.-]+)",
    ),
    "clock_ns": (
        r'^\s*set\s+clock_period\s+"?([\d.]+)',
        r"^\s*create_clock\s+-period\s+([\d.]+)",
        r"^ClockPeriod:\s*([\d.]+)",
    ),
    "clock_uncertainty": (
        r'^\s*set\s+clock_uncertainty\s+"?([\d.]+%?)',
        r"^\s*set_clock_uncertainty\s+([\d.]+%?)",
        r"^ClockUncertainty:\s*([\d.]+%?)",
    ),
}
_BACKENDS = {"vivado": "Vivado", "vivadoaccelerator": "Vivado", "vitis": "Vitis", "vitisaccelerator": "Vitis"}


def read_spec(layout: Layout) -> HlsSpec | None:
    """Backend, part and clock as build files around the firmware state them; None where they state no part or no clock.

    A backend that is not stated is Vivado for hls4ml before 0.7, which knew no other, else Vitis.
    """
    text = "\n".join(_texts(layout))
    found = {
        name: value for name, patterns in _PATTERNS.items() if (value := _first(patterns, text)) is not None
    }
    if "part" not in found or "clock_ns" not in found:
        return None
    backend = _BACKENDS.get(found.pop("backend", "").lower(), assumed_backend(layout))
    try:
        return HlsSpec(backend=backend, project_name=layout.name, **_numbers(found))
    except (PquantError, ValueError):
        return None


def assumed_backend(layout: Layout) -> str:
    """The backend that sources without build files are taken for."""
    return "Vivado" if (layout.version or "").startswith("0.3") else "Vitis"


def _numbers(found: dict[str, str]) -> dict[str, object]:
    return {**found, "clock_ns": float(found["clock_ns"])}


def _texts(layout: Layout) -> list[str]:
    places = dict.fromkeys((layout.root, layout.folder.parent, layout.folder))
    files = (place / name for place in places for name in _FILES)
    return [_start(file) for file in files if file.is_file()]


def _start(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(YAML_BYTES)


def _first(patterns: tuple[str, ...], text: str) -> str | None:
    found = (re.search(pattern, text, re.M) for pattern in patterns)
    return next((match[1] for match in found if match is not None), None)
