"""Pooling by the rules of nnet_pooling.h."""

from __future__ import annotations

from math import prod

import numpy as np

from pquant_hls.overflow.call import RuleSite
from pquant_hls.overflow.curves import Largest
from pquant_hls.overflow.stages import Index
from pquant_hls.qor import FixedType


def _cells(call: RuleSite) -> Index | None:
    """(positions, cells, channels) of places; -1 outside of the image."""
    rank = len(call.shape) - 1
    if call.node.kind.whole:
        return call.places.reshape(1, -1, call.shape[-1])
    pool = call.numbers("pool", rank)
    found = call.windows(pool, call.numbers("strides", rank, pool), (1,) * rank)
    return None if found is None else found.reshape(-1, prod(pool), call.shape[-1])


def largest_of_windows(call: RuleSite) -> int | None:
    """Padding is the type's top bit: a signed type's least value, but half of an unsigned one's range."""
    cells = _cells(call)
    if cells is None:
        return None
    program, accum, place = call.program, call.node.types.get("accum"), call.x
    kind = call.graph.node(call.node.inputs[0]).result
    fill = (kind.code_min if kind.signed else 1 << (kind.width - 1)) * kind.lsb
    stream = call.graph.io_type == "io_stream"
    check = (call.node.name, "accum")
    if accum is not None and stream:
        place, fill = program.store(place, [accum], check), float(accum.quantize(np.array(fill)))
    index = np.moveaxis(cells, 1, 2).reshape(-1, cells.shape[1])
    found = program.add(Largest((place,), len(index), program.frac(place), index, fill))
    return found if accum is None or stream else program.store(found, [accum], check)


def mean_of_windows(call: RuleSite) -> int | None:
    """Sums in the accumulator, divided towards zero (nnet_pooling.h)."""
    cells, accum = _cells(call), call.node.types.get("accum")
    if cells is None or accum is None:
        return None
    program = call.program
    index = np.moveaxis(cells, 1, 2).reshape(-1, cells.shape[1])
    counts = (index >= 0).sum(axis=1) if not call.node.attrs.get("count_pad") else index.shape[1]
    wide = FixedType(accum.width + 64, accum.integer + 64, True, accum.rounding, "SAT")
    each = program.store(call.x, [wide])
    ones = np.ones((index.shape[1], 1))
    sums = program.linear(each, index, ones, np.zeros(1), None)
    stored = call.summed(each, sums, index, ones, np.zeros(1), accum)
    shared = program.scale(stored, 1.0 / np.asarray(counts, np.float64), np.zeros(1))
    toward = FixedType(accum.width + 1, accum.integer + 1, rounding="TRN_ZERO")
    return program.store(shared, [toward])
