"""Counting what a model costs: weights, bits, multiplications, EBOPs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.record import FLOAT_BITS, Accounting
from pquant_hls.network.graph import Call, flat
from pquant_hls.network.paths import Key, kernel_keys, kernels_of, useful_weights
from pquant_hls.network.quantizers import quantizer_bits
from pquant_hls.network.table import n_units, operation, stored_weights, weight_quantizers
from pquant_hls.network.types import element_types, tensor_types
from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.qor.fixed import enclosed_bits

SUMMED = ("dense", "conv", "depthwise_conv")
"""Operations whose results are sums of products with one kernel."""


def units(model: keras.Model) -> dict[str, int]:
    """Units of each dense layer and filters of each convolution, by layer name, the outputs' included."""
    return {call.name: count for call in flat(model).layers if (count := n_units(call.layer)) is not None}


def account(model: keras.Model) -> Accounting:
    """Count a model; no data needed. Estimated cycles are not filled in here.

    A weight counts as non-zero where it leads from an input to an output: what a unit that nothing reads or that reads
    nothing has is not built. Weights of a layer used more than once count once, its multiplications each time. Raises
    UnsupportedModel as ``network.calls`` does.
    """
    graph = flat(model)
    kinds, grids = tensor_types(model), element_types(graph)
    widths = {name: _widths(kind, grids[name]) for name, kind in kinds.items()}
    useful = useful_weights(graph, kernels_of(graph))
    built = {call.name: _built(call, useful) for call in graph.layers}
    kernels = [(call, built[call.name][place]) for call in graph.calls for _, place in kernel_keys(call)]
    stored = [kernel for call, kernel in kernels if call.output == call.name]
    return Accounting(
        parameters=sum(array.size for call in graph.layers for array in call.weights),
        nonzero=sum(_nonzero(array) for arrays in built.values() for array in arrays),
        kernel_weights=sum(kernel.size for kernel in stored),
        nonzero_weights=sum(_nonzero(kernel) for kernel in stored),
        weight_bits=sum(_bits(call.layer, built[call.name]) for call in graph.layers),
        multiplications=sum(_nonzero(kernel) * positions(call) for call, kernel in kernels),
        ebops=_total([_ebops(call, kernel, widths) for call, kernel in kernels]),
        units=units(model),
    )


def _nonzero(array: NDArray[np.float32]) -> int:
    return int(np.count_nonzero(array))


def _built(call: Call, useful: Mapping[Key, NDArray[np.bool_]]) -> list[NDArray[np.float32]]:
    """The layer's weights as stored, 0 where they lead nowhere; a bias goes with the last kernel's columns."""
    arrays = list(stored_weights(call.layer))
    keys = kernel_keys(call)
    for key in keys:
        arrays[key[1]] = arrays[key[1]] * useful[key]
    if keys:
        last, deep = arrays[keys[-1][1]], operation(call.layer) == "depthwise_conv"
        live = (last != 0).any(axis=tuple(range(last.ndim - 1 - deep))).ravel()
        arrays[len(keys) :] = [array * live for array in arrays[len(keys) :]]
    return arrays


def positions(call: Call) -> int:
    """How often each weight is used in one inference: the output's positions (padding counted as data)."""
    return math.prod(size for size in call.shape[:-1] if size is not None)


def _bits(layer: keras.Layer, arrays: Sequence[NDArray[np.float32]]) -> int:
    total = 0
    for array, quantizer in zip(arrays, weight_quantizers(layer), strict=True):
        bits = quantizer_bits(quantizer)
        total += _nonzero(array) * (FLOAT_BITS if bits is None else bits)
    return total


def has_float_kernels(model: keras.Model) -> bool:
    """Whether any layer multiplies by weights that no quantizer stores."""
    return any(kernel_keys(call) and _float_kernel(call.layer) for call in flat(model).layers)


def _float_kernel(layer: keras.Layer) -> bool:
    return any(quantizer is None for quantizer in weight_quantizers(layer)[:1])


def _widths(kind: FixedType | None, grid: FixedGrid | None) -> NDArray[np.float64] | None:
    """Bits of one value, (1,), or where values have types of their own of each channel, the mean over its places; None
    for floats."""
    if grid is None:
        return None if kind is None else np.array([float(kind.width)])
    return np.asarray(grid.width.reshape(-1, grid.width.shape[-1]).mean(axis=0), np.float64)


def _ebops(
    call: Call, kernel: NDArray[np.float32], widths: Mapping[str, NDArray[np.float64] | None]
) -> int | None:
    """Sum of weight bits x input bits over the non-zero multiplications of one kernel."""
    own = widths[call.inputs[0]]
    if own is None or _float_kernel(call.layer):
        return None
    if len(own) not in (1, kernel.shape[-2]):  # the second kernel of a separable convolution
        own = own.mean(keepdims=True)
    bits = enclosed_bits(np.asarray(kernel, np.float64)) * own[:, None]
    return round(float(bits.sum()) * positions(call))


def _total(parts: list[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
