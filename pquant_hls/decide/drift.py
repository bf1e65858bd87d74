"""Has a design grown since its last record? Figure by figure, old against new."""

from __future__ import annotations

from collections.abc import Iterator

from pquant_hls.decide.check import Check, Judgement
from pquant_hls.errors import SpecError
from pquant_hls.qor import RESOURCE_NAMES, QoR


def drift(old: QoR, new: QoR, tolerance: float = 0.0) -> Judgement:
    """Judge ``new`` by ``old``: no figure may exceed the old one by more than ``tolerance`` (a share of it).

    Cycles, ns, II, LUT, FF, DSP, BRAM and URAM that the old record knows; one that the new record lacks is
    UNKNOWN. An estimate is compared by its expected values, and only with an estimate.

    Raises
    ------
    SpecError : the tolerance is negative, or the records are of different sources or designs, whose figures differ
        for reasons of their own.
    """
    if not 0 <= tolerance < float("inf"):
        raise SpecError(f"a tolerance is a share of at least 0, got {tolerance}", where="tolerance")
    kinds = [(record.source, record.design) for record in (old, new)]
    if kinds[0] != kinds[1]:
        words = " with ".join(
            f"{source or 'no source'} ({design} design)" for source, design in reversed(kinds)
        )
        raise SpecError(f"compares {words}", where="against", mend="compare records of one source")
    return Judgement.of(_checks(_figures(old), _figures(new), tolerance))


def _checks(old: dict[str, float | None], new: dict[str, float | None], tolerance: float) -> Iterator[Check]:
    for name, before in old.items():
        if before is not None:
            unit = name.partition(", ")[2]
            yield Check(name.partition(", ")[0], before * (1 + tolerance), new[name], new[name], unit)


def _figures(qor: QoR) -> dict[str, float | None]:
    latency, resources = qor.latency, qor.resources
    found: dict[str, float | None] = {
        "latency, cycles": None if latency is None else latency.cycles_max,
        "worst latency, ns": None if latency is None else latency.worst_ns,
        "II, cycles": None if latency is None else latency.ii_cycles,
    }
    return found | {name: None if resources is None else getattr(resources, name) for name in RESOURCE_NAMES}
