"""What odd biases save: the same trained designs with ties rounded half to even, and without any ties.

The 16-64-32-32-5 tagger on the bundled jets with learned bits of weights and calibrated types of activations, one training a
seed. For designs of about 500, 1,000, 2,000 and 4,000 EBOPs: test accuracy, LUT and cycles of the Verilog as alkaid and this
package's rule of routing expect them, LUT and flip-flops that Yosys maps, LUT and cycles that the estimator expects of the
HLS design. ``differ`` counts outputs of 2,000 test jets on which the emulated firmware is not Keras.

    python benchmarks/odd_bias.py [--quick] [--json OUT] [--seed N] [--seeds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show
from _judge import TARGET
from _tasks import tasks

from pquant_hls.compress import QuantizationCompression, account
from pquant_hls.compress.odd_bias import with_odd_biases
from pquant_hls.estimate import estimate
from pquant_hls.hls import fixed_graph
from pquant_hls.network import build_mlp
from pquant_hls.network.normal import normal_form
from pquant_hls.rtl import emulate, synthesize, to_verilog
from pquant_hls.train import evaluate, predict

SIZES = (500, 1000, 2000, 4000)
"""EBOPs of the designs looked at: the best of at most so many."""
EVENTS = 2000
Row = dict[str, Any]
QUICK: Row = {"epochs": 40, "batch_size": 1000, "price": 3e-4}


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--seeds", type=int, help="number of seeds (default 3, quick 1)")


def main() -> None:
    """Train, measure and print."""
    args = parse(__doc__, options)
    task = tasks(Path())["bundled jets"]
    found: list[Row] = []
    for seed in range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3))):
        data = task.data(seed)
        step = QuantizationCompression(allocation="learned", seed=seed, **(QUICK if args.quick else {}))
        learnt = step.learn(build_mlp(task.inputs, task.widths, task.outputs, seed=seed), data)
        for size in SIZES[-1:] if args.quick else SIZES:
            within = [point for point in learnt.front if point.ebops <= size]
            if within:
                model = learnt.design(max(within, key=lambda point: point.standing))
                found += [
                    {"size": size, "biases": "even", "seed": seed, **looked_at(model, data)},
                    {"size": size, "biases": "odd", "seed": seed, **looked_at(with_odd_biases(model), data)},
                ]
    rows = [row(size, found) for size in SIZES if any(each["size"] == size for each in found)]
    show("odd biases against half to even: means, and what is saved", rows)
    save(args, "odd_bias", {"designs": found, "rows": rows})


def looked_at(model: Any, data: Any) -> Row:
    """All figures of one design."""
    graph = fixed_graph(model, exact=True)
    some = data.x_test[:EVENTS]
    keras = predict(normal_form(model, keep_softmax=False), some)[0]
    with tempfile.TemporaryDirectory() as scratch:
        project = to_verilog(graph, TARGET, Path(scratch) / "rtl")
        cells = synthesize(project)
    guess = estimate(graph, TARGET)
    assert project.lut is not None
    return {
        "test": 100 * evaluate(model, data.x_test, data.y_test)["accuracy"],
        "EBOPs": account(model).ebops,
        "RTL LUT": project.lut[0],
        "RTL cycles": project.latency_cycles,
        "Yosys LUT": cells.lut,
        "Yosys FF": cells.ff,
        "HLS LUT": None if guess.resources is None else guess.resources.lut,
        "HLS cycles": None if guess.latency is None else guess.latency.cycles_max,
        "differ": int((np.asarray(emulate(graph, some)) != keras).sum()),
    }


def row(size: int, found: list[Row]) -> Row:
    """Means over the seeds at one size: even, odd, and the share saved."""
    pairs = [
        (even, odd)
        for even in found
        for odd in found
        if (even["size"], even["biases"], odd["size"], odd["biases"], even["seed"])
        == (size, "even", size, "odd", odd["seed"])
    ]

    def mean(name: str, of: int) -> float:
        return statistics.fmean(pair[of][name] for pair in pairs)

    told: Row = {"EBOPs up to": size, "test, %": f"{mean('test', 0):.2f} -> {mean('test', 1):.2f}"}
    for name in ("RTL LUT", "Yosys LUT", "Yosys FF", "HLS LUT"):
        saved = 100 * (1 - mean(name, 1) / mean(name, 0))
        told[name] = f"{mean(name, 0):,.0f} -> {mean(name, 1):,.0f} ({saved:.0f} % saved)"
    for name in ("RTL cycles", "HLS cycles"):
        told[name] = f"{mean(name, 0):.1f} -> {mean(name, 1):.1f}"
    return told | {"differ": sum(each["differ"] for pair in pairs for each in pair)}


if __name__ == "__main__":
    main()
