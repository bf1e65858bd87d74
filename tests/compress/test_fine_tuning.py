"""Training on: with labels, with a teacher alone, for rare classes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import FineTuning, PruningCompression, QuantizationCompression, Step
from pquant_hls.errors import DataError, SpecError
from pquant_hls.network import build_mlp
from pquant_hls.train import scores, targets_of
from pquant_hls.train.judge import with_floors
from tests.helpers import known


@pytest.fixture(scope="module")
def pruned(tagger: keras.Model) -> keras.Model:
    return PruningCompression(sparsity=0.6, importance="random", seed=1).compress(tagger).model


def agreement(one: keras.Model, other: keras.Model, data: Any) -> float:
    return float(np.mean(scores(one, data.x_val).argmax(1) == scores(other, data.x_val).argmax(1)))


def test_a_teacher_is_enough(tagger: keras.Model, pruned: keras.Model, unlabelled: Any, data: Any) -> None:
    """200 inputs without labels, mixed and jittered, bring the pruned model back to its teacher."""
    step = FineTuning(
        distillation=1, synthetic=5, epochs=8, batch_size=64, learning_rate=5e-3, teacher=tagger
    )
    result = step.compress(pruned, unlabelled)
    assert agreement(result.model, tagger, data) > agreement(pruned, tagger, data) + 0.05
    assert result.record.figures["val_accuracy"] is None


def test_labels_are_needed_without_a_teacher(pruned: keras.Model, unlabelled: Any) -> None:
    with pytest.raises(DataError, match="y_train: no labels"):
        FineTuning(epochs=1).compress(pruned, unlabelled)


def test_distillation_needs_a_teacher(pruned: keras.Model, data: Any) -> None:
    with pytest.raises(SpecError, match="distillation needs a teacher"):
        FineTuning(distillation=0.5).compress(pruned, data)


def test_rare_classes_are_reported_before_and_after(
    tagger: keras.Model, pruned: keras.Model, data: Any
) -> None:
    step = FineTuning(
        rare_classes=("c",), class_balance=True, background_rate=0.1, epochs=4, batch_size=64, teacher=tagger
    )
    result = step.compress(pruned, data)
    figures = {
        name: known(value, name) for name, value in result.record.figures.items() if name.endswith(":c")
    }
    for when in ("before", "after"):
        assert 0.5 < figures[f"auc_{when}:c"] <= 1
        assert figures[f"efficiency_at_0.1_{when}_error:c"] > 0
    floor = figures["efficiency_at_0.1_before:c"] - 0.02
    held = figures["efficiency_at_0.1_after:c"] >= floor
    assert held != ("no epoch met the floors of all rare classes" in result.record.notes)


@pytest.mark.parametrize(
    "step",
    [
        FineTuning(preserve_rare_classes=True, epochs=2, batch_size=64),
        PruningCompression(preserve_rare_classes=True, sparsity=0.3, epochs=2, batch_size=64),
        QuantizationCompression(preserve_rare_classes=True, bits=5, epochs=2, batch_size=64),
    ],
)
def test_every_training_step_preserves_rare_classes(step: Step[Any], tagger: keras.Model, data: Any) -> None:
    """Class c is thinned to a tenth: it alone gets a floor, and every class its figures."""
    keep = (data.y_train != 2) | (np.arange(len(data.y_train)) % 10 == 0)
    rare = SimpleNamespace(**{**vars(data), "x_train": data.x_train[keep], "y_train": data.y_train[keep]})
    figures = step.compress(tagger, rare).record.figures
    for when in ("before", "after"):
        assert {f"auc_{when}:{name}" for name in "abc"} <= set(figures)
    floors = with_floors(step.config, targets_of(tagger, rare, step.config))
    assert (floors.rare_classes, floors.monitor, floors.class_balance) == ((2,), "loss", False)


def test_floors_stop_a_training_that_breaks_them(tagger: keras.Model, data: Any) -> None:
    """Without any room below the tagger's efficiency, an untrained net never gets there; the record says so."""
    poor = build_mlp(8, (4,), 3, seed=9)
    step = FineTuning(
        rare_classes=("a", "c"), epochs=1, max_efficiency_loss=0, batch_size=512, teacher=tagger
    )
    assert "no epoch met the floors of all rare classes" in step.compress(poor, data).record.notes


def test_floors_need_labels(tagger: keras.Model, unlabelled: Any) -> None:
    with pytest.raises(DataError, match="rare_classes: floors need labels"):
        FineTuning(rare_classes=(1,), distillation=1, epochs=1, teacher=tagger).compress(tagger, unlabelled)


def test_an_unknown_rare_class_is_named(pruned: keras.Model, data: Any) -> None:
    with pytest.raises(SpecError, match="unknown class 'top'"):
        FineTuning(rare_classes=("top",), epochs=1).compress(pruned, data)


def test_wrong_shapes_are_told_before_training(tagger: keras.Model, data: Any) -> None:
    from dataclasses import dataclass

    @dataclass
    class Narrow:
        x_train = data.x_train[:, :5]
        y_train = data.y_train
        x_val = data.x_val[:, :5]
        y_val = data.y_val

    with pytest.raises(DataError, match=r"events of shape \(5,\) for an input of shape \(8,\)"):
        FineTuning(epochs=1).compress(tagger, Narrow())
