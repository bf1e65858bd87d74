"""The adaptive pipeline: each next move is the one whose last measured gain was best for the accuracy it
cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pquant_hls.decide import Check, Verdict
from pquant_hls.engine import Ending, Gate, Goal, Point, Workbench, floors_on, loss, quantized
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.setup import Setup, Share, as_budget, validated
from pquant_hls.pipelines.walk import KEPT, AnyStep, Walk
from pquant_hls.spec import Budget
from pquant_hls.spec.steps import FineTuneConfig, LowRankConfig, PruneConfig, QuantizeConfig

WORSE = 0.5
"""A move that gives less than this share of its prediction is a disappointment."""

LEAST_LOSS = 0.002
"""Accuracy (a share) that even a free move is charged, so that gains per accuracy stay finite."""

LEAST_GAIN = 0.002
"""A gain, as a share of the budget, below which a move does not pay."""

PATIENCE = 4
"""Moves in a row that may gain no cycles (or LUTs): a plateau between two steps of the latency."""

MOST_MOVES = 30


@dataclass(frozen=True)
class MoveKind:
    """One kind of move: its present size, smallest size, and what it is predicted to give.

    ``gain`` is the drop of the cost (see ``cost_with_ebops``), ``loss`` the accuracy it takes (a share); None: not
    known yet. ``afresh`` : it is made on the original, and what else was turned is made again after it.
    """

    name: str
    size: float
    least: float
    afresh: bool = False
    gain: float | None = None
    loss: float | None = None

    @property
    def worth(self) -> float:
        """Gain for each point of accuracy; what was never tried comes first."""
        return float("inf") if self.gain is None else self.gain / max(self.loss or 0.0, LEAST_LOSS)

    def __str__(self) -> str:
        known = (
            "not tried yet"
            if self.gain is None
            else f"{self.gain:.3f} for {100 * (self.loss or 0):.2f} points"
        )
        return f"{self.name} by {self.size:g} ({known})"


class AdaptivePipeline(Trainable):
    """Meet ``budget`` by whichever of pruning, fewer bits and low rank pays best, measured move by move.

    Parameters
    ----------
    budget : Budget, mapping, ns, or text such as ``"50 ns"``.
    max_accuracy_loss : floor against the original (a share; of an rmse a share of the original's), where the budget
        sets none.

    A move that breaks a floor or gains nothing is taken back; one that does, or that gave less than half of
    its prediction for accuracy it was not predicted to cost, is tried in half the size next time. It stops
    when the budget is met or no move pays, and hands back the last point that gained on the budget.

    >>> AdaptivePipeline("50 ns").budget.latency_ns
    50.0
    """

    name: ClassVar[str] = "adaptive"

    def __init__(self, budget: Any, max_accuracy_loss: float = 0.02, **options: Any) -> None:
        found = as_budget(budget)
        if found is None:
            raise SpecError("a budget is needed", where="budget")
        super().__init__(budget=found, **options)
        self.budget: Budget = found
        most: float = validated(Share, max_accuracy_loss, "max_accuracy_loss")
        self.floor = Gate(
            "accuracy", max_loss=most if found.max_accuracy_loss is None else found.max_accuracy_loss
        )

    def settings(self) -> dict[str, Any]:
        return {"floor": repr(self.floor)}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        budget = setup.budget or self.budget
        own = () if budget.quality else floors_on(bench.baseline, self.floor.max_loss or 0.0)
        goal = Goal(gates=(*own, *setup.gates), budget=budget)
        search = AdaptiveSearch(bench, goal, setup, Walk(bench, start), start)
        search.begin()
        reason = search.run()
        return Ending(search.walk.point, goal, reason, tuple(search.walk.history))


class AdaptiveSearch:
    """The state of one adaptive search: where it stands, what it has turned, what each kind of move gave
    last."""

    def __init__(self, bench: Workbench, goal: Goal, setup: Setup, walk: Walk, start: Point) -> None:
        self.bench, self.goal, self.setup, self.walk, self.start = bench, goal, setup, walk, start
        self.bits, self.sparsity, self.energy = 8, 0.0, 1.0
        self.gained, self.stale = walk.point, 0
        self.moves = [
            MoveKind("pruning", 0.25, 0.05),
            MoveKind("bits", 1, 1),
            MoveKind("low rank", 0.05, 0.01, afresh=True),
        ]
        self.make: dict[str, Callable[[MoveKind], list[AnyStep]]] = {
            "pruning": self._prune,
            "bits": self._fewer_bits,
            "low rank": self._low_rank,
        }

    def begin(self) -> None:
        """The first point that is firmware: 8 bits, or 12 and 16 where that breaks a floor."""
        for bits in (8, 12, 16):
            self.bits = bits
            step = QuantizeConfig(bits=bits, **self.setup.fit())
            if self.walk.attempt("quantization", [step], lambda _, after: self.goal.lost(self.bench, after)):
                self.walk.point = self.gained = self.bench.sketch(self.walk.point)
                return

    def run(self) -> str:
        """Move until the budget is met or nothing pays; says which."""
        if not quantized(self.walk.point):
            return "no width up to 16 bits keeps the quality that is asked for"
        for _ in range(MOST_MOVES):
            if self.met(self.walk.point):
                return "the budget is met"
            if all(
                check.expected is Verdict.MET or check.open_for_good
                for check in self._checks(self.walk.point)
            ):
                return "what is open no move can close"
            move = self.next_move()
            if move is None or self.stale >= PATIENCE:
                return self._give_up(
                    "no move pays any more"
                    if move is None
                    else f"{PATIENCE} moves in a row gained nothing on it"
                )
            self.turn(move)
        return self._give_up(f"{MOST_MOVES} moves are used up")

    def _give_up(self, why: str) -> str:
        """Back to the last point that gained on the budget: what came after only cost accuracy."""
        if self.walk.point.digest == self.gained.digest:
            return why
        self.walk.write("back to the last gain", [], self.walk.point, self.gained)
        self.walk.point = self.gained
        return f"{why}; back to the last point that gained"

    def met(self, point: Point) -> bool:
        """Whether the point would be MET, exactness left to csim at hand-over."""
        return all(check.verdict is Verdict.MET for check in self._checks(point))

    def _checks(self, point: Point) -> list[Check]:
        found = self.goal.judge(self.bench, point).checks
        return [check for check in found if not check.exactness]

    def next_move(self) -> MoveKind | None:
        """The open move with the best predicted gain for its loss; None when none is predicted to pay."""
        paying = [move for move in self.moves if move.gain is None or move.gain > LEAST_GAIN]
        return max(paying, key=lambda move: move.worth, default=None)

    def turn(self, move: MoveKind) -> None:
        """Make one move, measure it, keep or take it back, and learn from it."""
        before, others = self.walk.point, "; ".join(str(other) for other in self.moves)
        try:
            after = self._applied(self.start if move.afresh else before, self.make[move.name](move))
        except (SpecError, UnsupportedModel) as cause:
            self._learn(move, 0.0, 0.0, shrink=False)
            why = f"{cause}; chosen from {others}"
            self.walk.write(f"{move.name} by {move.size:g}", [], before, None, ("failed", why))
            return
        gain = cost_with_ebops(before, self.goal) - cost_with_ebops(after, self.goal)
        fallen = loss(self.bench.score(before), self.bench.score(after)) or (0.0, 0.0)
        broken = self.goal.lost(self.bench, after)
        objection = broken or (None if gain > 0 else f"gains nothing ({gain:+.3f} of the budget)")
        worse = (
            move.gain is not None
            and gain < WORSE * move.gain
            and fallen[0] > max(fallen[1], move.loss or 0.0)
        )
        self.walk.write(
            f"{move.name} by {move.size:g}",
            self.make[move.name](move),
            before,
            after,
            KEPT if objection is None else ("rolled_back", objection),
            reasoning=f"gain {gain:.3f} for {100 * fallen[0]:.2f} points; chosen from {others}",
        )
        self._learn(move, gain, max(fallen[0], 0.0), shrink=objection is not None or worse)
        if objection is None:
            self._keep(move, after)

    def _applied(self, point: Point, steps: list[AnyStep]) -> Point:
        if not steps:
            raise SpecError("at its end")
        for step in steps:
            point = self.bench.apply(point, step)
        return self.bench.sketch(point)

    def _learn(self, move: MoveKind, gain: float, fallen: float, *, shrink: bool) -> None:
        """What a kind of move gave is what it is expected to give; a disappointing one halves, and closes at
        its least."""
        size, known = (move.size / 2, gain / 2) if shrink else (move.size, gain)
        if shrink and size >= move.least:
            known = max(known, 2 * LEAST_GAIN)  # a smaller one deserves one try
        elif shrink:
            size, known = move.size, 0.0
        self.moves[self.moves.index(move)] = replace(move, size=size, gain=known, loss=fallen)

    def _keep(self, move: MoveKind, after: Point) -> None:
        self.walk.point = after
        if budget_cost(after, self.goal) < budget_cost(self.gained, self.goal):
            self.gained, self.stale = after, 0
        else:
            self.stale += 1
        if move.name == "pruning":
            self.sparsity = self._more_sparsity(move)
        elif move.name == "bits":
            self.bits -= int(move.size)
        else:
            self.energy -= move.size

    def _more_sparsity(self, move: MoveKind) -> float:
        """``size`` is a share of the weights that are left."""
        return round(1 - (1 - self.sparsity) * (1 - move.size), 4)

    def _requantize(self, bits: int) -> QuantizeConfig:
        return QuantizeConfig(bits=bits, **self.setup.fit())

    def _prune(self, move: MoveKind) -> list[AnyStep]:
        return [self._cut(self._more_sparsity(move)), self._requantize(self.bits)]

    def _cut(self, sparsity: float) -> PruneConfig:
        weights = None if self.start.account is None else self.start.account.kernel_weights
        return PruneConfig(
            sparsity=sparsity, sparsity_of="weights", reference_weights=weights, seed=self.setup.seed
        )

    def _fewer_bits(self, move: MoveKind) -> list[AnyStep]:
        bits = self.bits - int(move.size)
        return [self._requantize(bits)] if bits >= 2 else []

    def _low_rank(self, move: MoveKind) -> list[AnyStep]:
        """Factors are made of the float layers; the factors are trained before they are cut and quantized."""
        factors = LowRankConfig(energy=round(self.energy - move.size, 4), seed=self.setup.seed)
        cut = [self._cut(self.sparsity)] if self.sparsity > 0 else []
        return [factors, FineTuneConfig(**self.setup.fit()), *cut, self._requantize(self.bits)]


def budget_cost(point: Point, goal: Goal) -> float:
    """What the budget limits, each as a share of its limit, summed.

    Latency counts by the upper end of its interval. A figure that is not known counts as twice its limit.
    """
    return sum(
        2.0 if check.high is None else check.high / max(check.limit, 1e-9)
        for check in goal.budget_checks(point)
    )


def cost_with_ebops(point: Point, goal: Goal) -> float:
    """``budget_cost``, and 0.1 for each factor of e in EBOPs: progress that shows before the next cycle
    falls."""
    ebops = None if point.account is None else point.account.ebops
    return budget_cost(point, goal) + (0.0 if not ebops else 0.1 * math.log(ebops))
