"""Programs as da4ml 0.3 to 0.5 saves them, operation by operation in alkaid's IR."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pquant_hls.errors import UnsupportedModel
from pquant_hls.qor.logic import Code

_NEGATIVE = frozenset({-Code.RELU, -Code.QUANTIZE, -Code.SELECT})
"""Operations that take the negative of what they read (of a SELECT, of its second value)."""


def renewed(data: list[Any], where: Path) -> list[Any]:
    """The list of da4ml's CombLogic with alkaid's operations; one that negates becomes two, and what follows moves on.

    Raises
    ------
    UnsupportedModel : an operation that da4ml does not have, or a list of another form.
    """
    try:
        places, ops = list[int](), list[Any]()
        for record in data[5]:
            ops += _renewed(record, places, len(ops), data[5])
            places.append(len(ops) - 1)
        outputs = [places[index] if index >= 0 else -1 for index in data[2]]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as cause:
        raise UnsupportedModel(f"is damaged or of another version: {cause}", where=where) from cause
    return [*data[:2], outputs, *data[3:5], ops, *data[6:]]


def _renewed(record: list[Any], places: list[int], count: int, before: list[Any]) -> list[Any]:
    """One operation, behind what negates for it."""
    first, second, code, data, interval, *rest = record
    negated = code in _NEGATIVE
    code = -code if negated else code
    reads = _reads(code, first, second, data)
    addresses = [places[read] for read in reads]
    made = []
    if negated:
        turned = 1 if code == Code.SELECT else 0
        low, high, step = before[reads[turned]][4]
        made.append([[addresses[turned]], Code.NEGATE, [], [-high, -low, step], *rest])
        addresses[turned] = count
    return [*made, [addresses, code, _numbers(code, first, data, interval[2]), interval, *rest]]


def _reads(code: int, first: int, second: int, data: int) -> list[int]:
    match code:
        case Code.INPUT | Code.CONSTANT:
            return []
        case Code.ADD | Code.SUBTRACT | Code.PRODUCT:
            return [first, second]
        case Code.SELECT:
            return [first, second, data & 0xFFFFFFFF]
        case Code.RELU | Code.QUANTIZE | Code.ADD_CONSTANT | Code.TABLE:
            return [first]
    raise ValueError(f"operation {code} is not da4ml's")


def _numbers(code: int, first: int, data: int, step: float) -> list[int]:
    match code:
        case Code.INPUT:
            return [first]
        case Code.QUANTIZE:
            return [0]
        case Code.ADD_CONSTANT:
            return [data, -round(math.log2(step))]
        case Code.SELECT:
            return [((data >> 32) + 0x80000000) % 0x100000000 - 0x80000000]
        case Code.RELU | Code.PRODUCT:
            return []
    return [data]
