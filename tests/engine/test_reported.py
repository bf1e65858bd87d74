"""``measure: report``: the loop waits for a synthesis that runs elsewhere, and goes on from its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Verdict
from pquant_hls.engine import compress_model
from pquant_hls.errors import ReportError, SpecError, Waiting
from pquant_hls.measure import measure_project
from pquant_hls.spec import Budget, Recipe
from pquant_hls.store import read_json
from tests.engine.conftest import RECIPE
from tests.helpers import known, latency_of
from tests.readers.report_factory import Fake, csynth_xml

ASKED = {**RECIPE, "budget": {"latency_ns": 45, "max_accuracy_loss": 0.3, "measure": "report"}}


def report(folder: Path, **figures: Any) -> Path:
    """A synthesis report with these figures."""
    path = folder / "myproject_csynth.xml"
    path.write_text(csynth_xml(Fake(**figures)), encoding="utf-8")
    return path


@pytest.mark.gxx
def test_a_run_waits_for_each_synthesis_and_goes_on(
    few_jets: Dataset, small_tagger: Any, tmp_path: Path
) -> None:
    recipe, out = Recipe.parse(ASKED), tmp_path / "run"
    with pytest.raises(Waiting, match=r"run vitis_hls -f build_prj\.tcl.* there") as waiting:
        compress_model(small_tagger, few_jets, recipe, out)
    assert read_json(out / "run.json")["status"] == "waiting"
    place = Path(str(waiting.value).partition("synthesis of ")[2].partition(" (")[0])
    assert (place / "build_prj.tcl").is_file()

    with pytest.raises(ReportError, match=r"describes part xcu250.*, the project is for xcvu13p"):
        wrong = report(tmp_path, part="xcu250-figd2104-2L-e")
        compress_model(small_tagger, few_jets, recipe, out, resume=True, report=wrong)
    with pytest.raises(ReportError, match=r"describes a clock of 4 ns, the project is for 5 ns"):
        wrong = report(tmp_path, target_ns=4.0, uncertainty_ns=1.08)
        compress_model(small_tagger, few_jets, recipe, out, resume=True, report=wrong)

    with pytest.raises(Waiting) as again:  # 12 cycles of 5 ns miss 45 ns: the loop tightens, and waits again
        compress_model(small_tagger, few_jets, recipe, out, resume=True, report=report(tmp_path))
    second = Path(str(again.value).partition("synthesis of ")[2].partition(" (")[0])
    assert second != place

    left = second / "myproject_prj" / "solution1" / "syn" / "report"  # as the tool leaves it in the project
    left.mkdir(parents=True)
    report(left, cycles=(8, 8))
    result = compress_model(small_tagger, few_jets, recipe, out, resume=True)
    assert result.verdict is Verdict.MET
    assert [known(entry["qor"])["source"] for entry in result.history] == ["estimate", "csynth", "csynth"]
    assert [entry["cycles"] for entry in result.history[1:]] == [12, 8]
    assert latency_of(result.qor).worst_ns_hi == 40.0
    assert result.qor.csim_match == 1.0

    gated = measure_project(second, "report")
    assert latency_of(gated).cycles_max == 8
    report(left, cycles=(8, 8), part="xcu250-figd2104-2L-e")
    with pytest.raises(ReportError, match="synthesize this very project again"):
        measure_project(second)


def test_a_report_without_a_run_that_waits_is_refused() -> None:
    with pytest.raises(SpecError, match=r"budget\.measure is auto"):
        compress_model(None, None, Recipe.parse(RECIPE), "nowhere", report="x.xml")  # type: ignore[arg-type]  # refused first
    with pytest.raises(SpecError, match="deliver: rtl is judged by rtl figures, not by report"):
        Budget.parse({"latency_ns": 60, "measure": "report", "deliver": "rtl"})
