"""One graph of a model: what steps are told of, what is written, and what csim computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from pquant_hls.csim import build, predict
from pquant_hls.errors import UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.hls import convert, fixed_graph
from pquant_hls.network import build_mlp
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import REFUSED, SEVERAL
from pquant_hls.testing.exactness import mended
from pquant_hls.testing.networks import combined, drawn_inputs, random_model, seeds_without

L = keras.layers
SPECS = {
    "latency": HlsSpec(),
    "resource": HlsSpec(strategy="resource", reuse_factor=4),
    "resource 8": HlsSpec(strategy="resource", reuse_factor=8),
    "stream": HlsSpec(io_type="io_stream"),
    "stream resource": HlsSpec(strategy="resource", reuse_factor=8, io_type="io_stream"),
}
SEEDS = seeds_without(REFUSED, 8)
SINGLE = seeds_without(REFUSED | SEVERAL, 8)


def residual() -> keras.Model:
    """Two float branches, one of them normalized, joined by an operator."""
    keras.utils.set_random_seed(1)
    entry = keras.Input((8,), name="x")
    one = L.Dense(8, activation="relu", name="one")(entry)
    other = L.BatchNormalization(name="norm")(L.Dense(8, name="other")(one))
    return keras.Model(entry, L.Dense(5, activation="softmax", name="out")(one + other))


def image() -> keras.Model:
    keras.utils.set_random_seed(2)
    layers = [L.Conv2D(3, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(2), L.Softmax()]
    return keras.Sequential([keras.Input((8, 8, 1)), *layers])


FLOAT: dict[str, Callable[[], keras.Model]] = {
    "tagger": lambda: build_mlp(16, (64, 32), 5, seed=1),
    "residual": residual,
    "image": image,
}


def agree(model: keras.Model, spec: HlsSpec, folder: Path, *, exact: bool) -> None:
    """The same integers and the same estimate, with a project written and without."""
    written = convert(model, spec, folder, exact=exact).graph
    assert written is not None
    found = fixed_graph(model, spec, exact=exact)
    assert found.digest() == written.digest()
    assert estimate(found, spec.target) == estimate(written, spec.target)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_network_has_one_graph(seed: int, spec: str, tmp_path: Path) -> None:
    model, refused = mended(random_model(seed), SPECS[spec])
    if refused:
        with pytest.raises(UnsupportedModel):
            fixed_graph(model, SPECS[spec], exact=True)
    else:
        agree(model, SPECS[spec], tmp_path / "project", exact=True)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("network", FLOAT)
def test_a_float_network_has_one_graph(network: str, spec: str, tmp_path: Path) -> None:
    agree(FLOAT[network](), SPECS[spec], tmp_path / "project", exact=False)


def test_nothing_is_written_and_nothing_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model = FLOAT["tagger"]()
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    fixed_graph(model)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_what_no_design_can_be_made_of_is_named() -> None:
    entry = keras.Input((None, 3), name="x")
    with pytest.raises(UnsupportedModel, match=r"x: .* open axis"):
        fixed_graph(keras.Model(entry, L.Conv1D(2, 2)(entry)))
    with pytest.raises(UnsupportedModel, match="float kernel"):
        fixed_graph(FLOAT["tagger"](), exact=True)


@pytest.mark.gxx
@pytest.mark.usefixtures("quick_compiles")
@pytest.mark.parametrize("spec", ["latency", "resource", "stream"])
def test_the_emulator_of_the_graph_computes_what_csim_does(spec: str, tmp_path: Path, cache: Path) -> None:
    """The written project in C++, all networks in one compile, against the graph that was never written."""
    options = SPECS[spec]
    made = [mended(random_model(seed), options) for seed in SINGLE]
    models = [model for model, refused in made if not refused]
    assert len(models) >= len(SINGLE) // 2
    inputs = [drawn_inputs(model, 200, seed)[0] for seed, model in enumerate(models)]
    library = build(convert(combined(models), options, tmp_path / "project"), cache=cache)
    obtained = predict(library, inputs)
    for model, x, wanted in zip(models, inputs, obtained, strict=True):
        found = emulate(fixed_graph(model, options, exact=True), x)
        assert not isinstance(found, list)
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)
