"""A design as a QONNX file, executed by qonnx on csim's vectors before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import OutputError, ToolFailed, ToolNotFound
from pquant_hls.export.emulator import proven_vectors
from pquant_hls.export.integers import whole_graph
from pquant_hls.export.qonnx_model import OUTPUT, qonnx_model
from pquant_hls.files import write_bytes
from pquant_hls.golden import Golden
from pquant_hls.hls import HlsProject

Floats = NDArray[np.float64]
INSTALL = "pip install 'pquant_hls[qonnx]'"


@dataclass(frozen=True)
class WrittenQonnx:
    """A written model of so many ``nodes``: ``vectors`` through qonnx gave what csim gives, every bit."""

    path: Path
    vectors: int
    nodes: int


def export_qonnx(
    project: HlsProject, out: Path, *, golden: Golden | None = None, timeout_s: float = 600.0
) -> WrittenQonnx:
    """Write a design as the QONNX file ``out``, where that is exact.

    Parameters
    ----------
    golden : vectors to prove it by; 256 random inputs through csim when left out.
    timeout_s : seconds for compiling csim, and for running it.

    Raises
    ------
    UnsupportedModel : a layer that QONNX cannot say exactly (layer and reason).
    NotMeasured : no graph says all of the design.
    ToolNotFound : no onnx or qonnx. ToolFailed : qonnx gives another value than csim.
    OutputError : ``out`` exists or cannot be written. Else as csim.
    """
    if out.exists():
        raise OutputError("exists already", where=out, mend="give a new file")
    for name in ("onnx", "qonnx"):
        if find_spec(name) is None:
            raise ToolNotFound(f"{name} is not installed", where="export qonnx", mend=INSTALL)
    model = qonnx_model(whole_graph(project, timeout_s=timeout_s))
    vectors = proven_vectors(project, golden, timeout_s)
    _prove(model, vectors, out)
    write_bytes(out, model.SerializeToString(deterministic=True))
    return WrittenQonnx(out, vectors.count, len(model.graph.node))


def _prove(model: Any, vectors: Golden, out: Path) -> None:
    """Every value of every vector; raises ToolFailed with the first that differs."""
    names = [tensor.name for tensor in model.graph.input]
    shapes = [[size.dim_value for size in tensor.type.tensor_type.shape.dim] for tensor in model.graph.input]
    run = _runner(model)
    for row in range(vectors.count):
        given = {
            name: port.values[row].reshape(shape).astype(np.float32)
            for name, shape, port in zip(names, shapes, vectors.inputs, strict=True)
        }
        found = run(given)
        for index, port in enumerate(vectors.outputs):
            values, wanted = found[f"{OUTPUT}{index}"].ravel(), port.values[row].ravel()
            wrong = np.flatnonzero(values != wanted)
            if len(wrong):
                place = int(wrong[0])
                raise ToolFailed(
                    f"qonnx gives {values[place]:g}, csim {wanted[place]:g}: vector {row}, {port.name}[{place}]",
                    where=out,
                )


def _runner(model: Any) -> Any:
    """What executes a model by qonnx: inputs by name to outputs by name."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    wrapped = ModelWrapper(model)
    return lambda given: execute_onnx(wrapped, given)
