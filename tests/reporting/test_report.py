"""Reports of a run folder: the page, the JUnit file and the table say what the ledger says, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree
from rich.table import Table

from pquant_hls.errors import OutputError
from pquant_hls.qor import QoR
from pquant_hls.reporting import read_run, to_html, to_junit
from pquant_hls.spec import Recipe
from pquant_hls.store import RunFolder
from tests.helpers import PART, SMALL, Shell, known
from tests.terminal import Sent, on_terminal

RECIPE = Recipe.parse({"name": "a <b> & c", "steps": [{"step": "quantize"}], "budget": {"latency_ns": 40}})


def latency(low: int, high: int) -> dict[str, Any]:
    return {
        "cycles_max": high,
        "cycles_max_lo": low,
        "cycles_max_hi": high,
        "clock_target_ns": 5,
        "clock_estimated_ns": 3.6,
    }


def record(number: int, verdict: str, found: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    qor = {"latency": found, "accuracy": 0.7, "source": "estimate"}
    return {
        "kind": "round" if number else "float",
        "round": number,
        "knobs": {"bits": 8},
        "qor": qor,
        "account": {"nonzero_weights": 100},
        "verdict": verdict,
        "action": "stop",
        "reason": "<why>",
        "checks": [f"latency 30..40 ns (limit <= 40): {verdict}"],
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run of two rounds; the first one was handed over."""
    with RunFolder.open(tmp_path / "run", {"recipe": RECIPE.model_dump(mode="json")}) as run:
        for entry in (
            record(0, "MISSED", latency(12, 15)),
            record(1, "MET", latency(6, 8)),
            record(2, "UNKNOWN", None, qor=None),
        ):
            run.append(entry)
        hand_over(run.path, latency(6, 8))
        run.set_status("finished", verdict="MET", reason="fits", baseline_accuracy=0.75, handed_over=1)
    return tmp_path / "run"


def hand_over(run: Path, found: dict[str, Any] | None, **more: Any) -> None:
    """The record and the project that a run leaves."""
    (run / "handover" / "project").mkdir(parents=True, exist_ok=True)
    qor = QoR(
        part=PART, resources=SMALL, source="estimate", accuracy=0.7, csim_match=1.0, latency=found, **more
    )
    (run / "handover" / "qor.json").write_text(qor.model_dump_json())


class Cells(HTMLParser):
    """Rows of the page's table as texts."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self.inside = tag == "td" or (tag == "th" and ("scope", "row") in attrs)

    def handle_data(self, data: str) -> None:
        if self.inside and self.rows:
            self.rows[-1].append(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def test_page_has_a_row_a_round_and_escapes_what_it_shows(folder: Path) -> None:
    page = to_html(read_run(folder))
    cells = Cells()
    cells.feed(page)
    heads = [row for row in cells.rows if len(row) > 8]
    assert [row[0] for row in heads] == ["float", "round 1", "round 2"]
    assert "40.0 [30.0..40.0]" in heads[1]
    assert "+5.00" in heads[1], "the loss counts from the original"
    assert heads[2][3:8] == ["-"] * 5, "what was not measured is a dash, not a zero"
    assert "a &lt;b&gt; &amp; c" in page
    assert "<b>" not in page
    for parts in ("http", "<script", "<link", "@import", "url("):
        assert parts not in page, "nothing is fetched from elsewhere, and nothing runs"


def test_page_and_terminal_say_what_the_verdict_rests_on(folder: Path, shell: Shell) -> None:
    said = "rests on latency, csim match, what the part has; no quality was judged"
    assert f"The verdict {said}." in to_html(read_run(folder))
    assert f"the verdict {said}" in shell("report", folder)[1]


def test_page_and_terminal_say_what_the_conversion_dropped(folder: Path, shell: Shell) -> None:
    told = json.loads((folder / "handover" / "qor.json").read_text())
    told["notes"] = ["d1: Dropout is <left> out [dropout]"]
    (folder / "handover" / "qor.json").write_text(json.dumps(told))
    assert "<li>d1: Dropout is &lt;left&gt; out [dropout]</li>" in to_html(read_run(folder))
    assert shell("report", folder)[1].count("note: d1: Dropout is <left> out [dropout]") == 1


def test_junit_speaks_of_the_round_that_was_handed_over(folder: Path) -> None:
    suite = ElementTree.fromstring(to_junit(read_run(folder)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "0", "0")
    with RunFolder.open(folder, {"recipe": RECIPE.model_dump(mode="json")}, resume=True) as run:
        hand_over(run.path, None)
        run.set_status("finished", verdict="UNKNOWN", reason="open", handed_over=2)
    suite = ElementTree.fromstring(to_junit(read_run(folder)))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "2"), "not known is no pass"


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no run"):
        read_run(tmp_path)
    with RunFolder.open(tmp_path / "run", {"recipe": {}}):
        pass
    with pytest.raises(OutputError, match="no round"):
        to_junit(read_run(tmp_path / "run"))


STAGES = (
    {
        "kind": "sensitivity",
        "layer": "fc1",
        "probe": "bits",
        "degradation": 0.012,
        "degradation_error": 0.002,
    },
    {
        "kind": "stage",
        "stage": "pruning",
        "settings": [{"seed": 0, "sparsity": 0.25, "sparsity_of": "weights"}],
        "accuracy": 0.71,
        "accuracy_error": 0.004,
        "degradation": 0.02,
        "compression_ratio": 1.3,
        "cycles": None,
        "worst_ns": None,
        "kept": False,
        "reason": "rolled back: accuracy 0.71 (limit >= 0.72): MISSED",
    },
    {"kind": "step", "step": "prune"},
    {
        "kind": "relax",
        "move": "bits 5 -> 6",
        "accuracy": 0.74,
        "cycles": 5,
        "worst_ns": 25.0,
        "kept": True,
        "verdict": "MET",
        "reason": "more accurate and still met",
    },
    {"kind": "trial", "number": 0, "params": {"bits": 6, "sparsity": 0.5}, "value": 1.25, "excess": -1.0},
    {
        "kind": "trial",
        "number": 1,
        "params": {"bits": 4},
        "value": None,
        "excess": 1e9,
        "error": "SpecError: no",
    },
)


@pytest.fixture
def pipeline_folder(tmp_path: Path) -> Path:
    """A finished run of a pipeline, with a record of every kind."""
    identity = {"pipeline": "standard", "budget": {"latency_ns": 40.0}, "hls": {"clock_ns": 5.0}}
    with RunFolder.open(tmp_path / "pipeline", identity) as run:
        for entry in STAGES:
            run.append(entry)
        checks = [
            "latency 30..45 ns (limit <= 40): UNKNOWN",
            "csim match 1 (limit >= 1): MET",
            "accuracy 0.7 (limit >= 0.6): MET",
            "compression ratio 8.1 (limit >= 8): MET",
        ]
        hand_over(run.path, latency(6, 9))
        run.set_status("finished", verdict="UNKNOWN", reason="open", baseline_accuracy=0.73, checks=checks)
    return tmp_path / "pipeline"


def test_a_pipelines_run_reads_as_a_loops(pipeline_folder: Path) -> None:
    run = read_run(pipeline_folder)
    told = [(line.step, line.what, line.outcome, line.why) for line in run.lines]
    assert told == [
        ("sensitivity", "fc1: 4 bits", "", ""),
        ("pruning", "sparsity 0.25 of weights", "rolled back", "accuracy 0.71 (limit >= 0.72): MISSED"),
        ("relax", "bits 5 -> 6", "MET", "more accurate and still met"),
        ("trial 0", "bits 6, sparsity 0.5", "within budget", "score 1.2500"),
        ("trial 1", "bits 4", "failed", "SpecError: no"),
    ]
    assert (run.lines[1].accuracy, run.lines[1].ns, run.lines[2].ns) == (0.71, "-", "<= 25.0")
    suite = ElementTree.fromstring(to_junit(run))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("9", "0", "2")
    page = to_html(run)
    assert "71.00 ± 0.40 %" in page
    assert "+1.20 ± 0.20" in page


def test_a_repeated_step_shows_each_of_its_values() -> None:
    from rich.console import Console

    from pquant_hls.cli.tables import rounds_table
    from pquant_hls.reporting import lines
    from pquant_hls.store import Entry

    settings = {"knobs": {"steps.0.bits": 8, "steps.1.sparsity": 0.25, "steps.2.bits": 6}, "action": "stop"}
    entry = Entry(kind="round", name="round 1", number=1, settings=settings, reason="why")
    (line,) = lines([entry])
    assert line.what == "steps.0.bits 8, sparsity 0.25, steps.2.bits 6"
    assert line.why == "stop: why"
    table = rounds_table(Console(width=150), [entry], None, "")
    assert isinstance(table, Table)
    assert list(table.columns[3].cells) == ["8, 6"]


@pytest.mark.parametrize("columns", [60, 72, 80, 100, 132, 150])
def test_every_width_of_terminal_shows_the_figures_a_verdict_is_about(columns: int) -> None:
    from rich.console import Console

    from pquant_hls.cli.tables import lines_table, rounds_table
    from pquant_hls.reporting import lines
    from pquant_hls.store import Entry

    entries = [
        Entry.read(record(0, "MISSED", latency(12, 15))),
        Entry.read(record(1, "MET", latency(6, 8), reason="/runs/[a] " + "a long sentence why " * 4)),
    ]
    console = Console(width=columns, file=StringIO(), markup=False)
    tables = (
        rounds_table(console, entries, 0.75, "latency <= 40 ns | [x]"),
        lines_table(console, lines(entries, 0.75)),
    )
    for table in tables:
        with console.capture() as heard:
            console.print(table)
        said = heard.get().splitlines()
        assert max(map(len, said)) <= columns
        assert all(line.rstrip()[-1] in "┓┃┩│┤┘" for line in said if line[:1] in tuple("┏┃┡│├└")), (
            "the edge is not cut"
        )
        text = " ".join(" ".join(said).split())
        assert "75.0 [60.0..75.0]" in text
        assert "40.0 [30.0..40.0]" in text
        assert "MISSED" in text
        for figure in ("70.00 %", "+5.00", "15 [12..15]", "a long", "8 [6..8]"):
            assert figure in text
        if table is tables[0]:
            assert "estimate" in text, "each number says its source"
        assert "/runs/[a]" in text


MAIN = "round csim accuracy loss cycles ns verdict"
"""What a verdict is about."""


@pytest.mark.parametrize("columns", [80, 100, 132, 200])
def test_a_terminal_shows_what_a_verdict_is_about_on_one_line(folder: Path, columns: int) -> None:
    lines = shown(["report", str(folder)], columns).lines
    assert max(map(len, lines)) <= columns
    (head,) = [line for line in lines if "csim accuracy" in line]
    assert set(MAIN.split()) <= set(head.replace("┃", " ").split())
    (row,) = [line for line in lines if "40.0 [30.0..40.0]" in line]
    for figure in ("1", "70.00 %", "+5.00", "8 [6..8]", "MET"):
        assert figure in row


def test_columns_is_heeded_without_a_terminal_and_colours_are_left_out(folder: Path) -> None:
    command = [sys.executable, "-m", "pquant_hls", "report", str(folder)]
    told = {**os.environ, "COLUMNS": "90"}
    lines = subprocess.run(command, capture_output=True, text=True, check=True, env=told).stdout.splitlines()
    assert max(map(len, lines)) <= 90
    assert any(len(line) > 80 for line in lines)
    green = "\x1b[32mMET"
    assert green in shown(["report", str(folder)], 80).raw
    assert green not in shown(["report", str(folder)], 80, NO_COLOR="1").raw


def shown(words: list[str], columns: int, **variables: str) -> Sent:
    """What a pseudo-terminal of this width is sent by a command that ends well."""
    sent = on_terminal(words, columns, **variables)
    assert sent.status == 0
    return sent


def test_a_study_states_its_own_budget_and_target(tmp_path: Path) -> None:
    from pquant_hls.spec import StudySpec

    study = StudySpec.parse({"name": "sweep", "budget": {"latency_ns": 60}})
    with RunFolder.open(tmp_path / "study", {"study": study.model_dump(mode="json")}) as run:
        run.append(STAGES[4])
    page = to_html(read_run(tmp_path / "study"))
    assert "<h1>sweep</h1>" in page
    assert "Budget: latency &lt;= 60 ns. Target: Vitis, xcvu13p" in page


def test_command_exits_by_the_verdict(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pquant_hls.cli import main

    with pytest.raises(SystemExit) as left:
        main(
            [
                "report",
                str(folder),
                "--html",
                str(tmp_path / "page.html"),
                "--junit",
                str(tmp_path / "tests.xml"),
            ]
        )
    assert left.value.code == 0
    assert "latency <= 40 ns" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert known(ElementTree.parse(tmp_path / "tests.xml").getroot()).tag == "testsuite"


def test_command_shows_a_pipelines_run(pipeline_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pquant_hls.cli import main

    for words, said in (((), "rolled back"), (("--json",), '"outcome": "rolled back"')):
        with pytest.raises(SystemExit) as left:
            main(["report", str(pipeline_folder), *words])
        assert left.value.code == 4
        assert said in capsys.readouterr().out
