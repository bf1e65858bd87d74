"""Records that show themselves in a notebook."""

from __future__ import annotations

import numpy as np

from pquant_hls.datasets import Dataset
from pquant_hls.qor import Latency, QoR, Resources
from pquant_hls.qor.cards import card, listing
from pquant_hls.spec import Recipe


def test_a_card_holds_texts_and_no_markup() -> None:
    shown = card("a <b>", [("x & y", "1 < 2")], ["<i>"])
    for text in ("a &lt;b&gt;", "x &amp; y", "1 &lt; 2", "<li>&lt;i&gt;</li>"):
        assert text in shown
    assert "<ul>" not in card("a", [])


def test_a_listing_without_rows_says_so() -> None:
    assert listing(["a"], [], "none") == "<div>none</div>"
    assert listing(["a"], [["1"]], "none").count("<tr>") == 2


def test_a_record_shows_what_it_knows_and_no_more() -> None:
    latency = Latency(cycles_max=8, cycles_max_lo=7, cycles_max_hi=9, clock_target_ns=5, clock_estimated_ns=4)
    shown = QoR(
        source="estimate", latency=latency, resources=Resources(lut=1200), notes=("a note",)
    )._repr_html_()
    for text in ("QoR by estimate", "8 [7..9]", "40.0 [35.0..45.0]", "1,200", "<li>a note</li>"):
        assert text in shown
    for absent in ("accuracy", "DSP", "csim"):
        assert absent not in shown
    assert "nobody yet" in QoR()._repr_html_()


def test_a_recipe_shows_its_budget_and_steps() -> None:
    told = {"name": "r", "steps": [{"step": "quantize", "bits": 5}], "budget": {"latency_ns": 60}}
    shown = Recipe.parse(told)._repr_html_()
    for text in ("recipe r", "latency &lt;= 60 ns", "step 0", "quantize bits=5"):
        assert text in shown


def test_a_data_set_shows_its_splits_and_what_was_left_out() -> None:
    x, y = np.zeros((3, 4, 2), np.float32), np.array([0, 1, 0])
    shown = Dataset(
        x, y, x[:2], y[:2], x[:1], y[:1], classes=("b", "s"), name="toy", meta={"notes": ("1 row <nan>",)}
    )._repr_html_()
    for text in ("data set toy", "3 train, 2 val, 1 test", "4 x 2", "b, s", "1 row &lt;nan&gt;"):
        assert text in shown
