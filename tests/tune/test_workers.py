"""Several workers on one study: in SQLite, and in a real PostgreSQL where there is one."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
import sqlalchemy

from pquant_hls.decide import Verdict
from pquant_hls.engine import Bench, conclude
from pquant_hls.errors import SpecError, ToolFailed
from pquant_hls.spec import StudySpec
from pquant_hls.tune import OBJECTIVES
from pquant_hls.tune.database import DESIGN, LOSSES, Worker, _put_back, open_study, talking
from pquant_hls.tune.study import CONSTRAINT, Search
from tests.pipelines.instant import Folder, InstantBench, Law, Toy

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/usr/bin"))
TRIALS = 12


def postgres(*words: str) -> None:
    """Run a PostgreSQL program, as the user postgres where we are root: the server refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *words], check=True, capture_output=True, timeout=60, cwd="/")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a database in a server of our own, reached by a socket in its folder."""
    pytest.importorskip("psycopg2", reason="no driver for PostgreSQL: pip install psycopg2-binary")
    if not (BIN / "initdb").exists():
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    # Not pytest's own folders: root's are closed to the user postgres, and too long for a socket's name.
    with tempfile.TemporaryDirectory(prefix="pg-") as home:
        if os.geteuid() == 0:
            shutil.chown(home, "postgres")
        data, options = f"{home}/data", f"-k {home} -c listen_addresses='' -c fsync=off"
        postgres(str(BIN / "initdb"), "-D", data, "-U", "study", "-A", "trust", "--no-sync")
        postgres(str(BIN / "pg_ctl"), "-D", data, "-o", options, "-l", f"{home}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg2://study@/postgres?host={home}"
        finally:
            postgres(str(BIN / "pg_ctl"), "-D", data, "-m", "fast", "-w", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    url: str = request.getfixturevalue("server")
    return url


def study_spec(storage: str, **changes: Any) -> StudySpec:
    values = {
        "space": {"bits": [3, 8], "sparsity": [0.0, 0.9]},
        "n_trials": TRIALS,
        "name": "shared",
        "sampler": "random",
        "budget": {"latency_ns": 50},
        "storage": storage,
    }
    return StudySpec.parse({**values, **changes})


def work(spec: StudySpec, folder: Path, law: Law | None = None) -> tuple[Verdict, dict[str, Any]]:
    """One worker with a folder of its own: its share of the trials, then the winner of all of them."""
    folder.mkdir(exist_ok=True)
    assert spec.budget is not None
    bench = InstantBench(law or Law(), budget=spec.budget, run=Folder(path=folder))
    study = open_study(spec, folder, "the same model and data")
    search = Search(cast("Bench", bench), spec, bench.start(Toy()), OBJECTIVES[spec.objective], study)
    search.run()
    ending = search.winner()
    return conclude(bench, ending)[1].verdict, dict(ending.extra["best_config"])


def test_workers_share_the_trials_and_agree_on_the_winner(storage: str, tmp_path: Path) -> None:
    spec = study_spec(storage)
    open_study(spec, tmp_path, "the same model and data")
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(work, [spec, spec], [tmp_path / "one", tmp_path / "two"]))
    assert [verdict for verdict, _ in ends] == [Verdict.MET, Verdict.MET]
    trials = optuna.load_study(study_name="shared", storage=storage).get_trials()
    trials = [trial for trial in trials if trial.state != optuna.trial.TrialState.FAIL]
    assert len(trials) == TRIALS, "a trial asked for at the same moment as the last is given up, not run"
    assert all(math.isfinite(trial.system_attrs[f"constraints:{CONSTRAINT}"]) for trial in trials)
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials), "no point is drawn twice"
    assert work(spec, tmp_path / "late")[1] in [config for _, config in ends]


@pytest.mark.parametrize(
    ("bits", "wanted", "designs"), [([3, 8], 5, 5), ([5, 6], 4, 2)], ids=["enough designs", "fewer designs"]
)
def test_trials_of_a_design_that_was_there_are_not_counted(
    tmp_path: Path, bits: list[int], wanted: int, designs: int
) -> None:
    """Every rank comes to the same design; where the space has too few, the study ends all the same."""
    space = {"bits": bits, "low_rank.rank": [2, 9]}
    spec = study_spec("unused", space=space, n_trials=wanted).with_(storage=None)
    work(spec, tmp_path / "run", Law(no_gain=frozenset({"low_rank"})))
    trials = open_study(spec, tmp_path / "run", "the same model and data").get_trials()
    assert len({trial.user_attrs[DESIGN] for trial in trials}) == designs
    assert len({trial.params["quantize.bits"] for trial in trials}) == designs
    assert wanted < len(trials) <= 2 * wanted


def test_a_study_of_something_else_is_not_joined(storage: str, tmp_path: Path) -> None:
    spec = study_spec(storage, name="mine")
    open_study(spec, tmp_path, "this model")
    with pytest.raises(SpecError, match="another model"):
        open_study(spec, tmp_path, "that model")


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle://nobody@nowhere/db", "sqlite:////no/such/folder/study.db"]
)
def test_a_database_that_cannot_be_opened_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="storage: cannot be opened"):
        open_study(study_spec(url), tmp_path, "this model")


LAST = 3


def asked(worker: Worker) -> optuna.Trial:
    """Its next trial; there is one."""
    trial = worker.ask()
    assert trial is not None
    return trial


def params_of(study: optuna.Study) -> list[tuple[int, dict[str, Any], float | None]]:
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return [(trial.number, trial.params, trial.value) for trial in done]


@pytest.mark.parametrize(
    ("sampler", "drawn", "shared"), [("tpe", 1, False), ("random", 2, True), ("nsgaii", 0, False)]
)
def test_a_resumed_worker_runs_the_trials_it_would_have_run(
    tmp_path: Path, sampler: str, drawn: int, shared: bool
) -> None:
    def spec(name: str, n_trials: int) -> StudySpec:
        url = f"sqlite:///{tmp_path / name}.db" if shared else None
        return study_spec("unused", sampler=sampler).with_(storage=url, n_trials=n_trials)

    work(spec("whole", TRIALS), tmp_path / "whole")
    work(spec("killed", LAST), tmp_path / "killed")
    killed = open_study(spec("killed", TRIALS), tmp_path / "killed", "the same model and data")
    trial = asked(Worker(killed, spec("killed", TRIALS), tmp_path / "killed"))
    for suggested in (("prune.sparsity", 0.0, 0.9), ("quantize.bits", 3, 8))[:drawn]:
        suggest = trial.suggest_float if "sparsity" in suggested[0] else trial.suggest_int
        suggest(*suggested)
    work(spec("killed", TRIALS), tmp_path / "killed")  # the worker died here, and is resumed
    found = [
        params_of(open_study(spec(name, TRIALS), tmp_path / name, "the same model and data"))
        for name in ("whole", "killed")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == TRIALS


def test_a_trial_whose_worker_is_gone_is_run_by_the_others(storage: str, tmp_path: Path) -> None:
    spec = study_spec(storage, name="lost", n_trials=4, heartbeat_s=0.2)
    dead = open_study(spec, tmp_path / "dead", "the same model and data")
    asked(Worker(dead, spec, tmp_path / "dead"))
    work(spec, tmp_path / "alive")
    assert [trial.state for trial in dead.get_trials()] == [optuna.trial.TrialState.COMPLETE] * 4


def test_a_trial_that_is_worked_on_stays_with_its_worker(storage: str, tmp_path: Path) -> None:
    spec = study_spec(storage, name="slow", heartbeat_s=0.1)
    study = open_study(spec, tmp_path / "slow", "the same model and data")
    slow = Worker(study, spec, tmp_path / "slow")
    trial = asked(slow)
    with slow.beating(trial):
        assert work(spec.with_(n_trials=4, timeout_s=2), tmp_path / "quick")
    assert study.get_trials()[trial.number].state == optuna.trial.TrialState.RUNNING


def test_a_trial_that_was_put_back_while_its_machine_slept_is_told_all_the_same(tmp_path: Path) -> None:
    spec = study_spec(f"sqlite:///{tmp_path / 'shared.db'}")
    study = open_study(spec, tmp_path, "this model")
    slept = Worker(study, spec, tmp_path / "slept")
    trial = asked(slept)
    _put_back(study, spec, study.get_trials()[0], losses=1)
    slept.tell(trial, 1.0)
    assert [trial.state for trial in study.get_trials()] == [optuna.trial.TrialState.COMPLETE]
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        slept.tell(trial, 2.0)
    assert study.get_trials()[0].value == 1.0


def test_of_two_that_ask_for_the_last_trial_at_once_one_gives_way(tmp_path: Path) -> None:
    spec = study_spec(f"sqlite:///{tmp_path / 'shared.db'}", n_trials=1)
    study = open_study(spec, tmp_path, "this model")
    first, second = study.ask(), study.ask()
    worker = Worker(study, spec, tmp_path)
    assert not worker._is_surplus(first)
    assert worker._is_surplus(second)


def test_a_trial_that_its_worker_never_survives_is_failed(tmp_path: Path) -> None:
    spec = study_spec(f"sqlite:///{tmp_path / 'shared.db'}", heartbeat_s=0.2)
    study = open_study(spec, tmp_path, "this model")
    alive = Worker(study, spec, tmp_path / "alive")
    for _ in range(1 + LOSSES):
        asked(Worker(study, spec, tmp_path / "dead"))
        alive._put_back_lost()
        time.sleep(1)
        alive._put_back_lost()
    assert [trial.state for trial in study.get_trials()] == [optuna.trial.TrialState.FAIL]


OPEN = """
import sys, time
from pathlib import Path
from pquant_hls.spec import StudySpec
from pquant_hls.tune.database import DESIGN, LOSSES, Worker, _put_back, open_study, talking
spec = StudySpec.parse({"storage": sys.argv[1], "name": "together"})
time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
open_study(spec, Path(sys.argv[2]), "the same model and data")
"""


@pytest.mark.slow
def test_workers_that_start_together_all_open_a_new_study(storage: str, tmp_path: Path) -> None:
    begin = str(time.time() + 20)
    words = [sys.executable, "-c", OPEN, new_database(storage), str(tmp_path), begin]
    started = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    said = [worker.communicate(timeout=300)[1] for worker in started]
    assert [worker.returncode for worker in started] == [0] * 8, said


def new_database(storage: str) -> str:
    """One without tables: a file of its own, or a database of its own in the server."""
    if storage.startswith("sqlite"):
        return storage
    engine = sqlalchemy.create_engine(storage, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE DATABASE together"))
    engine.dispose()
    return storage.replace("@/postgres", "@/together")


def test_a_database_that_stops_in_the_middle_names_resume(tmp_path: Path) -> None:
    file = tmp_path / "shared.db"
    spec = study_spec(f"sqlite:///{file}")
    study = open_study(spec, tmp_path, "this model")
    file.write_bytes(b"this is no database, whatever it was before" * 99)
    with pytest.raises(ToolFailed, match="--resume") as told, talking():
        study.ask()
    assert told.value.exit_code == 3
    assert "invalid data" not in str(told.value)
