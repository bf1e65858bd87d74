"""What every pipeline is told beside its own settings: target, budget, gates, seed, folder, progress."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pquant_hls.engine import Event, Gate, Listener, silent
from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.spec.model import unknown_key

LOG = logging.getLogger("pquant_hls")


@dataclass(frozen=True)
class Setup:
    """Options common to all pipelines.

    hls : backend, part, clock. budget : limits the verdict demands (None: the pipeline's own goal only).
        gates :
    floors on trigger figures. epochs : passes of each training. training : further fields of TrainingConfig,
        such as
    ``{"learning_rate": 2e-3}``. out : run folder; None means ``runs/<pipeline>-<digest>``, taken up again by
        itself.
    resume : go on with the run in ``out``. verbose : 0 silent, 1 stages, 2 epochs too, on stderr through the
        logger
    ``pquant_hls``. listen : a function of Event in place of that.
    """

    hls: HlsSpec = field(default_factory=HlsSpec)
    budget: Budget | None = None
    gates: tuple[Gate, ...] = ()
    epochs: int = 8
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    out: str | Path | None = None
    resume: bool = False
    verbose: int = 0
    listen: Listener | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Setup:
        """A Setup from keywords; raises SpecError naming one it does not know."""
        return cls().with_(options)

    def with_(self, options: Mapping[str, Any]) -> Setup:
        """A copy with some options replaced; ``hls`` and ``budget`` may be mappings, ``budget`` a time in ns
        or text."""
        known = [entry.name for entry in fields(self)]
        for name in options:
            if name not in known:
                raise SpecError(unknown_key(name, known).replace("key", "option"), where=name)
        changes = dict(options)
        if isinstance(changes.get("hls"), Mapping):
            changes["hls"] = HlsSpec.parse(changes["hls"], path="hls")
        if "budget" in changes:
            changes["budget"] = as_budget(changes["budget"])
        changes["gates"] = tuple(changes.get("gates", self.gates))
        return replace(self, **changes)

    @property
    def listener(self) -> Listener:
        if self.listen is not None:
            return self.listen
        return silent if self.verbose <= 0 else Logged(self.verbose)

    def fit(self, **changes: Any) -> dict[str, Any]:
        """Fields of a training step: epochs, seed and whatever else was asked for."""
        return {"epochs": self.epochs, "seed": self.seed, **self.training, **changes}

    def identity(self) -> dict[str, Any]:
        """What a run's digest depends on of these options."""
        budget = None if self.budget is None else self.budget.model_dump(mode="json")
        return {
            "hls": self.hls.model_dump(mode="json"),
            "budget": budget,
            "gates": [repr(gate) for gate in self.gates],
            "epochs": self.epochs,
            "training": dict(self.training),
            "seed": self.seed,
        }


def as_budget(value: Any) -> Budget | None:
    """A Budget from one, a mapping, a number of ns or a text such as ``"50 ns"``."""
    if value is None or isinstance(value, Budget):
        return value
    values = value if isinstance(value, Mapping) else {"latency_ns": value}
    return Budget.parse(values, path="budget")


class Logged:
    """A listener that logs plain lines; the logger gets a handler on stderr unless someone gave it one."""

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        if not LOG.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
            LOG.addHandler(handler)
            LOG.propagate = False  # whoever configures the root logger would show every line twice
        LOG.setLevel(logging.INFO)

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch":
            if self.verbose > 1:
                LOG.info("  epoch %s", "  ".join(f"{name} {value:g}" for name, value in event.values.items()))
            return
        LOG.info("%s", event.text)
