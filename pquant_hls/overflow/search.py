"""An input at which a stored value lies beyond its type: ascent along the gradient, from corners and random inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pquant_hls.overflow.curves import Store
from pquant_hls.overflow.program import StageProgram
from pquant_hls.overflow.stages import Floats, Stage, Unknown

STEPS, STARTS = 24, 4
RATES = (2.0, 0.5, 0.1, 0.02)
"""Of each input's range, in turn: the first of them leads to corners."""
AT_ONCE = 2_000_000
"""Values of the widest stage held at a time."""


class OverflowInput:
    """Inputs (all ports' values,) at which element ``element`` of a store reads ``value``, beyond its type."""

    def __init__(self, inputs: Floats, element: int, value: float) -> None:
        self.inputs, self.element, self.value = inputs, element, value


def search(
    program: StageProgram,
    place: int,
    targets: NDArray[np.int64],
    signs: Floats,
    rng: np.random.Generator,
    near: Floats | None = None,
) -> OverflowInput | None:
    """An input that takes one of ``targets`` (k,) of a store beyond its end, above where ``signs`` are
    1 and below where -1.

    ``near`` (all ports' values,) is where to start. None where none was found, or where the values before the store
    cannot be computed.
    """
    stage = program.stages[place]
    if not isinstance(stage, Store) or any(isinstance(one, Unknown) for one in behind(program, place)):
        return None
    read, box = stage.sources[0], program.ports
    widest = max(one.size for one in program.stages[: place + 1])
    rows = max(1, AT_ONCE // widest // STARTS)
    for start in range(0, len(targets), rows):
        part = np.repeat(targets[start : start + rows], STARTS)
        sign = np.repeat(signs[start : start + rows], STARTS)
        x = _starts(program, read, part, sign, rng)
        if near is not None:
            x[::STARTS] = near
        best, at_best = np.full(len(part), -np.inf), x.copy()
        for step in range(STEPS):
            values = program.run(x, read)
            found = values[read]
            if found is None:
                return None
            reached = sign * found[np.arange(len(part)), part]
            witness = _beyond(stage, found, x)
            if witness is not None:
                return witness
            better = reached > best
            best, at_best = np.where(better, reached, best), np.where(better[:, None], x, at_best)
            wanted = np.zeros_like(found)
            wanted[np.arange(len(part)), part] = sign
            slope = program.gradient(values, read, wanted)
            rate = RATES[step * len(RATES) // STEPS]
            kick = rate * (box.high - box.low) * np.sign(slope) * rng.uniform(0.3, 1.0, slope.shape)
            base = x if step % 3 else at_best
            x = np.clip(base + kick, box.low, box.high)
    return None


def tried(program: StageProgram, place: int, x: Floats) -> OverflowInput | None:
    """A row of inputs (rows, n) at which the store's value lies beyond its type; None where there is none."""
    stage = program.stages[place]
    if not isinstance(stage, Store):
        return None
    found = program.run(x, stage.sources[0])[stage.sources[0]]
    return None if found is None else _beyond(stage, found, x)


def behind(program: StageProgram, place: int) -> list[Stage]:
    """Every stage that a stage depends on."""
    seen, pending = {place}, [place]
    while pending:
        for source in program.stages[pending.pop()].sources:
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return [program.stages[one] for one in seen]


def _starts(
    program: StageProgram, read: int, part: NDArray[np.int64], sign: Floats, rng: np.random.Generator
) -> Floats:
    """The corner to which the linear bound points, and random ones and inputs."""
    box = program.ports
    shape = (len(part), len(box.low))
    x = rng.uniform(box.low, box.high, shape)
    corner = np.where(rng.random(shape) < 0.5, box.low, box.high)
    x = np.where((np.arange(len(part)) % STARTS == 1)[:, None], corner, x)
    middle = np.broadcast_to((box.low + box.high) / 2, shape)
    values = program.run(np.ascontiguousarray(middle), read)
    found = values[read]
    if found is None:
        return x
    wanted = np.zeros_like(found)
    wanted[np.arange(len(part)), part] = sign
    pointed = np.where(program.gradient(values, read, wanted) > 0, box.high, box.low)
    return np.where((np.arange(len(part)) % STARTS == 0)[:, None], pointed, x)


def _beyond(stage: Store, found: Floats, x: Floats) -> OverflowInput | None:
    """The value farthest outside, where one is."""
    ends, rounded = stage.ends, stage.rounded(found)
    over = np.maximum(rounded - ends.high, ends.low - rounded)
    row, element = np.unravel_index(int(over.argmax()), over.shape)
    if over[row, element] <= 0:
        return None
    return OverflowInput(x[row].copy(), int(element), float(found[row, element]))
