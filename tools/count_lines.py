"""Count lines of code: without blank ones, comments and docstrings, as the project's formatter lays them out.

    python tools/count_lines.py

Prints a row for each room of the package and one for each room of the tests, and their ratio.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines that hold code; every line of a longer text counts, but those of docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def rooms(folder: Path) -> dict[str, int]:
    """Code lines of each folder right below this one; ``.`` are those of its own modules."""
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder)
        room = place.parts[0] if len(place.parts) > 1 else "."
        found[room] = found.get(room, 0) + code_lines(path.read_text())
    return found


def main() -> int:
    package, tests = rooms(ROOT / "pquant_hls"), rooms(ROOT / "tests")
    for name in sorted({*package, *tests}):
        print(f"{name:<14} {package.get(name, 0):6d} {tests.get(name, 0):6d}")
    source, tested = sum(package.values()), sum(tests.values())
    print(f"{'all':<14} {source:6d} {tested:6d}   tests/package {tested / source:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
