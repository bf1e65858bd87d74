"""Do the pages point at things that exist? Links, files of the project and commands that they name.

    python tools/check_docs.py

Exit 1 with a line for each page, line number and target that is not there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(
    r"`((?:pquant_hls|docs|tests|benchmarks|tools|notebooks|hls_configs)/[\w./-]+\.(?:py|md|yaml|json|ipynb|npz))`"
)
COMMAND = re.compile(r"`(?:\$ )?pquant-hls ([a-z][a-z-]*)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> set[str]:
    """Names of the command line's commands and groups."""
    from typer.main import get_command

    from pquant_hls.cli.app import app

    return set(getattr(get_command(app), "commands", {}))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as the forges make them."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(page.read_text()))
    return {text.strip().replace(" ", "-") for text in kept}


def broken_link(page: Path, target: str) -> bool:
    if "://" in target or target.startswith("mailto:"):
        return False
    path, _, anchor = target.partition("#")
    place = page if not path else page.parent / path
    return not place.exists() or bool(anchor and place.suffix == ".md" and anchor not in anchors(place))


def complaints(page: Path, known: set[str]) -> Iterator[str]:
    """What a page names and is not there."""
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        missing = [target for target in LINK.findall(line) if broken_link(page, target)]
        missing += [name for name in NAMED.findall(line) if not (ROOT / name).exists()]
        missing += [f"pquant-hls {name}" for name in COMMAND.findall(line) if name not in known]
        yield from (f"{page.relative_to(ROOT)}:{number}: {target} is not there" for target in missing)


def main() -> int:
    known = commands()
    found = [complaint for page in pages() for complaint in complaints(page, known)]
    print("\n".join(found) or f"{len(pages())} pages name nothing that is not there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
