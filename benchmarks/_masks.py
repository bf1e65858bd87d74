"""Masks that are trained with the weights, for ``masks.py``: what a weight counts as while its mask is soft.

Each is written from its paper, on dense kernels. ``share`` is the share of weights that shall be left; methods whose sparsity
only follows from a price have that price steered towards it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pquant_hls.compress.zeros import by_fan

SHARP = 200.0
"""Continuous sparsification: what the slope of its masks ends at."""
GAIN = 0.5
"""Of the steering: a price grows by this power of how far too many weights are left."""


class Masked(keras.layers.Dense):  # type: ignore[misc]  # Keras has no types
    """A dense layer whose kernel counts as ``effective`` says; ``aim`` is called before each epoch."""

    def build(self, input_shape: Any) -> None:
        """Weights, and what the mask learns."""
        super().build(input_shape)
        self.learnt()

    def learnt(self) -> None:
        """Add what the mask learns; nothing here."""

    def effective(self, kernel: Any) -> Any:
        """The kernel as it counts now, of its shape."""
        raise NotImplementedError

    def price(self) -> Any:
        """What the weights that are left cost, a scalar; 0 where the sparsity is set and not steered."""
        return tf.constant(0.0)

    def aim(self, count: int, done: float) -> None:
        """``count`` weights shall be left now, at this share of the training."""

    def call(self, inputs: Any) -> Any:
        """Outputs with the kernel as it counts."""
        kernel = self.effective(tf.convert_to_tensor(self.kernel))
        return self.activation(tf.matmul(inputs, kernel) + tf.convert_to_tensor(self.bias))

    def _state(self, name: str, value: float) -> Any:
        return self.add_weight(
            name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=False
        )


class Pdp(Masked):
    """Parameter-free soft masks (Cho et al., arXiv:2305.11203): a sigmoid of w^2 against the square half way between the
    largest weight that goes and the smallest one that stays."""

    HEAT = 1e-4

    def learnt(self) -> None:
        """The threshold is computed, not learnt."""
        self.threshold = self._state("threshold", 0.0)

    def effective(self, kernel: Any) -> Any:
        """w times its mask."""
        low = tf.square(tf.convert_to_tensor(self.threshold))
        return kernel * tf.sigmoid((tf.square(kernel) - low) / self.HEAT)

    def aim(self, count: int, done: float) -> None:  # noqa: ARG002
        """Threshold of the ``count`` largest."""
        self.threshold.assign(between(np.asarray(self.kernel), count))


class AutoSparse(Masked):
    """Soft thresholds, sign(w) max(|w| - t, 0), where the gradient of weights that are gone fades (Kundu et al.,
    arXiv:2304.06941); the threshold follows the sparsity in place of a decay of its own."""

    START = 0.75

    def learnt(self) -> None:
        """The threshold, and what is left of the gradient of a weight below it."""
        self.threshold, self.leak = self._state("threshold", 0.0), self._state("leak", self.START)

    def effective(self, kernel: Any) -> Any:
        """The weights drawn towards zero by the threshold."""
        low, leak = tf.convert_to_tensor(self.threshold), tf.convert_to_tensor(self.leak)
        beyond = tf.abs(kernel) - low
        passed = tf.nn.relu(beyond) + leak * (
            tf.minimum(beyond, 0.0) - tf.stop_gradient(tf.minimum(beyond, 0.0))
        )
        return tf.sign(kernel) * passed

    def aim(self, count: int, done: float) -> None:
        """Threshold of the ``count`` largest; the leak falls by a cosine."""
        self.threshold.assign(between(np.asarray(self.kernel), count))
        self.leak.assign(self.START * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


class Dst(Masked):
    """A trained threshold for each unit, a step as mask with a long-tailed derivative, and a price of exp(-t) (Liu et al.,
    arXiv:2005.06870)."""

    def learnt(self) -> None:
        """One threshold a unit, and the steered price."""
        self.threshold = self.add_weight(name="threshold", shape=(self.units,), initializer="zeros")
        self.weight = self._state("price", 1e-4)

    def effective(self, kernel: Any) -> Any:
        """w where it is above its unit's threshold."""
        return kernel * stepped(tf.abs(kernel) - tf.convert_to_tensor(self.threshold))

    def price(self) -> Any:
        """exp(-t) of every unit, times the steered price."""
        return tf.convert_to_tensor(self.weight) * tf.reduce_sum(
            tf.exp(-tf.convert_to_tensor(self.threshold))
        )

    def aim(self, count: int, done: float) -> None:  # noqa: ARG002
        """Dearer while too many are left."""
        kernel, low = np.asarray(self.kernel), np.asarray(self.threshold)
        left = int((np.abs(kernel) > low).sum())
        self.weight.assign(steered(float(self.weight), left, count))


class Continuous(Masked):
    """w times sigmoid(b s) with s trained, b rising to a step, and a price on the masks (Savarese et al.,
    arXiv:1912.04427)."""

    def learnt(self) -> None:
        """One s a weight, the slope b and the steered price."""
        self.logit = self.add_weight(
            name="logit", shape=self.kernel.shape, initializer=keras.initializers.Constant(0.1)
        )
        self.slope, self.weight = self._state("slope", 1.0), self._state("price", 1e-5)

    def effective(self, kernel: Any) -> Any:
        """w times its mask."""
        return kernel * self.masks()

    def masks(self) -> Any:
        """In (0, 1), of the kernel's shape."""
        return tf.sigmoid(tf.convert_to_tensor(self.slope) * tf.convert_to_tensor(self.logit))

    def price(self) -> Any:
        """The sum of the masks, times the steered price."""
        return tf.convert_to_tensor(self.weight) * tf.reduce_sum(self.masks())

    def aim(self, count: int, done: float) -> None:
        """Steeper with each epoch, dearer while too many are left."""
        self.slope.assign(SHARP ** min(1.0, done))
        self.weight.assign(steered(float(self.weight), int((np.asarray(self.logit) > 0).sum()), count))


MASKS: dict[str, type[Masked]] = {
    "PDP": Pdp,
    "AutoSparse": AutoSparse,
    "DST": Dst,
    "continuous sparsification": Continuous,
}


class Masking:
    """What ``train.fit`` calls while masks are trained: sparsity rises over the first ``ramp`` of the epochs (cubic).

    ``weights`` are those of the last epoch: the routine would go back to a better one that is less sparse.
    """

    def __init__(self, model: keras.Model, share: float, epochs: int, ramp: float = 0.7) -> None:
        self.model, self.weights = model, model.get_weights()
        self.layers = [layer for layer in model.layers if isinstance(layer, Masked)]
        self.share, self.epochs, self.ramp = share, epochs, ramp
        self.kernels = {(layer.name, 0): np.asarray(layer.kernel) for layer in self.layers}

    def penalty(self) -> Any:
        """Of all masks."""
        return tf.add_n([layer.price() for layer in self.layers])

    def before(self, epoch: int) -> None:
        """Tell each layer how many weights shall be left, shared by fan-in and fan-out."""
        done = (epoch - 1) / self.epochs
        gone = (1 - self.share) * (1 - (1 - min(1.0, done / self.ramp)) ** 3)
        counts: Mapping[Any, int] = by_fan(
            self.kernels, round((1 - gone) * sum(kernel.size for kernel in self.kernels.values()))
        )
        for layer in self.layers:
            layer.aim(counts[layer.name, 0], done / self.ramp)

    def after(self, epoch: int, standing: tuple[float, float]) -> None:  # noqa: ARG002
        """Called after each epoch."""
        if epoch == self.epochs:
            self.weights = self.model.get_weights()


def between(kernel: Any, count: int) -> float:
    """Half way between the ``count``-th largest |weight| and the next."""
    sizes = np.sort(np.abs(kernel), axis=None)[::-1]
    return float((sizes[count - 1] + sizes[count]) / 2) if 0 < count < sizes.size else 0.0


def steered(price: float, left: int, wanted: int) -> float:
    """A price after a look at how many weights are left."""
    return float(np.clip(price * (max(left, 1) / max(wanted, 1)) ** GAIN, 1e-8, 1.0))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def stepped(beyond: Any) -> Any:
    """1 above 0, else 0; derivative 2 - 4 |x| up to 0.4, 0.4 up to 1, 0 beyond."""

    def gradient(upstream: Any) -> Any:
        far = tf.abs(beyond)
        return upstream * tf.where(far <= 0.4, 2 - 4 * far, tf.where(far <= 1, 0.4, 0.0))

    return tf.cast(beyond > 0, tf.float32), gradient


def with_masks(model: keras.Model, kind: type[Masked]) -> keras.Model:
    """The same network of dense layers with masks, and its weights."""

    def masked(layer: Any) -> Any:
        return kind.from_config(layer.get_config()) if isinstance(layer, keras.layers.Dense) else layer

    made = keras.models.clone_model(model, clone_function=masked)
    for layer in model.layers:
        if layer.weights:
            twin = made.get_layer(layer.name)
            twin.kernel.assign(layer.kernel)
            twin.bias.assign(layer.bias)
    return made


def unmasked(masked: keras.Model, model: keras.Model) -> keras.Model:
    """The plain network with the kernels as they count."""
    made = keras.models.clone_model(model)
    for layer in masked.layers:
        if isinstance(layer, Masked):
            kernel = np.asarray(layer.effective(tf.convert_to_tensor(layer.kernel)))
            made.get_layer(layer.name).set_weights([kernel, np.asarray(layer.bias)])
    return made


__all__ = ["MASKS", "Masking", "unmasked", "with_masks"]
