"""The budget: what a design must stay within. Every limit is a constraint, never a preference."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pquant_hls.errors import SpecError
from pquant_hls.spec.model import Spec
from pquant_hls.spec.plugins import EVALUATOR_GROUP, known_name, plugin_names
from pquant_hls.spec.quality import Allowance, read_quality
from pquant_hls.spec.units import TimeNs

Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]


AUTO = "auto"
REPORT = "report"
_OF_HLS = ("csynth", "cosim", "vsynth", "estimate", REPORT)


def _name_evaluators(schema: dict[str, Any]) -> None:
    schema["enum"] = [AUTO, *plugin_names(EVALUATOR_GROUP)]


def _whole(share: float) -> bool:
    """Defaults that 0.1.0 did not know stay out of a run's identity: its runs can be resumed."""
    return share == 1.0


def _none_named(named: dict[str, str]) -> bool:
    return not named


def _is_false(asked: bool) -> bool:
    return not asked


class ResourceLimits(Spec):
    """Upper limits in absolute counts; ``bram_18k`` in blocks of 18 kb."""

    lut: Limit | None = None
    ff: Limit | None = None
    dsp: Limit | None = None
    bram_18k: Limit | None = None
    uram: Limit | None = None


class Budget(Spec):
    """Limits a design must meet. At least one of latency, cycles, II or a resource must be given."""

    latency_ns: TimeNs | None = Field(
        None, description="worst-case latency of the firmware, ns or with a unit (BX too)"
    )
    latency_cycles: int | None = Field(None, ge=0)
    ii_cycles: int | None = Field(None, ge=1, description="largest initiation interval")
    resources: ResourceLimits = ResourceLimits()
    part_share: float = Field(
        1.0,
        gt=0,
        le=1,
        exclude_if=_whole,
        description="share of each resource of the part that the design may take; always judged",
    )
    timing: bool = Field(
        False,
        description="also demand timing met as the tool flags it: estimated clock + uncertainty <= target",
    )
    max_accuracy_loss: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest drop of csim accuracy against the float model, as a share: 0.02 is two points",
    )
    min_accuracy: float | None = Field(
        None, ge=0, le=1, description="csim accuracy that must be kept, as a share"
    )
    quality: Annotated[dict[str, str], BeforeValidator(read_quality)] = Field(
        {},
        exclude_if=_none_named,
        description="figures of merit and how much of each may be lost against the original, such as {mse: 5 %}, "
        "{efficiency@30kHz:signal: 1 point}, {auc: '>= 0.9'}; docs/tasks.md names the figures of each task",
    )
    exact: bool = Field(True, description="demand that csim equals Keras on every output value")
    accept_wide: bool = Field(
        False,
        exclude_if=_is_false,
        description="take a limit as held by an estimate whose interval is wider than its value, else UNKNOWN",
    )
    measure: str = Field(
        AUTO,
        description="evaluator that tells the latency; auto is csynth where the tool is installed, else estimate; with "
        "report the run waits for each design's synthesis elsewhere",
        json_schema_extra=_name_evaluators,
    )
    deliver: Literal["hls", "rtl"] = Field("hls", description="the design that is handed over and judged")

    @field_validator("measure")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value == AUTO:
            return value
        try:
            return known_name(EVALUATOR_GROUP, "evaluator", value)
        except SpecError as cause:
            raise ValueError(str(cause)) from cause

    @model_validator(mode="after")
    def _has_a_goal(self) -> Self:
        limits = (self.latency_ns, self.latency_cycles, self.ii_cycles, *self.resources.model_dump().values())
        quality = (self.max_accuracy_loss, self.min_accuracy, self.quality or None)
        asked = self.timing or {"exact", "part_share"} & self.model_fields_set
        if all(limit is None for limit in (*limits, *quality)) and not asked:
            raise ValueError(
                "no limit is set: give latency_ns, latency_cycles, ii_cycles, a resource or a quality"
            )
        if self.measure == "rtl" and self.deliver != "rtl":
            raise ValueError(
                "measure: rtl describes the Verilog, not the HLS project; set deliver: rtl as well"
            )
        if self.deliver == "rtl" and self.measure in _OF_HLS:
            raise ValueError(f"deliver: rtl is judged by rtl figures, not by {self.measure}")
        return self

    @property
    def wants_smallest(self) -> bool:
        """Whether it limits the quality alone: the smallest design is wanted that holds it."""
        limits = (self.latency_ns, self.latency_cycles, self.ii_cycles, *self.resources.model_dump().values())
        free = all(limit is None for limit in limits) and not self.timing and self.part_share == 1.0
        return free and self.judges_quality

    @property
    def judges_quality(self) -> bool:
        """Whether it limits what may be lost of any figure of merit."""
        return self.max_accuracy_loss is not None or self.min_accuracy is not None or bool(self.quality)

    @property
    def allowances(self) -> dict[str, Allowance]:
        """What each figure in ``quality`` may lose."""
        return {name: Allowance.parse(text, name) for name, text in self.quality.items()}
