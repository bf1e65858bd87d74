"""Many events go through csim chunk by chunk, and give what they give at once."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pquant_hls.csim import build, predict
from pquant_hls.hls import load_project
from tests.helpers import Tiny


def test_chunks_give_what_all_give(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    library = build(load_project(tiny.project))
    x = np.random.default_rng(0).normal(size=(25, *library.project.inputs[0].shape))
    whole = np.asarray(predict(library, x))
    monkeypatch.setattr(sys.modules[predict.__module__], "CHUNK", 10)
    np.testing.assert_array_equal(predict(library, x), whole)
    assert len(predict(library, x[:10])) == 10
