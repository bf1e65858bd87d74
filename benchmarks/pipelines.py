"""Every pipeline on the bundled jets, and the trigger pipeline on real CMS track quality at 25, 50 and 100
ns.

Measures, for each pipeline and seed: csim accuracy on the test split (the firmware's C++ run on it), the
float model's accuracy on the same events, compression ratio, worst-case latency in ns with its interval and
source, the verdict, and wall seconds from the float model to the handed-over project. The float model is
trained anew for each seed. The second table needs the folder of real data beside the checkout and is left out
without it.

``--quick`` : one seed, a smaller network, fewer jets and epochs; its figures only show that everything works.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import CORPUS, parse, save, show

TRACKS = CORPUS.parent / "data" / "cms_l1_track_quality.npz"
LATENCIES_NS = (25, 50, 100)
WIDTHS = (32, 16)
Job = Callable[[Any, Any, Mapping[str, Any]], Any]


def jobs(quick: bool) -> dict[str, Job]:
    """The pipelines as they are compared."""
    from pquant_hls import pipelines as p

    epochs, trials = (1, 2) if quick else (6, 12)
    steps = [
        {"step": "prune", "sparsity": 0.3, "epochs": epochs},
        {"step": "quantize", "bits": 6, "epochs": epochs},
    ]
    own = p.prune(0.4) >> p.quantize(6, epochs=epochs) >> p.fine_tune(epochs)
    return {
        "standard, 8 x": lambda m, d, o: p.StandardCompressionPipeline(8, 0.97, analyse=not quick).execute(
            m, d, **o
        ),
        "auto-tuning, 100 ns": lambda m, d, o: p.AutoTuningPipeline(
            {"bits": [4, 8], "sparsity": [0.0, 0.7]},
            n_trials=trials,
            final_epochs=2 * epochs,
            budget={"latency_ns": 100, "max_accuracy_loss": 0.03},
        ).execute(m, d, **{**o, "epochs": max(1, epochs // 2)}),
        "trigger, 100 ns": lambda m, d, o: p.HEPCompressionPipeline().compress_trigger_model(
            m, 100, d, max_accuracy_loss=0.05, **o
        ),
        "jet tagger": lambda m, d, o: p.HEPCompressionPipeline().compress_jet_tagger(m, d, **o),
        "validation": lambda m, d, o: p.ValidationPipeline(steps, 0.03).execute(m, d, **o),
        "adaptive, 60 ns": lambda m, d, o: p.AdaptivePipeline("60 ns", 0.03).execute(m, d, **o),
        "own: prune >> quantize >> tune": lambda m, d, o: own.compress(m, d, **o),
    }


def jets(quick: bool) -> Any:
    """The bundled jets; a part of them for ``--quick``."""
    from dataclasses import replace

    from pquant_hls.datasets import load_dataset

    data = load_dataset("lhc_jets")
    if not quick:
        return data
    cut = {
        f"{axis}_{split}": getattr(data, f"{axis}_{split}")[:3000]
        for axis in "xy"
        for split in ("train", "val", "test")
    }
    return replace(data, **cut)


def tracks() -> Any:
    """Real track-quality data as a Dataset: 7 inputs, standardised on the training part, binary label."""
    from pquant_hls.datasets.assemble import assemble

    with np.load(TRACKS) as file:
        found = {name.lower(): file[name] for name in file.files}
    x, y = np.asarray(found["x"], np.float32), np.asarray(found["y"]).reshape(-1).astype(int)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)
    return assemble({"x": x, "y": y}, name="track quality", where=str(TRACKS), seed=0)


def trained(data: Any, widths: tuple[int, ...], seed: int, epochs: int) -> Any:
    """A float network for ``data``."""
    from pquant_hls.network import build_mlp
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    outputs = data.n_classes if data.n_classes > 2 else 1
    model = build_mlp(data.sample_shape[0], widths, outputs, seed=seed)
    fit(model, data, FineTuneConfig(epochs=epochs, batch_size=256, learning_rate=3e-3, seed=seed))
    return model


def row(name: str, seed: int, result: Any, seconds: float) -> dict[str, Any]:
    """One line of a table."""
    found, latency = result.qor.metrics, result.qor.latency
    ns = (
        None
        if latency is None
        else f"{latency.worst_ns:.0f} [{latency.worst_ns_lo:.0f}..{latency.worst_ns_hi:.0f}]"
    )
    return {
        "pipeline": name,
        "seed": seed,
        "csim": found.get("test_accuracy"),
        "float": found.get("test_accuracy_float"),
        "ratio": result.ratio,
        "ns": ns,
        "source": result.qor.source,
        "match": result.qor.csim_match,
        "verdict": str(result.verdict),
        "s": round(seconds, 1),
        "reason": result.reason,
    }


def timed(
    name: str, seed: int, job: Job, model: Any, data: Any, options: Mapping[str, Any]
) -> dict[str, Any]:
    begun = time.perf_counter()
    result = job(model, data, {"seed": seed, **options})
    found = row(name, seed, result, time.perf_counter() - begun)
    print(", ".join(f"{key} {value}" for key, value in found.items()), file=sys.stderr)
    return found


def jet_table(args: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    data, rows = jets(args.quick), []
    seeds = [args.seed] if args.quick else [args.seed + n for n in range(args.seeds)]
    for seed in seeds:
        model = trained(data, (16, 8) if args.quick else (64, 32, 32), seed, 3 if args.quick else 20)
        for number, (name, job) in enumerate(jobs(args.quick).items()):
            if args.only and not any(name.startswith(wanted) for wanted in args.only):
                continue
            options = {"out": scratch / f"jets-{seed}-{number}", "epochs": 1 if args.quick else 6}
            rows.append(timed(name, seed, job, model, data, options))
    return rows


def trigger(model: Any, data: Any, options: Mapping[str, Any]) -> Any:
    from pquant_hls.pipelines import HEPCompressionPipeline

    return HEPCompressionPipeline().compress_trigger_model(model, train=data, **options)


def track_table(args: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    data, rows = tracks(), []
    for seed in [args.seed] if args.quick else [args.seed + n for n in range(args.seeds)]:
        model = trained(data, WIDTHS, seed, 5 if args.quick else 40)
        for latency in LATENCIES_NS[1:2] if args.quick else LATENCIES_NS:
            options = {
                "target_latency_ns": latency,
                "out": scratch / f"tracks-{seed}-{latency}",
                "epochs": 1 if args.quick else 15,
                "max_rounds": 2 if args.quick else 12,
                "training": {"batch_size": 128, "learning_rate": 2e-3},
            }
            rows.append(timed(f"trigger, {latency} ns", seed, trigger, model, data, options))
    return rows


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default 3)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="pipelines whose name begins so (default all)"
    )
    parser.add_argument(
        "--table", choices=("both", "jets", "tracks"), default="both", help="which table to make"
    )


def main() -> None:
    args = parse(__doc__, options)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if args.table != "tracks":
            results["jets"] = jet_table(args, Path(scratch))
            title = "part of the bundled jets, 16-16-8-5" if args.quick else "bundled jets, 16-64-32-32-5"
            show(title, without_reason(results["jets"]))
        if args.table != "jets" and TRACKS.is_file():
            results["track_quality"] = track_table(args, Path(scratch))
            show("CMS track quality, 7-32-16-1, 5 ns clock", without_reason(results["track_quality"]))
            for found in results["track_quality"]:
                print(f"{found['pipeline']}, seed {found['seed']}: {found['reason']}")
    save(args, "pipelines", results)


def without_reason(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "reason"} for line in rows]


if __name__ == "__main__":
    main()
