"""The base of every evaluator, which tells what a design costs, and how to write one.

An evaluator is a class with one method::

    from pquant_hls.measure import Design, Evaluator
    from pquant_hls.qor import Latency, QoR

    class OnBoard(Evaluator):
        def measure(self, design: Design) -> QoR:
            cycles = ask_the_board(design.path, log=design.work / "board.log")
            return QoR(latency=Latency(cycles_max=cycles, clock_target_ns=design.target.clock_ns))

and an entry point of its package, named as recipes and commands shall call it::

    [project.entry-points."pquant_hls.evaluators"]
    board = "my_package:OnBoard"

From then on ``budget: {measure: board}``, ``measure_project(path, using="board")`` and ``pquant-hls measure PATH --using
board`` run it. ``estimate``, ``report``, ``rtl``, ``csynth``, ``cosim`` and ``vsynth`` are registered the same way. The rules:

* A figure that was not measured is None, never 0; an estimate carries its interval.
* What it cannot tell is a ``NotMeasured`` with the reason; a program that is absent or fails is a ``ToolNotFound`` or
  ``ToolFailed`` (``pquant_hls.programs`` runs programs and raises them).
* The project is read, not written, except by the project's own tool. Other files go into ``design.work``.
* ``source`` of what it returns is filled with its name where it is None.
* What is slow to import is imported inside ``measure``: reading a report must not load TensorFlow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured, SpecError, UnsupportedModel
from pquant_hls.firmware.target import read_spec
from pquant_hls.hls import HlsProject, load_project
from pquant_hls.hls.project import PROJECT_FILE
from pquant_hls.measure.proof import Contradicted, Proof, prove
from pquant_hls.qor import FixedPointGraph, QoR, Target
from pquant_hls.qor.parts import available
from pquant_hls.spec import EVALUATOR_GROUP, HlsSpec, Plugins

Floats = NDArray[np.float64]
OnLine = Callable[[str], None]
Golden = tuple[Floats, Floats]
OTHERWISE = "run C synthesis and read its reports, or convert the model with this package"


def target_of(spec: HlsSpec) -> Target:
    """The HLS options as the estimator takes them."""
    return spec.target


@dataclass(frozen=True)
class Design:
    """What is to be measured, and what may help.

    Parameters
    ----------
    path : a project folder; for an evaluator that reads reports also one report file.
    given : the project where the caller has it; left out it is read from ``path`` when it is asked for.
    folder : where an evaluator may write; left out: ``path``.
    golden : inputs (n, *shape) and csim's outputs for them (n, *output shape), float64.
    prefix : command that runs a vendor's tool elsewhere, e.g. ``("ssh", "build01")``; left out: the recipe's.
    top : the function whose reports are read, where the folder does not tell it.
    asked : backend, part and clock of a firmware whose own files do not tell them.
    on_line : gets each line that a program prints.
    thorough : whether a second opinion that takes minutes is wanted, as it is not in every round of a loop.
    """

    path: Path
    given: HlsProject | None = None
    folder: Path | None = None
    golden: Golden | None = None
    prefix: tuple[str, ...] = ()
    top: str | None = None
    asked: HlsSpec | None = None
    on_line: OnLine | None = None
    thorough: bool = True

    @property
    def work(self) -> Path:
        return self.path if self.folder is None else self.folder

    @cached_property
    def project(self) -> HlsProject:
        """The project; UnsupportedModel where ``path`` is none."""
        return load_project(self.path) if self.given is None else self.given

    @property
    def spec(self) -> HlsSpec:
        """What it is built for: as it was asked for, converted, or as its build files say; NotMeasured where nothing tells."""
        known = self.asked or self.project.spec or read_spec(self.project.read)
        if known is None:
            raise NotMeasured(
                "nothing tells the part and clock that this firmware is built for",
                where=self.path,
                mend="give them: --part xcvu13p-flga2577-2-e --clock 2.5",
            )
        return known

    @property
    def target(self) -> Target:
        return self.spec.target

    @property
    def graph(self) -> FixedPointGraph:
        """The design's fixed-point graph: the saved one, or that which ``proof`` read and proved where there is none, or
        where the sources have been edited since it was saved."""
        if self.project.graph is None or self.project.edited():
            return self.proof.graph
        return self.project.graph

    @cached_property
    def proof(self) -> Proof:
        """The graph read from the sources, each layer compared with csim.

        Raises
        ------
        NotMeasured : no graph can be read, or csim contradicts it, with the layer.
        """
        try:
            return prove(self.project)
        except (UnsupportedModel, Contradicted) as cause:
            raise NotMeasured(cause.message, where=cause.where, mend=cause.mend or OTHERWISE) from cause

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said beside every figure of it: how its graph was proven, where that was needed."""
        if "proof" not in self.__dict__:
            return ()
        edited = self.project.edited()
        said = (f"edited since the conversion: {', '.join(edited[:5])}",) if edited else ()
        return (*said, *self.proof.notes)


class Evaluator(ABC):
    """One way to tell what a design costs; ``describes`` says of which design its figures are."""

    describes: ClassVar[Literal["hls", "rtl"]] = "hls"

    @abstractmethod
    def measure(self, design: Design) -> QoR:
        """Latency and resources, as far as it can tell.

        Raises
        ------
        NotMeasured : it cannot tell. ToolNotFound, ToolFailed, ReportError : its programs or files are to blame.
        """

    def missing(self, spec: HlsSpec) -> str | None:
        """What it needs for a design of ``spec`` and does not find here; None where it can start."""
        del spec
        return None


EVALUATORS = Plugins(EVALUATOR_GROUP, "evaluator", Evaluator)  # type: ignore[type-abstract]  # never called
"""Every evaluator there is, by name."""


def measured_by(name: str, design: Design) -> QoR:
    """What the evaluator of this name says; SpecError where there is none, else as ``Evaluator.measure``."""
    qor = EVALUATORS.find(name).measure(design)
    if not isinstance(qor, QoR):
        raise SpecError(f"evaluator {name!r} gave a {type(qor).__name__}, not a QoR", where=EVALUATOR_GROUP)
    return _told(qor if qor.source is not None else qor.with_(source=name), design)


def _told(qor: QoR, design: Design) -> QoR:
    """With what the conversion of this design dropped, replaced, renamed or rounded among the notes, once, and with how a
    graph of foreign sources was proven."""
    ours = design.given is not None or (design.path / PROJECT_FILE).is_file()
    told = (*(design.project.notes if ours else ()), *design.remarks)
    return qor.with_(notes=tuple(dict.fromkeys((*qor.notes, *told)))) if told else qor


def measured_or_reason(name: str, design: Design) -> QoR:
    """The same; a record without figures, with the reason among its notes, where it cannot tell."""
    try:
        return measured_by(name, design)
    except NotMeasured as cause:
        return _told(QoR(design=EVALUATORS.find(name).describes, source=name, notes=(str(cause),)), design)


def of_the_part(qor: QoR) -> QoR:
    """With what the part offers, so that shares of it can be given; unchanged for a part that is not known."""
    if qor.resources is None or qor.resources.available is not None:
        return qor
    return qor.with_(resources=qor.resources.model_copy(update={"available": available(qor.part)}))
