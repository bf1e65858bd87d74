"""Three-valued verdicts: MET, MISSED or UNKNOWN for a QoR against a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

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

    @property
    def verdict(self) -> Verdict:
        if self.low is None or self.high is None:
            return Verdict.UNKNOWN
        best, worst = (self.high, self.low) if self.at_least else (self.low, self.high)
        if self._holds(worst):
            return Verdict.MET
        return Verdict.UNKNOWN if self._holds(best) else Verdict.MISSED

    def _holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def margin(self) -> float | None:
        """Distance to the limit at the bad end of the interval; negative when it fails there."""
        worst = self.low if self.at_least else self.high
        if worst is None:
            return None
        return worst - self.limit if self.at_least else self.limit - worst

    @property
    def text(self) -> str:
        """Name, figure and limit."""
        sign = ">=" if self.at_least else "<="
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} {_interval(self.low, self.high)}{unit} (limit {sign} {self.limit:g})"

    def __str__(self) -> str:
        return f"{self.text}: {self.verdict}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not measured"
    return f"{low:.4g}" if low == high else f"{low:.4g}..{high:.4g}"


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
        names = [check.name for check in self.checks if not check.name.endswith("of the part")]
        if len(names) < len(self.checks):
            names.append("what the part has")
        unjudged = [] if any(check.quality for check in self.checks) else ["no quality was judged"]
        exact = [] if any(check.exactness for check in self.checks) else ["exactness was not judged"]
        rests = f"rests on {', '.join(names)}" if names else "rests on nothing"
        return "; ".join([rests, *unjudged, *exact])

    @property
    def accuracy_verdict(self) -> Verdict:
        """The verdict on the floors of accuracy and other quality alone; MET when there are none."""
        floors = [check.verdict for check in self.checks if check.quality]
        return combine(floors) if floors else Verdict.MET


def judge(qor: QoR, budget: Budget | None, *, baseline_accuracy: float | None = None) -> Judgement:
    """Judge ``qor`` by ``budget``; without one by exactness alone.

    ``baseline_accuracy`` (a share, on the same split) is what ``max_accuracy_loss`` counts from. Figures of
    another design than ``budget.deliver`` are not used: RTL cycles never decide on the HLS project.
    """
    if budget is None:
        return Judgement.of([_exactness(qor)])
    return Judgement.of(_checks(qor, budget, baseline_accuracy))


def combine(verdicts: list[Verdict]) -> Verdict:
    """MISSED if any is, else UNKNOWN if any is or nothing was checked, else MET."""
    if Verdict.MISSED in verdicts:
        return Verdict.MISSED
    return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts or not verdicts else Verdict.MET


def _checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    same_design = qor.design == budget.deliver
    yield from _latency_checks(qor.latency if same_design else None, budget)
    yield from _resource_checks(qor.resources if same_design else None, budget)
    if same_design:
        yield from _capacity_checks(qor, budget)
        yield from _existence(qor)
    floor = accuracy_floor(budget, baseline)
    if floor is not None:
        yield Check("accuracy", floor, qor.accuracy, qor.accuracy, at_least=True, quality=True)
    elif budget.max_accuracy_loss is not None:
        yield Check("accuracy", 0.0, None, None, at_least=True, quality=True)
    if budget.exact:
        yield _exactness(qor)


def _capacity_checks(qor: QoR, budget: Budget) -> Iterator[Check]:
    """What the part has is a limit whoever asks: a design that does not fit it is none.

    One check for each resource whose figure is known; one that is open where nobody knows what the part has.
    """
    used = qor.resources
    if used is None:
        return
    there = used.available or capacity(qor.part)
    if there is None and qor.part is not None:
        yield Check(f"fits {qor.part}, whose resources are not known here", 1.0, None, None, resource=True)
    for name in RESOURCE_NAMES if there is not None else ():
        value, total = getattr(used, name), getattr(there, name)
        if value is not None and total is not None:
            low, high = used.intervals.get(name, (value, value))
            yield Check(f"{name} of the part", budget.part_share * total, low, high, resource=True)


def _existence(qor: QoR) -> Iterator[Check]:
    """A tool removes a function whose outputs depend on no input: nothing is left that could meet a budget."""
    used, latency = qor.resources, qor.latency
    counts = [] if used is None else [getattr(used, name) for name in RESOURCE_NAMES]
    known = [count for count in counts if count is not None]
    if known and not any(known) and latency is not None and latency.cycles_max == 0:
        yield Check("logic that was built", 1.0, 0.0, 0.0, at_least=True)


def _exactness(qor: QoR) -> Check:
    return Check("csim match", 1.0, qor.csim_match, qor.csim_match, at_least=True, exactness=True)


def accuracy_floor(budget: Budget, baseline: float | None) -> float | None:
    """The lowest accuracy (share) the budget allows; None when it sets none or the baseline it needs is missing."""
    if budget.max_accuracy_loss is None:
        return budget.min_accuracy
    if baseline is None:
        return None
    from_loss = baseline - budget.max_accuracy_loss
    return from_loss if budget.min_accuracy is None else max(from_loss, budget.min_accuracy)


def _latency_checks(latency: Latency | None, budget: Budget) -> Iterator[Check]:
    found = latency or Latency()
    if budget.latency_ns is not None:
        yield Check("latency", budget.latency_ns, found.worst_ns_lo, found.worst_ns_hi, "ns")
    if budget.latency_cycles is not None:
        low = found.cycles_max if found.cycles_max_lo is None else found.cycles_max_lo
        high = found.cycles_max if found.cycles_max_hi is None else found.cycles_max_hi
        yield Check("latency cycles", budget.latency_cycles, low, high, "cycles")
    if budget.ii_cycles is not None:
        yield Check("II", budget.ii_cycles, found.ii_cycles, found.ii_cycles, "cycles")
    if budget.timing:
        met = None if found.timing_met is None else float(found.timing_met)
        yield Check("timing", 1.0, met, met, at_least=True)


def _resource_checks(resources: Resources | None, budget: Budget) -> Iterator[Check]:
    found = resources or Resources()
    for name, limit in budget.resources.model_dump().items():
        if limit is not None:
            value = getattr(found, name)
            low, high = (None, None) if value is None else found.intervals.get(name, (value, value))
            yield Check(name, limit, low, high, resource=True)
