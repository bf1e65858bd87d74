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
) -> Sketch:
    """A chain: an input, its quantizer and ``layers`` of (kind, options[, source or weights])."""
    nodes = [
        SketchNode(0, "Input", (), {"shape": shape, "name": "n0_x"}),
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
FAULTS = {
    "a sigmoid that is an output and feeds the rest": net(
        dense(activation="sigmoid"), act(bits(8, 0)), dense(), outputs=(2, 4)
    ),
    "a softmax that is an output and feeds the rest": net(
        dense(), ("Softmax", {}), act(relu(8, 0)), dense(), outputs=(3, 5)
    ),
    "a ternary after an average": net(POOL, act(TERNARY), shape=(3, 2)),
    "a ternary after a relu": net(dense(), act(relu(6, 2)), act(TERNARY)),
    "a symmetric quantized_sigmoid": net(act(Quantizer("quantized_sigmoid", {"bits": 3, "symmetric": 1}))),
    "a mask": net(("QConv2D", CONV), shape=(3, 3, 1)),
    "a zeroed layer before a coarser quantizer": net(
        dense(mode="zeros", use_bias=False), act(bits(2, 0)), first=bits(12, 1)
    ),
    "a zeroed layer before a coarser quantizer, an output itself": net(
        dense(mode="zeros", use_bias=False), act(bits(2, 0)), first=bits(12, 1), outputs=(2, 3)
    ),
    "logits and their softmax": net(dense(), ("Softmax", {}), outputs=(2, 3)),
    "a value and its dropout": net(dense(), ("Dropout", {"rate": 0.1}), outputs=(2, 3)),
    "a value and its reshape": net(dense(), ("Reshape", {"target_shape": (2, 1)}), outputs=(2, 3)),
    "a quantizer coarser than all it is given": net(act(relu(4, 1)), act(bits(4, 6))),
    "a dropout that stays on": net(dense(), ("Dropout", {"rate": 0.5, "active": True}), dense()),
    "a quantizer in Activation": net(dense(), ("Activation", {"activation": relu(6, 2)})),
}


REFUSED_BY = {
    "a sigmoid that is an output and feeds the rest": "inner-probability",
    "a softmax that is an output and feeds the rest": "inner-probability",
    "a ternary after a relu": "unsigned-ternary",
    "a symmetric quantized_sigmoid": "unsupported-activation",
    "a mask": "weight-mask",
    "logits and their softmax": "one-value",
    "a value and its dropout": "one-value",
    "a value and its reshape": "one-value",
    "a quantizer coarser than all it is given": "coarse-quantizer",
    "a dropout that stays on": "active-dropout",
}
RESULTS = dict.fromkeys(REFUSED_BY, "refused") | {"a ternary after an average": "bounded"}


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
