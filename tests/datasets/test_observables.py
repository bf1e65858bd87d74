"""The observables of jets that can be worked out by hand, and the reproducible work list."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest


def _massless(pt: float, rapidity: float, phi: float) -> tuple[float, float, float, float]:
    return pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(rapidity), pt * math.cosh(rapidity)


def _observables(generate_jets: ModuleType, *particles: tuple[float, float, float]) -> dict[str, Any]:
    momenta = np.array([_massless(*particle) for particle in particles])
    return dict(zip(generate_jets.OBSERVABLES, generate_jets.observables(momenta, momenta), strict=True))


def test_two_particles(generate_jets: ModuleType) -> None:
    """z = 0.25 and 0.75 at distance 0.2: e2 = z1 z2 d^beta, nothing of three particles."""
    found = _observables(generate_jets, (250.0, 0.0, 0.0), (750.0, 0.2, 0.0))
    share = 0.25 * 0.75
    assert found["zlogz"] == pytest.approx(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert found["c1_b0_mmdt"] == pytest.approx(share)
    assert found["c1_b1_mmdt"] == pytest.approx(share * 0.2)
    assert found["c1_b2_mmdt"] == pytest.approx(share * 0.04)
    assert found["multiplicity"] == 2
    # m^2 = 2 pt1 pt2 (cosh dy - cos dphi) for massless particles
    assert found["mass_mmdt"] == pytest.approx(math.sqrt(2 * 250 * 750 * (math.cosh(0.2) - 1)))
    three = [name for name in found if name[:2] in ("c2", "d2", "m2", "n2")]
    assert len(three) == 10
    assert all(found[name] == pytest.approx(0.0, abs=1e-12) for name in three)


def test_three_particles_on_a_line(generate_jets: ModuleType) -> None:
    """Equal shares at distances 0.1, 0.2 and 0.3."""
    found = _observables(generate_jets, (100.0, 0.0, 0.0), (100.0, 0.1, 0.0), (100.0, 0.3, 0.0))
    e2_1, e2_2 = 0.6 / 9, (0.01 + 0.04 + 0.09) / 9
    e3_1, e3_2 = 0.1 * 0.2 * 0.3 / 27, (0.1 * 0.2 * 0.3) ** 2 / 27
    expected = {
        "c1_b0_mmdt": 3 / 9,
        "c1_b1_mmdt": e2_1,
        "c1_b2_mmdt": e2_2,
        "c2_b1_mmdt": e3_1 / e2_1**2,
        "c2_b2_mmdt": e3_2 / e2_2**2,
        "d2_b1_mmdt": e3_1 / e2_1**3,
        "d2_b2_mmdt": e3_2 / e2_2**3,
        "d2_a1_b1_mmdt": e3_1 / e2_1**3,
        "d2_a1_b2_mmdt": e3_1 / e2_2**1.5,
        "m2_b1_mmdt": 0.1 / 27 / e2_1,  # the smallest distance
        "m2_b2_mmdt": 0.01 / 27 / e2_2,
        "n2_b1_mmdt": 0.1 * 0.2 / 27 / e2_1**2,  # the product of the two smallest
        "n2_b2_mmdt": (0.1 * 0.2) ** 2 / 27 / e2_2**2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_one_particle_has_no_correlations(generate_jets: ModuleType) -> None:
    found = _observables(generate_jets, (500.0, 1.0, 2.0))
    assert found.pop("multiplicity") == 1
    assert all(value == pytest.approx(0.0, abs=1e-4) for value in found.values())


def test_the_triple_sums_agree_with_their_definition(generate_jets: ModuleType) -> None:
    """Against plain loops over all pairs and triples, for ten random particles across the seam of azimuth."""
    rng = np.random.default_rng(11)
    z = rng.dirichlet(np.ones(10))
    theta = generate_jets.distances(rng.normal(scale=0.2, size=10), rng.normal(math.pi, 0.2, 10))
    triples = [(i, j, k) for i in range(10) for j in range(i) for k in range(j)]
    angles = [(z[i] * z[j] * z[k], sorted((theta[i, j], theta[j, k], theta[i, k]))) for i, j, k in triples]
    for beta in (1.0, 2.0):
        e2, e3 = generate_jets.pair_and_triple_sums(z, theta, beta)
        assert e2 == pytest.approx(
            sum(z[i] * z[j] * theta[i, j] ** beta for i in range(10) for j in range(i))
        )
        assert e3 == pytest.approx(sum(share * math.prod(a) ** beta for share, a in angles))
    expected = [sum(share * a[0] ** beta for share, a in angles) for beta in (1, 2)]
    expected += [sum(share * (a[0] * a[1]) ** beta for share, a in angles) for beta in (1, 2)]
    assert generate_jets.generalized_triple_sums(z, theta) == pytest.approx(np.array(expected))


def test_azimuth_has_no_seam(generate_jets: ModuleType) -> None:
    across = generate_jets.distances(np.zeros(2), np.array([math.pi - 0.1, -math.pi + 0.1]))
    assert across[0, 1] == pytest.approx(0.2)


def test_ungroomed_particles_count_only_where_they_should(generate_jets: ModuleType) -> None:
    whole = np.array([_massless(pt, 0.1 * i, 0.0) for i, pt in enumerate((400.0, 400.0, 20.0))])
    names = generate_jets.OBSERVABLES
    before = dict(zip(names, generate_jets.observables(whole, whole), strict=True))
    after = dict(zip(names, generate_jets.observables(whole, whole[:2]), strict=True))
    assert after["multiplicity"] == before["multiplicity"] == 3
    assert after["zlogz"] == before["zlogz"]
    assert after["mass_mmdt"] < before["mass_mmdt"]


def test_stored_values_keep_their_precision(generate_jets: ModuleType) -> None:
    values = np.random.default_rng(2).lognormal(-3.0, 3.0, 1_000)
    stored = generate_jets.rounded(values)
    assert np.abs(stored / values - 1.0).max() <= 2.0**-generate_jets.SIGNIFICANT_BITS
    assert np.array_equal(generate_jets.rounded(np.arange(500.0)), np.arange(500.0))


def test_every_block_of_work_has_a_seed_of_its_own(generate_jets: ModuleType) -> None:
    work = generate_jets.blocks(1, 50_000, generate_jets.Selection())
    assert sum(block.jets for block in work) == 50_000
    assert len({block.seed for block in work}) == len(work)
    assert work == generate_jets.blocks(1, 50_000, generate_jets.Selection())
    assert work[0].seed != generate_jets.blocks(2, 50_000, generate_jets.Selection())[0].seed
    assert all(0 < block.seed < 900_000_000 for block in work)


def test_the_split_holds_in_each_class(generate_jets: ModuleType) -> None:
    labels = (np.arange(1_000) % 5).astype(np.uint8)
    codes = generate_jets.split_codes(labels, seed=4)
    for label in range(5):
        assert np.bincount(codes[labels == label]).tolist() == [120, 40, 40]
