"""Kinds that compute nothing: inputs, what moves values, what does nothing in inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
from numpy.typing import NDArray

from pquant_hls.network.frontend import Remark, Remarks
from pquant_hls.network.graph import Call, NewLayer, Topology
from pquant_hls.network.kinds.base import (
    Context,
    Kind,
    LayerPlan,
    Planning,
    acting,
    acts_alone,
    layer_kind,
    register_kind,
)
from pquant_hls.network.recurrent import RecurrentState
from pquant_hls.qor import FixedGrid, FixedType


@register_kind
class Input(Kind):
    """An input; it is given the first quantizer's own type, as any wider one would round twice."""

    handles = ("InputLayer",)
    operation = "input"

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        only = first_type(planning.graph, call)
        if only is not None:
            return LayerPlan(only)
        kind = planning.default
        plain = (kind.rounding, kind.saturation) == ("TRN", "WRAP")
        return LayerPlan(replace(kind, rounding="RND_CONV", saturation="SAT") if plain else kind)


def first_type(graph: Topology, call: Call) -> FixedType | None:
    """The one type to which every use of this result rounds it first, through layers that move values."""
    found = {_rounded_to(graph, consumer) for consumer in graph.consumers(call.output)}
    return found.pop() if len(found) == 1 and call.output not in graph.outputs else None


def _rounded_to(graph: Topology, call: Call) -> FixedType | None:
    kind, found = layer_kind(call.layer), acting(call)
    if kind.moves or kind.passes(call.layer):
        return first_type(graph, call)
    if found is None:
        return kind.entry(call.layer)
    return found.type if found.shape in ("linear", "relu") else None


@register_kind
class Flatten(Kind):
    handles = ("Flatten",)
    operation = "flatten"
    moves = flattens = silent = True

    def elements(self, call: Call, sources: Sequence[FixedGrid | None]) -> FixedGrid | None:
        return _moved(call, sources, lambda part: part.reshape(_closed(call)))

    def remarks(self, call: Call, context: Context) -> Remarks:
        after = context.graph.consumers(call.output) if context.streams else ()
        if any(map(acts_alone, after)):
            yield Remark("stream-flatten", "it moves behind the activation that follows")


@register_kind
class Reshape(Kind):
    handles = ("Reshape", "Permute")
    operation = "reshape"
    moves = silent = True

    def elements(self, call: Call, sources: Sequence[FixedGrid | None]) -> FixedGrid | None:
        if call.kind == "Reshape":
            return _moved(call, sources, lambda part: part.reshape(_closed(call)))
        return _moved(call, sources, lambda part: part.transpose([axis - 1 for axis in call.layer.dims]))


def _closed(call: Call) -> tuple[int, ...]:
    return tuple(size for size in call.shape if size is not None)


def _moved(
    call: Call, sources: Sequence[FixedGrid | None], move: Callable[[NDArray[Any]], NDArray[Any]]
) -> FixedGrid | None:
    """The types of values that only change their places; None too where the places are open."""
    before, shape = sources[0], call.node.input_tensors[0].shape[1:]
    return None if before is None or None in (*shape, *call.shape) else before.moved(shape, move)


@register_kind
class ZeroPadding(Kind):
    handles = ("ZeroPadding1D", "ZeroPadding2D")
    operation = "pass"
    moves = True


@register_kind
class UpSampling(Kind):
    handles = ("UpSampling2D",)
    operation = "pass"
    moves = True

    def remarks(self, call: Call, context: Context) -> Remarks:  # noqa: ARG002
        if call.layer.interpolation != "nearest":
            text = f"interpolation is {call.layer.interpolation}"
            yield Remark("unsupported-layer", text, "interpolation='nearest'")


@register_kind
class UpSampling1D(Kind):
    """As one of an image of one column, which streams have too."""

    handles = ("UpSampling1D",)
    operation = "pass"
    moves = True

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del weights
        steps, channels = call.node.input_tensors[0].shape[1:]
        return repeated((steps, 1, channels), call.layer.size, call.shape, changes["name"])


@register_kind
class RepeatVector(Kind):
    handles = ("RepeatVector",)
    operation = "reshape"
    moves = True

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del weights
        return repeated((1, 1, call.shape[-1]), call.layer.n, call.shape, changes["name"])


def repeated(before: tuple[Any, ...], count: int, after: tuple[Any, ...], name: str) -> list[NewLayer]:
    """Layers that repeat each row of values of shape ``before`` (rows, 1, channels), and give them the shape ``after``."""
    layers = keras.layers
    found = [
        layers.Reshape(before, name=f"{name}_image"),
        layers.UpSampling2D((1, count), name=f"{name}_repeated"),
        layers.Reshape(after, name=name),
    ]
    return [NewLayer(layer) for layer in found]


@register_kind
class Cropping(Kind):
    handles = ("Cropping1D", "Cropping2D")
    operation = "pass"
    moves = True

    def elements(self, call: Call, sources: Sequence[FixedGrid | None]) -> FixedGrid | None:
        return _moved(call, sources, lambda part: part[_window(call)])


def _window(call: Call) -> tuple[slice, ...]:
    """What a cropping keeps of each axis."""
    given = call.layer.cropping
    pairs = [given] if call.kind == "Cropping1D" else given
    sizes = call.node.input_tensors[0].shape[1:]
    return tuple(slice(before, size - behind) for (before, behind), size in zip(pairs, sizes, strict=False))


@register_kind
class InTrainingOnly(Kind):
    """Passes values through in inference."""

    handles = (
        "Dropout",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "ActivityRegularization",
        "Identity",
        RecurrentState,
    )
    operation = "pass"
    moves = True

    def passes(self, layer: Any) -> bool:  # noqa: ARG002
        return True
