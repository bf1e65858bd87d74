"""Reports of a run folder: the page, the JUnit file and the table say what the ledger says, and no more."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from defusedxml import ElementTree

from pquant_hls.errors import OutputError
from pquant_hls.reporting import read_run, to_html, to_junit
from pquant_hls.spec import Recipe
from pquant_hls.store import RunFolder

RECIPE = Recipe.parse({"name": "a <b> & c", "steps": [{"step": "quantize"}], "budget": {"latency_ns": 40}})


def latency(low, high):
    return {
        "cycles_max": high,
        "cycles_max_lo": low,
        "cycles_max_hi": high,
        "clock_target_ns": 5,
        "clock_estimated_ns": 3.6,
    }


def record(number, verdict, found, **more):
    qor = {"latency": found, "accuracy": 0.7, "source": "estimate"}
    return {
        "kind": "round" if number else "float", "round": number, "knobs": {"bits": 8}, "qor": qor,
        "account": {"nonzero_weights": 100}, "verdict": verdict, "action": "stop", "reason": "<why>",
        "checks": [f"latency 30..40 ns (limit <= 40): {verdict}"], **more,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A finished run of two rounds; the first one was handed over."""
    with RunFolder.open(tmp_path / "run", {"recipe": RECIPE.model_dump(mode="json")}) as run:
        for entry in (
            record(0, "MISSED", latency(12, 15)),
            record(1, "MET", latency(6, 8)),
            record(2, "UNKNOWN", None, qor=None),
        ):
            run.append(entry)
        run.set_status("finished", verdict="MET", reason="fits", baseline_accuracy=0.75, handed_over=1)
    return tmp_path / "run"


class Cells(HTMLParser):
    """Rows of the page's table as texts."""

    def __init__(self):
        super().__init__()
        self.rows, self.inside = [], False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        self.inside = tag == "td"

    def handle_data(self, data):
        if self.inside and self.rows:
            self.rows[-1].append(data)

    def handle_endtag(self, tag):
        self.inside = False


def test_page_has_a_row_a_round_and_escapes_what_it_shows(folder):
    page = to_html(read_run(folder))
    cells = Cells()
    cells.feed(page)
    rows = [row for row in cells.rows if row]
    assert [row[0] for row in rows] == ["float", "1", "2"]
    assert "40 [30..40]" in rows[1]
    assert rows[2][4:7] == ["-", "-", "-"], "what was not measured is a dash, not a zero"
    assert "a &lt;b&gt; &amp; c" in page
    assert "<b>" not in page
    assert page.count("<rect") == 2
    assert "http" not in page, "nothing is fetched from elsewhere"


def test_junit_speaks_of_the_round_that_was_handed_over(folder):
    suite = ElementTree.fromstring(to_junit(read_run(folder)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "0")
    with RunFolder.open(folder, {"recipe": RECIPE.model_dump(mode="json")}, resume=True) as run:
        run.set_status("finished", verdict="UNKNOWN", reason="open", handed_over=2)
    suite = ElementTree.fromstring(to_junit(read_run(folder)))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "2"), "not known is no pass"


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(OutputError, match="holds no run"):
        read_run(tmp_path)
    with RunFolder.open(tmp_path / "run", {"recipe": {}}):
        pass
    with pytest.raises(OutputError, match="no round"):
        to_junit(read_run(tmp_path / "run"))


def test_command_exits_by_the_verdict(folder, tmp_path, capsys):
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
    assert ElementTree.parse(tmp_path / "tests.xml").getroot().tag == "testsuite"
