"""Checks of commands as JUnit XML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JunitCase:
    """A test case: its name, MET | MISSED | UNKNOWN, and the words for one that is not MET."""

    text: str
    verdict: str
    said: str = ""

    @classmethod
    def of(cls, name: str, faults: Iterable[str]) -> JunitCase:
        """MISSED where there are faults."""
        found = list(faults)
        return cls(name, "MISSED" if found else "MET", "\n".join(found))

    def __str__(self) -> str:
        return self.said or self.text


def write_cases(path: Path, name: str, cases: Sequence[JunitCase]) -> None:
    """One suite into a file, whose folder is made."""
    from pquant_hls.reporting import checks_to_junit
    from pquant_hls.store import write_bytes

    verdicts = {case.verdict for case in cases}
    whole = next((word for word in ("MISSED", "UNKNOWN") if word in verdicts), "MET")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, checks_to_junit(name, whole, f"{len(cases)} checks", cases).encode())
