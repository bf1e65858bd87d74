"""The golden file: a JSON header that people review, then the vectors, compressed, as text.

All of it is ASCII, so ``git diff`` shows the header's changes and line ends may be rewritten without harm.
The header states the sha256 of the vectors; a file cut short or altered there is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import GoldenError, OutputError, PquantError
from pquant_hls.errors.bounds import json_values
from pquant_hls.golden.compare import Rule
from pquant_hls.golden.vectors import Vectors, one_or_all
from pquant_hls.qor import FixedType
from pquant_hls.store import write_bytes

SCHEMA_VERSION = 1
BEGIN, END = "-----BEGIN VECTORS (base64 of zlib)-----", "-----END VECTORS-----"
_KIND = "pquant_hls csim golden"
_MEND = "restore it from version control, or `pquant-hls csim record` makes it anew"


@dataclass(frozen=True)
class Golden:
    """What a project computed when it was recorded.

    ``layers`` maps each traced layer, in the order of computation, to one checksum for each input, uint32
    (n,). ``files`` maps source and weight files to digests, ``digest`` is that of the whole project.
    ``labels`` are class indices, int64 (n,), or None. ``hls4ml`` is the version that wrote the project, None
    where it is not known.
    """

    project: str
    inputs: tuple[Vectors, ...]
    outputs: tuple[Vectors, ...]
    rule: Rule
    digest: str
    files: Mapping[str, str]
    layers: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None
    hls4ml: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of input vectors."""
        return int(self.inputs[0].codes.shape[0])

    @property
    def x(self) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """The inputs, float64 (n, *shape); a list of such arrays for several ports."""
        return one_or_all([vectors.values for vectors in self.inputs])

    @property
    def y(self) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """The outputs, float64 (n, *shape); a list of such arrays for several ports."""
        return one_or_all([vectors.values for vectors in self.outputs])

    def save(self, path: Path) -> None:
        """Write the golden file whole or not at all; the same golden gives the same bytes.

        Raises
        ------
        OutputError : the file cannot be written.
        """
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise OutputError(f"cannot be written: {cause.strerror}", where=path) from cause
        write_bytes(Path(path), to_text(self).encode("ascii"))

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read a golden file.

        Raises
        ------
        GoldenError : no such file, truncated, damaged, or of a schema this version cannot read.
        """
        try:
            text = Path(path).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as cause:
            raise GoldenError(f"cannot be read: {cause}", where=path, mend=_MEND) from cause
        return from_text(text, path)


def to_text(golden: Golden) -> str:
    """The file's text."""
    arrays = {name: _narrow(array) for name, array in _arrays(golden).items()}
    blob = zlib.compress(b"".join(array.tobytes() for array in arrays.values()), 9)
    header = {
        "kind": _KIND,
        "schema_version": SCHEMA_VERSION,
        "project": golden.project,
        "count": golden.count,
        "rule": asdict(golden.rule),
        "inputs": [_describe(vectors) for vectors in golden.inputs],
        "outputs": [_describe(vectors) for vectors in golden.outputs],
        "layers": list(golden.layers),
        "hls4ml": golden.hls4ml,
        "versions": dict(golden.versions),
        "digest": golden.digest,
        "files": dict(golden.files),
        "arrays": [_layout(name, array) for name, array in arrays.items()],
        "vectors": {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()},
    }
    body = "\n".join(textwrap.wrap(base64.b64encode(blob).decode("ascii"), 100))
    return f"{_pretty(header)}\n{BEGIN}\n{body}\n{END}\n"


def from_text(text: str, where: object = "golden") -> Golden:
    """Read what ``to_text`` wrote; raises GoldenError."""
    head, begin, rest = text.partition(BEGIN)
    body, end, _ = rest.partition(END)
    if not begin or not end:
        raise GoldenError("is truncated, or no golden file", where=where, mend=_MEND)
    try:
        header = json_values(head)
        blob = base64.b64decode("".join(body.split()), validate=True)
        _check(header, blob, where)
        return _golden(header, _unpack(blob, header["arrays"]))
    except GoldenError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error, PquantError) as cause:
        raise GoldenError(f"is damaged: {type(cause).__name__} {cause}", where=where, mend=_MEND) from cause


def _check(header: Mapping[str, Any], blob: bytes, where: object) -> None:
    if header["kind"] != _KIND or header["schema_version"] != SCHEMA_VERSION:
        found = f"{header['kind']!r}, schema {header['schema_version']}"
        raise GoldenError(
            f"{found} is not {_KIND!r}, schema {SCHEMA_VERSION}", where=where, mend="record it again"
        )
    if hashlib.sha256(blob).hexdigest() != header["vectors"]["sha256"]:
        raise GoldenError("the vectors are not those the header states", where=where, mend=_MEND)


def _golden(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Golden:
    inputs = tuple(_vectors(entry, arrays[f"inputs/{i}"], header) for i, entry in enumerate(header["inputs"]))
    outputs = tuple(
        _vectors(entry, arrays[f"outputs/{i}"], header) for i, entry in enumerate(header["outputs"])
    )
    layers = {name: arrays[f"layers/{name}"].astype(np.uint32) for name in header["layers"]}
    labels = arrays["labels"].astype(np.int64) if "labels" in arrays else None
    rows: list[NDArray[Any]] = [*layers.values(), *([] if labels is None else [labels])]
    if any(array.shape != (header["count"],) for array in rows):
        raise ValueError(f"layers or labels are not of {header['count']} inputs")
    return Golden(
        header["project"],
        inputs,
        outputs,
        Rule(**header["rule"]),
        header["digest"],
        header["files"],
        layers,
        labels,
        header["hls4ml"],
        header["versions"],
    )


def _arrays(golden: Golden) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        f"inputs/{i}": vectors.codes for i, vectors in enumerate(golden.inputs)
    }
    arrays |= {f"outputs/{i}": vectors.codes for i, vectors in enumerate(golden.outputs)}
    arrays |= {f"layers/{name}": sums for name, sums in golden.layers.items()}
    return arrays if golden.labels is None else {**arrays, "labels": golden.labels}


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """The smallest little-endian integer type that holds every value."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    kinds = ("<u4",) if array.dtype == np.uint32 else ("|i1", "<i2", "<i4", "<i8")
    fits = next(kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.ascontiguousarray(array.astype(fits))


def _unpack(blob: bytes, entries: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    kinds = [np.dtype(entry["dtype"]) for entry in entries]
    sizes = [int(np.prod(entry["shape"])) * kind.itemsize for entry, kind in zip(entries, kinds, strict=True)]
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(blob, sum(sizes) + 1)  # never more than the header announces
    if len(raw) != sum(sizes) or any(kind.kind not in "iu" for kind in kinds):
        raise ValueError(f"{len(raw)} bytes of vectors, the header states {sum(sizes)}")
    arrays, start = {}, 0
    for entry, kind, size in zip(entries, kinds, sizes, strict=True):
        arrays[entry["name"]] = np.frombuffer(raw[start : start + size], kind).reshape(entry["shape"])
        start += size
    return arrays


def _layout(name: str, array: NDArray[Any]) -> dict[str, Any]:
    return {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)}


def _describe(vectors: Vectors) -> dict[str, Any]:
    kind = None if vectors.type is None else vectors.type.text
    return {
        "name": vectors.name,
        "shape": list(vectors.shape),
        "type": kind,
        "frac_bits": vectors.frac_bits,
        "lsb": vectors.lsb,
    }


def _vectors(entry: Mapping[str, Any], codes: NDArray[Any], header: Mapping[str, Any]) -> Vectors:
    shape = tuple(int(length) for length in entry["shape"])
    if codes.shape != (header["count"], int(np.prod(shape))):
        raise ValueError(f"{entry['name']} holds {codes.shape}, not {(header['count'], *shape)}")
    kind = None if entry["type"] is None else FixedType.parse(entry["type"])
    return Vectors(entry["name"], shape, codes.astype(np.int64), int(entry["frac_bits"]), kind)


def _pretty(header: Mapping[str, Any]) -> str:
    """JSON with a line for each key and for each entry of the longer values, so that diffs are short."""
    lines = []
    for key, value in header.items():
        text = json.dumps(value)
        if key in ("inputs", "outputs", "arrays"):
            text = "[\n  " + ",\n  ".join(json.dumps(entry) for entry in value) + "\n ]"
        elif key in ("files", "versions") and value:
            text = (
                "{\n  " + ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n }"
            )
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"
