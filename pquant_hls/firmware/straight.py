"""Straight code of single values, as da4ml and alkaid write it (``ap_fixed<7,4> v9 = v3 - bit_shift<2>(v5);``), as a program."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pquant_hls.errors import PquantError
from pquant_hls.firmware.cpp import active, code_of
from pquant_hls.firmware.declared import Function
from pquant_hls.qor import FixedType
from pquant_hls.qor.logic import Code, Logic, LogicOp, LogicTable

_TYPE = r"ap_u?fixed<\s*\d+\s*,\s*-?\d+\s*>"
_STEP = re.compile(rf"({_TYPE}) v(\d+) = (.+);")
_TYPED = re.compile(r"(ap_u?fixed<[^<>]*>) model_inp_q_(\d+) = (?:model_inp\[(\d+)\]|0);")
"""What hls4ml writes in front where it fuses the types of single values into the sums behind them."""
_RESULT = re.compile(rf"model_out\[(\d+)\] = (?:0|{_TYPE}\((-?)(?:v(\d+)|bit_shift<(-?\d+)>\(v(\d+)\))\));")
_ENTRIES = re.compile(rf"static const ({_TYPE}) (table_\w+)\[\] = \{{(.*)\}};")
_TERM = r"(?:v(\d+)|bit_shift<(-?\d+)>\(v(\d+)\))"
_NUMBER = r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?"


@dataclass
class _Reading:
    """What was read so far; ``places`` are the values' numbers in the C++."""

    ops: list[LogicOp] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    outputs: list[tuple[int, int, bool]] = field(default_factory=list)
    tables: list[LogicTable] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    kinds: list[FixedType | None] = field(default_factory=list)

    def add(
        self, name: str, code: int, reads: tuple[int, ...], data: tuple[int, ...], kind: FixedType
    ) -> None:
        self.places[name] = len(self.ops)
        self.ops.append(LogicOp(code, reads, data, kind.code_min, kind.code_max, kind.frac))


def straight_logic(function: Function) -> tuple[Logic, list[FixedType | None]] | None:
    """The program of a function from ``model_inp`` to ``model_out``, with the types that it stores its inputs in before (none
    in most; None for a value without bits); None where a statement is of another form."""
    reading = _Reading()
    try:
        for statement in active(function.body):
            if statement.type in ("comment", "preproc_call"):
                continue
            text = code_of(statement)
            if not (
                _typed(text, reading)
                or _step(text, reading)
                or _result(text, reading)
                or _entries(text, reading)
            ):
                return None
        taken = [op.data[0] for op in reading.ops if op.code == Code.INPUT]
        count = function.parameters[0].lengths
        size = int(code_of(count[0])) if count else max(taken, default=-1) + 1
        logic = Logic(size, tuple(reading.ops), tuple(reading.outputs), tuple(reading.tables))
    except (KeyError, ValueError, IndexError, PquantError):
        return None
    return logic, reading.kinds


def _typed(text: str, reading: _Reading) -> bool:
    found = _TYPED.fullmatch(text)
    if found is None or int(found[2]) != len(reading.kinds):
        return False
    reading.kinds.append(None if found[3] is None else FixedType.parse(found[1]))
    return True


def _step(text: str, reading: _Reading) -> bool:
    found = _STEP.fullmatch(text)
    if found is None:
        return False
    kind, name, value = FixedType.parse(found[1]), found[2], found[3]
    for pattern, read in _FORMS:
        match = re.fullmatch(pattern, value)
        if match is not None:
            read(reading, name, kind, match)
            return True
    return False


def _result(text: str, reading: _Reading) -> bool:
    found = _RESULT.fullmatch(text)
    if found is None or int(found[1]) != len(reading.outputs):
        return False
    value = found[3] or found[5]
    place = -1 if value is None else reading.places[value]
    reading.outputs.append((place, int(found[4] or 0), found[2] == "-"))
    return True


def _entries(text: str, reading: _Reading) -> bool:
    found = _ENTRIES.fullmatch(text)
    if found is None:
        return False
    kind = FixedType.parse(found[1])
    codes = kind.to_codes(np.array(found[3].split(","), np.float64))
    reading.names[found[2]] = len(reading.tables)
    reading.tables.append(LogicTable(codes, kind.frac))
    return True


Match = re.Match[str]


def _term(reading: _Reading, match: Match, first: int) -> tuple[int, int]:
    """(value, shift) of a ``_TERM`` whose groups begin at ``first``."""
    return reading.places[match[first] or match[first + 2]], int(match[first + 1] or 0)


def _input(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    reading.add(name, Code.INPUT, (), (int(match[1]),), kind)


def _passed(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    place, shift = _term(reading, match, 1)
    reading.add(name, Code.QUANTIZE, (place,), (shift,), kind)


def _negated(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    reading.add(name, Code.NEGATE, (reading.places[match[1]],), (), kind)


def _summed(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    code = Code.SUBTRACT if match[2] == "-" else Code.ADD
    place, shift = _term(reading, match, 3)
    reading.add(name, code, (reading.places[match[1]], place), (shift,), kind)


def _moved(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    added = FixedType.parse(match[3])
    number = int(added.to_codes(np.array([float(match[4])]))[0]) * (-1 if match[2] == "-" else 1)
    reading.add(name, Code.ADD_CONSTANT, (reading.places[match[1]],), (number, added.frac), kind)


def _constant(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    number = int(kind.to_codes(np.array([float(match[0])]))[0])
    reading.add(name, Code.CONSTANT, (), (number,), kind)


def _relu(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    reading.add(name, Code.RELU, (reading.places[match[1]],), (), kind)


def _chosen(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    place, shift = _term(reading, match, 4)
    reads = (reading.places[match[3]], place, reading.places[match[1]])
    if int(match[2]) != reading.ops[reads[2]].width - 1:
        raise ValueError("not the highest bit")
    reading.add(name, Code.SELECT, reads, (shift,), kind)


def _product(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    reading.add(name, Code.PRODUCT, (reading.places[match[1]], reading.places[match[2]]), (), kind)


def _looked_up(reading: _Reading, name: str, kind: FixedType, match: Match) -> None:
    """The C++ has the entries in the order of the address' raw bits, a program from the least value on."""
    table, place = reading.names[match[1]], reading.places[match[2]]
    entries, source = reading.tables[table], reading.ops[place]
    turned = LogicTable(np.roll(entries.codes, -source.low), entries.frac)
    reading.tables.append(turned)
    reading.add(name, Code.TABLE, (place,), (len(reading.tables) - 1,), kind)


_FORMS: tuple[tuple[str, Callable[[_Reading, str, FixedType, Match], None]], ...] = (
    (r"model_inp(?:\[|_q_)(\d+)\]?", _input),
    (_TERM, _passed),
    (r"-v(\d+)", _negated),
    (rf"v(\d+) ([+-]) {_TERM}", _summed),
    (rf"v(\d+) ([+-]) ({_TYPE})\(({_NUMBER})\)", _moved),
    (_NUMBER, _constant),
    (rf"v(\d+) > 0 \? {_TYPE}\(v\1\) : {_TYPE}\(0\)", _relu),
    (rf"v(\d+)\[(\d+)\] \? {_TYPE}\(v(\d+)\) : {_TYPE}\({_TERM}\)", _chosen),
    (r"v(\d+) \* v(\d+)", _product),
    (r"(table_\w+)\[v(\d+)\.range\(\)\]", _looked_up),
)
