"""Pictures: every figure at its place, every label within its frame, whatever the width; the table behind says the same."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Judgement
from pquant_hls.errors import NotMeasured, OutputError
from pquant_hls.qor import FixedType, Latency, LayerQoR, QoR
from pquant_hls.qor.ranges import value_range
from pquant_hls.reporting import Plots, RunReport, to_html, to_record
from pquant_hls.reporting.figure import NARROW, WIDE, Draw, Picture, TextTable
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.of_layers import part_figure, ranges_figure, time_figure
from pquant_hls.reporting.of_search import Merit, front
from pquant_hls.reporting.plane import Axis, Cells, Curve, Mark, Plane, columns, stairs
from pquant_hls.reporting.rows import Bar, Bars, draw_ranges, on_one_scale, said_of, share_text
from pquant_hls.reporting.style import DARK, LIGHT
from pquant_hls.reporting.svg import AxisScale, cut_to, legend, powers_within, round_values, width_of
from pquant_hls.store import Entry
from tests.helpers import known
from tests.reporting import made

WIDTHS = (NARROW, WIDE)


def parts(drawn: tuple[float, str]) -> list[Any]:
    """Elements of a picture."""
    return list(ElementTree.fromstring(f"<svg>{drawn[1]}</svg>"))


def texts(drawn: tuple[float, str]) -> list[str]:
    return [known(part.text) for part in parts(drawn) if part.tag == "text"]


def of_class(drawn: tuple[float, str], name: str) -> list[Any]:
    return [part for part in parts(drawn) if name in (part.get("class") or "").split()]


def inside(drawn: tuple[float, str], width: float) -> list[str]:
    """Texts that reach beyond a picture."""
    beyond = []
    for part in parts(drawn):
        if part.tag != "text":
            continue
        long, x = width_of(known(part.text)), float(part.get("x"))
        start = x - {None: 0.0, "middle": long / 2, "end": long}[part.get("text-anchor")]
        if start < -0.6 or start + long > width + 0.6 or float(part.get("y")) > drawn[0]:
            beyond.append(known(part.text))
    return beyond


# Scales


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_round_values_are_round_and_enclose(low: float, span: float) -> None:
    ticks = round_values(low, low + span)
    steps = [after - before for before, after in pairwise(ticks)]
    assert 2 <= len(ticks) <= 7
    assert min(steps) > 0
    slack = 2e-6 * max(1.0, abs(low) + span)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert max(steps) - min(steps) < 1e-3 * max(steps)


@pytest.mark.parametrize("error", [0.0, 1e-16, 1e-12, 1e-9])
def test_values_that_differ_by_rounding_alone_have_an_axis(error: float) -> None:
    assert len(round_values(0.73, 0.73 + error)) == 2


def test_a_scale_goes_from_end_to_end() -> None:
    linear, log = AxisScale(0, 40, 100, 0), AxisScale(1e-3, 1, 0, 300, log=10)
    assert (linear(0), linear(10), linear(40)) == (100, 75, 0)
    assert [log(value) for value in (1e-3, 1e-2, 1)] == pytest.approx([0, 100, 300])
    assert log(0) == 0, "what a logarithm has no place for stands at its end"
    assert log.ticks() == pytest.approx([1e-3, 1e-2, 1e-1, 1])


def test_ticks_stay_within_the_axis() -> None:
    assert AxisScale(73.45, 73.95, 0, 1).ticks() == pytest.approx([73.6, 73.8])
    assert powers_within(0.3, 9, 2) == [0.5, 1, 2, 4, 8]
    assert len(AxisScale(2**-20, 1, 0, 1, log=2).ticks(most=8)) <= 11


def test_a_text_without_room_is_cut_with_an_ellipsis() -> None:
    assert cut_to("a_long_layer_name", 60) == "a_long_…"
    assert cut_to("fc1", 60) == "fc1"
    assert width_of(cut_to("a_long_layer_name", 60)) <= 60


def test_a_legend_takes_the_lines_it_needs() -> None:
    items = [("c0", f"class {n}") for n in range(9)]
    (wide, body), (narrow, _) = legend(items, 640), legend(items, 200)
    assert narrow > wide > 0
    assert inside((narrow, legend(items, 200)[1]), 200) == []
    assert body.count("<text") == 9
    assert legend([], 200) == (0.0, "")


# Rows


ROWS = [
    Bar("fc1", 10.0, "10.0 ns, 2 [0..4] cycles", 0.0, 20.0),
    Bar("relu_with_quite_a_long_name", 5.0, "5.0 ns, 1 cycle"),
    Bar("fc2", None, "-"),
]


@pytest.mark.parametrize("width", WIDTHS)
def test_bars_are_as_long_as_their_values(width: float) -> None:
    drawn = Bars(ROWS, "ns", (15.0, "budget 15 ns"))(width)
    first, second = (float(bar.get("width")) for bar in of_class(drawn, "bar"))
    assert first == pytest.approx(2 * second, abs=0.2)
    assert len(of_class(drawn, "whisker")) == 3, "an interval has its ends, a measured value none"
    assert {"fc1", "fc2", "10.0 ns, 2 [0..4] cycles", "budget 15 ns", "ns"} <= set(texts(drawn))
    assert inside(drawn, width) == []


def test_bars_side_by_side_have_one_scale() -> None:
    small, large = Bars([Bar("a", 2.0, "2")], "LUT"), Bars([Bar("a", 8.0, "8", 6.0, 9.5)], "LUT")
    one, other = on_one_scale([small, large])
    lengths = [float(of_class(draw(WIDE), "bar")[0].attrib["width"]) for draw in (one, other)]
    assert lengths[1] / lengths[0] == pytest.approx(4.0, rel=0.01)
    assert large(WIDE) == other(WIDE), "the one that reaches further stays as it is"
    others: list[list[Draw]] = [[small, Bars(large.rows, "ns")], [small, draw_ranges([])], []]
    for unlike in others:
        assert on_one_scale(unlike) is unlike, "other units and pictures do not compare"


def test_what_was_not_measured_has_no_bar() -> None:
    assert of_class(Bars([Bar("a", None, "-")], "ns")(WIDE), "bar") == []


def test_shares_are_told_from_none() -> None:
    assert [share_text(value) for value in (0.0, 0.0004, 0.083, 0.421)] == ["0 %", "0.04 %", "8.3 %", "42 %"]


CLIPPED = value_range(
    "relu1", "result", FixedType.parse("ap_ufixed<6,3,AP_RND,AP_SAT>"), [7.875, 9.0, 0.5, 0.0]
)
SPARE = value_range("fc1", "bias", FixedType.parse("ap_fixed<8,3>"), [0.25, -0.25]).with_(beyond=None)


@pytest.mark.parametrize("width", WIDTHS)
def test_ranges_show_what_is_cut_and_what_is_spare(width: float) -> None:
    figure = ranges_figure([CLIPPED, SPARE], "Ranges of values")
    drawn = figure.draw(width)
    assert (len(of_class(drawn, "full")), len(of_class(drawn, "box")) - 1) == (1, 2)
    assert {"u<6,3> 25 % cut", f"<8,3> {SPARE.spare} spare"} <= set(texts(drawn))
    assert inside(drawn, width) == []
    assert "Values are cut: relu1 result" in figure.note
    assert "1 cut values, 1 have 3 or more spare bits" in figure.alt
    assert [row[:2] for row in figure.table.rows] == [
        ("relu1 result", CLIPPED.type),
        ("fc1 bias", "ap_fixed<8,3>"),
    ]


def test_a_box_reaches_from_the_types_step_to_its_largest_value() -> None:
    drawn = ranges_figure([SPARE], "Ranges")
    key, box = of_class(drawn.draw(WIDE), "box")
    narrow = value_range("fc2", "bias", FixedType.parse("ap_fixed<4,3>"), [0.5]).with_(beyond=None)
    both = of_class(ranges_figure([SPARE, narrow], "Ranges").draw(WIDE), "box")[1:]
    ratio = float(both[1].get("width")) / float(both[0].get("width"))
    assert ratio == pytest.approx(3 / 7, abs=0.01), "3 of 7 powers of two"
    assert key.tag == "line"
    assert float(box.get("width")) > 0.5 * WIDE


def test_a_type_without_a_remark_says_itself_alone() -> None:
    full = value_range("fc", "weight", FixedType.parse("ap_fixed<2,2>"), [-2.0, 1.0]).with_(beyond=None)
    assert said_of(full) == "<2,2>"
    assert "No value is cut" in ranges_figure([full], "Ranges").note


# Layers


LAYERS = QoR(
    source="estimate",
    latency=Latency(cycles_max=5, cycles_max_lo=4, cycles_max_hi=6, clock_target_ns=5, clock_estimated_ns=6),
    layers=(LayerQoR(name="fc", op="dense", cycles=2, cycles_lo=1, cycles_hi=3, lut=40.0),),
)


def test_nanoseconds_are_cycles_times_the_clock_as_of_the_whole() -> None:
    figure = time_figure(LAYERS)
    assert figure.table.rows[0][:4] == ("fc", "dense", "2 [1..3]", "12.0 [5.0..18.0]")
    assert "12.0 ns, 2 [1..3] cycles" in texts(figure.draw(WIDE))
    assert "30.0 [20.0..36.0] ns (estimate)" in figure.note


@pytest.mark.parametrize("record", [QoR(), LAYERS.with_(layers=()), LAYERS.with_(latency=None)])
def test_without_layers_or_clock_there_is_no_picture_but_a_word(record: QoR) -> None:
    with pytest.raises(NotMeasured, match="latency by layer: not recorded"):
        time_figure(record)


def test_a_share_needs_what_the_part_has() -> None:
    with pytest.raises(NotMeasured, match="share of the part"):
        part_figure(LAYERS)


# Planes


def plane(**more: Any) -> Plane:
    return Plane(Axis("ns", 0, 40), Axis("accuracy, %", 70, 76), **more)


@pytest.mark.parametrize("width", WIDTHS)
def test_points_curves_and_limits_are_where_they_belong(width: float) -> None:
    drawn = plane(
        curves=[Curve("a", [(0, 70), (40, 76)], "solid c0")],
        marks=[Mark(20, 73, "best"), Mark(30, 71, "broke", "too slow", crossed=True)],
        limits=[("x", 20.0), ("y", 73.0)],
        keys=[("best swatch", "on the front")],
    ).draw(width)
    (best,), (down, across) = of_class(drawn, "best")[1:], of_class(drawn, "limit")
    assert float(best.get("cx")) == float(down.get("x1"))
    assert float(best.get("cy")) == float(across.get("y1"))
    (broken,) = of_class(drawn, "broke")
    assert (broken.tag, broken[0].text) == ("path", "too slow")
    assert inside(drawn, width) == []


@pytest.mark.parametrize(("count", "width"), [(3, NARROW), (60, WIDE), (60, NARROW)])
def test_labels_of_columns_keep_their_distance(count: int, width: float) -> None:
    marks = [Mark(0, 72, "best", low=71, high=73) for _ in range(count)]
    drawn = columns([str(n) for n in range(count)], marks, plane())(width)
    labels = [
        part
        for part in parts(drawn)
        if part.tag == "text" and known(part.text).isdigit() and float(part.get("y")) > 300
    ]
    places = [float(label.get("x")) for label in labels]
    assert min(after - before for before, after in pairwise(places)) > width_of("59")
    assert len(of_class(drawn, "best")) == count
    assert inside(drawn, width) == []


def test_a_histogram_is_drawn_bin_by_bin() -> None:
    assert stairs([0, 1, 3], [0.25, 0.75]) == [(0, 0.25), (1, 0.25), (1, 0.75), (3, 0.75)]


def test_cells_have_their_text_where_there_is_room() -> None:
    cells = Cells(
        ["a", "b"], ["a", "b"], [[1.0, 0.0], [None, 0.5]], [["100 %", "0 %"], ["", "50 %"]], "decided", "true"
    )
    assert {"100 %", "0 %", "50 %"} <= set(texts(cells.draw(WIDE)))
    assert "100 %" not in texts(cells.draw(60))
    assert [part.get("class") for part in parts(cells.draw(WIDE)) if part.tag == "rect"] == [
        "heat h4",
        "heat h0",
        "heat h2",
    ]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    found = [
        Line(name, worst_ns=ns, accuracy=accuracy)
        for name, ns, accuracy in (
            ("a", 30, 0.7),
            ("b", 40, 0.75),
            ("c", 40, 0.74),
            ("d", 50, 0.75),
            ("e", 30, 0.7),
        )
    ]
    assert [line.step for line in front(found, Merit("accuracy", "accuracy, %"))] == ["a", "b"]


# Figures and tables


TABLE = TextTable(("layer", "what"), (("a|b", "<i> & c"),), frozenset({"what"}))


def figure() -> Picture:
    return Picture("A title", "What it shows.", TABLE, Bars(ROWS, "ns"))


def test_a_table_escapes_for_each_of_its_forms() -> None:
    assert (
        '<th role="rowheader" scope="row">a|b</th><td role="cell" class="text" data-head="what">&lt;i&gt; &amp; c</td>'
        in TABLE.html()
    )
    assert TABLE.markdown() == "| layer | what |\n| --- | --- |\n| a\\|b | &lt;i> & c |"


def test_a_figure_shows_itself_in_a_notebook() -> None:
    shown = figure()._repr_html_()
    assert shown.count("<svg") == 2
    assert 'aria-label="A title. What it shows."' in shown
    assert TABLE.html() in shown


def test_a_figure_is_saved_alone_or_with_its_table(tmp_path: Path) -> None:
    svg = ElementTree.fromstring(figure().save(tmp_path / "a.svg").read_text())
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    style, drawn = list(svg)  # its rules begin with ".pquant .picture ": something inside of something
    assert ".pquant .picture text" in (style.text or "")
    assert ("pquant" in svg.attrib["class"], drawn.attrib["class"], len(list(drawn)) > 0) == (
        True,
        "picture",
        True,
    )
    assert TABLE.html() in figure().save(tmp_path / "a.html").read_text()
    with pytest.raises(OutputError, match=r"a\.pdf: a figure is saved as \.svg or \.html"):
        figure().save(tmp_path / "a.pdf")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_paper(colours: dict[str, str]) -> None:
    for name in ("ink", "soft", "met", "missed", "unknown", "c0"):
        for ground in ("paper", "raised"):
            assert contrast(colours[name], colours[ground]) >= 4.5, name
    for name in (f"c{n}" for n in range(7)):
        assert contrast(colours[name], colours["paper"]) >= 3, name
    assert set(LIGHT) == set(DARK)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours.values())


# Runs that go by other figures than accuracy


def regression(*told: tuple[float, float]) -> RunReport:
    """Rounds with (worst ns, root mean squared error in GeV)."""
    records = []
    for number, (ns, value) in enumerate(told):
        latency = {"cycles_max": int(ns), "clock_target_ns": 1, "clock_estimated_ns": 1}
        quality = {
            "value": value,
            "error": 0.1,
            "events": 100,
            "unit": "GeV",
            "original": 3.0,
            "loss_error": 0.1,
        }
        record = {
            "latency": latency,
            "quality": {"rmse": {**quality, "lower_is_better": True, "headline": True}},
        }
        records.append(
            Entry(kind="round", name=f"round {number}", number=number, figures={"qor": record}, verdict="MET")
        )
    return RunReport(Path("runs/pt"), {}, "finished", None, "", tuple(records), Judgement.of([]))


def test_a_run_goes_by_its_own_figure_and_less_may_be_better() -> None:
    run = regression((10, 4.0), (20, 3.0), (20, 5.0), (30, 3.5))
    rows = Plots(run).fronts().table.rows
    assert [(row[2], row[3]) for row in rows] == [
        ("rmse 4 ± 0.1 GeV", "on the front"),
        ("rmse 3 ± 0.1 GeV", "on the front"),
        ("rmse 5 ± 0.1 GeV", "dominated"),
        ("rmse 3.5 ± 0.1 GeV", "dominated"),
    ]
    single = Plots(run).accuracies()
    assert (single.title, single.table.heads[1]) == ("Rmse, one by one", "rmse")
    assert "rmse, GeV" in texts(single.draw(WIDE))
    page, record = to_html(run), to_record(run)
    assert 'data-head="quality">rmse 4 ± 0.1 GeV</td>' in page
    assert 'data-head="lost">+1 ± 0.1 GeV</td>' in page
    assert json.loads(json.dumps(record))["lines"][0]["headline"]["rmse"]["value"] == 4.0


def test_points_on_the_front_have_their_statistical_error(tmp_path: Path) -> None:
    found = Plots.of(made.study(tmp_path / "study")).fronts()
    on_front = sum("on the front" in row for row in found.table.rows)
    assert found.svg().count('class="whisker"') == on_front > 1
