"""Kinds that compute each value from itself, and softmax."""

from __future__ import annotations

from typing import Any

from pquant_hls.network.frontend import Remark, Remarks
from pquant_hls.network.graph import Call
from pquant_hls.network.kinds.base import Context, Kind, Types, activated, function_name, register_kind
from pquant_hls.network.kinds.forms import Form, of_layer
from pquant_hls.qor import FixedType


class _Function(Kind):
    operation = "activation"

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        return activated(call.layer, sources[0])


@register_kind
class Activation(_Function):
    """A layer that applies a function or a quantizer."""

    handles = twins = ("Activation",)
    elementwise = True

    def passes(self, layer: Any) -> bool:
        return self.function(layer) is None

    def remarks(self, call: Call, context: Context) -> Remarks:
        if function_name(call.layer.activation) == "softmax":
            yield from _after_flatten(call, context)


@register_kind
class ReLU(_Function):
    handles = ("ReLU",)
    elementwise = True

    def acts_as(self, layer: Any) -> str:  # noqa: ARG002
        return "relu"

    def text(self, layer: Any) -> str:
        """With what makes it another function: its bound, slope or threshold, as ``relu(max_value=6)``."""
        usual = {"max_value": None, "negative_slope": 0, "threshold": 0}
        given = {key: getattr(layer, key) for key, value in usual.items() if getattr(layer, key) != value}
        return "relu" + (
            f"({', '.join(f'{key}={value:g}' for key, value in given.items())})" if given else ""
        )

    def form(self, layer: Any) -> Form | None:
        return None if self.text(layer) == "relu" else of_layer(layer)


@register_kind
class Softmax(_Function):
    handles = ("Softmax",)

    def acts_as(self, layer: Any) -> str:  # noqa: ARG002
        return "softmax"

    def text(self, layer: Any) -> str:
        return self.acts_as(layer)

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from _after_flatten(call, context)


@register_kind
class Smooth(_Function):
    """Exact as a table, where it reads few bits and a quantizer follows."""

    handles = ("ELU",)
    elementwise = True

    def acts_as(self, layer: Any) -> str:
        return type(layer).__name__.lower()

    def text(self, layer: Any) -> str:
        return self.acts_as(layer)


@register_kind
class Leaky(Smooth):
    """A slope below zero."""

    handles = ("LeakyReLU",)

    def form(self, layer: Any) -> Form | None:
        return of_layer(layer)


@register_kind
class ChannelSlopes(_Function):
    """A slope for each value or channel."""

    handles = ("PReLU",)

    def acts_as(self, layer: Any) -> str:  # noqa: ARG002
        return "prelu"

    def text(self, layer: Any) -> str:
        return self.acts_as(layer)

    def form(self, layer: Any) -> Form | None:
        return of_layer(layer)


@register_kind
class Inexact(_Function):
    """Functions that no test shows to be exact in firmware."""

    handles = ("AdaptiveActivation",)
    exact = False

    def acts_as(self, layer: Any) -> str:
        return type(layer).__name__.lower()

    def text(self, layer: Any) -> str:
        return self.acts_as(layer)


def _after_flatten(call: Call, context: Context) -> Remarks:
    kept = context.streams and context.spec.keep_softmax
    if kept and context.is_flat(context.graph.sources(call)[0]):
        yield Remark("stream-merge", "a softmax after a Flatten")
