"""Limits on figures of merit: judged by the record alone, with the errors of paired events."""

from __future__ import annotations

from typing import Any

import pytest

from pquant_hls.decide import Verdict, all_on_test, judge, quality_check
from pquant_hls.qor import QoR, Quality
from pquant_hls.spec import Budget
from pquant_hls.spec.quality import Allowance


def quality(**told: Any) -> Quality:
    """An mse of 0.0106 where the original's is 0.01."""
    usual = {"value": 0.0106, "error": 0.0004, "events": 900, "original": 0.01, "loss_error": 0.0002}
    return Quality.model_validate({**usual, "lower_is_better": True, "relative": True, **told})


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("10 %", Verdict.MET),
        ("7 %", Verdict.UNKNOWN),
        ("5 %", Verdict.UNKNOWN),
        ("2 %", Verdict.MISSED),
        ("<= 0.012", Verdict.MET),
        ("<= 0.0104", Verdict.UNKNOWN),
        ("<= 0.01", Verdict.MISSED),
    ],
)
def test_an_error_that_should_be_low(text: str, verdict: Verdict) -> None:
    """A loss has the paired error, 0.0002; a limit the figure's own, 0.0004."""
    check = quality_check("mse", quality(), Allowance.parse(text))
    assert check.verdict is verdict
    assert not check.at_least
    assert check.quality


@pytest.mark.parametrize(("text", "verdict"), [("2 points", Verdict.MET), ("1 point", Verdict.MISSED)])
def test_a_share_that_should_be_high(text: str, verdict: Verdict) -> None:
    found = quality(value=0.885, original=0.9, loss_error=0.003, lower_is_better=False, relative=False)
    check = quality_check("auc", found, Allowance.parse(text))
    assert (check.verdict, check.at_least) == (verdict, True)


def test_a_loss_within_its_error_is_none_and_decides_nothing() -> None:
    check = quality_check("mse", quality(value=0.01005), Allowance.parse("0 %"))
    assert (check.verdict, check.expected) == (Verdict.UNKNOWN, Verdict.MET)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "it was not measured"),
        (quality(original=None), "the original's is not known"),
        (quality(above=3), "3 background events lie above the threshold"),
    ],
)
def test_what_is_not_known_is_not_met(found: Quality | None, why: str) -> None:
    check = quality_check("mse", found, Allowance.parse("50 %"))
    assert check.verdict is Verdict.UNKNOWN
    assert why in check.text


def test_the_budget_is_judged_by_the_record() -> None:
    budget = Budget.parse({"quality": {"mse": "2 %", "auc": ">= 0.5"}, "exact": False})
    found = judge(QoR(quality={"mse": quality(headline=True)}), budget)
    assert {check.name: check.verdict for check in found.checks if check.quality} == {
        "mse": Verdict.MISSED,
        "auc": Verdict.UNKNOWN,
    }
    assert found.accuracy_verdict is Verdict.MISSED


def test_what_was_not_judged_is_said_with_its_figure() -> None:
    found = judge(QoR(quality={"mse": quality(headline=True)}), Budget.parse({"latency_ns": 50}))
    assert "no quality was judged (mse 0.0106 ± 0.0004, the original's 0.01 (+6.00 ± 2.00 %))" in found.basis
    limited = judge(QoR(quality={"mse": quality()}), Budget.parse({"quality": {"mse": "20 %"}}))
    assert "no quality" not in limited.basis


def test_the_short_form_holds_for_each_output_that_has_an_accuracy() -> None:
    own = quality(value=0.85, original=0.9, loss_error=0.01, lower_is_better=False, relative=False)
    record = QoR(quality={"id.accuracy": own, "charge.accuracy": own.with_(value=0.9), "pt.rmse": quality()})
    found = judge(record, Budget.parse({"max_accuracy_loss": 0.02}))
    named = {check.name: check.verdict for check in found.checks if check.quality}
    assert named == {"id.accuracy": Verdict.MISSED, "charge.accuracy": Verdict.MET}


def test_the_test_split_is_judged_by_its_own_figures() -> None:
    budget = Budget.parse({"quality": {"mse": "2 %"}})
    assert all_on_test(QoR(quality={"mse": quality()}), budget) == ()
    (found,) = all_on_test(QoR(quality_test={"mse": quality(value=0.01)}), budget)
    assert found.verdict is Verdict.MET


def test_a_record_without_figures_reads_and_writes_as_before() -> None:
    assert "quality" not in QoR().model_dump(mode="json")
    told = QoR(quality={"mse": quality()}).model_dump(mode="json")
    assert QoR.model_validate(told).quality["mse"].loss == pytest.approx((0.06, 0.02))


@pytest.mark.parametrize("text", ["1 point", "<= 200 %"])
def test_a_gate_takes_no_points_or_percent_of_what_is_no_share(text: str) -> None:
    check = quality_check("rmse", quality(unit="GeV", relative=True), Allowance.parse(text))
    assert check.verdict is Verdict.UNKNOWN
    assert "is no share" in check.text
