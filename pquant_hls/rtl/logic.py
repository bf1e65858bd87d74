"""Programs of alkaid and da4ml: read from their files, run as a node of a graph, and written as the C++ that alkaid makes."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
from alkaid.codegen.hls.hls_codegen import hls_logic_and_bridge_gen
from alkaid.trace.fixed_variable import FVariable, LookupTable
from alkaid.types import CombLogic, Op, QInterval

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import GRAPH_BYTES, json_values
from pquant_hls.qor.logic import Code, Logic, LogicOp, LogicTable
from pquant_hls.rtl._call import LayerCall, computes
from pquant_hls.rtl._da4ml import renewed
from pquant_hls.rtl.arithmetic import Symbols, constant

GZIP = b"\x1f\x8b"
MARKS = ("ALIRModel", "DAISModel")


def read_logic(path: Path) -> Logic:
    """The program in a ``.json`` or ``.json.gz`` of alkaid (IR 2 to 4) or da4ml (0.3 to 0.5, a list without a version).

    Raises
    ------
    UnsupportedModel : no such program, one of another version or with states, or one that is damaged or too large.
    """
    data = _content(path)
    if isinstance(data, list) and len(data) in (8, 9):
        data = {"meta": MARKS[0], "spec_version": 4, "model": renewed(data, path)}
    if not isinstance(data, dict) or data.get("meta") not in MARKS:
        said = f", a {data['meta']}" if isinstance(data, dict) and "meta" in data else ""
        raise UnsupportedModel(
            f"is no combinational program of alkaid or da4ml{said}",
            where=path,
            mend="give the comb.json(.gz) that alkaid or da4ml wrote, not a pipeline or a state machine",
        )
    try:
        return _logic(CombLogic.from_dict(data))
    except UnsupportedModel as cause:
        raise UnsupportedModel(f"{cause.where}: {cause.message}", where=path) from cause
    except (KeyError, ValueError, TypeError, IndexError, AssertionError, OverflowError) as cause:
        raise UnsupportedModel(f"is damaged or of another version: {cause}", where=path) from cause


def _content(path: Path) -> Any:
    if not path.is_file():
        raise UnsupportedModel("no such file", where=path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            text = file.read(GRAPH_BYTES + 1)
        if len(text) > GRAPH_BYTES:
            raise UnsupportedModel(f"has more than {GRAPH_BYTES:,} bytes", where=path)
        return json_values(text)
    except (OSError, EOFError, ValueError, RecursionError) as cause:
        raise UnsupportedModel(f"is no JSON: {cause}", where=path) from cause


def _logic(comb: CombLogic) -> Logic:
    if any(comb.inp_shifts):
        raise UnsupportedModel("shifts its inputs, which no writer of C++ does", where="inputs")
    tables = tuple(_table(table) for table in comb.lookup_tables or ())
    outputs = zip(comb.out_idxs, comb.out_shifts, comb.out_negs, strict=True)
    kept = tuple((int(index), int(shift), bool(negated)) for index, shift, negated in outputs)
    return Logic(int(comb.shape[0]), tuple(map(_op, comb.ops)), kept, tables)


def _op(op: Op) -> LogicOp:
    step = float(op.qint.step)
    frac = -math.log2(step) if step > 0.0 else math.nan
    if not frac.is_integer():
        raise ValueError(f"{step} is no power of two")
    low, high = (round(bound / step) for bound in (op.qint.min, op.qint.max))
    return LogicOp(int(op.opcode), op.addr, op.data, low, high, int(frac))


def _table(table: LookupTable) -> LogicTable:
    values = np.asarray(table.float_table, np.float64)
    frac = int(-math.log2(table.spec.out_qint.step))
    return LogicTable(np.round(values * 2.0**frac).astype(np.int64), frac)


def comb_logic(logic: Logic) -> CombLogic:
    """The program as alkaid's."""
    tables = tuple(LookupTable(table.codes * 2.0**-table.frac) for table in logic.tables)
    ops = [Op(op.reads, op.code, op.data, _interval(op), 0.0, 0.0) for op in logic.ops]
    indices, shifts, signs = (list(column) for column in zip(*logic.outputs, strict=True))
    shape = (logic.n_inputs, len(logic.outputs))
    return CombLogic(shape, [0] * logic.n_inputs, indices, shifts, signs, ops, 1, 1, tables or None)


def _interval(op: LogicOp) -> QInterval:
    step = 2.0**-op.frac
    return QInterval(op.low * step, op.high * step, step)


def logic_source(logic: Logic, name: str) -> str:
    """A C++ template ``name<input, output>(array of inputs, array of outputs)`` of AMD's types, as alkaid writes it."""
    made = hls_logic_and_bridge_gen(comb_logic(logic), name, "vitis", pragmas=["#pragma HLS INLINE"])
    return str(made[0])


@computes("logic")
def compute(call: LayerCall) -> Symbols:
    """The program, step by step; inputs are cut to the bits that it reads."""
    logic = Logic.of(call.node.arrays)
    comb = comb_logic(logic)
    wires = call.wires.ravel()
    if len(wires) != logic.n_inputs:
        raise call.refuse(f"reads {logic.n_inputs} values, and {len(wires)} are there")
    buffer = np.empty(len(comb.ops), dtype=object)
    for place, op in enumerate(comb.ops):
        taken = op.opcode == Code.INPUT
        found = wires[op.data[0]].quantize(*op.qint.kif) if taken else comb.exec_op(op, buffer, wires)
        buffer[place] = found if isinstance(found, FVariable) else constant(found)
    return np.array([_output(buffer, *output) for output in logic.outputs], dtype=object)


def _output(buffer: Symbols, index: int, shift: int, negated: bool) -> Any:
    if index < 0:
        return constant(0.0)
    return buffer[index] * (-(2.0**shift) if negated else 2.0**shift)
