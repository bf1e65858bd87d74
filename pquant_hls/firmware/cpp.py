"""The door to C++: what a source file declares, parsed by tree-sitter, which needs neither headers nor a compiler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
        return cls(path, text, parser().parse(text).root_node)

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
                spaces = (*spaces, code_of(name)) if name is not None else spaces
            if node.type in _THROUGH:
                waiting += [(child, spaces) for child in reversed(list(active(node)))]
            else:
                yield node, spaces


def code_of(node: Node | None) -> str:
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
    text = code_of(condition).replace(" ", "")
    return (
        condition is not None
        and condition.type != "identifier"
        and (text not in ("", "0") and (text.startswith("!defined") or text.isdigit()))
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
            return f"{source.place(part)}: cannot be parsed: {code_of(part)[:60]!r}"
    return None


@cache
def parser() -> Parser:
    return Parser(Language(tree_sitter_cpp.language()))


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
    return code_of(node), tuple(lengths)
