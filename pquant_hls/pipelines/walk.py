"""A walk over the bench: try steps from where one stands, keep the result or roll back, and write down
both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pquant_hls.compress import Step
from pquant_hls.engine import Point, Workbench, loss
from pquant_hls.errors import NoGain, SpecError, UnsupportedModel
from pquant_hls.spec import StepConfig

AnyStep = StepConfig | Step[Any]
Objection = Callable[[Point, Point], str | None]
"""(before, after) -> why the new point must not be kept; None to keep it."""


@dataclass
class Walk:
    """``point`` is always the last one kept: a rejected attempt leaves it, the very same weights, as it was.

    ``possible`` tells whether the last attempt could be made at all, ``idle`` whether it changed nothing or
    had nothing to gain.
    """

    bench: Workbench
    point: Point
    history: list[dict[str, Any]] = field(default_factory=list)
    possible: bool = True
    idle: bool = False

    def attempt(self, stage: str, steps: Sequence[AnyStep], objection: Objection) -> bool:
        """Apply ``steps`` one after another; True and a new ``point`` when nothing objects."""
        before, self.possible, self.idle = self.point, True, False
        try:
            after = self._applied(before, steps)
        except NoGain as cause:
            self.idle = True
            self.write(stage, steps, before, None, f"left out: {cause}")
            return False
        except (SpecError, UnsupportedModel) as cause:
            self.possible = False
            self.write(stage, steps, before, None, f"not possible: {cause}")
            return False
        self.idle = after.digest == before.digest
        reason = "changes nothing" if self.idle else objection(before, after)
        if reason is None:
            self.point = after
        self.write(stage, steps, before, after, reason)
        return reason is None

    def _applied(self, point: Point, steps: Sequence[AnyStep]) -> Point:
        """The steps in order; when the first finds nothing to do, the others have no part in this."""
        before = point
        for step in steps:
            point = self.bench.apply(point, step)
            if point.digest == before.digest:
                break
        return point

    def write(
        self, stage: str, steps: Sequence[AnyStep], before: Point, after: Point | None, objection: str | None
    ) -> None:
        """One line of history: what was tried, what it gave, whether it was kept and why not."""
        entry = {
            "kind": "stage",
            "number": len(self.history) + 1,
            "stage": stage,
            "step": " + ".join(name_of(step) for step in steps),
            "settings": [settings_of(step) for step in steps],
            "parent": before.digest,
            **figures(self.bench, before if after is None else after),
            "kept": objection is None,
            "reason": _outcome(objection),
        }
        self.history.append(entry)
        self.bench.record(entry, sentence(entry))


def _outcome(objection: str | None) -> str:
    if objection is None:
        return "kept"
    return objection if objection.startswith("left out") else f"rolled back: {objection}"


def name_of(step: AnyStep) -> str:
    """The step's name in recipes."""
    return step.config.step if isinstance(step, Step) else step.step


def settings_of(step: AnyStep) -> dict[str, Any]:
    """What was asked of the step beside its defaults."""
    config = step.config if isinstance(step, Step) else step
    return config.model_dump(mode="json", exclude_unset=True)


def figures(bench: Workbench, point: Point) -> dict[str, Any]:
    """A point in figures: digest, accuracy with its error, degradation against the baseline (shares), sizes,
    latency."""
    score = bench.score(point)
    accuracy = score.figures.get("accuracy")
    fallen = None if bench.baseline is None else loss(bench.baseline, score)
    latency = None if point.qor is None else point.qor.latency
    return {
        "digest": point.digest,
        "accuracy": None if accuracy is None else accuracy.value,
        "accuracy_error": None if accuracy is None else accuracy.error,
        "degradation": None if fallen is None else fallen[0],
        "degradation_error": None if fallen is None else fallen[1],
        "compression_ratio": point.ratio,
        "units": None if point.account is None else dict(point.account.units),
        "ebops": None if point.account is None else point.account.ebops,
        "cycles": None if latency is None else latency.cycles_max,
        "worst_ns": None if latency is None else latency.worst_ns_hi,
    }


def sentence(entry: dict[str, Any]) -> str:
    """A line of history for people."""
    accuracy = "-" if entry["accuracy"] is None else f"{100 * entry['accuracy']:.2f} %"
    ratio = "-" if entry["compression_ratio"] is None else f"{entry['compression_ratio']:.2f}"
    ns = "" if entry["worst_ns"] is None else f", up to {entry['worst_ns']:.0f} ns"
    return f"{entry['stage']}: accuracy {accuracy}, ratio {ratio}{ns}: {entry['reason']}"
