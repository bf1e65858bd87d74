"""What one round of the loop costs: training, conversion, csim, the emulator in its place, the estimate.

Times are seconds of wall clock for a 16-64-32-32-5 tagger on the bundled jets, the median of ``--repeats`` rounds;
the share says how much of the whole each part is. Absolute times depend on the machine, shares less so.

    python benchmarks/round.py [--quick] [--json OUT] [--seed N] [--repeats N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _common import parse, save, show

MATCH = "agreement, %"


def repeats_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default 3)")


def main() -> None:
    """Measure and print."""
    args = parse(__doc__, repeats_option)
    repeats = 1 if args.quick else args.repeats
    rounds = [one_round(args.seed + index, epochs=2 if args.quick else 6) for index in range(repeats)]
    parts = {name: statistics.median(found[name] for found in rounds) for name in rounds[0] if name != MATCH}
    whole = sum(seconds for name, seconds in parts.items() if not name.startswith("emulator"))
    rows = [
        {"part": name, "seconds": seconds, "share, %": 100 * seconds / whole}
        for name, seconds in parts.items()
    ]
    rows.append({"part": "whole round (the emulator not counted)", "seconds": whole, "share, %": 100.0})
    match = min(found[MATCH] for found in rounds)
    show(
        f"one round, median of {repeats}; csim, emulator and Keras agree on {match:g} % of the outputs", rows
    )
    save(args, "round", {"rounds": rounds, "rows": rows})


def one_round(seed: int, epochs: int) -> dict[str, float]:
    """Seconds of each part of a round, and the share of csim outputs that equal Keras."""
    from pquant_hls.compress import PruningCompression, QuantizationCompression
    from pquant_hls.csim import build, predict
    from pquant_hls.datasets import load_dataset
    from pquant_hls.hls import convert
    from pquant_hls.measure import estimated
    from pquant_hls.network import build_mlp, keras_predict
    from pquant_hls.rtl import Emulator
    from pquant_hls.spec import HlsSpec
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    jets = load_dataset("lhc_jets")
    model = build_mlp(seed=seed)
    fit(model, jets, FineTuneConfig(epochs=2, seed=seed))
    clock = Stopwatch()
    model = PruningCompression(sparsity=0.3).compress(model, jets).model
    clock.lap("prune")
    model = QuantizationCompression(bits=6, epochs=epochs).compress(model, jets).model
    clock.lap(f"quantize, {epochs} epochs")
    with tempfile.TemporaryDirectory() as folder:
        project = convert(model, HlsSpec(), Path(folder) / "project")
        clock.lap("lint and convert")
        library = build(project, cache=Path(folder) / "cache")
        clock.lap("csim: g++")
        outputs = predict(library, jets.x_val)
        clock.lap(f"csim: predict {len(jets.x_val):,}")
        reference = keras_predict(model, jets.x_val)
        clock.lap("Keras reference")
        estimated(project)
        clock.lap("estimate")
        assert project.graph is not None
        emulator = Emulator(project.graph)
        clock.lap("emulator: trace")
        emulated = emulator.predict(jets.x_val)
        clock.lap("emulator: predict")
    same = np.equal(outputs, reference) & np.equal(outputs, emulated)
    return {**clock.laps, MATCH: 100 * float(np.mean(same))}


class Stopwatch:
    """Named laps in seconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now


if __name__ == "__main__":
    main()
