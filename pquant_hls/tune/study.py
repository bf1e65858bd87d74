"""One study: trials under constraints, then the winner compressed again by the full schedule and handed
over."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import optuna

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Check, Verdict, unmet
from pquant_hls.engine import (
    Bench,
    Ending,
    Event,
    Gate,
    Goal,
    Order,
    Point,
    Score,
    StudyResult,
    Watch,
    listener_of,
    merit,
    run_policy,
)
from pquant_hls.engine.score import PLAIN
from pquant_hls.errors import NoGain, NotMeasured, OutputError
from pquant_hls.files import out_of_room
from pquant_hls.qor.words import trial_outcome
from pquant_hls.spec import StudySpec
from pquant_hls.spec.study import ORDER
from pquant_hls.store import Entry, digest_of, write_bytes
from pquant_hls.tune.dashboard import mark, name_best, name_metric, show_figures
from pquant_hls.tune.database import DESIGN, FAILURES, Worker, open_study, talking
from pquant_hls.tune.objectives import OBJECTIVES, Objective, TrialFigures
from pquant_hls.tune.space import hls_of, suggest, trial_steps

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

CONSTRAINT = "budget"
RECORD = "pquant_hls:record"
"""System attribute of a trial: its entry of the ledger."""

INFEASIBLE = 1e6
"""Constraint value of a trial that failed: finite, and beyond any real excess."""

CANDIDATES = 3
"""How many of the best trials are compressed again before giving up on reproducing a score."""


def tune_model(
    model: Model,
    data: Dataset,
    spec: StudySpec,
    out: str | Path,
    *,
    objective: Objective | None = None,
    resume: bool = False,
    **watch: Unpack[Watch],
) -> StudyResult:
    """Search ``spec.space`` for the best design within the budget.

    Parameters
    ----------
    model : Keras model; it is not changed.
    data : inputs float32 (n, *model input shape), integer labels (n,), in three splits.
    out : run folder; the study is ``study.db`` (SQLite) in it, for ``optuna-dashboard`` too. With
        ``spec.storage`` workers with folders of their own share its trials, ``n_trials`` in all.
    objective : a function of TrialFigures, higher is better, in place of ``spec.objective``.
    resume : go on with an interrupted study in ``out``.
    watch : ``verbose``, ``listen``: what is shown while it works (``engine.Watch``).

    Returns
    -------
    StudyResult, which unpacks to (model, best_config). ``results`` has the winner's score in its trial
    and when compressed again by the full schedule, and whether they agree within ``spec.tolerance``.

    Raises
    ------
    UnsupportedModel, DataError, OutputError, ToolNotFound : before any training.
    NotMeasured : no trial succeeded at all; the log of each is in ``out``.
    ToolFailed : the database stopped in the middle; ``resume`` goes on.
    """
    gates = tuple(Gate(**gate.model_dump()) for gate in spec.gates)
    order = Order(spec.hls, spec.budget, (*gates, *_quality(spec)), listener_of(**watch), task=spec.task)
    return run_policy(Study(spec, objective), model, data, order, Path(out), resume=resume)


class Study:
    """A study as a policy: trials under constraints, then the winner by the full schedule."""

    name: ClassVar[str] = "tune"
    result = StudyResult

    def __init__(self, spec: StudySpec, objective: Objective | None = None) -> None:
        self.spec, self.given = spec, objective

    def identity(self, setup: Order) -> dict[str, Any]:
        del setup
        return {
            "study": self.spec.identity(),
            "objective": self.spec.objective if self.given is None else _name(self.given),
        }

    def policy(self, bench: Bench, start: Point, setup: Order) -> Ending:
        del setup
        study = open_study(self.spec, bench.run.path, bench.run.digest)
        objective = self.given or OBJECTIVES[self.spec.objective]
        search = Search(bench, self.spec, start, objective, study)
        with talking():
            search.run()
            return search.winner()


def _quality(spec: StudySpec) -> tuple[Gate, ...]:
    """The study's figure of quality as a gate that always holds, so that it is read at its background
    rate."""
    return () if spec.quality == "accuracy" else (Gate(spec.quality, minimum=0.0),)


def _name(objective: Objective) -> str:
    return f"{objective.__module__}.{getattr(objective, '__qualname__', type(objective).__name__)}"


@dataclass(frozen=True)
class Scored:
    """A design with its score and its excess over the budget (a share of the limit; at most 0 is
    feasible). ``left_out`` names steps that had nothing to gain, ``unmet`` the limits that are (``decide.unmet``)."""

    point: Point
    value: float
    excess: float
    left_out: tuple[str, ...] = ()
    unmet: Mapping[str, list[str]] = field(default_factory=dict)


class Search:
    """Trials over one bench, kept in one Optuna study."""

    def __init__(
        self, bench: Bench, spec: StudySpec, start: Point, objective: Objective, study: optuna.Study
    ) -> None:
        self.bench, self.spec, self.start, self.objective = bench, spec, start, objective
        self.goal = Goal(gates=bench.gates, budget=spec.budget)
        self.baseline = bench.sketch(start, exact=False)
        self.layers = [] if start.account is None else list(start.account.units)
        self.study, self.worker = study, Worker(study, spec, bench.run.path)

    def run(self) -> None:
        """As many trials as are left of ``n_trials``, until ``timeout_s``.

        An interruption leaves its trial running in the database; who opens the study again puts it back.
        """
        known = (name for name, one in OBJECTIVES.items() if one is self.objective)
        name_metric(self.study, next(known, "") or _name(self.objective))
        limit = math.inf if self.spec.timeout_s is None else time.monotonic() + self.spec.timeout_s
        while (trial := self.worker.ask(limit)) is not None:
            try:
                with self.worker.beating(trial):
                    value = self.trial(trial)
                self.worker.tell(trial, value)
                name_best(self.study)
            except optuna.exceptions.UpdateFinishedTrialError:
                self.bench.listen(Event("note", f"trial {trial.number} was ended by another worker"))
        name_best(self.study)  # once more: of two workers that wrote at the same moment, one knew less

    def trial(self, trial: optuna.Trial) -> float | None:
        """One trial's score, None where its design failed. Its constraint is set exactly once, finite."""
        try:
            found = self.design(suggest(trial, self.spec, self.layers), self.spec.epochs)
        except (*FAILURES, optuna.exceptions.UpdateFinishedTrialError, OutputError):
            raise
        except Exception as cause:  # the trial boundary: a design that fails is infeasible, not a crash
            if out_of_room(cause):
                raise
            self._constrain(trial, INFEASIBLE)
            self._failed(trial, cause)
            return None
        self._constrain(trial, found.excess)
        self._scored(trial, found)
        return found.value

    def _constrain(self, trial: optuna.Trial, excess: float) -> None:
        """A trial that is run again may have its constraint, of the same design, already."""
        if f"constraints:{CONSTRAINT}" not in trial.storage.get_trial_system_attrs(trial._trial_id):
            trial.set_constraint(CONSTRAINT, excess)
            mark(trial, excess)

    def _failed(self, trial: optuna.Trial, cause: Exception) -> None:
        """Record type, reason and the traceback's file."""
        log = self.bench.run.path / "trials" / f"{trial.number}.log"
        log.parent.mkdir(exist_ok=True)
        write_bytes(log, "".join(traceback.format_exception(cause)).encode())
        reason = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
        entry = self._entry(trial, {"value": None, "excess": INFEASIBLE})
        where = {**entry.settings, "log": str(log.relative_to(self.bench.run.path))}
        self._tell(trial, entry.with_(settings=where, status="failed", reason=reason), reason)

    def _scored(self, trial: optuna.Trial, found: Scored) -> None:
        figures = {
            "value": found.value,
            "excess": found.excess,
            **_plain(found.point, self.bench),
            **found.unmet,
        }
        entry = self._entry(trial, figures).with_(
            parent=self.start.digest,
            digest=found.point.digest,
            status="kept" if found.excess <= 0 else "rolled_back",
        )
        hls = hls_of(trial.params, self.spec).model_dump(mode="json")
        trial.set_user_attr(DESIGN, digest_of([found.point.digest, hls]))
        self._tell(trial, entry, f"score {found.value:.4f}, {trial_outcome(entry.status, entry.figures)}")

    def _entry(self, trial: optuna.Trial, figures: Mapping[str, Any]) -> Entry:
        name, settings = f"trial {trial.number}", {"step": "trial", "params": dict(trial.params)}
        return Entry(kind="trial", name=name, number=trial.number, settings=settings, figures=dict(figures))

    def _tell(self, trial: optuna.Trial, entry: Entry, score: str) -> None:
        trial.storage.set_trial_system_attr(trial._trial_id, RECORD, entry.model_dump(mode="json"))
        show_figures(trial, entry)
        self.bench.record(entry, f"{entry.name}: {_text(trial.params)}: {score}")

    def design(self, params: Mapping[str, Any], epochs: int) -> Scored:
        """Compress by ``params`` from the original, sketch it, score it."""
        point, left_out = self.start, []
        names = [step.step for step in trial_steps(params, self.spec, epochs, point)]
        for index, name in enumerate(names):
            try:
                point = self.bench.apply(point, trial_steps(params, self.spec, epochs, point)[index])
            except NoGain:  # a rank that saves nothing leaves the model as it is
                left_out.append(name)
        point = self.bench.sketch(point, hls=hls_of(params, self.spec))
        value = float(self.objective(self._figures(point)))
        if not math.isfinite(value):
            raise NotMeasured(f"the objective gave {value}")
        checks = [check for check in self.goal.judge(self.bench, point).checks if not check.exactness]
        return Scored(point, value, _excess(checks), tuple(left_out), unmet(checks))

    def _figures(self, point: Point) -> TrialFigures:
        worst, lut = _cost(point)
        baseline_ns, baseline_lut = _cost(self.baseline)
        score = self.bench.score(point)
        kept = merit(self.bench.baseline, score)
        quality = kept if self.spec.quality == "accuracy" else self._named(score)
        return TrialFigures(kept, quality, point.ratio, worst, lut, baseline_ns, baseline_lut, score)

    def _named(self, score: Score) -> float | None:
        """The study's figure of quality; of one that should be low the share of the original's that is kept."""
        return merit(self.bench.baseline, Score(score.figures, (self.spec.quality,)))

    def winner(self) -> Ending:
        """The best feasible trial whose score the full schedule confirms; the least infeasible where none is
        feasible."""
        ranked = self._ranked()
        if not ranked:
            raise NotMeasured(
                "no trial succeeded", where=self.bench.run.path / "trials", mend="read the logs there"
            )
        tried: list[tuple[optuna.trial.FrozenTrial, Scored, bool]] = []
        for trial in ranked[:CANDIDATES]:
            again = self.design(trial.params, self.spec.final_epochs)
            reproduced = again.value >= _value(trial) - self.spec.tolerance * abs(_value(trial))
            tried.append((trial, again, reproduced))
            if reproduced and again.excess <= 0:
                return self._ending(*tried[-1])
        return self._ending(*tried[0])

    def _ranked(self) -> list[optuna.trial.FrozenTrial]:
        complete = self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        feasible = [trial for trial in complete if _record(trial).status == "kept"]
        if feasible:
            return sorted(feasible, key=lambda trial: -_value(trial))
        return sorted(complete, key=lambda trial: _record(trial).figures["excess"])

    def _ending(self, trial: optuna.trial.FrozenTrial, again: Scored, reproduced: bool) -> Ending:
        records = [record for done in self.worker.finished() if (record := _kept(done)) is not None]
        feasible = sum(record.status == "kept" for record in records)
        results = {
            "trial": trial.number,
            "score_trial": _value(trial),
            "score_final": again.value,
            "tolerance": self.spec.tolerance,
            "reproduced": reproduced,
            "trials": len(records),
            "feasible": feasible,
        }
        reason = (
            f"trial {trial.number} of {len(records)} ({feasible} feasible): score {_value(trial):.4f}, "
            f"by the full schedule {again.value:.4f}{'' if reproduced else ', which does not reproduce it'}"
        )
        goal = self.goal if reproduced else replace(self.goal, broken="score reproduced")
        extra = {"best_config": self._built(trial.params, again), "results": results}
        drawn = {"study": {"importance": importance(self.study)}}
        return Ending(again.point, goal, reason, tuple(records), extra, drawn=drawn)

    def _built(self, params: Mapping[str, Any], found: Scored) -> dict[str, Any]:
        """Those of the parameters that the design was built by, under the names that the space was given."""
        built = {
            name: value for name, value in params.items() if name.partition(".")[0] not in found.left_out
        }
        if ORDER in built:
            built[ORDER] = " ".join(step for step in built[ORDER].split() if step not in found.left_out)
        return self.spec.as_given(built)


def importance(study: optuna.Study) -> dict[str, float]:
    """The share of the spread of scores that each parameter explains, by PED-ANOVA (Watanabe et al., arXiv:2304.10255);
    empty where the trials are too few or too much alike to tell."""
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 2:  # Optuna would warn, and call all of them equal
        return {}
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    except (ValueError, RuntimeError):
        return {}
    return {name: float(share) for name, share in found.items() if math.isfinite(share)}


def _excess(checks: Sequence[Check]) -> float:
    """The worst excess over any limit, as a share of it; what is not known to hold is not feasible."""
    return max((_over(check) for check in checks), default=0.0)


def _over(check: Check) -> float:
    if check.expected is Verdict.MET:
        return min(0.0, -(check.margin or 0.0) / max(abs(check.limit), 1e-9))
    if check.margin is None:
        return INFEASIBLE
    return max(-check.margin / max(abs(check.limit), 1e-9), 1e-9)


def _cost(point: Point) -> tuple[float | None, float | None]:
    """(worst-case latency in ns, upper end; LUTs)."""
    if point.qor is None:
        return None, None
    latency, resources = point.qor.latency, point.qor.resources
    return None if latency is None else latency.worst_ns_hi, None if resources is None else resources.lut


def _plain(point: Point, bench: Bench) -> dict[str, Any]:
    worst, lut = _cost(point)
    score = bench.score(point)
    own = score.figures.get("accuracy") if score.headlines == PLAIN else None
    return {
        "accuracy": merit(bench.baseline, score),
        "accuracy_error": None if own is None else own.error,
        "compression_ratio": point.ratio,
        "worst_ns": worst,
        "lut": lut,
    }


def _kept(trial: optuna.trial.FrozenTrial) -> Entry | None:
    """What a trial wrote down; studies of 0.1.0 have it among the attributes that a dashboard shows."""
    told = trial.system_attrs.get(RECORD, trial.user_attrs.get("record"))
    return None if told is None else Entry.read(told)


def _record(trial: optuna.trial.FrozenTrial) -> Entry:
    found = _kept(trial)
    if found is None:
        raise NotMeasured(f"trial {trial.number} has no record", where="storage")
    return found


def _value(trial: optuna.trial.FrozenTrial) -> float:
    if trial.value is None:
        raise NotMeasured(f"trial {trial.number} has no score")
    return trial.value


def _text(params: Mapping[str, Any]) -> str:
    shown: Sequence[str] = [
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    ]
    return " ".join(shown)
