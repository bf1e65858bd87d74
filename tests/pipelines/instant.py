"""An instant bench: models are a few numbers, steps and measurements follow made-up laws. For properties of
policies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pquant_hls.compress import Accounting
from pquant_hls.decide import Judgement, judge
from pquant_hls.engine import Event, Point, Score
from pquant_hls.errors import NoGain, UnsupportedModel
from pquant_hls.qor import Latency, LayerQoR, QoR, Resources
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.spec.steps import (
    FineTuneConfig,
    LowRankConfig,
    PruneConfig,
    PruneLayersConfig,
    QuantizeConfig,
)
from pquant_hls.store import Entry
from pquant_hls.train import Proportion
from tests.helpers import known

WEIGHTS, EVENTS = 4000, 10_000
UNITS = {"fc1": 64, "fc2": 32, "output": 5}


@dataclass(frozen=True)
class Law:
    """How accuracy and latency answer. ``measured`` False: no latency at all. ``match`` : csim's share of
    equal outputs. ``wide_interval`` : the interval with wider accumulators, None: the same."""

    base: float = 0.75
    per_sparsity: float = 0.05
    per_bit: float = 0.01
    per_rank: float = 0.02
    per_layer: float = 0.01
    layer_cycles: int = 3
    training: float = 0.005
    floor_cycles: int = 3
    cycles: int = 12
    interval: int = 1
    wide_interval: int | None = None
    measured: bool = True
    match: float | None = 1.0
    refuses: frozenset[str] = frozenset()
    no_gain: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Toy:
    """A model: shares of weights and rank left, bits, how often it was trained, layers left out, and some weights
    to compare."""

    kept: float = 1.0
    bits: int = 32
    rank: float = 1.0
    trained: int = 0
    dropped: int = 0
    weights: bytes = b"original"

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass
class Folder:
    """The part of a run folder that policies use."""

    records: list[Entry] = field(default_factory=list)
    path: Path = Path("nowhere")

    def append(self, entry: Entry) -> None:
        self.records.append(entry)


@dataclass
class InstantBench:
    """The Workbench of the properties; ``made`` holds every model by digest, ``applied`` counts steps."""

    law: Law
    budget: Budget = field(default_factory=lambda: Budget(latency_ns=1e9))
    hls: HlsSpec = field(default_factory=HlsSpec)
    gates: tuple[Any, ...] = ()
    baseline: Score | None = None
    original: Accounting | None = None
    run: Folder = field(default_factory=Folder)
    made: dict[str, Toy] = field(default_factory=dict)
    measured: list[HlsSpec] = field(default_factory=list)
    applied: int = 0
    events: int = 30_000

    def start(self, model: Toy) -> Point:
        self.original = self._account(model)
        point = Point(model, model.digest, account=self.original, ratio=1.0)
        self.made[model.digest] = model
        self.baseline = self.score(point)
        return point

    def lost(self, point: Point) -> float:
        """Accuracy of the original less that of a point."""
        return known(known(self.baseline).value()) - known(self.score(point).value())

    def listen(self, event: Event) -> None:
        pass

    def record(self, entry: Entry, text: str) -> None:
        assert text
        self.run.append(entry)

    def apply(self, point: Point, step: Any, *, hls: Any = None) -> Point:
        self.applied += 1
        if step.step in self.law.refuses:
            raise UnsupportedModel("cannot be", where=step.step)
        if step.step in self.law.no_gain:
            raise NoGain("no layer gains", where=step.step)
        model = self._stepped(point.model, step)
        if model != point.model:
            model = replace(
                model, weights=hashlib.sha256(point.model.weights + step.model_dump_json().encode()).digest()
            )
        self.made[model.digest] = model
        assert self.original is not None
        account = self._account(model)
        return Point(
            model, model.digest, point.digest, step.step, account, 32 * WEIGHTS / account.weight_bits
        )

    def family(self, point: Point, step: Any, *, hls: Any = None, most: int = 24) -> list[Point]:
        """One design for each width from 2 on, as accurate as a training of that width gives."""
        widths = range(2, step.bits + 1)
        return [self.apply(point, QuantizeConfig(bits=bits, seed=step.seed)) for bits in widths]

    def swept(self, point: Point) -> Point:
        return point

    def _stepped(self, model: Toy, step: Any) -> Toy:
        if isinstance(step, PruneConfig):
            if "output" in step.layers and step.method == "structured":
                raise UnsupportedModel("its units reach an output", where="output")
            kept = 1 - step.sparsity if not step.layers else 0.9
            return replace(model, kept=min(model.kept, kept), trained=model.trained + (step.epochs > 0))
        if isinstance(step, QuantizeConfig):
            return replace(model, bits=step.bits, trained=model.trained + (step.mode == "qat"))
        if isinstance(step, LowRankConfig):
            if model.bits != 32:
                raise NoGain("is quantized: factorize before quantizing", where="fc1")
            return replace(model, rank=min(model.rank, step.energy or 0.9))
        if isinstance(step, PruneLayersConfig):
            return self._shortened(model, step)
        assert isinstance(step, FineTuneConfig)
        return replace(model, trained=model.trained + 1)

    def _shortened(self, model: Toy, step: PruneLayersConfig) -> Toy:
        if step.dropped_layers > model.dropped and model.bits != 32:
            raise UnsupportedModel("is quantized", where="fc1")
        return replace(model, dropped=max(model.dropped, step.dropped_layers))

    def _account(self, model: Toy) -> Accounting:
        weights = max(1, round(WEIGHTS * model.kept * (0.5 + model.rank / 2)))
        return Accounting(
            parameters=weights,
            nonzero=weights,
            kernel_weights=weights,
            nonzero_weights=weights,
            weight_bits=weights * model.bits,
            multiplications=weights,
            ebops=None if model.bits == 32 else weights * model.bits * 8,
            units=dict(list(UNITS.items())[model.dropped :]),
        )

    def most(self, point: Point, step: Any) -> dict[str, float]:
        return {"dropped_layers": 2.0 - point.model.dropped} if isinstance(step, PruneLayersConfig) else {}

    def score(self, point: Point) -> Score:
        law, model = self.law, point.model
        lost = law.per_sparsity * (1 - model.kept) + law.per_rank * (1 - model.rank) * 10
        lost += (
            law.per_layer * model.dropped
            + law.per_bit * max(0, 9 - model.bits)
            - law.training * min(model.trained, 3)
        )
        value = float(np.clip(law.base - lost, 0.01, 0.99))
        return Score({"accuracy": Proportion(value, (value * (1 - value) / EVENTS) ** 0.5, EVENTS)})

    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        spec = hls or self.hls
        project: Any = SimpleNamespace(spec=spec, graph=None)
        qor = self._qor(point.model, spec).with_(accuracy=self.score(point).value())
        return replace(point, project=project, qor=qor)

    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        found = self.sketch(point, hls=hls)
        assert found.qor is not None
        self.measured.append(hls or self.hls)
        return replace(
            found, qor=found.qor.with_(csim_match=self.law.match if exact else None, accuracy_source="csim")
        )

    def _qor(self, model: Toy, hls: HlsSpec) -> QoR:
        if not self.law.measured:
            return QoR(source="estimate")
        law = self.law
        cycles = law.floor_cycles + round(
            (law.cycles - law.floor_cycles) * model.kept * min(model.bits, 16) / 16
        )
        cycles = max(1, cycles - law.layer_cycles * model.dropped)
        spread = law.interval
        if hls.wide_accumulators and law.wide_interval is not None:
            spread = law.wide_interval
        latency = Latency(
            cycles_min=cycles,
            cycles_max=cycles,
            ii_cycles=1,
            clock_target_ns=hls.clock_ns,
            clock_estimated_ns=hls.clock_ns * 0.9,
            cycles_max_lo=max(0, cycles - spread),
            cycles_max_hi=cycles + spread,
        )
        layers = tuple(LayerQoR(name=name, op="dense", cycles=cycles // len(UNITS)) for name in UNITS)
        return QoR(
            source="estimate",
            latency=latency,
            layers=layers,
            part=hls.part,
            resources=Resources(lut=100.0 * cycles * model.bits, ff=0, dsp=0, bram_18k=0),
        )

    def judge(self, point: Point, *, exact: bool = True) -> Judgement:
        baseline = None if self.baseline is None else self.baseline.value()
        return judge(point.qor or QoR(), self.budget.with_(exact=exact), baseline_accuracy=baseline)
