"""Three-valued verdicts: MET, MISSED or UNKNOWN for a QoR against a budget.

What a verdict rests on stands here and nowhere else. MET needs every leg: the limits asked for, what the part has
(always), a design that exists, and timing wherever a tool has flagged it; ``Judgement.basis`` says which of latency,
quality and exactness nobody asked about. A leg whose figure is missing is UNKNOWN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from pquant_hls.qor import RESOURCE_NAMES, Latency, QoR, Resources
from pquant_hls.qor.parts import capacity
from pquant_hls.spec import Budget


class Verdict(StrEnum):
    """MET only when every limit is known to hold; MISSED when one is known to fail; UNKNOWN between."""

    MET = "MET"
    MISSED = "MISSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Check:
    """One limit: the interval [low, high] of the figure against it. ``at_least`` turns the limit into a floor.

    ``quality`` marks floors on what the model decides (accuracy, efficiency): tightening makes those worse.
    ``exactness`` marks csim's match with Keras, ``resource`` a limit on what the design takes of the part.
    ``value`` is what an estimate expects, for one whose interval may be too wide to say anything, or a figure with a
    statistical error, which rests on so many ``events``. ``lost`` is False where what it lost against the original is
    less than the error of that, and so is not called a loss. ``accept_wide`` : an interval without content counts too.
    ``why`` is what is to be known beside the figures.
    """

    name: str
    limit: float
    low: float | None
    high: float | None
    unit: str = ""
    at_least: bool = False
    quality: bool = False
    exactness: bool = False
    resource: bool = False
    value: float | None = None
    events: int | None = None
    lost: bool = True
    accept_wide: bool = False
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.low is None or self.high is None:
            return Verdict.UNKNOWN
        best, worst = (self.high, self.low) if self.at_least else (self.low, self.high)
        if self._holds(worst):
            return Verdict.UNKNOWN if self.says_little else Verdict.MET
        return Verdict.UNKNOWN if self._holds(best) else Verdict.MISSED

    def _holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def says_little(self) -> bool:
        """Whether the limit holds, if at all, only by an interval wider than the value expected: one that is further
        from the limit than it is wide holds by its distance."""
        if self.accept_wide or self.events is not None:
            return False
        if self.value is None or self.low is None or self.high is None:
            return False
        width = self.high - self.low
        return width > self.value and self.limit - self.high <= width

    @property
    def expected(self) -> Verdict:
        """The verdict on a figure without its statistical error: what a search goes by where events decide nothing."""
        if self.events is None or self.value is None:
            return self.verdict
        return Verdict.MET if self._holds(self.value) or not self.lost else Verdict.MISSED

    @property
    def centre(self) -> Verdict:
        """The verdict on the value that an estimate expects, without its interval."""
        if self.events is not None or self.value is None:
            return self.expected
        return Verdict.MET if self._holds(self.value) else Verdict.MISSED

    @property
    def open_for_good(self) -> bool:
        """UNKNOWN for a reason that no smaller design removes: not measured, too few events, an interval without content,
        or a clock that only routing tells."""
        if self.verdict is not Verdict.UNKNOWN or self.low is None or self.high is None:
            return self.verdict is Verdict.UNKNOWN
        by_events = self.events is not None and self.expected is Verdict.MET
        return by_events or bool(self.why) or (self.says_little and self._holds(self.high))

    @property
    def margin(self) -> float | None:
        """Distance to the limit at the bad end of the interval; negative when it fails there."""
        worst = self.low if self.at_least else self.high
        if worst is None:
            return None
        return worst - self.limit if self.at_least else self.limit - worst

    @property
    def remark(self) -> str:
        """Why an open verdict is open, in words; empty where the figures say it."""
        if self.verdict is not Verdict.UNKNOWN or self.low is None or self.high is None:
            return self.why
        if self.events is not None and self.value is not None:
            return f"within the error: {_more_events(self.value, self._error, self.limit, self.events)}"
        if self.says_little:
            expected = _number(self.value or 0.0)
            return f"the interval says little: wider than the value expected, {expected}; budget.accept_wide takes it"
        return self.why

    @property
    def text(self) -> str:
        """Name, figure and limit, and what is to be known of them."""
        sign = ">=" if self.at_least else "<="
        unit = f" {self.unit}" if self.unit else ""
        if self.why and self.low is None:
            return f"{self.name}: {self.why}"
        remark = f"; {self.remark}" if self.remark else ""
        ends = [value for value in (self.low, self.high, self.value) if value is not None]
        digits = _digits(self.limit, ends)
        return (
            f"{self.name} {self._figure(digits)}{unit} (limit {sign} {_number(self.limit, digits)}{remark})"
        )

    def _figure(self, digits: int) -> str:
        if self.low is None or self.high is None:
            return "not measured"
        if self.low == self.high:
            return _number(self.low, digits)
        if self.events is not None and self.value is not None:
            return f"{_number(self.value, digits)} ± {self._error:.2g}"
        return f"{_number(self.low, digits)}..{_number(self.high, digits)}"

    @property
    def _error(self) -> float:
        """The statistical error; an interval of shares ends at 0 and 1."""
        middle = self.value or 0.0
        return max((self.high or 0.0) - middle, middle - (self.low or 0.0))

    def __str__(self) -> str:
        return f"{self.text}: {self.verdict}"

    def record(self) -> dict[str, Any]:
        """As JSON; ``of_record`` reads it."""
        return asdict(self)

    @classmethod
    def of_record(cls, told: Mapping[str, Any]) -> Check:
        """From ``record``; a figure that is no number counts as not measured."""
        known = {field.name: told[field.name] for field in fields(cls) if field.name in told}
        numbers = {name: _finite(known.get(name)) for name in ("low", "high", "value")}
        limit = _finite(known.get("limit"))
        if limit is None:
            numbers |= {"low": None, "high": None}
        return cls(**{**known, "name": str(told.get("name")), "limit": limit or 0.0, **numbers})


def _finite(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else None


def _number(value: float, digits: int = 4) -> str:
    thousands = "," if abs(value) >= 1e4 else ""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:{thousands}.{digits}g}"


def _digits(limit: float, figures: Iterable[float]) -> int:
    """As many digits, at least 4, as tell the limit from every figure that is not the limit itself."""
    others = [value for value in figures if value != limit]
    for digits in range(4, 17):
        if all(_number(value, digits) != _number(limit, digits) for value in others):
            return digits
    return 17


def _more_events(value: float, error: float, limit: float, events: int) -> str:
    """How many more events would bring the error down to the distance from the limit: it falls as 1 / sqrt(n)."""
    if math.isclose(value, limit, abs_tol=1e-9):
        return "no number of events decides, the figure is the limit"
    needed = math.ceil(events * (error / (value - limit)) ** 2)
    return f"{needed - events:,} events more than these {events:,} would decide"


@dataclass(frozen=True)
class Judgement:
    """The verdict and every check behind it."""

    verdict: Verdict
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Judgement:
        """The verdict that these checks give together."""
        found = tuple(checks)
        return cls(combine([check.verdict for check in found]), found)

    def failing(self) -> tuple[Check, ...]:
        """Checks that are not MET, MISSED ones first."""
        order = (Verdict.MISSED, Verdict.UNKNOWN)
        return tuple(
            sorted((c for c in self.checks if c.verdict in order), key=lambda c: order.index(c.verdict))
        )

    def check(self, name: str) -> Check | None:
        return next((check for check in self.checks if check.name == name), None)

    @property
    def sentence(self) -> str:
        """The verdict and what it rests on, in one line."""
        return f"{self.verdict}: {self.basis}"

    @property
    def basis(self) -> str:
        """What the verdict rests on, in one line; that no quality was judged stands in it."""
        names = [check.name for check in self.checks if not check.name.endswith(OF_THE_PART)]
        if len(names) < len(self.checks):
            names.append("what the part has")
        timed = any(check.unit in ("ns", "cycles") for check in self.checks)
        unjudged = [] if timed else ["no latency was judged"]
        unjudged += [] if any(check.quality for check in self.checks) else ["no quality was judged"]
        exact = [] if any(check.exactness for check in self.checks) else ["exactness was not judged"]
        rests = f"rests on {', '.join(names)}" if names else "rests on nothing"
        return "; ".join([rests, *unjudged, *exact])

    @property
    def design(self) -> tuple[Check, ...]:
        """The checks on the design alone: neither quality nor exactness."""
        return tuple(check for check in self.checks if not (check.quality or check.exactness))

    @property
    def accuracy_verdict(self) -> Verdict:
        """The verdict on the floors of accuracy and other quality alone, each by its expected value; MET when there
        are none."""
        floors = [check.expected for check in self.checks if check.quality]
        return combine(floors) if floors else Verdict.MET


OF_THE_PART = "of the part"
COUNTED = ("lut", "ff", "dsp", "bram_18k")
"""Resources that every AMD part has: without a count of each nobody knows whether a design fits."""
ALWAYS = Budget(part_share=1.0)
"""What is judged where no budget is given: the part, a design that exists, exactness."""


def judge(qor: QoR, budget: Budget | None, *, baseline_accuracy: float | None = None) -> Judgement:
    """Judge ``qor`` by ``budget``; without one by what is always judged and by exactness.

    ``baseline_accuracy`` (a share, on the same split) is what ``max_accuracy_loss`` counts from. Figures of
    another design than ``budget.deliver`` are not used: RTL cycles never decide on the HLS project. The statistical
    errors of accuracy and loss are the record's ``metrics["accuracy_error"]`` and ``metrics["loss_error"]`` (shares).
    """
    return Judgement.of(_checks(qor, budget or ALWAYS, baseline_accuracy))


def combine(verdicts: list[Verdict]) -> Verdict:
    """MISSED if any is, else UNKNOWN if any is or nothing was checked, else MET."""
    if Verdict.MISSED in verdicts:
        return Verdict.MISSED
    return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts or not verdicts else Verdict.MET


def _checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    same_design = qor.design == budget.deliver
    latency, used = (qor.latency, qor.resources) if same_design else (None, None)
    yield from _latency_checks(latency, budget)
    yield from _resource_checks(used, budget)
    yield from _part_checks(used, qor.part, budget.part_share, wide=budget.accept_wide)
    yield from _existence(used, latency)
    yield from _quality_checks(qor, budget, baseline)
    if budget.exact:
        yield _exactness(qor)


def _part_checks(used: Resources | None, part: str | None, share: float, *, wide: bool) -> Iterator[Check]:
    """What the part has is a limit whoever asks: a design that does not fit it is none.

    One check for each resource; an open one where nobody knows what the part has or what the design takes of it.
    """
    stated, listed = None if used is None else used.available, capacity(part)
    if stated is None and listed is None:
        said = "no part is named" if part is None else f"the resources of {part} are not known here"
        yield Check(f"room {OF_THE_PART}", share, None, None, resource=True, why=said)
        return
    for name in RESOURCE_NAMES:
        totals = [getattr(there, name) for there in (stated, listed) if there is not None]
        total = next((count for count in totals if count is not None), None)
        value = None if used is None else getattr(used, name)
        if total is not None and (value is not None or name in COUNTED):
            yield _used(f"{name} {OF_THE_PART}", share * total, used, name, wide=wide)
        elif total is None and name in COUNTED:
            yield Check(f"{name} {OF_THE_PART}", share, None, None, resource=True)


def _used(called: str, limit: float, used: Resources | None, name: str, *, wide: bool) -> Check:
    """A limit on one resource; with ``wide`` an interval without content counts too."""
    value = None if used is None else getattr(used, name)
    if used is None or value is None:
        return Check(called, limit, None, None, resource=True)
    low, high = used.intervals.get(name, (value, value))
    return Check(called, limit, low, high, resource=True, value=value, accept_wide=wide)


def _existence(used: Resources | None, latency: Latency | None) -> Iterator[Check]:
    """A tool removes a function whose outputs depend on no input: nothing is left that could meet a budget.

    Wires alone take no resources, but cycles.
    """
    counts = [] if used is None else [getattr(used, name) for name in RESOURCE_NAMES]
    known = [count for count in counts if count is not None]
    cycles = None if latency is None else latency.cycles_max
    if known and not any(known) and not cycles:
        built = None if cycles is None else 0.0
        yield Check("logic that was built", 1.0, built, built, at_least=True)


def _exactness(qor: QoR) -> Check:
    return Check("csim match", 1.0, qor.csim_match, qor.csim_match, at_least=True, exactness=True)


def _quality_checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    """The floor that is nearer to failing: of the loss with the error of a difference, of the accuracy with its own."""
    if budget.max_accuracy_loss is not None and baseline is None:
        yield Check(
            "accuracy", 0.0, None, None, at_least=True, quality=True, why="the original's is not known"
        )
        return
    events = qor.metrics.get("events")
    floors = []
    if budget.max_accuracy_loss is not None and baseline is not None:
        floors.append((baseline - budget.max_accuracy_loss, qor.metrics.get("loss_error")))
    if budget.min_accuracy is not None:
        floors.append((budget.min_accuracy, qor.metrics.get("accuracy_error")))
    if floors:
        yield floor_check("accuracy", qor.accuracy, floors, None if events is None else int(events))


def floor_check(
    name: str,
    value: float | None,
    floors: Iterable[tuple[float, float | None]],
    events: int | None,
    original: float | None = None,
) -> Check:
    """A figure of quality against the floor it is nearest to fail, each floor with the statistical error (one standard
    deviation) of the figure's distance to it; an error of None is not known and counts as none. With the ``original``'s
    figure a loss within its error is not called one."""
    floor, error = max(floors, key=lambda pair: pair[0] + abs(pair[1] or 0.0))
    spread = abs(error or 0.0)
    if value is None or not spread or events is None:
        return Check(name, floor, value, value, at_least=True, quality=True)
    low, high = max(value - spread, min(value, 0.0)), min(value + spread, max(value, 1.0))
    lost = original is None or original - value > spread
    return Check(name, floor, low, high, at_least=True, quality=True, value=value, events=events, lost=lost)


def on_test(qor: QoR, budget: Budget | None) -> Check | None:
    """The accuracy limits on the test split, which decides nothing but may contradict; None where none is set or the
    split was not measured."""
    own = {name: qor.metrics.get(f"test_{name}") for name in ("accuracy_error", "loss_error", "events")}
    seen = qor.with_(accuracy=qor.metrics.get("test_accuracy"), metrics=own)
    limits = None if budget is None else budget
    if limits is None or seen.accuracy is None:
        return None
    found = _quality_checks(seen, limits, qor.metrics.get("test_accuracy_float"))
    return next(found, None)


def _latency_checks(latency: Latency | None, budget: Budget) -> Iterator[Check]:
    found = latency or Latency()
    wide = budget.accept_wide
    if budget.latency_ns is not None:
        limits = (budget.latency_ns, found.worst_ns_lo, found.worst_ns_hi)
        yield Check("latency", *limits, unit="ns", value=found.worst_ns, accept_wide=wide)
    if budget.latency_cycles is not None:
        low = found.cycles_max if found.cycles_max_lo is None else found.cycles_max_lo
        high = found.cycles_max if found.cycles_max_hi is None else found.cycles_max_hi
        limits = (budget.latency_cycles, low, high)
        yield Check("latency cycles", *limits, unit="cycles", value=found.cycles_max, accept_wide=wide)
    if budget.ii_cycles is not None:
        yield Check("II", budget.ii_cycles, found.ii_cycles, found.ii_cycles, "cycles")
    yield from _timing(found, asked=budget.timing)


def _timing(latency: Latency, *, asked: bool) -> Iterator[Check]:
    """As the tool flags it. A violation after synthesis that nobody asked about leaves the verdict open: only placing
    and routing can tell. An estimate's clock is bounded in its ns already."""
    met, measured = latency.timing_met, latency.clock_estimated_hi_ns is None
    slack = "" if latency.slack_ns is None else f" (slack {latency.slack_ns:.3f} ns)"
    why = f"the tool flags it as missed{slack}" if met is False else ""
    if asked:
        value = None if met is None else float(met)
        yield Check("timing", 1.0, value, value, at_least=True, why=why)
    elif met is False and measured:
        yield Check("timing", 1.0, 0.0, 1.0, at_least=True, why=f"{why}, routing decides")


def _resource_checks(resources: Resources | None, budget: Budget) -> Iterator[Check]:
    for name, limit in budget.resources.model_dump().items():
        if limit is not None:
            yield _used(name, limit, resources, name, wide=budget.accept_wide)
