"""What a run folder says of its run; read from the folder, nothing is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pquant_hls.errors import OutputError
from pquant_hls.qor import Latency
from pquant_hls.store import read_json, read_ledger


@dataclass(frozen=True)
class RunReport:
    """One run: its recipe, status, verdict and reason, and the records of its rounds, the float row first."""

    folder: Path
    recipe: dict[str, Any]
    status: str
    verdict: str | None
    reason: str
    rounds: tuple[dict[str, Any], ...]
    baseline_accuracy: float | None = None
    handed_over: int | None = None

    @property
    def final(self) -> dict[str, Any] | None:
        """The round that was handed over; the last one of a run that did not end."""
        chosen = [record for record in self.rounds if record["round"] == self.handed_over]
        return chosen[0] if chosen else self.rounds[-1] if self.rounds else None

    @property
    def budget_ns(self) -> float | None:
        found = self.recipe.get("budget", {}).get("latency_ns")
        return None if found is None else float(found)


def read_run(folder: Path) -> RunReport:
    """Read a run folder; raises OutputError where there is no run in it."""
    if not (folder / "run.json").is_file():
        raise OutputError("holds no run (no run.json)", where=folder, mend="give the --out folder of a run")
    run = read_json(folder / "run.json")
    rounds = tuple(record for record in read_ledger(folder) if record.get("kind") in {"float", "round"})
    recipe = run.get("identity", {}).get("recipe", {})
    return RunReport(folder, recipe, str(run.get("status")), run.get("verdict"), str(run.get("reason", "")), rounds,
                     run.get("baseline_accuracy"), run.get("handed_over"))  # fmt: skip


def latency_of(record: dict[str, Any]) -> Latency | None:
    """The latency of a round's record, None where it was not measured."""
    found = (record.get("qor") or {}).get("latency")
    return None if found is None else Latency.model_validate(found)
