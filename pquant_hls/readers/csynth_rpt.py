"""``*_csynth.rpt``: the text report of one function, Vivado HLS from 2016.4 and Vitis HLS to 2025.x."""

from __future__ import annotations

import re

from pquant_hls.qor import Resources
from pquant_hls.readers import checks, values
from pquant_hls.readers.checks import RESOURCE_NAMES, Clock, Cycles
from pquant_hls.readers.records import CsynthReport, ReportModule
from pquant_hls.readers.tables import Block, Table, fields_in, sections, table_in
from pquant_hls.readers.values import Printed, Spot

TITLE = re.compile(r"== (?P<tool>(?:Vivado|Vitis) HLS) Report for '(?P<top>[^']+)'\s*\Z")
_VERSION = re.compile(r"(?P<version>\S+)(?: \(Build .*\))?\Z")
_UNIT = re.compile(r"\+ (?:Timing|Latency)(?: \((?P<unit>[^)]*)\))?:\s*\Z")
_COLUMNS = ("BRAM_18K", "DSP", "DSP48E", "FF", "LUT", "URAM")
_LABELS = ("Total", "Available", "Available SLR", "Utilization (%)", "Utilization SLR (%)")


def version_of(fields: dict[str, str], spot: Spot) -> str | None:
    found = _VERSION.match(fields.get("Version", ""))
    return checks.check_version(found["version"], spot) if found else None


def read(block: Block, spot: Spot) -> CsynthReport:
    """One report; text in front of its title is passed over, as in what a report tool prints."""
    titles = [(index, found) for index, line in enumerate(block.lines) if (found := TITLE.match(line))]
    if len(titles) != 1:
        raise spot.error(f"{len(titles)} synthesis reports in one file")
    index, title = titles[0]
    parts = sections(Block(block.lines[index + 1 :], block.start + index + 1), spot)
    end = next(
        (i for i in range(index + 1, len(block.lines)) if block.lines[i].startswith("== ")), len(block.lines)
    )
    fields = fields_in(Block(block.lines[index + 1 : end], block.start + index + 1), spot, "* ")
    performance, utilization = parts.get("Performance Estimates"), parts.get("Utilization Estimates")
    clock = _clock(_summary(performance, r"\+ Timing", spot), _unit(performance, r"\+ Timing", spot), spot)
    cycles = _cycles(
        _summary(performance, r"\+ Latency", spot), _unit(performance, r"\+ Latency", spot), spot
    )
    part = values.part(fields.get("Target device"), spot.at("Target device"))
    used = _table(utilization, r"\* Summary:", "Name", spot)
    modules = _modules(performance, utilization, clock, spot)
    _check_instances(used, _table(utilization, r"\s*\* Instance:", "Instance", spot), spot)
    _check_top(cycles, modules, spot)
    resources = _resources(used, part, spot)
    checks.check_built(clock, cycles, resources, spot)
    checks.check_top(title["top"], _clock_source(parts.get("Interface"), spot), spot)
    return CsynthReport(
        kind="csynth_rpt",
        file=spot.file,
        tool=title["tool"],
        version=version_of(fields, spot),
        top=values.function(title["top"], spot.at("title")),
        part=part,
        pipeline_type=cycles.pipeline_type,
        latency=checks.make_latency(cycles, clock, spot),
        latency_ns_min=values.ns(cycles.best_time),
        latency_ns_max=values.ns(cycles.worst_time),
        interval_min=cycles.interval_min,
        interval_max=cycles.interval_max,
        resources=resources,
        modules=modules,
        date=values.date(fields.get("Date")),
        missing=_missing(clock, cycles, used, spot),
    )


def _missing(clock: Clock, cycles: Cycles, used: Table | None, spot: Spot) -> tuple[str, ...]:
    found = []
    if clock == Clock():
        found.append("clock")
    if cycles == Cycles():
        found.append("latency")
    if used is None or used.row("Total", spot) is None:
        found.append("resource totals")
    return tuple(found)


def _summary(block: Block | None, heading: str, spot: Spot) -> Table | None:
    part = None if block is None else block.after(heading, spot, stop=r"\+ |== ")
    if part is None:
        return None
    table = table_in(part.after(r"\s*\* Summary:", spot, stop=r"\s*[*+] "), spot)
    return _expect(table, "Clock" if "Timing" in heading else "Latency", spot)


def _table(block: Block | None, heading: str, first: str, spot: Spot) -> Table | None:
    return None if block is None else _expect(table_in(block.after(heading, spot), spot), first, spot)


def _expect(table: Table | None, first: str, spot: Spot) -> Table | None:
    """The table, whose first column shows that it is the one its heading announces."""
    if table is not None and not table.columns[0].startswith(first):
        raise spot.at(f"line {table.line}").error(f"a table of {table.columns[0]!r} instead of {first!r}")
    return table


def _unit(block: Block | None, heading: str, spot: Spot) -> str | None:
    """The unit in a heading such as ``+ Timing (ns):``; newer reports state it in each cell."""
    lines = () if block is None else [line for line in block.lines if re.match(heading, line)]
    if not lines:
        return None
    found = _UNIT.match(lines[0])
    if found is None or found["unit"] not in (None, "ns", "clock cycles"):
        raise spot.error(f"the heading {lines[0].strip()!r} is not known")
    return found["unit"]


def _clock(table: Table | None, unit: str | None, spot: Spot) -> Clock:
    if table is None or not table.rows:
        return Clock()
    if len(table.rows) != 1:
        raise spot.at(f"line {table.line}").error(f"{len(table.rows)} clocks, only one is understood")
    place = spot.at(f"timing at line {table.line}")
    target, estimated, uncertainty = (
        values.clock(table.cell(table.rows[0], title, place), place.at(title), unit)
        for title in ("Target", "Estimated", "Uncertainty")
    )
    return Clock(target, estimated, uncertainty)


def _cycles(table: Table | None, unit: str | None, spot: Spot) -> Cycles:
    if table is None or not table.rows:
        return Cycles()
    if len(table.rows) != 1:
        raise spot.at(f"line {table.line}").error(f"{len(table.rows)} latencies, only one is understood")
    return _row_cycles(table, table.rows[0], spot.at(f"latency at line {table.line}"), unit)


def _row_cycles(table: Table, row: tuple[str, ...], spot: Spot, unit: str | None) -> Cycles:
    """Latency columns of a summary or instance row; ``unit`` is that of the section's heading."""
    head = "Latency" if unit == "clock cycles" else "Latency (cycles)"
    best, worst = (values.cycles(table.cell(row, f"{head} {end}", spot), spot) for end in ("min", "max"))
    low, high = (
        values.cycles(table.cell(row, f"Interval {end}", spot), spot.at("interval")) for end in ("min", "max")
    )
    best_time: Printed | None = None
    worst_time: Printed | None = None
    if unit != "clock cycles":
        best_time = values.duration(
            table.cell(row, "Latency (absolute) min", spot), spot.at("absolute latency")
        )
        worst_time = values.duration(
            table.cell(row, "Latency (absolute) max", spot), spot.at("absolute latency")
        )
    kind = values.phrase(table.cell(row, "Pipeline Type", spot), spot)
    return Cycles(best, worst, low, high, best_time, worst_time, kind)


def _counts(table: Table, row: tuple[str, ...] | None, spot: Spot) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if row is None:
        return found
    checks.check_sequence(table.columns, _COLUMNS, spot)
    for title, name in RESOURCE_NAMES.items():
        if title in table.columns:
            found[name] = values.whole_number(table.cell(row, title, spot), spot.at(f"{title} of {row[0]}"))
    return found


def _resources(table: Table | None, part: str | None, spot: Spot) -> Resources:
    if table is None:
        return Resources()
    place = spot.at(f"utilization at line {table.line}")
    if not {"BRAM_18K", "FF", "LUT"} <= set(table.columns) or not {"DSP", "DSP48E"} & set(table.columns):
        raise place.error("a table that lacks BRAM_18K, DSP, FF or LUT")
    total = _counts(table, table.row("Total", place), place)
    available = _counts(table, table.row("Available", place), place)
    checks.check_part(part, available, place)
    for name, count in _counts(table, table.row("Available SLR", place), place).items():
        checks.check_order(count, available.get(name), place.at(f"{name} of one SLR"))
    if total:
        _check_total(table, total, place)
        _check_percent(table, total, available, place)
    return checks.make_resources(total, available, place)


def _check_total(table: Table, total: dict[str, float | None], spot: Spot) -> None:
    """The total is the sum of the rows above it."""
    parts = [_counts(table, row, spot) for row in table.rows if row[0] not in _LABELS]
    for name, value in total.items():
        rows = [part[name] for part in parts]
        if parts and value is not None and sum(row for row in rows if row is not None) != value:
            raise spot.error(f"the total of {name}, {value:g}, is not the sum of its rows")


def _check_percent(
    table: Table, total: dict[str, float | None], available: dict[str, float | None], spot: Spot
) -> None:
    """The printed share is used / available, rounded down; ``~0`` is below one percent."""
    row = table.row("Utilization (%)", spot)
    for title, name in RESOURCE_NAMES.items():
        if row is None or title not in table.columns:
            continue
        used, there = total.get(name), available.get(name)
        printed = table.cell(row, title, spot)
        if used is None or there is None or values.is_nothing(printed):
            continue
        share = 0 if there == 0 else int(100 * used) // int(there)
        stated = 0 if printed == "~0" else values.whole_number(printed, spot.at(f"share of {title}"))
        if stated != share or (printed == "~0" and used == 0):
            raise spot.error(f"{printed} % of {title} is not {used:g} of {there:g}")


def _modules(
    performance: Block | None, utilization: Block | None, clock: Clock, spot: Spot
) -> tuple[ReportModule, ...]:
    """Instances with their latency and resources; both tables name the same instances."""
    latency = performance and performance.after(r"\+ Latency", spot, stop=r"\+ |== ")
    times = _table(latency, r"\s*\* Instance:", "Instance", spot)
    areas = _table(utilization, r"\s*\* Instance:", "Instance", spot)
    if times is None:
        return ()
    unit = _unit(performance, r"\+ Latency", spot)
    area_of = {} if areas is None else _areas(areas, spot)
    names = {row[:2] for row in times.rows}
    inside = set() if areas is None else {row[:2] for row in areas.rows}
    if len({row[0] for row in times.rows}) != len(times.rows) or (inside and not names <= inside):
        raise spot.at("instances").error("the tables of latency and of utilization name different instances")
    found = []
    for row in times.rows:
        place = spot.at(f"instance {row[0]}")
        cycles = _row_cycles(times, row, place, unit)
        _check_instance(cycles, clock, place)
        found.append(
            ReportModule(
                instance=values.function(row[0], place) or "",
                module=values.function(row[1], place) or "",
                cycles_min=cycles.best,
                cycles_max=cycles.worst,
                ii_cycles=cycles.interval_max,
                **area_of.get(row[0], {}),
            )
        )
    return tuple(found)


def _check_instance(cycles: Cycles, clock: Clock, spot: Spot) -> None:
    checks.check_range(cycles, spot)
    checks.check_module_time(cycles.best, cycles.best_time, clock, spot)
    checks.check_module_time(cycles.worst, cycles.worst_time, clock, spot)


def _areas(table: Table, spot: Spot) -> dict[str, dict[str, float | None]]:
    place = spot.at(f"instances at line {table.line}")
    rows = {row[0]: _counts(table, row, place) for row in table.rows}
    if len(rows) != len(table.rows):
        raise place.error("an instance that stands twice")
    total = rows.pop("Total", None)
    for name, value in (total or {}).items():
        parts = [row[name] for row in rows.values()]
        if value is not None and sum(part for part in parts if part is not None) != value:
            raise place.error(f"the total of {name}, {value:g}, is not the sum of its rows")
    return rows


def _clock_source(interface: Block | None, spot: Spot) -> str | None:
    """What the clock's port belongs to, by the table of ports."""
    table = _table(interface, r"\* Summary:", "RTL Ports", spot)
    row = None if table is None else table.row("ap_clk", spot)
    if table is None or row is None or "Source Object" not in table.columns:
        return None
    return table.cell(row, "Source Object", spot)


def _check_instances(summary: Table | None, details: Table | None, spot: Spot) -> None:
    """The summary's row of instances is the total of the instances' own table."""
    if summary is None or details is None:
        return
    place = spot.at("row Instance")
    stated = _counts(summary, summary.row("Instance", spot), place)
    total = _counts(details, details.row("Total", spot), place)
    for name, value in stated.items():
        other = total.get(name)
        if value is not None and other is not None and value != other:
            raise place.error(f"{value:g} {name}, while the instances' own table has {other:g}")


def _check_top(cycles: Cycles, modules: tuple[ReportModule, ...], spot: Spot) -> None:
    """No instance takes longer than the function that waits for it."""
    for module in modules:
        if cycles.worst is not None and module.cycles_max is not None and module.cycles_max > cycles.worst:
            raise spot.at(f"instance {module.instance}").error(
                f"{module.cycles_max} cycles in a function of {cycles.worst}"
            )
