"""The layer that gives each element a type of its own: its values against the type's definition, files, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.errors import SpecError
from pquant_hls.network import FixedPointQuantizer, clone, keras_predict, load_model, save_model
from pquant_hls.qor import FixedGrid

MODES = [(r, s) for r in ("TRN", "RND", "RND_CONV") for s in ("WRAP", "SAT", "SAT_SYM")]


def drawn(shape: tuple[int, ...], seed: int, rounding: str = "RND", saturation: str = "SAT") -> FixedGrid:
    """Random types, a sixth of them without bits."""
    rng = np.random.default_rng(seed)
    width = rng.integers(0, 9, shape)
    return FixedGrid(width, rng.integers(-3, 7, shape), rng.random(shape) < 0.5, rounding, saturation)


def values(shape: tuple[int, ...], seed: int) -> Any:
    """Off every grid, on ties, and far out of range; none needs more than 24 bits."""
    rng = np.random.default_rng(seed)
    off = rng.normal(0.0, 8.0, (300, *shape)).astype(np.float32)
    ties = rng.integers(-400, 400, (300, *shape)) / 2.0 ** rng.integers(0, 8, shape)
    return np.concatenate([off, ties, 50 * off]).astype(np.float32)


def model_of(layer: Any, shape: tuple[int, ...]) -> Any:
    x = keras.Input(shape)
    return keras.Model(x, layer(x))


@pytest.mark.parametrize(("rounding", "saturation"), MODES)
def test_each_element_is_stored_in_its_own_type(rounding: str, saturation: str) -> None:
    grid, x = drawn((40,), 3, rounding, saturation), values((40,), 4)
    model = model_of(FixedPointQuantizer.of(grid), (40,))
    wanted = grid.quantize(x)
    assert np.unique(wanted).size > 100
    assert np.array_equal(model.predict(x, verbose=0), wanted.astype(np.float32))
    assert np.array_equal(keras_predict(model, x), wanted)


def test_types_broadcast_over_the_leading_axes() -> None:
    layer = FixedPointQuantizer([2, 3, 0], [[1], [2]], [True, False, True], "RND", "SAT")
    x = values((5, 2, 3), 1)
    got = model_of(layer, (5, 2, 3)).predict(x, verbose=0)
    assert layer.grid.width.shape == (2, 3)
    assert np.array_equal(got, layer.grid.quantize(x))
    assert not got[..., 2].any()
    assert got[..., 1, 1].max() == 3.5  # ap_ufixed<3, 2>


def test_a_model_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    grid, x = drawn((4, 3), 5), values((4, 3), 6)
    model = model_of(FixedPointQuantizer.of(grid, name="own"), (4, 3))
    for suffix in (".keras", ".h5"):
        again = load_model(save_model(model, tmp_path / f"model{suffix}"))
        kept = again.get_layer("own").grid
        assert np.array_equal(kept.to_array(), grid.to_array())
        assert (kept.rounding, kept.saturation) == ("RND", "SAT")
        assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert np.array_equal(clone(model).predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_derivative_passes_where_the_value_does() -> None:
    import tensorflow as tf

    x = tf.constant([[0.3, 9.0, -9.0, 0.3]])
    layer = FixedPointQuantizer([4, 4, 4, 0], [2, 2, 2, 2], True, "RND", "SAT")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    assert np.array_equal(tape.gradient(y, x), [[1.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([-1], [1]), "at least 0 bits"),
        (([4.5], [1]), "width is .* not whole numbers"),
        (([4], ["a"]), "integer is .* not whole numbers"),
        (([54], [1]), "54 bits, more than 53"),
        (([4, 4], [1, 1, 1]), "different shapes"),
        (([4], [1], True, "RND_ZERO"), "unknown mode 'RND_ZERO'.*one of TRN, RND, RND_CONV"),
        (([4], [1], True, "RND", "SAT_ZERO"), "unknown mode 'SAT_ZERO'"),
    ],
)
def test_bad_types_are_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FixedPointQuantizer(*arguments)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 1)])
def test_types_that_do_not_fit_the_values_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=r"own: types of shape \(2, 4\) for values"):
        model_of(FixedPointQuantizer(np.full((2, 4), 3), 1, name="own"), shape)
