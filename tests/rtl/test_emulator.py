"""The emulator equals the firmware's loops, value by value, or refuses by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from pquant_hls.errors import DataError, NotMeasured
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import Emulator, emulate
from pquant_hls.rtl.bridge import bridge
from tests.helpers import single
from tests.rtl import rtl_graphs as graphs
from tests.rtl import rtl_reference as reference

SETTINGS = settings(max_examples=30, deadline=None)


def sample(graph: FixedPointGraph, rows: int = 64, seed: int = 0) -> list[np.ndarray]:
    """Inputs on and off the grid, beyond the range too."""
    rng = np.random.default_rng(seed)
    return [
        rng.uniform(-1.2, 1.2, (rows, *node.shape)) * 2.0 ** (node.result.integer - int(node.result.signed))
        for node in graph.inputs
    ]


def check(graph: FixedPointGraph) -> None:
    x = sample(graph)
    found = emulate(graph, x[0] if len(x) == 1 else x)
    for out, expected in zip(
        found if isinstance(found, list) else [found], reference.run(graph, *x), strict=True
    ):
        np.testing.assert_array_equal(out, expected)


@SETTINGS
@given(graphs.dense_graph())
def test_dense_accumulates_rounds_and_wraps_like_the_firmware(graph: FixedPointGraph) -> None:
    check(graph)


@SETTINGS
@given(graphs.conv_graph())
def test_convolutions_with_pads_strides_and_dilation(graph: FixedPointGraph) -> None:
    check(graph)


@SETTINGS
@given(graphs.pool_graph())
def test_pooling_divides_and_pads_like_the_firmware(graph: FixedPointGraph) -> None:
    check(graph)


@SETTINGS
@given(graphs.pointwise_graph())
def test_activations_after_a_scaling(graph: FixedPointGraph) -> None:
    check(graph)


@SETTINGS
@given(graphs.merge_graph())
def test_merges_and_shapes_with_two_inputs_and_two_outputs(graph: FixedPointGraph) -> None:
    check(graph)


def layer(op: str, result: str = "ap_fixed<16,8>", **more: Any) -> FixedPointGraph:
    first = Node("x", "input", (), (4,), FixedType.parse("ap_fixed<8,4>"))
    return FixedPointGraph(
        (first, Node("odd_one", op, ("x",), (4,), FixedType.parse(result), **more)), ("odd_one",)
    )


@pytest.mark.parametrize("op", ["softmax", "elu", "other"])
def test_a_layer_without_an_exact_rule_is_refused_by_name(op: str) -> None:
    with pytest.raises(NotMeasured, match="odd_one"):
        emulate(layer(op), np.zeros((1, 4)))


def test_a_saturating_accumulator_is_refused_only_where_it_can_saturate() -> None:
    weights = {"weight": FixedArray(np.full((4, 4), 3), 0)}
    wide = layer("dense", types={"accum": FixedType(16, 12, saturation="SAT")}, arrays=weights)
    np.testing.assert_array_equal(emulate(wide, np.full((2, 4), 1.5)), np.full((2, 4), 18.0))
    narrow = layer("dense", types={"accum": FixedType(9, 5, saturation="SAT")}, arrays=weights)
    with pytest.raises(NotMeasured, match="saturate"):
        emulate(narrow, np.zeros((1, 4)))


def test_weights_wider_than_the_solver_holds_are_refused() -> None:
    weights = {"weight": FixedArray(np.full((4, 4), (1 << 26) + 1), 20)}
    with pytest.raises(NotMeasured, match="24 bits"):
        bridge(layer("dense", arrays=weights))


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 5)), np.zeros(4), np.full((1, 4), np.nan), [np.zeros((1, 4))] * 2]
)
def test_inputs_that_do_not_fit_are_named(bad: Any) -> None:
    with pytest.raises(DataError):
        Emulator(layer("relu")).predict(bad)


def test_one_trace_serves_many_batches_and_an_empty_one() -> None:
    emulator = Emulator(layer("relu"))
    np.testing.assert_array_equal(emulator.predict(np.full((3, 4), -1.0)), np.zeros((3, 4)))
    np.testing.assert_array_equal(emulator.predict(np.full((2, 4), 1.25)), np.full((2, 4), 1.25))
    assert single(emulator.predict(np.zeros((0, 4)))).shape == (0, 4)


def test_a_ternary_activation_on_a_wrapped_scale_sees_the_sign() -> None:
    nodes = (
        Node("x", "input", (), (3,), FixedType(1, 1, signed=False)),
        Node(
            "b",
            "batchnorm",
            ("x",),
            (3,),
            FixedType(2, 0),
            {},
            {"scale": FixedArray(np.array([15, 2, 0]), 3), "bias": FixedArray(np.array([0, 0, 21]), 2)},
        ),
        Node(
            "a",
            "ternary_tanh",
            ("b",),
            (3,),
            FixedType(2, 2),
            {},
            {
                "threshold_hi": FixedArray(np.array([0, 0, -11]), 2),
                "threshold_lo": FixedArray(np.array([0, 0, -9]), 2),
            },
        ),
    )
    check(FixedPointGraph(nodes, ("a",)))


@pytest.mark.parametrize(
    ("count", "accum"),
    [(20, "ap_fixed<26,11>"), (20, "ap_fixed<34,14>"), (7, "ap_fixed<30,11>"), (100, "ap_fixed<26,12>")],
)
def test_averages_of_wide_sums_divide_towards_zero(count: int, accum: str) -> None:
    """Reciprocals of 33 bits and more, the quotient digit by digit; ends, ties and small sums of both signs."""
    wide, kind = FixedType.parse(accum), FixedType.parse("ap_fixed<14,5>")
    first = Node("x", "input", (), (count, 1), kind)
    mean = Node("mean", "global_average_pooling1d", ("x",), (1,), wide, {"accum": wide})
    codes = np.random.default_rng(count).integers(kind.code_min, kind.code_max + 1, (400, count, 1))
    codes[0], codes[1], codes[2:10, 1:], codes[2:10, 0] = (
        kind.code_min,
        kind.code_max,
        0,
        np.arange(-4, 4)[:, None],
    )
    totals = [int(row.sum()) << (wide.frac - kind.frac) for row in codes]
    wanted = [abs(total) // count * (1 if total > 0 else -1) * wide.lsb for total in totals]
    found = emulate(FixedPointGraph((first, mean), ("mean",)), codes * kind.lsb)
    np.testing.assert_array_equal(np.ravel(found), wanted)


def test_averages_over_numbers_of_many_bits_are_refused_by_name() -> None:
    wide = FixedType.parse("ap_fixed<34,14>")
    first = Node("x", "input", (), (2049, 1), FixedType.parse("ap_fixed<4,2>"))
    mean = Node("mean", "global_average_pooling1d", ("x",), (1,), wide, {"accum": wide})
    with pytest.raises(NotMeasured, match=r"mean: .* over 2049 values, no power of two"):
        emulate(FixedPointGraph((first, mean), ("mean",)), np.zeros((1, 2049, 1)))


def test_a_mean_of_values_that_only_rise_may_saturate() -> None:
    """Its sum is clipped once for all, in whatever order; one of both signs has no such order."""
    kind = FixedType.parse("ap_ufixed<4,0,AP_RND_CONV,AP_SAT>")
    pool = Node("mean", "global_average_pooling1d", ("x",), (1,), kind, {"accum": kind})
    x = np.array([[1, 2, 4], [9, 9, 9], [15, 0, 1]])[..., None] / 16
    found = single(emulate(graphs.chain(Node("x", "input", (), (3, 1), kind), pool), x))
    assert (found.ravel() * 16).tolist() == [2, 5, 5]
    signed = FixedType.parse("ap_fixed<4,1,AP_TRN,AP_SAT>")
    pool = Node("mean", "global_average_pooling1d", ("x",), (1,), signed, {"accum": signed})
    with pytest.raises(NotMeasured, match="may saturate midway"):
        emulate(graphs.chain(Node("x", "input", (), (3, 1), signed), pool), x - 0.5)
