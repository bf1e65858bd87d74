"""Designs of learned widths: of all that one training passes through, the most accurate that meets the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pquant_hls.decide import Verdict
from pquant_hls.engine import Ending, Point, View, Workbench, dropped, figures
from pquant_hls.store import Entry


def lacks_accuracy(bench: Workbench, point: Point) -> bool:
    """Whether a point is less accurate than the original by more than the error of that."""
    return bench.baseline is not None and dropped(bench.baseline, bench.score(point))


def _accuracy(bench: Workbench, point: Point) -> float:
    return bench.score(point).value() or 0.0


@dataclass
class LearnedDesigns:
    """What was seen of a family of designs: ``met`` the most accurate that is MET, ``least`` the one of lowest latency."""

    met: Point | None = None
    least: Point | None = None
    reason: str = ""

    def look(self, bench: Workbench, view: View, family: Sequence[Point], history: list[Entry]) -> None:
        """The family comes by EBOPs, cheapest first, and a cheaper design is taken to be met where a dearer one is."""
        low, high = -1, len(family)
        while high - low > 1:
            middle = high - 1 if high == len(family) else (low + high) // 2
            point = view.at(bench, family[middle])
            verdict = view.judge(bench, point).verdict
            text = f"learned widths, design {middle + 1} of {len(family)}"
            entry = Entry(
                kind="design",
                name="learned widths",
                number=middle + 1,
                parent=point.parent,
                digest=point.digest,
                figures=figures(bench, point),
                status="kept" if verdict is Verdict.MET else "rolled_back",
                verdict=str(verdict),
                reason=text,
            )
            history.append(entry)
            bench.record(entry, f"{text}: accuracy {100 * _accuracy(bench, point):.2f} %, {verdict}")
            if verdict is Verdict.MET:
                low, self.met = middle, point
                self.reason = f"{text}: every limit of the budget holds"
            else:
                high = middle
            if self.least is None or _worst_ns(point) < _worst_ns(self.least):
                self.least = point

    def instead_of(self, bench: Workbench, ending: Ending, *, met: bool) -> Ending | None:
        """The ending, which is ``met`` or not, with a design of this family where that is the better one; else None."""
        if self.met is not None and (not met or _accuracy(bench, self.met) > _accuracy(bench, ending.best)):
            return replace(ending, best=self.met, reason=self.reason)
        if met or self.least is None or _worst_ns(self.least) > _worst_ns(ending.best):
            return None
        better = _accuracy(bench, self.least) > _accuracy(bench, ending.best)
        reason = f"{ending.reason}; handed over is the smallest design of learned widths"
        return replace(ending, best=self.least, reason=reason) if better else None


def _worst_ns(point: Point) -> float:
    latency = None if point.qor is None else point.qor.latency
    return float("inf") if latency is None or latency.worst_ns_hi is None else latency.worst_ns_hi
