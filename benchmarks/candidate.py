"""What it costs to look at one candidate design, its accuracy on 20,000 jets and its latency: plain hls4ml against this package.

CPU seconds, those of g++ included, of a 16-64-32-32-5 tagger at 6 bits with three quarters of its weights zero, and of a
small one at 4 bits. Plain hls4ml converts the network in normal form (what it can take: no softmax, batch normalization
folded), compiles it and predicts; it has no latency before synthesis. Here the fixed-point graph is made and computed by the
emulator, or the project is written and csim predicts, from an empty cache or a kept library; the latency is estimated.
``equal`` says whether emulator and csim agree on every output.

    python benchmarks/candidate.py [--quick] [--json OUT] [--seed N] [--repeats N]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show

from pquant_hls.compress import PruningCompression, QuantizationCompression
from pquant_hls.csim import build, predict
from pquant_hls.datasets import load_dataset
from pquant_hls.estimate import estimate
from pquant_hls.hls import convert, fixed_graph
from pquant_hls.measure import estimated
from pquant_hls.network import build_mlp
from pquant_hls.network.capture import captured
from pquant_hls.network.normal import normal_form
from pquant_hls.rtl import Emulator
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit

T = TypeVar("T")
DESIGNS = {"6 bits, 75 % zero": (6, 0.75), "4 bits, 93 % zero": (4, 0.93)}


class Watch:
    """Named laps in CPU seconds, those of child processes that have ended included."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}

    def time(self, name: str, run: Callable[[], T]) -> T:
        begun = cpu_s()
        found = run()
        self.laps[name] = cpu_s() - begun
        return found


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def main() -> None:
    """Measure and print."""
    args = parse(__doc__, _options)
    jets = load_dataset("lhc_jets")
    x = np.concatenate([jets.x_val, jets.x_test])
    designs = dict(list(DESIGNS.items())[:1]) if args.quick else DESIGNS
    rows = []
    for name, (bits, sparsity) in designs.items():
        model = trained(jets, bits, sparsity, args.seed, epochs=1 if args.quick else 10)
        repeats = 1 if args.quick else args.repeats
        candidate(other(model), x[:100])  # what is loaded and compiled once for all
        found = [candidate(other(model), x) for _ in range(repeats)]
        laps = {key: statistics.median(lap[key] for lap, _ in found) for key in found[0][0]}
        plain = plain_hls4ml(model, x)
        rows.append({"design": name, **summary(laps, plain), "equal": all(equal for _, equal in found)})
        show(f"{name}: CPU seconds", [{"part": key, "s": s} for key, s in (laps | plain).items()])
        rows[-1]["parts"] = laps | plain
    show("one candidate, CPU seconds", [{k: v for k, v in row.items() if k != "parts"} for row in rows])
    save(args, "candidate", {"events": len(x), "rows": rows})


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repeats", type=int, default=5, help="repetitions of ours (default 5); plain hls4ml runs once"
    )


def summary(laps: dict[str, float], plain: dict[str, float]) -> dict[str, float]:
    """Totals, and how many times plain hls4ml takes each."""
    usual = sum(plain.values())
    ways = {
        "emulator": ("graph", "emulator: made", "emulator: predict", "estimate"),
        "csim, kept library": ("convert", "csim: kept library", "csim: predict", "estimate project"),
        "csim": ("convert", "csim: g++", "csim: predict", "estimate project"),
    }
    totals = {name: sum(laps[part] for part in parts) for name, parts in ways.items()}
    ratios = {f"plain / {name}": usual / total for name, total in totals.items()}
    return {"plain hls4ml": usual, **totals, **ratios}


def trained(jets: Any, bits: int, sparsity: float, seed: int, epochs: int) -> Any:
    """A pruned tagger, quantized."""
    model = build_mlp(16, (64, 32, 32), 5, seed=seed)
    fit(model, jets, FineTuneConfig(epochs=epochs, seed=seed))
    cut = PruningCompression(method="magnitude", sparsity=sparsity, rounds=2, epochs=epochs, seed=seed)
    narrow = QuantizationCompression(bits=bits, epochs=epochs, seed=seed)
    return narrow.compress(cut.compress(model, jets).model, jets).model


def other(model: Any) -> Any:
    """The model with other weights, as the next candidate has: nothing of the last one is of use."""
    model.set_weights([0.97 * values for values in model.get_weights()])
    return model


def candidate(model: Any, x: np.ndarray) -> tuple[dict[str, float], bool]:
    """Laps of both of our ways, and whether they agree on every output."""
    watch, spec = Watch(), HlsSpec()
    graph = watch.time("graph", lambda: fixed_graph(model, spec, exact=True))
    emulator = watch.time("emulator: made", lambda: Emulator(graph))
    emulated = watch.time("emulator: predict", lambda: emulator.predict(x))
    watch.time("estimate", lambda: estimate(graph, spec.target))
    with tempfile.TemporaryDirectory() as folder:
        project = watch.time("convert", lambda: convert(model, spec, Path(folder) / "project"))
        cache = Path(folder) / "cache"
        watch.time("csim: g++", lambda: build(project, cache=cache))
        library = watch.time("csim: kept library", lambda: build(project, cache=cache))
        outputs = watch.time("csim: predict", lambda: predict(library, x))
        watch.time("estimate project", lambda: estimated(project))
    return watch.laps, bool(np.array_equal(emulated, outputs))


def plain_hls4ml(model: Any, x: np.ndarray) -> dict[str, float]:
    """Laps of hls4ml alone, with its own configuration of the network it can take."""
    import hls4ml

    watch, normal = Watch(), normal_form(model)
    with captured(), tempfile.TemporaryDirectory() as folder:
        config = hls4ml.utils.config_from_keras_model(normal, granularity="name", backend="Vitis")
        made = watch.time(
            "hls4ml: convert",
            lambda: hls4ml.converters.convert_from_keras_model(
                normal, hls_config=config, output_dir=folder, backend="Vitis", io_type="io_parallel"
            ),
        )
        watch.time("hls4ml: compile", made.compile)
        watch.time("hls4ml: predict", lambda: made.predict(np.ascontiguousarray(x)))
    return watch.laps


if __name__ == "__main__":
    main()
