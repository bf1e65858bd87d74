"""Whatever a user's loader gives becomes one data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import DataError
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


@pytest.mark.parametrize("source", [[], 3, "jets.npz", [({"a": 1}, 2)], {"x": 1}])
def test_what_is_no_data_is_refused(model: Any, source: Any) -> None:
    with pytest.raises(DataError):
        as_dataset(model, source)


def test_a_data_set_that_never_ends_is_refused(model: Any, train: Any) -> None:
    import tensorflow as tf

    with pytest.raises(DataError, match="never ends"):
        as_dataset(model, tf.data.Dataset.from_tensor_slices(train).batch(32).repeat())
