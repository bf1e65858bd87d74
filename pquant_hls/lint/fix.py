"""Mend without retraining what the linter finds mendable: a new model, the old one is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pquant_hls.lint.activations import activation_findings
from pquant_hls.lint.check import lint
from pquant_hls.lint.finding import Context, Finding
from pquant_hls.lint.layers import can_fold, folds_forward
from pquant_hls.lint.mend import mended_layer, rounded_table
from pquant_hls.network.folding import Fold, scaled_after, scaled_before
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, Weights, weights_of
from pquant_hls.network.frontend import front_of, standard
from pquant_hls.network.graph import Call, remake, topology
from pquant_hls.network.grids import bits_below
from pquant_hls.network.heads import exact_heads, is_final, is_probability, is_softmax
from pquant_hls.network.inline import inlined
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.normal import Names, copied, merged, normal_form
from pquant_hls.network.quantizers import keras_computes, quantizer_bits
from pquant_hls.network.reference import reference
from pquant_hls.network.tabled import is_function, is_native
from pquant_hls.network.types import typed
from pquant_hls.qor import FixedType
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

Array = NDArray[np.float64]
EXTRA_BITS = 4
"""Bits beyond the quantizer's own for weights moved to a new grid: an error of 1/32 of its old LSB."""
FLOAT_BITS = 16
"""Bits of weights that had no quantizer."""


def fix(model: Model, spec: HlsSpec | None = None) -> tuple[Model, list[Finding]]:
    """A new model in normal form with all mended that needs no retraining, and what is left to say of it.

    Batch normalizations are folded into the layer before, scales taken into the weights, random and partial
    quantization is switched off, names are made safe, dropout and a final softmax or sigmoid are left out.
    Folding and ``alpha='auto'`` move weights to a new grid: ``moved_by_fix`` says how far; check the accuracy of the result.

    Raises
    ------
    UnsupportedModel : the model has no fixed graph, or a layer that cannot be copied.
    """
    spec = HlsSpec() if spec is None else spec
    model = exact_heads(model) if spec.keep_softmax == "exact" else inlined(model)
    graph = topology(model)
    mended = remake(model, _Mender(Context(graph, spec)).apply, Names(graph).enter)
    fixed = normal_form(mended, keep_softmax=spec.keep_softmax)
    return fixed, lint(fixed, spec)


class Moved(NamedTuple):
    """How far an output of a mended model lies from the original's, before a softmax or sigmoid that is left out.

    ``spread`` is the standard deviation of the original's values, ``largest`` and ``mean`` of the differences.
    """

    output: int
    values: int
    differing: int
    largest: float
    mean: float
    spread: float

    def __str__(self) -> str:
        if self.differing == 0:
            return f"output {self.output}: all {self.values:,} values as the original's"
        share = (
            f", {100 * self.mean / self.spread:.2g} % of its spread in the mean" if self.spread > 0 else ""
        )
        return (
            f"output {self.output}: {self.differing:,} of {self.values:,} values are not the original's, "
            f"by up to {self.largest:.3g}{share}"
        )


def moved_by_fix(
    original: Model, mended: Any, x: Any, spec: HlsSpec | None = None, *, headless: bool = True
) -> list[Moved]:
    """What ``fix`` moved, output by output, on inputs ``x`` (n, *input shape), a list of them for several inputs.

    ``headless``: the mended model has no final softmax or sigmoid but those that the firmware has, as ``fix`` gives it.
    """
    keep = HlsSpec().keep_softmax if spec is None else spec.keep_softmax
    before = reference(original, x, keep_softmax=keep).outputs
    after = reference(mended, x, keep_softmax=True if headless else keep).outputs
    return [
        Moved(
            place,
            old.size,
            int(np.count_nonzero(apart)),
            float(apart.max()),
            float(apart.mean()),
            float(old.std()),
        )
        for place, (old, new) in enumerate(zip(before, after, strict=True))
        for apart in [np.abs(old - new.reshape(old.shape))]
    ]


class _Mender:
    def __init__(self, context: Context) -> None:
        self.context, self.names = context, Names(context.graph)
        self.types, self.tables = typed(context.graph)

    def apply(self, call: Call, inputs: list[Any]) -> Any:
        folds = can_fold(call, self.context) or folds_forward(call, self.context)
        if call.kind == "InputLayer" or folds:
            return inputs[0]
        with keras_computes(call.name):
            return self.applied(call, self.names.of[call.output], inputs)

    def applied(self, call: Call, name: str, inputs: list[Any]) -> Any:
        if call.is_operation:
            return merged(call, name, inputs)
        kind = layer_kind(call.layer)
        mended = mended_layer(call, self.context, self.types.get(call.inputs[0]))
        if mended is not None:
            return mended(name, inputs)
        if self.needs_table(call) and kind.operation == "activation":
            return self.looked_up(call, name, inputs[0], self.types[call.inputs[0]])
        changes, weights = self.mended(call)
        inside = self.needs_table(call)
        layer = copied(call.layer, {"name": name, **changes, **({"activation": None} if inside else {})})
        result = call.on(inputs, layer)
        if weights:
            layer.set_weights(weights)
        return self.looked_up(call, self.names.another(f"{name}_table"), result, None) if inside else result

    def needs_table(self, call: Call) -> bool:
        """Whether its function is none of hls4ml's and reads too many bits, or gives values on no grid."""
        known = call.output in self.tables or is_native(call) or is_softmax(call)
        head = is_probability(call) and is_final(call, self.context.graph)
        if known or head or not is_function(call):
            return False
        return any(
            found.severity == "error" for found in activation_findings(call, self.context, self.tables)
        )

    def looked_up(self, call: Call, name: str, value: Any, kind: FixedType | None) -> Any:
        return rounded_table(call, name, kind)(value)

    def mended(self, call: Call) -> tuple[dict[str, Any], list[Any]]:
        """(options, weights) of the mended layer."""
        changes: dict[str, Any] = {}
        activation = layer_kind(call.layer).function(call.layer)
        front = front_of(activation)
        if front is not None and not self.needs_table(call):
            changes["activation"] = front.settled(activation)
        after = self.context.graph.consumers(call.output)
        before = [
            source for source in self.context.graph.sources(call) if folds_forward(source, self.context)
        ]
        if after and can_fold(after[0], self.context):
            options, weights = folded(call, after[0], scaled_after)
        elif before:
            options, weights = folded(call, before[0], scaled_before)
        elif front_of(call.layer) is not None:
            options, weights = regridded(call)
        else:
            options, weights = {}, call.weights
        return {**changes, **options}, weights


def regridded(call: Call) -> tuple[dict[str, Any], list[Any]]:
    """Kernel and bias on a plain grid where they lie on none of MAX_WEIGHT_BITS bits."""
    changes: dict[str, Any] = {}
    values = call.weights
    for index, weights in enumerate(weights_of(call.layer)):
        quantizer = weights.quantizer
        front = front_of(quantizer)
        calm = None if front is None else front.settled(quantizer)
        if front is not None and calm is not quantizer and not isinstance(front.scale(quantizer), str):
            changes[weights.key] = calm
        elif weights.grid is None:
            changes |= weights.held_by(fitted(weights.values, _bits(weights)))
            values[index] = weights.values.astype(np.float32)
    return changes, values


def _bits(weights: Weights) -> int:
    own = quantizer_bits(weights.quantizer)
    return FLOAT_BITS if own is None else min(own + EXTRA_BITS, MAX_WEIGHT_BITS)


def fitted(values: Array, bits: int) -> Any:
    """A linear quantizer of at most ``bits`` bits, without a scale, whose range just holds ``values``."""
    peak = float(np.abs(values).max(initial=0.0))
    integer = max(int(np.floor(np.log2(peak))) + 1, 0) if peak > 0 else 0
    exact = bits_below(values, limit=bits)
    need = bits if exact is None else min(bits, integer + max(exact, 1) + 1)
    return standard().make("linear", max(need, integer + 2), integer)


def folded(call: Call, norm: Call, fold: Fold) -> tuple[dict[str, Any], list[Any]]:
    """Kernel and bias with the batch normalization before or after them folded in, each on a grid that holds them."""
    parts = weights_of(call.layer)
    values = fold(call.layer, [part.values for part in parts], norm.layer)
    changes = {
        "use_bias": True,
        **parts[0].held_by(fitted(values[0], _bits(parts[0]))),
        standard().option("bias"): fitted(values[1], FLOAT_BITS),
    }
    return changes, [value.astype(np.float32) for value in values]
