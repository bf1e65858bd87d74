"""What a QKeras quantizer means in hardware: its fixed-point type, or why it has none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.qor import FixedType

TERNARY_THRESHOLD = 0.33
"""The threshold hls4ml and QKeras use for ``ternary`` activations when none is given."""


def quantizer_name(quantizer: Any) -> str:
    """QKeras' class (or function) name of a quantizer; ``''`` for none."""
    if quantizer is None:
        return ""
    return str(getattr(quantizer, "__name__", type(quantizer).__name__))


def as_quantizer(value: Any) -> Any:
    """The quantizer object behind a text such as ``quantized_relu(6)``, an object or None."""
    if value is None or not isinstance(value, str | dict):
        return value
    import qkeras

    return qkeras.get_quantizer(value)


def is_quantizer(value: Any) -> bool:
    """Whether an ``activation`` is one of QKeras' quantizers rather than a plain function."""
    return type(value).__module__.startswith("qkeras") or getattr(value, "__module__", "").startswith(
        "qkeras"
    )


def _bits(quantizer: Any) -> tuple[int, int]:
    return int(quantizer.bits), int(getattr(quantizer, "integer", 0))


def quantized_bits_type(quantizer: Any) -> FixedType:
    """``quantized_bits(b, i)``: round half to even, saturate; QKeras does not count the sign in ``i``."""
    bits, integer = _bits(quantizer)
    signed = bool(quantizer.keep_negative)
    saturation = "SAT_SYM" if signed and quantizer.symmetric else "SAT"
    return FixedType(bits, integer + int(signed), signed, "RND_CONV", saturation)


def activation_type(quantizer: Any) -> FixedType | None:
    """The type of values leaving ``QActivation(quantizer)``; None where no single type gives them."""
    name = quantizer_name(quantizer)
    if name == "quantized_bits":
        return quantized_bits_type(quantizer)
    if name == "quantized_relu":
        bits, integer = _bits(quantizer)
        return FixedType(bits, integer, False, "RND_CONV", "SAT")
    if name == "quantized_tanh":
        return FixedType(
            int(quantizer.bits), 1, True, "RND_CONV", "SAT_SYM" if quantizer.symmetric else "SAT"
        )
    if name == "quantized_sigmoid":
        return FixedType(int(quantizer.bits), 0, False, "RND_CONV", "SAT")
    if name in (
        "binary",
        "ternary",
        "binary_tanh",
        "ternary_tanh",
        "stochastic_binary",
        "stochastic_ternary",
    ):
        return FixedType(2, 2)
    return None


def is_plain_relu(quantizer: Any) -> bool:
    """Whether a ``quantized_relu`` is its type alone: no slope, bound, sigmoid or float beside it."""
    bounded = quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip
    whole = float(quantizer.qnoise_factor) == 1
    return whole and not (quantizer.negative_slope or quantizer.use_sigmoid or bounded)


def weight_type(quantizer: Any) -> FixedType | None:
    """The grid of weights behind ``quantizer``; None for powers of two and for what has no fixed grid."""
    name = quantizer_name(quantizer)
    if name == "quantized_bits":
        kind = quantized_bits_type(quantizer)
        return FixedType(kind.width, kind.integer, kind.signed)
    if name in ("binary", "ternary", "stochastic_binary", "stochastic_ternary"):
        return FixedType(2, 2)
    return None


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


def fraction_bits(values: NDArray[np.float64], limit: int = 64) -> int | None:
    """Fewest fraction bits (may be negative) that hold every value exactly; None if more than ``limit``."""
    nonzero = np.asarray(values, np.float64).ravel()
    nonzero = nonzero[nonzero != 0]
    if nonzero.size == 0:
        return 0
    mantissa, exponent = np.frexp(nonzero)
    codes = (mantissa * 2.0**53).astype(np.int64)
    trailing = np.log2((codes & -codes).astype(np.float64)).astype(np.int64)
    bits = int(np.max(53 - exponent - trailing))
    return bits if bits <= limit else None


def type_for_range(low: float, high: float, frac: int) -> FixedType:
    """The narrowest type with ``frac`` fraction bits that holds every value of [low, high]."""
    scale = 2.0**frac
    bottom, top = int(np.floor(low * scale)), int(np.ceil(high * scale))
    if bottom >= 0:
        width = max(top.bit_length(), 1)
        return FixedType(width, width - frac, signed=False)
    width = max(top.bit_length(), (-bottom - 1).bit_length()) + 1
    return FixedType(width, width - frac)
