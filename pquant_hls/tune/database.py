"""The database of a study: opened by any number of workers at once, and nothing lost when one of them is killed.

A trial that a killed worker left running is put back, and drawn again as it was (``sampler.py``): at once where the
worker's own run folder is taken up again, by the others once its heartbeat has stopped.
"""

from __future__ import annotations

import logging
import math
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pquant_hls.errors import SpecError, ToolFailed
from pquant_hls.spec import StudySpec
from pquant_hls.store import digest_of
from pquant_hls.tune.sampler import Repeatable

FAILURES = (SQLAlchemyError, optuna.exceptions.StorageInternalError)
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
DATABASE = "study.db"
SILENT_BEATS = 3
"""A worker that misses so many heartbeats is gone."""

LOSSES = 3
"""How many workers a trial may lose before it is failed: it may be what kills them."""

DESIGN = "design"
"""Attribute of a trial: the digest of the design that its parameters came to."""

OPENINGS = 20
LOCKED_S = 60.0
"""How long a worker waits for another to be done writing to SQLite."""


def open_study(spec: StudySpec, folder: Path, identity: str) -> optuna.Study:
    """The study in the run folder or in ``spec.storage``, new or taken up.

    Raises SpecError where the database cannot be used or its study is of another model, data or space.
    """
    for name in ("optuna", "sqlalchemy.pool"):  # the pool logs a traceback of every connection that is lost
        logging.getLogger(name).setLevel(logging.CRITICAL)
    study = _opened(spec.name, spec.storage or f"sqlite:///{folder / DATABASE}")
    with talking():
        if study.user_attrs.get("identity") is None:
            study.set_user_attr("identity", identity)
        if study.user_attrs["identity"] != identity:
            raise SpecError(
                f"its study {spec.name!r} is of another model, data or space",
                where="storage",
                mend="set a new name",
            )
        study.sampler = Repeatable(spec)
        for trial in _running(study):
            if spec.storage is None or trial.user_attrs.get("worker") == _name(folder):
                _put_back(study, spec, trial)
    return study


def _opened(name: str, url: str) -> optuna.Study:
    """Workers that start together get into each other's way while they make the tables; each time one gets further."""
    waits = {"connect_args": {"timeout": LOCKED_S}} if url.startswith("sqlite") else {}
    for attempt in range(OPENINGS):
        try:
            storage = optuna.storages.RDBStorage(url, waits)
            return optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
        except (ImportError, *FAILURES) as cause:
            if attempt + 1 == OPENINGS or not _answers(url):
                raise SpecError(f"cannot be opened: {_words(cause)}", where="storage") from cause
            time.sleep(random.SystemRandom().uniform(0.05, 0.5))
    raise ToolFailed("the study was not opened", where="storage")


def _answers(url: str) -> bool:
    """Whether there is a database at ``url`` at all."""
    try:
        engine = sqlalchemy.create_engine(url)
        engine.connect().close()
    except (ImportError, SQLAlchemyError):
        return False
    engine.dispose()
    return True


def _words(cause: BaseException) -> str:
    """The driver's own words; Optuna's speak of invalid data whatever happened."""
    inner = cause.__cause__ if isinstance(cause, optuna.exceptions.StorageInternalError) else cause
    return " ".join(str(getattr(inner, "orig", inner)).split())


@contextmanager
def talking() -> Iterator[None]:
    """Raises ToolFailed, naming ``--resume``, where the database stops in the middle of the block."""
    try:
        yield
    except FAILURES as cause:
        raise ToolFailed(
            f"the database stopped in the middle of the study: {_words(cause)}",
            where="storage",
            mend="start it again, then --resume goes on with the study",
        ) from cause


class Worker:
    """One worker's part in a study, from a run folder of its own.

    ``ask`` gives its next trial, ``beating`` says that it is alive while it works on one.
    """

    def __init__(self, study: optuna.Study, spec: StudySpec, folder: Path) -> None:
        self.study, self.spec, self.name = study, spec, _name(folder)
        self._heard: dict[int, tuple[Any, float]] = {}

    def finished(self) -> list[FrozenTrial]:
        """All workers' trials that came to an end, by number."""
        return self.study.get_trials(deepcopy=False, states=ENDED)

    def ask(self, limit: float = math.inf) -> Trial | None:
        """A trial to work on: one that was put back, else a new one. None when ``n_trials`` have ended (``used``), or
        at ``limit`` (of ``time.monotonic``).

        Where the trials of others that still run would be enough, it waits for them: they may have lost their worker,
        and all workers hand over the same winner.
        """
        while (ended := used(self.finished(), self.spec)) < self.spec.n_trials and time.monotonic() < limit:
            self._put_back_lost()
            if ended + len(_running(self.study)) < self.spec.n_trials:
                trial = self.study.ask()
                trial.set_user_attr("beat", time.time())
                trial.set_user_attr("worker", self.name)
                if not self._is_surplus(trial):
                    return trial
                self.study.tell(trial, state=TrialState.FAIL)
            time.sleep(min(1.0, self.spec.heartbeat_s / 4))
        return None

    def _is_surplus(self, trial: Trial) -> bool:
        """Whether another worker asked at the same moment, and the trials before this one are enough."""
        there = self.study.get_trials(deepcopy=False, states=(*ENDED, TrialState.RUNNING))
        before = [other for other in there if other.number < trial.number]
        return used(before, self.spec) >= self.spec.n_trials

    @contextmanager
    def beating(self, trial: Trial) -> Iterator[None]:
        """A heartbeat in the database while the block runs, where others look for it."""
        done = threading.Event()
        if self.spec.storage is None:
            done.set()
        beat = threading.Thread(target=self._beat, args=(trial, done), daemon=True)
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join()

    def _beat(self, trial: Trial, done: threading.Event) -> None:
        while not done.wait(self.spec.heartbeat_s):
            with suppress(*FAILURES, optuna.exceptions.UpdateFinishedTrialError):
                trial.set_user_attr("beat", time.time())

    def tell(self, trial: Trial, value: float | None) -> None:
        """A trial's score; None where its design failed. Nothing where another worker was quicker with it."""
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        # A machine that slept wakes up with a trial that was put back meanwhile.
        self.study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        self.study.tell(trial, value, state, skip_if_finished=True)

    def _put_back_lost(self) -> None:
        """Trials whose heartbeat has not changed for too long by this worker's own clock."""
        now, running = time.monotonic(), _running(self.study)
        heard = {trial.number: (trial.user_attrs.get("beat"), now) for trial in running}
        before = self._heard
        same = {number for number, (beat, _) in heard.items() if before.get(number, (None, None))[0] == beat}
        self._heard = {**heard, **{number: before[number] for number in same if number in before}}
        for trial in running:
            if now - self._heard[trial.number][1] > SILENT_BEATS * self.spec.heartbeat_s:
                _put_back(self.study, self.spec, trial, losses=trial.user_attrs.get("losses", 0) + 1)


def used(trials: Sequence[FrozenTrial], spec: StudySpec) -> int:
    """How many of ``n_trials`` these are: those of a design that an earlier one had too, as of ranks that save nothing, cost
    no training and are not counted. As many again as ``n_trials``; a space with fewer designs ends so.
    """
    designs = [trial.user_attrs.get(DESIGN, trial.number) for trial in trials]
    distinct = len(set(designs))
    return distinct + max(0, len(designs) - distinct - spec.n_trials)


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _put_back(study: optuna.Study, spec: StudySpec, trial: FrozenTrial, losses: int = 0) -> None:
    """Have a trial drawn and run again under its own number; failed where the study needs it no more."""
    ended = study.get_trials(deepcopy=False, states=ENDED)
    wanted = used(ended, spec) < spec.n_trials and losses <= LOSSES
    storage = study._storage
    with suppress(optuna.exceptions.UpdateFinishedTrialError):  # another worker was quicker
        if losses:
            storage.set_trial_user_attr(trial._trial_id, "losses", losses)
        storage.set_trial_state_values(trial._trial_id, TrialState.WAITING if wanted else TrialState.FAIL)


def _name(folder: Path) -> str:
    """A worker is a run folder on a machine: the folder is held by one process at a time."""
    return digest_of([socket.gethostname(), str(folder.absolute())])[:12]
