"""Ways to write one kernel as two, for every rank: the singular value decomposition of its unfoldings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.graph import Call, NewLayer, copy_layer
from pquant_hls.network.table import operation

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """One factorization: ``rank``, kept ``energy`` (share of squared singular values), multiplications of one
    inference.

    ``before`` are the layer's own multiplications, all weights counted; ``cut_off`` counts units that the rank leaves
    nothing of.
    """

    name: str
    scheme: str
    rank: int
    energy: float
    multiplications: int
    before: int
    cut_off: int
    make: Callable[[], Sequence[NewLayer]]

    @property
    def text(self) -> str:
        return (
            f"{self.scheme} rank {self.rank} keeps {self.energy:.4f} of the energy, "
            f"{self.multiplications:,} multiplications instead of {self.before:,}"
        )

    def change(self, call: Call) -> Sequence[NewLayer] | None:
        """As ``models.rebuild`` wants it."""
        return self.make() if call.name == self.name else None


def factors(call: Call, seen: Matrix | None = None) -> list[Factor]:
    """All factorizations of a dense layer or ungrouped convolution.

    Dense and pointwise layers: kernel = A B. Others: a convolution to ``rank`` channels and a pointwise one; for
    Conv2D also a vertical and a horizontal one (Jaderberg et al., arXiv:1405.3866, scheme 2). With ``seen``, what a dense
    layer reads, float (events, inputs), it is its sums on these events that the first ranks keep most of.
    """
    kernel = np.asarray(call.layer.kernel, np.float64)
    found = _channel(call, kernel, None if seen is None else _spread(seen))
    if operation(call.layer) == "conv" and kernel.ndim == 4 and kernel.shape[0] > 1 and kernel.shape[1] > 1:
        found += _spatial(call, kernel)
    return found


DUST = 1e-9
"""Parts of singular vectors up to here are rounding, and 0."""


RIDGE = 1e-6
"""Added to the second moments of what a layer reads, in units of their mean, so that directions never seen count a little."""


def _spread(seen: Matrix) -> Matrix:
    """L with L L^T the second moments of ``seen`` (events, inputs): |seen W| = |L^T W| sqrt(events)."""
    moments = seen.T @ seen / len(seen)
    mean = max(float(np.trace(moments)) / len(moments), 1e-30)
    return np.asarray(np.linalg.cholesky(moments + RIDGE * mean * np.eye(len(moments))))


def _split(
    matrix: Matrix, n_out: int, spread: Matrix | None = None
) -> tuple[Matrix, Matrix, Matrix, NDArray[np.int64]]:
    """A, B with matrix = A B, columns in order of weight; for the first r of them the energy kept and the units that
    nothing is left of, where a unit is every ``n_out``-th column. With ``spread`` L the order and energy are those of
    L^T matrix (Eckart and Young, Psychometrika 1 (1936) 211).
    """
    left, sizes, right = np.linalg.svd(matrix if spread is None else spread.T @ matrix, full_matrices=False)
    left, right = (np.where(np.abs(vectors) < DUST, 0.0, vectors) for vectors in (left, right))
    root = np.sqrt(sizes)
    total = float((sizes**2).sum())
    kept = np.cumsum(sizes**2) / total if total > 0 else np.ones(len(sizes))
    by_unit = np.cumsum(((root[:, None] * right) ** 2).reshape(len(sizes), -1, n_out).sum(axis=1), axis=0)
    if spread is not None:
        left = np.linalg.solve(spread.T, left)
    return left * root, root[:, None] * right, kept, ((by_unit == 0) & (by_unit[-1] > 0)).sum(axis=1)


def _positions(shape: tuple[int | None, ...]) -> int:
    return math.prod(size for size in shape[:-1] if size is not None)


def _channel(call: Call, kernel: Matrix, spread: Matrix | None) -> list[Factor]:
    """To ``rank`` channels, then pointwise."""
    first, second, energy, lost = _split(kernel.reshape(-1, kernel.shape[-1]), kernel.shape[-1], spread)
    before = kernel.size * _positions(call.shape)
    made = []
    for rank in range(1, len(energy) + 1):
        cost = rank * (first.shape[0] + second.shape[1]) * _positions(call.shape)
        pair = (first[:, :rank].reshape(*kernel.shape[:-1], rank), second[:rank])
        made.append(
            Factor(
                call.name,
                "channel",
                rank,
                float(energy[rank - 1]),
                cost,
                before,
                int(lost[rank - 1]),
                _maker(_as_channel, call, pair),
            )
        )
    return made


def _spatial(call: Call, kernel: Matrix) -> list[Factor]:
    """Vertical, then horizontal: kernel[h, w, i, o] = sum_r v[h, i, r] u[r, w, o]."""
    height, width, n_in, n_out = kernel.shape
    matrix = kernel.transpose(0, 2, 1, 3).reshape(height * n_in, width * n_out)
    first, second, energy, lost = _split(matrix, n_out)
    rows, columns, across = call.shape[0] or 1, call.shape[1] or 1, call.node.input_tensors[0].shape[2] or 1
    before = kernel.size * rows * columns
    made = []
    for rank in range(1, len(energy) + 1):
        cost = rank * (height * n_in * rows * across + width * n_out * rows * columns)
        vertical = first[:, :rank].reshape(height, 1, n_in, rank)
        horizontal = second[:rank].reshape(rank, width, n_out).transpose(1, 0, 2)[None]
        pair = (vertical, horizontal)
        made.append(
            Factor(
                call.name,
                "spatial",
                rank,
                float(energy[rank - 1]),
                cost,
                before,
                int(lost[rank - 1]),
                _maker(_as_spatial, call, pair),
            )
        )
    return made


def _maker(build: Callable[..., Sequence[NewLayer]], call: Call, pair: tuple[Matrix, Matrix]) -> Any:
    return lambda: build(call, *pair)


def _as_channel(call: Call, first: Matrix, second: Matrix) -> Sequence[NewLayer]:
    rank = first.shape[-1]
    plain = {"use_bias": False, "activation": "linear", "name": f"{call.name}_basis"}
    if operation(call.layer) == "dense":
        return [
            _new(copy_layer(call.layer, units=rank, **plain), [first]),
            _new(copy_layer(call.layer), [second, *_bias(call)]),
        ]
    ones = 1 if len(first.shape) == 3 else (1, 1)
    front = copy_layer(call.layer, filters=rank, **plain)
    back = copy_layer(call.layer, kernel_size=ones, strides=ones, dilation_rate=ones, padding="valid")
    return [
        _new(front, [first]),
        _new(back, [second.reshape(*[1] * (first.ndim - 2), *second.shape), *_bias(call)]),
    ]


def _as_spatial(call: Call, vertical: Matrix, horizontal: Matrix) -> Sequence[NewLayer]:
    (down, right), (gap_down, gap_right) = call.layer.strides, call.layer.dilation_rate
    front = copy_layer(
        call.layer,
        filters=vertical.shape[-1],
        kernel_size=(vertical.shape[0], 1),
        strides=(down, 1),
        dilation_rate=(gap_down, 1),
        use_bias=False,
        activation="linear",
        name=f"{call.name}_basis",
    )
    back = copy_layer(
        call.layer, kernel_size=(1, horizontal.shape[1]), strides=(1, right), dilation_rate=(1, gap_right)
    )
    return [_new(front, [vertical]), _new(back, [horizontal, *_bias(call)])]


def _bias(call: Call) -> list[NDArray[np.float32]]:
    return list(call.weights[1:])


def _new(layer: keras.Layer, arrays: Sequence[Any]) -> NewLayer:
    return NewLayer(layer, [np.asarray(array, np.float32) for array in arrays])
