"""Scores of tasks whose figures should be low, or that have several: what is lost, what is kept, where floors lie."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pquant_hls.decide import Verdict
from pquant_hls.engine.gates import Gate, check_gates, check_quality, floors_keeping, floors_on
from pquant_hls.engine.score import Score, dropped, loss, merit, qualities
from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget
from pquant_hls.train.figures import Figure

HEADS = ("id.accuracy", "pt.rmse")
RNG = np.random.default_rng(0)
SHARED, OWN = RNG.normal(size=500) / 500, RNG.normal(size=500) / 5000


def low(value: float, own: float = 0.0) -> Figure:
    """An rmse; ``own`` is how far its events move it beside those of others."""
    influence = SHARED + own * OWN
    error = math.sqrt(float((influence**2).sum()))
    return Figure(value, error, 500, influence=influence, lower_is_better=True, relative=True, unit="GeV")


def high(value: float) -> Figure:
    return Figure(value, 0.01, 500, influence=SHARED)


def rmse(value: float, own: float = 0.0) -> Score:
    return Score({"rmse": low(value, own)}, ("rmse",))


def tagger(share: float, error: float) -> Score:
    return Score({"id.accuracy": high(share), "pt.rmse": low(error)}, HEADS)


def test_a_loss_of_what_should_be_low_is_a_share_of_the_originals() -> None:
    found = loss(rmse(2.0), rmse(2.2, own=1.0))
    assert found is not None
    assert found[0] == pytest.approx(0.1)
    assert found[1] == pytest.approx(math.sqrt(float((OWN**2).sum())) / 2.0)
    assert dropped(rmse(2.0), rmse(2.2, own=1.0))
    assert not dropped(rmse(2.2), rmse(2.0, own=1.0))
    assert loss(rmse(0.0), rmse(0.1)) is None, "of nothing there are no shares"


def test_several_outputs_lose_their_mean() -> None:
    found = loss(tagger(0.8, 2.0), tagger(0.76, 2.2))
    assert found is not None
    assert found[0] == pytest.approx((0.04 + 0.1) / 2)
    assert loss(tagger(0.8, 2.0), Score({"pt.rmse": low(2.0)}, HEADS)) is None


def test_merit_is_the_figure_or_the_share_that_is_kept() -> None:
    assert merit(None, Score({"accuracy": high(0.7)})) == 0.7
    assert merit(rmse(2.0), rmse(2.5)) == pytest.approx(0.8)
    assert merit(rmse(2.0), rmse(1.6)) == pytest.approx(1.25)
    assert merit(tagger(0.8, 2.0), tagger(0.72, 2.5)) == pytest.approx((0.9 + 0.8) / 2)
    assert merit(None, rmse(2.0)) is None
    assert merit(rmse(2.0), Score({}, ("rmse",))) is None


def test_floors_keep_a_share_of_each_headline() -> None:
    before = tagger(0.8, 2.0)
    gates = floors_keeping(before, 0.9)
    limits = {gate.metric: gate.check(before, tagger(0.75, 2.1)) for gate in gates}
    assert limits["id.accuracy"].limit == pytest.approx(0.72)
    assert limits["pt.rmse"].limit == pytest.approx(2.0 / 0.9)
    assert not limits["pt.rmse"].at_least
    assert {check.verdict for check in limits.values()} == {Verdict.MET}
    assert floors_on(before, 0.05)[1].check(before, tagger(0.8, 2.2)).verdict is Verdict.MISSED
    assert floors_on(None, 0.05) == (Gate("accuracy", max_loss=0.05),)


def test_a_minimum_says_nothing_of_what_should_be_low() -> None:
    with pytest.raises(SpecError, match=r"gates\.rmse: should be low"):
        check_gates([Gate("rmse", minimum=0.5)], rmse(2.0))
    wanted = Gate("rmse", minimum=0.0)
    check_gates([wanted], rmse(2.0))
    assert wanted.check(None, rmse(2.0)).verdict is Verdict.MET, "only asked for, by a study"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"quality": {"rms": "5 %"}}, "did you mean 'rmse'"),
        ({"quality": {"rmse": "1 point"}}, "is no share"),
        ({"quality": {"rmse": ">= 1"}}, "should be low"),
        ({"max_accuracy_loss": 0.1}, "has no accuracy"),
    ],
)
def test_limits_that_nothing_can_be_held_against(limits: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_quality(Budget.parse(limits), rmse(2.0))


def test_limits_that_can_be_judged_pass() -> None:
    check_quality(Budget.parse({"quality": {"pt.rmse": "5 %", "id.accuracy": "1 point"}}), tagger(0.8, 2.0))
    check_quality(Budget.parse({"max_accuracy_loss": 0.1}), tagger(0.8, 2.0))
    check_quality(Budget.parse({"max_accuracy_loss": 0.1}), Score({}))  # nothing is known: judged as UNKNOWN
    check_quality(None, Score({}))


def test_a_record_has_the_paired_error_in_the_figures_unit() -> None:
    found = qualities(rmse(2.2, own=1.0), rmse(2.0), ["rmse", "mae"])
    assert list(found) == ["rmse"]
    kept = found["rmse"]
    assert kept.loss_error == pytest.approx(math.sqrt(float((OWN**2).sum())))
    assert (kept.original, kept.unit, kept.headline) == (2.0, "GeV", True)
    assert kept.loss is not None
    assert kept.loss[0] == pytest.approx(0.1)
