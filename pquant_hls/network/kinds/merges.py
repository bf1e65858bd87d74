"""Kinds that join tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import keras
import numpy as np

from pquant_hls.network.frontend import Remark, Remarks, standard
from pquant_hls.network.graph import Call
from pquant_hls.network.grids import ends, type_for_range, union
from pquant_hls.network.kinds.base import Context, Kind, Operation, Types, register_kind
from pquant_hls.qor import FixedType


class _Merge(Kind):
    """Value by value."""

    operation: ClassVar[Operation] = "merge"

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        return None if call.is_operation and call.constants else self.joined(sources)

    def joined(self, sources: Types) -> FixedType | None:
        """The type of the joined values."""
        raise NotImplementedError

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from _many(call, self.chained)
        sources = context.graph.sources(call)
        if context.streams and any(map(context.is_flat, sources)):
            yield Remark("stream-merge", f"{call.kind} after a Flatten")
        shapes = {source.shape for source in sources}
        if len(shapes) > 1 and expands(shapes):
            yield Remark("broadcast", f"{call.kind} of shapes {sorted(shapes, key=str)}")
        elif len(call.inputs) == 1 or len(shapes) > 1:
            yield Remark("merge", f"{call.kind} of shapes {sorted(shapes, key=str)}")


def expands(shapes: Iterable[tuple[int | None, ...]]) -> bool:
    """Whether shapes differ by axes of length 1 alone, which are repeated."""
    known = list(shapes)
    return len({len(shape) for shape in known}) == 1 and not any(None in shape for shape in known)


def expanded(tensor: Any, shape: tuple[int | None, ...], name: str) -> Any:
    """A Keras tensor with its axes of length 1 repeated to ``shape``, by layers that move values alone."""
    if len(shape) == 1:
        return _spread(tensor, int(shape[0] or 1), f"{name}_broadcast")
    own = list(tensor.shape[1:])
    for axis, (length, wanted) in enumerate(zip(own, shape, strict=True)):
        if length != wanted:
            rows, columns = math.prod(own[:axis]), math.prod(own[axis + 1 :])
            image = keras.layers.Reshape((rows, 1, columns), name=f"{name}_image{axis}")(tensor)
            tensor = keras.layers.UpSampling2D((1, wanted), name=f"{name}_repeated{axis}")(image)
            own[axis] = wanted
    if tuple(tensor.shape[1:]) == tuple(shape):
        return tensor
    return keras.layers.Reshape(shape, name=f"{name}_broadcast")(tensor)


def _spread(tensor: Any, count: int, name: str) -> Any:
    """One value as a vector of so many, by a dense layer of ones: hls4ml's streams hold vectors in one word, which a reshape
    does not make."""
    front = standard()
    ones = {front.option("kernel"): front.make("linear", 2, 1)}
    layer = front.layer("Dense")(count, use_bias=False, name=name, **ones)
    made = layer(tensor)
    layer.set_weights([np.ones((1, count), np.float32)])
    return made


def _many(call: Call, chained: bool) -> Remarks:
    if len(call.inputs) > 2:
        text = f"{call.kind} of {len(call.inputs)} tensors"
        yield Remark("many-inputs", f"{text} becomes a chain") if chained else Remark("merge", text)


class _Arithmetic(_Merge):
    """A binary operation."""

    @staticmethod
    def combine(one: Any, other: Any) -> Any:
        """The operation on arrays."""
        return one + other

    @staticmethod
    def bits(one: int, other: int) -> int:
        """Fraction bits of a result from those of its operands."""
        return max(one, other)

    def joined(self, sources: Types) -> FixedType | None:
        """The range that a chain of operations reaches from the corners of its inputs' ranges."""
        reach, frac = ends(sources[0]), sources[0].frac
        for kind in sources[1:]:
            corners = self.combine(reach[:, None], ends(kind)[None, :])
            reach, frac = np.array([corners.min(), corners.max()]), self.bits(frac, kind.frac)
        return type_for_range(float(reach[0]), float(reach[1]), frac)


@register_kind
class Add(_Arithmetic):
    handles = ("Add", "ops.Add")
    chained = True


@register_kind
class Subtract(_Arithmetic):
    handles = ("Subtract", "ops.Subtract")

    @staticmethod
    def combine(one: Any, other: Any) -> Any:
        return one - other


@register_kind
class Multiply(_Arithmetic):
    handles = ("Multiply", "ops.Multiply")
    chained = True

    @staticmethod
    def combine(one: Any, other: Any) -> Any:
        return one * other

    @staticmethod
    def bits(one: int, other: int) -> int:
        return one + other


@register_kind
class Average(_Arithmetic):
    """Exact for 2, 4, ... inputs alone."""

    handles = ("Average",)

    def joined(self, sources: Types) -> FixedType | None:
        count, total = len(sources), super().joined(sources)
        if count & (count - 1) or total is None:
            return None
        low, high = ends(total) / count
        return type_for_range(float(low), float(high), total.frac + count.bit_length() - 1)


@register_kind
class Extreme(_Merge):
    handles = ("Maximum", "Minimum", "ops.Maximum", "ops.Minimum")
    chained = True

    def joined(self, sources: Types) -> FixedType | None:
        return union(sources)


@register_kind
class Concatenate(_Merge):
    handles = ("Concatenate",)
    operation = "concatenate"
    chained = True

    def joined(self, sources: Types) -> FixedType | None:
        return union(sources)

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from _many(call, self.chained)
        if len(call.inputs) == 1:
            yield Remark("merge", f"{call.kind} of shapes {[s.shape for s in context.graph.sources(call)]}")
