"""What fits a budget before anything is trained: a network's widths, bits and reuse factors, each by the estimator."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pquant_hls.decide import Judgement, Verdict, judge
from pquant_hls.errors import SpecError
from pquant_hls.estimate.compose import estimate
from pquant_hls.estimate.products import normal_codes
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, QoR, Target
from pquant_hls.spec import Budget, HlsSpec

SCALES = (1.0, 0.75, 0.5, 0.25)
BITS = (8, 6, 5, 4, 3)
REUSE = (1, 4, 16)
"""What is tried: shares of each hidden layer's width, bits of weights and activations, and reuse factors, those above
1 by the Resource strategy."""
LEAST_INPUT_BITS = 8
STOOD_IN = "not trained: normal weights stand in, a quarter of their type's range wide"
_SHAPE = re.compile(r"\d+(?:\s*[-x,]\s*\d+)*")
_ORDER = {Verdict.MET: 0, Verdict.UNKNOWN: 1, Verdict.MISSED: 2}


@dataclass(frozen=True)
class Suggestion:
    """One network with its estimate: ``sizes`` (inputs, hidden widths, outputs), ``bits`` of weights and activations."""

    sizes: tuple[int, ...]
    bits: int
    strategy: str
    reuse_factor: int
    qor: QoR = field(repr=False)
    judgement: Judgement = field(repr=False)

    @property
    def shape(self) -> str:
        return "-".join(map(str, self.sizes))

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "sizes": list(self.sizes),
            "bits": self.bits,
            "strategy": self.strategy,
            "reuse_factor": self.reuse_factor,
            "verdict": str(self.verdict),
            "checks": [
                {"text": check.text, "verdict": str(check.verdict)} for check in self.judgement.checks
            ],
            "qor": self.qor.model_dump(mode="json"),
        }


def suggest(
    model: Any,
    *,
    part: str | None = None,
    clock: str | float | None = None,
    latency: str | float | None = None,
    backend: str | None = None,
    budget: Budget | Mapping[str, Any] | None = None,
) -> tuple[Suggestion, ...]:
    """Networks like ``model`` with what the estimator says of each, those that fit first, then the larger ones first.

    Nothing is trained and no weight is read: normal ones stand in, which the notes of each ``qor`` say. Fewer hidden
    units, fewer bits and more reuse are tried; whether such a network still answers well is for the training to say.

    Parameters
    ----------
    model : sizes such as ``"16-64-32-32-5"`` or ``(16, 64, 32, 32, 5)``, a Keras model of dense layers, or its file
        (which loads TensorFlow; sizes do not).
    part : AMD part number. clock : period in ns or a frequency such as ``"200 MHz"``. backend : Vitis, Vivado...
        Left out: those of ``HlsSpec``.
    latency : the budget, in ns or with a unit (``"2 BX"``).
    budget : further limits: ``latency_cycles``, ``ii_cycles``, ``resources`` (a mapping), ``part_share``. Exactness and
        accuracy are not judged, as there is nothing to run.

    Raises
    ------
    SpecError : a wrong setting, no limit at all, or sizes of fewer than two numbers.
    UnsupportedModel : a model that is not dense layers one after another.
    NotMeasured : the estimator has no rules for the backend's tool.
    """
    asked = {"part": part, "clock_ns": clock, "backend": backend}
    hls = HlsSpec.parse({name: value for name, value in asked.items() if value is not None}, path="hls")
    return _sorted(sizes_of(model), hls.target, _goal(latency, budget))


def with_fewer_layers(
    sizes: Sequence[int], target: Target, budget: Budget, *, reuse: Sequence[int] = REUSE
) -> Suggestion | None:
    """The deepest network of the first hidden layers of ``sizes`` that fits ``budget`` by the estimator, with one of these
    ``reuse`` factors; of one depth that with the most multiplications; None where none does."""
    goal = _goal(None, budget)
    for depth in range(len(sizes) - 3, -1, -1):
        found = _sorted((*sizes[: 1 + depth], sizes[-1]), target, goal, reuse)
        if found[0].verdict is Verdict.MET:
            return found[0]
    return None


def _sorted(
    sizes: tuple[int, ...], target: Target, goal: Budget, reuse: Sequence[int] = REUSE
) -> tuple[Suggestion, ...]:
    found = [_tried(each, bits, factor, target, goal) for each, bits, factor in _grid(sizes, reuse)]
    return tuple(
        sorted(found, key=lambda one: (_ORDER[one.verdict], -_work(one.sizes, one.bits), one.reuse_factor))
    )


def _goal(latency: str | float | None, budget: Budget | Mapping[str, Any] | None) -> Budget:
    """The limits that an estimate can be held against."""
    given = budget.model_dump(exclude_unset=True) if isinstance(budget, Budget) else dict(budget or {})
    wanted = {**given, **({} if latency is None else {"latency_ns": latency})}
    for name in ("exact", "max_accuracy_loss", "min_accuracy"):
        wanted.pop(name, None)
    return Budget.parse(wanted, path="budget").with_(exact=False)


def sizes_of(model: Any) -> tuple[int, ...]:
    """Inputs, hidden widths and outputs of sizes given as text or numbers, of a Keras model or of its file."""
    if isinstance(model, str) and _SHAPE.fullmatch(model.strip()):
        model = [int(size) for size in re.findall(r"\d+", model)]
    sizes = tuple(model) if isinstance(model, list | tuple) else _of_network(model)
    if len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise SpecError(
            f"sizes {sizes} are not two or more whole numbers above 0", mend="such as 16-64-32-32-5"
        )
    return sizes


def _of_network(model: Any) -> tuple[int, ...]:
    from pquant_hls.network import dense_sizes, load_model  # TensorFlow, which sizes do without

    return dense_sizes(load_model(model) if isinstance(model, str | Path) else model)


def _grid(sizes: tuple[int, ...], reuse: Sequence[int]) -> Iterator[tuple[tuple[int, ...], int, int]]:
    scaled = {
        (sizes[0], *(max(1, round(scale * size)) for size in sizes[1:-1]), sizes[-1]): None
        for scale in SCALES
    }
    for each in scaled:
        yield from ((each, bits, factor) for bits in BITS for factor in reuse)


def _work(sizes: tuple[int, ...], bits: int) -> int:
    return bits * sum(a * b for a, b in pairwise(sizes))


def _tried(sizes: tuple[int, ...], bits: int, reuse: int, target: Target, budget: Budget) -> Suggestion:
    strategy = "latency" if reuse == 1 else "resource"
    qor = estimate(mlp_graph(sizes, bits, strategy=strategy, reuse_factor=reuse), target)
    qor = qor.with_(notes=(STOOD_IN, *qor.notes))
    return Suggestion(sizes, bits, strategy, reuse, qor, judge(qor, budget))


def mlp_graph(
    sizes: Sequence[int], bits: int, *, strategy: str = "latency", reuse_factor: int = 1
) -> FixedPointGraph:
    """Dense layers of ``sizes`` (inputs, widths, outputs) with a relu between each two, and normal weights, the same
    for the same sizes.

    Types are those that quantization makes: weights ``ap_fixed<bits,1>``, activations ``ap_ufixed<bits,0,RND,SAT>``,
    inputs of ``bits`` but at least 8, accumulators that hold every sum.
    """
    kind = FixedType(max(bits, LEAST_INPUT_BITS), 4)
    nodes = [Node("x", "input", (), (sizes[0],), kind)]
    for index, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        grown = math.ceil(math.log2(max(n_in, 2)))
        accum = FixedType(kind.width + bits + grown, kind.integer + 1 + grown)
        attrs = {
            "n_in": n_in,
            "n_out": n_out,
            "strategy": strategy,
            "reuse_factor": min(reuse_factor, n_in * n_out),
        }
        weight = FixedType(bits, 1)
        types, codes = {"weight": weight, "accum": accum}, normal_codes(n_in, n_out, weight)
        arrays = {"weight": FixedArray(codes, weight.frac)}
        nodes.append(Node(f"fc{index}", "dense", (nodes[-1].name,), (n_out,), accum, types, arrays, attrs))
        if index < len(sizes) - 1:
            kind = FixedType(bits, 0, signed=False, rounding="RND", saturation="SAT")
            nodes.append(Node(f"relu{index}", "relu", (nodes[-1].name,), (n_out,), kind))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))
