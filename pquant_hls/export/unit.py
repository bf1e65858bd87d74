"""One C++ translation unit of a whole HLS project, every name of it inside one namespace.

hls4ml's sources put weights, layer configurations and the ``nnet`` templates where every other hls4ml project
puts its own of the same names: two of them in one program share symbols, and one then computes with the other's
weights (cms-sw/cmssw #44435). They also read weights from files at run time and end the process where one is
missing. Here headers are copied in once each, weights come from the copies that synthesis reads, and what is
left outside the namespace are the standard library and the ``ap_`` and ``hls_`` types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import HlsProject

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>).*$', re.M)
_CSIM_ONLY = re.compile(r"^[ \t]*#ifndef __SYNTHESIS__\n(?:(?!^[ \t]*#).*\n)*?^[ \t]*#endif.*\n", re.M)
_EITHER = re.compile(
    r"^[ \t]*#ifndef __SYNTHESIS__\n(?:(?!^[ \t]*#).*\n)*?^[ \t]*#else.*\n((?:(?!^[ \t]*#).*\n)*?)^[ \t]*#endif.*\n",
    re.M,
)
_FILES_READ = re.compile(r"\bload_\w*weights_from_txt\s*<")


@dataclass
class _Unit:
    """``outside`` collects the includes that stay outside the namespace, in the order first met."""

    firmware: Path
    seen: set[Path] = field(default_factory=set)
    outside: dict[str, None] = field(default_factory=dict)

    def inline(self, path: Path) -> str:
        """The text of a file with its project's headers in place; empty for a file already taken in."""
        path = path.resolve()
        if path in self.seen:
            return ""
        self.seen.add(path)
        text = path.read_text(encoding="utf-8")
        if path.parent.name == "weights":
            text = _EITHER.sub(r"\1", text)
        return _INCLUDE.sub(lambda found: self._included(found, path.parent), text)

    def _included(self, found: re.Match[str], folder: Path) -> str:
        quoted, system = found.groups()
        own = None if quoted is None else self._own(quoted, folder)
        if own is not None:
            return self.inline(own)
        self.outside[f"#include <{system}>" if quoted is None else f'#include "{quoted}"'] = None
        return ""

    def _own(self, name: str, folder: Path) -> Path | None:
        """The project's file behind a quoted include; None for the ``ap_types`` headers and for others' files."""
        for base in (folder, self.firmware, self.firmware.parent):
            path = (base / name).resolve()
            if path.is_file():
                return None if "ap_types" in path.relative_to(self.firmware.parent.resolve()).parts else path
        return None


def translation_unit(project: HlsProject, namespace: str) -> str:
    """C++ text that defines ``namespace::predict``, with a ``double`` pointer for each input and output.

    Raises
    ------
    UnsupportedModel : the sources read weights in a way that is not known, or take them through ports.
    """
    unit = _Unit(project.firmware.resolve())
    source = project.firmware / f"{project.name}.cpp"
    text = unit.inline(source)
    body = _CSIM_ONLY.sub("", text[_start_of_top(text, project) :])
    head = text[: _start_of_top(text, project)]
    if _FILES_READ.search(body):
        raise UnsupportedModel("reads weights in a way this version does not know", where=source)
    outside = "\n".join(unit.outside)
    entry = _entry(project)
    return f"{outside}\n\nnamespace {namespace} {{\n{head}{body}\n{entry}\n}} // namespace {namespace}\n"


def _start_of_top(text: str, project: HlsProject) -> int:
    """Where the definition of the top function begins; its prototype ends in a semicolon."""
    found = re.search(rf"^void {project.name}\([^;{{]*\)\s*{{", text, re.M)
    if found is None:
        raise UnsupportedModel(
            f"has no function {project.name}", where=project.firmware / f"{project.name}.cpp"
        )
    return found.start()


def _entry(project: HlsProject) -> str:
    """``predict``: the bridge's wrapper in double precision, which converts, calls the top and converts back."""
    bridge = project.path / f"{project.name}_bridge.cpp"
    text = bridge.read_text(encoding="utf-8")
    if '#include "firmware/weights' in text:
        raise UnsupportedModel("passes weights through ports, which an emulator has none of", where=bridge)
    found = re.search(rf"^void {project.name}_double\(.*?^\}}", text, re.M | re.S)
    if found is None:
        raise UnsupportedModel(f"has no entry {project.name}_double", where=bridge)
    return found[0].replace(f"{project.name}_double(", "predict(", 1)
