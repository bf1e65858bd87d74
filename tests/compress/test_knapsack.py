"""Knapsacks against every choice there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.compress.knapsack import fill, pick

seeds = st.integers(0, 2**32 - 1)


def best_of_all(values: np.ndarray, costs: np.ndarray, capacity: float) -> float:
    choices = np.array(list(product([0, 1], repeat=len(values))))
    fitting = choices[choices @ costs <= capacity * (1 + 1e-9)]
    return float((fitting @ values).max())


@given(seeds, st.integers(1, 10), st.floats(0, 1))
def test_whole_costs_are_packed_exactly(seed: int, count: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values, costs = rng.random(count), rng.integers(1, 4, count).astype(float)
    costs[0] = 1.0  # the unit
    capacity = share * costs.sum()
    found = fill(values, costs, capacity)
    assert costs[found.kept].sum() <= capacity * (1 + 1e-9)
    assert found.value == pytest.approx(values[found.kept].sum())
    assert found.value == pytest.approx(best_of_all(values, costs, capacity))
    assert found.gap == 0


@given(seeds, st.integers(1, 10), st.floats(0, 1))
def test_of_other_costs_the_bound_holds(seed: int, count: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values, costs = rng.random(count), 0.1 + rng.random(count)
    capacity = share * costs.sum()
    found = fill(values, costs, capacity)
    best = best_of_all(values, costs, capacity)
    assert costs[found.kept].sum() <= capacity * (1 + 1e-9)
    assert found.value <= best + 1e-9
    assert best <= found.bound + 1e-9
    assert 0 <= found.gap <= 1


def test_what_costs_nothing_stays_and_what_is_worth_nothing_goes_first() -> None:
    found = fill([0.0, 5.0, 0.0, 1.0], [0.0, 1.0, 1.5, 1.0], 2.0)
    assert found.kept.tolist() == [True, True, False, True]


def test_exactly_is_better_than_by_density() -> None:
    """By density the first item blocks the two that fill the capacity."""
    found = fill([6.0, 10.0, 12.0], [1.0, 2.0, 3.0], 5.0)
    assert (found.value, found.gap) == (22.0, 0.0)


@given(seeds, st.integers(1, 4), st.integers(0, 9))
def test_one_option_of_each_list_at_the_least_loss(seed: int, lists: int, wanted: int) -> None:
    rng = np.random.default_rng(seed)
    losses = [[0.0, *rng.random(3)] for _ in range(lists)]
    savings = [[0, *rng.integers(-1, 4, 3)] for _ in range(lists)]
    found = pick(losses, savings, wanted)
    every = [
        (sum(losses[i][o] for i, o in enumerate(way)), way)
        for way in product(range(4), repeat=lists)
        if sum(max(0, savings[i][o]) for i, o in enumerate(way)) >= wanted
    ]
    if found is None:
        assert not every
        return
    assert sum(max(0, savings[i][o]) for i, o in enumerate(found)) >= wanted
    assert sum(losses[i][o] for i, o in enumerate(found)) == pytest.approx(min(every)[0])
