"""The main job, end to end, with real hls4ml and g++: what it leaves, what it says, how it is resumed."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Verdict
from pquant_hls.engine import Event, compress_model
from pquant_hls.errors import DataError, OutputError, ToolNotFound
from pquant_hls.spec import Recipe
from pquant_hls.store import read_json, read_ledger
from tests.engine.conftest import RECIPE, Finished
from tests.helpers import known, latency_of

pytestmark = pytest.mark.gxx


def test_a_budget_that_fits_is_met_and_handed_over(finished: Finished) -> None:
    result, folder, _ = finished
    assert result.verdict is Verdict.MET
    assert result.qor.csim_match == 1.0, "csim equals Keras on every output of the validation split"
    assert 0.3 < known(result.qor.metrics["test_accuracy"]) <= 1
    left = {path.name for path in (folder / "handover").iterdir()}
    assert {"project", "model.keras", "qor.json", "project.golden"} <= left
    assert (folder / "handover" / "project" / "build_prj.tcl").is_file()
    assert read_json(folder / "run.json")["status"] == "finished"


def test_the_firmware_is_smaller_by_whole_units(finished: Finished) -> None:
    result, _, _ = finished
    assert list(result.history[-1]["account"]["units"].values()) == [9, 6, 5]


def test_handed_over_project_carries_clock_and_uncertainty(finished: Finished) -> None:
    _, folder, _ = finished
    settings = (folder / "handover" / "project" / "project.tcl").read_text()
    assert "set clock_uncertainty 27%" in settings
    assert "xcvu13p" in settings


def test_golden_vectors_hold_for_the_handed_over_project(finished: Finished) -> None:
    from pquant_hls.golden import check

    _, folder, _ = finished
    found = check(
        folder / "handover" / "project", folder / "handover" / "project.golden", cache=folder / "cache"
    )
    assert found.passed
    assert found.count == 256
    bench_inputs = (
        (folder / "handover" / "project" / "tb_data" / "tb_input_features.dat").read_text().splitlines()
    )
    assert len(bench_inputs) == 256, "the vendor's test bench runs the golden vectors too"


def test_events_and_ledger_tell_every_step_and_round(finished: Finished) -> None:
    _, folder, events = finished
    rounds = [event.values for event in events if event.kind == "round"]
    assert [record["kind"] for record in rounds] == ["float", "round"]
    kinds = [record["kind"] for record in read_ledger(folder)]
    assert kinds == ["float", "step", "step", "round"]
    steps = [record for record in read_ledger(folder) if record["kind"] == "step"]
    assert steps[0]["child"] == steps[1]["parent"]
    assert "loss" in next(event.values for event in events if event.kind == "epoch")


def test_the_callers_model_is_not_changed(finished: Finished, small_tagger: Any, few_jets: Dataset) -> None:
    result, folder, _ = finished
    assert small_tagger.count_params() == 16 * 12 + 12 + 12 * 8 + 8 + 8 * 5 + 5
    again = compress_model(small_tagger, few_jets, Recipe.parse(RECIPE), folder, resume=True)
    assert again.qor == result.qor, "a finished run is not computed again, and says the same"


def test_an_interrupted_run_goes_on_where_it_stopped(
    finished: Finished, small_tagger: Any, few_jets: Dataset, tmp_path: Path
) -> None:
    done, _, _ = finished

    def interrupt(event: Event) -> None:
        if event.kind == "stage" and event.text.startswith("quantize"):
            raise KeyboardInterrupt

    recipe = Recipe.parse(RECIPE)
    with pytest.raises(KeyboardInterrupt):
        compress_model(small_tagger, few_jets, recipe, tmp_path / "run", listen=interrupt)
    assert read_json(tmp_path / "run" / "run.json")["status"] == "interrupted"
    assert not (tmp_path / "run" / "handover").exists()
    assert not list((tmp_path / "run").rglob("*.part"))
    with pytest.raises(OutputError, match="--resume"):
        compress_model(small_tagger, few_jets, recipe, tmp_path / "run")
    result = compress_model(small_tagger, few_jets, recipe, tmp_path / "run", resume=True)
    assert result.verdict is Verdict.MET
    assert result.qor.accuracy == done.qor.accuracy, "the same as without the interruption"


def test_an_impossible_budget_names_its_limit_and_hands_back_the_best(
    small_tagger: Any, few_jets: Dataset, tmp_path: Path
) -> None:
    recipe = Recipe.parse(
        {**RECIPE, "budget": {"latency_ns": 5, "max_accuracy_loss": 0.9}, "loop": {"max_rounds": 2}}
    )
    result = compress_model(small_tagger, few_jets, recipe, tmp_path / "run")
    assert result.verdict in {Verdict.MISSED, Verdict.UNKNOWN}
    assert result.reason.startswith(("latency floor of the architecture", "round limit"))
    assert json.loads((tmp_path / "run" / "handover" / "qor.json").read_text())["verdict"] == str(
        result.verdict
    )


def test_bad_data_is_refused_before_a_folder_is_made(
    small_tagger: Any, few_jets: Dataset, tmp_path: Path
) -> None:
    x = few_jets.x_train.copy()
    x[7, 3] = np.nan
    recipe = Recipe.parse(RECIPE)
    for wrong, message in (
        ({"x_train": x}, "NaN"),
        ({"x_val": few_jets.x_val[:, :5]}, "shape"),
        ({"y_test": known(few_jets.y_test) + 3}, "class"),
    ):
        with pytest.raises(DataError, match=f"(?i){message}"):
            compress_model(small_tagger, dataclasses.replace(few_jets, **wrong), recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_compiler_the_mend_is_named(
    small_tagger: Any, few_jets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("g++") is None
    with pytest.raises(ToolNotFound, match=r"apt-get install g\+\+"):
        compress_model(small_tagger, few_jets, Recipe.parse(RECIPE), tmp_path / "run")


@pytest.mark.slow
def test_a_recipe_that_delivers_rtl_is_judged_by_its_own_verilog(few_jets: Dataset, tmp_path: Path) -> None:
    from pquant_hls.network import build_mlp

    pytest.importorskip("pyosys")
    budget = {"latency_ns": 100, "measure": "rtl", "deliver": "rtl"}
    recipe = Recipe.parse({"steps": [{"step": "quantize", "bits": 4, "epochs": 1}], "budget": budget})
    result = compress_model(build_mlp(16, (3,), 5, seed=2), few_jets, recipe, tmp_path / "run")
    assert (result.verdict, result.qor.design, result.qor.source) == (Verdict.MET, "rtl", "rtl")
    assert known(latency_of(result.qor).worst_ns_hi) <= 100
    assert (tmp_path / "run" / "handover" / "rtl" / "vivado.tcl").is_file()
