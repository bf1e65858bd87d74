"""The adaptive pipeline: each next move is the one whose last measured gain was best for the accuracy it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pquant_hls.decide import Verdict
from pquant_hls.engine import Gate, Point, loss
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.pipelines.base import Ending, Goal, Trainable, Workbench, quantized
from pquant_hls.pipelines.setup import Setup, as_budget
from pquant_hls.pipelines.walk import AnyStep, Walk
from pquant_hls.spec import Budget
from pquant_hls.spec.steps import LowRankConfig, PruneConfig, QuantizeConfig

WORSE = 0.5
"""A move that gives less than this share of its prediction is a disappointment."""

LEAST_LOSS = 0.002
"""Accuracy (a share) that even a free move is charged, so that gains per accuracy stay finite."""

LEAST_GAIN = 0.005
"""A gain, as a share of the budget, below which a move does not pay."""

MOST_MOVES = 24


@dataclass(frozen=True)
class Move:
    """One kind of move: its present size, smallest size, and what it is predicted to give.

    ``gain`` is the drop of the cost (see ``cost_of``), ``loss`` the accuracy it takes (a share); None: not known yet.
    """

    name: str
    size: float
    least: float
    gain: float | None = None
    loss: float | None = None

    @property
    def worth(self) -> float:
        """Gain for each point of accuracy; what was never tried comes first."""
        return float("inf") if self.gain is None else self.gain / max(self.loss or 0.0, LEAST_LOSS)

    def __str__(self) -> str:
        known = "not tried yet" if self.gain is None else f"{self.gain:.3f} for {100 * (self.loss or 0):.2f} points"
        return f"{self.name} by {self.size:g} ({known})"


class AdaptivePipeline(Trainable):
    """Meet ``budget`` by whichever of pruning, fewer bits and low rank pays best, measured move by move.

    Parameters
    ----------
    budget : Budget, mapping, ns, or text such as ``"50 ns"``.
    max_accuracy_loss : floor against the original (a share), where the budget sets none.

    A move that gives less than half of what its kind gave last time, or that breaks a floor, is taken back where it
    broke one, and tried in half the size next time. It stops when the budget is met or no move pays.

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
        self.floor = Gate("accuracy", max_loss=max_accuracy_loss if found.max_accuracy_loss is None else found.max_accuracy_loss)

    def settings(self) -> dict[str, Any]:
        return {"floor": repr(self.floor)}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        goal = Goal(gates=(self.floor, *setup.gates), budget=setup.budget or self.budget)
        search = Search(bench, goal, setup, Walk(bench, start), start)
        search.begin()
        reason = search.run()
        return Ending(search.walk.point, goal, reason, tuple(search.walk.history))


class Search:
    """The state of one adaptive search: where it stands, what it has turned, what each kind of move gave last."""

    def __init__(self, bench: Workbench, goal: Goal, setup: Setup, walk: Walk, start: Point) -> None:
        self.bench, self.goal, self.setup, self.walk, self.start = bench, goal, setup, walk, start
        self.bits, self.sparsity, self.energy = 8, 0.0, 1.0
        self.moves = [Move("pruning", 0.25, 0.05), Move("bits", 1, 1), Move("low rank", 0.05, 0.01)]
        self.make: dict[str, Callable[[Move], list[AnyStep]]] = {
            "pruning": self._prune, "bits": self._fewer_bits, "low rank": self._low_rank,
        }  # fmt: skip

    def begin(self) -> None:
        """The first point that is firmware: 8 bits, or 12 and 16 where that breaks a floor."""
        for bits in (8, 12, 16):
            self.bits = bits
            step = QuantizeConfig(bits=bits, **self.setup.fit())
            if self.walk.attempt("quantization", [step], lambda _, after: self.goal.lost(self.bench, after)):
                self.walk.point = self.bench.sketch(self.walk.point)
                return

    def run(self) -> str:
        """Move until the budget is met or nothing pays; says which."""
        if not quantized(self.walk.point):
            return "no width up to 16 bits keeps the accuracy floor"
        for _ in range(MOST_MOVES):
            if self.met(self.walk.point):
                return "the budget is met"
            move = self.next_move()
            if move is None:
                return "no move pays any more"
            self.turn(move)
        return f"{MOST_MOVES} moves are used up"

    def met(self, point: Point) -> bool:
        """Whether the point would be MET, exactness left to csim at hand-over."""
        checks = [check for check in self.goal.judge(self.bench, point).checks if check.name != "csim match"]
        return all(check.verdict is Verdict.MET for check in checks)

    def next_move(self) -> Move | None:
        """The open move with the best predicted gain for its loss; None when none is predicted to pay."""
        paying = [move for move in self.moves if move.gain is None or move.gain > LEAST_GAIN]
        return max(paying, key=lambda move: move.worth, default=None)

    def turn(self, move: Move) -> None:
        """Make one move, measure it, keep or take it back, and learn from it."""
        before, others = self.walk.point, "; ".join(str(other) for other in self.moves)
        try:
            after = self._applied(before, self.make[move.name](move))
        except (SpecError, UnsupportedModel) as cause:
            self._learn(move, 0.0, 0.0, shrink=False)
            self.walk.write(f"{move.name} by {move.size:g}", [], before, None, f"not possible: {cause}; chosen from {others}")
            return
        gain = cost_of(before, self.goal, self.start) - cost_of(after, self.goal, self.start)
        fallen = loss(self.bench.score(before), self.bench.score(after)) or (0.0, 0.0)
        broken = self.goal.lost(self.bench, after)
        objection = broken or (None if gain > 0 else f"gains nothing ({gain:+.3f} of the budget)")
        worse = move.gain is not None and gain < WORSE * move.gain
        self._note(move, before, after, objection, f"gain {gain:.3f} for {100 * fallen[0]:.2f} points; chosen from {others}")
        self._learn(move, gain, max(fallen[0], 0.0), shrink=objection is not None or worse)
        if objection is None:
            self.walk.point = after
            self._keep(move)

    def _applied(self, point: Point, steps: list[AnyStep]) -> Point:
        if not steps:
            raise SpecError("at its end")
        for step in steps:
            point = self.bench.apply(point, step)
        return self.bench.sketch(point)

    def _note(self, move: Move, before: Point, after: Point, objection: str | None, reasoning: str) -> None:
        self.walk.write(f"{move.name} by {move.size:g}", self.make[move.name](move), before, after, objection)
        self.walk.history[-1]["reasoning"] = reasoning

    def _learn(self, move: Move, gain: float, fallen: float, *, shrink: bool) -> None:
        """What a kind of move gave is what it is expected to give; a disappointing one halves, and closes at its least."""
        size = move.size / 2 if shrink else move.size
        known = gain / 2 if shrink and gain > 0 else gain
        if shrink and size >= move.least:
            known = max(known, 2 * LEAST_GAIN)  # a smaller one deserves one try
        elif shrink:
            size, known = move.least, 0.0
        self.moves[self.moves.index(move)] = replace(move, size=size, gain=known, loss=fallen)

    def _keep(self, move: Move) -> None:
        if move.name == "pruning":
            self.sparsity = self._more_sparsity(move)
        elif move.name == "bits":
            self.bits -= int(move.size)
        else:
            self.energy -= move.size

    def _more_sparsity(self, move: Move) -> float:
        """``size`` is a share of the weights that are left."""
        return round(1 - (1 - self.sparsity) * (1 - move.size), 4)

    def _requantize(self, bits: int) -> QuantizeConfig:
        return QuantizeConfig(bits=bits, **self.setup.fit())

    def _prune(self, move: Move) -> list[AnyStep]:
        weights = None if self.start.account is None else self.start.account.kernel_weights
        cut = PruneConfig(sparsity=self._more_sparsity(move), sparsity_of="weights", reference_weights=weights, seed=self.setup.seed)
        return [cut, self._requantize(self.bits)]

    def _fewer_bits(self, move: Move) -> list[AnyStep]:
        bits = self.bits - int(move.size)
        return [self._requantize(bits)] if bits >= 2 else []

    def _low_rank(self, move: Move) -> list[AnyStep]:
        return [LowRankConfig(energy=round(self.energy - move.size, 4), seed=self.setup.seed), self._requantize(self.bits)]


def cost_of(point: Point, goal: Goal, start: Point) -> float:
    """What the budget limits, each as a share of its limit, summed; EBOPs against the start's weights break ties.

    Latency counts by the upper end of its interval. A figure that is not known counts as twice its limit.
    """
    total = 0.0
    for check in goal.budget_checks(point):
        total += 2.0 if check.high is None else check.high / max(check.limit, 1e-9)
    ebops = None if point.account is None else point.account.ebops
    weights = None if start.account is None else start.account.kernel_weights
    # A multiplication of 8 by 8 bits on every weight counts 0.1 of the budget: enough to see progress between cycles.
    return total if ebops is None or not weights else total + 0.1 * ebops / (64 * weights)
