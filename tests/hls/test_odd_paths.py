"""Folders whose names hold what shells, make, C++, YAML and rich give a meaning: everything works in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pquant_hls.csim import build, predict
from pquant_hls.errors import OutputError, UnsupportedModel
from pquant_hls.export import export_emulator
from pquant_hls.hls import convert, load_project
from pquant_hls.spec import HlsSpec
from tests.helpers import single

ODD = '-a "b" [x] $HOME #d %e é\\ \n;|&=:\'`'


@pytest.mark.gxx
@pytest.mark.slow
def test_projects_compile_and_are_exported_in_odd_folders(
    tagger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_compiles: None
) -> None:
    monkeypatch.chdir(tmp_path)
    project = convert(tagger, HlsSpec(), Path(ODD) / ODD)
    record = yaml.safe_load((project.path / "hls4ml_config.yml").read_text())
    assert record["OutputDir"] == str(tmp_path / ODD / ODD)
    library = build(project, cache=tmp_path / ODD / "cache")
    x = np.random.default_rng(0).uniform(-2, 2, (20, 6)).astype(np.float32)
    elsewhere = convert(tagger, HlsSpec(), tmp_path / "plain")
    plain = predict(build(elsewhere, cache=tmp_path / "cache"), x)
    np.testing.assert_array_equal(single(predict(library, x)), single(plain))
    made = export_emulator(load_project(Path(ODD) / ODD), Path(ODD) / "export", "emulator")
    assert (made.path / "Makefile").is_file()


def test_a_name_that_is_no_text_is_refused_before_any_work(tagger: Any, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is no UTF-8"):
        convert(tagger, HlsSpec(), tmp_path / "a\udcff")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_project_whose_name_is_no_identifier_is_refused(tmp_path: Path) -> None:
    for number, name in enumerate(('a"b', "a b", "$(x)", "é")):
        folder = tmp_path / str(number)
        (folder / "firmware").mkdir(parents=True)
        (folder / f"{name}_bridge.cpp").write_text("")
        (folder / "firmware" / f"{name}.cpp").write_text("")
        with pytest.raises(UnsupportedModel, match="not an hls4ml project"):
            load_project(folder)
