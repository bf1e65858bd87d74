"""Stored outputs of notebooks: there, of this machine's no trace, and compared with a fresh run by what they mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient", reason="notebooks are run by nbclient")

from check_notebooks import NOTEBOOKS, compared, differences, pictures, plain, read, run

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def test_there_are_six() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_stored_small_and_without_errors(name: str) -> None:
    path = NOTEBOOKS / name
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert path.stat().st_size < 600_000
    assert not re.search(r"/(?:tmp|home|root|work)/", path.read_text())
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("05")])
def test_a_notebook_of_a_run_shows_pictures(name: str) -> None:
    assert (
        sum(pictures(cell.outputs) for cell in read(NOTEBOOKS / name).cells if cell.cell_type == "code") >= 3
    )


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("accuracy 71.20 ± 0.80 %", "accuracy 73.90 ± 0.90 %"),
        ("LUT 12,345", "LUT 13,900"),
        ("3 trials", "4 trials"),
        ("bits 6, reuse 1", "bits 7, reuse 1"),
        ("round 5 after 12.3 s", "round 5 after 99 s"),
        ("made 2026-12-01 08:01:27 UTC", "made 2027-01-05 10:11:12 UTC"),
        ("sha256 0123456789abcdef", "sha256 fedcba9876543210"),
        ("<b>MET</b> <svg>1</svg>", "<i>MET</i><svg>2</svg>"),
        ("<details><td>0.1</td></details>MET", "<details><td>0.9</td><td>5</td></details>MET"),
    ],
)
def test_what_may_differ(stored: str, fresh: str) -> None:
    assert list(differences(stored, fresh)) == []


@pytest.mark.parametrize(
    ("stored", "fresh", "said"),
    [
        ("MET: every limit", "MISSED: every limit", "says 'MISSED"),
        ("accuracy 71.20 ± 0.80 %", "accuracy 76.00 ± 0.80 %", "gives 76.00 ± 0.80 in place of 71.20 ± 0.80"),
        ("LUT 12,345", "LUT 18,000", "gives 18,000 in place of 12,345"),
        ("MET", "MET and more", "and more"),
        ("40.0 ns", "140.0 ns", "gives 140.0"),
    ],
)
def test_what_may_not(stored: str, fresh: str, said: str) -> None:
    (found,) = differences(stored, fresh)
    assert said in found


def book(source: str, *outputs: Any) -> Any:
    from nbformat import v4

    made: Any = v4
    return made.new_notebook(cells=[made.new_code_cell(source, outputs=list(outputs))])


def test_a_picture_that_is_gone_is_told() -> None:
    shown = {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>"}, "metadata": {}}
    assert list(compared(book("plot", shown), book("plot"))) == ["cell 1: shows 0 pictures, stored are 1"]


@pytest.mark.notebook
def test_a_notebook_is_run_afresh(tmp_path: Path) -> None:
    import nbformat

    books: Any = nbformat
    books.write(book("import sys\nprint('two', 1 + 1)\nprint('x', file=sys.stderr)"), tmp_path / "a.ipynb")
    (cell,) = run(tmp_path / "a.ipynb").cells
    assert [output["text"] for output in cell.outputs] == ["two 2\n"]
    assert plain(cell.outputs[0]["text"]) == "two 2"
