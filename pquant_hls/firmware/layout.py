"""Where the parts of a firmware lie, in whatever folder it is kept, and which hls4ml wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import CPP_BYTES, FOLDER_FILES
from pquant_hls.firmware.cpp import Source, first_error
from pquant_hls.firmware.declared import Declared, Function
from pquant_hls.firmware.top import Top, called_names, layer_calls
from pquant_hls.firmware.values import SourceNames

LIBRARIES = ("nnet_utils", "nn_utils", "ap_types", "ac_types", "ac_math")
"""Folders of headers that are not the project's own."""
PASSED_OVER = frozenset({*LIBRARIES, "weights", "tb_data", "hls", "node_modules"})
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)
_VALUED = re.compile(rb"\w\s*\[[^\]\n]*\]\s*=\s*\{")
_VENDOR = re.compile(r"(?:.*/)?(?:ap_\w+|ac_\w+|hls_\w+|nnet_\w+)\.h(?:pp)?$")
SMALL = 65_536
"""Bytes of a header with values of arrays up to which it is looked at for other declarations too."""
Kind = Literal["project", "firmware", "deployed"]


@dataclass(frozen=True, eq=False)
class Layout:
    """The parts of one firmware.

    ``root`` is the folder that was given, ``folder`` the one that its sources lie in. A ``project`` has hls4ml's build files
    around a folder ``firmware``, a ``firmware`` is that folder alone, and what is ``deployed`` has other names: NAME_vN/NN.
    ``missing`` lists quoted includes that are not there, as (file:line, name).
    """

    root: Path
    folder: Path
    source: Source
    top: Top
    declared: Declared
    kind: Kind
    files: tuple[Path, ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return self.top.name

    @property
    def names(self) -> SourceNames:
        return SourceNames(self.declared)

    @property
    def namespace(self) -> str:
        return self.top.function.namespace

    @cached_property
    def libraries(self) -> Path | None:
        """The folder of ``nnet_*.h`` headers; None for a firmware kept without them."""
        for name in LIBRARIES[:2]:
            found = self.folder / name
            if any(found.glob("nnet_*.h")):
                return found
        return None

    @cached_property
    def vendor_types(self) -> Path | None:
        """The folder of ``ap_fixed.h``; None for a firmware kept without it."""
        places = (self.folder, self.folder.parent, self.root)
        found = [place / "ap_types" for place in places if (place / "ap_types" / "ap_fixed.h").is_file()]
        return found[0] if found else None

    @cached_property
    def pools_in_input_type(self) -> bool:
        """Whether nnet_pooling.h knows no accumulator, as before hls4ml 1.0."""
        file = None if self.libraries is None else self.libraries / "nnet_pooling.h"
        return file is not None and file.is_file() and b"CONFIG_T::accum_t" not in file.read_bytes()

    @property
    def trouble(self) -> str | None:
        """Where the parser stumbled in the top function, as ``file:line: what``; None where it took all of it."""
        return first_error(self.top.function.body, self.source)

    @property
    def version(self) -> str | None:
        """The hls4ml versions whose writer leaves such sources, as ``0.7 to 0.8``; None where nothing tells."""
        return guess_version(self)


def find(path: Path) -> Layout:
    """The firmware in a folder of any layout, or around one ``.cpp`` file.

    Raises
    ------
    UnsupportedModel : no function that calls hls4ml's layers, several of them, or a source that cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise UnsupportedModel("no such project folder", where=path)
    tops = _only_roots([top for file in _candidates(path) for top in _tops(file)])
    if len(tops) != 1:
        raise _not_one(path, tops)
    return _around(path, tops[0])


def _around(path: Path, function: Function) -> Layout:
    folder = function.source.path.parent
    root = folder if path.is_file() else path
    if root == folder and folder.name == "firmware" and _builds(folder.parent):
        root = folder.parent
    declared, files, missing = _included(function.source, root)
    whole = folder.parent == root and folder.name == "firmware" and _builds(root)
    kind: Kind = (
        "project" if whole else "firmware" if folder.name == "firmware" or _plain(folder) else "deployed"
    )
    return Layout(root, folder, function.source, Top(function), declared, kind, files, missing)


def _builds(folder: Path) -> bool:
    """Whether hls4ml's build files lie here."""
    return any(
        (folder / name).is_file() for name in ("build_prj.tcl", "hls4ml_config.yml", "project.tcl")
    ) or any(folder.glob("*_bridge.cpp"))


def _plain(folder: Path) -> bool:
    """Whether a folder is as hls4ml fills ``firmware``, whatever its name: nothing of others beside it."""
    others = [file for file in folder.glob("*.cpp") if layer_free(file)]
    return not others and folder.name != "NN" and not any(folder.parent.glob("*emulator*.cpp"))


def layer_free(file: Path) -> bool:
    return not _tops(file)


def _candidates(path: Path) -> list[Path]:
    """Sources that may hold a top, test benches and bridges left out."""
    if path.is_file():
        return [path]
    start = path / "firmware" if (path / "firmware").is_dir() else path
    found = [file for file in _files(start) if file.suffix in (".cpp", ".cc", ".cxx")]
    return [file for file in found if not file.stem.endswith(("_test", "_bridge", "_tb"))]


def _files(start: Path) -> Iterator[Path]:
    seen, waiting = 0, [start]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > FOLDER_FILES:
                raise UnsupportedModel(
                    f"holds more than {FOLDER_FILES:,} files",
                    where=start,
                    mend="give the folder of one project",
                )
            if entry.is_dir() and not entry.is_symlink():
                skip = entry.name in PASSED_OVER or entry.name.startswith(".") or entry.name.endswith("_prj")
                waiting += [] if skip else [entry]
            elif entry.is_file():
                yield entry


def _tops(file: Path) -> list[Function]:
    """The functions of a file that call hls4ml's layers; none of a file that has no word of them."""
    if file.stat().st_size > CPP_BYTES or b"nnet::" not in file.read_bytes():
        return []
    source = Source.read(file)
    functions = Declared().take(source).functions
    return [entry for entry in functions if layer_calls(entry.body) > 0 and not entry.templated]


def _only_roots(found: list[Function]) -> list[Function]:
    """Without those that another of them calls."""
    inner = {name for function in found for name in called_names(function.body) if name != function.name}
    return [function for function in found if function.name not in inner]


def _not_one(path: Path, tops: list[Function]) -> UnsupportedModel:
    if tops:
        places = ", ".join(f"{top.name} in {top.source.path.relative_to(path.parent)}" for top in tops[:8])
        return UnsupportedModel(
            f"{len(tops)} top functions: {places}",
            where=path,
            mend="give the folder or the .cpp of one of them",
        )
    old = [file for file in _candidates(path) if b"compute_layer<" in file.read_bytes()[:CPP_BYTES]]
    if old:
        return UnsupportedModel(
            "written by an hls4ml whose layers are in no namespace, older than 0.1",
            where=old[0],
            mend="convert the model again",
        )
    return UnsupportedModel(
        "not an hls4ml project: no function of its .cpp files calls a layer (nnet::...)",
        where=path,
        mend="give the folder that holds firmware/, or the one of the sources",
    )


def _included(source: Source, root: Path) -> tuple[Declared, tuple[Path, ...], tuple[tuple[str, str], ...]]:
    """What the top's file and the project's own headers declare, those files, and the includes that are not there."""
    declared, seen, missing = Declared(), dict[Path, None](), list[tuple[str, str]]()
    folder = source.path.parent
    waiting = [source]
    while waiting:
        here = waiting.pop(0)
        declared.take(here)
        seen[here.path] = None
        for found in _INCLUDE.finditer(here.text):
            name = found[1].decode(errors="replace")
            bases = (here.path.parent, folder, root, folder.parent)
            file = next((base / name for base in bases if (base / name).is_file()), None)
            if _VENDOR.match(name) or (file is not None and file.parent.name in LIBRARIES):
                continue
            if file is None and any((base / name).exists() for base in bases):
                continue  # no regular file: the compiler may wait for it, this does not
            if file is None:
                line = here.text[: found.start()].count(b"\n") + 1
                missing.append((f"{here.path}:{line}", name))
            elif file.resolve() not in {path.resolve() for path in seen} and len(seen) < FOLDER_FILES:
                seen[file] = None
                if not only_values(file):
                    waiting.append(Source.read(file))
    return declared, tuple(seen), tuple(missing)


def only_values(file: Path) -> bool:
    """Whether a header holds weights: arrays with their values, which are read otherwise."""
    if file.stat().st_size > CPP_BYTES:
        return True
    text = file.read_bytes()
    return file.parent.name == "weights" or (_VALUED.search(text) is not None and b"struct" not in text)


_HEADERS: tuple[tuple[str, str], ...] = (
    ("1.4", "nnet_snn.h"),
    ("1.2 to 1.4", "nnet_einsum.h"),
    ("1.1", "nnet_transpose.h"),
    ("1.0", "nnet_function_stubs.h"),
    ("0.8", "nnet_math.h"),
    ("0.7 to 0.8", "nnet_recr_activations.h"),
)
"""The first version that has a header, newest first; deployed firmware may keep only those that it needs."""
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("1.2 to 1.4", ("exp_table_size", "#include <tuple>")),
    ("1.0 to 1.1", ("nnet::DenseLatency<", "nnet::DenseResource")),
    ("0.8", ("count_pad",)),
    ("0.7 to 0.8", ("nnet_code_gen.h",)),
    ("0.1 to 0.2", ("nnet::compute_layer<",)),
    ("0.3 to 0.6", ("const_size_in_", "//hls-fpga-machine-learning", "rfnoc-hls-neuralnet")),
    ("0.7 to 0.8", ("// hls-fpga-machine-learning",)),
)
"""Marks that a version's writer was the first to leave, newest first."""


def guess_version(layout: Layout) -> str | None:
    texts = [file.read_bytes().decode(errors="replace") for file in layout.files if not only_values(file)]
    whole = "\n".join(texts)
    by_text = next((version for version, marks in _MARKS if any(mark in whole for mark in marks)), None)
    folder = layout.libraries
    kept = [version for version, name in _HEADERS if folder is not None and (folder / name).is_file()]
    return max(
        [*kept[:1], *([] if by_text is None else [by_text])], key=lambda text: text.split()[0], default=None
    )
