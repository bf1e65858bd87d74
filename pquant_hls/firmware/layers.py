"""hls4ml's C++ functions: one row each, which operation of the graph it is and how its options are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pquant_hls.firmware.config import Config
from pquant_hls.firmware.cpp import code_of
from pquant_hls.firmware.top import TopCall
from pquant_hls.qor.ops import load_installed
from pquant_hls.qor.registry import Registry

Shape = tuple[int, ...]
Attrs = dict[str, Any]
CALLED: Mapping[str, str] = {"table": "table_t", "accum": "accum_t"}


@dataclass(frozen=True)
class CallSite:
    """A call with its configuration, and the ``shapes`` of what it reads."""

    call: TopCall
    config: Config
    shapes: tuple[Shape, ...]

    def number(self, name: str, default: int = 1) -> int:
        found = self.config.number(name)
        return default if found is None else found

    @property
    def size(self) -> int:
        """Values of the first thing it reads."""
        return math.prod(self.shapes[0])


def alike(site: CallSite) -> Shape | None:
    """The shape of a result that is its first input's."""
    return site.shapes[0]


@dataclass(frozen=True)
class FunctionRule:
    """How one ``nnet::`` function becomes a node.

    ``op`` may depend on the configuration. ``takes`` is the shape in which it takes its first input, ``gives`` that of its
    result, each None where the configuration does not tell. ``types`` maps the graph's names of types to the struct's.
    ``arrays`` names what stands behind the data among its arguments. ``attrs`` reads what else the graph holds.
    """

    op: str | Callable[[Config], str]
    takes: Callable[[Config], Shape | None] = lambda _: None
    gives: Callable[[CallSite], Shape | None] = alike
    types: Mapping[str, str] = field(default_factory=lambda: CALLED)
    arrays: tuple[str, ...] = ()
    attrs: Callable[[CallSite], Attrs] = lambda _: {}

    def operation(self, config: Config) -> str:
        return self.op if isinstance(self.op, str) else self.op(config)


FUNCTIONS: Registry[FunctionRule] = Registry("hls4ml function", load_installed)


def register_function(row: FunctionRule, *names: str) -> FunctionRule:
    """Read these functions of namespace ``nnet`` by ``row``; raises SpecError where another row reads one of them."""
    for name in names:
        FUNCTIONS.add(name, row)
    return row


def array_names(call: TopCall) -> tuple[str, ...]:
    """The weights among a call's arguments, in order."""
    names = {code_of(node) for node in call.arguments if node.type in ("identifier", "qualified_identifier")}
    return tuple(name.rpartition("::")[2] for name in call.others if name in names)


def coding(config: Config) -> str | None:
    """How weights stand for their values: ``exponent``, powers of two as (sign, exponent); ``xnor``, one bit, 0 for -1, which
    hls4ml's binary product negates by; None for numbers."""
    product, kind = config.alias("product"), config.type("weight_t")
    if "exponential" in product:
        return "exponent"
    one_bit = kind is not None and (kind.width, kind.signed) == (1, False)
    return "xnor" if one_bit and "binary" in product else None
