"""Shapes of what a top function computes, from declarations and from the configurations of its layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware.config import Config
from pquant_hls.firmware.cpp import Source, code_of, walk
from pquant_hls.firmware.declared import Declared, Parameter
from pquant_hls.firmware.generated import written_for
from pquant_hls.firmware.layers import FUNCTIONS, CallSite, FunctionRule, Shape, alike
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.top import TopCall, Variable
from pquant_hls.firmware.values import SourceNames

LARGEST = 2**26
"""Values of one array of a design beyond which its sizes are taken for damaged."""


def rule_of(call: TopCall, layout: Layout) -> FunctionRule | None:
    """The row that reads a call: that of hls4ml's function, or of one that it wrote for this layer; None for any other."""
    if call.is_layer and (row := FUNCTIONS.get(call.function)) is not None:
        return row
    made = written_for(layout, call.function)
    return None if made is None else made.rule


@dataclass(frozen=True)
class Shapes:
    """Shapes by variable. An array's is what its brackets say, in the axes that its layer gives; a stream's is told by the
    layers around it; another name of an array has the shape in which it is read."""

    layout: Layout

    def config(self, call: TopCall) -> Config:
        """Of the last template argument that is a struct; convolutions in distributed arithmetic have it first."""
        found = (Config.of(name, self.layout.names) for name in reversed(call.type_names))
        return next((config for config in found if config), Config((), self.layout.names))

    def of(self, name: str) -> Shape | None:
        return self.known.get(name)

    @cached_property
    def known(self) -> dict[str, Shape]:
        """All that can be told, in the order in which it is computed."""
        found: dict[str, Shape] = {}
        told = told_by_bridge(self.layout)
        for port in self.layout.top.function.parameters:
            shape = self._of_port(port, told.get(port.name))
            if shape is not None:
                found[port.name] = shape
        for call in self.layout.top.calls:
            for name in call.reads:
                self._other_name(name, found)
            for name in call.writes:
                shape = self._result(call, name, found)
                if shape is not None:
                    found[name] = shape
        for port in self.layout.top.outputs:
            self._other_name(port.name, found)
        return found

    def _of_port(self, port: Parameter, told: Shape | None) -> Shape | None:
        """As it is declared, or as its reader takes it where it is declared flat."""
        shape = self.declared(port) or told
        asked = self.asked(port.name) if shape is None or len(shape) == 1 else None
        fits = asked is not None and (shape is None or math.prod(asked) == math.prod(shape))
        return asked if fits else shape

    def declared(self, found: Variable | Parameter | None) -> Shape | None:
        """The lengths in the brackets, each product as its factors; None for a stream or a pointer.

        Raises
        ------
        UnsupportedModel : a length that cannot be told, or an absurd one.
        """
        shape: list[int] = []
        for length in () if found is None else found.lengths:
            factors = self.layout.names.factors(length)
            if factors is None:
                where = self.layout.source.place(length)
                raise UnsupportedModel(
                    f"the length {code_of(length)} of an array cannot be told", where=where
                )
            shape += factors
        if shape and not 0 < math.prod(shape) <= LARGEST:
            raise UnsupportedModel(f"an array of {math.prod(shape):,} values", where=self.layout.source.path)
        return tuple(shape) or None

    def asked(self, name: str) -> Shape | None:
        """The shape in which a variable is first read by a layer that has one of its own, through those that keep shapes."""
        names, flat = {name}, None
        for call in self.layout.top.calls:
            row = rule_of(call, self.layout)
            if row is None or not call.reads or call.reads[0] not in names:
                continue
            config = self.config(call)
            taken = row.takes(config)
            if taken is not None:
                return taken
            flat = flat or config.number("n_in") or config.number("n_elem")
            if row.gives is alike:
                declared = self.declared(self.layout.top.declaration(call.writes[0])) if call.writes else None
                if declared is not None:
                    return declared
                names |= {*call.writes}
        return None if flat is None else (flat,)

    def _other_name(self, name: str, found: dict[str, Shape]) -> None:
        variable = self.layout.top.variables.get(name)
        if name in found or variable is None or variable.same_as is None:
            return
        self._other_name(variable.same_as, found)
        before = found.get(variable.same_as)
        if before is not None:
            asked = self.asked(name)
            fits = asked is not None and math.prod(asked) == math.prod(before)
            found[name] = asked if fits and asked is not None else (math.prod(before),)

    def _result(self, call: TopCall, name: str, found: dict[str, Shape]) -> Shape | None:
        declared, row = self.declared(self.layout.top.declaration(name)), rule_of(call, self.layout)
        sources = tuple(found[read] for read in call.reads if read in found)
        said = None
        if row is not None and sources and len(sources) == len(call.reads):
            site = CallSite(call, self.config(call), sources)
            said = self._repacked(site, name) if row.op == "reshape" else row.gives(site)
        if declared is None or (said is not None and math.prod(said) == math.prod(declared)):
            return said
        return declared

    def _repacked(self, site: CallSite, name: str) -> Shape:
        asked = self.asked(name)
        if asked is not None and math.prod(asked) == site.size:
            return asked
        kind = self.layout.top.declaration(name)
        lanes = None if kind is None else self.layout.names.lanes(kind.type)
        whole = lanes is None or lanes == site.size or site.size % lanes != 0
        return (site.size,) if whole or lanes is None else (site.size // lanes, lanes)


def told_by_bridge(layout: Layout) -> dict[str, Shape]:
    """Sizes of ports as hls4ml's own bridge states them, where there is one beside the firmware."""
    file = layout.root / f"{layout.name}_bridge.cpp"
    if not file.is_file():
        return {}
    source = Source.read(file)
    names = SourceNames(Declared().take(source))
    names = SourceNames(Declared({**layout.declared.values, **names.declared.values}))
    found: dict[str, Shape] = {}
    for node in walk(source.root):
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is None or "convert_data" not in code_of(function):
            continue
        sizes = [part for part in walk(function) if part.type == "template_argument_list"]
        arguments = node.child_by_field_name("arguments")
        shape = names.factors(sizes[0].named_children[-1]) if sizes else None
        for part in arguments.named_children if arguments is not None and shape is not None else ():
            found.setdefault(code_of(part), shape or ())
    return found


@lru_cache(maxsize=16)
def shapes_of(layout: Layout) -> Shapes:
    """The shapes of a firmware, told once."""
    return Shapes(layout)
