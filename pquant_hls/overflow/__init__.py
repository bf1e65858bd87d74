"""Whether a type of a design can overflow: proven, or an input at which it does; no TensorFlow, no compiler."""

from pquant_hls.overflow.program import StageProgram, program_of
from pquant_hls.overflow.verdicts import SECONDS, Status, TypeVerdict, decide

__all__ = ["SECONDS", "StageProgram", "Status", "TypeVerdict", "decide", "program_of"]
