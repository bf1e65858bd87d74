"""Fixed-point types of a QKeras model's tensors and weights, read off its quantizers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.graph import Call, calls
from pquant_hls.network.table import operation, stored_weights
from pquant_hls.qor import FixedType

ROUNDING, SATURATION = "RND_CONV", "SAT"
"""QKeras rounds half to even and clips; hls4ml writes the same modes."""

_FIXED = ("quantized_bits", "quantized_linear")
_UNSIGNED = ("quantized_relu",)
_TABLES = ("quantized_tanh", "quantized_sigmoid")


def quantizer_type(quantizer: Any) -> FixedType | None:
    """Type of the values a QKeras quantizer gives; None for float and for kinds that have no single one."""
    kind = type(quantizer).__name__
    if kind == "binary":
        return FixedType(
            1 if quantizer.use_01 else 2, 1 if quantizer.use_01 else 2, signed=not quantizer.use_01
        )
    if kind == "ternary":
        return FixedType(2, 2)
    if kind in _FIXED:
        signed = bool(quantizer.keep_negative)
        return FixedType(
            int(quantizer.bits), int(quantizer.integer) + int(signed), signed, ROUNDING, SATURATION
        )
    if kind in _UNSIGNED:
        return FixedType(int(quantizer.bits), int(quantizer.integer), False, ROUNDING, SATURATION)
    if kind == "quantized_tanh":
        return FixedType(int(quantizer.bits), 1, True, ROUNDING, SATURATION)
    return (
        FixedType(int(quantizer.bits), 0, False, ROUNDING, SATURATION)
        if kind == "quantized_sigmoid"
        else None
    )


def quantizer_bits(quantizer: Any) -> int | None:
    """Bits that one weight takes under this quantizer: 1 for binary, 2 for ternary, its
    ``bits`` otherwise.
    """
    kind = type(quantizer).__name__
    if kind in ("binary", "ternary"):
        return 1 if kind == "binary" else 2
    bits = getattr(quantizer, "bits", None)
    return None if bits is None else int(bits)


def weight_quantizers(layer: keras.Layer) -> list[Any]:
    """One entry for each of ``layer.get_weights()``: its quantizer or None."""
    given = list(layer.get_quantizers()) if hasattr(layer, "get_quantizers") else []
    count = len(layer.get_weights())
    return [*given, *[None] * count][:count]


def enclosed_bits(values: NDArray[Any]) -> NDArray[np.int64]:
    """Bits from the highest to the lowest non-zero bit of each |value|; 0 for 0 (int64, same shape).

    This is the width of a constant in HGQ's EBOPs (Sun et al., arXiv:2405.00645, section III).
    """
    mantissa = np.abs(np.frexp(np.asarray(values, np.float64))[0])
    whole = (mantissa * 2.0**53).astype(np.int64)
    odd = whole // np.maximum(whole & -whole, 1)
    return np.where(whole == 0, 0, np.ceil(np.log2(odd.astype(np.float64) + 1)).astype(np.int64))


def tensor_types(model: keras.Model) -> dict[str, FixedType | None]:
    """Type of each layer's output values by layer name; None where a float is among its operands."""
    found: dict[str, FixedType | None] = {}
    for call in calls(model):
        found[call.name] = output_type(call, [found[name] for name in call.inputs])
    return found


def output_type(call: Call, inputs: Sequence[FixedType | None]) -> FixedType | None:
    """Type wide enough for every output value of one layer, given its inputs' types."""
    kind = operation(call.layer)
    inner = getattr(call.layer, "activation", None)
    if kind == "activation":
        return _activation_type(call.layer, inputs)
    if any(value is None for value in inputs) or not inputs:
        return None
    known = [value for value in inputs if value is not None]
    if kind in ("dense", "conv", "depthwise_conv"):
        inside = quantizer_type(inner)
        return inside if inside is not None else accumulator_type(call.layer, known[0])
    if kind in ("flatten", "pass", "reshape", "concatenate") or call.kind.startswith(
        ("Max", "GlobalMax", "QMax")
    ):
        return union(known)
    if "AveragePooling" in call.kind:
        return _mean_type(call.layer, known[0])
    return _sum_type(known) if call.kind in ("Add", "Subtract") else None


def _mean_type(layer: keras.Layer, source: FixedType) -> FixedType:
    """Range of the values averaged, with the bits below that a mean of so many can need."""
    shape = (
        layer.input.shape[1:-1]
        if layer.__class__.__name__.startswith(("Global", "QGlobal"))
        else layer.pool_size
    )
    count = math.prod(size for size in shape if size is not None)
    extra = math.ceil(math.log2(count)) if count > 1 else 0
    return FixedType(source.width + extra, source.integer, source.signed)


def _activation_type(layer: keras.Layer, inputs: Sequence[FixedType | None]) -> FixedType | None:
    found = quantizer_type(getattr(layer, "activation", None))
    if found is not None:
        return found
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    relu = type(layer).__name__ == "ReLU" or name == "relu"
    return inputs[0] if (relu or name == "linear") and inputs else None


def accumulator_type(layer: keras.Layer, source: FixedType) -> FixedType | None:
    """The narrowest type that holds every sum of this layer exactly, whatever the inputs of type ``source``.

    Range: the largest of sum_i max(w_i x_low, w_i x_high) over the outputs, plus bias. None for float
    weights.
    """
    if weight_frac(layer) is None:
        return None
    arrays = stored_weights(layer)
    low, high = source.code_min * source.lsb, source.code_max * source.lsb
    kernel = _per_output(layer, arrays[0])
    top = np.maximum(kernel * high, kernel * low).sum(axis=0)
    bottom = np.minimum(kernel * high, kernel * low).sum(axis=0)
    bias = arrays[1] if len(arrays) > 1 else np.zeros(kernel.shape[1])
    frac = max(int(weight_frac(layer) or 0) + source.frac, lowest_frac(bias))
    return covering(float((bottom + bias).min()), float((top + bias).max()), frac)


def _per_output(layer: keras.Layer, kernel: NDArray[Any]) -> NDArray[np.float64]:
    """Kernel as (terms of one sum, outputs)."""
    kernel = np.asarray(kernel, np.float64)
    if operation(layer) == "depthwise_conv":
        return kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
    return kernel.reshape(-1, kernel.shape[-1])


def weight_frac(layer: keras.Layer) -> int | None:
    """Fraction bits of the kernel's quantizer; None when the kernel is float."""
    quantizers = weight_quantizers(layer)
    kind = quantizer_type(quantizers[0]) if quantizers else None
    return None if kind is None else kind.frac


def lowest_frac(values: NDArray[Any]) -> int:
    """Fraction bits that hold these values exactly."""
    nonzero = np.asarray(values, np.float64)[np.asarray(values) != 0]
    if nonzero.size == 0:
        return 0
    mantissa, exponent = np.frexp(np.abs(nonzero))
    whole = (mantissa * 2.0**53).astype(np.int64)
    trailing = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return int((53 - trailing - exponent).max())


def covering(low: float, high: float, frac: int) -> FixedType:
    """The narrowest type with ``frac`` fraction bits that holds low..high (both on its grid)."""
    signed = low < 0
    codes = max(high * 2.0**frac, -low * 2.0**frac - 1 if signed else 0.0)
    magnitude = max(0, math.ceil(math.log2(codes + 1))) if codes > 0 else 0
    width = max(1, magnitude + int(signed))
    return FixedType(width, width - frac, signed)


def union(kinds: Sequence[FixedType]) -> FixedType:
    """The narrowest type that holds the values of all ``kinds``."""
    frac = max(kind.frac for kind in kinds)
    low = min(kind.code_min * kind.lsb for kind in kinds)
    high = max(kind.code_max * kind.lsb for kind in kinds)
    return kinds[0] if len(set(kinds)) == 1 else covering(low, high, frac)


def _sum_type(kinds: Sequence[FixedType]) -> FixedType:
    frac = max(kind.frac for kind in kinds)
    reach = [(kind.code_min * kind.lsb, kind.code_max * kind.lsb) for kind in kinds]
    low = sum(min(a, -b) for a, b in reach)
    high = sum(max(-a, b) for a, b in reach)
    return covering(low, high, frac)
