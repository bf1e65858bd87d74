"""Quantities with units, as people write them in recipes: ``60 ns``, ``0.1 us``, ``200 MHz``, ``27%``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import Annotated

from pydantic import BeforeValidator, Field

_QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-zµ%]*)\s*$")
TIME_NS: Mapping[str, float] = {"": 1.0, "ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "ps": 1e-3, "bx": 25.0}
FREQUENCY_MHZ: Mapping[str, float] = {"mhz": 1.0, "ghz": 1e3, "khz": 1e-3}


def _split(value: object, expected: str) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        raise ValueError(f"expected {expected}, got {value!r}")
    if isinstance(value, Real):
        return float(value), ""
    found = _QUANTITY.match(value)
    if found is None:
        raise ValueError(f"expected {expected}, got {value!r}")
    return float(found[1]), found[2]


def parse_time_ns(value: object) -> float:
    """Nanoseconds from a number (ns) or a text with unit ns, us, ms, ps or BX (25 ns)."""
    number, unit = _split(value, "a time such as 60 or '60 ns'")
    if unit.lower() not in TIME_NS:
        raise ValueError(f"unknown unit {unit!r} in {value!r}, use ns, us, ms, ps or BX")
    return number * TIME_NS[unit.lower()]


def parse_clock_ns(value: object) -> float:
    """A clock period in ns from a number (ns), a time, or a frequency such as ``360 MHz``."""
    number, unit = _split(value, "a clock such as 5, '5 ns' or '200 MHz'")
    if unit.lower() not in FREQUENCY_MHZ:
        return parse_time_ns(value)
    if number <= 0 or not math.isfinite(number):
        raise ValueError(f"a frequency must be positive, got {value!r}")
    return 1e3 / (number * FREQUENCY_MHZ[unit.lower()])


def parse_uncertainty(value: object) -> str | float | None:
    """Clock uncertainty as ns (a number) or as a share of the clock (``27%``, kept as text); None is the tool's default."""
    if value is None:
        return None
    number, unit = _split(value, "an uncertainty such as '27%' or 1.35 (ns)")
    if unit == "%":
        if not 0 <= number < 100:
            raise ValueError(f"an uncertainty in percent lies in [0, 100), got {value!r}")
        return f"{number:g}%"
    return parse_time_ns(value)


TimeNs = Annotated[
    float,
    BeforeValidator(parse_time_ns, json_schema_input_type=float | str),
    Field(gt=0, allow_inf_nan=False),
]
"""A positive time in ns; recipes may write units."""

ClockNs = Annotated[
    float,
    BeforeValidator(parse_clock_ns, json_schema_input_type=float | str),
    Field(gt=0, allow_inf_nan=False),
]
"""A positive clock period in ns; recipes may write a frequency."""

Uncertainty = Annotated[
    str | float | None, BeforeValidator(parse_uncertainty, json_schema_input_type=float | str | None)
]
