"""Read the JSON of a synthesised design (schema ``synthesis-corpus-design/1``) into the project's own
records.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target

SCHEMA = "synthesis-corpus-design/1"
FALLBACK = FixedType(16, 6)
_OPS = {
    "dense": "dense",
    "compute_layer": "dense",
    "dense_simple": "dense",
    "dense_large": "dense",
    "dense_ss": "dense",
    "dense_large_stream_me": "dense",
    "td_dense": "dense",
    "pointwise_conv_1d_cl": "conv1d",
    "conv_1d_cl": "conv1d",
    "pointwise_conv_1d_cl_ss": "conv1d",
    "pointwise_conv_1d_cl_switch": "conv1d",
    "conv_2d_cl": "conv2d",
    "conv_2d_large_cl": "conv2d",
    "conv_2d_cl_me": "conv2d",
    "conv_2d_cl_ss": "conv2d",
    "conv_2d_cl_switch": "conv2d",
    "pointwise_conv_2d_cl": "conv2d",
    "depthwise_conv_2d_cl": "depthwise_conv2d",
    "normalize": "batchnorm",
    "normalize_me": "batchnorm",
    "normalize_ss": "batchnorm",
    "normalize_switch": "batchnorm",
    "linear": "quantize",
    "relu": "relu",
    "relu_me": "relu",
    "relu_ss": "relu",
    "relu_switch": "relu",
    "relu_array": "relu",
    "leaky_relu_me": "leaky_relu",
    "leaky_relu_ss": "leaky_relu",
    "leaky_relu_switch": "leaky_relu",
    "hard_tanh": "hard_tanh",
    "sigmoid": "sigmoid",
    "sigmoid_me": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "quantizer": "quantize",
    "pooling1d_cl": "max_pooling1d",
    "pooling2d_cl": "max_pooling2d",
    "pooling2d_cl_switch": "max_pooling2d",
    "pooling2d_large_cl_nopad_pad_me": "max_pooling2d",
    "pooling_ss": "max_pooling2d",
    "global_pooling1d_cl": "global_average_pooling1d",
    "zeropad1d_cl": "zero_padding1d",
    "zeropad2d_cl": "zero_padding2d",
    "zeropad2d_cl_me": "zero_padding2d",
    "zeropad2d_cl_ss": "zero_padding2d",
    "zeropad2d_cl_switch": "zero_padding2d",
    "clone_stream_ss": "clone",
    "clone_stream_switch": "clone",
    "concatenate1d_ss": "concatenate",
    "concatenate1d_switch": "concatenate",
    "concatenate2d_1": "concatenate",
    "multiply_ss": "multiply",
    "multiply_switch": "multiply",
    "repack_stream": "reshape",
}


@dataclass(frozen=True)
class Truth:
    """What the tool said of one design: worst cycles, and used LUT, FF, DSP and BRAM (None where it is not
    told).
    """

    cycles: int | None
    lut: float | None
    ff: float | None
    dsp: float | None
    bram_18k: float | None


@dataclass(frozen=True)
class Design:
    """One synthesised design; ``group`` is what must stay together when folds are made."""

    id: str
    kind: str
    family: str
    weight_kind: str
    tool: str
    trust: str
    group: str
    graph: FixedPointGraph
    target: Target
    truth: Truth
    clock_estimated_ns: float | None = None


def read_designs(folder: Path) -> list[Design]:
    """Every design of ``folder`` (or of its subfolder ``designs``), in order of the file names."""
    inner = folder / "designs"
    return [read_design(path) for path in sorted((inner if inner.is_dir() else folder).glob("*.json"))]


def read_design(path: Path) -> Design:
    """One design JSON with its ``.npz`` of integer weights where it names one."""
    record = json.loads(path.read_text())
    if record.get("schema") != SCHEMA:
        raise SystemExit(f"{path}: not a design of schema {SCHEMA}")
    arrays: dict[str, np.ndarray] = {}
    if record.get("weights_file"):
        with np.load(path.parent / record["weights_file"], allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    used, tool = record["result"].get("used") or {}, record["tool"]
    names = ("lut", "ff", "dsp", "bram_18k")
    truth = Truth(record["result"].get("latency_cycles_max"), *(used.get(name) for name in names))
    return Design(
        record["id"],
        record["kind"],
        record["target"].get("family", ""),
        _weight_kind(record),
        tool["name"],
        record.get("trust", {}).get("level", "high"),
        _group(record),
        _graph(record, arrays),
        _target(record),
        truth,
        record["result"].get("clock_estimated_ns"),
    )


def _weight_kind(record: dict[str, Any]) -> str:
    model = (record.get("metrics") or {}).get("model", "")
    for word, kind in (
        ("binary", "binary"),
        ("ternary", "ternary"),
        ("fixed", "qkeras"),
        ("HGQ", "hgq"),
        ("Dense", "dense"),
    ):
        if word in model:
            return kind
    return "-"


def _group(record: dict[str, Any]) -> str:
    metrics = record.get("metrics")
    network = f"/{metrics['task']}/{metrics['architecture']}" if metrics else ""
    return f"{record['source']['repo']}{network}"


def _target(record: dict[str, Any]) -> Target:
    target, tool = record["target"], record["tool"]
    return Target(
        part=target["part"],
        clock_ns=target["clock_target_ns"],
        clock_uncertainty_ns=target.get("clock_uncertainty_ns") or 0.0,
        tool="vitis" if "Vitis" in tool["name"] else "vivado",
        tool_version=tool.get("version"),
    )


def _graph(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> FixedPointGraph:
    first = record.get("input") or {}
    kind = _type(first.get("type")) or _type(record["layers"][0].get("input_type")) or FALLBACK
    nodes = [Node("in", "input", (), _input_shape(record["layers"][0], first.get("shape")), kind)]
    made: dict[str, str] = {}
    ordered = (record["tool"].get("settings") or {}).get("config_op mul", "").removeprefix(
        "-impl"
    ).strip() or None
    for index, layer in enumerate(record["layers"]):
        wires = layer.get("variables") or []  # inputs first, then outputs; only outputs are new names
        sources = [made[name] for name in wires if name in made] or [nodes[-1].name]
        nodes.append(_node(f"n{index}", {**layer, "multiplier": ordered}, tuple(sources), nodes[-1], arrays))
        made.update({name: f"n{index}" for name in wires[1:] if name not in made})
    read = {name for node in nodes for name in node.inputs}
    outputs = tuple(node.name for node in nodes if node.name not in read)
    setup = record["hls4ml"]
    backend = setup.get("backend") or "Vivado"
    return FixedPointGraph(
        tuple(nodes), outputs, setup.get("io_type") or "io_parallel", backend, record["id"]
    )


def _node(
    name: str, layer: dict[str, Any], inputs: tuple[str, ...], before: Node, arrays: dict[str, np.ndarray]
) -> Node:
    op = _OPS.get(layer["op"], "quantize" if layer["op"].startswith("h_") else "other")
    keys = ("weight", "bias", "accum", "table", "exp_table", "inv_table")
    types = {key: kind for key in keys if (kind := _type(layer.get(f"{key}_type")))}
    constants = layer.get("constants") or {}
    attrs = {
        "strategy": str(layer.get("strategy") or "latency").lower(),
        "reuse_factor": int(layer.get("reuse_factor") or 1),
        "n_in": layer.get("n_in"),
        "n_out": layer.get("n_out"),
        "n_zeros": layer.get("n_zeros"),
        "table_size": layer.get("table_size"),
        "kernel": _kernel(constants),
        "pool": _pool(constants),
        "parallelization_factor": constants.get("n_pixels"),
        "op_name": layer["op"],
        "multiplier": layer["multiplier"],
        "mult": layer.get("mult"),
        "constants": constants,
    }
    if op.startswith(("conv", "depthwise")) and "n_chan" in constants:
        terms = math.prod(attrs["kernel"] or [1])
        attrs["n_in"] = terms * int(constants["n_chan"]) if op.startswith("conv") else terms
        attrs["n_out"] = (
            int(constants.get("n_filt") or 1) if op.startswith("conv") else int(constants["n_chan"])
        )
    stored = {
        key: array for key in ("weight", "bias", "scale") if (array := _array(layer, key, arrays)) is not None
    }
    return Node(
        name,
        op,
        inputs,
        _shape(layer, op, before, constants),
        _type(layer.get("output_type")) or before.result,
        types,
        stored,
        {key: value for key, value in attrs.items() if value is not None},
    )


def _shape(layer: dict[str, Any], op: str, before: Node, constants: dict[str, Any]) -> tuple[int, ...]:
    if op == "dense":
        return (int(layer.get("n_out") or 1),)
    places = [int(constants[key]) for key in ("out_height", "out_width") if key in constants]
    channels = constants.get("n_filt") if op != "depthwise_conv2d" else constants.get("n_chan")
    if places:
        return (*places, int(channels or constants.get("n_chan") or 1))
    if op.startswith("max_pooling1d") and layer.get("n_out"):
        return (int(layer["n_out"]), before.shape[-1])
    if op.startswith("global"):
        return (int(constants.get("n_filt") or before.shape[-1]),)
    size = layer.get("n_in")
    return before.shape if size is None or size == math.prod(before.shape) else (int(size),)


def _kernel(constants: dict[str, Any]) -> list[int] | None:
    return [int(constants[key]) for key in ("filt_height", "filt_width") if key in constants] or None


def _pool(constants: dict[str, Any]) -> list[int] | None:
    return [int(constants[key]) for key in ("pool_height", "pool_width") if key in constants] or None


def _input_shape(layer: dict[str, Any], shape: Any) -> tuple[int, ...]:
    constants = layer.get("constants") or {}
    places = [int(constants[key]) for key in ("in_height", "in_width") if key in constants]
    if places:
        return (*places, int(constants.get("n_chan") or 1))
    return tuple(shape or (layer.get("n_in") or 1,))


def _type(entry: Any) -> FixedType | None:
    if not entry or not entry.get("width"):
        return None
    return FixedType(
        int(entry["width"]),
        int(entry["integer"]),
        bool(entry.get("signed", True)),
        entry.get("rounding") or "TRN",
        entry.get("saturation") or "WRAP",
    )


def _array(layer: dict[str, Any], key: str, arrays: dict[str, np.ndarray]) -> FixedArray | None:
    entry = (layer.get("arrays") or {}).get(key)
    if not entry or entry.get("key") not in arrays:
        return None
    codes = arrays[entry["key"]].astype(np.int64)
    if entry.get("axes") == "out,in":
        codes = codes.T
    if "binary" in (entry.get("encoding") or ""):
        codes = 2 * codes - 1
    constants = layer.get("constants") or {}
    if layer["op"].startswith("depthwise"):
        codes = codes.reshape(-1, int(constants["n_chan"]), 1)
    elif codes.ndim == 1 and key == "weight":
        codes = codes.reshape(-1, int(constants.get("n_filt") or layer.get("n_out") or 1))
    return FixedArray(codes, int(entry.get("frac_bits") or 0))
