"""The page, the Markdown and the JSON of whole runs: all that was recorded is there, all that was not is left out with a word."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pquant_hls.cli.closing import Closing
from pquant_hls.errors import NotMeasured, SpecError
from pquant_hls.reporting import Plots, read_run, to_html, to_markdown, to_record
from pquant_hls.reporting.of_classes import efficiencies
from pquant_hls.reporting.recorded import epochs_of, ranges_of, steps_taken
from tests.helpers import Shell
from tests.reporting import made

KINDS = ("bias", "weight", "bias", "weight")


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.tagger(tmp_path_factory.mktemp("runs") / "tagger")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.study(tmp_path_factory.mktemp("runs") / "study")


def test_the_page_tells_all_in_its_order(tagger: Path) -> None:
    page = to_html(read_run(tagger))
    order = (
        "<h1>tagger</h1>",
        "model tagger, 4,389 parameters before",
        "data lhc_jets: 9,000 train, 3,000 val, 3,000 test events",
        "clock 5 ns",
        "2026-11-30 12:00:00 UTC",
        "<strong>MET</strong> fits",
        "Budget: latency &lt;= 40 ns, accuracy loss &lt;= 2 points",
        "The verdict rests on latency, accuracy, csim match",
        "Share of the part",
        "Where the nanoseconds go",
        "Latency, one by one",
        "bits 8 -&gt; 7 (predicted 45 ns)",
        "Bits of the weights",
        "Ranges of weights",
        "Ranges of activations",
        "ROC curves",
        "Confusion",
        "Scores of g",
        "Accuracy on the validation split",
        "Pareto front",
        "To repeat it:",
        "pquant-hls compress --model m.keras --data d.npz --out runs/a",
        "step: quantize",
    )
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "at 0.02 of background, csim" in page
    assert "asked at 0.02" in page
    assert len(page.encode()) < 2_000_000


def test_the_page_fetches_and_runs_nothing(tagger: Path) -> None:
    page = to_html(read_run(tagger))
    for part in ("http:", "https:", "<script", "<link", "@import", "url(", " onload", " src="):
        assert part not in page


def test_every_picture_has_words_and_a_table_behind_it(tagger: Path) -> None:
    page = to_html(read_run(tagger))
    figures = re.findall(r"<figure.*?</figure>", page)
    assert len(figures) >= 14
    for figure in figures:
        assert re.search(r'aria-label="[^"]{20,}"', figure), "alt text"
        assert figure.count("<svg") == 2
        assert "<details><summary>figures</summary>" in figure
        assert "<tbody" in figure
    assert len(re.findall("<h1>", page)) == 1
    anchors = set(re.findall(r'<section id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) == anchors


def test_what_was_not_recorded_is_left_out_with_a_word(tagger: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(tagger, tmp_path / "old"))
    (old / "handover" / "figures.json").unlink()
    for path in old.glob("steps/*/epochs.json"):
        path.unlink()
    page = to_html(read_run(old))
    for word in (
        "model, data set and date: not recorded by this run",
        "ranges of activations: not recorded by this run",
        "curves of the outputs: not recorded by this run",
        "learning curves: not recorded by this run",
        "The command was not recorded",
    ):
        assert word in page
    assert "Ranges of weights" in page, "the design has its weights"
    assert "NaN" not in page
    with pytest.raises(NotMeasured, match="curves of classes"):
        Plots.of(old).roc()


def test_a_study_shows_every_trial_and_the_limit_that_broke(study: Path) -> None:
    run = read_run(study)
    front = Plots(run).fronts()
    assert len(front.table.rows) == 39, "the trial that failed has no place"
    standings = {row[3] for row in front.table.rows}
    assert standings == {"on the front", "dominated", "not allowed"}
    assert {row[4] for row in front.table.rows} == {"-", "latency", "accuracy", "latency, accuracy"}
    body = front.draw(640)[1]
    assert body.count('class="broke"') == sum(row[3] == "not allowed" for row in front.table.rows)
    assert "limits 45 ns, 72.00 %" in body
    importance = Plots(run).importance()
    assert importance.table.rows == (("quantize.bits", "70 %"), ("prune.sparsity", "30 %"))
    page = to_html(run)
    assert "all 40 rows" in page
    assert "NoGain: nothing to gain" in page


def test_values_and_scores_have_pictures_of_their_own(tmp_path: Path) -> None:
    run = read_run(made.tagger(tmp_path / "run", outputs=made.several_outputs()))
    titles = [figure.title for figure in Plots(run).physics()]
    assert titles == [
        "pt: Residuals",
        "pt: Bias and resolution",
        "pt: Turn-on above 0.5",
        "strangeness: Scores",
        "strangeness: Events above a threshold",
    ]
    told = made.several_outputs()[0]["values"][0]
    residuals, response = Plots(run).physics()[:2]
    assert f"csim: bias {told['bias:csim'][0]:.4g} ± " in residuals.note
    assert [float(row[0]) for row in response.table.rows] == pytest.approx(told["truth"], rel=1e-3)
    above = Plots(run).physics()[4].table.rows
    shares = [float(row[1]) for row in above]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(1.0, abs=0.01)
    assert "Residuals" in to_html(run)
    with pytest.raises(NotMeasured, match="curves of classes"):
        Plots(run).roc()


def test_ranges_and_epochs_are_read_from_the_folder(tagger: Path) -> None:
    run = read_run(tagger)
    assert [row.what for row in ranges_of(run)] == [*KINDS, "input", *["result"] * 3]
    assert [entry.name for entry in steps_taken(run)] == ["prune", "quantize"]
    assert [(name, len(epochs)) for name, epochs in epochs_of(run)] == [("prune", 4), ("quantize", 6)]


def test_the_epochs_of_a_training_of_many_designs_are_found(tagger: Path, tmp_path: Path) -> None:
    family = Path(shutil.copytree(tagger, tmp_path / "family"))
    ledger = (family / "ledger.jsonl").read_text()
    (family / "ledger.jsonl").write_text(ledger.replace("steps/quantize-1", "steps/quantize-1/03"))
    assert len(list(epochs_of(read_run(family)))) == 2


def large(folder: Path, place: Path) -> Path:
    """A run like the one in ``folder`` that takes some thousands of cycles."""
    shutil.copytree(folder, place)
    for file in (place / "ledger.jsonl", place / "handover" / "qor.json"):
        cycles = r'("(?:ii_cycles|cycles(?:_max)?(?:_lo|_hi)?)": ?)(\d+)'
        file.write_text(re.sub(cycles, lambda found: f"{found[1]}{2200 + int(found[2])}", file.read_text()))
    return place


BARE = re.compile(r"(?<![\w.,-])\d{4,}(?![\w-])")
"""A whole number of four digits or more without a mark for the thousands; no date and no digest."""


def test_numbers_have_their_thousands_marked_for_people_and_not_in_the_record(
    tagger: Path, tmp_path: Path
) -> None:
    run = read_run(large(tagger, tmp_path / "large"))
    page = re.sub(r"<(style|pre).*?</\1>", "", to_html(run), flags=re.DOTALL)
    words = re.findall(r'>([^<]+)<|="([^"]{30,})"', page)
    closing = list(Closing.of_run(run).lines())
    markdown = to_markdown(run).split("```")[0].splitlines()
    told = [*(" ".join(pair) for pair in words), *closing, *markdown]
    assert [text for text in told if BARE.search(text) and "<svg" not in text] == []
    assert "  latency 11,030..11,040 ns (limit <= 40): MISSED" in closing
    assert any("2,207 [2,206..2,208]" in text for text in told)
    assert to_record(run)["qor"]["latency"]["cycles_max"] == 2207


def test_a_training_of_thousands_of_epochs_leaves_the_page_small(tagger: Path, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    shutil.copytree(tagger, folder)
    for file in folder.glob("steps/*/epochs.json"):
        file.write_text(json.dumps({"epochs": made.epochs(2411, 1.0)}))
    page = to_html(read_run(folder))
    assert len(page.encode()) < 1_000_000
    assert "Of 2,411 epochs one in 25 is shown; all are in the run&#x27;s epochs.json." in page
    rows = Plots(read_run(folder)).loss().table.rows
    shown = [row[1] for row in rows if row[0] == "1. prune"]
    assert (shown[:2], shown[-2:], len(shown)) == (["1", "11"], ["2,386", "2,411"], 98)
    assert "one in" not in to_html(read_run(tagger)), "a short one is shown whole"


def test_two_runs_stand_side_by_side(tagger: Path, study: Path) -> None:
    page = to_html(read_run(tagger), read_run(study))
    assert "<h1>tagger and sweep</h1>" in page
    for run in (tagger, study):
        head = f"<p><strong>{read_run(run).label}</strong></p>"
        assert head in page.split("<nav")[0], "each head says whose it is, as the tables do"
    assert "/tagger: ROC curves" in page
    assert "/study: ROC curves" in page
    assert "/study: learning curves: not recorded by this run" in page
    assert f'<th role="columnheader" scope="col">{read_run(study).label}</th>' in page
    assert f"## Rounds of {read_run(study).label}" in to_markdown(read_run(tagger), read_run(study))


def unlike(folder: Path, tmp_path: Path) -> Path:
    """The run on other data and with another clock."""
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    told = json.loads((other / "run.json").read_text())
    told["identity"]["data"] = "e" * 64
    told["identity"]["recipe"]["hls"]["clock_ns"] = 2.5
    (other / "run.json").write_text(json.dumps(told))
    return other


def test_unlike_rows_are_refused_unless_told(tagger: Path, tmp_path: Path) -> None:
    runs = read_run(tagger), read_run(unlike(tagger, tmp_path))
    said = r"are not alike: data d+ and e+; clock, ns 5\.0 and 2\.5 \(--unlike shows them"
    for form in (to_html, to_markdown):
        with pytest.raises(SpecError, match=said):
            form(*runs)
        assert "Not alike: data dddd" in form(*runs, unlike=True)


def test_markdown_has_the_figures_of_the_page(tagger: Path) -> None:
    said = to_markdown(read_run(tagger))
    for part in (
        "# tagger\n\n**MET** fits",
        "| worst latency, ns (estimate) | 35.0 [30.0..40.0] |",
        "## Where the nanoseconds go",
        "| fc2 | dense | 4 [2..6] | 20.0 [10.0..30.0] |",
        "## Ranges of values",
        "## Provenance",
        "    pquant-hls compress --model m.keras",
    ):
        assert part in said
    assert "<" not in re.sub("&lt;|<=", "", said.replace("\\<", "")).replace("ap_fixed<", ""), "no tag"


def test_the_record_holds_what_the_pictures_are_drawn_from(tagger: Path) -> None:
    told = json.loads(json.dumps(to_record(read_run(tagger)), allow_nan=False))
    assert told["verdict"] == "MET"
    assert [row["name"] for row in told["figures"]["outputs"][0]["classes"]] == list(made.CLASSES)
    assert {row["what"] for row in told["figures"]["ranges"]} == {"weight", "bias", "input", "result"}


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.html", "<!doctype html>"), ("a.md", "# tagger"), ("a.json", "{"), ("a.xml", "<?xml")],
)
def test_the_command_writes_by_the_files_ending(
    tagger: Path, tmp_path: Path, shell: Shell, name: str, begins: str
) -> None:
    assert shell("report", tagger, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_the_command_prints_a_form_or_says_which_there_are(
    tagger: Path, tmp_path: Path, shell: Shell
) -> None:
    status, said, _ = shell("report", tagger, "--format", "md")
    assert (status, said.startswith("# tagger\n")) == (0, True)
    assert shell("report", tagger, "-o", tmp_path / "page", "--format", "html")[0] == 0
    assert (tmp_path / "page").read_text().startswith("<!doctype html>")
    status, _, said = shell("report", tagger, "-o", tmp_path / "a.pdf")
    assert (status, "a.pdf ends in none of .html" in said) == (2, True)
    assert not (tmp_path / "a.pdf").exists()
    status, _, said = shell("report", tagger, tagger, "--format", "junit")
    assert (status, "holds one run" in said) == (2, True)


def test_the_command_refuses_unlike_runs(tagger: Path, tmp_path: Path, shell: Shell) -> None:
    other, page = unlike(tagger, tmp_path), tmp_path / "two.html"
    status, _, said = shell("report", tagger, other, "-o", page)
    assert (status, "--unlike" in said, page.exists()) == (2, True, False)
    assert shell("report", tagger, other, "-o", page, "--unlike")[0] == 0
    assert page.is_file()


def test_pages_and_figures_load_no_training_stack(tagger: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pquant_hls.reporting import *; run = read_run(Path(sys.argv[1]));"
        "to_html(run), to_markdown(run), to_record(run), Plots(run).roc().svg(); print(*sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tagger)]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert "pquant_hls.reporting" in loaded
    heavy = ("tensorflow", "keras", "qkeras", "hls4ml", "optuna", "matplotlib", "pandas", "scipy")
    assert [name for name in heavy if name in loaded] == []


DOC = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_examples_of_the_page_on_results_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    from pquant_hls.engine import CompressionResult, StudyResult
    from pquant_hls.spec import Recipe
    from pquant_hls.tune import grid

    def result(kind: type[CompressionResult], folder: Path) -> CompressionResult:
        run = read_run(folder)
        return kind(None, made.qor(), run.verdict, run.records, folder)

    monkeypatch.chdir(tmp_path)
    made.tagger(tmp_path / "runs" / "old")
    first, second = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    steps = [{"step": "prune", "sparsity": 0.0}, {"step": "quantize"}]
    names: dict[str, Any] = {
        "model": None,
        "data": None,
        "recipe": Recipe.parse({"steps": steps, "budget": {"latency_ns": 40}}),
        "compress_model": lambda *given: result(CompressionResult, made.tagger(tmp_path / given[3])),
        "study": result(StudyResult, made.study(tmp_path / "study")),
        "Plots": Plots,
    }
    exec(compile(first, DOC, "exec"), names)  # noqa: S102
    assert (tmp_path / "roc.svg").is_file()
    assert len(names["study"].trials) == 40

    monkeypatch.setattr(
        grid, "sweep", lambda model, data, recipe, told: (list(grid.combinations(recipe, told)), None)
    )
    exec(compile(second, DOC, "exec"), names)  # noqa: S102
    assert len(names["frame"]) == 9


def test_outputs_that_are_read_at_other_rates_share_a_table() -> None:
    pair = {"csim": [0.9, 0.01], "float": [0.92, 0.01]}
    outputs = [
        {
            "name": "mu",
            "classes": [{"name": "tt", "auc": pair, "efficiency": {"0.01": pair, "0.0007": pair}}],
        },
        {"name": "logvar", "classes": [{"name": "tt", "auc": pair, "efficiency": {"0.01": pair}}]},
    ]
    table = efficiencies(outputs)
    assert {len(row) for row in table.rows} == {len(table.heads)}
    assert [row[0] for row in table.rows] == ["mu: tt", "logvar: tt"]
    assert [row[3] for row in table.rows][1] == "-"
    assert "0.0007" in table.heads[3]
