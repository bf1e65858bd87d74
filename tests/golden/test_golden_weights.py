"""The two copies of the weights: what csim reads and what synthesis reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.golden import compare_weights
from pquant_hls.hls import load_project
from tests.helpers import Edit


def differences(project: Path) -> list[str]:
    return [str(entry).removeprefix("weights ") for entry in compare_weights(load_project(project))]


def test_equal_copies(mini_project: Path) -> None:
    assert differences(mini_project) == []


def test_values_are_compared_on_the_grid_of_their_type(mini_project: Path, edit: Edit) -> None:
    # below half an LSB of ap_fixed<6,1>: truncation stores the same integer
    edit(mini_project, "firmware/weights/w2.txt", "0.75000", "0.76000")
    assert differences(mini_project) == []
    edit(mini_project, "firmware/weights/w2.txt", "0.76000", "0.74999")
    assert differences(mini_project) == ["w2[2]: csim reads 0.74999, synthesis 0.75"]


def test_swapped_weights_and_long_lists(mini_project: Path, edit: Edit) -> None:
    edit(mini_project, "firmware/weights/w2.h", "0.50000, -0.25000", "-0.25000, 0.50000")
    assert len(differences(mini_project)) == 2
    edit(mini_project, "firmware/weights/w2.txt", "0.75000, 0.96875, -0.50000, 0.12500", "0, 0, 0, 0")
    assert differences(mini_project)[-1] == "w2: csim reads 1 more values, synthesis others"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("w2.txt", ", 0.12500", "", "w2: csim reads 5 numbers, synthesis 6"),
        ("w2.txt", "0.12500", "O.125", "w2: csim reads numbers, synthesis or text"),
        ("w2.h", "w2[6] = {", "w3[6] = {", "w2.h: csim reads w2.txt, synthesis no values"),
        ("w2.h", "w2[6] = {", "w2[7] = {", "w2: csim reads 6 of 6, synthesis an array of 7"),
    ],
)
def test_damaged_copies(mini_project: Path, edit: Edit, file: str, old: str, new: str, said: str) -> None:
    edit(mini_project, f"firmware/weights/{file}", old, new)
    assert differences(mini_project)[0].startswith(said)


def test_missing_copies(mini_project: Path) -> None:
    (mini_project / "firmware/weights/w2.txt").unlink()
    (mini_project / "firmware/weights/b2.h").unlink()
    assert differences(mini_project) == [
        "b2.h: csim reads b2.txt, synthesis no values",
        "w2.txt: csim reads no file, synthesis w2.h",
    ]


def test_compressed_weights_are_compared_field_by_field(mini_project: Path, edit: Edit) -> None:
    fields = "ap_uint<4> row_index;ap_uint<4> col_index;ap_fixed<6,1> weight; "
    kind = f"typedef struct weight2_t {{{fields}}} weight2_t;"
    edit(mini_project, "firmware/defines.h", "typedef ap_fixed<6,1> weight2_t;", kind)
    text = "{0, 1, 0.50000}, {2, 0, -0.25000}"
    weights = mini_project / "firmware/weights"
    (weights / "w2.txt").write_text(text)
    (weights / "w2.h").write_text(f"weight2_t w2[2] = {{{text}}};\n")
    edit(
        mini_project,
        "firmware/mini.cpp",
        "nnet::load_weights_from_txt<weight2_t, 6>",
        "nnet::load_compressed_weights_from_txt<weight2_t, 2>",
    )
    assert differences(mini_project) == []
    edit(mini_project, "firmware/weights/w2.h", "{2, 0, -0.25000}", "{2, 1, -0.26000}")
    assert differences(mini_project) == [
        "w2[4]: csim reads 0, synthesis 1",
        "w2[5]: csim reads -0.25, synthesis -0.26",
    ]


def test_a_project_that_writes_no_text_copies(mini_project: Path, edit: Edit) -> None:
    for name in ("w2", "b2", "w4", "b4"):
        (mini_project / f"firmware/weights/{name}.txt").unlink()
    source = mini_project / "firmware/mini.cpp"
    source.write_text("\n".join(line for line in source.read_text().splitlines() if "from_txt" not in line))
    assert differences(mini_project) == []
