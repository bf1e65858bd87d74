"""Products of tensors with tensors, summed: by layers that convert exactly."""

from __future__ import annotations

from typing import Any

import keras

from pquant_hls.network.sums import SumOver


def contracted_rows(feeds: list[Any], shapes: list[tuple[Any, ...]], last: list[bool], name: str) -> Any:
    """The contraction of the last axes (or of the first, where ``last`` is not true) of two tensors."""
    layers = keras.layers

    def rows(place: int) -> Any:
        feed, shape, word = feeds[place], shapes[place], f"{name}_rows{place}"
        if len(shape) == 1:
            return feed
        if not last[place]:
            feed, shape = layers.Permute((2, 1), name=f"{word}_turned")(feed), shape[::-1]
        return layers.Reshape((shape[0], 1, shape[1]) if place == 0 else (1, *shape), name=word)(feed)

    turned = [rows(0), rows(1)]
    products = layers.Multiply(name=f"{name}_products")(turned)
    return SumOver(-1, len(shapes[0]) == 1, name=name)(products)
