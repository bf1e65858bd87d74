"""The FixedPointGraph of a firmware, from its sources alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware.buffers import padding_of
from pquant_hls.firmware.cpp import code_of
from pquant_hls.firmware.declared import Parameter
from pquant_hls.firmware.generated import Written, widest_of, written_for
from pquant_hls.firmware.layers import Attrs, CallSite, FunctionRule, Shape, array_names, coding
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.shapes import rule_of, shapes_of
from pquant_hls.firmware.sums import adders_of, sums_of
from pquant_hls.firmware.top import TopCall
from pquant_hls.firmware.values import stream_of
from pquant_hls.firmware.weights import SourceWeights
from pquant_hls.qor import FixedArray, FixedGrid, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits
from pquant_hls.qor.graph import ADDERS, ADDERS_OF, weights_key

STILL_WORKS = "csim record, csim check and export work without a graph"


def read_graph(layout: Layout, backend: str = "Vitis") -> FixedPointGraph:
    """The design that the sources are, as integers; nothing is compiled.

    Nodes carry the names that hls4ml writes behind its calls, else those of their variables. What the C++ does not tell is
    left out: the reuse factors of layers that compute nothing, table sizes of what has no table.

    Raises
    ------
    UnsupportedModel : what no rule reads, with file and line: a function that is not hls4ml's, a statement written by hand,
        a type that is not fixed-point, an array without values, sizes that do not fit.
    """
    return _Builder(layout, SourceWeights(layout)).graph(backend)


@dataclass
class _Builder:
    layout: Layout
    weights: SourceWeights
    nodes: dict[str, Node] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    def graph(self, backend: str) -> FixedPointGraph:
        top, trouble = self.layout.top, self.layout.trouble
        if trouble is not None:
            raise UnsupportedModel(trouble, where=top.name, mend=STILL_WORKS)
        for port in top.inputs:
            self._input(port)
        for call in top.calls:
            self._call(call)
        outputs = tuple(self._node_of(port.name) for port in top.outputs)
        kinds = [self.layout.names.type_text(port.type) for port in (*top.inputs, *top.outputs)]
        io_type = "io_stream" if any(map(stream_of, kinds)) else "io_parallel"
        return FixedPointGraph(tuple(self.nodes.values()), outputs, io_type, backend, top.name)

    def _input(self, port: Parameter) -> None:
        shape = self._shape(port.name)
        self._add(port.name, Node(port.name, "input", (), shape, self._kind(port.type, port.name)))

    def _call(self, call: TopCall) -> None:
        row, made = rule_of(call, self.layout), written_for(self.layout, call.function)
        if row is None:
            name = call.function or code_of(call.statement)[:40]
            raise self._cannot(f"no rule reads {name!r}", call, mend=STILL_WORKS)
        sources = tuple(self._node_of(name) for name in call.reads)
        result = self.layout.top.declaration(call.writes[0]) if call.writes else None
        if result is None or not sources:
            raise self._cannot(f"what {call.function!r} reads and writes cannot be told", call)
        site = CallSite(
            call, shapes_of(self.layout).config(call), tuple(self.nodes[name].shape for name in sources)
        )
        shape, operation = self._result(row, site), row.operation(site.config)
        node = Node(
            call.name,
            operation,
            sources,
            shape,
            self._kind(result.type, result.name),
            self._types(row, site),
            self._arrays(row, site, operation),
            self._attrs(row, site, operation, shape),
        )
        if made is not None:
            node = self._generated(node, made)
        elif node.kind.weighted:
            node = self._of_adders(node, site)
        mean = self._old_mean(node)
        if mean is not None:
            self.nodes[mean.name] = mean
            node = Node(call.name, "quantize", (mean.name,), shape, node.result, attrs={})
        for written in call.writes:
            self._add(written, node)

    def _generated(self, node: Node, made: Written) -> Node:
        """With the types or the program that hls4ml wrote a function of its own for; types in front of a program become a
        node of their own."""
        if made.logic is None:
            return replace(node, grid=_placed(made.grid, node))
        program = replace(node, arrays=made.logic.arrays(), attrs={"op_name": "logic"})
        return program if made.grid is None else self._typed(program, made.grid)

    def _typed(self, node: Node, grid: FixedGrid) -> Node:
        """Behind a node of its own that stores what it reads in these types."""
        source, name = self.nodes[node.inputs[0]], f"{node.name}_types"
        typed = Node(name, "quantize", (source.name,), source.shape, widest_of(grid), attrs={})
        self.nodes[name] = replace(typed, grid=_placed(grid, typed))
        return replace(node, inputs=(name,))

    def _of_adders(self, node: Node, site: CallSite) -> Node:
        """With the weights and the adders of the function that was written for its sums alone, where its struct names one.

        Raises
        ------
        UnsupportedModel : there are no weights besides, and the sums, or the windows that they are of, cannot be told.
        """
        name = site.config.function("dense_da") or site.config.function("kernel").replace("_wrapper_", "_")
        made = written_for(self.layout, name)
        sums = None if made is None or made.logic is None else sums_of(made.logic)
        if made is None or made.logic is None or sums is None:
            if "weight" in node.arrays:
                return node
            raise self._cannot("its sums are none that weights can be told of", site.call, STILL_WORKS)
        weight, bias = (_exactly(part) for part in (sums[0].reshape(self._kernel(node, site)), sums[1]))
        adders = {ADDERS: FixedArray(adders_of(made.logic), 0)}
        attrs = {**node.attrs, ADDERS_OF: weights_key(weight), **self._padding(node, site)}
        node = replace(node, arrays={"weight": weight, "bias": bias, **adders}, attrs=attrs)
        return node if made.grid is None else self._typed(node, self._by_channel(made.grid, node))

    def _kernel(self, node: Node, site: CallSite) -> Shape:
        """The shape of its weights, the outputs left to be counted."""
        if node.op == "dense":
            return (site.number("n_in", site.size), -1)
        window = site.config.numbers("filt_height", "filt_width") or []
        return (*window[1 - len(node.shape) :], site.number("n_chan"), -1)

    def _padding(self, node: Node, site: CallSite) -> Attrs:
        """That of a convolution whose struct does not tell it, by the function that fills its windows."""
        if node.op == "dense" or "padding" in node.attrs:
            return {}
        found = padding_of(self.layout, site.config, len(node.shape) - 1)
        if found is None:
            raise self._cannot("its windows are no convolution's", site.call, STILL_WORKS)
        return {"padding": found}

    def _by_channel(self, grid: FixedGrid, node: Node) -> FixedGrid:
        """Types of each place of a window as those of what it reads, where each channel has one; a place without bits takes
        part in no sum.

        Raises
        ------
        UnsupportedModel : a channel has one type here and another there.
        """
        source = self.nodes[node.inputs[0]].shape
        used = grid.width.reshape(-1, source[-1]) > 0
        first = used.argmax(axis=0), np.arange(source[-1])
        parts = [part.reshape(used.shape) for part in (grid.width, grid.integer, grid.signed)]
        if any((used & (part != part[first])).any() for part in parts):
            raise UnsupportedModel("types of single places in a window", where=node.name, mend=STILL_WORKS)
        width, integer, signed = (np.broadcast_to(part[first], source).reshape(-1) for part in parts)
        return FixedGrid(width, integer, signed, grid.rounding, grid.saturation)

    def _old_mean(self, node: Node) -> Node | None:
        """hls4ml before 1.0 sums in its input's type, and stores the mean in that type before it is stored as the result; None
        for what needs no such node. The type is widened where it is a plain ap_fixed or ap_int, as the overloads of ``avg`` in
        nnet_pooling.h say; of any other the sum has the type itself."""
        if node.kind.pooled != "average" or not self.layout.pools_in_input_type:
            return None
        kind, cells = self.nodes[node.inputs[0]].result, math.prod(node.attrs.get("pool", ()))
        count = (
            cells
            if not node.kind.whole
            else math.prod(self.nodes[node.inputs[0]].shape) // math.prod(node.shape)
        )
        plain = kind.signed and kind.saturation == "WRAP" and kind.rounding in ("TRN", "TRN_ZERO")
        bits = (count - 1).bit_length() if plain else 0
        wide = FixedType(kind.width + bits, kind.integer + bits, kind.signed, kind.rounding, kind.saturation)
        return replace(node, name=f"{node.name}_mean", result=kind, types={**node.types, "accum": wide})

    def _result(self, row: FunctionRule, site: CallSite) -> Shape:
        name = site.call.writes[0]
        shape, said = self._shape(name), row.gives(site)
        if said is not None and len(site.shapes) == 1 and math.prod(said) != math.prod(shape):
            raise self._cannot(f"gives values of shape {said}, and {name} is declared as {shape}", site.call)
        return shape

    def _node_of(self, name: str) -> str:
        """The node behind a variable; another name of an array is a reshape to what its reader takes."""
        if name in self.made:
            return self.made[name]
        variable = self.layout.top.variables.get(name)
        if variable is None or variable.same_as is None:
            raise self._cannot(f"{name} is read before anything is written to it")
        source, shape = self._node_of(variable.same_as), self._shape(name)
        kind, called = self.nodes[source].result, name.removesuffix("_out")
        attrs = {"target_shape": list(shape)}
        self._add(name, Node(called, "reshape", (source,), shape, kind, attrs=attrs))
        return called

    def _types(self, row: FunctionRule, site: CallSite) -> dict[str, FixedType]:
        found = {name: site.config.type(said) for name, said in row.types.items()}
        if "param" in row.types and len(site.call.types) == 4:
            found["param"] = self.layout.names.fixed(site.call.type_names[1])
        for name, array in zip(row.arrays, array_names(site.call), strict=False):
            held = self.weights.arrays.get(array)
            if name in row.types and found.get(name) is None and held is not None:
                found[name] = self.layout.names.fixed(held.type)
        return {name: kind for name, kind in found.items() if kind is not None}

    def _arrays(self, row: FunctionRule, site: CallSite, operation: str) -> dict[str, FixedArray]:
        named = zip(row.arrays, array_names(site.call), strict=False)
        return {key: self._array(key, name, site, operation) for key, name in named}

    def _array(self, key: str, name: str, site: CallSite, operation: str) -> FixedArray:
        array = self._stored(name, coding(site.config) if key == "weight" else None, site)
        if key != "weight":
            return array
        return FixedArray(self._shaped(array.codes, site, operation, name), array.frac_bits)

    def _stored(self, name: str, coded: str | None, site: CallSite) -> FixedArray:
        """The values of an array as integers in a row."""
        values = self.weights.numbers(name)
        if coded == "exponent":
            pairs = values.reshape(-1, 2)
            powers = np.where(pairs[:, 0] == 1, 1.0, -1.0) * 2.0 ** pairs[:, 1]
            bits = fraction_bits(powers)
            return FixedArray((powers * 2.0**bits).astype(np.int64), bits)
        if coded == "xnor":
            return FixedArray(np.where(values > 0, 1, -1).astype(np.int64), 0)
        held = self.weights.arrays[name]
        kind = self.layout.names.fixed(held.type)
        if kind is None:
            raise self._cannot(f"the type of {name}, {held.type}, is not fixed-point", site.call, STILL_WORKS)
        return FixedArray(kind.to_codes(values), kind.frac)

    def _shaped(
        self, codes: NDArray[np.int64], site: CallSite, operation: str, name: str
    ) -> NDArray[np.int64]:
        """As the graph holds kernels; hls4ml's resource strategies have the outputs first."""
        config = site.config
        window = config.numbers("filt_height", "filt_width") or []
        kernel = (
            (site.number("n_in", site.size),) if operation == "dense" else (*window, site.number("n_chan"))
        )
        if codes.size == 0 or codes.size % math.prod(kernel) != 0:
            raise self._cannot(f"{name} holds {codes.size} values, and {kernel} are one output's", site.call)
        turned = config.word("strategy") in ("resource", "resource_unrolled")
        if turned and not operation.startswith("depthwise"):
            return np.moveaxis(codes.reshape(-1, *kernel), 0, -1)
        return codes.reshape(*kernel, -1)

    def _attrs(self, row: FunctionRule, site: CallSite, operation: str, shape: Shape) -> dict[str, Any]:
        reuse = site.config.number("reuse_factor")
        found = ({} if reuse is None else {"reuse_factor": reuse}) | row.attrs(site)
        return found | ({"target_shape": list(shape)} if operation == "reshape" else {})

    def _shape(self, name: str) -> Shape:
        shape = shapes_of(self.layout).of(name)
        if shape is None:
            raise self._cannot(f"the shape of {name} cannot be told", mend=STILL_WORKS)
        return shape

    def _kind(self, text: str, name: str) -> FixedType:
        kind = self.layout.names.stored(text)
        if kind is None:
            whole = self.layout.names.type_text(text)
            raise self._cannot(f"the type of {name}, {whole}, is not fixed-point", mend=STILL_WORKS)
        return kind

    def _add(self, variable: str, node: Node) -> None:
        self.nodes[node.name] = node
        self.made[variable] = node.name

    def _cannot(self, why: str, call: TopCall | None = None, mend: str | None = None) -> UnsupportedModel:
        source = self.layout.source
        where = source.path if call is None else source.place(call.statement)
        layer = "" if call is None else f"{call.name}: "
        return UnsupportedModel(f"{layer}{why}", where=where, mend=mend)


def _exactly(values: NDArray[np.float64]) -> FixedArray:
    """Numbers as integers with the fewest bits behind the point."""
    bits = fraction_bits(values)
    return FixedArray((values * 2.0**bits).astype(np.int64), bits)


def _placed(grid: FixedGrid | None, node: Node) -> FixedGrid:
    """The types of the values in a row as those of the node's."""
    if grid is None or len(grid.width) != math.prod(node.shape):
        raise UnsupportedModel("types of another number of values", where=node.name, mend=STILL_WORKS)
    return grid.moved(grid.width.shape, lambda part: part.reshape(node.shape))
