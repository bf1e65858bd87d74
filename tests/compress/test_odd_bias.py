"""Odd biases: the firmware truncates where Keras rounds half to even, and every value is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import FineTuning, PruningCompression, QuantizationCompression
from pquant_hls.compress.odd_bias import has_odd_biases, with_odd_biases
from pquant_hls.csim import build, predict
from pquant_hls.errors import NotMeasured
from pquant_hls.hls import convert, fixed_graph
from pquant_hls.lint import lint
from pquant_hls.network import build_mlp, load_model, save_model
from pquant_hls.network.freeze import weights_of
from pquant_hls.network.witness import answers
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.rtl import emulate
from pquant_hls.rtl.bridge import bridge
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import REFUSED, SEVERAL
from pquant_hls.testing.exactness import BOUNDED, mended
from pquant_hls.testing.networks import combined, drawn_inputs, random_model, seeds_without

SPEC = HlsSpec()
SEEDS = seeds_without(REFUSED | SEVERAL | {"whole numbers"}, 16, start=300)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 3
    x = rng.normal(0, 1, (400, 6)).astype(np.float32) + y[:, None] * np.linspace(-1, 1, 6, dtype=np.float32)
    return {"x_train": x, "y_train": y, "x_val": x[:200], "y_val": y[:200]}


@pytest.fixture(scope="module")
def odd(data: dict[str, Any]) -> keras.Model:
    step = QuantizationCompression(bits=5, epochs=1, rounding="odd_bias")
    return step.compress(build_mlp(6, (12, 8), 3, seed=1), data).model


def roundings(graph: FixedPointGraph) -> set[str]:
    return {node.result.rounding for node in graph.nodes if node.op == "relu"}


def differing(model: keras.Model, x: Any) -> int:
    """How many values of firmware and Keras differ."""
    wanted = answers(model, x)[0]
    found = np.asarray(emulate(fixed_graph(model, SPEC, exact=True), x)).reshape(np.shape(wanted))
    return int(np.sum(found != wanted))


def test_the_firmware_truncates_and_computes_the_same(odd: keras.Model, data: dict[str, Any]) -> None:
    assert has_odd_biases(odd)
    assert roundings(fixed_graph(odd, SPEC, exact=True)) == {"TRN"}
    assert differing(odd, data["x_train"]) == 0


def test_truncation_costs_less_logic(odd: keras.Model, data: dict[str, Any]) -> None:
    plain = QuantizationCompression(bits=5, epochs=1).compress(build_mlp(6, (12, 8), 3, seed=1), data).model
    assert not has_odd_biases(plain)
    assert roundings(fixed_graph(plain, SPEC, exact=True)) == {"RND_CONV"}
    costs = [bridge(fixed_graph(m, SPEC, exact=True)).optimized().logic.cost for m in (plain, odd)]
    assert costs[1] < costs[0]


def test_a_bias_moves_by_less_than_a_step_of_the_products(odd: keras.Model) -> None:
    again = with_odd_biases(odd)
    for one, other in zip(odd.layers, again.layers, strict=True):
        for before, after in zip(weights_of(one), weights_of(other), strict=True):
            np.testing.assert_array_equal(before.values, after.values)


def test_training_on_and_files_keep_them(odd: keras.Model, data: dict[str, Any], tmp_path: Path) -> None:
    save_model(odd, tmp_path / "odd.keras")
    read = load_model(tmp_path / "odd.keras")
    steps = (FineTuning(epochs=1), PruningCompression(method="magnitude", sparsity=0.4, epochs=1))
    for step in steps:
        trained = step.compress(read, data).model
        assert has_odd_biases(trained)
        assert differing(trained, data["x_train"]) == 0


def test_an_even_bias_leaves_the_rounding(odd: keras.Model) -> None:
    layer = next(layer for layer in odd.layers if layer.name.startswith("fc"))
    kernel, bias = layer.get_weights()
    try:
        layer.set_weights([kernel, np.where(np.arange(len(bias)) == 0, 0.0, bias)])
        graph = fixed_graph(odd, SPEC, exact=True)
        assert roundings(graph) == {"TRN", "RND_CONV"}
    finally:
        layer.set_weights([kernel, bias])


def test_what_has_no_rounding_behind_it_is_left_alone() -> None:
    keras.utils.set_random_seed(0)
    model = build_mlp(4, (), 2, seed=0)
    assert with_odd_biases(model) is model
    assert not has_odd_biases(model)


def on_grid(model: keras.Model, seed: int) -> Any:
    """Inputs that a port of ``SPEC.precision`` can hold."""
    kind = FixedType.parse(SPEC.precision)
    (x,) = drawn_inputs(model, 200, seed)
    return np.clip(np.round(x / kind.lsb) * kind.lsb, kind.low, kind.high).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.*softmax over axis:UserWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_compute_the_same(seed: int) -> None:
    model, refused = mended(random_model(seed), SPEC)
    if refused or {finding.rule for finding in lint(model, SPEC)} & BOUNDED:
        pytest.skip(refused or "exact only within a bound")
    model = with_odd_biases(model)
    try:
        found = differing(model, on_grid(model, seed))
    except NotMeasured as cause:
        pytest.skip(f"not emulated: {cause}")
    assert found == 0


@pytest.mark.gxx
def test_csim_computes_the_same(odd: keras.Model, tmp_path: Path, csim_cache: Path) -> None:
    models = [odd]
    for seed in SEEDS[:4]:
        model, refused = mended(random_model(seed), SPEC)
        models += [] if refused else [with_odd_biases(model)]
    models = [model for model in models if has_odd_biases(model)]
    assert len(models) >= 2
    inputs = [on_grid(model, seed) for seed, model in enumerate(models)]
    library = build(convert(combined(models), SPEC, tmp_path / "project"), cache=csim_cache)
    for model, x, found in zip(models, inputs, predict(library, inputs), strict=True):
        wanted = answers(model, x)[0]
        np.testing.assert_array_equal(np.asarray(found).reshape(np.shape(wanted)), wanted)
