"""The emulator equals g++ csim of real converted QKeras networks, every output value."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.measure.rtl import Emulator
from pquant_hls.qor import FixedPointGraph
from pquant_hls.spec import HlsSpec

pytestmark = [pytest.mark.gxx, pytest.mark.slow]


def ending_in(graph: FixedPointGraph, output: str) -> FixedPointGraph:
    """The part of a graph that one output depends on."""
    needed = {output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return FixedPointGraph(tuple(n for n in graph.nodes if n.name in needed), (output,), graph.io_type)


@pytest.mark.parametrize(
    ("io_type", "backend", "seeds"),
    [("io_parallel", "Vitis", range(4)), ("io_stream", "Vivado", range(4, 6))],
)
def test_random_networks_are_emulated_as_csim_computes_them(tmp_path, io_type, backend, seeds):
    from pquant_hls.hls import build, convert, predict
    from pquant_hls.testing.exactness import mended
    from pquant_hls.testing.networks import combined, random_inputs, random_model

    spec = HlsSpec(io_type=io_type, backend=backend)
    judged = [mended(random_model(seed), spec) for seed in seeds]
    models = [model for model, reason in judged if not reason]
    project = convert(combined(models), spec, tmp_path / "project")
    inputs = [random_inputs(model, 300, seed)[0] for seed, model in enumerate(models)]
    found = predict(build(project, cache=tmp_path / "cache"), inputs if len(inputs) > 1 else inputs[0])
    fed = dict(zip((node.name for node in project.graph.inputs), inputs, strict=True))
    outputs = found if isinstance(found, list) else [found]
    assert len(outputs) == len(models) > 0
    for name, expected in zip(project.graph.outputs, outputs, strict=True):
        part = ending_in(project.graph, name)
        out = Emulator(part).predict(fed[part.inputs[0].name])
        np.testing.assert_array_equal(np.reshape(out, expected.shape), expected, err_msg=name)
