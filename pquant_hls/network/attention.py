"""Attention and dense layers over other axes, written with dense layers, products and a softmax."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.products import contracted_rows
from pquant_hls.network.sums import SumOver

L = keras.layers


def attention(layer: Any, feeds: dict[str, Any], name: str) -> Any:
    """Keras' MultiHeadAttention, or GroupQueryAttention, of ``query``, ``value`` (and ``key``), each (batch, rows, features).

    Scaled scores of each head, their softmax, weighted rows, one dense layer over all heads. The scale 1/sqrt(size) is in the
    query's kernel (Vaswani et al., arXiv:1706.03762, equation 1). Where there are fewer keys and values than queries, as many
    neighbouring heads share each (Ainslie et al., arXiv:2305.13245, section 2.2).
    """
    query, value = feeds["query"], feeds["value"]
    use_bias = bool(layer.get_config()["use_bias"])
    arrays = [np.asarray(part, np.float64) for part in layer.get_weights()]
    sets = [arrays[i : i + 1 + use_bias] for i in range(0, len(arrays), 1 + use_bias)]
    scaled = [part / math.sqrt(sets[0][0].shape[-1]) for part in sets[0]]
    queries, keys, values = (
        _heads(read, parts, name, word)
        for read, parts, word in (
            (query, scaled, "query"),
            (feeds.get("key", value), sets[1], "key"),
            (value, sets[2], "value"),
        )
    )
    sharing, heads = len(queries) // len(keys), []
    for place, each in enumerate(queries):
        word, group = f"{name}_head{place}", place // sharing
        scores = _scores(each, keys[group], f"{word}_scores")
        heads.append(_weighted(scores, values[group], f"{word}_shares", f"{word}_rows"))
    joined = heads[0] if len(heads) == 1 else L.Concatenate(axis=-1, name=f"{name}_heads")(heads)
    kernel, *bias = sets[3]
    return _dense(joined, [kernel.reshape(-1, kernel.shape[-1]), *bias], name)


def _heads(read: Any, parts: list[NDArray[Any]], name: str, word: str) -> list[Any]:
    """The rows of each head, by dense layers of its part of a kernel (features, heads, size) and bias (heads, size)."""
    count = parts[0].shape[-2]
    return [
        _dense(read, [part[..., head, :] for part in parts], f"{name}_head{head}_{word}")
        for head in range(count)
    ]


def _scores(query: Any, key: Any, name: str) -> Any:
    shapes = [tuple(part.shape[1:]) for part in (query, key)]
    return contracted_rows([query, key], shapes, [True, True], name)


def _weighted(scores: Any, value: Any, shares: str, name: str) -> Any:
    """The rows of ``value``, weighted by the softmax of scores (batch, queries, rows)."""
    found = L.Softmax(name=shares)(scores)
    shapes = [tuple(part.shape[1:]) for part in (found, value)]
    return contracted_rows([found, value], shapes, [True, False], name)


def attention_of_rows(layer: Any, feeds: list[Any], name: str) -> Any:
    """Keras' Attention, or AdditiveAttention, of [query, value (, key)], each (batch, rows, features): it has no kernels.

    Scores are products of rows (Luong et al., arXiv:1508.04025, equation 8) or sums of tanh(query + key) (Bahdanau et al.,
    arXiv:1409.0473, appendix A.1.2), with the factors that the layer learned.
    """
    query, value, *rest = feeds
    key, scale = rest[0] if rest else value, _number(layer.scale)
    mode = layer.get_config().get("score_mode", "additive")
    if mode == "dot":
        scores = _times(scale, _scores(query, key, f"{name}_scores"), f"{name}_scaled")
    elif mode == "concat":
        scores = _added(query, key, (scale, _number(layer.concat_score_weight)), name)
    else:
        scores = _added(query, key, (None, scale), name)
    return _weighted(scores, value, f"{name}_shares", name)


def _added(query: Any, key: Any, factors: tuple[Any, Any], name: str) -> Any:
    """Sums of ``factors[1] * tanh(factors[0] * (query + key))`` of all pairs of rows."""
    (before, after), (rows, size) = factors, query.shape[1:]
    pair = [
        L.Reshape(shape, name=f"{name}_{word}")(x)
        for x, shape, word in ((query, (rows, 1, size), "query"), (key, (1, *key.shape[1:]), "key"))
    ]
    x = _times(before, L.Add(name=f"{name}_pairs")(pair), f"{name}_before")
    x = L.Activation("tanh", name=f"{name}_tanh")(x)
    return SumOver(-1, name=f"{name}_scores")(_times(after, x, f"{name}_after"))


def _number(weight: Any) -> NDArray[np.float64] | None:
    return None if weight is None else np.asarray(weight, np.float64)


def _times(factor: NDArray[np.float64] | None, x: Any, name: str) -> Any:
    return x if factor is None else FixedPointScale(factor, name=name)(x)


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
