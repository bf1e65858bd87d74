"""Delays of adders, multipliers and activations for one FPGA family and tool, in ns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.weights import Operands, odd_part, trailing_zeros
from pquant_hls.estimate.weights import bits as code_bits
from pquant_hls.qor import Target
from pquant_hls.qor.digits import signed_digits

Table = tuple[tuple[float, float], ...]
DSP_BITS = (18, 27)
USUAL_BITS = 16
"""Width of the sum by which the kind of its adders is chosen: narrower sums must not get slower ones."""
Delays = NDArray[np.float64]


@dataclass(frozen=True)
class Operators:
    """Operator delays (ns) of ``family`` as ``tool`` schedules them; tables are (bits, ns).

    ``level`` is one level of a balanced adder tree, ``step`` one step of a chain of adds and subtracts,
    ``dsp`` a multiplier in a DSP that takes ``dsp_stages`` stages where it does not fit one. ``fitted`` is
    False where no report of this family and tool was at hand and the nearest one stands in.
    """

    family: str
    tool: str
    add: Table
    level: Table
    mul_lut: Table
    dsp: float
    dsp_stages: int
    step: float
    relu: Table
    relu_round: Table
    fitted: bool

    @property
    def table_family(self) -> str:
        """Which entry of the table times stands for this family."""
        return "7series" if self.family == "7series" else "ultrascale+"

    def add_ns(self, width: NDArray[np.int64] | int) -> Delays:
        return _at(self.add, width)

    def level_ns(self, width: int, budget_ns: float) -> float:
        """A three-input adder where one of usual width fits a stage, else a plain one."""
        three = float(_at(self.level, USUAL_BITS)) <= budget_ns
        return min(float(_at(self.level, width) if three else self.add_ns(width)), budget_ns)

    def relu_ns(self, width: int, *, rounds: bool) -> float:
        """A comparison and a selection; rounding and saturation add their own adders."""
        return float(_at(self.relu_round if rounds else self.relu, width))

    def product_ns(self, operands: Operands, budget_ns: float) -> Delays:
        """When each product is ready (terms, outputs): 0 for powers of two, an adder for two digits, else a
        multiply.

        A negative power of two is a negation, unless the subtraction takes it over.
        """
        codes = operands.codes
        digits = signed_digits(codes)
        own = operands.inputs.reach
        width = own + code_bits(odd_part(codes))
        # what is slower than a stage gets one and breaks timing
        in_luts = np.minimum(_at(self.mul_lut, width), budget_ns)
        multiply = np.where(dsp_products(operands) > 0, self._dsp_ns(budget_ns), in_luts)
        negates = (codes < 0) & (digits == 1) & ~_taken_over(operands)
        single = np.where(negates, np.minimum(self.add_ns(own + 1), budget_ns), 0.0)
        double = np.minimum(self.add_ns(width), budget_ns)
        return np.select([codes == 0, digits == 1, digits == 2], [0.0, single, double], multiply)

    def _dsp_ns(self, budget_ns: float) -> float:
        if self.dsp <= budget_ns:
            return self.dsp
        return (self.dsp_stages - 1) * budget_ns + 0.8 * min(budget_ns, self.dsp)


def dsp_products(operands: Operands, part: str = "expected") -> NDArray[np.int64]:
    """DSPs of each product (terms, outputs): of three or more signed digits and, unless ordered, a wide result.

    ``part`` is ``expected``, ``sure`` (as wide as those that every report multiplies in DSPs) or ``possible`` (as wide
    as any that a report does).
    """
    first, second = operands.inputs.reach, code_bits(odd_part(operands.codes)) + 1
    needed = {"dsp": 0, "fabric": 1 << 30}.get(operands.multiplier, constants()["dsp"]["product_bits"][part])
    wide = (signed_digits(operands.codes) >= 3) & (first + second >= needed)
    return np.where(wide, dsp_tiles(first, second), 0)


def dsp_tiles(first: NDArray[np.int64] | int, second: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """DSPs of a product of two signed factors of so many bits: each DSP multiplies 27 by 18 (AMD UG579; 25 by 18 on
    7 series, UG479, where no report shows the difference), and a factor of several parts needs one for each.
    """
    low, high = np.minimum(first, second), np.maximum(first, second)
    parts = -(-(high - 1) // (DSP_BITS[1] - 1)) * -(-(low - 1) // (DSP_BITS[0] - 1))
    return np.asarray(np.maximum(parts, 1), dtype=np.int64)


def _taken_over(operands: Operands) -> NDArray[np.bool_]:
    whole = trailing_zeros(operands.codes) >= operands.dropped_bits
    return np.asarray(whole & (operands.sign_room >= 0))


def operators(target: Target) -> Operators:
    """The delays for ``target``; the nearest family's, marked unfitted, where there are none.

    Raises
    ------
    NotMeasured : the target's tool is none whose scheduling is known.
    """
    if target.tool is None:
        raise NotMeasured(
            "the estimator has no rules for this backend's C synthesis", mend="run its own tool"
        )
    table = constants()["operators"]
    key = f"{target.family}/{target.tool}"
    nearest = table[key]["like"] if key in table and "like" in table[key] else key
    entry = table.get(nearest) or table[f"7series/{target.tool}"]
    tables = {
        name: tuple((float(a), float(b)) for a, b in entry[name])
        for name in ("add", "level", "mul_lut", "relu", "relu_round")
    }
    return Operators(
        family=target.family,
        tool=target.tool,
        dsp=float(entry["dsp"]),
        dsp_stages=int(entry["dsp_stages"]),
        step=float(entry["step"]),
        fitted=nearest == key and key in table,
        **tables,
    )


def _at(table: Table, width: NDArray[np.int64] | int) -> Delays:
    """Linear between the table's widths; beyond the last one the last slope goes on."""
    xs, ys = np.array([x for x, _ in table]), np.array([y for _, y in table])
    inside = np.interp(width, xs, ys)
    slope = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2]) if len(xs) > 1 else 0.0
    return np.asarray(inside + np.maximum(np.asarray(width) - xs[-1], 0) * max(slope, 0.0), dtype=np.float64)
