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
    unit, a floor where ``at_least``; ``in_percent`` : it was said in %, which only a share has.
    """

    loss: float | None = None
    relative: bool = False
    limit: float | None = None
    at_least: bool = False
    in_percent: bool = False

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
            return cls(
                limit=scale * float(found["number"]),
                at_least=found["sign"] == ">=",
                in_percent=bool(found["unit"]),
            )
        raise SpecError(f"says neither a loss nor a limit: {given!r}", where=where, mend=FORMS)

    def limit_of(self, original: float, *, lower_is_better: bool) -> float:
        """The limit where the original has the figure ``original``."""
        if self.limit is not None:
            return self.limit
        lost = (self.loss or 0.0) * (abs(original) if self.relative else 1.0)
        return original + lost if lower_is_better else original - lost

    def problem(self, *, lower_is_better: bool, is_share: bool) -> str:
        """Why it says nothing of such a figure; empty where it does. Points, and limits in %, are of shares alone, and a limit
        points the way that the figure's quality does."""
        if not is_share and self.loss is not None and not self.relative:
            return "is no share, so it loses no points"
        if not is_share and self.in_percent:
            return "is no share, so it has no limit in %"
        if self.limit is not None and self.at_least == lower_is_better:
            return f"should be {'low' if lower_is_better else 'high'}: the limit points the wrong way"
        return ""


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
