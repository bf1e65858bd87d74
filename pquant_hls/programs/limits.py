"""What an outside program may take."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pquant_hls.errors import SpecError

MEMORY_VARIABLE = "PQUANT_HLS_MEMORY_MB"
MEMORY_SHARE = 0.9
MORE_MEMORY = f"a larger {MEMORY_VARIABLE} allows more"


@dataclass(frozen=True)
class Limits:
    """Wall time in seconds, and resident memory in MB (10^6 bytes) of the program and all it started together.

    ``memory_mb`` left out: ``$PQUANT_HLS_MEMORY_MB``, or without it 90 % of the machine's memory.
    """

    time_s: float
    memory_mb: float | None = None

    @property
    def memory_bytes(self) -> int:
        """The memory limit that holds; SpecError where the variable is no number above 0."""
        mb = default_memory_mb() if self.memory_mb is None else self.memory_mb
        return int(mb * 1e6)


def default_memory_mb() -> float:
    """MB that a program may take where nobody said how many."""
    text = os.environ.get(MEMORY_VARIABLE)
    if text is None:
        return MEMORY_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise SpecError(
            f"{text!r} is no size in MB",
            where=MEMORY_VARIABLE,
            mend="a number above 0; without it 90 % of the machine's memory",
        )
    return limit
