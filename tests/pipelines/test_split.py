"""A ratio shared between bits and zeros: what is counted on is what the account then says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.compress import Accounting, compression_ratio
from pquant_hls.pipelines.split import LEAST_KEPT, MARGIN, kept_at, kept_from, width_for, zeros_save
from pquant_hls.spec import HlsSpec
from tests.helpers import known


def counted(weights: int, biases: int, width: int, kernels: int) -> Accounting:
    """A network of ``kernels`` kernel weights, so many of them and all biases non-zero, ``width`` bits each."""
    return Accounting(
        parameters=kernels + biases,
        nonzero=weights + biases,
        kernel_weights=kernels,
        nonzero_weights=weights,
        weight_bits=(weights + biases) * width,
        multiplications=weights,
        ebops=None,
        units={},
    )


sizes = st.tuples(st.integers(500, 50_000), st.floats(0.0, 0.1)).map(lambda s: (s[0], round(s[0] * s[1])))


@given(sizes, st.floats(1.5, 100))
def test_the_share_kept_gives_the_ratio_with_its_margin(size: tuple[int, int], target: float) -> None:
    kernels, biases = size
    original, bits = counted(kernels, biases, 32, kernels), width_for(target)
    kept = kept_at(original, target, bits)
    if LEAST_KEPT < kept < 1:
        ratio = known(compression_ratio(original, counted(round(kept * kernels), biases, bits, kernels)))
        assert ratio == pytest.approx(MARGIN * target, rel=bits * target / kernels / 32 + 1e-9)


@given(sizes, st.floats(0.05, 1.0), st.floats(5, 60), st.integers(3, 8))
def test_a_cut_counted_at_the_present_widths_reaches_the_ratio(
    size: tuple[int, int], share: float, target: float, bits: int
) -> None:
    kernels, biases = size
    original = counted(kernels, biases, 32, kernels)
    now = counted(max(1, round(share * kernels)), biases, bits, kernels)
    kept = kept_from(now, original, target, bits)
    if kept > LEAST_KEPT:
        after = counted(min(now.nonzero_weights, int(kept * kernels)), biases, bits, kernels)
        assert known(compression_ratio(original, after)) >= target or kept == 1.0


def test_what_is_left_of_nothing_is_the_least() -> None:
    original = counted(1000, 0, 32, 1000)
    assert kept_from(counted(0, 100, 6, 1000), original, 8, 6) == LEAST_KEPT


@given(st.floats(1.01, 1000), st.floats(1.01, 1000))
def test_a_higher_ratio_never_has_wider_weights(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert width_for(high) <= width_for(low)


@pytest.mark.parametrize(
    ("hls", "saves"),
    [
        ({}, True),
        ({"strategy": "distributed_arithmetic"}, True),
        ({"strategy": "resource"}, False),
        ({"reuse_factor": 4}, False),
        ({"io_type": "io_stream"}, False),
    ],
)
def test_zeros_save_where_each_weight_has_its_multiplier(hls: dict[str, object], saves: bool) -> None:
    assert zeros_save(HlsSpec.parse(hls)) is saves
