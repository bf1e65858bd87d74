"""Overflow of every type of 20 networks: proven, or an input that wraps it shown in csim.

Projects are written by hls4ml itself: eight in plain ap_fixed<16,6>, four convolutional, three quantized networks of this
package, and five in which one type was narrowed so that real data wraps it. Each is read from its sources, its graph
borne out by csim, and each type decided for all inputs between the least and the largest of the data.

types      of values (inputs, results, accumulators), and how many of them are decided
wraps      types that an input wraps, each shown in csim; saturates: the same for types that clip
planted    the narrowed type is among them
seconds    of wall time for deciding and showing, cpu_s of processor time, csim's included; compiling csim and proving the
           graph come on top (csim_s)

    python benchmarks/overflow.py --json OUT
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import parse, save, show

from pquant_hls.datasets import load_dataset
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.measure import overflow, prove
from pquant_hls.spec import HlsSpec

PART = "xcvu13p-flga2577-2-e"
PLAIN = "ap_fixed<16,6>"
EPOCHS = 6
Row = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """``make`` gives a trained Keras model; ``plant`` names the layer and the role of the type to be narrowed."""

    name: str
    group: str
    make: Callable[[Any], Any]
    plant: tuple[str, str] | None = None
    precision: str = PLAIN


class Jets:
    """The bundled jets; ``shape`` folds the 16 observables for convolutions."""

    def __init__(self, seed: int) -> None:
        data = load_dataset("lhc_jets")
        self.x, self.y, self.seed = data.x_train[:20_000], np.asarray(data.y_train)[:20_000], seed

    def trained(self, layers: list[Any], shape: tuple[int, ...] = (16,), wanted: Any = None) -> Any:
        import keras

        keras.utils.set_random_seed(self.seed)
        model = keras.Sequential([keras.Input(shape), *(layer() for layer in layers)])
        loss = (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            if wanted is None
            else "mean_squared_error"
        )
        model.compile("adam", loss)
        y = self.y if wanted is None else wanted
        model.fit(self.x.reshape(-1, *shape), y, epochs=EPOCHS, batch_size=512, verbose=0)
        return model


def dense(*sizes: int, activation: str = "relu", last: int = 5) -> list[Any]:
    from keras import layers

    hidden = [
        lambda n=n, i=i: layers.Dense(n, activation=activation, name=f"fc{i}") for i, n in enumerate(sizes, 1)
    ]
    return [*hidden, lambda: layers.Dense(last, name="out")]


def mlp(*sizes: int, activation: str = "relu") -> Callable[[Jets], Any]:
    return lambda jets: jets.trained(dense(*sizes, activation=activation))


def autoencoder(jets: Jets) -> Any:
    return jets.trained(dense(12, 6, 3, 6, 12, last=16), wanted=jets.x)


def regression(jets: Jets) -> Any:
    return jets.trained(dense(24, 12, last=1), wanted=jets.x[:, :1] * 2)


def residual(jets: Jets) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(jets.seed)
    x = keras.Input((16,))
    one = layers.Dense(16, activation="relu", name="fc1")(x)
    two = layers.Dense(16, activation="relu", name="fc2")(one)
    model = keras.Model(x, layers.Dense(5, name="out")(layers.Add(name="both")([one, two])))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(jets.x, jets.y, epochs=EPOCHS, batch_size=512, verbose=0)
    return model


def convolution(rank: int, pooling: str) -> Callable[[Jets], Any]:
    from keras import layers

    conv: Any = getattr(layers, f"Conv{rank}D")
    pool: Any = getattr(layers, f"{pooling}Pooling{rank}D")
    kernel = 3 if rank == 1 else (3, 3)
    parts = [
        lambda: conv(4, kernel, padding="same", activation="relu", name="conv1"),
        lambda: pool(2, name="pool"),
        lambda: conv(6, kernel, padding="same", activation="relu", name="conv2"),
        lambda: layers.Flatten(name="flat"),
        *dense(16),
    ]
    return lambda jets: jets.trained(parts, (16, 1) if rank == 1 else (4, 4, 1))


def image(jets: Jets) -> Any:
    """10 x 10 pixels of 0 to 1, as it was initialised."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(jets.seed)
    return keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(6, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(8, 3, activation="relu", name="conv2"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="out"),
        ]
    )


def quantized(bits: int, *sizes: int) -> Callable[[Jets], Any]:
    def make(jets: Jets) -> Any:
        from qkeras import QActivation, QDense, quantized_bits, quantized_relu

        grid = {f"{name}_quantizer": quantized_bits(bits, 1, alpha=1) for name in ("kernel", "bias")}
        layers: list[Any] = [lambda: QActivation(quantized_bits(8, 3, alpha=1), name="q_in")]
        for place, size in enumerate(sizes, 1):
            layers += [
                lambda n=size, i=place: QDense(n, name=f"fc{i}", **grid),
                lambda i=place: QActivation(quantized_relu(bits, 2), name=f"relu{i}"),
            ]
        return jets.trained([*layers, lambda: QDense(5, name="out", **grid)])

    return make


def networks() -> list[Network]:
    return [
        Network("64-32-32", "plain", mlp(64, 32, 32)),
        Network("32-16", "plain", mlp(32, 16)),
        Network("64-64", "plain", mlp(64, 64)),
        Network("16-16-16", "plain", mlp(16, 16, 16)),
        Network("autoencoder", "plain", autoencoder),
        Network("regression", "plain", regression),
        Network("tanh", "plain", mlp(24, 12, activation="tanh")),
        Network("residual", "plain", residual),
        Network("conv1d max", "conv", convolution(1, "Max")),
        Network("conv1d average", "conv", convolution(1, "Average")),
        Network("conv2d max", "conv", convolution(2, "Max")),
        Network("image 10x10", "conv", image),
        Network("4 bits 16-16", "quantized", quantized(4, 16, 16)),
        Network("6 bits 32-16", "quantized", quantized(6, 32, 16)),
        Network("8 bits 64-32-32", "quantized", quantized(8, 64, 32, 32)),
        Network("accumulator", "planted", mlp(32, 16), ("fc2", "accum")),
        Network("sum's result", "planted", mlp(24, 12), ("fc2", "result")),
        Network("ReLU's result", "planted", mlp(16, 16), ("fc1_relu", "result")),
        Network("convolution", "planted", convolution(1, "Max"), ("conv2", "accum")),
        Network("score", "planted", mlp(16, 8), ("out", "result")),
    ]


def largest(model: Any, x: Any, layer: str) -> float:
    """What a layer gives at most on the data, before its activation."""
    import keras

    name = layer.removesuffix("_relu")
    given = model.get_layer(name)
    before = keras.Model(model.inputs, given.input).predict(x, verbose=0)
    kernel, bias = given.get_weights()
    if kernel.ndim > 2:
        after = keras.Model(model.inputs, given.output).predict(x, verbose=0)
        return float(np.abs(after).max())
    return float(np.abs(before @ kernel + bias).max() if layer == name else (before @ kernel + bias).max())


def write(network: Network, model: Any, x: Any, folder: Path) -> HlsProject:
    """By hls4ml itself, as anyone would; a quantized one by this package."""
    if network.group == "quantized":
        return convert(model, HlsSpec(part=PART), folder)
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend="Vitis", default_precision=network.precision
    )
    for words in config["LayerName"].values():
        words["Precision"] = {
            "default": network.precision,
            "result": network.precision,
            "accum": network.precision,
        }
    if network.plant is not None:
        layer, role = network.plant
        integer = int(np.floor(np.log2(largest(model, x, layer)))) + 1
        config["LayerName"][layer]["Precision"][role] = f"ap_fixed<{integer + 10},{integer}>"
    made = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend="Vitis", io_type="io_parallel", part=PART
    )
    made.write()
    return load_project(folder)


def looked_at(network: Network, jets: Jets, folder: Path, seconds: float) -> Row:
    model = network.make(jets)
    shape = model.input_shape[1:]
    x = jets.x.reshape(-1, *shape) if np.prod(shape) == 16 else None
    ends = (np.zeros(shape), np.ones(shape)) if x is None else (x.min(axis=0), x.max(axis=0))
    project = write(network, model, x, folder)
    start = time.perf_counter()
    if project.graph is None:
        prove(project)  # compiles csim, which the next step finds in its cache
    before = time.perf_counter()
    spent = sum(os.times()[:4])
    found = overflow(project, [ends], seconds=seconds)
    after, spent = time.perf_counter(), sum(os.times()[:4]) - spent
    words = [one.verdict.status for one in found.types]
    planted = None
    if network.plant is not None:
        planted = any((one.verdict.node, one.verdict.role) == network.plant for one in found.wraps)
    hows = [one.verdict.how for one in found.types]
    return {
        "network": network.name,
        "group": network.group,
        "types": len(words),
        "decided": len(words) - words.count("undecided"),
        "proven": words.count("proven"),
        "by intervals": hows.count("intervals"),
        "by affine forms": hows.count("affine forms"),
        "by MILP": sum(one.verdict.how == "MILP" and one.verdict.status == "proven" for one in found.types),
        "wraps": words.count("wraps"),
        "saturates": words.count("saturates"),
        "undecided": "; ".join(
            f"{one.verdict.node} {one.verdict.role}: {one.verdict.reason}" for one in found.undecided
        ),
        "planted": None if planted is None else "found" if planted else "MISSED",
        "seconds": round(after - before, 1),
        "cpu_s": round(spent, 1),
        "csim_s": round(before - start, 1),
    }


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, help="for deciding one network (40; 8 with --quick)")
    parser.add_argument("--only", help="networks whose name or group holds this text")


def main() -> int:
    args = parse(__doc__, options)
    seconds = args.seconds or (8.0 if args.quick else 40.0)
    chosen = [one for one in networks() if args.only is None or args.only in f"{one.name} {one.group}"]
    if args.quick:
        chosen = [one for one in chosen if one.name in {"32-16", "conv1d max", "4 bits 16-16", "accumulator"}]
    jets, rows = Jets(args.seed), list[Row]()
    with tempfile.TemporaryDirectory() as folder:
        for place, network in enumerate(chosen):
            rows.append(looked_at(network, jets, Path(folder) / f"p{place}", seconds))
            print(f"{network.name}: {rows[-1]['seconds']} s, {rows[-1]['undecided']}", file=sys.stderr)
    show(
        f"overflow of {len(rows)} networks",
        [{k: v for k, v in row.items() if k != "undecided"} for row in rows],
    )
    types, decided = (sum(row[key] for row in rows) for key in ("types", "decided"))
    missed = sum(row["planted"] == "MISSED" for row in rows)
    print(
        f"decided: {decided} of {types} types ({100 * decided / types:.1f} %); planted wraps missed: {missed}"
    )
    save(args, "overflow", rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
