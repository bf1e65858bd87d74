"""The door to C++: what a source file declares, parsed by tree-sitter, which needs neither headers nor a compiler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import tree_sitter_cpp
from tree_sitter import Language, Node, Parser

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import CPP_BYTES

_CONDITIONS = frozenset({"preproc_ifdef", "preproc_if", "preproc_else", "preproc_elif"})
_THROUGH = frozenset(
    {"translation_unit", "namespace_definition", "declaration_list", "linkage_specification", "ERROR"}
)
"""What declarations of a file stand in; an ERROR node too, as what a parser stumbles over is seldom what is asked for."""
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


@dataclass(frozen=True, eq=False)
class Source:
    """One parsed file."""

    path: Path
    text: bytes
    root: Node

    @classmethod
    def read(cls, path: Path) -> Source:
        """Parse a file; raises UnsupportedModel where it is missing, larger than CPP_BYTES or no text."""
        try:
            size = path.stat().st_size
            text = path.read_bytes() if size <= CPP_BYTES else b""
        except OSError as cause:
            raise UnsupportedModel(f"cannot be read: {cause.strerror}", where=path) from cause
        if size > CPP_BYTES:
            raise UnsupportedModel(f"has {size:,} bytes, more than {CPP_BYTES:,}", where=path)
        if b"\0" in text:
            raise UnsupportedModel("is no C++ text: it holds a zero byte", where=path)
        return cls(path, text, _parser().parse(text).root_node)

    def place(self, node: Node) -> str:
        """``file:line`` of a node, as compilers write it."""
        return f"{self.path}:{node.start_point[0] + 1}"

    def declarations(self) -> Iterator[tuple[Node, tuple[str, ...]]]:
        """Every declaration that a compiler sees, with the namespaces around it, in the order of the file."""
        waiting: list[tuple[Node, tuple[str, ...]]] = [(self.root, ())]
        while waiting:
            node, spaces = waiting.pop()
            if node.type == "namespace_definition":
                name = node.child_by_field_name("name")
                spaces = (*spaces, text_of(name)) if name is not None else spaces
            if node.type in _THROUGH:
                waiting += [(child, spaces) for child in reversed(list(active(node)))]
            else:
                yield node, spaces


def text_of(node: Node | None) -> str:
    """A node's text on one line, each run of white space as one blank."""
    return "" if node is None or node.text is None else " ".join(node.text.decode(errors="replace").split())


def active(node: Node) -> Iterator[Node]:
    """The named children that a C simulation compiles: of conditionals the branch for which no macro is defined."""
    for child in node.named_children:
        if child.type not in _CONDITIONS:
            yield child
        else:
            yield from _branch(child)


def _branch(node: Node) -> Iterator[Node]:
    condition = node.child_by_field_name("name") or node.child_by_field_name("condition")
    other = node.child_by_field_name("alternative")
    negated = any(child.type == "#ifndef" for child in node.children)
    if node.type == "preproc_else" or negated or _holds(condition):
        inside = [child for child in node.named_children if child not in (condition, other)]
        for child in inside:
            if child.type not in _CONDITIONS:
                yield child
            else:
                yield from _branch(child)
    elif other is not None:
        yield from _branch(other)


def _holds(condition: Node | None) -> bool:
    """Of an ``#if``: whether it holds with no macro defined; names are 0, as the preprocessor has it."""
    text = text_of(condition).replace(" ", "")
    return condition is not None and condition.type != "identifier" and (
        text not in ("", "0") and (text.startswith("!defined") or text.isdigit())
    )


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it that a C simulation compiles, in the order of the file."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += reversed(list(active(here)))


def first_error(node: Node, source: Source) -> str | None:
    """Where the parser stumbled, and over what; None for a text that it took whole."""
    for part in walk(node) if node.has_error else ():
        if part.is_missing:
            return f"{source.place(part)}: expected {part.type!r}"
        if part.type == "ERROR":
            return f"{source.place(part)}: cannot be parsed: {text_of(part)[:60]!r}"
    return None


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_cpp.language()))


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
    root = _parser().parse(b"auto x = (" + value.text + b");").root_node
    if not root.has_error:
        _values({}, root.named_children[0], into.values, text_of(name))


def _values(into: dict[str, Node], node: Node, aside: dict[str, Node] | None = None, called: str = "") -> None:
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
            _struct(into, kind, text_of(name))
        _struct(into, kind)
        return
    names = node.children_by_field_name("declarator") or node.children_by_field_name("name")
    for name in names:
        into.types.setdefault(text_of(name), text_of(kind))


def _struct(into: Declared, node: Node, called: str = "") -> None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    known = called or text_of(name)
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
    found = Struct(known, text_of(base).lstrip(": "), inner.values, inner.types, kinds, tuple(members))
    into.structs.setdefault(known, found)


def _members(node: Node, values: dict[str, Node], kinds: dict[str, str]) -> list[tuple[str, str, tuple[Node, ...]]]:
    kind, value = text_of(node.child_by_field_name("type")), node.child_by_field_name("default_value")
    found = []
    for declarator in node.children_by_field_name("declarator"):
        name, lengths = brackets(declarator)
        kinds.setdefault(name, kind)
        if value is not None:
            values.setdefault(name, value)
        elif not any(child.type == "storage_class_specifier" for child in node.named_children):
            found.append((kind, name, lengths))
    return found


def brackets(declarator: Node) -> tuple[str, tuple[Node, ...]]:
    """Name and lengths of ``name[a][b]``, through references and pointers."""
    lengths: list[Node] = []
    node = declarator
    while node.child_count > 0 and node.type != "qualified_identifier":
        size = node.child_by_field_name("size")
        if node.type == "array_declarator" and size is not None:
            lengths.insert(0, size)
        inner = node.child_by_field_name("declarator")
        node = inner if inner is not None else node.named_children[0]
    return text_of(node), tuple(lengths)


def _function(into: Declared, node: Node, namespace: str, source: Source, *, templated: bool) -> None:
    declarator, body = node.child_by_field_name("declarator"), node.child_by_field_name("body")
    if declarator is None or body is None or declarator.type != "function_declarator":
        return
    name = text_of(declarator.child_by_field_name("declarator"))
    spaces, _, last = name.rpartition("::")
    within = "::".join(part for part in (namespace, spaces) if part)
    result = text_of(node.child_by_field_name("type"))
    into.functions.append(Function(last, within, result, _parameters(declarator), body, source, templated))


def _parameters(declarator: Node) -> tuple[Parameter, ...]:
    listed = declarator.child_by_field_name("parameters")
    found = []
    for node in active(listed) if listed is not None else ():
        inner = node.child_by_field_name("declarator")
        if node.type == "parameter_declaration" and inner is not None:
            name, lengths = brackets(inner)
            constant = any(text_of(child) == "const" for child in node.named_children)
            pointer = any(part.type == "pointer_declarator" for part in walk(inner))
            kind = text_of(node.child_by_field_name("type"))
            found.append(Parameter(name, kind, lengths, pointer, constant))
    return tuple(found)


def _prototype(into: Declared, node: Node, namespace: str) -> None:
    for part in node.named_children:
        if part.type == "function_declarator":
            into.prototypes.append((namespace, text_of(part.child_by_field_name("declarator"))))
