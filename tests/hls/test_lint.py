"""Every rule: what it says of a model that breaks it, and whether the conversion refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from hls4ml.backends import get_backend
from hypothesis import given
from hypothesis import strategies as st
from keras import layers as kl

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.hls import convert, fixed_graph
from pquant_hls.lint import RULES, errors, fix, lint
from pquant_hls.network import keras_predict
from pquant_hls.network.kinds.products import nearest_reuse
from pquant_hls.network.table import stored_weights
from pquant_hls.spec import HlsSpec
from tests.helpers import single
from tests.hls.hls_refused import REFUSED, STREAMED
from tests.hls.hls_zoo import (
    ALIKE,
    ELEMENTS,
    EXACT,
    IMAGE,
    MENDED,
    SEQUENCE,
    VECTOR,
    act,
    bare,
    bits,
    chain,
    conv2d,
    dense,
    depthwise,
    inputs_of,
    model_of,
    relu,
)
from tests.testing.test_faults import REFUSED_BY

OTHERS = {
    "wide": ("wide-sum", VECTOR, chain(act(bits(16, 3)), dense(3, bits(16)))),
    "half precision": ("half-precision", VECTOR, chain(dense(3, dtype="mixed_float16"))),
    "unquantized input": ("input-unquantized", VECTOR, bare(dense(3))),
    "real tanh": (
        "smooth-quantizer",
        VECTOR,
        chain(dense(3), act(qkeras.quantized_tanh(5, use_real_tanh=True))),
    ),
    "average of 9": ("average-unrounded", IMAGE, chain(kl.AveragePooling2D(3))),
    "two first quantizers": (
        "input-unquantized",
        VECTOR,
        lambda x: kl.Add()([dense(2)(act(bits(8, 3))(x)), dense(2)(act(bits(4, 1))(x))]),
    ),
    "binary first": ("input-unquantized", VECTOR, bare(act(qkeras.binary(alpha=1)), dense(3))),
}
DISTRIBUTED = {"strategy": "distributed_arithmetic"}
BY_SPEC = {
    "softmax kept": ("softmax-kept", VECTOR, chain(dense(3), kl.Softmax()), {"keep_softmax": True}),
    "sigmoid kept": (
        "table-activation",
        VECTOR,
        chain(dense(1), kl.Activation("sigmoid")),
        {"keep_softmax": True},
    ),
    **{
        name: (case.rule, case.shape, case.build, {"io_type": "io_stream"}) for name, case in STREAMED.items()
    },
    "reuse": ("reuse-factor", IMAGE, chain(conv2d(2, 1)), {"strategy": "resource", "reuse_factor": 4}),
    "no such reuse": ("reuse-rounded", VECTOR, chain(dense(4)), {"strategy": "resource", "reuse_factor": 7}),
    "unrolled": ("vivado-unroll", VECTOR, chain(dense(64), dense(65)), {"backend": "Vivado"}),
    "flatten": ("stream-flatten", IMAGE, chain(kl.Flatten(), act(relu(4))), {"io_type": "io_stream"}),
    "distributed signs": (
        "distributed-arithmetic",
        VECTOR,
        chain(dense(4, qkeras.binary(alpha=1))),
        DISTRIBUTED,
    ),
    "distributed ternary": (
        "distributed-arithmetic",
        VECTOR,
        chain(act(qkeras.ternary(alpha=1)), kl.Reshape((3, 2)), kl.Flatten(), dense(4)),
        DISTRIBUTED,
    ),
    "elements": ("stream-elements", *ELEMENTS["behind sums"], {"io_type": "io_stream"}),
    "copies": (
        "stream-copies",
        VECTOR,
        chain(dense(3), lambda x: kl.Concatenate()([dense(2)(x) for _ in range(8)])),
        {"io_type": "io_stream"},
    ),
    "depthwise": ("depthwise-resource", IMAGE, chain(depthwise(3)), {"strategy": "resource"}),
}


def rules(model: Any, spec: HlsSpec | None = None) -> set[str]:
    return {finding.rule for finding in lint(model, spec)}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_names_the_rule_and_the_conversion_refuses(case: str, tmp_path: Path) -> None:
    rule, shape, make = REFUSED[case][:3]
    model = model_of([(shape, make)])
    assert rule in {finding.rule for finding in errors(lint(model))}
    with pytest.raises(UnsupportedModel, match=r"\["):
        convert(model, HlsSpec(), tmp_path / "project")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", [*MENDED, *ALIKE, *OTHERS])
def test_what_the_conversion_mends_or_bounds_is_said_but_no_error(case: str) -> None:
    rule, shape, make = {**MENDED, **ALIKE, **OTHERS}[case]
    found = lint(model_of([(shape, make)]))
    assert rule in {finding.rule for finding in found}
    assert errors(found) == []


@pytest.mark.parametrize("case", BY_SPEC)
def test_rules_that_depend_on_the_project(case: str) -> None:
    rule, shape, make, options = BY_SPEC[case]
    model = model_of([(shape, make)])
    assert rule in rules(model, HlsSpec.parse(options))
    assert rule not in rules(model)


def test_what_is_right_gets_no_warning() -> None:
    quiet = {name: branch for name, branch in EXACT.items() if "16-bit" not in name}
    found = [finding for finding in lint(model_of(list(quiet.values()))) if finding.severity != "note"]
    assert found == []


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 150))
def test_the_reuse_factor_told_is_the_one_that_hls4ml_builds(inputs: int, outputs: int, asked: int) -> None:
    hls4ml = get_backend("Vitis")
    able = hls4ml.get_valid_reuse_factors(inputs, outputs)
    assert nearest_reuse(inputs, outputs, asked) == hls4ml.get_closest_reuse_factor(able, asked)


def test_the_reuse_factor_told_is_in_the_graph_that_is_built() -> None:
    model = model_of([(VECTOR, chain(dense(4)))])
    spec = HlsSpec.parse({"strategy": "resource", "reuse_factor": 7})
    (told,) = [finding for finding in lint(model, spec) if finding.rule == "reuse-rounded"]
    built = [node.attrs["reuse_factor"] for node in fixed_graph(model, spec).nodes if node.op == "dense"]
    assert [f"reuse_factor 7 is built as {factor}" in str(told) for factor in built] == [True]


def test_a_reuse_factor_keeps_vivado_hls_from_unrolling_too_much() -> None:
    model = model_of([(VECTOR, chain(dense(64), dense(65)))])
    resource = {"backend": "Vivado", "strategy": "resource"}
    assert "vivado-unroll" in rules(model, HlsSpec.parse(resource))
    assert "vivado-unroll" not in rules(model, HlsSpec.parse({**resource, "reuse_factor": 2}))
    assert "vivado-unroll" not in rules(
        model_of([(VECTOR, chain(dense(64), dense(64)))]), HlsSpec.parse(resource)
    )


def test_every_rule_has_a_test_and_a_place_in_the_docs() -> None:
    tested = {
        case[0]
        for case in [
            *REFUSED.values(),
            *MENDED.values(),
            *ALIKE.values(),
            *OTHERS.values(),
            *BY_SPEC.values(),
        ]
    } | set(REFUSED_BY.values())
    assert set(RULES) == tested
    page = Path(__file__).parents[2] / "docs" / "lint.md"
    listed = dict(re.findall(r"^\| `([\w-]+)` \| (\w+) \|", page.read_text(), re.M))
    assert listed == {name: rule.severity for name, rule in RULES.items()}


@pytest.mark.parametrize("case", [name for name, case in REFUSED.items() if case.mended is None])
def test_fix_leaves_no_error_and_keeps_the_answers_near(case: str) -> None:
    _, shape, make, *_ = REFUSED[case]
    model = model_of([(shape, make)])
    before = [array.copy() for array in model.get_weights()]
    fixed, left = fix(model)
    assert errors(left) == []
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    if case in ("alpha auto", "ulaw", "no kernel quantizer", "batch norm", "QBatchNormalization"):
        x = inputs_of(model)[0]
        wanted, found = single(keras_predict(model, x)), single(keras_predict(fixed, x))
        assert np.abs(wanted - found).max() <= 0.05 * np.abs(wanted).max()


def test_fix_without_anything_to_mend_computes_the_same(tagger: Any, jets: np.ndarray) -> None:
    fixed, left = fix(tagger)
    assert errors(left) == []
    assert np.array_equal(keras_predict(fixed, jets), keras_predict(tagger, jets))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((4, 5)), r"takes \(n, \*shape\) of \[\(6,\)\], got \[\(5,\)\]"),
        (np.zeros((0, 6)), r"arrays of \[0\] rows"),
        ([np.zeros((4, 6))] * 2, "takes"),
    ],
)
def test_keras_predict_says_what_does_not_fit(tagger: Any, x: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        keras_predict(tagger, x)


def test_a_model_inside_a_model_is_linted_layer_by_layer() -> None:
    inner = keras.Sequential([keras.Input((6,)), dense(3), kl.UnitNormalization(name="norm")])
    (found,) = errors(lint(model_of([(VECTOR, chain(inner))])))
    assert (found.rule, found.layer) == ("unsupported-layer", "norm")


@pytest.mark.parametrize("axis", [-1, [1], [1, 2]])
def test_a_layer_normalization_is_mended_over_any_axes(axis: Any) -> None:
    shape = (3, 4) if axis == [1, 2] else VECTOR
    model = model_of([(shape, chain(kl.LayerNormalization(axis=axis, name="norm")))])
    (found,) = errors(lint(model))
    assert (found.rule, found.layer, found.fixable) == ("unsupported-layer", "norm", True)
    assert errors(fix(model)[1]) == []


@pytest.mark.parametrize(
    ("shape", "build", "said"),
    [
        ((4,), kl.Embedding(5, 3, mask_zero=True), "mask_zero"),
        ((4,), kl.Embedding(5000, 1), "5,000 rows are more than 4,096"),
        (SEQUENCE, kl.Masking(), "no masks"),
        (SEQUENCE, lambda x: kl.Attention()([x, x], use_causal_mask=True), "causal"),
        (SEQUENCE, lambda x: kl.AdditiveAttention()([x[:, None], x[:, None]]), "more than one axis"),
        (SEQUENCE, lambda x: kl.MultiHeadAttention(1, 2)(x, x, use_causal_mask=True), "causal"),
        (SEQUENCE, lambda x: kl.GroupQueryAttention(2, 2, 1, use_gate=True)(x, x), "gate"),
        (SEQUENCE, lambda x: kl.GroupQueryAttention(2, 2, 1, sliding_window=2)(x, x), "window"),
        (SEQUENCE, kl.Conv1DTranspose(2, 2, dilation_rate=2), "gaps"),
        (IMAGE, kl.Conv2DTranspose(2, 2, strides=2, output_padding=1), "output_padding"),
        (IMAGE, kl.Conv2DTranspose(2, 2, activation="softmax"), "softmax"),
        (IMAGE, qkeras.QConv2DTranspose(2, 2, kernel_quantizer=qkeras.binary(alpha=1)), "zero"),
        (IMAGE, qkeras.QConv2DTranspose(2, 2, kernel_quantizer=bits(4, alpha="auto")), "own scale"),
    ],
)
def test_a_form_of_a_layer_that_is_refused_is_named(shape: tuple[int, ...], build: Any, said: str) -> None:
    found = errors(lint(model_of([(shape, bare(build))])))
    assert any(each.rule == "unsupported-layer" and said in each.message for each in found)


def test_weights_that_keras_cannot_compute_are_named() -> None:
    model = model_of([(VECTOR, chain(dense(4)))])
    broken = qkeras.binary(alpha=1, use_stochastic_rounding=True)
    model.layers[2].kernel_quantizer_internal = broken
    with pytest.raises(UnsupportedModel, match="binary: Keras itself cannot compute this"):
        lint(model)


def test_an_alpha_of_many_numbers_that_keras_cannot_compute_is_named_with_its_mend() -> None:
    model = model_of([(VECTOR, chain(dense(2)))])
    model.layers[2].kernel_quantizer_internal = bits(4, alpha=np.array([0.5, 2.0]))
    with pytest.raises(UnsupportedModel, match=r"quantized_bits: Keras .*alpha as one number, it is array"):
        lint(model)


def test_a_mask_off_every_grid_is_fitted_into_the_weights_once() -> None:
    mask = np.array([[0.0, 0.3], [0.3, 1.0]], np.float32)
    model = model_of([(IMAGE, chain(conv2d(2, 2, mask=mask)))])
    assert "weights-off-grid" in {finding.rule for finding in errors(lint(model))}
    fixed, left = fix(model)
    assert errors(left) == []
    x = inputs_of(model)[0]
    wanted, found = model.predict(x, verbose=0), single(keras_predict(fixed, x))
    assert np.abs(wanted - found).max() <= 0.05 * np.abs(wanted).max()
    kernel = stored_weights(model.layers[-1])[0]
    assert not kernel[0, 0].any()
    assert kernel[1, 1].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(value: float) -> None:
    model = model_of([(VECTOR, chain(dense(4, name="broken")))])
    model.get_layer("broken").set_weights([np.full((6, 4), value), np.zeros(4)])
    for look in (lint, fix):
        with pytest.raises(UnsupportedModel, match="broken: its kernel holds NaN or infinite values"):
            look(model)


def test_a_layer_that_takes_its_inputs_by_name_is_left_as_it_is() -> None:
    def attention(x: Any) -> Any:
        return kl.MultiHeadAttention(2, 2, name="look")(query=x, value=x)

    left = fix(model_of([(SEQUENCE, attention)]))[1]
    assert ("weights-off-grid", "look_head0_query") in {(found.rule, found.layer) for found in left}


def test_a_model_without_a_fixed_graph_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc]  # Keras has no types
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(UnsupportedModel, match="without a fixed graph"):
        lint(Own())


def test_findings_show_themselves_in_a_notebook() -> None:
    from pquant_hls.lint.finding import Finding, FindingList

    found = FindingList([Finding("softmax", "note", "out<1>", "is left out", "nothing to do")])
    for shown in (found._repr_html_(), found[0]._repr_html_()):
        assert "<td" in shown
        assert "out&lt;1&gt;" in shown
    assert "no findings" in FindingList()._repr_html_()


UNKNOWN_OPERATIONS = {
    "largest of a vector": lambda x: keras.ops.max(x, axis=1, keepdims=True),
    "exp": keras.ops.exp,
    "cube": lambda x: x**3,
    "quotient": lambda x: x[:, :2] / (keras.ops.abs(x[:, 2:4]) + 1.0),
    "where": lambda x: keras.ops.where(x > 0.0, x, 0.5 * x),
    "softmax": keras.ops.softmax,
    "twice": lambda x: keras.ops.exp(keras.ops.exp(0.1 * x)),
}


@pytest.mark.parametrize("operation", UNKNOWN_OPERATIONS)
def test_fix_leaves_an_operation_that_it_does_not_know_as_it_is(operation: str) -> None:
    entry = keras.Input((5,))
    model = keras.Model(entry, keras.layers.Dense(2)(UNKNOWN_OPERATIONS[operation](entry)))
    mended, left = fix(model)
    x = np.random.default_rng(2).normal(size=(50, 5)).astype(np.float32)
    np.testing.assert_allclose(keras_predict(mended, x), keras_predict(model, x), rtol=1e-3, atol=1e-3)
    assert any(finding.severity == "error" for finding in left)


@pytest.mark.parametrize("operation", ["largest of a vector", "exp", "twice"])
def test_the_conversion_names_the_operation_that_it_does_not_know(operation: str, tmp_path: Path) -> None:
    entry = keras.Input((5,))
    model = keras.Model(entry, keras.layers.Dense(2)(UNKNOWN_OPERATIONS[operation](entry)))
    name = "max" if operation == "largest of a vector" else "exp"
    with pytest.raises(UnsupportedModel, match=rf"no conversion of {name}\w* \(ops\.{name.capitalize()}\)"):
        convert(model, HlsSpec(), tmp_path / "project", exact=False)
