"""What steps are told of cost: the design that the recipe asks for, not another one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import DesignCost, LowRankCompression, PruningCompression, QuantizationCompression
from pquant_hls.estimate import estimate
from pquant_hls.hls import convert
from pquant_hls.network import build_mlp
from pquant_hls.qor import QoR
from pquant_hls.spec import HlsSpec
from tests.helpers import cycles_of, known

L = keras.layers
RESOURCE = {"strategy": "resource", "reuse_factor": 8}


@pytest.fixture(scope="module")
def wide() -> keras.Model:
    """The float 16-64-32-5 tagger."""
    return build_mlp(16, (64, 32), 5, seed=1)


@pytest.mark.parametrize(
    ("options", "cycles"),
    [({}, 7), (RESOURCE, 34), ({"io_type": "io_stream"}, 15), ({**RESOURCE, "io_type": "io_stream"}, 27)],
)
def test_a_step_is_told_the_cycles_of_the_design_asked_for(
    wide: keras.Model, options: dict[str, Any], cycles: int, tmp_path: Path
) -> None:
    spec = HlsSpec(**options)
    step = PruningCompression(method="magnitude", sparsity=0.0, cost=DesignCost(spec))
    record = step.compress(wide).record
    graph = known(convert(wide, spec, tmp_path / "project", exact=False).graph)
    assert record.before.cycles == cycles
    assert record.after.cycles == cycles_of(estimate(graph, spec.target)) == cycles


def test_a_residual_network_costs_what_its_firmware_does(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    entry = keras.Input((8,), name="x")
    one = L.Dense(8, activation="relu", name="a")(entry)
    model = keras.Model(entry, L.Dense(5, name="o")(L.Add(name="s")([one, L.Dense(8, name="b")(one)])))
    x = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    data = SimpleNamespace(x_train=x, y_train=None, x_val=None, y_val=None)
    made = QuantizationCompression(bits=4, mode="ptq", cost=DesignCost()).compress(model, data)
    graph = known(convert(made.model, HlsSpec(), tmp_path / "project").graph)
    assert made.record.after.cycles == cycles_of(estimate(graph, HlsSpec().target)) == 4


def test_latency_in_view_sees_the_strategy(wide: keras.Model) -> None:
    """With eight products a multiplier, cycles follow the sizes of layers, not the zeros in them."""
    seen = []

    class Told(DesignCost):
        def __call__(self, model: keras.Model) -> QoR:
            seen.append([layer.units for layer in model.layers if isinstance(layer, L.Dense)])
            return super().__call__(model)

    step = PruningCompression(
        sparsity=0.2, latency_aware=True, importance="l1", cost=Told(HlsSpec(**RESOURCE))
    )
    step.compress(wide)
    assert len({tuple(units) for units in seen}) > 2
    assert min(min(units) for units in seen) >= 1


def test_a_model_without_a_design_has_no_cycles() -> None:
    entry = keras.Input((6, 3))
    model = keras.Model(
        entry, L.Dense(2, name="d")(L.Attention(name="look")([entry, entry], use_causal_mask=True))
    )
    step = LowRankCompression(rank=1, cost=DesignCost())
    assert step.account(model).cycles is None


def test_adders_are_shared_of_quantized_weights_alone(wide: keras.Model) -> None:
    """Wide float weights would take minutes to share, and no design is made of them."""
    cost = DesignCost(HlsSpec(strategy="distributed_arithmetic"))
    assert {node.attrs.get("strategy") for node in cost.graph(wide).nodes if node.op == "dense"} == {
        "latency"
    }
    data = SimpleNamespace(x_train=np.zeros((50, 16), np.float32), y_train=None, x_val=None, y_val=None)
    narrow = QuantizationCompression(bits=3, mode="ptq").compress(wide, data).model
    strategies = {node.attrs.get("strategy") for node in cost.graph(narrow).nodes if node.op == "dense"}
    assert strategies == {"distributed_arithmetic"}
