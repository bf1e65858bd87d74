"""The bench every policy works on: apply a step, measure a design, keep both under their digests.

Work that a run folder already holds is taken from it, so that an interrupted run goes on where it stopped
and a study never pays twice for the same design.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pquant_hls.compress import (
    Accounting,
    CompressedModel,
    DesignCost,
    Step,
    StepRecord,
    account,
    compression_ratio,
    has_dead_units,
    step_from_config,
)
from pquant_hls.csim import build
from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.records import Split
from pquant_hls.decide import Check, Judgement, Verdict, combine, judge
from pquant_hls.engine.events import Event, Listener, silent
from pquant_hls.engine.gates import Gate
from pquant_hls.engine.jury import Jury, csim_witness, first_of, keras_witness, matching
from pquant_hls.engine.score import Score, errors_of, qualities
from pquant_hls.errors import Waiting
from pquant_hls.fifo import size_fifos, with_fifo_depths
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.hls.heads import table_head
from pquant_hls.measure import (
    Design,
    estimated,
    measure_better,
    measure_design,
    measured_by,
    offers_reports,
)
from pquant_hls.network import load_model, model_digest, save_model
from pquant_hls.network.reference import Reference, reference
from pquant_hls.qor import QoR
from pquant_hls.spec import REPORT, Budget, HlsSpec, StepConfig
from pquant_hls.spec.quantize import QuantizeConfig
from pquant_hls.spec.steps import SweepConfig
from pquant_hls.store import Entry, RunFolder, digest_of, read_json, write_json
from pquant_hls.toolchain import command_of
from pquant_hls.train import EpochReport, as_list
from pquant_hls.train.purpose import Purpose, purpose_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

FIFO_EVENTS = 2
"""Events whose traffic is recorded; hls4ml's layers read and write alike in all of them."""
MANY = 200_000
"""Events of a split from which on only the last score is kept."""
GOLDEN = 64
"""Inputs whose csim outputs the Verilog, where it is measured, must give too."""

EPOCHS = "epochs.json"

Fidelity = Literal["sketch", "measure"]
"""How a design is looked at: estimated without any C++ compiled, or proven by csim and measured."""


@dataclass(frozen=True)
class Point:
    """A model on the way: where it came from and, once measured, what it is worth.

    ``project`` and ``qor`` are None until ``Bench.measure`` or ``Bench.sketch``, and ``fidelity`` says which. ``account``
    holds its sizes, ``ratio`` the compression ratio against the original, ``notes`` the last step's remarks.
    """

    model: Model
    digest: str
    parent: str | None = None
    step: str = "original"
    account: Accounting | None = None
    ratio: float | None = None
    project: HlsProject | None = None
    qor: QoR | None = None
    notes: tuple[str, ...] = ()
    fidelity: Fidelity | None = None


FAMILY = 24
"""Designs that one training of widths gives unless more are asked for."""


@dataclass
class Bench:
    """One model, one data set, one target; ``run`` holds the work, ``listen`` hears of it.

    ``budget`` is None where only exactness is judged. ``gates`` are floors on trigger figures that a verdict demands
    beside it.
    """

    data: Dataset
    hls: HlsSpec
    budget: Budget | None
    run: RunFolder
    listen: Listener = silent
    teacher: Model = None
    baseline_accuracy: float | None = None
    original: Accounting | None = None
    gates: tuple[Gate, ...] = ()
    baseline: Score | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    report: Path | None = None
    """With ``measure: report``: the report, or the folder of reports, of the design that the run waits for."""
    epochs: list[EpochReport] = field(default_factory=list)
    task: str | Mapping[str, str] = ""
    """What the recipe tells of the outputs' tasks."""
    purpose: Purpose | None = None
    _jury: Jury | None = None

    @property
    def events(self) -> int:
        """Events to train on."""
        return self.data.events("train")

    def start(self, model: Model) -> Point:
        """The original as a point; its Keras accuracy (or what its tasks go by) on the validation split is what losses
        count from. From here on the bench's data are fitted to those tasks."""
        self.teacher = model
        self.purpose = purpose_of(model, self.data, self.task)
        self.data = self.purpose.fitted(model, self.data)
        self._jury = None
        self.original = account(model)
        ratio = compression_ratio(self.original, self.original)
        point = Point(model, model_digest(model), account=self.original, ratio=ratio)
        self.baseline = self.score(point)
        self.baseline_accuracy = self.baseline.value()
        return point

    def score(self, point: Point, split: Split = "val") -> Score:
        """The Keras model's figures on a split; an empty Score without labels.

        They are read off what the firmware gives: a linted QKeras model decides as its firmware does, so searches need
        no csim, and a softmax that the firmware lacks takes no part in a threshold.
        """
        key = f"{split}:{point.digest}"
        if key not in self.scores:
            answers = keras_witness(point.model, keep_softmax=self.hls.keep_softmax)
            found = self.jury.score(answers, split)
            if self.data.events(split) > MANY:  # a score holds every event's part in every figure
                self.scores.clear()
            self.scores[key] = found
        return self.scores[key]

    @property
    def jury(self) -> Jury:
        """Who scores models by the tasks of the original's outputs."""
        if self._jury is None:
            purpose = self.purpose or purpose_of(self.teacher, self.data, self.task)
            limits = () if self.budget is None else tuple(self.budget.quality)
            wanted = tuple(dict.fromkeys((*(gate.metric for gate in self.gates), *limits)))
            original = keras_witness(self.teacher, keep_softmax=self.hls.keep_softmax)
            self._jury = Jury(purpose, self.data, original, wanted)
        return self._jury

    def record(self, entry: Entry, text: str) -> None:
        """Put what a policy did into the ledger, and tell it."""
        self.run.append(entry)
        self.listen(Event("round" if entry.kind in {"float", "round"} else "note", text, entry.told()))

    def apply(self, point: Point, step: StepConfig | Step[Any], *, hls: HlsSpec | None = None) -> Point:
        """The point after one compression step, given by configuration or as a Step; recorded as parent -> step -> child.

        ``hls`` is the design whose cost the step is told, where a knob turned it away from the recipe's.
        """
        spec = self.hls if hls is None else hls
        config, name = self._named(point, step, spec)
        self.listen(Event("stage", config.brief))
        if not self.run.has(name):
            with self.run.work(name) as folder, self._noting_epochs(folder):
                _save(self._ready(step, config, spec).compress(point.model, self.data), folder)
        return self._made(name)

    def family(
        self, point: Point, step: QuantizeConfig, *, hls: HlsSpec | None = None, most: int = FAMILY
    ) -> tuple[Point, ...]:
        """The points of one training of widths that no other of it beats, those of fewest EBOPs first, at most so many."""
        spec = self.hls if hls is None else hls
        config, name = self._named(point, step, spec)
        name = name if most == FAMILY else f"{name}-{most}"
        self.listen(Event("stage", config.brief))
        if not self.run.has(name):
            with self.run.work(name) as folder, self._noting_epochs(folder):
                ready: Any = self._ready(step, config, spec)
                for index, made in enumerate(ready.designs(point.model, self.data, most)):
                    (folder / f"{index:03}").mkdir()
                    _save(made, folder / f"{index:03}")
        there = sorted((self.run.path / name).glob("[0-9]*"))
        return tuple(self._made(f"{name}/{folder.name}") for folder in there)

    def _named(self, point: Point, step: StepConfig | Step[Any], spec: HlsSpec) -> tuple[StepConfig, str]:
        """What a step does here, and the folder of its work."""
        config = (step.config if isinstance(step, Step) else step).aimed(self.budget)
        settings = [f"{type(step).__module__}.{type(step).__qualname__}", config.model_dump(mode="json")]
        turned = [] if spec == self.hls else [spec.model_dump(mode="json")]
        key = digest_of([point.digest, settings, self.data.digest, *turned])[:12]
        return config, f"steps/{config.step}-{key}"

    def _made(self, name: str) -> Point:
        """The point of a finished step, written down."""
        record = StepRecord.model_validate(_content(self.run.path / name / "record.json"))
        self.run.append(_step_entry(record, name))
        ratio = None if self.original is None else compression_ratio(self.original, record.after)
        model = load_model(self.run.path / name / "model.keras")
        return Point(model, record.child, record.parent, record.step, record.after, ratio, notes=record.notes)

    def swept(self, point: Point) -> Point:
        """The point without units that are not worth building; itself where every one is."""
        return self.apply(point, SweepConfig()) if has_dead_units(point.model) else point

    def most(self, point: Point, step: StepConfig) -> Mapping[str, float]:
        """The largest value of each of a step's parameters that the point's model has a use for."""
        return self._ready(step, step, self.hls).most(point.model)

    def _ready(self, step: StepConfig | Step[Any], config: StepConfig, hls: HlsSpec) -> Step[Any]:
        """The step with its cost, its teacher and the run's ear; a Step object keeps its class and its own teacher."""
        if not isinstance(step, Step):
            return step_from_config(
                config, teacher=self.teacher, cost=DesignCost(hls), progress=self._on_epoch
            )
        teacher = step.teacher or self.teacher
        return type(step)(config, teacher=teacher, cost=DesignCost(hls), progress=self._on_epoch)

    @contextmanager
    def _noting_epochs(self, folder: Path) -> Iterator[None]:
        """Keep the epochs that pass in the block beside the step's record, for the learning curves of the page."""
        self.epochs.clear()
        yield
        if self.epochs:
            write_json(folder / EPOCHS, {"epochs": [asdict(report) for report in self.epochs]})

    def _on_epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)
        self.listen(epoch_event(report))

    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        """Write the HLS project, run csim on the validation split, measure latency and resources."""
        spec = self.hls if hls is None else hls
        source = ("auto", "hls") if self.budget is None else (self.budget.measure, self.budget.deliver)
        key = digest_of([point.digest, spec.model_dump(mode="json"), *source, self.data.digest, exact])
        name = f"designs/{key[:12]}"
        if not self.run.has(name):
            with self.run.work(name) as folder:
                self._measure(point, spec, folder, exact)
        folder = self.run.path / name
        qor, project = QoR.model_validate(_content(folder / "qor.json")), load_project(folder / "project")
        if source[0] == REPORT and exact:  # the float model's row may stay an estimate
            qor = self._reported(project, qor, folder)
        return replace(point, project=project, qor=qor, fidelity="measure")

    def _reported(self, project: HlsProject, found: QoR, folder: Path) -> QoR:
        """A design with what its synthesis reports say; Waiting where there are none yet."""
        given = folder / REPORT
        if self.report is not None and not given.exists() and not offers_reports(project.path):
            measured_by(REPORT, Design(self.report, given=project))  # one of another design is not kept
            copied = folder / f"{REPORT}.part"
            copy = shutil.copytree if self.report.is_dir() else shutil.copy2
            copy(self.report, copied)
            copied.replace(given)
            self.report = None
        place = given if given.exists() else project.path
        if not offers_reports(place):
            raise Waiting(
                f"waits for the synthesis of {place}",
                mend=f"run {command_of(project.path)} there, where the tool is; then go on with --resume, "
                "or --resume --report FILE where the report lies elsewhere",
            )
        told = measured_by(REPORT, Design(place, given=project))
        return told.with_(
            digest=found.digest,
            accuracy=found.accuracy,
            accuracy_source=found.accuracy_source,
            csim_match=found.csim_match,
            quality=found.quality,
            metrics={**told.metrics, **found.metrics},
            notes=(*told.notes, *found.notes),
        )

    def _measure(self, point: Point, spec: HlsSpec, folder: Path, exact: bool) -> None:
        begun = time.perf_counter()
        self.listen(Event("stage", "lint and convert"))
        project = self._written(point, spec, folder, exact)
        self.listen(Event("stage", "csim (g++)"))
        library = build(project, cache=self.run.path / "cache")
        for note in library.notes:
            self.listen(Event("note", note))
        firmware = csim_witness(library, point.model, spec)
        outputs = firmware.ask(self.data.x_val)
        wanted = reference(point.model, self.data.x_val, keep_softmax=spec.keep_softmax) if exact else None
        match, said = (None, ()) if wanted is None else _matched(project, outputs, wanted)
        # The float original at the default types need not be exact, and its Verilog takes long to simulate.
        few = slice(GOLDEN)
        golden = (several.take_rows(self.data.x_val, few), first_of(outputs, few)) if exact else None
        qor = self._latency(project, folder, golden)
        score = self.jury.score(firmware, "val", outputs)
        qor = qor.with_(
            digest=project.digest(),
            accuracy_source="csim",
            accuracy=score.value(),
            csim_match=match,
            notes=(*qor.notes, *said),
            quality=qualities(score, self.baseline, self.jury.kept(score)),
            metrics={
                **qor.metrics,
                **errors_of(score, self.baseline),
                "seconds": round(time.perf_counter() - begun, 2),
            },
        )
        write_json(folder / "qor.json", qor.model_dump(mode="json"))

    def _written(self, point: Point, spec: HlsSpec, folder: Path, exact: bool) -> HlsProject:
        """The project, with the depths of its FIFOs found from csim's traffic where the options ask for it."""
        project = convert(point.model, spec, folder / "project", exact=exact)
        if spec.fifo_depths != "auto":
            return project
        self.listen(Event("stage", "depths of FIFOs (g++)"))
        events = [part[:FIFO_EVENTS] for part in as_list(self.data.x_val)]
        found = size_fifos(project, events if len(events) > 1 else events[0])
        return with_fifo_depths(project, found.depths)

    def _latency(self, project: HlsProject, folder: Path, golden: Any) -> QoR:
        """Latency and resources; where they leave the verdict open, by the next better source there is.

        Without a budget by the best source there is.
        """
        self.listen(Event("stage", "latency"))
        if self.budget is not None and self.budget.measure == REPORT:
            return estimated(project)
        if self.budget is None:
            guess = estimated(project)
            return measure_better(project, guess, self._on_line) or guess
        qor = measure_design(project, self.budget, folder, self._on_line, golden)
        checks = judge(qor, self.budget).design
        if combine([check.verdict for check in checks]) is not Verdict.UNKNOWN:
            return qor
        return measure_better(project, qor, self._on_line) or qor

    def _on_line(self, line: str) -> None:
        self.listen(Event("stage", line.rstrip()))

    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        """As ``measure`` but in a second: no C++ is compiled; latency is the estimator's, accuracy the Keras model's.

        ``csim_match`` stays None, so only ``measure`` can end in MET where the budget demands exactness.
        """
        spec = self.hls if hls is None else hls
        key = digest_of([point.digest, spec.model_dump(mode="json"), exact])
        name = f"sketches/{key[:12]}"
        if not self.run.has(name):
            with self.run.work(name) as folder:
                qor = estimated(convert(point.model, spec, folder / "project", exact=exact))
                write_json(folder / "qor.json", qor.model_dump(mode="json"))
        folder = self.run.path / name
        qor = QoR.model_validate(_content(folder / "qor.json"))
        score = self.score(point)
        errors = errors_of(score, self.baseline)
        qor = qor.with_(
            accuracy=score.value(),
            accuracy_source="keras",
            metrics={**qor.metrics, **errors},
            quality=qualities(score, self.baseline, self.jury.kept(score)),
        )
        return replace(point, project=load_project(folder / "project"), qor=qor, fidelity="sketch")

    def judge(self, point: Point, *, exact: bool = True) -> Judgement:
        """The verdict on a measured point: the budget's limits and the gates; without ``exact`` csim may differ."""
        budget = self.budget if exact or self.budget is None else self.budget.with_(exact=False)
        found = judge(point.qor or QoR(), budget, baseline_accuracy=self.baseline_accuracy)
        if not self.gates:
            return found
        return Judgement.of((*found.checks, *self.gate_checks(point)), found.measured)

    def gate_checks(self, point: Point) -> tuple[Check, ...]:
        """The gates on the validation split."""
        return tuple(gate.check(self.baseline, self.score(point)) for gate in self.gates)


def _save(made: CompressedModel, folder: Path) -> None:
    save_model(made.model, folder / "model.keras")
    write_json(folder / "record.json", made.record.model_dump(mode="json"))


def _step_entry(record: StepRecord, folder: str) -> Entry:
    told = record.model_dump(mode="json")
    return Entry(
        kind="step",
        name=record.step,
        parent=record.parent,
        digest=record.child,
        settings={"folder": folder, "config": told["config"], "notes": told["notes"]},
        figures={name: told[name] for name in ("before", "after", "seconds")} | {"measured": told["figures"]},
    )


def _content(path: Path) -> dict[str, Any]:
    """A JSON record without the versions that ``write_json`` added."""
    return {key: value for key, value in read_json(path).items() if key != "versions"}


def epoch_event(report: EpochReport) -> Event:
    """An epoch of training as an event; figures that were not measured are left out."""
    scores = {"loss": report.loss, "val_loss": report.val_loss, "val_accuracy": report.val_accuracy}
    known = {name: value for name, value in scores.items() if value is not None}
    return Event("epoch", "training", {"epoch": report.epoch, "epochs": report.epochs, **known})


def _matched(project: HlsProject, outputs: Sequence[Any], wanted: Reference) -> tuple[float, tuple[str, ...]]:
    """Share of the outputs' values on which firmware and Keras agree, and how they were compared."""
    heads = [(port.name, table_head(project, port)) for port in project.outputs]
    notes = [head.said(name) for name, head in heads if head is not None]
    bounds = [0.0 if head is None else head.bound for _, head in heads]
    first = () if wanted.note is None else (wanted.note,)
    return matching(outputs, wanted.outputs, bounds), (*first, *notes)
