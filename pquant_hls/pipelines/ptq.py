"""Fixed point by calibration alone: the way most users meet hls4ml, at the narrowest width that keeps the quality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pquant_hls.engine import Ending, Goal, Point, Workbench, floors_on
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.setup import Setup, several, validated
from pquant_hls.pipelines.walk import Walk
from pquant_hls.spec.steps import QuantizeConfig

WIDTHS = (12, 10, 8, 7, 6, 5, 4)
"""Widths that are tried where none is asked for, until one loses too much."""

Widths = Annotated[
    tuple[Annotated[int, Field(ge=2, le=16)], ...], BeforeValidator(several), Field(min_length=1)
]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Calibration = Literal["mse", "percentile", "max"]


class PtqPipeline(Trainable):
    """Post-training quantization: integer bits read off a sample of inputs, no training, labels only to judge.

    Parameters
    ----------
    bits : the width of weights and activations, or widths to try from the widest on; left out: 12, 10, 8, 7, ...
    max_loss : points of validation accuracy, or of what the model's task goes by, as a share of one (of an rmse a share of
        the original's), that a width may lose; the last that holds is taken. Where none does, the widest is, and the verdict
        says so.
    calibration : how integer bits are read off weights and data, as the ``quantize`` step's.
    samples : inputs used for it.
    options : of Setup.

    >>> PtqPipeline(8).widths
    (8,)
    """

    name: ClassVar[str] = "ptq"

    def __init__(
        self,
        bits: int | Sequence[int] | None = None,
        max_loss: float = 0.01,
        *,
        calibration: str = "mse",
        samples: int = 4096,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        given = validated(Widths, WIDTHS if bits is None else bits, "bits")
        self.widths: tuple[int, ...] = tuple(sorted(set(given), reverse=True))
        self.max_loss: float = validated(Share, max_loss, "max_loss")
        self.calibration: Any = validated(Calibration, calibration, "calibration")
        self.samples: int = validated(Annotated[int, Field(ge=1)], samples, "samples")

    def settings(self) -> dict[str, Any]:
        return {
            "bits": list(self.widths),
            "max_loss": self.max_loss,
            "calibration": self.calibration,
            "samples": self.samples,
        }

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        goal = Goal(gates=(*floors_on(bench.baseline, self.max_loss), *setup.gates), budget=setup.budget)
        walk, held = Walk(bench, start), None
        for bits in self.widths:
            walk.point = start
            if not walk.attempt(
                f"{bits} bits", [self._step(bits, setup)], lambda _, after: goal.lost(bench, after)
            ):
                break
            held = bits, walk.point
        if held is None:
            walk.point = start
            widest = self.widths[0]
            walk.point = bench.apply(start, self._step(widest, setup))
            said = f"{widest} bits, the widest asked for, lose more than is allowed"
            return Ending(walk.point, goal, said, tuple(walk.history))
        return Ending(held[1], goal, f"{held[0]} bits by calibration alone", tuple(walk.history))

    def _step(self, bits: int, setup: Setup) -> QuantizeConfig:
        return QuantizeConfig(
            bits=bits, mode="ptq", calibration=self.calibration, samples=self.samples, seed=setup.seed
        )
