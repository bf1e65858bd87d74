"""A made-up backend for the loop: what it measures depends on its seed and on the knobs alone, in any process."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """Latency and accuracy fall as knobs tighten, with noise; a ``blind`` one measures no latency.

    Its text makes it again: a failing case is replayed by what the report prints.
    """

    seed: int
    blind: bool = False

    def outcome(self, knobs: Mapping[str, float]) -> tuple[int | None, int | None, float]:
        """(lower end of the cycles, upper end, accuracy as a share) at these knobs."""
        wobble = self.wobble(knobs)
        size = (1 - knobs.get("sparsity", 0)) * knobs.get("bits", 8)
        high = int(4 + 2 * size + 3 * wobble)
        accuracy = 0.76 - 0.03 * wobble * (1 - size / 10)
        return (None, None, accuracy) if self.blind else (max(high - 2, 0), high, accuracy)

    def wobble(self, knobs: Mapping[str, float]) -> float:
        """Noise in [0, 1). A text seeds ``random`` by its SHA-512, which no process salts, as it does ``hash``."""
        return random.Random(f"{self.seed} {sorted(knobs.items())}").random()  # noqa: S311 - no secret
