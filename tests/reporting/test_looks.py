"""Pages as Chromium shows them: nothing cut, covered or faint at any width, by day and by night; and a broken page is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pquant_hls.reporting import read_run, to_html
from tests.reporting import made
from tests.reporting.browser import WIDTHS, chromium, complaints, on_paper


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the browser, where there is one."""
    chromium()
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def page(place: Path) -> str:
    return to_html(read_run(made.tagger(place / "tagger")))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_reads_well(page: str, place: Path, width: int, dark: bool) -> None:
    assert complaints(page, place, width, dark=dark) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_run_prints_well(page: str, place: Path, dark: bool) -> None:
    assert on_paper(page, place, dark=dark) == []


def test_two_runs_print_well(place: Path) -> None:
    runs = [read_run(make(place / f"{make.__name__}-printed")) for make in (made.study, made.tagger)]
    assert on_paper(to_html(*runs), place) == []


@pytest.mark.parametrize(("width", "dark"), [(400, True), (800, False), (1600, False)])
def test_a_study_beside_a_run_reads_well(place: Path, width: int, dark: bool) -> None:
    runs = [read_run(make(place / f"{make.__name__}-{width}")) for make in (made.study, made.tagger)]
    assert complaints(to_html(*runs), place, width, dark=dark) == []


def test_values_and_scores_read_well(place: Path) -> None:
    run = read_run(made.tagger(place / "values", outputs=made.several_outputs()))
    for width in (400, 1280):
        assert complaints(to_html(run), place, width) == []


def test_tables_unfolded_read_well(page: str, place: Path) -> None:
    opened = page.replace("<details>", "<details open>")
    for width in (400, 1280):
        assert complaints(opened, place, width) == []


def test_long_names_do_not_break_the_page(place: Path) -> None:
    folder = made.tagger(place / ("a_run_" + "with_a_long_name_" * 8))
    for file in (folder / "handover" / "qor.json", folder / "handover" / "figures.json"):
        file.write_text(
            file.read_text().replace('"relu1"', '"a_block_of_residual_layers_with_relu_number_1_of_12"')
        )
    for width in (400, 1280):
        assert complaints(to_html(read_run(folder)), place, width) == []


def swap(old: str, new: str) -> Callable[[str], str]:
    def broken(page: str) -> str:
        assert old in page
        return page.replace(old, new)

    return broken


BROKEN = {
    "a hidden label": (swap('class="soft"', 'class="soft" visibility="hidden"'), "hidden label"),
    "a label of the paper's colour": (swap("--soft:#566069", "--soft:#e4e8ec"), "contrast"),
    "a heading on top of a text": (
        swap("</style>", "h2{margin-bottom:-30px!important;padding:0}</style>"),
        "on top of",
    ),
    "a cover over the verdict": (
        swap(
            "</style>",
            ".verdict{position:relative}.verdict::after{content:'';position:absolute;inset:0;background:var(--paper)}</style>",
        ),
        "covered",
    ),
    "a cut picture": (swap('viewBox="0 0 640', 'viewBox="120 0 400'), "beyond its picture"),
    "a page that is too wide": (swap("max-width:1400px", "width:1500px"), "wide in a window"),
    "a box that cuts its text": (
        swap("</style>", ".verdict{overflow:hidden;height:40px}</style>"),
        "cut by its box",
    ),
    "a picture that is not there": (
        swap("</main>", '<img alt="x" src="gone.png"></main>'),
        "picture not there",
    ),
    "an error on the console": (swap("</main>", "<script>console.error('oh')</script></main>"), "CONSOLE"),
}


SPOILED_IN_PRINT = {
    "a picture that a sheet may cut": (
        swap(".pquant figure,.pquant tr", ".pquant tr"),
        "split across sheets",
    ),
    "a picture higher than a sheet": (
        swap("</style>", "figure{min-height:1100px}</style>"),
        "high on a sheet",
    ),
    "links on paper": (swap(".pquant nav,.pquant figure details", ".pquant figure details"), "clicked"),
    "a dark sheet": (
        swap("@media print{.pquant{--paper:#ffffff", "@media print{.pquant{--paper:#14181c"),
        "white",
    ),
    "a sheet that is too narrow": (
        swap("</style>", "@media print{table{width:900px}}</style>"),
        "wide in a window",
    ),
}


@pytest.mark.parametrize("name", SPOILED_IN_PRINT)
def test_a_print_broken_on_purpose_is_told(page: str, place: Path, name: str) -> None:
    spoil, said = SPOILED_IN_PRINT[name]
    found = on_paper(spoil(page), place)
    assert any(said in word for word in found), found


@pytest.mark.parametrize("name", BROKEN)
def test_a_page_broken_on_purpose_is_told(page: str, place: Path, name: str) -> None:
    spoil, said = BROKEN[name]
    found = complaints(spoil(page), place, 800)
    assert any(said in word for word in found), found
