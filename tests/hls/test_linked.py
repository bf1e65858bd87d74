"""The written project in stock hls4ml's hands: linked, compiled and run by it, where it was written and after a move."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.csim import compiled, predict
from pquant_hls.hls import load_project
from pquant_hls.network.capture import captured
from tests.helpers import Tiny

pytestmark = pytest.mark.gxx


def linked(folder: Path, x: np.ndarray) -> Any:
    """As hls4ml's own documentation goes."""
    from hls4ml.converters import link_existing_project

    with captured():
        model = link_existing_project(str(folder))
        model.compile()
        return model.predict(np.ascontiguousarray(x, np.float32))


def test_a_written_project_predicts_with_stock_hls4ml_wherever_it_lies(
    tiny: Tiny, tmp_path: Path, csim_cache: Path
) -> None:
    x = np.random.default_rng(0).integers(-64, 64, (100, 4)) / 16
    with compiled(load_project(tiny.project), csim_cache, 600.0) as library:
        expected = np.asarray(predict(library, x))
    first = Path(shutil.copytree(tiny.project, tmp_path / "first"))
    second = tmp_path / "elsewhere" / "second"
    assert np.array_equal(linked(first, x), expected)
    second.parent.mkdir()
    first.rename(second)
    for library_file in second.rglob("*.so"):
        library_file.unlink()
    assert np.array_equal(linked(second, x), expected)
    assert [*second.rglob("*.so")] != []
    assert [*tiny.project.rglob("*.so")] == []
    assert not first.exists()
