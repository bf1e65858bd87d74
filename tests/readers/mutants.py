"""Damages reports on purpose and judges what a reader makes of them.

A verdict is ``right`` (all figures as in the whole report), ``none`` (some are None, the rest right),
``error`` (ReportError), ``restated`` or ``WRONG``. *Restated* is a different true report: every figure that
changed stands in the mutant word for word, and the file states it only once (or as closely as the other
statement's printed digits can tell). A changed figure that the file states a second time, a figure that
stands nowhere in the mutant, and any exception but ReportError are WRONG.
"""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from pquant_hls.errors import ReportError
from pquant_hls.readers import AnyReport, CsynthReport, TimingReport, UtilizationReport, read_text

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
UNITS = ("ns", "us", "ms", "sec")
BOMB = (
    '<!DOCTYPE b [<!ENTITY a "1111111111"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>\n'
)
OUTSIDE = '<!DOCTYPE b [<!ENTITY d SYSTEM "file:///etc/hostname">]>\n'
Mutation = Callable[[str, random.Random], str]


def truncate(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text))]


def drop_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    start = rng.randrange(len(lines))
    del lines[start : start + rng.choice((1, 1, 1, 2, 5))]
    return "".join(lines)


def drop_tag(text: str, rng: random.Random) -> str:
    """Remove one element with its content, or where there are none one line of a table."""
    names = sorted(set(re.findall(r"<([A-Za-z_][\w.-]*)>", text)))
    if not names:
        return drop_lines(text, rng)
    name = re.escape(rng.choice(names))
    return re.sub(rf"<{name}>.*?</{name}>", "", text, count=1, flags=re.DOTALL)


def swap_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


def swap_tables(text: str, rng: random.Random) -> str:
    """Exchange two paragraphs."""
    parts = re.split(r"(\n\s*\n)", text)
    one, two = (2 * rng.randrange((len(parts) + 1) // 2) for _ in range(2))
    parts[one], parts[two] = parts[two], parts[one]
    return "".join(parts)


def swap_elements(text: str, rng: random.Random) -> str:
    """Exchange the content of two tags or two numbers of one line."""
    lines = text.splitlines(keepends=True)
    rows = [index for index, line in enumerate(lines) if len(NUMBER.findall(line)) > 1]
    if not rows:
        return swap_numbers(text, rng)
    index = rng.choice(rows)
    lines[index] = swap_numbers(lines[index], rng)
    return "".join(lines)


def swap_numbers(text: str, rng: random.Random) -> str:
    hits = list(NUMBER.finditer(text))
    if len(hits) < 2:
        return text
    one, two = sorted(rng.sample(hits, 2), key=lambda hit: hit.start())
    return text[: one.start()] + two[0] + text[one.end() : two.start()] + one[0] + text[two.end() :]


def change_unit(text: str, rng: random.Random) -> str:
    hits = list(re.finditer(r"(?<![A-Za-z_])(ns|us|ms|sec)(?![A-Za-z_])", text))
    if not hits:
        return change_number(text, rng)
    hit = rng.choice(hits)
    return text[: hit.start()] + rng.choice([unit for unit in UNITS if unit != hit[0]]) + text[hit.end() :]


def change_number(text: str, rng: random.Random) -> str:
    """One number becomes huge, negative, another by one digit or by one, or no number."""
    hits = list(NUMBER.finditer(text))
    if not hits:
        return text
    hit = rng.choice(hits)
    old = hit[0]
    digit = rng.randrange(len(old))
    flipped = old[:digit] + str(rng.randrange(10)) + old[digit + 1 :] if old[digit] != "." else old
    new = rng.choice(
        (
            old + "0" * rng.randrange(1, 12),
            "9" * rng.randrange(12, 40),
            f"-{old}",
            flipped,
            flipped,
            "1e309",
            "nan",
            str(int(float(old)) + 1),
            "0",
            "inf",
            f"{old}.5.1",
            f"{old},000",
            "\u0663",
        )
    )
    return text[: hit.start()] + new + text[hit.end() :]


def repeat_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    start = rng.randrange(len(lines))
    return "".join([*lines[: start + 1], *lines[start : start + rng.choice((1, 3, 40))], *lines[start + 1 :]])


def add_noise(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    return (
        text[:place]
        + rng.choice(("\x00", "|", "<", "+", "\n", "\ufffd", " ", "9", "-", "&amp;", "\t"))
        + text[place:]
    )


def entity_bomb(text: str, rng: random.Random) -> str:
    if not text.lstrip().startswith("<"):
        return add_noise(text, rng)
    return rng.choice((BOMB, OUTSIDE)) + NUMBER.sub("&d;", text, count=1)


COLUMNS = (
    ("FF", "LUT"),
    ("DSP", "BRAM_18K"),
    ("DSP48E", "BRAM_18K"),
    ("DSP", "BRAM"),
    ("BRAM_18K", "URAM"),
    ("min", "max"),
    ("Target", "Estimated"),
    ("Used", "Fixed"),
    ("Used", "Available"),
    ("Best-caseLatency", "Worst-caseLatency"),
    ("Worst-caseLatency", "Interval-max"),
    ("TargetClockPeriod", "EstimatedClockPeriod"),
    ("Resources", "AvailableResources"),
    ("Total", "Available"),
    ("Verilog", "VHDL"),
    ("WNS", "WHS"),
)


def swap_names(text: str, rng: random.Random) -> str:
    """Exchange two titles of columns, rows or tags, wherever they stand."""
    pairs = [pair for pair in COLUMNS if all(re.search(rf"(?<![\w-]){name}(?![\w-])", text) for name in pair)]
    if not pairs:
        return swap_elements(text, rng)
    one, two = rng.choice(pairs)
    other = {one: two, two: one}
    return re.sub(rf"(?<![\w-])({one}|{two})(?![\w-])", lambda hit: other[hit[0]], text)


def write_otherwise(text: str, rng: random.Random) -> str:
    """Numbers as other locales, spreadsheets and scripts write them; characters as a wrong encoding shows them."""
    pattern, new = rng.choice(
        (
            (r"(?<![\d.])(\d{1,3})(\d{3})(?![\d.])", r"\1,\2"),
            (r"(\d)\.(\d)", r"\1,\2"),
            (r"(\d)(\d)", r"\1 \2"),
            (r"(\d)(\d)", "\\1\x00\\2"),
            (r"(\d)(\d)", "\\1\u00a0\\2"),
            (r"([a-z])([a-z])", "\\1\ufffd\\2"),
            (r"\n", "\r"),
            (r"(?<![\w.])(\d)", r"0\1"),
            (r"(?<![\w.])(\d)", r"+\1"),
            (r"(\d)(?![\w.])", r"\1e0"),
            (r"\n", "\u2028"),
        )
    )
    return re.sub(pattern, new, text)


MUTATIONS: dict[str, Mutation] = {
    function.__name__: function
    for function in (
        truncate,
        drop_lines,
        drop_tag,
        swap_lines,
        swap_tables,
        swap_elements,
        swap_numbers,
        change_unit,
        change_number,
        repeat_lines,
        add_noise,
        entity_bomb,
        swap_names,
        write_otherwise,
    )
}


def figures(report: AnyReport) -> dict[str, Any]:
    """All values of a record by dotted name; modules by their instance."""
    flat: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif prefix.rpartition(".")[2] not in ("file", "missing", "intervals", "instance"):
            flat[prefix] = value

    dump = report.model_dump()
    modules = dump.pop("modules", ())
    dump.pop("date", None)  # when the tool ran and what else stands in the file are no figures
    dump.pop("remarks")
    for index, used in enumerate(dump.pop("slrs", ())):
        walk(f"slrs.{index}", used)
    walk("", dump)
    for module in modules:
        walk(f"modules.{module['instance']}", module)
    return flat


def judge(original: AnyReport, mutant: str) -> str:
    """Verdict on the reader's answer to one damaged text; see the module's docstring."""
    try:
        report = read_text(mutant, "mutant")
    except ReportError as error:
        return (
            "error"
            if error.where is not None and error.where.startswith("mutant")
            else "WRONG: no file named"
        )
    if report.kind != original.kind:
        return "restated"  # a printed log holds several reports; without its first title the next one is read
    return compare(original, report, mutant)


def compare(original: AnyReport, report: AnyReport, mutant: str) -> str:
    before, after = figures(original), figures(report)
    changed = [name for name, value in after.items() if value is not None and before.get(name) != value]
    wrong = [
        name
        for name in changed
        if not _is_restated(name, before.get(name), after[name], original, report, mutant)
    ]
    if wrong:
        return f"WRONG: {wrong[0]} {before.get(wrong[0])} -> {after[wrong[0]]}"
    if changed:
        return "restated"
    return (
        "none"
        if any(value is not None and after.get(name) is None for name, value in before.items())
        else "right"
    )


def _is_restated(name: str, old: Any, new: Any, original: AnyReport, report: AnyReport, mutant: str) -> bool:
    if name in ("bram", "resources.bram_18k") or name.startswith("bram"):
        return not isinstance(original, UtilizationReport) or _share_holds(name, original, report)
    if not _stands_in(new, mutant) and name not in ("tool", "timing_met", "latency.ii_cycles"):
        return isinstance(original, CsynthReport) and "_ns" in name and _is_converted(new, mutant)
    if isinstance(original, CsynthReport) and isinstance(report, CsynthReport):
        return not _is_stated_twice(name, old, new, original, report)
    if isinstance(original, UtilizationReport):
        return _share_holds(name, original, report) if name.startswith("resources") else True
    if isinstance(original, TimingReport):
        return name not in ("wns_ns", "whs_ns", "tns_ns")
    return True


def _stands_in(value: Any, text: str) -> bool:
    """The value is written in the text, in any of the ways numbers are printed."""
    if isinstance(value, tuple):
        return all(_stands_in(item, text) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        name = "".join(str(value).split())
        return any(name in "".join(written.split()) for written in (text, html.unescape(text)))
    return any(
        float(hit) == float(value) for hit in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", text)
    ) or any(float(hit) == float(value) for hit in re.findall(r"\d+(?:\.\d+)?", text))


def _is_converted(value: float, text: str) -> bool:
    """A time that stands in the text in another unit."""
    return any(
        abs(float(number) * {"ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9}[unit] - value) < 1e-6 * value + 1e-9
        for number, unit in re.findall(r"(\d+(?:\.\d+)?) (ns|us|ms|sec)", text)
    )


def _step_ns(time_ns: float) -> float:
    """Worth of the last of the three decimals that the tools print a time with."""
    for unit in (1e9, 1e6, 1e3):
        if time_ns >= 0.1 * unit:
            return 1e-3 * unit
    return 1e-3


def _is_stated_twice(name: str, old: Any, new: Any, original: CsynthReport, report: CsynthReport) -> bool:
    """Figures that the file contradicts when only one statement of them changed."""
    latency = original.latency
    period = latency.period_ns
    times_printed = (
        original.latency_ns_max not in (None, 0.0)
        and report.latency_ns_max is not None
        and report.latency.period_ns
    )
    if (
        name in ("latency.cycles_min", "latency.cycles_max")
        and times_printed
        and old is not None
        and period is not None
    ):
        slack = 0.0104 * max(old, new) + 2.1 * _step_ns(original.latency_ns_max or 0.0)
        return bool(abs(new - old) * period > slack)
    if name.startswith("latency.clock") and times_printed and period is not None and latency.cycles_max:
        moved = abs((report.latency.period_ns or period) - period) * latency.cycles_max
        return moved > 0.0104 * latency.cycles_max + 2.1 * _step_ns(original.latency_ns_max or 0.0)
    if name.startswith("resources.") and "available" not in name and original.kind == "csynth_rpt":
        return report.resources.lut is not None
    if name in ("interval_min", "interval_max") and original.pipeline_type in ("yes", "function"):
        return original.kind == "csynth_xml" and new > (report.latency.cycles_max or 0) + 1
    return False


def _share_holds(name: str, original: UtilizationReport, report: AnyReport) -> bool:
    """Vivado prints each share with two decimals: what changes it by more was contradicted."""
    site = name.rpartition(".")[2]
    if not isinstance(report, UtilizationReport):
        return False
    if site in ("tile", "ramb36", "ramb18", "bram_18k"):
        return "available" in name or _tiles_agree(report)
    before, after = original.resources.percent(site), report.resources.percent(site)
    return before is None or after is None or abs(before - after) <= 0.0101


def _tiles_agree(report: UtilizationReport) -> bool:
    tile, ramb36, ramb18 = report.bram.tile, report.bram.ramb36, report.bram.ramb18
    return tile is None or ramb36 is None or ramb18 is None or 2 * tile == 2 * ramb36 + ramb18
