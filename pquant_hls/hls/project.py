"""A written HLS project on disk: ours, with its graph and options, or anyone's hls4ml folder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.errors.bounds import json_values
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.spec import HlsSpec

SCHEMA_VERSION = 1
GRAPH_FILE = "pquant_graph.zip"
PROJECT_FILE = "pquant_project.json"
NORMAL_MODEL = "normal_form.keras"
BUILT = frozenset({".so", ".o", ".a"})
"""What hls4ml's own scripts leave beside the sources: made from them, not part of them."""
HEADERS = frozenset({".h", ".hh", ".hpp"})


@dataclass(frozen=True)
class Port:
    """One argument of the top function; ``type`` is None where the sources hide it."""

    name: str
    shape: tuple[int, ...]
    type: FixedType | None = None

    @property
    def size(self) -> int:
        size = 1
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class HlsProject:
    """A project folder with sources that ``vitis_hls -f build_prj.tcl`` takes.

    ``spec`` and ``graph`` are None for a project this package did not write. ``traced`` maps the layers whose
    results the sources report in csim to their shapes, in the order in which they are computed.
    """

    path: Path
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    spec: HlsSpec | None = None
    graph: FixedPointGraph | None = None
    traced: dict[str, tuple[int, ...]] = field(default_factory=dict)
    info: dict[str, object] = field(default_factory=dict)

    @property
    def firmware(self) -> Path:
        return self.path / "firmware"

    @property
    def weights(self) -> Path:
        return self.firmware / "weights"

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file the csim library depends on, in a fixed order."""
        inside = [p for p in sorted(self.firmware.rglob("*")) if p.is_file() and p.suffix not in BUILT]
        beside = [p for p in sorted(self.path.glob("*.h*")) if p.is_file() and p.suffix in HEADERS]
        return (self.path / f"{self.name}_bridge.cpp", *inside, *beside)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the conversion dropped, replaced, renamed or rounded; nothing is known of other projects."""
        found = self.info.get("notes")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def digest(self) -> str:
        """sha256 (hex) of sources and weights, by content and place inside the project."""
        lines = [f"{name}\0{digest}\n" for name, digest in self.source_digests().items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def source_digests(self) -> dict[str, str]:
        """sha256 (hex) of each file the csim library depends on, by its place inside the project."""
        found = {}
        for path in self.sources:
            if not path.is_file():
                raise UnsupportedModel("this file of the HLS project is missing", where=path)
            found[path.relative_to(self.path).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def load_project(path: Path) -> HlsProject:
    """Read a project folder: ours whole, a foreign hls4ml project from its C++ sources.

    Raises
    ------
    UnsupportedModel : not an hls4ml project, or a file of it is missing or damaged.
    """
    path = Path(path)
    name = _project_name(path)
    foreign = _read_sources(path, name)
    if not (path / PROJECT_FILE).is_file():
        return foreign
    info = _read_info(path / PROJECT_FILE)
    graph_path = path / GRAPH_FILE
    graph = FixedPointGraph.load(graph_path) if graph_path.is_file() else None
    spec = HlsSpec.parse(info["spec"], path=str(path / PROJECT_FILE))
    shapes = info["shapes"]
    if not isinstance(shapes, dict):
        raise UnsupportedModel("damaged project file: no shapes", where=path / PROJECT_FILE)
    return HlsProject(
        path,
        name,
        _with_shapes(foreign.inputs, shapes),
        _with_shapes(foreign.outputs, shapes),
        spec,
        graph,
        {layer: tuple(shapes.get(layer, shape)) for layer, shape in foreign.traced.items()},
        info,
    )


def _with_shapes(ports: tuple[Port, ...], shapes: dict[str, list[int]]) -> tuple[Port, ...]:
    """Ports with the model's own shapes, where these still have as many values as the sources say."""
    found = [Port(port.name, tuple(shapes.get(port.name, port.shape)), port.type) for port in ports]
    return tuple(new if new.size == old.size else old for new, old in zip(found, ports, strict=True))


def _read_info(path: Path) -> dict[str, object]:
    try:
        info = json_values(path.read_text())
    except (ValueError, OSError) as cause:
        raise UnsupportedModel(f"damaged project file: {cause}", where=path) from cause
    if not isinstance(info, dict) or info.get("schema_version") != SCHEMA_VERSION or "shapes" not in info:
        raise UnsupportedModel(
            "not a project file this version can read", where=path, mend="convert the model again"
        )
    return info


def _project_name(path: Path) -> str:
    if not path.is_dir():
        raise UnsupportedModel("no such project folder", where=path)
    bridges = sorted(path.glob("*_bridge.cpp"))
    names = [bridge.name.removesuffix("_bridge.cpp") for bridge in bridges]
    names = [name for name in names if (path / "firmware" / f"{name}.cpp").is_file()]
    if len(names) != 1:
        raise UnsupportedModel(
            "not an hls4ml project: expected one <name>_bridge.cpp beside firmware/<name>.cpp",
            where=path,
            mend="give the folder that holds build_prj.tcl",
        )
    if not re.fullmatch(r"[A-Za-z_]\w*", names[0], re.ASCII):
        raise UnsupportedModel(f"{names[0]!r} is no name that a C++ function can have", where=path)
    return names[0]


def _read_sources(path: Path, name: str) -> HlsProject:
    firmware = path / "firmware"
    for needed in (f"{name}.h", "defines.h", "parameters.h"):
        if not (firmware / needed).is_file():
            raise UnsupportedModel("this file of the HLS project is missing", where=firmware / needed)
    defines = Defines.read(firmware / "defines.h")
    source = (firmware / f"{name}.cpp").read_text()
    inputs, outputs = _ports(path / f"{name}_bridge.cpp", name, defines)
    return HlsProject(
        path,
        name,
        inputs,
        outputs,
        traced=_traced(source, (path / f"{name}_bridge.cpp").read_text(), defines),
    )


@dataclass(frozen=True)
class Defines:
    """Macros and typedefs of ``defines.h``."""

    macros: dict[str, int]
    types: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Defines:
        text = path.read_text()
        macros = {name: int(value) for name, value in re.findall(r"^#define\s+(\w+)\s+(\d+)\s*$", text, re.M)}
        types = {name: kind.strip() for kind, name in re.findall(r"^typedef\s+(.+?)\s+(\w+);", text, re.M)}
        return cls(macros, types)

    def shape(self, expression: str) -> tuple[int, ...]:
        """The factors of a size such as ``N_INPUT_1_1*16`` or ``24``."""
        parts = [part.strip() for part in expression.split("*")]
        try:
            return tuple(self.macros[part] if part in self.macros else int(part) for part in parts)
        except ValueError as cause:
            raise UnsupportedModel(f"cannot read the size {expression!r}", where="defines.h") from cause

    def fixed(self, name: str) -> FixedType | None:
        """The fixed-point type behind a typedef, through ``nnet::array`` of a stream."""
        text = self.types.get(name, name)
        inner = re.match(r"nnet::array<\s*(.+?)\s*,\s*[\w*\s]+>$", text)
        try:
            return FixedType.parse(inner[1] if inner else text)
        except PquantError:
            return None


_CONVERT = re.compile(
    r"nnet::convert_data<\s*(\w+)\s*,\s*(\w+)\s*,\s*([\w*\s]+?)\s*>\(\s*(\w+)\s*,\s*(\w+)\s*\)"
)


def _ports(bridge: Path, name: str, defines: Defines) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs with sizes, from the bridge's float wrapper; it states each size once."""
    text = bridge.read_text()
    body = text[text.find(f"void {name}_float(") : text.find(f"void {name}_double(")]
    inputs, outputs = [], []
    for first, second, size, left, right in _CONVERT.findall(body):
        if first == "float":
            inputs.append(Port(left, defines.shape(size), defines.fixed(second)))
        else:
            outputs.append(Port(right, defines.shape(size), defines.fixed(first)))
    if not inputs or not outputs:
        raise UnsupportedModel("cannot find inputs and outputs in the bridge", where=bridge)
    return tuple(inputs), tuple(outputs)


_TRACE = re.compile(r'nnet::save_layer_output<\s*\w+\s*>\(\s*\w+\s*,\s*"([^"]+)"\s*,\s*([\w*\s]+?)\s*\)')


_STORAGE = re.compile(r'trace_outputs->insert\(std::pair<std::string, void \*>\("([^"]+)"')


def _traced(source: str, bridge: str, defines: Defines) -> dict[str, tuple[int, ...]]:
    """Layers that report their results and have storage for them, with their sizes."""
    stored = set(_STORAGE.findall(bridge))
    return {layer: defines.shape(size) for layer, size in _TRACE.findall(source) if layer in stored}
