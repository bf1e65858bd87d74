"""The page that leads to real runs, and the look at pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from look_at import all_complaints, main
from make_gallery import RUNS, TITLES, pages

from tests.reporting import made
from tests.reporting.browser import chromium


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The pages of a run and of a study, without training."""
    folder = tmp_path_factory.mktemp("gallery")
    made.tagger(folder / "runs" / "tagger")
    made.study(folder / "runs" / "study")
    return pages(folder, {"tagger": "A tagger <b>", "study": "A study"})


def test_every_run_has_its_page_and_leads_from_the_first(gallery: list[Path]) -> None:
    assert [page.name for page in gallery] == ["index.html", "tagger.html", "study.html"]
    first = gallery[0].read_text()
    assert '<a href="tagger.html">A tagger &lt;b&gt;</a>' in first
    assert first.count("<svg") >= 2
    assert "<script" not in first
    assert set(RUNS) == set(TITLES)


def test_the_gallery_reads_well(gallery: list[Path]) -> None:
    chromium()
    assert all_complaints(gallery[0]) == []


def test_a_page_that_does_not_ends_with_1(
    gallery: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chromium()
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(gallery[0].read_text().replace("<main>", '<main style="width:2000px">'))
    assert main([spoilt]) == 1
    assert "spoilt.html, 400 px, light: the page is" in capsys.readouterr().out


def test_without_a_browser_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main([]) == 3
    assert "no chromium" in capsys.readouterr().err
