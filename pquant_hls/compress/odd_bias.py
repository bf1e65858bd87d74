"""Biases with one more bit, which is always set: no sum lies half way between two steps of the quantizer behind it.

Half-to-even rounding, which is QKeras', then equals truncation of the sum and half a step; the conversion puts that half
into the bias in the odd bit's place (``network.kinds.products.truncating_bias``). The rounding costs no logic, and Keras
and firmware stay equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, weights_of
from pquant_hls.network.frontend import front_of, reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, Topology, calls, copy_layer, rebuild, topology
from pquant_hls.network.kinds import LayerPlan, layer_kind
from pquant_hls.network.kinds.products import rounded_to
from pquant_hls.network.normal import normal_form
from pquant_hls.network.plan import plan
from pquant_hls.qor import FixedType
from pquant_hls.spec import HlsSpec


def with_odd_biases(model: keras.Model) -> keras.Model:
    """A model whose biases have an odd last bit below every product and half a step; itself where none can.

    A bias moves by less than one step of the products. Left out are layers without a quantizer of their own behind
    them, those that are used more than once, and biases that would be wider than 18 bits.
    """
    fracs = {name: frac for name, frac in _fractions(model).items() if frac is not None}
    if not fracs:
        return model
    return rebuild(model, lambda call: _odd(call, fracs[call.name]) if call.name in fracs else None)


def has_odd_biases(model: keras.Model) -> bool:
    """Whether a layer of the model has such biases."""
    if not any(front_of(layer) is not None for layer in model.layers):
        return False
    try:
        return any(layer.bias is not None for layer in _planned(model)[1].values())
    except UnsupportedModel:
        return False


def _planned(model: keras.Model) -> tuple[Topology, Mapping[str, LayerPlan]]:
    normal = topology(normal_form(model))
    return normal, plan(normal, FixedType.parse(HlsSpec().precision)).layers


def _fractions(model: keras.Model) -> dict[str, int | None]:
    """By layer: the fraction bits of all that its biases must be finer than; None where that is not to be had."""
    normal, planned = _planned(model)
    uses = {call.name for call in calls(model)}
    return {
        call.name: _fraction(call, normal, planned)
        for call in normal.calls
        if call.name in uses and layer_kind(call.layer).roles[1:] == ("bias",) and call.layer.use_bias
    }


def _fraction(call: Call, normal: Topology, planned: Mapping[str, LayerPlan]) -> int | None:
    kernel, bias = weights_of(call.layer)
    after = rounded_to(call, normal)
    grid, held = reading_of(kernel.quantizer), reading_of(bias.quantizer)
    if after is None or grid is None or grid.type is None or held is None or held.type is None:
        return None
    source = planned[normal.sources(call)[0].name].result
    frac = max(source.frac + grid.type.frac, after.frac + 1)
    return frac if max(held.type.integer, 1) + frac + 1 <= MAX_WEIGHT_BITS else None


def _odd(call: Call, frac: int) -> Sequence[NewLayer] | None:
    """The layer with its biases on the grid of ``frac`` bits and half a step of it."""
    kernel, bias = weights_of(call.layer)
    held, front = reading_of(bias.quantizer), front_of(call.layer)
    if held is None or held.type is None or front is None or len(call.weights) != len((kernel, bias)):
        return None
    step, integer = 2.0**-frac, max(held.type.integer, 1)
    values = (np.floor(bias.values / step) + 0.5) * step
    wide = standard().make("linear", integer + frac + 1, integer - 1)
    layer = copy_layer(call.layer, **{front.option("bias"): wide})
    return [NewLayer(layer, [call.weights[0], values.astype(np.float32)])]
