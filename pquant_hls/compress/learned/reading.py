"""How many bits each value has that a layer reads, as tensors that follow the trained widths."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import keras
import tensorflow as tf

from pquant_hls.compress.learned.elements import LearnedElements
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.types import tensor_types
from pquant_hls.qor import FixedType


class BitsRead:
    """Widths of the tensors of a model with learned activations.

    ``fixed`` are the types of the quantized model, which has the same tensors under the same names, for those whose widths
    are not trained.
    """

    def __init__(self, model: keras.Model, fixed: Mapping[str, FixedType | None]) -> None:
        self.graph: Topology = flat(model)
        self.fixed = fixed

    @classmethod
    def of(cls, model: keras.Model, quantized: keras.Model) -> BitsRead:
        return cls(model, tensor_types(quantized))

    def of_channels(self, call: Call) -> Any:
        """Bits of what a layer reads, float32, by channel, (channels,) or (1,): the mean over places."""
        found = self._tensor(call.inputs[0])
        return tf.reduce_mean(found, axis=list(range(len(found.shape) - 1)))

    def _tensor(self, name: str) -> Any:
        """(1, *shape), axes of 1 where all have the same."""
        call = self.graph.producer(name)
        kind = layer_kind(call.layer)
        if isinstance(call.layer, LearnedElements):
            bits = call.layer.bits()
            return tf.broadcast_to(bits, [1, *(size or 1 for size in call.shape)])
        if kind.moves or kind.operation in ("concatenate", "pool"):
            return call.on([self._tensor(source) for source in call.inputs])
        if kind.operation == "merge":  # one more bit than the widest, as for a sum of two
            return reduce(tf.maximum, [self._tensor(source) for source in call.inputs]) + 1.0
        known = self.fixed.get(name)
        if known is None:
            raise UnsupportedModel("has no fixed-point type", where=name)
        return tf.fill([1, *(size or 1 for size in call.shape)], float(known.width))
