"""One judge for all contestants of ``front.py``: the neutral form as a fixed-point graph, and what it costs.

LUT are alkaid's cost of the traced and optimized program (constant matrices solved by sharing adders), stages those of
its pipeline at a 5 ns clock on VU13P; Yosys confirms that cost within 3 to 20 %. ``HLS`` figures are this package's
estimate of the hls4ml design, one type a value.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).with_name("peers")))

from _neutral import Floats, Form, Layer, Types

from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits
from pquant_hls.qor.grid import FixedGrid
from pquant_hls.rtl.bridge import bridge
from pquant_hls.rtl.timing import pipeline
from pquant_hls.spec import HlsSpec

TARGET = HlsSpec(part="xcvu13p-flga2577-2-e", clock_ns=5.0).target
CHECKED = 2000
"""Validation events on which alkaid's program is compared with the form."""
Row = dict[str, Any]


def judged(form: Form, x_val: NDArray[Any], y_val: NDArray[Any] | None) -> Row:
    """Figures of one design. ``val`` is the validation accuracy in percent; ``exact`` says whether the form computes
    the contestant's own outputs bit for bit, and alkaid's program what the form does."""
    outputs = form.forward(x_val)
    same = np.array_equal(outputs, np.asarray(form.outputs, np.float64))
    graph = graph_of(form)
    program = bridge(graph).optimized()
    stored = form.inputs.store(np.asarray(x_val[:CHECKED], np.float64))
    traced = np.asarray(program.logic.predict(stored)).reshape(len(stored), -1)
    lines = pipeline(program.logic, TARGET)
    return {
        **form.about,
        "val": 100 * share(outputs, y_val),
        "lut": float(program.logic.cost),
        "stages": lines.stages,
        "ns": (lines.stages + 1) * TARGET.clock_ns,
        "ebops": form.ebops(),
        "weights": int(sum(live.sum() for live in form.live())),
        **estimated(graph),
        "exact": bool(same and np.array_equal(traced, outputs[:CHECKED])),
    }


def share(outputs: Floats, y: NDArray[Any] | None) -> float:
    """Share of events whose class the logits say: a column a class, or one column for label 1."""
    found = outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return float((found == y).mean())


def estimated(graph: FixedPointGraph) -> Row:
    """The estimate of the hls4ml design."""
    qor = estimate(graph, TARGET)
    if qor.latency is None or qor.resources is None:
        return {"HLS cycles": None, "HLS lut": None}
    return {"HLS cycles": qor.latency.cycles_max, "HLS lut": qor.resources.lut}


def graph_of(form: Form) -> FixedPointGraph:
    """The form as a graph whose inputs are stored in their types already: all live in one port that holds them."""
    kinds = [kind for kind in _grid(form.inputs).kinds(form.inputs.width.shape) if kind is not None]
    port = FixedType.union(kinds)
    n = len(form.inputs.width)
    exact = FixedGrid(form.inputs.width, form.inputs.integer, form.inputs.signed)
    nodes = [Node("x", "input", (), (n,), port), Node("inputs", "quantize", ("x",), (n,), port, grid=exact)]
    for number, layer in enumerate(form.layers):
        sums = _sums(layer, nodes[-1].result)
        nodes.append(_dense(number, nodes[-1].name, layer, sums))
        if layer.types is not None:
            nodes.append(_stored(number, layer, _union(layer.types)))
        elif layer.relu:
            kind = FixedType.covering(0.0, sums.high, sums.frac)
            nodes.append(Node(f"relu{number}", "relu", (nodes[-1].name,), nodes[-1].shape, kind))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def _grid(types: Types) -> FixedGrid:
    return FixedGrid(types.width, types.integer, types.signed, types.rounding, types.saturation)


def _union(types: Types) -> FixedType:
    """One type for every value of all of them, one bit where none has any."""
    kinds = [kind for kind in _grid(types).kinds(types.width.shape) if kind is not None]
    return FixedType.union(kinds) if kinds else FixedType(1, 1)


def _sums(layer: Layer, read: FixedType) -> FixedType:
    """The narrowest type of every partial sum of values of type ``read``."""
    most = max(abs(read.low), abs(read.high))
    reach = float((most * np.abs(layer.weight).sum(axis=0) + np.abs(layer.bias)).max())
    finest = max(read.frac + fraction_bits(layer.weight), fraction_bits(layer.bias))
    return FixedType.covering(-reach - 2.0**-finest, reach, finest)


def _dense(number: int, source: str, layer: Layer, sums: FixedType) -> Node:
    arrays = {"weight": _array(layer.weight), "bias": _array(layer.bias)}
    types = {name: _holding(array) for name, array in arrays.items()} | {"accum": sums}
    return Node(f"fc{number}", "dense", (source,), layer.bias.shape, sums, types, arrays)


def _stored(number: int, layer: Layer, kind: FixedType) -> Node:
    """The stored values: one type for all where they share one, as a layer of ordinary firmware has."""
    assert layer.types is not None
    op = "relu" if layer.relu else "quantize"
    own = set(_grid(layer.types).kinds(layer.types.width.shape))
    name, before = f"{op}{number}", (f"fc{number}",)
    if len(own) == 1 and None not in own:
        return Node(name, op, before, layer.bias.shape, own.pop())
    return Node(name, op, before, layer.bias.shape, kind, grid=_grid(layer.types))


def _array(values: Floats) -> FixedArray:
    frac = fraction_bits(values)
    return FixedArray(np.rint(values * 2.0**frac).astype(np.int64), frac)


def _holding(array: FixedArray) -> FixedType:
    values = array.values
    return FixedType.covering(float(values.min(initial=0)), float(values.max(initial=0)), array.frac_bits)


def form_of(graph: FixedPointGraph, outputs: NDArray[Any], about: Row) -> Form:
    """The form of this package's own design: a chain of dense layers, ReLU and changes of type."""
    first, *others = graph.nodes
    types: list[Types] = [_types(first)]
    layers: list[Layer] = []
    for node in others:
        if node.op == "dense":
            bias = node.arrays["bias"].values.ravel()
            layers.append(Layer(node.arrays["weight"].values, bias, False, None))
        elif node.op in ("relu", "quantize") and layers:
            done = layers.pop()
            layers.append(Layer(done.weight, done.bias, done.relu or node.op == "relu", _types(node)))
        elif node.op == "quantize":
            types.append(_types(node))
        else:
            raise ValueError(f"{node.name}: {node.op} has no place in the neutral form")
    return Form(types[-1], tuple(layers), np.asarray(outputs, np.float32), about)


def _types(node: Node) -> Types:
    """The types a node stores its values in."""
    n = node.shape[0]
    if node.grid is not None:
        width, integer, signed = np.broadcast_to(node.grid.to_array().reshape(3, -1), (3, n))
        return Types(width, integer, signed.astype(bool), node.grid.rounding, node.grid.saturation)
    kind = node.result
    return Types(
        np.full(n, kind.width),
        np.full(n, kind.integer),
        np.full(n, kind.signed),
        kind.rounding,
        kind.saturation,
    )
