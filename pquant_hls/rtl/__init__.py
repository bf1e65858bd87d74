"""From FixedPointGraph through alkaid: exact emulator, pipelined Verilog, its simulation and synthesis.

The only room that imports alkaid and pyosys.
"""

from pquant_hls.rtl._call import LayerCall, computes
from pquant_hls.rtl.emulator import Emulator, emulate
from pquant_hls.rtl.integers import INTEGER_PRELUDE, integer_code
from pquant_hls.rtl.project import RtlProject, load_rtl_project, to_verilog
from pquant_hls.rtl.record import measure_rtl
from pquant_hls.rtl.simulation import Simulation, simulate
from pquant_hls.rtl.synthesis import synthesize

__all__ = [
    "INTEGER_PRELUDE",
    "Emulator",
    "LayerCall",
    "RtlProject",
    "Simulation",
    "computes",
    "emulate",
    "integer_code",
    "load_rtl_project",
    "measure_rtl",
    "simulate",
    "synthesize",
    "to_verilog",
]
