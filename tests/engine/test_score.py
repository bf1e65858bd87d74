"""Figures of a model's decisions, their errors, and the floors on them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Verdict
from pquant_hls.engine.gates import Gate, check_gates, rates_of
from pquant_hls.engine.score import Score, dropped, loss, score_of
from pquant_hls.errors import SpecError
from pquant_hls.train.figures import Figure, asked
from pquant_hls.train.metrics import BACKGROUND_RATES, Proportion, efficiency_at, roc_auc
from pquant_hls.train.tasks import Classes, Evidence, Sample
from tests.helpers import known

LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2])


def rows(*chosen: int) -> np.ndarray:
    """Probabilities (events, 3) that decide for these classes."""
    return np.eye(3)[list(chosen)] * 0.8 + 0.1


def seen(right: Any, name: str = "accuracy") -> Score:
    """A score of which only the right decisions are known."""
    found = np.asarray(right, bool)
    share = float(found.mean())
    error = math.sqrt(share * (1 - share) / len(found))
    influence = (found - share) / len(found)
    return Score({name: Proportion(share, error, len(found), influence=influence)})


def unpaired(score: Score) -> Score:
    """The same figures, of events that nobody knows."""
    return Score({name: replace(found, influence=None) for name, found in score.figures.items()})


def test_a_score_has_accuracy_each_class_and_the_worst() -> None:
    x = rows(0, 0, 1, 1, 1, 2, 2, 0)
    score = score_of(x, LABELS, ("g", "q", "t"), (0.2, 0.5))
    assert score.value() == 5 / 8
    moved = score.figures["accuracy"].influence
    assert moved is not None
    assert (moved > 0).tolist() == [True, True, False, True, True, False, True, False]
    for index, name in enumerate(("g", "q", "t")):
        assert score.figures[f"auc:{name}"] == roc_auc(x[:, index], index == LABELS)
        assert score.figures[f"efficiency@0.2:{name}"] == efficiency_at(x[:, index], index == LABELS, 0.2)
    for figure in ("auc", "efficiency@0.2", "efficiency@0.5"):
        each = [score.value(f"{figure}:{name}") for name in ("g", "q", "t")]
        assert score.value(figure) == min(value for value in each if value is not None)
    assert len(score.figures) == 1 + 3 * 4


def test_labels_may_be_a_column() -> None:
    assert score_of(rows(*LABELS), LABELS[:, None]).value() == 1.0


def test_what_was_not_measured_is_none() -> None:
    assert Score({}).value() is None
    assert seen([1, 0]).value("auc") is None


def test_plain_values_for_json() -> None:
    assert seen([1, 1, 0, 0]).plain() == {"accuracy": [0.5, 0.25]}


def test_loss_on_the_same_events_has_mcnemars_error() -> None:
    before, now = seen([1] * 80 + [0] * 20), seen([1] * 70 + [0] * 10 + [1] * 4 + [0] * 16)
    found = loss(before, now)  # 10 lost, 4 won of 100
    assert found is not None
    assert found[0] == pytest.approx(0.06)
    assert found[1] == pytest.approx(math.sqrt(10 + 4 - 36 / 100) / 100)


def test_mcnemars_error_is_smaller_than_that_of_other_events() -> None:
    before, now = seen([1] * 80 + [0] * 20), seen([1] * 78 + [0] * 22)
    same = loss(before, now)
    apart = loss(unpaired(before), now)
    assert same is not None
    assert apart is not None
    assert same[0] == pytest.approx(apart[0])
    assert same[1] == pytest.approx(math.sqrt(2 - 4 / 100) / 100)
    assert apart[1] == pytest.approx(math.hypot(0.04, math.sqrt(0.78 * 0.22 / 100)))


def test_scores_of_other_events_or_of_no_events_take_the_quadratic_sum() -> None:
    before, now = seen([1, 1, 0, 0]), seen([1, 0])
    assert loss(before, now) == (0.0, math.hypot(0.25, math.sqrt(0.125)))
    assert loss(before, unpaired(now)) == (0.0, math.hypot(0.25, math.sqrt(0.125)))


def test_figures_of_unknown_events_take_the_quadratic_sum_of_their_errors() -> None:
    before, now = (Score({"auc": Proportion(value, 0.03, 50)}) for value in (0.9, 0.8))
    found = loss(before, now, "auc")
    assert found is not None
    assert found[0] == pytest.approx(0.1)
    assert found[1] == pytest.approx(0.03 * math.sqrt(2))


@pytest.mark.parametrize(("before", "now"), [(Score({}), seen([1])), (seen([1]), Score({}))])
def test_a_loss_needs_both_figures(before: Score, now: Score) -> None:
    assert loss(before, now) is None
    assert not dropped(before, now)


def test_a_loss_within_its_error_is_none() -> None:
    before, now = seen([1, 1, 0] + [1] * 97), seen([0, 0, 1] + [1] * 97)
    assert not dropped(before, now), "two lost, one won: 1 +- 1.73 events"
    assert dropped(seen([1] * 50 + [0] * 50), seen([1] * 48 + [0] * 52))
    assert not dropped(seen([1] * 48 + [0] * 52), seen([1] * 50 + [0] * 50)), "a gain"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemars_error_is_the_spread_of_the_difference(pairs: list[tuple[bool, bool]]) -> None:
    """sqrt(b + c - (b - c)^2 / n) / n is the deviation of the mean of before - now, event by event."""
    before, now = (seen([pair[side] for pair in pairs]) for side in (0, 1))
    found = loss(before, now)
    difference = np.array([int(a) - int(b) for a, b in pairs])
    assert found is not None
    assert found[0] == pytest.approx(difference.mean())
    assert found[1] == pytest.approx(difference.std() / math.sqrt(len(pairs)))


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_score_loses_nothing_against_itself(right: list[bool]) -> None:
    assert loss(seen(right), seen(right)) == (0.0, 0.0)
    assert not dropped(seen(right), seen(right))


def test_a_gate_on_a_loss_counts_from_the_original() -> None:
    before, now = seen([1] * 80 + [0] * 20), seen([1] * 74 + [0] * 26)
    check = Gate("accuracy", max_loss=0.1).check(before, now)
    assert check.limit == pytest.approx(0.7)
    error = math.sqrt(6 - 36 / 100) / 100
    assert check.value == 0.74
    assert check.low == pytest.approx(0.74 - error)
    assert check.high == pytest.approx(0.74 + error)
    assert check.at_least
    assert check.quality
    assert check.verdict is Verdict.MET
    assert Gate("accuracy", max_loss=0.03).check(before, now).verdict is Verdict.MISSED


def test_a_loss_within_its_error_decides_no_gate() -> None:
    """.433 before, .305 after on 30 events each: a floor of .40 was held to hold, for its error was allowed."""
    before, now = (Score({"efficiency": Proportion(value, 0.1, 30)}) for value in (0.433, 0.305))
    check = Gate("efficiency", max_loss=0.033).check(before, now)
    assert check.limit == pytest.approx(0.4)
    assert (check.verdict, check.expected) == (Verdict.UNKNOWN, Verdict.MET)
    assert (
        "0.305 ± 0.14 (limit >= 0.4; within the error: 37 events more than these 30 would decide)"
        in check.text
    )
    same = seen([1] * 80 + [0] * 20)
    assert Gate("accuracy", max_loss=0.0).check(same, same).verdict is Verdict.MET
    exactly = Gate("efficiency", max_loss=0.1).check(
        *(Score({"efficiency": Proportion(value, 0.25, 4)}) for value in (0.6, 0.5))
    )
    assert "no number of events decides" in exactly.text


def test_a_floor_of_nothing_always_holds() -> None:
    assert (
        Gate("auc", minimum=0.0).check(None, Score({"auc": Proportion(0.01, 0.05, 9)})).verdict is Verdict.MET
    )


def test_a_minimum_holds_beside_the_loss() -> None:
    before, now = seen([1] * 80 + [0] * 20), seen([1] * 74 + [0] * 26)
    assert Gate("accuracy", max_loss=0.1, minimum=0.75).check(before, now).limit == 0.75
    assert Gate("accuracy", max_loss=0.1, minimum=0.5).check(before, now).limit == pytest.approx(0.7)
    alone = Gate("accuracy", minimum=0.5).check(None, now)
    assert (alone.limit, alone.verdict) == (0.5, Verdict.MET)


@pytest.mark.parametrize(
    ("gate", "before", "now"),
    [
        (Gate("accuracy", minimum=0.5), None, None),
        (Gate("accuracy", minimum=0.5), seen([1]), Score({})),
        (Gate("accuracy", max_loss=0.1), None, seen([1])),
        (Gate("accuracy", max_loss=0.1), Score({}), seen([1])),
        (Gate("accuracy", max_loss=0.1), seen([1]), None),
        (Gate("accuracy", max_loss=0.1, minimum=0.0), None, seen([1])),
    ],
)
def test_a_gate_without_its_figures_is_unknown(gate: Gate, before: Score | None, now: Score | None) -> None:
    check = gate.check(before, now)
    assert check.verdict is Verdict.UNKNOWN
    assert check.at_least
    assert check.quality
    assert check.limit == (gate.minimum or 0.0)


@pytest.mark.parametrize(
    "limits", [{}, {"max_loss": 1.5}, {"minimum": -0.1}, {"max_loss": 0.1, "minimum": 2}]
)
def test_a_gate_has_limits_that_are_shares(limits: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="auc"):
        Gate("auc", **limits)


@pytest.mark.parametrize("limits", [{"max_loss": 0.0}, {"max_loss": 1.0}, {"minimum": 0.0}, {"minimum": 1.0}])
def test_the_ends_of_a_share_are_limits(limits: dict[str, float]) -> None:
    assert Gate("auc", **limits).metric == "auc"


def test_a_rate_in_hertz_is_a_share_of_what_arrives() -> None:
    assert Gate.at_rate(400_800, minimum=0.5) == Gate("efficiency@0.01", minimum=0.5)
    assert Gate.at_rate(0.5, input_hz=50, minimum=0.5).background_rate == 0.01
    assert Gate.at_rate(5, input_hz=50, signal="top", max_loss=0.1) == Gate(
        "efficiency@0.1:top", max_loss=0.1
    )


@pytest.mark.parametrize("rate", [0, -1, 40.08e6, 1e9])
def test_a_rate_lies_between_nothing_and_all(rate: float) -> None:
    with pytest.raises(SpecError, match="rate_hz"):
        Gate.at_rate(rate, minimum=0.5)


def test_the_rate_is_read_off_the_name() -> None:
    assert Gate("efficiency@0.02:top", minimum=0).background_rate == 0.02
    assert Gate("efficiency@0.5", minimum=0).background_rate == 0.5
    assert Gate("auc", minimum=0).background_rate is None
    with pytest.raises(SpecError, match="got rate 'low'"):
        _ = Gate("efficiency@low", minimum=0).background_rate


def test_rates_of_gates_join_the_usual_ones() -> None:
    gates = [Gate("efficiency@0.3", minimum=0), Gate("auc", minimum=0), Gate("efficiency@0.3:g", minimum=0)]
    assert rates_of(gates) == tuple(sorted({*BACKGROUND_RATES, 0.3}))
    assert rates_of([]) == tuple(sorted(BACKGROUND_RATES))


def test_a_gate_on_a_figure_that_is_not_there_names_the_nearest() -> None:
    baseline = score_of(rows(*LABELS), LABELS, ("g", "q", "t"))
    check_gates([Gate("auc:t", minimum=0.5)], baseline)
    with pytest.raises(SpecError, match=r"gates\.auc:x: unknown figure, did you mean 'auc:"):
        check_gates([Gate("auc:x", minimum=0.5)], baseline)


def test_areas_and_efficiencies_of_two_models_are_compared_event_by_event() -> None:
    """What both models make of the same events alike has no part in the error of their difference."""
    rng = np.random.default_rng(4)
    labels = rng.permutation(np.arange(3000) % 3)
    seen_by_both = rng.normal(size=(3000, 3)) + 1.5 * np.eye(3)[labels]
    before, now = (score_of(seen_by_both + 0.2 * rng.normal(size=(3000, 3)), labels) for _ in range(2))
    for name in ("auc:1", "efficiency@0.1:2", "accuracy"):
        paired, apart = loss(before, now, name), loss(unpaired(before), now, name)
        assert paired is not None
        assert apart is not None
        assert paired[0] == apart[0]
        assert paired[1] < 0.6 * apart[1]
        assert loss(before, before, name) == (0.0, 0.0)


def test_one_column_of_logits_is_decided_at_zero() -> None:
    logits, labels = np.array([[-2.0], [-0.1], [0.2], [3.0]]), np.array([0, 0, 1, 1])
    assert score_of(logits, labels, threshold=0.0).value() == 1.0
    assert score_of(logits, labels).value() == 0.75


def test_a_threshold_that_too_few_background_events_set_decides_nothing() -> None:
    """30 kHz of 40.08 MHz let 0 of 800 events through: whatever the efficiency, its threshold is unknown."""
    gate = Gate.at_rate(30e3, signal="1", minimum=0.0)
    rng = np.random.default_rng(0)
    labels = np.arange(1600) % 2
    logits = rng.normal(size=(1600, 1)) + 3 * labels[:, None]
    score = score_of(logits, labels, rates=rates_of([gate]), threshold=0.0)
    check = gate.check(None, score)
    assert check.verdict is Verdict.UNKNOWN
    assert "0 background events lie above the threshold, too few to set it, 13,360 are needed" in check.text
    enough = Gate("efficiency@0.1:1", minimum=0.5)
    assert enough.check(None, score).verdict is Verdict.MET


def test_a_rate_in_hertz_is_read_off_the_zero_bias_sample() -> None:
    """Of a sample that arrives at 40 MHz, 100 kHz are one event in 400."""
    rng = np.random.default_rng(1)
    labels, classes = np.arange(2000) % 2, ("qcd", "top")
    outputs = rng.normal(size=(2000, 2)) + 2.0 * np.eye(2)[labels]
    zero_bias = rng.normal(size=(40_000, 2))
    gate = Gate("efficiency@100kHz:top", minimum=0.15)
    assert (gate.rate_hz, gate.background_rate) == (1e5, None)
    wanted = [known(asked(gate.metric))]

    def read(sample: np.ndarray) -> Figure:
        seen = Evidence(
            Sample(outputs, outputs, labels), Sample(sample, sample, hz=4e7), classes=classes, asked=wanted
        )
        return Classes().figures(seen)[gate.metric]

    found = read(zero_bias)
    threshold = np.sort(zero_bias[:, 1])[::-1][100]
    assert found.above == 100
    assert found.value == pytest.approx((outputs[labels == 1, 1] > threshold).mean())
    assert gate.check(None, Score({gate.metric: found})).verdict is Verdict.MET
    few = read(zero_bias[:2000])
    assert gate.check(None, Score({gate.metric: few})).verdict is Verdict.UNKNOWN, "5 events above"


def test_a_rate_in_hertz_needs_its_sample() -> None:
    gate = Gate.at_rate(30e3, signal="top", zero_bias=True, minimum=0.2)
    assert gate.metric == "efficiency@30000Hz:top"
    with pytest.raises(SpecError, match="needs a class and the data's zero-bias sample"):
        check_gates([gate], Score({"accuracy": Proportion(0.7, 0.1, 9)}))
    for wrong in ("efficiency@30 khz:top", "efficiency@fast", "efficiency@1e400x"):
        with pytest.raises(SpecError, match="is not a figure such as"):
            _ = Gate(wrong, minimum=0.1).background_rate
