"""Knobs of the loop: a parameter by its path, its rungs both ways, and the design as it looks after a turn.

One class a kind. Its ladder, how far and in what steps it goes, is the field of ``LoopSpec`` with its name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pquant_hls.decide.check import Judgement, Verdict
from pquant_hls.decide.depth import fewer_layers
from pquant_hls.decide.imagine import (
    coarser,
    of_adders,
    thinner_factors,
    with_reuse,
    without_units,
    without_weights,
)
from pquant_hls.errors import SpecError
from pquant_hls.qor import FixedPointGraph
from pquant_hls.spec import LoopSpec
from pquant_hls.spec.steps import MAX_BITS

REUSE_PATH = "hls.reuse_factor"
DISTRIBUTED_PATH = "hls.distributed_arithmetic"
LEAST = 1e-3
"""A share below which a turn of sparsity is none."""


@dataclass(frozen=True)
class Knob(ABC):
    """One parameter that the loop may turn.

    ``path`` is where it stands in the recipe, such as ``steps.2.bits``. Of knobs of one kind with the same ``of``
    one rules the design (``ruling``); a turn that leaves that one in charge changes nothing. ``most`` is the largest
    value that the model has a use for; None where it sets no bound.
    """

    path: str
    value: float
    of: str = ""
    most: float | None = None

    ladder: ClassVar[str]
    restarts: ClassVar[bool] = False
    """Whether giving back what it took needs the original's weights."""

    afresh: ClassVar[bool] = False
    """Whether every turn is made on the original, with its weights."""

    free: ClassVar[bool] = False
    """Whether a turn costs no accuracy; such a knob is turned first."""

    last_resort: ClassVar[bool] = False
    """Whether it is turned only where no other turn is predicted to do."""

    opened: ClassVar[bool] = True
    """Whether it is a knob without being named in ``loop:``."""

    @abstractmethod
    def tighter(self, loop: LoopSpec, found: Judgement | None = None, /) -> float | None:
        """The next rung towards the budget, where ``found`` says what fails; None at the end of the ladder."""

    @abstractmethod
    def looser(self, loop: LoopSpec, /) -> float | None:
        """A rung that gives accuracy back; None where there is none."""

    @abstractmethod
    def end(self, loop: LoopSpec) -> float:
        """The value with the lowest latency that the ladder allows."""

    def least(self, loop: LoopSpec) -> float:
        """The value with the fewest resources that the ladder allows; for most kinds that of the lowest latency."""
        return self.end(loop)

    @classmethod
    @abstractmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        """What knobs of this kind, in the recipe's order, come to together."""

    @classmethod
    @abstractmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        """The graph as it may look when the ruling value turns from ``now`` to ``then``."""

    @classmethod
    def redrawn(cls, graph: FixedPointGraph, now: Sequence[Knob], then: Sequence[Knob]) -> FixedPointGraph:
        """The graph as it may look when the knobs of this kind turn from ``now`` to ``then``."""
        return cls.imagine(graph, cls.ruling(now), cls.ruling(then))


class Sparsity(Knob):
    """Share of units or weights removed, upwards to tighten."""

    ladder = "sparsity"
    restarts = True

    def tighter(self, loop: LoopSpec, _found: Judgement | None = None, /) -> float | None:
        if loop.sparsity is None:
            return None
        new = min(1 - (1 - self.value) * (1 - loop.sparsity.step), loop.sparsity.max)
        return round(new, 4) if new > self.value + LEAST else None

    def looser(self, loop: LoopSpec, /) -> float | None:
        """Half a rung."""
        if loop.sparsity is None:
            return None
        new = 1 - (1 - self.value) / (1 - loop.sparsity.step / 2)
        return round(new, 4) if new > LEAST else None

    def end(self, loop: LoopSpec) -> float:
        return self.value if loop.sparsity is None else max(loop.sparsity.max, self.value)

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        """Every sparsity counts from the original: of one method the largest holds; two methods' shares multiply."""
        most = [
            max(knob.value for knob in knobs if knob.of == of) for of in dict.fromkeys(k.of for k in knobs)
        ]
        return most[0] if len(most) == 1 else 1 - math.prod(1 - value for value in most)

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return without_units(graph, _further(now, then))

    @classmethod
    def redrawn(cls, graph: FixedPointGraph, now: Sequence[Knob], then: Sequence[Knob]) -> FixedPointGraph:
        """What a knapsack saves goes weight by weight, what other methods do in units."""
        packed, others = ([knob for knob in now if (knob.of == PACKED) is which] for which in (True, False))
        if packed:
            after = [knob for knob in then if knob.of == PACKED]
            graph = without_weights(graph, _further(cls.ruling(packed), cls.ruling(after)))
        if others:
            after = [knob for knob in then if knob.of != PACKED]
            graph = cls.imagine(graph, cls.ruling(others), cls.ruling(after))
        return graph


PACKED = "knapsack"
"""What ``of`` is for the sparsity of a resource."""


def _further(now: float, then: float) -> float:
    """The share of what is left that goes when a share of the original grows from ``now`` to ``then``."""
    return max(0.0, 1.0 - (1.0 - then) / (1.0 - now)) if now < 1 else 0.0


class Rank(Knob):
    """Rank of the factors, downwards to tighten."""

    ladder = "rank"
    restarts = True
    afresh = True
    opened = False

    def tighter(self, loop: LoopSpec, _found: Judgement | None = None, /) -> float | None:
        if loop.rank is None:
            return None
        new = max(math.floor(self.value * (1 - loop.rank.step)), loop.rank.min)
        return new if new < self.value else None

    def looser(self, loop: LoopSpec, /) -> float | None:
        """Half a rung."""
        return None if loop.rank is None else self.value + max(1, round(self.value * loop.rank.step / 2))

    def end(self, loop: LoopSpec) -> float:
        return self.value if loop.rank is None else min(loop.rank.min, self.value)

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        return min(knob.value for knob in knobs)

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return thinner_factors(graph, max(0.0, 1 - then / now))


class Bits(Knob):
    """Width of weights and activations, downwards to tighten."""

    ladder = "bits"

    def tighter(self, loop: LoopSpec, _found: Judgement | None = None, /) -> float | None:
        if loop.bits is None:
            return None
        new = max(self.value - loop.bits.step, loop.bits.min)
        return new if new < self.value else None

    def looser(self, loop: LoopSpec, /) -> float | None:
        new = self.value + (0 if loop.bits is None else loop.bits.step)
        return new if self.value < new <= MAX_BITS else None

    def end(self, loop: LoopSpec) -> float:
        return self.value if loop.bits is None else min(loop.bits.min, self.value)

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        """The last quantization sets the grids."""
        return knobs[-1].value

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return coarser(graph, int(now - then))


class ReuseFactor(Knob):
    """How often a multiplier is used: down where cycles are missed, up where resources are; it costs no accuracy."""

    ladder = "reuse_factor"
    free = True
    opened = False

    def tighter(self, loop: LoopSpec, found: Judgement | None = None, /) -> float | None:
        if loop.reuse_factor is None or found is None:
            return None
        failing = [check for check in found.design if check.verdict is not Verdict.MET]
        scarce = {check.resource for check in failing}
        if scarce == {False} and self.value > loop.reuse_factor.min:
            return max(self.value // loop.reuse_factor.factor, loop.reuse_factor.min)
        if scarce == {True} and self.value < loop.reuse_factor.max:
            return min(self.value * loop.reuse_factor.factor, loop.reuse_factor.max)
        return None

    def looser(self, _loop: LoopSpec, /) -> float | None:
        return None

    def end(self, loop: LoopSpec) -> float:
        return self.value if loop.reuse_factor is None else min(loop.reuse_factor.min, self.value)

    def least(self, loop: LoopSpec) -> float:
        return self.value if loop.reuse_factor is None else max(loop.reuse_factor.max, self.value)

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        return knobs[-1].value

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return graph if now == then else with_reuse(graph, int(then))


class Distributed(Knob):
    """Whether sums are made of shared adders instead of multipliers (distributed arithmetic).

    It costs no accuracy, but may cost cycles: so it is no ``free`` turn, and taken where its forecast is the best.
    """

    ladder = "distributed_arithmetic"
    opened = False

    def tighter(self, loop: LoopSpec, found: Judgement | None = None, /) -> float | None:
        return 1.0 if loop.distributed_arithmetic and found is not None and self.value < 1 else None

    def looser(self, _loop: LoopSpec, /) -> float | None:
        return None

    def end(self, _loop: LoopSpec) -> float:
        """Where it is: what the other gives is asked for apart (``either``)."""
        return self.value

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        return knobs[-1].value

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return graph if now == then else of_adders(graph)

    @classmethod
    def either(cls, knobs: Knobs) -> Iterator[Knobs]:
        """The knobs as they are, and with this one turned where it can be: which is less depends on the design."""
        yield knobs
        yield from (knobs.turned(knob.path, 1.0) for knob in knobs.of_kind(cls) if knob.value < 1)


class Depth(Knob):
    """Hidden layers left out, upwards to tighten; each turn starts from the original's weights."""

    ladder = "dropped_layers"
    restarts = True
    afresh = last_resort = True

    def tighter(self, loop: LoopSpec, _found: Judgement | None = None, /) -> float | None:
        new = self.value + 1
        return new if new <= self.end(loop) else None

    def looser(self, loop: LoopSpec, /) -> float | None:
        return self.value - 1 if self.value >= 1 and loop.dropped_layers is not None else None

    def end(self, loop: LoopSpec) -> float:
        """The ladder's end, or what the model can lose."""
        if loop.dropped_layers is None:
            return self.value
        top = loop.dropped_layers.max
        return max(self.value, top if self.most is None else min(top, self.most))

    @classmethod
    def ruling(cls, knobs: Sequence[Knob]) -> float:
        """Each counts from the original: the largest holds."""
        return max(knob.value for knob in knobs)

    @classmethod
    def imagine(cls, graph: FixedPointGraph, now: float, then: float) -> FixedPointGraph:
        return fewer_layers(graph, int(then - now))


KINDS: dict[str, type[Knob]] = {
    kind.ladder: kind for kind in (Sparsity, Rank, Bits, ReuseFactor, Distributed, Depth)
}
"""Every kind by its ladder, in the order in which equal moves are taken."""


class Knobs(Mapping[str, float]):
    """Knobs of one setting, as a mapping from path to value, in the recipe's order."""

    def __init__(self, knobs: Iterable[Knob] = ()) -> None:
        self._by_path = {knob.path: knob for knob in knobs}

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Knobs:
        """These knobs; from a plain mapping, such as an old record's, each of the kind that ends its path."""
        if isinstance(values, Knobs):
            return values
        return cls(kind_of(path.rpartition(".")[2], path)(path, value) for path, value in values.items())

    def __getitem__(self, path: str) -> float:
        return self._by_path[path].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_path)

    def __len__(self) -> int:
        return len(self._by_path)

    def __repr__(self) -> str:
        return f"Knobs({dict(self)})"

    def knob(self, path: str) -> Knob:
        """The knob itself; KeyError where there is none."""
        return self._by_path[path]

    def of_kind(self, kind: type[Knob]) -> tuple[Knob, ...]:
        """The knobs of one kind."""
        return tuple(knob for knob in self._by_path.values() if isinstance(knob, kind))

    def turned(self, path: str, value: float) -> Knobs:
        """With one knob at another value."""
        return Knobs(
            replace(knob, value=value) if knob.path == path else knob for knob in self._by_path.values()
        )

    def counts(self, path: str, value: float) -> bool:
        """Whether turning this knob changes what its kind comes to."""
        kind = type(self._by_path[path])
        return kind.ruling(self.of_kind(kind)) != kind.ruling(self.turned(path, value).of_kind(kind))

    def at_end(self, loop: LoopSpec) -> Knobs:
        """Every knob at its end."""
        return Knobs(replace(knob, value=knob.end(loop)) for knob in self._by_path.values())

    def at_least(self, loop: LoopSpec) -> Knobs:
        """Every knob where the design takes the fewest resources."""
        return Knobs(replace(knob, value=knob.least(loop)) for knob in self._by_path.values())


def kind_of(ladder: str, where: str = "loop") -> type[Knob]:
    """The class of knobs on a ladder; SpecError for one that there is not."""
    if ladder not in KINDS:
        raise SpecError(f"no ladder {ladder!r}, they are {', '.join(KINDS)}", where=where)
    return KINDS[ladder]
