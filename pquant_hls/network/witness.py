"""What the Keras model handed in answers, told by its own layers: the reference of every exactness check.

It walks the user's graph with the user's layer objects, so a fault of the conversion cannot hide in it. It must
not import ``normal``, ``plan``, ``sums``, ``freeze``, ``reference``, ``topology``, ``quantizers`` or anything of
``lint`` and ``hls``: what is tested must have no part in the test. Two things set it apart from
``model.predict``, both documented in docs/lint.md:

* the float64 mend: layers compute in float64, exact up to 53 bits; kernels are quantized in float32, as in
  ``predict``; QKeras' straight-through estimator ``x + (q(x) - x)`` leaves no residue, and a plain
  ``quantized_relu``, which casts to float32, is computed by its formula;
* dropped heads: an output that ends in a softmax or sigmoid is given before it. This is read off the user's own
  graph: from the output back through layers that do nothing in inference to the layer that made the value.
  Wherever else that value goes, it goes after its softmax or sigmoid.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.network.floats import keras_floats

Floats = NDArray[np.float64]
BATCH = 4096
Place = tuple[Any, bool]
"""A symbolic tensor of the model's graph, and whether it is asked for before the activation inside its layer."""
_IDLE: tuple[str, ...] = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianDropout",
    "GaussianNoise",
)
_IDLE += ("AlphaDropout", "ActivityRegularization", "Identity")
"""Keras layers that hand on their input in inference."""


def answers(
    model: Any, x: ArrayLike | Sequence[ArrayLike], *, keep_softmax: bool | Sequence[bool] = False
) -> list[Floats]:
    """What each output port of the model's firmware must hold.

    Parameters
    ----------
    model : a built Sequential or functional model; nested models, shared layers and operators are followed.
    x : (n, *input shape), or a list of them for several inputs.
    keep_softmax : give final softmax and sigmoid values too, as the recipe's option of this name does; one for
        each output where they differ.

    Returns
    -------
    float64 (n, *output shape) for each output, in the model's order.

    Raises
    ------
    UnsupportedModel : the model has no fixed graph. DataError : ``x`` does not fit it.
    Whatever Keras raises where it cannot compute a layer itself.
    """
    return answers_at(model, x, keep_softmax=keep_softmax)[0]


def answers_at(
    model: Any,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    keep_softmax: bool | Sequence[bool] = False,
    places: Sequence[Place] = (),
    mend: bool = True,
) -> tuple[list[Floats], list[Floats]]:
    """(``answers``, the values at ``places`` of the model's own graph, float64 (n, *shape) each).

    Without ``mend`` the layers compute as they are, in float32 and with their quantizers' residues.
    """
    graph = _graph(model)
    arrays, kinds = _arrays(graph, x, "float64" if mend else "float32")
    count = len(graph.outputs)
    keep = [keep_softmax] * count if isinstance(keep_softmax, bool) else list(keep_softmax)
    with float64(model) if mend else contextlib.nullcontext():
        parts = [
            _values(graph, _batch(arrays, kinds, i), keep, places) for i in range(0, len(arrays[0]), BATCH)
        ]
    found = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return found[:count], found[count:]


def _batch(arrays: Sequence[NDArray[Any]], kinds: Sequence[str], start: int) -> list[NDArray[Any]]:
    """The events from ``start`` on, in memory and of the types that they are read as."""
    pairs = zip(arrays, kinds, strict=True)
    return [np.asarray(array[start : start + BATCH]).astype(kind) for array, kind in pairs]


def has_graph(model: Any) -> bool:
    """Whether the model can be walked: a built Sequential or functional one."""
    return bool(getattr(getattr(model, "_functional", None) or model, "_nodes_by_depth", None))


def _graph(model: Any) -> Any:
    """The functional graph of a model, that inside a Sequential."""
    graph = getattr(model, "_functional", None) or model
    if not has_graph(model):
        raise UnsupportedModel(f"a {type(model).__name__} without a fixed graph", where=str(model.name))
    return graph


def _arrays(
    graph: Any, x: ArrayLike | Sequence[ArrayLike], floats: str
) -> tuple[list[NDArray[Any]], list[str]]:
    """One array for each input, which may lie on disk, and the type it is read as, a batch at a time: ``floats``, or the
    input's own type where that is no float."""
    many = isinstance(x, list | tuple) and len(graph.inputs) > 1
    given = [np.asarray(array) for array in (x if many else [x])]  # type: ignore[union-attr]
    wanted = [tuple(tensor.shape[1:]) for tensor in graph.inputs]
    found = [array.shape[1:] for array in given]
    if found != wanted:
        raise DataError(f"the model takes (n, *shape) of {wanted}, got {found}", where=str(graph.name))
    rows = {len(array) for array in given}
    if len(rows) != 1 or 0 in rows:
        text = f"arrays of {sorted(rows)} rows: one is needed, the same in all"
        raise DataError(text, where=str(graph.name))
    kinds = [str(tensor.dtype) for tensor in graph.inputs]
    return given, [floats if "float" in kind else kind for kind in kinds]


@dataclass
class _Run:
    """One walk through one graph: values by the identity of Keras' symbolic tensors, walks of inner models by
    the identity of their call."""

    values: dict[int, Any] = field(default_factory=dict)
    inner: dict[int, _Run] = field(default_factory=dict)

    def walk(self, graph: Any, arrays: Sequence[Any]) -> list[Any]:
        self.values.update((id(tensor), array) for tensor, array in zip(graph.inputs, arrays, strict=True))
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if not node.is_input:
                    results = self.called(node)
                    self.values.update((id(t), v) for t, v in zip(node.outputs, results, strict=True))
        return [self.values[id(tensor)] for tensor in graph.outputs]

    def called(self, node: Any) -> list[Any]:
        import keras

        args, options = node.arguments.fill_in(self.values)
        if isinstance(node.operation, keras.Model):
            inner = self.inner[id(node)] = _Run()
            return inner.walk(_graph(node.operation), keras.tree.flatten(args))
        return list(keras.tree.flatten(node.operation(*args, **options)))

    def at(self, place: Place) -> Any:
        """The value of a tensor, or what its layer's own activation was applied to."""
        tensor, before = place
        layer, index, _ = tensor._keras_history
        return self.bare(layer._inbound_nodes[index]) if before else self.values[id(tensor)]

    def port(self, tensor: Any) -> Any:
        """The value of an output before a final softmax or sigmoid."""
        import keras

        layer, index, place = tensor._keras_history
        node = layer._inbound_nodes[index]
        if node.is_input or not isinstance(layer, keras.Layer):
            return self.values[id(tensor)]
        if isinstance(layer, keras.Model):
            return self.inner[id(node)].port(_graph(layer).outputs[place])
        function = getattr(layer, "activation", None)
        alone = isinstance(layer, keras.layers.Activation)
        if type(layer).__name__ in _IDLE or (alone and function is keras.activations.linear):
            return self.port(node.input_tensors[0])
        ends = function in (keras.activations.softmax, keras.activations.sigmoid)
        if isinstance(layer, keras.layers.Softmax) or (alone and ends):
            return self.values[id(node.input_tensors[0])]
        return self.bare(node) if ends else self.values[id(tensor)]

    def bare(self, node: Any) -> Any:
        """The call again without the activation inside its layer."""
        with contextlib.ExitStack() as stack:
            _set(stack, node.operation, "activation", None)
            return self.called(node)[0]


def _values(graph: Any, arrays: list[Any], keep: Sequence[bool], places: Sequence[Place]) -> list[Floats]:
    import keras

    run = _Run()
    whole = run.walk(graph, [keras.ops.convert_to_tensor(array) for array in arrays])
    ends = zip(graph.outputs, whole, keep, strict=True)
    found = [value if kept else run.port(tensor) for tensor, value, kept in ends]
    return [np.asarray(value, np.float64) for value in (*found, *map(run.at, places))]


@contextlib.contextmanager
def float64(model: Any) -> Iterator[None]:
    """Let the model's own layers compute in float64, quantizers without residue; undone when the block ends."""
    import keras

    layers = {id(layer): layer for layer in model._flatten_layers()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(keras_floats("float64"))
        for layer in layers.values():
            _set(stack, layer, "dtype_policy", _policy(layer))
            if getattr(layer, "_mask", None) is not None:  # QConv2D's own, a constant in float32
                _set(stack, layer, "_mask", keras.ops.cast(layer._mask, "float64"))
            for name in ("activation", "recurrent_activation"):
                handed_on = isinstance(getattr(type(layer), name, None), property)  # a cell's
                if _is_quantizer(getattr(layer, name, None)) and not handed_on:
                    _set(stack, layer, name, _acting(getattr(layer, name)))
            for name in [name for name in vars(layer) if name.endswith("_quantizer_internal")]:
                quantizer = getattr(layer, name)
                _set(stack, layer, name, _cast if quantizer is None else _as_in_predict(quantizer))
                _set(stack, layer, name.removesuffix("_internal"), "in use")
            if hasattr(layer, "batchnorm"):
                _set(stack, layer, "call", _folding(layer))
        yield


def _policy(layer: Any) -> Any:
    """Computing in float64; weights that no quantizer takes, which are float32, are cast on the way."""
    import keras

    policy = keras.DTypePolicy("float64")
    if type(layer).__module__.startswith("keras"):
        policy._variable_dtype = "float32"
    return policy


def _set(stack: contextlib.ExitStack, owner: Any, name: str, value: Any) -> None:
    """Set an attribute for as long as ``stack`` is open."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _is_quantizer(function: Any) -> bool:
    return hasattr(function, "get_config") and type(function).__module__.startswith("qkeras")


def _cast(weights: Any) -> Any:
    from keras import ops

    return ops.cast(weights, "float64")


def _folding(layer: Any) -> Callable[..., Any]:
    """QDenseBatchnorm or QConv2DBatchnorm in inference: the quantized product of kernel and normalization. QKeras mixes
    float32 and float64 here."""
    from keras import ops

    def call(inputs: Any, training: Any = None) -> Any:
        del training
        norm = layer.batchnorm
        parts = [
            norm.moving_mean,
            norm.moving_variance,
            norm.gamma if norm.scale else 1.0,
            norm.beta if norm.center else 0.0,
        ]
        mean, variance, gamma, beta = (np.asarray(part, np.float64) for part in parts)
        factor = gamma / np.sqrt(variance + norm.epsilon)
        bias = np.asarray(layer.bias, np.float64) if layer.use_bias else 0.0
        kernel = layer.kernel_quantizer_internal(np.asarray(layer.kernel, np.float64) * factor)
        shift = layer.bias_quantizer_internal((bias - mean) * factor + beta)
        if len(kernel.shape) == 2:
            sums = ops.matmul(inputs, kernel)
        else:
            options = {
                "strides": layer.strides,
                "padding": layer.padding,
                "dilation_rate": layer.dilation_rate,
            }
            sums = ops.conv(inputs, kernel, data_format=layer.data_format, **options)
        return sums + shift if layer.activation is None else layer.activation(sums + shift)

    return call


def _as_in_predict(quantizer: Any) -> Callable[[Any], Any]:
    """A kernel's quantizer in float32, as ``predict`` runs it; the result in float64."""
    from keras import ops

    def quantized(weights: Any) -> Any:
        with keras_floats("float32"):
            return ops.cast(_without_residue(quantizer, ops.cast(weights, "float32")), "float64")

    return quantized


def _acting(quantizer: Any) -> Callable[[Any], Any]:
    if type(quantizer).__name__ == "quantized_relu" and _is_plain(quantizer):
        return lambda x: _relu(quantizer, x)
    return lambda x: _without_residue(quantizer, x)


def _without_residue(quantizer: Any, x: Any) -> Any:
    """``q(x)`` itself where QKeras gives ``x + (q(x) - x)``, which rounds."""
    from keras import ops

    with contextlib.ExitStack() as stack:
        if hasattr(quantizer, "use_ste"):
            _set(stack, quantizer, "use_ste", False)
        value = quantizer(x)
    if type(quantizer).__name__ not in ("binary", "ternary"):  # these know no use_ste
        return value
    scale = ops.cast(quantizer.scale, value.dtype)
    half = 0.5 if getattr(quantizer, "use_01", False) else 1.0
    return ops.where(scale == 0, value, ops.round(value / scale / half) * half * scale)


def _is_plain(relu: Any) -> bool:
    """Whether nothing but bits and integer bits act in a ``quantized_relu``."""
    bound = relu.relu_upper_bound is not None and not relu.is_quantized_clip
    return not (bound or relu.negative_slope or relu.use_sigmoid) and float(relu.qnoise_factor) == 1


def _relu(relu: Any, x: Any) -> Any:
    """QKeras' formula in float64: ``m_i * clip(round(x * m / m_i) / m, 0, 1 - 1 / m)``."""
    from keras import ops

    if int(relu.integer) < 0:  # QKeras cannot compute it, and says how
        return relu(x)
    x = ops.cast(x, "float64")
    levels, reach = 2.0 ** int(relu.bits), 2.0 ** int(relu.integer)
    return reach * ops.clip(ops.round(x * levels / reach) / levels, 0.0, 1.0 - 1.0 / levels)


__all__ = ["Place", "answers", "answers_at", "float64", "has_graph"]
