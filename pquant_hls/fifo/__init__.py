"""Depths of the FIFOs of io_stream designs, from the traffic that csim records.

sized = size_fifos(project, x)          # Sizing: depth of each FIFO, and what was proven of it
deepened = with_fifo_depths(project, sized.depths)
"""

from pquant_hls.fifo.depths import Fifo, Sizing, size_fifos
from pquant_hls.fifo.simulate import Flow, Task, run_tasks
from pquant_hls.fifo.traffic import Traffic, record_traffic
from pquant_hls.hls.streams import with_fifo_depths

__all__ = [
    "Fifo",
    "Flow",
    "Sizing",
    "Task",
    "Traffic",
    "record_traffic",
    "run_tasks",
    "size_fifos",
    "with_fifo_depths",
]
