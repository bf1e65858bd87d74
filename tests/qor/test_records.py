"""Latency, resources and QoR: None stays None, intervals hold their value, ns follow the tools' rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pquant_hls.errors import UnsupportedModel
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Latency, Node, QoR, Resources, Target


def test_worst_ns_uses_the_slower_clock() -> None:
    missed = Latency(cycles_max=24, clock_target_ns=5, clock_estimated_ns=11.9)
    assert missed.worst_ns == pytest.approx(24 * 11.9)
    assert missed.timing_met is False
    assert Latency(cycles_max=24, clock_target_ns=5, clock_estimated_ns=4.3).worst_ns == 120


def test_without_a_clock_there_are_no_nanoseconds() -> None:
    assert Latency(cycles_max=24).worst_ns is None
    assert Latency(cycles_max=24, clock_target_ns=5).worst_ns is None
    assert Latency(clock_target_ns=5, clock_estimated_ns=4).worst_ns is None


def test_zero_cycles_are_a_measurement() -> None:
    nothing = Latency(cycles_max=0, clock_target_ns=5, clock_estimated_ns=1)
    assert nothing.worst_ns == 0
    assert nothing.bunch_crossings == 0


def test_slack_is_what_vitis_prints() -> None:
    assert Latency(
        clock_target_ns=5, clock_estimated_ns=3.6, clock_uncertainty_ns=1.35
    ).slack_ns == pytest.approx(0.05)


def test_interval_bounds_the_nanoseconds() -> None:
    guess = Latency(
        cycles_max=10,
        cycles_max_lo=9,
        cycles_max_hi=12,
        clock_target_ns=5,
        clock_estimated_ns=4,
        clock_estimated_hi_ns=6,
    )
    assert (guess.worst_ns_lo, guess.worst_ns, guess.worst_ns_hi) == (45, 50, 72)


@pytest.mark.parametrize(
    "values",
    [
        {"cycles_max": 8, "cycles_max_lo": 9, "cycles_max_hi": 12},
        {"cycles_max_lo": 9},
        {"cycles_min": 5, "cycles_max": 4},
        {"cycles_max": -1},
        {"clock_target_ns": float("nan")},
        {"latency": 4},
    ],
)
def test_impossible_records_are_refused(values: dict[str, int] | dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Latency(**values)


def test_percent_of_an_unknown_part_is_none() -> None:
    assert Resources(lut=10).percent("lut") is None
    assert Resources(lut=0, available={"lut": 100}).percent("lut") == 0


def test_qor_reads_back_from_json() -> None:
    qor = QoR(
        source="estimate",
        latency=Latency(cycles_max=3),
        resources=Resources(lut=1.5, intervals={"lut": (1, 2)}),
    )
    assert QoR.model_validate_json(qor.model_dump_json()) == qor


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("xcvu13p-flga2577-2-e", "ultrascale+"),
        ("xcvu9p-flgb2104-2-e", "ultrascale+"),
        ("xcku115-flvb2104-2-i", "ultrascale"),
        ("xc7vx690tffg1927-2", "7series"),
        ("xc7z020clg400-1", "7series"),
        ("xcu250-figd2104-2L-e", "ultrascale+"),
        ("xczu9eg-ffvb1156-2-e", "ultrascale+"),
        ("xcvc1902-vsva2197-2MP-e-S", "versal"),
        ("ep4ce6", "unknown"),
    ],
)
def test_family_of_a_part(part: str, family: str) -> None:
    assert Target(part=part, clock_ns=5, clock_uncertainty_ns=1).family == family


def _graph(codes: list[list[int]]) -> FixedPointGraph:
    kind = FixedType(8, 3)
    weight = FixedArray(np.asarray(codes, np.int64), 4)
    nodes = (
        Node("x", "input", (), (2,), kind),
        Node("d", "dense", ("x",), (2,), kind, {"weight": kind}, {"weight": weight}, {"reuse_factor": 2}),
    )
    return FixedPointGraph(nodes, ("d",))


def test_graph_reads_back_and_its_digest_follows_the_integers(tmp_path: Path) -> None:
    graph = _graph([[1, 2], [3, 4]])
    graph.save(tmp_path / "graph.zip")
    back = FixedPointGraph.load(tmp_path / "graph.zip")
    assert back.digest() == graph.digest() != _graph([[1, 2], [3, 5]]).digest()
    assert back.node("d").reuse_factor == 2
    assert np.array_equal(back.node("d").arrays["weight"].values, np.array([[1, 2], [3, 4]]) / 16)


def test_damaged_graph_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "graph.zip"
    path.write_bytes(_graph([[1, 2], [3, 4]]).to_bytes()[:100])
    with pytest.raises(UnsupportedModel, match=r"graph\.zip"):
        FixedPointGraph.load(path)


def test_graph_refuses_nodes_out_of_order() -> None:
    kind = FixedType(8, 3)
    with pytest.raises(UnsupportedModel, match="d: reads"):
        FixedPointGraph((Node("d", "relu", ("x",), (2,), kind), Node("x", "input", (), (2,), kind)), ("d",))
