"""A random test that fails must fail again: nothing in it may depend on the process it ran in."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.decide.worlds import World

ROOT = Path(__file__).parents[1]
SEEN = "from tests.decide.worlds import World; print([World(s).outcome({'bits': 6.0, 'sparsity': 0.4}) for s in range(20)])"


def calls_of_hash(path: Path) -> Iterator[str]:
    """Places that call the builtin, whose value for a text differs in every process."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash":
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize("folder", ["tests", "pquant_hls", "benchmarks", "tools"])
def test_nothing_draws_by_the_hash_of_a_process(folder: str) -> None:
    assert [place for path in sorted((ROOT / folder).rglob("*.py")) for place in calls_of_hash(path)] == []


def test_a_world_is_the_same_in_every_process() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", SEEN],
            env={**os.environ, "PYTHONHASHSEED": salt},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(set(said[0].split("), ("))) > 10, "worlds of other seeds differ"


def test_a_failing_case_is_printed_so_that_it_can_be_replayed() -> None:
    world = World(seed=7)
    assert eval(repr(world)) == world  # noqa: S307 - its own text
    assert settings().print_blob
