"""The emulator equals g++ csim of real converted QKeras networks, every output value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pquant_hls.rtl import Emulator
from pquant_hls.spec import HlsSpec
from tests.helpers import known

pytestmark = [pytest.mark.gxx, pytest.mark.slow]


@pytest.mark.parametrize(
    ("io_type", "backend", "start"), [("io_parallel", "Vitis", 0), ("io_stream", "Vivado", 300)]
)
def test_random_networks_are_emulated_as_csim_computes_them(
    tmp_path: Path, io_type: str, backend: str, start: int
) -> None:
    from pquant_hls.csim import build, predict
    from pquant_hls.hls import convert
    from pquant_hls.testing.constructs import REFUSED, SEVERAL
    from pquant_hls.testing.exactness import mended, parts
    from pquant_hls.testing.networks import combined, drawn_inputs, random_model, seeds_without

    spec = HlsSpec(io_type=io_type, backend=backend)
    seeds = seeds_without(REFUSED | SEVERAL, 4, start)
    judged = [mended(random_model(seed), spec) for seed in seeds]
    models = [model for model, reason in judged if not reason]
    project = convert(combined(models), spec, tmp_path / "project")
    inputs = [drawn_inputs(model, 300, seed)[0] for seed, model in enumerate(models)]
    found = predict(build(project, cache=tmp_path / "cache"), inputs if len(inputs) > 1 else inputs[0])
    graph = known(project.graph)
    fed = dict(zip((node.name for node in graph.inputs), inputs, strict=True))
    outputs = found if isinstance(found, list) else [found]
    assert len(outputs) == len(models) > 0
    for part, expected in zip(parts(graph), outputs, strict=True):
        out = Emulator(part).predict(fed[part.inputs[0].name])
        np.testing.assert_array_equal(np.reshape(out, expected.shape), expected, err_msg=part.outputs[0])
