"""Studies: which names a space takes, which ranges, and what a wrong one says."""

from __future__ import annotations

from typing import Any

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import StudySpec
from pquant_hls.spec.study import GateSpec, Range, as_range, full_name


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("bits", "quantize.bits"),
        ("sparsity", "prune.sparsity"),
        ("rank", "low_rank.rank"),
        ("energy", "low_rank.energy"),
        ("prune.min_units", "prune.min_units"),
        ("reuse_factor", "reuse_factor"),
        ("order", "order"),
        ("bits_per_layer", "bits_per_layer"),
        ("fine_tune.epochs", "fine_tune.epochs"),
    ],
)
def test_names_of_parameters(name: str, full: str) -> None:
    assert full_name(name) == full


@pytest.mark.parametrize("name", ["bitz", "prune.sparsty", "prun.sparsity", "prune", "", "quantize."])
def test_a_name_that_no_step_has(name: str) -> None:
    with pytest.raises(ValueError, match="unknown parameter"):
        full_name(name)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("quantize.bits", [4, 8], Range(low=4, high=8)),
        ("quantize.bits", (4, 6, 8), Range(choices=(4, 6, 8))),
        ("quantize.bits", [4], Range(choices=(4,))),
        ("prune.importance", ["l1", "l2"], Range(choices=("l1", "l2"))),
        ("prune.latency_aware", [True, False], Range(choices=(True, False))),
        ("reuse_factor", [1, 2], Range(choices=(1, 2))),
        ("low_rank.rank", {"low": 2, "high": 8, "log": True}, Range(low=2, high=8, log=True)),
        ("quantize.bits", True, Range(low=3, high=8)),
        ("quantize.bits", None, Range(low=3, high=8)),
        ("order", True, Range(choices=(True,))),
        ("bits_per_layer", True, Range(choices=(True,))),
        ("quantize.bits", Range(low=2, high=3), Range(low=2, high=3)),
    ],
)
def test_ranges(name: str, given: Any, wanted: Range) -> None:
    assert as_range(name, given) == wanted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "low and high, or choices"),
        ({"low": 1}, "low and high, or choices"),
        ({"high": 1}, "low and high, or choices"),
        ({"low": 1, "high": 2, "choices": (1,)}, "low and high, or choices"),
        ({"low": 2, "high": 1}, "low 2 exceeds high 1"),
        ({"low": 0, "high": 1, "log": True}, "starts above 0"),
        ({"low": -1, "high": 1, "log": True}, "starts above 0"),
        ({"choices": (1,), "log": True}, "starts above 0"),
        ({"choices": ()}, "choices is empty"),
    ],
)
def test_a_range_is_one_thing(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Range.parse(values)


def test_a_range_may_be_one_value() -> None:
    assert Range.parse({"low": 1, "high": 1}) == Range(low=1, high=1)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"bits": [1, 8]}, "quantize.bits.*1-bit"),
        ({"bits": [4, 20]}, r"quantize\.bits.*2\.\.16"),
        ({"sparsity": [0.0, 1.0]}, r"prune\.sparsity.*\[0, 1\)"),
        ({"reuse_factor": [0, 2]}, "reuse_factor.*greater than or equal to 1"),
        ({"bits": "many"}, r"quantize\.bits: expected \[low, high\]"),
        ({"prune.keep": True}, r"prune\.keep: no range is declared"),
        ({"prune.importance": ["l1", "l7"]}, r"prune\.importance.*got 'l7'"),
        ([1, 2], "expected parameters and ranges, got list"),
    ],
)
def test_a_space_is_found_wrong_before_any_trial(space: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message) as found:
        StudySpec.parse({"space": space})
    assert found.value.where == "space"


def test_a_space_of_its_own_or_the_usual_one() -> None:
    assert set(StudySpec.parse({}).parameters) == {"quantize.bits", "prune.sparsity"}
    assert set(StudySpec.parse({"space": {"bits": True, "sparsity": False}}).parameters) == {"quantize.bits"}


def test_a_gate_needs_a_limit() -> None:
    with pytest.raises(SpecError, match="max_loss or minimum"):
        GateSpec.parse({"metric": "auc"})
    assert GateSpec.parse({"metric": "auc", "minimum": 0}).minimum == 0
    with pytest.raises(SpecError, match="max_loss"):
        GateSpec.parse({"metric": "auc", "max_loss": 1.1})


@pytest.mark.parametrize(
    ("text", "message"), [("space: [", "is not YAML"), ("- 1\n", "expected keys and values")]
)
def test_a_study_file_that_is_none(tmp_path: Any, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        StudySpec.load(path)
    with pytest.raises(SpecError, match="cannot be read"):
        StudySpec.load(tmp_path / "none.yaml")
