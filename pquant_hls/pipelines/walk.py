"""A walk over the bench: try steps from where one stands, keep the result or roll back, and write down
both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pquant_hls.compress import Step
from pquant_hls.engine import Point, Workbench, figures
from pquant_hls.errors import NoGain, SpecError, UnsupportedModel
from pquant_hls.qor.words import count, headline_texts, percent
from pquant_hls.spec import StepConfig
from pquant_hls.store import Entry, Status

KEPT: tuple[Status, str] = ("kept", "")

AnyStep = StepConfig | Step[Any]
Objection = Callable[[Point, Point], str | None]
"""(before, after) -> why the new point must not be kept; None to keep it."""


@dataclass
class Walk:
    """``point`` is always the last one kept: a rejected attempt leaves it, the very same weights, as it was."""

    bench: Workbench
    point: Point
    history: list[Entry] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether the last attempt changed nothing or had nothing to gain."""
        return bool(self.history) and self.history[-1].status in {"idle", "left_out"}

    @property
    def possible(self) -> bool:
        """Whether the last attempt could be made at all."""
        return not self.history or self.history[-1].status != "failed"

    def attempt(self, stage: str, steps: Sequence[AnyStep], objection: Objection) -> bool:
        """Apply ``steps`` one after another; True and a new ``point`` when nothing objects."""
        before = self.point
        try:
            after = self._applied(before, steps)
        except NoGain as cause:
            return self.write(stage, steps, before, None, ("left_out", str(cause)))
        except (SpecError, UnsupportedModel) as cause:
            return self.write(stage, steps, before, None, ("failed", str(cause)))
        if after.digest == before.digest:
            return self.write(stage, steps, before, after, ("idle", ": ".join(after.notes)))
        reason = objection(before, after)
        if reason is not None:
            return self.write(stage, steps, before, after, ("rolled_back", reason))
        self.point = after
        return self.write(stage, steps, before, after)

    def _applied(self, point: Point, steps: Sequence[AnyStep]) -> Point:
        """The steps in order; when the first finds nothing to do, the others have no part in this."""
        before = point
        for step in steps:
            point = self.bench.apply(point, step)
            if point.digest == before.digest:
                break
        return point

    def write(
        self,
        stage: str,
        steps: Sequence[AnyStep],
        before: Point,
        after: Point | None,
        outcome: tuple[Status, str] = KEPT,
        **settings: Any,
    ) -> bool:
        """One line of history: what was tried, what it gave, its status and reason; returns whether it was kept."""
        names = " + ".join(name_of(step) for step in steps)
        entry = Entry(
            kind="stage",
            name=stage,
            number=len(self.history) + 1,
            parent=before.digest,
            digest=(before if after is None else after).digest,
            settings={"step": names, "settings": [settings_of(step) for step in steps], **settings},
            figures=figures(self.bench, before if after is None else after),
            status=outcome[0],
            reason=outcome[1],
        )
        self.history.append(entry)
        self.bench.record(entry, sentence(entry))
        return outcome[0] == "kept"


def name_of(step: AnyStep) -> str:
    """The step's name in recipes."""
    return step.config.step if isinstance(step, Step) else step.step


def settings_of(step: AnyStep) -> dict[str, Any]:
    """What was asked of the step beside its defaults."""
    config = step.config if isinstance(step, Step) else step
    return config.model_dump(mode="json", exclude_unset=True)


def sentence(entry: Entry) -> str:
    """A line of history for people."""
    found = entry.figures
    told = headline_texts(found.get("quality"))
    quality = f"accuracy {percent(found['accuracy'])}" if told is None else ", ".join(told[0].split("\n"))
    ratio = "-" if found["compression_ratio"] is None else f"{found['compression_ratio']:.2f}"
    ns = "" if found["worst_ns"] is None else f", up to {count(found['worst_ns'])} ns"
    return f"{entry.name}: {quality}, ratio {ratio}{ns}: {entry['reason']}"
