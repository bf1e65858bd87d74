"""The generated C++, compiled with g++, computes what Keras computes, on every output value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qkeras
from keras import layers as kl

from pquant_hls.csim import Library, build, predict
from pquant_hls.hls import convert, load_project
from pquant_hls.hls.handlers import teach_hls4ml
from pquant_hls.lint import errors, lint
from pquant_hls.network import keras_predict
from pquant_hls.network.capture import captured
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import REFUSED
from pquant_hls.testing.exactness import check_networks
from pquant_hls.testing.networks import seeds_without
from tests.helpers import known
from tests.hls.hls_zoo import (
    ALIKE,
    ELEMENTS,
    EXACT,
    IMAGE,
    MENDED,
    VECTOR,
    Branch,
    Build,
    act,
    bare,
    bits,
    chain,
    conv2d,
    dense,
    inputs_of,
    model_of,
    relu,
)

pytestmark = [pytest.mark.gxx, pytest.mark.slow, pytest.mark.usefixtures("quick_compiles")]

STREAMS = {name: branch for name, branch in EXACT.items() if "16-bit" not in name}
PLAIN = {name: (shape, make) for name, (_, shape, make) in MENDED.items()}
HELPED = {name: (shape, make) for name, (_, shape, make) in ALIKE.items()}


def shares(library: Library, model: Any) -> list[float]:
    """Share of equal values of each output."""
    x = inputs_of(model)
    return [
        float(np.mean(y.reshape(k.shape) == k))
        for y, k in zip(predict(library, x), keras_predict(model, x), strict=True)
    ]


@pytest.mark.parametrize(
    ("branches", "options"),
    [
        pytest.param(ELEMENTS, {}, id="types of single values, Vitis"),
        pytest.param(ELEMENTS, {"backend": "Vivado"}, id="types of single values, Vivado"),
        pytest.param({**EXACT, **HELPED}, {}, id="right as it is, Vitis, io_parallel"),
        pytest.param(PLAIN, {"backend": "Vivado"}, id="mended, Vivado, io_parallel"),
        pytest.param(STREAMS, {"io_type": "io_stream"}, id="right as it is, io_stream"),
    ],
)
def test_every_value_is_equal(
    branches: dict[str, Branch], options: dict[str, Any], tmp_path: Path, cache: Path
) -> None:
    model = model_of(list(branches.values()))
    library = build(convert(model, HlsSpec.parse(options), tmp_path / "project"), cache=cache)
    assert dict(zip(branches, shares(library, model), strict=True)) == dict.fromkeys(branches, 1.0)


def test_hls4ml_alone_gets_wrong_what_the_conversion_mends(tmp_path: Path, cache: Path) -> None:
    # The dense over a sequence and the padded maximum are among them: nothing is printed, all are wrong.
    import hls4ml

    model = model_of(list(PLAIN.values()))
    teach_hls4ml()
    with captured():
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        folder = str(tmp_path / "plain")
        hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, backend="Vitis", output_dir=folder
        ).write()
    found = dict(zip(PLAIN, shares(build(load_project(tmp_path / "plain"), cache=cache), model), strict=True))
    assert {name: share for name, share in found.items() if share == 1.0} == {}


def test_random_networks_are_exact_or_refused(tmp_path: Path, cache: Path) -> None:
    for folder, options, start in (("a", {}, 0), ("b", {"io_type": "io_stream"}, 100)):
        seeds = seeds_without(REFUSED, 6, start)
        verdicts = check_networks(seeds, HlsSpec.parse(options), tmp_path / folder, cache=cache, rows=100)
        assert [verdict for verdict in verdicts if verdict.failed] == []
        assert [verdict for verdict in verdicts if verdict.emulated is False] == []
        assert sum(verdict.emulated is True for verdict in verdicts) >= len(seeds) // 2


def tables() -> dict[str, tuple[tuple[int, ...], Build, float]]:
    """Heads whose values come from tables, and averages off every grid, with the bound the linter states."""
    tanh, sigmoid = qkeras.quantized_tanh, qkeras.quantized_sigmoid
    found = {
        "sigmoid": (VECTOR, chain(dense(2), kl.Activation("sigmoid")), 0.01 + 2.0**-10),
        "tanh": (VECTOR, chain(dense(2), kl.Activation("tanh")), 0.01 + 2.0**-10),
        "average of 9": (IMAGE, chain(kl.AveragePooling2D(3)), 2.0**-10),
        "average of 36": (IMAGE, chain(kl.GlobalAveragePooling2D()), 2.0**-12),
    }
    for width in (4, 6, 8, 12):
        lsb = 2.0**-width
        found[f"tanh of {width}"] = (
            VECTOR,
            chain(dense(2), act(tanh(width, use_real_tanh=True))),
            0.01 + 2 * lsb,
        )
        real = act(sigmoid(width, use_real_sigmoid=True))
        found[f"sigmoid of {width}"] = VECTOR, chain(dense(2), real), 0.01 + lsb
    return found


def test_what_cannot_be_exact_stays_within_the_bound_that_is_stated(tmp_path: Path, cache: Path) -> None:
    cases = tables()
    heads = {f"softmax of {n}": (VECTOR, chain(act(bits(6, 2)), dense(n), kl.Softmax())) for n in (2, 5, 10)}
    opposite = act(bits(5, 3)), dense(2, bits(2, 1), name="opposite"), kl.Softmax()
    heads["softmax of opposites"] = VECTOR, chain(*opposite)
    branches = {**{name: case[:2] for name, case in cases.items()}, **heads}
    model = model_of(list(branches.values()))
    model.get_layer("opposite").set_weights([np.repeat([[1.0, -1.0]], 6, axis=0), np.zeros(2)])
    spec = HlsSpec.parse({"keep_softmax": True})
    findings = lint(model, spec)
    assert {"table-activation", "smooth-quantizer", "softmax-kept"} <= {finding.rule for finding in findings}
    stated = [
        float(known(re.search(r"within (\S+)", f.message))[1]) for f in findings if f.rule == "softmax-kept"
    ]
    bounds = [case[2] for case in cases.values()] + stated
    x = inputs_of(model, 2000)
    found = predict(build(convert(model, spec, tmp_path / "project"), cache=cache), x)
    pairs = zip(found, keras_predict(model, x, keep_softmax=True), strict=True)
    apart = [float(np.abs(y.reshape(k.shape) - k).max()) for y, k in pairs]
    assert len(bounds) == len(branches)
    rows = zip(branches, apart, bounds, strict=True)
    assert [(name, off, bound) for name, off, bound in rows if not 0 < off <= bound] == []


def test_a_kept_softmax_over_logits_of_any_size_is_refused() -> None:
    model = model_of([(VECTOR, chain(dense(3, bits(8, 6), name="wide"), kl.Softmax()))])
    model.get_layer("wide").set_weights([np.full((6, 3), 60.0), np.zeros(3)])
    kept = [finding.rule for finding in errors(lint(model, HlsSpec.parse({"keep_softmax": True})))]
    assert kept == ["unsupported-activation"]


def test_the_resource_strategy_is_exact(tmp_path: Path, cache: Path) -> None:
    model = model_of([(VECTOR, chain(dense(3), act(bits(5, 2)), dense(2))), (IMAGE, chain(conv2d(2, 3)))])
    spec = HlsSpec.parse({"strategy": "resource", "reuse_factor": 2})
    assert shares(build(convert(model, spec, tmp_path / "project"), cache=cache), model) == [1.0, 1.0]


def test_an_input_that_nothing_rounds_is_exact_on_its_own_grid_only(tmp_path: Path, cache: Path) -> None:
    """And sums beyond 24 bits are those of keras_predict, not of Keras in float32."""
    model = model_of([(VECTOR, bare(dense(3))), (VECTOR, bare(act(bits(16, 5)), dense(3, bits(16, 0))))])
    assert {"input-unquantized", "wide-sum"} <= {finding.rule for finding in lint(model)}
    library = build(convert(model, HlsSpec(), tmp_path / "project"), cache=cache)
    off, on = inputs_of(model), inputs_of(model, grid=2.0**-10)
    assert [
        np.array_equal(y, k) for y, k in zip(predict(library, off), keras_predict(model, off), strict=True)
    ] == [
        False,
        True,
    ]
    exact = predict(library, on)
    assert [np.array_equal(y, k) for y, k in zip(exact, keras_predict(model, on), strict=True)] == [
        True,
        True,
    ]
    assert not np.array_equal(exact[1], np.asarray(model(on)[1], np.float64))


def test_a_layer_in_half_precision_is_warned_of_and_csim_gives_its_exact_sums(
    tmp_path: Path, cache: Path
) -> None:
    model = model_of([(VECTOR, chain(dense(3, dtype="mixed_float16", name="half")))])
    (found,) = [finding for finding in lint(model) if finding.rule == "half-precision"]
    assert (found.layer, found.severity) == ("half", "warning")
    x = inputs_of(model)
    csim = predict(build(convert(model, HlsSpec(), tmp_path / "project"), cache=cache), x[0])
    assert np.array_equal(csim, keras_predict(model, x[0]))
    assert not np.array_equal(csim, np.asarray(model(x)[0], np.float64))


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.usefixtures("quick_compiles")
def test_unrolled_multipliers_without_their_zeros_are_exact(
    tmp_path: Path, cache: Path, io_type: str
) -> None:
    """hls4ml writes no product of a weight that is zero, and no multiplier that has no other."""
    picture = chain(conv2d(3, 3), act(relu(5, 2)), kl.Flatten(), dense(4))
    model = model_of([(IMAGE, picture), (VECTOR, chain(dense(8), act(relu(5, 2)), dense(3)))])
    rng = np.random.default_rng(5)
    for variable in model.weights:
        variable.assign(np.asarray(variable) * (rng.random(variable.shape) > 0.6))
    spec = HlsSpec.parse({"strategy": "resource_unrolled", "reuse_factor": 4, "io_type": io_type})
    project = convert(model, spec, tmp_path / "project")
    assert any(node.strategy == "resource_unrolled" for node in known(project.graph).nodes)
    assert shares(build(project, cache=cache), model) == [1.0, 1.0]
