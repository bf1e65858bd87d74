"""Where a project lies, as hls4ml's own record of it says: ``link_existing_project`` compiles there."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

RECORD = "hls4ml_config.yml"


def say_where(folder: Path, out: Path | None = None) -> None:
    """Let hls4ml's own record name the folder in which the project lies, or will lie (``out``).

    hls4ml's ``link_existing_project`` compiles where the record says: call this after a project was moved or copied.
    """
    record = folder / RECORD
    record.write_text(told_to_lie_in(record.read_text(), str(folder.absolute() if out is None else out)))


def told_to_lie_in(text: str, out: str) -> str:
    """A record that names the folder ``out``; all else in it stays, byte for byte."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "OutputDir":
            return text[: value.start_mark.index] + json.dumps(out) + text[value.end_mark.index :]
    return text
