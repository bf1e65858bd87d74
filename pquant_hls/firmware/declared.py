"""What source files declare: functions, structs, typedefs, macros and constants, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from pquant_hls.firmware.cpp import Source, active, brackets, code_of, parser, walk

_NAMED = frozenset({"identifier", "field_identifier", "qualified_identifier", "array_declarator"})
"""Declarators of initialized names; a qualified one is a struct's member that is defined outside of it."""


@dataclass(frozen=True)
class Parameter:
    """One argument of a function: ``lengths`` are the expressions in its brackets, ``pointer`` tells ``T *name``."""

    name: str
    type: str
    lengths: tuple[Node, ...]
    pointer: bool
    constant: bool


@dataclass(frozen=True)
class Function:
    """A function that has a body; ``namespace`` is "" outside of any, ``result`` the type of its value."""

    name: str
    namespace: str
    result: str
    parameters: tuple[Parameter, ...]
    body: Node
    source: Source
    templated: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.namespace}::{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Struct:
    """A struct: ``values`` are the initializers of its members and ``kinds`` their types, ``types`` its typedefs and
    aliases, ``members`` the fields that an object of it has, in order as (type, name, lengths)."""

    name: str
    base: str
    values: Mapping[str, Node]
    types: Mapping[str, str]
    kinds: Mapping[str, str]
    members: tuple[tuple[str, str, tuple[Node, ...]], ...]


@dataclass
class Declared:
    """What files declare, by name; of two declarations of a name the first counts, as in an include guard."""

    values: dict[str, Node] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    prototypes: list[tuple[str, str]] = field(default_factory=list)

    def take(self, source: Source) -> Declared:
        """With what this file declares besides; itself."""
        for node, spaces in source.declarations():
            _take(self, node, "::".join(spaces), source)
        return self


def _take(into: Declared, node: Node, namespace: str, source: Source) -> None:
    kind = node.type
    if kind == "preproc_def":
        _macro(into, node)
    elif kind in ("type_definition", "alias_declaration"):
        _typedef(into, node)
    elif kind == "function_definition":
        _function(into, node, namespace, source, templated=False)
    elif kind == "template_declaration":
        for child in node.named_children:
            if child.type == "function_definition":
                _function(into, child, namespace, source, templated=True)
    elif kind in ("struct_specifier", "class_specifier"):
        _struct(into, node)
    elif kind == "declaration":
        _values(into.values, node)
        _prototype(into, node, namespace)


def _macro(into: Declared, node: Node) -> None:
    """A macro that stands for an expression; one that does not is no size and is left out."""
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None or value is None or value.text is None:
        return
    root = parser().parse(b"auto x = (" + value.text + b");").root_node
    if not root.has_error:
        _values({}, root.named_children[0], into.values, code_of(name))


def _values(
    into: dict[str, Node], node: Node, aside: dict[str, Node] | None = None, called: str = ""
) -> None:
    """The initialized names of a declaration."""
    for part in node.named_children:
        if part.type == "init_declarator":
            name, value = part.child_by_field_name("declarator"), part.child_by_field_name("value")
            if value is not None and name is not None and name.type in _NAMED:
                (into if aside is None else aside).setdefault(called or brackets(name)[0], value)


def _typedef(into: Declared, node: Node) -> None:
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type == "struct_specifier":  # typedef struct NAME { ... } NAME;
        for name in node.children_by_field_name("declarator"):
            _struct(into, kind, code_of(name))
        _struct(into, kind)
        return
    names = node.children_by_field_name("declarator") or node.children_by_field_name("name")
    for name in names:
        into.types.setdefault(code_of(name), code_of(kind))


def _struct(into: Declared, node: Node, called: str = "") -> None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    known = called or code_of(name)
    if not known or body is None:
        return
    base = next((child for child in node.named_children if child.type == "base_class_clause"), None)
    inner, members, kinds = Declared(), [], dict[str, str]()
    for child in active(body):
        aliases = child.named_children if child.type == "template_declaration" else [child]
        for part in aliases:
            if part.type in ("type_definition", "alias_declaration"):
                _typedef(inner, part)
        if child.type == "field_declaration":
            members += _members(child, inner.values, kinds)
    found = Struct(known, code_of(base).lstrip(": "), inner.values, inner.types, kinds, tuple(members))
    into.structs.setdefault(known, found)


def _members(
    node: Node, values: dict[str, Node], kinds: dict[str, str]
) -> list[tuple[str, str, tuple[Node, ...]]]:
    kind, value = code_of(node.child_by_field_name("type")), node.child_by_field_name("default_value")
    found = []
    for declarator in node.children_by_field_name("declarator"):
        name, lengths = brackets(declarator)
        kinds.setdefault(name, kind)
        if value is not None:
            values.setdefault(name, value)
        elif not any(child.type == "storage_class_specifier" for child in node.named_children):
            found.append((kind, name, lengths))
    return found


def _function(into: Declared, node: Node, namespace: str, source: Source, *, templated: bool) -> None:
    declarator, body = node.child_by_field_name("declarator"), node.child_by_field_name("body")
    if declarator is None or body is None or declarator.type != "function_declarator":
        return
    name = code_of(declarator.child_by_field_name("declarator"))
    spaces, _, last = name.rpartition("::")
    within = "::".join(part for part in (namespace, spaces) if part)
    result = code_of(node.child_by_field_name("type"))
    into.functions.append(Function(last, within, result, _parameters(declarator), body, source, templated))


def _parameters(declarator: Node) -> tuple[Parameter, ...]:
    listed = declarator.child_by_field_name("parameters")
    found = []
    for node in active(listed) if listed is not None else ():
        inner = node.child_by_field_name("declarator")
        if node.type == "parameter_declaration" and inner is not None:
            name, lengths = brackets(inner)
            constant = any(code_of(child) == "const" for child in node.named_children)
            pointer = any(part.type == "pointer_declarator" for part in walk(inner))
            kind = code_of(node.child_by_field_name("type"))
            found.append(Parameter(name, kind, lengths, pointer, constant))
    return tuple(found)


def _prototype(into: Declared, node: Node, namespace: str) -> None:
    for part in node.named_children:
        if part.type == "function_declarator":
            into.prototypes.append((namespace, code_of(part.child_by_field_name("declarator"))))
