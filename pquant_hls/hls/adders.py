"""The adders that hls4ml's distributed arithmetic makes of a layer's sums, read from the C++ that it generates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.graph import ADDERS, ADDERS_OF, weights_key

_STEP = re.compile(
    r"^\s*ap_u?fixed<(?P<bits>\d+),\s*-?\d+>\s+v(?P<index>\d+)\s*=\s*(?P<value>[^;]+);", re.MULTILINE
)
_RESULT = re.compile(
    r"(?P<place>model_out\[\d+\] = )ap_(?P<unsigned>u?)fixed<(?P<bits>\d+),\s*(?P<integer>-?\d+)>\("
)
_OPERAND = re.compile(r"\bv(\d+)\b")
_SUM = re.compile(r"[\w)>]\s*[+-]\s*[\w(]")
"""Two operands with a sign between; ``-v3`` alone and ``bit_shift<-2>(v3)`` have none."""


def with_adders(graph: FixedPointGraph, hls_model: Any) -> FixedPointGraph:
    """``graph`` as distributed arithmetic builds it: each layer with weights with the adders of its sums."""
    return replace(graph, nodes=tuple(_with(node, hls_model.graph.get(node.name)) for node in graph.nodes))


def _with(node: Node, layer: Any) -> Node:
    source = None if layer is None else layer.attributes.get("da_codegen")
    if source is None or "weight" not in node.arrays:
        return node
    attrs = {
        **node.attrs,
        "strategy": "distributed_arithmetic",
        ADDERS_OF: weights_key(node.arrays["weight"]),
    }
    arrays = {**node.arrays, ADDERS: FixedArray(read_adders(str(source.code)), 0)}
    return replace(node, attrs=attrs, arrays=arrays)


def widen_results(hls_model: Any) -> None:
    """Give each sum bits down to the step of the type that it is stored in: ap_fixed rounds nothing off that has none
    there, as sums of few weights, which da4ml gives no bit too many."""
    from hls4ml.model.types import Source

    for layer in hls_model.get_layers():
        source = layer.attributes.get("da_codegen")
        if source is not None:
            stored = FixedType.parse(layer.get_output_variable().type.precision.definition_cpp())
            layer.set_attr("da_codegen", Source(widened_results(str(source.code), stored)))


def widened_results(code: str, stored: FixedType) -> str:
    """``code`` with results of at least as many integer bits as rounding to ``stored`` takes."""

    def wider(found: re.Match[str]) -> str:
        integer = int(found["integer"])
        more = max(0, 1 - stored.frac - integer)
        kind = FixedType(int(found["bits"]) + more, integer + more, not found["unsigned"])
        return f"{found['place']}{kind.text}("

    return _RESULT.sub(wider, code)


def read_adders(code: str) -> NDArray[np.int64]:
    """(adders, 3): rows of the two operands, -1 for an input or a constant, and bits of the sum, in order."""
    rows: dict[int, int] = {}
    """The row of each variable that is a sum; what only passes one on has its row."""
    found = []
    for index, bits, value in _steps(code):
        operands = [rows.get(int(name), -1) for name in _OPERAND.findall(value)]
        if _SUM.search(value):
            first, second, *_ = (*operands, -1, -1)
            found.append((first, second, bits))
            rows[index] = len(found) - 1
        elif operands:
            rows[index] = operands[0]
    return np.array(found, np.int64).reshape(-1, 3)


def _steps(code: str) -> Iterator[tuple[int, int, str]]:
    for step in _STEP.finditer(code):
        yield int(step["index"]), int(step["bits"]), step["value"]
