"""Several workers on one study: in SQLite, and in a real PostgreSQL where there is one."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import optuna
import pytest

from pquant_hls.decide import Verdict
from pquant_hls.engine import Bench, conclude
from pquant_hls.errors import SpecError
from pquant_hls.spec import StudySpec
from pquant_hls.tune import OBJECTIVES
from pquant_hls.tune.study import CONSTRAINT, Search, open_study
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


def work(spec: StudySpec, folder: Path) -> tuple[Verdict, dict[str, Any]]:
    """One worker with a folder of its own: its share of the trials, then the winner of all of them."""
    folder.mkdir()
    assert spec.budget is not None
    bench = InstantBench(Law(), budget=spec.budget, run=Folder(path=folder))
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
    assert TRIALS <= len(trials) <= TRIALS + 1, (
        "a worker may be in its last trial when another ends the study"
    )
    assert all(math.isfinite(trial.system_attrs[f"constraints:{CONSTRAINT}"]) for trial in trials)
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials), "no point is drawn twice"
    assert work(spec, tmp_path / "late")[1] in [config for _, config in ends]


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


def test_a_trial_left_running_by_a_crash_is_failed_and_infeasible(tmp_path: Path) -> None:
    spec = study_spec("unused").with_(storage=None)
    study = open_study(spec, tmp_path, "this model")
    study.ask()
    again = open_study(spec, tmp_path, "this model")
    (trial,) = again.get_trials()
    assert trial.state == optuna.trial.TrialState.FAIL
    assert trial.system_attrs[f"constraints:{CONSTRAINT}"] > 0
