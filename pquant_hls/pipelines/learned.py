"""What pipelines share of learned widths: how long they train, and whether a design is as good as the original."""

from __future__ import annotations

from pquant_hls.compress import Accounting
from pquant_hls.engine import Point, Workbench, dropped, loss, merit
from pquant_hls.pipelines.setup import Setup
from pquant_hls.spec.quantize import LEARNING, QuantizeConfig

LEARNED_EPOCHS = 300
"""Epochs of learning widths for each of a usual training: those are small steps, 2,400 of them by default."""
SMALL, LEAST = 10_000, 20
"""Multiplications up to which a network gets them all; a larger one gets fewer in proportion, at least ``LEAST`` for each."""
TAUGHT = 0.5
"""Share of the loss that the original has as teacher (bundled jets, seed 0, validation: 0.1 to 0.2 points at ratios 8 to 50)."""
STEPS, LEAST_BATCH = 15, 64
"""Gradient steps that an epoch of few events has at least, in batches of at least so many."""


def learning(asked: int | None, bench: Workbench, setup: Setup) -> QuantizeConfig | None:
    """The step that learns widths towards no target; None where it is ``asked`` for no epochs.

    Types of single values where hls4ml has them, which a stream, with one type for all its places, has not. Where nothing is
    asked the number of gradient steps is that of the step's own defaults: few events make small batches, small batches few
    epochs.
    """
    epochs = learned_epochs(setup.epochs, bench.original) if asked is None else asked
    if epochs == 0:
        return None
    batch = max(LEAST_BATCH, min(LEARNING["batch_size"], bench.events // STEPS))
    given = setup.training.get("batch_size", batch)
    if asked is None and given < batch:
        epochs = max(LEAST * setup.epochs, round(epochs * given / batch))
    single = setup.hls.io_type == "io_parallel"
    own = {"activation_granularity": "element"} if single else {"rounding": "odd_bias"}
    fields = {"batch_size": batch, "distillation": TAUGHT, **setup.fit(epochs=epochs)}
    return QuantizeConfig.parse({"allocation": "learned", **own, **fields})


def learned_epochs(epochs: int, original: Accounting | None) -> int:
    """How long widths train by ``epochs`` of a usual training and the size of the network, so that a convolutional one ends
    the same day."""
    work = 1 if original is None else original.multiplications
    return round(epochs * max(LEAST, LEARNED_EPOCHS * min(1.0, SMALL / max(work, 1))))


def standing(bench: Workbench, point: Point) -> float:
    """What designs are compared by, higher is better (``engine.merit``); 0 where nothing was scored."""
    return merit(bench.baseline, bench.score(point)) or 0.0


def loses_nothing(bench: Workbench, point: Point) -> bool:
    """Whether a point is as good as the original on the same events, or better."""
    fallen = None if bench.baseline is None else loss(bench.baseline, bench.score(point))
    return fallen is not None and fallen[0] <= 0


def lacks_accuracy(bench: Workbench, point: Point) -> bool:
    """Whether a point is less accurate than the original by more than the error of that."""
    return bench.baseline is not None and dropped(bench.baseline, bench.score(point))
