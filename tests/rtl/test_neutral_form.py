"""The form in which benchmarks/front.py judges every contestant: its numbers, its file, and the graph made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from _judge import form_of, graph_of, judged, share
from _neutral import Form, Layer, Types, enclosed, thinned
from front import best_at, figures, is_kept, least_for, row

from pquant_hls.qor import FixedType

MODES = [(r, s) for r in ("TRN", "RND", "RND_CONV") for s in ("WRAP", "SAT", "SAT_SYM")]


def types(rng: np.random.Generator, n: int, modes: tuple[str, str]) -> Types:
    """Widths from 0 to 6, signed or not."""
    return Types(rng.integers(0, 7, n), rng.integers(-1, 5, n), rng.integers(2, size=n) == 1, *modes)


def network(seed: int) -> Form:
    """Four inputs, five hidden values, three outputs kept whole; the contestant's outputs are the form's own."""
    rng = np.random.default_rng(seed)
    first, hidden = (types(rng, n, MODES[int(rng.integers(len(MODES)))]) for n in (4, 5))
    layers = (
        Layer(rng.integers(-5, 6, (4, 5)) / 4, rng.integers(-9, 10, 5) / 8, True, hidden),
        Layer(rng.integers(-2, 3, (5, 3)) / 2, rng.integers(-9, 10, 3) / 8, False, None),
    )
    made = Form(
        first, layers, np.zeros((0, 3), np.float32), {"contestant": "a", "seed": 0, "trainings": {"x": 1.5}}
    )
    return Form(first, layers, made.forward(inputs()).astype(np.float32), made.about)


def inputs() -> np.ndarray:
    return np.random.default_rng(9).uniform(-9, 9, (400, 4))


@pytest.mark.parametrize(("rounding", "saturation"), MODES)
def test_types_store_what_ap_fixed_stores(rounding: str, saturation: str) -> None:
    rng = np.random.default_rng(1)
    found = types(rng, 40, (rounding, saturation))
    x = np.round(rng.uniform(-20, 20, (300, 40)) * 64) / 64
    stored = found.store(x)
    for column, (width, integer, signed) in enumerate(
        zip(found.width, found.integer, found.signed, strict=True)
    ):
        kind = FixedType(int(width), int(integer), bool(signed), rounding, saturation) if width else None
        expected = np.zeros(300) if kind is None else kind.quantize(x[:, column])
        np.testing.assert_array_equal(stored[:, column], expected)


@pytest.mark.parametrize("seed", range(6))
def test_the_judge_sees_the_same_numbers(seed: int, tmp_path: Path) -> None:
    form = network(seed)
    form.save(tmp_path / "form.npz")
    read = Form.load(tmp_path / "form.npz")
    np.testing.assert_array_equal(read.forward(inputs()), form.forward(inputs()))
    y = form.forward(inputs()).argmax(axis=1)
    verdict = judged(read, inputs(), y)
    assert (verdict["exact"], verdict["val"], verdict["trainings"]) == (True, 100.0, {"x": 1.5})
    other = Form(read.inputs, read.layers, read.outputs + 1, read.about)
    assert judged(other, inputs(), y)["exact"] is False


def test_a_graph_gives_its_form_back() -> None:
    form = network(3)
    again = form_of(graph_of(form), form.outputs, form.about)
    on_grid = form.inputs.store(inputs())
    np.testing.assert_array_equal(again.forward(on_grid), form.forward(inputs()))


def test_only_what_varies_and_reaches_an_output_costs() -> None:
    first = Types.of(3, (1, 2, [1, 1, -3]), ("TRN", "WRAP"))
    hidden = Types.of(3, (0, 2, [2, 2, 2]), ("TRN", "WRAP"))
    weights = np.array([[1.0, 0.75, 0.0], [0.0, 3.0, 0.0], [2.0, 1.0, 0.0]])  # the third input has no bits
    after = np.array([[1.0], [0.0], [5.0]])  # the second value is not read, the third is constant
    form = Form(
        first,
        (Layer(weights, np.ones(3), True, hidden), Layer(after, np.zeros(1), False, None)),
        np.zeros((0, 1), np.float32),
    )
    assert [int(live.sum()) for live in form.live()] == [1, 1]
    assert form.ebops() == 1 * 4 + 1 * 4
    np.testing.assert_array_equal(enclosed(np.array([0.0, 0.5, -3.0, 5.0, 1.25])), [0, 1, 2, 3, 3])


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="RND_ZERO"):
        Types.of(1, (1, 2, 3), ("RND_ZERO", "WRAP"))


def test_a_front_is_chosen_by_validation_and_read_on_the_test_split() -> None:
    given = [(1000.0, 73.0, 72.5), (2000.0, 72.0, 74.9), (4000.0, 74.5, 74.1), (4000.0, 74.5, 74.1)]
    points = [
        {
            "contestant": "a",
            "seed": 0,
            "lut": lut,
            "val": val,
            "test": test,
            "exact": True,
            "trainings": {"t": 2.0},
        }
        for lut, val, test in given
    ]
    for point in points:
        point["kept"] = is_kept(point, points)
    assert [point["kept"] for point in points] == [True, False, True, True]
    kept = [point for point in points if point["kept"]]
    assert best_at(kept, 999) is None
    assert (best_at(kept, 2000), best_at(kept, 5000)) == (72.5, 74.1)
    assert (least_for(kept, 74.0), least_for(kept, 74.5)) == (4000.0, None)
    assert figures(kept, 70.0, (74.0, 74.5))["height above 70 %"] == pytest.approx(
        (2.5 * np.log(4) + 4.1 * np.log(10)) / np.log(80), abs=0.02
    )
    found = row("a", points, 70.0, (74.0, 74.5))
    assert (found["CPU s a seed"], found["seeds"], found["LUT for 74.5 %"]) == (2.0, 1, None)


def test_thinning_keeps_the_best_below_each_cost() -> None:
    points = [(1.0, 0.5, "a"), (10.0, 0.4, "b"), (100.0, 0.9, "c"), (101.0, 0.8, "d")]
    assert thinned(points, 3) == ["a", "c"]
    assert thinned([], 3) == []


def test_a_lone_column_says_label_1() -> None:
    assert share(np.array([[0.5], [-1.0]]), np.array([1, 1])) == 0.5
