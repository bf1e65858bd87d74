"""Any hls4ml firmware, read from its C++ sources: where its parts lie, its ports, its design, and the C++ that csim runs."""

from pquant_hls.firmware import functions as _functions  # the rows register themselves
from pquant_hls.firmware.bridge import ENTRY, Probe, event_entry, probes, unit
from pquant_hls.firmware.graph import read_graph
from pquant_hls.firmware.headers import Includes, includes
from pquant_hls.firmware.layers import FunctionRule, Site, register_function
from pquant_hls.firmware.layout import LIBRARIES, Layout, find
from pquant_hls.firmware.ports import TopPort, ports
from pquant_hls.firmware.remarks import Remark, examine
from pquant_hls.firmware.top import Call, Top
from pquant_hls.firmware.weights import Array, Load, Weights

__all__ = [
    "ENTRY",
    "LIBRARIES",
    "Array",
    "Call",
    "FunctionRule",
    "Includes",
    "Layout",
    "Load",
    "Probe",
    "Remark",
    "Site",
    "Top",
    "TopPort",
    "Weights",
    "event_entry",
    "examine",
    "find",
    "includes",
    "ports",
    "probes",
    "read_graph",
    "register_function",
    "unit",
]

del _functions
