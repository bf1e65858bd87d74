"""The Verilog project: a folder of its own, for users who want RTL instead of HLS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import DataError, NotMeasured, OutputError
from pquant_hls.errors.bounds import json_values
from pquant_hls.files import replacing
from pquant_hls.qor import FixedPointGraph, Target
from pquant_hls.rtl import testbench, vectors, verilog
from pquant_hls.rtl.bridge import Program, bridge
from pquant_hls.rtl.emulator import Emulator, Inputs, stored_inputs
from pquant_hls.rtl.timing import Pipelined, pipeline

SCHEMA_VERSION = 1
INFO_FILE, GRAPH_FILE = "rtl.json", "graph.zip"
GOLDEN_VECTORS = 64
KEYS = ("name", "stages", "latency_cycles", "stage_typical_ns", "stage_worst_ns", "register_bits")
LATER_KEYS = ("lut", "products", "note")
"""What ``rtl.json`` holds since version 0.2."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RtlProject:
    """A written Verilog project.

    ``latency_cycles`` counts register ranks from input to output, both included; a new input is taken each
    cycle (II = 1). ``stage_typical_ns`` and ``stage_worst_ns`` are the period expected after routing and its upper
    bound; ``lut`` is what is expected there with its bounds, None in a folder of version 0.1.0, as is ``products``.
    """

    path: Path
    name: str
    graph: FixedPointGraph
    target: Target
    stages: int
    latency_cycles: int
    stage_typical_ns: float
    stage_worst_ns: float
    register_bits: int
    lut: tuple[float, float, float] | None = None
    products: int | None = None
    note: str = ""

    @property
    def sources(self) -> tuple[Path, Path]:
        return self.path / "src" / f"{self.name}.v", self.path / "src" / f"{self.name}_core.v"

    @property
    def testbench(self) -> Path:
        return self.path / "sim" / f"{self.name}_tb.v"

    @property
    def ports(self) -> tuple[tuple[verilog.VerilogPort, ...], tuple[verilog.VerilogPort, ...]]:
        return verilog.ports(self.graph)


def to_verilog(
    graph: FixedPointGraph,
    target: Target,
    out: Path,
    *,
    name: str | None = None,
    x_golden: Inputs | None = None,
    least_stages: int = 1,
) -> RtlProject:
    """Write pipelined Verilog of ``graph`` for the clock and family of ``target`` into ``out``.

    Parameters
    ----------
    out : a new or empty folder, or one this function wrote before, which is then replaced.
    name : top module; the graph's name when left out.
    x_golden : inputs (n, *shape) of the golden vectors; 64 random ones over the input types when left out.
    least_stages : as many pipeline stages at least: a retrained design then takes the cycles of the one before.

    Raises
    ------
    NotMeasured : a layer that cannot be exact (named), or a family without known delays.
    OutputError : ``out`` holds something else, or cannot be written.
    DataError : ``x_golden`` does not fit.
    """
    out, top = Path(out), verilog.verilog_identifier(name or graph.name)
    _check_replaceable(out)
    program = bridge(graph).optimized()
    pipelined = pipeline(program.logic, target, least_stages)
    if not pipelined.fsm.out_signals or not pipelined.fsm.inp_signals:
        raise NotMeasured(
            "the outputs do not depend on the inputs: there is nothing to build", where=graph.name
        )
    project = _describe(out, top, graph, target, pipelined)
    rows = stored_inputs(graph, inputs_in_range(graph) if x_golden is None else x_golden)
    if len(rows) == 0:
        raise DataError("no golden vectors", where="x_golden")
    _write(project, pipelined, rows, _golden(program, rows))
    return project


def load_rtl_project(path: Path) -> RtlProject:
    """Read what ``to_verilog`` wrote; raises OutputError where it is not such a folder or is damaged."""
    try:
        info = json_values((path / INFO_FILE).read_text())
        if info["schema_version"] != SCHEMA_VERSION:
            raise OutputError(
                f"schema {info['schema_version']} is not {SCHEMA_VERSION}", where=path / INFO_FILE
            )
        values = {key: info[key] for key in KEYS}
        values |= {key: info[key] for key in LATER_KEYS if key in info}
        values["lut"] = None if values.get("lut") is None else tuple(values["lut"])
        target = Target.model_validate(info["target"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise OutputError(f"not a Verilog project: {cause}", where=path / INFO_FILE) from cause
    return RtlProject(path, graph=FixedPointGraph.load(path / GRAPH_FILE), target=target, **values)


def inputs_in_range(
    graph: FixedPointGraph, count: int = GOLDEN_VECTORS, seed: int = 0
) -> list[Floats] | Floats:
    """``count`` inputs spread evenly over the whole range of each input type: float64 (count, *shape)."""
    rng = np.random.default_rng(seed)
    found: list[Floats] = []
    for node in graph.inputs:
        codes = rng.integers(node.result.code_min, node.result.code_max, (count, *node.shape), endpoint=True)
        found.append(codes.astype(np.float64) * node.result.lsb)
    return found[0] if len(found) == 1 else found


def _golden(program: Program, rows: Floats) -> Floats:
    """What the graph computes, by the emulator; the program that Verilog is made of must give the same."""
    expected: Floats = Emulator(program.graph).of_stored(rows)
    found = program.logic.predict(rows).reshape(len(rows), -1)
    wrong = int((found != expected).any(axis=1).sum())
    if wrong:
        raise NotMeasured(
            f"the program of the Verilog differs from the emulator on {wrong:,} of {len(rows):,} vectors: a fault of this "
            "package or of alkaid",
            where=program.graph.name,
            mend="please report it with the graph",
        )
    return expected


def _describe(
    out: Path, name: str, graph: FixedPointGraph, target: Target, pipelined: Pipelined
) -> RtlProject:
    found = pipelined.routed
    return RtlProject(
        out,
        name,
        graph,
        target,
        pipelined.stages,
        pipelined.latency_cycles,
        round(found.period_ns, 3),
        round(found.period_high_ns, 3),
        pipelined.register_bits,
        (round(found.lut), round(found.lut_low), round(found.lut_high)),
        pipelined.products,
        found.note,
    )


def _check_replaceable(out: Path) -> None:
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / INFO_FILE).is_file())):
        raise OutputError(
            "the folder for the Verilog project holds something else", where=out, mend="give a new folder"
        )


def _write(project: RtlProject, pipelined: Pipelined, rows: Floats, expected: Floats) -> None:
    """Into a folder beside, then moved: the project is there whole or not at all."""
    out = project.path
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as folder:
            for name, text in _files(project, pipelined, rows, expected).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
            project.graph.save(folder / GRAPH_FILE)
    except OSError as cause:
        raise OutputError(f"cannot write the Verilog project: {cause}", where=out) from cause


def _files(project: RtlProject, pipelined: Pipelined, rows: Floats, expected: Floats) -> dict[str, str]:
    name, ports = project.name, project.ports
    bits = [sum(port.bits for port in side) for side in ports]
    run = (len(rows), project.target.clock_ns)
    return {
        f"src/{name}.v": verilog.top_source(project.graph, pipelined, name),
        f"src/{name}_core.v": verilog.core_source(pipelined, name),
        f"constraints/{name}.xdc": testbench.constraints(project.target),
        f"sim/{name}_tb.v": testbench.testbench(name, ports, pipelined, run),
        "sim/golden_inputs.hex": vectors.to_hex(vectors.pack(ports[0], rows), bits[0]),
        "sim/golden_outputs.hex": vectors.to_hex(vectors.pack(ports[1], expected), bits[1]),
        "vivado.tcl": testbench.vivado_script(name, project.target.part),
        "README.md": testbench.readme(name, ports, pipelined, project.target),
        INFO_FILE: json.dumps(_info(project), indent=2) + "\n",
    }


def _info(project: RtlProject) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        **{key: getattr(project, key) for key in (*KEYS, *LATER_KEYS)},
        "ii_cycles": 1,
        "graph_digest": project.graph.digest(),
        "target": project.target.model_dump(),
        "versions": {package: metadata.version(package) for package in ("alkaid", "numpy")},
    }
