"""``measure`` and ``doctor`` as a user calls them: figures, JSON, exit statuses, and a tool that must not be left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import Shell
from tests.programs.program_mocks import is_gone
from tests.readers.report_factory import (
    Fake,
    cosim_rpt,
    csim_log,
    csynth_xml,
    summary_rpt,
    timing_rpt,
    write_project,
)
from tests.toolchain.tool_mocks import BANNER, SCRIPT


def test_a_project_is_shown_with_its_share_of_the_part(shell: Shell, tmp_path: Path) -> None:
    write_project(tmp_path)
    status, out, _ = shell("measure", tmp_path)
    assert status == 0
    for text in (
        "source: csynth (Vitis HLS 2023.1), part xcvu13p-flga2577-2-e",
        "60.0",
        "2.4",
        "(0.36 % of the part)",
        "slack, ns",
        "initiation interval",
        "dense",
    ):
        assert text in out


def test_json_is_one_stable_object_with_null_for_what_is_not_known(shell: Shell, tmp_path: Path) -> None:
    write_project(tmp_path)
    status, out, _ = shell("measure", tmp_path, "--json")
    found = json.loads(out)
    assert status == 0
    assert shell("measure", tmp_path, "--json")[1] == out
    assert found["latency"]["cycles_max"] == 12
    assert found["latency"]["cycles_max_lo"] is None
    assert found["accuracy"] is None
    assert found["derived"]["worst_ns"] == 60.0
    assert found["derived"]["bunch_crossings"] == 2.4
    assert found["derived"]["percent"]["dsp"] == pytest.approx(100 * 61 / 12288)


def test_json_has_the_same_keys_where_nothing_is_known(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "whole").write_text(csynth_xml(Fake()))
    (tmp_path / "failed").write_text(cosim_rpt(status="Fail"))
    whole, failed = (
        json.loads(shell("measure", tmp_path / name, "--json")[1]) for name in ("whole", "failed")
    )
    assert whole.keys() == failed.keys()
    assert whole["derived"].keys() == failed["derived"].keys()
    assert set(failed["derived"]["percent"].values()) == {None}
    assert failed["derived"]["worst_ns"] is None
    assert whole["derived"]["slack_ns"] == 0.038


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (csynth_xml(Fake()), 0, "60.0"),
        (summary_rpt(Fake()), 0, "csynth_latency_ns_max: 60"),
        (cosim_rpt(), 0, "source: cosim"),
        (timing_rpt(Fake()), 0, "wns_ns: 0.214"),
        (cosim_rpt(status="Fail"), 4, "co-simulation says Fail"),
        (csim_log(2), 4, "did not pass: 2 errors"),
        ("ERROR: [HLS 200-70] Pre-synthesis failed.\n", 2, "not a report that is known"),
        ("", 2, "empty file"),
        (csynth_xml(Fake()).replace("60.000 ns", "60.000 us"), 2, "are not the printed"),
    ],
)
def test_one_report_file(shell: Shell, tmp_path: Path, text: str, status: int, said: str) -> None:
    path = tmp_path / "report"
    path.write_text(text)
    found, out, err = shell("measure", path)
    assert (found, said in out + err) == (status, True)
    assert "Traceback" not in err


def test_nonsense_paths_and_folders_of_many_designs(shell: Shell, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_project(tmp_path / "models" / name)
    status, _, err = shell("measure", tmp_path / "models")
    assert (status, "2 designs in this folder: a/" in err) == (2, True)
    assert shell("measure", tmp_path / "nowhere")[0] == 2
    (tmp_path / "empty").mkdir()
    assert shell("measure", tmp_path / "empty")[0] == 2


PROGRAM = """
import signal
from pathlib import Path

from pquant_hls.cli.app import _stop_as_by_ctrl_c
from pquant_hls.toolchain import process, synthesize

_stop_as_by_ctrl_c(signal.SIGTERM, signal.SIGHUP)
process.GRACE_S = 0.3
synthesize(Path("."))
"""


def test_a_top_that_the_folder_does_not_tell_can_be_named(shell: Shell, tmp_path: Path) -> None:
    for name, cycles in (("one", 12), ("two", 30)):
        (tmp_path / f"{name}_csynth.xml").write_text(csynth_xml(Fake(top=name, cycles=(cycles, cycles))))
    status, _, err = shell("measure", tmp_path)
    assert (status, "one, two" in err, "--top" in err) == (2, True, True)
    status, out, _ = shell("measure", tmp_path, "--top", "two", "--json")
    assert (status, json.loads(out)["latency"]["cycles_max"]) == (0, 30)
    status, _, err = shell("measure", tmp_path, "--top", "three")
    assert (status, "no report of three; there are one, two" in err) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command_line_leaves_no_tool_behind(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "project.tcl").write_text('set project_name "myproject"\nset backend "vitis"\n')
    (tmp_path / "build_prj.tcl").write_text("source [file join $tcldir build_opt.tcl]\n")
    tool = tmp_path / "bin" / "vitis_hls"
    tool.parent.mkdir()
    tool.write_text(SCRIPT.format(python=sys.executable, banner=BANNER.format(tool="vitis_hls")))
    tool.chmod(0o755)
    env = {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}", "MOCK_MODE": "stubborn"}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL
    )
    child = tmp_path / "child.pid"
    until = time.monotonic() + 60
    while not (child.exists() and child.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    program.send_signal(number)
    assert program.wait(30) != 0
    assert is_gone(int(child.read_text()))


def test_doctor_says_what_is_there_and_exits_by_it(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = shell("doctor", "--json")
    found = json.loads(out)
    assert (status, found["ok"]) == (0, True)
    assert {"vitis_hls", "vivado", "iverilog", "g++"} <= {check["name"] for check in found["checks"]}
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, _ = shell("doctor")
    assert status == 3
    assert "apt-get install g++" in out
    assert "settings64.sh" in " ".join(out.split())
