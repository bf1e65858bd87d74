"""One line an entry, the page and its tables: every figure as the ledger has it, a dash for what it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from pquant_hls.decide import Check, Judgement
from pquant_hls.errors import OutputError
from pquant_hls.qor import Latency, QoR, Resources
from pquant_hls.reporting import facts, to_html, to_junit, to_markdown
from pquant_hls.reporting.junit import checks_to_junit
from pquant_hls.reporting.lines import Line, lines
from pquant_hls.reporting.run import RunReport
from pquant_hls.store import Checked, Entry
from tests.helpers import known

LATENCY = Latency(
    cycles_max=8, cycles_max_lo=7, cycles_max_hi=9, clock_target_ns=5, clock_estimated_ns=4, ii_cycles=1
)
QOR = QoR(source="estimate", latency=LATENCY, accuracy=0.7)


def entry(kind: Any = "stage", name: str = "prune", **parts: Any) -> Entry:
    return Entry(kind=kind, name=name, **parts)


def line(baseline: float | None = None, **parts: Any) -> Line:
    (found,) = lines([entry(**parts)], baseline)
    return found


def test_steps_within_a_stage_have_no_line_of_their_own() -> None:
    assert lines([entry("step"), entry("stop")])[0].step == "prune"
    assert len(lines([entry("step"), entry("stop")])) == 1


@pytest.mark.parametrize(
    ("figures", "baseline", "accuracy", "error", "loss", "loss_error"),
    [
        ({}, 0.8, None, None, None, None),
        ({"accuracy": 0.75}, None, 0.75, None, None, None),
        ({"accuracy": 0.75}, 0.8, 0.75, None, 0.05, None),
        (
            {"accuracy": 0.75, "accuracy_error": 0.01, "degradation": 0.04, "degradation_error": 0.02},
            0.8,
            0.75,
            0.01,
            0.04,
            0.02,
        ),
        (
            {"accuracy": 0.75, "accuracy_error": 0.01, "degradation": 0.04, "qor": {"accuracy": 0.7}},
            0.8,
            0.7,
            None,
            0.1,
            None,
        ),
        ({"accuracy": 0.75, "accuracy_error": 0.01, "qor": {"accuracy": None}}, 0.8, 0.75, 0.01, 0.05, None),
        ({"accuracy": 0.0, "qor": None}, 0.8, 0.0, None, 0.8, None),
    ],
)
def test_the_accuracy_is_csims_and_an_error_is_of_the_score_it_came_with(
    figures: dict[str, Any],
    baseline: float | None,
    accuracy: float | None,
    error: float | None,
    loss: float | None,
    loss_error: float | None,
) -> None:
    found = line(baseline, figures=figures)
    assert (found.accuracy, found.accuracy_error) == (accuracy, error)
    assert found.loss == (None if loss is None else pytest.approx(loss))
    assert found.loss_error == loss_error


@pytest.mark.parametrize(
    ("figures", "cycles", "ns", "low", "worst", "source"),
    [
        ({}, "-", "-", None, None, None),
        ({"cycles": 8, "worst_ns": 45.0}, "8", "<= 45.0", None, 45.0, None),
        ({"cycles": 0, "worst_ns": 0.0}, "0", "<= 0.0", None, 0.0, None),
        ({"qor": None}, "-", "-", None, None, "-"),
        ({"qor": {"latency": None, "source": "csynth"}}, "-", "-", None, None, "csynth"),
        ({"qor": QOR.model_dump(mode="json")}, "8 [7..9]", "40.0 [35.0..45.0]", 35.0, 45.0, "estimate"),
    ],
)
def test_the_latency_is_an_interval_where_the_record_is_whole(
    figures: dict[str, Any], cycles: str, ns: str, low: float | None, worst: float | None, source: str | None
) -> None:
    found = line(figures=figures)
    assert (found.cycles, found.ns, found.ns_low, found.worst_ns, found.source) == (
        cycles,
        ns,
        low,
        worst,
        source,
    )


@pytest.mark.parametrize(
    ("kind", "status", "verdict", "outcome", "kept"),
    [
        ("stage", "kept", None, "kept", True),
        ("stage", "rolled_back", None, "rolled back", False),
        ("stage", "left_out", None, "rolled back", False),
        ("stage", "idle", None, "rolled back", False),
        ("stage", "failed", None, "rolled back", False),
        ("stage", None, None, "", None),
        ("round", "kept", "MET", "MET", True),
        ("trial", "kept", None, "within budget", True),
        ("trial", "rolled_back", None, "over budget", False),
        ("trial", "failed", None, "failed", False),
        ("trial", None, None, "", None),
    ],
)
def test_the_outcome(kind: str, status: Any, verdict: str | None, outcome: str, kept: bool | None) -> None:
    found = line(kind=kind, status=status, verdict=verdict)
    assert (found.outcome, found.kept) == (outcome, kept)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"kind": "sensitivity", "reason": "no gain"}, ""),
        ({"kind": "trial", "figures": {"value": 0.12345}, "reason": "x"}, "score 0.1235"),
        ({"kind": "trial", "figures": {"value": 0.0}}, "score 0.0000"),
        (
            {"kind": "trial", "figures": {"value": 0.1, "broke": ["latency", "lut"]}},
            "score 0.1000; breaks latency, lut",
        ),
        ({"kind": "trial", "reason": "could not be built"}, "could not be built"),
        ({"kind": "round", "settings": {"action": "tighten"}, "reason": "too slow"}, "tighten: too slow"),
        ({"status": "left_out", "reason": "no layer gains"}, "left out: no layer gains"),
        ({"status": "failed", "reason": "conv"}, "not possible: conv"),
        ({"status": "kept", "reason": ""}, ""),
    ],
)
def test_the_reason(parts: dict[str, Any], why: str) -> None:
    assert line(**parts).why == why


UNITS = {"units": {"fc1": 16, "fc2": 8}}


@pytest.mark.parametrize(
    ("settings", "figures", "what"),
    [
        ({"knobs": {"steps.0.bits": 6, "steps.2.bits": 4}}, {}, "steps.0.bits 6, steps.2.bits 4"),
        ({"knobs": {"steps.0.sparsity": 0.25, "steps.1.bits": 6.0}}, UNITS, "16-8, sparsity 0.25, bits 6"),
        ({"knobs": {"steps.1.bits": 6}}, {"account": UNITS}, "16-8, bits 6"),
        ({"knobs": {"steps.1.bits": 6}, "move": "bits 8 -> 6"}, {}, "bits 6"),
        ({"move": "bits 8 -> 6"}, {}, "bits 8 -> 6"),
        (
            {"settings": [{"sparsity": 0.5, "sparsity_of": "weights"}, {"bits": 6}]},
            {},
            "sparsity 0.5 of weights; bits 6",
        ),
        ({"settings": [{"layers": {"fc1": 4, "fc2": 0.25}}, {}]}, {}, "fc1 4, fc2 0.25"),
        ({"settings": [{"rank": None, "energy": 0.95, "layers": {}}]}, {}, "energy 0.95"),
        ({"layer": "fc1", "probe": "rank"}, {}, "fc1: a quarter of the rank"),
        ({"layer": "fc1", "probe": "colour"}, {}, "fc1: colour"),
        (
            {"target": {"clock_ns": 2.5, "strategy": "resource", "reuse_factor": 4}},
            {},
            "2.5 ns clock, resource strategy, reuse 4",
        ),
        (
            {"params": {"bits": 6, "order": "abc", "sparsity": 0.123456}},
            {},
            "bits 6, order abc, sparsity 0.1235",
        ),
        ({}, {}, ""),
    ],
)
def test_what_was_asked(settings: dict[str, Any], figures: dict[str, Any], what: str) -> None:
    assert line(settings=settings, figures=figures).what == what


def test_the_float_model_is_told_as_it_is() -> None:
    assert line(kind="float", settings={"knobs": {}}).what == "the float model, converted as it is"


# The page


MET = Judgement.of([Check("latency", 60.0, 40.0, 45.0, "ns")])


def run(**parts: Any) -> RunReport:
    given_parts = {
        "folder": Path("runs/a"),
        "identity": {},
        "status": "finished",
        "recorded": "MET",
        "said": "every limit holds",
        "records": (),
        "judgement": MET,
        **parts,
    }
    return RunReport(**given_parts)


ROW = '<th role="rowheader" scope="row">{}</th><td role="cell" data-head="value">{}</td></tr>'
HANDED = QOR.with_(
    resources=Resources(lut=1200, dsp=0, intervals={"lut": (1000.0, 1500.0)}),
    metrics={"test_accuracy": 0.71},
    csim_match=1.0,
    accuracy_source="csim",
    digest="0123456789abcdef0123",
)


def test_the_page_shows_what_was_handed_over_each_with_its_source() -> None:
    page = to_html(
        run(qor={**HANDED.model_dump(mode="json"), "versions": {"hls4ml": "1.3.0"}}, baseline_accuracy=0.75)
    )
    for name, value in (
        ("latency, cycles (estimate)", "8 [7..9]"),
        ("worst latency, ns (estimate)", "40.0 [35.0..45.0]"),
        ("initiation interval, cycles (estimate)", "1"),
        ("LUT (estimate)", "1,200 [1,000..1,500]"),
        ("DSP (estimate)", "0"),
        ("accuracy, validation (csim)", "70.00 %"),
        ("accuracy of the original, validation (keras)", "75.00 %"),
        ("accuracy, test split (csim)", "71.00 %"),
        ("accuracy of the original, test split (keras)", "-"),
        ("outputs on which csim equals Keras", "100.00 %"),
        ("project, sha256", "0123456789abcdef"),
    ):
        assert ROW.format(name, value) in page
    assert "FF (estimate)" not in page, "what was not measured has no row"
    assert '<th role="rowheader" scope="row">hls4ml</th><td role="cell" data-head="what">1.3.0</td>' in page


def test_a_record_without_figures_says_that_they_were_not_measured() -> None:
    page = to_html(run(qor=QoR().model_dump(mode="json")))
    assert ROW.format("latency, cycles (not measured)", "-") in page
    assert ROW.format("accuracy, validation (not measured)", "-") in page
    assert "initiation interval" not in page


def test_a_run_that_did_not_end_has_no_figures_and_says_its_status() -> None:
    page = to_html(run(recorded=None, status="interrupted", said="", judgement=Judgement.of([])))
    assert "<title>a: interrupted" in page
    assert "Nothing was handed over." in page
    assert "latency by round: not recorded by this run" in page
    assert "Budget: none. Target: not stated." in page


def test_names_and_reasons_are_text_and_no_markup() -> None:
    odd = Judgement.of([Check("<i>", 1.0, 0.5, 0.5)])
    page = to_html(run(said="<b>", judgement=odd, identity={"name": "<script>"}))
    for text in ("&lt;script&gt;", "&lt;b&gt;", "rests on &lt;i&gt;"):
        assert text in page
    assert not [tag for tag in ("<b>", "<i>", "<script>") if tag in page]


# A run as it is asked


def test_name_target_and_budget_are_those_of_recipe_study_or_pipeline() -> None:
    for identity, name in (
        ({"recipe": {"name": "r", "budget": {"latency_ns": 5}, "hls": {"part": "p"}}}, "r"),
        ({"study": {"name": "s", "budget": {"latency_ns": 5}, "hls": {"part": "p"}}}, "s"),
        ({"pipeline": "trigger", "budget": {"latency_ns": 5}, "hls": {"part": "p"}}, "trigger"),
    ):
        found = run(identity=identity)
        assert (found.name, found.budget, found.hls) == (name, {"latency_ns": 5}, {"part": "p"})
    assert (run().name, run().budget, run().hls, run().recipe) == ("a", {}, {}, None)


def rounds() -> tuple[Entry, ...]:
    return tuple(
        Entry(kind="round" if n else "float", number=n, checks=(Checked(text=f"check {n}", verdict="MET"),))
        for n in range(3)
    )


@pytest.mark.parametrize(("handed_over", "number"), [(0, 0), (1, 1), (None, 2), (9, 2)])
def test_the_final_round_is_the_one_handed_over_else_the_last(handed_over: int | None, number: int) -> None:
    found = run(records=(*rounds(), Entry(kind="note")), handed_over=handed_over)
    assert known(found.final).number == number
    assert len(found.rounds) == 3


def test_the_checks_are_those_of_the_record() -> None:
    assert run(records=rounds()).checks == MET.checks
    assert run().final is None


# JUnit


def test_a_missed_limit_is_a_failure_and_an_open_one_an_error() -> None:
    checks = [Check("latency", 40, 30, 35, "ns"), Check("lut", 10, 20, 20), Check("ii", 1, None, None)]
    suite = ElementTree.fromstring(checks_to_junit("a & b", "MISSED", "too <big>", checks))
    assert [suite.get(name) for name in ("name", "tests", "failures", "errors")] == ["a & b", "4", "2", "1"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["verdict", *(check.text for check in checks)]
    assert known(cases[0].find("failure")).get("message") == "too <big>"
    assert list(cases[1]) == []
    assert known(cases[3].find("error")).get("message") == str(checks[2])


def test_a_verdict_without_a_reason_says_itself() -> None:
    suite = ElementTree.fromstring(checks_to_junit("a", "UNKNOWN", "", []))
    assert known(suite.find("testcase/error")).get("message") == "UNKNOWN"


def test_a_run_without_a_round_has_no_junit() -> None:
    with pytest.raises(OutputError, match=r"runs/a: no round was finished in this run"):
        to_junit(run(status="interrupted"))
    assert 'name="verdict"' in to_junit(run(records=(Entry(kind="note"),)))


def test_figures_that_decided_nothing_are_folded_away() -> None:
    found = {
        "rmse": {"value": 0.2, "error": 0.01, "events": 100, "headline": True},
        "auc:top": {"value": 0.9, "error": 0.01, "events": 100},
        "mae": {"value": 0.1, "error": 0.01, "events": 100},
    }
    told = {**QoR().model_dump(mode="json"), "quality": found}
    shown = run(qor=told, identity={"recipe": {"budget": {"quality": {"mae": "5 %"}}}})
    first = facts.designs_table([shown])
    further = facts.designs_table([shown], further=True)
    assert first is not None
    assert further is not None
    assert {"rmse, validation", "mae, validation"} <= {row[0] for row in first.rows}
    assert [row[0] for row in further.rows] == ["auc:top, validation"]
    assert "<summary>further figures</summary>" in to_html(shown)
    assert "## Further figures" in to_markdown(shown)
    assert facts.designs_table([run(qor=QoR().model_dump(mode="json"))], further=True) is None


def test_every_limit_is_told_on_the_test_split_too() -> None:
    figures = {
        name: {"value": 0.2, "error": 0.01, "events": 100, "original": 0.2} for name in ("rmse", "mae")
    }
    told = {**QoR().model_dump(mode="json"), "quality": figures, "quality_test": figures}
    shown = run(qor=told, identity={"recipe": {"budget": {"quality": {"rmse": "5 %", "mae": "5 %"}}}})
    for text in (to_html(shown), to_markdown(shown)):
        assert text.count("On the test split, which decided nothing: ") == 2


@pytest.mark.parametrize(
    ("unmet", "outcome", "why", "broke"),
    [
        ({}, "over budget", "score 1.5000", ()),
        ({"broke": ["latency"]}, "over budget", "score 1.5000; breaks latency", ("latency",)),
        ({"open": ["latency"]}, "not known", "score 1.5000; open: latency", ("latency (open)",)),
        (
            {"broke": ["lut"], "open": ["latency"]},
            "over budget",
            "score 1.5000; breaks lut; open: latency",
            ("lut", "latency (open)"),
        ),
    ],
)
def test_a_trial_breaks_only_what_is_known_to_break(
    unmet: dict[str, list[str]], outcome: str, why: str, broke: tuple[str, ...]
) -> None:
    """An interval around the limit is no break."""
    found = line(kind="trial", status="rolled_back", figures={"value": 1.5, **unmet})
    assert (found.outcome, found.why, found.broke, found.kept) == (outcome, why, broke, False)
