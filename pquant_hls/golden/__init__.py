"""Golden vectors of an HLS project: record what csim computes, keep it in one file, check it later.

Works on any hls4ml project folder, with no Keras model beside it and without the vendor's tools.
"""

from pquant_hls.golden.check import check, record
from pquant_hls.golden.compare import Decision, Mismatch, Mode, Rule
from pquant_hls.golden.file import Golden
from pquant_hls.golden.result import CheckResult
from pquant_hls.golden.review import Review, review
from pquant_hls.golden.sight import blind_spots, label_accuracy
from pquant_hls.golden.testbench import write_testbench
from pquant_hls.golden.vectors import Vectors, random_inputs, same_inputs
from pquant_hls.golden.weights import WeightDifference, compare_weights

__all__ = [
    "CheckResult",
    "Decision",
    "Golden",
    "Mismatch",
    "Mode",
    "Review",
    "Rule",
    "Vectors",
    "WeightDifference",
    "blind_spots",
    "check",
    "compare_weights",
    "label_accuracy",
    "random_inputs",
    "record",
    "review",
    "same_inputs",
    "write_testbench",
]
