"""Every rule: what it says of a model that breaks it, and whether the conversion refuses."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import qkeras
from hls_zoo import (
    ALIKE,
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
    joined,
    model_of,
    relu,
)
from keras import layers as kl

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import RULES, convert, errors, fix, keras_predict, lint
from pquant_hls.spec import HlsSpec


def shared(x):
    layer = dense(6)
    return layer(act(relu(4, 1))(layer(act(bits(8, 3))(x))))


ERRORS = {
    "alpha auto": ("weights-off-grid", VECTOR, chain(dense(4, bits(4, alpha="auto")))),
    "ulaw": ("weights-off-grid", VECTOR, chain(dense(4, qkeras.quantized_ulaw(4, 0)))),
    "no kernel quantizer": ("weights-off-grid", VECTOR, chain(qkeras.QDense(4))),
    "plain Dense": ("weights-off-grid", VECTOR, chain(kl.Dense(4))),
    "stochastic": ("random-rounding", VECTOR, chain(dense(4, bits(4, use_stochastic_rounding=True)))),
    "stochastic activation": (
        "random-rounding",
        VECTOR,
        chain(dense(4), act(bits(4, use_stochastic_rounding=True))),
    ),
    "activation alpha": ("activation-alpha", VECTOR, chain(dense(4), act(qkeras.binary(alpha="auto")))),
    "1-bit activation": ("one-bit", VECTOR, chain(dense(4), act(bits(1)))),
    "qnoise": ("part-quantized", VECTOR, chain(dense(4), act(relu(4, qnoise_factor=0.5)))),
    "leaky": ("leaky-relu", VECTOR, chain(dense(4), act(relu(4, negative_slope=0.25)))),
    "bounded": (
        "relu-bound",
        VECTOR,
        chain(dense(4), act(relu(4, 2, is_quantized_clip=False, relu_upper_bound=1.5))),
    ),
    "ternary tie": (
        "ternary-threshold",
        VECTOR,
        chain(dense(4), act(qkeras.ternary(alpha=1, threshold=0.5))),
    ),
    "use_sigmoid": ("unsupported-activation", VECTOR, chain(dense(4), act(relu(4, use_sigmoid=1)))),
    "use_01": ("unsupported-activation", VECTOR, chain(dense(4), act(qkeras.binary(use_01=True, alpha=1)))),
    "binary_sigmoid": ("unsupported-activation", VECTOR, chain(dense(4), act("binary_sigmoid"))),
    "hard_sigmoid": ("unsupported-activation", VECTOR, chain(dense(4), act("hard_sigmoid"))),
    "relu_po2": ("unsupported-activation", VECTOR, chain(dense(4), act(qkeras.quantized_relu_po2(4)))),
    "inner sigmoid": ("unsupported-activation", VECTOR, chain(dense(4), kl.Activation("sigmoid"), dense(2))),
    "inner softmax": ("unsupported-activation", VECTOR, chain(dense(4), kl.Softmax(), dense(2))),
    "elu": ("unsupported-activation", VECTOR, chain(dense(4), kl.Activation("elu"))),
    "ReLU with a maximum": ("unsupported-activation", VECTOR, chain(dense(4), kl.ReLU(max_value=6))),
    "LSTM": ("unsupported-layer", SEQUENCE, chain(kl.LSTM(3))),
    "adaptive": ("unsupported-layer", VECTOR, chain(dense(4), kl.LeakyReLU())),
    "Lambda": ("lambda", VECTOR, chain(dense(4), kl.Lambda(lambda x: x * 2))),
    "batch norm": ("batchnorm", VECTOR, chain(dense(4), kl.BatchNormalization())),
    "QBatchNormalization": ("batchnorm", VECTOR, chain(dense(4), qkeras.QBatchNormalization())),
    "depth multiplier": ("depth-multiplier", IMAGE, chain(depthwise(3, depth_multiplier=2))),
    "dilation": ("dilation", IMAGE, chain(conv2d(2, 2, dilation_rate=2))),
    "average of three": ("merge", VECTOR, joined(kl.Average(), 3)),
    "times a number": ("merge", VECTOR, chain(dense(4), lambda x: x * 2.0)),
    "flatten only": ("no-arithmetic", SEQUENCE, bare(kl.Flatten())),
    "open axis": ("input-shape", (None, 3), bare(act(bits(4)), kl.GlobalMaxPooling1D())),
}
OTHERS = {
    "wide": ("wide-sum", VECTOR, chain(act(bits(16, 3)), dense(3, bits(16)))),
    "unquantized input": ("input-unquantized", VECTOR, bare(dense(3))),
    "real tanh": (
        "smooth-quantizer",
        VECTOR,
        chain(dense(3), act(qkeras.quantized_tanh(5, use_real_tanh=True))),
    ),
    "average of 9": ("average-unrounded", IMAGE, chain(kl.AveragePooling2D(3))),
    "twice": ("shared-layer", VECTOR, shared),
}
BY_SPEC = {
    "softmax kept": ("softmax-kept", VECTOR, chain(dense(3), kl.Softmax()), {"keep_softmax": True}),
    "sigmoid kept": (
        "table-activation",
        VECTOR,
        chain(dense(1), kl.Activation("sigmoid")),
        {"keep_softmax": True},
    ),
    "padded pool": (
        "stream-padding",
        IMAGE,
        chain(kl.MaxPooling2D(4, padding="same")),
        {"io_type": "io_stream"},
    ),
    "depthwise": ("depthwise-resource", IMAGE, chain(depthwise(3)), {"strategy": "resource"}),
}


def rules(model, spec=None) -> set[str]:
    return {finding.rule for finding in lint(model, spec)}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_names_the_rule_and_the_conversion_refuses(case, tmp_path):
    rule, shape, make = ERRORS[case]
    model = model_of([(shape, make)])
    assert rule in {finding.rule for finding in errors(lint(model))}
    with pytest.raises(UnsupportedModel, match=r"\["):
        convert(model, HlsSpec(), tmp_path / "project")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", [*MENDED, *ALIKE, *OTHERS])
def test_what_the_conversion_mends_or_bounds_is_said_but_no_error(case):
    rule, shape, make = {**MENDED, **ALIKE, **OTHERS}[case]
    found = lint(model_of([(shape, make)]))
    assert rule in {finding.rule for finding in found}
    assert errors(found) == []


@pytest.mark.parametrize("case", BY_SPEC)
def test_rules_that_depend_on_the_project(case):
    rule, shape, make, options = BY_SPEC[case]
    model = model_of([(shape, make)])
    assert rule in rules(model, HlsSpec.parse(options))
    assert rule not in rules(model)


def test_a_channels_first_layer_is_refused():
    layer = qkeras.QConv2D(
        2, 2, kernel_quantizer=bits(4), bias_quantizer=bits(4), data_format="channels_first"
    )
    assert "channels-first" in rules(model_of([((2, 6, 6), chain(layer))]))


def test_what_is_right_gets_no_warning():
    quiet = {name: branch for name, branch in EXACT.items() if "16-bit" not in name}
    found = [finding for finding in lint(model_of(list(quiet.values()))) if finding.severity != "note"]
    assert found == []


def test_every_rule_has_a_test_and_a_place_in_the_docs():
    tested = {
        case[0]
        for case in [*ERRORS.values(), *MENDED.values(), *ALIKE.values(), *OTHERS.values(), *BY_SPEC.values()]
    }
    assert set(RULES) == tested | {"channels-first"}
    page = Path(__file__).parents[2] / "docs" / "lint.md"
    listed = dict(re.findall(r"^\| `([\w-]+)` \| (\w+) \|", page.read_text(), re.M))
    assert listed == {name: rule.severity for name, rule in RULES.items()}


@pytest.mark.parametrize(
    "case", [name for name, (rule, *_) in ERRORS.items() if RULES[rule].fixable and name != "plain Dense"]
)
def test_fix_leaves_no_error_and_keeps_the_answers_near(case):
    _, shape, make = ERRORS[case]
    model = model_of([(shape, make)])
    before = [array.copy() for array in model.get_weights()]
    fixed, left = fix(model)
    assert errors(left) == []
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    if case in ("alpha auto", "ulaw", "no kernel quantizer", "batch norm", "QBatchNormalization"):
        x = inputs_of(model)[0]
        wanted, found = keras_predict(model, x), keras_predict(fixed, x)
        assert np.abs(wanted - found).max() <= 0.05 * np.abs(wanted).max()


def test_fix_without_anything_to_mend_computes_the_same(tagger, jets):
    fixed, left = fix(tagger)
    assert errors(left) == []
    assert np.array_equal(keras_predict(fixed, jets), keras_predict(tagger, jets))


def test_a_model_without_a_fixed_graph_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UnsupportedModel, match="without a fixed graph"):
        lint(Own())
