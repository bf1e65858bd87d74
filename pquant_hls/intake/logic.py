"""A program of alkaid or da4ml (combinational logic) as an HLS project that computes the same bits."""

from __future__ import annotations

import shutil
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pquant_hls.csim import compiled, predict
from pquant_hls.errors import PquantError, ToolFailed, UnsupportedModel
from pquant_hls.golden import random_inputs
from pquant_hls.intake.taken import VECTORS, Taken, keep_golden
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.qor.logic import widest
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.hls import HlsProject
    from pquant_hls.qor.logic import Logic

PLACES = ("model/comb.json.gz", "model/comb.json", "comb.json.gz", "comb.json", "project.json")
"""Where alkaid and da4ml keep the program in the folders that they write."""
SUFFIXES = (".json", ".json.gz")


def logic_file(path: Path) -> Path | None:
    """The program's file: ``path`` itself, or the one in a folder of alkaid or da4ml; None where there is none."""
    if path.is_file():
        return path if path.name.endswith(SUFFIXES) else None
    return next((path / place for place in PLACES if (path / place).is_file()), None)


def import_logic(
    path: Path, out: Path, spec: HlsSpec, *, vectors: int = VECTORS, timeout_s: float = 600.0
) -> Taken:
    """Write the program in a file as an HLS project into ``out``, prove csim against alkaid's interpreter, and keep vectors.

    All inputs are one port, all outputs another, in the program's order; each port's type holds what is read, or given, of
    each of its values.

    Raises
    ------
    UnsupportedModel : no such program, or one that reads or gives nothing.
    OutputError : ``out`` is not empty or cannot be written.
    ToolNotFound, ToolFailed : csim cannot be built or run, or gives another value than the program.
    """
    from pquant_hls.hls.logic import write_logic
    from pquant_hls.rtl.logic import logic_source, read_logic

    logic = read_logic(path)
    graph = logic_graph(logic, spec)
    code = logic_source(logic, graph.nodes[-1].name)
    told = f"program of {len(logic.ops):,} operations, from {path.name}"
    project = write_logic(graph, code, spec, out, (told,))
    try:
        proof = (_proven(project, logic, vectors, timeout_s),)
    except PquantError:
        shutil.rmtree(project.path)  # what computes something else is no project to hand on
        raise
    return Taken(
        project, "program of single values", (told, *proof), keep_golden(project, vectors, timeout_s)
    )


def logic_graph(logic: Logic, spec: HlsSpec) -> FixedPointGraph:
    """One input, one node; raises UnsupportedModel where nothing is read or given."""
    inputs = list(logic.input_types.values())
    outputs = [kind for kind in logic.output_types if any(kind)]
    if not inputs or not outputs:
        raise UnsupportedModel("gives the same whatever comes in", where=spec.project_name)
    port, result = (_type(reduce(widest, kinds)) for kinds in (inputs, outputs))
    source = Node("x", "input", (), (logic.n_inputs,), port)
    node = Node(
        "logic",
        "logic",
        ("x",),
        (len(logic.outputs),),
        result,
        arrays=logic.arrays(),
        attrs={"op_name": "logic"},
    )
    return FixedPointGraph((source, node), ("logic",), "io_parallel", spec.backend, spec.project_name)


def _type(kif: tuple[bool, int, int]) -> FixedType:
    keep, integer, frac = kif
    return FixedType(int(keep) + integer + frac, int(keep) + integer, bool(keep))


def _proven(project: HlsProject, logic: Logic, vectors: int, timeout_s: float) -> str:
    """csim against the interpreter of alkaid, every output bit."""
    from pquant_hls.rtl.logic import comb_logic

    port = project.inputs[0].type
    x = np.asarray(random_inputs(project, vectors), np.float64)
    x = x if port is None else port.quantize(x)
    with compiled(project, None, timeout_s) as library:
        found = np.asarray(predict(library, x, timeout_s=timeout_s))
    expected = comb_logic(logic).predict(x)
    wrong = np.argwhere(found != expected)
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ToolFailed(
            f"csim gives {found[row, column]:g} for output {column} where the program gives "
            f"{expected[row, column]:g}",
            where=project.path,
        )
    return f"csim equals alkaid's interpreter on {vectors:,} vectors, all bits of all outputs"
