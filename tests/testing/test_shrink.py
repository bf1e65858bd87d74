"""A failing network becomes small while it still fails, and a planted fault is found, shrunk and replayed."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import keras
import pytest

from pquant_hls.network import keras_predict
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.exactness import emulated, failing, prepared
from pquant_hls.testing.networks import draw
from pquant_hls.testing.shrink import candidates, shrink
from pquant_hls.testing.sketch import Quantizer, Sketch, SketchNode

QUANTIZERS = {
    name: Quantizer("quantized_bits", {"bits": 6, "integer": 1, "alpha": 1})
    for name in ("kernel_quantizer", "bias_quantizer")
}
RELU = Quantizer("quantized_relu", {"bits": 5, "integer": 1}, "text")


def planted() -> Sketch:
    """Three layers, two inputs, a merge and two outputs, with one relu inside a dense layer."""

    def dense(key: int, source: int, **options: Any) -> SketchNode:
        settings = {"units": 4, "use_bias": True, **QUANTIZERS, **options, "name": f"n0_fc{key}"}
        return SketchNode(key, "QDense", (source,), settings)

    first = QUANTIZERS["kernel_quantizer"]
    nodes = (
        SketchNode(0, "Input", (), {"shape": (4,), "name": "n0_a"}),
        SketchNode(1, "QActivation", (0,), {"activation": first, "name": "n0_qa"}),
        SketchNode(2, "Input", (), {"shape": (4,), "name": "n0_b"}),
        SketchNode(3, "QActivation", (2,), {"activation": first, "name": "n0_qb"}),
        dense(4, 1),
        dense(5, 3, activation=RELU),
        SketchNode(6, "Add", (4, 5), {"name": "n0_sum"}),
        dense(7, 6),
        SketchNode(8, "Dropout", (7,), {"rate": 0.1, "name": "n0_drop"}),
    )
    return Sketch(0, nodes, (8, 4))


def test_a_network_shrinks_to_what_matters() -> None:
    """Pure: the predicate looks at the sketch alone."""
    small = shrink(planted(), lambda s: any(node.quantizer() == RELU for node in s.nodes), limit=60)
    assert len(small.nodes) <= 3
    assert small.outputs == (5,)
    assert small.node(5).options["units"] == 1
    assert small.node(5).weights == "zeros"


def test_no_try_is_made_beyond_the_limit() -> None:
    tried: list[Sketch] = []

    def kept(sketch: Sketch) -> bool:
        tried.append(sketch)
        return False

    shrink(planted(), kept, limit=7)
    assert len(tried) == 7


def test_candidates_are_smaller_or_plainer_and_never_the_same() -> None:
    sketch = draw(3)
    assert all(other != sketch for other in candidates(sketch))
    assert any(len(other.nodes) < len(sketch.nodes) for other in candidates(sketch))


def without_relu(normal: Any) -> Any:
    """A copy of a model in normal form whose relus are gone."""

    def copied(layer: Any) -> Any:
        relu = "relu" in str(getattr(layer, "activation", ""))
        kept = layer.__class__.from_config(layer.get_config())
        return keras.layers.Activation("linear", name=layer.name) if relu else kept

    copy = keras.models.clone_model(normal, clone_function=copied)
    copy.set_weights(normal.get_weights())
    return copy


@pytest.fixture
def dropped_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A normal form that drops an activation, in the conversion and in the lint that hands it on."""
    for name in ("pquant_hls.hls.design", "pquant_hls.lint.check"):
        home = importlib.import_module(name)
        real = home.normal_form
        monkeypatch.setattr(
            home, "normal_form", lambda model, real=real, **options: without_relu(real(model, **options))
        )


@pytest.mark.slow
def test_a_fault_of_the_normal_form_is_seen_and_shrunk(dropped_relu: None, tmp_path: Path) -> None:
    spec, places = HlsSpec(), itertools.count()
    case = prepared(planted(), spec, tmp_path / "whole")
    emulated(case)
    assert case.verdict is not None
    assert case.verdict.kind == "wrong emulator"
    assert "Keras gives" in case.verdict.detail
    assert case.project is not None
    assert case.project.graph is not None
    pairs = zip(keras_predict(case.model, case.x), emulate(case.project.graph, case.x), strict=True)
    assert not all((old == new).all() for old, new in pairs), "nor has the users' own reference a part in it"

    fails = failing(spec, lambda: tmp_path / f"t{next(places)}", case.verdict.kind)
    small = shrink(planted(), lambda sketch: fails(sketch) is not None, limit=25)
    assert len(small.nodes) <= 3, str(small)
    assert [node.kind for node in small.nodes][-1] == "QDense"
    assert small.nodes[-1].quantizer() is not None
    first, again = fails(small), fails(small)
    assert first is not None
    assert first == again  # replayed, it fails the same way
