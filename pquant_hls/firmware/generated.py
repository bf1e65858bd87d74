"""Functions that hls4ml writes for one layer alone (nnet_code_gen.h): types of single values, and sums made of adders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from tree_sitter import Node as Syntax

from pquant_hls.errors import PquantError
from pquant_hls.firmware.cpp import Source, active, code_of
from pquant_hls.firmware.declared import Declared, Function
from pquant_hls.firmware.layers import FunctionRule
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.straight import straight_logic
from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.qor.logic import Logic

FILE = "nnet_code_gen.h"
_PLACE = re.compile(r"out\[(\d+)\]")
_CAST = re.compile(r"(ap_u?fixed<[^()]*>)\(inp\[(\d+)\]\)")


@dataclass(frozen=True)
class Written:
    """What a generated function computes: one type for each value (``grid``), a program, or the one after the other."""

    rule: FunctionRule
    grid: FixedGrid | None = None
    logic: Logic | None = None


def written_for(layout: Layout, name: str) -> Written | None:
    """The generated function of this name; None where there is none, or it is of another form."""
    function = _functions(layout).get(name)
    return None if function is None else _read(function)


@lru_cache(maxsize=16)
def _functions(layout: Layout) -> Mapping[str, Function]:
    file = None if layout.libraries is None else layout.libraries / FILE
    if file is None or not file.is_file():
        return {}
    return {found.name: found for found in Declared().take(Source.read(file)).functions if found.templated}


@lru_cache(maxsize=256)
def _read(function: Function) -> Written | None:
    statements = [node for node in active(function.body) if node.type != "comment"]
    grid = _grid(statements)
    if grid is not None:
        return Written(FunctionRule("quantize", types={}), grid)
    found = straight_logic(function)
    if found is None:
        return None
    logic, kinds = found
    grid, count = _of(kinds) if kinds else None, (len(logic.outputs),)
    if kinds and (grid is None or len(kinds) != logic.n_inputs):
        return None
    return Written(FunctionRule("logic", types={}, gives=lambda _: count), grid, logic)


def _grid(statements: list[Syntax]) -> FixedGrid | None:
    """Of ``out[i] = ap_fixed<...>(inp[i]);`` for each value, or ``= 0``; None where any statement is another."""
    kinds: list[FixedType | None] = []
    for statement in statements:
        place, _, value = code_of(statement).rstrip(";").partition(" = ")
        cast = _CAST.fullmatch(value)
        found = _PLACE.fullmatch(place)
        if statement.type.startswith("preproc"):
            continue
        if found is None or int(found[1]) != len(kinds) or (cast is None and value != "0"):
            return None
        if cast is not None and int(cast[2]) != len(kinds):
            return None
        try:
            kinds.append(None if cast is None else FixedType.parse(cast[1]))
        except PquantError:
            return None
    return _of(kinds) if kinds else None


def _of(kinds: list[FixedType | None]) -> FixedGrid | None:
    modes = {(kind.rounding, kind.saturation) for kind in kinds if kind is not None} or {("TRN", "WRAP")}
    if len(modes) != 1:
        return None
    parts = [(0, 0, False) if kind is None else (kind.width, kind.integer, kind.signed) for kind in kinds]
    width, integer, signed = (np.array(column) for column in zip(*parts, strict=True))
    return FixedGrid(width, integer, signed, *modes.pop())


def widest_of(grid: FixedGrid) -> FixedType:
    """The narrowest type that holds the values of all types of a grid."""
    used = grid.width > 0
    keep = bool(grid.signed[used].any())
    integer = int((grid.integer - grid.signed)[used].max(initial=0)) + keep
    frac = int((grid.width - grid.integer)[used].max(initial=0))
    return FixedType(max(1, integer + frac), integer, keep)
