"""A run folder where a command takes a project: the one that the run handed over."""

from __future__ import annotations

from pathlib import Path


def project_in(path: Path | None) -> Path | None:
    """``handover/project`` of a run folder; any other path as it is.

    Raises
    ------
    SpecError : the run has handed nothing over.
    """
    if path is None or not (path / "run.json").is_file():
        return path
    found = path / "handover" / "project"
    if not found.is_dir():
        from pquant_hls.errors import SpecError

        raise SpecError(
            "this run has handed no project over",
            where=path,
            mend="finish it with --resume, or give the project of one of its designs",
        )
    return found
