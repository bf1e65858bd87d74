"""Where the parts of a firmware lie, in every layout, and what is said where they cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware import Layout, find, layout, top_ports
from pquant_hls.hls import load_project
from tests.firmware import miniature


def sides(found: Layout) -> list[tuple[str, tuple[int, ...], str]]:
    return [(port.name, port.shape, str(port.kind)) for side in top_ports(found) for port in side]


EXPECTED = [("x", (3,), "ap_fixed<8,4,AP_RND_CONV,AP_SAT>"), ("layer4_out", (2,), "ap_fixed<12,6>")]


@pytest.mark.parametrize("sizes", [miniature.MACROS, miniature.CONSTANTS], ids=["macros", "constants"])
@pytest.mark.parametrize("namespace", ["", "hls4ml_mini", "a::b"])
def test_a_whole_project_is_found(tmp_path: Path, namespace: str, sizes: str) -> None:
    found = find(miniature.project(tmp_path / "p", namespace=namespace, sizes=sizes))
    assert (found.kind, found.name, found.namespace) == ("project", "mini", namespace)
    assert found.root == tmp_path / "p"
    assert found.folder == tmp_path / "p" / "firmware"
    assert sides(found) == EXPECTED


def test_the_firmware_of_a_project_is_the_project(tmp_path: Path) -> None:
    miniature.project(tmp_path / "p")
    assert find(tmp_path / "p" / "firmware").root == tmp_path / "p"


def test_firmware_alone_is_found(tmp_path: Path) -> None:
    found = find(miniature.write(tmp_path / "firmware"))
    assert (found.kind, found.root) == ("firmware", tmp_path / "firmware")
    assert sides(found) == EXPECTED


def test_a_deployed_layout_is_found_from_above_and_below(tmp_path: Path) -> None:
    place = miniature.deployed(tmp_path)
    for given in (place, place / "NN", place / "NN" / "mini_v1.cpp", tmp_path):
        found = find(given)
        assert (found.kind, found.name, found.namespace) == ("deployed", "mini_v1", "hls4ml_mini_v1")
        assert sides(found) == EXPECTED


def test_a_wrapper_is_no_top(tmp_path: Path) -> None:
    folder = miniature.project(tmp_path / "p") / "firmware"
    (folder / "mini_axi.cpp").write_text(
        '#include "mini.h"\nvoid mini_axi(float *in, float *out) {\n'
        "    input_t x[3];\n    result_t y[2];\n    mini(x, y);\n}\n"
    )
    assert find(tmp_path / "p").name == "mini"


def test_two_tops_are_named_and_one_can_be_given(tmp_path: Path) -> None:
    one, two = miniature.deployed(tmp_path), miniature.deployed(tmp_path, version="v2")
    with pytest.raises(
        UnsupportedModel, match=r"2 top functions: .*mini_v2\.cpp.*give the folder or the \.cpp"
    ):
        find(tmp_path)
    assert [find(place).name for place in (one, two)] == ["mini_v1", "mini_v2"]


def test_a_part_of_the_top_is_no_second_top(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware")
    source = folder / "mini.cpp"
    helper = "static void head(layer3_t *layer3_out, result_t *layer4_out) {\n" + miniature.LAST + "\n}\n"
    text = source.read_text().replace(miniature.LAST, "    head(layer3_out, layer4_out);")
    source.write_text(text.replace("void mini(", f"{helper}void mini("))
    found = find(folder)
    assert found.name == "mini"
    assert sides(found) == EXPECTED


def test_what_is_no_firmware_is_said(tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text("int main() { return 0; }\n")
    with pytest.raises(UnsupportedModel, match=r"no function of its \.cpp files calls a layer"):
        find(tmp_path)
    with pytest.raises(UnsupportedModel, match="no such project folder"):
        find(tmp_path / "none")


def test_code_older_than_known_layouts_is_said(tmp_path: Path) -> None:
    (tmp_path / "myproject.cpp").write_text(
        "void f() { compute_layer<input_t, layer1_t, config1>(x, y, w, b); }"
    )
    with pytest.raises(
        UnsupportedModel, match=r"myproject\.cpp: written by an hls4ml whose layers are in no namespace"
    ):
        find(tmp_path)


def test_a_missing_include_is_named_with_its_line(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware")
    (folder / "weights.h").unlink()
    ((place, name),) = find(folder).missing
    assert (Path(place).name, name) == ("parameters.h:4", "weights.h")
    with pytest.raises(
        UnsupportedModel, match=r"weights\.h: this file of the HLS project is missing; .*parameters\.h:4"
    ):
        load_project(folder)


def test_files_that_are_no_text_or_too_large_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = miniature.write(tmp_path / "firmware")
    (folder / "defines.h").write_bytes(b"\0")
    with pytest.raises(UnsupportedModel, match=r"defines\.h: is no C\+\+ text"):
        find(folder)
    monkeypatch.setattr(layout, "FOLDER_FILES", 5)
    with pytest.raises(UnsupportedModel, match="holds more than 5 files"):
        find(folder)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("nnet::compute_layer<input_t, layer1_t, config1>(data, logits1, w1, b1);", "0.1 to 0.2"),
        ("//hls-fpga-machine-learning insert layers", "0.3 to 0.6"),
        ("// hls-fpga-machine-learning insert layers", "0.7 to 0.8"),
        ("using kernel = nnet::DenseLatency<data_T, res_T, CONFIG_T>;", "1.0 to 1.1"),
        ("static const unsigned exp_table_size = 1024;", "1.2 to 1.4"),
    ],
)
def test_the_version_is_guessed_from_what_its_writer_leaves(tmp_path: Path, text: str, version: str) -> None:
    folder = miniature.write(tmp_path / "firmware")
    source = folder / "parameters.h"
    source.write_text(
        f"// {text}\n{source.read_text()}"
        if text.endswith(";") and "//" not in text
        else f"{text}\n{source.read_text()}"
    )
    assert find(folder).version == version


def test_headers_tell_the_version_better(tmp_path: Path) -> None:
    folder = miniature.write(tmp_path / "firmware")
    assert find(folder).version is None
    (folder / "nnet_utils" / "nnet_einsum.h").write_text("")
    assert find(folder).version == "1.2 to 1.4"
