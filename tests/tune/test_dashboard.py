"""A study as optuna-dashboard has it: the feasible best, limits as constraints, names and figures."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from look_at import browse

from pquant_hls.errors import SpecError, ToolNotFound
from pquant_hls.spec import StudySpec
from pquant_hls.tune.dashboard import BEST, FeasibleBest, name_best, serve_dashboard, url_of
from pquant_hls.tune.study import CONSTRAINT
from tests.helpers import Shell
from tests.reporting.browser import chromium
from tests.tune.test_workers import study_spec, work

WAIT_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of instant trials in a run folder, as ``tune`` leaves one; some break the budget."""
    place = tmp_path_factory.mktemp("study") / "run [x]"
    spec: StudySpec = study_spec("unused", budget={"latency_ns": 50, "max_accuracy_loss": 0.05}).with_(
        storage=None
    )
    work(spec, place)
    return place


@pytest.fixture(scope="module")
def study(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="shared", storage=FeasibleBest(url_of(str(folder))))


def raw_best(trials: list[optuna.trial.FrozenTrial]) -> optuna.trial.FrozenTrial:
    return max(trials, key=lambda trial: trial.value or 0.0)


def test_constraints_stand_in_both_forms_and_mean_the_same(study: optuna.Study) -> None:
    trials = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    assert trials
    for trial in trials:
        excess = trial.system_attrs[f"constraints:{CONSTRAINT}"]
        assert trial.system_attrs["constraints"] == [excess]
        assert (trial.user_attrs["outcome"] == "within budget") == (excess <= 0)
        assert bool({"breaks", "open"} & set(trial.user_attrs)) == (excess > 0)


def test_attributes_are_flat_and_the_value_has_a_name(study: optuna.Study) -> None:
    assert study.metric_names == ["compression_accuracy"]
    for trial in study.get_trials():
        assert all(isinstance(value, str | int | float) for value in trial.user_attrs.values())
        assert {"accuracy", "worst_ns", "outcome"} <= set(trial.user_attrs)


def test_the_best_is_feasible_where_optunas_storage_takes_any(folder: Path, study: optuna.Study) -> None:
    trials = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    plain = optuna.storages.RDBStorage(url_of(str(folder))).get_best_trial(study._study_id)
    assert plain.number == raw_best(trials).number
    assert plain.user_attrs["outcome"] == "over budget", "the case that matters"
    feasible = [trial for trial in trials if trial.user_attrs["outcome"] == "within budget"]
    best = FeasibleBest(url_of(str(folder))).get_best_trial(study._study_id)
    assert best.number == raw_best(feasible).number == study.best_trial.number


def test_the_studys_first_page_names_the_feasible_best_in_any_dashboard(study: optuna.Study) -> None:
    assert study.user_attrs[BEST] == f"trial {study.best_trial.number}: {study.best_trial.value:.4f}"


def test_without_a_feasible_trial_the_first_page_says_so(tmp_path: Path) -> None:
    found = optuna.create_study(storage=f"sqlite:///{tmp_path / 'study.db'}", direction="maximize")
    name_best(found)
    assert found.user_attrs[BEST] == "no trial within the budget yet"
    for excess, value in ((3.0, 9.0), (-0.1, 1.0), (0.0, 1.5)):
        trial = found.ask()
        trial.set_constraint("budget", excess)
        found.tell(trial, value)
    name_best(found)
    assert found.user_attrs[BEST] == "trial 2: 1.5000"


def api(storage: Any, address: str) -> Any:
    """What the server of ``optuna-dashboard`` answers with this storage, or with that of this URL."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        pytest.skip("optuna-dashboard is not installed: pip install 'pquant_hls[dashboard]'")
    from optuna_dashboard import wsgi

    environment: dict[str, Any] = {}
    setup_testing_defaults(environment)
    environment |= {"PATH_INFO": address, "REQUEST_METHOD": "GET"}
    return json.loads(b"".join(wsgi(storage)(environment, lambda *_: None)))


def test_the_plain_dashboard_has_all_but_the_best_trial(folder: Path, study: optuna.Study) -> None:
    """It reads no constraint where it names the best; the day it does, docs/results.md and ``FeasibleBest`` may go."""
    url = url_of(str(folder))
    plain, ours = (api(storage, f"/api/studies/{study._study_id}") for storage in (url, FeasibleBest(url)))
    (best,), (feasible,) = plain["best_trials"], ours["best_trials"]
    assert best["constraints"][0] > 0, "what docs/results.md says of optuna-dashboard 0.21"
    assert feasible["number"] == study.best_trial.number
    assert feasible["constraints"][0] <= 0
    assert plain["trials"] == ours["trials"]
    assert {"key": BEST, "value": study.user_attrs[BEST]} in plain["user_attrs"]
    assert plain["objective_names"] == ["compression_accuracy"]


def test_where_nothing_is_feasible_the_least_excess_is_best(tmp_path: Path) -> None:
    storage = FeasibleBest(f"sqlite:///{tmp_path / 'study.db'}")
    found = optuna.create_study(storage=storage, direction="maximize")
    with pytest.raises(ValueError, match="No trials"):
        storage.get_best_trial(found._study_id)
    for excess, value in ((3.0, 9.0), (0.5, 1.0), (2.0, 5.0)):
        trial = found.ask()
        trial.set_constraint("budget", excess)
        found.tell(trial, value)
    assert storage.get_best_trial(found._study_id).number == 1


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, r"holds no study \(give a folder of `pquant-hls tune`, or a URL\)"),
        ({"identity": {"recipe": {}}}, r"has no study.db \(give a folder of `pquant-hls tune`\)"),
        ({"identity": {"study": {"name": "far"}}}, r"has no study.db \(give the URL of its storage\)"),
    ],
)
def test_a_folder_without_a_study_is_told(
    made: dict[str, Any] | None, said: str, tmp_path: Path, shell: Shell
) -> None:
    if made is not None:
        (tmp_path / "run.json").write_text(json.dumps(made))
    with pytest.raises(SpecError, match=said):
        url_of(str(tmp_path))
    assert shell("dashboard", tmp_path)[0] == 2


def test_a_url_is_taken_as_it_is() -> None:
    assert url_of("postgresql://me@there/studies") == "postgresql://me@there/studies"


def test_without_the_package_the_install_line_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(ToolNotFound, match=r"pip install 'pquant_hls\[dashboard\]'"):
        serve_dashboard(str(folder), "localhost", 1)


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """The dashboard of the study, started as a user starts it."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        pytest.skip("optuna-dashboard is not installed: pip install 'pquant_hls[dashboard]'")
    chromium()
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pquant_hls", "dashboard", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            yield answering(f"http://localhost:{port}", server)
        finally:
            server.send_signal(signal.SIGTERM)


def answering(url: str, server: subprocess.Popen[str]) -> str:
    """The URL, once somebody answers there."""
    limit = time.monotonic() + WAIT_S
    while time.monotonic() < limit and server.poll() is None:
        with (
            suppress(OSError),
            socket.create_connection(("localhost", int(url.rpartition(":")[2])), timeout=5),
        ):
            return url
        time.sleep(0.2)
    server.terminate()
    raise AssertionError(f"the dashboard did not start: {server.communicate()[0]}")


def test_the_page_shows_the_feasible_best(address: str, study: optuna.Study, tmp_path: Path) -> None:
    words = ("window-size=1400,2400", "virtual-time-budget=20000", "dump-dom")
    page = browse(tmp_path, f"{address}/dashboard/studies/{study._study_id}", *words).stdout
    best = study.best_trial
    assert f"Best Trial (number={best.number})" in page
    assert f"{best.value}" in page
    assert best.user_attrs["outcome"] == "within budget"
    assert study.user_attrs[BEST] in page
    listed = browse(tmp_path, f"{address}/dashboard/studies/{study._study_id}/trials", *words).stdout
    assert "worst_ns" in listed
    told = browse(tmp_path, f"{address}/api/studies/{study._study_id}", "dump-dom").stdout
    assert '"compression_accuracy"' in told.replace("&quot;", '"')
