"""alkaid's passes over a traced program, in alkaid's order, without the one that changes values.

alkaid 0.8.2's ``canonicalize_msb_wraps`` takes a bit that is read behind a shift for the highest bit of what it is read from
wherever the two have the same worth, so that a sum of a product with a power of two was rounded by another bit than its
last (half to even). ``tests/rtl/test_passes.py`` holds the case.
"""

from __future__ import annotations

from typing import Any

from alkaid.trace import FVArray, trace
from alkaid.trace.passes import common_subexpr_elimin, dead_code_elimin, null_quant_elimin
from alkaid.trace.passes.canon import canonicalize_outputs, const_propagation
from alkaid.trace.passes.order import canonical_sort, topo_bandwidth_sort
from alkaid.trace.passes.surrogate import add_surrogate

MOST_ROUNDS = 4
"""Of passes until nothing changes; alkaid's own limit."""
PASSES = (
    const_propagation,
    canonicalize_outputs,
    dead_code_elimin,
    common_subexpr_elimin,
    dead_code_elimin,
    null_quant_elimin,
    dead_code_elimin,
    canonical_sort,
)


def shared(logic: Any) -> Any:
    """The ``CombLogic`` with common parts once, unused ones gone, and the latency and cost of each operation."""
    for _ in range(MOST_ROUNDS):
        before = _passed(logic)
        logic = _passed(_traced_anew(before))
        if logic == before:
            break
    return topo_bandwidth_sort(canonical_sort(add_surrogate(logic)))


def _passed(logic: Any) -> Any:
    for step in PASSES:
        logic = step(logic)
    return logic


def _traced_anew(logic: Any) -> Any:
    inputs = FVArray.from_kif(*logic.inp_kifs).as_new()
    return trace(inputs, logic(inputs, quantize=False), optimize=False)
