"""Integer bits read off weights and activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.frontend import standard
from pquant_hls.network.graph import calls
from pquant_hls.network.inline import inlined
from pquant_hls.qor import FixedType
from pquant_hls.spec.steps import LowRankConfig, PruneConfig, PruneLayersConfig, QuantizeConfig
from pquant_hls.train import EVALUATION_BATCH, as_list

Values = NDArray[Any]

SEARCHED = 4
"""Integer bits tried below the one that holds the largest value."""


def integer_bits(values: Values, bits: int, config: QuantizeConfig, *, signed: bool) -> int:
    """Integer bits (without the sign) of a ``bits`` wide type for ``values`` of any shape.

    ``max``: the fewest that hold every value; ``percentile``: that hold the given percentile of |value|;
    ``mse``: those with the least mean squared error of rounding and clipping.
    """
    size = np.abs(np.asarray(values, np.float64)).ravel()
    if config.calibration == "percentile":
        return reaching(float(np.percentile(size, config.percentile)), bits, signed=signed)
    most = reaching(float(size.max(initial=0.0)), bits, signed=signed)
    if config.calibration == "max":
        return most
    return min(
        range(most, most - SEARCHED, -1),
        key=lambda integer: squared_error(values, bits, integer, signed=signed),
    )


def linear_quantizer(values: Values, bits: int, config: QuantizeConfig) -> Any:
    """A calibrated linear quantizer for values of either sign."""
    return standard().make("linear", bits, integer_bits(values, bits, config, signed=True))


def relu_quantizer(values: Values, bits: int, config: QuantizeConfig) -> Any:
    """A calibrated relu quantizer."""
    return standard().make("relu", bits, integer_bits(values, bits, config, signed=False))


def reaching(top: float, bits: int, *, signed: bool) -> int:
    """Fewest integer bits (without the sign) whose largest value, after rounding, is at least ``top``."""
    if top <= 0:
        return 0
    integer = math.ceil(math.log2(top))
    fraction = bits - int(signed) - integer
    largest = 2.0**integer - 2.0**-fraction
    return integer if top <= largest + 2.0 ** -(fraction + 1) else integer + 1


def squared_error(values: Values, bits: int, integer: int, *, signed: bool) -> float:
    """Mean squared difference between ``values`` and what the fixed-point type keeps of them."""
    kind = FixedType(bits, integer + int(signed), signed, "RND_CONV", "SAT")
    exact = np.asarray(values, np.float64)
    return float(((kind.quantize(exact) - exact) ** 2).mean())


def sample(
    data: Any, config: QuantizeConfig | PruneConfig | PruneLayersConfig | LowRankConfig
) -> list[Values]:
    """A seeded sample of training inputs, one array for each input of the model."""
    inputs = as_list(data.x_train)
    chosen = np.random.default_rng(config.seed).permutation(len(inputs[0]))[: config.samples]
    return [part[np.sort(chosen)] for part in inputs]


def layer_values(model: keras.Model, inputs: list[Values]) -> Mapping[str, Values]:
    """Every tensor on the inputs, float32 (events, ...), by its name (its layer's, see ``Call``)."""
    model = inlined(model)
    names = [call.output for call in calls(model)]
    inner = keras.Model(model.inputs, [call.tensor for call in calls(model)])
    parts: dict[str, list[Values]] = {name: [] for name in names}
    for start in range(0, len(inputs[0]), EVALUATION_BATCH):
        batch = [part[start : start + EVALUATION_BATCH] for part in inputs]
        for name, value in zip(names, inner(batch, training=False), strict=True):
            parts[name].append(np.asarray(value))
    return {name: np.concatenate(found) for name, found in parts.items()}
