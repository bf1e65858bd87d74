"""The page's examples run: the first ones as they stand, the user's own step through its conformance class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compression.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
OWN: dict[str, Any] = {"__name__": __name__}
for block in BLOCKS[-2:]:
    exec(compile(block, PAGE, "exec", dont_inherit=True), OWN)  # noqa: S102
TestScaling = OWN["TestScaling"]
"""The class that the page tells authors of steps to write; pytest runs it from here."""


def test_the_page_has_the_blocks_that_run_here() -> None:
    assert len(BLOCKS) == 3
    assert "class Scaling(Step" in BLOCKS[1]


@pytest.mark.slow
def test_the_first_example_runs(capsys: Any) -> None:
    found: dict[str, Any] = {}
    exec(compile(BLOCKS[0], PAGE, "exec", dont_inherit=True), found)  # noqa: S102
    ebops, ratio = capsys.readouterr().out.split()
    assert found["record"].after.ebops == int(ebops)
    assert found["record"].compression_ratio == float(ratio) > 4
