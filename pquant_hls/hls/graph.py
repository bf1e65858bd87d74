"""The FixedPointGraph of a converted model: hls4ml's own picture, as integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node

_PLAIN = {
    "Input": "input",
    "Dense": "dense",
    "Conv1D": "conv1d",
    "Conv2D": "conv2d",
    "PointwiseConv1D": "conv1d",
    "PointwiseConv2D": "conv2d",
    "DepthwiseConv1D": "depthwise_conv1d",
    "DepthwiseConv2D": "depthwise_conv2d",
    "BatchNormalization": "batchnorm",
    "ApplyAlpha": "batchnorm",
    "Reshape": "reshape",
    "Repack": "reshape",
    "Transpose": "transpose",
    "ZeroPadding1D": "zero_padding1d",
    "ZeroPadding2D": "zero_padding2d",
    "Clone": "clone",
    "Concatenate": "concatenate",
    "TernaryTanh": "ternary_tanh",
    "Softmax": "softmax",
    "LeakyReLU": "leaky_relu",
}
_ACTIVATIONS = {
    "linear": "quantize",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "hard_sigmoid": "hard_sigmoid",
    "hard_tanh": "hard_tanh",
    "binary_tanh": "binary_tanh",
    "ternary_tanh": "ternary_tanh",
    "softmax": "softmax",
    "elu": "elu",
    "leaky_relu": "leaky_relu",
    "leakyrelu": "leaky_relu",
    "thresholdedrelu": "relu",
}
_THRESHOLDS = ("threshold_hi", "threshold_lo")
_MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum")
_TYPES = (
    "weight",
    "bias",
    "scale",
    "accum",
    "table",
    "inv_table",
    "exp_table",
    "inv_inp",
    "slope",
    "shift",
    "param",
)
_TABLES = ("sigmoid", "tanh")


def extract(hls_model: Any, *, exact: bool = True) -> FixedPointGraph:
    """The graph of a converted hls4ml ModelGraph.

    ``exact`` raises where a weight lies off its type's grid; otherwise it is rounded as the written project
    rounds it.

    Raises
    ------
    UnsupportedModel : a weight off its grid, or a type that is not fixed-point.
    """
    producers = {out: node.name for node in hls_model.get_layers() for out in node.outputs}
    first = [producers[name] for name in hls_model.inputs]  # the order in which csim takes its inputs
    place = {name: index for index, name in enumerate(first)}
    layers = sorted(hls_model.get_layers(), key=lambda node: place.get(node.name, len(place)))
    nodes = tuple(_node(node, producers, exact) for node in layers)
    config = hls_model.config
    return FixedPointGraph(
        nodes,
        tuple(producers[name] for name in hls_model.outputs),
        config.get_config_value("IOType"),
        config.get_config_value("Backend"),
        config.get_project_name(),
    )


def _node(node: Any, producers: Mapping[str, str], exact: bool) -> Node:
    op = op_of(node)
    out = node.get_output_variable()
    inputs = () if op == "input" else tuple(producers[name] for name in node.inputs)
    types = {name: node.attributes[f"{name}_t"] for name in _TYPES if f"{name}_t" in node.attributes}
    parsed = {name: kind for name, found in types.items() if (kind := _type(found, node)) is not None}
    result = _type(out.type, node)
    if result is None:
        raise UnsupportedModel(f"the result is {out.type.precision}, not a fixed-point type", where=node.name)
    return Node(
        name=node.name,
        op=op,
        inputs=inputs,
        shape=tuple(int(n) for n in out.shape),
        result=result,
        types=parsed,
        arrays=_arrays(node, exact),
        attrs=_attrs(node, op, parsed),
    )


def op_of(node: Any) -> str:
    """The graph's word for an hls4ml layer; ``other`` for what has none."""
    kind = node.class_name
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in ("Activation", "HardActivation", "ParametrizedActivation"):
        return _ACTIVATIONS.get(node.get_attr("activation", "").lower(), "other")
    if kind == "BatchNormalizationQuantizedTanh" and node.get_attr("quantize") == 3:
        return "ternary_tanh"  # a scale fused with the activation behind it, as two thresholds
    if kind == "Merge":
        name = node.get_attr("op", "").lower()
        return name if name in _MERGES else "other"
    if kind in ("Pooling1D", "Pooling2D", "GlobalPooling1D", "GlobalPooling2D"):
        word = "max" if node.get_attr("pool_op").lower() == "max" else "average"
        return f"{'global_' if 'Global' in kind else ''}{word}_pooling{kind[-2:].lower()}"
    return "other"


def _type(found: Any, node: Any) -> FixedType | None:
    """None for types that are not fixed-point, such as the exponents of powers of two."""
    precision = found.precision
    text = precision.definition_cpp() if hasattr(precision, "definition_cpp") else str(precision)
    try:
        return FixedType.parse(text)
    except PquantError:
        if "unspecified" in type(precision).__name__.lower():
            raise UnsupportedModel("hls4ml left a type open", where=node.name) from None
        return None


def _arrays(node: Any, exact: bool) -> dict[str, FixedArray]:
    found = {name: _array(node, name, exact) for name in ("weight", "bias", "scale") if name in node.weights}
    return found | {name: _array(node, name, False) for name in _THRESHOLDS if name in node.weights}


def _array(node: Any, name: str, exact: bool) -> FixedArray:
    weight = node.weights[name]
    values = np.asarray(weight.data, np.float64)
    precision = type(weight.type.precision).__name__
    if "Xnor" in precision:
        return FixedArray(np.where(_layout(node, name, values) > 0, 1, -1).astype(np.int64), 0)
    if "Exponent" in precision:
        return _on_minimal_grid(_layout(node, name, values), node)
    kind = FixedType.parse(weight.type.precision.definition_cpp())
    written = np.array([float(f"{v:.{max(0, kind.frac)}f}") for v in values.ravel()]).reshape(values.shape)
    codes = kind.to_codes(written)
    if exact and not np.array_equal(codes * kind.lsb, values):
        worst = int(np.argmax(np.abs(codes * kind.lsb - values)))
        raise UnsupportedModel(
            f"{name} {values.ravel()[worst]:g} is not a value of {kind}",
            where=node.name,
            mend="quantize these weights with alpha=1",
        )
    return FixedArray(_layout(node, name, codes), kind.frac)


def _on_minimal_grid(values: NDArray[np.float64], node: Any) -> FixedArray:
    from pquant_hls.network.quantizers import fraction_bits

    bits = fraction_bits(values)
    if bits is None:
        raise UnsupportedModel("powers of two below 2**-64", where=node.name)
    return FixedArray((values * 2.0**bits).astype(np.int64), bits)


def _layout(node: Any, name: str, data: NDArray[Any]) -> NDArray[Any]:
    """Undo hls4ml's transposition for the resource strategy and give depthwise kernels their own axes."""
    if name != "weight":
        return data.reshape(-1)
    if node.get_attr("_weights_transposed", False):
        data = np.moveaxis(data, 0, -1)
    op = op_of(node)
    if op == "dense":
        return data.reshape(node.get_attr("n_in"), node.get_attr("n_out"))
    if node.get_attr("filt_width") is None:
        return data  # neither dense nor convolution: no reader of the graph knows this layer's weights
    spatial = [int(node.get_attr("filt_width"))]
    if op.endswith("2d"):
        spatial.insert(0, int(node.get_attr("filt_height")))
    return data.reshape(*spatial, int(node.get_attr("n_chan")), -1)


def _attrs(node: Any, op: str, types: Mapping[str, FixedType]) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    for name in (
        "strategy",
        "reuse_factor",
        "table_size",
        "implementation",
        "parallelization_factor",
        "n_partitions",
    ):
        if node.get_attr(name) is not None:
            attrs[name] = _json(node.get_attr(name))
    if op in _EXTRA:
        attrs.update(_EXTRA[op](node))
    if "weight" in node.weights and "Xnor" in type(node.weights["weight"].type.precision).__name__:
        attrs["weight_encoding"] = "xnor"
    if "weight" in node.weights and "Exponent" in type(node.weights["weight"].type.precision).__name__:
        attrs["weight_encoding"] = "exponent"
    if op in _TABLES and "table" in types:
        attrs["table"] = activation_table(op, types["table"], int(node.get_attr("table_size")))
    return attrs


def activation_table(op: str, kind: FixedType, size: int) -> list[int]:
    """hls4ml's look-up table, ``size`` codes of ``kind``: sigmoid over [-8, 8), tanh over [-4, 4)."""
    index = np.arange(size, dtype=np.float32)
    half = np.float32(size) / np.float32(2)
    if op == "sigmoid":
        x = (2 * 8.0 * (index - half).astype(np.float64) / size).astype(np.float32)
        values = (1.0 / (1.0 + np.exp(-x).astype(np.float64))).astype(np.float32)
    else:
        x = (2 * 4.0 * (index - half).astype(np.float64) / size).astype(np.float32)
        values = np.tanh(x.astype(np.float64))
    return [int(code) for code in kind.to_codes(values.astype(np.float64))]


def _json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(entry) for entry in value]
    return value


def _ints(node: Any, *names: str) -> list[int]:
    return [int(node.get_attr(name, 0)) for name in names]


def _sides(node: Any) -> dict[str, Any]:
    """Explicit pads, outermost axis first."""
    pads = [_ints(node, "pad_left", "pad_right")]
    if node.get_attr("pad_top") is not None:
        pads.insert(0, _ints(node, "pad_top", "pad_bottom"))
    return {"padding": pads}


def _window(node: Any, what: str, key: str) -> dict[str, Any]:
    """Strides, pads and the window's size (``pool`` for pooling; a kernel's is its weights' shape)."""
    names = ["width"] if node.get_attr(f"{what}_height") is None else ["height", "width"]
    found = {"strides": _ints(node, *(f"stride_{name}" for name in names)), **_sides(node)}
    if key:
        found[key] = _ints(node, *(f"{what}_{name}" for name in names))
    return found


def _conv(node: Any) -> dict[str, Any]:
    dilation = node.get_attr("dilation_width", node.get_attr("dilation", 1))
    spatial = 1 if node.get_attr("filt_height") is None else 2
    return {**_window(node, "filt", ""), "dilation": [int(dilation)] * spatial}


def _pool(node: Any) -> dict[str, Any]:
    return {**_window(node, "pool", "pool"), "count_pad": bool(node.get_attr("count_pad", False))}


def _hard(node: Any) -> dict[str, Any]:
    return {"slope": float(node.get_attr("slope")), "shift": float(node.get_attr("shift"))}


def _concatenate(node: Any) -> dict[str, Any]:
    """The axis counted without the batch axis, as an index from 0."""
    axis, rank = int(node.get_attr("axis")), len(node.get_output_variable().shape)
    return {"axis": axis - 1 if axis > 0 else axis + rank}


def _other(node: Any) -> dict[str, Any]:
    """The class and the sizes that its cost depends on, as far as it has them."""
    names = ("n_out", "recurrent_reuse_factor", "n_contract", "vocab_size")
    sizes = {name: int(node.get_attr(name)) for name in names if node.get_attr(name) is not None}
    if node.class_name in ("LSTM", "GRU", "SimpleRNN", "Bidirectional"):
        units = node.get_attr("forward_n_states", node.get_attr("n_out"))
        sizes.update(n_state=int(units), n_sequence=int(node.get_attr("n_timesteps")))
    named = node.get_attr("activation") if node.class_name == "Activation" else None
    cell = {"cell": node.get_attr("forward_class_name")} if node.class_name == "Bidirectional" else {}
    return {"op_name": named or node.class_name, **sizes, **cell}


_EXTRA: dict[str, Callable[[Any], dict[str, Any]]] = {
    **dict.fromkeys(("conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d"), _conv),
    **dict.fromkeys(("max_pooling1d", "max_pooling2d", "average_pooling1d", "average_pooling2d"), _pool),
    **dict.fromkeys(("zero_padding1d", "zero_padding2d"), _sides),
    **dict.fromkeys(("hard_tanh", "hard_sigmoid"), _hard),
    "concatenate": _concatenate,
    "reshape": lambda node: {"target_shape": _json(list(node.get_output_variable().shape))},
    "transpose": lambda node: {"perm": _json(node.get_attr("perm"))},
    "leaky_relu": lambda node: {"slope": float(node.get_attr("activ_param"))},
    "elu": lambda node: {"slope": float(node.get_attr("activ_param"))},
    "relu": lambda node: {"threshold": float(node.get_attr("activ_param", 0.0) or 0.0)},
    "ternary_tanh": lambda node: {"threshold": float(node.get_attr("threshold", 0.5) or 0.5)},
    "softmax": lambda node: {"axis": _json(node.get_attr("axis", -1))},
    "batchnorm": lambda node: {"n_filt": int(node.get_attr("n_filt", -1))},
    "other": _other,
}
