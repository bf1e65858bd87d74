"""What pipelines share of learned widths: how long they train, and whether a design is as good as the original."""

from __future__ import annotations

from pquant_hls.compress import Accounting
from pquant_hls.engine import Point, Workbench, dropped
from pquant_hls.pipelines.setup import Setup
from pquant_hls.spec.quantize import QuantizeConfig

LEARNED_EPOCHS = 300
"""Epochs of learning widths for each of a usual training: those are small steps, 2,400 of them by default."""
SMALL, LEAST = 10_000, 20
"""Multiplications up to which a network gets them all; a larger one gets fewer in proportion, at least ``LEAST`` for each."""


def learned_epochs(asked: int | None, epochs: int, original: Accounting | None) -> int:
    """How long widths train: what was ``asked``, else by ``epochs`` of a usual training and the size of the network, so
    that a convolutional one ends the same day."""
    if asked is not None:
        return asked
    work = 1 if original is None else original.multiplications
    return round(epochs * max(LEAST, LEARNED_EPOCHS * min(1.0, SMALL / max(work, 1))))


def learning(setup: Setup, epochs: int) -> QuantizeConfig:
    """The step that learns widths towards no target: types of single values where hls4ml has them, which a stream, with one
    type for all its places, has not."""
    single = setup.hls.io_type == "io_parallel"
    own = {"activation_granularity": "element"} if single else {"rounding": "odd_bias"}
    return QuantizeConfig.parse({"allocation": "learned", **own, **setup.fit(epochs=epochs)})


def lacks_accuracy(bench: Workbench, point: Point) -> bool:
    """Whether a point is less accurate than the original by more than the error of that."""
    return bench.baseline is not None and dropped(bench.baseline, bench.score(point))
