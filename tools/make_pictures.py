"""Pictures of the report and of the terminal for the pages: docs/pictures.

    python tools/make_pictures.py RUN [FOLDER]

RUN is a run folder, such as build/gallery/runs/tagger. The report as Chromium shows it, 400 and 1280 pixels wide, light and dark,
and the terminal of 80 columns as SVG.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from look_at import browser, screenshot
from PIL import Image
from rich.console import Console
from rich.text import Text

from pquant_hls.reporting import read_run, to_html

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 80
HEIGHTS = {400: 900, 1280: 1300}
"""Pixels of a picture by the width of its window: the head of the page, and where time and logic go."""
_FETCHED = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def terminal_picture(words: Sequence[str], shown: str) -> str:
    """SVG of what a command prints on a terminal of 80 columns; ``shown`` is the command as it is typed. Nothing is fetched
    for it: fonts are the reader's."""
    told = {**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "pquant_hls", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=told, check=False)  # noqa: S603
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {shown}", style="bold"))
    console.print(Text.from_ansi(done.stdout))
    return _FETCHED.sub("", console.export_svg(title="80 columns", unique_id="terminal"))


def report_pictures(page: str, folder: Path) -> list[Path]:
    """The page in four windows."""
    made = []
    with tempfile.TemporaryDirectory() as work:
        for width, height in HEIGHTS.items():
            for dark in (False, True):
                made.append(folder / f"report-{width}-{'dark' if dark else 'light'}.png")
                screenshot(page, Path(work), width, made[-1], dark=dark, height=height)
                _trimmed(made[-1], width)
    return made


def _trimmed(picture: Path, width: int) -> None:
    """Without the rest of Chromium's window, which is never narrower than 500, and in as many colours as a page has."""
    with Image.open(picture) as found:
        small = found.convert("RGB").crop((0, 0, width, found.height)).quantize(64)
    small.save(picture, optimize=True)


def main() -> int:
    """All pictures, with their sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "pictures")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    terminal = asked.folder / "terminal-80.svg"
    shown = f"pquant-hls report runs/{asked.run.name}"
    with tempfile.TemporaryDirectory() as work:  # as the command is typed, whatever folder the run lies in
        place = Path(work, "runs", asked.run.name)
        place.parent.mkdir()
        place.symlink_to(asked.run.absolute())
        here = Path.cwd()
        os.chdir(work)
        terminal.write_text(terminal_picture(shown.split()[1:], shown), encoding="utf-8")
        os.chdir(here)
    made = [terminal]
    if browser() is None:
        print("no chromium on PATH: the report was not pictured", file=sys.stderr)
    else:
        made += report_pictures(to_html(read_run(asked.run)), asked.folder)
    print("\n".join(f"{path}: {path.stat().st_size / 1e3:,.0f} kB" for path in made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
