"""Three-valued verdicts: MET, MISSED or UNKNOWN for a QoR against a budget.

What a verdict rests on stands here and nowhere else. MET needs every leg: the limits asked for, what the part has
(always), a design that exists, and timing wherever a tool has flagged it; ``Judgement.basis`` says which of latency,
quality and exactness nobody asked about. A leg whose figure is missing is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pquant_hls.decide.check import OF_THE_PART, Check, Judgement
from pquant_hls.qor import RESOURCE_NAMES, Latency, QoR, Quality, Resources
from pquant_hls.qor.parts import capacity
from pquant_hls.qor.words import fixed, quality_text
from pquant_hls.spec import Budget
from pquant_hls.spec.quality import Allowance

COUNTED = ("lut", "ff", "dsp", "bram_18k")
"""Resources that every AMD part has: without a count of each nobody knows whether a design fits."""
LEAST_ABOVE = 10
"""Background events above a threshold below which its efficiency decides nothing."""
ALWAYS = Budget(part_share=1.0)
"""What is judged where no budget is given: the part, a design that exists, exactness."""


def judge(qor: QoR, budget: Budget | None, *, baseline_accuracy: float | None = None) -> Judgement:
    """Judge ``qor`` by ``budget``; without one by what is always judged and by exactness.

    ``baseline_accuracy`` (a share, on the same split) is what ``max_accuracy_loss`` counts from. Figures of
    another design than ``budget.deliver`` are not used: RTL cycles never decide on the HLS project. The statistical
    errors of accuracy and loss are the record's ``metrics["accuracy_error"]`` and ``metrics["loss_error"]`` (shares).
    """
    return Judgement.of(_checks(qor, budget or ALWAYS, baseline_accuracy), measured(qor))


def measured(qor: QoR) -> str:
    """What is known of the quality, in words: the figures that searches go by. Empty where there are none."""
    return "; ".join(quality_text(name, found) for name, found in qor.quality.items() if found.headline)


def _checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    same_design = qor.design == budget.deliver
    latency, used = (qor.latency, qor.resources) if same_design else (None, None)
    yield from _latency_checks(latency, budget)
    yield from _resource_checks(used, budget)
    yield from _part_checks(used, qor.part, budget.part_share, wide=budget.accept_wide)
    yield from _existence(used, latency)
    yield from _quality_checks(qor, budget, baseline)
    if budget.exact:
        yield _exactness(qor)


def _part_checks(used: Resources | None, part: str | None, share: float, *, wide: bool) -> Iterator[Check]:
    """What the part has is a limit whoever asks: a design that does not fit it is none.

    One check for each resource; an open one where nobody knows what the part has or what the design takes of it.
    """
    stated, listed = None if used is None else used.available, capacity(part)
    if stated is None and listed is None:
        said = "no part is named" if part is None else f"the resources of {part} are not known here"
        yield Check(f"room {OF_THE_PART}", share, None, None, resource=True, why=said)
        return
    for name in RESOURCE_NAMES:
        totals = [getattr(there, name) for there in (stated, listed) if there is not None]
        total = next((count for count in totals if count is not None), None)
        value = None if used is None else getattr(used, name)
        if total is not None and (value is not None or name in COUNTED):
            yield _used(f"{name} {OF_THE_PART}", share * total, used, name, wide=wide)
        elif total is None and name in COUNTED:
            yield Check(f"{name} {OF_THE_PART}", share, None, None, resource=True)


def _used(called: str, limit: float, used: Resources | None, name: str, *, wide: bool) -> Check:
    """A limit on one resource; with ``wide`` an interval without content counts too."""
    value = None if used is None else getattr(used, name)
    if used is None or value is None:
        return Check(called, limit, None, None, resource=True)
    low, high = used.intervals.get(name, (value, value))
    return Check(called, limit, low, high, resource=True, value=value, accept_wide=wide)


def _existence(used: Resources | None, latency: Latency | None) -> Iterator[Check]:
    """A tool removes a function whose outputs depend on no input: nothing is left that could meet a budget.

    Wires alone take no resources, but cycles.
    """
    counts = [] if used is None else [getattr(used, name) for name in RESOURCE_NAMES]
    known = [count for count in counts if count is not None]
    cycles = None if latency is None else latency.cycles_max
    if known and not any(known) and not cycles:
        built = None if cycles is None else 0.0
        yield Check("logic that was built", 1.0, built, built, at_least=True)


def _exactness(qor: QoR) -> Check:
    return Check("csim match", 1.0, qor.csim_match, qor.csim_match, at_least=True, exactness=True)


def _quality_checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    yield from _accuracy_checks(qor, budget, baseline)
    for name, allowance in budget.allowances.items():
        yield quality_check(name, qor.quality.get(name), allowance)


def _accuracy_checks(qor: QoR, budget: Budget, baseline: float | None) -> Iterator[Check]:
    """The floor that is nearer to failing: of the loss with the error of a difference, of the accuracy with its own."""
    by_output = {name: found for name, found in qor.quality.items() if name.endswith(".accuracy")}
    if by_output and qor.accuracy is None:
        for name, found in by_output.items():
            yield from _own_accuracy(name, found, budget)
        return
    if budget.max_accuracy_loss is not None and baseline is None:
        yield Check(
            "accuracy", 0.0, None, None, at_least=True, quality=True, why="the original's is not known"
        )
        return
    events = qor.metrics.get("events")
    floors = []
    if budget.max_accuracy_loss is not None and baseline is not None:
        floors.append((baseline - budget.max_accuracy_loss, qor.metrics.get("loss_error")))
    if budget.min_accuracy is not None:
        floors.append((budget.min_accuracy, qor.metrics.get("accuracy_error")))
    if floors:
        yield floor_check("accuracy", qor.accuracy, floors, None if events is None else int(events))


def _own_accuracy(name: str, found: Quality, budget: Budget) -> Iterator[Check]:
    """The limits on accuracy for one of several outputs."""
    if budget.max_accuracy_loss is not None:
        yield quality_check(name, found, Allowance(loss=budget.max_accuracy_loss))
    if budget.min_accuracy is not None:
        yield quality_check(name, found, Allowance(limit=budget.min_accuracy, at_least=True))


def quality_check(name: str, found: Quality | None, allowance: Allowance) -> Check:
    """A figure of merit against what it may lose; UNKNOWN where it, or the original's, is not known."""
    if found is None:
        return _open(name, "it was not measured")
    if found.above is not None and found.above < LEAST_ABOVE:
        return _open(name, f"{found.above} background events lie above the threshold, too few to set it")
    if allowance.loss is not None and found.original is None:
        return _open(name, "the original's is not known")
    is_share = not (found.relative or found.unit)
    if problem := allowance.problem(lower_is_better=found.lower_is_better, is_share=is_share):
        return _open(name, problem)
    limit = allowance.limit_of(found.original or 0.0, lower_is_better=found.lower_is_better)
    error = found.error if allowance.limit is not None else found.loss_error
    original = None if allowance.limit is not None else found.original
    told: dict[str, Any] = {"lower_is_better": found.lower_is_better, "unit": found.unit}
    return floor_check(name, found.value, [(limit, error)], found.events, original, **told)


def _open(name: str, why: str) -> Check:
    return Check(name, 0.0, None, None, at_least=True, quality=True, why=why)


def floor_check(
    name: str,
    value: float | None,
    floors: Iterable[tuple[float, float | None]],
    events: int | None,
    original: float | None = None,
    *,
    lower_is_better: bool = False,
    unit: str = "",
) -> Check:
    """A figure of quality against the floor it is nearest to fail, each floor with the statistical error (one standard
    deviation) of the figure's distance to it; an error of None is not known and counts as none. With the ``original``'s
    figure a loss within its error is not called one. Where lower is better the floors are ceilings."""
    sign = -1.0 if lower_is_better else 1.0
    floor, error = max(floors, key=lambda pair: sign * pair[0] + abs(pair[1] or 0.0))
    spread = abs(error or 0.0)
    told: dict[str, Any] = {"at_least": not lower_is_better, "quality": True, "unit": unit}
    if value is None or not spread or events is None:
        return Check(name, floor, value, value, **told)
    low, high = max(value - spread, min(value, 0.0)), value + spread
    high = high if lower_is_better or unit else min(high, max(value, 1.0))
    lost = original is None or sign * (original - value) > spread
    return Check(name, floor, low, high, **told, value=value, events=events, lost=lost)


def on_test(qor: QoR, budget: Budget | None) -> Check | None:
    """The accuracy limits on the test split, which decides nothing but may contradict; None where none is set or the
    split was not measured."""
    return next(iter(all_on_test(qor, budget)), None)


def all_on_test(qor: QoR, budget: Budget | None) -> tuple[Check, ...]:
    """Every limit on quality, on the test split; empty where none is set or the split was not measured."""
    if budget is None:
        return ()
    own = {name: qor.metrics.get(f"test_{name}") for name in ("accuracy_error", "loss_error", "events")}
    seen = qor.with_(accuracy=qor.metrics.get("test_accuracy"), metrics=own, quality=qor.quality_test)
    if seen.accuracy is None and not seen.quality:
        return ()
    return tuple(_quality_checks(seen, budget, qor.metrics.get("test_accuracy_float")))


def _latency_checks(latency: Latency | None, budget: Budget) -> Iterator[Check]:
    found = latency or Latency()
    wide = budget.accept_wide
    if budget.latency_ns is not None:
        limits = (budget.latency_ns, found.worst_ns_lo, found.worst_ns_hi)
        yield Check("latency", *limits, unit="ns", value=found.worst_ns, accept_wide=wide)
    if budget.latency_cycles is not None:
        low = found.cycles_max if found.cycles_max_lo is None else found.cycles_max_lo
        high = found.cycles_max if found.cycles_max_hi is None else found.cycles_max_hi
        limits = (budget.latency_cycles, low, high)
        yield Check("latency cycles", *limits, unit="cycles", value=found.cycles_max, accept_wide=wide)
    if budget.ii_cycles is not None:
        yield Check("II", budget.ii_cycles, found.ii_cycles, found.ii_cycles, "cycles")
    yield from _timing(found, asked=budget.timing)


def _timing(latency: Latency, *, asked: bool) -> Iterator[Check]:
    """As the tool flags it. A violation after synthesis that nobody asked about leaves the verdict open: only placing
    and routing can tell. An estimate's clock is bounded in its ns already."""
    met, measured = latency.timing_met, latency.clock_estimated_hi_ns is None
    slack = "" if latency.slack_ns is None else f" (slack {fixed(latency.slack_ns, 3)} ns)"
    why = f"the tool flags it as missed{slack}" if met is False else ""
    if asked:
        value = None if met is None else float(met)
        yield Check("timing", 1.0, value, value, at_least=True, why=why)
    elif met is False and measured:
        yield Check("timing", 1.0, 0.0, 1.0, at_least=True, why=f"{why}, routing decides")


def _resource_checks(resources: Resources | None, budget: Budget) -> Iterator[Check]:
    for name, limit in budget.resources.model_dump().items():
        if limit is not None:
            yield _used(name, limit, resources, name, wide=budget.accept_wide)
