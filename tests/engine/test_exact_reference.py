"""Exactness is judged by the model handed in, never by the normal form that the firmware is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Verdict
from pquant_hls.engine.bench import Bench
from pquant_hls.network.freeze import frozen
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.store import RunFolder
from tests.helpers import known


def doubled(layer: Any) -> Any:
    """A conversion that doubles the last layer's weights."""
    options, weights = frozen(layer)
    return options, [2 * array for array in weights] if layer.name == "out" else weights


@pytest.mark.gxx
def test_a_faulty_conversion_misses_exactness(
    few_jets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras
    import qkeras

    grid = {f"{role}_quantizer": qkeras.quantized_bits(6, 0, alpha=1) for role in ("kernel", "bias")}
    keras.utils.set_random_seed(3)
    first = qkeras.QActivation(qkeras.quantized_bits(8, 3, alpha=1))
    layers = [first, keras.layers.Dropout(0.1, name="rest"), qkeras.QDense(5, name="out", **grid)]
    model = keras.Sequential([keras.Input((16,)), *layers, keras.layers.Softmax(name="prob")])
    monkeypatch.setattr("pquant_hls.network.normal.frozen", doubled)
    budget = Budget.parse({"latency_ns": 1000, "measure": "estimate"})
    with RunFolder.open(tmp_path / "run", {"name": "fault"}) as run:
        bench = Bench(few_jets, HlsSpec(), budget, run)
        point = bench.measure(bench.start(model))
        qor = known(point.qor)
        assert known(qor.csim_match) < 0.1
        assert bench.judge(point).verdict is Verdict.MISSED
    for words in ("prob: left out: the firmware's outputs are logits", "rest: Dropout is left out"):
        assert [words in note for note in qor.notes].count(True) == 1
