"""What a QKeras quantizer means in hardware: its fixed-point type, or why it has none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.qor import FixedType


def quantizer_name(quantizer: Any) -> str:
    """QKeras' class (or function) name of a quantizer; ``''`` for none."""
    if quantizer is None:
        return ""
    return str(getattr(quantizer, "__name__", type(quantizer).__name__))


def is_quantizer(value: Any) -> bool:
    """Whether an ``activation`` is one of QKeras' quantizers rather than a plain function."""
    return type(value).__module__.startswith("qkeras") or getattr(value, "__module__", "").startswith(
        "qkeras"
    )


def quantizer_type(quantizer: Any) -> FixedType | None:
    """The type of the values a quantizer gives, for activations and for weights alike.

    QKeras rounds half to even, saturates, and does not count the sign in ``integer``. A scale (``alpha``) is
    not part of it, see ``unit_alpha``. None for None, plain functions and what no single type holds.
    """
    kind = quantizer_name(quantizer)
    if kind == "binary" and quantizer.use_01:
        return FixedType(1, 1, signed=False)
    if kind in _SIGNS:
        return FixedType(2, 2)
    if kind not in _GRIDS:
        return None
    signed, integer = _GRIDS[kind](quantizer)
    symmetric = signed and bool(quantizer.symmetric)
    saturation = "SAT_SYM" if symmetric else "SAT"
    return FixedType(int(quantizer.bits), integer + int(signed), signed, "RND_CONV", saturation)


_SIGNS = ("binary", "ternary", "binary_tanh", "ternary_tanh", "stochastic_binary", "stochastic_ternary")
"""Quantizers whose values are -1, 0 and 1."""


def _linear(quantizer: Any) -> tuple[bool, int]:
    return bool(quantizer.keep_negative), int(quantizer.integer)


_GRIDS: Mapping[str, Callable[[Any], tuple[bool, int]]] = {
    "quantized_bits": _linear,
    "quantized_linear": _linear,
    "quantized_relu": lambda quantizer: (False, int(quantizer.integer)),
    "quantized_tanh": lambda quantizer: (True, 0),  # noqa: ARG005
    "quantized_sigmoid": lambda quantizer: (False, 0),  # noqa: ARG005
}
"""(signed, integer bits without the sign) by kind."""


def quantizer_bits(quantizer: Any) -> int | None:
    """Bits that one weight takes under this quantizer: 1 for binary, 2 for ternary, its ``bits`` otherwise."""
    kind = quantizer_name(quantizer)
    if kind in ("binary", "ternary"):
        return 1 if kind == "binary" else 2
    bits = getattr(quantizer, "bits", None)
    return None if bits is None else int(bits)


def is_plain_relu(quantizer: Any) -> bool:
    """Whether a ``quantized_relu`` is its type alone: no slope, bound, sigmoid or float beside it."""
    bounded = quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip
    whole = float(quantizer.qnoise_factor) == 1
    return whole and not (quantizer.negative_slope or quantizer.use_sigmoid or bounded)


def weight_type(quantizer: Any) -> FixedType | None:
    """The grid of weights behind ``quantizer``, which are rounded already; None where it has none."""
    kind = quantizer_type(quantizer)
    return None if kind is None else FixedType(kind.width, kind.integer, kind.signed)


@contextlib.contextmanager
def keras_computes(where: str) -> Iterator[None]:
    """What Keras or QKeras cannot compute inside the block becomes an UnsupportedModel that says so."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError, AssertionError, NotImplementedError) as cause:
        words = next((line for line in str(cause).splitlines()[1:] if line.strip()), str(cause))
        raise UnsupportedModel(f"Keras itself cannot compute this: {words.strip()}", where=where) from cause


def quantized(quantizer: Any, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """``values`` as the quantizer gives them in inference (float64, same shape); unchanged without one."""
    if quantizer is None:
        return np.asarray(values, np.float64)
    with keras_computes(quantizer_name(quantizer)):
        return np.asarray(quantizer(np.asarray(values, np.float32)), np.float64)
