"""What each layer loses by rank, sparsity and bits, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from pquant_hls.engine import Point, Workbench, loss
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.spec import StepConfig
from pquant_hls.spec.steps import LowRankConfig, PruneConfig, QuantizeConfig
from pquant_hls.store import Entry

PROBES = ("rank", "sparsity", "bits")
Method = Literal["structured", "magnitude"]


@dataclass(frozen=True)
class LayerSensitivity:
    """What halving a layer's rank, and its units or weights, or 4-bit weights in it cost in accuracy, without any
    training."""

    records: tuple[Entry, ...] = ()

    def layers(self, kind: str) -> tuple[str, ...]:
        """Layers that stand out: more than twice the median cost of their kind."""
        found = {
            entry.settings["layer"]: entry.figures["degradation"]
            for entry in self.records
            if entry.settings["probe"] == kind
        }
        middle = median(found.values()) if found else 0.0
        return tuple(
            name
            for name, cost in found.items()
            if cost > 2 * max(middle, 0.0) and cost > 0.01 and len(found) > 1
        )


def sensitivity(bench: Workbench, start: Point, method: Method = "structured") -> LayerSensitivity:
    """Probe each layer with weights by rank, sparsity and bits, one at a time; ``method`` is that of pruning."""
    units = {} if start.account is None else start.account.units
    entries = [
        found
        for name, width in units.items()
        for kind in PROBES
        if (found := _probe(bench, start, (name, kind), _step(name, width, kind, method)))
    ]
    for entry in entries:
        bench.record(entry, entry.reason)
    return LayerSensitivity(tuple(entries))


def _step(layer: str, width: int, kind: str, method: Method) -> StepConfig:
    if kind == "rank":
        return LowRankConfig(layers={layer: max(1, width // 4)}, energy=1.0, roll_back=False)
    if kind == "sparsity":
        return PruneConfig(method=method, layers={layer: 0.5}, sparsity=0.0, importance="l1")
    return QuantizeConfig(bits=16, layers={layer: 4}, mode="ptq", calibration="max")


def _probe(bench: Workbench, start: Point, probed: tuple[str, str], step: StepConfig) -> Entry | None:
    layer, kind = probed
    try:
        score = bench.score(bench.apply(start, step))
    except (
        SpecError,
        UnsupportedModel,
    ):  # no units to remove in an output layer, no rank that saves anything
        return None
    fallen = None if bench.baseline is None else loss(bench.baseline, score)
    if fallen is None:
        return None
    return Entry(
        kind="sensitivity",
        name="sensitivity",
        parent=start.digest,
        settings={"layer": layer, "probe": kind},
        figures={"degradation": fallen[0], "degradation_error": fallen[1]},
        reason=f"{layer} probed by {kind}: {100 * fallen[0]:.2f} points lost",
    )
