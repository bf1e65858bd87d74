"""Cells of reports to numbers: units stated, nothings to None, anything odd to ReportError with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from pquant_hls.errors import ReportError
from pquant_hls.qor.parts import PART_NUMBER

NOTHING = frozenset({"", "-", "?", "undef", "na", "n/a", "n-a"})
UNIT_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9}
# Bounds far beyond any real design, to refuse what a damaged digit would turn into a figure.
MAX_CYCLES = 10**12
MAX_COUNT = 10**8
CLOCK_NS = (0.5, 1000.0)
MAX_CLOCK_RATIO = 100.0
MAX_USED_RATIO = 100.0

MEND = "copy or write the report anew; if the tool itself printed it so, this layout is not known here"

_COUNT = re.compile(r"\d+\Z", re.ASCII)
_AMOUNT = re.compile(r"\d+(\.\d+)?\Z", re.ASCII)
_TIME = re.compile(
    r"(?P<mantissa>\d+(?:\.(?P<decimals>\d+))?)(?:[eE](?P<exponent>[+-]\d{1,2}))?\s*(?P<unit>[A-Za-z]*)\Z",
    re.ASCII,
)
_FUNCTION = re.compile(r"\w+\Z", re.ASCII)
_PHRASE = re.compile(r"[\w .,:;()=/-]+\Z", re.ASCII)
_SIGNED = re.compile(r"-?\d+\.\d{2,}\Z", re.ASCII)


@dataclass(frozen=True)
class Spot:
    """Where in which file a value stands, for the message of a ReportError."""

    file: str
    place: str = ""

    def at(self, place: object) -> Spot:
        return replace(self, place=f"{self.place}, {place}" if self.place else str(place))

    def error(self, message: str, mend: str | None = None) -> ReportError:
        where = f"{self.file}: {self.place}" if self.place else self.file
        return ReportError(message, where=where, mend=MEND if mend is None else mend)


@dataclass(frozen=True)
class Printed:
    """A time in ns with the step of its last printed digit, also in ns."""

    ns: float
    step_ns: float


def ns(printed: Printed | None) -> float | None:
    return None if printed is None else printed.ns


def is_nothing(text: str | None) -> bool:
    return text is None or text.strip().lower() in NOTHING


def whole_number(text: str | None, spot: Spot, limit: int = MAX_COUNT) -> int | None:
    """A whole number >= 0, or None where the tool wrote nothing, ``-``, ``?``, ``NA`` or ``undef``."""
    if text is None or is_nothing(text):
        return None
    if not _COUNT.match(text.strip()):
        raise spot.error(f"{text.strip()[:40]!r} is not a whole number >= 0")
    value = int(text.strip()[:40])
    if value > limit:
        raise spot.error(f"{value} is beyond {limit}, no design is that large")
    return value


def cycles(text: str | None, spot: Spot) -> int | None:
    """Clock cycles."""
    return whole_number(text, spot, MAX_CYCLES)


def amount(text: str | None, spot: Spot) -> float | None:
    """A count that may be a half, as block RAM tiles are."""
    if text is None or is_nothing(text):
        return None
    if not _AMOUNT.match(text.strip()):
        raise spot.error(f"{text.strip()[:40]!r} is not a number >= 0")
    value = float(text.strip()[:40])
    if value > MAX_COUNT or (2 * value) % 1 != 0:
        raise spot.error(f"{value} is not a whole number of blocks or half blocks")
    return value


def duration(text: str | None, spot: Spot, unit: str | None = None, digits: int = 3) -> Printed | None:
    """A time such as ``4.357 ns``, ``9.140 sec`` or, where ``unit`` states the column's, ``6.939e+05``.

    The tools print times with three decimals, zero without any: fewer than ``digits`` show damage.
    """
    if text is None or is_nothing(text):
        return None
    found = _TIME.match(text.strip())
    if found is None:
        raise spot.error(f"{text.strip()[:40]!r} is not a time >= 0")
    value = float(found["mantissa"]) * 10.0 ** int(found["exponent"] or 0)
    name = found["unit"] or unit or ("ns" if value == 0 else "")
    if name not in UNIT_NS or (found["unit"] and unit and found["unit"] != unit):
        raise spot.error(f"{text.strip()[:40]!r} has no known unit", mend=f"one of {', '.join(UNIT_NS)}")
    if (value > 0 or digits < 3) and len(found["decimals"] or "") < digits:
        raise spot.error(f"{text.strip()[:40]} has fewer digits than the tools print")
    step = 10.0 ** (int(found["exponent"] or 0) - len(found["decimals"] or ""))
    return Printed(value * UNIT_NS[name], step * UNIT_NS[name])


def clock(text: str | None, spot: Spot, unit: str | None = None) -> Printed | None:
    """A clock period, which all tools print with two digits or more; ``0 ns`` where there is no path at all."""
    if text is not None and text.strip() in ("0 ns", "0"):
        return Printed(0.0, 0.001)
    return duration(text, spot, unit, digits=2)


def signed(text: str | None, spot: Spot) -> float | None:
    """A decimal number of either sign, as slacks are, with two decimals or more; below 1e9 in size.

    None also for ``inf``, the slack where there is no path.
    """
    if text is None or is_nothing(text) or text.strip() == "inf":
        return None
    if not _SIGNED.match(text.strip()) or abs(float(text.strip()[:40])) > 1e9:
        raise spot.error(f"{text.strip()[:40]!r} is not a number")
    return float(text.strip())


def words(text: str | None, spot: Spot) -> str | None:
    """A name as the tool wrote it, None where it wrote nothing."""
    if text is None or is_nothing(text):
        return None
    if len(text) > 4000:
        raise spot.error(f"a name of {len(text)} characters")
    if not text.strip().isprintable() or "\ufffd" in text:
        raise spot.error(f"{text.strip()[:40]!r} holds what no name holds")
    return text.strip()


def function(text: str | None, spot: Spot) -> str | None:
    """Name of a function, module or instance: an identifier in ASCII."""
    return _matching(_FUNCTION, text, spot, "a name of a function")


def phrase(text: str | None, spot: Spot) -> str | None:
    """A few plain words, as those for the kind of a pipeline."""
    return _matching(_PHRASE, text, spot, "what a tool prints here")


def part(text: str | None, spot: Spot) -> str | None:
    """A part number such as ``xcvu13p-flga2577-2-e`` or, in an .aps file, ``xcvu13p:-flga2577:-2-e``.

    Device, package, speed grade and temperature grade (AMD DS890, ordering information).
    """
    return _matching(PART_NUMBER, text, spot, "a part number")


def _matching(pattern: re.Pattern[str], text: str | None, spot: Spot, what: str) -> str | None:
    name = words(text, spot)
    if name is not None and not pattern.match(name):
        raise spot.error(f"{name[:40]!r} is not {what}")
    return name


def share(text: str | None, spot: Spot) -> tuple[float, float] | None:
    """The bounds of a percentage printed with two decimals, or as ``<0.01``."""
    if text is None or is_nothing(text):
        return None
    if text.strip() == "<0.01":
        return 0.0, 0.01
    if not _AMOUNT.match(text.strip()):
        raise spot.error(f"{text.strip()[:40]!r} is not a percentage")
    value = float(text.strip()[:40])
    return value - 0.00501, value + 0.00501


def date(text: str | None) -> datetime | None:
    """``Mon Jan  1 10:00:00 2024``; None for another form, which only tells less."""
    try:
        return None if text is None else datetime.strptime(" ".join(text.split()), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return None


def field(line: str) -> tuple[str, str] | None:
    """``Name:  value`` or ``* Name:  value`` as (name, value); None for any other line."""
    name, colon, value = line.strip().removeprefix("* ").partition(":")
    is_name = name[:1].isupper() and all(sign.isalpha() or sign in " -" for sign in name)
    return (name.strip(), value.strip()) if colon and is_name and value.strip() else None
