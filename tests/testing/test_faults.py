"""Networks that version 0.1.0 computes otherwise than Keras, or dies on, each a sketch of a few layers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import convert
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.exactness import by_csim, emulated, prepared
from pquant_hls.testing.sketch import Quantizer, Sketch, SketchNode, keras_model

Layer = tuple[Any, ...]
"""(kind, options[, source or weights])."""


def bits(width: int, integer: int = 0, **options: Any) -> Quantizer:
    return Quantizer("quantized_bits", {"bits": width, "integer": integer, "alpha": 1, **options})


def relu(width: int, integer: int = 0, form: Literal["object", "text"] = "object") -> Quantizer:
    return Quantizer("quantized_relu", {"bits": width, "integer": integer}, form)


WEIGHTS = {"kernel_quantizer": bits(5, 1), "bias_quantizer": bits(5, 1)}
TERNARY = Quantizer("ternary", {"alpha": 1})


def net(
    *layers: Layer,
    shape: tuple[int, ...] = (3,),
    first: Quantizer | None = None,
    outputs: tuple[int, ...] | None = None,
    dtype: str = "float32",
) -> Sketch:
    """A chain: an input, its quantizer and ``layers`` of (kind, options[, source or weights])."""
    nodes = [
        SketchNode(0, "Input", (), {"shape": shape, "name": "n0_x", "dtype": dtype}),
        SketchNode(1, "QActivation", (0,), {"activation": first or bits(5, 2), "name": "n0_in"}),
    ]
    for key, (kind, options, *rest) in enumerate(layers, 2):
        sources = next((entry for entry in rest if isinstance(entry, tuple)), (key - 1,))
        mode = next((entry for entry in rest if isinstance(entry, str)), "random")
        nodes.append(SketchNode(key, kind, sources, {"name": f"n0_l{key}", **options}, mode))
    return Sketch(0, tuple(nodes), outputs or (len(nodes) - 1,))


def dense(units: int = 2, mode: str = "random", **options: Any) -> Layer:
    return "QDense", {"units": units, **WEIGHTS, **options}, mode


def act(quantizer: Quantizer) -> Layer:
    return "QActivation", {"activation": quantizer}


POOL: Layer = "GlobalAveragePooling1D", {}
CONV = {"filters": 1, "kernel_size": (2, 2), **WEIGHTS, "mask": [[0, 1], [1, 1]]}
BINARY = Quantizer("binary", {"alpha": 1})


def ternary(threshold: float) -> Quantizer:
    return Quantizer("ternary", {"alpha": 1, "threshold": threshold})


def emptied(*layers: Layer, outputs: tuple[int, ...]) -> Sketch:
    """A dense layer pruned to nothing, whose sums lie far below every step of ``layers``."""
    return net(dense(mode="zeros", use_bias=False), *layers, first=bits(12, 1), outputs=outputs)


FAULTS = {
    "a sigmoid that is an output and feeds the rest": net(
        dense(activation="sigmoid"), act(bits(8, 0)), dense(), outputs=(2, 4)
    ),
    "a softmax that is an output and feeds the rest": net(
        dense(), ("Softmax", {}), act(relu(8, 0)), dense(), outputs=(3, 5)
    ),
    "a ternary after an average": net(POOL, act(TERNARY), shape=(3, 2)),
    "a ternary after a relu": net(dense(), act(relu(6, 2)), act(TERNARY)),
    "a ternary after a relu that others read": net(
        dense(), act(relu(6, 2)), act(TERNARY), ("Add", {}, (3, 4)), outputs=(3, 5)
    ),
    "a ternary after a relu of two bits": net(dense(), act(relu(2)), act(ternary(0.7))),
    "a ternary after unsigned bits": net(dense(), act(bits(4, 1, keep_negative=0)), act(TERNARY)),
    "a ternary after a sigmoid": net(act(Quantizer("quantized_sigmoid", {"bits": 4})), act(TERNARY)),
    "a ternary after a maximum of unsigned values": net(
        ("MaxPooling1D", {"pool_size": 2}), ("Flatten", {}), act(TERNARY), shape=(4, 2), first=relu(6, 2)
    ),
    "a ternary of an unsigned input": net(act(TERNARY), dense(), first=relu(5, 2)),
    "a binary of an unsigned input": net(act(BINARY), dense(), first=relu(5, 2)),
    "a threshold beyond the values": net(dense(), act(bits(5)), act(ternary(1.3))),
    "a threshold beyond a relu's values": net(dense(), act(relu(4)), act(ternary(1.3))),
    "a ternary after unsigned bits of sums that are an output": net(
        dense(), act(bits(4, 1, keep_negative=0)), act(TERNARY), outputs=(2, 4)
    ),
    "a padded maximum of unsigned bits": net(
        ("QConv1D", {"filters": 2, "kernel_size": 1, **WEIGHTS}),
        act(bits(4, 1, keep_negative=0)),
        ("MaxPooling1D", {"pool_size": 3, "strides": 1, "padding": "same"}),
        ("Flatten", {}),
        shape=(4, 2),
        outputs=(2, 5),
    ),
    "a threshold beyond a binary's values": net(dense(), act(BINARY), act(ternary(2.7))),
    "a threshold beyond a ternary's values": net(dense(), act(TERNARY), act(ternary(2.7))),
    "a symmetric quantized_sigmoid": net(act(Quantizer("quantized_sigmoid", {"bits": 3, "symmetric": 1}))),
    "a mask": net(("QConv2D", CONV), shape=(3, 3, 1)),
    "a mask on binary weights": net(("QConv2D", {**CONV, "kernel_quantizer": BINARY}), shape=(3, 3, 1)),
    "a mask of halves": net(("QConv2D", {**CONV, "mask": [[0.5, 1], [0, 0.5]]}), shape=(3, 3, 1)),
    "a mask larger than the kernel, padded": net(
        ("QConv2D", {**CONV, "kernel_size": (1, 1), "padding": "same"}), shape=(3, 3, 1)
    ),
    "a mask larger than the kernel": net(("QConv2D", {**CONV, "kernel_size": (1, 1)}), shape=(3, 3, 1)),
    "a zeroed layer before a coarser quantizer": emptied(act(bits(2, 0)), outputs=(3,)),
    "a zeroed layer before a coarser quantizer, an output itself": emptied(act(bits(2, 0)), outputs=(2, 3)),
    "a zeroed layer before a relu, an output itself": emptied(act(relu(2, 0)), outputs=(2, 3)),
    "a zeroed layer before a relu of large steps": emptied(act(relu(2)), act(relu(4, 6)), outputs=(2, 3, 4)),
    "logits and their softmax": net(dense(), ("Softmax", {}), outputs=(2, 3)),
    "a value and its dropout": net(dense(), ("Dropout", {"rate": 0.1}), outputs=(2, 3)),
    "a value and its reshape": net(dense(), ("Reshape", {"target_shape": (2, 1)}), outputs=(2, 3)),
    "a quantizer coarser than all it is given": net(act(relu(4, 1)), act(bits(4, 6))),
    "a relu coarser than all a relu gives": net(act(relu(4, 1)), act(relu(4, 6))),
    "a quantizer coarser than a tanh that others read": net(
        act(Quantizer("quantized_tanh", {"bits": 3})), act(bits(4, 6)), ("Add", {}, (2, 3))
    ),
    "a quantizer coarser than a ternary": net(dense(), act(TERNARY), act(bits(4, 6)), dense()),
    "a relu coarser than a binary": net(dense(), act(BINARY), act(relu(4, 6)), dense()),
    "a binary of whole numbers": net(dense(), first=BINARY, dtype="uint8"),
    "a dropout that stays on": net(dense(), ("Dropout", {"rate": 0.5, "active": True}), dense()),
    "a quantizer in Activation": net(dense(), ("Activation", {"activation": relu(6, 2)})),
}


REFUSED_BY = {
    "a sigmoid that is an output and feeds the rest": "inner-probability",
    "a softmax that is an output and feeds the rest": "inner-probability",
    "a mask larger than the kernel": "weight-mask",
    "logits and their softmax": "one-value",
    "a value and its dropout": "one-value",
    "a value and its reshape": "one-value",
    "a binary of whole numbers": "input-type",
    "a dropout that stays on": "active-dropout",
}
RESULTS = dict.fromkeys(REFUSED_BY, "refused") | {"a ternary after an average": "bounded"}
RESULTS["a binary of whole numbers"] = "unbuilt"  # Keras itself has no answer


@pytest.mark.gxx
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_it_is_exact_or_said(name: str, tmp_path: Path) -> None:
    case = prepared(FAULTS[name], HlsSpec(), tmp_path / "project")
    emulated(case)
    if case.verdict is None:
        by_csim([case], tmp_path, tmp_path / "cache")
    assert case.verdict is not None
    assert case.verdict.result == RESULTS.get(name, "exact"), case.verdict


@pytest.mark.parametrize("name", REFUSED_BY)
def test_the_conversion_refuses_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=re.escape(f"[{REFUSED_BY[name]}]")):
        convert(keras_model(FAULTS[name]), HlsSpec(), tmp_path / "project")
    assert list(tmp_path.iterdir()) == []
