"""The quantized twin with trainable grids in it, what it costs, and the way back to the layers' own quantizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.compress.accounting import SUMMED, positions
from pquant_hls.compress.learned.elements import LearnedElements, element_grids
from pquant_hls.compress.learned.quantizer import (
    MAX_FRACTION,
    MIN_FRACTION,
    Granularity,
    LearnedGrid,
    bits_shape,
    enclosed,
)
from pquant_hls.compress.learned.reading import BitsRead
from pquant_hls.compress.quantized import final_layers
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, weights_of
from pquant_hls.network.frontend import reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, calls, copy_layer, rebuild
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.names import unused
from pquant_hls.network.table import operation

Activations = Literal["fixed", "channel", "element"]
"""What of the activations has a trained width of its own; ``fixed``: nothing, their types stay as calibrated."""


@dataclass(frozen=True)
class Term:
    """A layer whose widths are trained: ``kernel`` and ``bias`` (None without) are its grids, ``uses`` its calls."""

    layer: Any
    kernel: LearnedGrid
    bias: LearnedGrid | None
    uses: tuple[Call, ...]


@dataclass(frozen=True)
class LearnedTwin:
    """A quantized model, and ``model``, its copy with trainable grids."""

    quantized: keras.Model
    model: keras.Model
    terms: tuple[Term, ...]
    read: BitsRead

    @classmethod
    def of(
        cls, quantized: keras.Model, granularity: Granularity, activations: Activations = "fixed"
    ) -> LearnedTwin:
        """Widths begin as those of the quantized model. Raises UnsupportedModel for one without weights to train."""
        grids: dict[str, list[LearnedGrid]] = {}
        names = {call.name for call in calls(quantized)}
        ends = final_layers(quantized)

        def change(call: Call) -> Sequence[NewLayer] | None:
            if operation(call.layer) in SUMMED:
                made, grids[call.name] = _with_grids(call, granularity)
                return [made]
            learns = activations != "fixed" and call.name not in ends
            return _with_elements(call, activations, names) if learns else None

        model = rebuild(quantized, change)
        if not grids:
            raise UnsupportedModel("has no weights whose widths could be trained", where=model.name)
        read = BitsRead.of(model, quantized)
        terms = [
            Term(model.get_layer(name), found[0], found[1] if len(found) > 1 else None, read.graph.uses[name])
            for name, found in grids.items()
        ]
        return cls(quantized, model, tuple(terms), read)

    def cost(self) -> Any:
        """Bits of the weights times bits of what they meet, and bits of the biases: a scalar with gradients for weights
        and widths.
        """
        total = tf.constant(0.0)
        for term in self.terms:
            total += self._products(term, term.kernel.bits(term.layer.weights[0]))
            if term.bias is not None:
                total += tf.reduce_sum(term.bias.bits(term.layer.weights[1]))
        return total

    def ebops(self) -> Any:
        """EBOPs of the model as ``account`` counts them, a scalar; those of activations by the last training batch."""
        return tf.add_n(
            [self._products(term, enclosed(term.kernel(term.layer.weights[0]))) for term in self.terms]
        )

    def _products(self, term: Term, bits: Any) -> Any:
        """Sum over all multiplications of weight bits times input bits; weights are (..., channels in, units)."""
        each = [
            positions(call) * tf.reduce_sum(bits * self.read.of_channels(call)[:, None]) for call in term.uses
        ]
        return tf.add_n(each)

    def hardened(self, inputs: Sequence[NDArray[Any]], saturation: str = "WRAP") -> keras.Model:
        """The quantized model with the trained weights, each array behind the narrowest quantizer that holds its values, and
        the activations in the narrowest types that hold theirs on ``inputs``, one array (events, ...) for each input;
        ``saturation`` is that of those types.

        It computes what ``model`` does, value by value, wherever activations stay in the range that they have on ``inputs``.
        Raises UnsupportedModel where an array needs more than 18 bits.
        """
        trained = {term.layer.name: term for term in self.terms}
        grids = element_grids(self.model, inputs, saturation)
        names = {call.name for call in calls(self.quantized)}

        def change(call: Call) -> Sequence[NewLayer] | None:
            if call.name in trained:
                return _hardened(call, trained[call.name])
            grid = grids.get(call.name)
            return (
                None
                if grid is None
                else _behind_relu(call, FixedPointQuantizer.of(grid, name=call.name), names)
            )

        return rebuild(self.quantized, change)


def _with_elements(call: Call, share: Activations, names: set[str]) -> Sequence[NewLayer] | None:
    """Trainable types in place of a linear quantizer or a relu's; None for other layers."""
    read = reading_of(layer_kind(call.layer).function(call.layer))
    alone = operation(call.layer) == "activation" and read is not None and read.shape in ("linear", "relu")
    if not alone or read is None or read.type is None:
        return None
    each = () if share == "channel" or None in call.shape else call.shape[:-1]
    start = np.full([size or 1 for size in (*each, call.shape[-1])], read.type.frac, np.float32)
    return _behind_relu(call, LearnedElements(start, name=call.name), names)


def _behind_relu(call: Call, last: Any, names: set[str]) -> Sequence[NewLayer]:
    """``last``, with a plain relu before it where the quantizer that it replaces is one."""
    read = reading_of(layer_kind(call.layer).function(call.layer))
    if read is None or read.shape != "relu":
        return [NewLayer(last)]
    return [NewLayer(keras.layers.ReLU(name=unused(f"{call.name}_positive", names))), NewLayer(last)]


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


def _hardened(call: Call, term: Term) -> Sequence[NewLayer]:
    options: dict[str, Any] = {}
    arrays: list[NDArray[np.float32]] = []
    for weights in weights_of(term.layer)[: len(call.weights)]:
        if weights.grid is None:
            raise UnsupportedModel(
                f"its {weights.role} needs more than {MAX_WEIGHT_BITS} bits", where=call.name
            )
        quantizer = standard().make("linear", weights.grid.width, weights.grid.integer - 1)
        options |= {
            **weights.held_by(quantizer),
            f"{weights.role}_constraint": None,
        }  # the new one brings its own
        arrays.append(weights.values.astype(np.float32))
    return [NewLayer(copy_layer(call.layer, **options), arrays)]
