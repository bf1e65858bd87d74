"""LUT and FF for each counted bit: robust non-negative fits, each drawn towards the fit of the wider model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from pquant_hls.estimate.borders import STAGED

if TYPE_CHECKING:
    from fit_estimator import Case

READ = Path(__file__).with_name("estimator_read.json")
ROUNDS, SMALL_ERROR = 20, 0.03
ENOUGH, GROUPS = 8, 2
"""Designs and groups that a model needs for weights of its own."""
PULL = 20.0
"""How strongly a model is drawn to the next wider one, whatever its number of rows: few rows move it little."""
SMALL = {"lut": 200.0, "ff": 100.0}
"""Added to the truth of one layer before relative deviations are taken: tiny layers matter little."""
LUT_TERMS = (
    "add_bits",
    "chain_add_bits",
    "saturate_bits",
    "negate_bits",
    "double_bits",
    "multiply_bits",
    "dsp",
    "memory_bits",
)
PIPELINE_FF_TERMS = (
    "live_bits",
    "chain_live_bits",
    "waiting_bits",
    "border_bits",
    *(f"staged_{name}" for name in STAGED),
)
FF_TERMS = (
    "live_bits",
    "chain_live_bits",
    "waiting_bits",
    "dsp",
    "out_bits",
    "round_in_bits",
    "round_out_bits",
    "add_bits",
    "memory_bits",
)
TASK_TERMS = (
    "tasks",
    "block_bits",
    "port_bits",
    "window_bits",
    "line_bits",
    "shared_in_bits",
    "shared_sum_bits",
    "channel_lanes",
    "channel_memory_lanes",
    "channel_bits",
    "channel_depth_bits",
    "saturate_bits",
    "multiply_bits",
    "table_bits",
    "waiting_bits",
    "round_in_bits",
    "round_out_bits",
    "in_bits",
    "out_bits",
    "live_bits",
    "memory_width",
    "select_bits",
)
Weights = dict[str, dict[str, float]]
OPERATORS: Weights = {
    "lut": {
        "add_bits": 1.0,
        "chain_add_bits": 1.0,
        "saturate_bits": 4.0,
        "negate_bits": 1.0,
        "multiply_bits": 0.5,
        "relu_bits": 0.9,
        "round_bits": 3.0,
        "select_bits": 1.0,
        "window_bits": 1.0,
        "in_bits": 0.5,
        "out_bits": 0.5,
    },
    "ff": {
        "live_bits": 1.0,
        "chain_live_bits": 1.0,
        "waiting_bits": 0.5,
        "border_bits": 1.0,
        "window_bits": 1.0,
        "in_bits": 0.5,
        "out_bits": 0.5,
        "shared_in_bits": 1.0,
        "shared_sum_bits": 1.0,
    },
}
"""What the widest models are drawn to: a LUT for each bit that an adder sums or a selection passes (AMD UG574), an
adder for each further digit of a product, four for one that rounds and clips; a flip-flop for each bit that is held.
"""


@dataclass(frozen=True)
class Row:
    """Counts and truth of one design, or of one layer with a report of its own."""

    counts: Mapping[str, float]
    lut: float | None
    ff: float | None
    whole: bool


def fit_resources(cases: Sequence[Case]) -> dict[str, Weights]:
    """The weights of every model with enough designs, of every wider one, and the common ones of pipelines."""
    members: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        what, tool, family = case.point.model.split("/")
        for name in (what, f"{what}/{tool}", f"{what}/*/{family}", f"{what}/{tool}/{family}"):
            members[name].append(case)
    members["tasks"] = [*members.get("stream", ()), *members.get("dataflow", ())]
    pipes = [case for case in cases if case.point.model.split("/")[0] in ("pipeline", "reuse")]
    fitted: dict[str, Weights] = {"common": _weights(pipes, OPERATORS)}
    for name in sorted(members, key=lambda name: (name != "tasks", name.count("/"), name)):
        groups = {case.design.group for case in members[name]}
        if "/" not in name or (len(members[name]) >= ENOUGH and len(groups) >= GROUPS):
            fitted[name] = _weights(members[name], _wider(name, fitted))
    return fitted


def _wider(name: str, fitted: Mapping[str, Weights]) -> Weights:
    what, _, rest = name.partition("/")
    family = rest.partition("/")[2]
    near = f"{what}/*/{family}"
    if not rest:
        return (
            OPERATORS if name == "tasks" else fitted["tasks" if name in ("stream", "dataflow") else "common"]
        )
    return fitted[near if near in fitted and near != name else what]


def _weights(cases: Sequence[Case], wider: Weights) -> Weights:
    known: dict[str, float] = json.loads(READ.read_text())["known_lut"]
    if all(case.is_pipeline for case in cases):
        rows = [case.rows[0] for case in cases]
        lut = _solve(rows, "lut", LUT_TERMS, known, wider)
        return {"lut": lut, "ff": _solve(rows, "ff", PIPELINE_FF_TERMS, {}, wider)}
    rows = [row for case in cases for row in case.rows]
    lut_terms = tuple(dict.fromkeys((*LUT_TERMS, *TASK_TERMS, *known)))
    return {
        "lut": _solve(rows, "lut", lut_terms, {}, wider),
        "ff": _solve(rows, "ff", tuple(dict.fromkeys((*FF_TERMS, *TASK_TERMS))), {}, wider),
    }


def rows_of(case: Case) -> list[Row]:
    """The design, then its layers."""
    return [_design_row(case), *_layer_rows(case)]


def _design_row(case: Case) -> Row:
    total: Counter[str] = Counter()
    for module in case.point.modules:
        total.update(module.counts)
    return Row(total, case.design.truth.lut, case.design.truth.ff, whole=True)


def _layer_rows(case: Case) -> list[Row]:
    """Layers with a report of their own; the channels between them belong to the top."""
    rows, channels = [], Counter[str]()
    for module in case.point.modules:
        truth = case.design.modules.get(module.name)
        channels.update({name: value for name, value in module.counts.items() if name.startswith("channel")})
        if truth is not None:
            own = {name: value for name, value in module.counts.items() if not name.startswith("channel")}
            rows.append(Row(own, truth.lut, truth.ff, whole=False))
    built = [module for module in case.point.modules if not module.is_wire]
    if all(module.name in case.design.modules for module in built):
        lut, ff = (_rest(case, rows, what) for what in ("lut", "ff"))
        rows.append(Row(channels, lut, ff, whole=False))
    return rows


def _rest(case: Case, layers: Sequence[Row], what: str) -> float | None:
    """What the top uses beside its layers; None where reports do not add up."""
    total, parts = getattr(case.design.truth, what), [getattr(row, what) for row in layers]
    if total is None or None in parts or not sum(parts) < total < 2 * sum(parts):
        return None
    return float(total - sum(parts))


def _solve(
    rows: Sequence[Row], what: str, terms: Sequence[str], known: dict[str, float], wider: Weights
) -> dict[str, float]:
    """Non-negative weights that make the relative errors of ``what`` small, beside the ``known`` ones."""
    used = [row for row in rows if getattr(row, what)]
    if not used:
        return {}
    matrix, rest = [], []
    for row in used:
        truth = getattr(row, what) + (0.0 if row.whole else SMALL[what])
        fixed = sum(value * row.counts.get(name, 0.0) for name, value in known.items())
        matrix.append([row.counts.get(term, 0.0) / truth for term in terms])
        rest.append((getattr(row, what) - fixed) / truth)
    start = np.array([wider.get(what, {}).get(term, 0.0) for term in terms])
    found = _robust(np.array(matrix), np.array(rest), start)
    solved = {term: round(float(value), 6) for term, value in zip(terms, found, strict=True)}
    return {**known, **{term: value for term, value in solved.items() if value > 1e-9}}


def _robust(matrix: np.ndarray, truth: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Non-negative least absolute deviations by reweighting, with a ridge around ``start``.

    The ridge also keeps terms that are nearly equal in all designs from trading places.
    """
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    pull = PULL**0.5
    scaled, ridge = matrix / scale, pull * np.eye(matrix.shape[1])
    weight = np.ones(len(truth))
    for _ in range(ROUNDS):
        system = np.vstack([scaled * weight[:, None], ridge])
        solution, _ = nnls(system, np.concatenate([truth * weight, pull * start * scale]))
        deviation = np.maximum(np.abs(scaled @ solution - truth), SMALL_ERROR)
        weight = 1.0 / np.sqrt(deviation)
    return np.asarray(solution / scale)
