"""``lint --overflow``: every type of a firmware proven, or an input that overflows it, shown in csim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pquant_hls.cli.junit import JunitCase
    from pquant_hls.measure import OverflowReport, Shown


def lint_overflow(path: Path, words: Sequence[str], seconds: float, junit: Path | None, *, json: bool) -> int:
    """1 where a type wraps; 4 where none is known to and one is undecided."""
    from pquant_hls.cli.console import print_json
    from pquant_hls.cli.junit import write_cases
    from pquant_hls.cli.life import busy
    from pquant_hls.cli.plain import echo
    from pquant_hls.errors import SpecError
    from pquant_hls.hls import load_project
    from pquant_hls.measure import overflow

    if not path.is_dir() and path.suffix not in (".cpp", ".cc"):
        raise SpecError("--overflow is of a firmware", where=path, mend="give the project's folder")
    ranges = [_range(word) for word in words] or None
    with busy(f"proving the types of {path}, in {seconds:g} s of processor time at most"):
        project = load_project(path)
        found = overflow(project, ranges, seconds=seconds)
    if junit is not None:
        write_cases(junit, f"overflow of {project.name}", [_case(one) for one in found.types])
    if json:
        print_json(_object(path, found))
    else:
        lines = [one.text for one in found.types] + [f"note: {note}" for note in found.notes]
        echo("\n".join([*lines, _summary(found)]))
    return 1 if found.wraps else 4 if found.undecided else 0


def _case(one: Shown) -> JunitCase:
    """A type that saturates does what it says."""
    from pquant_hls.cli.junit import JunitCase

    words = {"wraps": "MISSED", "undecided": "UNKNOWN"}
    verdict = one.verdict
    return JunitCase(
        f"{verdict.node} {verdict.role} {verdict.type}", words.get(verdict.status, "MET"), one.text
    )


def _range(word: str) -> tuple[Any, Any]:
    """LOW:HIGH, or the least and largest of each value of the inputs in a file."""
    import numpy as np

    from pquant_hls.cli.csim import input_arrays
    from pquant_hls.errors import SpecError
    from pquant_hls.measure import as_ranges

    if word.endswith((".npy", ".dat", ".txt")):
        return as_ranges([input_arrays([Path(word)])])[0]
    low, colon, high = word.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = (1.0, 0.0)
    if not colon or not ends[0] <= ends[1]:
        raise SpecError(
            f"{word!r} is no range", where="--range", mend="LOW:HIGH as -4:4, or a .npy of inputs"
        )
    return np.array(ends[0]), np.array(ends[1])


def _summary(found: OverflowReport) -> str:
    total, open_ = len(found.types), len(found.undecided)
    clipped = sum(one.verdict.status == "saturates" for one in found.types)
    proven = total - open_ - clipped - len(found.wraps)
    return f"{total} types: {proven} proven, {len(found.wraps)} wrap, {clipped} saturate, {open_} undecided"


def _object(path: Path, found: OverflowReport) -> dict[str, Any]:
    from dataclasses import asdict

    rows = []
    for one in found.types:
        row = asdict(one.verdict)
        inputs = row.pop("inputs")
        rows.append({**row, "stored": one.stored, "inputs": None if inputs is None else inputs.tolist()})
    passed = False if found.wraps else None if found.undecided else True
    return {
        "schema_version": 1,
        "firmware": str(path),
        "types": rows,
        "notes": list(found.notes),
        "passed": passed,
    }
