"""Which project is this: can its layout be run, which hls4ml wrote it, and what are its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pquant_hls.firmware import LIBRARIES
from pquant_hls.hls import HlsProject, load_project


def open_project(project: Path | HlsProject) -> HlsProject:
    """The project behind a path; raises UnsupportedModel as ``load_project``."""
    return project if isinstance(project, HlsProject) else load_project(Path(project))


def hls4ml_version(project: HlsProject) -> str | None:
    """The hls4ml that wrote the project: as our own record has it, else as its sources look (``0.7 to 0.8``); None where
    nothing tells."""
    versions = project.info.get("versions")
    if isinstance(versions, Mapping) and "hls4ml" in versions:
        return str(versions["hls4ml"])
    return None if project.layout is None else project.layout.version


def file_digests(project: HlsProject) -> dict[str, str]:
    """First 16 hex digits of sha256 for each source and weight file, one a folder of library headers."""
    totals: dict[str, hashlib._Hash] = {}
    for path in project.sources:
        place = path.relative_to(project.path)
        library = next((index for index, part in enumerate(place.parts[:-1]) if part in LIBRARIES), None)
        key = place.as_posix() if library is None else "/".join(place.parts[: library + 1])
        totals.setdefault(key, hashlib.sha256()).update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return {key: total.hexdigest()[:16] for key, total in totals.items()}


def changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Files added, removed or altered, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
