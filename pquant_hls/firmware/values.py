"""What expressions and types of the sources stand for: sizes, options, fixed-point types."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from pquant_hls.errors import PquantError
from pquant_hls.errors.bounds import CPP_DEPTH
from pquant_hls.firmware.cpp import code_of
from pquant_hls.firmware.declared import Declared, Struct
from pquant_hls.qor import FixedType

Value = int | float | bool | str
_BINARY: Mapping[str, Callable[..., Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a // b if isinstance(a, int) and isinstance(b, int) else a / b,
    "%": operator.mod,
    "<<": operator.lshift,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "DIV_ROUNDUP": lambda n, d: (n + d - 1) // d,
    "MIN": min,
    "MAX": max,
}
LARGEST = 2**48
"""No size of firmware is larger; what an expression makes of hostile numbers stays a machine word."""
LISTED = 64
"""Entries of an array that says sizes, such as the order of axes."""
_STREAM = re.compile(r"(?:hls|ac_channel)?(?:::)?stream ?< ?(.+?)(?: ?, ?\d+)? ?>$")
_ARRAY = re.compile(r"nnet::array ?< ?(.+) ?, ?([^,]+?) ?>$")
_SPARE = re.compile(r",\s*(?:AP|AC)_\w+(?=\s*>$)")
"""A mode in the place of ap_fixed's fifth argument, which only counts with AP_WRAP."""
_INTEGER = re.compile(r"\ba[pc]_u?int ?<")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class SourceNames:
    """Names of the sources and what stands for them; ``inner`` those of one struct, which go first, and ``space`` its name,
    under which members are defined outside of it."""

    declared: Declared
    inner: Mapping[str, Node] = field(default_factory=dict)
    space: str = ""

    def within(self, struct: Struct) -> SourceNames:
        return SourceNames(self.declared, struct.values, struct.name)

    def list(self, name: str) -> tuple[int, ...] | None:
        """The integers of a small array; None for what is none."""
        node = self.declared.values.get(name)
        if node is None or node.type != "initializer_list":
            return None
        found = [self.size(part) for part in node.named_children[:LISTED]]
        return tuple(one for one in found if one is not None) if None not in found else None

    def value(self, node: Node, depth: int = 0) -> Value | None:
        """The value of an expression; None where it cannot be told. A name that is none is itself, without namespaces."""
        if depth > CPP_DEPTH:
            return None
        try:
            found = self._value(node, depth + 1)
        except (ArithmeticError, TypeError, ValueError):
            return None
        return None if isinstance(found, int) and abs(found) > LARGEST else found

    def size(self, node: Node) -> int | None:
        found = self.value(node)
        return int(found) if isinstance(found, int) else None

    def factors(self, node: Node, depth: int = 0) -> tuple[int, ...] | None:
        """``10*13`` as (10, 13): hls4ml writes an array's shape as a product."""
        if depth > CPP_DEPTH:
            return None
        if node.type == "binary_expression" and code_of(node.child_by_field_name("operator")) == "*":
            left, right = (node.child_by_field_name(side) for side in ("left", "right"))
            if left is not None and right is not None:
                first, second = self.factors(left, depth + 1), self.factors(right, depth + 1)
                return None if first is None or second is None else (*first, *second)
        size = self.size(node)
        return None if size is None else (size,)

    def _value(self, node: Node, depth: int) -> Value | None:
        kind, text = node.type, code_of(node)
        if kind == "number_literal":
            return _number(text)
        if kind in ("true", "false"):
            return kind == "true"
        if kind == "identifier":
            return self._named(text, depth)
        if kind in ("qualified_identifier", "field_identifier", "type_identifier"):
            return text.rpartition("::")[2]
        parts = [self.value(child, depth) for child in node.named_children if child.type != "comment"]
        if kind == "parenthesized_expression" or (kind == "argument_list" and len(parts) == 1):
            return parts[0]
        if kind == "call_expression":
            return self._called(node, depth)
        if None in parts:
            return None
        if kind == "binary_expression":
            return _BINARY[code_of(node.child_by_field_name("operator"))](*parts)
        if kind == "unary_expression" and text.startswith("-"):
            return operator.neg(parts[0])  # type: ignore[arg-type]  # a text has no sign: TypeError, no value
        if kind == "conditional_expression":
            return parts[1] if parts[0] else parts[2]
        return parts[-1] if kind == "cast_expression" else None

    def _named(self, name: str, depth: int) -> Value | None:
        node = self.member(name)
        return name if node is None else self.value(node, depth)

    def member(self, name: str) -> Node | None:
        """The initializer of a name: the struct's own, one defined outside of it, or the file's."""
        places = (
            self.inner.get(name),
            self.declared.values.get(f"{self.space}::{name}"),
            self.declared.values.get(name),
        )
        return next((node for node in places if node is not None), None)

    def _called(self, node: Node, depth: int) -> Value | None:
        function = code_of(node.child_by_field_name("function"))
        arguments = node.child_by_field_name("arguments")
        given = [] if arguments is None else [self.value(part, depth) for part in arguments.named_children]
        known = _FUNCTIONS.get(function)
        if known is not None and None not in given:
            return known(*given)
        return (
            given[0] if len(given) == 1 and function.startswith(("ap_", "float", "double", "int")) else None
        )

    def type_text(self, name: str) -> str:
        """What a type is a typedef of, through typedefs of typedefs."""
        for _ in range(CPP_DEPTH):
            last = name.rpartition("::")[2] if "<" not in name else name
            if last not in self.declared.types:
                return name
            name = self.declared.types[last]
        return name

    def fixed(self, name: str) -> FixedType | None:
        """The fixed-point type behind a name, through ``nnet::array`` and ``hls::stream``; None for any other."""
        text = self.type_text(stream_of(self.type_text(name)) or name)
        inner = _ARRAY.match(text)
        text = self.type_text(inner[1].strip()) if inner else text
        try:
            return FixedType.parse(_SPARE.sub("", text) if text.count(",") == 4 else text)
        except PquantError:
            return None

    def stored(self, name: str) -> FixedType | None:
        """As ``fixed``, of what values are stored in: ap_int and ap_uint cut towards zero, as C's integers do
        (ap_fixed_base.h, to_ap_int_base), where ap_fixed rounds down."""
        kind = self.fixed(name)
        text = self.type_text(stream_of(self.type_text(name)) or name)
        integer = _INTEGER.search(text) is not None
        return replace(kind, rounding="TRN_ZERO") if kind is not None and integer else kind

    def lanes(self, name: str) -> int | None:
        """Values side by side in one word of a stream; None for what is no ``nnet::array``."""
        inner = _ARRAY.match(self.type_text(stream_of(self.type_text(name)) or name))
        if inner is None:
            return None
        count = 1
        for part in inner[2].split("*"):
            word = part.strip()
            node = self.declared.values.get(word)
            found = int(word) if _NUMBER.fullmatch(word) else None if node is None else self.size(node)
            if found is None:
                return None
            count *= found
        return count


def stream_of(text: str) -> str | None:
    """The word of a stream's type; None for what is no stream."""
    found = _STREAM.match(text)
    return None if found is None else found[1]


def _number(text: str) -> int | float:
    plain = text.rstrip("uUlLfF") if not text.lower().startswith("0x") else text.rstrip("uUlL")
    try:
        return int(plain, 0)
    except ValueError:
        return float(plain)
