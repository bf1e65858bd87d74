"""Attention and dense layers over other axes, written with dense layers, products and a softmax."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.products import contracted_rows

L = keras.layers


def attention(layer: Any, feeds: dict[str, Any], name: str) -> Any:
    """Keras' MultiHeadAttention of ``query``, ``value`` (and ``key``), each (batch, rows, features).

    Scaled scores of each head, their softmax,
    weighted rows, one dense layer over all heads. The scale 1/sqrt(size) is in the query's kernel (Vaswani et al.,
    arXiv:1706.03762, equation 1).
    """
    query, value = feeds["query"], feeds["value"]
    key = feeds.get("key", value)
    use_bias = bool(layer.get_config()["use_bias"])
    arrays = [np.asarray(part, np.float64) for part in layer.get_weights()]
    sets = [arrays[i : i + 1 + use_bias] for i in range(0, len(arrays), 1 + use_bias)]
    scale = 1.0 / math.sqrt(layer.get_config()["key_dim"])
    heads = [
        _head(
            [query, key, value],
            [[part[..., head, :] for part in each] for each in sets[:3]],
            scale,
            f"{name}_head{head}",
        )
        for head in range(layer.get_config()["num_heads"])
    ]
    joined = heads[0] if len(heads) == 1 else L.Concatenate(axis=-1, name=f"{name}_heads")(heads)
    kernel, *bias = sets[3]
    return _dense(joined, [kernel.reshape(-1, kernel.shape[-1]), *bias], name)


def _head(reads: list[Any], sets: list[list[NDArray[Any]]], scale: float, name: str) -> Any:
    scaled = [part * scale for part in sets[0]]
    words = zip(reads, [scaled, *sets[1:]], ("query", "key", "value"), strict=True)
    query, key, value = (_dense(read, parts, f"{name}_{word}") for read, parts, word in words)
    shapes = [tuple(part.shape[1:]) for part in (query, key)]
    scores = contracted_rows([query, key], shapes, [True, True], f"{name}_scores")
    shares = L.Softmax(name=f"{name}_shares")(scores)
    shapes = [tuple(part.shape[1:]) for part in (shares, value)]
    return contracted_rows([shares, value], shapes, [True, False], f"{name}_rows")


def _dense(x: Any, arrays: list[NDArray[Any]], name: str, activation: Any = None) -> Any:
    """A dense layer of these weights, applied."""
    layer = L.Dense(arrays[0].shape[-1], use_bias=len(arrays) > 1, activation=activation, name=name)
    result = layer(x)
    layer.set_weights([part.astype(np.float32) for part in arrays])
    return result


def einsum_axes(equation: str, rank: int) -> tuple[list[int], str, str, str] | None:
    """(order of the input's axes with the contracted ones last, labels kept, contracted, new) of an EinsumDense that is a
    dense layer; None for one whose kernel differs from place to place."""
    if "..." in equation or "," not in equation:
        return None
    read, rest = equation.replace(" ", "").split(",")
    kernel, out = rest.split("->")
    contracted = [label for label in read if label in kernel and label not in out]
    kept = [label for label in read if label not in kernel]
    new = [label for label in kernel if label not in read]
    plain = len(read) == rank and len(contracted) + len(kept) == len(read) and read[0] == out[0] == kept[0]
    if not plain or set(kept) - set(out) or set(new) - set(out) or not contracted:
        return None
    order = [read.index(label) for label in (*kept, *contracted)]
    return order, "".join(kept), "".join(contracted), "".join(new)


def einsum_dense(layer: Any, x: Any, name: str) -> Any | None:
    """Keras' EinsumDense as a dense layer between reshapes; None where it is none."""
    found = einsum_axes(layer.equation, len(x.shape))
    if found is None:
        return None
    order, kept, contracted, new = found
    read, rest = layer.equation.replace(" ", "").split(",")
    kernel_labels, out = rest.split("->")
    sizes = dict(zip(read, x.shape, strict=True)) | dict(zip(kernel_labels, layer.kernel.shape, strict=True))
    kernel = np.asarray(layer.kernel, np.float64)
    axes = [kernel_labels.index(label) for label in (*contracted, *new)]
    inner = math.prod(sizes[label] for label in contracted)
    arrays = [kernel.transpose(axes).reshape(inner, -1)]
    if layer.bias is not None:
        bias = _bias(layer, out, new, sizes)
        if bias is None:
            return None
        arrays.append(bias)
    if order != sorted(order):
        x = L.Permute(list(order[1:]), name=f"{name}_ordered")(x)
    places = [sizes[label] for label in kept[1:]]
    x = L.Reshape((*places, inner), name=f"{name}_rows")(x)
    x = _dense(x, arrays, f"{name}_dense", layer.activation)
    x = L.Reshape((*places, *[sizes[label] for label in new]), name=f"{name}_shaped")(x)
    made = kept + new
    turned = [made.index(label) for label in out[1:]]
    return L.Permute(turned, name=name)(x) if turned != sorted(turned) else x


def _bias(layer: Any, out: str, new: str, sizes: dict[str, Any]) -> NDArray[np.float64] | None:
    """The bias over the new axes (n,); None where it differs along others."""
    axes = [label for label in out[1:] if label in str(layer.bias_axes)]
    if set(axes) - set(new):
        return None
    bias = np.asarray(layer.bias, np.float64).reshape([sizes[label] for label in axes])
    order = [axes.index(label) for label in new if label in axes]
    wide = bias.transpose(order).reshape([sizes[label] if label in axes else 1 for label in new])
    return np.broadcast_to(wide, [sizes[label] for label in new]).reshape(-1)
