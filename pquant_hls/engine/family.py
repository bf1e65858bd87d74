"""Recipes that learn widths: one training passes through designs of all costs, and the loop looks for the one to hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pquant_hls.decide import Action, Limit, Move, Round, Verdict, best_round
from pquant_hls.engine.bench import Fidelity, Point
from pquant_hls.engine.goal import Workbench
from pquant_hls.engine.loop import LoopResult, View, final_verdict, judged_round, look_at_float, round_entry
from pquant_hls.errors import SpecError
from pquant_hls.spec import HlsSpec, Recipe, StepConfig
from pquant_hls.spec.quantize import QuantizeConfig
from pquant_hls.store import Entry


def learner(steps: Sequence[StepConfig]) -> tuple[int, QuantizeConfig] | None:
    """The step that learns widths towards no target of its own, so that designs of all costs come of it, and its place."""
    found = [(i, step) for i, step in enumerate(steps) if isinstance(step, QuantizeConfig) and step.is_open]
    return found[-1] if found else None


def family_loop(
    bench: Workbench,
    original: Point,
    recipe: Recipe,
    *,
    fidelity: Fidelity = "measure",
    hls: HlsSpec | None = None,
) -> LoopResult:
    """Look for the most accurate design of the recipe's learned widths that meets the budget.

    The designs come by EBOPs, better ones last. Where an HLS project is delivered, the estimator tells which are expected to
    fit, and the best of those is looked at first. Elsewhere, or where none is, a cheaper design is taken to fit where a dearer
    one does, and the dearest that fits is found by bisection. Parameters and result are those of ``closed_loop``.
    """
    found = learner(recipe.steps)
    if found is None:
        raise SpecError("no step learns widths", where="steps", mend="set allocation: learned, and no target")
    view = View(bench.hls if hls is None else hls, fidelity)
    return _Search(bench, original, recipe, view, found).run()


class _Search:
    def __init__(
        self,
        bench: Workbench,
        original: Point,
        recipe: Recipe,
        view: View,
        found: tuple[int, QuantizeConfig],
    ) -> None:
        self.bench, self.original, self.recipe, self.view = bench, original, recipe, view
        self.place, self.step = found
        self.path = f"steps.{self.place}.design"
        self.expected: list[int] = []
        """Designs that are expected to fit and were not looked at, the best last."""
        self.low, self.high = -1, 0
        self.history: list[Round] = []
        self.points: list[Point] = []
        self.entries: list[Entry] = []

    def run(self) -> LoopResult:
        baseline, entry = look_at_float(self.bench, self.original, self.view)
        self.entries.append(entry)
        family = self._family()
        self.expected, self.high = self._forecast(family), len(family)
        foreseen = bool(self.expected)
        now = self.expected.pop() if foreseen else len(family) - 1
        action = Action("tighten", f"design {now + 1} of {len(family)}")
        while action.kind != "stop":
            point = self._look(family[now], now, action)
            fits = all(check.verdict is Verdict.MET for check in self.history[-1].judgement.design)
            before, after = now, self._expected_next(fits=fits) if foreseen else self._halved(now, fits)
            action = self._end(len(family)) if after is None else self._next(before, after)
            now = before if after is None else after
            self._tell(point, action)
        verdict = final_verdict(self.history, action)
        return LoopResult(
            verdict, action, tuple(self.history), tuple(self.points), baseline, tuple(self.entries)
        )

    def _family(self) -> Sequence[Point]:
        point = self.original
        for step in self.recipe.steps[: self.place]:
            point = self.bench.apply(point, step, hls=self.view.hls)
        return self.bench.family(point, self.step, hls=self.view.hls)

    def _forecast(self, family: Sequence[Point]) -> list[int]:
        """The designs that the estimator expects to fit, in their order; none where it does not tell of what is delivered."""
        if self.recipe.budget.deliver != "hls" or self.place + 1 < len(self.recipe.steps):
            return []
        seen = (self.bench.sketch(self.bench.swept(point), hls=self.view.hls) for point in family)
        return [
            index
            for index, point in enumerate(seen)
            if all(check.verdict is Verdict.MET for check in self.bench.judge(point, exact=False).design)
        ]

    def _expected_next(self, *, fits: bool) -> int | None:
        return None if fits or not self.expected else self.expected.pop()

    def _halved(self, now: int, fits: bool) -> int | None:
        self.low, self.high = (now, self.high) if fits else (self.low, now)
        return (self.low + self.high) // 2 if self.high - self.low > 1 else None

    def _look(self, point: Point, index: int, action: Action) -> Point:
        for step in self.recipe.steps[self.place + 1 :]:
            point = self.bench.apply(point, step, hls=self.view.hls)
        point = self.view.at(self.bench, self.bench.swept(point))
        number = len(self.history) + 1
        done = judged_round(self.bench, self.view, point, {self.path: index + 1.0}, action)
        self.history.append(replace(done, number=number))
        self.points.append(point)
        return point

    def _next(self, before: int, now: int) -> Action:
        found = self.history[-1].judgement
        why = "; ".join(map(str, found.failing())) or "every limit holds"
        kind = "a cheaper" if now < before else "a dearer"
        move = Move(self.path, before + 1.0, now + 1.0, label="design")
        return Action("tighten" if now < before else "relax", f"{why}: {kind} one, {move}", move)

    def _end(self, count: int) -> Action:
        best = best_round(self.history)
        met = any(done.judgement.verdict is Verdict.MET for done in self.history)
        if met and best is not None:
            design = int(self.history[best].knobs[self.path])
            return Action("stop", f"design {design} of {count} is the best that meets every limit", best=best)
        open_ones = "; ".join(map(str, self.history[-1].judgement.failing()))
        last = int(self.history[-1].knobs[self.path])
        seen = f"{len(self.history)} of {count} designs of learned widths were looked at"
        missed = any(check.verdict is Verdict.MISSED for check in self.history[-1].judgement.failing())
        limit = Limit.BITS if missed else Limit.UNDECIDED
        reason = f"{limit}: {seen}, none meets every limit; of the last, design {last}: {open_ones}"
        return Action("stop", reason, limit=limit, best=best)

    def _tell(self, point: Point, action: Action) -> None:
        done = self.history[-1]
        entry = round_entry(self.bench, len(self.history), point, done, action)
        self.entries.append(entry)
        self.bench.record(entry, entry.name)
