"""Run folders and a golden file that 0.1.0 wrote: every later version reads them, and goes on with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compat.conftest import ARCHIVES
from tests.helpers import Shell, known

Unpack = Callable[[str], list[str]]


class Run(NamedTuple):
    """What a run of 0.1.0 says: exit status by its record, figures, lines of its report.

    Those of 0 to 25 ns against 25 ns, which 0.1.0 called MET, rest on an interval without content.
    """

    status: int
    worst_ns: float | None
    accuracy: float | None
    steps: tuple[str, ...]


RUNS = {
    "loop": Run(4, 25.0, 0.9583, ("float", "round 1", "round 2")),
    "interrupted": Run(4, None, None, ("float", "round 1")),
    "standard": Run(
        0, 25.0, 0.9417, (*["low rank"] * 3, "pruning", "pruning", "quantization", "fine-tuning")
    ),
    "trigger": Run(4, 25.0, 0.9583, ("float", "round 1", *["relax"] * 6)),
    "adaptive": Run(4, 25.0, 0.9417, ("quantization", "pruning by 0.25")),
    "study": Run(0, 30.0, 0.9333, ("trial 0", "trial 1", "trial 2")),
}
FINISHED = [name for name in RUNS if name != "interrupted"]


def test_the_archives_are_those_of_0_1_0() -> None:
    wanted = json.loads((ARCHIVES / "sha256.json").read_text())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in ARCHIVES.glob("*.tar.gz")}
    assert found == wanted


@pytest.mark.parametrize("name", RUNS)
def test_report_tells_what_it_told(old_run: Unpack, shell: Shell, name: str) -> None:
    old_run(name)
    wanted = RUNS[name]
    status, out, err = shell("report", name, "--json", "--html", "page.html", "--junit", "run.xml")
    assert status == wanted.status, err
    found = json.loads(out)
    assert [line["step"] for line in found["lines"]] == list(wanted.steps)
    assert found["status"] == ("interrupted" if name == "interrupted" else "finished")
    assert wanted.steps[-1] in Path("page.html").read_text()
    assert "<testsuite" in Path("run.xml").read_text()
    status, out, _ = shell("report", name)
    assert status == wanted.status
    assert ("interrupted" if name == "interrupted" else "MET") in out
    assert ("recorded MET, the record gives UNKNOWN" in out) == (wanted.status == 4 and name != "interrupted")


def test_report_keeps_every_figure_of_the_loop(old_run: Unpack, shell: Shell) -> None:
    old_run("loop")
    found = json.loads(shell("report", "loop", "--json")[1])
    assert (found["verdict"], found["recorded_verdict"]) == ("UNKNOWN", "MET")
    assert found["reason"].endswith("(recorded reason: every limit of the budget holds)")
    figures = [
        (line["accuracy"], line["worst_ns"], line["ratio"], line["outcome"]) for line in found["lines"]
    ]
    wanted = [(0.975, 55.0, 1.0, "MISSED"), (0.9833, 30.0, 6.5524, "UNKNOWN"), (0.9583, 25.0, 8.4938, "MET")]
    for got, want in zip(figures, wanted, strict=True):
        assert got[:3] == pytest.approx(want[:3], abs=1e-4)
        assert got[3] == want[3]
    assert "sparsity 0.20 -> 0.36" in found["lines"][1]["why"]


def test_report_tells_kept_stages_from_others(old_run: Unpack, shell: Shell) -> None:
    old_run("standard")
    found = json.loads(shell("report", "standard", "--json")[1])
    outcomes = [line["outcome"] for line in found["lines"]]
    assert outcomes == [*["rolled back"] * 3, *["kept"] * 3, "rolled back"]
    assert found["lines"][-1]["why"] == "changes nothing"
    assert found["lines"][0]["why"].startswith("left out: rank: no layer gains")


def test_report_tells_trials(old_run: Unpack, shell: Shell) -> None:
    old_run("study")
    found = json.loads(shell("report", "study", "--json")[1])
    assert {line["outcome"] for line in found["lines"]} == {"within budget"}
    assert [line["why"] for line in found["lines"]] == ["score 2.0145", "score 2.1197", "score 1.8927"]


@pytest.mark.parametrize("name", FINISHED)
def test_gate_judges_the_record(old_run: Unpack, shell: Shell, name: str) -> None:
    old_run(name)
    worst, accuracy = RUNS[name].worst_ns, RUNS[name].accuracy
    assert worst is not None
    assert accuracy is not None
    latency = ("--limit", "accept_wide=true", "--limit", f"latency_ns={worst} ns", "--limit")
    words = (*latency, f"min_accuracy={accuracy - 1e-3}", "--limit", "exact=true", "--json")
    status, out, err = shell("gate", name, *words)
    assert status == 0, err
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert checks["latency"]["high"] == worst
    assert checks["accuracy"]["low"] == pytest.approx(accuracy, abs=1e-4)
    assert checks["csim match"]["low"] == 1.0
    assert shell("gate", name, *latency, f"min_accuracy={accuracy + 1e-3}")[0] == 1
    assert shell("gate", name, "--limit", f"latency_ns={worst - 5} ns")[0] == 4, "an interval that may fit"
    assert shell("gate", name, "--limit", f"latency_ns={worst} ns")[0] == 4, "one without content"
    assert shell("gate", name, "--against", f"{name}/handover/qor.json")[0] == 0


@pytest.mark.gxx
@pytest.mark.parametrize(
    ("name", "project", "golden", "count"),
    [
        ("golden", "golden/project", "golden/old.golden", 20),
        ("loop", "loop/handover/project", "loop/handover/project.golden", 120),
    ],
)
def test_golden_vectors_still_hold(
    old_run: Unpack, shell: Shell, name: str, project: str, golden: str, count: int
) -> None:
    old_run(name)
    status, out, err = shell("csim", "check", project, "--golden", golden, "--pinned", "--json")
    assert status == 0, out + err
    found = json.loads(out)
    assert found["passed"]
    assert found["count"] == count
    assert shell("csim", "show", golden)[0] == 0


@pytest.mark.gxx
def test_an_old_project_is_exported_and_proven(old_run: Unpack, shell: Shell) -> None:
    old_run("golden")
    words = ("export", "golden/project", "--out", "emulator", "--namespace", "old_v1")
    status, out, err = shell(*words, "--golden", "golden/old.golden", "--json")
    assert status == 0, err
    assert json.loads(out)["vectors"] == 20
    assert Path("emulator/old_v1.cpp").is_file()


@pytest.mark.gxx
@pytest.mark.parametrize("name", [name for name in FINISHED if name not in ("trigger", "loop", "standard")])
def test_a_finished_run_resumed_says_the_same(old_run: Unpack, shell: Shell, name: str) -> None:
    words = old_run(name)
    before = json.loads(Path(name, "run.json").read_text())
    status, out, err = shell(*words, "--resume", "--json")
    assert status == RUNS[name].status, err
    found = json.loads(out)
    if RUNS[name].status == 0:
        assert (found["verdict"], found["reason"]) == (before["verdict"], before["reason"])
    else:
        assert (found["verdict"], "the interval says little" in found["reason"]) == ("UNKNOWN", True)
    assert found["qor"]["latency"]["cycles_max_hi"] * 5.0 == RUNS[name].worst_ns
    assert found["qor"]["accuracy"] == pytest.approx(RUNS[name].accuracy, abs=1e-4)


@pytest.mark.gxx
def test_a_standard_run_resumed_goes_by_today_s_stages(old_run: Unpack, shell: Shell) -> None:
    """Learned widths, zeros and bits by sensitivity took the place of whole units: the same target, by another way."""
    words = old_run("standard")
    status, out, err = shell(*words, "--resume", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["verdict"] == "MET"
    assert "reaches the target of 6" in found["reason"]
    assert found["qor"]["csim_match"] == 1.0


@pytest.mark.gxx
def test_a_loop_resumed_stops_where_no_tightening_closes_the_interval(old_run: Unpack, shell: Shell) -> None:
    """0.1.0 tightened 30 ns to 0..25 ns; the design of the first round is expected to fit, and more accurate."""
    words = old_run("loop")
    status, out, err = shell(*words, "--resume", "--json")
    assert status == 4, err
    found = json.loads(out)
    assert "the estimate cannot tell on this part: latency: expected" in found["reason"]
    assert [record["kind"] for record in found["rounds"]] == ["float", "round"]
    assert found["qor"]["accuracy"] == pytest.approx(0.9833, abs=1e-4)


@pytest.mark.gxx
def test_a_trigger_run_resumed_looks_for_an_interval_with_content(old_run: Unpack, shell: Shell) -> None:
    """0 to 25 ns was enough for 0.1.0; wider accumulators have 10 to 20 ns, and accuracy is given back."""
    words = old_run("trigger")
    status, out, err = shell(*words, "--resume", "--json")
    assert status == 0, err
    found = json.loads(out)["qor"]
    assert found["latency"]["cycles_max_hi"] * 5.0 <= 25.0
    assert found["latency"]["cycles_max_lo"] > 0
    assert found["accuracy"] > known(RUNS["trigger"].accuracy)


@pytest.mark.gxx
def test_an_interrupted_run_goes_on(old_run: Unpack, shell: Shell) -> None:
    words = old_run("interrupted")
    status, out, err = shell(*words, "--resume", "--json")
    assert status == 4, err
    found = json.loads(out)
    assert found["verdict"] == "UNKNOWN", "20 to 30 ns against 25, which no tightening closes"
    assert [record["kind"] for record in found["rounds"]] == ["float", "round"]
    first = found["rounds"][1]
    assert (first["knobs"], first["verdict"]) == ({"sparsity": 0.2, "bits": 6}, "UNKNOWN")
    assert first["qor"]["accuracy"] == pytest.approx(0.9833, abs=1e-4), (
        "taken from the folder, not trained again"
    )
    assert json.loads(Path("interrupted/run.json").read_text())["status"] == "finished"
    assert Path("interrupted/handover/project/build_prj.tcl").is_file()
