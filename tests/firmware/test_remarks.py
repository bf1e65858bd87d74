"""What lint says of a firmware: by intervals that hold whatever comes in, and are reached where there is one layer."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.firmware import examine, find, read_graph
from pquant_hls.firmware.ranges import ranges
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from tests.firmware import miniature
from tests.helpers import Edit, Shell


def rules(folder: Path) -> list[tuple[str, str]]:
    return [(remark.rule, remark.layer) for remark in examine(find(folder))]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return miniature.project(tmp_path / "p")


def test_sums_that_are_cut_are_said(whole: Path) -> None:
    """Products of 4 + 5 and 3 + 5 fraction bits in an accumulator of 8."""
    assert rules(whole) == [("sum-cuts", "fc1")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<16,8> model_default_t", "<20,8> model_default_t", []),
        ("<16,8> model_default_t", "<13,4> model_default_t", [("sum-wraps", "fc1")]),
        (
            "<16,8> model_default_t",
            "<13,4,AP_TRN,AP_SAT> model_default_t",
            [("sum-saturates", "fc1")],
        ),
        ("<16,8> layer2_t", "<16,4> layer2_t", [("sum-cuts", "fc1"), ("result-wraps", "fc1")]),
        ("typedef ap_fixed<16,8> layer2_t", "typedef float layer2_t", [("no-graph", "mini")]),
    ],
)
def test_each_rule(whole: Path, edit: Edit, old: str, new: str, expected: list[tuple[str, str]]) -> None:
    edit(whole, "firmware/defines.h", old, new)
    assert rules(whole) == expected


def test_weights_off_their_grid_are_said(whole: Path, edit: Edit) -> None:
    edit(whole, "firmware/weights.h", "0.12500}", "0.13000}")
    (remark,) = [one for one in examine(find(whole)) if one.rule == "weights-rounded"]
    assert remark.message.startswith("1 of 6 values lie off the grid of ap_fixed<6,1>, by up to 0.005")


def test_another_reuse_factor_than_was_asked_for_is_said(whole: Path) -> None:
    (whole / "hls4ml_config.yml").write_text("HLSConfig:\n  Model:\n    ReuseFactor: 3\n")
    assert ("reuse-replaced", "out") in rules(whole)


def test_a_table_without_room_for_one_is_said() -> None:
    from pquant_hls.firmware.remarks import _table

    node = Node("s", "sigmoid", ("x",), (1,), FixedType(8, 2), {"table": FixedType(8, 0)})
    assert [remark.rule for remark in _table(node)] == ["table-saturates"]
    node = Node("s", "sigmoid", ("x",), (1,), FixedType(8, 2), {"table": FixedType(18, 8)})
    assert list(_table(node)) == []


def one_layer(weights: np.ndarray, accum: FixedType) -> FixedPointGraph:
    kind = FixedType(4, 2)
    arrays = {"weight": FixedArray(weights, 2), "bias": FixedArray(np.zeros(weights.shape[1], np.int64), 2)}
    types = {"weight": FixedType(5, 3), "bias": FixedType(5, 3), "accum": accum}
    nodes = (
        Node("x", "input", (), (weights.shape[0],), kind),
        Node("fc", "dense", ("x",), (weights.shape[1],), FixedType(16, 8), types, arrays),
    )
    return FixedPointGraph(nodes, ("fc",))


def test_the_sums_of_one_layer_are_reached() -> None:
    weights = np.random.default_rng(1).integers(-8, 8, (3, 4))
    graph = one_layer(weights, FixedType(24, 12))
    found = ranges(graph).sums["fc"]
    kind = graph.node("x").result
    corners = np.array(list(product((kind.low, kind.high), repeat=3))) @ (weights / 4)
    assert np.array_equal(found.low, corners.min(axis=0))
    assert np.array_equal(found.high, corners.max(axis=0))


@pytest.mark.parametrize("seed", range(5))
def test_no_value_lies_outside_of_its_interval(tmp_path: Path, seed: int) -> None:
    from pquant_hls.rtl import emulate

    rng = np.random.default_rng(seed)
    width = int(rng.integers(9, 14))
    folder = miniature.write(tmp_path / "firmware")
    defines = folder / "defines.h"
    defines.write_text(defines.read_text().replace("<16,8> layer2_t", f"<{width},{width - 5}> layer2_t"))
    graph = read_graph(find(folder))
    found = ranges(graph).stored
    for node in graph.nodes[1:]:
        part = FixedPointGraph(graph.nodes, (node.name,))
        values = np.asarray(emulate(part, rng.uniform(-9, 9, (500, 3))))
        assert np.all(values >= found[node.name].low)
        assert np.all(values <= found[node.name].high)


def test_the_command_line(whole: Path, shell: Shell, edit: Edit) -> None:
    status, told, _ = shell("lint", whole)
    assert (status, told.startswith("warning sum-cuts fc1: products of 9 fraction bits are kept in")) == (
        1,
        True,
    )
    edit(whole, "firmware/defines.h", "<16,8> model_default_t", "<20,8> model_default_t")
    status, told, _ = shell("lint", whole, "--json")
    assert (status, json.loads(told)["passed"], json.loads(told)["findings"]) == (0, True, [])
