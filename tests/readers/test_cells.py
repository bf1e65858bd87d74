"""Cells of reports, drawn tables and XML: what a number is, what is nothing, and what is damage with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import ReportError
from pquant_hls.readers import values, xml
from pquant_hls.readers.tables import Block, Table, fields_in, sections, table_in
from pquant_hls.readers.values import MAX_COUNT, MAX_CYCLES, NOTHING, Printed, Spot
from tests.helpers import known

SPOT = Spot("a.rpt")
READERS: tuple[Callable[[str | None, Spot], object], ...] = (
    values.whole_number,
    values.cycles,
    values.amount,
    values.duration,
    values.signed,
    values.words,
    values.function,
    values.phrase,
    values.part,
    values.share,
)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", [None, " ", *sorted(NOTHING), "NA", "Undef", " - "])
def test_what_the_tool_left_open_is_none_and_never_zero(read: Any, text: str | None) -> None:
    assert read(text, SPOT) is None


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.whole_number, " 0 ", 0),
        (values.whole_number, "007", 7),
        (values.whole_number, str(MAX_COUNT), MAX_COUNT),
        (values.cycles, str(MAX_CYCLES), MAX_CYCLES),
        (values.amount, "12.5", 12.5),
        (values.amount, "12", 12.0),
        (values.amount, str(MAX_COUNT), float(MAX_COUNT)),
        (values.signed, "-0.311", -0.311),
        (values.signed, "0.00", 0.0),
        (values.signed, "inf", None),
        (values.signed, "999999999.99", 999999999.99),
        (values.words, " a name (of 2) ", "a name (of 2)"),
        (values.function, "dense_latency_ap_fixed_s", "dense_latency_ap_fixed_s"),
        (
            values.phrase,
            "loop auto-rewind stp (delay=0 clock cycles(s))",
            "loop auto-rewind stp (delay=0 clock cycles(s))",
        ),
        (values.part, "xcvu13p:-flga2577:-2-e", "xcvu13p:-flga2577:-2-e"),
        (values.share, "<0.01", (0.0, 0.01)),
    ],
)
def test_what_a_cell_says(read: Any, text: str, value: object) -> None:
    assert read(text, SPOT) == value


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (values.whole_number, "-1", "not a whole number"),
        (values.whole_number, "1.0", "not a whole number"),
        (values.whole_number, "1 000", "not a whole number"),
        (values.whole_number, "٣", "not a whole number"),
        (values.whole_number, str(MAX_COUNT + 1), "no design is that large"),
        (values.cycles, str(MAX_CYCLES + 1), "no design is that large"),
        (values.amount, "12.25", "half blocks"),
        (values.amount, "1e3", "not a number"),
        (values.amount, str(MAX_COUNT + 1), "half blocks"),
        (values.signed, "1", "not a number"),
        (values.signed, "1.5", "not a number"),
        (values.signed, "+1.50", "not a number"),
        (values.signed, "1000000001.00", "not a number"),
        (values.words, "a\x07b", "holds what no name holds"),
        (values.words, "a\ufffdb", "holds what no name holds"),
        (values.words, "x" * 4001, "a name of 4001 characters"),
        (values.function, "a b", "not a name of a function"),
        (values.function, "naïve-name", "not a name of a function"),
        (values.phrase, "yes|no", "not what a tool prints here"),
        (values.part, "pynq-z2", "not a part number"),
        (values.share, "-1.00", "not a percentage"),
        (values.share, "1,5", "not a percentage"),
    ],
)
def test_damage_names_file_place_and_text(read: Any, text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message) as found:
        read(text, SPOT.at("table at line 3").at("LUT"))
    assert found.value.where == "a.rpt: table at line 3, LUT"
    assert found.value.mend == values.MEND


def test_a_place_and_a_mend_may_be_left_out() -> None:
    assert str(SPOT.error("odd", mend="")) == "a.rpt: odd ()"
    assert SPOT.error("odd").where == "a.rpt"


@pytest.mark.parametrize(
    ("text", "unit", "ns", "step"),
    [
        ("4.357 ns", None, 4.357, 0.001),
        ("4.357", "ns", 4.357, 0.001),
        ("4.357ns", "ns", 4.357, 0.001),
        ("0.694 us", None, 694.0, 1.0),
        ("9.140 sec", None, 9.14e9, 1e6),
        ("6.939e+05", "ns", 693900.0, 100.0),
        ("1.500e-03", "ms", 1.5e3, 1.0),
        ("0", None, 0.0, 1.0),
        ("0 ns", None, 0.0, 1.0),
    ],
)
def test_a_time_keeps_the_step_of_its_last_digit(text: str, unit: str | None, ns: float, step: float) -> None:
    found = known(values.duration(text, SPOT, unit))
    assert found.ns == pytest.approx(ns)
    assert found.step_ns == pytest.approx(step)
    assert values.ns(found) == found.ns


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("4.35 ns", None, "fewer digits"),
        ("4 ns", None, "fewer digits"),
        ("4.357", None, "no known unit"),
        ("4.357 min", None, "no known unit"),
        ("4.357 us", "ns", "no known unit"),
        ("-4.357 ns", None, "not a time"),
        ("4.357 n s", None, "not a time"),
    ],
)
def test_a_time_that_lost_digits_or_its_unit(text: str, unit: str | None, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        values.duration(text, SPOT, unit)


def test_a_clock_has_two_digits_or_is_zero() -> None:
    assert values.clock("4.35", SPOT, "ns") == Printed(4.35, 0.01)
    assert values.clock("0 ns", SPOT) == values.clock(" 0", SPOT) == Printed(0.0, 0.001)
    assert values.clock(None, SPOT) is None
    assert values.ns(None) is None
    for text in ("4.3", "0.0"):
        with pytest.raises(ReportError, match="fewer digits"):
            values.clock(text, SPOT, "ns")


@given(st.integers(0, 100_00))
def test_a_printed_percentage_lies_within_its_bounds(hundredths: int) -> None:
    low, high = known(values.share(f"{hundredths / 100:.2f}", SPOT))
    assert low < hundredths / 100 < high
    assert high - low == pytest.approx(0.01002)


@given(st.integers(0, 10**9), st.sampled_from(["ns", "us", "ms"]))
def test_a_time_is_read_as_it_was_printed(thousandths: int, unit: str) -> None:
    found = known(values.duration(f"{thousandths / 1000:.3f} {unit}", SPOT))
    assert found.ns == pytest.approx(thousandths / 1000 * values.UNIT_NS[unit])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("* Product family: virtexuplus", ("Product family", "virtexuplus")),
        ("  Version:   2023.1 ", ("Version", "2023.1")),
        ("Date: Mon: noon", ("Date", "Mon: noon")),
        ("Version:", None),
        ("version: 1", None),
        ("Version 1", None),
        ("A1: 1", None),
        ("", None),
    ],
)
def test_a_field_of_a_head(line: str, found: tuple[str, str] | None) -> None:
    assert values.field(line) == found


def test_a_date_in_another_form_only_tells_less() -> None:
    assert values.date("Mon Jan  1 10:00:00 2024") == datetime(2024, 1, 1, 10)
    assert values.date("2024-01-01") is values.date(None) is None


# Tables


DRAWN = (
    "",
    "+-------+-----+-----+",
    "| Name  | LUT |  FF |",
    "|       |  count    |",
    "+-------+-----+-----+",
    "| dense |  12 |   - |",
    "+-------+-----+-----+",
    "| Total |  12 |   3 |",
    "+-------+-----+-----+",
    "behind it",
)


def drawn(*changes: tuple[int, str]) -> Table | None:
    lines = list(DRAWN)
    for index, line in changes:
        lines[index] = line
    return table_in(Block(tuple(lines), 10), SPOT)


def test_a_table_has_titles_rows_and_a_place() -> None:
    table = known(drawn())
    assert table.columns == ("Name", "LUT count", "FF count")
    assert table.rows == (("dense", "12", "-"), ("Total", "12", "3"))
    assert table.line == 12
    assert table.cell(table.rows[1], "FF count", SPOT) == "3"
    assert table.row("Total", SPOT) == ("Total", "12", "3")
    assert table.row("none", SPOT) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(1, "|-------+-----+-----|")], r"line 12: a table without its upper border"),
        ([(2, "| Name   | LUT |  FF|")], r"line 12: a table header that does not fit"),
        ([(5, "| dense |  12 |")], r"line 16: a row that does not have 3 cells"),
        ([(5, "| dense |  12 |   -  ")], r"line 16: a row that does not have 3 cells"),
    ],
)
def test_a_damaged_table_names_its_line(changes: list[tuple[int, str]], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        drawn(*changes)


@pytest.mark.parametrize("lines", [(), ("", " "), ("no table",), ("", "+--+", "| a |")])
def test_where_no_table_is_there_is_none(lines: tuple[str, ...]) -> None:
    assert table_in(Block(lines), SPOT) is None
    assert table_in(None, SPOT) is None


def test_a_title_or_a_row_stands_once() -> None:
    table = Table(("Name", "LUT", "LUT"), (("a", "1", "2"), ("a", "3", "4")), 7)
    with pytest.raises(ReportError, match="table at line 7: 2 columns 'LUT' instead of one"):
        table.index("LUT", SPOT)
    with pytest.raises(ReportError, match="0 columns 'FF' instead of one"):
        table.cell(table.rows[0], "FF", SPOT)
    with pytest.raises(ReportError, match="the row 'a' stands 2 times"):
        table.row("a", SPOT)


def test_parts_of_a_text() -> None:
    block = Block(("head", "== One ", "1", "2", "== Two", "3"), 4)
    found = sections(block, SPOT)
    assert {name: (part.lines, part.start) for name, part in found.items()} == {
        "One": (("1", "2"), 6),
        "Two": (("3",), 9),
    }
    after = known(block.after("== One", SPOT, stop="== "))
    assert (after.lines, after.start) == (("1", "2"), 6)
    assert known(block.after("== Two", SPOT)).lines == ("3",)
    assert known(block.after("1", SPOT, stop="nowhere")).lines == ("2", "== Two", "3")
    assert block.after("nothing", SPOT) is None
    assert sections(Block(("no heading",)), SPOT) == {}


def test_fields_of_a_head_begin_with_its_mark() -> None:
    block = Block(("* Version:  2023.1", "Total:  7", "  * Date: Mon: noon ", "* not a field"), 4)
    assert fields_in(block, SPOT, "* ") == {"Version": "2023.1", "Date": "Mon: noon"}
    assert fields_in(block, SPOT) == {"Version": "2023.1", "Total": "7", "Date": "Mon: noon"}
    assert fields_in(block, SPOT, "| ") == fields_in(Block(()), SPOT) == {}
    with pytest.raises(ReportError, match="line 6: a second 'Total'"):
        fields_in(Block(("Total: 7", "Total: 7"), 4), SPOT)


def test_a_part_that_stands_twice_is_damage() -> None:
    block = Block(("== One", "1", "== One"), 4)
    with pytest.raises(ReportError, match="line 7: a second section 'One'"):
        sections(block, SPOT)
    with pytest.raises(ReportError, match="line 7: this part stands a second time"):
        block.after("== One", SPOT)


# XML


ROOT = "<a><b><c>5</c><d> yes </d></b><e/><e/></a>"


def test_elements_are_found_once() -> None:
    root = xml.parse(ROOT, SPOT)
    assert xml.text_of(root, "b/c", SPOT) == "5"
    assert xml.text_of(root, "b/d", SPOT) == "yes"
    assert xml.text_of(root, "b/x", SPOT) is None
    assert xml.one(root, "x", SPOT) is xml.one(None, "b", SPOT) is None
    with pytest.raises(ReportError, match=r"a\.rpt: e: stands 2 times"):
        xml.one(root, "e", SPOT)
    with pytest.raises(ReportError, match=r"a\.rpt: b: holds elements where a value should be"):
        xml.text_of(root, "b", SPOT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "empty file"),
        ("<a><b></a>", "line 1 column 8: not well-formed XML"),
        ("<a>", "not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "holds what no report holds: DTDForbidden"),
        ("<a>\ud800</a>", "not XML: .*surrogates"),
    ],
)
def test_what_is_no_xml_of_a_report(text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        xml.parse(text, SPOT)


def test_a_document_of_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "XML_ELEMENTS", 5)
    xml.parse("<a><b/><b/><b/><b/></a>", SPOT)
    with pytest.raises(ReportError, match="more than 5 elements"):
        xml.parse("<a><b/><b/><b/><b/><b/></a>", SPOT)
