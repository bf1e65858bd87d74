"""Inputs and outputs as integers with a binary point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.firmware import index_ports
from pquant_hls.hls import HlsProject, Port
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
Arrays = ArrayLike | Sequence[ArrayLike]
GUARD_BITS = 4
"""Inputs are kept this many bits finer than the input type, so that its rounding is exercised as well."""
FLOAT_FRACTION_BITS = 16
"""Grid of inputs whose type is not fixed-point."""
EXACT_BITS = 53
"""Integers up to this size are exact in float64."""


@dataclass(frozen=True)
class Vectors:
    """Values at one port: ``value = codes * 2**-frac_bits``.

    ``codes`` is int64 (n, size); ``shape`` is the port's shape without the batch axis; ``type`` is None where
    the sources do not show a fixed-point type.
    """

    name: str
    shape: tuple[int, ...]
    codes: NDArray[np.int64]
    frac_bits: int
    type: FixedType | None = None

    @property
    def lsb(self) -> float:
        """Value of one least significant bit."""
        return 2.0**-self.frac_bits

    @property
    def values(self) -> Floats:
        """float64 (n, *shape)."""
        return (self.codes.astype(np.float64) * self.lsb).reshape(-1, *self.shape)


def input_vectors(ports: tuple[Port, ...], x: Arrays) -> tuple[Vectors, ...]:
    """Real inputs (n, *shape), one array for each port, on a grid ``GUARD_BITS`` finer than the input type.

    Raises
    ------
    DataError : wrong shapes, no rows, NaN or infinite values.
    """
    return tuple(_input(port, values) for port, values in zip(ports, port_arrays(ports, x), strict=True))


def one_or_all(arrays: list[Floats]) -> Floats | list[Floats]:
    """A project's arrays as its users hold them: the array itself where there is one port."""
    return arrays[0] if len(arrays) == 1 else arrays


def same_inputs(vectors: tuple[Vectors, ...], x: Arrays) -> bool:
    """Whether ``x`` gives these very vectors, on the grids of the types they were recorded for."""
    found = input_vectors(tuple(Port(one.name, one.shape, one.type) for one in vectors), x)
    pairs = zip(found, vectors, strict=True)
    return all(np.array_equal(new.values, old.values) for new, old in pairs)


def port_arrays(ports: tuple[Port, ...], arrays: Arrays) -> list[Floats]:
    """One float64 (n, size) for each port; raises DataError where shapes or lengths do not fit."""
    given: list[Any] = list(arrays) if len(ports) > 1 and isinstance(arrays, list | tuple) else [arrays]
    if len(given) != len(ports):
        raise DataError(
            f"the project has {len(ports)} ports here, got {len(given)} arrays", where=ports[0].name
        )
    found = [_flat(port, array) for port, array in zip(ports, given, strict=True)]
    rows = [len(array) for array in found]
    if len(set(rows)) != 1 or 0 in rows:
        raise DataError(
            f"arrays of {rows} rows: at least one is needed, the same in all", where=ports[0].name
        )
    return found


def _input(port: Port, values: Floats) -> Vectors:
    frac = FLOAT_FRACTION_BITS if port.type is None else _grid(port.type, values)
    codes = np.rint(values * 2.0**frac)
    if not np.all(np.abs(codes) < 2.0**EXACT_BITS):  # also catches NaN
        raise DataError("the inputs hold NaN, infinite or very large values", where=port.name)
    return _coarsest(Vectors(port.name, port.shape, codes.astype(np.int64), frac, port.type))


def _grid(kind: FixedType, values: Floats) -> int:
    """Fraction bits at which inputs are kept; fewer than the guard asks for where float64 has no more."""
    magnitude = int(np.frexp(np.max(np.abs(values)))[1])
    return min(kind.frac + GUARD_BITS, EXACT_BITS - 1 - min(magnitude, kind.integer + 1))


def _flat(port: Port, array: ArrayLike) -> Floats:
    """Values (n, *shape) of a port as float64 (n, size)."""
    try:
        values = np.asarray(array, np.float64)
    except (TypeError, ValueError) as cause:
        raise DataError(f"not an array of numbers: {cause}", where=port.name) from cause
    if values.ndim == 0 or int(np.prod(values.shape[1:])) != port.size:
        shape = ", ".join(map(str, port.shape))
        raise DataError(f"expected (n, {shape}), got {values.shape}", where=port.name)
    return values.reshape(len(values), port.size)


def _coarsest(vectors: Vectors) -> Vectors:
    """The same values on the coarsest grid that holds them."""
    used = int(np.bitwise_or.reduce(vectors.codes, axis=None))
    spare = 0 if used == 0 else (used & -used).bit_length() - 1
    return replace(vectors, codes=vectors.codes >> spare, frac_bits=vectors.frac_bits - spare)


def output_vectors(port: Port, values: Floats) -> Vectors:
    """Outputs (n, *shape) as integers, in LSBs of the port's type, without one on the coarsest exact grid."""
    rows = values.reshape(len(values), -1)
    for frac in range(EXACT_BITS) if port.type is None else (port.type.frac,):
        codes = rows * 2.0**frac
        if np.array_equal(codes, np.rint(codes)) and np.all(np.abs(codes) < 2.0**EXACT_BITS):
            return Vectors(port.name, port.shape, codes.astype(np.int64), frac, port.type)
    grid = port.type or f"{EXACT_BITS - 1} fraction bits"
    raise UnsupportedModel(
        f"csim gave values off the grid of {grid}, or of more than 53 bits", where=port.name
    )


def random_inputs(project: HlsProject, count: int, seed: int = 0) -> Floats | list[Floats]:
    """``count`` inputs, float64 (count, *shape); a list of such arrays for several ports.

    Half of them are normal, half spread over the type's whole range and a tenth beyond. Ports that an embedding reads get
    indices that it has entries for.
    """
    rng, entries = np.random.default_rng(seed), index_ports(project.read)
    return one_or_all([_random(port, count, rng, entries.get(port.name)) for port in project.inputs])


def _random(port: Port, count: int, rng: np.random.Generator, entries: int | None) -> Floats:
    if entries is not None:
        return rng.integers(0, entries, (count, *port.shape)).astype(np.float64)
    kind = port.type or FixedType(16, 6)
    low, high = kind.low, kind.high
    margin = 0.1 * (high - low)
    wide = rng.uniform(low - margin, high + margin, (count - count // 2, *port.shape))
    normal = rng.normal(0.0, min(1.0, (high - low) / 4), (count // 2, *port.shape))
    return rng.permutation(np.concatenate([wide, normal]))
