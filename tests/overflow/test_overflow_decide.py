"""Verdicts against the truth of small networks, of which every input is tried."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from pquant_hls.overflow import TypeVerdict, decide, program_of
from pquant_hls.overflow import milp as programme
from pquant_hls.overflow.curves import Store
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node

SOURCE = FixedType(3, 2)


def network(
    seed: int,
    *,
    sizes: tuple[int, ...] = (3, 5, 4, 2),
    kind: FixedType,
    gain: float = 1.0,
    source: FixedType = SOURCE,
) -> FixedPointGraph:
    """Dense layers and ReLUs, every value in ``kind``, and every sum where that wraps."""
    accum = kind if kind.saturation == "WRAP" else FixedType(24, 12)
    rng = np.random.default_rng(seed)
    nodes = [Node("x", "input", (), sizes[:1], source)]
    weight_type = FixedType(8, 4)
    for place, (n_in, n_out) in enumerate(pairwise(sizes)):
        codes = weight_type.to_codes(rng.normal(0, gain, (n_in, n_out)))
        bias = weight_type.to_codes(rng.normal(0, 0.3, n_out))
        arrays = {"weight": FixedArray(codes, 4), "bias": FixedArray(bias, 4)}
        types = {"weight": weight_type, "bias": weight_type, "accum": accum}
        nodes.append(Node(f"fc{place}", "dense", (nodes[-1].name,), (n_out,), kind, types, arrays))
        if place < len(sizes) - 2:
            nodes.append(Node(f"relu{place}", "relu", (nodes[-1].name,), (n_out,), kind))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def truth(graph: FixedPointGraph) -> dict[tuple[str, str], bool]:
    """Whether any of all inputs takes a type over its end."""
    program = program_of(graph, None)
    (port,) = graph.inputs
    codes = range(port.result.code_min, port.result.code_max + 1)
    x = np.array(list(product(codes, repeat=port.shape[0]))) * port.result.lsb
    values, found = program.run(x), {}
    for check in program.checks:
        stage = program.stages[check.stage]
        assert isinstance(stage, Store)
        read = values[stage.sources[0]]
        assert read is not None
        rounded = stage.rounded(read)
        found[check.node, check.role] = bool(((rounded > stage.ends.high) | (rounded < stage.ends.low)).any())
    return found


def by_name(verdicts: tuple[TypeVerdict, ...]) -> dict[tuple[str, str], TypeVerdict]:
    return {(one.node, one.role): one for one in verdicts}


@pytest.mark.parametrize("saturation", ["WRAP", "SAT"])
@pytest.mark.parametrize("gain", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(6))
def test_every_type_is_decided_as_it_is(seed: int, gain: float, saturation: str) -> None:
    graph = network(seed, gain=gain, kind=FixedType(10, 4, saturation=saturation))
    expected, found = truth(graph), by_name(decide(graph, seconds=20.0, seed=seed))
    assert set(found) == set(expected)
    word = "wraps" if saturation == "WRAP" else "saturates"
    for name, overflows in expected.items():
        if found[name].decided:
            assert found[name].status == (word if overflows else "proven"), name
    assert sum(one.decided for one in found.values()) >= len(found) - 1


@pytest.mark.parametrize("seed", range(6))
def test_without_a_solver_nothing_is_said_that_is_not_so(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programme, "has_solver", lambda: False)
    monkeypatch.setattr("pquant_hls.overflow.verdicts.has_solver", lambda: False)
    graph = network(seed, gain=0.7, kind=FixedType(10, 4))
    expected = truth(graph)
    for name, one in by_name(decide(graph, seed=seed)).items():
        if one.decided:
            assert (one.status == "wraps") == expected[name]
        else:
            assert one.reason is not None
            assert "pip install scipy" in one.reason


def test_a_witness_is_an_input_that_overflows() -> None:
    graph = network(3, gain=0.9, kind=FixedType(8, 3))
    program = program_of(graph, None)
    wrapped = [one for one in decide(graph) if one.status == "wraps"]
    assert wrapped != []
    for one in wrapped:
        assert one.inputs is not None
        assert one.element is not None
        (place,) = [c.stage for c in program.checks if (c.node, c.role) == (one.node, one.role)]
        stage = program.stages[place]
        assert isinstance(stage, Store)
        read = program.run(one.inputs[None])[stage.sources[0]]
        assert read is not None
        assert read[0, one.element] == one.value
        assert (
            not stage.ends.low[one.element]
            <= stage.rounded(read)[0, one.element]
            <= stage.ends.high[one.element]
        )


def test_a_narrower_range_proves_more() -> None:
    graph = network(3, gain=0.9, kind=FixedType(8, 3))
    wide = [one.status for one in decide(graph)]
    small = [one.status for one in decide(graph, [(np.array(-0.5), np.array(0.5))])]
    assert wide.count("wraps") > small.count("wraps")
    assert wide.count("proven") < small.count("proven")


def test_inputs_beyond_the_type_of_their_port_wrap_it() -> None:
    graph = network(0, kind=FixedType(7, 4))
    first = decide(graph, [(np.array(-9.0), np.array(1.0))])[0]
    assert (first.node, first.role, first.status) == ("x", "input", "wraps")
    first = decide(graph, [(np.array(-2.0), np.array(1.5))])[0]
    assert first.status == "proven"


def test_affine_forms_prove_what_intervals_cannot() -> None:
    """x - x through two layers: an interval forgets that both are the same."""
    kind, wide = FixedType(8, 4), FixedType(16, 10)
    codes = (
        {"weight": FixedArray(np.array([[16, 16]]), 4)},
        {"weight": FixedArray(np.array([[16], [-16]]), 4)},
    )
    nodes = (
        Node("x", "input", (), (1,), kind),
        Node("copy", "dense", ("x",), (2,), wide, {}, codes[0]),
        Node("apart", "dense", ("copy",), (1,), FixedType(8, 4), {}, codes[1]),
    )
    last = decide(FixedPointGraph(nodes, ("apart",)))[-1]
    assert (last.status, last.how, last.low, last.high) == ("proven", "affine forms", 0.0, 0.0)


def test_what_no_rule_tells_stays_undecided_with_its_reason() -> None:
    kind = FixedType(8, 4)
    nodes = (
        Node("x", "input", (), (2,), kind),
        Node("lstm", "other", ("x",), (2,), kind, attrs={"op_name": "LSTM"}),
        Node("sum", "add", ("lstm", "x"), (2,), kind),
        Node("wide", "add", ("lstm", "x"), (2,), FixedType(16, 8)),
    )
    found = by_name(decide(FixedPointGraph(nodes, ("sum", "wide"))))
    assert found["lstm", "result"].reason == "lstm: no exact rule for 'LSTM'"
    assert found["sum", "result"].reason == "behind what no rule tells (lstm: no exact rule for 'LSTM')"
    assert found["wide", "result"].status == "proven"


def test_a_sum_that_may_saturate_midway_is_undecided_and_so_is_what_follows() -> None:
    graph = network(1, gain=0.9, kind=FixedType(9, 3))
    first = graph.node("fc0")
    accum = FixedType(8, 2, saturation="SAT")
    nodes = tuple(
        replace(node, types={**node.types, "accum": accum}) if node is first else node for node in graph.nodes
    )
    found = by_name(decide(replace(graph, nodes=nodes)))
    reason = (
        "fc0: the accumulator ap_fixed<8,2,AP_TRN,AP_SAT> may saturate midway, in an order the tool chooses"
    )
    assert found["fc0", "accum"].reason == reason
    assert found["fc0", "result"].status == "proven"
    assert found["fc1", "accum"].reason == f"behind what no rule tells ({reason})"


def test_out_of_time_is_said() -> None:
    graph = network(1, sizes=(16, 64, 64, 32, 5), gain=0.2, kind=FixedType(16, 5), source=FixedType(8, 2))
    open_ = [one for one in decide(graph, seconds=0.0) if not one.decided]
    assert open_ != []
    assert all(one.reason is not None and "out of time" in one.reason for one in open_)
