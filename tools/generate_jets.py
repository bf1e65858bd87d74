"""Simulate the bundled jet set: g, q, t, W and Z jets near 1 TeV with sixteen groomed observables.

Run it in an environment with the extra ``datagen`` (pythia8mc, fastjet, numpy):

    python tools/generate_jets.py --seed 1 --jets 50000 --out pquant_hls/datasets/lhc_jets.npz --jobs 2

Proton-proton collisions at 13 TeV, Monash 2013 tune with underlying event, after the description of the
hls4ml LHC jet set in arXiv:1804.06913 and arXiv:1709.08705: gg, qq, tt, WW and ZZ pairs whose transverse
momentum at the hard vertex lies within 1 % of 1 TeV; on-shell bosons decay isotropically to u, d, s and c
quarks, tops to b and two quarks. Visible stable particles, their energies smeared like a detector would, are
clustered with anti-kt, and the leading jet is groomed with the modified mass drop tagger (z_cut = 0.1,
Cambridge/Aachen; arXiv:1307.0007). What those texts leave open (radius 0.4, one jet per collision, which
decays, ungroomed zlogz and multiplicity, the resolution) was chosen by comparing observables with the public
set: docs/datasets.md.

The result depends on ``--seed`` and ``--jets`` only, not on ``--jobs``: each block of jets has its own seed.
"""

from __future__ import annotations

import argparse
import json
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
    "zlogz",
    "c1_b0_mmdt",
    "c1_b1_mmdt",
    "c1_b2_mmdt",
    "c2_b1_mmdt",
    "c2_b2_mmdt",
    "d2_b1_mmdt",
    "d2_b2_mmdt",
    "d2_a1_b1_mmdt",
    "d2_a1_b2_mmdt",
    "m2_b1_mmdt",
    "m2_b2_mmdt",
    "n2_b1_mmdt",
    "n2_b2_mmdt",
    "mass_mmdt",
    "multiplicity",
)
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
HADRONIC_DECAYS = ("24:onMode=off", "24:onIfAny=1 2 3 4", "23:onMode=off", "23:onIfAny=1 2 3 4")
PHOTON = 22
JET_PT_MIN_GEV = 200.0  # a softer jet never follows the hard parton
RESOLUTION = ((0.0, 0.01), (0.07, 0.007), (1.5, 0.05))
"""Relative width as (a, b): a / sqrt(E / GeV) and b in quadrature; charged, photons, neutral hadrons."""
LEAST_RESPONSE = 0.01  # a particle's energy stays positive
PDG_CODE = {"t": 6, "w": 24, "z": 23}


class Candidate(NamedTuple):
    """A leading jet before the selection.

    match_distance, decay_distance : from the jet to the nearest hard parton, and to the farthest quark that
    this parton decays to (0 for g and q), in (rapidity, azimuth). row : the observables (16,).
    """

    match_distance: float
    decay_distance: float
    row: Floats


@dataclass(frozen=True)
class Selection:
    """Which collisions and which of their jets are taken; distances are in (rapidity, azimuth).

    A decay may reach to twice the radius: real tops of 1 TeV often leave a jet of radius 0.4 in part.
    """

    energy_gev: float = 13_000.0
    hard_pt_min_gev: float = 990.0
    hard_pt_max_gev: float = 1_010.0
    radius: float = 0.4
    z_cut: float = 0.1
    match_distance_max: float = 0.4
    decay_distance_max: float = 0.8

    def takes(self, candidate: Candidate) -> bool:
        """Whether the jet follows a hard parton and lies close to all that the parton decayed to."""
        return (
            candidate.match_distance < self.match_distance_max
            and candidate.decay_distance < self.decay_distance_max
        )


# --- observables ----------------------------------------------------------------------------------


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
        product = np.divide(
            block * np.outer(arm, arm), largest, out=np.zeros_like(block), where=largest > 0.0
        )
        terms = (smallest, smallest**2, product, product**2)
        sums += z[first] / 2.0 * np.array([rest @ term @ rest for term in terms])
    return sums


def ratio(numerator: float, denominator: float) -> float:
    """The quotient, or 0 where a jet has too few particles for the denominator to exist."""
    return numerator / denominator if denominator > 0.0 else 0.0


def momentum_shares(momenta: Floats) -> Floats:
    """Share of each particle (n, 4) in the scalar sum of transverse momenta; (n,)."""
    pt = np.hypot(momenta[:, 0], momenta[:, 1])
    return np.asarray(pt / pt.sum())


def observables(whole: Floats, groomed: Floats) -> Floats:
    """The sixteen observables (16,) of one jet from its particles before and after grooming.

    Particles are (n, 4) = px, py, pz, E in GeV. zlogz = sum z ln z and the particle count are those of the
    whole jet, the others those of the groomed one (names ending in _mmdt), as in the reference set.
    C1 = e2, C2 = e3/e2^2 (arXiv:1305.0007); D2 = e3/e2^3 and D2(a,b) = e3(a)/e2(b)^(3a/b) (arXiv:1409.6298);
    M2 = 1e3/e2, N2 = 2e3/e2^2 (arXiv:1609.07483); mass is the invariant mass in GeV.
    """
    px, py, pz, energy = groomed.T
    z = momentum_shares(groomed)
    theta = distances(np.arctanh(pz / energy), np.arctan2(py, px))
    e2_0, _ = pair_and_triple_sums(z, theta, 0.0)
    e2_1, e3_1 = pair_and_triple_sums(z, theta, 1.0)
    e2_2, e3_2 = pair_and_triple_sums(z, theta, 2.0)
    one_1, one_2, two_1, two_2 = generalized_triple_sums(z, theta)
    total = groomed.sum(axis=0)
    share = momentum_shares(whole)
    mass = np.sqrt(max(0.0, total[3] ** 2 - (total[:3] ** 2).sum()))
    return np.array(
        [
            float(share @ np.log(share)),
            e2_0,
            e2_1,
            e2_2,
            ratio(e3_1, e2_1**2),
            ratio(e3_2, e2_2**2),
            ratio(e3_1, e2_1**3),
            ratio(e3_2, e2_2**3),
            ratio(e3_1, e2_1**3),
            ratio(e3_1, e2_2**1.5),
            ratio(one_1, e2_1),
            ratio(one_2, e2_2),
            ratio(two_1, e2_1**2),
            ratio(two_2, e2_2**2),
            mass,
            len(whole),
        ]
    )


def rounded(values: Floats, bits: int = SIGNIFICANT_BITS) -> npt.NDArray[np.float32]:
    """Values kept to `bits` significant bits: random mantissa tails do not compress."""
    mantissa, exponent = np.frexp(values)
    kept: npt.NDArray[np.float64] = np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)
    return kept.astype(np.float32)


# --- collisions and jets --------------------------------------------------------------------------


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
        "PhaseSpace:useBreitWigners=off",  # on-shell bosons and tops, as in the reference set
        "6:m0=173.",
        *HARD_PROCESS[label],
    )


def boson_pairs(label: str, selection: Selection, seed: int) -> Any:
    """A source of undecayed WW or ZZ hard vertices in the Les Houches form.

    Handed over undecayed, the bosons decay isotropically; decayed by the hard process itself they would be
    transverse, and lose their mass to grooming more often than those of the reference set.
    """
    import pythia8mc

    vertices = new_pythia((*hard_vertex_commands(label, selection), "PartonLevel:all=off"), seed)
    vertices.init()

    class Source(pythia8mc.LHAup):  # type: ignore[misc]  # untyped package
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
            for particle in list(vertices.process)[3:7]:  # two incoming partons, two bosons; no decays
                self.addParticle(*les_houches_line(particle))
            return True

    return Source()


def les_houches_line(particle: Any) -> tuple[float, ...]:
    """One particle of Pythia's hard vertex in the order of LHAup.addParticle, which counts without beams."""
    mothers = [max(0, mother - 2) for mother in (particle.mother1(), particle.mother2())]
    return (
        particle.id(),
        -1 if particle.status() == -21 else 1,
        *mothers,
        particle.col(),
        particle.acol(),
        particle.px(),
        particle.py(),
        particle.pz(),
        particle.e(),
        particle.m(),
        0.0,
        9.0,
        -1.0,
    )


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


class Found(NamedTuple):
    """A jet: its place, and its constituents as particles of the event."""

    rapidity: float
    phi: float
    constituents: list[Any]


def leading_jets(collider: Iterator[Any], radius: float) -> Iterator[tuple[Any, Found]]:
    """Each collision with its anti-kt jet of highest transverse momentum; neutrinos are not clustered."""
    import pythia8mc

    visible, own_masses, everywhere = 2, 2, 25.0
    finder = pythia8mc.SlowJet(-1, radius, JET_PT_MIN_GEV, everywhere, visible, own_masses)
    for pythia in collider:
        if finder.analyze(pythia.event) and finder.sizeJet() > 0:
            particles = [pythia.event[index] for index in finder.constituents(0)]
            yield pythia, Found(finder.y(0), finder.phi(0), particles)


def distance_to(jet: Found, particle: Any) -> float:
    """Distance of a jet from a particle of the event in the (rapidity, azimuth) plane."""
    d_phi = abs(jet.phi - particle.phi()) % (2.0 * np.pi)
    return float(np.hypot(jet.rapidity - particle.y(), min(d_phi, 2.0 * np.pi - d_phi)))


def measured(particles: list[Any], rng: np.random.Generator) -> Floats:
    """Momenta px, py, pz, E in GeV of particles as a detector would give them; (n, 4).

    Each momentum is scaled by a normal factor of the width that a tracker (charged), an electromagnetic
    (photons) or a hadronic calorimeter (the rest) of RESOLUTION would give.
    """
    momenta = four_momenta(particles)
    kinds = [0 if p.isCharged() else 1 if p.id() == PHOTON else 2 for p in particles]
    stochastic, constant = np.array(RESOLUTION)[kinds].T
    width = np.hypot(stochastic / np.sqrt(momenta[:, 3]), constant)
    factor = 1.0 + width * rng.standard_normal(len(particles))
    return np.asarray(momenta * np.maximum(factor, LEAST_RESPONSE)[:, None])


def four_momenta(particles: Any) -> Floats:
    """px, py, pz, E in GeV of Pythia's or fastjet's particles; (n, 4)."""
    return np.array([(p.px(), p.py(), p.pz(), p.e()) for p in particles])


def groom(momenta: Floats, z_cut: float) -> Floats:
    """Momenta (m, 4) that the modified mass drop tagger leaves of (n, 4).

    The softer branch is dropped until it holds a share z_cut.
    """
    import fastjet

    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, fastjet.JetDefinition.max_allowable_R)
    sequence = fastjet.ClusterSequence([fastjet.PseudoJet(*row) for row in momenta.tolist()], definition)
    jet = sequence.inclusive_jets()[0]
    harder, softer = fastjet.PseudoJet(), fastjet.PseudoJet()
    while jet.has_parents(harder, softer):
        if softer.pt() > harder.pt():
            harder, softer = softer, harder
        if softer.pt() >= z_cut * (harder.pt() + softer.pt()):
            break
        jet, harder = harder, fastjet.PseudoJet()
    return four_momenta(jet.constituents())


def candidates(label: str, selection: Selection, seed: int) -> Iterator[Candidate]:
    """The leading jet of each collision, with its distances from the nearest hard parton and its decay."""
    rng = np.random.default_rng(seed)
    for pythia, jet in leading_jets(collisions(label, selection, seed), selection.radius):
        partons = hard_partons(label, pythia.event, pythia.process)
        parton, quarks = min(partons, key=lambda pair: distance_to(jet, pair[0]))
        farthest = max((distance_to(jet, quark) for quark in quarks), default=0.0)
        momenta = measured(jet.constituents, rng)
        row = observables(momenta, groom(momenta, selection.z_cut))
        yield Candidate(distance_to(jet, parton), farthest, row)


# --- blocks, splits and the file ------------------------------------------------------------------


class Block(NamedTuple):
    """Jets of one class that one worker makes with a seed of its own."""

    label: str
    seed: int
    jets: int
    selection: Selection


def blocks(seed: int, jets: int, selection: Selection) -> list[Block]:
    """The work of the whole run: the same number of jets in each class, in blocks of JETS_PER_BLOCK."""
    per_class, work = jets // len(CLASSES), []
    for index, label in enumerate(CLASSES):
        for start in range(0, per_class, JETS_PER_BLOCK):
            state = np.random.SeedSequence((seed, index, start)).generate_state(1)[0]
            size = min(JETS_PER_BLOCK, per_class - start)
            work.append(Block(label, 1 + int(state) % 899_999_999, size, selection))  # Pythia's seed range
    return work


def make_block(block: Block) -> Floats:
    """Observables (jets, 16) of the accepted jets of one block."""
    stream = candidates(block.label, block.selection, block.seed)
    accepted = (candidate.row for candidate in stream if block.selection.takes(candidate))
    return np.array([next(accepted) for _ in range(block.jets)])


def split_codes(labels: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
    """0 train, 1 validation, 2 test for each jet (n,), with the shares SPLIT_SHARES within each class."""
    codes = np.empty(len(labels), dtype=np.uint8)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        edges = np.round(np.cumsum(SPLIT_SHARES)[:-1] * len(rows)).astype(int)
        for code, part in enumerate(np.split(rows, edges)):
            codes[part] = code
    return codes


def description(seed: int, labels: npt.NDArray[np.uint8], selection: Selection) -> dict[str, Any]:
    """What a reader of the file needs to know about its origin; JSON types only."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": "lhc_jets",
        "seed": seed,
        "versions": {name: metadata.version(name) for name in ("pythia8mc", "fastjet", "numpy")},
        "selection": asdict(selection),
        "hard_process": HARD_PROCESS,
        "decays": HADRONIC_DECAYS,
        "resolution": dict(zip(("charged", "photon", "neutral_hadron"), RESOLUTION, strict=True)),
        "split": {"shares": SPLIT_SHARES, "codes": ["train", "validation", "test"]},
        "class_balance": {name: int((labels == code).sum()) for code, name in enumerate(CLASSES)},
        "units": UNITS,
        "significant_bits": SIGNIFICANT_BITS,
    }


def write_whole(out: Path, arrays: dict[str, Any]) -> None:
    """Write a compressed .npz whole or not at all."""
    part = out.with_name(out.name + ".part.npz")
    try:
        np.savez_compressed(part, **arrays)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def generate(seed: int, jets: int, jobs: int, selection: Selection) -> dict[str, Any]:
    """All arrays of the file: x (n, 16) in the units of UNITS, y (n,), split (n,), names, description."""
    work = blocks(seed, jets, selection)
    rows = []
    with ProcessPoolExecutor(jobs) as pool:
        for block, made in zip(work, pool.map(make_block, work), strict=True):
            rows.append(made)
            sys.stderr.write(f"{sum(map(len, rows))} jets, last of class {block.label}\n")
    labels = np.repeat([CLASSES.index(block.label) for block in work], [block.jets for block in work])
    order = np.random.default_rng(seed).permutation(len(labels))
    labels = labels.astype(np.uint8)[order]
    return {
        "x": rounded(np.concatenate(rows)[order]),
        "y": labels,
        "split": split_codes(labels, seed),
        "feature_names": np.array(OBSERVABLES),
        "class_names": np.array(CLASSES),
        "meta": np.array(json.dumps(description(seed, labels, selection))),
    }


def main() -> None:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the whole set")
    parser.add_argument("--jets", type=int, default=50_000, help="number of jets over all five classes")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes; does not change the result")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.npz)")
    args = parser.parse_args()
    write_whole(args.out, generate(args.seed, args.jets, args.jobs, Selection()))


if __name__ == "__main__":
    main()
