"""Outside programs: which are there, and the one runner (own process group, live lines, limits, polite stop, kill)."""

from pquant_hls.programs.process import OnLine, RunResult, Status, ask, run, with_prefix
from pquant_hls.programs.tools import Tool, find_tools, locate, require

__all__ = [
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
