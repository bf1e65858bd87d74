"""The quantized twin with trainable grids in it, what it costs, and the way back to the layers' own quantizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.compress.accounting import SUMMED, positions
from pquant_hls.compress.learned.quantizer import (
    MAX_FRACTION,
    MIN_FRACTION,
    Granularity,
    LearnedGrid,
    bits_shape,
    enclosed,
)
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, weights_of
from pquant_hls.network.frontend import reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, copy_layer, flat, rebuild
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.table import operation
from pquant_hls.network.types import tensor_types


@dataclass(frozen=True)
class Term:
    """A layer whose widths are trained: ``kernel`` and ``bias`` (None without) are its grids, ``factor`` the input bits
    times positions that each bit of its kernel meets in one inference.
    """

    layer: Any
    kernel: LearnedGrid
    bias: LearnedGrid | None
    factor: float


@dataclass(frozen=True)
class LearnedTwin:
    """A quantized model, and ``model``, its copy with trainable grids."""

    quantized: keras.Model
    model: keras.Model
    terms: tuple[Term, ...]

    @classmethod
    def of(cls, quantized: keras.Model, granularity: Granularity) -> LearnedTwin:
        """Widths begin as those of the quantized model. Raises UnsupportedModel for one without weights to train."""
        grids: dict[str, list[LearnedGrid]] = {}

        def change(call: Call) -> Sequence[NewLayer] | None:
            if operation(call.layer) not in SUMMED:
                return None
            made, grids[call.name] = _with_grids(call, granularity)
            return [made]

        model = rebuild(quantized, change)
        if not grids:
            raise UnsupportedModel("has no weights whose widths could be trained", where=model.name)
        factors = _factors(quantized)
        terms = [
            Term(model.get_layer(name), found[0], found[1] if len(found) > 1 else None, factors[name])
            for name, found in grids.items()
        ]
        return cls(quantized, model, tuple(terms))

    def cost(self) -> Any:
        """Bits of the weights times what they meet, and bits of the biases: a scalar with gradients for weights and widths."""
        return tf.add_n([tf.reduce_sum(part) for part in self._parts()])

    def _parts(self) -> Iterator[Any]:
        for term in self.terms:
            yield term.factor * term.kernel.bits(term.layer.weights[0])
            if term.bias is not None:
                yield term.bias.bits(term.layer.weights[1])

    def ebops(self) -> Any:
        """EBOPs of the model as ``account`` counts them, a scalar."""
        counted = [
            term.factor * tf.reduce_sum(enclosed(term.kernel(term.layer.weights[0]))) for term in self.terms
        ]
        return tf.add_n(counted)

    def hardened(self) -> keras.Model:
        """The quantized model with the trained weights, each array behind the narrowest quantizer that holds its values.

        It computes what ``model`` does, value by value. Raises UnsupportedModel where an array needs more than 18 bits.
        """
        trained = {term.layer.name: term for term in self.terms}
        return rebuild(
            self.quantized, lambda call: _hardened(call, trained[call.name]) if call.name in trained else None
        )


def _with_grids(call: Call, granularity: Granularity) -> tuple[NewLayer, list[LearnedGrid]]:
    layer, front = copy_layer(call.layer), standard()
    grids = []
    for role, array in zip(layer_kind(layer).roles, call.weights, strict=False):
        read = reading_of(front.quantizer(layer, role))
        if read is None or read.type is None:
            raise UnsupportedModel(f"its {role} has no fixed-point type", where=call.name)
        most = min(MAX_FRACTION, MAX_WEIGHT_BITS - 1 - max(read.type.integer, 1))
        start = np.full(bits_shape(array.shape, granularity), read.type.frac, np.float32)
        grids.append(LearnedGrid(np.clip(start, MIN_FRACTION, most), most, name=f"{role}_grid"))
        front.put(layer, role, grids[-1])
    return NewLayer(layer, [*call.weights, *(np.asarray(grid.fraction) for grid in grids)]), grids


def _factors(quantized: keras.Model) -> dict[str, float]:
    """By layer, over all its uses: bits of its input times the positions at which each weight is used."""
    kinds, found = tensor_types(quantized), dict[str, float]()
    for call in flat(quantized).calls:
        if operation(call.layer) in SUMMED:
            source = kinds[call.inputs[0]]
            if source is None:
                raise UnsupportedModel("its input has no fixed-point type", where=call.name)
            found[call.name] = found.get(call.name, 0.0) + source.width * positions(call)
    return found


def _hardened(call: Call, term: Term) -> Sequence[NewLayer]:
    options: dict[str, Any] = {}
    arrays: list[NDArray[np.float32]] = []
    for weights in weights_of(term.layer)[: len(call.weights)]:
        if weights.grid is None:
            raise UnsupportedModel(
                f"its {weights.role} needs more than {MAX_WEIGHT_BITS} bits", where=call.name
            )
        options |= weights.held_by(standard().make("linear", weights.grid.width, weights.grid.integer - 1))
        arrays.append(weights.values.astype(np.float32))
    return [NewLayer(copy_layer(call.layer, **options), arrays)]
