"""Simulate the bundled jet set: g, q, t, W and Z jets near 1 TeV with sixteen groomed observables.

Run it in an environment with the extra ``datagen`` (pythia8mc, fastjet, numpy):

    python tools/generate_jets.py --seed 1 --jets 50000 --out pquant_hls/datasets/lhc_jets.npz --jobs 2

What is simulated (the set of arXiv:1804.06913 and arXiv:1709.08705 in the light of their text):
proton-proton collisions at 13 TeV, Monash 2013 tune with underlying event; gg, qq, tt, WW and ZZ pairs whose
transverse momentum at the hard vertex lies within 1 % of 1 TeV; bosons decay isotropically to quarks, tops to
b and quarks. Visible stable particles are clustered with anti-kt, R = 0.8, and groomed with the modified mass
drop tagger (z_cut = 0.1, Cambridge/Aachen; arXiv:1307.0007). The observables are in ``OBSERVABLES``' order.

The result depends on ``--seed`` and ``--jets`` only, not on ``--jobs``: each block of jets has a seed of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CLASSES = ("g", "q", "t", "w", "z")
OBSERVABLES = (
    "zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt", "d2_b1_mmdt", "d2_b2_mmdt",
    "d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt", "n2_b1_mmdt", "n2_b2_mmdt", "mass_mmdt",
    "multiplicity",
)  # fmt: skip
UNITS = {name: "GeV" if name == "mass_mmdt" else "1" for name in OBSERVABLES}

SCHEMA_VERSION = 1
SIGNIFICANT_BITS = 14  # stored precision of the observables: relative error at most 2**-15
SPLIT_SHARES = (0.6, 0.2, 0.2)  # train, validation, test; of each class
JETS_PER_BLOCK = 500

HARD_PROCESS = {
    "g": ("HardQCD:gg2gg=on", "HardQCD:qqbar2gg=on"),
    "q": ("HardQCD:qq2qq=on", "HardQCD:gg2qqbar=on", "HardQCD:qqbar2qqbarNew=on"),
    "t": ("Top:gg2ttbar=on", "Top:qqbar2ttbar=on"),
    "w": ("WeakDoubleBoson:ffbar2WW=on",),
    "z": ("WeakDoubleBoson:ffbar2gmZgmZ=on", "WeakZ0:gmZmode=2"),
}
HADRONIC_DECAYS = ("24:onMode=off", "24:onIfAny=1 2 3 4 5", "23:onMode=off", "23:onIfAny=1 2 3 4 5")
PDG_CODE = {"t": 6, "w": 24, "z": 23}


@dataclass(frozen=True)
class Selection:
    """Which collisions and which of their jets are taken; momenta in GeV, distances in (rapidity, azimuth)."""

    energy_gev: float = 13_000.0
    hard_pt_min_gev: float = 990.0
    hard_pt_max_gev: float = 1_010.0
    radius: float = 0.8
    z_cut: float = 0.1
    jet_pt_min_gev: float = 800.0
    jet_pt_max_gev: float = 1_200.0
    jet_abs_eta_max: float = 2.5
    match_distance_max: float = 0.4
    decay_products_inside: bool = True


class Candidate(NamedTuple):
    """One jet before the selection: its place, its match to the hard vertex, and its observables (16,)."""

    pt_gev: float
    eta: float
    match_distance: float
    decay_distance: float
    row: Floats


# --- observables -----------------------------------------------------------------------------------------------


def distances(rapidity: Floats, phi: Floats) -> Floats:
    """Distance of each pair in the (rapidity, azimuth) plane; (n,), (n,) -> (n, n)."""
    d_phi = np.abs(phi[:, None] - phi[None, :])
    d_phi = np.minimum(d_phi, 2.0 * np.pi - d_phi)
    return np.hypot(rapidity[:, None] - rapidity[None, :], d_phi)


def pair_and_triple_sums(z: Floats, theta: Floats, beta: float) -> tuple[float, float]:
    """e2 and e3 of arXiv:1305.0007 eq. 2.2-2.3 for momentum shares z (n,) and distances theta (n, n)."""
    angle = theta**beta
    np.fill_diagonal(angle, 0.0)  # 0**0 is 1: a particle is no pair with itself
    weighted = z[:, None] * angle
    return float(z @ angle @ z) / 2.0, float(np.trace(weighted @ weighted @ weighted)) / 6.0


def generalized_triple_sums(z: Floats, theta: Floats) -> Floats:
    """1e3 and 2e3 of arXiv:1609.07483 eq. 3.3 at beta 1 and 2: (4,) = 1e3(1), 1e3(2), 2e3(1), 2e3(2).

    1e3 weighs a triple with its smallest distance, 2e3 with the product of its two smallest ones.
    """
    sums = np.zeros(4)
    for first in range(len(z) - 2):
        rest, block, arm = z[first + 1 :], theta[first + 1 :, first + 1 :], theta[first, first + 1 :]
        smallest = np.minimum(block, np.minimum(arm[:, None], arm[None, :]))
        largest = np.maximum(block, np.maximum(arm[:, None], arm[None, :]))
        product = np.divide(block * np.outer(arm, arm), largest, out=np.zeros_like(block), where=largest > 0.0)
        terms = (smallest, smallest**2, product, product**2)
        sums += z[first] / 2.0 * np.array([rest @ term @ rest for term in terms])
    return sums


def ratio(numerator: float, denominator: float) -> float:
    """The quotient, or 0 where a jet has too few particles for the denominator to exist."""
    return numerator / denominator if denominator > 0.0 else 0.0


def observables(momenta: Floats) -> Floats:
    """The sixteen observables (16,) of the particles of one groomed jet, (n, 4) = px, py, pz, E in GeV.

    C1 = e2, C2 = e3/e2^2 (arXiv:1305.0007); D2 = e3/e2^3 and D2(a,b) = e3(a)/e2(b)^(3a/b) (arXiv:1409.6298);
    M2 = 1e3/e2, N2 = 2e3/e2^2 (arXiv:1609.07483); zlogz = sum z ln z; the invariant mass in GeV; particle count.
    """
    px, py, pz, energy = momenta.T
    pt = np.hypot(px, py)
    z = pt / pt.sum()
    theta = distances(np.arctanh(pz / energy), np.arctan2(py, px))
    e2_0, _ = pair_and_triple_sums(z, theta, 0.0)
    e2_1, e3_1 = pair_and_triple_sums(z, theta, 1.0)
    e2_2, e3_2 = pair_and_triple_sums(z, theta, 2.0)
    one_1, one_2, two_1, two_2 = generalized_triple_sums(z, theta)
    total = momenta.sum(axis=0)
    mass = np.sqrt(max(0.0, total[3] ** 2 - (total[:3] ** 2).sum()))
    return np.array([
        float(z @ np.log(z)), e2_0, e2_1, e2_2,
        ratio(e3_1, e2_1**2), ratio(e3_2, e2_2**2),
        ratio(e3_1, e2_1**3), ratio(e3_2, e2_2**3), ratio(e3_1, e2_1**3), ratio(e3_1, e2_2**1.5),
        ratio(one_1, e2_1), ratio(one_2, e2_2), ratio(two_1, e2_1**2), ratio(two_2, e2_2**2),
        mass, len(z),
    ])  # fmt: skip


def rounded(values: Floats, bits: int = SIGNIFICANT_BITS) -> npt.NDArray[np.float32]:
    """Values kept to `bits` significant bits: random mantissa tails do not compress."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits).astype(np.float32)


# --- collisions and jets ---------------------------------------------------------------------------------------


def new_pythia(commands: tuple[str, ...], seed: int) -> Any:
    """A Pythia 8 generator with the given settings; not yet initialised."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for command in ("Print:quiet=on", "Random:setSeed=on", f"Random:seed={seed}", *commands):
        if not pythia.readString(command):
            raise ValueError(f"Pythia does not know the setting {command!r}")
    return pythia


def hard_vertex_commands(label: str, selection: Selection) -> tuple[str, ...]:
    """Settings for the hard process of one class in its window of transverse momentum."""
    return (
        f"Beams:eCM={selection.energy_gev}",
        f"PhaseSpace:pTHatMin={selection.hard_pt_min_gev}",
        f"PhaseSpace:pTHatMax={selection.hard_pt_max_gev}",
        *HARD_PROCESS[label],
    )


def boson_pairs(label: str, selection: Selection, seed: int) -> Any:
    """A source of undecayed WW or ZZ hard vertices in the Les Houches form.

    Handed over undecayed, the bosons decay isotropically; decayed by the hard process itself they would be
    transverse, and lose their mass to grooming more often than those of the reference set.
    """
    import pythia8mc

    stable = (f"{PDG_CODE[label]}:mayDecay=off", "PartonLevel:all=off")
    vertices = new_pythia(hard_vertex_commands(label, selection) + stable, seed)
    vertices.init()

    class Source(pythia8mc.LHAup):  # type: ignore[misc, name-defined]
        def setInit(self) -> bool:  # noqa: N802  the name is Pythia's
            for set_beam in (self.setBeamA, self.setBeamB):
                set_beam(2212, selection.energy_gev / 2.0)
            self.setStrategy(3)  # unweighted events
            self.addProcess(1, 1.0, 0.0, 1.0)
            return True

        def setEvent(self, _process: int = 0) -> bool:  # noqa: N802
            while not vertices.next():
                pass
            info = vertices.infoPython()
            self.setProcess(1, 1.0, info.QFac(), info.alphaEM(), info.alphaS())
            for particle in list(vertices.process)[3:]:
                self.addParticle(*les_houches_line(particle))
            return True

    return Source()


def les_houches_line(particle: Any) -> tuple[float, ...]:
    """One particle of Pythia's hard vertex in the order of LHAup.addParticle; its beams are not part of it."""
    mothers = [max(0, mother - 2) for mother in (particle.mother1(), particle.mother2())]
    return (
        particle.id(), 1 if particle.isFinal() else -1, *mothers, particle.col(), particle.acol(),
        particle.px(), particle.py(), particle.pz(), particle.e(), particle.m(), 0.0, 9.0, -1.0,
    )  # fmt: skip


def collisions(label: str, selection: Selection, seed: int) -> Iterator[Any]:
    """Endless generated events of one class; the iterator owns its generators."""
    if label in ("w", "z"):
        source = boson_pairs(label, selection, seed)
        pythia = new_pythia(("Beams:frameType=5", "LesHouches:matchInOut=off", *HADRONIC_DECAYS), seed)
        pythia.setLHAupPtr(source)
    else:
        pythia = new_pythia(hard_vertex_commands(label, selection) + HADRONIC_DECAYS, seed)
    if not pythia.init():
        raise RuntimeError(f"Pythia did not initialise for class {label!r}")
    while True:
        if pythia.next():
            yield pythia


def hard_partons(label: str, event: Any, process: Any) -> list[tuple[Any, list[Any]]]:
    """The hard partons after initial-state recoil, each with the quarks it decays to (none for g and q)."""
    found = []
    for index, particle in enumerate(process):
        wanted = particle.idAbs() == PDG_CODE[label] if label in PDG_CODE else particle.status() == 23
        if wanted and particle.mother1() in (3, 4):
            last = event[index].iBotCopyId() if label in PDG_CODE else event[index].iBotCopy()
            found.append((event[last], decay_quarks(event, last) if label in PDG_CODE else []))
    return found


def decay_quarks(event: Any, index: int) -> list[Any]:
    """The quarks that the resonance at `index` decays to, through a W where there is one."""
    quarks = []
    for daughter in event[index].daughterList():
        if event[daughter].idAbs() == PDG_CODE["w"]:
            quarks += decay_quarks(event, event[daughter].iBotCopyId())
        elif event[daughter].isQuark():
            quarks.append(event[daughter])
    return quarks


def distance_to(jet: Any, particle: Any) -> float:
    """Distance of a jet from a particle of the event in the (rapidity, azimuth) plane."""
    d_phi = abs(jet.phi_std() - particle.phi()) % (2.0 * np.pi)
    return float(np.hypot(jet.rap() - particle.y(), min(d_phi, 2.0 * np.pi - d_phi)))


def leading_jets(event: Any, selection: Selection) -> list[Any]:
    """The two anti-kt jets of highest transverse momentum among the visible stable particles."""
    import fastjet

    visible = [p for p in event if p.isFinal() and p.isVisible()]
    inputs = [fastjet.PseudoJet(p.px(), p.py(), p.pz(), p.e()) for p in visible]
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, selection.radius)
    sequence = fastjet.ClusterSequence(inputs, definition)
    jets = fastjet.sorted_by_pt(sequence.inclusive_jets(200.0))[:2]
    return [(jet, list(jet.constituents())) for jet in jets]


def groom(constituents: list[Any], z_cut: float) -> Floats:
    """Momenta (n, 4) left by the modified mass drop tagger: drop the softer branch until it holds z_cut."""
    import fastjet

    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, fastjet.JetDefinition.max_allowable_R)
    sequence = fastjet.ClusterSequence(constituents, definition)
    jet = sequence.inclusive_jets()[0]
    harder, softer = fastjet.PseudoJet(), fastjet.PseudoJet()
    while jet.has_parents(harder, softer):
        if softer.pt() > harder.pt():
            harder, softer = softer, harder
        if softer.pt() >= z_cut * (harder.pt() + softer.pt()):
            break
        jet, harder = harder, fastjet.PseudoJet()
    return np.array([(p.px(), p.py(), p.pz(), p.e()) for p in jet.constituents()])


def candidates(label: str, selection: Selection, seed: int) -> Iterator[Candidate]:
    """The two leading jets of each collision, each with its distance to the nearest hard parton."""
    for pythia in collisions(label, selection, seed):
        partons = hard_partons(label, pythia.event, pythia.process)
        for jet, constituents in leading_jets(pythia.event, selection):
            parton, quarks = min(partons, key=lambda pair: distance_to(jet, pair[0]))
            farthest = max((distance_to(jet, quark) for quark in quarks), default=0.0)
            row = observables(groom(constituents, selection.z_cut))
            yield Candidate(jet.pt(), jet.eta(), distance_to(jet, parton), farthest, row)
