"""C++ on integers gives what the emulator gives, of every operation, in every mode."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import INTEGER_PRELUDE, Emulator, integer_code
from pquant_hls.rtl.emulator import stored_inputs
from pquant_hls.rtl.project import inputs_in_range
from tests.rtl.rtl_graphs import (
    chain,
    conv_graph,
    dense_graph,
    merge_graph,
    pointwise_graph,
    pool_graph,
)

pytestmark = pytest.mark.gxx

WRAPPER = """#include <cstdint>
{prelude}
{code}
extern "C" void rows(std::size_t count, const Code *in, Code *out) {{
    for (std::size_t row = 0; row < count; row++) run(in + row * {n_in}, out + row * {n_out});
}}
"""


def computed(graph: FixedPointGraph, stored: np.ndarray, folder: Path) -> np.ndarray:
    """Outputs (events, n_out) of the C++ for stored inputs (events, n_in), flat and joined, float64 both."""
    ends = [[graph.node(name) for name in graph.outputs], graph.inputs]
    out, into = (np.concatenate([np.full(np.prod(n.shape), n.result.lsb) for n in side]) for side in ends)
    text = WRAPPER.format(
        prelude=INTEGER_PRELUDE, code=integer_code(graph, "run"), n_in=len(into), n_out=len(out)
    )
    (folder / "run.cpp").write_text(text)
    library = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"  # one name is loaded once
    flags = ("-std=c++17", "-fsanitize=undefined", "-fno-sanitize-recover", "-fPIC", "-shared")
    subprocess.run(["g++", *flags, "run.cpp", "-o", library.name], cwd=folder, check=True)
    codes, found = (stored / into).astype(np.int64), np.zeros((len(stored), len(out)), np.int64)
    loaded = ctypes.CDLL(str(library))
    loaded.rows(len(codes), codes.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p))
    floats: np.ndarray = found * out
    return floats


def check(graph: FixedPointGraph, folder: Path) -> None:
    x = inputs_in_range(graph, 100)
    expected = Emulator(graph).predict(x)
    parts = expected if isinstance(expected, list) else [expected]
    found = computed(graph, stored_inputs(graph, x), folder)
    np.testing.assert_array_equal(found, np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1))


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=st.one_of(dense_graph(), conv_graph(), pool_graph(), pointwise_graph(), merge_graph()))
def test_random_graphs(graph: FixedPointGraph, tmp_path: Path) -> None:
    check(graph, tmp_path)


@pytest.mark.parametrize("kind", ["ap_fixed<5,3>", "ap_ufixed<4,1>"])
def test_a_table_is_looked_up_by_the_raw_bits(kind: str, tmp_path: Path) -> None:
    source, result = FixedType.parse(kind), FixedType.parse("ap_fixed<9,4,AP_RND,AP_SAT>")
    table = FixedArray(np.random.default_rng(4).integers(-300, 300, 2**source.width), 6)
    node = Node("table", "lookup", ("x",), (3,), result, {}, {"table": table})
    check(chain(Node("x", "input", (), (3,), source), node), tmp_path)


def test_a_network_of_all_roundings(tmp_path: Path) -> None:
    """Negative sums are cut and wrapped as ap_fixed does, never as C++ divides."""
    source = FixedType.parse("ap_fixed<8,4>")
    nodes = [Node("x", "input", (), (4,), source)]
    for place, mode in enumerate(
        ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
    ):
        for saturation in ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM"):
            kind = FixedType(5, 3, place % 2 == 0, mode, saturation)
            nodes.append(Node(f"{mode}_{saturation}", "quantize", ("x",), (4,), kind))
    graph = FixedPointGraph(tuple(nodes), tuple(node.name for node in nodes[1:]), "io_parallel")
    check(graph, tmp_path)


def test_what_has_no_exact_rule_is_refused() -> None:
    node = Node("scores", "softmax", ("x",), (4,), FixedType(8, 1))
    with pytest.raises(NotMeasured, match="softmax"):
        integer_code(chain(Node("x", "input", (), (4,), FixedType(8, 4)), node), "run")
