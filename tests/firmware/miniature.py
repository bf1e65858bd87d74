"""Firmware of a few lines in the layouts that hls4ml's versions and their users leave, with headers of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

MINI = Path(__file__).resolve().parents[1] / "mini_project" / "firmware"
LAYERS = """#ifndef NNET_DENSE_H_
#define NNET_DENSE_H_
#include "nnet_helpers.h"
namespace nnet {
enum strategy { latency, resource };
enum io_type { io_parallel, io_stream };
struct dense_config {};
struct activ_config {};
template <class X, class Y, class C>
void dense(X x[C::n_in], Y y[C::n_out], typename C::weight_t w[C::n_in * C::n_out], typename C::bias_t b[C::n_out]) {
    for (unsigned j = 0; j < C::n_out; j++) {
        typename C::accum_t sum = double(b[j]);
        for (unsigned i = 0; i < C::n_in; i++) {
            unsigned place = C::strategy == resource ? j * C::n_in + i : i * C::n_out + j;
            sum = double(sum) + double(typename C::accum_t(double(x[i]) * double(w[place])));
        }
        y[j] = double(sum);
    }
}
template <class X, class Y, class C> void relu(X x[C::n_in], Y y[C::n_in]) {
    for (unsigned i = 0; i < C::n_in; i++)
        y[i] = x[i] > 0 ? double(x[i]) : 0.0;
}
template <class X1, class X2, class Y, class C> void add(X1 a[C::n_elem], X2 b[C::n_elem], Y y[C::n_elem]) {
    for (unsigned i = 0; i < C::n_elem; i++)
        y[i] = double(a[i]) + double(b[i]);
}
} // namespace nnet
#endif
"""
DEFINES = """#ifndef DEFINES_H_
#define DEFINES_H_
#include "ap_fixed.h"
{open}
{sizes}
typedef ap_fixed<8,4,AP_RND_CONV,AP_SAT> input_t;
typedef ap_fixed<16,8> model_default_t;
typedef ap_fixed<16,8> layer2_t;
typedef ap_fixed<6,1> weight2_t;
typedef ap_fixed<6,1> bias2_t;
typedef ap_fixed<8,5,AP_RND_CONV,AP_SAT> layer3_t;
typedef ap_fixed<12,6> result_t;
typedef ap_fixed<6,1> weight4_t;
typedef ap_fixed<6,1> bias4_t;
{close}
#endif
"""
PARAMETERS = """#ifndef PARAMETERS_H_
#define PARAMETERS_H_
#include "nnet_utils/nnet_dense.h"
#include "weights.h"
{open}
// fc1
struct config2 : nnet::dense_config {{
    static const unsigned n_in = N_INPUT;
    static const unsigned n_out = N_LAYER_2;
    static const unsigned io_type = nnet::io_parallel;
    static const unsigned strategy = nnet::latency;
    static const unsigned reuse_factor = 1;
    typedef model_default_t accum_t;
    typedef bias2_t bias_t;
    typedef weight2_t weight_t;
}};
struct relu_config3 : nnet::activ_config {{
    static const unsigned n_in = N_LAYER_2;
    static const unsigned reuse_factor = 1;
}};
struct config4 : nnet::dense_config {{
    static const unsigned n_in = N_LAYER_2;
    static const unsigned n_out = N_LAYER_2 * 1;
    static const unsigned strategy = nnet::resource;
    static const unsigned reuse_factor = 2;
    typedef model_default_t accum_t;
    typedef bias4_t bias_t;
    typedef weight4_t weight_t;
}};
{close}
#endif
"""
WEIGHTS = """#ifndef WEIGHTS_H_
#define WEIGHTS_H_
#include "defines.h"
{open}
weight2_t w2[6] = {{0.50000, -0.25000, 0.75000, 0.96875, -0.50000, 0.12500}};
bias2_t b2[2] = {{0.25000, -0.50000}};
weight4_t w4[4] = {{0.75000, -0.50000, 0.25000, 0.37500}};
bias4_t b4[2] = {{0.12500, 0.50000}};
{close}
#endif
"""
TOP = """#include "{name}.h"
#include "parameters.h"
{open}
void {name}(input_t x[N_INPUT], {output}) {{
    #pragma HLS PIPELINE
    layer2_t layer2_out[N_LAYER_2];
    nnet::dense<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // fc1
    layer3_t layer3_out[N_LAYER_2];
    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // relu1
{tail}
}}
{close}
"""
LAST = "    nnet::dense<layer3_t, result_t, config4>(layer3_out, layer4_out, w4, b4); // out"
OUTPUT = "result_t layer4_out[N_LAYER_2]"
MACROS = "#define N_INPUT 3\n#define N_LAYER_2 2"
CONSTANTS = "static const int N_INPUT = 3;\ninline constexpr int N_LAYER_2 = N_INPUT - 1;"


def write(
    folder: Path,
    *,
    name: str = "mini",
    namespace: str = "",
    sizes: str = MACROS,
    output: str = OUTPUT,
    tail: str = LAST,
    more: str = "",
) -> Path:
    """The sources of a 3-2-2 network into ``folder``; ``more`` stands in defines.h behind the types. Gives the folder."""
    shutil.copytree(MINI / "ap_types", folder / "ap_types")
    (folder / "nnet_utils").mkdir()
    shutil.copy(MINI / "nnet_utils" / "nnet_helpers.h", folder / "nnet_utils")
    spaces = {
        "open": f"namespace {namespace} {{" if namespace else "",
        "close": f"{more}\n}} // {namespace}" if namespace else more,
    }
    plain = {**spaces, "close": spaces["close"].removeprefix(more)}
    header = f'#ifndef {name.upper()}_H_\n#define {name.upper()}_H_\n#include "defines.h"\n#endif\n'
    texts = {
        "nnet_utils/nnet_dense.h": LAYERS,
        "defines.h": DEFINES.format(sizes=sizes, **spaces),
        "parameters.h": PARAMETERS.format(**plain),
        "weights.h": WEIGHTS.format(**plain),
        f"{name}.h": header,
        f"{name}.cpp": TOP.format(name=name, output=output, tail=tail, **plain),
    }
    for file, text in texts.items():
        (folder / file).write_text(text)
    return folder


def deployed(root: Path, name: str = "mini", version: str = "v1") -> Path:
    """As trigger repositories keep it: NAME_vN/NN, and an emulator beside; gives NAME_vN."""
    place = root / f"{name}_{version}"
    write(place / "NN", name=f"{name}_{version}", namespace=f"hls4ml_{name}_{version}", sizes=CONSTANTS)
    emulator = f'#include "NN/{name}_{version}.h"\nextern "C" void create() {{ hls4ml_{name}_{version}::make<int>(1); }}\n'
    (place / f"{name}_emulator_{version}.cpp").write_text(emulator)
    return place


def project(root: Path, **options: str) -> Path:
    """With hls4ml's build files around a folder ``firmware``; gives the project's folder."""
    write(root / "firmware", **options)
    settings = (
        'backend "vitis"',
        'part "xcvu13p-flga2577-2-e"',
        "clock_period 2.5",
        "clock_uncertainty 12.5%",
    )
    (root / "project.tcl").write_text("".join(f"set {words}\n" for words in settings))
    (root / "build_prj.tcl").write_text("source project.tcl\n")
    return root
