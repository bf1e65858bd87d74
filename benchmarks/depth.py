"""What leaving layers out is worth: the loop on the bundled jets with the network's depth fixed, and with it as a knob.

The 16-64-32-32-5 tagger, one recipe (structured pruning, then quantization-aware training at 8 bits and fewer, twelve rounds at
most) against budgets that its four layers cannot meet or only at their ends. ``depth`` has a ``prune_layers`` step before it.
Each row is one run: what was handed over, its accuracy by csim on the validation and on the test split, its latency as
estimated.

    python benchmarks/depth.py [--quick] [--json OUT] [--seed N] [--out DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from _common import parse, save, show

VU13P, VU9P = "xcvu13p-flga2577-2-e", "xcvu9p-flga2104-2-e"
CASES = ((VU13P, 20), (VU13P, 25), (VU13P, 30), (VU13P, 40), (VU9P, 25))
TRAINING = {"learning_rate": 2e-3}


def out_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="keep the run folders here, and go on from them")


def main() -> None:
    """Run and print."""
    args = parse(__doc__, out_option)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch)
        model, data = tagger(folder, args.seed)
        rows = [
            row(model, data, recipe(part, ns, depth=depth), folder / f"{args.seed}-{part[:6]}-{ns}-{depth}")
            for part, ns in (CASES[1:2] if args.quick else CASES)
            for depth in (False, True)
        ]
    show("depth fixed, and depth as a knob", rows)
    save(args, "depth", rows)


def tagger(folder: Path, seed: int) -> tuple[Any, Any]:
    """The trained float tagger, kept in the folder, and the jets."""
    from pquant_hls.datasets import load_dataset
    from pquant_hls.network import build_mlp, load_model, save_model
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    data, kept = load_dataset("lhc_jets"), folder / f"tagger-{seed}.keras"
    if kept.is_file():
        return load_model(kept), data
    model = build_mlp(data.sample_shape[0], (64, 32, 32), data.n_classes, seed=seed)
    fit(model, data, FineTuneConfig(epochs=20, batch_size=256, learning_rate=3e-3, seed=seed))
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, kept)
    return model, data


def recipe(part: str, ns: float, *, depth: bool) -> Any:
    """The same steps, with or without one that may leave layers out."""
    from pquant_hls import Recipe

    first = [{"step": "prune_layers", "dropped_layers": 0, "epochs": 20, **TRAINING}] if depth else []
    steps = [{"step": "prune", "sparsity": 0.2}, {"step": "quantize", "bits": 8, "epochs": 6, **TRAINING}]
    return Recipe.parse(
        {
            "name": f"{ns} ns on {part}{', depth' if depth else ''}",
            "steps": [*first, *steps],
            "hls": {"part": part, "clock_ns": 5, "clock_uncertainty": "27%"},
            "budget": {"latency_ns": ns},
            "loop": {"max_rounds": 12, "sparsity": {"step": 0.25, "max": 0.9}, "bits": {"min": 4}},
        }
    )


def row(model: Any, data: Any, made: Any, out: Path) -> dict[str, object]:
    """One run of the loop."""
    from pquant_hls import compress_model

    found = compress_model(model, data, made, out, resume=out.exists())
    latency, units = found.qor.latency, found.model.layers
    shape = [layer.units for layer in units if getattr(layer, "units", None) is not None]
    rounds = [entry for entry in found.history if entry.kind == "round"]
    return {
        "run": made.name,
        "verdict": str(found.verdict),
        "network": "-".join(map(str, [16, *shape])),
        "validation, %": percent(found.qor.accuracy),
        "test, %": percent(found.qor.metrics.get("test_accuracy")),
        "ns": None if latency is None else f"{latency.worst_ns_lo:g}..{latency.worst_ns_hi:g}",
        "rounds": len(rounds),
        "reason": found.reason,
    }


def percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


if __name__ == "__main__":
    main()
