"""Outside programs: which are there, and the one runner (live lines, limits, and nothing left behind)."""

from pquant_hls.programs.limits import MORE_MEMORY, Limits
from pquant_hls.programs.process import OnLine, RunResult, Status, ask, run, with_prefix
from pquant_hls.programs.tools import PROGRAMS, Executable, Tool, find_tools, locate, require

__all__ = [
    "MORE_MEMORY",
    "PROGRAMS",
    "Executable",
    "Limits",
    "OnLine",
    "RunResult",
    "Status",
    "Tool",
    "ask",
    "find_tools",
    "locate",
    "require",
    "run",
    "with_prefix",
]
