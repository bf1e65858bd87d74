"""What a quantizer gives: questions that its front-end answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.qor import FixedType


def quantizer_type(quantizer: Any) -> FixedType | None:
    """The type of the values a quantizer gives, for activations and for weights alike.

    A scale is not part of it. None for None, plain functions and what no single type holds.
    """
    found = reading_of(quantizer)
    return None if found is None else found.type


def quantizer_bits(quantizer: Any) -> int | None:
    """Bits that one weight takes under this quantizer; None without one."""
    found = reading_of(quantizer)
    return None if found is None else found.bits


def is_quantizer(value: Any) -> bool:
    """Whether an ``activation`` is a front-end's quantizer rather than a plain function."""
    return front_of(value) is not None


_COLOUR = re.compile(r"\x1b\[\d+m")
"""Keras prints its errors in bold."""


@contextlib.contextmanager
def keras_computes(where: str, mend: str | None = None) -> Iterator[None]:
    """What Keras or a front-end cannot compute inside the block becomes an UnsupportedModel that says so."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError, AssertionError, NotImplementedError) as cause:
        said = _COLOUR.sub("", str(cause))
        words = next((line for line in said.splitlines()[1:] if line.strip()), said).strip()
        raise UnsupportedModel(
            f"Keras itself cannot compute this: {words}", where=where, mend=mend
        ) from cause


def quantized_values(quantizer: Any, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """``values`` as the quantizer gives them in inference (float64, same shape); unchanged without one."""
    if quantizer is None:
        return np.asarray(values, np.float64)
    key = _key(quantizer, values)
    if key in _KNOWN:
        return _KNOWN[key]
    given = _given(quantizer, values)
    if key is not None:
        given.flags.writeable = False
        _KNOWN[key] = given
        if len(_KNOWN) > KEPT:
            _KNOWN.pop(next(iter(_KNOWN)))
    return given


KEPT, LARGEST = 64, 1 << 16
"""Arrays that are remembered, and values of the largest of them: one reading of a model asks for each eight times."""
_KNOWN: dict[object, NDArray[np.float64]] = {}


def _key(quantizer: Any, values: NDArray[np.float32]) -> object:
    """What the values that a quantizer gives depend on; None for what is not remembered, such as one that is a layer and
    learns."""
    learns = isinstance(quantizer, keras.layers.Layer)
    if learns or values.size > LARGEST or not hasattr(quantizer, "get_config"):
        return None
    kind = type(quantizer)
    return (
        kind.__module__,
        kind.__qualname__,
        repr(quantizer.get_config()),
        values.shape,
        values.dtype.str,
        values.tobytes(),
    )


def _given(quantizer: Any, values: NDArray[np.float32]) -> NDArray[np.float64]:
    front, found = front_of(quantizer), reading_of(quantizer)
    scale: Any = None if front is None else front.scale(quantizer)
    mend = f"alpha as one number, it is {scale!r}" if np.ndim(scale) > 0 else None
    with keras_computes(type(quantizer).__name__ if found is None else found.name, mend):
        return np.asarray(quantizer(np.asarray(values, np.float32)), np.float64)
