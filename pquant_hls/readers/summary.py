"""``csynth.rpt``: the synthesis summary of Vitis HLS, one tree of modules and loops."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pquant_hls.qor import Available, Latency, Resources
from pquant_hls.qor.parts import available
from pquant_hls.readers import checks, values
from pquant_hls.readers.checks import Cycles
from pquant_hls.readers.csynth_rpt import version_of
from pquant_hls.readers.records import CsynthReport, ReportModule
from pquant_hls.readers.tables import Block, Table, fields_in, sections, table_in
from pquant_hls.readers.values import CLOCK_NS, MAX_CLOCK_RATIO, Printed, Spot

TITLE = re.compile(r"== Synthesis Summary Report of '(?P<top>[^']+)'\s*\Z")
_NAME = re.compile(r"(?P<indent> *)(?P<sign>[+o]) (?P<name>\S.*?)(?P<dataflow>\*?)\Z")
_USED = re.compile(r"(?P<used>\d+) \((?P<percent>~0|\d+)%\)\Z")
_TITLES = {"BRAM": "bram_18k", "DSP": "dsp", "FF": "ff", "LUT": "lut", "URAM": "uram"}
_ORDER = ("Slack", "(cycles)", "(ns)", "Interval", "Pipelined", "BRAM", "DSP", "FF", "LUT", "URAM")
MAX_ON_DEVICE = 4e7  # twice the flip-flops of the largest devices (DS950)
_ESTIMATES = r"\+ Performance & Resource Estimates:"


@dataclass(frozen=True)
class Row:
    """One line of the tree; ``depth`` counts from the top, ``shares`` hold used and percent as printed."""

    name: str
    depth: int
    is_loop: bool
    cycles: Cycles
    slack_ns: float | None
    issue: str | None
    used: dict[str, float | None]
    shares: dict[str, tuple[int, str]]


def read(block: Block, spot: Spot) -> CsynthReport:
    titles = [(index, found) for index, line in enumerate(block.lines) if (found := TITLE.match(line))]
    if len(titles) != 1:
        raise spot.error(f"{len(titles)} synthesis summaries in one file")
    index, title = titles[0]
    parts = sections(Block(block.lines[index:], block.start + index), spot)
    part = parts[f"Synthesis Summary Report of '{title['top']}'"]
    general = part.after(r"\+ General Information:", spot, stop=r"\+ ")
    fields = {} if general is None else fields_in(general, spot, "* ")
    rows = _rows(part, spot)
    top = rows[0] if rows else None
    if top is not None and top.name != title["top"]:
        raise spot.error(f"the title names {title['top']!r}, the table {top.name!r}")
    device = values.part(fields.get("Target device"), spot.at("Target device"))
    version = version_of(fields, spot)
    _check_tree(rows, available(device), version, spot)
    report = CsynthReport(
        kind="csynth_summary",
        file=spot.file,
        tool="Vitis HLS",
        version=version,
        top=values.function(title["top"], spot.at("title")),
        part=device,
        modules=tuple(_module(row) for row in rows if row.depth == 1 and not row.is_loop),
        date=values.date(fields.get("Date")),
        missing=() if rows else ("table of estimates",),
    )
    return report if top is None else report.model_copy(update=_top(top, version))


def _top(row: Row, version: str | None) -> dict[str, object]:
    cycles = row.cycles
    return {
        "pipeline_type": cycles.pipeline_type,
        "issue": row.issue,
        "slack_ns": _slack(row, version),
        "latency": Latency(
            cycles_max=cycles.worst, ii_cycles=cycles.interval_max, printed_ns=values.ns(cycles.worst_time)
        ),
        "latency_ns_max": values.ns(cycles.worst_time),
        "interval_max": cycles.interval_max,
        "resources": Resources(**row.used),
    }


def _slack(row: Row, version: str | None) -> float | None:
    """As target - uncertainty - estimated. Vitis HLS 2020.2 prints the opposite: its violations are positive."""
    if row.slack_ns is None or version is None:
        return None
    return -row.slack_ns if version.startswith("2020.") else row.slack_ns


def _module(row: Row) -> ReportModule:
    return ReportModule(
        instance=row.name,
        module=row.name,
        cycles_max=row.cycles.worst,
        ii_cycles=row.cycles.interval_max,
        lut=row.used["lut"],
        ff=row.used["ff"],
        dsp=row.used["dsp"],
        bram_18k=row.used["bram_18k"],
        uram=row.used["uram"],
    )


def _rows(part: Block, spot: Spot) -> list[Row]:
    estimates = part.after(_ESTIMATES, spot)
    after = None if estimates is None else estimates.after(r"\s*PS: ", spot)
    table = table_in(after, spot)
    if table is None:
        return []
    checks.check_sequence([title.split()[-1] for title in table.columns if title], _ORDER, spot)
    raw = [line for line in (after.lines if after else ()) if re.match(r"\s*\| *[+o] ", line)]
    if len(raw) != len(table.rows):
        raise spot.at(f"line {table.line}").error("a row that is neither module nor loop")
    return [_row(table, row, line.split("|")[1], spot) for row, line in zip(table.rows, raw, strict=True)]


def _row(table: Table, row: tuple[str, ...], name: str, spot: Spot) -> Row:
    found = _NAME.match(name.rstrip())
    if found is None:
        raise spot.at(f"table at line {table.line}").error(f"{row[0]!r} is neither module nor loop")
    place = spot.at(f"row {row[0]}")

    def cell(ending: str) -> str:
        columns = [index for index, title in enumerate(table.columns) if title.endswith(ending)]
        if len(columns) != 1:
            raise place.error(f"{len(columns)} columns {ending!r} instead of one")
        return row[columns[0]]

    shares = {key: share for title, key in _TITLES.items() if (share := _share(cell(title), place.at(title)))}
    kind = values.phrase(cell("Pipelined"), place)
    time = values.duration(cell("(ns)"), place.at("latency (ns)"), "ns")
    cycles = Cycles(
        worst=values.cycles(cell("(cycles)"), place),
        worst_time=time,
        interval_max=values.cycles(cell("Interval"), place),
        pipeline_type=kind,
    )
    return Row(
        (values.words if found["sign"] == "o" else values.function)(found["name"], place) or "",
        len(found["indent"]),
        found["sign"] == "o",
        cycles,
        values.signed(cell("Slack"), place),
        cell("Issue Type") if cell("Issue Type") else None,
        {key: float(shares[key][0]) if key in shares else 0.0 for key in _TITLES.values()},
        shares,
    )


def _share(text: str, spot: Spot) -> tuple[int, str] | None:
    """``177 (268%)`` to (177, "268"); ``-`` stands for none used."""
    if text == "-":
        return None
    found = _USED.match(text)
    if found is None:
        raise spot.error(f"{text[:40]!r} is not a count with its share")
    return values.whole_number(found["used"], spot) or 0, found["percent"]


def _check_tree(rows: list[Row], there: Available | None, version: str | None, spot: Spot) -> None:
    """Depths that follow each other, and rows that agree on clock and part; ``there`` is what the part has."""
    if rows and (rows[0].depth != 0 or rows[0].is_loop or any(row.depth == 0 for row in rows[1:])):
        raise spot.error("the table does not start with its one top function")
    for row in rows:
        checks.check_cycles(row.cycles, checks.Clock(), spot.at(f"row {row.name}"))
        _check_below(row, rows[0], spot.at(f"row {row.name}"))
        _check_above(row, _targets(rows, version), spot.at(f"row {row.name}"))
    for name in _TITLES.values():
        total = None if there is None else getattr(there, name)
        _check_part(name, [row for row in rows if name in row.shares], total, spot)


def _check_below(row: Row, top: Row, spot: Spot) -> None:
    """A row takes at most the cycles and the clock period of the top."""
    for name, used in row.used.items():
        if used is not None and used > (top.used[name] or 0.0):
            raise spot.at(name).error(f"{used:g} in a function of {top.used[name]:g}")
    here, above = _period(row.cycles), _period(top.cycles)
    if here is not None and not CLOCK_NS[0] <= here.ns <= CLOCK_NS[1] * MAX_CLOCK_RATIO:
        raise spot.error(f"{here.ns:g} ns for one cycle")
    if row.is_loop or row is top:
        return
    if row.cycles.worst is not None and top.cycles.worst is not None and row.cycles.worst > top.cycles.worst:
        raise spot.error(f"{row.cycles.worst} cycles in a function of {top.cycles.worst}")
    if here is not None and above is not None and here.ns - here.step_ns > above.ns + above.step_ns:
        raise spot.error(f"a clock period of {here.ns:g} ns above that of the top, {above.ns:g} ns")
    if row.slack_ns is None or row.slack_ns != top.slack_ns or here is None or above is None:
        return
    if here.ns + here.step_ns < above.ns - above.step_ns - 0.01:
        raise spot.error(
            f"at equal slack a clock period of {here.ns:g} ns, that of the top is {above.ns:g} ns"
        )


def _targets(rows: list[Row], version: str | None) -> list[Printed]:
    """The target clock as the rows with slack to spare tell it: their period is max(target, estimate)."""
    spare = [row for row in rows if (slack := _slack(row, version)) is not None and slack > 0]
    return [period for row in spare if not row.is_loop and (period := _period(row.cycles)) is not None]


def _check_above(row: Row, targets: list[Printed], spot: Spot) -> None:
    """No row takes less time for a cycle than the target."""
    here = _period(row.cycles)
    if here is None or row.is_loop:
        return
    for target in targets:
        if here.ns + here.step_ns < target.ns - target.step_ns:
            raise spot.error(f"{here.ns:g} ns for one cycle, the target is {target.ns:g} ns")


def _period(cycles: Cycles) -> Printed | None:
    """Time of one cycle with the uncertainty that the printed digits leave."""
    if cycles.worst is None or cycles.worst_time is None or cycles.worst == 0:
        return None
    return Printed(cycles.worst_time.ns / cycles.worst, cycles.worst_time.step_ns / cycles.worst)


def _check_part(name: str, rows: list[Row], there: float | None, spot: Spot) -> None:
    """used / percent bounds what the part has; the bounds of all rows must meet, at ``there`` if it is known."""
    low, high = 0.0, float("inf")
    for row in rows:
        used, percent = row.shares[name][0], row.shares[name][1]
        stated = 0 if percent == "~0" else int(percent)
        low = max(low, 100.0 * used / (stated + 1))
        if stated > 0:
            high = min(high, 100.0 * used / stated)
    high *= 1 + 1e-9
    if low > min(high, MAX_ON_DEVICE) or (there is not None and not low <= there <= high):
        raise spot.error(f"the shares of {name} do not belong to one part")
