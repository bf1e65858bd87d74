"""A design that is another one with weights taken away, or with fewer bits, is never estimated larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, QoR, Target
from tests.helpers import cycles_of, known, latency_of, resources_of

PARTS = ("xcvu13p-flga2577-2-e", "xcku115-flvb2104-2-i", "xc7vx690t-ffg1761-2", "xc7z020clg400-1")
CLOCKS_NS = (2.78, 4.17, 5.0, 6.25, 10.0, 25.0, 40.0)
RESOURCES = ("lut", "ff", "dsp", "bram_18k")


@st.composite
def targets(draw: st.DrawFn) -> Target:
    clock = draw(st.sampled_from(CLOCKS_NS))
    share = draw(st.sampled_from([0.125, 0.27]))
    tool: Any = draw(st.sampled_from(["vitis", "vivado"]))
    return Target(
        part=draw(st.sampled_from(PARTS)), clock_ns=clock, clock_uncertainty_ns=share * clock, tool=tool
    )


@st.composite
def graphs(draw: st.DrawFn, exact: bool = False) -> FixedPointGraph:
    """A few layers, in a row or with a branch that is added or joined again; ``exact``: no sum drops or folds a bit."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    strategy = draw(st.sampled_from(["latency", "latency", "resource"]))
    attrs = {"strategy": strategy, "reuse_factor": draw(st.sampled_from([1, 1, 2, 4, 8]))}
    widths = [draw(st.integers(1, 20)) for _ in range(draw(st.integers(2, 4)))]
    kind = FixedType(draw(st.sampled_from([8, 12, 16])), 6)
    nodes, bits = [Node("x", "input", (), (widths[0],), kind)], draw(st.sampled_from([2, 4, 6, 8, 12]))
    for index, size in enumerate(widths[1:]):
        codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (nodes[-1].shape[0], size))
        codes[rng.random(codes.shape) < draw(st.sampled_from([0.0, 0.3, 0.8]))] = 0
        grown = kind.width + bits + 6 if exact else draw(st.sampled_from([16, 20, kind.width + bits, 30]))
        accum = FixedType(
            grown, grown - kind.frac - (bits - 1 if exact else draw(st.sampled_from([0, bits - 1])))
        )
        arrays = {"weight": FixedArray(codes, bits - 1)}
        if draw(st.booleans()):
            arrays["bias"] = FixedArray(rng.integers(-3, 4, size), 4)
        types = {"weight": FixedType(bits, 1), "accum": accum}
        nodes.append(Node(f"fc{index}", "dense", (nodes[-1].name,), (size,), accum, types, arrays, attrs))
        kind = FixedType(
            draw(st.sampled_from([6, 8])), 2, signed=False, rounding=draw(st.sampled_from(["TRN", "RND"]))
        )
        nodes.append(
            Node(f"act{index}", draw(st.sampled_from(["relu", "quantize"])), (nodes[-1].name,), (size,), kind)
        )
    outputs = [nodes[-1].name]
    if strategy == "latency" and attrs["reuse_factor"] == 1 and draw(st.booleans()):
        nodes, outputs = _with_branch(nodes, rng, bits)
    return FixedPointGraph(
        tuple(nodes), tuple(outputs), draw(st.sampled_from(["io_parallel", "io_parallel", "io_stream"]))
    )


def _with_branch(nodes: list[Node], rng: np.random.Generator, bits: int) -> tuple[list[Node], list[str]]:
    """The network beside one more layer that reads its input, and their sum."""
    size, kind = nodes[-1].shape[0], FixedType(30, 14)
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (nodes[0].shape[0], size))
    types = {"weight": FixedType(bits, 1), "accum": kind}
    short = Node("short", "dense", ("x",), (size,), kind, types, {"weight": FixedArray(codes, bits - 1)})
    both = Node("both", "add", (nodes[-1].name, "short"), (size,), FixedType(31, 15))
    return [*nodes, short, both], ["both"]


def without(graph: FixedPointGraph, seed: int, share: float) -> FixedPointGraph:
    """With a random ``share`` of all weights at zero."""
    rng = np.random.default_rng(seed)

    def cut(node: Node) -> Node:
        if "weight" not in node.arrays:
            return node
        weight = node.arrays["weight"]
        codes = np.where(rng.random(weight.codes.shape) < share, 0, weight.codes)
        return replace(node, arrays={**node.arrays, "weight": FixedArray(codes, weight.frac_bits)})

    return replace(graph, nodes=tuple(map(cut, graph.nodes)))


def narrower(graph: FixedPointGraph, bits: int) -> FixedPointGraph:
    """With the low ``bits`` of weights and of activations rounded away; accumulators stay."""

    def less(kind: FixedType) -> FixedType:
        return replace(kind, width=max(kind.width - bits, 2))

    def cut(node: Node) -> Node:
        if node.op in ("relu", "quantize"):
            return replace(node, result=less(node.result))
        if "weight" not in node.arrays:
            return node
        weight, kind = node.arrays["weight"], node.types["weight"]
        dropped = kind.width - less(kind).width
        codes = np.rint(weight.codes / 2.0**dropped).astype(np.int64)
        return replace(
            node,
            arrays={**node.arrays, "weight": FixedArray(codes, weight.frac_bits - dropped)},
            types={**node.types, "weight": less(kind)},
        )

    return replace(graph, nodes=tuple(map(cut, graph.nodes)))


def figures(qor: QoR) -> Iterator[tuple[str, float]]:
    """Best, expected and worst of everything that an estimate states."""
    latency, used = latency_of(qor), resources_of(qor)
    yield "best cycles", known(latency.cycles_max_lo)
    yield "cycles", cycles_of(qor)
    yield "worst cycles", known(latency.cycles_max_hi)
    yield "worst ns", known(latency.worst_ns_hi)
    for name in RESOURCES:
        yield f"best {name}", used.intervals[name][0]
        yield name, known(getattr(used, name))
        yield f"worst {name}", used.intervals[name][1]


def grown(before: QoR, after: QoR) -> dict[str, tuple[float, float]]:
    pairs = zip(figures(before), figures(after), strict=True)
    return {name: (old, new) for (name, old), (_, new) in pairs if new > old * (1 + 1e-9) + 1e-6}


@settings(max_examples=150, deadline=None)
@given(graphs(), targets(), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.3, 0.9, 1.0]))
def test_taking_weights_away_makes_nothing_larger(
    graph: FixedPointGraph, target: Target, seed: int, share: float
) -> None:
    before, after = estimate(graph, target), estimate(without(graph, seed, share), target)
    assert grown(before, after) == {}


@settings(max_examples=100, deadline=None)
@given(graphs(exact=True), targets(), st.integers(1, 6))
def test_fewer_bits_make_nothing_larger_but_logic_in_place_of_dsps(
    graph: FixedPointGraph, target: Target, bits: int
) -> None:
    before, after = estimate(graph, target), estimate(narrower(graph, bits), target)
    # a narrower product may move from a DSP into LUTs, or from a shared multiplier to an adder of its own
    moves = known(resources_of(before).dsp) > 0 or any(node.reuse_factor > 1 for node in graph.nodes)
    assert {name for name in grown(before, after) if not (moves and name.endswith(("lut", "ff")))} == set()
