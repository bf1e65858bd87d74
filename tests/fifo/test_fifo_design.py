"""A residual design of streams: its traffic by csim, the depths found, and the project that has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.csim import build, predict
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.fifo import Sizing, Task, Traffic, record_traffic, run_tasks, size_fifos, with_fifo_depths
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.hls.streams import stream_depths
from pquant_hls.spec import HlsSpec
from tests.helpers import known, resources_of
from tests.hls.hls_zoo import act, bits, conv2d, dense, relu

pytestmark = [pytest.mark.gxx, pytest.mark.slow]
SHAPE = (8, 8, 2)


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (2, *SHAPE))


@pytest.fixture(scope="module")
def model() -> Any:
    """Two convolutions beside a skip connection, then a pool and a dense layer."""
    entry = keras.Input(SHAPE)
    x = act(relu(5, 2))(conv2d(3, 3, padding="same", name="first")(act(bits(6, 2))(entry)))
    y = act(relu(5, 2))(conv2d(3, 3, padding="same", name="second")(x))
    y = conv2d(3, 3, padding="same", name="third")(y)
    z = act(relu(5, 2))(keras.layers.Add(name="sum")([x, y]))
    z = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(z))
    model = keras.Model(entry, dense(2, name="end")(z))
    rng = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(rng.uniform(-0.5, 0.5, variable.shape))
    return model


@pytest.fixture(scope="module")
def project(model: Any, tmp_path_factory: pytest.TempPathFactory) -> HlsProject:
    return convert(model, HlsSpec(io_type="io_stream"), tmp_path_factory.mktemp("streams") / "project")


@pytest.fixture(scope="module")
def found(project: HlsProject, events: np.ndarray) -> tuple[Traffic, Sizing]:
    return record_traffic(project, events), size_fifos(project, events)


def skip_of(traffic: Traffic) -> str:
    """The FIFO between the copy and the sum."""
    read = {s for reads, _ in traffic.steps[traffic.tasks.index("sum")] for s in reads}
    return next(
        traffic.streams[s] for s in read if str(traffic.writer(traffic.streams[s])).startswith("clone")
    )


def test_traffic_is_what_the_shapes_say(project: HlsProject, found: tuple[Traffic, Sizing]) -> None:
    traffic = found[0]
    graph = known(project.graph)
    assert set(traffic.tasks) <= {node.name for node in graph.nodes}
    for name, count in traffic.tokens.items():
        writer = traffic.writer(name)
        shape = SHAPE if writer is None else graph.node(writer).shape
        assert count == int(np.prod(shape[:-1]))
    assert traffic.depths == stream_depths(project)


def test_the_skip_connection_holds_the_delay_of_the_long_branch(found: tuple[Traffic, Sizing]) -> None:
    traffic, sizing = found
    skip = skip_of(traffic)
    assert 2 * 8 < sizing.depths[skip] < 64
    assert all(depth <= 8 for name, depth in sizing.depths.items() if name != skip)
    names = (*traffic.tasks, "in", "out")
    tasks = [Task(name, steps, 0) for name, steps in zip(names, traffic.steps, strict=True)]
    for places, stuck in ((sizing.depths[skip], False), (4, True)):
        depths = {**sizing.depths, skip: places}
        flow = run_tasks(tasks, [depths.get(name, 2) for name in traffic.streams], 3)
        assert bool(flow.stuck) is stuck
    assert sizing.rated


def test_the_project_gets_the_depths_and_computes_what_it_did(
    project: HlsProject, found: tuple[Traffic, Sizing], events: np.ndarray, tmp_path: Path
) -> None:
    before = project.source_digests()
    copy = load_project(Path(shutil.copytree(project.path, tmp_path / "copy")))
    sized = with_fifo_depths(copy, found[1].depths)
    assert stream_depths(sized) == found[1].depths
    changed = [name for name, digest in sized.source_digests().items() if before[name] != digest]
    assert changed == [f"firmware/{project.name}.cpp"]
    assert sized.info["sources"] == sized.source_digests()
    a, b = (predict(build(each, cache=tmp_path / "cache"), events) for each in (project, sized))
    assert np.array_equal(np.asarray(a), np.asarray(b))
    old, new = (resources_of(estimate(known(p.graph), known(p.spec).target)) for p in (project, sized))
    assert known(new.bram_18k) < known(old.bram_18k)
    assert known(new.ff) < known(old.ff)
    assert project.source_digests() == before


def test_what_cannot_be_is_said(project: HlsProject, tmp_path: Path) -> None:
    copy = load_project(Path(shutil.copytree(project.path, tmp_path / "copy")))
    with pytest.raises(SpecError, match="no FIFO of this name"):
        with_fifo_depths(copy, {"nowhere": 4})
    name = next(iter(stream_depths(copy)))
    with pytest.raises(SpecError, match="at least 2"):
        with_fifo_depths(copy, {name: 1})
    source = copy.firmware / f"{copy.name}.cpp"
    source.write_text(source.read_text().replace("#pragma HLS STREAM", "#pragma HLS"))
    with pytest.raises(UnsupportedModel, match="no FIFOs"):
        record_traffic(load_project(copy.path), np.zeros((1, *SHAPE)))
    with pytest.raises(SpecError, match="io_stream"):
        HlsSpec.parse({"fifo_depths": "auto"})


def test_a_recipe_s_designs_get_them(
    model: Any, events: np.ndarray, found: tuple[Traffic, Sizing], tmp_path: Path
) -> None:
    spec = HlsSpec(io_type="io_stream", fifo_depths="auto")
    data: Any = SimpleNamespace(x_val=events)
    run: Any = None
    bench = Bench(data, spec, None, run)
    made = bench._written(Point(model, "digest"), spec, tmp_path, exact=True)
    assert stream_depths(made) == found[1].depths


def test_the_command_prints_and_writes(
    project: HlsProject, found: tuple[Traffic, Sizing], tmp_path: Path, capsys: Any
) -> None:
    from pquant_hls.cli.app import main
    from pquant_hls.cli.fifo import _show

    copy = Path(shutil.copytree(project.path, tmp_path / "copy"))
    with pytest.raises(SystemExit) as ended:
        main(["fifo", str(copy), "--write", "--json"])
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert {row["fifo"]: row["depth"] for row in said["fifos"]} == stream_depths(load_project(copy))
    assert said["written"]
    _show(found[1], project, load_project(copy))
    shown = capsys.readouterr().out
    assert all(word in shown for word in (skip_of(found[0]), "waits for ever", "BRAM_18K"))
