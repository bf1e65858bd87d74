"""Weights as the sources hold them: arrays with their values in headers, and the texts that csim may read instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import WEIGHT_BYTES
from pquant_hls.firmware.cpp import code_of, walk
from pquant_hls.firmware.layout import Layout
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
_ARRAY = re.compile(r"([\w:]+)\s+(\w+)\s*\[([^\]\n]*)\](?:\s*\[[^\]\n]*\])*\s*=\s*\{")
_COMMENT = re.compile(r"//[^\n]*")


@dataclass(frozen=True)
class Array:
    """One array of a header: the name of its type, and where the text of its values starts."""

    name: str
    type: str
    file: Path
    length: str
    start: int


@dataclass(frozen=True)
class Load:
    """A text that csim reads into an array: how many values, and the file."""

    variable: str
    file: str
    count: int | None


@dataclass(frozen=True)
class SourceWeights:
    """All arrays of a firmware, by name."""

    layout: Layout

    @cached_property
    def arrays(self) -> Mapping[str, Array]:
        """Those that a header gives values, which are what synthesis builds."""
        found: dict[str, Array] = {}
        for file in self._headers():
            for match in _ARRAY.finditer(_text(file)):
                found.setdefault(match[2], Array(match[2], match[1], file, match[3].strip(), match.end()))
        return found

    @cached_property
    def loads(self) -> Mapping[str, Load]:
        """Those that a C simulation reads from texts."""
        names = self.layout.names
        found = {}
        for node in walk(self.layout.top.function.body):
            if node.type == "call_expression" and "weights_from_txt" in code_of(
                node.child_by_field_name("function")
            ):
                listed = node.child_by_field_name("arguments")
                words = [] if listed is None else [code_of(part) for part in listed.named_children]
                sizes = [part for part in walk(node) if part.type == "template_argument_list"]
                count = names.size(sizes[0].named_children[-1]) if sizes else None
                if len(words) >= 2:
                    variable = words[0].rpartition("::")[2]
                    found[variable] = Load(variable, words[1].strip('"'), count)
        return found

    def _headers(self) -> list[Path]:
        beside = sorted((self.layout.folder / "weights").glob("*.h"))
        own = [file for file in self.layout.files if file.suffix in (".h", ".hh", ".hpp")]
        return list(dict.fromkeys([*own, *beside]))

    def text_file(self, name: str) -> Path:
        """Where csim reads an array from, or would."""
        load = self.loads.get(name)
        return self.layout.folder / "weights" / (f"{name}.txt" if load is None else load.file)

    def numbers(self, name: str) -> Floats:
        """The values of a header's array in order, float64, every number through the braces of structs.

        Raises
        ------
        UnsupportedModel : no header has this array with values, or they are no numbers.
        """
        array = self.arrays.get(name)
        if array is None:
            raise UnsupportedModel(
                f"no header gives {name} values",
                where=self.layout.folder / "weights" / f"{name}.h",
                mend="put back the weights' headers, or write the project again",
            )
        text = _text(array.file)
        return numbers(text[array.start : text.find(";", array.start)].rpartition("}")[0], array.file)

    def codes(self, name: str, kind: FixedType) -> NDArray[np.int64]:
        """The integers that synthesis builds: values as ``kind`` stores them."""
        return kind.to_codes(self.numbers(name))


def numbers(text: str, where: Path) -> Floats:
    """All numbers of a list, through braces and comments; raises UnsupportedModel where one is none."""
    words = re.sub(r"[{}]", " ", _COMMENT.sub("", text)).split(",")
    try:
        return np.array([float(word) for word in words if word.strip()], np.float64)
    except ValueError as cause:
        raise UnsupportedModel(f"a weight is no number: {cause}", where=where) from cause


def _text(file: Path) -> str:
    if file.stat().st_size > WEIGHT_BYTES:
        raise UnsupportedModel(f"has {file.stat().st_size:,} bytes, more than {WEIGHT_BYTES:,}", where=file)
    return file.read_text(errors="replace")
