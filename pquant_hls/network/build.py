"""The usual networks of the field, to start from."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def build_mlp(
    n_in: int = 16,
    widths: Sequence[int] = (64, 32, 32),
    n_out: int = 5,
    *,
    seed: int = 0,
    name: str = "tagger",
) -> keras.Sequential:
    """A float Dense + ReLU network with a softmax (one output: a sigmoid) as its last layer.

    The widths 64-32-32 for 16 observables and five classes are the jet tagger of Duarte et al., JINST 13
    P07027. Layers are named ``fc1``, ``relu1``, ..., ``output`` and the head ``softmax`` or ``sigmoid``.
    Initial weights come from ``seed``.
    """
    model = keras.Sequential(name=name)
    model.add(keras.Input((n_in,), name="features"))
    for index, width in enumerate(widths, start=1):
        start = keras.initializers.HeUniform(seed=seed + index)
        model.add(keras.layers.Dense(width, kernel_initializer=start, name=f"fc{index}"))
        model.add(keras.layers.Activation("relu", name=f"relu{index}"))
    start = keras.initializers.GlorotUniform(seed=seed)
    model.add(keras.layers.Dense(n_out, kernel_initializer=start, name="output"))
    head = "softmax" if n_out > 1 else "sigmoid"
    model.add(keras.layers.Activation(head, name=head))
    return model
