"""Strategy distributed_arithmetic end to end, where its package is installed: csim, emulator, graph, estimate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from keras import layers as kl

from pquant_hls.csim import build, predict
from pquant_hls.errors import SpecError
from pquant_hls.estimate import estimate
from pquant_hls.hls import HlsProject, convert, fixed_graph, load_project
from pquant_hls.hls.handlers import teach_hls4ml
from pquant_hls.network import keras_predict
from pquant_hls.network.capture import captured
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from tests.helpers import known, resources_of
from tests.hls.hls_zoo import (
    ELEMENTS,
    IMAGE,
    SEQUENCE,
    VECTOR,
    Branch,
    act,
    bits,
    chain,
    conv1d,
    conv2d,
    dense,
    depthwise,
    inputs_of,
    model_of,
    relu,
)

pytest.importorskip("da4ml", reason="the extra da is not installed")
pytestmark = [pytest.mark.gxx, pytest.mark.slow, pytest.mark.usefixtures("quick_compiles")]

SPEC = HlsSpec.parse({"strategy": "distributed_arithmetic"})
BRANCHES: dict[str, Branch] = {
    "sums alone": (VECTOR, chain(dense(4))),
    "narrowed": (VECTOR, chain(dense(6), act(bits(4, 1)), dense(3))),
    "behind a relu": (VECTOR, chain(dense(6), act(relu(5, 2)), dense(3, bits(8, 1)))),
    "wide weights": (VECTOR, chain(dense(3, bits(12, 2)))),
    "powers of two": (VECTOR, chain(dense(4, qkeras.quantized_po2(4, 1)))),
    "depthwise, of multipliers": (IMAGE, chain(depthwise(3), act(relu(5, 2)), conv2d(2, 1))),
    "over a sequence": (SEQUENCE, chain(conv1d(3, 2), act(relu(5, 2)), dense(2))),
    "over an image": (IMAGE, chain(conv2d(2, 3, strides=2), act(relu(5, 2)), kl.Flatten(), dense(3))),
}


def shares(model: Any, spec: HlsSpec, folder: Path, cache: Path) -> tuple[list[float], Any]:
    """Share of equal values of each output, in csim and of the emulator together, and the graph."""
    project, x = convert(model, spec, folder), inputs_of(model)
    graph = known(project.graph)
    wanted = [np.asarray(port) for port in keras_predict(model, x)]
    found = [predict(build(project, cache=cache), x), emulate(graph, x)]
    equal = [[np.reshape(y, k.shape) == k for y, k in zip(ports, wanted, strict=True)] for ports in found]
    return [float(np.mean(each)) for each in zip(*equal, strict=True)], graph


@pytest.mark.parametrize("options", [{}, {"backend": "Vivado"}, {"io_type": "io_stream"}], ids=str)
def test_every_value_is_equal(options: dict[str, str], tmp_path: Path, cache: Path) -> None:
    branches = BRANCHES if options else {**BRANCHES, **ELEMENTS}
    model = model_of(list(branches.values()))
    found, graph = shares(model, HlsSpec.parse({**SPEC.model_dump(), **options}), tmp_path / "p", cache)
    assert dict(zip(branches, found, strict=True)) == dict.fromkeys(branches, 1.0)
    weighted = [node for node in graph.nodes if node.kind.weighted and not node.kind.depthwise]
    assert all(node.strategy == "distributed_arithmetic" and node.adders is not None for node in weighted)


def alone(model: Any, folder: Path) -> HlsProject:
    """hls4ml's own way, with nothing of this package but the readers of its layers."""
    import hls4ml

    teach_hls4ml()
    with captured():
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        for layer in (layer for layer in model.layers if layer.weights):
            config["LayerName"][layer.name]["Strategy"] = SPEC.strategy
        hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, backend="Vitis", output_dir=str(folder)
        ).write()
    return load_project(folder)


def odd_biases() -> keras.Model:
    """Biases that let truncation stand for rounding, where they can be replaced."""
    model = model_of([(VECTOR, chain(dense(4), act(bits(4, 2)), dense(2))), (VECTOR, chain(dense(2)))])
    first = next(layer for layer in model.layers if isinstance(layer, qkeras.QDense))
    kernel, bias = first.get_weights()
    first.set_weights([np.zeros_like(kernel), np.full_like(bias, 2.0**-5)])
    return model


def test_biases_that_let_truncation_round_are_left_as_they_are(tmp_path: Path, cache: Path) -> None:
    assert set(shares(odd_biases(), SPEC, tmp_path / "p", cache)[0]) == {1.0}


def test_sums_of_shared_adders_take_less_than_multipliers() -> None:
    keras.utils.set_random_seed(0)
    model = model_of([(VECTOR, chain(dense(32), act(relu(6, 2)), dense(16))), (VECTOR, chain(dense(2)))])
    used = [resources_of(estimate(fixed_graph(model, spec), SPEC.target)) for spec in (SPEC, HlsSpec())]
    assert used[0].dsp == 0
    assert (used[0].lut or 0) < (used[1].lut or 0)


def test_hls4ml_alone_refuses_what_reads_a_ternary_as_the_rule_quotes_it(tmp_path: Path) -> None:
    model = model_of([(VECTOR, chain(act(qkeras.ternary(alpha=1)), dense(3)))])
    with pytest.raises(ValueError, match=r"is not a fixed point type - DA optimization not supported\."):
        alone(model, tmp_path / "alone")


def test_binary_weights_come_out_wrong_in_hls4ml_alone(tmp_path: Path, cache: Path) -> None:
    model = model_of([(VECTOR, chain(dense(3, qkeras.binary(alpha=1)))), (VECTOR, chain(dense(3)))])
    project = alone(model, tmp_path / "alone")
    x = inputs_of(model)
    found, wanted = predict(build(project, cache=cache), x)[0], keras_predict(model, x)[0]
    assert np.mean(np.reshape(found, np.shape(wanted)) == wanted) < 0.1


def test_there_is_no_multiplier_to_share() -> None:
    with pytest.raises(SpecError, match="reuse_factor 4 must be 1"):
        HlsSpec.parse({"strategy": "distributed_arithmetic", "reuse_factor": 4})
