"""Measure a design: report readers, the vendors' tools, RTL and csim regression."""

from pquant_hls.measure.design import (
    estimated,
    has_synthesis,
    measure_better,
    measure_design,
    measure_project,
    target_of,
)

__all__ = ["estimated", "has_synthesis", "measure_better", "measure_design", "measure_project", "target_of"]
