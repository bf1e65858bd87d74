"""The headers that a firmware needs and that deployed ones are kept without: ``ap_types`` and ``nnet_utils``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware.layout import Layout

HEADERS = "PQUANT_HLS_HEADERS"
"""Environment variable: folders, separated by colons, that hold ``ap_types`` or ``nnet_utils``, looked in before any other."""
_RELEASES = {
    "0.1 to 0.2": "0.2.0",
    "0.3 to 0.6": "0.6.0",
    "0.7 to 0.8": "0.8.1",
    "0.8": "0.8.1",
    "1.0": "1.0.0",
    "1.0 to 1.1": "1.1.0",
    "1.1": "1.1.0",
    "1.2 to 1.4": "1.3.0",
    "1.4": "1.4.0",
}


@dataclass(frozen=True)
class Includes:
    """Folders to include besides the firmware's own; ``notes`` say which came from elsewhere."""

    folders: tuple[Path, ...]
    notes: tuple[str, ...]

    def digest(self) -> str:
        """sha256 (hex) of the headers in them."""
        return "".join(_digest(folder) for folder in self.folders)


def includes(layout: Layout) -> Includes:
    """Where csim finds the headers of AMD's types and of hls4ml's layers.

    Raises
    ------
    UnsupportedModel : headers that nobody has: the firmware needs those of an hls4ml that is not installed.
    """
    folders, notes = list[Path](), list[str]()
    if layout.vendor_types is None:
        found = _elsewhere("ap_types", "ap_fixed.h")
        if found is None:
            raise _missing(layout, "ap_types")
        folders.append(found / "ap_types")
        notes.append(f"the firmware is kept without ap_types: those of {_owner(found)} are used")
    else:
        folders.append(layout.vendor_types)
    if layout.libraries is None:
        found = _of_version(layout)
        folders += [found.parent / "vitis", found] if (found.parent / "vitis").is_dir() else [found]
        notes.append(f"the firmware is kept without nnet_utils: those of {_owner(found)} are used")
    return Includes(tuple(folders), tuple(notes))


def _of_version(layout: Layout) -> Path:
    """A folder with ``nnet_utils`` of the hls4ml that wrote the sources: one that was named, or the installed one."""
    named = [folder for folder in _named() if (folder / "nnet_utils").is_dir()]
    if named:
        return named[0]
    installed = _installed()
    release = _RELEASES.get(layout.version or "")
    if (
        installed is None
        or release is None
        or metadata.version("hls4ml").split(".")[:2] != release.split(".")[:2]
    ):
        raise _missing(layout, "nnet_utils")
    return installed


def _elsewhere(folder: str, file: str) -> Path | None:
    places = [*_named(), *([] if (own := _installed()) is None else [own])]
    return next((place for place in places if (place / folder / file).is_file()), None)


def _named() -> Iterator[Path]:
    for text in os.environ.get(HEADERS, "").split(os.pathsep):
        if text:
            yield Path(text)
            yield Path(text) / "hls4ml" / "templates" / "vivado"


@cache
def _installed() -> Path | None:
    """hls4ml's own templates; it is not imported."""
    found = importlib.util.find_spec("hls4ml")
    place = None if found is None or found.origin is None else Path(found.origin).parent
    folder = None if place is None else place / "templates" / "vivado"
    return folder if folder is not None and folder.is_dir() else None


def _owner(folder: Path) -> str:
    return f"hls4ml {metadata.version('hls4ml')}" if folder == _installed() else str(folder)


def _missing(layout: Layout, what: str) -> UnsupportedModel:
    release = _RELEASES.get(layout.version or "", "VERSION")
    by = (
        f"written by hls4ml {layout.version}" if layout.version else "of an hls4ml version that nothing tells"
    )
    return UnsupportedModel(
        f"the headers {what} are missing from this firmware, {by}",
        where=layout.folder,
        mend=_mend(release, what),
    )


def _mend(release: str, what: str) -> str:
    """``ap_types`` are the same in all versions, ``nnet_utils`` are not; neither needs what hls4ml itself needs."""
    if _installed() is None and (what == "ap_types" or release == "1.3.0"):
        return "pip install --no-deps hls4ml==1.3.0"
    return (
        f"pip download hls4ml=={release} --no-deps, unpack it, and name the folder: export {HEADERS}=FOLDER"
    )


@cache
def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*.h")):
        total.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()
