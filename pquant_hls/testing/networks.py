"""Random small QKeras networks: the raw material of the exactness property and of its benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any
FAMILIES = ("mlp", "sequence", "image")


def random_model(seed: int, family: str | None = None) -> Any:
    """One random network: dense, convolutions, pooling, merges, mixed bits, the same for the same ``seed``.

    It may hold what the linter mends (batch normalization, dropout, scaled weights, odd names, a softmax).

    Parameters
    ----------
    family : ``mlp``, ``sequence`` or ``image``; a random one without.
    """
    import keras

    rng = np.random.default_rng(seed)
    chosen = str(rng.choice(FAMILIES)) if family is None else family
    maker = _Maker(rng, f"n{seed}")
    shape = {
        "mlp": (int(rng.integers(3, 9)),),
        "sequence": (int(rng.integers(4, 9)), int(rng.integers(1, 4))),
        "image": (int(rng.integers(4, 7)), int(rng.integers(4, 7)), int(rng.integers(1, 3))),
    }[chosen]
    x = keras.Input(shape, name=f"x{seed}")
    model = keras.Model(x, _head(maker, _body(maker, _first(maker, x))))
    _set_weights(model, rng)
    return model


def drawn_inputs(model: Any, count: int, seed: int) -> list[NDArray[np.float32]]:
    """One (count, *shape) float32 array for each input, off every grid, a tenth of it out of range."""
    rng = np.random.default_rng(seed)
    found = []
    for tensor in model.inputs:
        values = rng.normal(0.0, 2.0, (count, *tensor.shape[1:]))
        values[: count // 10] *= 10.0
        found.append(values.astype(np.float32))
    return found


def combined(models: Sequence[Any]) -> Any:
    """One functional model that holds copies of all ``models`` side by side: one compile serves all."""
    import keras

    inputs, outputs = [], []
    for index, model in enumerate(models):
        copy = keras.models.clone_model(model, clone_function=_renaming(f"m{index}_"))
        copy.set_weights(model.get_weights())
        inputs.extend(copy.inputs)
        outputs.extend(copy.outputs)
    return keras.Model(inputs, outputs)


def _renaming(prefix: str) -> Callable[[Any], Any]:
    def copy(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": prefix + layer.name})

    return copy


@dataclass
class _Maker:
    """Random parts; ``count`` numbers the layers of one network."""

    rng: np.random.Generator
    prefix: str
    count: int = 0

    def name(self, word: str) -> str:
        self.count += 1
        separator = self.rng.choice(["_", "_", "_", ".", "-"])  # some names C++ would not take
        return f"{self.prefix}{separator}{word}{self.count}"

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def bits(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def quantized_bits(self, low: int, high: int, integers: int) -> Any:
        import qkeras

        bits = self.bits(low, high)
        symmetric = int(self.chance(0.2))
        return qkeras.quantized_bits(
            bits, self.bits(0, min(integers, bits - 1)), symmetric=symmetric, alpha=1
        )

    def weights(self) -> Any:
        import qkeras

        kinds: list[Callable[[], Any]] = [
            lambda: self.quantized_bits(2, 8, 2),
            lambda: qkeras.binary(alpha=1),
            lambda: qkeras.ternary(alpha=1),
            lambda: qkeras.quantized_bits(self.bits(2, 6), 0),  # QKeras gives it alpha='auto_po2'
            lambda: qkeras.quantized_po2(3, 1),
            lambda: qkeras.quantized_bits(4, 0, keep_negative=0, alpha=1),
        ]
        share = [0.6, 0.1, 0.1, 0.1, 0.05, 0.05]
        return kinds[int(self.rng.choice(len(kinds), p=share))]()

    def activation(self) -> Any:
        import qkeras

        kinds: list[Callable[[], Any]] = [
            lambda: qkeras.quantized_relu(self.bits(2, 8), self.bits(0, 3)),
            lambda: qkeras.quantized_relu(self.bits(4, 8), self.bits(0, 3)),
            lambda: self.quantized_bits(3, 8, 3),
            lambda: qkeras.quantized_tanh(self.bits(2, 8), symmetric=self.chance(0.5)),
            lambda: qkeras.quantized_sigmoid(self.bits(2, 8)),
            lambda: qkeras.binary(alpha=1),
            qkeras.ternary,
        ]
        share = [0.35, 0.15, 0.25, 0.08, 0.07, 0.05, 0.05]
        return kinds[int(self.rng.choice(len(kinds), p=share))]()

    def quantizers(self, role: str = "kernel") -> dict[str, Any]:
        return {f"{role}_quantizer": self.weights(), "bias_quantizer": self.quantized_bits(3, 8, 1)}


def _first(maker: _Maker, x: Tensor) -> Tensor:
    import qkeras

    relu_first = maker.chance(0.15)
    quantizer = qkeras.quantized_relu(maker.bits(4, 8), 2) if relu_first else maker.quantized_bits(4, 10, 3)
    return qkeras.QActivation(quantizer, name=maker.name("in"))(x)


def _body(maker: _Maker, x: Tensor) -> Tensor:
    for _ in range(maker.bits(1, 3)):
        axes = len(x.shape) - 1
        blocks = {1: _DENSE_BLOCKS, 2: _SEQUENCE_BLOCKS, 3: _IMAGE_BLOCKS}[axes]
        x = blocks[int(maker.rng.integers(len(blocks)))](maker, x)
        if maker.chance(0.15):
            x = _dropout(maker, x)
    return x


def _head(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    if len(x.shape) > 2:
        x = keras.layers.Flatten(name=maker.name("flat"))(x)
    x = _dense(maker, x, maker.bits(1, 4))
    if maker.chance(0.3):
        x = _activate(maker, x)
    return keras.layers.Softmax(name=maker.name("softmax"))(x) if maker.chance(0.15) else x


def _activate(maker: _Maker, x: Tensor) -> Tensor:
    import keras
    import qkeras

    if maker.chance(0.1):
        return keras.layers.ReLU(name=maker.name("relu"))(x)
    return qkeras.QActivation(maker.activation(), name=maker.name("act"))(x)


def _dropout(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    return keras.layers.Dropout(0.1, name=maker.name("drop"))(x)


def _dense(maker: _Maker, x: Tensor, units: int) -> Tensor:
    import qkeras

    bias = maker.chance(0.85)
    return qkeras.QDense(units, use_bias=bias, name=maker.name("fc"), **maker.quantizers())(x)


def _normalized(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    return keras.layers.BatchNormalization(name=maker.name("bn"))(x) if maker.chance(0.2) else x


def _dense_block(maker: _Maker, x: Tensor) -> Tensor:
    return _activate(maker, _normalized(maker, _dense(maker, x, maker.bits(2, 7))))


def _skip_block(maker: _Maker, x: Tensor) -> Tensor:
    """A block beside a shortcut, joined by a random merge."""
    import keras

    units = maker.bits(2, 5)
    sides = [_activate(maker, _dense(maker, x, units)) for _ in range(maker.bits(2, 3))]
    names = (
        ["Add", "Concatenate"]
        if len(sides) > 2
        else ["Add", "Subtract", "Multiply", "Maximum", "Concatenate"]
    )
    return getattr(keras.layers, str(maker.rng.choice(names)))(name=maker.name("merge"))(sides)


def _conv1d_block(maker: _Maker, x: Tensor) -> Tensor:
    import qkeras

    width, padding = maker.bits(1, min(3, x.shape[1])), str(maker.rng.choice(["same", "valid"]))
    layer = qkeras.QConv1D(
        maker.bits(1, 4),
        width,
        strides=maker.bits(1, 2),
        padding=padding,
        name=maker.name("conv"),
        **maker.quantizers(),
    )
    return _activate(maker, _normalized(maker, layer(x)))


def _pool1d(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    if x.shape[1] < 2:
        return x
    kind = str(maker.rng.choice(["MaxPooling1D", "AveragePooling1D"]))
    size = maker.bits(2, min(3, x.shape[1]))
    return _rounded(maker, kind, getattr(keras.layers, kind)(size, name=maker.name("pool"))(x))


def _global_pool(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    kind = f"Global{maker.rng.choice(['Max', 'Average'])}Pooling{len(x.shape) - 2}D"
    return _rounded(maker, kind, getattr(keras.layers, kind)(name=maker.name("pool"))(x))


def _rounded(maker: _Maker, kind: str, x: Tensor) -> Tensor:
    """A quantizer after an average, as every average over no power of two needs."""
    import qkeras

    if "Average" not in kind:
        return x
    return qkeras.QActivation(maker.quantized_bits(4, 8, 3), name=maker.name("act"))(x)


def _per_step(maker: _Maker, x: Tensor) -> Tensor:
    return _activate(maker, _dense(maker, x, maker.bits(2, 4)))


def _conv2d_block(maker: _Maker, x: Tensor) -> Tensor:
    import qkeras

    width, padding = maker.bits(1, min(3, x.shape[1], x.shape[2])), str(maker.rng.choice(["same", "valid"]))
    layer = qkeras.QConv2D(
        maker.bits(1, 3),
        width,
        strides=maker.bits(1, 2),
        padding=padding,
        name=maker.name("conv"),
        **maker.quantizers(),
    )
    return _activate(maker, _normalized(maker, layer(x)))


def _depthwise(maker: _Maker, x: Tensor) -> Tensor:
    import qkeras

    width, padding = maker.bits(1, min(3, x.shape[1], x.shape[2])), str(maker.rng.choice(["same", "valid"]))
    options = maker.quantizers("depthwise")
    layer = qkeras.QDepthwiseConv2D(width, padding=padding, name=maker.name("depth"), **options)
    return _activate(maker, layer(x))


def _pool2d(maker: _Maker, x: Tensor) -> Tensor:
    import keras

    if min(x.shape[1], x.shape[2]) < 2:
        return x
    kind = str(maker.rng.choice(["MaxPooling2D", "AveragePooling2D"]))
    return _rounded(maker, kind, getattr(keras.layers, kind)(2, name=maker.name("pool"))(x))


_DENSE_BLOCKS = (_dense_block, _dense_block, _skip_block)
_SEQUENCE_BLOCKS = (_conv1d_block, _conv1d_block, _pool1d, _global_pool, _per_step)
_IMAGE_BLOCKS = (_conv2d_block, _conv2d_block, _depthwise, _pool2d, _global_pool)


def _set_weights(model: Any, rng: np.random.Generator) -> None:
    """Weights of trained size: kernels around their range, biases away from zero, moving averages seen."""
    for variable in model.weights:
        word = variable.path.rsplit("/", 1)[-1]
        if "variance" in word or word == "gamma":
            values = rng.uniform(0.4, 2.0, variable.shape)
        else:
            values = rng.normal(0.0, 0.6, variable.shape)
        variable.assign(values.astype(np.float32))


__all__ = ["FAMILIES", "combined", "drawn_inputs", "random_model"]
