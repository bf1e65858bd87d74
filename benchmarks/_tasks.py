"""Data of the compression benchmark: the bundled jets, real ones, and two tasks made with numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.datasets import Dataset, load_dataset
from pquant_hls.datasets.records import About, Split

SIZES: dict[Split, int] = {"train": 20_000, "val": 5_000, "test": 10_000}
REAL_SIZES: dict[Split, int] = {"train": 3_072, "val": 1_024, "test": 1_024}
Array = np.ndarray


@dataclass(frozen=True)
class Task:
    """Data by seed, the float network for it, and how its teacher and its students learn beside the usual."""

    data: Callable[[int], Dataset]
    inputs: int
    widths: tuple[int, ...]
    outputs: int
    teaching: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> str:
        return "-".join(map(str, (self.inputs, *self.widths, self.outputs)))


def tasks(real: Path) -> dict[str, Task]:
    """Every task by name; without the file of real jets the others."""
    jets = load_dataset("lhc_jets")
    found = {"bundled jets": Task(lambda _: jets, 16, (64, 32, 32), 5)}
    if real.is_file():  # few jets: smaller batches teach more, and targets for jets that were never made help
        more = {"synthetic": 4, "jitter": 0.2}
        found["real jets"] = Task(real_jets(real), 16, (64, 32, 32), 5, {"batch_size": 64}, more)
    found["three sources"] = Task(three_sources, 10, (40, 24), 3)
    found["resonance"] = Task(resonance, 12, (48, 16), 1)
    return found


def real_jets(path: Path) -> Callable[[int], Dataset]:
    """3,072 jets to train, 1,024 to validate, 1,024 to test, dealt anew by each seed."""
    with np.load(path, allow_pickle=False) as file:
        x, y = file["X"].astype(np.float32), file["y"].astype(np.int64)

    def dealt(seed: int) -> Dataset:
        order = np.random.default_rng(seed).permutation(len(x))
        return _dealt(x[order], y[order], REAL_SIZES, ("g", "q", "t", "w", "z"))

    return dealt


def three_sources(seed: int) -> Dataset:
    """Three sources, told apart by three hidden quantities (say mass, prongs, multiplicity) that ten detector
    observables see through saturation, exponentials and noise."""
    means = np.array([[0, 0, 0], [1.6, 1.0, -0.6], [0.2, 1.6, 1.4]])
    widths = np.array([[1, 1, 1], [0.6, 0.9, 1.2], [1.3, 0.6, 0.8]])
    fixed, rng = np.random.default_rng([11, 1]), np.random.default_rng([seed, 11])
    y = rng.integers(3, size=sum(SIZES.values()))
    hidden = means[y] + widths[y] * rng.normal(size=(len(y), 3))
    seen = hidden @ fixed.normal(size=(3, 10)) + fixed.normal(size=10)
    kinds = np.arange(10) % 3
    x = np.where(kinds == 0, np.exp(0.4 * seen), np.where(kinds == 1, seen, np.tanh(0.7 * seen)))
    return _dealt(_observed(x, 0.35, rng), y, SIZES, ("a", "b", "c"))


def resonance(seed: int) -> Dataset:
    """A peak in mass on a falling background, more isolated and more central: four hidden quantities in twelve
    observables, half of them compressed by a square root. Label 1 is the signal."""
    fixed, rng = np.random.default_rng([12, 1]), np.random.default_rng([seed, 12])
    n = sum(SIZES.values())
    y = rng.integers(2, size=n)

    def drawn(signal: Array, background: Array) -> Array:
        return np.where(y == 1, signal, background)

    mass = drawn(rng.normal(1.0, 0.35, n), rng.exponential(1.2, n)) - 1
    isolation = drawn(rng.normal(0.5, 0.8, n), rng.normal(-0.3, 1.1, n))
    angle = drawn(rng.normal(0, 0.6, n), rng.normal(0, 1.2, n))
    energy = rng.normal(0, 1, n) + 0.5 * isolation
    seen = np.stack([mass, isolation, angle, energy], axis=1) @ fixed.normal(size=(4, 12))
    x = np.where(np.arange(12) % 2 == 0, seen, np.sign(seen) * np.sqrt(np.abs(seen)))
    return _dealt(_observed(x, 0.3, rng), y, SIZES, ("background", "signal"))


def _observed(x: Array, noise: float, rng: np.random.Generator) -> Array:
    """Observables with noise in units of their width, standardised, cut at five widths; float32."""
    x = x / x.std(axis=0) + noise * rng.normal(size=x.shape)
    seen: Array = np.clip((x - x.mean(axis=0)) / x.std(axis=0), -5, 5).astype(np.float32)
    return seen


def _dealt(x: Array, y: Array, sizes: dict[Split, int], classes: tuple[str, ...]) -> Dataset:
    """The events in order: the first to train, then to validate, then to test."""
    ends = np.cumsum(list(sizes.values()))[:-1]
    parts = zip(sizes, np.split(x, ends), np.split(y.astype(np.int64), ends), strict=True)
    about = About(classes, tuple(f"x{n}" for n in range(x.shape[1])), "made", {})
    return Dataset.from_parts({name: (a, b) for name, a, b in parts}, about)
