"""The generated C++, compiled with g++, computes what Keras computes, on every output value."""

from __future__ import annotations

import numpy as np
import pytest
from hls_zoo import ALIKE, EXACT, MENDED, bits, chain, dense, inputs_of, model_of

from pquant_hls.hls import build, convert, keras_predict, lint, load_project, predict
from pquant_hls.hls.capture import captured
from pquant_hls.hls.handlers import register
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.exactness import check_networks

pytestmark = [pytest.mark.gxx, pytest.mark.slow]

STREAMS = {name: branch for name, branch in EXACT.items() if "16-bit" not in name}
PLAIN = {name: (shape, make) for name, (_, shape, make) in MENDED.items()}
HELPED = {name: (shape, make) for name, (_, shape, make) in ALIKE.items()}


def shares(library, model) -> list[float]:
    """Share of equal values of each output."""
    x = inputs_of(model)
    return [
        float(np.mean(y.reshape(k.shape) == k))
        for y, k in zip(predict(library, x), keras_predict(model, x), strict=True)
    ]


@pytest.mark.parametrize(
    ("branches", "options"),
    [
        pytest.param({**EXACT, **HELPED}, {}, id="right as it is, Vitis, io_parallel"),
        pytest.param(PLAIN, {"backend": "Vivado"}, id="mended, Vivado, io_parallel"),
        pytest.param(STREAMS, {"io_type": "io_stream"}, id="right as it is, io_stream"),
    ],
)
def test_every_value_is_equal(branches, options, tmp_path, cache):
    model = model_of(list(branches.values()))
    library = build(convert(model, HlsSpec.parse(options), tmp_path / "project"), cache=cache)
    assert dict(zip(branches, shares(library, model), strict=True)) == dict.fromkeys(branches, 1.0)


def test_hls4ml_alone_gets_wrong_what_the_conversion_mends(tmp_path, cache):
    # The dense over a sequence and the padded maximum are among them: nothing is printed, all are wrong.
    import hls4ml

    model = model_of(list(PLAIN.values()))
    register()
    with captured():
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        folder = str(tmp_path / "plain")
        hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, backend="Vitis", output_dir=folder
        ).write()
    found = dict(zip(PLAIN, shares(build(load_project(tmp_path / "plain"), cache=cache), model), strict=True))
    assert {name: share for name, share in found.items() if share == 1.0} == {}


def test_random_networks_are_exact_or_refused(tmp_path, cache):
    for folder, options, seeds in (("a", {}, range(7)), ("b", {"io_type": "io_stream"}, range(100, 105))):
        verdicts = check_networks(seeds, HlsSpec.parse(options), tmp_path / folder, cache=cache, rows=100)
        assert [verdict for verdict in verdicts if verdict.result == "wrong"] == []
        assert sum(verdict.result == "exact" for verdict in verdicts) >= len(seeds) - 2


def test_a_sigmoid_head_stays_within_its_bound_and_resource_strategy_is_exact(tmp_path, cache):
    import keras
    import qkeras

    heads = [
        (6,), chain(dense(2), keras.layers.Activation("sigmoid")),
        (6,), chain(dense(2), qkeras.QActivation(qkeras.quantized_tanh(6, use_real_tanh=True))),
        (6,), chain(dense(3), qkeras.QActivation(bits(5, 2)), dense(2)),
    ]  # fmt: skip
    model = model_of(list(zip(heads[::2], heads[1::2], strict=True)))
    spec = HlsSpec.parse({"strategy": "resource", "reuse_factor": 2, "keep_softmax": True})
    assert {"table-activation", "smooth-quantizer"} <= {finding.rule for finding in lint(model, spec)}
    x = inputs_of(model, 1000)
    sigmoid, tanh, plain = predict(build(convert(model, spec, tmp_path / "project"), cache=cache), x)
    keras_sigmoid, keras_tanh, keras_plain = keras_predict(model, x, keep_softmax=True)
    assert np.abs(sigmoid - keras_sigmoid).max() <= 0.01
    assert np.abs(tanh - keras_tanh).max() <= 2.0**-5
    assert np.array_equal(plain, keras_plain)
