"""The written project in stock hls4ml's hands: linked, compiled and run by it, where it was written and after a move."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.csim import compiled, predict
from pquant_hls.hls import load_project, say_where
from tests.helpers import Tiny, linked

pytestmark = pytest.mark.gxx


def test_a_written_project_predicts_with_stock_hls4ml_wherever_it_lies(
    tiny: Tiny, tmp_path: Path, csim_cache: Path
) -> None:
    """After a move, once its record was told where it lies."""
    x = np.random.default_rng(0).integers(-64, 64, (100, 4)) / 16
    with compiled(load_project(tiny.project), csim_cache, 600.0) as library:
        expected = np.asarray(predict(library, x))
    moved = Path(shutil.copytree(tiny.project, tmp_path / "else where" / "moved"))
    say_where(moved)
    assert np.array_equal(linked(moved, x), expected)
    assert [*moved.rglob("*.so")] != []
    assert [*tiny.project.rglob("*.so")] == []
    assert load_project(moved).digest() == load_project(tiny.project).digest()
