"""How much of a figure of merit may be lost: ``{mse: 5 %}``, ``{efficiency@30kHz:signal: 1 point}``, ``{auc: '>= 0.9'}``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pquant_hls.errors import SpecError

_NUMBER = r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)"
_LOSS = re.compile(rf"{_NUMBER}\s*(?P<unit>%|points?)", re.ASCII | re.IGNORECASE)
_LIMIT = re.compile(rf"(?P<sign><=|>=)\s*{_NUMBER}\s*(?P<unit>%?)", re.ASCII | re.IGNORECASE)
_FIGURE = re.compile(r"[\w.@:\[\](),+/ -]+")
FORMS = "write '5 %' (of the original's figure), '1 point' (0.01 of a share), '>= 0.9' or '<= 0.02'"


TaskName = Literal["", "classes", "flags", "regression", "autoencoder", "encoder", "score"]


def _found(task: object) -> bool:
    """A task that is found by itself stays out of a run's identity, as 0.1.0 knew none."""
    return not task


TaskText = Annotated[
    TaskName | dict[str, TaskName],
    Field(
        exclude_if=_found,
        description="what is asked of the outputs, for all or by name; empty: found from the labels and the model",
    ),
]


@dataclass(frozen=True)
class Allowance:
    """What a figure may lose against the original's, or the limit that it must keep.

    loss : as a share of the original's figure where ``relative``, else a difference of shares. limit : in the figure's own
    unit, a floor where ``at_least``.
    """

    loss: float | None = None
    relative: bool = False
    limit: float | None = None
    at_least: bool = False

    @classmethod
    def parse(cls, given: Any, where: str = "quality") -> Allowance:
        """From its text; SpecError for what is none."""
        text = str(given).strip()
        if (found := _LOSS.fullmatch(text)) is not None:
            share = float(found["number"]) / 100
            if not 0 <= share < math.inf:
                raise SpecError(f"a loss is at least 0, got {text!r}", where=where)
            return cls(loss=share, relative=found["unit"] == "%")
        if (found := _LIMIT.fullmatch(text)) is not None:
            scale = 0.01 if found["unit"] else 1.0
            return cls(limit=scale * float(found["number"]), at_least=found["sign"] == ">=")
        raise SpecError(f"says neither a loss nor a limit: {given!r}", where=where, mend=FORMS)

    def limit_of(self, original: float, *, lower_is_better: bool) -> float:
        """The limit where the original has the figure ``original``."""
        if self.limit is not None:
            return self.limit
        lost = (self.loss or 0.0) * (abs(original) if self.relative else 1.0)
        return original + lost if lower_is_better else original - lost

    def holds_against(self, *, lower_is_better: bool) -> bool:
        """Whether a limit points the way that the figure's quality does: no ceiling on what should be high."""
        return self.limit is None or self.at_least != lower_is_better


def read_quality(given: Any) -> dict[str, str]:
    """Figures with what may be lost of each, as texts; ValueError for what says neither."""
    if not isinstance(given, Mapping):
        raise ValueError(f"expected figures with what may be lost, such as {{mse: 5 %}}, got {given!r}")
    found = {}
    for name, text in given.items():
        if not isinstance(name, str) or _FIGURE.fullmatch(name) is None:
            raise ValueError(
                f"{name!r} is no name of a figure, such as mse, resolution or efficiency@30kHz:signal"
            )
        try:
            Allowance.parse(text, name)
        except SpecError as cause:
            raise ValueError(str(cause)) from cause
        found[name] = " ".join(str(text).split())
    return found
