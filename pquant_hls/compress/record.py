"""What a step did: figures of the model before and after, measured on the models themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pquant_hls.qor import Record

if TYPE_CHECKING:
    import keras

FLOAT_BITS = 32
"""Bits of a weight that has no quantizer."""


class Accounting(Record):
    """One model in figures.

    ``parameters`` counts all weights and biases, ``kernel_weights`` those of kernels, the ``nonzero`` ones what is not 0
    after the layers' own quantizers and leads from an input to an output. ``weight_bits`` is the sum of their widths (32
    for float), biases included. ``multiplications`` counts non-zero ones of one inference, each output position by itself
    (io_parallel). ``ebops`` is their sum of weight bits x input bits; None while an operand is float. ``units`` are units
    or filters by layer. ``cycles`` is the estimated latency (worst case); None where nothing estimates it.
    """

    parameters: int
    nonzero: int
    kernel_weights: int
    nonzero_weights: int
    weight_bits: int
    multiplications: int
    ebops: int | None
    units: dict[str, int]
    cycles: int | None = None
    layer_cycles: dict[str, int] = Field(default_factory=dict)

    @property
    def weight_sparsity(self) -> float:
        """Share of kernel weights that are 0."""
        return 0.0 if self.kernel_weights == 0 else 1 - self.nonzero_weights / self.kernel_weights


def compression_ratio(before: Accounting, after: Accounting) -> float | None:
    """32 x all weights and biases before / bits of the non-zero ones after; None when nothing is left."""
    return None if after.weight_bits == 0 else FLOAT_BITS * before.parameters / after.weight_bits


class StepRecord(Record):
    """One application of one step: configuration, figures, digests, wall time in seconds, remarks.

    ``figures`` hold what the step measured besides (``val_accuracy``, ``best_epoch``, ``auc_before:t``, ...).
    """

    schema_version: Literal[1] = 1
    step: str
    config: dict[str, Any]
    before: Accounting
    after: Accounting
    seconds: Annotated[float, Field(ge=0)]
    parent: str
    child: str
    notes: tuple[str, ...] = ()
    figures: dict[str, float | None] = Field(default_factory=dict)

    @property
    def compression_ratio(self) -> float | None:
        """Of this step alone: from its parent's float weights to the bits it leaves."""
        return compression_ratio(self.before, self.after)


@dataclass(frozen=True)
class CompressedModel:
    """A model and the record of the step that made it; unpacks as ``model, record``."""

    model: keras.Model
    record: StepRecord

    def __iter__(self) -> Any:
        return iter((self.model, self.record))
