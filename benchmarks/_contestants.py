"""Contestants of ``front.py`` that live in the project's environment: this package, by learned widths and by many cuts, and
the usual way.

Each is a function of (task, data, seed, quick) that gives designs. Every other contestant is a script in ``peers`` with an
environment of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from _judge import Row, form_of
from _neutral import Form, thinned
from _tasks import Task

from pquant_hls.compress import PruningCompression, QuantizationCompression
from pquant_hls.compress.odd_bias import with_odd_biases
from pquant_hls.datasets import Dataset
from pquant_hls.hls import fixed_graph
from pquant_hls.network import build_mlp, keras_predict
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit

LEARN: Row = {"batch_size": 512, "learning_rate": 3e-3}
TEACHING: Row = {"epochs": 60, "batch_size": 256, "learning_rate": 3e-3}
USUAL = ((6, 0.5), (6, 0.75), (6, 0.9), (5, 0.9), (4, 0.9), (4, 0.95))
"""Bits and share of weights at zero of the usual designs."""
CUT = ((6, 0.75), (5, 0.85), (4, 0.93), (4, 0.96))
"""The same of this package's, by many small cuts."""


@dataclass(frozen=True)
class Design:
    """A model, and the trainings that it comes of with their CPU seconds; one training may give many designs."""

    name: str
    model: Any
    trainings: dict[str, float]


def teacher(task: Task, data: Dataset, seed: int, *, quick: bool) -> Any:
    """The float network, on labels."""
    model = build_mlp(task.inputs, task.widths, task.outputs, seed=seed)
    fit(model, data, FineTuneConfig(**(TEACHING | ({"epochs": 3} if quick else {})), seed=seed))
    return model


def usual(task: Task, data: Dataset, seed: int, *, quick: bool) -> Iterator[Design]:
    """Uniform QKeras bits and magnitude pruning a layer, labels only: 56 epochs a design after the float network's."""
    begun = time.process_time()
    start = teacher(task, data, seed, quick=quick)
    base = time.process_time() - begun
    few, many = (1, 2) if quick else (4, 40)
    for bits, sparsity in USUAL[:2] if quick else USUAL:
        begun = time.process_time()
        cut = PruningCompression(
            method="magnitude", ranking="layer", sparsity=sparsity, rounds=4, epochs=few, seed=seed, **LEARN
        )
        narrow = QuantizationCompression(bits=bits, epochs=many, seed=seed, **LEARN)
        model = narrow.compress(cut.compress(start, data).model, data).model
        name = f"{bits} bits, {100 * sparsity:g} % zero"
        yield Design(name, model, {"float": base, name: time.process_time() - begun})


def learned(
    task: Task, data: Dataset, seed: int, *, quick: bool, taught: float = 0.0, **otherwise: Any
) -> Iterator[Design]:
    """One training of the widths of weights and of each value, by the step's defaults but for ``otherwise``, from an
    untrained network; ``taught`` is the share of the loss that a float teacher has."""
    begun = time.process_time()
    start = build_mlp(task.inputs, task.widths, task.outputs, seed=seed)
    settings: Row = {"activation_granularity": "element", **otherwise, "seed": seed}
    if taught:
        settings |= {"teacher": teacher(task, data, seed, quick=quick), "distillation": taught}
    settings |= {"epochs": 20, "batch_size": 1000} if quick else {}
    step = QuantizationCompression(allocation="learned", **settings)
    found = step.learn(start, data)
    seconds = time.process_time() - begun
    kept = thinned([(point.ebops, point.score, point) for point in found.front])
    for point in kept:
        design = found.design(point)
        design = with_odd_biases(design) if step.config.rounding == "odd_bias" else design
        yield Design(f"learned, epoch {point.epoch}", design, {"learned": seconds})


def cut(
    task: Task,
    data: Dataset,
    seed: int,
    *,
    quick: bool,
    schedule: tuple[int, int, int] = (15, 7, 200),
    rounding: str = "odd_bias",
    **otherwise: Any,
) -> Iterator[Design]:
    """Magnitude pruning in small cuts with epochs after each, then epochs of bits by sensitivity, as ``schedule`` counts
    them, both with a teacher; 305 epochs a design."""
    begun = time.process_time()
    start = teacher(task, data, seed, quick=quick)
    base = time.process_time() - begun
    rounds, few, many = (2, 1, 2) if quick else schedule
    taught: Row = {**LEARN, "seed": seed, "teacher": start, "distillation": 0.5}
    for bits, sparsity in CUT[-2:] if quick else CUT:
        begun = time.process_time()
        pruning = PruningCompression(
            method="magnitude", sparsity=sparsity, rounds=rounds, epochs=few, **taught, **otherwise
        )
        narrow = QuantizationCompression(
            bits=bits, allocation="sensitivity", rounding=rounding, epochs=many, **taught
        )
        model = narrow.compress(pruning.compress(start, data).model, data).model
        name = f"{bits} bits, {100 * sparsity:g} % zero"
        yield Design(name, model, {"float": base, name: time.process_time() - begun})


HERE: dict[str, Callable[..., Iterator[Design]]] = {"ours": learned, "cuts": cut, "usual": usual}
LEVERS: dict[str, Callable[..., Iterator[Design]]] = {
    "ours, 600 epochs": partial(learned, epochs=600),
    "ours, 150 epochs": partial(learned, epochs=150),
    "ours, with a teacher": partial(learned, taught=0.5),
    "activations fixed, odd biases": partial(learned, activation_granularity="fixed", rounding="odd_bias"),
    "activations fixed": partial(learned, activation_granularity="fixed"),
    "activations fixed, bits a channel": partial(
        learned, activation_granularity="fixed", granularity="channel"
    ),
    "activations fixed, bits a layer": partial(learned, activation_granularity="fixed", granularity="layer"),
    "cuts, even biases": partial(cut, rounding="half_even"),
    "cuts, equal shares": partial(cut, ranking="layer"),
    "cuts, three and 60 epochs": partial(cut, schedule=(3, 10, 30)),
}
"""``ours`` and ``cuts`` with one lever taken away each, or two where one stands on the other."""


def form(design: Design, data: Dataset, contestant: str, seed: int) -> Form:
    """The neutral form, with the model's own outputs for the validation inputs."""
    outputs = np.asarray(keras_predict(design.model, data.x_val))
    about = {"contestant": contestant, "design": design.name, "seed": seed, "trainings": design.trainings}
    return form_of(fixed_graph(design.model, exact=True), outputs, about)


__all__ = ["HERE", "LEVERS", "Design", "form"]
