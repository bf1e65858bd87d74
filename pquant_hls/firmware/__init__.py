"""Any hls4ml firmware, read from its C++ sources: where its parts lie, its ports, its design, and the C++ that csim runs."""

from pquant_hls.firmware import functions as _functions  # the rows register themselves
from pquant_hls.firmware import moves as _moves
from pquant_hls.firmware.bridge import ENTRY, Probe, event_entry, probes, unit
from pquant_hls.firmware.graph import read_graph
from pquant_hls.firmware.headers import Includes, includes
from pquant_hls.firmware.indices import index_ports
from pquant_hls.firmware.layers import CallSite, FunctionRule, register_function
from pquant_hls.firmware.layout import LIBRARIES, Layout, find
from pquant_hls.firmware.ports import TopPort, top_ports
from pquant_hls.firmware.remarks import SourceRemark, examine
from pquant_hls.firmware.top import Top, TopCall
from pquant_hls.firmware.weights import Array, Load, SourceWeights

__all__ = [
    "ENTRY",
    "LIBRARIES",
    "Array",
    "CallSite",
    "FunctionRule",
    "Includes",
    "Layout",
    "Load",
    "Probe",
    "SourceRemark",
    "SourceWeights",
    "Top",
    "TopCall",
    "TopPort",
    "event_entry",
    "examine",
    "find",
    "includes",
    "index_ports",
    "probes",
    "read_graph",
    "register_function",
    "top_ports",
    "unit",
]

del _functions, _moves
