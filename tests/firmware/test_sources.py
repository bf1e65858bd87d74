"""The top function's ports and calls, and the graph that they make; no compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware import Layout, find, index_ports, probes, read_graph, top_ports
from pquant_hls.firmware.cpp import Source
from pquant_hls.firmware.declared import Declared
from pquant_hls.firmware.target import read_spec
from pquant_hls.firmware.values import SourceNames
from pquant_hls.golden import random_inputs
from pquant_hls.hls import load_project
from pquant_hls.qor import FixedPointGraph
from tests.firmware import miniature
from tests.helpers import Edit, known


def names(tmp_path: Path, text: str) -> SourceNames:
    (tmp_path / "x.h").write_text(text)
    return SourceNames(Declared().take(Source.read(tmp_path / "x.h")))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("3 * N", 15),
        ("DIV_ROUNDUP(N * 4, 3) - 2 / 5", 7),
        ("(N == -1) ? 1 : N << 2", 20),
        ("nnet::softmax_implementation::stable", "stable"),
        ("-(N)", -5),
        ("0x10u", 16),
        ("2.5e-1", 0.25),
        ("true", True),
        ("unknown(3, 4)", None),
        ("1 / 0", None),
        ("1 << 60", None),
        ("(" * 200 + "1" + ")" * 200, None),
        ("A", None),
    ],
)
def test_expressions(tmp_path: Path, expression: str, value: object) -> None:
    text = f"#define N 5\n#define A B\n#define B A\nstatic const int given = {expression};\n"
    found = names(tmp_path, text)
    assert found.value(found.declared.values["given"]) == value


def test_a_name_that_stands_for_nothing_is_itself(tmp_path: Path) -> None:
    found = names(tmp_path, "static const int given = SOME_WORD;\n")
    assert found.value(found.declared.values["given"]) == "SOME_WORD"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ap_fixed<16,6>", "ap_fixed<16,6>"),
        ("ap_ufixed<10,4,AP_RND,AP_SAT,AP_SAT>", "ap_ufixed<10,4,AP_RND,AP_SAT>"),
        ("nnet::array<ap_fixed<8,2>, 4*2>", "ap_fixed<8,2>"),
        ("ap_uint<13>", "ap_ufixed<13,13,AP_TRN_ZERO,AP_WRAP>"),
    ],
)
def test_types(tmp_path: Path, text: str, kind: str) -> None:
    found = names(tmp_path, f"typedef {text} first_t;\nusing second_t = first_t;\n")
    assert str(found.stored("second_t")) == kind
    assert found.stored("float") is None


def test_lanes_of_a_stream(tmp_path: Path) -> None:
    found = names(tmp_path, "#define N 3\ntypedef nnet::array<ap_fixed<8,2>, N*2> word_t;\n")
    assert found.lanes("hls::stream<word_t>") == 6
    assert found.lanes("ap_fixed<8,2>") is None


def graph_of(folder: Path) -> FixedPointGraph:
    return read_graph(find(folder))


def test_the_graph_of_the_sources(tmp_path: Path) -> None:
    graph = graph_of(miniature.project(tmp_path / "p"))
    assert [(node.name, node.op, node.inputs, node.shape) for node in graph.nodes] == [
        ("x", "input", (), (3,)),
        ("fc1", "dense", ("x",), (2,)),
        ("relu1", "relu", ("fc1",), (2,)),
        ("out", "dense", ("relu1",), (2,)),
    ]
    fc1, out = graph.node("fc1"), graph.node("out")
    assert {key: str(kind) for key, kind in fc1.types.items()} == {
        "weight": "ap_fixed<6,1>",
        "bias": "ap_fixed<6,1>",
        "accum": "ap_fixed<16,8>",
    }
    assert np.array_equal(fc1.arrays["weight"].values, [[0.5, -0.25], [0.75, 0.96875], [-0.5, 0.125]])
    assert np.array_equal(out.arrays["weight"].values, [[0.75, 0.25], [-0.5, 0.375]]), (
        "the outputs stand first"
    )
    assert (out.strategy, out.reuse_factor, fc1.strategy, fc1.reuse_factor) == ("resource", 2, "latency", 1)
    assert (graph.outputs, graph.io_type, graph.name) == (("out",), "io_parallel", "mini")


def test_another_name_of_an_array_is_a_reshape(tmp_path: Path) -> None:
    tail = "    auto& flat_out = layer3_out;\n" + miniature.LAST.replace("(layer3_out", "(flat_out")
    graph = graph_of(miniature.write(tmp_path / "firmware", tail=tail))
    node = graph.node("flat")
    assert (node.op, node.inputs, node.shape) == ("reshape", ("relu1",), (2,))
    assert graph.node("out").inputs == ("flat",)


INDEXED = """    nnet::embedding<input_t, layer2_t, config5>(second, layer5_out, w4); // names
    nnet::dense<layer3_t, result_t, config4>(layer3_out, layer4_out, w4, b4); // out"""


def test_ports_of_embeddings_are_indices(tmp_path: Path) -> None:
    """Beyond its entries an embedding reads whatever lies there: random inputs keep to them."""
    sizes = {"n_in": 2, "n_out": 1, "vocab_size": 3}
    members = " ".join(f"static const unsigned {name} = {size};" for name, size in sizes.items())
    more = f"struct config5 {{ {members} }};"
    output = f"input_t second[2], {miniature.OUTPUT}"
    tail = f"    layer2_t layer5_out[2];\n{INDEXED}"
    folder = miniature.write(tmp_path / "firmware", tail=tail, output=output, more=more)
    assert index_ports(find(folder)) == {"second": 3}
    x, second = random_inputs(load_project(folder), 400)
    assert {*second.ravel().tolist()} == {0.0, 1.0, 2.0}
    assert x.min() < -5


@pytest.mark.parametrize(
    ("kind", "accum"),
    [
        ("ap_fixed<8,5>", "ap_fixed<9,6>"),
        ("ap_int<8>", "ap_fixed<9,9,AP_TRN_ZERO,AP_WRAP>"),
        ("ap_fixed<8,5,AP_RND_CONV,AP_SAT>", "ap_fixed<8,5,AP_RND_CONV,AP_SAT>"),
        ("ap_ufixed<8,0>", "ap_ufixed<8,0>"),
    ],
)
def test_an_old_mean_is_summed_in_what_its_overload_says(
    tmp_path: Path, edit: Edit, kind: str, accum: str
) -> None:
    """nnet_pooling.h before 1.0 widens sums of plain ap_fixed and ap_int alone."""
    more = "struct config5 { static const unsigned n_in = 2; static const unsigned n_filt = 1; "
    more += "static const nnet::Pool_Op pool_op = nnet::Average; typedef model_default_t accum_t; };"
    tail = "    nnet::global_pooling1d_cl<layer3_t, result_t, config5>(layer3_out, layer4_out); // mean"
    folder = miniature.write(tmp_path / "firmware", tail=tail, output="result_t layer4_out[1]", more=more)
    edit(folder, "defines.h", "ap_fixed<8,5,AP_RND_CONV,AP_SAT> layer3_t", f"{kind} layer3_t")
    (folder / "nnet_utils" / "nnet_pooling.h").write_text("// no accumulator\n")
    node = graph_of(folder).node("mean_mean")
    assert (node.op, str(node.types["accum"])) == ("global_average_pooling1d", accum)


def two_inputs(folder: Path) -> Layout:
    more = "struct config5 { static const unsigned n_elem = N_LAYER_2; };"
    tail = "    nnet::add<layer3_t, input_t, result_t, config5>(layer3_out, second, layer4_out); // sum"
    output = "input_t second[N_LAYER_2], const unsigned &mode, result_t layer4_out[N_LAYER_2]"
    return find(miniature.write(folder, tail=tail, output=output, more=more))


def test_two_inputs(tmp_path: Path) -> None:
    layout = two_inputs(tmp_path / "firmware")
    assert [port.name for port in top_ports(layout)[0]] == ["x", "second"]
    assert read_graph(layout).node("sum").inputs == ("relu1", "second")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nnet::dense<", "nnet::dense_fork<", "out: no rule reads 'dense_fork'"),
        ("w4,", "w5,", "no header gives w5 values"),
        ("config4", "config2", "out: gives values of shape|out: w4 holds"),
        (
            miniature.LAST.strip(),
            "for (int i = 0; i < 2; i++) layer4_out[i] = layer3_out[i];",
            r"mini\.cpp:\d+: layer4: no rule reads 'layer4_out.i. = layer3_out.i.;'",
        ),
    ],
)
def test_what_stands_against_a_graph_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    layout = find(miniature.write(tmp_path / "firmware", tail=miniature.LAST.replace(old, new)))
    assert len(top_ports(layout)[1]) == 1, "csim still works"
    with pytest.raises(UnsupportedModel, match=said):
        read_graph(layout)


def test_a_type_that_is_not_fixed_point_stands_against_a_graph(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware")
    defines = folder / "defines.h"
    defines.write_text(
        defines.read_text().replace("typedef ap_fixed<16,8> layer2_t", "typedef float layer2_t")
    )
    with pytest.raises(UnsupportedModel, match="the type of layer2_out, float, is not fixed-point"):
        graph_of(folder)


def test_a_text_that_cannot_be_parsed_is_named_with_its_line(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware", tail=f"    result_t = = class;\n{miniature.LAST}")
    with pytest.raises(UnsupportedModel, match=r"mini\.cpp:\d+: cannot be parsed"):
        graph_of(folder)


def test_a_size_that_nothing_tells_is_named(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware", output="result_t layer4_out[N_UNKNOWN]")
    with pytest.raises(
        UnsupportedModel, match=r"mini\.cpp:\d+: the length N_UNKNOWN of an array cannot be told"
    ):
        top_ports(find(folder))
    other = miniature.write(tmp_path / "other", sizes="#define N_INPUT 100000000\n#define N_LAYER_2 2")
    with pytest.raises(UnsupportedModel, match="an array of 100,000,000 values"):
        top_ports(find(other))


def test_a_struct_of_arrays_is_counted(tmp_path: Path) -> None:
    more = "struct both_t { result_t scores[2]; std::pair<std::array<input_t, 3>, input_t> more; };"
    tail = miniature.LAST.replace("layer4_out", "y.scores")
    found = find(miniature.write(tmp_path / "firmware", output="both_t &y", more=more, tail=tail))
    (port,) = top_ports(found)[1]
    assert (port.name, port.shape, port.kind) == ("y", (6,), None)


def test_probes_stand_behind_every_layer(tmp_path: Path) -> None:
    found = find(miniature.write(tmp_path / "firmware"))
    assert [(probe.layer, probe.shape) for probe in probes(found)] == [
        ("fc1", (2,)),
        ("relu1", (2,)),
        ("out", (2,)),
    ]


def test_build_files_tell_what_it_is_built_for(tmp_path: Path) -> None:
    spec = known(read_spec(find(miniature.project(tmp_path / "p"))))
    assert (spec.backend, spec.part, spec.clock_ns) == ("Vitis", "xcvu13p-flga2577-2-e", 2.5)
    assert spec.clock_uncertainty_ns == pytest.approx(0.3125)
    assert read_spec(find(miniature.deployed(tmp_path))) is None


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("defines.h", "#define N_LAYER_2 2", f"#define N_LAYER_2 {'1*' * 5000}2"),
        ("defines.h", "#define N_LAYER_2 2", f"#define N_LAYER_2 {'(' * 5000}2{')' * 5000}"),
        (
            "defines.h",
            "typedef ap_fixed<12,6> result_t",
            "typedef again_t result_t;\ntypedef result_t again_t",
        ),
        (
            "mini.cpp",
            "result_t layer4_out[N_LAYER_2]",
            f"std::pair<{'std::pair<' * 5000}result_t layer4_out[2]",
        ),
        ("mini.cpp", "void mini(", f"{'namespace a {' * 3000}\nvoid mini("),
        ("weights.h", "0.50000, -0.25000", "0.50000, nonsense"),
    ],
)
def test_hostile_sources_end_in_one_of_our_errors(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Or are read as what a compiler would make of them."""
    folder = miniature.write(tmp_path / "firmware")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    said = ""
    try:
        layout = find(folder)
        assert len(top_ports(layout)) == 2
        assert len(read_graph(layout).nodes) == 4
    except UnsupportedModel as cause:
        said = str(cause)
    assert len(said) < 2000
