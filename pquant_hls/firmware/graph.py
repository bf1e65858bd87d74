"""The FixedPointGraph of a firmware, from its sources alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware.config import Config
from pquant_hls.firmware.cpp import Parameter, text_of
from pquant_hls.firmware.layers import FUNCTIONS, FunctionRule, Shape, Site, alike, array_names
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.top import Call, Variable
from pquant_hls.firmware.values import stream_of
from pquant_hls.firmware.weights import Weights
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits

LARGEST = 2**26
"""Values of one array of a design beyond which its sizes are taken for damaged."""


def read_graph(layout: Layout, backend: str = "Vitis") -> FixedPointGraph:
    """The design that the sources are, as integers; nothing is compiled.

    Nodes carry the names that hls4ml writes behind its calls, else those of their variables. What the C++ does not tell is
    left out: the reuse factors of layers that compute nothing, table sizes of what has no table.

    Raises
    ------
    UnsupportedModel : what no rule reads, with file and line: a function that is not hls4ml's, a statement written by hand,
        a type that is not fixed-point, an array without values, sizes that do not fit.
    """
    return _Builder(layout).graph(backend)


@dataclass
class _Builder:
    layout: Layout
    nodes: list[Node] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)

    def graph(self, backend: str) -> FixedPointGraph:
        top = self.layout.top
        for port in top.inputs:
            self._input(port)
        for call in top.calls:
            self._call(call)
        outputs = tuple(self._node_of(port.name, None) for port in top.outputs)
        ports = (*top.inputs, *top.outputs)
        streams = any(stream_of(self.layout.names.type_text(port.type)) for port in ports)
        io_type = "io_stream" if streams else "io_parallel"
        return FixedPointGraph(tuple(self.nodes), outputs, io_type, backend, top.name)

    def _input(self, port: Parameter) -> None:
        kind = self._kind(port.type, port.name)
        shape = self._declared(port) or self._asked(port.name)
        if shape is None:
            raise self._cannot(f"the shape of port {port.name} cannot be told")
        self._add(port.name, Node(port.name, "input", (), shape, kind, attrs={}))

    def _call(self, call: Call) -> None:
        row = FUNCTIONS.get(call.function) if call.is_layer else None
        if row is None:
            name = call.function or text_of(call.statement)[:40]
            raise self._cannot(f"no rule reads {name!r}", call, mend="csim, export and the reports work without a graph")
        config = self._config(call)
        sources = tuple(self._node_of(name, row.takes(config) if place == 0 else None) for place, name in enumerate(call.reads))
        shapes = tuple(self._shape(name) for name in sources)
        result = self.layout.top.declaration(call.writes[0]) if call.writes else None
        if result is None or not sources:
            raise self._cannot(f"what {call.function!r} reads and writes cannot be told", call)
        site = Site(call, config, shapes, self._declared(result), self._kind(result.type, result.name))
        shape = self._result_shape(row, site, call)
        operation = row.operation(config)
        name = self._name(call)
        node = Node(
            name, operation, sources, shape, site.kind,
            self._types(row, site), self._arrays(row, site, operation), self._attrs(row, site, operation, shape),
        )  # fmt: skip
        for written in call.writes:
            self._add(written, node)

    def _result_shape(self, row: FunctionRule, site: Site, call: Call) -> Shape:
        said = row.gives(site)
        if row.op == "reshape":
            said = self._asked(call.writes[0]) or _by_lanes(site, self.layout.names.lanes(self._type_of(call.writes[0])))
        shape = site.declared or said
        if shape is None:
            raise self._cannot("the shape of the result cannot be told", call)
        if said is not None and math.prod(said) == math.prod(shape):
            return said
        if said is not None and site.declared is not None and len(site.call.reads) == 1 and row.gives is not alike:
            raise self._cannot(f"gives {said} values and is declared as {shape}", call)
        return shape

    def _type_of(self, name: str) -> str:
        found = self.layout.top.declaration(name)
        return "" if found is None else found.type

    def _node_of(self, name: str, wanted: Shape | None) -> str:
        """The node behind a variable; another name of an array is a reshape to what its reader takes."""
        if name in self.made:
            return self.made[name]
        found = self.layout.top.variables.get(name)
        if found is None or found.same_as is None:
            raise self._cannot(f"{name} is read before anything is written to it")
        source = self._node_of(found.same_as, None)
        before = self.layout.top.declaration(name)
        size = math.prod(self._shape(source))
        asked = wanted or self._asked(name)
        shape = asked if asked is not None and math.prod(asked) == size else (size,)
        node = Node(
            self._free(_stem(name)), "reshape", (source,), shape, self._last(source).result,
            attrs={"target_shape": list(shape)},
        )  # fmt: skip
        del before
        self._add(name, node)
        return node.name

    def _asked(self, name: str) -> Shape | None:
        """The shape in which the first reader of a variable takes it, through what keeps shapes."""
        names = {name}
        for call in self.layout.top.calls:
            row = FUNCTIONS.get(call.function) if call.is_layer else None
            if row is None or not names & {*call.reads}:
                continue
            config = self._config(call)
            taken = row.takes(config) if call.reads[0] in names else None
            if taken is not None:
                return taken
            if row.gives is alike or row.op == "clone":
                declared = [self._declared_name(written) for written in call.writes]
                if declared and declared[0] is not None and row.op != "clone":
                    return declared[0]
                names |= {*call.writes}
                size = config.number("n_in") or config.number("n_elem")
                later = self._asked_beyond(call, names)
                if later is not None:
                    return later
                if size is not None:
                    return (size,)
        return None

    def _asked_beyond(self, call: Call, names: set[str]) -> Shape | None:
        calls = self.layout.top.calls
        for later in calls[calls.index(call) + 1 :]:
            row = FUNCTIONS.get(later.function) if later.is_layer else None
            if row is not None and later.reads and later.reads[0] in names:
                taken = row.takes(self._config(later))
                if taken is not None:
                    return taken
                if row.gives is alike:
                    names = names | {*later.writes}
        return None

    def _declared_name(self, name: str) -> Shape | None:
        found = self.layout.top.declaration(name)
        return None if found is None else self._declared(found)

    def _declared(self, found: Variable | Parameter) -> Shape | None:
        """The lengths in the brackets, each product as its factors; None for a stream or a pointer."""
        shape: list[int] = []
        for length in found.lengths:
            factors = self.layout.names.factors(length)
            if factors is None:
                raise self._cannot(f"the size of {found.name}, {text_of(length)}, cannot be told")
            shape += factors
        if shape and not 0 < math.prod(shape) <= LARGEST:
            raise self._cannot(f"{found.name} has {math.prod(shape):,} values")
        return tuple(shape) or None

    def _config(self, call: Call) -> Config:
        names = call.type_names
        return Config.of(names[-1], self.layout.names) if names else Config((), self.layout.names)

    def _types(self, row: FunctionRule, site: Site) -> dict[str, FixedType]:
        found = {name: site.config.type(said) for name, said in row.types.items()}
        if "param" in row.types and len(site.call.types) == 4:
            found["param"] = self.layout.names.fixed(site.call.type_names[1])
        for name, array in zip(row.arrays, array_names(site.call), strict=False):
            if found.get(name) is None and name in row.types:
                held = self._weights.arrays.get(array)
                found[name] = None if held is None else self.layout.names.fixed(held.type)
        return {name: kind for name, kind in found.items() if kind is not None}

    def _arrays(self, row: FunctionRule, site: Site, operation: str) -> dict[str, FixedArray]:
        names = array_names(site.call)
        return {
            key: self._array(key, name, site, operation) for key, name in zip(row.arrays, names, strict=False)
        }

    def _array(self, key: str, name: str, site: Site, operation: str) -> FixedArray:
        weights = self._weights
        values = weights.numbers(name)
        held = weights.arrays[name]
        kind = self.layout.names.fixed(held.type)
        coded = "" if key != "weight" else str(_coding(site.config))
        if coded == "exponent":
            pairs = values.reshape(-1, 2)
            powers = np.where(pairs[:, 0] == 1, 1.0, -1.0) * 2.0 ** pairs[:, 1]
            bits = fraction_bits(powers)
            array = FixedArray((powers * 2.0**bits).astype(np.int64), bits)
        elif kind is None:
            raise self._cannot(f"the type of {name}, {held.type}, is not fixed-point", site.call)
        elif coded == "xnor":
            array = FixedArray(np.where(values > 0, 1, -1).astype(np.int64), 0)
        else:
            array = FixedArray(kind.to_codes(values), kind.frac)
        shaped = self._shaped(array.codes, site, operation, name) if key == "weight" else array.codes.reshape(-1)
        return FixedArray(shaped, array.frac_bits)

    def _shaped(self, codes: NDArray[np.int64], site: Site, operation: str, name: str) -> NDArray[np.int64]:
        """As the graph holds kernels; hls4ml's resource strategies have the outputs first."""
        config = site.config
        if operation == "dense":
            kernel: tuple[int, ...] = (site.number("n_in", site.size),)
        else:
            window = config.numbers("filt_height", "filt_width") or []
            kernel = (*window, site.number("n_chan"))
        size = math.prod(kernel)
        if codes.size % size != 0 or codes.size == 0:
            raise self._cannot(f"{name} holds {codes.size} values, and {kernel} are one output's", site.call)
        depthwise = operation.startswith("depthwise")
        if config.word("strategy") in ("resource", "resource_unrolled") and not depthwise:
            return np.moveaxis(codes.reshape(-1, *kernel), 0, -1)
        return codes.reshape(*kernel, -1)

    def _attrs(self, row: FunctionRule, site: Site, operation: str, shape: Shape) -> dict[str, Any]:
        reuse = site.config.number("reuse_factor")
        found = ({} if reuse is None else {"reuse_factor": reuse}) | row.attrs(site)
        return found | ({"target_shape": list(shape)} if operation == "reshape" else {})

    @property
    def _weights(self) -> Weights:
        if not hasattr(self, "_held"):
            self._held = Weights(self.layout)
        return self._held

    def _kind(self, text: str, name: str) -> FixedType:
        kind = self.layout.names.fixed(text)
        if kind is None:
            raise self._cannot(f"the type of {name}, {self.layout.names.type_text(text)}, is not fixed-point")
        return kind

    def _name(self, call: Call) -> str:
        return self._free(call.layer or _stem(call.writes[0]))

    def _free(self, name: str) -> str:
        taken = {node.name for node in self.nodes}
        return next(word for word in _numbered(name) if word not in taken)

    def _add(self, variable: str, node: Node) -> None:
        if node not in self.nodes:
            self.nodes.append(node)
        self.made[variable] = node.name

    def _last(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def _shape(self, name: str) -> Shape:
        return self._last(name).shape

    def _cannot(self, why: str, call: Call | None = None, mend: str | None = None) -> UnsupportedModel:
        source = self.layout.source
        where = source.path if call is None else source.place(call.statement)
        layer = "" if call is None or not call.layer else f"{call.layer}: "
        return UnsupportedModel(f"{layer}{why}", where=where, mend=mend)


def _coding(config: Config) -> str | None:
    from pquant_hls.firmware.layers import _is_binary

    return "exponent" if "exponential" in config.alias("product") else "xnor" if _is_binary(config) else None


def _by_lanes(site: Site, lanes: int | None) -> Shape:
    size = site.size
    return (size,) if lanes is None or lanes == size or size % lanes else (size // lanes, lanes)


def _stem(variable: str) -> str:
    return variable.removesuffix("_out")


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 10_000):
        yield f"{name}_{number}"
