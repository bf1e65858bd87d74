"""Windows of a convolution as hls4ml writes them out (``fill_buffer`` in nnet_code_gen.h), which alone tell its zeros around."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from pquant_hls.firmware.config import Config
from pquant_hls.firmware.generated import FILE
from pquant_hls.firmware.layout import Layout

Places = NDArray[np.int64]
_PART = re.compile(r"if \(partition ==\s*(\d+)\) \{(.*?)\}", re.DOTALL)
_ENTRY = re.compile(r"buffer\[(\d+)\]\[(\d+)\] =\s*(?:data\[(\d+)\]|0);")


def padding_of(layout: Layout, config: Config, rank: int) -> list[list[int]] | None:
    """(before, after) of each axis of a convolution over ``rank`` of them; None where its buffer is not filled with all its
    windows in order."""
    axes = ("height", "width")[2 - rank :]
    size, out, window, strides = (
        config.numbers(*(f"{word}_{axis}" for axis in axes)) or [] for word in ("in", "out", "filt", "stride")
    )
    channels = config.number("n_chan") or 0
    found = _filled(layout, config, int(np.prod(out)), int(np.prod(window)) * channels)
    if (
        found is None
        or not (found >= 0).any()
        or len({len(part) for part in (size, out, window, strides)}) > 1
    ):
        return None
    places = found.reshape(*out, *window, channels)
    first = np.argwhere(places >= 0)[0]
    corner = np.unravel_index(places[tuple(first)], (*size, channels))
    pairs = []
    for axis in range(rank):
        before = int(first[axis] * strides[axis] + first[rank + axis] - corner[axis])
        reach = (out[axis] - 1) * strides[axis] + window[axis]
        pairs.append([before, max(0, reach - size[axis] - before)])
    expected = _windows((*size, channels), window, strides, pairs)
    return pairs if expected is not None and np.array_equal(places, expected) else None


def _windows(
    shape: tuple[int, ...], window: list[int], strides: list[int], pairs: list[list[int]]
) -> Places | None:
    """The places that a convolution reads, (*positions, *window, channels), -1 around the data; None for zeros before that
    are less than none."""
    rank = len(window)
    if min(before for before, _ in pairs) < 0:
        return None
    data = np.pad(np.arange(np.prod(shape)).reshape(shape), [*pairs, (0, 0)], constant_values=-1)
    if any(length < size for length, size in zip(data.shape, window, strict=False)):
        return None
    seen = np.lib.stride_tricks.sliding_window_view(data, window, tuple(range(rank)))
    return np.moveaxis(seen[tuple(slice(None, None, step) for step in strides)], rank, -1)


def _filled(layout: Layout, config: Config, pixels: int, taps: int) -> Places | None:
    """(pixels, taps): the place in the data that each is filled from, -1 for a zero; None where one is left out."""
    name = config.function("fill_buffer")
    file = None if layout.libraries is None else layout.libraries / FILE
    body = re.search(rf"class {name} :.*?\n\}};", "" if file is None else file.read_text(), re.DOTALL)
    lanes = config.number("n_pixels") or 1
    if not name or body is None:
        return None
    found = np.full((pixels, taps), -2, np.int64)
    for part, text in _PART.findall(body[0]):
        for lane, tap, place in _ENTRY.findall(text):
            pixel = int(part) * lanes + int(lane)
            if pixel < pixels and int(tap) < taps:
                found[pixel, int(tap)] = int(place) if place else -1
    return None if (found == -2).any() else found
