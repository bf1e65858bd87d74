"""``estimate``: latency and resources by the estimator, with their intervals."""

from __future__ import annotations

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.measure.evaluator import OTHERWISE, Design, Evaluator, of_the_part
from pquant_hls.qor import QoR


class ByEstimate(Evaluator):
    """The estimator on the design's fixed-point graph; a layer without a rule is a NotMeasured that names it."""

    def measure(self, design: Design) -> QoR:
        try:
            return of_the_part(estimate(design.graph, design.target))
        except NotMeasured as cause:
            if cause.mend is not None:
                raise
            raise NotMeasured(cause.message, where=cause.where, mend=OTHERWISE) from cause
