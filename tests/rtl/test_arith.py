"""The room's own choices, limits and comparisons on wires that were wrapped, negated and shifted.

alkaid takes the wrong bit of such wires in its own ``msb_mux``, ``max_of`` and ``min_of`` (0.8.2).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from alkaid.trace import FVArrayInput, trace

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedType
from pquant_hls.rtl import arithmetic as arith

ZERO, ONE = arith.constant(0.0), arith.constant(1.0)
Rule = tuple[Callable[[Any], Any], Callable[[float], float]]
RULES: dict[str, Rule] = {
    "relu": (lambda x: arith.maximum(x, ZERO), lambda v: max(v, 0.0)),
    "larger": (lambda x: arith.maximum(x, arith.constant(0.25)), lambda v: max(v, 0.25)),
    "larger of constant": (lambda x: arith.maximum(arith.constant(-0.25), x), lambda v: max(v, -0.25)),
    "smaller": (lambda x: arith.minimum(x, arith.constant(0.25)), lambda v: min(v, 0.25)),
    "larger of two": (lambda x: arith.maximum(x * -0.5, x * 2.0), lambda v: max(-0.5 * v, 2 * v)),
    "smaller of two": (lambda x: arith.minimum(x * -0.5, x * -2.0), lambda v: min(-0.5 * v, -2 * v)),
    "leaky": (lambda x: arith.choose(x.is_negative(), x * 0.25, x), lambda v: v * 0.25 if v < 0 else v),
    "above zero": (
        lambda x: arith.choose(arith.above(x, 0.0), x * 2.0, ONE),
        lambda v: v * 2 if v > 0 else 1.0,
    ),
    "not above zero": (
        lambda x: arith.choose(arith.inverse(arith.above(x, 0.0)), x * 2.0, ONE),
        lambda v: v * 2 if v <= 0 else 1.0,
    ),
    "above": (lambda x: arith.above(x, -0.3) * 3.0, lambda v: 3.0 * (v > -0.3)),
    "ternary": (
        lambda x: arith.above(x, 1.0) - arith.inverse(arith.above(x, -1.0)),
        lambda v: float(v > 1) - float(v <= -1),
    ),
}
KINDS = [
    FixedType(width, 1, signed=signed, rounding=rounding, saturation=saturation)
    for width, signed, rounding, saturation in product(
        (1, 2, 3), (True, False), ("TRN", "RND_CONV"), ("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")
    )
    if width > 1 or signed or saturation != "SAT_SYM"
]


def random_wire(rng: random.Random) -> tuple[object, object, np.ndarray, np.ndarray]:
    """(input, wire, every value of the input, what the wire then holds): stored in a narrow type, scaled, shifted."""
    source = FixedType(rng.randrange(1, 5), rng.randrange(-1, 3), signed=rng.random() < 0.5)
    kind = FixedType(rng.randrange(1, 5), rng.randrange(-1, 3), signed=rng.random() < 0.7)
    before, after = rng.choice((1.0, 1.0, 1.875, 0.5, -1.0)), rng.choice((1.0, -1.0, -2.0, -0.5, 3.0, -3.0))
    add = rng.choice((0.0, 0.0, 0.25, -0.5))
    fresh = FVArrayInput((1,), arith.HARDWARE)
    stored = np.asarray(fresh.quantize(*source.kif)).ravel()[0]
    wire = arith.cast_wire(stored * before, kind) * after + add
    values = np.arange(source.code_min, source.code_max + 1) * source.lsb
    return fresh.ravel(), wire, values, kind.quantize(np.asarray(values * before, np.float64)) * after + add


@pytest.mark.parametrize("seed", range(30))
def test_every_rule_holds_on_wrapped_negated_and_shifted_wires(seed: int) -> None:
    fresh, wire, values, held = random_wire(random.Random(seed))  # noqa: S311
    rules = RULES | {
        str(kind): (
            lambda x, kind=kind: arith.cast_wire(x, kind),
            lambda v, kind=kind: float(kind.quantize(np.array(v))),
        )
        for kind in KINDS
    }
    outputs = arith.as_wires(np.array([rule(wire) for rule, _ in rules.values()], dtype=object))
    found = trace(fresh, outputs, optimize=False).predict(values[:, None]).reshape(len(values), -1)
    expected = np.array([[rule(value) for _, rule in rules.values()] for value in held])
    for column, name in enumerate(rules):
        np.testing.assert_array_equal(found[:, column], expected[:, column], err_msg=name)


@pytest.mark.parametrize("dropped", [20, 25, 30])
def test_a_cast_towards_zero_drops_any_number_of_bits(dropped: int) -> None:
    """alkaid keeps a sum of two factors as one of 24 bits: -1.5 became -2 where more bits were dropped."""
    kind = FixedType(4, 4, rounding="TRN_ZERO")
    fresh = FVArrayInput((1,), arith.HARDWARE)
    wire = np.asarray(fresh.quantize(1, 3, dropped)).ravel()[0]
    values = np.array([-1.5, -1.0, 1.5, -8.0, -(2.0**-dropped), 2.0**-dropped - 3.0, 2.0 - 2.0**-dropped])
    found = trace(fresh.ravel(), np.array([arith.cast_wire(wire, kind)])).predict(values[:, None]).ravel()
    np.testing.assert_array_equal(found, np.trunc(values))


@pytest.mark.parametrize("divisor", [3, 7, 9, 20, 100])
@pytest.mark.parametrize(("width", "more"), [(8, 0), (12, 4), (24, 6)])
def test_a_division_by_digits_is_that_of_integers(divisor: int, width: int, more: int) -> None:
    """The code, with ``more`` zeros behind it, over the divisor, towards zero; ends, multiples and others."""
    kind = FixedType(width, 4)
    fresh = FVArrayInput((1,), arith.HARDWARE)
    wire = np.asarray(fresh.quantize(*kind.kif)).ravel()[0]
    out = arith.divide(wire, divisor, kind.frac + more)
    drawn = np.random.default_rng(width).integers(kind.code_min, kind.code_max + 1, 500)
    multiples = (
        divisor
        * np.arange(kind.code_min // divisor + 1, kind.code_max // divisor)[:: max(1, 2**width // 5000)]
    )
    codes = np.unique([*drawn, *multiples, kind.code_min, kind.code_max, *range(-30, 30)])
    found = trace(fresh.ravel(), np.array([out])).predict(codes[:, None] * kind.lsb).ravel()
    wanted = [(abs(int(code)) << more) // divisor * (1 if code > 0 else -1) for code in codes]
    np.testing.assert_array_equal(found, np.array(wanted) * 2.0 ** -(kind.frac + more))


def test_a_constant_that_alkaid_would_cut_is_refused() -> None:
    """It finds the lowest bit in float32: of 27 bits the last three would be gone."""
    wide = -69728425 * 2.0**-29
    with pytest.raises(NotMeasured, match="more than 24 bits"):
        arith.constant(wide)
    assert arith.constant(-69728424 * 2.0**-29).low == -69728424 * 2.0**-29
