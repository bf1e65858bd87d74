"""How many pipeline stages a clock needs, by alkaid's delay units and what one unit is worth on each family.

alkaid 0.8 counts an add of w bits as 1.094 + 0.0254 (w - 1) units and a 2:1 choice as 0.5. A unit of logic costs
what Vitis and Vivado HLS charge for adds of 8 to 24 bits (medians over public schedule reports: 0.70-0.82 ns on
UltraScale+ by Vitis, 1.3-2.2 ns on 7 series), divided by alkaid's units for the same add. As in HLS, a stage's logic
must fit into the clock minus its uncertainty; and the period that placing and routing may leave (``routed``), with its
margin, into the whole clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any

from alkaid.trace import to_pipeline
from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import Target
from pquant_hls.rtl.routed import Routed, routed

UNIT_NS: Mapping[str, float] = MappingProxyType(
    {
        "ultrascale+": 0.53,
        "ultrascale": 0.78,  # no reports: the geometric mean of its neighbours
        "7series": 1.15,
    }
)
"""What one of alkaid's delay units of logic is worth, in ns."""

PRODUCT = 7
"""alkaid's opcode of a product of two variables."""
MOST_STAGES, MORE_STAGES = 512, 64
"""How many stages are tried beyond the first guess before the fastest of them is accepted as it is."""


@dataclass(frozen=True)
class Pipelined:
    """alkaid's pipelined program.

    ``units`` is the longest path of a stage in its delay units, ``cost`` that of all adders and choices in LUTs,
    ``products`` counts multiplications of two variables, for which Vivado may take DSPs.
    """

    fsm: Any
    stages: int
    units: float
    routed: Routed
    cost: float
    products: int

    @property
    def latency_cycles(self) -> int:
        """Register ranks: the input register, one between stages, the output register."""
        return self.stages + 1

    @property
    def register_bits(self) -> int:
        return sum(int(signal.width) for signal in self.fsm.signals.values() if signal.reg)


def unit_ns(target: Target) -> float:
    """Raises NotMeasured for a family whose delays are not known."""
    if target.family not in UNIT_NS:
        raise NotMeasured(
            f"no delays are known for the family {target.family!r}",
            where=target.part,
            mend=f"parts of {', '.join(UNIT_NS)} are",
        )
    return UNIT_NS[target.family]


def pipeline(logic: Any, target: Target, least_stages: int = 1) -> Pipelined:
    """The fewest stages, ``least_stages`` or more, whose longest path fits the clock of ``target``, three-input adds fused
    first."""
    unit = unit_ns(target)
    fused = add_surrogate(dead_code_elimin(fuse_ternary_adders(logic)), _skip_op8_cost=True)
    total, cost = float(fused.latency[1]), float(fused.cost)
    products = sum(op.opcode == PRODUCT for op in fused.ops)

    def fits(units: float, found: Routed) -> bool:
        return units * unit <= target.budget_ns and found.period_high_ns <= target.clock_ns

    def expected(stages: int, units: float) -> Routed:
        return routed(cost, units, stages, target, unit)

    even = (n for n in range(1, MOST_STAGES) if fits(total / n, expected(n, total / n)))
    least = max(least_stages, next(even, max(1, ceil(total * unit / target.budget_ns))))
    best: Pipelined | None = None
    for stages in range(least, least + MORE_STAGES):
        fsm = to_pipeline(fused, n_stages=stages, verbose=False)
        units = max((float(add_surrogate(part).latency[1]) for part in fsm.logic.values()), default=0.0)
        found = Pipelined(fsm, stages, units, expected(stages, units), cost, products)
        if best is None or found.routed.period_ns < best.routed.period_ns:
            best = found
        if fits(units, found.routed):
            return found
    if best is None:
        raise NotMeasured("no pipeline was found", where=target.part)
    return best
