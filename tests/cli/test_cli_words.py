"""What the commands say at the end: one block, whichever command says it."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest

from pquant_hls.cli.closing import Closing, handed_over, resources_text
from pquant_hls.decide import Judgement
from pquant_hls.engine.progress import PlainConsole
from pquant_hls.qor import QoR
from pquant_hls.reporting import read_run
from tests.helpers import Shell
from tests.reporting import made


@pytest.mark.parametrize(
    ("backend", "project"),
    [
        ("Vitis", "for vitis_hls or vitis-run (build_prj.tcl)"),
        ("Vivado", "for vivado_hls (build_prj.tcl)"),
        ("Elsewhere", "for the tool of Elsewhere"),
        ("", "for the tool of its back-end"),
    ],
)
def test_the_project_is_for_its_own_backend(backend: str, project: str) -> None:
    assert project in dict(handed_over(backend))["project"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of the loop, without training."""
    return made.tagger(tmp_path / "run [x]")


def test_only_what_is_there_is_said_to_be_handed_over(run: Path) -> None:
    said = "\n".join(Closing.of_run(read_run(run)).lines())
    assert "  qor.json " in said
    assert "  rtl " not in said
    (run / "handover" / "rtl").mkdir()
    assert "  rtl " in "\n".join(Closing.of_run(read_run(run)).lines())


def test_report_and_gate_of_a_run_end_alike(run: Path, shell: Shell) -> None:
    """``compress`` ends by the same call: Closing.of_run of the folder that it wrote."""
    reported, gated = shell("report", run), shell("gate", run)
    assert reported[0] == gated[0]
    assert gated[1]
    assert reported[1].endswith(gated[1])
    for text in (
        "the verdict rests on ",
        "csim equals Keras on 100.00 % of the validation outputs",
        "resources, estimated: LUT 2,700 [2,000..4,000], 0.16 % of the part; FF 30",
        "note: softmax: left out",
        "/run [x]/handover:",
    ):
        assert text in gated[1].replace("\n", "")


def test_gate_of_a_run_by_other_limits_says_what_they_say(run: Path, shell: Shell) -> None:
    status, said, _ = shell("gate", run, "--limit", "lut=100")
    assert status == 1
    assert said.startswith("MISSED: lut 2,000..4,000 (limit <= 100)")
    assert "/run [x]/handover:" in said.replace("\n", "")


def test_a_run_without_an_end_says_how_to_go_on(run: Path, shell: Shell) -> None:
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**told, "status": "interrupted"}))
    shutil.rmtree(run / "handover")
    for command in ("report", "gate"):
        status, said, _ = shell(command, run)
        assert status == 4
        assert "interrupted, UNKNOWN" in said
        assert "to go on: pquant-hls compress" in said
        assert "--resume" in said
    status, _, err = shell("gate", run, "--limit", "lut=100")
    assert status == 2
    assert "this run has handed no design over" in err


@pytest.mark.parametrize("columns", [60, 80, 150])
def test_what_has_no_room_stands_beneath_and_words_stay_whole(run: Path, columns: int) -> None:
    told = StringIO()
    Closing.of_run(read_run(run)).show(PlainConsole(file=told, width=columns))
    lines = told.getvalue().splitlines()
    assert all(len(line) <= columns or " " not in line.strip() for line in lines)
    if columns == 60:
        (resources,) = [number for number, line in enumerate(lines) if line.startswith("resources")]
        assert lines[resources + 1].startswith("    ")


def test_what_is_not_known_is_not_said() -> None:
    said = list(Closing("UNKNOWN", "nothing", Judgement.of([]), QoR(), None).lines())
    assert said[0] == "UNKNOWN: nothing"
    assert not [line for line in said if "csim" in line or "resources" in line or "test split" in line]
    assert resources_text(QoR()) == ""
