"""Arrays that steps are made of: which weights stay, how many integer bits they need, what is refitted."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.compress.calibration import SEARCHED, integer_bits, reaching, squared_error
from pquant_hls.compress.factors import _split
from pquant_hls.compress.reconstruction import DAMPING, ridge
from pquant_hls.compress.zeros import _by_one_order, _kept, _rank, block_mask, keep_largest
from pquant_hls.qor import FixedType
from pquant_hls.spec.steps import PruneConfig, QuantizeConfig

sizes = st.tuples(st.integers(1, 9), st.integers(1, 5))
seeds = st.integers(0, 2**32 - 1)


def kernel(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(seeds, sizes, st.floats(0, 0.99))
def test_the_smallest_go_and_as_many_as_were_asked(
    seed: int, shape: tuple[int, int], sparsity: float
) -> None:
    rank = np.abs(kernel(seed, shape))
    kept = rank.size - round(sparsity * rank.size)
    mask = keep_largest(rank, kept)
    assert mask.shape == shape
    assert int(mask.sum()) == kept
    if (~mask).any() and mask.any():
        assert rank[~mask].max() <= rank[mask].min()


def test_of_equal_weights_the_first_go() -> None:
    assert keep_largest(np.ones((2, 2)), 2).tolist() == [[False, False], [True, True]]


@given(seeds, sizes, st.integers(1, 3), st.integers(2, 5))
def test_each_block_keeps_its_n_largest(seed: int, shape: tuple[int, int], n: int, m: int) -> None:
    rank = np.abs(kernel(seed, shape))
    mask = block_mask(rank, n, m)
    for column in range(shape[1]):
        for start in range(0, shape[0], m):
            block, kept = rank[start : start + m, column], mask[start : start + m, column]
            assert kept.sum() == min(n, len(block))
            if kept.any() and (~kept).any():
                assert block[kept].min() >= block[~kept].max()


def test_blocks_of_a_convolution_run_along_its_channels() -> None:
    rank = np.arange(1 * 4 * 2).reshape(1, 4, 2).astype(np.float64)
    assert block_mask(rank, 1, 2)[0, :, 0].tolist() == [False, True, False, True]


def test_one_ranking_over_all_kernels_counts_what_each_keeps() -> None:
    ranks = {("a", 0): np.array([0.5, 1.5, 1.4]), ("b", 0): np.array([[0.1], [0.2], [9.0]])}
    assert _by_one_order(ranks, 3) == {("a", 0): 2, ("b", 0): 1}
    assert _by_one_order(ranks, 6) == {("a", 0): 3, ("b", 0): 3}


def test_chance_ranks_zeros_last_and_repeats_itself() -> None:
    config = PruneConfig(importance="random", seed=3)
    weights = np.array([0.0, 5.0, 0.0, 1e-9], np.float32)
    rank = _rank(weights, config, 0)
    assert (rank[[0, 2]] == 0).all()
    assert (rank[[1, 3]] > 0).all()
    assert np.array_equal(rank, _rank(weights, config, 0))
    assert not np.array_equal(rank, _rank(weights, config, 1))
    size = np.abs(weights).astype(np.float64)
    assert np.array_equal(_rank(-weights, PruneConfig(), 0), size / size.mean()), (
        "in shares of the kernel's mean"
    )


@pytest.mark.parametrize(("share", "kept"), [(0.0, 4), (0.25, 4), (0.5, 3), (1.0, 2)])
def test_rounds_lead_from_m_to_n(share: float, kept: int) -> None:
    assert _kept(PruneConfig.parse({"method": "n_m"}), share) == kept


# Integer bits


def config(calibration: Literal["mse", "percentile", "max"], percentile: float = 99.9) -> QuantizeConfig:
    return QuantizeConfig(calibration=calibration, percentile=percentile)


@given(st.floats(1e-6, 1e6), st.integers(2, 16), st.booleans())
def test_the_fewest_integer_bits_that_reach_a_value(top: float, bits: int, signed: bool) -> None:
    integer = reaching(top, bits, signed=signed)

    def holds(count: int) -> bool:
        kind = FixedType(bits, count + int(signed), signed)
        return top <= kind.high + kind.lsb / 2

    assert holds(integer)
    if bits - int(signed) > 1:
        assert not holds(integer - 1)


@pytest.mark.parametrize(
    ("top", "found"), [(0.0, 0), (-1.0, 0), (0.5, 0), (0.996, 0), (0.999, 1), (1.0, 1), (8.0, 4)]
)
def test_integer_bits_at_the_ends_of_a_range(top: float, found: int) -> None:
    assert reaching(top, 8, signed=True) == found


def test_a_percentile_lets_outliers_go() -> None:
    values = np.concatenate([np.linspace(-0.9, 0.9, 999), [100.0]])
    assert integer_bits(values, 8, config("max"), signed=True) == 7
    assert integer_bits(values, 8, config("percentile", 99.0), signed=True) == 0
    assert integer_bits(values, 8, config("percentile", 100.0), signed=True) == 7


@given(seeds, st.integers(3, 10))
def test_mse_chooses_the_least_error_of_those_below_the_largest(seed: int, bits: int) -> None:
    values = np.random.default_rng(seed).standard_t(2, 50)
    found = integer_bits(values, bits, config("mse"), signed=True)
    most = integer_bits(values, bits, config("max"), signed=True)
    errors = {n: squared_error(values, bits, n, signed=True) for n in range(most - SEARCHED + 1, most + 1)}
    assert errors[found] == min(errors.values())


def test_no_values_need_no_bits() -> None:
    assert integer_bits(np.zeros(3), 6, config("max"), signed=True) == 0
    assert integer_bits(np.zeros(0), 6, config("max"), signed=False) == 0


def test_the_error_is_of_rounding_and_of_clipping() -> None:
    assert squared_error(np.array([0.25]), 3, 0, signed=True) == 0.0
    assert squared_error(np.array([0.3]), 3, 0, signed=True) == pytest.approx(0.05**2)
    assert squared_error(np.array([5.0]), 3, 0, signed=True) == pytest.approx(4.25**2)


# Factors and refits


@given(seeds, sizes)
def test_the_first_factors_keep_the_most_energy(seed: int, shape: tuple[int, int]) -> None:
    matrix = kernel(seed, shape).astype(np.float64)
    first, second, energy, _ = _split(matrix, shape[1])
    assert np.allclose(first @ second, matrix, atol=1e-9)
    assert np.all(np.diff(energy) >= -1e-12)
    assert energy[-1] == pytest.approx(1.0)
    for rank in range(1, len(energy) + 1):
        rest = matrix - first[:, :rank] @ second[:rank]
        assert (rest**2).sum() == pytest.approx((1 - energy[rank - 1]) * (matrix**2).sum(), abs=1e-9)


def test_a_kernel_of_zeros_is_kept_whole_by_any_rank() -> None:
    assert _split(np.zeros((3, 2)), 2)[2].tolist() == [1.0, 1.0]


@given(seeds, st.booleans())
def test_a_refit_has_no_better_neighbour(seed: int, centred: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 3)) + 1.0, rng.normal(size=(30, 2))
    weights, shift = ridge(x, y, centred=centred)
    spread = x - x.mean(axis=0) if centred else x
    damping = DAMPING * np.trace(spread.T @ spread) / 3

    def loss(w: Any, b: Any) -> float:
        return float(((x @ w + b - y) ** 2).sum() + damping * (w**2).sum())

    best = loss(weights, shift)
    for _ in range(5):
        w = weights + 1e-3 * rng.normal(size=weights.shape)
        b = shift + 1e-3 * rng.normal(size=shift.shape) * centred
        assert loss(w, b) >= best
    assert centred or not shift.any()


def test_nothing_to_mend_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    weights, shift = ridge(x, np.zeros((20, 2)), centred=True)
    assert not weights.any()
    assert not shift.any()
