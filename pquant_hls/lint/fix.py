"""Mend without retraining what the linter finds mendable: a new model, the old one is left as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.lint.check import lint
from pquant_hls.lint.finding import Context, Finding
from pquant_hls.lint.layers import BATCHNORMS, can_fold
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, Weights, weights_of
from pquant_hls.network.normal import copied, merged, normal_form, rebuilt
from pquant_hls.network.quantizers import fraction_bits, quantized
from pquant_hls.network.topology import Call, topology
from pquant_hls.spec import HlsSpec

Array = NDArray[np.float64]
EXTRA_BITS = 4
"""Bits beyond the quantizer's own for weights moved to a new grid: an error of 1/32 of its old LSB."""
FLOAT_BITS = 16
"""Bits of weights that had no quantizer."""


def fix(model: Any, spec: HlsSpec | None = None) -> tuple[Any, list[Finding]]:
    """A new model in normal form with all mended that needs no retraining, and what is left to say of it.

    Batch normalizations are folded into the layer before, scales taken into the weights, random and partial
    quantization is switched off, names are made safe, dropout and a final softmax or sigmoid are left out.
    Folding and ``alpha='auto'`` move weights to a new grid: check the accuracy of the result.

    Raises
    ------
    UnsupportedModel : the model has no fixed graph, or a layer that cannot be copied.
    """
    spec = HlsSpec() if spec is None else spec
    graph = topology(model)
    mender = _Mender(Context(graph, spec))
    fixed = normal_form(rebuilt(graph, mender.apply), keep_softmax=spec.keep_softmax)
    return fixed, lint(fixed, spec)


class _Mender:
    def __init__(self, context: Context) -> None:
        self.context = context

    def apply(self, call: Call, name: str, inputs: list[Any]) -> Any:
        if call.kind.startswith("ops."):
            return merged(call, name, inputs)
        if call.kind in BATCHNORMS and can_fold(call, self.context):
            return inputs[0]
        changes, weights = self.mended(call)
        layer = copied(call.layer, {"name": name, **changes})
        result = layer(inputs[0] if len(inputs) == 1 else inputs)
        if weights:
            layer.set_weights(weights)
        return result

    def mended(self, call: Call) -> tuple[dict[str, Any], list[Any]]:
        """(options, weights) of the mended layer."""
        changes: dict[str, Any] = {}
        activation = getattr(call.layer, "activation", None)
        if activation is not None and hasattr(activation, "get_config"):
            changes["activation"] = mended_quantizer(activation)
        after = self.context.graph.consumers(call.output)
        if after and after[0].kind in BATCHNORMS and can_fold(after[0], self.context):
            options, weights = folded(call, after[0])
        elif call.kind.startswith("Q"):
            options, weights = regridded(call)
        else:
            options, weights = {}, call.layer.get_weights()
        return {**changes, **options}, weights


def mended_quantizer(quantizer: Any) -> Any:
    """The quantizer without random rounding, partial quantization and data-dependent scale."""
    config = quantizer.get_config()
    wanted = {"use_stochastic_rounding": False, "qnoise_factor": 1.0}
    changes = {key: value for key, value in wanted.items() if key in config and config[key] != value}
    if isinstance(config.get("alpha"), str):
        changes["alpha"] = 1
    return type(quantizer).from_config({**config, **changes}) if changes else quantizer


def regridded(call: Call) -> tuple[dict[str, Any], list[Any]]:
    """Kernel and bias on a plain grid where they lie on none of MAX_WEIGHT_BITS bits."""
    changes: dict[str, Any] = {}
    values = call.layer.get_weights()
    for index, weights in enumerate(weights_of(call.layer)):
        quantizer = weights.quantizer
        calm = (
            None if quantizer is None or not hasattr(quantizer, "get_config") else mended_quantizer(quantizer)
        )
        if calm is not None and calm is not quantizer and not isinstance(quantizer.alpha, str):
            changes[weights.key] = calm
        elif weights.grid is None:
            changes[weights.key] = fitted(weights.values, _bits(weights))
            values[index] = weights.values.astype(np.float32)
    return changes, values


def _bits(weights: Weights) -> int:
    own = getattr(weights.quantizer, "bits", None)
    return FLOAT_BITS if own is None else min(int(own) + EXTRA_BITS, MAX_WEIGHT_BITS)


def fitted(values: Array, bits: int) -> Any:
    """``quantized_bits`` of at most ``bits`` bits, alpha=1, whose range just holds ``values``."""
    import qkeras

    peak = float(np.abs(values).max(initial=0.0))
    integer = max(int(np.floor(np.log2(peak))) + 1, 0) if peak > 0 else 0
    exact = fraction_bits(values, limit=bits)
    need = bits if exact is None else min(bits, integer + max(exact, 1) + 1)
    return qkeras.quantized_bits(max(need, integer + 2), integer, alpha=1)


def folded(call: Call, norm: Call) -> tuple[dict[str, Any], list[Any]]:
    """Kernel and bias with the batch normalization after them folded in, each on a grid that holds them."""
    scale, shift = scale_and_shift(norm.layer)
    kernel, *bias = weights_of(call.layer)
    offset = bias[0].values if bias else np.zeros_like(shift)
    values = [kernel.values * scale, offset * scale + shift]
    changes: Mapping[str, Any] = {
        "use_bias": True,
        kernel.key: fitted(values[0], _bits(kernel)),
        "bias_quantizer": fitted(values[1], FLOAT_BITS),
    }
    return dict(changes), [value.astype(np.float32) for value in values]


def scale_and_shift(layer: Any) -> tuple[Array, Array]:
    """(scale, shift) over the last axis of a batch normalization in inference, quantizers applied."""
    mean, variance = _part(layer, "mean", "moving_mean"), _part(layer, "variance", "moving_variance")
    gamma = _part(layer, "gamma", "gamma") if layer.scale else np.ones_like(mean)
    beta = _part(layer, "beta", "beta") if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _part(layer: Any, role: str, variable: str) -> Array:
    return quantized(getattr(layer, f"{role}_quantizer_internal", None), np.asarray(getattr(layer, variable)))
