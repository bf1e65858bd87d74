"""Post-training quantization: the narrowest width that keeps the quality, without a training."""

from __future__ import annotations

from typing import Any

import pytest

from pquant_hls.decide import Verdict
from pquant_hls.engine import conclude
from pquant_hls.errors import SpecError
from pquant_hls.pipelines import PtqPipeline
from pquant_hls.pipelines.ptq import WIDTHS
from tests.pipelines.instant import InstantBench, Law, Toy


def ended(pipeline: PtqPipeline, law: Law) -> tuple[InstantBench, Any, Any, Verdict]:
    bench = InstantBench(law)
    ending = pipeline.policy(bench, bench.start(Toy()), pipeline.setup)
    final, judgement = conclude(bench, ending)
    return bench, ending, final, judgement.verdict


def test_widths_are_tried_from_the_widest_on() -> None:
    assert PtqPipeline().widths == WIDTHS
    assert PtqPipeline([6, 8, 6]).widths == (8, 6)
    assert PtqPipeline(8).settings()["bits"] == [8]


def test_the_last_width_that_holds_is_taken() -> None:
    bench, ending, _, verdict = ended(PtqPipeline(max_loss=0.1), Law(per_bit=0.03, training=0.0))
    tried = [entry.settings["settings"][0]["bits"] for entry in ending.history]
    assert tried == list(WIDTHS[: len(tried)])
    assert ending.history[-1].status == "rolled_back"
    assert ending.best.model.bits == tried[-2]
    assert bench.lost(ending.best) <= 0.1
    assert verdict is Verdict.MET


def test_where_none_holds_the_widest_is_handed_over_and_missed() -> None:
    _, ending, _, verdict = ended(PtqPipeline([8, 6], max_loss=0.0), Law(per_bit=0.2, training=0.0))
    assert ending.best.model.bits == 8
    assert "8 bits, the widest asked for" in ending.reason
    assert verdict is Verdict.MISSED


@pytest.mark.parametrize(
    "options", [{"bits": 1}, {"bits": []}, {"max_loss": 2}, {"calibration": "best"}, {"samples": 0}]
)
def test_settings_that_cannot_be_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=next(iter(options))):
        PtqPipeline(**options)
