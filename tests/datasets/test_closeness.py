"""How close the bundled jets are to real ones of the public set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.corpus
Pair = tuple[Any, Any]


@pytest.fixture(scope="module")
def pair(corpus: Path, compare_jets: ModuleType) -> Pair:
    """Bundled jets and real ones, each standardised by itself."""
    return (
        compare_jets.read_jets(compare_jets.BUNDLED),
        compare_jets.read_reference(corpus / "data" / "lhc_jets_hlf_5120.npz"),
    )


def test_class_means_agree_feature_by_feature(
    pair: Pair, compare_jets: ModuleType, record_property: Callable[[str, object], None]
) -> None:
    ours, real = pair
    assert ours.features == real.features
    assert ours.classes == real.classes
    gaps = np.abs(compare_jets.class_means(ours) - compare_jets.class_means(real))
    record_property("class_means", "\n".join(compare_jets.table(ours, real)))
    assert gaps.mean() < 0.04
    assert gaps.max() < 0.15


@pytest.mark.slow
def test_a_tagger_trained_on_ours_works_on_real_jets(
    pair: Pair, compare_jets: ModuleType, record_property: Callable[[str, object], None]
) -> None:
    pytest.importorskip("sklearn")
    found = compare_jets.train_and_score(*pair, seed=0, epochs=15)
    record_property("accuracy", found._asdict())
    assert found.own > 0.72
    assert found.reference > 0.72
