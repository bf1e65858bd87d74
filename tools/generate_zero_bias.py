"""Simulate the bundled trigger set: zero-bias crossings and a few signals as a level-1 trigger sees them.

Run it in an environment with pythia8mc and numpy (the extra ``datagen``):

    python tools/generate_zero_bias.py --seed 1 --out pquant_hls/datasets/triggers.npz --jobs 2

Proton-proton collisions at 13 TeV, Monash 2013 tune. A zero-bias event is what one bunch crossing holds: a number of
inelastic collisions, drawn from a Poisson distribution of mean ``--pileup``, added up. A signal event is one hard collision
on top of such a crossing. Objects are made simply, with resolutions like a detector's at level 1, and no more is claimed:

* muons: stable muons of pt > 2 GeV, |eta| < 2.4, found with 90 %, 1/pt smeared by 20 %;
* electrons and photons: towers of 0.087 x 0.087 of electrons and photons, 12 % / sqrt(E) + 2 %, at least 3 GeV, with the
  eight around them; a tower counts where the hadrons in the 3 x 3 are below 10 % of it;
* jets: the hottest towers of all visible particles but muons (|eta| < 4.7, hadrons 100 % / sqrt(E) + 10 %), summed in a cone of
  0.4 around each, the hottest first, each tower once; at least 10 GeV after the crossing's mean density is taken off;
* missing energy: minus the vector sum of all towers; its size and angle.

The true pt of each event's leading generated muon, electron and jet (cone of 0.4 of stable particles of the hard collision)
stand beside. The result depends on ``--seed`` and the numbers of events alone: each block has its own seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SCHEMA_VERSION = 1
SIGNIFICANT_BITS = 10
EVENTS_PER_BLOCK = 1_800
COUNTS = {"muons": 4, "electrons": 4, "jets": 6}
"""Objects kept of each collection, hardest first; what is missing is 0."""
PROCESSES: dict[str, tuple[str, ...]] = {
    "w_to_e_nu": ("WeakSingleBoson:ffbar2W=on", "24:onMode=off", "24:onIfAny=11"),
    "z_to_mu_mu": ("WeakSingleBoson:ffbar2gmZ=on", "WeakZ0:gmZmode=2", "23:onMode=off", "23:onIfAny=13"),
    "ttbar": ("Top:gg2ttbar=on", "Top:qqbar2ttbar=on"),
    "h_to_bb": ("HiggsSM:gg2H=on", "25:onMode=off", "25:onIfAny=5"),
}
CROSSING_HZ = 40.08e6 * 2544 / 3564
"""Crossings a second in which bunches meet: 40.08 MHz of places, 2,544 of 3,564 filled."""
TOWER, ETA_MAX = 0.087, 4.7
N_ETA, N_PHI = 2 * 54, 72
MUON, ELECTRON, PHOTON = 13, 11, 22
INVISIBLE = (12, 14, 16)
CONE = 0.4


@dataclass(frozen=True)
class Detector:
    """Thresholds in GeV, relative resolutions."""

    muon_pt: float = 2.0
    muon_eta: float = 2.4
    muon_width: float = 0.2
    muon_efficiency: float = 0.9
    electron_pt: float = 3.0
    electron_eta: float = 2.5
    electron_hadrons: float = 0.1
    jet_pt: float = 10.0
    em: tuple[float, float] = (0.12, 0.02)
    hadrons: tuple[float, float] = (1.0, 0.1)


@dataclass
class Crossing:
    """Stable particles of one bunch crossing: (n, 4) pt, eta, phi, energy in GeV, and the PDG codes' sizes (n,)."""

    momenta: Floats
    codes: npt.NDArray[np.int64]

    def joined(self, others: Sequence[Crossing]) -> Crossing:
        parts = [self, *others]
        return Crossing(np.concatenate([p.momenta for p in parts]), np.concatenate([p.codes for p in parts]))


def new_pythia(commands: tuple[str, ...], seed: int) -> Any:
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    quiet = ("Print:quiet=on", "Beams:eCM=13000.", "Random:setSeed=on", f"Random:seed={seed}")
    for command in (*quiet, *commands):
        if not pythia.readString(command):
            raise ValueError(f"Pythia does not know the setting {command!r}")
    if not pythia.init():
        raise RuntimeError(f"Pythia cannot start with {commands}")
    return pythia


def collision(pythia: Any) -> Crossing:
    """The visible stable particles of the next collision."""
    while not pythia.next():
        continue
    rows, codes = [], []
    for particle in pythia.event:
        if particle.isFinal() and particle.idAbs() not in INVISIBLE and abs(particle.eta()) < ETA_MAX:
            rows.append((particle.pT(), particle.eta(), particle.phi(), particle.e()))
            codes.append(particle.idAbs())
    return Crossing(np.array(rows, np.float64).reshape(-1, 4), np.array(codes, np.int64))


def towers(crossing: Crossing, detector: Detector, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Transverse energy (N_ETA, N_PHI) of electrons and photons, and of hadrons, each particle smeared."""
    pt, eta, phi, energy = crossing.momenta.T
    em = np.isin(crossing.codes, (ELECTRON, PHOTON))
    seen = crossing.codes != MUON
    stochastic, constant = (np.where(em, *pair) for pair in zip(detector.em, detector.hadrons, strict=True))
    width = np.hypot(stochastic / np.sqrt(np.maximum(energy, 0.1)), constant)
    response = np.maximum(0.0, 1.0 + width * rng.normal(size=len(pt)))
    rows = np.clip(((eta + ETA_MAX) / (2 * ETA_MAX) * N_ETA).astype(int), 0, N_ETA - 1)
    columns = ((phi % (2 * np.pi)) / (2 * np.pi) * N_PHI).astype(int) % N_PHI
    grids = np.zeros((2, N_ETA, N_PHI))
    np.add.at(grids, (np.where(em, 0, 1)[seen], rows[seen], columns[seen]), (pt * response)[seen])
    return grids[0], grids[1]


def place(row: int, column: int) -> tuple[float, float]:
    """(eta, phi) of a tower's middle, phi in (-pi, pi]."""
    phi = (column + 0.5) / N_PHI * 2 * np.pi
    return (row + 0.5) / N_ETA * 2 * ETA_MAX - ETA_MAX, phi if phi <= np.pi else phi - 2 * np.pi


def around(row: int, column: int, reach: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the towers within ``reach`` of one."""
    step_eta, step_phi = 2 * ETA_MAX / N_ETA, 2 * np.pi / N_PHI
    n_eta, n_phi = int(reach / step_eta), int(reach / step_phi)
    d_eta, d_phi = np.mgrid[-n_eta : n_eta + 1, -n_phi : n_phi + 1]
    near = np.hypot(d_eta * step_eta, d_phi * step_phi) <= reach
    rows, columns = (row + d_eta)[near], (column + d_phi)[near] % N_PHI
    inside = (rows >= 0) & (rows < N_ETA)
    return rows[inside], columns[inside]


def clusters(grid: Floats, reach: float, least: float, most: int) -> list[tuple[float, float, float]]:
    """(pt, eta, phi) of sums around the hottest towers, each tower once, while they have ``least`` GeV."""
    left, found = grid.copy(), list[tuple[float, float, float]]()
    seeds = np.argsort(left, axis=None)[::-1][: 8 * most]
    for seed in seeds:
        row, column = divmod(int(seed), N_PHI)
        if left[row, column] <= least / 20:
            continue
        rows, columns = around(row, column, reach)
        total = float(left[rows, columns].sum())
        left[rows, columns] = 0.0
        if total >= least:
            found.append((total, *place(row, column)))
    return sorted(found, reverse=True)[:most]


def muons(
    crossing: Crossing, detector: Detector, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    pt, eta, phi, _ = crossing.momenta.T
    ours = (crossing.codes == MUON) & (np.abs(eta) < detector.muon_eta)
    found = []
    for own_pt, own_eta, own_phi in zip(pt[ours], eta[ours], phi[ours], strict=True):
        measured = own_pt / max(0.2, 1.0 + detector.muon_width * rng.normal())
        if rng.uniform() < detector.muon_efficiency and measured > detector.muon_pt:
            found.append((measured, own_eta, own_phi))
    return sorted(found, reverse=True)[: COUNTS["muons"]]


def electrons(em: Floats, hadrons: Floats, detector: Detector) -> list[tuple[float, float, float]]:
    found = []
    for pt, eta, phi in clusters(em, 1.5 * TOWER, detector.electron_pt, 3 * COUNTS["electrons"]):
        row = int((eta + ETA_MAX) / (2 * ETA_MAX) * N_ETA)
        column = int((phi % (2 * np.pi)) / (2 * np.pi) * N_PHI)
        behind = float(hadrons[around(row, column, 1.5 * TOWER)].sum())
        if abs(eta) < detector.electron_eta and behind < detector.electron_hadrons * pt:
            found.append((pt, eta, phi))
    return found[: COUNTS["electrons"]]


def jets(em: Floats, hadrons: Floats, detector: Detector) -> list[tuple[float, float, float]]:
    grid = em + hadrons
    density = np.median(grid.sum(axis=1)) / N_PHI
    return clusters(np.maximum(grid - density, 0.0), CONE, detector.jet_pt, COUNTS["jets"])


def measured(crossing: Crossing, detector: Detector, rng: np.random.Generator) -> dict[str, Floats]:
    """Collections (count, 3) of pt (GeV), eta, phi, zeros behind them, and the scalars met (GeV), met_phi, ht (GeV)."""
    em, hadrons = towers(crossing, detector, rng)
    found = {
        "muons": muons(crossing, detector, rng),
        "electrons": electrons(em, hadrons, detector),
        "jets": jets(em, hadrons, detector),
    }
    out = {name: np.zeros((count, 3)) for name, count in COUNTS.items()}
    for name, objects in found.items():
        out[name][: len(objects)] = np.array(objects).reshape(-1, 3)
    whole = em + hadrons
    angle = (np.arange(N_PHI) + 0.5) / N_PHI * 2 * np.pi
    x, y = -(whole * np.cos(angle)).sum(), -(whole * np.sin(angle)).sum()
    ht = sum(pt for pt, eta, _ in found["jets"] if pt > 30.0 and abs(eta) < 2.4)
    out["scalars"] = np.array([np.hypot(x, y), np.arctan2(y, x), ht])
    return out


def true_pt(hard: Crossing) -> Floats:
    """pt in GeV of the leading muon, electron and jet (cone of 0.4 of stable particles) of a collision, 0 for none."""
    pt, eta, phi, _ = hard.momenta.T
    leading = [float(pt[hard.codes == code].max(initial=0.0)) for code in (MUON, ELECTRON)]
    visible = hard.codes != MUON
    if not visible.any():
        return np.array([*leading, 0.0])
    hottest = np.flatnonzero(visible)[np.argsort(pt[visible])[::-1][:3]]
    sums = []
    for seed in hottest:
        d_phi = np.abs(phi - phi[seed])
        near = np.hypot(eta - eta[seed], np.minimum(d_phi, 2 * np.pi - d_phi)) < CONE
        sums.append(float(pt[near & visible].sum()))
    return np.array([*leading, max(sums)])


def block(job: tuple[str, int, int, float]) -> dict[str, Floats]:
    """Events of one process (``zero_bias`` or a signal): arrays of ``measured`` and ``truth`` (events, 3)."""
    process, seed, events, pileup = job
    rng = np.random.default_rng(seed)
    soft = new_pythia(("SoftQCD:inelastic=on",), seed=int(rng.integers(1, 900_000_000)))
    hard = (
        None if process == "zero_bias" else new_pythia(PROCESSES[process], int(rng.integers(1, 900_000_000)))
    )
    rows: list[dict[str, Floats]] = []
    for _ in range(events):
        pool = [collision(soft) for _ in range(rng.poisson(pileup))]
        if hard is not None:
            first = collision(hard)
        elif pool:
            first = pool.pop()
        else:
            first = Crossing(np.zeros((0, 4)), np.zeros(0, np.int64))
        found = measured(first.joined(pool), Detector(), rng)
        rows.append(found | {"truth": true_pt(first)})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def rounded(values: Floats) -> npt.NDArray[np.float32]:
    """Values kept to SIGNIFICANT_BITS, which no level-1 trigger has more of."""
    mantissa, exponent = np.frexp(values)
    kept = np.ldexp(np.round(np.ldexp(mantissa, SIGNIFICANT_BITS)), exponent - SIGNIFICANT_BITS)
    return np.asarray(kept, np.float32)


def jobs_of(args: argparse.Namespace) -> list[tuple[str, int, int, float]]:
    wanted = {"zero_bias": args.zero_bias, **dict.fromkeys(PROCESSES, args.signal)}
    seeds = np.random.SeedSequence(args.seed)
    found = []
    for process, events in wanted.items():
        for start in range(0, events, EVENTS_PER_BLOCK):
            seed = int(seeds.spawn(1)[0].generate_state(1)[0] % 2**31)
            found.append((process, seed, min(EVENTS_PER_BLOCK, events - start), args.pileup))
    return found


def description(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "about": "simulated; not data of any experiment",
        "generator": f"Pythia {metadata.version('pythia8mc')}, 13 TeV, Monash 2013",
        "seed": args.seed,
        "pileup": args.pileup,
        "zero_bias_hz": CROSSING_HZ,
        "detector": asdict(Detector()),
        "collections": {name: [count, 3] for name, count in COUNTS.items()},
        "columns": ["pt", "eta", "phi"],
        "scalars": ["met", "met_phi", "ht"],
        "truth": ["muon_pt", "electron_pt", "jet_pt"],
        "units": {"pt": "GeV", "eta": "1", "phi": "rad", "met": "GeV", "met_phi": "rad", "ht": "GeV"},
        "signals": list(PROCESSES),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--zero-bias", type=int, default=3_600, help="zero-bias crossings")
    parser.add_argument("--signal", type=int, default=200, help="events of each signal")
    parser.add_argument("--pileup", type=float, default=3.0, help="mean inelastic collisions of a crossing")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    jobs = jobs_of(args)
    with ProcessPoolExecutor(args.jobs) as pool:
        blocks = list(pool.map(block, jobs))
    arrays: dict[str, Any] = {"meta": np.array(json.dumps(description(args)))}
    for process in dict.fromkeys(job[0] for job in jobs):
        own = [found for job, found in zip(jobs, blocks, strict=True) if job[0] == process]
        for name in own[0]:
            arrays[f"{process}.{name}"] = rounded(np.concatenate([found[name] for found in own]))
    np.savez_compressed(args.out, **arrays)
    sys.stdout.write(f"{args.out}: {args.out.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
