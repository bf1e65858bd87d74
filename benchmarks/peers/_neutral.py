"""The neutral form of a dense network in fixed point: what every contestant of ``front.py`` hands over.

Numbers only (numpy, no other import), so that it can be written in any environment: weights and biases as values, and the
type of every input and of every stored sum. ``Form.forward`` computes it in float64, exactly, as sums stay below 53 bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
ROUND: dict[str, Callable[[Floats], Floats]] = {
    "TRN": np.floor,
    "RND": lambda scaled: np.floor(scaled + 0.5),
    "RND_CONV": np.rint,
}
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")


@dataclass(frozen=True)
class Types:
    """One fixed-point type a value: arrays (n,) as ``ap_fixed<width, integer>`` counts them, the sign bit in both; a width
    of 0 stores 0. ``rounding`` and ``saturation`` have HLS' names (AMD UG1399).
    """

    width: Ints
    integer: Ints
    signed: Bools
    rounding: str
    saturation: str

    def __post_init__(self) -> None:
        if self.rounding not in ROUND or self.saturation not in OVERFLOWS:
            raise ValueError(
                f"modes {self.rounding}, {self.saturation} are none of {[*ROUND]} and {[*OVERFLOWS]}"
            )

    @classmethod
    def of(cls, n: int, kif: tuple[ArrayLike, ArrayLike, ArrayLike], modes: tuple[str, str]) -> Types:
        """From keep-negative, integer bits without the sign and fraction bits, each of one or n values."""
        k, i, f = (np.broadcast_to(np.rint(np.asarray(part, np.float64)).astype(int), n) for part in kif)
        return cls(np.maximum(k + i + f, 0), k + i, k.astype(bool), *modes)

    def store(self, values: Floats) -> Floats:
        """``values`` (events, n) as their types store them."""
        step = 2.0 ** (self.integer - self.width)
        codes = ROUND[self.rounding](values / step)
        span = 2.0**self.width
        low = np.where(self.signed, -span / 2, 0.0)
        high = np.where(self.signed, span / 2, span) - 1
        if self.saturation == "WRAP":
            codes = (codes - low) % span + low
        else:
            codes = np.clip(codes, -high * self.signed if self.saturation == "SAT_SYM" else low, high)
        return np.where(self.width > 0, codes * step, 0.0)

    def arrays(self, name: str) -> dict[str, Any]:
        """What ``read`` takes, under keys that begin with ``name``."""
        table = np.stack([self.width, self.integer, self.signed.astype(int)])
        return {f"{name}_types": table, f"{name}_modes": np.array([self.rounding, self.saturation])}

    @classmethod
    def read(cls, file: Mapping[str, Any], name: str) -> Types | None:
        if f"{name}_types" not in file:
            return None
        width, integer, signed = file[f"{name}_types"]
        rounding, saturation = map(str, file[f"{name}_modes"])
        return cls(width, integer, signed.astype(bool), rounding, saturation)


@dataclass(frozen=True)
class Layer:
    """weight (n_in, n_out), bias (n_out,), a ReLU or none, and the types that its sums are stored in; None keeps them whole."""

    weight: Floats
    bias: Floats
    relu: bool
    types: Types | None

    def sums(self, values: Floats) -> Floats:
        found = values @ self.weight + self.bias
        return np.maximum(found, 0) if self.relu else found


@dataclass(frozen=True)
class Form:
    """A network. ``outputs`` are the contestant's own for the validation inputs, float (events, n_out); ``about`` holds small
    JSON values: contestant, seed, design, and by name the CPU seconds of each training that it comes of.
    """

    inputs: Types
    layers: tuple[Layer, ...]
    outputs: NDArray[np.float32]
    about: dict[str, Any] = field(default_factory=dict)

    def forward(self, x: ArrayLike) -> Floats:
        """Outputs (events, n_out) for real inputs (events, n_in)."""
        values = self.inputs.store(np.asarray(x, np.float64))
        for layer in self.layers:
            values = layer.sums(values)
            values = values if layer.types is None else layer.types.store(values)
        return values

    def widths(self) -> Iterator[Ints]:
        """Bits of the inputs of each layer."""
        yield self.inputs.width
        for layer in self.layers[:-1]:
            if layer.types is None:
                raise ValueError("only the last layer may keep its sums whole")
            yield layer.types.width

    def live(self) -> list[Bools]:
        """For each layer which weights (n_in, n_out) are not zero, read what varies, and reach an output."""
        found: list[Bools] = []
        varies = self.inputs.width > 0
        for layer in self.layers:
            found.append((layer.weight != 0) & varies[:, None])
            varies = np.asarray(found[-1].any(axis=0))
            if layer.types is not None:
                varies = varies & (layer.types.width > 0)
        read: Bools = np.ones(self.layers[-1].weight.shape[1], bool)
        for index in reversed(range(len(found))):
            found[index] &= read
            read = np.asarray(found[index].any(axis=1))
        return found

    def ebops(self) -> int:
        """Bits of each weight from its first to its last set one, times those of its input, over all live weights."""
        parts = zip(self.layers, self.widths(), self.live(), strict=True)
        return int(sum((enclosed(layer.weight) * live * bits[:, None]).sum() for layer, bits, live in parts))

    def save(self, path: Path) -> None:
        """One npz file."""
        arrays: dict[str, Any] = {"outputs": self.outputs, "about": np.array(json.dumps(self.about))}
        arrays |= self.inputs.arrays("input")
        for number, layer in enumerate(self.layers):
            arrays |= {
                f"{number}_weight": layer.weight,
                f"{number}_bias": layer.bias,
                f"{number}_relu": layer.relu,
            }
            arrays |= {} if layer.types is None else layer.types.arrays(str(number))
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Form:
        """What ``save`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            inputs = Types.read(file, "input")
            count = sum(name.endswith("_weight") for name in file.files)
            layers = [
                Layer(
                    file[f"{n}_weight"], file[f"{n}_bias"], bool(file[f"{n}_relu"]), Types.read(file, str(n))
                )
                for n in range(count)
            ]
            if inputs is None:
                raise ValueError(f"{path} has no types of the inputs")
            return cls(inputs, tuple(layers), file["outputs"], json.loads(str(file["about"])))


def enclosed(values: Floats) -> Ints:
    """Bits from the highest to the lowest set one of |value|, 0 for 0."""
    codes = np.rint(np.abs(values) * 2.0**40).astype(np.int64)
    if not np.array_equal(codes * 2.0**-40, np.abs(values)):
        raise ValueError("a weight has more than 40 fraction bits")
    lowest = np.maximum(codes & -codes, 1)
    return np.asarray(np.ceil(np.log2(codes / lowest + 1)), np.int64)


def thinned(points: list[tuple[float, float, Any]], count: int = 24) -> list[Any]:
    """Of points (cost, score, what) at most ``count``: the best score at or below each of as many costs, evenly spaced in
    their logarithm."""
    if not points:
        return []
    costs = np.array([max(point[0], 1.0) for point in points])
    steps = np.geomspace(costs.min(), costs.max(), count)
    best = [max((p for p in points if p[0] <= step * 1.0001), key=lambda p: p[1]) for step in steps]
    return [what for _, _, what in {id(p): p for p in best}.values()]
