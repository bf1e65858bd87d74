"""The graph read from the sources that we wrote is the graph that we saved with them: hls4ml's own picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.firmware import find, read_graph
from pquant_hls.hls import convert
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import REFUSED
from pquant_hls.testing.exactness import mended
from pquant_hls.testing.networks import random_model, seeds_without
from tests.helpers import known
from tests.hls.hls_zoo import EXACT, model_of
from tests.hls.test_one_graph import FLOAT, SPECS

pytestmark = pytest.mark.slow
SEEDS = seeds_without(REFUSED | {"types of single values"}, 10)
"""Types of single values become functions of their own in the C++, which no rule reads."""
UNSAID_ATTRS = {"reuse_factor", "table_size"}
"""Of layers that compute nothing with them, whose configurations do not hold them."""
AXES = {"target_shape", "axis", "perm", "axes", "n_filt"}
UNSAID_TYPES = {"table", "accum"}
"""Of hard activations, which have no table, and of thresholds, which sum nothing."""


def renamed(found: FixedPointGraph, saved: FixedPointGraph) -> dict[str, str]:
    """hls4ml writes no name for a reshape that is another name of an array: what it is called in the saved graph."""
    names: dict[str, str] = {}
    for node in found.nodes:
        inputs = tuple(names.get(name, name) for name in node.inputs)
        same = [other.name for other in saved.nodes if (other.op, other.inputs) == ("reshape", inputs)]
        names[node.name] = same[0] if node.op == "reshape" and same else node.name
    return names


def stored(kind: FixedType) -> FixedType:
    """hls4ml's graph has no word for how an ap_int cuts, which matters for fractions alone."""
    return (
        FixedType(kind.width, kind.integer, kind.signed, "TRN", kind.saturation) if kind.frac == 0 else kind
    )


def unsaid(graph: FixedPointGraph) -> set[str]:
    """Nodes whose size is in the C++ and their axes are not: reshapes are other names of an array, a pooling over all places
    names its channels, and what computes value by value behind them counts values."""
    found: set[str] = set()
    for node in graph.nodes:
        starts = node.op == "reshape" or node.op.startswith("global_")
        follows = not node.kind.weighted and "pooling" not in node.op and found.intersection(node.inputs)
        if starts or follows:
            found.add(node.name)
    return found


def differences(node: Node, other: Node, names: dict[str, str], flat: set[str]) -> Iterator[str]:
    if node.op != other.op or tuple(names[name] for name in node.inputs) != other.inputs:
        yield f"{node.op} of {node.inputs} for {other.op} of {other.inputs}"
    shapes = (node.shape, other.shape)
    if node.name in flat:
        shapes = ((math.prod(node.shape),), (math.prod(other.shape),))
    if shapes[0] != shapes[1] or stored(node.result) != stored(other.result):
        yield f"{node.shape} {node.result} for {other.shape} {other.result}"
    for key in {*node.types, *other.types}:
        if node.types.get(key) != other.types.get(key) and (key in node.types or key not in UNSAID_TYPES):
            yield f"type {key} {node.types.get(key)} for {other.types.get(key)}"
    for key in {*node.attrs, *other.attrs} - (AXES if node.name in flat else set()):
        if node.attrs.get(key) != other.attrs.get(key) and (key in node.attrs or key not in UNSAID_ATTRS):
            yield f"{key} {node.attrs.get(key)} for {other.attrs.get(key)}"
    for key in {*node.arrays, *other.arrays}:
        one, two = node.arrays.get(key), other.arrays.get(key)
        if (
            one is None
            or two is None
            or one.frac_bits != two.frac_bits
            or not np.array_equal(one.codes, two.codes)
        ):
            yield f"other {key}"


def agree(found: FixedPointGraph, saved: FixedPointGraph, flat: set[str] | None = None) -> list[str]:
    """What differs between the two graphs of one design; of the nodes in ``flat`` the axes may."""
    names = renamed(found, saved)
    said = [
        f"{node.name}: {text}"
        for node in found.nodes
        for text in differences(node, saved.node(names[node.name]), names, flat or set())
    ]
    order = [names[node.name] for node in found.nodes if node.op != "reshape"]
    same = order == [node.name for node in saved.nodes if node.op != "reshape"]
    ends = tuple(names[name] for name in found.outputs) == saved.outputs
    whole = (found.io_type, found.backend, found.name) == (saved.io_type, saved.backend, saved.name)
    return [
        *said,
        *(
            []
            if same and ends and whole and len(names) == len(saved.nodes)
            else ["another order or another end"]
        ),
    ]


def check(model: object, spec: HlsSpec, folder: Path, *, reshaped: bool = False) -> None:
    project = convert(model, spec, folder, exact=False)
    found, saved = read_graph(find(folder), spec.backend), known(project.graph)
    assert agree(found, saved, unsaid(found) if reshaped else None) == []
    one, other = (known(estimate(graph, spec.target).latency) for graph in (found, saved))
    shapes = [sorted((node.op, node.shape) for node in graph.nodes) for graph in (found, saved)]
    if shapes[0] == shapes[1]:
        assert one == other
    else:  # the C++ does not state these axes, by which calls of a layer are counted: the interval holds the other's cycles
        assert known(one.cycles_max_lo) <= known(other.cycles_max) <= known(one.cycles_max_hi)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("network", FLOAT)
def test_a_float_network(network: str, spec: str, tmp_path: Path) -> None:
    check(FLOAT[network](), SPECS[spec], tmp_path / "project")


@pytest.mark.parametrize("place", range(len(SEEDS)))
def test_a_random_network(place: int, tmp_path: Path) -> None:
    spec = list(SPECS.values())[place % len(SPECS)]
    model, refused = mended(random_model(SEEDS[place]), spec)
    if refused:
        with pytest.raises(UnsupportedModel):
            convert(model, spec, tmp_path / "project")
    else:
        check(model, spec, tmp_path / "project", reshaped=True)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_every_construct(io_type: str, tmp_path: Path) -> None:
    branches = [branch for name, branch in EXACT.items() if io_type == "io_parallel" or "16-bit" not in name]
    check(model_of(branches), HlsSpec.parse({"io_type": io_type}), tmp_path / "project")


def test_another_backend(tmp_path: Path) -> None:
    check(FLOAT["image"](), HlsSpec(backend="Vivado"), tmp_path / "project")


def test_a_changed_source_is_another_graph(tmp_path: Path) -> None:
    project = convert(FLOAT["image"](), HlsSpec(), tmp_path / "project", exact=False)
    defines = project.firmware / "defines.h"
    text = defines.read_text()
    assert text.count("ap_ufixed<15,5>") > 0
    defines.write_text(text.replace("ap_ufixed<15,5>", "ap_ufixed<14,5>", 1))
    assert agree(read_graph(find(project.path)), known(project.graph)) != []
