"""The bench every policy works on: apply a step, measure a design, keep both under their digests.

Work that a run folder already holds is taken from it, so that an interrupted run goes on where it stopped
and a study never pays twice for the same design.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.compress import step_from_config
from pquant_hls.datasets import Dataset
from pquant_hls.decide import Judgement, judge
from pquant_hls.engine.events import Event, Listener, silent
from pquant_hls.hls import HlsProject, build, convert, firmware_outputs, load_project, predict
from pquant_hls.measure import measure_design
from pquant_hls.models import accuracy, evaluate, load_model, model_digest, save_model
from pquant_hls.qor import FixedPointGraph, QoR
from pquant_hls.spec import Budget, HlsSpec, StepConfig
from pquant_hls.store import RunFolder, digest_of, read_json, write_json


@dataclass(frozen=True)
class Point:
    """A model on the way: where it came from and, once measured, what it is worth.

    ``project`` and ``qor`` are None until ``Bench.measure``; ``record`` is the step's own account.
    """

    model: Any
    digest: str
    parent: str | None = None
    step: str = "original"
    record: Mapping[str, Any] = field(default_factory=dict)
    project: HlsProject | None = None
    qor: QoR | None = None


@dataclass
class Bench:
    """One model, one data set, one target; ``run`` holds the work, ``listen`` hears of it."""

    data: Dataset
    hls: HlsSpec
    budget: Budget
    run: RunFolder
    listen: Listener = silent
    teacher: Any = None
    baseline_accuracy: float | None = None
    _timing: dict[str, float] = field(default_factory=dict)

    def start(self, model: Any) -> Point:
        """The original as a point; its Keras accuracy on the validation split is what losses count from."""
        self.teacher = model
        self.baseline_accuracy = self.keras_accuracy(model)
        return Point(model, model_digest(model))

    def keras_accuracy(self, model: Any, split: str = "val") -> float | None:
        """Accuracy (share) of the Keras model itself on a split; None without labels."""
        x, y = getattr(self.data, f"x_{split}"), getattr(self.data, f"y_{split}")
        return None if y is None else evaluate(model, x, y)["accuracy"]

    def apply(self, point: Point, config: StepConfig) -> Point:
        """The point after one compression step; recorded as parent -> step -> child."""
        settings = config.model_dump(mode="json")
        key = digest_of([point.digest, settings, self.data.digest])[:12]
        name = f"steps/{config.step}-{key}"
        self.listen(Event("stage", f"{config.step} {_brief(config)}".strip()))
        if not self.run.has(name):
            with self.run.work(name) as folder:
                self._compress(point, config, folder)
        model, record = load_model(self.run.path / name / "model.keras"), read_json(self.run.path / name / "record.json")
        child = Point(model, model_digest(model), point.digest, config.step, record)
        self.run.append({
            "kind": "step", "parent": point.digest, "step": config.step, "config": settings, "child": child.digest,
            "folder": name, "record": {k: v for k, v in record.items() if k not in {"versions", "schema_version"}},
        })  # fmt: skip
        return child

    def _compress(self, point: Point, config: StepConfig, folder: Path) -> None:
        step = step_from_config(config, teacher=self.teacher, on_epoch=self._on_epoch)
        result = step.compress(point.model, self.data)
        save_model(result.model, folder / "model.keras")
        write_json(folder / "record.json", result.record.model_dump(mode="json"))

    def _on_epoch(self, epoch: int, epochs: int, scores: Mapping[str, float]) -> None:
        self.listen(Event("epoch", "training", {"epoch": epoch, "epochs": epochs, **scores}))

    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        """Write the HLS project, run csim on the validation split, measure latency and resources."""
        spec = self.hls if hls is None else hls
        key = digest_of([point.digest, spec.model_dump(mode="json"), self.budget.measure, self.budget.deliver, self.data.digest, exact])
        name = f"designs/{key[:12]}"
        if not self.run.has(name):
            with self.run.work(name) as folder:
                self._measure(point, spec, folder, exact)
        folder = self.run.path / name
        qor = QoR.model_validate({k: v for k, v in read_json(folder / "qor.json").items() if k != "versions"})
        return replace(point, project=load_project(folder / "project"), qor=qor)

    def _measure(self, point: Point, spec: HlsSpec, folder: Path, exact: bool) -> None:
        begun = time.perf_counter()
        self.listen(Event("stage", "lint and convert"))
        project = convert(point.model, spec, folder / "project", exact=exact)
        self.listen(Event("stage", "csim (g++)"))
        library = build(project, cache=self.run.path / "cache")
        outputs = predict(library, self.data.x_val)
        reference = firmware_outputs(point.model, self.data.x_val, spec)
        self.listen(Event("stage", "latency"))
        qor = measure_design(project, self.budget, folder)
        qor = qor.with_(
            digest=project.digest(), accuracy_source="csim", accuracy=csim_accuracy(outputs, self.data.y_val, project.graph),
            csim_match=float(np.mean(outputs == reference)) if exact else None,
            metrics={**qor.metrics, "seconds": round(time.perf_counter() - begun, 2)},
        )  # fmt: skip
        write_json(folder / "qor.json", qor.model_dump(mode="json"))

    def judge(self, point: Point) -> Judgement:
        """The verdict on a measured point."""
        return judge(point.qor or QoR(), self.budget, baseline_accuracy=self.baseline_accuracy)


def csim_accuracy(outputs: Any, labels: Any, graph: FixedPointGraph | None) -> float | None:
    """Accuracy (share) of firmware outputs (n, k): argmax, or for k = 1 above 0.5 behind a sigmoid and 0 on logits."""
    if labels is None:
        return None
    behind_sigmoid = graph is not None and graph.node(graph.outputs[0]).op in {"sigmoid", "hard_sigmoid"}
    return accuracy(np.asarray(outputs).reshape(len(outputs), -1), labels, threshold=0.5 if behind_sigmoid else 0.0).value


def _brief(config: StepConfig) -> str:
    """The settings that differ from the defaults, for people."""
    default = type(config)()
    changed = {k: v for k, v in config.model_dump().items() if v != getattr(default, k) and k not in {"seed", "reference"}}
    return " ".join(f"{key}={value}" for key, value in changed.items())
