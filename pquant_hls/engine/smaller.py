"""Where the architecture is the limit: which network of fewer layers would fit, and its training from the one given."""

from __future__ import annotations

from typing import Any

from pquant_hls.decide import Limit, Verdict, best_round
from pquant_hls.engine.bench import Point
from pquant_hls.engine.goal import Ending, Goal, Workbench
from pquant_hls.engine.loop import LoopResult, closed_loop
from pquant_hls.errors import NotMeasured, UnsupportedModel
from pquant_hls.estimate import Suggestion, with_fewer_layers
from pquant_hls.network import dense_sizes, layer_table
from pquant_hls.spec import Recipe, StepConfig
from pquant_hls.spec.steps import PruneConfig, PruneLayersConfig, TrainingConfig

HOW = "`loop: {smaller: {}}`, or `--smaller`, trains it from this one"


def loop_then_smaller(bench: Workbench, start: Point, recipe: Recipe) -> Ending:
    """The recipe's loop; where the architecture is its limit, which smaller one would fit is named, and with
    ``loop.smaller`` trained from the original and taken through the same loop. The better of the two is handed over.
    """
    first = closed_loop(bench, start, recipe)
    if not architecture_is_short(first, recipe):
        return _ending(recipe, first.action.reason, first)
    fits, words = smaller_that_fits(start.model, recipe)
    if fits is None or recipe.loop.smaller is None or fits.reuse_factor not in _own_reuse(recipe):
        return _ending(recipe, f"{first.action.reason}; {words}", first)
    smaller = start
    for step in steps_towards(start.model, recipe, fits):
        smaller = bench.apply(smaller, step)
    second = closed_loop(bench, smaller, recipe, after=len(first.rounds))
    return _ending(recipe, _told(first, second, fits), first, second)


def architecture_is_short(found: LoopResult, recipe: Recipe) -> bool:
    """Whether the loop stopped with a limit on the design open, for want of a smaller one."""
    open_ones = [check for check in found.judgement.design if check.verdict is not Verdict.MET]
    other = found.action.limit in (None, Limit.MISMATCH, Limit.UNDECIDED)
    return bool(open_ones) and not other and recipe.budget.deliver == "hls"


def smaller_that_fits(model: Any, recipe: Recipe) -> tuple[Suggestion | None, str]:
    """The network with fewer of its layers that would fit, at the recipe's reuse factors where one does, and in words."""
    target, budget = recipe.hls.target, recipe.budget
    try:
        sizes = dense_sizes(model)
        fits = with_fewer_layers(sizes, target, budget, reuse=_own_reuse(recipe))
        fits = fits or with_fewer_layers(sizes, target, budget)
    except (NotMeasured, UnsupportedModel) as cause:
        return None, f"whether one of fewer layers fits is not known: {cause}"
    if fits is None:
        return None, "by the estimate none of its networks with fewer layers fits either"
    latency = fits.qor.latency
    ns = "" if latency is None or latency.worst_ns_hi is None else f", at most {latency.worst_ns_hi:g} ns"
    how = f"{fits.strategy} strategy, reuse {fits.reuse_factor}"
    return (
        fits,
        f"by the estimate, not trained, {fits.shape} at {fits.bits} bits would fit ({how}{ns}): {HOW}",
    )


def _own_reuse(recipe: Recipe) -> tuple[int, ...]:
    """The reuse factors that the recipe allows."""
    ladder, own = recipe.loop.reuse_factor, recipe.hls.reuse_factor
    return (own,) if ladder is None else tuple(range(min(ladder.min, own), max(ladder.max, own) + 1))


def steps_towards(model: Any, recipe: Recipe, fits: Suggestion) -> tuple[StepConfig, ...]:
    """What makes the smaller network of the model: its last hidden layers left out, and its widths where the recipe does
    not prune units by itself."""
    names = [row.name for row in layer_table(model) if row.units is not None][:-1]
    widths = dict(zip(names, fits.sizes[1:-1], strict=False))
    training = {} if recipe.loop.smaller is None else recipe.loop.smaller.model_dump()
    shorter = PruneLayersConfig.parse({**training, "layers": names[len(widths) :]})
    if not widths or any(_prunes_units(step) for step in recipe.steps):
        return (shorter,)
    shared = {name: training[name] for name in TrainingConfig.model_fields if name in training}
    return shorter, PruneConfig.parse({**shared, "step": "prune", "keep": widths})


def _prunes_units(step: StepConfig) -> bool:
    return isinstance(step, PruneConfig) and step.method == "structured" and bool(step.turns())


def _ending(recipe: Recipe, reason: str, *loops: LoopResult) -> Ending:
    """The best round of all; the entries of all, in their order."""
    rounds = [done for found in loops for done in found.rounds]
    points = [point for found in loops for point in found.points]
    entries = tuple(entry for found in loops for entry in found.entries)
    best = points.index(loops[0].best) if len(loops) == 1 else best_round(rounds) or 0
    return Ending(points[best], Goal(budget=recipe.budget), reason, entries, handed_over=1 + best)


def _told(first: LoopResult, second: LoopResult, fits: Suggestion) -> str:
    number = len(first.rounds) + 1
    chosen = best_round([*first.rounds, *second.rounds]) or 0
    if chosen < number - 1:
        return (
            f"{first.action.reason}; a network of fewer layers ({fits.shape} would fit), trained from it in the rounds from "
            f"{number} on, did no better: {second.action.reason}"
        )
    return (
        f"{second.action.reason}; the rounds from {number} on are of a network of fewer layers ({fits.shape} would fit), "
        f"trained from the original, whose loop stopped: {first.action.reason}"
    )
