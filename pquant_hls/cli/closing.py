"""The closing block of ``compress``, ``tune``, ``report`` and ``gate``: one text for one design, whichever command says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pquant_hls.cli.plain import hanging
from pquant_hls.cli.tables import COLOURS
from pquant_hls.decide import Judgement, all_on_test
from pquant_hls.errors import SpecError
from pquant_hls.programs.quoting import terminal
from pquant_hls.qor import QoR
from pquant_hls.qor.words import (
    lost_on_test,
    percent,
    points,
    quality_text,
    resources_said,
    stage_text,
)
from pquant_hls.spec import BACKENDS, Budget
from pquant_hls.spec.backends import SCRIPT

if TYPE_CHECKING:
    from pquant_hls.reporting import RunReport

HANDOVER = "handover"


@dataclass(frozen=True)
class Closing:
    """What is said of a design at the end: ``outcome`` is the verdict, or what became of a run without one, ``folder`` where
    the run lies."""

    outcome: str
    reason: str
    judgement: Judgement
    qor: QoR
    budget: Budget | None
    folder: Path | None = None
    backend: str = ""
    command: str = ""

    @classmethod
    def of_run(cls, run: RunReport) -> Closing:
        """Of a run folder, judged anew."""
        from pquant_hls.reporting import facts, read_qor
        from pquant_hls.reporting.verdict import read_budget

        ended = run.status == "finished"
        return cls(
            str(run.verdict) if ended else f"{run.status}, {run.verdict}",
            run.reason,
            run.judgement,
            QoR() if run.qor is None else read_qor(run.qor),
            read_budget(run.budget),
            run.folder,
            str(run.hls.get("backend", "")),
            "" if ended else facts.command_of_run(run)[0],
        )

    def lines(self) -> Iterator[str]:
        """All of it, a line each."""
        yield f"{self.outcome}: {self.reason}"
        if self.judgement.basis:
            yield f"the verdict {self.judgement.basis}"
        yield from (f"  {check}" for check in self.judgement.checks)
        yield from on_test_lines(self.qor, self.budget)
        if self.qor.csim_match is not None:
            yield f"csim equals Keras on {100 * self.qor.csim_match:.2f} % of the validation outputs"
        if used := resources_text(self.qor):
            yield used
        yield from (f"note: {note}" for note in self.qor.notes)
        yield from self._places()

    def _places(self) -> Iterator[str]:
        if self.command:
            yield f"to go on: {self.command} --resume"
        if self.folder is None:
            return
        found = [
            (name, what)
            for name, what in handed_over(self.backend)
            if (self.folder / HANDOVER / name).exists()
        ]
        if found:
            yield f"handed over in {self.folder / HANDOVER}:"
            yield from (f"  {name:<16} {what}" for name, what in found)

    def show(self, console: Any) -> None:
        """Print it, the verdict in its colour; what a line has no room for stands beneath, further in."""
        colour = COLOURS.get(self.outcome, "")
        for number, line in enumerate(self.lines()):
            told = Text(hanging(terminal(line), console.width) or " ")
            if number == 0:
                told.stylize(f"bold {colour}".strip(), 0, len(terminal(self.outcome)))
            console.print(told)


def on_test_lines(qor: QoR, budget: Budget | None) -> Iterator[str]:
    """What the test split says, which decided nothing."""
    seen = qor.metrics
    for name, found in qor.quality_test.items():
        if found.headline or (budget is not None and name in budget.quality):
            yield f"test split, used once: csim {quality_text(name, found)}"
    if seen.get("test_accuracy") is not None or not qor.quality_test:
        test = percent(seen.get("test_accuracy"), seen.get("test_accuracy_error"))
        floating, lost = percent(seen.get("test_accuracy_float")), points(*lost_on_test(qor))
        if "test_accuracy" in seen:
            yield f"test split, used once: csim {test}, float Keras model {floating}, loss {lost} points"
    yield from (f"on the test split, which decided nothing: {check}" for check in all_on_test(qor, budget))


def resources_text(qor: QoR) -> str:
    """``resources, estimated: LUT 6,207 [5,900..6,500] (0.36 % of the part), ...``; empty where none is known."""
    parts, stage = [f"{name} {said}" for name, said in resources_said(qor)], stage_text(qor)
    return f"resources{f', {stage}' if stage else ''}: {'; '.join(parts)}" if parts else ""


def handed_over(backend: str) -> Iterator[tuple[str, str]]:
    """What may lie in the folder, and what each is for."""
    try:
        programs = " or ".join(BACKENDS.find(backend).program_names)
    except SpecError:  # a run of another machine, whose back-end is not installed here
        programs = f"the tool of {backend or 'its back-end'}"
    yield "project", f"HLS project, for {programs} ({SCRIPT})"
    yield "rtl", "judged Verilog, for `vivado -mode batch -source vivado.tcl`"
    yield "model.keras", "the QKeras model"
    yield "qor.json", "its quality of results"
    yield "project.golden", "golden vectors, for `pquant-hls csim check`"
    yield "../ledger.jsonl", "every step and round"
