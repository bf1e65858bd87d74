"""A written HLS project on disk: ours, with its graph and options, or anyone's hls4ml folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import json_values
from pquant_hls.firmware import LIBRARIES, Layout, find, probes, top_ports
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
    """A project folder: ours, or anyone's firmware.

    ``spec`` and ``graph`` are None for a project this package did not write. ``traced`` maps the layers whose
    results csim can note to their shapes, in the order in which they are computed. ``layout`` says where the sources lie;
    without it they are in ``firmware``, as hls4ml writes them.
    """

    path: Path
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    spec: HlsSpec | None = None
    graph: FixedPointGraph | None = None
    traced: dict[str, tuple[int, ...]] = field(default_factory=dict)
    info: dict[str, object] = field(default_factory=dict)
    layout: Layout | None = field(default=None, compare=False, repr=False)

    @property
    def firmware(self) -> Path:
        """The folder of the top's sources."""
        return self.path / "firmware" if self.layout is None else self.layout.folder

    @property
    def source(self) -> Path:
        """The file of the top function."""
        return self.firmware / f"{self.name}.cpp" if self.layout is None else self.layout.source.path

    @property
    def read(self) -> Layout:
        """The sources as they are read; raises UnsupportedModel as ``firmware.find``."""
        return find(self.path) if self.layout is None else self.layout

    @property
    def weights(self) -> Path:
        return self.firmware / "weights"

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file the csim library depends on, in a fixed order."""
        inside = [p for p in sorted(self.firmware.rglob("*")) if p.is_file() and p.suffix not in BUILT]
        beside = [p for p in sorted(self.path.glob("*.h*")) if p.is_file() and p.suffix in HEADERS]
        bridge = [p for p in (self.path / f"{self.name}_bridge.cpp",) if p.is_file()]
        included = (
            [] if self.layout is None else [p for p in self.layout.files if p.is_relative_to(self.path)]
        )
        return tuple(dict.fromkeys((*bridge, *inside, *beside, *included)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the conversion dropped, replaced, renamed or rounded; nothing is known of other projects."""
        found = self.info.get("notes")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def edited(self) -> tuple[str, ...]:
        """Files of the design that are not as they were written, by place; none of a project that another tool wrote.

        Headers of the library and the bridge, which csim does not use, are left out: the graph says nothing of them.
        """
        known = self.info.get("sources")
        if not isinstance(known, dict):
            return ()
        now = self.source_digests()
        apart = sorted(name for name in {*known, *now} if known.get(name) != now.get(name))
        return tuple(
            name for name in apart if name.startswith("firmware/") and not {*LIBRARIES} & {*name.split("/")}
        )

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
    foreign = _read_sources(Path(path))
    path = foreign.path
    if not (path / PROJECT_FILE).is_file():
        return foreign
    info = _read_info(path / PROJECT_FILE)
    graph_path = path / GRAPH_FILE
    graph = FixedPointGraph.load(graph_path) if graph_path.is_file() else None
    spec = HlsSpec.parse(info["spec"], path=str(path / PROJECT_FILE))
    shapes = info["shapes"]
    if not isinstance(shapes, dict):
        raise UnsupportedModel("damaged project file: no shapes", where=path / PROJECT_FILE)
    return replace(
        foreign,
        inputs=_with_shapes(foreign.inputs, shapes),
        outputs=_with_shapes(foreign.outputs, shapes),
        spec=spec,
        graph=graph,
        traced={layer: tuple(shapes.get(layer, shape)) for layer, shape in foreign.traced.items()},
        info=info,
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


def _read_sources(path: Path) -> HlsProject:
    layout = find(path)
    for place, name in layout.missing:
        if Path(name).parent.name == "weights":
            continue  # told by what compares the two copies
        where = layout.folder / name
        raise UnsupportedModel(f"this file of the HLS project is missing; {place} includes it", where=where)
    inputs, outputs = top_ports(layout)
    return HlsProject(
        layout.root,
        layout.name,
        tuple(Port(port.name, port.shape, port.kind) for port in inputs),
        tuple(Port(port.name, port.shape, port.kind) for port in outputs),
        traced={probe.layer: probe.shape for probe in probes(layout)},
        layout=layout,
    )
