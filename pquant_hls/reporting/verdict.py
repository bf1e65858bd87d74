"""The verdict of a run folder, judged anew from the figures it holds: a recorded verdict is never believed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pquant_hls.decide import Check, Judgement, judge
from pquant_hls.errors import OutputError
from pquant_hls.qor import QoR
from pquant_hls.spec import AUTO, Budget
from pquant_hls.spec.model import unknown_key
from pquant_hls.store import Checked, digest_of

OWN_GOALS = {
    "standard": ("compression ratio", "accuracy"),
    "adaptive": ("accuracy",),
    "validation": ("accuracy",),
}
"""What pipelines judge beside budget and gates."""
BESIDE = ("verdict", "versions", "derived")
"""What stands in a file beside the record itself."""


def asked_of(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Where name, target and budget stand: in the recipe, the study, or a pipeline's own settings."""
    return dict(identity.get("recipe") or identity.get("study") or identity)


def rejudged(
    run: Mapping[str, Any], told: Mapping[str, Any] | None, kept: Iterable[Checked], *, built: bool = True
) -> Judgement:
    """Judge a run by its budget and by the record of what it handed over.

    Parameters
    ----------
    run : the content of ``run.json``. told : the record that was handed over (``handover/qor.json``).
    kept : the checks as they were judged at the end; those of the budget are judged anew, those of a pipeline's own
        goal by the figures that are kept with them. built : whether the project that was handed over is there.

    Raises
    ------
    OutputError : the record or the budget is damaged.
    """
    if run.get("status") != "finished":
        return Judgement.of([_missing("run", f"{run.get('status') or 'damaged'}, it has no end to judge")])
    if told is None or not built:
        gone = "handover/qor.json" if told is None else "handover/project"
        return Judgement.of([_missing("design handed over", f"{gone} is not there")])
    asked = asked_of(run.get("identity") or {})
    qor, budget = read_qor(told), read_budget(asked.get("budget"))
    baseline = qor.metrics.get("baseline_accuracy", run.get("baseline_accuracy"))
    fresh = judge(qor, budget, baseline_accuracy=baseline).checks
    stored = [Check.of_record(check.record) for check in kept]
    own = _beside(fresh, stored)
    return Judgement.of([*fresh, *own, *_absent(run, asked, [*fresh, *own], stored)])


def read_qor(told: Mapping[str, Any], where: object = None) -> QoR:
    """A QoR kept as JSON, in a run folder or by ``measure --json``; OutputError for what is none."""
    left = {name: value for name, value in told.items() if name not in BESIDE}
    try:
        return QoR.model_validate(left)
    except ValidationError as cause:
        first = cause.errors()[0]
        place = ".".join(map(str, first["loc"]))
        unknown = place in left and place not in QoR.model_fields
        said = unknown_key(place, QoR.model_fields) if unknown else first["msg"]
        raise OutputError(f"is no QoR record: {place}: {said}", where=where) from cause


def read_budget(told: Any) -> Budget | None:
    """A recorded budget; None where there was none."""
    try:  # the evaluator may be one that is not installed here
        return None if not told else Budget.model_validate({**told, "measure": AUTO})
    except ValidationError as cause:
        raise OutputError(f"holds no budget: {cause.errors()[0]['msg']}", where="run.json") from cause


def _missing(name: str, why: str) -> Check:
    return Check(name, 1.0, None, None, at_least=True, why=why)


def _beside(fresh: Iterable[Check], stored: Iterable[Check]) -> list[Check]:
    """The stored checks that are not one of ``fresh`` over again. One of the same name with other figures contradicts
    the record; both count."""
    left = list(stored)
    for check in fresh:
        twin = next((other for other in left if _same(check, other)), None)
        if twin is not None:
            left.remove(twin)
    return left


def _same(one: Check, other: Check) -> bool:
    """Whether two checks state the same to the four digits that texts of 0.1.0 have."""
    pairs = ((one.limit, other.limit), (one.low, other.low), (one.high, other.high))
    return one.name == other.name and all(
        a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-9) for a, b in pairs
    )


def _absent(
    run: Mapping[str, Any], asked: Mapping[str, Any], found: Iterable[Check], stored: list[Check]
) -> Iterator[Check]:
    """What the verdict rested on, or must rest on, and the record lacks."""
    identity = run.get("identity") or {}
    if run.get("digest") != digest_of(identity):
        yield _missing("what was asked", "run.json was changed after the run")
    if not run.get("verdict"):
        yield _missing("verdict of the run", "none is recorded")
    goals = _own_goals(run, identity, asked)
    names = Counter(check.name for check in found)
    for name in {*goals, *_gated(asked)} - set(names):
        yield _missing(name, "its figures are not in the record")
    for name in (Counter(run.get("legs") or ()) - Counter(check.name for check in stored)).elements():
        yield _missing(name, "the verdict rested on it, its figures are not in the record")
    if "pipeline" in identity and not stored:
        yield _missing("goal of the pipeline", "its checks are not in the record")


def _own_goals(
    run: Mapping[str, Any], identity: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[str, ...]:
    """What the pipeline judges by itself; of other tasks than classes what their searches go by stands for accuracy."""
    goals = OWN_GOALS.get(str(identity.get("pipeline")), ())
    named = tuple((asked.get("budget") or {}).get("quality") or ())
    if identity.get("pipeline") == "adaptive" and named:
        return named
    lines = tuple(run.get("headlines") or ("accuracy",))
    return tuple(name for goal in goals for name in (lines if goal == "accuracy" else (goal,)))


def _gated(asked: Mapping[str, Any]) -> Iterator[str]:
    """Metrics of the gates asked for: a study keeps them as mappings, a pipeline as the text of each."""
    for gate in asked.get("gates") or ():
        if isinstance(gate, Mapping):
            yield str(gate.get("metric"))
        elif (found := re.match(r"Gate\(metric='([^']+)'", str(gate))) is not None:
            yield found[1]
