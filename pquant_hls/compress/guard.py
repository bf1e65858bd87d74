"""The guard on sums: types that no sum can leave, checked against the sums that data really gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from pquant_hls.compress.accounting import SUMMED
from pquant_hls.compress.calibration import Values, layer_values
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.graph import Call, NewLayer, copy_layer, rebuild
from pquant_hls.network.plan import FLOAT32_BITS
from pquant_hls.network.table import activation_text, operation
from pquant_hls.network.types import sum_types
from pquant_hls.qor import FixedType


@dataclass(frozen=True)
class Overflow:
    """One layer whose sums leave their type: how many values, the extremes seen, the type."""

    layer: str
    values: int
    low: float
    high: float
    kind: FixedType


def overflows(
    model: keras.Model, inputs: Sequence[Values], kinds: Mapping[str, FixedType] | None = None
) -> list[Overflow]:
    """Layers whose sums on these inputs leave their type; ``kinds`` defaults to ``sum_types``."""
    checked = sum_types(model) if kinds is None else kinds
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
        if operation(call.layer) not in SUMMED or activation_text(call.layer) is None:
            return None
        bare = NewLayer(copy_layer(call.layer, activation="linear"), call.weights)
        return [bare, NewLayer(keras.layers.Activation(call.layer.activation, name=f"{call.name}_inside"))]

    return rebuild(model, change)


def guarded(
    model: keras.Model, inputs: Sequence[Values], kinds: Mapping[str, FixedType] | None = None
) -> tuple[str, ...]:
    """Remarks on sums too wide for float32; raises UnsupportedModel naming a layer whose sums overflow on the
    data.
    """
    kinds = sum_types(model) if kinds is None else kinds
    for found in overflows(model, inputs, kinds):
        raise UnsupportedModel(
            f"{found.values:,} sums between {found.low:g} and {found.high:g} leave {found.kind}",
            where=found.layer,
        )
    return tuple(
        f"{name}: sums of {kind.width} bits exceed float32's {FLOAT32_BITS}, "
        "Keras rounds them and the firmware does not"
        for name, kind in kinds.items()
        if kind.width > FLOAT32_BITS
    )
