"""What optuna-dashboard shows of a study: the feasible best, limits as constraints, names for figures.

Any ``optuna-dashboard URL`` reads constraints, metric names and attributes as they are written here. Which trial is the best it
asks the storage, and Optuna's own answers without looking at constraints: ``FeasibleBest`` looks at them, and ``name_best`` has
any dashboard name that trial beside its own.
"""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from pquant_hls.errors import SpecError, ToolNotFound
from pquant_hls.qor.words import trial_outcome
from pquant_hls.store import Entry, read_json

DATABASE = "study.db"
CONSTRAINTS, METRICS = "constraints", "study:metric_names"
"""System attributes that optuna-dashboard reads: constraints as a list, and the names of the values."""
BEST = "best within the budget"
"""Attribute of the study."""
SHOWN = ("accuracy", "accuracy_error", "compression_ratio", "worst_ns", "lut")
"""Figures of a trial that stand beside its parameters."""


def name_metric(study: optuna.Study, name: str) -> None:
    """Have the value of trials called ``name``. By the storage: Optuna's own setter warns that it is experimental."""
    study._storage.set_study_system_attr(study._study_id, METRICS, [name])


def name_best(study: optuna.Study) -> None:
    """Which feasible trial is the best, as an attribute of the study, which stands on its first page."""
    try:
        best = study.best_trial
    except ValueError:
        told = "no trial within the budget yet"
    else:
        told = f"trial {best.number}: {best.value:.4f}"
    study.set_user_attr(BEST, told)


def mark(trial: Trial, excess: float) -> None:
    """The constraint once more, in the form of before Optuna 5, which optuna-dashboard reads."""
    trial.storage.set_trial_system_attr(trial._trial_id, CONSTRAINTS, [excess])


def show_figures(trial: Trial, entry: Entry) -> None:
    """Each figure as an attribute of its own, what became of the trial, and the limits that it breaks."""
    for name in SHOWN:
        if entry.figures.get(name) is not None:
            trial.set_user_attr(name, entry.figures[name])
    trial.set_user_attr("outcome", trial_outcome(entry.status, entry.figures))
    for word, key in (("breaks", "broke"), ("open", "open")):
        if entry.figures.get(key):
            trial.set_user_attr(word, ", ".join(entry.figures[key]))


class FeasibleBest(optuna.storages.RDBStorage):
    """A storage whose best trial meets every constraint; where none does, the one that breaks them least."""

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        done = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        if not done:
            raise ValueError("No trials are completed yet.")
        return max(done, key=_rank)


def _rank(trial: FrozenTrial) -> tuple[bool, float]:
    over = sum(max(0.0, excess) for excess in trial.constraints.values())
    return (True, trial.value or 0.0) if over == 0 else (False, -over)


def url_of(study: str) -> str:
    """The database of a run folder of ``tune``, or the URL as it is.

    Raises
    ------
    SpecError : a folder without a study.
    """
    if "://" in study:
        return study
    folder = Path(study)
    if (folder / DATABASE).is_file():
        return f"sqlite:///{(folder / DATABASE).absolute()}"
    if (folder / "run.json").is_file():
        told = read_json(folder / "run.json").get("identity", {}).get("study") or {}
        mend = "give the URL of its storage" if told else "give a folder of `pquant-hls tune`"
        raise SpecError(f"has no {DATABASE}", where=study, mend=mend)
    raise SpecError("holds no study", where=study, mend="give a folder of `pquant-hls tune`, or a URL")


def serve_dashboard(study: str, host: str, port: int) -> None:
    """Show a study until the process is interrupted.

    Raises
    ------
    ToolNotFound : optuna-dashboard is not installed.
    SpecError : there is no study.
    """
    url = url_of(study)
    try:
        from optuna_dashboard import run_server
    except ImportError as cause:
        raise ToolNotFound(
            "optuna-dashboard is not installed", where="dashboard", mend="pip install 'pquant_hls[dashboard]'"
        ) from cause
    run_server(FeasibleBest(url), host, port)
