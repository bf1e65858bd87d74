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
from importlib import resources
from pathlib import Path

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware import event_entry, includes
from pquant_hls.hls import HlsProject

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>).*$', re.M)
_CSIM_ONLY = re.compile(r"^[ \t]*#ifndef __SYNTHESIS__\n(?:(?!^[ \t]*#).*\n)*?^[ \t]*#endif.*\n", re.M)
_EITHER = re.compile(
    r"^[ \t]*#ifndef __SYNTHESIS__\n(?:(?!^[ \t]*#).*\n)*?^[ \t]*#else.*\n((?:(?!^[ \t]*#).*\n)*?)^[ \t]*#endif.*\n",
    re.M,
)
_IF_DEFINED = re.compile(r"^[ \t]*#ifdef \w+[ \t]*\n(?:(?!^[ \t]*#).*\n)*?^[ \t]*#endif.*\n", re.M)
_ASKED_FOR = re.compile(r"weights_from_txt|save_layer_output")
"""What deployed firmware does where a macro asks for it, which nobody defines."""
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_FILES_READ = re.compile(r"\bload_\w*weights_from_txt\s*<")


@dataclass
class _Unit:
    """``outside`` collects the includes that stay outside the namespace, in the order first met; ``folders`` hold headers that
    the project is kept without."""

    firmware: Path
    root: Path
    folders: tuple[Path, ...] = ()
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
        for base in (folder, self.firmware, self.firmware.parent, self.root, *self.folders):
            path = (base / name).resolve()
            if path.is_file():
                return None if "ap_types" in path.parts else path
        return None


def translation_unit(project: HlsProject, namespace: str) -> str:
    """C++ text that defines ``namespace::predict``, with a ``double`` pointer for each input and output.

    Raises
    ------
    UnsupportedModel : the sources read weights in a way that is not known, or take them through ports.
    """
    layout = project.read
    if layout.top.weights:
        raise UnsupportedModel(
            "passes weights through ports, which an emulator has none of", where=project.source
        )
    unit = _Unit(project.firmware.resolve(), project.path.resolve(), includes(layout).folders)
    with resources.as_file(resources.files("pquant_hls.firmware").joinpath("csim.h")) as flat:
        prelude = unit.inline(flat)
    text = unit.inline(project.source)
    start = _start_of_top(text, project)
    body = _IF_DEFINED.sub(_kept, _CSIM_ONLY.sub("", text[start:]))
    if _FILES_READ.search(_COMMENT.sub("", body)):
        raise UnsupportedModel("reads weights in a way this version does not know", where=project.source)
    outside = "\n".join(dict.fromkeys(("#include <mutex>", *unit.outside)))
    pointers = ", ".join(f"double *{port.name}" for port in (*project.inputs, *project.outputs))
    entry = event_entry(layout, f"void predict({pointers})")
    return f"{outside}\n\nnamespace {namespace} {{\n{prelude}{text[:start]}{body}\n{entry}\n}} // namespace {namespace}\n"


def _kept(block: re.Match[str]) -> str:
    return "" if _ASKED_FOR.search(block[0]) else block[0]


def _start_of_top(text: str, project: HlsProject) -> int:
    """Where the definition of the top function begins; its prototype ends in a semicolon."""
    found = re.search(rf"^[ \t]*[\w:<>, ]+[ \t\n]{project.name}\s*\([^;{{]*\)\s*{{", text, re.M)
    if found is None:
        raise UnsupportedModel(f"has no function {project.name}", where=project.source)
    return found.start()
