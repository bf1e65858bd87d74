"""One machine for every policy: it alone opens a run folder, sets up the bench, and judges and hands over the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pquant_hls.datasets import Dataset, remarks
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.events import Event, Listener, silent
from pquant_hls.engine.gates import Gate, check_gates, check_quality
from pquant_hls.engine.goal import Ending, checked, conclude
from pquant_hls.engine.handover import CompressionResult, hand_over
from pquant_hls.engine.run import preflight
from pquant_hls.engine.score import PLAIN
from pquant_hls.network import model_digest
from pquant_hls.network.paths import cut_off
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.store import RunFolder, digest_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

TORN = "the ledger's last line was cut short by a crash: it is taken away, its work is looked for again"


class Asked(Protocol):
    """What a run is asked beside its policy; ``pipelines.Setup`` and ``Order`` are such."""

    @property
    def hls(self) -> HlsSpec: ...
    @property
    def budget(self) -> Budget | None: ...
    @property
    def gates(self) -> tuple[Gate, ...]: ...
    @property
    def listener(self) -> Listener: ...
    @property
    def report(self) -> Path | None: ...
    @property
    def task(self) -> str | Mapping[str, str]: ...


@dataclass(frozen=True)
class Order:
    """The least that a run is asked. Without a budget the verdict rests on exactness and the gates.

    ``report`` is that of the design that a run with ``measure: report`` waits for, ``task`` what is told of the outputs.
    """

    hls: HlsSpec
    budget: Budget | None = None
    gates: tuple[Gate, ...] = ()
    listener: Listener = silent
    report: Path | None = None
    task: str | Mapping[str, str] = ""


S_contra = TypeVar("S_contra", bound=Asked, contravariant=True)
S = TypeVar("S", bound=Asked)
R_co = TypeVar("R_co", bound=CompressionResult, covariant=True)
R = TypeVar("R", bound=CompressionResult)


class Policy(Protocol[S_contra, R_co]):
    """Moves from the original to a point to hand over. ``result`` is what its run returns."""

    name: ClassVar[str]

    @property
    def result(self) -> type[R_co]: ...

    def identity(self, setup: S_contra) -> Mapping[str, Any]:
        """What the run's digest depends on beside model and data, as JSON."""

    def policy(self, bench: Bench, start: Point, setup: S_contra) -> Ending:
        """Move from ``start`` by ``bench`` and say where to stop."""


def run_policy(
    policy: Policy[S, R],
    model: Model,
    data: Dataset,
    setup: S,
    out: Path | None = None,
    *,
    resume: bool = False,
) -> R:
    """Run a policy in a run folder, measure what it chose by csim, judge it, hand it over.

    Parameters
    ----------
    model : a Keras model; it is not changed.
    out : the folder, empty or new, or with ``resume`` of an interrupted run of the same; None:
        ``runs/<policy>-<digest>``, taken up again by itself.

    Raises
    ------
    UnsupportedModel, DataError, OutputError, ToolNotFound, SpecError : before any training.
    """
    preflight(model, data, setup.hls, setup.budget, task=setup.task)
    identity = {**policy.identity(setup), "model": model_digest(model), "data": data.digest}
    folder = Path("runs") / f"{policy.name}-{digest_of(identity)[:12]}" if out is None else out
    with RunFolder.open(folder, identity, resume=resume or out is None) as run:
        for said in ((TORN,) if run.torn else ()) + _of_data(data):
            setup.listener(Event("note", said))
        told: dict[str, Any] = {"gates": setup.gates, "report": setup.report, "task": setup.task}
        bench = Bench(data, setup.hls, setup.budget, run, setup.listener, **told)
        start = bench.start(model)
        for said in _of_purpose(bench):
            setup.listener(Event("note", said))
        check_gates(setup.gates, bench.score(start))
        check_quality(setup.budget, bench.score(start))
        return _finish(bench, policy, policy.policy(bench, start, setup), start.model)


def _finish(bench: Bench, policy: Policy[S, R], ending: Ending, original: Model) -> R:
    """Measure, judge and hand over what a policy chose, and close its run folder."""
    final, judgement = conclude(bench, ending)
    if final.qor is not None:
        gone = cut_off(original, final.model)
        for said in gone:
            bench.listen(Event("note", said))
        notes = (*final.qor.notes, *gone, *_of_purpose(bench), *_remarks(bench.data))
        final = replace(final, qor=final.qor.with_(notes=notes))
    qor = hand_over(bench, final, judgement.verdict, ending.drawn)
    failing = "; ".join(str(check) for check in judgement.failing())
    whole = ending.handed_over is not None or failing in ending.reason
    reason = ending.reason if whole else f"{ending.reason}; {failing}"
    more = {} if ending.handed_over is None else {"handed_over": ending.handed_over}
    bench.run.set_status(
        "finished",
        verdict=str(judgement.verdict),
        reason=reason,
        pipeline=policy.name,
        baseline_accuracy=bench.baseline_accuracy,
        **(
            {}
            if bench.baseline is None or bench.baseline.headlines == PLAIN
            else {"headlines": list(bench.baseline.headlines)}
        ),
        checks=[check.model_dump() for check in checked(judgement)],
        legs=[check.name for check in judgement.checks],
        **more,
    )
    return policy.result(
        final.model,
        qor,
        judgement.verdict,
        ending.history,
        bench.run.path,
        reason,
        bench.baseline_accuracy,
        final.ratio,
        basis=judgement.basis,
        **ending.extra,
    )


def _of_purpose(bench: Bench) -> tuple[str, ...]:
    """The tasks, where they are more than classes of one output, and what of them the validation events cannot tell."""
    if bench.purpose is None:
        return ()
    words = () if bench.purpose.is_plain else (bench.purpose.words,)
    return (*words, *bench.purpose.unread(bench.data))


def _of_data(data: Dataset) -> tuple[str, ...]:
    """What of the data was left out, and what a fixed-point input would hide of it: said before any training."""
    return (*data.notes, *remarks(data))


def _remarks(data: Dataset) -> Iterable[str]:
    yield from _of_data(data)
    if "labels" in data.meta:
        yield f"accuracy is agreement with {data.meta['labels']}"
    if data.meta.get("test") == "validation":
        yield "no test split was given: golden vectors are validation events, test accuracy is not measured"
    if "inputs" in data.meta:
        yield str(data.meta["inputs"])
