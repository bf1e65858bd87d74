"""Measure a design by an evaluator: reports, the estimator, our Verilog, the vendors' tools, or another package's."""

from pquant_hls.measure.by_reports import offers_reports
from pquant_hls.measure.by_tool import has_synthesis
from pquant_hls.measure.design import (
    check_source,
    estimated,
    measure_better,
    measure_design,
    measure_project,
    source_of,
)
from pquant_hls.measure.evaluator import EVALUATORS, Design, Evaluator, measured_by, target_of
from pquant_hls.measure.proof import Contradicted, Proof, prove
from pquant_hls.measure.shown import OverflowReport, Shown, as_ranges, overflow

__all__ = [
    "EVALUATORS",
    "Contradicted",
    "Design",
    "Evaluator",
    "OverflowReport",
    "Proof",
    "Shown",
    "as_ranges",
    "check_source",
    "estimated",
    "has_synthesis",
    "measure_better",
    "measure_design",
    "measure_project",
    "measured_by",
    "offers_reports",
    "overflow",
    "prove",
    "source_of",
    "target_of",
]
