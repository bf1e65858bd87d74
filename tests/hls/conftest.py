"""Projects and libraries shared by the tests of this room: compiles are what costs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.csim import Library, build
from pquant_hls.hls import HlsProject, convert
from pquant_hls.spec import HlsSpec


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of csim libraries for the session."""
    return tmp_path_factory.mktemp("csim-cache")


@pytest.fixture
def quick_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """g++ without optimization, for designs that run once on a few inputs; test_project.py has it as users do."""
    module = importlib.import_module("pquant_hls.csim.build")
    real = module._probe

    def plain(path: str) -> Any:
        found = real(path)
        return module._Compiler(found.path, found.version, tuple(f for f in found.flags if f != "-O3"))

    monkeypatch.setattr(module, "_probe", plain)


@pytest.fixture(scope="session")
def tagger() -> Any:
    """A 6-8-6-3 QKeras MLP with a narrowing quantizer, an activation inside, a softmax and fixed weights."""
    import keras

    from tests.hls.hls_zoo import act, bits, dense, relu

    model = keras.Sequential(
        [
            keras.Input((6,)),
            act(bits(8, 3)),
            dense(8, activation=relu(5, 2), name="fc1"),
            dense(6, name="fc2"),
            act(bits(5, 1)),
            dense(3, name="fc3"),
            keras.layers.Softmax(),
        ]
    )
    rng = np.random.default_rng(3)
    for variable in model.weights:
        variable.assign(rng.uniform(-0.9, 0.9, variable.shape).astype(np.float32))
    return model


@pytest.fixture(scope="session")
def jets() -> np.ndarray:
    """(300, 6) float32 inputs, off every grid."""
    return np.random.default_rng(4).normal(0.0, 3.0, (300, 6)).astype(np.float32)


@pytest.fixture(scope="session")
def project(tagger: Any, tmp_path_factory: pytest.TempPathFactory) -> HlsProject:
    return convert(tagger, HlsSpec(), tmp_path_factory.mktemp("projects") / "tagger")


@pytest.fixture(scope="session")
def library(project: HlsProject, cache: Path) -> Library:
    return build(project, cache=cache)
