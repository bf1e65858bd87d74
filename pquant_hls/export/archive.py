"""Files as one archive whose bytes follow from their names and contents alone; hostile ones are refused before they unpack.

A zip without compression: no library of deflate, clock, owner or order of a folder is in the bytes. What is read must be what
would be written of it, byte for byte, so that nothing can be hidden between or behind the files.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pquant_hls.errors import DataError
from pquant_hls.errors.bounds import BUNDLE_BYTES, FOLDER_FILES, json_values
from pquant_hls.files import write_bytes

MANIFEST, SEAL = "manifest.json", "manifest.sha256"
SCHEMA_VERSION = 1


def packed(files: Mapping[str, bytes], about: Mapping[str, object]) -> bytes:
    """The archive: ``files`` by their places in it, the manifest with their digests and ``about``, and its seal."""
    listed = {name: {"sha256": digest(blob), "bytes": len(blob)} for name, blob in sorted(files.items())}
    manifest = json.dumps(
        {"schema_version": SCHEMA_VERSION, **about, "files": listed}, indent=1, sort_keys=True
    ).encode()
    return _archive({**files, MANIFEST: manifest, SEAL: f"{digest(manifest)}\n".encode()})


def digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def write_archive(path: Path, files: Mapping[str, bytes], about: Mapping[str, object]) -> str:
    """Write whole or not at all; gives the archive's sha256 (hex). Raises OutputError."""
    blob = packed(files, about)
    write_bytes(path, blob)
    return digest(blob)


def read_archive(path: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """The files but for manifest and seal, and the manifest, each byte of them checked.

    Raises
    ------
    DataError : no such archive; a name that leads out of its folder, a link, a compressed or oversized entry, two of one
        name; a file that is missing, added or altered, by name.
    """
    try:
        size = path.stat().st_size
        if size > BUNDLE_BYTES:
            raise DataError(f"holds {size:,} bytes, more than {BUNDLE_BYTES:,}", where=path)
        blob = path.read_bytes()
    except OSError as cause:
        raise DataError(f"cannot be read: {cause.strerror}", where=path) from cause
    files = _members(blob, path)
    manifest = _manifest(files, path)
    listed = manifest["files"]
    if not isinstance(listed, dict):
        raise DataError("the manifest lists no files", where=path)
    inside = {name: found for name, found in files.items() if name not in (MANIFEST, SEAL)}
    for name in sorted({*listed, *inside}):
        if name not in inside:
            raise DataError(f"{name} is missing", where=path)
        entry = listed.get(name)
        if not isinstance(entry, dict):
            raise DataError(f"{name} was added: the manifest does not list it", where=path)
        if entry.get("sha256") != digest(inside[name]):
            raise DataError(f"{name} was altered: its digest is not the manifest's", where=path)
    again = _archive(files)
    if again != blob:
        place = next(
            (i for i, pair in enumerate(zip(again, blob, strict=False)) if pair[0] != pair[1]), len(again)
        )
        raise DataError(f"the archive was altered outside of its files, at byte {place}", where=path)
    return inside, manifest


def _members(blob: bytes, path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            entries = archive.infolist()
            if len(entries) > FOLDER_FILES or sum(entry.file_size for entry in entries) > len(blob):
                raise DataError(
                    "holds more files, or larger ones, than an archive without compression can", where=path
                )
            found: dict[str, bytes] = {}
            for entry in entries:
                _check_entry(entry, path, known=entry.filename in found)
                found[entry.filename] = _content(archive, entry, path)
            return found
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, OSError) as cause:
        raise DataError(f"is no bundle, or damaged: {cause}", where=path) from cause


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bytes:
    try:
        return archive.read(entry)
    except zipfile.BadZipFile as cause:
        raise DataError(f"{entry.filename} was altered: {cause}", where=path) from cause


def _check_entry(entry: zipfile.ZipInfo, path: Path, *, known: bool) -> None:
    name, place = entry.filename, PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if known:
        raise DataError(f"two files are called {name!r}", where=path)
    out = place.is_absolute() or ".." in place.parts or "\\" in name or "\0" in name or ":" in name
    if out or place.as_posix() != name or entry.orig_filename != name:
        raise DataError(f"{name!r} leads out of the bundle, or is no plain path", where=path)
    if kind != stat.S_IFREG:
        raise DataError(f"{name!r} is a link, a folder or a device, not a file", where=path)
    if (
        entry.compress_type != zipfile.ZIP_STORED
        or entry.compress_size != entry.file_size
        or entry.flag_bits & 1
    ):
        raise DataError(f"{name!r} is compressed or encrypted; no file of a bundle is", where=path)


def _manifest(files: Mapping[str, bytes], path: Path) -> dict[str, object]:
    if MANIFEST not in files or SEAL not in files:
        raise DataError(f"is no bundle: it has no {MANIFEST} or no {SEAL}", where=path)
    if files[SEAL] != f"{digest(files[MANIFEST])}\n".encode():
        raise DataError(f"{MANIFEST} was altered: its digest is not that in {SEAL}", where=path)
    try:
        found = json_values(files[MANIFEST])
    except ValueError as cause:
        raise DataError(f"{MANIFEST} cannot be read: {cause}", where=path) from cause
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{MANIFEST} is not of schema version {SCHEMA_VERSION}", where=path)
    return found
