"""hls4ml's look-up tables of sigmoid and tanh, in its own floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor.fixed import FixedType


def table_codes(function: str, kind: FixedType, size: int) -> list[int]:
    """The table of ``sigmoid`` over [-8, 8) or ``tanh`` over [-4, 4): ``size`` codes of ``kind``, as nnet_activation.h
    fills it."""
    reach, compute = _TABLES[function]
    index = np.arange(size, dtype=np.float32)
    half = np.float32(size) / np.float32(2)
    x = (2 * reach * (index - half).astype(np.float64) / size).astype(np.float32)
    return [int(code) for code in kind.to_codes(np.asarray(compute(x), np.float64))]


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1.0 / (1.0 + np.exp(-x).astype(np.float64))).astype(np.float32)


def _tanh(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.tanh(x.astype(np.float64))


_TABLES: Mapping[str, tuple[float, Callable[[Any], Any]]] = {"sigmoid": (8.0, _sigmoid), "tanh": (4.0, _tanh)}
