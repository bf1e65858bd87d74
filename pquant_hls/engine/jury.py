"""Whoever scores models on one data set: their answers, read as the tasks of the original's outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import Library, predict
from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.records import Split
from pquant_hls.engine.score import Score
from pquant_hls.network import heads_of
from pquant_hls.network.reference import reference
from pquant_hls.spec import HlsSpec
from pquant_hls.train.answers import as_probabilities
from pquant_hls.train.figures import Figure, all_asked
from pquant_hls.train.purpose import Purpose, Question
from pquant_hls.train.tasks import Evidence, Sample

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

Array = NDArray[Any]
Answers = list[Array]


@dataclass(frozen=True)
class Witness:
    """A model, or the firmware made of it, that answers.

    ask : inputs to one array (n, *shape) for each output, as firmware gives them. bare : by output whether a softmax or
    sigmoid is left out of that. thresholds : by output that of a single column.
    """

    ask: Callable[[Any], Answers]
    bare: tuple[bool, ...]
    thresholds: tuple[float, ...]


def keras_witness(model: Model, *, keep_softmax: bool | Literal["exact"]) -> Witness:
    """A Keras model as its firmware answers: a linted QKeras model decides as that does."""
    heads = heads_of(model)
    return Witness(
        lambda x: [np.asarray(found) for found in reference(model, x, keep_softmax=keep_softmax).outputs],
        tuple(head != "linear" and not keep_softmax for head in heads),
        tuple(0.5 if head != "linear" and keep_softmax else 0.0 for head in heads),
    )


def csim_witness(library: Library, model: Model, spec: HlsSpec) -> Witness:
    """The firmware made of a model as it answers in csim. A single column is decided at 0.5 behind a sigmoid and at 0 on
    logits."""
    graph = library.project.graph
    ends = () if graph is None else tuple(graph.node(name).op for name in graph.outputs)
    bare = tuple(head != "linear" and not spec.keep_softmax for head in heads_of(model))

    def ask(x: Any) -> list[Any]:
        return several.arrays_of(predict(library, x))

    behind = [place < len(ends) and ends[place] in {"sigmoid", "hard_sigmoid"} for place in range(len(bare))]
    return Witness(ask, bare, tuple(0.5 if is_share else 0.0 for is_share in behind))


def first_of(outputs: Sequence[Any], rows: slice) -> Any:
    """Some rows of every output; of one output the array itself."""
    found = [np.asarray(part)[rows] for part in outputs]
    return found[0] if len(found) == 1 else found


def matching(found: Sequence[Any], wanted: Sequence[Any], bounds: Sequence[float]) -> float:
    """Share of all outputs' values that are equal, or no further apart than the bound of their output."""
    pairs = [
        np.abs(np.asarray(one) - np.asarray(other)) <= bound
        for one, other, bound in zip(found, wanted, bounds, strict=True)
    ]
    return float(sum(int(pair.sum()) for pair in pairs) / sum(pair.size for pair in pairs))


@dataclass
class Jury:
    """Scores on the splits of one data set, fitted to its purpose; ``original`` is what losses count from, ``wanted`` the
    names of the figures that limits need."""

    purpose: Purpose
    data: Dataset
    original: Witness
    wanted: tuple[str, ...] = ()
    known: dict[str, Answers] = field(default_factory=dict)
    """The original's answers to each sample."""

    def score(self, witness: Witness, which: Split, answers: Answers | None = None) -> Score:
        """A witness' figures on a split; those without labels that need them are left out. ``answers`` to the split's
        inputs are not asked for again."""
        x, y = self.data.split(which)
        found = witness.ask(x) if answers is None else answers
        events = _Heard(x, found, self._before(which, x), y, self.data.weights.get(which))
        beside = self._beside(witness)
        figures: dict[str, Figure] = {}
        for place, question in enumerate(self.purpose.questions):
            if y is None and question.task.truth == "labels":
                continue
            seen = self._evidence(place, witness, events, beside)
            prefix = self.purpose.prefix(place)
            figures |= {f"{prefix}{name}": figure for name, figure in question.task.figures(seen).items()}
        return Score(figures, self.purpose.headlines)

    def kept(self, score: Score) -> tuple[str, ...]:
        """The figures that a record keeps: those that limits need, and where accuracy does not say all, every one, bins and
        curves too."""
        if self.purpose.is_plain:
            return tuple(name for name in self.wanted if name in score.figures)
        return (*self.purpose.headlines, *score.figures)

    def _before(self, key: str, x: Any) -> Answers:
        if key not in self.known:
            self.known[key] = self.original.ask(x)
        return self.known[key]

    def _beside(self, witness: Witness) -> dict[str, _Heard]:
        """What is said of the zero-bias sample and of each signal, where a figure needs them."""
        scored = any(question.task.has_background for question in self.purpose.questions)
        asked_for = any("Hz" in name or "rate@" in name for name in self.wanted)
        if not (scored or asked_for):
            return {}
        samples: dict[str, tuple[Any, float | None]]
        samples = {f"{SIGNAL}{name}": (x, None) for name, x in self.data.signals.items()}
        if self.data.zero_bias is not None:
            samples[ZERO_BIAS] = (self.data.zero_bias.x, self.data.zero_bias.hz)
        return {
            key: _Heard(x, witness.ask(x), self._before(key, x), hz=hz) for key, (x, hz) in samples.items()
        }

    def _evidence(
        self, place: int, witness: Witness, events: _Heard, beside: Mapping[str, _Heard]
    ) -> Evidence:
        question, prefix = self.purpose.questions[place], self.purpose.prefix(place)

        def sample(heard: _Heard) -> Sample:
            pair = [
                _meant(question, said[place], who.bare[place])
                for said, who in ((heard.answers, witness), (heard.before, self.original))
            ]
            return Sample(pair[0], pair[1], heard.truth(question, place), heard.weights, heard.hz)

        names = [name.removeprefix(prefix) for name in self.wanted if name.startswith(prefix)]
        return Evidence(
            sample(events),
            sample(beside[ZERO_BIAS]) if ZERO_BIAS in beside else None,
            {
                key.removeprefix(SIGNAL): sample(heard)
                for key, heard in beside.items()
                if key.startswith(SIGNAL)
            },
            self.purpose.columns(place, self.data),
            witness.thresholds[place],
            question.unit(self.data),
            all_asked(names),
            bins=tuple(name.partition(":")[2] for name in names),
        )


ZERO_BIAS, SIGNAL = "zero bias", "signal "


@dataclass(frozen=True)
class _Heard:
    """Inputs and what two witnesses, the one that is judged and the original, say of them."""

    x: Any
    answers: Answers
    before: Answers
    y: Any = None
    weights: Any = None
    hz: float | None = None

    def truth(self, question: Question, place: int) -> Array | None:
        """What one output should say; an autoencoder its input."""
        if question.task.truth == "inputs":
            return question.input_of(self.x)
        return None if self.y is None else several.arrays_of(self.y)[place]


def _meant(question: Question, found: Array, bare: bool) -> Array:
    """Answers as they are meant: the values behind a softmax or sigmoid that is left out, where values are asked for."""
    head = question.output.head
    if question.task.towards != "values" or not bare or head == "linear":
        return found
    if head == "sigmoid":
        return 1 / (1 + np.exp(-np.asarray(found, np.float64)))
    return as_probabilities(found, "linear")
