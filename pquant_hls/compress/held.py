"""Weights held to the structure that they have: zeros, signs and signed digits, so that no rule counts more cycles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import Weights, weights_of
from pquant_hls.network.frontend import reading_of
from pquant_hls.network.graph import flat
from pquant_hls.network.paths import kernel_keys
from pquant_hls.network.quantizers import quantized_values
from pquant_hls.qor import FixedType
from pquant_hls.qor.digits import digit_pattern, within
from pquant_hls.train import HeldVariable

Codes = NDArray[np.int64]
MOST_BITS = 16
"""Of a weight: each has a table of all its codes."""


def structure_held(model: keras.Model) -> tuple[HeldVariable, ...]:
    """Every kernel of a model, held to what its present digits allow.

    A weight may become any value of its quantizer with the same sign and no more signed digits, not beyond the largest of its
    layer, or zero; a zero stays one.

    Raises
    ------
    UnsupportedModel : a kernel whose values lie on no fixed-point grid of their own (layer named).
    """
    found = []
    for call in {call.name: call for call in flat(model).layers}.values():
        for _, place in kernel_keys(call):
            weights = weights_of(call.layer)[place]
            kind = _kind(weights, call.name)
            found.append(HeldVariable(call.layer.weights[place], _projection(weights, kind)))
    return tuple(found)


def _kind(weights: Weights, layer: str) -> FixedType:
    found = reading_of(weights.quantizer)
    kind = None if found is None else found.type
    if (
        kind is None
        or kind.width > MOST_BITS
        or not np.array_equal(kind.quantize(weights.values), weights.values)
    ):
        raise UnsupportedModel(
            "its weights have no digits to keep: they lie on no fixed-point grid of their own",
            where=layer,
            mend=f"quantize first, to {MOST_BITS} bits at most, with alpha=1 or learned widths",
        )
    return kind


def _projection(weights: Weights, kind: FixedType) -> Any:
    patterns, rows = np.unique(digit_pattern(kind.to_codes(weights.values)), return_inverse=True)
    codes = np.arange(kind.code_min, kind.code_max + 1)
    values = codes * kind.lsb
    kept = quantized_values(weights.quantizer, values.astype(np.float32)) == values
    kept &= np.abs(values) <= np.abs(weights.values).max(initial=0.0)
    table = np.stack(list(_nearest(patterns, codes, kept))) * kind.lsb
    known = tf.constant(table.ravel(), tf.float32)
    first = tf.constant(rows.reshape(weights.values.shape) * len(codes) - kind.code_min, tf.int32)
    low, high = float(kind.code_min), float(kind.code_max)

    def project(value: Any) -> Any:
        code = tf.clip_by_value(tf.round(value / kind.lsb), low, high)
        return tf.gather(known, tf.cast(code, tf.int32) + first)

    return project


def _nearest(patterns: Codes, codes: Codes, kept: NDArray[np.bool_]) -> Iterator[Codes]:
    """For each pattern the allowed code nearest to every code, the smaller of two that are as near."""
    for pattern in patterns.tolist():
        allowed = codes[kept & within(digit_pattern(codes), np.full_like(codes, pattern))]
        place = np.searchsorted(allowed, codes)
        below, above = allowed[np.maximum(place - 1, 0)], allowed[np.minimum(place, len(allowed) - 1)]
        down, up = np.abs(codes - below), np.abs(codes - above)
        nearer = (up < down) | ((up == down) & (np.abs(above) < np.abs(below)))
        yield np.where(nearer, above, below)
