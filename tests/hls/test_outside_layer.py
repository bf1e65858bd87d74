"""A layer that another package adds, from hls4ml's class to the firmware's bits: PReLU."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from pquant_hls.csim import build, predict
from pquant_hls.hls import LayerRule, convert, layers, register_layer
from pquant_hls.qor import Op, ops, register_op
from pquant_hls.rtl import LayerCall, computes, emulate
from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LAYERS
from pquant_hls.spec import HlsSpec

pytestmark = [pytest.mark.gxx, pytest.mark.usefixtures("quick_compiles")]


@pytest.fixture
def prelu(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the package writes, taken back behind the test."""
    for registry in (ops._ops, layers._rows, LAYERS):
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    register_op(Op("prelu", "scale"))
    register_layer(LayerRule("prelu", arrays=("param",)), "PReLU")

    @computes("prelu")
    def rule(call: LayerCall) -> arith.Symbols:
        """x where positive, else its slope times x (nnet_activation.h, prelu)."""
        slopes = call.constants("param").astype(object)
        return arith.each(lambda x, a: arith.choose(x.is_negative(), x * a, x), call.wires, slopes)


@pytest.mark.usefixtures("prelu")
def test_its_project_computes_what_the_emulator_says(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.PReLU()])
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(-1, 1, weight.shape) for weight in model.get_weights()])
    project = convert(model, HlsSpec.parse({"precision": "ap_fixed<12,4>"}), tmp_path / "p", exact=False)
    assert project.graph is not None
    assert [node.op for node in project.graph.nodes] == ["input", "dense", "prelu"]
    assert project.graph.nodes[-1].arrays["param"].codes.shape == (5,)
    x = rng.uniform(-2, 2, (50, 4)).astype(np.float32)
    expected = predict(build(project, cache=tmp_path / "cache"), x)
    assert (np.asarray(expected) < 0).any()
    assert np.array_equal(emulate(project.graph, x), expected)
