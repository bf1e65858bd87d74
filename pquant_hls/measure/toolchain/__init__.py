"""The only door to outside programs: finding them, running them, explaining their failures."""

from pquant_hls.measure.toolchain.doctor import Check, doctor, exit_code
from pquant_hls.measure.toolchain.explain import Cause, explain
from pquant_hls.measure.toolchain.process import OnLine, RunResult, Status, run
from pquant_hls.measure.toolchain.synthesize import STEPS, Step, synthesize
from pquant_hls.measure.toolchain.tools import Tool, find_tools, locate, require

__all__ = [
    "STEPS", "Cause", "Check", "OnLine", "RunResult", "Status", "Step", "Tool",
    "doctor", "exit_code", "explain", "find_tools", "locate", "require", "run", "synthesize",
]  # fmt: skip
