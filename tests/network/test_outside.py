"""Kinds of layers and front-ends that other packages add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from numpy.typing import NDArray

from pquant_hls.compress import PruningCompression, account, tensor_types
from pquant_hls.csim import build, compare
from pquant_hls.errors import SpecError
from pquant_hls.hls import convert, fixed_graph
from pquant_hls.lint import errors, lint
from pquant_hls.network import NewLayer, frontend, keras_predict, operation
from pquant_hls.network.frontend import FRONT_ENDS, FrontEnd, installed_classes, register_front_end
from pquant_hls.network.kinds import KINDS, Kind, register_kind
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.train import predict
from tests.network.outside_front import Toy, ToyDense

L = keras.layers


def act(bits: int, integer: int) -> Any:
    return qkeras.QActivation(qkeras.quantized_bits(bits, integer, alpha=1))


@pytest.fixture
def toy() -> Iterator[type[ToyDense]]:
    register_front_end(Toy())
    yield ToyDense
    FRONT_ENDS.drop(Toy.module)


def toy_model() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [
        ToyDense(6, name="one"),
        qkeras.QActivation("quantized_relu(5,2)"),
        ToyDense(3, bits=4, name="two"),
    ]
    return keras.Sequential([keras.Input((4,)), act(7, 2), *layers])


@pytest.mark.usefixtures("toy")
def test_steps_read_the_layers_of_another_front_end() -> None:
    model = toy_model()
    assert operation(model.get_layer("one")) == "dense"
    assert account(model).ebops is not None
    assert all(kind is not None for name, kind in tensor_types(model).items() if "input" not in name)
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(model).model
    assert isinstance(smaller.get_layer("one"), ToyDense)
    assert smaller.get_layer("one").units == 3


@pytest.mark.usefixtures("toy")
def test_the_linter_takes_what_its_front_end_says() -> None:
    assert errors(lint(toy_model())) == []
    graph = fixed_graph(toy_model(), exact=True)
    assert graph.node("two").types["weight"].text == "ap_fixed<4,2>"


@pytest.mark.gxx
@pytest.mark.usefixtures("toy")
def test_its_firmware_computes_what_keras_does(tmp_path: Path, csim_cache: Path) -> None:
    model = toy_model()
    x = np.random.default_rng(0).normal(0, 2, (300, 4)).astype(np.float32)
    library = build(convert(model, HlsSpec(), tmp_path / "project"), cache=csim_cache)
    assert compare(library, model, x).exact
    np.testing.assert_array_equal(keras_predict(model, x), predict(model, x)[0])


def test_without_its_front_end_the_layer_is_unknown() -> None:
    assert operation(ToyDense(3)) == "other"
    assert "unsupported-layer" in {found.rule for found in lint(toy_model())}


class Swap(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Exchanges two axes."""

    def call(self, x: Any) -> Any:
        return keras.ops.transpose(x, (0, 2, 1))


class SwapKind(Kind):
    handles = (Swap,)
    operation = "reshape"
    moves = silent = True

    def parts(
        self, call: Any, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del call, weights
        return [NewLayer(L.Permute((2, 1), name=changes["name"]))]


@pytest.fixture
def swap() -> Iterator[None]:
    register_kind(SwapKind)
    yield
    KINDS.drop(f"{__name__}.Swap")


def swapping() -> keras.Model:
    keras.utils.set_random_seed(4)
    dense = qkeras.QDense(
        2,
        kernel_quantizer=qkeras.quantized_bits(4, 0, alpha=1),
        bias_quantizer=qkeras.quantized_bits(4, 0, alpha=1),
    )
    return keras.Sequential([keras.Input((3, 4)), act(6, 2), Swap(name="swap"), L.Flatten(), dense])


def test_a_layer_of_no_kind_is_refused() -> None:
    assert ("unsupported-layer", "swap") in {(found.rule, found.layer) for found in lint(swapping())}


@pytest.mark.usefixtures("swap")
def test_a_kind_of_another_package_is_understood_by_every_room() -> None:
    model = swapping()
    assert errors(lint(model)) == []
    assert tensor_types(model)["swap"] == tensor_types(model)[model.layers[0].name]
    graph = fixed_graph(model, exact=True)
    x = np.random.default_rng(0).normal(0, 2, (50, 3, 4)).astype(np.float32)
    wanted = predict(model, x)[0]
    np.testing.assert_array_equal(keras_predict(model, x), wanted)
    found = emulate(graph, x)
    assert not isinstance(found, list)
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


@pytest.mark.parametrize(("group", "base", "own"), [("kinds", Kind, SwapKind), ("front_ends", FrontEnd, Toy)])
def test_installed_packages_offer_theirs_by_entry_points(
    group: str, base: Any, own: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [EntryPoint("own", f"{own.__module__}:{own.__qualname__}", f"pquant_hls.{group}")]
    monkeypatch.setattr(frontend, "entry_points", lambda group: [p for p in points if p.group == group])
    assert list(installed_classes(f"pquant_hls.{group}", base)) == [own]
    points[0] = EntryPoint("own", "outside_front:Grid", f"pquant_hls.{group}")
    with pytest.raises(SpecError, match=f"not a {base.__name__} class"):
        list(installed_classes(f"pquant_hls.{group}", base))


def test_two_kinds_for_one_layer_are_an_error() -> None:
    class Other(Kind):
        handles = ("Dense",)

    with pytest.raises(SpecError, match="two kind of layers"):
        register_kind(Other)
