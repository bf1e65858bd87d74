"""JSON records with the versions that made them, and digests of what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from pquant_hls.errors import OutputError
from pquant_hls.errors.bounds import json_values
from pquant_hls.files import write_bytes

PACKAGES = ("pquant_hls", "hls4ml", "keras", "tensorflow", "qkeras-v3", "numpy", "alkaid", "optuna")


def versions() -> dict[str, str]:
    """Installed versions of the packages a result depends on; a missing one is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def digest_of(value: Any) -> str:
    """sha256 (hex) of a JSON value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with its schema version and the versions of the packages that made it."""
    if "schema_version" not in value:
        value = {"schema_version": 1, **value}
    body = json.dumps({**value, "versions": versions()}, indent=1, default=str, allow_nan=False)
    write_bytes(path, f"{body}\n".encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises OutputError where it is missing, damaged or no object."""
    try:
        value = json_values(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise OutputError(f"cannot be read: {cause}", where=path) from cause
    if not isinstance(value, dict):
        raise OutputError("is not a JSON object", where=path)
    return value
