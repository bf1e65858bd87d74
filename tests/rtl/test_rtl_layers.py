"""Every layer that the Verilog knows, from Keras to simulation: what Icarus sees is what g++ csim computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedPointGraph, FixedType, Node, Target
from pquant_hls.rtl import measure_rtl, simulate, to_verilog
from pquant_hls.spec import HlsSpec
from tests.helpers import known

TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def every_layer() -> Any:
    """One model, ten outputs: dense, relu and linear quantizers, folded BatchNormalization, all merges,
    convolutions and poolings in one and two dimensions, flatten and reshape."""
    import keras
    from keras import layers
    from qkeras import QActivation, QConv1D, QConv2D, QDense, quantized_bits, quantized_relu

    def weights() -> dict[str, Any]:
        return {name: quantized_bits(4, 0, alpha=1) for name in ("kernel_quantizer", "bias_quantizer")}

    def rounded(x: Any) -> Any:
        return QActivation(quantized_bits(6, 2, alpha=1))(x)

    inputs = [keras.Input((4,)), keras.Input((6, 2)), keras.Input((4, 4, 1))]
    flat, line, image = map(rounded, inputs)
    one = QActivation(quantized_relu(4, 1))(QDense(3, **weights())(flat))
    two = rounded(layers.BatchNormalization()(QDense(3, **weights())(flat)))
    outputs = [rounded(getattr(layers, name)()([one, two])) for name in MERGES]
    steps = QActivation(quantized_relu(4, 1))(QConv1D(2, 3, padding="same", **weights())(line))
    both = [layers.MaxPooling1D(2)(steps), rounded(layers.AveragePooling1D(2)(steps))]
    outputs.append(QDense(2, **weights())(layers.Flatten()(layers.Concatenate()(both))))
    outputs.append(layers.GlobalMaxPooling1D()(steps))
    pixels = QActivation(quantized_relu(4, 1))(QConv2D(2, 3, **weights())(image))
    pools = [layers.MaxPooling2D(2)(pixels), rounded(layers.AveragePooling2D(2)(pixels))]
    outputs.append(QDense(2, **weights())(layers.Reshape((4,))(layers.Concatenate()(pools))))
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


@pytest.mark.gxx
def test_every_layer_simulates_as_csim_computes_it(tmp_path: Path) -> None:
    from pquant_hls.csim import build, predict
    from pquant_hls.hls import convert
    from pquant_hls.testing.exactness import mended

    spec = HlsSpec()
    model, refusal = mended(every_layer(), spec)
    assert refusal == ""
    project = convert(model, spec, tmp_path / "hls")
    rng = np.random.default_rng(1)
    x = [rng.normal(0, 2, (40, *tensor.shape[1:])) for tensor in model.inputs]
    expected = predict(build(project, cache=tmp_path / "cache"), x)
    graph = known(project.graph)
    built = to_verilog(graph, TARGET, tmp_path / "rtl")
    found = simulate(built, x)
    assert found.cycles == built.latency_cycles
    assert len(found.outputs) == len(expected) == len(MERGES) + 3
    for name, got, want in zip(graph.outputs, found.outputs, expected, strict=True):
        np.testing.assert_array_equal(np.reshape(got, want.shape), want, err_msg=name)
        assert len(np.unique(want)) > 1, f"{name} tells nothing"


@pytest.mark.parametrize("op", ["softmax", "sigmoid", "tanh", "elu", "other"])
def test_a_layer_without_exact_verilog_is_named(tmp_path: Path, op: str) -> None:
    kind = FixedType(8, 3)
    nodes = (Node("x", "input", (), (4,), kind), Node("last_one", op, ("x",), (4,), kind))
    with pytest.raises(NotMeasured, match=f"last_one.*{op}"):
        measure_rtl(FixedPointGraph(nodes, ("last_one",)), TARGET, tmp_path / "rtl")
