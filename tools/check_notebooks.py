"""Notebooks run afresh, and their outputs compared with those stored in them.

    python tools/check_notebooks.py [--write] [NOTEBOOK...]

Each runs in an empty folder of its own. Words must be the same; a figure with an error (``71.2 ± 0.8``) within three of its
errors, any other within 20 %, as libraries and processors round otherwise; times, dates and what goes to stderr are left out; of
a picture that there is one. On another processor than stored them, where a run may take another turn, differences are told and do
not count. ``--write`` stores the outputs in place of comparing them. Exit 1 where a notebook fails or says
something else.
"""

from __future__ import annotations

import argparse
import html
import math
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
LIMIT_S = 900
ERRORS, SHARE = 3.0, 0.2
"""How far a figure may lie from the stored one: in its errors, and as a share of it where it has none."""

NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
FIGURE = re.compile(rf"({NUMBER})(?: ?± ?({NUMBER}))?")
LEFT_OUT = (
    re.compile(r"<(style|svg|progress|details)\b.*?</\1>", re.DOTALL),
    re.compile(r"<[^>]+>"),
    re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.+\d:]*)(?: UTC)?"),
    re.compile(r"\b\d+(?:\.\d+)? ?s\b(?:econds)?|\b[\d.]+ (?:seconds|minutes)\b"),
    re.compile(r"\b[0-9a-f]{12,64}\b"),
)
"""Looks, times and digests, which change with the machine or a version, and the tables behind pictures, bin by bin."""


def texts(outputs: Sequence[Any]) -> str:
    """What a cell's outputs say in words."""
    return "\n".join(word for output in outputs for word in _said(output))


def _said(output: Any) -> Iterator[str]:
    if output["output_type"] == "stream":
        yield from [output["text"]] if output["name"] == "stdout" else []
        return
    data = output.get("data", {})
    yield data.get("text/html") or ("" if _is_picture(data) else data.get("text/plain", ""))


def _is_picture(data: Any) -> bool:
    return any(kind.startswith("image/") for kind in data)


def pictures(outputs: Sequence[Any]) -> int:
    """How many pictures a cell shows."""
    shown = [output.get("data", {}) for output in outputs]
    return sum(_is_picture(data) or "<svg" in data.get("text/html", "") for data in shown)


def plain(said: str) -> str:
    """Without what is left out, in one line."""
    for pattern in LEFT_OUT:
        said = pattern.sub(" ", said)
    return " ".join(html.unescape(said).split())


def differences(stored: str, fresh: str) -> Iterator[str]:
    """Where two outputs say something else."""
    old, new = plain(stored), plain(fresh)
    frame, other = FIGURE.sub("#", old), FIGURE.sub("#", new)
    if frame != other:
        start = next(
            (n for n, (a, b) in enumerate(zip(frame, other, strict=False)) if a != b),
            min(len(frame), len(other)),
        )
        yield f"says {other[max(0, start - 30) : start + 50]!r}, stored is {frame[max(0, start - 30) : start + 50]!r}"
        return
    for was, now in zip(FIGURE.finditer(old), FIGURE.finditer(new), strict=True):
        if not alike(was, now):
            yield f"gives {now[0]} in place of {was[0]}, behind {old[max(0, was.start() - 30) : was.start()]!r}"


def alike(was: re.Match[str], now: re.Match[str]) -> bool:
    """Whether two figures are the same within what they may differ by."""
    old, new = (float(found[1].replace(",", "")) for found in (was, now))
    if was[2] is not None and now[2] is not None:
        error = math.hypot(*(float(found[2].replace(",", "")) for found in (was, now)))
        return abs(old - new) <= ERRORS * error + 1e-12
    digits = len(was[1].partition(".")[2])
    return abs(old - new) <= max(SHARE * max(abs(old), abs(new)), 1.5 * 10.0**-digits)


def read(notebook: Path) -> Any:
    """A notebook as it lies there."""
    books: Any = nbformat  # its functions have no types
    return books.read(notebook, as_version=4)


def run(notebook: Path) -> Any:
    """The notebook with the outputs of a fresh run in an empty folder; CellExecutionError where a cell fails."""
    found = read(notebook)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            found, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    for cell in found.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return found


def compared(stored: Any, fresh: Any) -> Iterator[str]:
    """What a fresh run says otherwise, cell by cell."""
    for number, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True), start=1):
        if old.cell_type != "code":
            continue
        if (was := pictures(old.outputs)) != (now := pictures(new.outputs)):
            yield f"cell {number}: shows {now} pictures, stored are {was}"
        yield from (f"cell {number}: {said}" for said in differences(texts(old.outputs), texts(new.outputs)))


def processor() -> str:
    """What the processor calls itself."""
    names = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.machine()


def main() -> int:
    """All notebooks that are asked for, those of the project where none are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true", help="store the outputs")
    asked, failed = parser.parse_args(), False
    for notebook in asked.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        begun = time.monotonic()
        try:
            fresh = run(notebook)
        except (CellExecutionError, DeadKernelError) as cause:
            print(f"{notebook.name}: {cause}")
            failed = True
            continue
        stored = read(notebook)
        found = [] if asked.write else list(compared(stored, fresh))
        if found and stored.metadata.get("processor") != processor():
            print(
                f"{notebook.name}: stored on another processor, whose training rounds otherwise; told, not counted"
            )
            found, told = [], found
            print("\n".join(f"  {word}" for word in told))
        if asked.write:
            fresh.metadata["processor"] = processor()
            written: Any = nbformat
            written.write(fresh, notebook)
        print(
            "\n".join(
                [f"{notebook.name}: {time.monotonic() - begun:.0f} s", *(f"  {word}" for word in found)]
            ),
            flush=True,
        )
        failed |= bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
