"""The record of a written project, and the folder that it is written into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pquant_hls.errors import OutputError, SpecError
from pquant_hls.files import replacing, write_bytes
from pquant_hls.hls.place import say_where
from pquant_hls.network.names import is_reserved
from pquant_hls.spec import HlsSpec


def check_project_name(spec: HlsSpec) -> None:
    """Raises SpecError for a name that C++ has a meaning for."""
    if is_reserved(spec.project_name):
        raise SpecError(
            f"{spec.project_name!r} has a meaning of its own in the generated C++",
            where="hls.project_name",
            mend="another name: it becomes the top function's",
        )


def check_empty(out: Path) -> None:
    """Raises OutputError where a project cannot be written into a folder of this name."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError("the folder for the HLS project is not empty", where=out, mend="give a new folder")
    try:
        str(out).encode()
    except UnicodeEncodeError as cause:
        raise OutputError("its name is no UTF-8, which generated files are", where=repr(str(out))) from cause


@contextmanager
def new_project(out: Path) -> Iterator[Path]:
    """A folder to write a project into, which lies at ``out`` once all is written; raises OutputError where it cannot be."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as folder:
            yield folder
            say_where(folder, out)
    except OSError as cause:
        raise OutputError(
            f"cannot write the HLS project: {cause.strerror}", where=cause.filename or out
        ) from cause


def save_info(path: Path, info: dict[str, Any]) -> None:
    """Write a project's record, whole or not at all."""
    write_bytes(path, f"{json.dumps(info, indent=1, sort_keys=True)}\n".encode())
