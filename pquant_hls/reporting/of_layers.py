"""Pictures of a design, layer by layer: time, logic, bits, and values against their types."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pquant_hls.qor import RESOURCE_NAMES, FixedPointGraph, Latency, LayerQoR, Node, QoR
from pquant_hls.qor.ranges import ValueRange
from pquant_hls.qor.words import count, fixed, interval, number
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.recorded import missing
from pquant_hls.reporting.rows import Bar, Bars, draw_ranges, said_of, share_text

COSTS = tuple(name for name in RESOURCE_NAMES if name in LayerQoR.model_fields)
TOO_MANY = 3
"""Spare bits of a tensor that are worth a word."""


def time_figure(qor: QoR) -> Picture:
    """Where the nanoseconds go; NotMeasured where the record has no layers or no clock."""
    latency = qor.latency
    if not qor.layers or latency is None or latency.period_ns is None:
        raise missing("latency by layer")
    rows = [_time(layer, latency) for layer in qor.layers]
    worst = interval(latency.worst_ns_lo, latency.worst_ns, latency.worst_ns_hi, 1)
    slowest = max(rows, key=lambda row: row.value or 0.0)
    return Picture(
        "Where the nanoseconds go",
        f"Latency of each of {len(rows)} layers in ns; the most is {slowest.name} with {slowest.said}.",
        _layers(qor, latency),
        Bars(rows, "ns"),
        f"The design takes {worst} ns ({qor.source}). Layers overlap in time, and what each takes alone is less well known "
        "than the sum.",
    )


def _time(layer: LayerQoR, latency: Latency) -> Bar:
    value, low, high = _ns(layer, latency)
    cycles = interval(layer.cycles_lo, layer.cycles, layer.cycles_hi)
    said = "-" if value is None else f"{fixed(value, 1)} ns, {cycles} cycles"
    return Bar(layer.name, value, said, low, high)


def _ns(layer: LayerQoR, latency: Latency) -> tuple[float | None, float | None, float | None]:
    """Cycles times the period, as ``Latency`` has it for the whole."""
    low_period = latency.clock_target_ns if latency.is_interval else latency.period_ns
    pairs = (
        (layer.cycles, latency.period_ns),
        (layer.cycles_lo, low_period),
        (layer.cycles_hi, latency.period_hi_ns),
    )
    value, low, high = (None if n is None or period is None else n * period for n, period in pairs)
    return value, low, high


def _layers(qor: QoR, latency: Latency) -> TextTable:
    shares = [name for name in COSTS if _total(qor, name) is not None]
    heads = [
        "layer",
        "kind",
        "cycles",
        "ns",
        *(name.upper() for name in COSTS),
        *(f"{name.upper()} of part" for name in shares),
    ]
    rows = []
    for layer in qor.layers:
        value, low, high = _ns(layer, latency)
        cells = [layer.name, layer.op, interval(layer.cycles_lo, layer.cycles, layer.cycles_hi)]
        cells += [interval(low, value, high, 1), *(count(getattr(layer, name)) for name in COSTS)]
        cells += [_of_part(getattr(layer, name), _total(qor, name)) for name in shares]
        rows.append(tuple(cells))
    return TextTable(tuple(heads), tuple(rows), frozenset({"kind"}))


def _total(qor: QoR, name: str) -> float | None:
    available = None if qor.resources is None else qor.resources.available
    found: float | None = None if available is None else getattr(available, name)
    return found


def _of_part(used: float | None, total: float | None) -> str:
    return "-" if used is None or total is None or total == 0 else share_text(used / total)


def logic_figure(qor: QoR) -> Picture:
    """LUT of each layer; NotMeasured where the record has none by layer."""
    known = [layer for layer in qor.layers if layer.lut is not None]
    if not known:
        raise missing("LUT by layer")
    rows = [Bar(layer.name, layer.lut, f"{count(layer.lut)} LUT") for layer in known]
    costly = max(rows, key=lambda row: row.value or 0.0)
    heads = ("layer", *(name.upper() for name in COSTS))
    cells = tuple((layer.name, *(count(getattr(layer, name)) for name in COSTS)) for layer in known)
    alt = f"LUT of each of {len(rows)} layers; the most is {costly.name} with {costly.said}."
    return Picture("Where the logic goes", alt, TextTable(heads, cells), Bars(rows, "LUT"))


def part_figure(qor: QoR) -> Picture:
    """Share of the part that the design takes; NotMeasured where either is unknown."""
    resources = qor.resources
    found = {} if resources is None else {name: resources.percent(name) for name in RESOURCE_NAMES}
    if resources is None or all(value is None for value in found.values()):
        raise missing("the share of the part")
    rows, cells = [], []
    for name, percent in found.items():
        used, total = getattr(resources, name), _total(qor, name)
        if percent is None or total is None:
            continue
        low, high = resources.intervals.get(name, (None, None))
        first, last = (None if end is None else 100 * end / total for end in (low, high))
        rows.append(Bar(name.upper(), percent, share_text(percent / 100), first, last))
        cells.append((name.upper(), interval(low, used, high), count(total), share_text(percent / 100)))
    alt = (
        f"Resources as a share of {qor.part or 'the part'}: "
        + ", ".join(f"{row.name} {row.said}" for row in rows)
        + "."
    )
    table = TextTable(("resource", "used", "available", "share"), tuple(cells))
    return Picture(f"Share of the part {qor.part or ''}".strip(), alt, table, Bars(rows, "% of the part"))


def bits_figure(graph: FixedPointGraph) -> Picture:
    """Bits of the weights of each layer, and the share of them that is 0."""
    weighted = [node for node in graph.nodes if "weight" in node.arrays]
    if not weighted:
        raise missing("weights")
    rows = [
        Bar(
            node.name, _bits(node, "weight"), f"{_bits(node, 'weight')} bits, {share_text(_zeros(node))} zero"
        )
        for node in weighted
    ]
    heads = ("layer", "kind", "weights", "zero", "weight", "bias", "accumulator", "result")
    cells = tuple(map(_types, weighted))
    total = sum(node.arrays["weight"].codes.size for node in weighted)
    zeros = sum(int((node.arrays["weight"].codes == 0).sum()) for node in weighted)
    alt = (
        f"Bits of the weights of {len(rows)} layers; {share_text(zeros / total)} of {total:,} weights are 0."
    )
    return Picture(
        "Bits of the weights",
        alt,
        TextTable(heads, cells, frozenset(heads[1:2])),
        Bars(rows, "bits of a weight"),
    )


def _bits(node: Node, name: str) -> int:
    return node.types[name].width if name in node.types else 0


def _zeros(node: Node) -> float:
    return float(np.mean(node.arrays["weight"].codes == 0))


def _types(node: Node) -> tuple[str, ...]:
    kinds = [node.types[name].text if name in node.types else "-" for name in ("weight", "bias", "accum")]
    return (
        node.name,
        node.op,
        count(node.arrays["weight"].codes.size),
        share_text(_zeros(node)),
        *kinds,
        node.result.text,
    )


def ranges_figure(found: Sequence[ValueRange], title: str) -> Picture:
    """Values against their types; NotMeasured where none were recorded."""
    if not found:
        raise missing(title.lower())
    heads = (
        "tensor",
        "type",
        "values",
        "least",
        "largest",
        "zero",
        "cut or at an end",
        "spare bits, top",
        "spare bits, bottom",
    )
    cells = tuple(map(_range, found))
    return Picture(
        title, _alt(found), TextTable(heads, cells, frozenset({"type"})), draw_ranges(found), _remarks(found)
    )


def _range(row: ValueRange) -> tuple[str, ...]:
    cut = row.at_ends if row.beyond is None else row.beyond
    ends = f"{share_text(row.zeros)}", share_text(cut), str(row.spare_high), str(row.spare_low)
    return (
        f"{row.layer} {row.what}",
        row.type,
        count(row.values),
        number(row.low),
        number(row.high),
        *ends,
    )


def _alt(found: Sequence[ValueRange]) -> str:
    cut, spare = sum(row.saturates for row in found), sum(row.spare >= TOO_MANY for row in found)
    said = f"Sizes of the values of {len(found)} tensors over the reach of their types"
    return f"{said}; {cut} cut values, {spare} have {TOO_MANY} or more spare bits."


def _remarks(found: Sequence[ValueRange]) -> str:
    """The tensors that a reader should look at."""
    asks: tuple[tuple[str, Callable[[ValueRange], bool]], ...] = (
        ("Values are cut", lambda row: row.saturates),
        (f"{TOO_MANY} or more bits carry nothing", lambda row: row.spare >= TOO_MANY),
    )
    said = []
    for words, ask in asks:
        names = [f"{row.layer} {row.what} ({said_of(row)})" for row in found if ask(row)]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        said += [f"{words}: {', '.join(names[:4])}{more}."] if names else []
    return " ".join(said) or "No value is cut, and no type has more than two bits to spare."
