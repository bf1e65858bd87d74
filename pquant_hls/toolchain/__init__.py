"""The vendors' tools: finding them, driving them, explaining their failures."""

from pquant_hls.toolchain.doctor import Check, doctor, exit_code
from pquant_hls.toolchain.explain import Cause, explain
from pquant_hls.toolchain.synthesize import STEPS, Step, synthesize

__all__ = [
    "STEPS",
    "Cause",
    "Check",
    "Step",
    "doctor",
    "exit_code",
    "explain",
    "synthesize",
]
