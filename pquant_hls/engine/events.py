"""What a run tells while it works. The engine never prints: a listener shows the events, or nothing does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Event:
    """``stage``: work begins on ``text``. ``epoch``: training goes on (``values``: epoch, epochs, scores).
    ``round``: a round of the loop is finished (``values``: its ledger record). ``note``: something to know."""

    kind: Literal["stage", "epoch", "round", "note"]
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that shows nothing."""
