"""The vendors' tools: finding them, driving them, explaining their failures."""

from pquant_hls.toolchain.doctor import ToolCheck, doctor, exit_code
from pquant_hls.toolchain.explain import Cause, explain
from pquant_hls.toolchain.synthesize import STEPS, Step, backend_of_project, command_of, synthesize

__all__ = [
    "STEPS",
    "Cause",
    "Step",
    "ToolCheck",
    "backend_of_project",
    "command_of",
    "doctor",
    "exit_code",
    "explain",
    "synthesize",
]
