"""Read the JSON of a synthesised design (schema ``synthesis-corpus-design/1``) into the project's own
records.

What a file does not tell is taken as unknown (weights, resources, clock uncertainty); a file from which no
design can be made is left out with its reason.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _firmware import LARGEST, Layer, layer_node, read_type

from pquant_hls.errors import PquantError
from pquant_hls.qor import FixedPointGraph, FixedType, Node, Target

SCHEMA = "synthesis-corpus-design/1"
FALLBACK = FixedType(16, 6)
USED = ("lut", "ff", "dsp", "bram_18k")
PARTS = {"ultrascale+": "xcvu13p-flga2577-2-e", "ultrascale": "xcku115-flvb2104-2-i", "7series": "xc7vx690t"}
"""A part of each family, for files that name the family alone."""
DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    PquantError,
    RecursionError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
"""What reading or estimating a damaged design may raise; one bad file must not end a run over hundreds."""


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
    """One synthesised design; ``group`` is what must stay together when folds are made.

    ``modules`` holds the report of each layer that has a module of its own, by the name of its node.
    """

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
    modules: Mapping[str, Truth] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The author: networks and tasks of one are groups of the fit, but not witnesses of each other."""
        return self.group.partition("/")[0]


@dataclass(frozen=True)
class Designs:
    """The designs of a folder, and why the others could not be read, by file name."""

    designs: list[Design]
    unread: dict[str, str]


def read_designs(folder: Path) -> Designs:
    """Every design of ``folder`` (or of its subfolder ``designs``), in order of the file names."""
    inner = folder / "designs" if (folder / "designs").is_dir() else folder
    if not inner.is_dir():
        raise SystemExit(f"{folder}: no such folder; give one that holds design JSON files")
    found: list[Design] = []
    unread: dict[str, str] = {}
    for path in sorted(inner.glob("*.json")):
        try:
            found.append(read_design(path))
        except DAMAGED as cause:
            unread[path.name] = reason(cause)
    return Designs(found, unread)


def reason(cause: BaseException) -> str:
    """One short line for a table."""
    words = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {words}"[:110]


def read_design(path: Path) -> Design:
    """One design JSON with its ``.npz`` of integer weights where it names one.

    Raises
    ------
    ValueError, PquantError : it is not a design, or tells too little to make one.
    """
    record = json.loads(path.read_text())
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"not a design of schema {SCHEMA}")
    if not record.get("layers"):
        raise ValueError("no layers")
    result, tool = record.get("result") or {}, str((record.get("tool") or {}).get("name") or "unknown tool")
    graph = _graph(record, _weights(path, record))
    target = _target(record)
    return Design(
        id=str(record.get("id") or path.stem),
        kind=str(record.get("kind") or "unknown kind"),
        family=target.family,
        weight_kind=_weight_kind(record),
        tool=tool,
        trust=_trust(record),
        group=_group(record, path),
        graph=graph,
        target=target,
        truth=_truth(result, result.get("latency_cycles_max")),
        clock_estimated_ns=_number(result.get("clock_estimated_ns")),
        modules=dict(_modules(record)),
    )


def _weights(path: Path, record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The stored arrays; none where the file is missing or damaged, as for designs without weights."""
    try:
        with (path.parent / str(record.get("weights_file"))).open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            return {key: stored[key] for key in stored.files}
    except DAMAGED:
        return {}


def _number(value: Any) -> float | None:
    """A finite number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _truth(record: dict[str, Any], cycles: Any) -> Truth:
    whole, used = _number(cycles), record.get("used") or {}
    return Truth(None if whole is None else round(whole), *(_number(used.get(name)) for name in USED))


def _modules(record: dict[str, Any]) -> Iterator[tuple[str, Truth]]:
    for index, layer in enumerate(record["layers"]):
        module = layer.get("module") or {}
        if module.get("used"):
            yield f"n{index}", _truth(module, module.get("latency_cycles_max"))


def _trust(record: dict[str, Any]) -> str:
    trust = record.get("trust")
    return str((trust.get("level") if isinstance(trust, dict) else trust) or "high")


def _weight_kind(record: dict[str, Any]) -> str:
    metrics = record.get("metrics")
    model = str(metrics.get("model", "")) if isinstance(metrics, dict) else ""
    words = {"binary": "binary", "ternary": "ternary", "fixed": "qkeras", "HGQ": "hgq", "Dense": "dense"}
    return next((kind for word, kind in words.items() if word in model), "-")


def _group(record: dict[str, Any], path: Path) -> str:
    """The owner of the repository; within one large set, network and task as well."""
    source, metrics = record.get("source"), record.get("metrics")
    repository = str((source.get("repo") if isinstance(source, dict) else None) or path.stem)
    network = f"/{metrics.get('task')}/{metrics.get('architecture')}" if isinstance(metrics, dict) else ""
    return f"{repository.partition('/')[0]}{network}"


def _target(record: dict[str, Any]) -> Target:
    target, tool = record["target"], record.get("tool") or {}
    part = target.get("part") or PARTS.get(str(target.get("family")))
    clock = _number(target.get("clock_target_ns"))
    if part is None or not clock:
        raise ValueError(f"no part or no clock: part {part}, clock {target.get('clock_target_ns')!r} ns")
    return Target(
        part=part,
        clock_ns=clock,
        clock_uncertainty_ns=_number(target.get("clock_uncertainty_ns")) or 0.0,
        tool=_tool(str(tool.get("name") or ""), str(tool.get("version") or "")),
        tool_version=str(tool["version"]) if tool.get("version") else None,
    )


def _tool(name: str, version: str) -> str:
    """Vitis HLS took over from Vivado HLS with 2020.2; where no name is given the version decides."""
    if "vitis" in name.lower() or "vivado" in name.lower():
        return "vitis" if "vitis" in name.lower() else "vivado"
    return "vitis" if version >= "2020.2" else "vivado"


def _graph(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> FixedPointGraph:
    layers = record["layers"]
    first = record.get("input") or {}
    kind = read_type(first.get("type")) or read_type(layers[0].get("input_type")) or FALLBACK
    foreign = {"foreign": True} if _trust(record) == "low" else {}
    nodes = [Node("in", "input", (), _input_shape(layers[0], first.get("shape")), kind, attrs=foreign)]
    made: dict[str, str] = {}
    for index, entry in enumerate(layers):
        wires = entry.get("variables") or []  # inputs first, then outputs; only outputs are new names
        sources = [made[name] for name in wires if name in made] or [nodes[-1].name]
        layer = Layer(entry, arrays, record, next(node for node in nodes if node.name == sources[0]))
        nodes.append(layer_node(f"n{index}", layer, tuple(sources)))
        made.update({name: f"n{index}" for name in wires[1:] if name not in made})
    read = {name for node in nodes for name in node.inputs}
    outputs = tuple(node.name for node in nodes if node.name not in read)
    setup = record.get("hls4ml") or {}
    return FixedPointGraph(
        tuple(nodes),
        outputs,
        "io_stream" if setup.get("io_type") == "io_stream" else "io_parallel",
        setup.get("backend") or "Vivado",
        str(record.get("id")),
    )


def _input_shape(layer: dict[str, Any], stated: Any) -> tuple[int, ...]:
    shape = _stated_shape(layer, stated)
    if min(shape) < 1 or math.prod(shape) > LARGEST:
        raise ValueError(f"an input of shape {shape}")
    return shape


def _stated_shape(layer: dict[str, Any], shape: Any) -> tuple[int, ...]:
    constants = layer.get("constants") or {}
    places = [int(constants[key]) for key in ("in_height", "in_width", "height", "width") if key in constants]
    if places:
        return (*places, int(constants.get("n_chan") or 1))
    if constants.get("n_sequence"):
        return (int(constants["n_sequence"]), int(layer.get("n_in") or 1))
    return tuple(int(size) for size in shape or (layer.get("n_in") or 1,))
