"""The estimator's arithmetic, piece by piece: digits of weights, trees and chains of adders, stages, live values, channels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.channels import MEMORY_BITS, with_channels
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.intervals import Bounds, bounds, design_class, fallbacks
from pquant_hls.estimate.liveness import live_values
from pquant_hls.estimate.module import Module, Moment, timed
from pquant_hls.estimate.operators import _at, dsp_products, operators
from pquant_hls.estimate.schedule import Schedule, balanced_tree, chain_end, schedule_sum
from pquant_hls.estimate.weights import (
    Operands,
    bits,
    chain_steps,
    folds_signs,
    odd_part,
    shared_sums,
    trailing_zeros,
)
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target
from pquant_hls.qor.digits import signed_digits

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
codes_1d = st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=12).map(
    lambda c: np.array(c, np.int64)
)
small = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=1, max_size=7)
)


def naf(code: int) -> int:
    """Digits of the non-adjacent form, one after another."""
    size, digits = abs(code), 0
    while size:
        if size & 1:
            digits += 1
            size -= 2 - (size & 3)
        size >>= 1
    return digits


@given(codes_1d)
def test_digits_sizes_and_zeros_of_a_weight(codes: np.ndarray) -> None:
    plain = codes.tolist()
    assert signed_digits(codes).tolist() == [naf(code) for code in plain]
    assert bits(codes).tolist() == [abs(code).bit_length() for code in plain]
    zeros = [63 if code == 0 else (code & -code).bit_length() - 1 for code in plain]
    assert trailing_zeros(codes).tolist() == zeros
    assert odd_part(codes).tolist() == [
        abs(code) >> zero if code else 0 for code, zero in zip(plain, zeros, strict=True)
    ]


def test_a_code_of_two_digits_is_one_adder() -> None:
    assert signed_digits(np.array([0, 1, -8, 3, 7, 5, 11, 255])).tolist() == [0, 1, 1, 2, 2, 2, 3, 2]


@given(small)
def test_a_negative_term_is_a_step_and_a_run_of_positive_ones_another(rows: list[list[int]]) -> None:
    codes = np.array(rows, np.int64)
    found = []
    for column in codes.T.tolist():
        signs = "".join("+" if code > 0 else "-" for code in column if code)
        found.append(signs.count("-") + len([run for run in signs.split("-") if run]))
    assert chain_steps(codes).tolist() == found


ternary = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(-1, 1), min_size=n, max_size=n), min_size=1, max_size=7)
)


@given(ternary, st.booleans(), st.randoms(use_true_random=False))
def test_equal_beginnings_of_chains_are_built_once(rows: list[list[int]], starts: bool, chance: Any) -> None:
    """At most as many adders as there are terms, at least one for each beginning, never more with a weight less."""
    codes = np.array(rows, np.int64)
    bias = np.full(codes.shape[1], starts)
    prefixes = set()
    for column in codes.T.tolist():
        taken = [(row, code) for row, code in enumerate(column) if code]
        first = 1 if starts else 2
        prefixes |= {tuple(taken[:length]) for length in range(first, len(taken) + 1)}
    found = shared_sums(codes, bias)
    assert len(prefixes) <= found <= np.count_nonzero(codes)
    codes[chance.randrange(codes.shape[0]), chance.randrange(codes.shape[1])] = 0
    assert shared_sums(codes, bias) <= found


def operands(codes: Any, **parts: Any) -> Operands:
    found = np.asarray(codes, np.int64)
    usual = {
        "frac_bits": 4,
        "width": 6,
        "data": FixedType(8, 3),
        "accum": FixedType(24, 12),
        "bias": np.zeros(found.shape[1], bool),
    }
    return Operands(found, **{**usual, **parts})


@pytest.mark.parametrize(
    ("parts", "dropped", "saturates", "folds"),
    [
        ({}, 0, False, False),
        ({"accum": FixedType(14, 5)}, 0, False, True),
        ({"accum": FixedType(15, 6)}, 0, False, False),
        ({"accum": FixedType(14, 7)}, 2, False, False),
        ({"accum": FixedType(24, 12, rounding="RND")}, 0, True, False),
        ({"accum": FixedType(24, 12, saturation="SAT")}, 0, True, False),
    ],
)
def test_what_an_accumulator_does_to_products(
    parts: dict[str, Any], dropped: int, saturates: bool, folds: bool
) -> None:
    found = operands([[5], [-7]], **parts)
    assert (found.dropped_bits, found.saturates, folds_signs(found)) == (dropped, saturates, folds)


def test_signs_alone_are_folded_where_they_need_no_extension() -> None:
    signs = [[1], [-1], [0]]
    assert folds_signs(operands(signs, frac_bits=0, width=2, accum=FixedType(9, 4)))
    assert not folds_signs(operands(signs, frac_bits=0, width=2, accum=FixedType(10, 5)))


def test_a_sum_has_the_bits_of_its_products_and_adders() -> None:
    assert operands([[5], [-7], [3], [1]]).sum_bits == 8 + 3 + 2
    assert operands([[5], [-7], [3], [1]], accum=FixedType(10, 1)).sum_bits == 10
    assert operands([[5]], data=FixedType(8, 3, signed=False)).sum_bits == 9 + 3
    assert operands([[0]]).sum_bits == 8
    found = operands([[5, 0], [-7, 1]])
    assert found.column_bits.tolist() == [8 + math.ceil(math.log2(13)), 8 + 1]


# Schedules


@given(st.integers(0, 60), st.floats(0.1, 4.0), st.floats(1.0, 10.0))
def test_a_chain_takes_as_many_steps_a_stage_as_fit(steps: int, step: float, budget: float) -> None:
    full, rest = chain_end(steps, step, budget)
    each = max(1, math.floor(budget / step + 1e-6))
    assert full * each < steps or full == 0
    assert steps <= (full + 1) * each
    assert 0 <= rest <= budget + 1e-5
    assert chain_end(steps + 1, step, budget) >= (full, rest)


arrivals = st.dictionaries(st.integers(0, 40).map(lambda n: n / 4), st.integers(1, 6), min_size=1, max_size=5)


@given(arrivals, st.floats(0.5, 3.0))
def test_without_borders_a_tree_ends_as_early_as_adders_allow(
    given_at: dict[float, int], level: float
) -> None:
    """Kraft: a value that waits t levels may sit no deeper than t; pairs in time order reach the least end."""
    end, held = balanced_tree(given_at, level, 1e9)
    assert held == []
    total = sum(given_at.values())
    latest = max(given_at)
    assert end >= latest - 1e-6
    assert end <= latest + level * math.ceil(math.log2(total)) + 1e-4


@given(st.integers(1, 200), st.floats(0.5, 3.0))
def test_values_that_come_together_take_a_balanced_tree(count: int, level: float) -> None:
    end, _ = balanced_tree({0.0: count}, level, 1e9)
    assert end == pytest.approx(level * math.ceil(math.log2(count)), abs=1e-4)


@given(arrivals, st.floats(0.5, 3.0), st.floats(3.0, 6.0))
def test_borders_only_delay_and_hold_fewer_values_as_sums_are_made(
    given_at: dict[float, int], level: float, budget: float
) -> None:
    free, _ = balanced_tree(given_at, level, 1e9)
    end, held = balanced_tree(given_at, level, budget)
    assert end >= free - 1e-4
    assert all(1 <= count <= sum(given_at.values()) for count in held)
    assert held == sorted(held, reverse=True)


def test_a_tree_by_hand() -> None:
    """Five values at 0, levels of 2 ns, stages of 3 ns: 5 -> 3 -> 2 -> 1, each level in a stage of its own."""
    assert balanced_tree({0.0: 5}, 2.0, 3.0) == (8.0, [3, 2])
    assert balanced_tree({0.0: 1}, 2.0, 3.0) == (0.0, [])
    assert balanced_tree({0.0: 2, 4.0: 1}, 2.0, 3.0) == (6.0, [2])


DELAY = operators(VU13P)


def test_no_products_take_no_time() -> None:
    assert schedule_sum(operands([[0], [0]]), DELAY, VU13P.budget_ns) == Schedule(0.0, 0.0, chained=False)


def test_a_saturating_sum_waits_for_each_addition() -> None:
    plain = schedule_sum(operands(np.ones((16, 1))), DELAY, VU13P.budget_ns)
    clipped = operands(np.ones((16, 1)), accum=FixedType(24, 12, saturation="SAT"))
    slow = schedule_sum(clipped, DELAY, VU13P.budget_ns)
    assert slow.end_ns > 2 * plain.end_ns
    with_bias = replace(clipped, bias=np.ones(1, bool))
    assert schedule_sum(with_bias, DELAY, VU13P.budget_ns).end_ns > slow.end_ns


def test_folded_signs_make_chains_and_inputs_wait() -> None:
    signs = operands(np.tile([[1], [-1]], (16, 1)), frac_bits=0, width=2, accum=FixedType(8, 3))
    found = schedule_sum(signs, DELAY, VU13P.budget_ns)
    assert found.chained
    assert found.waiting_bits > 0
    tree = schedule_sum(replace(signs, accum=FixedType(24, 19)), DELAY, VU13P.budget_ns)
    assert not tree.chained
    assert tree.end_ns < found.end_ns


@given(small, st.floats(1.0, 8.0))
def test_a_shorter_clock_never_ends_in_fewer_cycles(rows: list[list[int]], budget: float) -> None:
    found = operands(rows)
    slow, fast = (timed(schedule_sum(found, DELAY, b).end_ns, b)[0] for b in (budget, budget / 2))
    assert fast >= slow


# Modules in a schedule


@pytest.mark.parametrize(
    ("end", "budget", "found"),
    [
        (0.0, 4.0, (0, 0.0, 0.0)),
        (4.0, 4.0, (0, 4.0, 4.0)),
        (4.5, 4.0, (1, 4.0, 0.5)),
        (8.0, 4.0, (1, 4.0, 4.0)),
        (9.0, 4.0, (2, 4.0, 1.0)),
    ],
)
def test_the_end_of_a_schedule_in_cycles(end: float, budget: float, found: tuple[int, float, float]) -> None:
    assert timed(end, budget) == found


def module(cycles: int = 0, first: float = 1.0, last: float = 1.0, **parts: Any) -> Module:
    return Module("m", "relu", cycles=cycles, first_ns=first, last_ns=last, **parts)


@pytest.mark.parametrize(
    ("start", "of", "end"),
    [
        (Moment(), module(), Moment(0, 1.0)),
        (Moment(2, 3.0), module(), Moment(2, 4.0)),
        (Moment(2, 3.5), module(), Moment(3, 1.0)),
        (Moment(2, 0.0), module(first=9.0), Moment(2, 9.0)),
        (Moment(2, 3.5), module(first=0.0), Moment(2, 3.5)),
        (Moment(1, 1.0), module(cycles=3, first=4.0, last=0.5), Moment(5, 0.5)),
        (Moment(1, 0.0), module(cycles=3, first=4.0, last=0.5, gap_cycles=2), Moment(6, 0.5)),
        (Moment(1, 1.0), module(gap_cycles=1), Moment(2, 2.0)),
    ],
)
def test_what_does_not_fit_a_stage_starts_in_the_next(start: Moment, of: Module, end: Moment) -> None:
    assert start.after(of, 4.0) == end


def test_ports_and_wires() -> None:
    assert Module("x", "input").is_port
    assert Module("x", "input").is_wire
    assert not module().is_wire
    assert not module(first=0.0, cycles=1).is_wire


# Delays


widths = st.tuples(st.integers(1, 60), st.floats(0.1, 5))


@given(st.lists(widths, min_size=1, max_size=4, unique_by=lambda point: point[0]), st.integers(0, 99))
def test_delays_lie_between_the_tables_and_go_on_beyond(points: list[tuple[int, float]], width: int) -> None:
    table = tuple(sorted((float(x), y) for x, y in points))
    found = float(_at(table, width))
    ys = [y for _, y in table]
    if width <= table[-1][0]:
        assert min(ys) - 1e-9 <= found <= max(ys) + 1e-9
    else:
        assert found >= ys[-1] - 1e-9


def test_a_tool_without_rules_is_refused_and_an_unseen_family_borrows() -> None:
    with pytest.raises(NotMeasured, match="no rules for this backend"):
        operators(VU13P.model_copy(update={"tool": None}))
    versal = operators(VU13P.model_copy(update={"part": "xcvc1902-vsva2197-2MP-e-S"}))
    assert not versal.fitted
    assert DELAY.fitted
    assert (DELAY.table_family, replace(DELAY, family="7series").table_family) == ("ultrascale+", "7series")


def test_products_are_free_for_powers_of_two_and_dear_for_many_digits() -> None:
    found = operands([[0, 4, 3, 11]], accum=FixedType(24, 12))
    zero, shift, two, many = DELAY.product_ns(found, 10.0)[0]
    assert zero == shift == 0.0
    assert 0.0 < two < many
    assert not dsp_products(replace(operands([[0, 4, 3, 11]]), multiplier="fabric")).any()
    assert dsp_products(replace(operands([[0, 4, 3, 11]]), multiplier="dsp")).tolist() == [[0, 0, 0, 1]]


# Values that are built


KIND = FixedType(8, 3)


def dense(name: str, source: str, codes: Any) -> Node:
    kernel = np.asarray(codes, np.int64)
    return Node(name, "dense", (source,), (kernel.shape[1],), KIND, {}, {"weight": FixedArray(kernel, 3)})


def test_unused_values_and_constants_are_not_built() -> None:
    nodes = (
        Node("x", "input", (), (3,), KIND),
        dense("a", "x", [[1, 0, 2, 1], [1, 0, 0, 1], [0, 0, 0, 0]]),
        Node("r", "relu", ("a",), (4,), KIND),
        dense("b", "r", [[1], [1], [0], [0]]),
    )
    live = live_values(FixedPointGraph(nodes, ("b",)))
    assert live["x"].tolist() == [True, True, False], "the third input is multiplied by zeros alone"
    assert live["a"].tolist() == live["r"].tolist() == [True, False, False, False]
    assert live["b"].tolist() == [True]


def test_what_several_nodes_read_is_used_where_any_of_them_does() -> None:
    nodes = (
        Node("x", "input", (), (2,), KIND),
        dense("a", "x", [[1], [0]]),
        dense("b", "x", [[0], [1]]),
        Node("s", "add", ("a", "b"), (1,), KIND),
    )
    assert live_values(FixedPointGraph(nodes, ("s",)))["x"].tolist() == [True, True]
    assert live_values(FixedPointGraph(nodes, ("s", "x")))["x"].tolist() == [True, True]


def test_nodes_that_are_no_vectors_count_whole() -> None:
    nodes = (Node("x", "input", (), (3, 2), KIND), Node("r", "relu", ("x",), (3, 2), KIND))
    assert live_values(FixedPointGraph(nodes, ("r",))) == {}


# Channels between tasks


def channels(
    shape: tuple[int, ...], io_type: str = "io_stream", tool: Literal["vitis", "vivado"] = "vitis"
) -> dict[str, float]:
    nodes = (
        Node("x", "input", (), shape, KIND),
        Node("a", "relu", ("x",), shape, KIND),
        Node("b", "relu", ("a",), shape, KIND),
    )
    graph = FixedPointGraph(nodes, ("b",), io_type)
    plain = tuple(Module(node.name, node.op) for node in nodes)
    found = with_channels(graph, plain, VU13P.model_copy(update={"tool": tool}))
    assert found[0].counts == found[2].counts == {}, "a port and what leaves the design need none"
    return found[1].counts


def test_a_vitis_stream_is_one_channel_of_all_lanes_and_vivados_one_a_lane() -> None:
    assert channels((4, 3))["channel_lanes"] == 1
    assert channels((4, 3), tool="vivado")["channel_lanes"] == 3
    assert channels((4, 3))["channel_bits"] == channels((4, 3), tool="vivado")["channel_bits"] == 24
    assert channels((3,), "io_parallel")["channel_lanes"] == 3


def test_deep_channels_of_a_stream_lie_in_memory() -> None:
    deep, shallow = MEMORY_BITS // 8, MEMORY_BITS // 8 - 1
    assert channels((deep, 1))["channel_brams"] == 1
    assert channels((deep, 1))["channel_lanes"] == 0
    assert channels((shallow, 1))["channel_brams"] == 0
    assert channels((shallow, 1))["channel_depth_bits"] == 8 * (shallow // 32)
    assert channels((deep, 1), "io_parallel")["channel_brams"] == 0
    assert channels((1, 200))["channel_brams"] == 0, "one place is a register"


# Intervals


def test_bounds_in_cycles_are_differences_and_others_ratios() -> None:
    assert Bounds("cycles", -2.0, 3.0).around(10, 1.0) == (8.0, 13.0)
    assert Bounds("cycles", -20.0, 3.0).around(10, 1.0) == (0.0, 13.0)
    low, high = Bounds("ratio", -math.log(2), math.log(3)).around(100.0, 20.0)
    assert low == pytest.approx(40.0)
    assert high == pytest.approx(340.0)
    assert Bounds("ratio", -math.log(100), 0.0).around(5.0, 200.0)[0] == 0.0


def test_a_class_is_judged_by_its_nearest_relatives() -> None:
    nearest = (
        "chain/vitis/7series",
        "chain/*/7series",
        "chain/vitis/*",
        "chain/*/*",
        "pipeline/*/7series",
        "pipeline/*/*",
        "*/*/*",
    )
    assert fallbacks("chain/vitis/7series") == nearest
    assert fallbacks("chain@fast/vitis/7series") == nearest, "clock bands have no relatives of their own"
    assert "tasks/*/*" in fallbacks("stream/vitis/7series")
    assert fallbacks("foreign/vitis/7series") == ("foreign/vitis/7series", "foreign/*/*")


@pytest.mark.parametrize("what", ["lut", "ff"])
def test_a_family_that_nobody_synthesised_has_wider_bounds(what: str) -> None:
    key = "tree/vitis/unheard-of"
    found, seen = bounds(key, what)
    name = next(name for name in fallbacks(key) if name in constants()["intervals"][what])
    entry = constants()["intervals"][what][name]
    assert not seen
    assert found.low < entry["low"] <= 0 <= entry["high"] < found.high
    usual, seen = bounds("tree/vitis/ultrascale+", what)
    assert seen
    assert usual.low <= 0 <= usual.high


@pytest.mark.parametrize(
    ("rules", "io_type", "clock", "name"),
    [
        (["tree", "chain"], "io_parallel", 5.0, "chain"),
        (["tree"], "io_stream", 5.0, "stream"),
        (["free"], "io_parallel", 5.0, "tree"),
        (["tree"], "io_parallel", 4.0, "tree@fast"),
        (["tree"], "io_parallel", 25.0, "tree@slow"),
        (["recurrent", "tree"], "io_stream", 5.0, "recurrent"),
    ],
)
def test_a_design_is_classed_by_its_hardest_rule_and_its_clock(
    rules: list[str], io_type: str, clock: float, name: str
) -> None:
    graph = FixedPointGraph((Node("x", "input", (), (2,), KIND),), ("x",), io_type)
    target = VU13P.model_copy(update={"clock_ns": clock})
    found = design_class(graph, [Module("m", "relu", rule) for rule in rules], target)
    assert found == f"{name}/vitis/ultrascale+"
