"""From FixedPointGraph through alkaid: exact emulator, pipelined Verilog, its simulation and synthesis."""

from pquant_hls.measure.rtl.emulator import Emulator, emulate

__all__ = ["Emulator", "emulate"]
