"""The usual blocks of random networks: inputs, dense and convolution blocks, pooling, merges, heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pquant_hls.testing.drawing import Drawer

Part = Callable[[Drawer, int], int]


def entry(drawer: Drawer, shape: tuple[int, ...]) -> int:
    """An input and, mostly, the quantizer that takes it up."""
    x = drawer.add("Input", shape=shape)
    if drawer.chance(0.05):
        return x
    relu = drawer.chance(0.15)
    low, high = (2, 16) if drawer.chance(0.2) else (4, 10)
    return drawer.act(x, drawer.relu(low, high, 2) if relu else drawer.quantized_bits(low, high, 3))


def body(drawer: Drawer, x: int, parts: Sequence[Part]) -> int:
    steps: list[Part | None] = [*parts, *[None] * drawer.bits(1, 2)]
    for index in drawer.rng.permutation(len(steps)):
        x = _block(drawer, x) if (step := steps[index]) is None else step(drawer, x)
    return x


def _block(drawer: Drawer, x: int) -> int:
    blocks = {1: _DENSE_BLOCKS, 2: _SEQUENCE_BLOCKS, 3: _IMAGE_BLOCKS}[len(drawer.shape(x))]
    drawn: int = drawer.any_of(*blocks)(drawer, x)
    return drawn


def head(drawer: Drawer, x: int) -> int:
    x = drawer.dense(flattened(drawer, x), drawer.bits(1, 4))
    return drawer.activated(x) if drawer.chance(0.3) else x


def flattened(drawer: Drawer, x: int) -> int:
    return drawer.add("Flatten", x) if len(drawer.shape(x)) > 1 else x


def _normalized(drawer: Drawer, x: int) -> int:
    return drawer.add("BatchNormalization", x) if drawer.chance(0.1) else x


def dense_block(drawer: Drawer, x: int) -> int:
    return drawer.activated(_normalized(drawer, drawer.dense(x, drawer.bits(2, 6))))


def sides(drawer: Drawer, x: int, count: int) -> list[int]:
    units = drawer.bits(2, 4)
    return [drawer.activated(drawer.dense(x, units)) for _ in range(count)]


def _skip_block(drawer: Drawer, x: int) -> int:
    """A block beside another, joined by a random merge."""
    count = drawer.bits(2, 3)
    two = ["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate", "Average"]
    return drawer.add(
        drawer.any_of(*(["Add", "Concatenate"] if count > 2 else two)), *sides(drawer, x, count)
    )


def _conv_options(drawer: Drawer, x: int) -> dict[str, Any]:
    size = min(3, *drawer.shape(x)[:-1])
    return {"kernel_size": drawer.bits(1, size), "padding": drawer.any_of("same", "valid")}


def conv(drawer: Drawer, x: int, **options: Any) -> int:
    axes = len(drawer.shape(x)) - 1
    chosen = {**_conv_options(drawer, x), "strides": drawer.bits(1, 2), **drawer.quantizers(), **options}
    filters = drawer.bits(1, 3) * chosen.pop("filters_times", 1)
    return drawer.add(f"QConv{axes}D", x, filters=filters, **chosen)


def _conv_block(drawer: Drawer, x: int) -> int:
    return drawer.activated(_normalized(drawer, conv(drawer, x)))


def _depthwise(drawer: Drawer, x: int) -> int:
    options = {**_conv_options(drawer, x), **drawer.quantizers("depthwise")}
    return drawer.activated(drawer.add("QDepthwiseConv2D", x, **options))


def _pool(drawer: Drawer, x: int) -> int:
    axes = len(drawer.shape(x)) - 1
    if min(drawer.shape(x)[:-1]) < 2:
        return x
    size = drawer.bits(2, min(3, *drawer.shape(x)[:-1]))
    options: dict[str, Any] = {"pool_size": size}
    if drawer.chance(0.3):
        options |= {"strides": drawer.bits(1, size), "padding": drawer.any_of("same", "valid")}
    if drawer.chance(0.5):
        return drawer.add(f"MaxPooling{axes}D", x, **options)
    return _rounded(drawer, drawer.add(f"AveragePooling{axes}D", x, **options))


def _global_pool(drawer: Drawer, x: int) -> int:
    axes = len(drawer.shape(x)) - 1
    if drawer.chance(0.5):
        return drawer.add(f"GlobalMaxPooling{axes}D", x)
    return _rounded(drawer, drawer.add(f"GlobalAveragePooling{axes}D", x))


def _rounded(drawer: Drawer, x: int) -> int:
    """A quantizer after an average, as every average over no power of two needs."""
    return drawer.act(x, drawer.any_of(drawer.quantized_bits(3, 8, 3), drawer.relu(3, 8, 2)))


def _per_step(drawer: Drawer, x: int) -> int:
    return drawer.activated(drawer.dense(x, drawer.bits(2, 4)))


_DENSE_BLOCKS = (dense_block, dense_block, _skip_block)
_SEQUENCE_BLOCKS = (_conv_block, _conv_block, _pool, _global_pool, _per_step)
_IMAGE_BLOCKS = (_conv_block, _conv_block, _depthwise, _pool, _global_pool)


__all__ = ["Part", "body", "conv", "dense_block", "entry", "flattened", "head", "sides"]
