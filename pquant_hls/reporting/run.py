"""What a run folder says of its run; read from the folder, nothing is computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pquant_hls.errors import OutputError
from pquant_hls.reporting.lines import Line, lines
from pquant_hls.store import Checked, Entry, read_json, read_ledger

QOR = Path("handover", "qor.json")


@dataclass(frozen=True)
class RunReport:
    """One run of the loop, of a pipeline or of a study.

    ``identity`` is what was asked, ``records`` the ledger, ``qor`` the record of what was handed over with the
    versions of the packages that made it, None for a run that did not end. ``judged`` are a pipeline's last checks,
    ``basis`` is what the verdict rests on (nothing in runs of 0.1.0).
    """

    folder: Path
    identity: dict[str, Any]
    status: str
    verdict: str | None
    reason: str
    records: tuple[Entry, ...]
    baseline_accuracy: float | None = None
    handed_over: int | None = None
    qor: Mapping[str, Any] | None = None
    judged: tuple[Checked, ...] = ()
    basis: str = ""

    @property
    def recipe(self) -> dict[str, Any] | None:
        """The recipe of a run of the loop; None for a pipeline's."""
        found: dict[str, Any] | None = self.identity.get("recipe")
        return found

    @property
    def asked(self) -> dict[str, Any]:
        """Where name, target and budget stand: in the recipe, the study, or a pipeline's own settings."""
        found: dict[str, Any] = self.recipe or self.identity.get("study") or self.identity
        return found

    @property
    def name(self) -> str:
        return str(self.asked.get("name") or self.asked.get("pipeline") or self.folder.name)

    @property
    def hls(self) -> dict[str, Any]:
        return dict(self.asked.get("hls") or {})

    @property
    def budget(self) -> dict[str, Any]:
        return dict(self.asked.get("budget") or {})

    @property
    def rounds(self) -> tuple[Entry, ...]:
        """The entries of the loop, the float row first."""
        return tuple(entry for entry in self.records if entry.kind in {"float", "round"})

    @property
    def lines(self) -> list[Line]:
        """What the run did, one line for each thing."""
        return lines(self.records, self.baseline_accuracy)

    @property
    def final(self) -> Entry | None:
        """The round that was handed over; the last one of a run that did not end."""
        chosen = [entry for entry in self.rounds if entry.number == self.handed_over]
        return chosen[0] if chosen else self.rounds[-1] if self.rounds else None

    @property
    def checks(self) -> tuple[Checked, ...]:
        """The limits on what was handed over, as they were judged."""
        return self.judged or (() if self.final is None else self.final.checks)


def read_run(folder: Path) -> RunReport:
    """Read a run folder; raises OutputError where there is no run in it."""
    if not (folder / "run.json").is_file():
        raise OutputError("holds no run (no run.json)", where=folder, mend="give the --out folder of a run")
    run = read_json(folder / "run.json")
    qor = read_json(folder / QOR) if (folder / QOR).is_file() else None
    return RunReport(
        folder,
        dict(run.get("identity") or {}),
        str(run.get("status")),
        run.get("verdict"),
        str(run.get("reason", "")),
        tuple(read_ledger(folder)),
        run.get("baseline_accuracy"),
        run.get("handed_over"),
        qor,
        tuple(Checked.read(check) for check in run.get("checks", ())),
        str(run.get("basis", "")),
    )
