"""``compress`` from files, as a user runs it: table, JSON, exit status, resume."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pquant_hls.models import save_model

pytestmark = pytest.mark.gxx


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """The user's own model and data, and the command that compresses them."""
    from pquant_hls.models import build_mlp

    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1200, 6)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=np.argmax(x[:, :3] + 0.1 * x[:, 3:], axis=1))
    save_model(build_mlp(6, (8,), 3), folder / "model.h5")
    (folder / "recipe.yaml").write_text(
        "steps: [{step: quantize, bits: 6, epochs: 3, learning_rate: 0.01}]\nbudget: {latency_ns: 4 us}\nseed: 1\n"
    )
    return [
        "compress",
        "--model",
        folder / "model.h5",
        "--data",
        folder / "data.npz",
        "--recipe",
        folder / "recipe.yaml",
        "--out",
        folder / "run",
    ]


def test_table_folder_and_exit_status(shell, words):
    code, out, err = shell(*words)
    assert code == 0, err
    assert "MET" in out
    assert "estimate" in out, "each number says its source"
    assert "csim equals Keras on 100.00 %" in out
    assert str(words[-1]) in out
    assert "round 1" in err


def test_json_alone_on_stdout_and_resume(shell, words):
    code, out, _ = shell(*words, "--resume", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["verdict"] == "MET"
    assert found["qor"]["csim_match"] == 1.0
    assert [record["kind"] for record in found["rounds"]] == ["float", "round"]
    assert code == shell(*words, "--resume")[0]


def test_a_missed_budget_exits_1_and_says_why(shell, words, tmp_path):
    tight = [*words[:-1], tmp_path / "run", "--budget", "5 ns", "--json"]
    code, out, _ = shell(*tight)
    found = json.loads(out)
    assert code == {"MISSED": 1, "UNKNOWN": 4}[found["verdict"]]
    assert found["reason"]


def test_measure_shows_the_project(shell, words):
    project = words[-1] / "handover" / "project"
    code, out, _ = shell("measure", project)
    assert code == 0
    assert "estimate" in out
    assert "bunch crossings" in out
    code, out, _ = shell("measure", project, "--json")
    found = json.loads(out)
    assert found["source"] == "estimate"
    assert found["derived"]["worst_ns_lo"] <= found["derived"]["worst_ns"] <= found["derived"]["worst_ns_hi"]


def test_doctor_tells_what_is_here(shell):
    code, out, _ = shell("doctor", "--json")
    assert code == 0
    names = {check["name"] for check in json.loads(out)["checks"]}
    assert {"g++", "hls4ml", "vitis_hls"} <= names
    assert shell("doctor")[0] == 0
