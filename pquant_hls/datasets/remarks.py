"""What of a data set a fixed-point input will not show, said before any training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets import several
from pquant_hls.datasets.records import Dataset

Column = npt.NDArray[np.float64]

INPUT_BITS = 8
"""Width of the inputs that the quantization step chooses by itself (``QuantizeConfig.input_bits``)."""
LEAST_SHARE = 0.001
"""A value that so many events carry at the very end of a range may stand for a missing one."""
FAR = 10.0
"""Spreads between such a value and the nearest other one."""
MOST_NAMED = 5
MOST_SEEN = 200_000
"""Events that are looked at: what hides from so many is rare."""
NORMAL_IQR = 1.349
"""Quartile distance of a normal distribution, in standard deviations."""


def remarks(data: Dataset, bits: int = INPUT_BITS) -> tuple[str, ...]:
    """Features of the training events that one fixed-point type of ``bits`` bits for all inputs would hide.

    Names features with a value that stands for "missing" far from all others (-999), and those whose spread is
    below one step of the type that the largest input asks for, each with its mend. Empty where there are none.
    """
    inputs = list(several.named_arrays(data.x_train))
    return tuple(
        text
        for name, x in inputs
        for text in _of_input(x[:MOST_SEEN], data.features if len(inputs) == 1 else (), name, bits)
    )


def _of_input(given: np.ndarray, features: Sequence[str], name: str, bits: int) -> Iterator[str]:
    x = np.asarray(given, np.float64)
    if x.ndim < 2 or x.size == 0 or not np.isfinite(x).all():
        return
    table = x.reshape(-1, x.shape[-1])
    names = features if len(features) == table.shape[1] else tuple(map(str, range(table.shape[1])))
    columns = {f"{name}.{each}" if name else each: table[:, place] for place, each in enumerate(names)}
    yield from _sentinels(columns)
    yield from _hidden(columns, _step(float(np.abs(table).max()), bits), bits)


def spread(values: Column) -> float:
    """Robust width: quartile distance over 1.349, the standard deviation where half of the values are alike."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) / NORMAL_IQR if high > low else float(np.std(values))


def _step(largest: float, bits: int) -> float:
    """Value of the last of ``bits`` bits of the signed type that just holds ``largest``."""
    return 0.0 if largest == 0 else 2.0 ** (math.floor(math.log2(largest)) + 2 - bits)


def _sentinels(columns: dict[str, Column]) -> Iterator[str]:
    for name, values in columns.items():
        for end in (float(values.min()), float(values.max())):
            at_end = values == end
            others = values[~at_end]
            if others.size == 0 or at_end.mean() < LEAST_SHARE or at_end.sum() < 3:
                continue
            width = spread(others)
            if width > 0 and float(np.abs(others - end).min()) > FAR * width:
                yield (
                    f"feature {name}: {100 * at_end.mean():.2g} % of the events are at {end:g}, "
                    f"{np.abs(others - end).min() / width:.0f} spreads from all others: a mark for missing values "
                    f"takes the input's bits; replace it by a usual value ({np.median(others):.3g}) and add a flag"
                )


def _hidden(columns: dict[str, Column], step: float, bits: int) -> Iterator[str]:
    widths = {name: spread(values) for name, values in columns.items()}
    lost = [name for name, width in widths.items() if 0 < width < step]
    if not lost:
        return
    shown = ", ".join(f"{name} ({widths[name]:.2g})" for name in lost[:MOST_NAMED])
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    factor = math.ceil(math.log2(step / min(widths[name] for name in lost)))
    yield (
        f"one input type of {bits} bits for all features has steps of {step:g}, more than the spread of {shown}{more}: "
        f"standardise the features, multiply these by up to 2**{factor + 3} (exact in fixed point), or set input_bits"
    )
