"""Stages of growing strength towards a compression ratio, each kept or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pquant_hls.engine import Goal, Point, loss
from pquant_hls.pipelines.walk import AnyStep, Walk

Make = Callable[[float], Sequence[AnyStep]]
Milder = Callable[[float | None, float], float | None]


@dataclass
class Climb:
    """Stages of growing strength, while the target is not reached and the floors hold."""

    walk: Walk
    goal: Goal
    target: float
    limits: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        return (self.walk.point.ratio or 1.0) >= self.target

    def stage(self, name: str, rungs: Iterable[float], make: Make, milder: Milder) -> None:
        """Climb ``rungs``, each worked out when the one before is done; a rung that falls below a floor is tried once
        milder, and ends the stage."""
        held: float | None = None
        for rung in rungs:
            if self.reached:
                return
            if self.walk.attempt(name, make(rung), self._objection):
                held = rung
                self.limits.pop(name, None)
                continue
            if self.walk.idle:  # too little to remove one unit: the next rung asks for more
                self.limits[name] = self.walk.history[-1].why
                continue
            self.limits[name] = self.walk.history[-1].why
            half = milder(held, rung) if self.walk.possible else None
            if half is not None and not self.walk.attempt(f"{name}, milder", make(half), self._objection):
                self.limits[name] = self.walk.history[-1].why
            return

    def _objection(self, before: Point, after: Point) -> str | None:
        if (after.ratio or 0.0) <= (before.ratio or 1.0):
            return f"does not compress: ratio {after.ratio or 0.0:.2f} after {before.ratio or 1.0:.2f}"
        return self.goal.lost(self.walk.bench, after)

    def worse(self, before: Point, after: Point) -> str | None:
        """Why fine-tuning did harm: less accurate, or training gave back weights that the target needs."""
        fallen = loss(self.walk.bench.score(before), self.walk.bench.score(after))
        if fallen is not None and fallen[0] > 0:
            return "is less accurate than before"
        lost_target = self.reached and (after.ratio or 0.0) < self.target
        return (
            f"falls to ratio {after.ratio or 0.0:.2f}"
            if lost_target
            else self.goal.lost(self.walk.bench, after)
        )

    def summary(self) -> str:
        ratio = self.walk.point.ratio or 1.0
        if self.reached:
            return f"compression ratio {ratio:.2f} reaches the target of {self.target:g}"
        limits = (
            "; ".join(f"{name}: {limit}" for name, limit in self.limits.items())
            or "every stage is at its end"
        )
        return f"stopped at compression ratio {ratio:.2f} of {self.target:g}: {limits}"


def halfway(held: float | None, tried: float) -> float:
    """The middle between the last that held (None: nothing) and what was tried."""
    return ((held or 0.0) + tried) / 2


def bits_between(held: float | None, tried: float) -> float | None:
    """The width between the last that held and this one; the first is halved towards 16 bits."""
    middle = (16 if held is None else held) - ((16 if held is None else held) - tried) // 2
    return None if middle in (held, tried) else middle
