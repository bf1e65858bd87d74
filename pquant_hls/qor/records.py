"""QoR records: what is known of a design's latency, resources and accuracy, and from which source.

None means not measured. It is never 0, and no verdict of MET can come from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BUNCH_CROSSING_NS = 25.0
"""LHC bunch spacing in ns (40.08 MHz, as trigger firmware counts it)."""

Cycles = Annotated[int, Field(ge=0)]
Nanoseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced (validated)."""
        return self.model_validate({**{k: getattr(self, k) for k in type(self).model_fields}, **changes})


class Latency(Record):
    """Latency of one design or module.

    ``cycles_min`` and ``cycles_max`` are the tool's best and worst case. ``cycles_max_lo`` and ``cycles_max_hi``
    bound the worst case when it is an estimate; a measured record leaves them None. Clock fields are in ns.
    ``clock_estimated_hi_ns`` bounds an estimated clock from above. ``printed_ns`` is the worst case as the tool
    printed it, for reports that state a time and no clock.
    """

    cycles_min: Cycles | None = None
    cycles_max: Cycles | None = None
    ii_cycles: Cycles | None = None
    clock_target_ns: Nanoseconds | None = None
    clock_estimated_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    clock_uncertainty_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cycles_max_lo: Cycles | None = None
    cycles_max_hi: Cycles | None = None
    clock_estimated_hi_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    printed_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Latency:
        low, high = self.cycles_max_lo, self.cycles_max_hi
        if (low is None) != (high is None):
            raise ValueError("cycles_max_lo and cycles_max_hi come together")
        if low is not None and self.cycles_max is None:
            raise ValueError("bounds of cycles_max without cycles_max itself")
        if (
            low is not None
            and high is not None
            and self.cycles_max is not None
            and not low <= self.cycles_max <= high
        ):
            raise ValueError(f"cycles_max {self.cycles_max} is outside its interval {low}..{high}")
        if self.cycles_min is not None and self.cycles_max is not None and self.cycles_min > self.cycles_max:
            raise ValueError(f"cycles_min {self.cycles_min} exceeds cycles_max {self.cycles_max}")
        return self

    @property
    def period_ns(self) -> float | None:
        """The period the tools multiply cycles by: max(target, estimated). Both are needed; None otherwise."""
        if self.clock_target_ns is None or self.clock_estimated_ns is None:
            return None
        return max(self.clock_target_ns, self.clock_estimated_ns)

    @property
    def period_hi_ns(self) -> float | None:
        """Upper bound of ``period_ns``."""
        if self.period_ns is None or self.clock_estimated_hi_ns is None:
            return self.period_ns
        return max(self.period_ns, self.clock_estimated_hi_ns)

    @property
    def worst_ns(self) -> float | None:
        """cycles_max * max(target, estimated clock), as Vivado/Vitis HLS print it; else what was printed."""
        return self._or_printed(_times(self.cycles_max, self.period_ns))

    @property
    def worst_ns_lo(self) -> float | None:
        """Lower end of ``worst_ns``; equal to it for a measured record."""
        low = self.cycles_max if self.cycles_max_lo is None else self.cycles_max_lo
        return self._or_printed(_times(low, self.clock_target_ns if self.is_interval else self.period_ns))

    @property
    def worst_ns_hi(self) -> float | None:
        """Upper end of ``worst_ns``; equal to it for a measured record."""
        high = self.cycles_max if self.cycles_max_hi is None else self.cycles_max_hi
        return self._or_printed(_times(high, self.period_hi_ns))

    def _or_printed(self, product: float | None) -> float | None:
        return self.printed_ns if product is None else product

    @property
    def is_interval(self) -> bool:
        return self.cycles_max_lo is not None

    @property
    def timing_met(self) -> bool | None:
        """As the tools flag it: estimated + uncertainty <= target, compared to 1 fs as they print three digits.

        Without the uncertainty only a clock beyond the target is known to be missed; None otherwise.
        """
        if self.slack_ns is not None:
            return round(self.slack_ns, 6) >= 0
        return False if self.clock_met is False else None

    @property
    def clock_met(self) -> bool | None:
        """Estimated <= target, the uncertainty left out. None when either is unknown."""
        if self.clock_target_ns is None or self.clock_estimated_ns is None:
            return None
        return self.clock_estimated_ns <= self.clock_target_ns

    @property
    def slack_ns(self) -> float | None:
        """target - uncertainty - estimated, as Vitis HLS prints it."""
        if (
            self.clock_target_ns is None
            or self.clock_estimated_ns is None
            or self.clock_uncertainty_ns is None
        ):
            return None
        return self.clock_target_ns - self.clock_uncertainty_ns - self.clock_estimated_ns

    @property
    def bunch_crossings(self) -> float | None:
        """worst_ns in units of 25 ns."""
        return None if self.worst_ns is None else self.worst_ns / BUNCH_CROSSING_NS


def _times(cycles: int | None, period_ns: float | None) -> float | None:
    return None if cycles is None or period_ns is None else cycles * period_ns


class Counts(Record):
    """What a design uses or a part offers; ``bram_18k`` counts 18 kb blocks, a Vivado tile of 36 kb is two of them."""

    lut: Count | None = None
    ff: Count | None = None
    dsp: Count | None = None
    bram_18k: Count | None = None
    uram: Count | None = None


class Available(Counts):
    """What the part offers."""


RESOURCE_NAMES = tuple(Counts.model_fields)
"""lut, ff, dsp, bram_18k, uram."""


class Resources(Counts):
    """Used resources; ``intervals`` bounds estimated entries, e.g. ``{"lut": (900.0, 1400.0)}``."""

    available: Available | None = None
    intervals: dict[str, tuple[Count, Count]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _inside(self) -> Resources:
        for name, (low, high) in self.intervals.items():
            if name not in RESOURCE_NAMES:
                raise ValueError(f"{name!r} is no resource, they are {', '.join(RESOURCE_NAMES)}")
            value = getattr(self, name)
            if not low <= (low if value is None else value) <= high:
                raise ValueError(f"{name} {value} is outside its interval {low}..{high}")
        return self

    def percent(self, name: str) -> float | None:
        """Used share of the part in percent, None when either figure is unknown or the part has none."""
        used = getattr(self, name)
        total = None if self.available is None else getattr(self.available, name)
        return None if used is None or total is None or total == 0 else 100.0 * used / total


class LayerQoR(Record):
    """What one layer costs. ``cycles_lo``/``cycles_hi`` bound an estimate."""

    name: str
    op: str
    cycles: Cycles | None = None
    cycles_lo: Cycles | None = None
    cycles_hi: Cycles | None = None
    ii_cycles: Cycles | None = None
    lut: Count | None = None
    ff: Count | None = None
    dsp: Count | None = None
    bram_18k: Count | None = None
    note: str = ""


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Quality(Record):
    """A figure of merit with its statistical error (one standard deviation), and the ``original``'s on the same events.

    ``loss_error`` is the error of the difference of the two, in the figure's own unit, of paired events. ``relative`` : a
    loss counts as a share of the original's figure. ``above`` is the number of background events above an efficiency's
    threshold. ``headline`` : one that searches go by.
    """

    value: Finite
    error: Finite
    events: int
    original: Finite | None = None
    loss_error: Finite | None = None
    unit: str = ""
    lower_is_better: bool = False
    relative: bool = False
    above: int | None = None
    headline: bool = False

    @property
    def loss(self) -> tuple[float, float] | None:
        """(what was lost against the original, its error), positive where it is worse: a share of the original's figure
        where ``relative``, else a difference; None where the original's is not known, or is 0 and divides."""
        if self.original is None or (self.relative and self.original == 0):
            return None
        scale = abs(self.original) if self.relative else 1.0
        fallen = self.value - self.original if self.lower_is_better else self.original - self.value
        return fallen / scale, (self.loss_error or 0.0) / scale


def _no_quality(named: dict[str, Quality]) -> bool:
    return not named


class QoR(Record):
    """Quality of results of one design.

    ``accuracy`` is a share (0..1) on the test split, ``accuracy_source`` who computed it (csim, emulator, keras);
    ``metrics`` hold further figures by name (``auc``, ``efficiency_at_fpr_0.01``...). ``csim_match`` is the share
    of output values on which csim equals Keras. ``quality`` has the figures of merit of the model's tasks on the validation
    split, ``quality_test`` on the test split. ``source`` is the evaluator's name, ``state`` how far Vivado had come
    (Synthesized, Placed, Routed) when it counted, ``digest`` is that of the design measured.
    """

    schema_version: Literal[1] = 1
    design: Literal["hls", "rtl"] = "hls"
    source: Annotated[str, Field(min_length=1)] | None = None
    tool: str | None = None
    state: str | None = None
    part: str | None = None
    digest: str | None = None
    latency: Latency | None = None
    resources: Resources | None = None
    layers: tuple[LayerQoR, ...] = ()
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    accuracy_source: Literal["csim", "emulator", "keras"] | None = None
    csim_match: Annotated[float, Field(ge=0, le=1)] | None = None
    metrics: dict[str, Annotated[float, Field(allow_inf_nan=False)] | None] = Field(default_factory=dict)
    quality: dict[str, Quality] = Field(default_factory=dict, exclude_if=_no_quality)
    quality_test: dict[str, Quality] = Field(default_factory=dict, exclude_if=_no_quality)
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from pquant_hls.qor.cards import card
        from pquant_hls.qor.words import figures_said

        return card(f"QoR by {self.source or 'nobody yet'}", figures_said(self), self.notes)


class Target(Record):
    """What the firmware is built for; the clock uncertainty is in ns and leaves ``budget_ns`` for one stage.

    ``tool`` is the C synthesis tool whose scheduling is meant; None: one that no estimator knows.
    """

    part: str
    clock_ns: Nanoseconds
    clock_uncertainty_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    tool: Literal["vitis", "vivado"] | None = "vitis"
    tool_version: str | None = None

    @property
    def budget_ns(self) -> float:
        return self.clock_ns - self.clock_uncertainty_ns

    @property
    def family(self) -> Literal["ultrascale+", "ultrascale", "7series", "versal", "unknown"]:
        """FPGA family by AMD's part naming (DS890, DS180, DS950)."""
        name = self.part.lower().removeprefix("xa").removeprefix("xq")
        name = name.removeprefix("xc")
        if name.startswith(("v80", "ve", "vm", "vp", "vc")) and not name.startswith("vcu"):
            return "versal"
        if name.startswith(("vu", "ku", "au", "zu", "u5", "u2", "k26", "k24")):
            return "ultrascale+" if _is_plus(name) else "ultrascale"
        return "7series" if name.startswith(("7", "z0")) else "unknown"


_ULTRASCALE = (
    "vu065",
    "vu080",
    "vu095",
    "vu125",
    "vu160",
    "vu190",
    "vu440",
    "ku025",
    "ku035",
    "ku040",
    "ku060",
    "ku085",
    "ku095",
    "ku115",
)


def _is_plus(name: str) -> bool:
    return not name.startswith(_ULTRASCALE)
