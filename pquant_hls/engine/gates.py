"""Floors on figures of merit, and whether what a run is asked for can be told at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pquant_hls.decide import LEAST_ABOVE, Check, floor_check
from pquant_hls.engine.score import PLAIN, Score, loss
from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget
from pquant_hls.spec.model import unknown_key
from pquant_hls.train.figures import HERTZ, LHC_CROSSING_HZ, Figure, asked
from pquant_hls.train.metrics import BACKGROUND_RATES

NEEDED = {
    "a bin": "a bin [a,b) of the true value needs one column of values and 20 validation events in it",
    "turn_on": "it needs one column of values, and validation events whose true value is that high",
    "rate": "it needs the data's zero-bias sample, x_zero_bias with zero_bias_hz",
    "efficiency": "it needs events of that class, column or signal on the validation split, or of values that high; at a rate "
    "in kHz also x_zero_bias with zero_bias_hz",
}
"""What the figures need whose names ask for a number or a bin."""


@dataclass(frozen=True)
class Gate:
    """A floor on one figure of a Score: at most ``max_loss`` below the original's, or at least ``minimum``
    (shares). Of a figure that should be low, such as an rmse, ``max_loss`` is a share of the original's.

    ``metric`` is a Score's name, e.g. ``auc``, ``efficiency@0.01:top`` at a share of the background, or
    ``efficiency@30kHz:top`` at a rate of the data's zero-bias sample. Where the floor lies within the figure's
    statistical error the check is UNKNOWN and says how many events would decide; searches go by the figure itself, and
    call no loss what is within its error. An efficiency whose threshold fewer than ten background events set is UNKNOWN.
    """

    metric: str
    max_loss: float | None = None
    minimum: float | None = None

    def __post_init__(self) -> None:
        if self.max_loss is None and self.minimum is None:
            raise SpecError("a gate needs max_loss or minimum", where=self.metric)
        limits = [limit for limit in (self.max_loss, self.minimum) if limit is not None]
        if not all(0 <= limit <= 1 for limit in limits):
            raise SpecError(f"limits of a gate are shares in 0..1, got {limits}", where=self.metric)

    @classmethod
    def at_rate(
        cls,
        rate_hz: float,
        *,
        input_hz: float = LHC_CROSSING_HZ,
        signal: str = "",
        zero_bias: bool = False,
        **limits: float,
    ) -> Gate:
        """A floor on the signal efficiency at a trigger rate in Hz: of background arriving at ``input_hz``, or with
        ``zero_bias`` of the data's zero-bias sample, whose own rate is known."""
        if not 0 < rate_hz < input_hz:
            raise SpecError(
                f"a rate lies between 0 and the input's {input_hz:g} Hz, got {rate_hz:g}", where="rate_hz"
            )
        rate = f"{rate_hz:g}Hz" if zero_bias else f"{rate_hz / input_hz:g}"
        return cls(f"efficiency@{rate}{f':{signal}' if signal else ''}", **limits)

    @property
    def background_rate(self) -> float | None:
        """The share of background let through at which the efficiency is read; None for other figures."""
        rate = self._rate()
        return None if rate is None or rate[1] else rate[0]

    @property
    def rate_hz(self) -> float | None:
        """The rate of the zero-bias sample at which the efficiency is read; None for other figures."""
        rate = self._rate()
        return None if rate is None or not rate[1] else rate[0] * HERTZ[rate[1]]

    def _rate(self) -> tuple[float, str] | None:
        """(number, unit) behind ``efficiency@``; the unit is empty for a share of the background."""
        found = asked(self.metric)
        return None if found is None or found.kind != "efficiency" else (found.number, found.unit)

    def check(self, before: Score | None, now: Score | None) -> Check:
        """The gate as a check; UNKNOWN where a figure it needs is missing."""
        found = None if now is None else now.figures.get(self.metric)
        old = None if before is None else before.value(self.metric)
        if now is None or found is None or (self.max_loss is not None and (before is None or old is None)):
            return Check(self.metric, self.minimum or 0.0, None, None, at_least=True, quality=True)
        if found.above is not None and found.above < LEAST_ABOVE:
            return self._unset(found)
        floors: list[tuple[float, float | None]] = []
        if self.minimum is not None and not found.lower_is_better:
            floors.append((self.minimum, found.error))
        if self.max_loss is not None and before is not None and old is not None:
            fallen = loss(before, now, self.metric)
            scale = abs(old) if found.relative else 1.0
            sign = 1.0 if found.lower_is_better else -1.0
            floors.append((old + sign * self.max_loss * scale, None if fallen is None else fallen[1] * scale))
        if not floors:  # a figure that should be low and is only wanted, see ``check_gates``
            return Check(self.metric, 0.0, found.value, found.value, at_least=True, quality=True)
        original = old if self.max_loss is not None else None
        told: dict[str, Any] = {"lower_is_better": found.lower_is_better, "unit": found.unit}
        return floor_check(self.metric, found.value, floors, found.events, original, **told)

    def _unset(self, found: Figure) -> Check:
        """Too few background events to set the threshold: their number's own error is a third of it or more."""
        share = self.background_rate
        needed = "" if not share else f", {math.ceil(LEAST_ABOVE / share):,} are needed"
        why = f"{found.above:,} background events lie above the threshold, too few to set it{needed}"
        floor, value = self.minimum or 0.0, found.value
        return Check(self.metric, floor, None, None, at_least=True, quality=True, value=value, why=why)


def check_gates(gates: Sequence[Gate], baseline: Score) -> None:
    """Raise SpecError for a gate on a figure that the original's score does not have: it could never hold."""
    for gate in gates:
        if gate.rate_hz is not None and gate.metric not in baseline.figures:
            raise SpecError(
                "needs a class and the data's zero-bias sample",
                where=f"gates.{gate.metric}",
                mend="write efficiency@30kHz:CLASS, and put x_zero_bias and zero_bias_hz into the data",
            )
        if gate.metric not in baseline.figures:
            raise SpecError(
                unknown_key(gate.metric, baseline.figures, "figure"), where=f"gates.{gate.metric}"
            )
        if gate.minimum and baseline.figures[gate.metric].lower_is_better:
            raise SpecError(
                "should be low: a minimum says nothing", where=f"gates.{gate.metric}", mend="give max_loss"
            )


def check_quality(budget: Budget | None, baseline: Score) -> None:
    """Raise SpecError for a limit on a figure that the original does not have, or that points the wrong way."""
    if budget is None:
        return
    known = baseline.figures
    if known and not any(name.rpartition(".")[2] == "accuracy" for name in known):
        for field in ("max_accuracy_loss", "min_accuracy"):
            if getattr(budget, field) is not None:
                named = ", ".join(name for name in known if ":" not in name)
                raise SpecError(
                    "this model's task has no accuracy",
                    where=f"budget.{field}",
                    mend=f"name what may be lost in budget.quality: {named}",
                )
    for name, allowance in budget.allowances.items():
        where = f"budget.quality.{name}"
        if name not in known:
            raise _missing(name, known, where)
        figure = known[name]
        is_share = not (figure.relative or figure.unit)
        if problem := allowance.problem(lower_is_better=figure.lower_is_better, is_share=is_share):
            raise SpecError(problem, where=where, mend=None if is_share else "write '5 %' or '<= 0.02'")
        if allowance.relative and figure.value == 0:
            raise SpecError(
                "the original's is 0, of which there are no shares", where=where, mend="write '<= 0.02'"
            )


def _missing(name: str, known: Mapping[str, Figure], where: str) -> SpecError:
    """A limit on a figure that the original does not have."""
    if not known:
        mend = (
            "give labels, or a zero-bias sample with zero_bias_hz, or signal samples, as docs/tasks.md says"
        )
        return SpecError("nothing was measured", where=where, mend=mend)
    read = asked(name)
    kind = "a bin" if name.partition(":")[2].startswith("[") else "" if read is None else read.kind
    return SpecError(unknown_key(name, known, "figure"), where=where, mend=NEEDED.get(kind))


def floors_on(baseline: Score | None, max_loss: float) -> tuple[Gate, ...]:
    """Floors on the figures that searches go by: at most ``max_loss`` worse than the original."""
    names = PLAIN if baseline is None else baseline.headlines
    return tuple(Gate(name, max_loss=max_loss) for name in names)


def floors_keeping(baseline: Score | None, share: float) -> tuple[Gate, ...]:
    """Floors that keep a share of each figure that searches go by: of an accuracy of 0.8 and a share of 0.98 at least 0.784,
    of an rmse of 0.8 at most 0.816."""
    if baseline is None:
        return ()
    gates = []
    for name in baseline.headlines:
        figure = baseline.figures.get(name)
        old = 0.0 if figure is None else figure.value
        lower = figure is not None and figure.lower_is_better
        gates.append(Gate(name, max_loss=1 / share - 1 if lower else min(1.0, (1 - share) * max(old, 0.0))))
    return tuple(gates)


def rates_of(gates: Sequence[Gate]) -> tuple[float, ...]:
    """Background rates at which efficiencies are read: the usual ones and the gates' own."""
    wanted = {rate for gate in gates if (rate := gate.background_rate) is not None}
    return tuple(sorted({*BACKGROUND_RATES, *wanted}))
