"""What the rules say of one module: its stages, and the counts that resources are proportional to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pquant_hls.estimate.schedule import EPS


@dataclass(frozen=True)
class Module:
    """One node as a hardware module.

    ``cycles`` is its own latency; ``first_ns`` and ``last_ns`` are the delays before its first and after
    its last register (the same for a module without registers). ``gap_cycles`` pass before the next module
    may start. ``counts`` are what LUT, FF, DSP and BRAM are computed from. ``rule`` names the rule, which
    is also the class its interval was measured for. ``slow_ns`` is a chain that no register may cut: the clock
    is at least that long. One that ``loops`` visits the places of its input itself, one after another.
    """

    name: str
    op: str
    rule: str = "free"
    cycles: int = 0
    first_ns: float = 0.0
    last_ns: float = 0.0
    ii_cycles: int = 1
    gap_cycles: int = 0
    counts: dict[str, float] = field(default_factory=dict)
    note: str = ""
    slow_ns: float = 0.0
    loops: bool = False

    @property
    def dsp_span(self) -> tuple[float, float]:
        """Fewest and most DSPs: those of products that every report multiplies in DSPs, and of any that one does."""
        expected = self.counts.get("dsp", 0.0)
        return self.counts.get("dsp_sure", expected), self.counts.get("dsp_possible", expected)

    @property
    def is_port(self) -> bool:
        """An input of the design."""
        return self.op == "input"

    @property
    def is_wire(self) -> bool:
        """Neither logic nor registers."""
        return self.first_ns <= 0.0 and self.cycles == 0


@dataclass(frozen=True)
class Moment:
    """A point of the top's schedule: ``state`` whole clock cycles and ``used_ns`` of the next one."""

    state: int = 0
    used_ns: float = 0.0

    def after(self, module: Module, budget_ns: float) -> Moment:
        """When the module's result is ready if it starts here; what does not fit the stage starts in the
        next one.
        """
        if module.is_wire:
            return self
        fits = self.used_ns <= 0.0 or self.used_ns + module.first_ns <= budget_ns + EPS
        state, used = (self.state, self.used_ns) if fits else (self.state + 1, 0.0)
        if module.cycles == 0:
            return Moment(state + module.gap_cycles, used + module.first_ns)
        return Moment(state + module.cycles + module.gap_cycles, module.last_ns)


def dsps(expected: float, sure: float | None = None, possible: float | None = None) -> dict[str, float]:
    """The counts of DSPs; a module with one of the three has them all, so that modules can be added up."""
    return {
        "dsp": float(expected),
        "dsp_sure": float(expected if sure is None else sure),
        "dsp_possible": float(expected if possible is None else possible),
    }


def timed(end_ns: float, budget_ns: float) -> tuple[int, float, float]:
    """(cycles, first_ns, last_ns) of logic that ends at ``end_ns`` of a schedule with this clock budget."""
    if end_ns <= budget_ns + EPS:
        return 0, end_ns, end_ns
    cycles = math.ceil(end_ns / budget_ns - EPS) - 1
    return cycles, budget_ns, end_ns - cycles * budget_ns
