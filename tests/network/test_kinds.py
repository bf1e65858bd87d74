"""Kinds of layers: the type that holds every result, what acts in a layer, and names that C++ leaves alone."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple, cast

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.network.graph import Call, topology
from pquant_hls.network.kinds import KINDS
from pquant_hls.network.kinds.base import UNKNOWN, Kind, acts_alone, function_name, is_exact, layer_kind
from pquant_hls.network.kinds.merges import Add, Average, Extreme, Multiply, Subtract, _Merge
from pquant_hls.network.names import identifier, is_reserved, safe_names, unused
from pquant_hls.qor import FixedType
from tests.helpers import known

types = st.builds(FixedType, st.integers(1, 4), st.integers(-2, 4), st.booleans())
RULES: dict[str, tuple[type[_Merge], Any]] = {
    "add": (Add, lambda a, b: a + b),
    "subtract": (Subtract, lambda a, b: a - b),
    "multiply": (Multiply, lambda a, b: a * b),
    "maximum": (Extreme, max),
    "minimum": (Extreme, min),
    "average": (Average, lambda a, b: (a + b) / 2),
}


def values(kind: FixedType) -> list[float]:
    return [code * kind.lsb for code in range(kind.code_min, kind.code_max + 1)]


def held(kind: FixedType, results: list[float]) -> bool:
    found = np.array(results)
    return np.array_equal(kind.quantize(found), found)


@pytest.mark.parametrize("name", RULES)
@given(one=types, other=types)
@settings(max_examples=40)
def test_a_merged_type_holds_every_pair_of_values(name: str, one: FixedType, other: FixedType) -> None:
    """Every value of the one with every of the other; a bit less at the top holds not all, but where signs differ."""
    kind, rule = RULES[name]
    results = [float(rule(a, b)) for a, b in product(values(one), values(other))]
    joined = known(kind().joined([one, other]))
    assert held(joined, results)
    if name in {"add", "subtract"} and joined.width > 1:
        assert not held(FixedType(joined.width - 1, joined.integer - 1, joined.signed), results)


@given(st.lists(types, min_size=3, max_size=3))
@settings(max_examples=30)
def test_a_chain_of_three_holds_every_sum(kinds: list[FixedType]) -> None:
    corners = [sum(some) for some in product(*[(kind.low, kind.low + kind.lsb, kind.high) for kind in kinds])]
    joined = known(Add().joined(kinds))
    assert held(joined, corners)


def test_an_average_of_three_lies_on_no_grid() -> None:
    kind = FixedType(4, 2)
    assert Average().joined([kind] * 3) is None
    assert Average().joined([kind] * 4) == FixedType(6, 2)


# What acts in a layer


@pytest.mark.parametrize(
    ("layer", "operation", "text", "alone"),
    [
        (keras.layers.Activation("relu"), "activation", "relu", True),
        (keras.layers.Activation("linear"), "activation", None, True),
        (keras.layers.Activation("softmax"), "activation", "softmax", False),
        (keras.layers.ReLU(), "activation", "relu", True),
        (keras.layers.ReLU(max_value=6), "activation", "relu(max_value=6)", True),
        (
            keras.layers.ReLU(negative_slope=0.1, threshold=1.0),
            "activation",
            "relu(negative_slope=0.1, threshold=1)",
            True,
        ),
        (keras.layers.Softmax(), "activation", "softmax", False),
        (keras.layers.LeakyReLU(), "activation", "leakyrelu", True),
        (keras.layers.Dense(2), "dense", None, False),
        (keras.layers.Dense(2, activation="tanh"), "dense", "tanh", False),
        (keras.layers.Dropout(0.5), "pass", None, True),
        (keras.layers.Flatten(), "flatten", None, False),
        (keras.layers.Add(), "merge", None, False),
        (keras.layers.Concatenate(), "concatenate", None, False),
        (keras.layers.MaxPooling1D(), "pool", None, False),
        (keras.layers.GlobalAveragePooling2D(), "global_pool", None, False),
        (keras.layers.LSTM(2), "other", "tanh", False),
    ],
)
def test_what_a_layer_does_and_what_acts_in_it(
    layer: Any, operation: str, text: str | None, alone: bool
) -> None:
    kind = layer_kind(layer)
    assert (kind.operation, kind.text(layer)) == (operation, text)

    class Asked(NamedTuple):
        layer: Any

    assert acts_alone(cast("Call", Asked(layer))) == alone


def test_layers_that_nobody_registered_are_unknown_and_not_exact() -> None:
    class Mine(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        pass

    assert layer_kind(Mine()) is layer_kind(keras.layers.LSTM(2)) is UNKNOWN
    assert not is_exact(Mine())
    for layer, exact in (
        (keras.layers.Dense(2), True),
        (keras.layers.ReLU(), True),
        (keras.layers.LeakyReLU(), True),
        (keras.layers.Cropping1D(), True),
        (keras.layers.LayerNormalization(), False),
    ):
        assert is_exact(layer) == exact


def test_names_of_functions() -> None:
    assert function_name(None) == "linear"
    assert function_name(keras.activations.relu) == "relu"
    assert function_name(FixedType(4, 2)) == "FixedType"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_is_of_a_class_that_there_is_and_keeps_its_promises(name: str) -> None:
    """Kinds of front-ends' own classes are tested with their front-end."""
    kind = KINDS[name]
    assert isinstance(kind, Kind)
    if name.startswith("ops."):
        assert kind.operation == "merge"
    elif "." not in name and name != "AdaptiveActivation":
        assert hasattr(keras.layers, name), name
    if kind.moves:
        assert kind.output_type(cast("Call", None), [FixedType(4, 2)]) == FixedType(4, 2)
    assert set(kind.twins) <= {handled for handled in kind.handles if isinstance(handled, str)}
    assert not (kind.elementwise and kind.moves)


# Names


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("float", True),
        ("Float", True),
        ("nnet", True),
        ("main", True),
        ("w2", True),
        ("layer3_out", True),
        ("config4", True),
        ("fc1", False),
        ("W2", False),
        ("output_1", False),
        ("", False),
    ],
)
def test_names_that_generated_code_uses_itself(name: str, reserved: bool) -> None:
    assert is_reserved(name) == reserved


def test_an_unused_name_has_the_first_free_number() -> None:
    assert unused("fc", []) == "fc"
    assert unused("fc", ["FC", "fc_2"]) == "fc_3"
    assert identifier("conv/kernel:0 é") == "conv_kernel_0__"


class Named(NamedTuple):
    name: str
    kind: str = "Dense"


@given(st.lists(st.text("aA1_-/.é ", min_size=1, max_size=6), max_size=8), st.booleans())
def test_safe_names_are_identifiers_and_unique_whatever_the_case(names: list[str], inputs: bool) -> None:
    calls = [Named(name, "InputLayer" if inputs else "Dense") for name in [*names, "input", "float", "x"]]
    found = safe_names(cast("list[Call]", calls))
    assert len(found) == len(calls)
    assert len({name.lower() for name in found}) == len(found)
    assert all(
        name.isidentifier() and name.isascii() and name[0].isalpha() and len(name) > 1 for name in found
    )
    assert "input" not in found
    assert not (inputs and any(map(is_reserved, found)))


def test_a_good_name_is_kept() -> None:
    x = keras.Input((4,), name="jets")
    model = keras.Model(x, keras.layers.Dense(2, name="fc1")(x))
    assert safe_names(topology(model).calls) == ("jets", "fc1")
