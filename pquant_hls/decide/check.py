"""A limit, the figure against it and the three-valued verdict that they give; checks together are a judgement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from pquant_hls.qor.words import number

OF_THE_PART = "of the part"
"""How the names of checks on what the part has end."""


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
            expected = number(self.value or 0.0)
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
        return f"{self.name} {self._figure(digits)}{unit} (limit {sign} {number(self.limit, digits)}{remark})"

    def _figure(self, digits: int) -> str:
        if self.low is None or self.high is None:
            return "not measured"
        if self.low == self.high:
            return number(self.low, digits)
        if self.events is not None and self.value is not None:
            return f"{number(self.value, digits)} ± {number(self._error, 2)}"
        return f"{number(self.low, digits)}..{number(self.high, digits)}"

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


def _digits(limit: float, figures: Iterable[float]) -> int:
    """As many digits, at least 4, as tell the limit from every figure that is not the limit itself."""
    others = [value for value in figures if value != limit]
    for digits in range(4, 17):
        if all(number(value, digits) != number(limit, digits) for value in others):
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
    """The verdict and every check behind it; ``measured`` says what is known of the quality where nothing limits it."""

    verdict: Verdict
    checks: tuple[Check, ...]
    measured: str = ""

    @classmethod
    def of(cls, checks: Iterable[Check], measured: str = "") -> Judgement:
        """The verdict that these checks give together."""
        found = tuple(checks)
        return cls(combine([check.verdict for check in found]), found, measured)

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
        seen = f" ({self.measured})" if self.measured else ""
        judged = any(check.quality for check in self.checks)
        unjudged += [] if judged else [f"no quality was judged{seen}"]
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


def unmet(checks: Sequence[Check]) -> dict[str, list[str]]:
    """As a ledger holds it: by ``broke`` the names of limits that are expected to break, by ``open`` of those that are not
    known to hold; what is empty is left out."""
    kinds = {"broke": Verdict.MISSED, "open": Verdict.UNKNOWN}
    found = {word: [check.name for check in checks if check.expected is kind] for word, kind in kinds.items()}
    return {word: names for word, names in found.items() if names}


def combine(verdicts: list[Verdict]) -> Verdict:
    """MISSED if any is, else UNKNOWN if any is or nothing was checked, else MET."""
    if Verdict.MISSED in verdicts:
        return Verdict.MISSED
    return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts or not verdicts else Verdict.MET
