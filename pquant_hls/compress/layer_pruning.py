"""Layer pruning: hidden layers left out, their readers refitted, the shallower network taught by the deeper one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from pquant_hls.compress.bridge import PRODUCTS, Bridge, bridge_of, bridges, without
from pquant_hls.compress.calibration import Values, sample
from pquant_hls.compress.fine_tuning import class_figures, training_figures, training_notes
from pquant_hls.compress.sensitivity import MEASURED, distance
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network.graph import Topology, flat
from pquant_hls.network.table import operation
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import PruneLayersConfig
from pquant_hls.train import OutputTarget, check_training, fit, meanings


class LayerPruning(Step[PruneLayersConfig]):
    """Leave hidden layers out. Two with nothing but a linear map between them become one that computes the same; else the
    next layer is refitted and the network learns from the one it was made of.
    """

    Config = PruneLayersConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Data is needed unless every layer that goes is merged exactly.

        Raises
        ------
        SpecError : an unknown layer.
        UnsupportedModel : a named layer cannot go, or fewer can than are asked for; each with its reason.
        """
        self._known(flat(model))
        if self._left(model) <= 0:
            return Outcome(model, ("no layer is left out",))
        made, lost, notes = self._shortened(model, data)
        if not lost:
            return Outcome(made, notes)
        teacher = model if self.teacher is None else self.teacher
        before = class_figures(teacher, data, self.config, "before")
        history = fit(made, data, self.config, teacher=teacher, progress=self.progress)
        after = class_figures(made, data, self.config, "after")
        figures = {**training_figures(history), "distance": lost[-1], **before, **after}
        return Outcome(made, (*notes, *training_notes(history)), figures)

    def most(self, model: keras.Model) -> Mapping[str, float]:
        """As many layers as the model can lose."""
        count, graph = 0, flat(model)
        while found := self._candidates(graph):
            model = without(model, found[0])
            count, graph = count + 1, flat(model)
        return {"dropped_layers": float(count)}

    def _known(self, graph: Topology) -> None:
        products = [call.name for call in graph.layers if operation(call.layer) in PRODUCTS]
        for key in ("layers", "exclude"):
            for name in getattr(self.config, key):
                if name not in products and name not in self.config.reference:
                    raise SpecError(unknown_key(name, products, "layer"), where=key)

    def _left(self, model: keras.Model) -> int:
        """How many layers are still to go."""
        there = {call.name for call in flat(model).layers}
        if self.config.layers:
            return len(there & set(self.config.layers))
        return self.config.dropped_layers - sum(name not in there for name in self.config.reference)

    def _candidates(self, graph: Topology) -> list[Bridge]:
        names = self.config.layers or self.config.reference
        return [bridge for bridge in bridges(graph, names) if bridge.name not in self.config.exclude]

    def _shortened(self, model: keras.Model, data: Any) -> tuple[keras.Model, list[float], tuple[str, ...]]:
        """The model without the layers; after each the distance of its answers where it is not 0; remarks."""
        chooser = _Chooser(self.config, model, data)
        notes: list[str] = []
        lost: list[float] = []
        for _ in range(self._left(model)):
            found = self._candidates(flat(model))
            if not found:
                raise UnsupportedModel("; ".join(self._reasons(flat(model))) or "no hidden layer is left")
            bridge, model, far = chooser.best(model, found)
            lost += [] if bridge.exact else [far]
            notes.append(_told(bridge, far))
        return model, lost, tuple(notes)

    def _reasons(self, graph: Topology) -> Iterator[str]:
        """Why each layer that might go cannot."""
        for call in graph.layers:
            if operation(call.layer) in PRODUCTS and call.name not in self.config.exclude:
                try:
                    bridge_of(graph, call)
                except UnsupportedModel as cause:
                    yield str(cause)


def _told(bridge: Bridge, far: float) -> str:
    if bridge.exact:
        return f"{bridge.name}: merged into {bridge.reader.name}, exactly"
    return f"{bridge.name}: left out, {bridge.reader.name} refitted, distance {far:.4f} before training"


class _Chooser:
    """Which layer goes next: one that loses nothing, else the one whose model answers most like the original."""

    def __init__(self, config: PruneLayersConfig, model: keras.Model, data: Any) -> None:
        self.config, self.model, self.data = config, model, data
        self.inputs: list[Values] = []
        self.targets: Sequence[OutputTarget] = ()
        self.wanted: list[Any] = []

    def best(self, model: keras.Model, found: Sequence[Bridge]) -> tuple[Bridge, keras.Model, float]:
        """The bridge, the model without its layer, and the distance of its answers from the original's."""
        for bridge in found:
            if bridge.exact:
                return bridge, without(model, bridge), 0.0
        self._look()
        made = [without(model, bridge, self.inputs) for bridge in found]
        far = [self._distance(each) for each in made]
        best = far.index(min(far))
        return found[best], made[best], far[best]

    def _look(self) -> None:
        """Read the sample and the original's answers, at the first layer that needs them."""
        if self.data is None:
            raise DataError(
                "leaving out a layer needs data: the next one is refitted to it",
                mend="give at least a sample of inputs; only linear layers are merged without",
            )
        if not self.targets:
            self.targets = check_training(self.model, self.data, self.config, self.model)
            self.inputs = sample(self.data, self.config)
            self.wanted = meanings(self.model, self._events(), self.targets)

    def _events(self) -> list[Values]:
        return [part[:MEASURED] for part in self.inputs]

    def _distance(self, model: keras.Model) -> float:
        return sum(map(distance, self.targets, meanings(model, self._events(), self.targets), self.wanted))
