"""One layer of a design JSON -> one node of the graph: hls4ml's function names, types, shapes and weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pquant_hls.qor import FixedArray, FixedGrid, FixedType, Node

LARGEST = 2**21
"""Weights or values of one layer beyond which a file is taken for damaged."""
OPS = {
    "dense": "dense",
    "compute_layer": "dense",
    "dense_simple": "dense",
    "td_dense": "dense",
    "conv_1d_cl": "conv1d",
    "pointwise_conv_1d_cl": "conv1d",
    "conv_2d_cl": "conv2d",
    "pointwise_conv_2d_cl": "conv2d",
    "depthwise_conv_1d_cl": "depthwise_conv1d",
    "depthwise_conv_2d_cl": "depthwise_conv2d",
    "normalize": "batchnorm",
    "linear": "quantize",
    "quantizer": "quantize",
    "relu": "relu",
    "relu_max": "relu",
    "thresholded_relu": "relu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "selu": "elu",
    "softplus": "elu",
    "softsign": "elu",
    "hard_tanh": "hard_tanh",
    "hard_sigmoid": "hard_sigmoid",
    "binary_tanh": "binary_tanh",
    "normalize_binary_tanh": "binary_tanh",
    "ternary_tanh": "ternary_tanh",
    "normalize_ternary_tanh": "ternary_tanh",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "softmax_multidim": "softmax",
    "pooling1d_cl": "max_pooling1d",
    "pooling2d_cl": "max_pooling2d",
    "global_pooling1d_cl": "global_average_pooling1d",
    "global_pooling2d_cl": "global_average_pooling2d",
    "zeropad1d_cl": "zero_padding1d",
    "zeropad2d_cl": "zero_padding2d",
    "clone_stream": "clone",
    "repack_stream": "reshape",
    "broadcast_stream": "reshape",
    "concatenate1d": "concatenate",
    "concatenate2d": "concatenate",
    "concatenate3d": "concatenate",
    "concatenate2d_1": "concatenate",
    "transpose": "transpose",
    "transpose_2d": "transpose",
    "transpose_3d": "transpose",
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "average": "average",
    "maximum": "maximum",
    "minimum": "minimum",
}
WEIGHTED = ("dense", "conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d")
OTHERS = {
    "lstm": "LSTM",
    "lstm_stack": "LSTM",
    "gru": "GRU",
    "gru_stack": "GRU",
    "simple_rnn": "SimpleRNN",
    "simple_rnn_stack": "SimpleRNN",
    "resize_nearest": "Resize",
    "resize_bilinear": "Resize",
    "cropping1d_cl": "Cropping1D",
    "cropping2d_cl": "Cropping2D",
    "prelu": "PReLU",
    "embedding": "Embedding",
    "layernormalize": "LayerNormalization",
    "dot1d": "Dot",
    "einsum": "Einsum",
    "einsum_dense": "EinsumDense",
    "unary_lut": "UnaryLUT",
}
CHANGED = ("_me", "_ss", "_switch", "_array", "_v2", "_stream", "_large", "_large_cl_nopad_pad")
"""Endings of kernels that somebody rewrote after one of hls4ml's."""
REWRITTEN = {"conv_2d_large_cl": "conv_2d_cl", "pooling": "pooling2d_cl", "pooling2d": "pooling2d_cl"}
"""Stems whose kernel of hls4ml has a longer name."""
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


@dataclass(frozen=True)
class Layer:
    """What a node is made from: its entry in the file, all arrays, the whole file, the node it reads."""

    entry: dict[str, Any]
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]
    before: Node

    @property
    def constants(self) -> dict[str, Any]:
        return self.entry.get("constants") or {}

    @property
    def streams(self) -> bool:
        return (self.record.get("hls4ml") or {}).get("io_type") == "io_stream"


def operation(name: str) -> tuple[str, str, bool]:
    """(graph's word, hls4ml's class or the name itself, whether the kernel is not hls4ml's own)."""
    if name in OPS:
        return OPS[name], name, False
    if name in OTHERS:
        return "other", OTHERS[name], False
    if name.startswith("h_"):  # HGQ's quantizers are named after their layer
        return "quantize", name, False
    stem = name
    for ending in CHANGED:
        stem = stem.removesuffix(ending)
        known = REWRITTEN.get(stem, stem)
        if known in OPS or known in OTHERS:
            return OPS.get(known, "other"), OTHERS.get(known, known), True
    return "other", name, True


def layer_node(name: str, layer: Layer, inputs: tuple[str, ...]) -> Node:
    """The node of one layer.

    Raises
    ------
    ValueError : sizes that no design has.
    """
    entry = layer.entry
    op, called, foreign = operation(str(entry["op"]))
    if "pool" in op and any(
        str(m.get("name")).startswith("max_ap") for m in layer.record.get("modules") or ()
    ):
        op = op.replace("average", "max")
    keys = ("weight", "bias", "accum", "table", "exp_table", "inv_table", "recurrent_weight")
    types = {key: kind for key in keys if (kind := read_type(entry.get(f"{key}_type")))}
    attrs = _attrs(layer, op, called)
    if foreign:
        attrs["foreign"] = True
    shape = _shape(layer, op, called)
    result = read_type(entry.get("output_type")) or layer.before.result
    grid = _elements(layer, result, shape) if op == "quantize" else None
    if op == "quantize" and called != "linear" and grid is None:  # HGQ's: types of single values, untold
        attrs["untold_widths"] = True
    weights = (attrs.get("n_in") or 1) * (attrs.get("n_out") or 1) if op in WEIGHTED else 1
    if not 0 < math.prod(shape) <= LARGEST or min(shape) < 1 or not 0 < weights <= LARGEST:
        raise ValueError(f"layer {entry.get('name')}: {shape} values, {weights} weights")
    stored = {key: array for key in ("weight", "bias", "scale") if (array := _array(layer, key)) is not None}
    known = {key: value for key, value in attrs.items() if value is not None}
    return Node(name, op, inputs, shape, result, types, stored, known, grid)


def _elements(layer: Layer, result: FixedType, shape: tuple[int, ...]) -> FixedGrid | None:
    """The types of single values of one of HGQ's quantizers; None where the file does not hold them.

    It rounds where what it reads has bits below them, and else drops bits: the file does not tell the modes.
    """
    stated = (layer.entry.get("arrays") or {}).get("mask_kbi") or {}
    array = layer.arrays.get(str(stated.get("key")))
    if array is None or array.shape != (3, *shape):
        return None
    keep, width, integer = array.astype(np.int64)
    rounds = layer.before.result.frac > result.frac
    return FixedGrid(width, integer, keep.astype(bool), "RND" if rounds else "TRN")


def _attrs(layer: Layer, op: str, called: str) -> dict[str, Any]:
    entry, constants = layer.entry, layer.constants
    attrs: dict[str, Any] = {
        "strategy": str(entry.get("strategy") or "latency").lower(),
        "reuse_factor": max(1, int(entry.get("reuse_factor") or 1)),
        "n_in": entry.get("n_in"),
        "n_out": entry.get("n_out"),
        "n_zeros": _summary(layer).get("n_zeros", entry.get("n_zeros")),
        "max_abs": _summary(layer).get("max_abs"),
        "table_size": entry.get("table_size"),
        "kernel": _sizes(constants, "filt_height", "filt_width"),
        "pool": _sizes(constants, "pool_height", "pool_width"),
        "parallelization_factor": constants.get("n_pixels"),
        "op_name": called,
        "multiplier": _ordered(layer.record),
    }
    if op.startswith(("conv", "depthwise")) and "n_chan" in constants:
        terms, full = math.prod(attrs["kernel"] or [1]), op.startswith("conv")
        attrs["n_in"] = terms * (int(constants["n_chan"]) if full else 1)
        attrs["n_out"] = int((constants.get("n_filt") if full else constants["n_chan"]) or 1)
    if called in GATES:
        attrs.update(_recurrent(layer, called))
    return attrs


def _summary(layer: Layer) -> dict[str, Any]:
    """What a file tells of weights that it does not hold: how many are zero, and the largest."""
    return (layer.entry.get("arrays") or {}).get("weight") or {}


def _ordered(record: dict[str, Any]) -> str | None:
    """Where the build script sends multiplications (``config_op mul -impl``)."""
    settings = (record.get("tool") or {}).get("settings") or {}
    return str(settings.get("config_op mul") or "").removeprefix("-impl").strip() or None


def _recurrent(layer: Layer, called: str) -> dict[str, Any]:
    """Sizes, strategy and both reuse factors; the one of the state is the valid one next to the request."""
    setup, constants = layer.record.get("hls4ml") or {}, layer.constants
    units = int(constants.get("n_state") or layer.entry.get("n_out") or 1)
    requested = int(
        (setup.get("config") or {}).get("Model_ReuseFactor") or layer.entry.get("reuse_factor") or 1
    )
    return {
        "n_state": units,
        "n_sequence": constants.get("n_sequence"),
        "strategy": str((setup.get("strategies") or ["latency"])[0]).lower(),
        "recurrent_reuse_factor": _valid_reuse(units, GATES[called] * units, requested),
    }


def _valid_reuse(n_in: int, n_out: int, requested: int) -> int:
    """The reuse factor that hls4ml moves a request to: it divides the matrix row- or column-wise."""
    size = n_in * n_out
    if size > LARGEST:
        raise ValueError(f"a recurrent layer of {size} weights")
    valid = [r for r in range(1, size + 1) if size % r == 0 and (r < n_in or r % n_in == 0)]
    return min(valid, key=lambda r: (abs(r - requested), r))


def _shape(layer: Layer, op: str, called: str) -> tuple[int, ...]:
    entry, constants, before = layer.entry, layer.constants, layer.before
    if op == "dense":
        return (int(entry.get("n_out") or 1),)
    if called in GATES:
        units = int(constants.get("n_state") or entry.get("n_out") or 1)
        steps = int(constants.get("n_sequence_out") or 1)
        return (steps, units) if steps > 1 else (units,)
    places = _sizes(constants, "out_height", "out_width") or _sizes(constants, "new_height", "new_width")
    channels = constants.get("n_filt") if op != "depthwise_conv2d" else constants.get("n_chan")
    if places:
        return (*places, int(channels or constants.get("n_chan") or 1))
    if op.startswith("max_pooling1d") and entry.get("n_out"):
        return (int(entry["n_out"]), before.shape[-1])
    if op.startswith("global"):
        return (int(constants.get("n_filt") or before.shape[-1]),)
    size = int(entry.get("n_in") or constants.get("n_elem") or math.prod(before.shape))
    if size == math.prod(before.shape):
        return before.shape
    lanes = before.shape[-1]
    return (size // lanes, lanes) if layer.streams and size > lanes > 0 and size % lanes == 0 else (size,)


def _sizes(constants: dict[str, Any], *keys: str) -> list[int] | None:
    return [int(constants[key]) for key in keys if constants.get(key)] or None


def read_type(entry: Any) -> FixedType | None:
    """A type of the file; None where it names none."""
    if not isinstance(entry, dict) or not entry.get("width"):
        return None
    return FixedType(
        int(entry["width"]),
        int(entry.get("integer") or 0),
        bool(entry.get("signed", True)),
        entry.get("rounding") or "TRN",
        entry.get("saturation") or "WRAP",
    )


def _array(layer: Layer, key: str) -> FixedArray | None:
    stored = (layer.entry.get("arrays") or {}).get(key)
    if not stored or stored.get("key") not in layer.arrays:
        return None
    codes = layer.arrays[stored["key"]].astype(np.int64)
    if stored.get("axes") == "out,in":
        codes = codes.T
    if "binary" in (stored.get("encoding") or ""):
        codes = 2 * codes - 1
    constants = layer.constants
    if str(layer.entry["op"]).startswith("depthwise"):
        codes = codes.reshape(-1, int(constants["n_chan"]), 1)
    elif codes.ndim == 1 and key == "weight":
        codes = codes.reshape(-1, int(constants.get("n_filt") or layer.entry.get("n_out") or 1))
    return FixedArray(codes, int(stored.get("frac_bits") or 0))
