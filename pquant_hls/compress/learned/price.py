"""What an EBOP costs from epoch to epoch: along a ramp, or steered so that the model ends at a cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pquant_hls.spec.quantize import Price

WAY = 0.6
"""Share of the training in which the cost is led to its target; the rest is for recovery."""
HOLD = 0.1
"""Share of the training that a ramp begins with its first price."""
QUICK, SLOW, MOST_SLOW = 1.0, 60.0, 0.3
"""Gains of the controller on the error of the log cost: at once, by its integral over the share of training done, and the
most of the latter for one epoch of a short training."""
MOST_STEP = 0.5
"""Largest error of log cost that is answered at once."""


def ramp_price(price: Price, done: float) -> float:
    """Price at a share ``done`` of the training: its first for a while, then rising by equal factors to its last."""
    along = max(0.0, done - HOLD) / (1 - HOLD)
    return float(price.start * (price.end / price.start) ** along)


@dataclass
class Steering:
    """Proportional-integral control of the logarithm of the price, by the distance of the logarithm of the cost from a
    line that leads from the first cost to the target.

    Parameters
    ----------
    target : cost that is aimed at.
    price : the first price.
    """

    target: float
    price: float
    first: float | None = None
    done: float = 0.0

    def after(self, cost: float, done: float) -> float:
        """The price to go on with, where ``cost`` stands at a share ``done`` of the training."""
        cost = max(cost, 1.0)
        if self.first is None:
            self.first = cost
        along = min(1.0, done / WAY)
        wanted = self.first * (self.target / self.first) ** along
        error = max(-MOST_STEP, min(MOST_STEP, math.log(cost / wanted)))
        self.price *= math.exp(min(MOST_SLOW, SLOW * (done - self.done)) * error)
        self.done = done
        return self.price * math.exp(QUICK * error)
