"""The guard on sums: types that no sum can leave, checked against the sums that data really gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from pquant_hls.compress.calibration import Values, layer_values
from pquant_hls.compress.types import accumulator_type, tensor_types
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.graph import Call, NewLayer, calls, copy_layer, rebuild
from pquant_hls.network.table import activation_name, operation
from pquant_hls.qor import FixedType

FLOAT32_BITS = 24
"""Bits of a float32 mantissa: Keras adds exactly up to here, and rounds where the firmware does not beyond.
"""

WEIGHTED = ("dense", "conv", "depthwise_conv")


@dataclass(frozen=True)
class Overflow:
    """One layer whose sums leave their type: how many values, the extremes seen, the type."""

    layer: str
    values: int
    low: float
    high: float
    kind: FixedType


def accumulators(model: keras.Model) -> dict[str, FixedType]:
    """For each layer with quantized weights and inputs: the narrowest type that holds every sum, whatever the
    input.
    """
    kinds = tensor_types(model)
    found = {}
    for call in calls(model):
        source = kinds[call.inputs[0]] if call.inputs else None
        kind = (
            accumulator_type(call.layer, source)
            if source is not None and operation(call.layer) in WEIGHTED
            else None
        )
        if kind is not None:
            found[call.name] = kind
    return found


def overflows(
    model: keras.Model, inputs: Sequence[Values], kinds: Mapping[str, FixedType] | None = None
) -> list[Overflow]:
    """Layers whose sums on these inputs leave their accumulator type; ``kinds`` defaults to
    ``accumulators``.
    """
    checked = accumulators(model) if kinds is None else kinds
    sums = layer_values(_without_activations(model), list(inputs))
    found = []
    for name, kind in checked.items():
        low, high = kind.code_min * kind.lsb, kind.code_max * kind.lsb
        out = int(((sums[name] < low) | (sums[name] > high)).sum())
        if out > 0:
            found.append(Overflow(name, out, float(sums[name].min()), float(sums[name].max()), kind))
    return found


def _without_activations(model: keras.Model) -> keras.Model:
    """The model with the activations inside layers taken out into layers of their own."""

    def change(call: Call) -> list[NewLayer] | None:
        if operation(call.layer) not in WEIGHTED or activation_name(call.layer) is None:
            return None
        bare = NewLayer(copy_layer(call.layer, activation="linear"), call.layer.get_weights())
        return [bare, NewLayer(keras.layers.Activation(call.layer.activation, name=f"{call.name}_inside"))]

    return rebuild(model, change)


def guarded(model: keras.Model, inputs: Sequence[Values]) -> tuple[str, ...]:
    """Remarks on sums too wide for float32; raises UnsupportedModel naming a layer whose sums overflow on the
    data.
    """
    for found in overflows(model, inputs):
        raise UnsupportedModel(
            f"{found.values} sums between {found.low:g} and {found.high:g} leave {found.kind}",
            where=found.layer,
        )
    return tuple(
        f"{name}: sums of {kind.width} bits exceed float32's {FLOAT32_BITS}, "
        "Keras rounds them and the firmware does not"
        for name, kind in accumulators(model).items()
        if kind.width > FLOAT32_BITS
    )
