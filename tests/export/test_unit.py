"""The emulator's text, without a compiler: each header once, weights inside, nothing outside but the standard library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.export.emulator import check_name
from pquant_hls.export.texts import cmssw_text, header_text, makefile_text
from pquant_hls.export.unit import translation_unit
from pquant_hls.hls import load_project
from tests.helpers import Edit


def unit(folder: Path, namespace: str = "jets_v1") -> str:
    return translation_unit(load_project(folder), namespace)


def test_weights_are_inside_as_synthesis_reads_them(mini_project: Path) -> None:
    text = unit(mini_project)
    assert "weight2_t w2[6] = {0.50000, -0.25000, 0.75000, 0.96875, -0.50000, 0.12500};" in text
    for name in ("w2", "b2", "w4", "b4"):
        assert len(re.findall(rf"\b{name}\[\d+\]( = |;)", text)) == 1, "no second declaration"
    assert "load_weights_from_txt<" not in text.partition("void mini(")[2]
    assert "save_layer_output<layer2_t>" not in text


def test_headers_stand_once_and_only_others_files_stay_outside(mini_project: Path) -> None:
    outside, _, inside = unit(mini_project).partition("namespace jets_v1 {")
    lines = outside.split("\n")
    assert all(re.match(r"#include [<\"].*[>\"]$", line) for line in lines if line)
    assert '#include "ap_fixed.h"' in lines
    assert len(set(lines) - {""}) == len([line for line in lines if line])
    assert "#include" not in inside
    assert inside.count("typedef ap_fixed<16,8> layer2_t;") == 1
    assert inside.rstrip().endswith("} // namespace jets_v1")


def test_the_entry_is_the_bridges_in_double_precision(mini_project: Path) -> None:
    text = unit(mini_project)
    assert text.count("void predict(double *x, double *layer4_out)") == 1
    assert "mini_double" not in text
    assert "float *x" not in text
    assert unit(mini_project, "other").replace("other", "jets_v1") == text


def test_weights_that_a_comment_reads_are_not_read(mini_project: Path, edit: Edit) -> None:
    comment = '    // nnet::load_weights_from_txt<weight2_t, 6>(w2, "w2.txt");\n    layer2_t layer2_out[2];'
    edit(mini_project, "firmware/mini.cpp", "    layer2_t layer2_out[2];", comment)
    assert "namespace jets_v1" in unit(mini_project)


def test_a_header_that_two_files_include_is_taken_in_once(mini_project: Path, edit: Edit) -> None:
    edit(
        mini_project,
        "firmware/parameters.h",
        '#include "weights/w2.h"',
        '#include "defines.h"\n#include "weights/w2.h"',
    )
    edit(mini_project, "firmware/mini.h", '#include "defines.h"', '#include <vector>\n#include "defines.h"')
    text = unit(mini_project)
    assert text.count("typedef ap_fixed<16,8> layer2_t;") == 1
    assert "#include <vector>\n" in text.partition("namespace jets_v1")[0]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "firmware/mini.cpp",
            "#ifndef __SYNTHESIS__\n    static bool",
            "#if 1\n    static bool",
            "reads weights in a way",
        ),
        ("firmware/mini.cpp", "void mini(", "void mini2(", r"mini\.cpp: has no function mini"),
    ],
)
def test_sources_that_cannot_be_taken_apart_are_named(
    mini_project: Path, edit: Edit, file: str, old: str, new: str, message: str
) -> None:
    project = load_project(mini_project)
    edit(mini_project, file, old, new)
    with pytest.raises(UnsupportedModel, match=message):
        translation_unit(project, "jets_v1")


@pytest.mark.parametrize("name", ["jets_v1", "A", "x2y"])
def test_names_of_namespaces(name: str) -> None:
    check_name(name, "namespace")


@pytest.mark.parametrize("name", ["", "2x", "_x", "a__b", "a-b", "a b", "class", "int", "std", "é"])
def test_what_is_no_name_of_a_namespace(name: str) -> None:
    with pytest.raises(SpecError, match="cannot be a C"):
        check_name(name, "namespace")


def test_the_header_states_sizes_and_one_function(mini_project: Path) -> None:
    text = header_text(load_project(mini_project), "jets_v1")
    assert "constexpr std::size_t n_x = 3; // (3,), ap_fixed<8,4,AP_RND_CONV,AP_SAT>" in text
    assert "constexpr std::size_t n_layer4_out = 2; // (2,), ap_fixed<12,6>" in text
    assert "void predict(double *x, double *layer4_out);" in text
    assert text.count("jets_v1_EMULATOR_H") == 2
    assert "sha256" in text.splitlines()[0]


def test_the_makefile_checks_and_builds_a_library(mini_project: Path) -> None:
    text = makefile_text(load_project(mini_project), "jets_v1", plugin=False)
    assert "jets_v1.so: jets_v1.cpp jets_v1.h\n\t$(CXX)" in text
    assert "check: jets_v1_check\n\t./jets_v1_check" in text
    assert text.count("-std=c++") == 3


def test_the_plugin_copies_the_firmwares_own_types(mini_project: Path, edit: Edit) -> None:
    project = load_project(mini_project)
    text = cmssw_text(project, "jets_v1")
    assert "    input_t _x[3];\n    result_t _layer4_out[2];" in text
    assert "std::any_cast<input_t *>(given)" in text
    assert "for (std::size_t i = 0; i < 3; i++) _x[i] = ports[i];" in text
    assert "for (std::size_t i = 0; i < 2; i++) ports[i] = _layer4_out[i];" in text
    assert "mini(_x, _layer4_out);" in text
    edit(mini_project, "firmware/mini.cpp", "input_t x[3]", "input_t x[3][1]")
    with pytest.raises(UnsupportedModel, match=r"mini\.cpp: cannot find the type of port x"):
        cmssw_text(load_project(mini_project), "jets_v1")
