"""``compress`` from files, as a user runs it: table, JSON, exit status, resume."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.network import save_model
from pquant_hls.store import read_ledger
from tests.helpers import Shell
from tests.readers.report_factory import Fake, csynth_rpt, csynth_xml
from tests.toolchain.tool_mocks import BANNER, SCRIPT

pytestmark = pytest.mark.gxx


def add_mock(folder: Path, monkeypatch: pytest.MonkeyPatch, cycles: int) -> None:
    """A vitis_hls in front of PATH that reports ``cycles``."""
    tool, report = folder / "bin" / "vitis_hls", folder / "canned" / "syn" / "report"
    report.mkdir(parents=True)
    tool.parent.mkdir()
    tool.write_text(SCRIPT.format(python=sys.executable, banner=BANNER.format(tool="vitis_hls")))
    tool.chmod(0o755)
    fake = Fake(cycles=(cycles, cycles), modules=())
    for name, write in (("myproject_csynth.xml", csynth_xml), ("myproject_csynth.rpt", csynth_rpt)):
        (report / name).write_text(write(fake))
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("MOCK_REPORTS", str(folder / "canned"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The user's own model and data, and the command that compresses them."""
    from pquant_hls.network import build_mlp

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
        str(folder / "model.h5"),
        "--data",
        str(folder / "data.npz"),
        "--recipe",
        str(folder / "recipe.yaml"),
        "--out",
        str(folder / "run"),
    ]


LEFT_OUT = "left out: the firmware's outputs are logits [softmax]"


def test_table_folder_and_exit_status(shell: Shell, words: list[str]) -> None:
    code, out, err = shell(*words)
    assert code == 0, err
    assert "MET" in out
    assert "estimate" in out, "each number says its source"
    assert "csim equals Keras on 100.00 %" in out
    assert "the verdict rests on latency, " in out
    assert str(words[-1]) in out
    assert "round 1" in err
    kept = json.loads((Path(words[-1]) / "handover" / "qor.json").read_text())["notes"]
    pages = [out, "\n".join(kept), shell("report", words[-1])[1]]
    assert [page.count(LEFT_OUT) for page in pages] == [1, 1, 1]


def test_json_alone_on_stdout_and_resume(shell: Shell, words: list[str]) -> None:
    code, out, _ = shell(*words, "--resume", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["verdict"] == "MET"
    assert found["qor"]["csim_match"] == 1.0
    assert [record["kind"] for record in found["rounds"]] == ["float", "round"]
    assert code == shell(*words, "--resume")[0]


def test_an_open_estimate_is_resolved_by_the_tool_and_its_error_is_shown(
    shell: Shell, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget's limit is the estimate's lower end, which a mock of the vendor's tool reports."""
    estimate = json.loads(shell(*words, "--resume", "--json")[1])["qor"]["latency"]
    limit = estimate["cycles_max_lo"]
    add_mock(tmp_path, monkeypatch, cycles=limit)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        Path(words[6]).read_text().replace("latency_ns: 4 us", f"latency_cycles: {limit}, measure: estimate")
    )
    changed = [*words[:6], recipe, "--out", tmp_path / "run"]
    code, out, err = shell(*changed)
    assert code == 0, err
    rounds = {
        entry.kind: entry for entry in read_ledger(tmp_path / "run") if entry.kind in {"float", "round"}
    }
    assert (rounds["float"]["verdict"], rounds["float"]["qor"]["source"]) == ("MISSED", "estimate")
    assert (rounds["round"]["verdict"], rounds["round"]["qor"]["source"]) == ("MET", "csynth")
    error = estimate["cycles_max"] - limit
    assert rounds["round"]["qor"]["metrics"]["estimate_error_cycles"] == error
    assert f"(estimate {error:+.0f})" in out
    assert f"csynth (estimate {error:+.0f})" in err


def test_a_missed_budget_exits_1_and_says_why(shell: Shell, words: list[str], tmp_path: Path) -> None:
    tight = [*words[:-1], tmp_path / "run", "--budget", "5 ns", "--json"]
    code, out, _ = shell(*tight)
    found = json.loads(out)
    assert code == {"MISSED": 1, "UNKNOWN": 4}[found["verdict"]]
    assert found["reason"]


def test_measure_shows_the_project(shell: Shell, words: list[str]) -> None:
    project = Path(words[-1]) / "handover" / "project"
    code, out, _ = shell("measure", project)
    assert code == 0
    assert "estimate" in out
    assert "bunch crossings" in out
    assert out.count(LEFT_OUT) == 1
    code, out, _ = shell("measure", project, "--json")
    found = json.loads(out)
    assert found["source"] == "estimate"
    assert found["derived"]["worst_ns_lo"] <= found["derived"]["worst_ns"] <= found["derived"]["worst_ns_hi"]


def test_doctor_tells_what_is_here(shell: Shell) -> None:
    code, out, _ = shell("doctor", "--json")
    assert code == 0
    names = {check["name"] for check in json.loads(out)["checks"]}
    assert {"g++", "hls4ml", "vitis_hls"} <= names
    assert shell("doctor")[0] == 0
