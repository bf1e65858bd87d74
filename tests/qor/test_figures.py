"""What follows from a record's figures, one by one; what lacks one of them is None."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pquant_hls.qor import (
    Available,
    FixedArray,
    FixedPointGraph,
    FixedType,
    Latency,
    Node,
    QoR,
    Resources,
    Target,
)
from pquant_hls.qor.parts import available

DEVICES = (
    "7a35t 7a100t 7a200t 7vx690t 7z007s 7z010 7z020 k26 ku035 ku115 ku15p u200 u250 u280 u50 u55c vu13p vu9p zu28dr zu3eg "
    "zu48dr zu5ev zu7ev zu9eg"
)
CLOCK = {"clock_target_ns": 5.0, "clock_estimated_ns": 4.0}
ESTIMATE = {"cycles_max": 10, "cycles_max_lo": 9, "cycles_max_hi": 12}


@pytest.mark.parametrize(
    ("values", "period", "highest"),
    [
        (CLOCK, 5.0, 5.0),
        ({**CLOCK, "clock_estimated_ns": 6.0}, 6.0, 6.0),
        ({**CLOCK, "clock_estimated_hi_ns": 5.5}, 5.0, 5.5),
        ({**CLOCK, "clock_estimated_hi_ns": 4.5}, 5.0, 5.0),
        ({"clock_target_ns": 5.0}, None, None),
        ({"clock_estimated_ns": 4.0}, None, None),
        ({"clock_target_ns": 5.0, "clock_estimated_hi_ns": 6.0}, None, None),
        ({"clock_target_ns": 5.0, "clock_estimated_ns": 0.0}, 5.0, 5.0),
    ],
)
def test_the_period(values: dict[str, float], period: float | None, highest: float | None) -> None:
    found = Latency.model_validate(values)
    assert (found.period_ns, found.period_hi_ns) == (period, highest)


@pytest.mark.parametrize(
    ("values", "worst"),
    [
        ({**CLOCK, "cycles_max": 10}, (50, 50, 50)),
        ({**CLOCK, **ESTIMATE}, (45, 50, 60)),
        ({**CLOCK, **ESTIMATE, "clock_estimated_ns": 6.0}, (45, 60, 72)),
        ({**CLOCK, "clock_estimated_ns": 6.0, "cycles_max": 10}, (60, 60, 60)),
        ({**CLOCK, "cycles_max": 0}, (0, 0, 0)),
        ({"cycles_max": 10}, (None, None, None)),
        (CLOCK, (None, None, None)),
    ],
)
def test_the_worst_case_and_its_ends(values: dict[str, Any], worst: tuple[float | None, ...]) -> None:
    found = Latency.model_validate(values)
    assert (found.worst_ns_lo, found.worst_ns, found.worst_ns_hi) == worst
    assert found.is_interval == ("cycles_max_lo" in values)
    assert found.bunch_crossings == (None if worst[1] is None else worst[1] / 25)


def test_the_slack_needs_all_three() -> None:
    assert Latency.model_validate({**CLOCK, "clock_uncertainty_ns": 0.75}).slack_ns == 0.25
    assert Latency.model_validate({**CLOCK, "clock_uncertainty_ns": 0.0}).slack_ns == 1.0
    for missing in CLOCK:
        values = {**CLOCK, "clock_uncertainty_ns": 0.75}
        assert Latency.model_validate({k: v for k, v in values.items() if k != missing}).slack_ns is None
    assert Latency.model_validate(CLOCK).slack_ns is None


@pytest.mark.parametrize(("estimated", "met"), [(4.0, True), (4.25, True), (4.2500001, True), (4.3, False)])
def test_timing_is_met_where_the_slack_is_not_negative(estimated: float, met: bool) -> None:
    values = {"clock_target_ns": 5.0, "clock_uncertainty_ns": 0.75, "clock_estimated_ns": estimated}
    assert Latency.model_validate(values).timing_met is met


@pytest.mark.parametrize(
    "values",
    [
        {"cycles_min": 5, "cycles_max": 5},
        {"cycles_max": 9, "cycles_max_lo": 9, "cycles_max_hi": 9},
        {"cycles_max_lo": 9, "cycles_max": 10, "cycles_max_hi": 12},
        {"cycles_min": 7},
        {"cycles_max": 0, "cycles_min": 0, "ii_cycles": 0},
    ],
)
def test_records_at_the_edge_of_what_is_possible(values: dict[str, int]) -> None:
    assert Latency.model_validate(values).model_dump(exclude_none=True) == values


@pytest.mark.parametrize(
    "values",
    [
        {"cycles_max_hi": 9},
        {"cycles_max": 13, "cycles_max_lo": 9, "cycles_max_hi": 12},
        {"clock_target_ns": 0},
        {"clock_estimated_ns": -1},
        {"clock_estimated_hi_ns": float("inf")},
    ],
)
def test_records_beyond_it(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Latency.model_validate(values)


@pytest.mark.parametrize(
    ("used", "offered", "percent"),
    [
        (50.0, 200.0, 25.0),
        (0.0, 200.0, 0.0),
        (None, 200.0, None),
        (50.0, None, None),
        (50.0, 0.0, None),
        (0.0, 0.0, None),
        (3.0, 2.0, 150.0),
    ],
)
def test_a_share_of_the_part(used: float | None, offered: float | None, percent: float | None) -> None:
    assert Resources.model_validate({"dsp": used, "available": {"dsp": offered}}).percent("dsp") == percent


@pytest.mark.parametrize("count", [-1, float("inf"), float("nan")])
@pytest.mark.parametrize("record", [Resources, Available])
def test_a_count_is_finite_and_not_negative(record: type[Resources | Available], count: float) -> None:
    with pytest.raises(ValidationError):
        record(lut=count)
    assert record(lut=0, dsp=0.5).model_dump(exclude_none=True, exclude={"intervals"}) == {
        "lut": 0,
        "dsp": 0.5,
    }


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QoR().accuracy = 0.5  # type: ignore[misc]  # refused is what is tested


def test_a_copy_is_validated() -> None:
    qor = QoR(accuracy=0.5, notes=("a",))
    assert qor.with_(accuracy=0.75) == QoR(accuracy=0.75, notes=("a",))
    with pytest.raises(ValidationError):
        qor.with_(accuracy=1.5)


def test_a_stage_has_what_the_uncertainty_leaves() -> None:
    assert Target(part="xcvu13p", clock_ns=5.0, clock_uncertainty_ns=1.25).budget_ns == 3.75


def test_the_counts_of_all_devices_add_up() -> None:
    """Sums over the data sheets' columns: a digit changed by accident changes one."""
    found = [part for name in DEVICES.split() if (part := available(f"xc{name}")) is not None]
    assert len(found) == 24
    sums = {
        name: sum(getattr(part, name) for part in found) for name in ("lut", "ff", "dsp", "bram_18k", "uram")
    }
    assert sums == {"lut": 13_085_768, "ff": 26_171_536, "dsp": 92_128, "bram_18k": 49_828, "uram": 7_552}


KIND = FixedType(8, 3)


def graph(name: str = "d", codes: int = 3) -> FixedPointGraph:
    weight = FixedArray(np.full((2, 2), codes, np.int64), 4)
    nodes = (
        Node("x", "input", (), (2,), KIND),
        Node(
            name, "dense", ("x",), (2,), KIND, {"weight": KIND}, {"weight": weight}, {"strategy": "resource"}
        ),
        Node("y", "relu", (name,), (2,), KIND),
    )
    return FixedPointGraph(nodes, ("y", name), "io_stream", "Vivado", "mine")


def test_a_graph_reads_back_whole() -> None:
    made = graph()
    back = FixedPointGraph.from_bytes(made.to_bytes())
    assert (back.outputs, back.io_type, back.backend, back.name) == (
        ("y", "d"),
        "io_stream",
        "Vivado",
        "mine",
    )
    assert [node.name for node in back.inputs] == ["x"]
    assert (back.node("d").strategy, back.node("d").reuse_factor, back.node("y").strategy) == (
        "resource",
        1,
        "latency",
    )
    assert back.node("d").types == {"weight": KIND}
    assert back.digest() == made.digest()
    with zipfile.ZipFile(io.BytesIO(made.to_bytes())) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, (
            "no clock in a digest"
        )
    assert len({made.digest(), graph("e").digest(), graph(codes=4).digest()}) == 3
