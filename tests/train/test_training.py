"""The training routine: repeatable, best epoch kept, heads of all kinds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network import build_mlp, clone
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import EpochReport, evaluate, fit, mixed, predict
from pquant_hls.train import loop as gradient_loop
from pquant_hls.train.answers import is_compiled_well
from pquant_hls.train.loop import learning_rates
from tests.helpers import known

L = keras.layers


@pytest.fixture(scope="module")
def data() -> Any:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=600)
    x = (rng.standard_normal((600, 4)) + 1.5 * y[:, None]).astype(np.float32)
    return SimpleNamespace(x_train=x[:400], y_train=y[:400], x_val=x[400:], y_val=y[400:], classes=("b", "s"))


def config(**changes: Any) -> FineTuneConfig:
    return FineTuneConfig(**{"epochs": 3, "batch_size": 50, "learning_rate": 1e-2, **changes})


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "logits", "logit"])
def test_every_head_learns(kind: str, data: Any) -> None:
    model = build_mlp(4, (6,), 1 if kind in ("sigmoid", "logit") else 2)
    if kind.startswith("logit"):
        model = keras.Model(model.inputs, model.layers[-2].output)
    fit(model, data, config(epochs=6, learning_rate=5e-2))
    assert evaluate(model, data.x_val, data.y_val)["accuracy"] > 0.85


def test_a_model_never_built_is_refused(data: Any) -> None:
    with pytest.raises(UnsupportedModel, match="without a fixed graph"):
        fit(keras.Sequential([L.Dense(2)]), data, config())


def test_same_seed_gives_the_same_bits(data: Any) -> None:
    keras.utils.set_random_seed(0)
    start = keras.Sequential([keras.Input((4,)), L.Dense(8, "relu"), L.Dropout(0.3), L.Dense(2, "softmax")])
    runs = []
    for seed in (1, 1, 2):
        model = clone(start)
        fit(model, data, config(seed=seed, epochs=2))
        runs.append(np.concatenate([array.ravel() for array in model.get_weights()]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("batch", [100, 64, 1000])
def test_a_compiled_epoch_learns_what_an_uncompiled_one_does(
    batch: int, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole batches, a smaller last one, and one batch for all: 400 events."""
    start, found = build_mlp(4, (6,), 2, seed=3), []
    for least in (0, 10**9):
        monkeypatch.setattr(gradient_loop, "COMPILED_FROM", {"quantized": least, "float": least})
        model = clone(start)
        fit(model, data, config(epochs=2, batch_size=batch))
        found.append(np.concatenate([array.ravel() for array in model.get_weights()]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert np.abs(found[0] - np.concatenate([array.ravel() for array in start.get_weights()])).max() > 1e-3


@pytest.mark.parametrize(
    ("layer", "well"),
    [
        (L.Dense(3), True),
        (L.GRU(3), True),
        (L.GRU(3, dropout=0.1), False),
        (L.GRU(3, recurrent_dropout=0.1), False),
        (L.Dropout(0.1), False),
        (L.GaussianNoise(0.1), False),
        (L.Conv1D(3, 2), False),
    ],
)
def test_what_xla_makes_quicker(layer: keras.Layer, well: bool) -> None:
    assert is_compiled_well(keras.Sequential([keras.Input((5, 4)), layer, L.Dense(2)])) is well


def test_the_best_epoch_is_restored(data: Any) -> None:
    """A rate far too high: later epochs are worse than the first."""
    model = build_mlp(4, (6,), 2)
    reports: list[EpochReport] = []
    fit(model, data, config(epochs=2))
    history = fit(model, data, config(learning_rate=3.0, epochs=4, monitor="loss"), progress=reports.append)
    best = evaluate(model, data.x_val, data.y_val)["loss"]
    assert best <= min(known(report.val_loss) for report in reports)
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert history.best_epoch == 0 or history.epochs[history.best_epoch - 1].val_loss == pytest.approx(
        best, rel=1e-5
    )


def test_patience_stops_early(data: Any) -> None:
    history = fit(
        build_mlp(4, (6,), 2), data, config(learning_rate=1e-9, epochs=20, patience=2, monitor="loss")
    )
    assert len(history.epochs) < 20 or history.best_epoch >= 18


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential"])
def test_schedules_fall_to_their_end(schedule: str) -> None:
    rates = learning_rates(config(schedule=schedule), np.array([0.0, 0.5, 1.0]))
    assert rates[0] == pytest.approx(1e-2)
    assert rates[-1] == pytest.approx(1e-2 if schedule == "constant" else 1e-4)


def test_two_inputs_are_trained_together(data: Any) -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], L.Dense(2, "softmax")(L.Concatenate()([a, b])))
    pair = SimpleNamespace(
        x_train=[data.x_train[:, :2], data.x_train[:, 2:]],
        y_train=data.y_train,
        x_val=[data.x_val[:, :2], data.x_val[:, 2:]],
        y_val=data.y_val,
    )
    fit(model, pair, config(learning_rate=5e-2))
    assert evaluate(model, pair.x_val, pair.y_val)["accuracy"] > 0.8
    assert predict(model, pair.x_val)[0].shape == (200, 2)


def test_mixed_events_stay_in_range(data: Any) -> None:
    made = mixed([data.x_train], 1000, config(jitter=1.0))[0]
    assert made.shape == (1000, 4)
    assert (made >= data.x_train.min(axis=0)).all()
    assert (made <= data.x_train.max(axis=0)).all()


def test_balance_weighs_rare_classes_up() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(800) < 0.05).astype(int)
    x = (rng.standard_normal((800, 4)) + 0.7 * y[:, None]).astype(np.float32)
    rare = SimpleNamespace(x_train=x, y_train=y, x_val=x, y_val=y)
    found = {}
    for balance in (False, True):
        model = build_mlp(4, (6,), 2, seed=1)
        fit(
            model,
            rare,
            config(class_balance=balance, epochs=4, monitor="loss" if not balance else "accuracy"),
        )
        found[balance] = model
    chosen = {
        balance: float((predict(model, x)[0].argmax(1) == 1).mean()) for balance, model in found.items()
    }
    assert chosen[True] >= chosen[False]


def test_shards_hold_every_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[np.ndarray] = [np.zeros((1000, 3), np.float32), np.zeros(1000, np.int64)]
    assert gradient_loop.shards_of(parts) == [slice(0, 1000)]
    monkeypatch.setattr(gradient_loop, "SHARD_BYTES", 20 * 300)
    found = gradient_loop.shards_of(parts)
    assert [shard.stop - shard.start for shard in found] == [300, 300, 300, 100]


def test_what_does_not_fit_into_memory_is_learned_shard_by_shard(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_loop, "SHARD_BYTES", 6000)
    model = build_mlp(4, (6,), 2)
    history = fit(model, data, config(epochs=6, learning_rate=5e-2))
    assert evaluate(model, data.x_val, data.y_val)["accuracy"] > 0.85
    assert history.epochs[-1].loss < history.epochs[0].loss
