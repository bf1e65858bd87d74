"""Keras' own answer, free of float32's rounding: what the firmware is compared with."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError
from pquant_hls.network.capture import captured
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, remake, topology
from pquant_hls.network.normal import copied, normal_form
from pquant_hls.network.plan import wide_sums
from pquant_hls.network.quantizers import keras_computes

Floats = NDArray[np.float64]
BATCH = 4096


def keras_predict(
    model: Any, x: ArrayLike | Sequence[ArrayLike], *, keep_softmax: bool = False
) -> Floats | list[Floats]:
    """The model's inference, free of float32's rounding, without a final softmax or sigmoid.

    ``keep_softmax`` keeps these, as the recipe's option of this name does in the firmware.

    Where results need more than float32's 24 bits, Keras runs in float64, exact up to 53, and
    ``quantized_relu``, which casts its input to float32, is computed as QKeras defines it. QKeras'
    straight-through estimator (``x + (q(x) - x)``) leaves no residue.

    Parameters
    ----------
    x : (n, *input shape), or a list of them for several inputs.

    Returns
    -------
    float64 (n, *output shape), a list for several outputs.
    """
    found = layer_results(model, x, keep_softmax=keep_softmax)[1]
    return found[0] if len(found) == 1 else found


def layer_results(
    model: Any, x: ArrayLike | Sequence[ArrayLike], *, keep_softmax: bool = False
) -> tuple[dict[str, Floats], list[Floats]]:
    """({layer of the normal form: its result}, outputs), all float64 (n, *shape)."""
    import keras

    with captured():
        normal = normal_form(model, keep_softmax=keep_softmax)
    dtype = "float64" if any(True for _ in wide_sums(topology(normal))) else "float32"
    arrays = _arrays(model, x, dtype)
    with _floats(dtype), captured(), keras_computes(str(model.name)):
        exact = remake(normal, functools.partial(_copied_as, dtype))
        calls = topology(exact).calls
        probe = keras.Model(exact.inputs, [[call.tensor for call in calls], exact.outputs])
        for call in calls:
            _without_estimator(call, dtype)
        parts = [
            probe([array[i : i + BATCH] for array in arrays], training=False)
            for i in range(0, len(arrays[0]), BATCH)
        ]
    layers = [_joined([part[0][i] for part in parts]) for i in range(len(calls))]
    outputs = [_joined([part[1][i] for part in parts]) for i in range(len(exact.outputs))]
    return {call.name: array for call, array in zip(calls, layers, strict=True)}, outputs


def _arrays(model: Any, x: ArrayLike | Sequence[ArrayLike], dtype: str) -> list[NDArray[Any]]:
    """One array for each input of the model, of its shape."""
    many = isinstance(x, list | tuple) and len(model.inputs) > 1
    arrays = [np.asarray(array, dtype) for array in (list(x) if many else [x])]  # type: ignore[arg-type]
    wanted = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    found = [array.shape[1:] for array in arrays]
    if found != wanted:
        raise DataError(f"the model takes (n, *shape) of {wanted}, got {found}", where=str(model.name))
    rows = {len(array) for array in arrays}
    if len(rows) != 1 or 0 in rows:
        raise DataError(
            f"arrays of {sorted(rows)} rows: one is needed, the same in all", where=str(model.name)
        )
    return arrays


def _joined(parts: list[Any]) -> Floats:
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


@contextlib.contextmanager
def _floats(dtype: str) -> Iterator[None]:
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _copied_as(dtype: str, call: Call, inputs: list[Any]) -> Any:
    if call.kind == "InputLayer":
        return inputs[0]
    layer = copied(call.layer, {"dtype": dtype})
    result = call.on(inputs, layer)
    if call.layer.weights:
        layer.set_weights(call.layer.get_weights())
    return result


def _without_estimator(call: Call, dtype: str) -> None:
    """Let a quantizer return its value itself, which no estimator rounds."""
    quantizer: Any = getattr(call.layer, "activation", None)
    front = front_of(quantizer)
    if front is not None:
        call.layer.activation = front.exactly(quantizer, dtype)
