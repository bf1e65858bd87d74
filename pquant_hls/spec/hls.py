"""What the firmware is built for: backend, part, clock, strategy."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pquant_hls.errors import PquantError, SpecError
from pquant_hls.qor import FixedType, Target
from pquant_hls.qor.parts import PART_NUMBER
from pquant_hls.spec.backends import BACKENDS, Backend
from pquant_hls.spec.model import Spec
from pquant_hls.spec.units import ClockNs, Uncertainty, parse_uncertainty


def _name_backends(schema: dict[str, Any]) -> None:
    schema["enum"] = list(BACKENDS.names())


def _is_whole(value: str) -> bool:
    """Left out of digests, so that runs of earlier versions keep theirs."""
    return value == "whole"


class HlsSpec(Spec):
    """Options of the HLS project, in hls4ml's own words."""

    backend: str = Field("Vitis", json_schema_extra=_name_backends)
    part: str = Field("xcvu13p-flga2577-2-e", min_length=3, description="AMD part number")
    clock_ns: ClockNs = Field(5.0, description="clock period in ns, or a frequency such as '200 MHz'")
    clock_uncertainty: Uncertainty = Field(
        None, description="'27%' of the clock or a number of ns; left out: the backend's own default"
    )
    io_type: Literal["io_parallel", "io_stream"] = "io_parallel"
    strategy: Literal["latency", "resource", "resource_unrolled", "distributed_arithmetic"] = "latency"
    reuse_factor: int = Field(1, ge=1)
    precision: str = Field(
        "ap_fixed<16,6>", description="type of layers that carry no quantizer of their own"
    )
    wide_accumulators: bool = Field(
        False,
        description="accumulators wider than any product: same values, a few LUTs more, sums that the tool balances",
    )
    fifo_depths: Literal["whole", "auto"] = Field(
        "whole",
        exclude_if=_is_whole,
        description="io_stream: places of the FIFOs between layers: whole tensors, as hls4ml has them, or found from "
        "csim's traffic",
    )
    keep_softmax: bool | Literal["exact"] = Field(
        False,
        description="keep a final softmax or sigmoid in the firmware, with hls4ml's look-up tables; exact: with tables of this "
        "package's own, which Keras holds too",
    )
    tool_prefix: tuple[str, ...] = Field(
        (),
        description="command that runs the vendor's tool elsewhere, e.g. [ssh, build01] or [apptainer, exec, image.sif]",
    )
    project_name: str = Field("myproject", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")

    @field_validator("part")
    @classmethod
    def _is_a_part(cls, value: str) -> str:
        family = Target(part=value, clock_ns=1.0, clock_uncertainty_ns=0.0).family
        if PART_NUMBER.match(value) is None or family == "unknown":
            raise ValueError(
                f"{value!r} is no AMD part number of a family known here, such as xcvu13p-flga2577-2-e "
                "(a board's name is none: give the part on it)"
            )
        return value

    @field_validator("precision")
    @classmethod
    def _is_a_type(cls, value: str) -> str:
        try:
            FixedType.parse(value)
        except PquantError as cause:
            raise ValueError(str(cause)) from cause
        return value

    @field_validator("backend")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return BACKENDS.find(value).name
        except SpecError as cause:
            raise ValueError(str(cause)) from cause

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        can = self.tools
        for key, word, known in (
            ("strategy", self.strategy, can.strategies),
            ("io_type", self.io_type, can.io_types),
        ):
            if word not in known:
                raise ValueError(f"{can.name} builds no {key} {word!r}, known are {', '.join(known)}")
        if self.strategy == "distributed_arithmetic" and self.reuse_factor > 1:
            raise ValueError(
                f"distributed_arithmetic has no multipliers to share: reuse_factor {self.reuse_factor} must be 1"
            )
        if self.fifo_depths == "auto" and self.io_type != "io_stream":
            raise ValueError(f"fifo_depths 'auto' is for io_stream: {self.io_type} has no FIFOs")
        return self

    @property
    def shares(self) -> bool:
        """Whether the strategy lets products share a multiplier, as many as the reuse factor says."""
        return self.strategy in ("resource", "resource_unrolled")

    @property
    def multiplying(self) -> HlsSpec:
        """The same with multipliers where adders are shared: what a float model, whose wide weights would take minutes to
        share, is looked at with."""
        shared = self.strategy == "distributed_arithmetic"
        return self.with_(strategy="latency") if shared else self

    @property
    def tools(self) -> Backend:
        """The record of the backend."""
        return BACKENDS.find(self.backend)

    @property
    def target(self) -> Target:
        """Part, clock and tool, as the estimator takes them."""
        return Target(
            part=self.part,
            clock_ns=self.clock_ns,
            clock_uncertainty_ns=self.clock_uncertainty_ns,
            tool=self.tools.tool,
        )

    @property
    def clock_uncertainty_ns(self) -> float:
        """The uncertainty in ns, from a share of the clock or from the backend's default."""
        value = self.clock_uncertainty
        text = parse_uncertainty(self.tools.uncertainty if value is None else value)
        if isinstance(text, str):
            return self.clock_ns * float(text.removesuffix("%")) / 100.0
        return float(text or 0.0)
