"""Single dense layers as designs: a table of syntheses (``wa_hls4ml_dense.csv``) whose weights are not known.

They were never trained, so they lie within the limit of Keras's default initialisation (Glorot uniform).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from _designs import Design, Truth

from pquant_hls.qor import FixedPointGraph, FixedType, Node, Target

TABLE = "table"
"""The trust of these designs, by which the fit takes them for resources alone."""
INPUT, UNCERTAINTY = FixedType(16, 6), 0.125
"""hls4ml's default type, and the clock uncertainty that Vivado HLS takes (share of the period)."""


def read_dense_table(path: Path) -> list[Design]:
    """One design for each row whose reuse factor hls4ml takes as it is; none where the file is absent."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["reuse_factor_is_valid"] == "1"]
    return [_design(index, row) for index, row in enumerate(rows)]


def _design(index: int, row: Mapping[str, str]) -> Design:
    clock = float(row["clock_target_ns"])
    target = Target(part=row["part"], clock_ns=clock, clock_uncertainty_ns=UNCERTAINTY * clock, tool="vivado")
    shared = "R = 1" if row["reuse_factor"] == "1" else "R > 1"
    used = (float(row[name]) for name in ("lut", "ff", "dsp", "bram_18k"))
    return Design(
        id=f"dense{index}",
        kind=f"one dense layer, {row['strategy'].capitalize()}, {shared}",
        family=target.family,
        weight_kind="-",
        tool=row["tool"],
        trust=TABLE,
        group="one dense layer",
        graph=_graph(row),
        target=target,
        truth=Truth(int(row["latency_cycles_max"]), *used),
    )


def _graph(row: Mapping[str, str]) -> FixedPointGraph:
    sizes = {"n_in": int(row["n_in"]), "n_out": int(row["n_out"])}
    limit = math.sqrt(6.0 / sum(sizes.values())) * 2.0 ** (int(row["weight_bits"]) - 1)
    first = Node("x", "input", (), (sizes["n_in"],), INPUT)
    types = {"weight": FixedType(int(row["weight_bits"]), 1), "accum": INPUT}
    attrs: dict[str, object] = {
        **sizes,
        "max_abs": max(1, round(limit)),
        "strategy": row["strategy"],
        "reuse_factor": int(row["reuse_factor"]),
    }
    dense = Node("fc", "dense", ("x",), (sizes["n_out"],), INPUT, types, {}, attrs)
    return FixedPointGraph((first, dense), ("fc",))
