"""FixedPointGraph: the design as integers, the one picture that emulator, RTL and estimator share."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.errors.bounds import GRAPH_BYTES, json_values, unpacked
from pquant_hls.files import write_bytes
from pquant_hls.qor.fixed import FixedType
from pquant_hls.qor.grid import FixedGrid
from pquant_hls.qor.ops import Op
from pquant_hls.qor.ops import op as find_op

SCHEMA_VERSIONS = (1, 2)
"""Graphs without grids are written as 1, so that their bytes and digests stay; those with one as 2."""


ADDERS, ADDERS_OF = "adders", "adders_of"
"""The array with the adders of a layer's sums, and the attribute that tells the weights they were made for."""


@dataclass(frozen=True)
class FixedArray:
    """Integers with a binary point: ``value = codes * 2**-frac_bits``; ``codes`` is int64 of any shape."""

    codes: NDArray[np.int64]
    frac_bits: int

    @property
    def values(self) -> NDArray[np.float64]:
        return self.codes.astype(np.float64) * 2.0**-self.frac_bits


def weights_key(weights: FixedArray) -> int:
    """Of the integers that adders are made for."""
    return zlib.crc32(np.ascontiguousarray(weights.codes).tobytes())


@dataclass(frozen=True)
class Node:
    """One operation of the firmware, as hls4ml will compute it.

    ``op`` is one of OPS, ``kind`` its record. ``inputs`` name the nodes it reads. ``shape`` is the output's shape without the
    batch axis, channels last. ``result`` is the type each output value is stored in; where there is a ``grid``, each
    was stored in its own type before. A port has one type, so an input has no grid.

    ``types`` may hold ``weight``, ``bias``, ``accum``, ``table``, ``inv_table``, ``exp_table``. ``arrays`` may
    hold ``weight`` and ``bias``: dense (n_in, n_out); conv1d (width, channels, filters); conv2d (height, width,
    channels, filters); depthwise (…, channels, multiplier); batchnorm ``scale`` and ``bias`` (channels,);
    ternary_tanh fused with a scale ``threshold_hi`` and ``threshold_lo`` (channels,); of distributed arithmetic ``adders``
    (n, 3): rows of both operands, -1 for an input or a constant, and bits of the sum.
    ``attrs`` hold small JSON values: ``strategy`` (latency | resource | distributed_arithmetic),
    ``reuse_factor``, ``strides``, ``padding`` (explicit (before, after) pairs), ``dilation``, ``pool``,
    ``axis``, ``target_shape``, ``perm``, ``slope``, ``threshold``, ``table_size``, ``implementation``,
    ``op_name`` (the hls4ml class of an ``other`` node), ``parallelization_factor``.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    result: FixedType
    types: Mapping[str, FixedType] = field(default_factory=dict)
    arrays: Mapping[str, FixedArray] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    grid: FixedGrid | None = None

    def __post_init__(self) -> None:
        find_op(self.op, where=self.name)
        self._check_grid()
        for name in ("types", "arrays", "attrs"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def _check_grid(self) -> None:
        if self.grid is None:
            return
        if self.is_input or "grid" in self.arrays:
            raise UnsupportedModel(
                "neither an input nor a node with an array 'grid' has a grid", where=self.name
            )
        shape = self.grid.width.shape
        try:
            fits = np.broadcast_shapes(shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise UnsupportedModel(f"a grid {shape} does not fit values {self.shape}", where=self.name)

    @property
    def kind(self) -> Op:
        """What the operation is, as the readers of a graph ask."""
        return find_op(self.op)

    @property
    def is_input(self) -> bool:
        return self.op == "input"

    @property
    def adders(self) -> NDArray[np.int64] | None:
        """The adders of its sums (adders, 3); None where there are none, or the weights are others by now."""
        array = self.arrays.get(ADDERS)
        stale = array is None or self.attrs.get(ADDERS_OF) != weights_key(self.arrays["weight"])
        return None if array is None or stale else array.codes

    @property
    def strategy(self) -> str:
        return str(self.attrs.get("strategy", "latency"))

    @property
    def reuse_factor(self) -> int:
        return int(self.attrs.get("reuse_factor", 1))


@dataclass(frozen=True)
class FixedPointGraph:
    """Nodes in an order in which every node follows its inputs.

    ``outputs`` are the names of the nodes whose results leave the firmware, in order.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    io_type: str = "io_parallel"
    backend: str = "Vitis"
    name: str = "myproject"

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in seen]
            if missing:
                raise UnsupportedModel(f"reads {missing} before they are computed", where=node.name)
            if node.name in seen:
                raise UnsupportedModel("two nodes carry this name", where=node.name)
            seen.add(node.name)
        unknown = [name for name in self.outputs if name not in seen]
        if unknown:
            raise UnsupportedModel(f"outputs {unknown} are not nodes of the graph", where=self.name)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes, in the order in which the firmware takes them."""
        return tuple(node for node in self.nodes if node.is_input)

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnsupportedModel(
            "no such node", where=name, mend=f"nodes: {', '.join(n.name for n in self.nodes)}"
        )

    def digest(self) -> str:
        """sha256 (hex) of structure, types and integers."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The graph as one zip archive of ``graph.json`` and one ``.npy`` for each array, the same bytes for the same graph."""
        header = {
            "schema_version": 1 if all(node.grid is None for node in self.nodes) else 2,
            "name": self.name,
            "io_type": self.io_type,
            "backend": self.backend,
            "outputs": list(self.outputs),
            "nodes": [_node_header(node) for node in self.nodes],
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "graph.json", json.dumps(header, sort_keys=True, indent=1).encode())
            for node in self.nodes:
                for key, codes in sorted(_codes(node).items()):
                    blob = io.BytesIO()
                    np.save(blob, codes.astype(np.int64), allow_pickle=False)
                    _add(archive, f"{node.name}.{key}.npy", blob.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes, where: object = "graph") -> FixedPointGraph:
        """Read what ``to_bytes`` wrote; raises UnsupportedModel where it is damaged or from a newer version."""
        try:
            with zipfile.ZipFile(io.BytesIO(blob)) as archive:
                unpacked(archive, GRAPH_BYTES)
                header = json_values(archive.read("graph.json"))
                if header["schema_version"] not in SCHEMA_VERSIONS:
                    raise UnsupportedModel(
                        f"graph schema {header['schema_version']} is none of {SCHEMA_VERSIONS}", where=where
                    )
                nodes = tuple(_read_node(archive, entry) for entry in header["nodes"])
            return cls(nodes, tuple(header["outputs"]), header["io_type"], header["backend"], header["name"])
        except PquantError:
            raise
        except (KeyError, ValueError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as cause:
            raise UnsupportedModel(f"damaged graph file: {cause}", where=where) from cause

    def save(self, path: Path) -> None:
        """Write whole or not at all; raises OutputError where the folder cannot be written."""
        write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> FixedPointGraph:
        if not path.is_file():
            raise UnsupportedModel("no such graph file", where=path)
        return cls.from_bytes(path.read_bytes(), where=path)


def _add(archive: zipfile.ZipFile, name: str, blob: bytes) -> None:
    entry = zipfile.ZipInfo(
        name, (1980, 1, 1, 0, 0, 0)
    )  # no clock in the bytes, so equal graphs are equal files
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, blob)


def _codes(node: Node) -> dict[str, NDArray[np.int64]]:
    grid = {} if node.grid is None else {"grid": node.grid.to_array()}
    return {key: array.codes for key, array in node.arrays.items()} | grid


def _node_header(node: Node) -> dict[str, Any]:
    grid = (
        {}
        if node.grid is None
        else {"grid": {"rounding": node.grid.rounding, "saturation": node.grid.saturation}}
    )
    return grid | {
        "name": node.name,
        "op": node.op,
        "inputs": list(node.inputs),
        "shape": list(node.shape),
        "result": node.result.text,
        "types": {key: kind.text for key, kind in node.types.items()},
        "arrays": {key: array.frac_bits for key, array in node.arrays.items()},
        "attrs": dict(node.attrs),
    }


def _read_node(archive: zipfile.ZipFile, entry: dict[str, Any]) -> Node:
    def array(key: str) -> NDArray[np.int64]:
        blob = io.BytesIO(archive.read(f"{entry['name']}.{key}.npy"))
        return np.asarray(np.load(blob, allow_pickle=False), np.int64)

    modes = entry.get("grid")
    return Node(
        name=entry["name"],
        op=entry["op"],
        inputs=tuple(entry["inputs"]),
        shape=tuple(entry["shape"]),
        result=FixedType.parse(entry["result"]),
        arrays={key: FixedArray(array(key), int(bits)) for key, bits in entry["arrays"].items()},
        attrs=entry["attrs"],
        grid=None if modes is None else FixedGrid.from_array(array("grid"), modes),
        types={key: FixedType.parse(text) for key, text in entry["types"].items()},
    )
