"""The designs worth keeping of one training: no other is cheaper and at least as good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Standing = tuple[float, float]


@dataclass(frozen=True)
class FrontPoint:
    """A model on the way: its standing on the validation split (``train.Pressure``), EBOPs, epoch, and weights in Keras'
    order.
    """

    standing: Standing
    ebops: float
    epoch: int
    weights: list[NDArray[Any]] = field(repr=False, compare=False)

    @property
    def score(self) -> float:
        """Validation score, higher is better."""
        return self.standing[1]


@dataclass
class Front:
    """Points by EBOPs, each better than all cheaper ones."""

    points: list[FrontPoint] = field(default_factory=list)

    def __iter__(self) -> Iterator[FrontPoint]:
        return iter(self.points)

    def takes(self, standing: Standing, ebops: float) -> bool:
        """Whether such a point would be on the front."""
        return not any(point.standing >= standing and point.ebops <= ebops for point in self.points)

    def add(self, point: FrontPoint) -> None:
        """Put a point in and take out those that it beats; without effect where it is beaten itself."""
        if self.takes(point.standing, point.ebops):
            beaten = [point.standing >= old.standing and point.ebops <= old.ebops for old in self.points]
            stay = [old for old, lost in zip(self.points, beaten, strict=True) if not lost]
            self.points = sorted([*stay, point], key=lambda one: one.ebops)

    def cheapest(self, tolerance: float) -> FrontPoint:
        """The cheapest whose score is within a share ``tolerance`` of the best one's, among those that miss least of their
        floors. Raises ValueError for an empty front.
        """
        best = max(self.points, key=lambda point: point.standing)
        least = best.score - tolerance * abs(best.score)
        return next(p for p in self.points if p.standing[0] >= best.standing[0] and p.score >= least)
