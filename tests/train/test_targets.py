"""Labels of every kind, several inputs and outputs, and what does not fit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network import build_mlp, clone
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import as_data, evaluate, fit, predict, targets_of
from tests.helpers import known

L = keras.layers
CLASSES = ("g", "q", "t")


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """600 events of three classes in four features."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    return (rng.standard_normal((600, 4)) + 2 * np.eye(4)[y]).astype(np.float32), y


def config(**changes: Any) -> FineTuneConfig:
    return FineTuneConfig(**{"epochs": 4, "batch_size": 50, "learning_rate": 2e-2, **changes})


def split(x: Any, y: Any, classes: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(x_train=x, y_train=y, x_val=x, y_val=y, classes=classes)


@pytest.fixture(scope="module")
def by_numbers(arrays: Any) -> list[np.ndarray]:
    """Weights trained on plain class numbers."""
    model = build_mlp(4, (6,), 3)
    fit(model, split(*arrays), config())
    weights: list[np.ndarray] = model.get_weights()
    return weights


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y.astype(np.float32),
        lambda y: y.astype(np.uint8).reshape(-1, 1),
        lambda y: np.eye(3)[y],
        lambda y: np.array(CLASSES)[y],
        lambda y: np.array(CLASSES, object)[y],
        lambda y: y.tolist(),
        lambda y: [y],
        lambda y: {"softmax": y},
    ],
)
def test_labels_in_any_form_teach_the_same(form: Any, arrays: Any, by_numbers: list[np.ndarray]) -> None:
    x, y = arrays
    model = build_mlp(4, (6,), 3)
    fit(model, split(x, form(y), CLASSES), config())
    for one, other in zip(by_numbers, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "given",
    [
        lambda x, y: (x, y),
        lambda x, y: {"x_train": x, "y_train": y},
        lambda x, y: SimpleNamespace(x_train=x.astype(np.float64), y_train=y),
        lambda x, y: SimpleNamespace(x_train=x, y_train=y, x_val=None, y_val=None),
        lambda x, y: SimpleNamespace(x_train=x, y_train=y, x_val=x[:9], y_val=None),
    ],
)
def test_data_in_any_form_teach_the_same(given: Any, arrays: Any, by_numbers: list[np.ndarray]) -> None:
    """Without a validation part, or without its labels, the training part judges."""
    model = build_mlp(4, (6,), 3)
    fit(model, given(*arrays), config())
    for one, other in zip(by_numbers, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (lambda y: y + 1, "label 3 is none of the classes 0 to 2"),
        (lambda y: y - 1, "label -1 is none of the classes"),
        (lambda y: y + 0.5, "label 2.5 is none of the classes"),
        (lambda y: y[:10], "10 labels for 600 events"),
        (lambda y: np.eye(3)[y] * 0.5, "is not one-hot"),
        (lambda y: np.array(["g", "q", "W"])[y], "label 'W' is not among the classes g, q, t"),
        (lambda y: np.stack([y, y], axis=1), r"labels of shape \(600, 2\) for an output of shape \(3,\)"),
        (lambda y: y.astype("complex64"), "complex64, not class numbers"),
        (lambda y: {"other": y}, "labels for other, but the outputs are softmax"),
    ],
)
def test_labels_that_do_not_fit_are_told_first(labels: Any, text: str, arrays: Any) -> None:
    x, y = arrays
    model = build_mlp(4, (6,), 3)
    before = model.get_weights()
    with pytest.raises(DataError, match=text):
        fit(model, split(x, labels(y), CLASSES), config())
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (7, "a int is not a data set"),
        (SimpleNamespace(x_train=None), "x_train: no inputs"),
        (np.zeros((0, 4)), "x_train: no events"),
        (np.zeros((5, 3)), r"x_train: events of shape \(3,\) for an input of shape \(4,\)"),
        (np.full((5, 4), np.nan), "x_train: 20 of 20 values are NaN"),
        ([np.zeros((5, 4)), np.zeros((5, 4))], "2 arrays for a model of 1 inputs"),
        ([np.zeros((5, 4))] * 1 + [[]], "2 arrays"),
        (np.array([["a"] * 4] * 5), "inputs are not numbers"),
        ({"other": np.zeros((5, 4))}, "inputs other for a model that reads features"),
        (SimpleNamespace(x_train=np.zeros((5, 4)), x_val=np.zeros((5, 2))), r"x_val: events of shape \(2,\)"),
    ],
)
def test_inputs_that_do_not_fit_are_told(data: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        as_data(data, build_mlp(4, (6,), 3))


def two_headed(*, named: bool) -> keras.Model:
    """Two inputs, a class and a number; named: dicts whose keys are not in alphabetical order."""
    wide, narrow = keras.Input((3,), name="wide"), keras.Input((1,), name="narrow")
    x = L.Dense(8, activation="relu", name="body")(L.Concatenate()([wide, narrow]))
    kind = L.Dense(3, activation="softmax", name="kind")(x)
    mass = L.Dense(1, name="mass")(x)
    if named:
        return keras.Model({"wide": wide, "narrow": narrow}, {"mass": mass, "kind": kind})
    return keras.Model([wide, narrow], [kind, mass])


def two_headed_data(arrays: Any, *, named: bool) -> Any:
    x, y = arrays
    wide, narrow, mass = x[:, :3], x[:, 3:], x[:, 0] - x[:, 1] + 0.25
    if named:
        return split({"wide": wide, "narrow": narrow}, {"kind": y, "mass": mass})
    return split([wide, narrow], (y, mass))


def scored(model: keras.Model, data: Any) -> tuple[float, float]:
    """Accuracy of the kind, mean squared error of the mass over its variance."""
    found = dict(
        zip(
            [target.output.name for target in targets_of(model, data, config())],
            predict(model, data.x_val),
            strict=True,
        )
    )
    kind, mass = data.y_val.values() if isinstance(data.y_val, dict) else data.y_val
    accuracy = float((found["kind"].argmax(1) == kind).mean())
    return accuracy, float(((found["mass"][:, 0] - mass) ** 2).mean() / mass.var())


@pytest.mark.parametrize("named", [False, True])
def test_several_outputs_learn_together(named: bool, arrays: Any) -> None:
    keras.utils.set_random_seed(2)
    model, data = two_headed(named=named), two_headed_data(arrays, named=named)
    reports: list[Any] = []
    fit(model, data, config(epochs=12, monitor="loss"), progress=reports.append)
    accuracy, error = scored(model, data)
    assert accuracy > 0.8
    assert error < 0.2
    assert reports[-1].val_loss < reports[0].val_loss
    assert reports[-1].val_accuracy == pytest.approx(accuracy, abs=0.02)


def test_a_copy_keeps_the_names_of_inputs_and_outputs(arrays: Any) -> None:
    model, data = two_headed(named=True), two_headed_data(arrays, named=True)
    feed = {name: value.copy() for name, value in data.x_val.items()}
    for name, value in clone(model)(feed).items():
        np.testing.assert_allclose(value, model(feed)[name], rtol=1e-6)


def test_a_loss_of_weight_zero_teaches_nothing(arrays: Any) -> None:
    model, data = two_headed(named=False), two_headed_data(arrays, named=False)
    before = model.get_layer("mass").get_weights()[0].copy()
    fit(model, data, config(output_weights={"mass": 0.0}))
    np.testing.assert_array_equal(model.get_layer("mass").get_weights()[0], before)
    with pytest.raises(SpecError, match="output_weights: no output 'weight'"):
        fit(model, data, config(output_weights={"weight": 1.0}))


def test_counts_are_values_where_the_configuration_says_so(arrays: Any) -> None:
    model, data = two_headed(named=False), two_headed_data(arrays, named=False)
    data.y_train = data.y_val = (data.y_train[0], np.round(4 * data.y_train[1]))
    tasks = [target.task for target in targets_of(model, data, config(targets={"mass": "values"}))]
    assert tasks == ["classes", "values"]
    with pytest.raises(DataError, match=r"y_train.mass: label .* is none of the classes 0 to 1"):
        fit(model, data, config())
    with pytest.raises(SpecError, match="targets: no output 'mas'"):
        fit(model, data, config(targets={"mas": "auto", "mass": "values"}))


def test_a_teacher_is_enough_for_several_outputs(arrays: Any) -> None:
    keras.utils.set_random_seed(2)
    teacher, data = two_headed(named=False), two_headed_data(arrays, named=False)
    fit(teacher, data, config(epochs=10))
    student = two_headed(named=False)
    inputs = split(data.x_train, None)
    settings = {"distillation": 1.0, "synthetic": 1.0, "epochs": 10, "targets": {"mass": "values"}}
    fit(student, inputs, config(**settings), teacher=teacher)
    wanted, found = predict(teacher, data.x_val), predict(student, data.x_val)
    assert (wanted[0].argmax(1) == found[0].argmax(1)).mean() > 0.85
    assert ((wanted[1] - found[1]) ** 2).mean() < 0.2 * wanted[1].var()


def test_labels_of_the_validation_part_may_judge_alone(arrays: Any) -> None:
    """A teacher trains without labels, a few labelled events say which epoch is best."""
    keras.utils.set_random_seed(2)
    teacher, data = two_headed(named=False), two_headed_data(arrays, named=False)
    part = SimpleNamespace(x_train=data.x_train, y_train=None, x_val=data.x_val, y_val=data.y_val)
    history = fit(two_headed(named=False), part, config(distillation=1.0, epochs=1), teacher=teacher)
    assert [target.task for target in targets_of(teacher, part, config())] == ["classes", "values"]
    assert known(history.epochs[0].val_loss) > 0


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (lambda kind, mass: kind, "one set of labels for 2 outputs"),
        (lambda kind, mass: [kind], "1 sets of labels for 2 outputs"),
        (lambda kind, mass: {"kind": kind}, "labels for kind, but the outputs are kind, mass"),
        (lambda kind, mass: [kind + 1, mass], "y_train.kind: label 3 is none"),
        (lambda kind, mass: [kind, mass[:9]], "y_train.mass: 9 labels for 600 events"),
        (lambda kind, mass: [kind, mass / 0], "y_train.mass: labels hold NaN or infinity"),
    ],
)
def test_labels_of_several_outputs_that_do_not_fit(labels: Any, text: str, arrays: Any) -> None:
    data = two_headed_data(arrays, named=False)
    with np.errstate(divide="ignore"):
        data.y_train = data.y_val = labels(*data.y_train)
    with pytest.raises(DataError, match=text):
        fit(two_headed(named=False), data, config())


def test_floors_need_one_output_of_classes(arrays: Any) -> None:
    with pytest.raises(SpecError, match="rare_classes: floors are for models of one output"):
        fit(two_headed(named=False), two_headed_data(arrays, named=False), config(rare_classes=(1,)))


@pytest.mark.parametrize("wanted", [3, -1])
def test_a_rare_class_out_of_range_is_named(wanted: int, arrays: Any) -> None:
    with pytest.raises(SpecError, match=f"rare_classes: unknown class {wanted}"):
        fit(build_mlp(4, (6,), 3), split(*arrays), config(rare_classes=(wanted,)))


def test_a_rare_class_needs_events_to_be_judged_by(arrays: Any) -> None:
    x, y = arrays
    data = SimpleNamespace(x_train=x, y_train=y, x_val=x[y != 1], y_val=y[y != 1])
    with pytest.raises(DataError, match="rare_classes: the validation part needs events of class 1"):
        fit(build_mlp(4, (6,), 3), data, config(rare_classes=(1,)))


def test_flags_are_learnt_column_by_column(arrays: Any) -> None:
    x, _ = arrays
    flags = (x[:, :3] > 0.5).astype(int)
    model = keras.Sequential([keras.Input((4,)), L.Dense(8, "relu"), L.Dense(3, "sigmoid", name="flags")])
    fit(model, split(x, flags), config(epochs=10))
    assert ((predict(model, x)[0] > 0.5) == flags).mean() > 0.9
    with pytest.raises(DataError, match="a sigmoid's labels are 0 or 1"):
        fit(model, split(x, flags * 2), config())


def test_values_are_met(arrays: Any) -> None:
    x, _ = arrays
    values = np.stack([x[:, 0] - x[:, 1], 3.0 * x[:, 2]], axis=1)
    model = keras.Sequential([keras.Input((4,)), L.Dense(16, "relu"), L.Dense(2, name="values")])
    history = fit(model, split(x, values), config(epochs=15))
    assert ((predict(model, x)[0] - values) ** 2).mean() < 0.1 * values.var()
    assert history.epochs[-1].val_accuracy is None
    counts = split(x, np.arange(600) % 7)
    with pytest.raises(DataError, match="set targets: values"):
        fit(model, counts, config())


def test_every_position_has_a_label() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=(200, 5))
    x = (rng.standard_normal((200, 5, 2)) + 2 * np.eye(2)[y]).astype(np.float32)
    model = keras.Sequential([keras.Input((5, 2)), L.Conv1D(2, 1, activation="softmax")])
    fit(model, split(x, y), config(epochs=8, class_balance=True, batch_size=10))
    assert (predict(model, x)[0].argmax(-1) == y).mean() > 0.85
    with pytest.raises(DataError, match=r"labels of shape \(200, 4\)"):
        fit(model, split(x, y[:, :4]), config())


def test_a_teacher_of_another_shape_is_refused(arrays: Any) -> None:
    with pytest.raises(SpecError, match=r"teacher: the teacher's inputs and outputs are \[\(4,\), \(2,\)\]"):
        fit(build_mlp(4, (6,), 3), split(*arrays), config(distillation=0.5), teacher=build_mlp(4, (6,), 2))


def test_names_that_tensorflow_does_not_take_are_told(arrays: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="two words")])
    with pytest.raises(UnsupportedModel, match="two words: is a name that TensorFlow does not train"):
        fit(model, split(*arrays), config())


def test_a_frozen_model_is_refused(arrays: Any) -> None:
    model = build_mlp(4, (6,), 3)
    model.trainable = False
    with pytest.raises(UnsupportedModel, match="no weights that may be trained"):
        fit(model, split(*arrays), config())


def test_class_zero_of_a_sigmoid_has_an_efficiency_of_its_own(arrays: Any) -> None:
    """Its likeness is 1 - p."""
    from pquant_hls.train.metrics import efficiency_at

    x, y = arrays
    data = split(x, (y == 2).astype(int))
    model = build_mlp(4, (6,), 1)
    fit(model, data, config(epochs=6))
    history = fit(
        model, data, config(epochs=0, rare_classes=(0,), background_rate=0.1, max_efficiency_loss=0)
    )
    wanted = efficiency_at(1 - predict(model, x)[0], data.y_val == 0, 0.1).value
    assert history.floors[0] == pytest.approx(wanted)
    assert wanted > 0.5
    assert evaluate(model, x, data.y_val)["accuracy"] > 0.8
