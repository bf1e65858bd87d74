"""What a run folder says of its run; figures are read from the folder, the verdict is judged anew by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pquant_hls.decide import Check, Judgement, Verdict, all_on_test, on_test
from pquant_hls.errors import OutputError
from pquant_hls.reporting.lines import Line, lines
from pquant_hls.reporting.verdict import asked_of, read_budget, read_qor, rejudged
from pquant_hls.store import Checked, Entry, read_json, read_ledger

QOR = Path("handover", "qor.json")


@dataclass(frozen=True)
class RunReport:
    """One run of the loop, of a pipeline or of a study.

    ``identity`` is what was asked, ``records`` the ledger, ``qor`` the record of what was handed over with the
    versions of the packages that made it, None for a run that did not end. ``judgement`` is made anew of these,
    ``recorded`` is the verdict that stands in the folder.
    """

    folder: Path
    identity: dict[str, Any]
    status: str
    recorded: str | None
    said: str
    records: tuple[Entry, ...]
    judgement: Judgement
    baseline_accuracy: float | None = None
    handed_over: int | None = None
    qor: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> Verdict:
        """What the record gives; UNKNOWN for a run that did not end."""
        return self.judgement.verdict

    @property
    def reason(self) -> str:
        """Why the run stopped; where its verdict is not what its record gives, both, with the checks that fail."""
        told = [self.recorded, None if self.qor is None else self.qor.get("verdict")]
        other = next((verdict for verdict in told if verdict not in (None, self.verdict)), None)
        if other is None and self.verdict in (*told, Verdict.UNKNOWN):
            return self.said or "; ".join(map(str, self.judgement.failing()))
        failing = "; ".join(map(str, self.judgement.failing())) or "every limit holds"
        given = f"recorded {other or 'no verdict'}, the record gives {self.verdict}: {failing}"
        return f"{given} (recorded reason: {self.said})" if self.said else given

    @property
    def basis(self) -> str:
        return self.judgement.basis if self.status == "finished" else ""

    @property
    def checks(self) -> tuple[Check, ...]:
        """The limits on what was handed over, as the record gives them."""
        return self.judgement.checks

    @property
    def on_test(self) -> Check | None:
        """The accuracy limits on the test split, which decided nothing."""
        return None if self.qor is None else on_test(read_qor(self.qor), read_budget(self.budget))

    @property
    def seen_on_test(self) -> tuple[Check, ...]:
        """Every limit on quality on the test split, which decided nothing."""
        return () if self.qor is None else all_on_test(read_qor(self.qor), read_budget(self.budget))

    @property
    def recipe(self) -> dict[str, Any] | None:
        """The recipe of a run of the loop; None for a pipeline's."""
        found: dict[str, Any] | None = self.identity.get("recipe")
        return found

    @property
    def asked(self) -> dict[str, Any]:
        """Where name, target and budget stand."""
        return asked_of(self.identity)

    @property
    def name(self) -> str:
        return str(self.asked.get("name") or self.asked.get("pipeline") or self.folder.name)

    @property
    def label(self) -> str:
        """What tells it from another run beside it: the end of its folder's path."""
        return "/".join(self.folder.parts[-2:])

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


def read_run(folder: Path) -> RunReport:
    """Read a run folder; raises OutputError where there is no run in it."""
    if not (folder / "run.json").is_file():
        raise OutputError("holds no run (no run.json)", where=folder, mend="give the --out folder of a run")
    run = read_json(folder / "run.json")
    qor = read_json(folder / QOR) if (folder / QOR).is_file() else None
    records, number = tuple(read_ledger(folder)), run.get("handed_over")
    try:
        judgement = rejudged(run, qor, _kept(run, records), built=(folder / QOR.parent / "project").is_dir())
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise OutputError(f"run.json is damaged: {cause}", where=folder) from cause
    return RunReport(
        folder,
        dict(run.get("identity") or {}),
        str(run.get("status")),
        run.get("verdict"),
        str(run.get("reason", "")),
        records,
        judgement,
        run.get("baseline_accuracy"),
        number,
        qor,
    )


def _kept(run: Mapping[str, Any], records: Iterable[Entry]) -> tuple[Checked, ...]:
    """The checks that were judged at the end; a loop of 0.1.0 kept those of its rounds alone."""
    if "checks" in run:
        return tuple(Checked.read(check) for check in run["checks"])
    rounds = {entry.number: entry.checks for entry in records if entry.kind == "round"}
    return rounds.get(run.get("handed_over"), ())
