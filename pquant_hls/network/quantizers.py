"""What a quantizer gives: questions that its front-end answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

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


@contextlib.contextmanager
def keras_computes(where: str) -> Iterator[None]:
    """What Keras or a front-end cannot compute inside the block becomes an UnsupportedModel that says so."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError, AssertionError, NotImplementedError) as cause:
        words = next((line for line in str(cause).splitlines()[1:] if line.strip()), str(cause))
        raise UnsupportedModel(f"Keras itself cannot compute this: {words.strip()}", where=where) from cause


def quantized_values(quantizer: Any, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """``values`` as the quantizer gives them in inference (float64, same shape); unchanged without one."""
    if quantizer is None:
        return np.asarray(values, np.float64)
    found = reading_of(quantizer)
    with keras_computes(type(quantizer).__name__ if found is None else found.name):
        return np.asarray(quantizer(np.asarray(values, np.float32)), np.float64)
