"""YAML as recipes are written in: one value a key, numbers as they look, bounded in size."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pquant_hls.errors import SpecError
from pquant_hls.errors.bounds import YAML_BYTES, YAML_VALUES

_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses what reads otherwise than it looks."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, Hashable) or key in lines:
                first = lines.get(key) if isinstance(key, Hashable) else None
                said = "is no key" if first is None else f"stands twice, in lines {first} and {line}"
                raise _Misread(f"key {key!r} {said}", line)
            lines[key] = line
        return super().construct_mapping(node, deep=deep)


class _Misread(yaml.YAMLError):
    """What YAML allows and a recipe does not; ``line`` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """YAML 1.1 reads 010 as 8 and 1:30 as 90; nobody who writes them means that."""
    text = str(node.value)
    if _OCTAL.fullmatch(text) or _SEXAGESIMAL.fullmatch(text):
        plain = text.lstrip("+-0") or "0"
        raise _Misread(
            f"{text} is not the number it looks like: write {plain!r} or quote it", node.start_mark.line + 1
        )
    read = loader.construct_yaml_float if node.tag.endswith(":float") else loader.construct_yaml_int
    return read(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)


def read_yaml(path: Path) -> Any:
    """The values of a YAML file; an empty mapping for an empty file.

    Raises SpecError naming file and line: not readable, not YAML, a key twice, a number written so that YAML reads
    another one (010, 1:30), or a document that unfolds beyond ``YAML_VALUES`` values.
    """
    try:
        if path.stat().st_size > YAML_BYTES:
            raise SpecError(f"more than {YAML_BYTES:,} bytes, no recipe is that long", where=path)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise SpecError(f"cannot be read: {cause}", where=path) from cause
    found = yaml_values(text, path)
    return {} if found is None else found


def yaml_values(text: str, where: object) -> Any:
    """As ``read_yaml`` for a text; None for an empty one."""
    if len(text) > YAML_BYTES:
        raise SpecError(f"more than {YAML_BYTES:,} characters, no recipe is that long", where=where)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node, where)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except _Misread as cause:
        raise SpecError(cause.message, where=f"{where}: line {cause.line}") from None
    except yaml.YAMLError as cause:
        raise SpecError(f"is not YAML: {' '.join(str(cause).split())}", where=where) from cause
    except RecursionError as cause:
        raise SpecError("is nested too deeply", where=where) from cause


def _check_size(node: yaml.Node, where: object) -> None:
    """Counts aliased parts each time they are used, without unfolding them."""
    sizes: dict[int, int] = {}

    def size(part: yaml.Node) -> int:
        if id(part) not in sizes:
            sizes[id(part)] = YAML_VALUES  # a part inside itself is endless
            inner = part.value if isinstance(part, yaml.CollectionNode) else []
            parts = [one for pair in inner for one in pair] if isinstance(part, yaml.MappingNode) else inner
            sizes[id(part)] = 1 + sum(size(one) for one in parts)
        return sizes[id(part)]

    if size(node) >= YAML_VALUES:
        raise SpecError(
            f"unfolds to more than {YAML_VALUES:,} values", where=where, mend="write it without aliases"
        )
