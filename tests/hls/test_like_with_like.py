"""csim beside the user's own model: like with like, whoever wrote the project and whatever the normal form does."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.csim import build, compare
from pquant_hls.csim.ports import input_order
from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.hls.handlers import teach_hls4ml
from pquant_hls.hls.heads import table_head
from pquant_hls.lint import fix, moved_by_fix
from pquant_hls.measure import measure_project
from pquant_hls.network import topology
from pquant_hls.network.capture import captured
from pquant_hls.network.freeze import frozen
from pquant_hls.network.reference import reference
from pquant_hls.spec import HlsSpec
from tests.hls.hls_zoo import act, bits, dense, relu

QUICK = pytest.mark.usefixtures("quick_compiles")


def plain_hls4ml(model: Any, folder: Path, *, trace: bool) -> HlsProject:
    """A project as hls4ml's tutorial makes it: softmax kept, types of its own choice."""
    import hls4ml

    teach_hls4ml()
    with captured():
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        for layer in config["LayerName"].values():
            layer["Trace"] = trace
        made = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, backend="Vitis", output_dir=str(folder), io_type="io_parallel"
        )
        made.config.trace_output = trace
        made.write()
    return load_project(folder)


@pytest.fixture(scope="module")
def scorer() -> Any:
    """A 4-6-3 QKeras network that ends in a Softmax layer."""
    keras.utils.set_random_seed(2)
    layers = [
        act(bits(8, 3)),
        dense(6, name="fc1"),
        qkeras.QActivation(relu(6, 2), name="relu1"),
        dense(3, name="out"),
        keras.layers.Softmax(name="prob"),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    for variable in model.weights:
        variable.assign(np.random.default_rng(5).uniform(-0.9, 0.9, variable.shape))
    return model


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    """(200, 4) float32 on the grid of hls4ml's usual input port, which would round others a second time."""
    return (np.round(np.random.default_rng(6).normal(0, 2, (200, 4)) * 64) / 64).astype(np.float32)


@pytest.fixture(scope="module")
def foreign(scorer: Any, tmp_path_factory: pytest.TempPathFactory) -> HlsProject:
    return plain_hls4ml(scorer, tmp_path_factory.mktemp("plain") / "project", trace=True)


@pytest.mark.gxx
@QUICK
def test_a_foreign_softmax_is_compared_with_probabilities(
    foreign: HlsProject, scorer: Any, x: np.ndarray, cache: Path
) -> None:
    found = compare(build(foreign, cache=cache), scorer, x)
    assert (found.first, found.match, found.exact) == (None, 1.0, False)
    (output,) = found.outputs
    assert 0 < output.max_lsb * output.lsb <= output.bound < 0.3
    assert [layer.layer for layer in found.layers][-2:] == ["relu1", "out"]
    assert any("a softmax from tables, compared within 0.27" in note for note in found.notes)
    off = compare(build(foreign, cache=cache), scorer, x + np.float32(2**-12))
    assert "of the values lie between its steps of 0.0009765" in (off.likely or "")


@pytest.mark.gxx
@QUICK
def test_behind_a_softmax_its_logits_still_tell_which_layer_differs(
    foreign: HlsProject, scorer: Any, x: np.ndarray, cache: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(foreign.path, tmp_path / "copy"))
    weights = sorted((copy / "firmware" / "weights").glob("w*.txt"))[1]
    first, _, rest = weights.read_text().partition(",")
    weights.write_text(f"{float(first) + 0.5 if float(first) < 0 else float(first) - 0.5},{rest}")
    found = compare(build(load_project(copy), cache=cache), scorer, x)
    assert found.first is not None
    assert found.first.layer == "out"


def test_a_softmax_without_a_bound_is_refused_by_name(foreign: HlsProject, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(foreign.path, tmp_path / "copy"))
    parameters = copy / "firmware" / "parameters.h"
    parameters.write_text(parameters.read_text().replace("implementation::stable", "implementation::argmax"))
    with pytest.raises(UnsupportedModel, match="prob: the project's softmax is hls4ml's 'argmax'"):
        table_head(load_project(copy), foreign.outputs[0])


def test_data_of_another_scale_are_refused(foreign: HlsProject, scorer: Any, x: np.ndarray) -> None:
    for scaled, words in ((x * 1e4, "wrap on"), (np.abs(x) * 1e-5, "become one value")):
        with pytest.raises(DataError, match=words):
            compare(foreign, scorer, scaled)


def pair(names: tuple[str, str]) -> Any:
    """Two inputs of three values, each through a relu of its own, side by side, the second doubled."""
    ends = [keras.Input((3,), name=name) for name in names]
    sides = {end.name: qkeras.QActivation(relu(4, 2), name=f"relu_{end.name}")(end) for end in ends}
    return keras.Model(ends, keras.layers.Concatenate(name="both")([sides["left"], sides["right"]]))


@pytest.mark.gxx
@QUICK
def test_ports_in_another_order_are_told_by_their_names(tmp_path: Path, cache: Path) -> None:
    project = plain_hls4ml(pair(("right", "left")), tmp_path / "project", trace=False)
    model = pair(("left", "right"))
    graph = topology(model)
    assert input_order(project, graph) == [1, 0]
    rng = np.random.default_rng(7)
    given = [rng.integers(-32, 32, (50, 3)) / 8, rng.integers(-32, 32, (50, 3)) / 8]
    assert compare(build(project, cache=cache), model, given).exact
    other = replace(project, inputs=tuple(replace(p, name=f"in_{i}") for i, p in enumerate(project.inputs)))
    with pytest.raises(UnsupportedModel, match="cannot tell which input is which"):
        input_order(other, graph)


@pytest.mark.gxx
@QUICK
def test_a_fault_of_the_normal_form_is_seen(
    scorer: Any, x: np.ndarray, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference is the model handed in: a conversion that doubles a layer's weights must not agree with itself."""

    def doubled(layer: Any) -> Any:
        options, weights = frozen(layer)
        return options, [2 * array for array in weights] if layer.name == "out" else weights

    monkeypatch.setattr("pquant_hls.network.normal.frozen", doubled)
    project = convert(scorer, HlsSpec(), tmp_path / "project")
    found = compare(build(project, cache=cache), scorer, x)
    assert found.match < 0.5
    assert found.first is not None
    assert found.first.layer == "out"
    assert any("compared before its softmax" in note for note in found.notes)


class Shifted(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Adds a constant that stays float32 whatever Keras computes in."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.raw_ops.AddV2(x=x, y=tf.constant(0.5, tf.float32))


def test_a_layer_that_cannot_compute_in_float64_is_said(x: np.ndarray) -> None:
    inside = keras.Sequential([keras.Input((4,)), Shifted(), keras.layers.Dense(2), keras.layers.Softmax()])
    found = reference(inside, x, keep_softmax=True)
    np.testing.assert_allclose(found.outputs[0], inside.predict(x, verbose=0), atol=1e-6)
    assert "float32 answers" in (found.note or "")
    logits = reference(inside, x).outputs[0]
    np.testing.assert_allclose(logits, np.asarray(inside.layers[1](inside.layers[0](x))), atol=1e-6)


class Subclassed(keras.Model):  # type: ignore[misc]  # Keras has no types
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_a_model_without_a_graph_answers_by_predict(x: np.ndarray) -> None:
    model = Subclassed()
    found = reference(model, x)
    np.testing.assert_array_equal(found.outputs[0], model.predict(x, verbose=0))
    assert "model.predict" in (found.note or "")


def test_what_fix_moves_is_told(x: np.ndarray) -> None:
    keras.utils.set_random_seed(8)
    layer = qkeras.QDense(3, kernel_quantizer="quantized_bits(4,0,alpha='auto')", bias_quantizer=bits(4))
    model = keras.Sequential([keras.Input((4,)), act(bits(8, 3)), layer, keras.layers.Softmax()])
    (part,) = moved_by_fix(model, fix(model)[0], x)
    assert 0 < part.mean < 0.02 * part.spread
    assert "% of its spread in the mean" in str(part)
    plain = keras.Sequential([keras.Input((4,)), act(bits(8, 3)), dense(3), keras.layers.Softmax()])
    (same,) = moved_by_fix(plain, fix(plain)[0], x)
    assert str(same) == "output 0: all 600 values as the original's"


def test_what_the_conversion_drops_renames_or_rounds_is_said_once(tmp_path: Path) -> None:
    inner = [
        dense(6, name="fc-1"),
        keras.layers.Dropout(0.1, name="d1"),
        act(relu(6, 2)),
        dense(3, name="out"),
    ]
    model = keras.Sequential(
        [
            keras.Input((4,)),
            act(bits(8, 3)),
            *inner,
            keras.layers.Dropout(0.1),
            keras.layers.Softmax(name="prob"),
        ]
    )
    spec = HlsSpec.parse({"strategy": "resource", "reuse_factor": 7})
    notes = convert(model, spec, tmp_path / "project").notes
    for words in (
        r"prob: left out: the firmware's outputs are logits \[softmax\]",
        r"d1, dropout\w*: Dropout is left out \[dropout\]",
        r"fc-1: becomes 'fc_1' in the firmware \[name\]",
        r"\[reuse-rounded\]",
    ):
        assert len([note for note in notes if re.search(words, note)]) == 1, (words, notes)
    assert set(notes) <= set(measure_project(tmp_path / "project", "estimate").notes)
    floats = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="float")])
    (rounded,) = convert(floats, HlsSpec(), tmp_path / "float", exact=False).notes[-1:]
    assert rounded == "not exact, values rounded to ap_fixed<16,6>: weights-off-grid (float)"
