"""How many pipeline stages a clock needs, by alkaid's delay units and what one unit is worth on each family.

alkaid 0.8 counts an add of w bits as 1.094 + 0.0254 (w - 1) units and a 2:1 choice as 0.5. What a unit costs
was taken from two sides, and both must hold for a stage:

* ``typical_ns``: the delay Vitis and Vivado HLS charge for adds of 8 to 24 bits (medians over public schedule
  reports: 0.70-0.82 ns on UltraScale+ by Vitis, 1.3-2.2 ns on 7 series), divided by alkaid's units for the
  same add. As in HLS, a stage of typical delay must fit into the clock minus its uncertainty.
* ``worst_ns``: alkaid's own pairing of a cutoff of 5 units with a 5 ns clock on a VU13P -2; its splitter lets
  a stage grow to about 6.5 units, so 5 ns / 6.5; scaled as ``typical_ns`` for the other families. A stage of
  worst delay must fit into the whole clock.

No vendor timing analysis of these designs has been run: the clock stays an estimate.
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


@dataclass(frozen=True)
class UnitDelay:
    """What one of alkaid's delay units is worth, in ns."""

    typical_ns: float
    worst_ns: float


UNIT_DELAYS: Mapping[str, UnitDelay] = MappingProxyType(
    {
        "ultrascale+": UnitDelay(0.53, 0.77),
        "ultrascale": UnitDelay(0.78, 1.13),  # no reports: the geometric mean of its neighbours
        "7series": UnitDelay(1.15, 1.67),
    }
)

MORE_STAGES = 64
"""How many stages are tried beyond the first guess before the longest operation is accepted as it is."""


@dataclass(frozen=True)
class Pipeline:
    """alkaid's pipelined program; ``units`` is the longest path of a stage in its delay units."""

    fsm: Any
    stages: int
    units: float
    delay: UnitDelay

    @property
    def latency_cycles(self) -> int:
        """Register ranks: the input register, one between stages, the output register."""
        return self.stages + 1

    @property
    def register_bits(self) -> int:
        return sum(int(signal.width) for signal in self.fsm.signals.values() if signal.reg)

    @property
    def typical_ns(self) -> float:
        return self.units * self.delay.typical_ns

    @property
    def worst_ns(self) -> float:
        return self.units * self.delay.worst_ns


def unit_delay(target: Target) -> UnitDelay:
    """Raises NotMeasured for a family whose delays are not known."""
    if target.family not in UNIT_DELAYS:
        raise NotMeasured(
            f"no delays are known for the family {target.family!r}",
            where=target.part,
            mend=f"parts of {', '.join(UNIT_DELAYS)} are",
        )
    return UNIT_DELAYS[target.family]


def stage_units(target: Target) -> float:
    """The longest path a stage may have, in alkaid's delay units."""
    delay = unit_delay(target)
    return min(target.budget_ns / delay.typical_ns, target.clock_ns / delay.worst_ns)


def pipeline(logic: Any, target: Target) -> Pipeline:
    """The fewest stages whose longest path fits the clock of ``target``, three-input adds fused first."""
    limit, delay = stage_units(target), unit_delay(target)
    fused = add_surrogate(dead_code_elimin(fuse_ternary_adders(logic)), _skip_op8_cost=True)
    least = max(1, ceil(fused.latency[1] / limit))
    best: Pipeline | None = None
    for stages in range(least, least + MORE_STAGES):
        fsm = to_pipeline(fused, n_stages=stages, verbose=False)
        units = max((float(add_surrogate(part).latency[1]) for part in fsm.logic.values()), default=0.0)
        if best is None or units < best.units:
            best = Pipeline(fsm, stages, units, delay)
        if units <= limit:
            break
    if best is None:
        raise NotMeasured("no pipeline was found", where=target.part)
    return best
