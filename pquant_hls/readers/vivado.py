"""Vivado's ``report_utilization`` and ``report_timing_summary``, after synthesis, placement or routing."""

from __future__ import annotations

import re
from dataclasses import replace

from pquant_hls.qor import Resources
from pquant_hls.readers import checks, values
from pquant_hls.readers.records import BlockRam, TimingReport, UtilizationReport
from pquant_hls.readers.tables import Block, Table, fields_in, table_in
from pquant_hls.readers.values import Spot

_TOOL = re.compile(r"Vivado v\.(?P<version>\S+)")
# Names by family: Slice for 7 series, CLB for UltraScale(+), plain Registers for Versal.
_SITES = {
    "Slice LUTs": "lut",
    "CLB LUTs": "lut",
    "Slice Registers": "ff",
    "CLB Registers": "ff",
    "Registers": "ff",
    "DSPs": "dsp",
    "DSP Slices": "dsp",
    "URAM": "uram",
    "Block RAM Tile": "tile",
    "RAMB36/FIFO": "ramb36",
    "RAMB18": "ramb18",
    "RAMB36E5": "ramb36",
    "RAMB18E5": "ramb18",
}
_SITE_COLUMNS = ("Site Type", "Used", "Fixed", "Prohibited", "Available", "Util%")
_SLR = re.compile(r"SLR(?P<index>\d)\Z", re.ASCII)
_CLOCK_ROW = re.compile(
    r"(?P<name>\S+)\s+\{\S+ (?P<edge>\d+\.\d+)[^}]*\}\s+(?P<period>\d+\.\d+)\s+(?P<mhz>\d+\.\d+)\s*\Z"
)
_MET = {"All user specified timing constraints are met.": True, "Timing constraints are not met.": False}


_COMMAND = re.compile(r"\| Command +: (?P<name>\S+)")


def commands(block: Block) -> list[str]:
    """Names of the Vivado commands that wrote the report, one for each header in it."""
    return [found["name"] for line in block.lines if (found := _COMMAND.match(line))]


def _header(block: Block, spot: Spot) -> dict[str, str]:
    return fields_in(replace(block, lines=block.lines[:40]), spot, "| ")


def _version(header: dict[str, str], spot: Spot) -> str | None:
    found = _TOOL.match(header.get("Tool Version", ""))
    return checks.check_version(found["version"], spot) if found else None


def read_utilization(block: Block, spot: Spot) -> UtilizationReport:
    header = _header(block, spot)
    found_tables = _site_tables(block, spot)
    tables = [table for table in found_tables if not _slr_columns(table)]
    used, available = _used(tables, spot)
    _check_sums(tables, used, available, spot)
    blocks = {"tile", "ramb36", "ramb18"}
    found = {name: value for name, value in used.items() if name not in blocks}
    there = {name: value for name, value in available.items() if name not in blocks}
    for target, source in ((found, used), (there, available)):
        if source.get("tile") is not None:
            target["bram_18k"] = 2 * (source["tile"] or 0.0)
    part = values.part(header.get("Device"), spot.at("Device"))
    if not any(_is_prohibited(table, row) for table in tables for row in table.rows):
        checks.check_part(part, there, spot)
    version = _version(header, spot)
    slrs = _slrs([table for table in found_tables if _slr_columns(table)], used, spot)
    return UtilizationReport(
        kind="utilization",
        file=spot.file,
        tool=None if version is None else "Vivado",
        version=version,
        design=values.words(header.get("Design"), spot.at("Design")),
        part=part,
        state=values.words(header.get("Design State"), spot.at("Design State")),
        resources=checks.make_resources(found, there, spot),
        bram=BlockRam(**{name: used.get(name) for name in blocks}),
        bram_available=BlockRam(**{name: available.get(name) for name in blocks}),
        slrs=() if slrs is None else slrs,
        missing=(
            *(name for name in ("lut", "ff", "dsp", "tile") if used.get(name) is None),
            *(("regions that add up to the total",) if slrs is None else ()),
        ),
    )


def _slr_columns(table: Table) -> dict[str, int]:
    """Columns of the super logic regions, ``{"SLR0": 1, ...}``; devices of several have one such table."""
    return {title: index for index, title in enumerate(table.columns) if _SLR.match(title)}


def _slrs(tables: list[Table], used: dict[str, float | None], spot: Spot) -> tuple[Resources, ...] | None:
    """What lies in each region, in their order; None where the regions do not add up to the design."""
    if len(tables) > 1:
        raise spot.at(f"line {tables[1].line}").error("a second table of regions")
    found: dict[int, dict[str, float]] = {}
    for table in tables:
        if list(_slr_columns(table)) != [f"SLR{index}" for index in range(len(_slr_columns(table)))]:
            raise spot.at(f"table at line {table.line}").error("regions that are not SLR0, SLR1, ...")
        for row in table.rows:
            _add_row(table, row, found, spot.at(f"row {row[0]!r} of the table at line {table.line}"))
    for name in {name for counts in found.values() for name in counts}:
        total = used.get(name)
        if total is not None and sum(counts.get(name, 0.0) for counts in found.values()) != total:
            return None
    return tuple(_as_resources(found[index]) for index in sorted(found))


def _add_row(table: Table, row: tuple[str, ...], found: dict[int, dict[str, float]], spot: Spot) -> None:
    name = _SITES.get(row[0].rstrip("*"))
    for title, index in _slr_columns(table).items() if name is not None else ():
        count = values.amount(row[index], spot)
        counts = found.setdefault(int(title[-1]), {})
        if name in counts:
            raise spot.error("a row that stands twice")
        if name is not None and count is not None:
            counts[name] = count


def _as_resources(counts: dict[str, float]) -> Resources:
    tile = counts.get("tile")
    return Resources(
        lut=counts.get("lut"),
        ff=counts.get("ff"),
        dsp=counts.get("dsp"),
        uram=counts.get("uram"),
        bram_18k=None if tile is None else 2 * tile,
    )


def _site_tables(block: Block, spot: Spot) -> list[Table]:
    """All tables whose first column is Site Type."""
    tables = []
    index = 0
    while index < len(block.lines):
        line = block.lines[index]
        if line.startswith("+-") and index + 1 < len(block.lines) and "Site Type" in block.lines[index + 1]:
            table = table_in(Block(block.lines[index:], block.start + index), spot)
            if table is not None:
                place = spot.at(f"table at line {table.line}")
                if not _slr_columns(table) and not {"Used", "Available"} <= set(table.columns):
                    raise place.error(f"columns that are not known: {', '.join(table.columns)[:120]}")
                checks.check_sequence(table.columns, _SITE_COLUMNS, place)
                tables.append(table)
                index += len(table.rows) + 2
        index += 1
    return tables


def _is_prohibited(table: Table, row: tuple[str, ...]) -> bool:
    """Whether sites of this kind are closed to the design, so that fewer are available than the part has."""
    return "Prohibited" in table.columns and row[table.columns.index("Prohibited")] not in ("", "0")


def _used(tables: list[Table], spot: Spot) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Used and available by site; a site in two tables (logic, distribution) must agree."""
    used: dict[str, float | None] = {}
    available: dict[str, float | None] = {}
    for table in tables:
        for row in table.rows:
            name = _SITES.get(row[0].rstrip("*"))
            if name is None:
                continue
            place = spot.at(f"row {row[0]!r} of the table at line {table.line}")
            values_here = _site(table, row, place)
            if name in used and (used[name], available[name]) != values_here:
                raise place.error("contradicts the same row of another table")
            used[name], available[name] = values_here
    return used, available


def _site(table: Table, row: tuple[str, ...], spot: Spot) -> tuple[float | None, float | None]:
    used = values.amount(table.cell(row, "Used", spot), spot)
    there = values.amount(table.cell(row, "Available", spot), spot)
    stated = values.share(table.cell(row, "Util%", spot), spot.at("Util%"))
    if used is not None and there is not None and stated is not None:
        expected = 0.0 if there == 0 else 100.0 * used / there
        if not stated[0] <= expected <= stated[1]:
            raise spot.error(f"{table.cell(row, 'Util%', spot)} % is not {used:g} of {there:g}")
    return used, there


def _check_blocks(available: dict[str, float | None], spot: Spot) -> None:
    tile, ramb36, ramb18 = (available.get(name) for name in ("tile", "ramb36", "ramb18"))
    if tile is not None and (
        (ramb36 is not None and ramb36 != tile) or (ramb18 is not None and ramb18 != 2 * tile)
    ):
        raise spot.at("Block RAM Tile").error(
            f"{tile:g} tiles available do not fit the RAMB36 and RAMB18 available"
        )


def _check_sums(
    tables: list[Table], used: dict[str, float | None], available: dict[str, float | None], spot: Spot
) -> None:
    """A tile is one RAMB36 or two RAMB18; LUTs are logic plus memory."""
    tile, ramb36, ramb18 = (used.get(name) for name in ("tile", "ramb36", "ramb18"))
    if tile is not None and ramb36 is not None and ramb18 is not None and 2 * tile != 2 * ramb36 + ramb18:
        parts_text = f"{ramb36:g} RAMB36 and {ramb18:g} RAMB18"
        raise spot.at("Block RAM Tile").error(f"{tile:g} tiles are not {parts_text}")
    _check_blocks(available, spot)
    rows = {row[0]: row[1] for row in (tables[0].rows if tables else ())}
    parts = [values.whole_number(rows.get(name), spot.at(name)) for name in ("LUT as Logic", "LUT as Memory")]
    lut = used.get("lut")
    if lut is not None and parts[0] is not None and parts[1] is not None and lut != parts[0] + parts[1]:
        raise spot.at("LUTs").error(f"{lut:g} are not {parts[0]} as logic and {parts[1]} as memory")


def read_timing(block: Block, spot: Spot) -> TimingReport:
    header = _header(block, spot)
    version = _version(header, spot)
    summary = _summary(block, spot)
    clock, period = _first_clock(block, spot)
    met = [value for line in block.lines for text, value in _MET.items() if line.strip() == text]
    if len(set(met)) > 1:
        raise spot.error("says both that timing is met and that it is not")
    report = TimingReport(
        kind="timing",
        file=spot.file,
        tool=None if version is None else "Vivado",
        version=version,
        design=values.words(header.get("Design"), spot.at("Design")),
        part=values.part(header.get("Device"), spot.at("Device")),
        state=values.words(header.get("Design State"), spot.at("Design State")),
        clock=clock,
        clock_period_ns=period,
        clocks=_clock_count(block, spot),
        timing_met=met[0] if met else None,
        **summary,
    )
    _check_slacks(report, spot.at("Design Timing Summary"))
    _check_groups(block, report, spot.at("Design Timing Summary"))
    return report


_COLUMNS = ("wns_ns", "tns_ns", "failing_endpoints", "endpoints", "whs_ns")
_TITLES = ("WNS(ns)", "TNS(ns)", "TNS Failing Endpoints", "TNS Total Endpoints", "WHS(ns)")


def _part(block: Block, title: str, spot: Spot) -> list[str]:
    """Lines of a part that are not blank, from its title line to the next ruled-off title."""
    part = block.after(rf"\| {title}\s*\Z", spot, stop=r"\| [A-Z]")
    lines = () if part is None else part.lines
    return [line.rstrip() for line in lines if line.strip(" -") and not line.startswith("|")]


def _summary(block: Block, spot: Spot) -> dict[str, float | int | None]:
    lines = _part(block, "Design Timing Summary", spot)
    if len(lines) < 2:
        return {}
    return _slacks(lines[0], lines[1], 0, spot.at("Design Timing Summary"))


def _slacks(head: str, line: str, names: int, spot: Spot) -> dict[str, float | int | None]:
    """Figures of one row; ``names`` columns stand before the first figure."""
    titles, cells = re.split(r"\s{2,}", head.strip()), line.split()
    if tuple(titles[names : names + 5]) != _TITLES or len(cells) != len(titles):
        raise spot.error("a row that does not have the columns of its table")
    cells = cells[names:]
    return {
        "wns_ns": values.signed(cells[0], spot),
        "tns_ns": values.signed(cells[1], spot),
        "failing_endpoints": values.whole_number(cells[2], spot),
        "endpoints": values.whole_number(cells[3], spot),
        "whs_ns": values.signed(cells[4], spot),
    }


def _clock_count(block: Block, spot: Spot) -> int | None:
    """How many clocks the report lists; None where its tables of clocks are not whole."""
    summary, intra = (_part(block, title, spot)[1:] for title in ("Clock Summary", "Intra Clock Table"))
    names = {found["name"] for line in summary if (found := _CLOCK_ROW.match(line.strip()))}
    ended = any(line.startswith("| Inter Clock Table") for line in block.lines)
    whole = ended and len(names) == len(summary) and {line.split()[0] for line in intra} <= names
    return len(names) if whole else None


def _first_clock(block: Block, spot: Spot) -> tuple[str | None, float | None]:
    lines = _part(block, "Clock Summary", spot)
    rows = [found for line in lines if (found := _CLOCK_ROW.match(line.strip()))]
    if not rows:
        return None, None
    period, mhz = float(rows[0]["period"]), float(rows[0]["mhz"])
    duty = float(rows[0]["edge"]) / period if period > 0 else 0.0
    if not 0.05 <= duty <= 1 or abs(period * mhz - 1000.0) > 0.0006 * (period + mhz):
        raise spot.at(f"clock {rows[0]['name']}").error(f"a period of {period:g} ns is not {mhz:g} MHz")
    return rows[0]["name"], period


def _check_slacks(report: TimingReport, spot: Spot) -> None:
    wns, tns, failing, total = report.wns_ns, report.tns_ns, report.failing_endpoints, report.endpoints
    if wns is None or tns is None or failing is None or total is None:
        return
    if failing > total or (failing == 0) != (tns == 0) or (wns < 0) != (tns < 0) or tns > 0:
        raise spot.error(f"WNS {wns:g}, TNS {tns:g} and {failing} of {total} endpoints contradict each other")
    if failing > 0 and not failing * wns - 0.001 * failing <= tns <= wns + 0.001:
        raise spot.error(f"TNS {tns:g} cannot come from {failing} endpoints of at most {wns:g}")
    if report.timing_met and (wns < 0 or (report.whs_ns or 0.0) < 0):
        raise spot.error(f"timing is said to be met with WNS {wns:g}")


def _check_groups(block: Block, report: TimingReport, spot: Spot) -> None:
    """The design's slacks are the worst of its clocks and path groups; a lone group holds all there is."""
    rows = []
    for title, names in (("Intra Clock Table", 1), ("Inter Clock Table", 2), ("Other Path Groups Table", 3)):
        lines = _part(block, title, spot)
        for line in lines[1:]:
            if len(line.split()) != len(re.split(r"\s{2,}", lines[0].strip())):
                return  # a clock without paths leaves columns blank: nothing to compare with
            rows.append(_slacks(lines[0], line, names, spot.at(title)))
    mine = report.model_dump()
    for name in ("wns_ns", "whs_ns") if len(rows) != 1 else _COLUMNS:
        its = [row[name] for row in rows if row[name] is not None]
        if its and mine[name] is not None and mine[name] != min(value for value in its if value is not None):
            raise spot.error(f"{name} of the design, {mine[name]:g}, is not that of its clocks")
