"""Verdicts of whole projects, with csim as the witness; the types of a miniature are made to wrap one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import DataError
from pquant_hls.hls import load_project
from pquant_hls.measure import overflow
from pquant_hls.measure import proof as proving
from tests.firmware import miniature
from tests.helpers import Edit, Shell

pytestmark = pytest.mark.gxx


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return miniature.project(tmp_path / "p")


def statuses(folder: Path, cache: Path) -> dict[tuple[str, str], str]:
    found = overflow(load_project(folder), cache=cache)
    return {(one.verdict.node, one.verdict.role): one.verdict.status for one in found.types}


def test_a_project_without_overflow_is_proven(whole: Path, csim_cache: Path) -> None:
    found = statuses(whole, csim_cache)
    assert set(found) == {
        ("x", "input"),
        *((layer, role) for layer in ("fc1", "out") for role in ("accum", "result")),
        ("relu1", "result"),
    }
    assert set(found.values()) == {"proven"}


@pytest.mark.parametrize(
    ("old", "new", "wrapped"),
    [
        ("<16,8> model_default_t", "<13,4> model_default_t", ("fc1", "accum")),
        ("<16,8> layer2_t", "<12,3> layer2_t", ("fc1", "result")),
        ("<8,5,AP_RND_CONV,AP_SAT> layer3_t", "<8,2,AP_RND_CONV> layer3_t", ("relu1", "result")),
        ("<12,6> result_t", "<12,3> result_t", ("out", "result")),
    ],
)
def test_a_planted_wrap_is_found_and_shown(
    whole: Path, csim_cache: Path, edit: Edit, old: str, new: str, wrapped: tuple[str, str]
) -> None:
    edit(whole, "firmware/defines.h", old, new)
    found = overflow(load_project(whole), cache=csim_cache)
    (shown,) = found.wraps
    one = shown.verdict
    assert (one.node, one.role) == wrapped
    assert shown.stored is not None
    assert one.value is not None
    turn = 2.0 ** int(new.partition(",")[2].partition(">")[0].partition(",")[0])
    if one.role != "accum":
        assert abs(one.value - shown.stored) > turn / 2
    assert len(found.inputs) == 1
    assert found.inputs[0].shape == (1, 3)
    assert one.inputs is not None
    assert np.array_equal(found.inputs[0][0], one.inputs)


def test_a_range_of_the_inputs_proves_it_again(whole: Path, csim_cache: Path, edit: Edit) -> None:
    edit(whole, "firmware/defines.h", "<12,6> result_t", "<12,3> result_t")
    small = [(np.array(-0.5), np.array(0.5))]
    found = overflow(load_project(whole), small, cache=csim_cache)
    assert found.wraps == found.undecided == ()


def test_what_csim_does_not_bear_out_is_undecided(
    whole: Path, csim_cache: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph of other sources stands in for one that is wrong where a type overflows only."""
    from dataclasses import replace

    from pquant_hls.measure import shown

    edit(whole, "firmware/defines.h", "<12,6> result_t", "<12,3> result_t")
    proof = proving.prove(load_project(whole), cache=csim_cache)
    kind = proof.graph.node("out").result
    nodes = tuple(
        replace(node, result=replace(kind, integer=2, width=11)) if node.name == "out" else node
        for node in proof.graph.nodes
    )
    wrong = replace(proof, graph=replace(proof.graph, nodes=nodes))
    monkeypatch.setattr(shown, "prove", lambda *_, **__: wrong)
    found = overflow(load_project(whole), cache=csim_cache)
    assert found.wraps == ()
    (one,) = found.undecided
    assert one.verdict.reason == "an input overflows it by the graph, and csim gives other values there"
    assert one.verdict.inputs is None


def test_inputs_wrap_their_port(whole: Path, csim_cache: Path, edit: Edit) -> None:
    edit(whole, "firmware/defines.h", "<8,4,AP_RND_CONV,AP_SAT> input_t", "<8,4> input_t")
    found = overflow(load_project(whole), [(np.array(-20.0), np.array(1.0))], cache=csim_cache)
    first = found.types[0]
    assert (first.verdict.node, first.verdict.status) == ("x", "wraps")
    assert first.stored is not None
    assert -8 <= first.stored < 8


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([(np.zeros(2), np.ones(2))], "a range of shape"),
        ([(np.array(1.0), np.array(-1.0))], "the wrong way round"),
        ([(np.array(0.0), np.array(np.inf))], "not finite"),
        ([(np.array(0.0), np.array(1.0))] * 2, "2 ranges for 1 inputs"),
    ],
)
def test_ranges_that_do_not_fit(
    whole: Path, csim_cache: Path, ranges: list[tuple[np.ndarray, np.ndarray]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        overflow(load_project(whole), ranges, cache=csim_cache)


def test_the_command_line(whole: Path, shell: Shell, edit: Edit, tmp_path: Path) -> None:
    status, told, _ = shell("lint", whole, "--overflow")
    assert (status, told.splitlines()[-1]) == (0, "6 types: 6 proven, 0 wrap, 0 saturate, 0 undecided")
    edit(whole, "firmware/defines.h", "<12,6> result_t", "<12,3> result_t")
    status, told, _ = shell("lint", whole, "--overflow", "--json")
    record = json.loads(told)
    (row,) = [one for one in record["types"] if one["status"] == "wraps"]
    assert (status, record["passed"], row["node"], row["role"]) == (1, False, "out", "result")
    assert len(row["inputs"]) == 3
    np.save(tmp_path / "x.npy", np.array([[-0.5, 0.25, 0.0], [0.5, 0.5, 0.0]]))
    for word in ("-0.5:0.5", tmp_path / "x.npy"):
        status, told, _ = shell("lint", whole, "--overflow", "--range", word)
        assert (status, "6 proven" in told) == (0, True)


@pytest.mark.parametrize("word", ["4", "4:-4", "a:b"])
def test_a_range_that_is_none(whole: Path, shell: Shell, word: str) -> None:
    status, _, said = shell("lint", whole, "--overflow", "--range", word)
    assert (status, "is no range (LOW:HIGH as -4:4, or a .npy of inputs)" in said) == (2, True)


def test_a_model_has_no_types_to_prove(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("")
    status, _, said = shell("lint", tmp_path / "m.keras", "--overflow")
    assert (status, "--overflow is of a firmware" in said) == (2, True)
