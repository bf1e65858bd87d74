"""An HLS project of a program of single values: one function, which its C++ template computes whole."""

from __future__ import annotations

import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls.design import STRATEGIES, uncertainty
from pquant_hls.hls.project import GRAPH_FILE, PROJECT_FILE, SCHEMA_VERSION, HlsProject, load_project
from pquant_hls.hls.record import check_empty, check_project_name, new_project, save_info
from pquant_hls.network.capture import captured
from pquant_hls.qor import FixedPointGraph
from pquant_hls.spec import HlsSpec

_PACKAGES = ("pquant_hls", "hls4ml", "alkaid", "numpy")


def write_logic(
    graph: FixedPointGraph, code: str, spec: HlsSpec, out: Path, notes: tuple[str, ...] = ()
) -> HlsProject:
    """Write the project of a graph of one input and one ``logic`` node into the folder ``out``, which must be empty or absent.

    Parameters
    ----------
    code : the C++ template of the program, named as the node.
    notes : what the project's record says besides.

    Raises
    ------
    OutputError : ``out`` is not empty or cannot be written.
    SpecError : the project's name is a word of C++.
    UnsupportedModel : hls4ml cannot write it for these options.
    """
    out = Path(out).absolute()
    check_empty(out)
    check_project_name(spec)
    with new_project(out) as folder:
        with captured():
            _written(graph, code, spec, folder)
        graph.save(folder / GRAPH_FILE)
        save_info(folder / PROJECT_FILE, _info(spec, folder, notes))
    return load_project(out)


def _written(graph: FixedPointGraph, code: str, spec: HlsSpec, folder: Path) -> None:
    """hls4ml's project of the two layers."""
    import hls4ml
    from hls4ml.model.graph import ModelGraph
    from hls4ml.model.types import Source

    _add_layer()
    port, logic = graph.nodes
    config = hls4ml.converters.create_config(
        output_dir=str(folder),
        project_name=spec.project_name,
        backend=spec.backend,
        part=spec.part,
        clock_period=spec.clock_ns,
        clock_uncertainty=uncertainty(spec),
        io_type="io_parallel",
    )
    types = {node.name: {"Precision": {"result": node.result.text}} for node in graph.nodes}
    whole = {"Precision": {"default": spec.precision}, "ReuseFactor": 1, "Strategy": STRATEGIES["latency"]}
    config["HLSConfig"] = {"Model": whole, "LayerName": types}
    layers = [
        {"class_name": "InputLayer", "name": port.name, "input_shape": list(port.shape)},
        {
            "class_name": "FixedPointLogic",
            "name": logic.name,
            "inputs": [port.name],
            "n_out": logic.shape[0],
            "logic_code": Source(code),
            "trace": True,
        },
    ]
    try:
        ModelGraph.from_layer_list(config, layers).write()
    except Exception as cause:  # hls4ml raises bare Exception for all it cannot take
        raise UnsupportedModel(f"hls4ml cannot write this: {cause}", where=graph.name) from cause


def _info(spec: HlsSpec, folder: Path, notes: tuple[str, ...]) -> dict[str, Any]:
    written = HlsProject(folder, spec.project_name, (), ())
    versions = {name: metadata.version(name) for name in _PACKAGES}
    return {
        "schema_version": SCHEMA_VERSION,
        "exact": True,
        "spec": json.loads(spec.model_dump_json()),
        "versions": versions,
        "shapes": {},
        "notes": list(notes),
        "sources": written.source_digests(),
    }


@cache
def _add_layer() -> None:
    """Register, once, the layer and its call for the backends of AMD."""
    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate
    from hls4ml.model.layers import Layer, register_layer

    class FixedPointLogic(Layer):  # type: ignore[misc]  # hls4ml has no types
        def initialize(self) -> None:
            self.add_output_variable([self.get_attr("n_out")])

    class LogicCall(FunctionCallTemplate):  # type: ignore[misc]  # hls4ml has no types
        def __init__(self) -> None:
            super().__init__(FixedPointLogic, include_header=[])
            self.name = "fixedpointlogic_function_template"

        def format(self, node: Any) -> str:
            given = self._default_function_params(node)
            return "nnet::{name}<{input_t}, {output_t}>({input}, {output});".format(**given)

    register_layer("FixedPointLogic", FixedPointLogic)
    for name in ("Vivado", "Vitis"):
        get_backend(name).register_template(LogicCall)
