"""Which weights of a firmware are the model's: of this package's project, of one without its record, of hls4ml's own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.csim import compare
from pquant_hls.csim.model_weights import weight_gaps
from pquant_hls.hls import HlsProject, load_project
from pquant_hls.network import load_model
from tests.helpers import Tiny
from tests.hls.test_like_with_like import plain_hls4ml

RECORDS = ("pquant_project.json", "pquant_graph.zip")


@pytest.fixture
def foreign(tiny: Tiny, tmp_path: Path) -> Path:
    """The tiny project without what this package keeps beside it."""
    folder = Path(shutil.copytree(tiny.project, tmp_path / "p"))
    for name in RECORDS:
        (folder / name).unlink()
    return folder


def moved(folder: Path) -> HlsProject:
    """The project with the first layer's first weight that is not 0 turned round in both copies."""
    header = min((folder / "firmware" / "weights").glob("w*.h"))
    text = header.read_text()
    values = text[text.rindex("{") + 1 : text.rindex("}")].split(",")
    place = next(i for i, value in enumerate(values) if float(value) != 0)
    values[place] = str(-float(values[place]))
    start, end = text.rindex("{") + 1, text.rindex("}")
    header.write_text(text[:start] + ", ".join(values) + text[end:])
    header.with_suffix(".txt").write_text(", ".join(values))
    return load_project(folder)


def test_a_firmware_holds_its_models_weights(tiny: Tiny, foreign: Path) -> None:
    model = load_model(tiny.model)
    for folder in (tiny.project, foreign):
        gaps, note = weight_gaps(load_project(folder), model)
        assert (gaps, note.endswith("all are the model's")) == ((), True)
        assert re.match(r"of 23 weights", note)


@pytest.mark.gxx
def test_one_that_differs_is_named(tiny: Tiny, foreign: Path) -> None:
    model, project = load_model(tiny.model), moved(foreign)
    (gap,), note = weight_gaps(project, model)
    assert (gap.layer, gap.array, gap.differing, gap.total) == ("fc1", "weight", 1, 12)
    assert gap.firmware == -gap.model
    assert note.endswith("1 are not the model's")
    found = compare(project, model, np.random.default_rng(0).normal(0, 2, (200, 4)))
    assert found.weights == (gap,)
    assert note in found.notes
    if found.first is not None:
        assert found.first.layer == "fc1"
        assert found.likely is not None
        assert found.likely.startswith("weights that are not the model's in fc1")


def float_model(units: int = 3) -> Any:
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, activation="relu", name="one"),
            keras.layers.Dense(2, name="two"),
        ]
    )


def test_hls4mls_own_project_of_a_float_model(tmp_path: Path) -> None:
    """Rounded as the firmware's types round; another training of the same network is told apart, layer by layer."""
    model = float_model()
    project = plain_hls4ml(model, tmp_path / "p", trace=False)
    assert weight_gaps(project, model)[0] == ()
    other = float_model()
    other.get_layer("two").kernel.assign(other.get_layer("two").kernel + 0.25)
    (gap,) = weight_gaps(project, other)[0]
    assert (gap.layer, gap.differing, gap.total) == ("two", 6, 6)
    assert gap.worst_lsb == pytest.approx(256, abs=1)


def test_another_network_is_not_compared(tmp_path: Path) -> None:
    project = plain_hls4ml(float_model(), tmp_path / "p", trace=False)
    gaps, note = weight_gaps(project, float_model(5))
    assert (gaps, note) == ((), "weights are not compared with the model's: their layers are others")
