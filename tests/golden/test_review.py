"""Two firmwares on the same inputs: the review of a merge request."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import GoldenError
from pquant_hls.golden import Rule, review
from tests.firmware import miniature
from tests.helpers import Edit, Shell, known

pytestmark = pytest.mark.gxx
X = np.random.default_rng(2).normal(0, 3, (200, 3))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    old = miniature.project(tmp_path / "old")
    return old, Path(shutil.copytree(old, tmp_path / "new"))


def test_the_same_design_in_another_layout_is_the_same(tmp_path: Path, csim_cache: Path) -> None:
    found = review(miniature.project(tmp_path / "old"), miniature.deployed(tmp_path), X, cache=csim_cache)
    assert found.same
    assert (found.count, found.layer, found.worst_lsbs, found.ports) == (200, None, 0.0, ())


def test_a_changed_weight_is_found_with_its_layer(
    pair: tuple[Path, Path], csim_cache: Path, edit: Edit
) -> None:
    edit(pair[1], "firmware/weights.h", "0.75000, 0.96875", "0.78125, 0.96875")
    rule = Rule("decision", threshold=0.0, channel=0)
    found = review(*pair, X, decision=rule, cache=csim_cache)
    assert not found.same
    assert (found.layer, found.changed) == ("fc1", ("firmware/weights.h",))
    assert 0 < len(found.differing) <= found.layer_inputs <= 200
    assert found.worst_lsbs >= 1
    decision = known(found.decision)
    assert len(found.flipped) == round((1 - decision.agreement) * 200)
    worst = max(abs(entry.lsbs) for entry in found.mismatches)
    assert worst <= found.worst_lsbs


def test_another_type_of_a_port_is_said(pair: tuple[Path, Path], csim_cache: Path, edit: Edit) -> None:
    edit(pair[1], "firmware/defines.h", "typedef ap_fixed<12,6> result_t", "typedef ap_fixed<13,7> result_t")
    found = review(*pair, X, cache=csim_cache)
    assert found.ports == ("port layer4_out: type ap_fixed<12,6> is ap_fixed<13,7> now",)
    assert not found.same


def test_firmwares_of_other_sizes_are_not_compared(tmp_path: Path, csim_cache: Path) -> None:
    old = miniature.project(tmp_path / "old")
    new = miniature.project(tmp_path / "new", sizes="#define N_INPUT 2\n#define N_LAYER_2 2")
    with pytest.raises(GoldenError, match=r"its inputs hold \[2\] values, those of .* \[3\]"):
        review(old, new, X, cache=csim_cache)


def test_the_command_line(pair: tuple[Path, Path], shell: Shell, edit: Edit, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    words = ("csim", "compare", *pair, "--inputs", tmp_path / "x.npy", "--threshold", "0.5")
    status, told, _ = shell(*words)
    assert status == 0
    assert "every output value is equal" in told
    assert re.search(r"^cycles: (\d+) -> \1 \(estimated\)$", told, re.MULTILINE)
    edit(pair[1], "firmware/weights.h", "0.12500, 0.50000", "0.15625, 0.50000")
    status, told, _ = shell(*words, "--json")
    found = json.loads(told)
    assert (status, found["same"], found["layer"]) == (1, False, "out")
    assert found["cost"][0]["cycles"] is not None
