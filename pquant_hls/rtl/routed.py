"""What placing and routing makes of alkaid's Verilog: LUT from its cost, and a clock that grows with the design.

Fitted to 12 designs that a public study placed and routed with Vivado (calad0i/JEDI-linear@4803280, jet taggers of
37,675 to 242,979 LUT, xcvu13p-flga2577-2-e, 2 ns asked, stages cut at 2 units of delay):

* LUT = 1.06 x cost. The ratio is 0.996 to 1.111 in these, 0.97 to 1.13 in the whole study.
* period = units x 0.53 ns + 0.276 ns + 0.0233 ns x sqrt(cost / stages). The first term is the logic of a stage (see
  ``timing``; a cut at 2 units leaves stages of up to 2.6, as one at 5 leaves 6.5). The last is wire: its mean length in
  a region grows with the square root of the region's area (W. E. Donath, IEEE Trans. Circuits Syst. 26, 1979), and a
  stage's cost is its area. Least absolute deviations; each design left out in turn, the mean error is 4.4 %.

Outside of what was fitted the intervals widen, and ``Routed.note`` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pquant_hls.qor import Target

LUT_PER_COST = 1.06
LUT_RATIO = (0.95, 1.16)
"""Bounds of LUT / cost where the study has designs."""
LUT_RATIO_BEYOND = (0.80, 1.35)

FIXED_NS, WIRE_NS = 0.276, 0.0233
"""ns of a stage beside its logic, and ns for each square root of a unit of cost in it."""
MARGIN, MARGIN_BELOW, MARGIN_ABOVE, MARGIN_FAMILY = 0.20, 0.22, 0.30, 0.40
"""The reached period may exceed the expected one by this share: inside the study, for smaller designs (which route
more easily than any in it), for larger ones and other UltraScale+ parts, and for other families."""

FITTED_LUT = (35_000, 255_000)
FITTED_DEVICE = "vu13p"
SAID = "LUT and clock as after routing, by a fit to 12 routed VU13P designs of 37k to 250k LUT"


@dataclass(frozen=True)
class Routed:
    """Expected LUT and period (ns) after routing, each with its bounds; ``note`` says how far the fit reaches."""

    lut: float
    lut_low: float
    lut_high: float
    period_ns: float
    period_high_ns: float
    note: str


def routed(cost: float, units: float, stages: int, target: Target, typical_ns: float) -> Routed:
    """What Vivado would make of a pipeline.

    Parameters
    ----------
    cost : alkaid's cost of the whole program, in LUTs of its adders and choices.
    units : the longest path of a stage, in alkaid's units of delay; typical_ns is what one is worth on the family.
    """
    lut = LUT_PER_COST * cost
    why = _beyond(lut, target)
    low, high = LUT_RATIO_BEYOND if why else LUT_RATIO
    period = units * typical_ns + _scale(typical_ns) * (FIXED_NS + WIRE_NS * math.sqrt(cost / stages))
    note = f"{SAID}{f'; this one is {why}: wider intervals' if why else ''}"
    return Routed(lut, low * cost, high * cost, period, period * (1 + _margin(lut, target)), note)


def _scale(typical_ns: float) -> float:
    """Wires of other families are slower as their logic is; 0.53 ns is UltraScale+'s unit."""
    return typical_ns / 0.53


def _is_fitted_device(target: Target) -> bool:
    return FITTED_DEVICE in target.part.lower()


def _margin(lut: float, target: Target) -> float:
    if target.family != "ultrascale+":
        return MARGIN_FAMILY
    if lut > FITTED_LUT[1] or not _is_fitted_device(target):
        return MARGIN_ABOVE
    return MARGIN_BELOW if lut < FITTED_LUT[0] else MARGIN


def _beyond(lut: float, target: Target) -> str:
    """How a design lies outside of what was fitted; empty where it does not."""
    parts = []
    if not _is_fitted_device(target):
        parts.append(f"for {target.part}")
    if lut < FITTED_LUT[0]:
        parts.append(f"smaller ({lut:,.0f} LUT)")
    if lut > FITTED_LUT[1]:
        parts.append(f"larger ({lut:,.0f} LUT)")
    return " and ".join(parts)
