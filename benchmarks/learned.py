"""Widths learned with the weights: the front of one training on the bundled jets.

The 16-64-32-32-5 tagger, untrained, through ``quantize`` with ``allocation: learned``. Designs are chosen on the validation
split, the best below each limit on EBOPs, and the test split is read for those alone. LUT is the cost that alkaid counts for
the adder graph, stages are those of its pipeline at a 5 ns clock on a VU13P; ``differ`` counts the values on which the
emulated firmware and Keras disagree on 2,000 test jets.

    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 python benchmarks/learned.py [--quick] [--json OUT] [--seed N]
        [--activations fixed|channel|element] [--rounding half_even|odd_bias] [--epochs N]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from _common import parse, save, show

LIMITS = (300, 400, 600, 800, 1000, 1200, 1500, 2000, 3000, 4500, 7000, 11_000, 18_000, 30_000)
QUICK = {"epochs": 20, "batch_size": 1000}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", choices=("fixed", "channel", "element"), default="element")
    parser.add_argument("--rounding", choices=("half_even", "odd_bias"), default="half_even")
    parser.add_argument("--epochs", type=int, help="in place of the step's own")


def main() -> None:
    """Train once, measure and print."""
    from pquant_hls.compress import QuantizationCompression
    from pquant_hls.datasets import load_dataset
    from pquant_hls.network import build_mlp

    args = parse(__doc__, options)
    data = load_dataset("lhc_jets")
    model = build_mlp(data.sample_shape[0], (64, 32, 32), data.n_classes, seed=args.seed)
    settings = dict(QUICK) if args.quick else {} if args.epochs is None else {"epochs": args.epochs}
    step = QuantizationCompression(
        allocation="learned", activation_granularity=args.activations, seed=args.seed, **settings
    )
    start = time.process_time()
    found = step.learn(model, data)
    seconds = time.process_time() - start
    rows = [row(found, point, data, args.rounding) for point in chosen(found.front)]
    epochs = len(found.history.epochs)
    title = f"{args.activations} activations: {seconds:.0f} CPU s, {1000 * seconds / epochs:.0f} ms an epoch"
    show(title, rows)
    save(args, "learned", rows)


def chosen(points: Any) -> list[Any]:
    """The best point below each limit, each once."""
    within = ([point for point in points if point.ebops <= most] for most in LIMITS)
    best = [max(some, key=lambda point: point.standing) for some in within if some]
    return list({point.epoch: point for point in best}.values())


def row(found: Any, point: Any, data: Any, rounding: str) -> dict[str, object]:
    """One design."""
    import numpy as np

    from pquant_hls.compress import account
    from pquant_hls.compress.odd_bias import with_odd_biases
    from pquant_hls.hls import fixed_graph
    from pquant_hls.network.normal import normal_form
    from pquant_hls.qor import Target
    from pquant_hls.rtl import emulate
    from pquant_hls.rtl.bridge import bridge
    from pquant_hls.rtl.timing import pipeline
    from pquant_hls.spec import HlsSpec
    from pquant_hls.train import evaluate, predict

    design = found.design(point)
    if rounding == "odd_bias":
        design = with_odd_biases(design)
    graph = fixed_graph(design, HlsSpec(), exact=True)
    logic = bridge(graph).optimized().logic
    target = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
    some = data.x_test[:2000]
    differ = np.asarray(emulate(graph, some)) != predict(normal_form(design, keep_softmax=False), some)[0]
    return {
        "epoch": point.epoch,
        "validation, %": round(100 * evaluate(design, data.x_val, data.y_val)["accuracy"], 2),
        "test, %": round(100 * evaluate(design, data.x_test, data.y_test)["accuracy"], 2),
        "EBOPs": account(design).ebops,
        "LUT": round(float(logic.cost)),
        "stages": pipeline(logic, target).stages,
        "differ": int(differ.sum()),
    }


if __name__ == "__main__":
    main()
