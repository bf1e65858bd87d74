"""What was taken in, and the golden vectors that are kept with it."""

from __future__ import annotations

from dataclasses import dataclass

from pquant_hls import golden
from pquant_hls.hls import HlsProject

GOLDEN_FILE = "pquant_golden.npz"
"""Vectors of csim as the design was when it was taken in, in the project's folder."""
VECTORS = 1_000


@dataclass(frozen=True)
class Taken:
    """A project of this package made of another tool's design.

    ``kind`` says what it was made of. ``proof`` are the sentences on what was compared with csim, ``vectors`` the inputs of
    the golden file, 0 where no output ever moves and there is none.
    """

    project: HlsProject
    kind: str
    proof: tuple[str, ...]
    vectors: int


def keep_golden(project: HlsProject, count: int, timeout_s: float) -> int:
    """Record ``count`` random vectors in the project's folder; gives how many, 0 where they would see nothing."""
    from pquant_hls.errors import GoldenError

    try:
        made = golden.record(project, golden.random_inputs(project, count), timeout_s=timeout_s)
    except GoldenError:
        return 0
    made.save(project.path / GOLDEN_FILE)
    return made.count
