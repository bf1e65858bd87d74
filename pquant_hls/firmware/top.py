"""The top function: its ports, and the calls of its body in order, each with what it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from tree_sitter import Node

from pquant_hls.firmware.cpp import active, brackets, code_of, walk
from pquant_hls.firmware.declared import Function, Parameter

ASIDE = (
    "load_weights_from_txt",
    "load_compressed_weights_from_txt",
    "load_exponent_weights_from_txt",
    "save_layer_output",
)
"""What hls4ml calls for csim alone."""
_AROUND = frozenset({"for_statement", "while_statement", "if_statement"})
TWO_READ = frozenset(
    {"add", "subtract", "multiply", "average", "maximum", "minimum", "dot1d", "einsum"}
    | {f"concatenate{rank}d" for rank in (1, 2, 3)}
)
"""hls4ml's functions that read their first two arguments."""


@dataclass(frozen=True)
class Variable:
    """A local array, stream or other name of an array; ``same_as`` is the one that it is another name of."""

    name: str
    type: str
    lengths: tuple[Node, ...]
    same_as: str | None
    node: Node


@dataclass(frozen=True)
class TopCall:
    """One step of the body: a layer's call, or a statement of somebody's own (``function`` is "").

    ``name`` is the one that hls4ml writes as a comment behind the call, else that of what it writes. ``reads`` and ``writes``
    name variables and ports, ``others`` are its remaining arguments, weights above all.
    """

    function: str
    namespace: str
    types: tuple[Node, ...]
    arguments: tuple[Node, ...]
    name: str
    statement: Node
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def is_layer(self) -> bool:
        return self.namespace == "nnet"

    @property
    def type_names(self) -> tuple[str, ...]:
        return tuple(code_of(node) for node in self.types)


@dataclass(frozen=True)
class Top:
    """A function whose body calls hls4ml's layers."""

    function: Function

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """Local arrays and streams by name, in order."""
        found = (entry for node in walk(self.function.body) for entry in _declared(node))
        return {entry.name: entry for entry in found}

    @cached_property
    def calls(self) -> tuple[TopCall, ...]:
        """The layers' calls in order, and between them what somebody wrote by hand; no two of one name."""
        found, taken = [], {port.name for port in self.function.parameters}
        for call in self._roles(_steps(self.function.body)):
            name = call.name or (call.writes or call.reads)[0].removesuffix("_out")
            free = next(word for word in _numbered(name) if word not in taken)
            taken.add(free)
            found.append(replace(call, name=free))
        return tuple(found)

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def inputs(self) -> tuple[Parameter, ...]:
        """Ports that are read before anything is written to them; of those that the body never names, the ones in front."""
        read, written = set[str](), set[str]()
        for call in self.calls:
            read |= {self.origin(name) for name in call.reads} - written
            written |= {self.origin(name) for name in call.writes}
        ports = [port for port in self.function.parameters if not _is_size(port)]
        arrays = {port.name for port in ports if port.lengths or port.pointer or "stream" in port.type}
        ends = [place for place, port in enumerate(ports) if port.name in written - read]
        idle = {port.name for port in ports[: min(ends, default=0)]} & arrays - self._weights
        return tuple(port for port in ports if port.name in read | idle)

    @property
    def outputs(self) -> tuple[Parameter, ...]:
        """Ports that are no inputs: those that are written, and behind the inputs those that the body never names."""
        taken = {port.name for port in (*self.inputs, *self.weights)}
        written = {self.origin(name) for call in self.calls for name in call.writes}
        ports = [port for port in self.function.parameters if not _is_size(port) and port.name not in taken]
        return tuple(port for port in ports if port.name in written or (port.lengths and not port.constant))

    @property
    def weights(self) -> tuple[Parameter, ...]:
        """Ports through which weights come: hls4ml's calls take them behind the data."""
        return tuple(port for port in self.function.parameters if port.name in self._weights)

    @property
    def others(self) -> tuple[Parameter, ...]:
        """Ports that carry no data: sizes that hls4ml before 0.7 told, modes that nothing reads."""
        known = {port.name for port in (*self.inputs, *self.outputs)} | self._weights
        return tuple(port for port in self.function.parameters if port.name not in known)

    def origin(self, name: str) -> str:
        """The variable or port that a name is another name of."""
        for _ in self.variables:
            found = self.variables.get(name)
            if found is None or found.same_as is None:
                return name
            name = found.same_as
        return name

    def declaration(self, name: str) -> Variable | Parameter | None:
        """What declares a name of the body; None for a weight or any other global name."""
        ports: Mapping[str, Parameter] = {port.name: port for port in self.function.parameters}
        return self.variables.get(name, ports.get(name))

    def _roles(self, steps: Sequence[TopCall]) -> Iterator[TopCall]:
        written: set[str] = set()
        constant = {port.name for port in self.function.parameters if port.constant}
        weights = self._weights
        for step in steps:
            reads: list[str] = []
            writes: list[str] = list(step.writes)
            others: list[str] = []
            known = written | constant
            for place, node in enumerate(step.arguments):
                name = _base(node)
                if name is None or self.declaration(name) is None or name in weights:
                    others.append(code_of(node))
                elif place < 1 + (step.function in TWO_READ) or {self.origin(name), name} & {*reads, *known}:
                    reads.append(name)
                else:
                    writes.append(name)
            reads += [name for name in step.reads if self.declaration(name) is not None]
            sizes = {port.name for port in self.function.parameters if _is_size(port)}
            writes = [name for name in writes if self.declaration(name) is not None and name not in sizes]
            written |= {self.origin(name) for name in writes}
            if reads or writes:
                yield replace(step, reads=tuple(reads), writes=tuple(writes), others=tuple(others))

    @cached_property
    def _weights(self) -> set[str]:
        late, early = set[str | None](), set[str | None]()
        for step in _steps(self.function.body):
            names = [name for node in step.arguments if (name := _base(node)) is not None]
            named = [
                name for name in names if self.declaration(name) is not None
            ]  # PReLU's slopes stand between
            data = 2 + (step.function in TWO_READ) if step.namespace == "nnet" else len(named)
            late, early = late | {*named[data:]}, early | {*named[:data]}
        return {port.name for port in self.function.parameters if port.name in late - early and port.lengths}


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}_{number}"


def layer_calls(body: Node) -> int:
    """How many calls of ``nnet::`` functions a body has, those for csim alone left out."""
    return sum(step.namespace == "nnet" for step in _steps(body))


def called_names(body: Node) -> set[str]:
    """Names of the functions that a body calls, without their namespaces."""
    calls = (node for node in walk(body) if node.type == "call_expression")
    return {_function(node)[0] for node in calls}


def _is_size(port: Parameter) -> bool:
    """hls4ml before 0.7 lets its tops tell sizes."""
    return port.name.startswith("const_size")


def _declared(node: Node) -> Iterator[Variable]:
    """The arrays, streams and other names that a declaration makes."""
    if node.type != "declaration":
        return
    kind = code_of(node.child_by_field_name("type"))
    for part in node.children_by_field_name("declarator"):
        value = part.child_by_field_name("value") if part.type == "init_declarator" else None
        inner = part.child_by_field_name("declarator") if part.type == "init_declarator" else part
        if inner is None:
            continue
        name, lengths = brackets(inner)
        if inner.type == "reference_declarator" and value is not None and value.type == "identifier":
            yield Variable(name, kind, (), code_of(value), node)
        elif lengths or "stream" in kind or "ac_channel" in kind:
            yield Variable(name, kind, lengths, None, node)


def _steps(body: Node) -> list[TopCall]:
    found: list[TopCall] = []
    waiting = [body]
    while waiting:
        node = waiting.pop()
        if node.type == "expression_statement":
            found += _step(node)
        elif node.type not in ("declaration", "comment", "preproc_call"):
            waiting += reversed(list(active(node)))
    return found


def _step(statement: Node) -> Iterator[TopCall]:
    for node in statement.named_children[:1]:
        if node.type == "call_expression":
            function, namespace, types = _function(node)
            listed = node.child_by_field_name("arguments")
            arguments = (
                () if listed is None else tuple(n for n in listed.named_children if n.type != "comment")
            )
            if function not in ASIDE:
                yield TopCall(function, namespace, types, arguments, _comment(statement), statement)
        elif node.type == "assignment_expression":
            left, right = (node.child_by_field_name(side) for side in ("left", "right"))
            target = None if left is None else _base(left)
            if target is not None and right is not None:
                read = tuple(code_of(part) for part in walk(right) if part.type == "identifier")
                yield TopCall("", "", (), (), "", statement, tuple(dict.fromkeys(read)), (target,))


def _function(call: Node) -> tuple[str, str, tuple[Node, ...]]:
    """Name, namespace and template arguments of what is called."""
    node = call.child_by_field_name("function")
    spaces = []
    while node is not None and node.type == "qualified_identifier":
        spaces.append(code_of(node.child_by_field_name("scope")))
        node = node.child_by_field_name("name")
    if node is None or node.type not in ("template_function", "identifier"):
        return code_of(node), "::".join(spaces), ()
    if node.type == "identifier":
        return code_of(node), "::".join(spaces), ()
    listed = node.child_by_field_name("arguments")
    types = () if listed is None else tuple(n for n in listed.named_children if n.type != "comment")
    return code_of(node.child_by_field_name("name")), "::".join(spaces), types


def _base(node: Node) -> str | None:
    """The variable of ``name``, ``name[i]``, ``&name`` or ``name.field``."""
    while node.type in (
        "subscript_expression",
        "pointer_expression",
        "field_expression",
        "parenthesized_expression",
    ):
        inner = node.child_by_field_name("argument")
        node = inner if inner is not None else node.named_children[0]
    return code_of(node) if node.type == "identifier" else None


def _comment(statement: Node) -> str:
    """The comment behind a statement on its line, else the one alone on the line before it."""
    while statement.parent is not None and statement.parent.type in _AROUND:
        statement = statement.parent
    after, before = statement.next_named_sibling, statement.prev_named_sibling
    if after is not None and after.type == "comment" and after.start_point[0] == statement.end_point[0]:
        return _word(after)
    return _word(before) if before is not None and before.type == "comment" and _own_line(before) else ""


def _own_line(comment: Node) -> bool:
    """Whether nothing stands before a comment on its line."""
    before = comment.prev_sibling
    return before is None or before.end_point[0] < comment.start_point[0]


def _word(comment: Node) -> str:
    """The comment where it is one word, as a layer's name is."""
    text = code_of(comment).removeprefix("//").removeprefix("/*").removesuffix("*/").strip()
    return (
        text
        if text.replace("_", "").replace("-", "").replace(".", "").isalnum() and "hls-fpga" not in text
        else ""
    )
