"""An operation that another package adds: stored, estimated, emulated and written as Verilog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import Module, Site, costs, estimate
from pquant_hls.estimate.site import _costs
from pquant_hls.qor import FixedPointGraph, FixedType, Node, Op, Target, ops, register_op
from pquant_hls.rtl import LayerCall, computes, emulate, simulate, to_verilog
from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LAYERS

STORED = FixedType(6, 3, True, "RND", "SAT")
TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
X = np.array([[-4.0, -3.875, -0.125], [0.0, 0.25, 3.875]])


@pytest.fixture(autouse=True)
def absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operation ``abs``, taken back behind each test."""
    for registry in (ops._ops, _costs, LAYERS):
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    register_op(Op("abs", "clip"))


def graph(op: str = "abs") -> FixedPointGraph:
    first = Node("x", "input", (), (3,), FixedType(6, 3))
    return FixedPointGraph((first, Node("a", op, ("x",), (3,), STORED)), ("a",))


def magnitude(call: LayerCall) -> arith.Symbols:
    return arith.each(lambda x: arith.choose(x.is_negative(), -x, x), call.wires)


def test_it_is_stored_and_read() -> None:
    read = FixedPointGraph.from_bytes(graph().to_bytes())
    assert read.digest() == graph().digest()
    assert read.node("a").kind.clips


def test_it_costs_what_its_family_costs() -> None:
    added, known = estimate(graph(), TARGET), estimate(graph("relu"), TARGET)
    assert added.latency == known.latency
    assert added.resources == known.resources


def test_a_rule_of_its_own_goes_before_its_family() -> None:
    @costs("abs")
    def slow(site: Site) -> Module:
        return site.logic(3.5 * site.target.budget_ns, {"dsp": float(site.values)})

    found = estimate(graph(), TARGET)
    assert found.layers[1].cycles == 4  # three, and one since it does not fit beside the ports
    assert found.resources is not None
    assert found.resources.dsp == 3


def test_without_a_rule_it_is_refused_and_with_one_it_is_exact(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=r"a: layer type 'abs' has no exact RTL"):
        emulate(graph(), X)
    computes("abs")(magnitude)
    expected = np.abs(X).clip(max=3.875)  # 4 saturates
    assert np.array_equal(emulate(graph(), X), expected)
    project = to_verilog(graph(), TARGET, tmp_path / "verilog", x_golden=X)
    assert simulate(project).cycles is not None
