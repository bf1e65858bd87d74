"""The search among the designs of one training of widths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.engine.family import _Search, family_loop, learner
from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe
from pquant_hls.spec.steps import PruneConfig, QuantizeConfig


@given(st.integers(1, 60), st.data())
def test_bisection_ends_with_the_dearest_that_fits(count: int, data: st.DataObject) -> None:
    fitting = data.draw(st.integers(0, count), "so many fit, the cheaper ones")
    search: Any = SimpleNamespace(low=-1, high=count)
    now: int | None = count - 1
    seen = list[int]()
    while now is not None:
        seen.append(now)
        now = _Search._halved(search, now, now < fitting)
    assert search.low == fitting - 1
    assert len(seen) == len(set(seen)) <= 2 + count.bit_length()


def test_what_was_foreseen_is_tried_until_one_fits() -> None:
    search: Any = SimpleNamespace(expected=[1, 4])
    assert _Search._expected_next(search, fits=False) == 4
    assert _Search._expected_next(search, fits=True) is None
    assert _Search._expected_next(search, fits=False) == 1
    assert _Search._expected_next(search, fits=False) is None


def test_a_target_of_its_own_makes_one_design_and_no_family() -> None:
    opened = QuantizeConfig(allocation="learned")
    aimed = QuantizeConfig.parse({"allocation": "learned", "target": {"ebops": 500}})
    assert learner([PruneConfig(), opened]) == (1, opened)
    assert learner([QuantizeConfig(), aimed]) is None
    recipe = Recipe.parse({"steps": [{"step": "quantize"}], "budget": {"latency_ns": 50}})
    bench: Any = None
    with pytest.raises(SpecError, match=r"steps: no step learns widths"):
        family_loop(bench, bench, recipe)
