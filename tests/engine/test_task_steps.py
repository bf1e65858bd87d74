"""Every kind of step on every task: fine-tuning with a teacher, pruning, widths by sensitivity and learned ones."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pquant_hls.compress import DesignCost, step_from_config
from pquant_hls.engine.jury import Jury, keras_witness
from pquant_hls.engine.score import loss, merit
from pquant_hls.spec import HlsSpec, step_config
from pquant_hls.train.purpose import purpose_of
from tests.engine.task_networks import KINDS

STEPS: dict[str, dict[str, Any]] = {
    "fine-tuning": {"step": "fine_tune", "epochs": 1, "distillation": 0.5},
    "pruning": {"step": "prune", "sparsity": 0.2, "importance": "taylor", "epochs": 1},
    "sensitivity": {"step": "quantize", "bits": 7, "allocation": "sensitivity", "epochs": 1},
    "learned widths": {"step": "quantize", "allocation": "learned", "epochs": 10, "batch_size": 100},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_steps_take_every_task(kind: str) -> None:
    model, data = KINDS[kind]()
    purpose = purpose_of(model, data)
    fitted = purpose.fitted(model, data)
    jury = Jury(purpose, fitted, keras_witness(model, keep_softmax=False))
    before = jury.score(jury.original, "val")
    for name, told in STEPS.items():
        step = step_from_config(step_config(told), teacher=model, cost=DesignCost(HlsSpec()))
        made = step.compress(model, fitted).model
        now = jury.score(keras_witness(made, keep_softmax=False), "val")
        kept, lost = merit(before, now), loss(before, now)
        assert set(now.figures) >= set(purpose.headlines), name
        assert kept is not None, name
        assert lost is not None, name
        assert math.isfinite(lost[1]), name
        assert kept > 0.4, f"{name}: {lost}"
