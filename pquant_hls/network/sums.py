"""A Keras layer that sums over axes, as deep sets do over their objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="pquant_hls")
class SumOver(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The sum over ``axes``, which count the batch axis (axis 1 of (batch, objects, features) are the objects).

    Parameters
    ----------
    axes : one axis or several, negative ones from the end; not the batch axis. keepdims : leave axes of length 1.
    """

    def __init__(self, axes: int | Sequence[int], keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.axes = (axes,) if isinstance(axes, int) else tuple(axes)
        self.keepdims = bool(keepdims)

    def call(self, inputs: Any) -> Any:
        return ops.sum(inputs, axis=self.axes, keepdims=self.keepdims)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": list(self.axes), "keepdims": self.keepdims}
