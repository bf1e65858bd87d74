"""The closed loop: propose, compress, write firmware, measure, decide, tighten or relax, until it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pquant_hls.decide import (
    Action,
    Distributed,
    Judgement,
    Knobs,
    Move,
    Reach,
    ReuseFactor,
    Round,
    Verdict,
    judge,
    kind_of,
    lacks_events,
    next_action,
    relaxations,
    tightenings,
    trades,
)
from pquant_hls.decide.knobs import DISTRIBUTED_PATH, REUSE_PATH
from pquant_hls.engine.bench import Fidelity, Point
from pquant_hls.engine.forecast import at_end, floor_ns, outlook
from pquant_hls.engine.goal import Workbench, checked, figures
from pquant_hls.engine.score import PLAIN, merit
from pquant_hls.errors import NoGain, SpecError
from pquant_hls.hls.design import need_da4ml
from pquant_hls.measure import target_of
from pquant_hls.qor import QoR
from pquant_hls.spec import HlsSpec, LoopSpec, Recipe, StepConfig
from pquant_hls.spec.steps import PruneLayersConfig
from pquant_hls.store import Entry


@dataclass(frozen=True)
class LoopResult:
    """Where the loop ended: every round with its point and its entry (the original's first), the last action (a stop)."""

    verdict: Verdict
    action: Action
    rounds: tuple[Round, ...]
    points: tuple[Point, ...]
    baseline: Point
    entries: tuple[Entry, ...]

    @property
    def best(self) -> Point:
        """The point that is handed over: MET if any round is, else the best feasible one."""
        return self.points[-1 if self.action.best is None else self.action.best]

    @property
    def judgement(self) -> Judgement:
        return self.rounds[-1 if self.action.best is None else self.action.best].judgement


@dataclass(frozen=True)
class View:
    """How the loop looks at its designs: on which target, and whether sketched or measured.

    A sketch leaves csim to the end, so that exactness enters no verdict before hand-over.
    """

    hls: HlsSpec
    fidelity: Fidelity = "measure"

    def at(self, bench: Workbench, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        look = bench.sketch if self.fidelity == "sketch" else bench.measure
        return look(point, exact=exact, hls=hls or self.hls)

    def judge(self, bench: Workbench, point: Point) -> Judgement:
        return bench.judge(point, exact=self.fidelity == "measure")


def knobs_of(
    steps: Sequence[StepConfig],
    loop: LoopSpec,
    hls: HlsSpec,
    most: Callable[[StepConfig], Mapping[str, float]] = lambda _: {},
) -> Knobs:
    """What the loop may turn, each by its path: parameters of steps, and the reuse factor where ``loop`` opens it.

    ``most`` tells the largest values of a step's parameters that the model has a use for.
    """
    found = []
    for index, step in enumerate(steps):
        turns = step.turns()
        bounds = most(step) if turns else {}
        for name, turn in turns.items():
            path = f"steps.{index}.{name}"
            kind = kind_of(turn.ladder, path)
            if kind.opened or getattr(loop, turn.ladder) is not None:
                found.append(kind(path, getattr(step, name), turn.of, bounds.get(name)))
    if loop.reuse_factor is not None:
        found.append(ReuseFactor(REUSE_PATH, hls.reuse_factor))
    if loop.distributed_arithmetic:
        found.append(Distributed(DISTRIBUTED_PATH, float(hls.strategy == "distributed_arithmetic")))
    return Knobs(found)


def turned(
    steps: Sequence[StepConfig], knobs: Mapping[str, float], units: Mapping[str, int]
) -> tuple[StepConfig, ...]:
    """Each step with its own knobs' values; ``units`` are those of the original's layers.

    Raises
    ------
    SpecError : a value that the step does not take, with its path.
    """
    return tuple(_turned(step, f"steps.{index}", knobs, units) for index, step in enumerate(steps))


def sparing(steps: Sequence[StepConfig], units: Mapping[str, int]) -> tuple[StepConfig, ...]:
    """The steps, those that leave layers out told to keep what other steps name; ``units`` are those of the original's."""
    named = set[str]().union(
        *(step.named_layers() for step in steps if not isinstance(step, PruneLayersConfig))
    )
    kept = tuple(name for name in units if name in named)
    return tuple(
        step.with_(exclude=tuple(dict.fromkeys((*step.exclude, *kept))))
        if isinstance(step, PruneLayersConfig) and step.turns()
        else step
        for step in steps
    )


def _turned(step: StepConfig, place: str, knobs: Mapping[str, float], units: Mapping[str, int]) -> StepConfig:
    own = {name: knobs[path] for name in step.turns() if (path := f"{place}.{name}") in knobs}
    try:
        return step.turned(own, units)
    except SpecError as cause:
        where = ".".join(filter(None, (place, cause.where)))
        raise SpecError(cause.message, where=where, mend=cause.mend) from None


def reusing(hls: HlsSpec, factor: int) -> HlsSpec:
    """The target with another reuse factor; above 1 by the strategy that can reuse."""
    if factor == hls.reuse_factor:
        return hls
    return hls.with_(
        reuse_factor=factor, strategy="resource" if factor > 1 and not hls.shares else hls.strategy
    )


def targeted(hls: HlsSpec, knobs: Mapping[str, float]) -> HlsSpec:
    """The target as the knobs say: reuse factor and strategy. Where multipliers are shared there is no distributed
    arithmetic."""
    found = reusing(hls, int(knobs.get(REUSE_PATH, hls.reuse_factor)))
    if knobs.get(DISTRIBUTED_PATH) == 1 and found.reuse_factor == 1:
        return found.with_(strategy="distributed_arithmetic")
    return found


def closed_loop(
    bench: Workbench,
    original: Point,
    recipe: Recipe,
    *,
    fidelity: Fidelity = "measure",
    hls: HlsSpec | None = None,
    after: int = 0,
) -> LoopResult:
    """Run the recipe's rounds on ``bench`` until the budget is met or a limit stops it.

    The float model as hls4ml converts it by itself, at ``hls.precision`` and with its softmax, is looked at first: the
    row to compare with. Rounds after the first start from the weights of the round the decision names. ``hls`` is the
    target of every round, by default the bench's; ``after`` rounds of another loop of the run came before.
    """
    view = View(bench.hls if hls is None else hls, fidelity)
    loop = _Loop(bench, original, recipe, view, after)
    loop.begin()
    action = Action("tighten", "the recipe's first proposal")
    while action.kind != "stop":
        action = loop.round(action)
    verdict = final_verdict(loop.history, action)
    return LoopResult(
        verdict, action, tuple(loop.history), tuple(loop.points), loop.baseline, tuple(loop.entries)
    )


class _Loop:
    """The state of one loop."""

    def __init__(self, bench: Workbench, original: Point, recipe: Recipe, view: View, after: int = 0) -> None:
        self.bench, self.original, self.recipe, self.view = bench, original, recipe, view
        self.baseline, self.after = original, after
        self.steps = sparing(recipe.steps, self._units())
        self.history: list[Round] = []
        self.points: list[Point] = []
        self.trained: list[Point] = []
        """The points before their dead units went: sparsity counts the weights that are there."""
        self.entries: list[Entry] = []
        self.floor_ns: float | None = None

    def begin(self) -> None:
        """The float model, to compare with; what the loop may turn to must be installed before anything is trained."""
        if self.recipe.loop.distributed_arithmetic:
            need_da4ml("loop.distributed_arithmetic")
        self.baseline, entry = look_at_float(self.bench, self.original, self.view, self.after)
        self.entries.append(entry)

    def round(self, action: Action) -> Action:
        """Make one round by ``action``; what to do after it."""
        knobs = self._knobs(action)
        start = self._start(action, knobs)
        hls = targeted(self.view.hls, knobs)
        point, left_out = start, []
        for step in turned(self.steps, knobs, self._units()):
            try:
                point = self.bench.apply(point, step, hls=hls)
            except NoGain as cause:
                left_out.append(f"{step.step} left out: {cause}")
        self.trained.append(point)
        point = self.view.at(self.bench, self.bench.swept(point), hls=hls)
        done = judged_round(self.bench, self.view, point, knobs, action)
        self.history.append(replace(done, number=self._number + 1))
        self.points.append(point)
        after = self._decide()
        self._tell(point, self.history[-1], after, left_out)
        return after

    def _start(self, action: Action, knobs: Knobs) -> Point:
        """The point whose weights a round starts from."""
        move = action.move
        afresh = move is not None and (move.afresh or knobs.knob(move.knob).afresh)
        return self.original if action.start is None or afresh else self.trained[action.start]

    def _units(self) -> Mapping[str, int]:
        return {} if self.original.account is None else self.original.account.units

    def _knobs(self, action: Action) -> Knobs:
        if action.move is None:
            most = partial(self.bench.most, self.original)
            return knobs_of(self.steps, self.recipe.loop, self.view.hls, most)
        base = Knobs.of(self.history[-1 if action.start is None else action.start].knobs)
        return base.turned(action.move.knob, action.move.new)

    @property
    def _number(self) -> int:
        """The number of the last round."""
        return self.after + len(self.history)

    def _decide(self) -> Action:
        history, loop = self.history, self.recipe.loop
        found = history[-1].judgement
        fits = found.verdict is Verdict.MET or lacks_events(found)
        back = fits and not self.recipe.budget.wants_smallest
        base = len(history) - 1 if back else _base(history)
        moves = relaxations(history, loop) if back else tightenings(history, loop)
        knobs, last = Knobs.of(history[base].knobs), self.points[-1].qor
        return next_action(
            history,
            loop,
            [self._with_outlook(self.points[base], knobs, move) for move in moves],
            swaps=() if moves or back else self._swaps(),
            reach=self._reach(self.points[base], knobs),
            layers=() if last is None else last.layers,
        )

    def _swaps(self) -> list[tuple[int, Move]]:
        """What was lost, from earlier rounds, each with what it would give there."""
        return [
            (i, self._with_outlook(self.points[i], Knobs.of(self.history[i].knobs), move))
            for i, move in trades(self.history)
        ]

    def _with_outlook(self, base: Point, knobs: Knobs, move: Move) -> Move:
        """The move with what it would give: what was measured, and what the estimator says it changes."""
        found = self._ahead(base, knobs, knobs.turned(move.knob, move.new))
        if found is None:
            return move
        latency = found.latency
        return replace(
            move,
            predicted_ns=None if latency is None else latency.worst_ns_hi,
            outlook=self._design(found),
        )

    def _reach(self, base: Point, knobs: Knobs) -> Reach:
        """What the budget asks, and what the ladders can reach from here."""
        budget = self.recipe.budget
        asked = Reach(budget_ns=budget.latency_ns, smallest=budget.wants_smallest)
        graph = None if base.project is None else base.project.graph
        if graph is None or base.qor is None or budget.deliver != "hls":
            return asked
        ends, target = knobs.at_end(self.recipe.loop), target_of(self.view.hls)
        if self.floor_ns is None:  # by the first design: it holds for what is left of it later
            self.floor_ns = floor_ns(graph, target, knobs, ends)
        least = knobs.at_least(self.recipe.loop)
        last = at_end(graph, target, knobs, ends, least, base.qor)
        return replace(asked, floor_ns=self.floor_ns, at_end=None if last is None else self._design(last))

    def _ahead(self, base: Point, knobs: Knobs, then: Knobs) -> QoR | None:
        if base.project is None or base.project.graph is None or base.qor is None:
            return None
        return outlook(base.project.graph, target_of(self.view.hls), knobs, then, base.qor)

    def _design(self, found: QoR) -> Judgement:
        """The budget's judgement of a design alone."""
        return Judgement.of(judge(found, self.recipe.budget).design)

    def _tell(self, point: Point, done: Round, action: Action, left_out: Sequence[str] = ()) -> None:
        entry = round_entry(self.bench, self._number, point, done, action)
        more: dict[str, Any] = {"left_out": list(left_out)} if left_out else {}
        if self.floor_ns is not None:
            more["floor_ns"] = self.floor_ns
        entry = entry.with_(settings={**entry.settings, **more})
        self.entries.append(entry)
        self.bench.record(entry, f"round {self._number}")


def look_at_float(bench: Workbench, original: Point, view: View, number: int = 0) -> tuple[Point, Entry]:
    """The float model as hls4ml converts it by itself: the point to compare with, written down."""
    deliver = "hls" if bench.budget is None else bench.budget.deliver
    hls = view.hls.multiplying
    point = view.at(bench, original, exact=False, hls=hls.with_(keep_softmax=deliver == "hls"))
    entry = round_entry(bench, number, point, Round({}, bench.judge(point, exact=False)), None)
    entry = entry if hls == view.hls else entry.with_(reason=f"strategy {hls.strategy}")
    bench.record(entry, f"round {number}")
    return point, entry


def judged_round(
    bench: Workbench, view: View, point: Point, knobs: Mapping[str, float], action: Action
) -> Round:
    """A measured point as a round that ``action`` led to."""
    if point.qor is None:
        raise SpecError("a round ended without a measurement")
    latency = point.qor.latency
    return Round(
        knobs=knobs,
        judgement=view.judge(bench, point),
        move=action.move,
        accuracy=_accuracy(bench, point),
        phase="relax" if action.kind == "relax" else "tighten",
        worst_ns=None if latency is None else latency.worst_ns_hi,
        size=_size(point),
    )


def _accuracy(bench: Workbench, point: Point) -> float | None:
    """What orders designs by quality: csim's accuracy, or of other tasks what is kept of the original's quality."""
    known = None if point.qor is None else point.qor.accuracy
    score = bench.score(point)
    return known if score.headlines == PLAIN else merit(bench.baseline, score)


def _size(point: Point) -> float | None:
    """What orders designs by size: LUT, or EBOPs where those are not known."""
    used = None if point.qor is None else point.qor.resources
    if used is not None and used.lut is not None:
        return used.lut
    return None if point.account is None else point.account.ebops


def _base(history: Sequence[Round]) -> int:
    """The round the open tightenings start from: the last whose accuracy holds, else the last."""
    held = [i for i, done in enumerate(history) if done.judgement.accuracy_verdict is not Verdict.MISSED]
    return held[-1] if held else len(history) - 1


def final_verdict(history: Sequence[Round], action: Action) -> Verdict:
    """MET if any round met the budget; UNKNOWN if the point handed over is not known to miss it; else MISSED."""
    verdicts = [done.judgement.verdict for done in history]
    if Verdict.MET in verdicts:
        return Verdict.MET
    return verdicts[-1 if action.best is None else action.best]


def round_entry(bench: Workbench, number: int, point: Point, done: Round, action: Action | None) -> Entry:
    """One round as the ledger keeps it; without ``action`` that of the float model. One whose accuracy fell below its
    floor is rolled back: the loop goes on from the last that held."""
    lost = done.judgement.accuracy_verdict is Verdict.MISSED
    qor = None if point.qor is None else point.qor.model_dump(mode="json", exclude={"layers"})
    account = None if point.account is None else point.account.model_dump(mode="json")
    return Entry(
        kind="float" if action is None else "round",
        name="float" if action is None else f"round {number}",
        number=number,
        parent=point.parent,
        digest=point.digest,
        settings={
            "step": done.phase,
            "knobs": dict(done.knobs),
            "move": None if done.move is None else str(done.move),
            "action": None if action is None else action.kind,
        },
        figures={**figures(bench, point), "account": account, "qor": qor},
        status=None if action is None else "rolled_back" if lost else "kept",
        reason="" if action is None else action.reason,
        verdict=str(done.judgement.verdict),
        checks=checked(done.judgement),
    )
