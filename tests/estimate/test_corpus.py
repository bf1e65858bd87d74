"""The estimator against real syntheses: loose bounds on what ``benchmarks/estimator.py`` prints in full."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.qor import QoR
from tests.helpers import cycles_of, known, latency_of

if TYPE_CHECKING:
    from _designs import Design

    Judged = list[tuple[Design, QoR]]

pytestmark = pytest.mark.corpus
ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def judged(corpus: Path) -> Iterator[Judged]:
    """Every second design that is not a changed kernel, with its estimate."""
    sys.path.insert(0, str(BENCHMARKS))
    from _designs import read_design

    found = []
    for path in sorted((corpus / "synthesis_corpus" / "designs").glob("*.json"))[::2]:
        design = read_design(path)
        try:
            qor = estimate(design.graph, design.target)
        except NotMeasured:
            continue
        if design.trust != "low" and design.truth.cycles is not None:
            found.append((design, qor))
    yield found
    sys.path.remove(str(BENCHMARKS))


def errors(judged: Judged, keep: Callable[[Design], bool]) -> np.ndarray:
    """|estimate - report| in cycles of the designs that ``keep`` accepts."""
    return np.array([abs(cycles_of(q) - known(d.truth.cycles)) for d, q in judged if keep(d)])


def test_ordinary_weights_are_mostly_exact_and_nearly_always_within_one_cycle(judged: Judged) -> None:
    error = errors(judged, lambda design: design.weight_kind in ("dense", "qkeras", "hgq"))
    assert len(error) >= 25
    assert (error == 0).mean() >= 0.45
    assert (error <= 1).mean() >= 0.95


def test_binary_and_ternary_weights_are_mostly_within_two_cycles(judged: Judged) -> None:
    error = errors(judged, lambda design: design.weight_kind in ("binary", "ternary"))
    assert (error <= 2).mean() >= 0.7


def test_a_constant_number_of_cycles_is_beaten_where_designs_differ(judged: Judged) -> None:
    for kind in ("dense", "binary", "ternary"):
        truth = np.array([d.truth.cycles for d, _ in judged if d.weight_kind == kind])
        constant = np.abs(truth - np.median(truth)).mean()
        ours = errors([(d, q) for d, q in judged if d.weight_kind == kind], lambda _: True)
        assert ours.mean() < 0.7 * constant


def test_stated_intervals_hold_the_reported_cycles(judged: Judged) -> None:
    inside = [
        known(latency_of(q).cycles_max_lo) <= known(d.truth.cycles) <= known(latency_of(q).cycles_max_hi)
        for d, q in judged
    ]
    assert np.mean(inside) >= 0.95


def test_resources_of_pipelined_taggers_are_near_the_report(judged: Judged) -> None:
    taggers = [(d, q) for d, q in judged if d.weight_kind != "-"]
    for name, limit in (("lut", 0.08), ("ff", 0.15), ("dsp", 0.02)):
        true = np.array([getattr(d.truth, name) for d, _ in taggers])
        value = np.array([getattr(q.resources, name) for _, q in taggers])
        assert np.median(np.abs(value - true) / np.maximum(true, 1.0)) <= limit, name


def test_tasks_and_streams_have_lut_and_ff_near_the_report(judged: Judged) -> None:
    tasks = [(d, q) for d, q in judged if d.kind in ("stream", "parallel_other", "parallel_mlp_resource")]
    assert len(tasks) >= 20
    for name, limit in (("lut", 0.25), ("ff", 0.35)):
        ratio = [getattr(q.resources, name) / max(getattr(d.truth, name), 1.0) for d, q in tasks]
        assert np.median(np.abs(np.array(ratio) - 1.0)) <= limit, name


def test_the_refit_command_gives_the_shipped_constants(corpus: Path, tmp_path: Path) -> None:
    written = tmp_path / "constants.json"
    command = [sys.executable, str(ROOT / "tools" / "fit_estimator.py"), "--corpus"]
    subprocess.run(
        [*command, str(corpus / "synthesis_corpus"), "--out", str(written)], check=True, timeout=300
    )
    shipped = ROOT / "pquant_hls" / "estimate" / "constants.json"
    assert written.read_text() == shipped.read_text()
