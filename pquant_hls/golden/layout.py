"""Which project is this: can its layout be run, which hls4ml wrote it, and what are its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import HlsProject, load_project

_HEADERS = ("nnet_utils", "ap_types")


def open_project(project: Path | HlsProject) -> HlsProject:
    """The project behind a path, refused where its layout is one this package cannot run.

    Raises
    ------
    UnsupportedModel : no hls4ml project, a file is missing, or an hls4ml too old.
    """
    found = project if isinstance(project, HlsProject) else load_project(Path(project))
    bridge = found.path / f"{found.name}_bridge.cpp"
    text = bridge.read_text()
    if "const_size_in" in text:
        raise UnsupportedModel(
            "written by hls4ml 0.6 or older: its bridge passes sizes as arguments",
            where=bridge,
            mend="convert the model again with hls4ml 1.x",
        )
    if f"{found.name}_double(" not in text:
        raise UnsupportedModel(
            f"has no entry {found.name}_double", where=bridge, mend="convert the model again with hls4ml 1.x"
        )
    helpers = found.firmware / "nnet_utils" / "nnet_helpers.h"
    if not helpers.is_file():
        raise UnsupportedModel("this file of the HLS project is missing", where=helpers)
    if any(found.weights.glob("*.txt")) and "WEIGHTS_DIR" not in helpers.read_text():
        raise UnsupportedModel(
            "written by an hls4ml that reads weights from the working folder",
            where=helpers,
            mend="convert the model again with hls4ml 1.x",
        )
    return found


def hls4ml_version(project: HlsProject) -> str | None:
    """The hls4ml that wrote the project; None for a foreign one, as hls4ml itself does not note it."""
    versions = project.info.get("versions")
    return str(versions["hls4ml"]) if isinstance(versions, Mapping) and "hls4ml" in versions else None


def file_digests(project: HlsProject) -> dict[str, str]:
    """First 16 hex digits of sha256 for each source and weight file, one a folder of library headers."""
    totals: dict[str, hashlib._Hash] = {}
    for path in project.sources:
        place = path.relative_to(project.path)
        library = len(place.parts) > 2 and place.parts[1] in _HEADERS
        key = "/".join(place.parts[:2]) if library else place.as_posix()
        totals.setdefault(key, hashlib.sha256()).update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return {key: total.hexdigest()[:16] for key, total in totals.items()}


def changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Files added, removed or altered, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
