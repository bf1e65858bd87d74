"""csim of foreign firmware: its own C++ compiled with our entry, layers seen without trace calls, graphs borne out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.csim import build, predict
from pquant_hls.errors import NotMeasured, ToolFailed
from pquant_hls.export import export_emulator
from pquant_hls.golden import check, random_inputs, record
from pquant_hls.hls import load_project
from pquant_hls.measure import measure_project
from pquant_hls.measure.proof import Contradicted, prove
from pquant_hls.spec import HlsSpec
from tests.firmware import miniature
from tests.helpers import Edit, Shell, cycles_of, single

pytestmark = pytest.mark.gxx
X = np.random.default_rng(5).normal(0, 3, (64, 3))


def outputs(folder: Path, cache: Path) -> np.ndarray:
    return single(predict(build(load_project(folder), cache=cache), X))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, csim_cache: Path) -> np.ndarray:
    """What the network gives in the layout that hls4ml 1.x writes."""
    return outputs(miniature.project(tmp_path_factory.mktemp("mini") / "p"), csim_cache)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return miniature.project(tmp_path / "p")


def test_every_layout_computes_the_same(tmp_path: Path, csim_cache: Path, expected: np.ndarray) -> None:
    assert np.ptp(expected) > 1
    assert np.array_equal(outputs(miniature.deployed(tmp_path), csim_cache), expected)
    alone = miniature.write(tmp_path / "firmware", namespace="a::b", sizes=miniature.CONSTANTS)
    assert np.array_equal(outputs(alone, csim_cache), expected)


def test_sizes_as_arguments_and_pointers_are_passed(
    tmp_path: Path, csim_cache: Path, expected: np.ndarray
) -> None:
    output = "result_t *layer4_out, unsigned short &const_size_in_1, const unsigned &mode"
    folder = miniature.write(tmp_path / "firmware", output=output)
    assert np.array_equal(outputs(folder, csim_cache), expected)


STRUCT = "struct both_t { result_t scores[2]; std::pair<std::array<result_t, 2>, result_t> more; };"
BY_HAND = """
    for (int i = 0; i < 2; i++) {
        y.scores[i] = kept[i];
        y.more.first[i] = kept[1 - i];
    }
    y.more.second = kept[0];"""


def test_a_struct_of_arrays_and_pairs_is_read_member_by_member(
    tmp_path: Path, csim_cache: Path, expected: np.ndarray
) -> None:
    tail = f"    result_t kept[2];\n{miniature.LAST.replace('layer4_out', 'kept')}{BY_HAND}"
    more = f"}}\n#include <array>\n#include <utility>\nnamespace jets {{\n{STRUCT}"
    folder = miniature.write(
        tmp_path / "firmware", namespace="jets", output="both_t &y", more=more, tail=tail
    )
    found = outputs(folder, csim_cache)
    assert np.array_equal(found, expected[:, [0, 1, 1, 0, 0]])


def test_a_value_that_is_given_back_is_an_output(
    tmp_path: Path, csim_cache: Path, expected: np.ndarray
) -> None:
    folder = miniature.write(tmp_path / "firmware")
    source = folder / "mini.cpp"
    text = source.read_text().replace(
        "void mini(input_t x[N_INPUT], result_t layer4_out[N_LAYER_2])", "result_t mini(input_t x[N_INPUT])"
    )
    text = text.replace(
        miniature.LAST, f"    result_t layer4_out[2];\n{miniature.LAST}\n    return layer4_out[1];"
    )
    source.write_text(text)
    assert np.array_equal(outputs(folder, csim_cache), expected[:, 1:])


STREAM = """#ifndef HLS_STREAM_H_
#define HLS_STREAM_H_
#include <deque>
namespace hls {
template <class T> class stream {
    std::deque<T> data;

  public:
    stream(const char * = "") {}
    bool empty() { return data.empty(); }
    size_t size() { return data.size(); }
    void write(const T &value) { data.push_back(value); }
    T read() {
        T value = data.front();
        data.pop_front();
        return value;
    }
};
} // namespace hls
namespace nnet {
template <class T, unsigned N> struct array {
    typedef T value_type;
    static const unsigned size = N;
    T data[N];
    T &operator[](size_t i) { return data[i]; }
};
template <class X, class Y, class C> void relu(hls::stream<X> &x, hls::stream<Y> &y) {
    while (!x.empty()) {
        X in = x.read();
        Y out;
        for (unsigned i = 0; i < X::size; i++)
            out[i] = in[i] > 0 ? double(in[i]) : 0.0;
        y.write(out);
    }
}
} // namespace nnet
#endif
"""


def test_streams_are_filled_and_read_word_by_word(tmp_path: Path, csim_cache: Path) -> None:
    folder = miniature.write(tmp_path / "firmware")
    (folder / "ap_types" / "hls_stream.h").write_text(STREAM)
    defines = folder / "defines.h"
    types = (
        "typedef nnet::array<ap_fixed<8,4>, 2*1> word_t;\ntypedef nnet::array<ap_fixed<6,4>, 2*1> small_t;\n"
    )
    defines.write_text(
        defines.read_text().replace(
            '#include "ap_fixed.h"', f'#include "ap_fixed.h"\n#include "hls_stream.h"\n{types}'
        )
    )
    config = "struct relu_config9 : nnet::activ_config { static const unsigned n_in = 6; };"
    (folder / "mini.cpp").write_text(
        f'#include "mini.h"\n#include "parameters.h"\n{config}\n'
        "void mini(hls::stream<word_t> &x, hls::stream<small_t> &y) {\n"
        '    hls::stream<word_t> between("between");\n'
        "    nnet::relu<word_t, word_t, relu_config9>(x, between); // first\n"
        "    nnet::relu<word_t, small_t, relu_config9>(between, y); // second\n}\n"
    )
    project = load_project(folder)
    assert [(port.name, port.shape) for port in (*project.inputs, *project.outputs)] == [
        ("x", (6,)),
        ("y", (6,)),
    ]
    values = np.array([[-1.0, 0.5, 2.25, 0.0, 1.0, 3.0]])
    found, layers = predict(build(project, cache=csim_cache), values, trace=True)
    assert np.array_equal(layers["first"], [[0, 0.5, 2.25, 0, 1, 3]])
    assert np.array_equal(single(found), [[0, 0.5, 2.25, 0, 1, 3]])


def test_layers_are_seen_without_trace_calls(whole: Path, csim_cache: Path) -> None:
    before = {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()}
    project = load_project(whole)
    golden = record(project, random_inputs(project, 64), cache=csim_cache)
    assert list(golden.layers) == ["fc1", "relu1", "out"]
    assert {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()} == before
    source = whole / "firmware" / "defines.h"
    source.write_text(
        source.read_text().replace(
            "ap_fixed<8,5,AP_RND_CONV,AP_SAT> layer3_t", "ap_fixed<7,5,AP_RND_CONV,AP_SAT> layer3_t"
        )
    )
    result = check(whole, golden, cache=csim_cache)
    assert (result.passed, result.layer) == (False, "relu1")


HIDDEN = """struct hidden_t {
        layer3_t values[2];
    };
    hidden_t layer3_out[1];"""


def test_a_top_in_which_probes_do_not_compile_runs_without_them(
    whole: Path, csim_cache: Path, expected: np.ndarray
) -> None:
    source = whole / "firmware" / "mini.cpp"
    text = source.read_text().replace("layer3_t layer3_out[N_LAYER_2];", HIDDEN)
    text = text.replace("(layer2_out, layer3_out)", "(layer2_out, layer3_out[0].values)")
    source.write_text(text.replace("(layer3_out, layer4_out", "(layer3_out[0].values, layer4_out"))
    library = build(load_project(whole), cache=csim_cache)
    found, layers = predict(library, X, trace=True)
    assert np.array_equal(single(found), expected)
    assert layers == {}


def test_a_graph_is_proven_layer_by_layer(whole: Path, csim_cache: Path) -> None:
    proof = prove(load_project(whole), vectors=300, cache=csim_cache)
    assert proof.whole
    assert proof.layers == ("fc1", "relu1", "out")
    assert proof.notes == ("graph read from the C++ sources, 3 of 3 layers equal to csim on 300 vectors",)


def test_a_graph_that_csim_contradicts_is_not_used(whole: Path, csim_cache: Path) -> None:
    library = whole / "firmware" / "nnet_utils" / "nnet_dense.h"
    library.write_text(
        library.read_text().replace(
            "y[i] = x[i] > 0 ? double(x[i]) : 0.0", "y[i] = x[i] > 0.25 ? double(x[i]) : 0.0"
        )
    )
    with pytest.raises(
        Contradicted,
        match=r"relu1: csim gives 0 where the graph says 0\.\d+, on .* the vectors .*the graph is not used",
    ):
        prove(load_project(whole), vectors=300, cache=csim_cache)
    with pytest.raises(NotMeasured, match="relu1: csim gives"):
        measure_project(whole, "estimate")


def test_a_foreign_project_is_estimated(whole: Path, tmp_path: Path) -> None:
    qor = measure_project(whole, "estimate")
    assert cycles_of(qor) >= 1
    assert "3 of 3 layers equal to csim" in qor.notes[-1]
    place = miniature.deployed(tmp_path)
    with pytest.raises(NotMeasured, match=r"nothing tells the part and clock .*--part"):
        measure_project(place, "estimate")
    asked = HlsSpec.parse({"part": "xcvu13p-flga2577-2-e", "clock_ns": 2.5, "clock_uncertainty": "12.5%"})
    assert measure_project(place, "estimate", spec=asked).latency == qor.latency


def test_the_command_line_takes_part_and_clock(tmp_path: Path, shell: Shell) -> None:
    place = miniature.deployed(tmp_path)
    status, _, said = shell("measure", place, "--using", "estimate", "--part", "xcvu13p-flga2577-2-e")
    assert (status, "--part and --clock go together" in said) == (2, True)
    status, told, _ = shell(
        "measure", place, "--using", "estimate", "--part", "xcvu13p-flga2577-2-e", "--clock", "400 MHz"
    )
    assert status == 0
    assert "3 of 3 layers equal to csim" in told


def test_deployed_firmware_is_exported(tmp_path: Path) -> None:
    made = export_emulator(load_project(miniature.deployed(tmp_path)), tmp_path / "out", "jets_v1")
    assert made.vectors == 256
    text = (made.path / "jets_v1_cmssw.cpp").read_text()
    assert "hls4ml_mini_v1::mini_v1(_x, _layer4_out)" in text


def test_a_firmware_without_its_headers_is_told_what_to_do(tmp_path: Path, csim_cache: Path) -> None:
    place = miniature.deployed(tmp_path)
    library = place / "NN" / "nnet_utils"
    source = place / "NN" / "parameters.h"
    source.write_text(f"// hls-fpga-machine-learning insert includes\n{source.read_text()}")
    library.rename(tmp_path / "nnet_utils")
    with pytest.raises(
        Exception,
        match=r"headers nnet_utils are missing .* 0\.7 to 0\.8 .*hls4ml==0\.8\.1 .*PQUANT_HLS_HEADERS",
    ):
        build(load_project(place), cache=csim_cache)


def test_headers_that_are_named_are_used(
    tmp_path: Path, csim_cache: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = miniature.deployed(tmp_path)
    (place / "NN" / "nnet_utils").rename(tmp_path / "nnet_utils")
    monkeypatch.setenv("PQUANT_HLS_HEADERS", str(tmp_path))
    library = build(load_project(place), cache=csim_cache)
    assert np.array_equal(single(predict(library, X)), expected)
    assert re.fullmatch(r"the firmware is kept without nnet_utils: those of .* are used", library.notes[0])


def test_an_error_of_the_compiler_names_the_sources_own_line(whole: Path, csim_cache: Path) -> None:
    source = whole / "firmware" / "mini.cpp"
    source.write_text(source.read_text().replace("nnet::relu<", "nnet::rely<"))
    with pytest.raises(ToolFailed, match=r"g\+\+: firmware/mini\.cpp:9:\d+: error: .*rely"):
        build(load_project(whole), cache=csim_cache)


def test_a_firmware_without_its_types_gets_those_of_the_installed_hls4ml(
    tmp_path: Path, csim_cache: Path, expected: np.ndarray
) -> None:
    """AMD's own ap_fixed, where the miniature has a small one: the same numbers."""
    place = miniature.deployed(tmp_path)
    shutil.rmtree(place / "NN" / "ap_types")
    library = build(load_project(place), cache=csim_cache)
    assert re.fullmatch(
        r"the firmware is kept without ap_types: those of hls4ml [\d.]+ are used", library.notes[0]
    )
    assert np.array_equal(single(predict(library, X)), expected)


def test_a_merge_request_is_gated(tmp_path: Path, shell: Shell) -> None:
    place = miniature.deployed(tmp_path)
    target = ("--part", "xcvu13p-flga2577-2-e", "--clock", "2.5")
    status, told, _ = shell("gate", place, *target, "--limit", "latency_ns=60 ns", "--limit", "lut=100000")
    assert status == 0, told
    status, _, _ = shell("gate", place, *target, "--limit", "lut=1")
    assert status == 1


OLD_CONVOLUTION = """struct conv1d_config {};
template <class X, class Y, class C>
void conv_1d_latency_cl(X x[C::n_in * C::n_chan], Y y[C::n_out * C::n_filt],
                        typename C::weight_t w[C::filt_width * C::n_chan * C::n_filt], typename C::bias_t b[C::n_filt]) {
    for (unsigned place = 0; place < C::n_out; place++) {
        typename C::accum_t sum = double(b[0]);
        for (unsigned tap = 0; tap < C::filt_width; tap++) {
            unsigned at = place * C::stride + tap;
            bool inside = at >= C::pad_left && at < C::pad_left + C::n_in;
            if (inside) sum = double(sum) + double(typename C::accum_t(double(x[at - C::pad_left]) * double(w[tap])));
        }
        y[place] = double(sum);
    }
}
struct activ_config {};
"""
ITS_STRUCT = """struct config2 : nnet::conv1d_config {
    static const unsigned pad_left = 0;
    static const unsigned pad_right = 1;
    static const unsigned n_in = N_INPUT;
    static const unsigned n_chan = 1;
    static const unsigned filt_width = 2;
    static const unsigned n_filt = 1;
    static const unsigned stride = 2;
    static const unsigned dilation = 1;
    static const unsigned n_out = N_LAYER_2;
"""


def test_a_convolution_in_the_words_of_hls4ml_0_3(whole: Path, csim_cache: Path, edit: Edit) -> None:
    sources = whole / "firmware"
    edit(sources, "nnet_utils/nnet_dense.h", "struct activ_config {};\n", OLD_CONVOLUTION)
    text = (sources / "parameters.h").read_text()
    start, end = text.index("struct config2"), text.index("    static const unsigned io_type")
    (sources / "parameters.h").write_text(text[:start] + ITS_STRUCT + text[end:])
    edit(
        sources,
        "weights.h",
        "w2[6] = {0.50000, -0.25000, 0.75000, 0.96875, -0.50000, 0.12500}",
        "w2[2] = {0.5, -0.25}",
    )
    edit(sources, "weights.h", "b2[2] = {0.25000, -0.50000}", "b2[1] = {0.25}")
    edit(sources, "mini.cpp", "nnet::dense<input_t", "nnet::conv_1d_latency_cl<input_t")
    proof = prove(load_project(whole), vectors=300, cache=csim_cache)
    assert proof.layers == ("fc1", "relu1", "out")
    node = proof.graph.node("fc1")
    assert (node.op, node.shape, node.attrs["strides"], node.attrs["padding"]) == (
        "conv1d",
        (2, 1),
        [2],
        [[0, 1]],
    )
