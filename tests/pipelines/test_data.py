"""Whatever a user's loader gives becomes one data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.pipelines import as_dataset


def batches(x: np.ndarray, y: np.ndarray, size: int = 64) -> Any:
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def test_arrays_loaders_and_tf_data_give_the_same_events(model: Any, train: Any, val: Any) -> None:
    import tensorflow as tf

    whole = as_dataset(model, train, val)
    for source in (
        batches(*train),
        tf.data.Dataset.from_tensor_slices(train),
        tf.data.Dataset.from_tensor_slices(train).batch(32),
    ):
        assert as_dataset(model, source, val).digest == whole.digest
    one_hot = as_dataset(model, (train[0], np.eye(3)[train[1]]), (val[0], np.eye(3)[val[1]]))
    np.testing.assert_array_equal(one_hot.y_train, whole.y_train)
    mixed = as_dataset(model, train, (val[0], np.eye(3)[val[1]]))
    assert mixed.digest == whole.digest


def test_keras_loaders_generators_tables_and_lists_give_the_same_events(
    model: Any, train: Any, val: Any
) -> None:
    import keras
    import pandas as pd

    x, y = train
    parts = batches(x, y, 100)

    class Loader(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
        def __len__(self) -> int:
            return len(parts)

        def __getitem__(self, index: int) -> Any:
            return parts[index]

    whole = as_dataset(model, train, val)
    for source in (
        Loader(),
        (part for part in parts),
        (pd.DataFrame(x), pd.Series(y)),
        (x.tolist(), y.tolist()),
        [x, y.tolist()],
        (x, y[:, None].astype(float)),
    ):
        assert as_dataset(model, source, val).digest == whole.digest


def test_two_batches_are_no_pair_of_inputs_and_labels(model: Any, train: Any) -> None:
    x, y = train
    two = ((x[:250], y[:250]), (x[250:], y[250:]))
    assert as_dataset(model, two).digest == as_dataset(model, train).digest


def test_without_test_events_validation_stands_in_and_says_so(
    model: Any, train: Any, val: Any, test_events: Any
) -> None:
    data = as_dataset(model, train, val)
    assert data.meta["test"] == "validation"
    np.testing.assert_array_equal(data.x_val, val[0])
    assert "test" not in as_dataset(model, train, val, test_events).meta


def test_without_validation_a_fifth_is_held_back(model: Any, train: Any) -> None:
    data = as_dataset(model, train)
    assert (len(data.x_train), len(data.x_val)) == (400, 100)
    np.testing.assert_array_equal(as_dataset(model, train).x_val, data.x_val)


def test_without_labels_the_original_labels_them(model: Any, train: Any) -> None:
    data = as_dataset(model, train[0])
    np.testing.assert_array_equal(data.y_train, np.argmax(model.predict(data.x_train, verbose=0), axis=1))
    assert "original" in data.meta["labels"]


ROWS = np.zeros((4, 6), np.float32)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (None, "no events to train on"),
        ([], "no batches"),
        (iter(()), "read only once"),
        (3, "got a int"),
        ("jets.npz", "got a str"),
        (list, "got a type"),
        ({"a": ROWS, "b": ROWS}, "inputs a, b for a model that reads"),
        ([({"a": ROWS, "b": ROWS}, ROWS[:, 0])], "batches hold 2 inputs, the model has 1"),
        ([(ROWS, ROWS[:, 0], ROWS[:, 0], 1)], "4 parts"),
        ([(ROWS, ROWS[:, 0], ROWS[:, 0]), (ROWS, ROWS[:, 0])], "only some batches have weights"),
        ([(ROWS, ROWS[:, 0]), (ROWS[:, :3], ROWS[:, 0])], "do not fit together"),
        ([(ROWS, ROWS[:, 0]), ROWS], "only some batches"),
        (([[1.0], [1.0, 2.0]], [0, 1]), "cannot be read as an array"),
    ],
)
def test_what_is_no_data_is_refused(model: Any, source: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        as_dataset(model, source)


def test_a_generator_that_never_ends_is_refused(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from itertools import repeat

    from pquant_hls.datasets import loaders

    monkeypatch.setattr(loaders, "MOST_BYTES", 10_000)
    with pytest.raises(DataError, match="did not end"):
        as_dataset(model, repeat((ROWS, ROWS[:, 0])))


def test_what_is_no_model_of_fixed_inputs_is_refused(train: Any) -> None:
    import keras

    loose = keras.Sequential([keras.Input((None, 6)), keras.layers.Dense(3)])
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    for wrong, text in (
        (None, "got NoneType"),
        ("tagger.keras", "load_model"),
        (keras.Model, "got type"),
        (unbuilt, "inputs are not known"),
        (loose, "fixed size"),
    ):
        with pytest.raises(UnsupportedModel, match=text):
            as_dataset(wrong, train)


def test_a_data_set_that_never_ends_is_refused(model: Any, train: Any) -> None:
    import tensorflow as tf

    with pytest.raises(DataError, match="never ends"):
        as_dataset(model, tf.data.Dataset.from_tensor_slices(train).batch(32).repeat())


@pytest.fixture(scope="module")
def merged() -> Any:
    """A model of two inputs and two outputs."""
    import keras

    jets, scalars = keras.Input((4, 3), name="jets"), keras.Input((2,), name="scalars")
    both = keras.layers.Concatenate()([keras.layers.Flatten()(jets), scalars])
    outputs = {"id": keras.layers.Dense(3, name="id")(both), "pt": keras.layers.Dense(1, name="pt")(both)}
    return keras.Model({"jets": jets, "scalars": scalars}, outputs)


def test_several_inputs_and_outputs_come_in_any_form(merged: Any) -> None:
    """By name, by place, in batches of either, with weights: the same events."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = {
        name: rng.normal(size=(80, *shape)).astype(np.float32)
        for name, shape in (("scalars", (2,)), ("jets", (4, 3)))
    }
    y = {"pt": rng.normal(size=80).astype(np.float32), "id": rng.permutation(np.arange(80) % 3)}
    w = rng.uniform(0.5, 2, 80)
    from pquant_hls.train.purpose import purpose_of

    placed = [x["jets"], x["scalars"]], [y["id"], y["pt"]]
    sources = (
        (x, y, w),
        {"x": x, "y": y, "w": w},
        (placed[0], placed[1], w),
        tf.data.Dataset.from_tensor_slices((x, y, w)).batch(32),
    )
    found = []
    for source in sources:
        data = as_dataset(merged, source)
        purpose = purpose_of(merged, data)
        assert [question.task.name for question in purpose.questions] == ["classes", "regression"]
        found.append(purpose.fitted(merged, data))
    for data in found:
        assert [part.shape[1:] for part in data.x_val] == [(4, 3), (2,)]
        for split in ("train", "val", "test"):
            for one, other in zip(data.split(split), found[0].split(split), strict=True):
                for part, wanted in zip(one, other, strict=True):
                    np.testing.assert_array_equal(part, wanted)
        np.testing.assert_allclose(data.weights["train"], found[0].weights["train"])
