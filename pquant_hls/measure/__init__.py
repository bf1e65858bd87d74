"""Measure a design: report readers, the vendors' tools, RTL and csim regression."""

from pquant_hls.measure.design import measure_design, target_of

__all__ = ["measure_design", "target_of"]
