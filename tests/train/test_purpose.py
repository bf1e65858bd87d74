"""The task of each output, found from model and data, and the data as those tasks need them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from pquant_hls.datasets import Dataset
from pquant_hls.datasets.assemble import assemble
from pquant_hls.errors import DataError, SpecError
from pquant_hls.train.purpose import purpose_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)


def network(width: int, activation: str | None = None) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), layers.Dense(width, activation=activation, name="out")])


def data(y: Any = None, **more: Any) -> Dataset:
    arrays = {"x": X} | ({} if y is None else {"y": y}) | more
    return assemble(arrays, name="toy", where="toy", seed=0)


BESIDE = {"x_zero_bias": X, "zero_bias_hz": 40.08e6}


@pytest.mark.parametrize(
    ("model", "given", "task"),
    [
        (network(3, "softmax"), data(np.arange(60) % 3), "classes"),
        (network(3), data(np.eye(3)[np.arange(60) % 3]), "classes"),
        (network(1, "sigmoid"), data(np.arange(60) % 2), "classes"),
        (network(1), data(np.arange(60) % 2), "classes"),
        (network(2, "sigmoid"), data((X[:, :2] > 0).astype(float)), "flags"),
        (network(1), data(X[:, 0] * 3.3), "regression"),
        (network(1), data(np.arange(60) % 7), "regression"),
        (network(2), data(X[:, :2]), "regression"),
        (network(4), data(), "autoencoder"),
        (network(4, "sigmoid"), data(), "autoencoder"),
        (network(4), data(X), "autoencoder"),
        (network(2), data(**BESIDE), "encoder"),
        (network(1), data(**BESIDE), "score"),
        (network(1), data(x_signal=X), "score"),
        (network(3), data(), "classes"),
        (network(3, "softmax"), data(**BESIDE), "classes"),
        (network(1), data(np.arange(60) % 2, task="regression"), "regression"),
    ],
)
def test_the_task_is_found(model: keras.Model, given: Dataset, task: str) -> None:
    found = purpose_of(model, given)
    assert [question.task.name for question in found.questions] == [task]
    assert found.words.startswith(f"task: {task} (")
    assert found.is_plain == (task == "classes")


def test_what_is_told_goes_before_what_is_found() -> None:
    model = network(4)
    told = purpose_of(model, data(task="encoder"), "score")
    assert (told.questions[0].task.name, told.questions[0].why) == ("score", "as told")
    assert purpose_of(model, data(task="encoder")).questions[0].task.name == "encoder"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("autoencode", "task: unknown task, did you mean 'autoencoder'"),
        ({"outt": "score"}, "task: unknown output, did you mean 'out'"),
        ({"out": "scor"}, "task: unknown task, did you mean 'score'"),
    ],
)
def test_a_word_that_is_none(told: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        purpose_of(network(4), data(), told)


def test_an_autoencoder_learns_its_inputs_and_a_score_the_originals_answers() -> None:
    given = data()
    model = network(4)
    found = purpose_of(model, given).fitted(model, given)
    assert found.y_val is found.x_val
    assert (found.targets, found.digest) == (("values",), given.digest)
    encoder = purpose_of(model, given, "encoder").fitted(model, given)
    np.testing.assert_allclose(encoder.y_test, model.predict(given.x_test, verbose=0), rtol=1e-5)


def test_plain_classes_stay_as_they_are() -> None:
    given = data(np.arange(60) % 3)
    model = network(3)
    assert purpose_of(model, given).fitted(model, given) is given


def test_values_for_a_classifier_are_refused_by_row() -> None:
    model = network(3, "softmax")
    with pytest.raises(DataError, match=r"y_train: label .* is none of the classes 0 to 2"):
        purpose_of(model, data(X[:, 0])).fitted(model, data(X[:, 0]))
    with pytest.raises(DataError, match=r"label 4 at row 4 is outside the model's classes 0 to 2"):
        purpose_of(model, data(np.arange(60) % 7)).fitted(model, data(np.arange(60) % 7))


def test_flags_are_0_or_1() -> None:
    model = network(2, "sigmoid")
    with pytest.raises(DataError, match=r"a flag's labels are 0 or 1 \(say task: regression for values\)"):
        purpose_of(model, data(X[:, :2])).fitted(model, data(X[:, :2]))


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    """Two inputs and two outputs, by name."""
    jets, scalars = keras.Input((2, 2), name="jets"), keras.Input((1,), name="scalars")
    both = layers.Concatenate()([layers.Flatten()(jets), scalars])
    return keras.Model(
        {"jets": jets, "scalars": scalars},
        {
            "id": layers.Dense(3, activation="softmax", name="id")(both),
            "pt": layers.Dense(1, name="pt")(both),
        },
    )


def test_several_outputs_have_a_task_and_a_prefix_each(tagger: keras.Model) -> None:
    arrays = {
        "x.scalars": X[:, :1],
        "x.jets": X.reshape(60, 2, 2),
        "y.pt": X[:, 1] * 2,
        "y.id": np.arange(60) % 3,
        "unit.pt": "GeV",
    }
    given = assemble(arrays, name="toy", where="toy", seed=0)
    purpose = purpose_of(tagger, given)
    assert purpose.headlines == ("id.accuracy", "pt.rmse")
    assert "output pt: regression" in purpose.words
    assert [question.unit(given) for question in purpose.questions] == ["", "GeV"]
    found = purpose.fitted(tagger, given)
    assert [part.shape[1:] for part in found.x_train] == [(2, 2), (1,)]
    assert [part.dtype for part in found.y_train] == [np.int64, np.float32]
    assert found.targets == ("classes", "values")


def test_inputs_of_other_names_are_refused(tagger: keras.Model) -> None:
    given = assemble({"x.jets": X.reshape(60, 2, 2), "x.tracks": X[:, :1]}, name="toy", where="toy", seed=0)
    with pytest.raises(DataError, match="inputs jets, tracks for a model that reads jets, scalars"):
        purpose_of(tagger, given).fitted(tagger, given)


def test_an_input_that_is_wrong_is_called_by_its_name(tagger: keras.Model) -> None:
    scalars = X[:, :1].copy()
    scalars[:] = np.nan
    arrays = {"x.jets": X.reshape(60, 2, 2), "x.scalars": scalars}
    given = assemble(arrays, name="toy", where="toy", seed=0)
    with pytest.raises(DataError, match=r"toy: x_train\.scalars: .* are NaN or infinite"):
        purpose_of(tagger, given).fitted(tagger, given)


def test_labels_of_some_outputs_alone_are_refused(tagger: keras.Model) -> None:
    arrays = {"x.jets": X.reshape(60, 2, 2), "x.scalars": X[:, :1], "y.pt": X[:, 1]}
    with pytest.raises(DataError, match=r"labels for pt, .* \(give labels for every output by its name"):
        purpose_of(tagger, assemble(arrays, name="toy", where="toy", seed=0))


def test_what_the_validation_events_tell_nothing_of_is_said(tagger: keras.Model) -> None:
    rows = np.stack([np.arange(60) % 2, np.zeros(60)], 1)
    given = assemble({"x": X, "y": rows, "classes": ["mu", "tau"]}, name="toy", where="toy", seed=0)
    model = network(2, "sigmoid")
    (said,) = purpose_of(model, given).unread(given)
    assert said.startswith("tau: of the validation events none or all are")
    assert purpose_of(network(3), data(np.arange(60) % 3)).unread(data(np.arange(60) % 3)) == ()
    assert purpose_of(network(4), data()).unread(data()) == ()
    arrays = {
        "x.jets": X.reshape(60, 2, 2),
        "x.scalars": X[:, :1],
        "y.pt": X[:, 1],
        "y.id": np.zeros(60, int),
    }
    two = assemble(arrays, name="toy", where="toy", seed=0)
    purpose = purpose_of(tagger, two)
    (said,) = purpose.unread(purpose.fitted(tagger, two))
    assert said.startswith("id.0, 1, 2: ")
