"""Channels dropped so far, and what every layer keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pquant_hls.compress.channels import FIXED, Channels
from pquant_hls.errors import NoGain
from pquant_hls.spec.steps import PruneConfig


@dataclass
class Cut:
    """Channels dropped so far; the units each layer keeps, and at least must keep."""

    channels: Channels
    least: dict[str, int]
    members: dict[int, Counter[str]]
    kept: dict[str, int]
    dropped: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, channels: Channels, config: PruneConfig) -> Cut:
        """Nothing dropped yet; channels of excluded layers do not appear."""
        prunable = channels.prunable()
        if not prunable:
            raise NoGain("no layer has units that can be removed")
        barred = {int(item) for name in config.exclude for item in channels.made[name]} | {FIXED}
        members: dict[int, Counter[str]] = {}
        for name, ids in prunable.items():
            for item in map(int, ids):
                if item not in barred:
                    members.setdefault(item, Counter())[name] += 1
        least = {name: min(config.min_units, config.keep.get(name, config.min_units)) for name in prunable}
        return cls(channels, least, members, {name: len(ids) for name, ids in prunable.items()})

    def drop(self, item: int) -> bool:
        """Drop one channel wherever it appears, unless a layer would keep too few units."""
        if item in self.dropped or not self.may_drop(item):
            return False
        self.dropped.add(item)
        for name, n in self.members[item].items():
            self.kept[name] -= n
        return True

    def may_drop(self, item: int) -> bool:
        """Whether every layer of the channel keeps its least number of units without it."""
        return all(self.kept[name] - n >= self.least[name] for name, n in self.members[item].items())

    def affordable(self, items: Iterable[int]) -> list[int]:
        """Those of ``items`` that may go together, the first ones first."""
        trial = replace(self, kept=dict(self.kept), dropped=set(self.dropped))
        return [item for item in items if trial.drop(item)]

    def families(self) -> list[list[str]]:
        """Layers tied to each other by shared channels."""
        families: list[set[str]] = []
        for counts in self.members.values():
            joined = set(counts)
            apart = []
            for family in families:
                if family & joined:
                    joined |= family
                else:
                    apart.append(family)
            families = [*apart, joined]
        return [sorted(family, key=list(self.kept).index) for family in families]

    def items_of(self, family: Iterable[str]) -> list[int]:
        wanted = set(family)
        return [item for item, counts in self.members.items() if wanted & set(counts)]
