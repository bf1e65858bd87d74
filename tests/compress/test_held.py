"""Training under a lock: zeros, signs and digits of every weight stay, and the firmware's structure with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import FineTuning, PruningCompression
from pquant_hls.decide import Lock, Verdict
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.hls import fixed_graph
from pquant_hls.network.freeze import weights_of
from pquant_hls.qor.digits import digit_pattern, within
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.steps import FineTuneConfig

TRAINING: dict[str, Any] = {"epochs": 3, "batch_size": 64, "learning_rate": 2e-2}


@pytest.fixture(scope="module")
def sparse(quantized_tagger: keras.Model) -> keras.Model:
    step = PruningCompression(method="magnitude", sparsity=0.4)
    return step.compress(quantized_tagger).model


@pytest.fixture(scope="module")
def other(data: Any) -> Any:
    """Other events, whose classes changed places: a training on them moves every weight."""
    return SimpleNamespace(**{**vars(data), "y_train": (data.y_train + 1) % 3, "y_val": (data.y_val + 1) % 3})


def patterns(model: keras.Model) -> list[np.ndarray]:
    kernels = [weights_of(layer)[0].values for layer in model.layers if weights_of(layer)]
    return [digit_pattern(np.round(kernel * 2**16).astype(np.int64)) for kernel in kernels]


def test_every_weight_keeps_its_structure_and_learns(sparse: keras.Model, other: Any) -> None:
    before = patterns(sparse)
    made = FineTuning(**TRAINING, lock="structure").compress(sparse, other)
    after = patterns(made.model)
    assert len(after) == 3
    assert all(within(new, old).all() for new, old in zip(after, before, strict=True))
    assert any(not np.array_equal(new, old) for new, old in zip(after, before, strict=True))
    wrong = float(np.mean(np.asarray(sparse(other.x_val)).argmax(1) == other.y_val))
    right = float(np.mean(np.asarray(made.model(other.x_val)).argmax(1) == other.y_val))
    assert right > wrong + 0.05
    free = FineTuning(**TRAINING).compress(sparse, other).model
    assert not all(within(new, old).all() for new, old in zip(patterns(free), before, strict=True))


def test_the_record_names_the_types_that_moved(sparse: keras.Model, other: Any) -> None:
    """What follows from weights, such as an accumulator, is looked at again."""
    made = FineTuning(**TRAINING, lock="structure").compress(sparse, other)
    lock = Lock.of(fixed_graph(sparse, HlsSpec()))
    broken = [c for c in lock.checks(fixed_graph(made.model, HlsSpec())) if c.verdict is not Verdict.MET]
    assert all("weight[" not in check.why for check in broken)
    assert [f"{check.name}: {check.why}" for check in broken] == list(made.record.notes)


def test_weights_without_a_grid_are_refused_by_name(tagger: keras.Model, data: Any) -> None:
    with pytest.raises(UnsupportedModel, match="no digits to keep") as caught:
        FineTuning(**TRAINING, lock="structure").compress(tagger, data)
    assert str(caught.value.where) == tagger.layers[1].name or tagger.layers[0].name in str(caught.value)


def test_the_option_leaves_old_identities_and_refuses_others() -> None:
    assert "lock" not in FineTuneConfig(epochs=2).model_dump(mode="json")
    assert FineTuneConfig.parse({"step": "fine_tune", "lock": "structure"}).lock == "structure"
    with pytest.raises(SpecError, match="structure"):
        FineTuneConfig.parse({"step": "fine_tune", "lock": "weights"})
