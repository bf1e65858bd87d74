"""Where the architecture is the limit: which network of fewer layers would fit, and its training from the one given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pquant_hls.decide import Judgement, Limit, Verdict, best_round, judge, shallower
from pquant_hls.engine.bench import Point
from pquant_hls.engine.family import family_loop, learner
from pquant_hls.engine.goal import Ending, Goal, Workbench
from pquant_hls.engine.loop import LoopResult, closed_loop
from pquant_hls.errors import NotMeasured, UnsupportedModel
from pquant_hls.estimate import estimate, with_fewer_layers
from pquant_hls.measure import target_of
from pquant_hls.network import dense_sizes, layer_table
from pquant_hls.qor import FixedPointGraph, QoR
from pquant_hls.spec import Recipe, StepConfig
from pquant_hls.spec.steps import PruneConfig, PruneLayersConfig, TrainingConfig

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

HOW = "`--smaller` (`loop: {smaller: {}}`) trains it from this one"


@dataclass(frozen=True)
class Smaller:
    """A network that would fit: the hidden ``layers`` left out, the ``widths`` of those that stay where they are narrower,
    what it is ``called`` and the whole in ``words``. ``reuses`` : at a reuse factor that the recipe allows.
    """

    layers: tuple[str, ...]
    called: str
    words: str
    widths: Mapping[str, int] = field(default_factory=dict)
    reuses: bool = True


def loop_then_smaller(bench: Workbench, start: Point, recipe: Recipe) -> Ending:
    """The recipe's loop; where the architecture is its limit, which smaller one would fit is named, and with
    ``loop.smaller`` trained from the original and taken through the same loop. The better of the two is handed over.
    """
    if learner(recipe.steps) is not None:
        found = family_loop(bench, start, recipe)
        return _ending(recipe, found.action.reason, found)
    first = closed_loop(bench, start, recipe)
    if not architecture_is_short(first, recipe):
        return _ending(recipe, first.action.reason, first)
    fits, words = smaller_that_fits(start.model, recipe, first)
    named = _named(fits, recipe)
    if named:
        words = f"{words}, but the recipe names {', '.join(named)}, which it would lack"
    if fits is None or recipe.loop.smaller is None or not fits.reuses or named:
        return _ending(recipe, f"{first.action.reason}; {words}", first)
    smaller = start
    for step in steps_towards(fits, recipe):
        smaller = bench.apply(smaller, step)
    second = closed_loop(bench, smaller, recipe, after=len(first.rounds))
    return _ending(recipe, _told(first, second, fits), first, second)


def architecture_is_short(found: LoopResult, recipe: Recipe) -> bool:
    """Whether the loop stopped with a limit on the design open, for want of a smaller one."""
    open_ones = [check for check in found.judgement.design if check.verdict is not Verdict.MET]
    other = found.action.limit in (None, Limit.MISMATCH, Limit.UNDECIDED)
    return bool(open_ones) and not other and recipe.budget.deliver == "hls"


def smaller_that_fits(model: Model, recipe: Recipe, found: LoopResult) -> tuple[Smaller | None, str]:
    """The network with fewer of its layers that would fit, and in words; None with the reason.

    Of dense layers one after another it is the deepest of the first ones, at the widths that the estimator allows; of
    others the design that is handed over without as few layers as need be.
    """
    try:
        fits = _dense(model, recipe) if _is_dense(model) else _of_design(model, recipe, found.best)
    except (NotMeasured, UnsupportedModel) as cause:
        return None, f"whether one of fewer layers fits is not known: {cause}"
    if fits is None:
        return None, "by the estimate none of its networks with fewer layers fits either"
    return fits, fits.words


def _is_dense(model: Model) -> bool:
    try:
        return bool(dense_sizes(model))
    except UnsupportedModel:
        return False


def _dense(model: Model, recipe: Recipe) -> Smaller | None:
    """By sizes alone; at the recipe's reuse factors where one does."""
    sizes, target, budget = dense_sizes(model), recipe.hls.target, recipe.budget
    own = _own_reuse(recipe)
    found = with_fewer_layers(sizes, target, budget, reuse=own) or with_fewer_layers(sizes, target, budget)
    if found is None:
        return None
    how = f"{found.strategy} strategy, reuse {found.reuse_factor}{_at_most(found.qor)}"
    words = f"by the estimate, not trained, {found.shape} at {found.bits} bits would fit ({how}): {HOW}"
    names = _hidden(model)
    widths = dict(zip(names, found.sizes[1:-1], strict=False))
    gone = tuple(names[len(widths) :])
    return Smaller(gone, f"{found.shape} would fit", words, widths, found.reuse_factor in own)


def _of_design(model: Model, recipe: Recipe, base: Point) -> Smaller | None:
    """The design without the fewest layers; of those that fit the one with the most weights."""
    graph = None if base.project is None else base.project.graph
    if graph is None:
        return None
    known = _hidden(model)
    for count in range(1, len(known) + 1):
        fitting = list(_fitting(graph, count, recipe, base.qor or QoR()))
        if fitting:
            left, qor = max(fitting, key=lambda one: _weights(one[0]))
            gone = tuple(name for name in _layers(graph) if name in known and name not in _layers(left))
            called = f"without {', '.join(gone)} it would fit"
            return Smaller(gone, called, f"by the estimate, not trained, {called}{_at_most(qor)}: {HOW}")
    return None


def _fitting(
    graph: FixedPointGraph, count: int, recipe: Recipe, found: QoR
) -> Iterator[tuple[FixedPointGraph, QoR]]:
    for each in shallower(graph, count):
        guess = estimate(each, target_of(recipe.hls))
        qor = found.with_(latency=guess.latency, resources=guess.resources)
        if Judgement.of(judge(qor, recipe.budget).design).verdict is Verdict.MET:
            yield each, qor


def _layers(graph: FixedPointGraph) -> list[str]:
    return [node.name for node in graph.nodes if node.kind.weighted]


def _weights(graph: FixedPointGraph) -> int:
    return sum(node.arrays["weight"].codes.size for node in graph.nodes if "weight" in node.arrays)


def _named(fits: Smaller | None, recipe: Recipe) -> list[str]:
    """Layers that would be left out and that a step of the recipe names."""
    named = set[str]().union(*(step.named_layers() for step in recipe.steps))
    return [] if fits is None else [name for name in fits.layers if name in named]


def _hidden(model: Model) -> list[str]:
    return [row.name for row in layer_table(model) if row.units is not None][:-1]


def _at_most(qor: QoR) -> str:
    high = None if qor.latency is None else qor.latency.worst_ns_hi
    return "" if high is None else f", at most {high:g} ns"


def _own_reuse(recipe: Recipe) -> tuple[int, ...]:
    """The reuse factors that the recipe allows."""
    ladder, own = recipe.loop.reuse_factor, recipe.hls.reuse_factor
    return (own,) if ladder is None else tuple(range(min(ladder.min, own), max(ladder.max, own) + 1))


def steps_towards(fits: Smaller, recipe: Recipe) -> tuple[StepConfig, ...]:
    """What makes the smaller network: layers left out, and its widths where the recipe does not prune units by itself."""
    training = {} if recipe.loop.smaller is None else recipe.loop.smaller.model_dump()
    shorter = PruneLayersConfig.parse({**training, "layers": fits.layers})
    if not fits.widths or any(_prunes_units(step) for step in recipe.steps):
        return (shorter,)
    shared = {name: training[name] for name in TrainingConfig.model_fields if name in training}
    return shorter, PruneConfig.parse({**shared, "step": "prune", "keep": fits.widths})


def _prunes_units(step: StepConfig) -> bool:
    return isinstance(step, PruneConfig) and step.method == "structured" and bool(step.turns())


def _ending(recipe: Recipe, reason: str, *loops: LoopResult) -> Ending:
    """The best round of all; the entries of all, in their order."""
    rounds = [done for found in loops for done in found.rounds]
    points = [point for found in loops for point in found.points]
    entries = tuple(entry for found in loops for entry in found.entries)
    best = points.index(loops[0].best) if len(loops) == 1 else best_round(rounds) or 0
    return Ending(points[best], Goal(budget=recipe.budget), reason, entries, handed_over=1 + best)


def _told(first: LoopResult, second: LoopResult, fits: Smaller) -> str:
    number = len(first.rounds) + 1
    chosen = best_round([*first.rounds, *second.rounds]) or 0
    made = f"a network of fewer layers ({fits.called})"
    if chosen < number - 1:
        return (
            f"{first.action.reason}; {made}, trained from it in the rounds from {number} on, did no better: "
            f"{second.action.reason}"
        )
    return (
        f"{second.action.reason}; the rounds from {number} on are of {made}, trained from the original, whose loop stopped: "
        f"{first.action.reason}"
    )
