"""Whether a type of a design can overflow: proven, or an input at which it does; no TensorFlow, no compiler."""

from pquant_hls.overflow.program import Program, taken
from pquant_hls.overflow.verdicts import SECONDS, Status, Verdict, decide

__all__ = ["SECONDS", "Program", "Status", "Verdict", "decide", "taken"]
