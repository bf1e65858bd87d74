"""Activations with corners alone (bounded and leaky relus, hard tanh), written with relus, scales and maxima.

hls4ml has no bound for a relu and rounds slopes in a type of its own; each of these layers is exact by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.grids import bits_below, ends, holding, hull, type_for_range
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
SLOPE_BITS = 18
"""Widest slope that is taken: one operand of a DSP48."""


@dataclass(frozen=True)
class Form:
    """``slope * x`` below 0 and ``x`` above, then kept within ``low`` and ``high`` (None: no bound).

    ``slope`` is one number or an array that broadcasts to the values' shape.
    """

    slope: Floats
    low: float | None = None
    high: float | None = None

    @property
    def exact(self) -> bool:
        """Whether slopes and bounds are numbers of at most 18 bits."""
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        fits = all(bits_below(np.array(part), limit=48) is not None for part in (self.slope, *bounds))
        return fits and hull(holding(self.slope)).width <= SLOPE_BITS

    def type(self, source: FixedType) -> FixedType:
        """The narrowest type of the results for values of ``source``."""
        least, most = ends(source)
        reached = [max(most, 0.0), 0.0, *(np.array([least, 0.0]).min() * self.slope).ravel()]
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        low = self.low if self.low is not None else min(reached)
        high = min(max(reached), self.high) if self.high is not None else max(reached)
        steps = np.concatenate([(self.slope * source.lsb).ravel(), [source.lsb, *bounds]])
        return type_for_range(float(low), float(high), max(bits_below(steps) or 0, 0) if steps.any() else 0)

    def apply(self, x: Any, name: str) -> Any:
        """The layers that compute it, applied to a Keras tensor; the last is called ``name``."""
        steps: list[tuple[str, Callable[[Any, str], Any]]] = []
        if not (self.slope == 1).all():
            steps.append(("slope", self._sloped))
        if self.high is not None:
            steps.append(("top", partial(_below, self.high)))
        if self.low is not None:
            steps.append(("bottom", partial(_above, self.low)))
        for place, (word, step) in enumerate(steps):
            x = step(x, name if place == len(steps) - 1 else f"{name}_{word}")
        return x

    def _sloped(self, x: Any, name: str) -> Any:
        if not self.slope.any():
            return keras.layers.ReLU(name=name)(x)
        scaled = FixedPointScale(self.slope, name=f"{name}_scaled")
        if (self.slope <= 1).all():
            return keras.layers.Maximum(name=name)([x, scaled(x)])
        if (self.slope >= 1).all():
            return keras.layers.Minimum(name=name)([x, scaled(x)])
        above = keras.layers.ReLU(name=f"{name}_above")(x)
        negated = FixedPointScale(-1.0, name=f"{name}_negated")(x)
        below = keras.layers.ReLU(name=f"{name}_below")(negated)
        back = FixedPointScale(-self.slope, name=f"{name}_scaled")(below)
        return keras.layers.Add(name=name)([above, back])


def _below(top: float, x: Any, name: str) -> Any:
    """min(x, top) as top - relu(top - x)."""
    under = FixedPointScale(-1.0, top, name=f"{name}_under")(x)
    return FixedPointScale(-1.0, top, name=name)(keras.layers.ReLU(name=f"{name}_relu")(under))


def _above(low: float, x: Any, name: str) -> Any:
    """max(x, low) as low + relu(x - low)."""
    over = FixedPointScale(1.0, -low, name=f"{name}_over")(x)
    return FixedPointScale(1.0, low, name=name)(keras.layers.ReLU(name=f"{name}_relu")(over))


def of_function(name: str) -> Form | None:
    """The form of one of Keras' functions by its name; None where it has none."""
    return _FUNCTIONS.get(name)


_FUNCTIONS = {
    "relu6": Form(np.zeros(()), high=6.0),
    "hard_tanh": Form(np.ones(()), -1.0, 1.0),
}


def of_layer(layer: Any) -> Form | None:
    """The form of a layer that is an activation of this kind; None for others, such as a relu with a threshold."""
    kind = type(layer).__name__
    if kind == "PReLU":
        return Form(np.asarray(layer.alpha, np.float64))
    if kind == "LeakyReLU":
        return Form(np.asarray(float(layer.negative_slope)))
    if kind == "ReLU" and not layer.threshold:
        top = None if layer.max_value is None else float(layer.max_value)
        return Form(np.asarray(float(layer.negative_slope)), high=top)
    return None
