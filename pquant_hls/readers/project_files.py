"""``hls.app``, ``vivado_hls.app`` and ``*.aps``: what project and solution the tool was told."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from pquant_hls.readers import values, xml
from pquant_hls.readers.records import AppReport, ApsReport
from pquant_hls.readers.values import Spot

_CLOCK = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ns|MHz)?\Z")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def recognises_app(root: Element) -> bool:
    return _local(root.tag) == "project" and root.get("top") is not None


def recognises_aps(root: Element) -> bool:
    return _local(root.tag) == "solution" and root.find("targetInfo") is not None


def read_app(root: Element, spot: Spot) -> AppReport:
    """The document's own namespace, where it has one, is passed over."""
    return AppReport(
        kind="app",
        file=spot.file,
        project=values.words(root.get("name"), spot),
        top=values.function(root.get("top"), spot.at("top")),
        files=tuple(file.get("name", "") for file in root.iter() if _local(file.tag) == "file"),
        solutions=tuple(item.get("name", "") for item in root.iter() if _local(item.tag) == "solution"),
    )


def read_aps(root: Element, spot: Spot) -> ApsReport:
    clock = xml.one(root, "clockList/clock", spot)
    return ApsReport(
        kind="aps",
        file=spot.file,
        solution=_attribute(root, "name/value", "string", spot),
        project=_attribute(root, "project/value", "string", spot),
        flow=_attribute(root, "flowTarget", "value", spot),
        part=values.part(_attribute(root, "targetInfo/TargetInfo", "value", spot), spot.at("TargetInfo")),
        clock_period_ns=None if clock is None else _period(clock.get("period"), spot.at("clock period")),
        clock_uncertainty=None if clock is None else values.words(clock.get("uncertainty"), spot),
    )


def _attribute(root: Element, path: str, name: str, spot: Spot) -> str | None:
    element = xml.one(root, path, spot)
    return None if element is None else values.words(element.get(name), spot.at(path))


def _period(text: str | None, spot: Spot) -> float | None:
    """``5``, ``5ns`` or ``200MHz`` to ns, as ``create_clock`` accepts them (UG1399)."""
    if text is None or values.is_nothing(text):
        return None
    found = _CLOCK.match(text.strip())
    if found is None or float(found["number"]) == 0:
        raise spot.error(f"{text[:40]!r} is not a clock period")
    number = float(found["number"])
    period = 1000.0 / number if found["unit"] == "MHz" else number
    if not values.CLOCK_NS[0] <= period <= values.CLOCK_NS[1]:
        raise spot.error(f"{period:g} ns is no clock period of an FPGA")
    return period
