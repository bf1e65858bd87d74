"""Does each room's coverage reach its floor? Reads coverage's JSON and ``[tool.coverage_floors]`` of pyproject.toml.

    python tools/coverage_floors.py build/coverage.json [--raise]

``--raise`` writes the table anew: half a percent below each room, in whole percents, unless its floor is higher.
Exit 0 when every floor holds; 1 when a room is below its floor, has none, or a floor names no room.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "pquant_hls"
TABLE = "[tool.coverage_floors]"


def shares(files: Mapping[str, Any]) -> dict[str, float]:
    """Percent of the statements run, by room; modules beside the rooms count as ``root``."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in files.items():
        parts = Path(name).parts
        inside = parts[parts.index(PACKAGE) + 1 :]
        room = counts[inside[0] if len(inside) > 1 else "root"]
        room[0] += found["summary"]["covered_lines"]
        room[1] += found["summary"]["num_statements"]
    return {room: 100.0 * covered / total for room, (covered, total) in sorted(counts.items()) if total}


def complaints(found: Mapping[str, float], floors: Mapping[str, float]) -> list[str]:
    """What does not hold, one line each."""
    said = [f"{room}: no floor in [tool.coverage_floors]" for room in found if room not in floors]
    said += [f"{room}: a floor, but no such room" for room in floors if room not in found]
    below = [(room, share) for room, share in found.items() if share < floors.get(room, 0.0)]
    return said + [f"{room}: {share:.1f} % is below its floor of {floors[room]:g} %" for room, share in below]


def raised(text: str, found: Mapping[str, float], floors: Mapping[str, float]) -> str:
    """pyproject.toml's text with the floors that these shares allow; floors never fall."""
    head, rest = text.split(TABLE, 1)
    tail = rest[rest.find("\n[") :] if "\n[" in rest else ""
    lines = [
        f"{room} = {max(int(share - 0.5), int(floors.get(room, 0)))}" for room, share in sorted(found.items())
    ]
    return "\n".join([head + TABLE, *lines, tail])


def main(report: Path, *, rise: bool) -> int:
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage_floors"]
    found = shares(json.loads(report.read_text())["files"])
    for room, share in found.items():
        print(f"{room:<12} {share:5.1f} %   floor {floors.get(room, 0.0):g} %")
    if rise:
        project = ROOT / "pyproject.toml"
        project.write_text(raised(project.read_text(), found, floors))
        return 0
    said = complaints(found, floors)
    print("\n".join(said) or "every floor holds")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), rise="--raise" in sys.argv[2:]))
