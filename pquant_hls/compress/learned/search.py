"""Training of widths: the price that is paid for them, the designs passed on the way, and which of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.compress.accounting import account
from pquant_hls.compress.cost import Cost, DesignCost
from pquant_hls.compress.learned.front import Front, FrontPoint
from pquant_hls.compress.learned.price import Steering, ramp_price
from pquant_hls.compress.learned.twin import LearnedTwin
from pquant_hls.errors import NotMeasured
from pquant_hls.spec.quantize import QuantizeConfig
from pquant_hls.train import Progress, TrainingHistory, as_data, fit
from pquant_hls.train.records import inputs_of, is_empty

Figure = Callable[[keras.Model], float]
"""What a hardened model costs in the figure that is aimed at."""
MEASURED = 40
"""How often in one training a figure other than EBOPs is looked at."""


class WidthSearch:
    """What ``train.fit`` calls while widths are trained (``train.Pressure``)."""

    def __init__(
        self,
        twin: LearnedTwin,
        config: QuantizeConfig,
        inputs: Sequence[NDArray[Any]],
        figure: Figure | None = None,
    ) -> None:
        self.twin, self.config, self.inputs, self.figure = twin, config, inputs, figure
        self.price = tf.Variable(config.price.start, dtype=tf.float32, trainable=False)
        self.front = Front()
        self.count = tf.function(twin.ebops, autograph=False, jit_compile=True)
        self.steering: Steering | None = None
        if config.target is not None:
            self.steering = Steering(next(iter(config.target.given.values())), config.price.start)
        self.per_ebop = 1.0
        if figure is not None:
            self.per_ebop = figure(self.design()) / max(float(self.count()), 1.0)

    def design(self) -> keras.Model:
        """The hardened model as it is now."""
        saturation = {"wrap": "WRAP", "saturate": "SAT"}[self.config.overflow]
        return self.twin.hardened(self.inputs, saturation)

    def costs(self, model: keras.Model) -> float:
        """A design in the figure that is aimed at."""
        return float(account(model).ebops or 0) if self.figure is None else self.figure(model)

    def penalty(self) -> Any:
        """The price times what the widths cost now."""
        return self.price * self.twin.cost()

    def before(self, epoch: int) -> None:
        """Without a target the price follows its ramp."""
        if self.steering is None:
            self.price.assign(ramp_price(self.config.price, (epoch - 1) / self.config.epochs))

    def after(self, epoch: int, standing: tuple[float, float]) -> None:
        """Keep the design if it is worth it, and steer."""
        ebops = float(self.count())
        if self.front.takes(standing, ebops):
            self.front.add(FrontPoint(standing, ebops, epoch, self.twin.model.get_weights()))
        if self.steering is not None:
            if self.figure is not None and epoch % max(1, self.config.epochs // MEASURED) == 0:
                self.per_ebop = self.figure(self.design()) / max(ebops, 1.0)
            self.price.assign(self.steering.after(ebops * self.per_ebop, epoch / self.config.epochs))


@dataclass(frozen=True)
class Learned:
    """What one training of widths has passed through."""

    search: WidthSearch
    history: TrainingHistory

    @property
    def front(self) -> Front:
        """The points that no other beats, by EBOPs."""
        return self.search.front

    def __iter__(self) -> Iterator[tuple[FrontPoint, keras.Model]]:
        """Every point of the front and its design."""
        return ((point, self.design(point)) for point in self.front)

    def design(self, point: FrontPoint) -> keras.Model:
        """The hardened model of a point."""
        self.search.twin.model.set_weights(point.weights)
        return self.search.design()

    def chosen(self) -> tuple[FrontPoint, keras.Model, tuple[str, ...]]:
        """The best point within the target, its design, and remarks; without a target the cheapest within the tolerance."""
        front, config = self.front, self.search.config
        if config.target is None:
            point = front.cheapest(config.tolerance)
            return point, self.design(point), ()
        ((name, most),) = config.target.given.items()
        for point in sorted(front, key=lambda one: one.standing, reverse=True):
            model = self.design(point)
            if self.search.costs(model) <= most:
                return point, model, ()
        point = front.points[0]
        model = self.design(point)
        found = self.search.costs(model)
        return point, model, (f"no design on the way took {most:g} {name}: the cheapest takes {found:g}",)


def learn(
    quantized: keras.Model,
    data: Any,
    config: QuantizeConfig,
    *,
    teacher: keras.Model | None = None,
    cost: Cost | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Train the weights of a calibrated quantized model with their fraction bits.

    ``cost`` estimates a design, where the target is one of it; ``DesignCost()`` where it is left out. Raises what
    ``train.fit`` does, UnsupportedModel for a model without weights on fixed-point grids, and NotMeasured where the figure
    that is aimed at cannot be estimated.
    """
    twin = LearnedTwin.of(quantized, config.granularity, config.activation_granularity)
    search = WidthSearch(twin, config, _inputs(quantized, as_data(data, quantized)), _figure(config, cost))
    history = fit(search.twin.model, data, config, teacher=teacher, progress=progress, pressure=search)
    return Learned(search, history)


def _inputs(model: keras.Model, data: Any) -> list[NDArray[Any]]:
    """All inputs of training and validation: what activations must hold."""
    parts = [inputs_of(model, part) for part in (data.x_train, data.x_val) if not is_empty(part)]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _figure(config: QuantizeConfig, cost: Cost | None) -> Figure | None:
    """What measures the target's figure of a hardened model; None for EBOPs, which need no design."""
    if config.target is None or config.target.ebops is not None:
        return None
    ((name, _),) = config.target.given.items()
    estimated = DesignCost() if cost is None else cost

    def figure(model: keras.Model) -> float:
        qor = estimated(model)
        part, field = (qor.resources, "lut") if name == "lut" else (qor.latency, "worst_ns")
        found = None if part is None else getattr(part, field)
        if found is None:
            raise NotMeasured(f"the design's {name} is not estimated", where="target")
        return float(found)

    return figure
