"""Transposed convolutions as convolutions: one for all results of each phase of the stride, interleaved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.network.kinds import layer_kind

L = keras.layers
Array = NDArray[np.float64]


class _Axis(NamedTuple):
    """One axis of places: ``offset`` is the first tap that the first result reads, ``most`` and ``least`` how many places behind
    a result's own its first and last taps read."""

    places: int
    taps: int
    stride: int
    results: int
    offset: int

    @property
    def most(self) -> int:
        return (self.taps - 1 - self.offset) // self.stride

    @property
    def least(self) -> int:
        return -((self.stride - 1 + self.offset) // self.stride)

    @property
    def rounds(self) -> int:
        """Results of one phase."""
        return -(-self.results // self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and behind the places."""
        return self.most, self.rounds - self.places - self.least

    def phases(self, kernel: Array, place: int) -> Array:
        """The taps of each phase (stride, taps, *the other axes) of a kernel's axis ``place``, zeros where it has none."""
        moved = np.moveaxis(kernel, place, 0)
        padded = np.concatenate([moved, np.zeros_like(moved[:1])])
        back = np.arange(self.most, self.least - 1, -1) * self.stride
        taps = np.arange(self.stride)[:, None] + self.offset + back
        return np.asarray(padded[np.where((taps >= 0) & (taps < self.taps), taps, self.taps)])


def is_interleaved(layer: Any) -> bool:
    """Whether a transposed convolution is one of phases: without gaps between taps, paddings of its results or a softmax, and
    with quantizers, if any, that take each weight by itself and have a zero."""
    one = all(rate == 1 for rate in np.atleast_1d(layer.dilation_rate))
    front, quantizer = front_of(layer), None
    if front is not None:
        quantizer = front.quantizer(layer, "kernel")
        scale, found = front.scale(quantizer), reading_of(quantizer)
        if isinstance(scale, str) or np.size(1 if scale is None else scale) > 1:
            return False
        if found is not None and found.shape == "binary":
            return False
    plain = layer.output_padding is None and layer_kind(layer).acts_as(layer) != "softmax"
    return one and plain and layer.data_format == "channels_last"


def transposed_in_layers(layer: Any, x: Any, name: str) -> Any:
    """Keras' Conv1DTranspose or Conv2DTranspose, or one with quantizers, of a Keras tensor (batch, *places, channels).

    A result at place q * stride + r reads the taps r, r + stride, ... alone (Dumoulin & Visin, arXiv:1603.07285, section 4), so
    that a plain convolution gives those of phase r at all q: no product with a zero between places. The last layer is
    called ``name``.
    """
    places, shape = tuple(x.shape[1:-1]), layer.compute_output_shape(x.shape)
    axes = [
        _axis(layer, *sizes)
        for sizes in zip(places, layer.kernel_size, layer.strides, shape[1:-1], strict=True)
    ]
    if any(any(axis.padding) for axis in axes):
        sides = [axis.padding for axis in axes]
        own = f"{name}_padded"
        padded = L.ZeroPadding2D(sides, name=own) if len(sides) == 2 else L.ZeroPadding1D(sides[0], name=own)
        x = padded(x)
    rounds, filters = [axis.rounds for axis in axes], layer.filters
    rows = [
        _phase(layer, kernel, x, f"{name}_phase{place}") for place, kernel in enumerate(_kernels(layer, axes))
    ]
    if len(rows) > 1:
        flat = (rounds[0], 1, math.prod(rounds[1:]) * axes[-1].stride * filters)
        rows = [L.Reshape(flat, name=f"{name}_row{place}")(row) for place, row in enumerate(rows)]
        rows = [L.Concatenate(axis=2, name=f"{name}_rows")(rows)]
    whole = [axis.rounds * axis.stride for axis in axes]
    extra = [(0, size - axis.results) for size, axis in zip(whole, axes, strict=True)]
    cut = any(behind for _, behind in extra)
    x = L.Reshape((*whole, filters), name=f"{name}_whole" if cut else name)(rows[0])
    if not cut:
        return x
    return (L.Cropping2D(extra, name=name) if len(extra) == 2 else L.Cropping1D(extra[0], name=name))(x)


def _axis(layer: Any, places: int, taps: int, stride: int, results: int) -> _Axis:
    return _Axis(places, taps, stride, results, max(taps - stride, 0) // 2 if layer.padding == "same" else 0)


def _kernels(layer: Any, axes: Sequence[_Axis]) -> list[Array]:
    """For each phase of the rows (*taps, channels, phases of columns * filters); Keras' kernel is (*taps, filters, channels)."""
    kernel = np.asarray(layer.get_weights()[0], np.float64)
    columns = axes[-1].phases(kernel, len(axes) - 1)
    if len(axes) == 1:  # (phases, taps, filters, channels)
        found = columns.transpose(1, 3, 0, 2)
        return [found.reshape(*found.shape[:2], -1)]
    rows = axes[0].phases(columns, 2)  # (phases of rows, taps, phases, taps, filters, channels)
    found = rows.transpose(0, 1, 3, 5, 2, 4)
    return list(found.reshape(*found.shape[:4], -1))


def _phase(layer: Any, kernel: Array, x: Any, name: str) -> Any:
    """A convolution of this kernel, with the layer's bias, activation and quantizers."""
    front, rank = front_of(layer), kernel.ndim - 2
    kind, options = getattr(L, f"Conv{rank}D"), {}
    if front is not None:
        kind = front.layer(f"Conv{rank}D")
        options = {front.option(role): front.quantizer(layer, role) for role in ("kernel", "bias")}
    made = kind(
        kernel.shape[-1],
        kernel.shape[:rank],
        use_bias=layer.use_bias,
        activation=layer.activation,
        name=name,
        **options,
    )
    result = made(x)
    bias = [np.tile(layer.get_weights()[1], kernel.shape[-1] // layer.filters)] if layer.use_bias else []
    made.set_weights([kernel.astype(np.float32), *bias])
    return result
