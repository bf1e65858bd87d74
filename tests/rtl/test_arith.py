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
