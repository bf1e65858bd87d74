"""Training on: with labels, with a teacher alone, for rare classes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pquant_hls.compress import FineTuning, PruningCompression
from pquant_hls.errors import DataError, SpecError
from pquant_hls.models import scores


@pytest.fixture(scope="module")
def pruned(tagger: keras.Model) -> keras.Model:
    return PruningCompression(sparsity=0.6, importance="random", seed=1).compress(tagger).model


def agreement(one: keras.Model, other: keras.Model, data) -> float:
    return float(np.mean(scores(one, data.x_val).argmax(1) == scores(other, data.x_val).argmax(1)))


def test_a_teacher_is_enough(tagger: keras.Model, pruned: keras.Model, unlabelled, data) -> None:
    """200 inputs without labels, mixed and jittered, bring the pruned model back to its teacher."""
    step = FineTuning(
        distillation=1, synthetic=5, epochs=8, batch_size=64, learning_rate=5e-3, teacher=tagger
    )
    result = step.compress(pruned, unlabelled)
    assert agreement(result.model, tagger, data) > agreement(pruned, tagger, data) + 0.05
    assert result.record.figures["val_accuracy"] is None


def test_labels_are_needed_without_a_teacher(pruned: keras.Model, unlabelled) -> None:
    with pytest.raises(DataError, match="y_train: no labels"):
        FineTuning(epochs=1).compress(pruned, unlabelled)


def test_distillation_needs_a_teacher(pruned: keras.Model, data) -> None:
    with pytest.raises(SpecError, match="distillation needs a teacher"):
        FineTuning(distillation=0.5).compress(pruned, data)


def test_rare_classes_are_reported_before_and_after(tagger: keras.Model, pruned: keras.Model, data) -> None:
    step = FineTuning(
        rare_classes=("c",), class_balance=True, background_rate=0.1, epochs=4, batch_size=64, teacher=tagger
    )
    result = step.compress(pruned, data)
    figures = result.record.figures
    for when in ("before", "after"):
        assert 0.5 < figures[f"auc_{when}:c"] <= 1
        assert figures[f"efficiency_at_0.1_{when}_error:c"] > 0
    floor = figures["efficiency_at_0.1_before:c"] - 0.02
    held = figures["efficiency_at_0.1_after:c"] >= floor
    assert held != ("no epoch met the floors of all rare classes" in result.record.notes)


def test_an_unknown_rare_class_is_named(pruned: keras.Model, data) -> None:
    with pytest.raises(SpecError, match="unknown class 'top'"):
        FineTuning(rare_classes=("top",), epochs=1).compress(pruned, data)


def test_wrong_shapes_are_told_before_training(tagger: keras.Model, data) -> None:
    from dataclasses import dataclass

    @dataclass
    class Narrow:
        x_train = data.x_train[:, :5]
        y_train = data.y_train
        x_val = data.x_val[:, :5]
        y_val = data.y_val

    with pytest.raises(DataError, match=r"events of shape \(5,\) for an input of shape \(8,\)"):
        FineTuning(epochs=1).compress(tagger, Narrow())
