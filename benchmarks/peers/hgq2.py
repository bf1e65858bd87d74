"""A contestant of ``front.py``: HGQ2's dense layers with learned bits of every weight and every activation.

Runs in an environment of its own (requirements: hgq2.txt beside this file); HGQ2's wheel overwrites the package qkeras, so
never in the project's. The recipe is HGQ2's own (arXiv:2405.00645): loss + beta x EBOPs, beta rising by powers, Adam with
cosine restarts, and of all epochs those that no other beats in validation accuracy and EBOPs are kept. Epochs are jitted
(``jax.lax.scan`` over Keras' stateless calls), which gives the numbers of ``fit`` without its cost per step.

    python benchmarks/peers/hgq2.py DATA.npz FOLDER --widths 64 32 32 --outputs 5 --seed 0
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from _neutral import Form, Layer, Types, thinned
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QDense
from hgq.utils import trace_minmax

RAMP = (2e-6, 3e-4)
"""Beta from a tenth of the epochs on, and at their end."""
RATE, RESTARTS, BATCH = 4e-3, 5, 2000
LEAST_GAIN, MOST_EBOPS = 0.6, 40_000
"""Points kept reach this share of what lies between chance and the best epoch, and cost no more."""


def main() -> None:
    """Train once, write the front."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", required=True)
    parser.add_argument("--outputs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=2400)
    args = parser.parse_args()
    with np.load(args.data) as file:
        data = {name: jnp.asarray(file[name]) for name in file.files}
    model = built(data["x_train"].shape[1], args.widths, args.outputs, args.seed)
    front, seconds = trained(model, data, args.epochs, args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    for epoch, variables in thinned([(ebops, score, found) for score, ebops, *found in front]):
        about = {
            "contestant": "HGQ2",
            "seed": args.seed,
            "design": f"epoch {epoch}",
            "trainings": {"learned": seconds},
        }
        exported(model, variables, data, about).save(args.folder / f"hgq2_{args.seed}_{epoch:05d}.npz")


def built(inputs: int, widths: list[int], outputs: int, seed: int) -> keras.Model:
    """HGQ2's defaults: weights by bits and saturating, values by fractions and wrapping, a width each."""
    keras.utils.set_random_seed(seed)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=RAMP[0]),
    ):
        hidden = [QDense(width, activation="relu") for width in widths]
        return keras.Sequential([keras.Input((inputs,)), *hidden, QDense(outputs)])


def trained(
    model: keras.Model, data: dict[str, Any], epochs: int, seed: int
) -> tuple[list[tuple[float, float, int, Any]], float]:
    """Points (validation accuracy, EBOPs, epoch, variables) that no other beats, and CPU seconds after compilation."""
    epoch, state = jitted(model, data, epochs)
    key, kept, best = jax.random.PRNGKey(seed), list[Any](), 0.0
    chance, begun = 1 / max(2, model.output_shape[-1]), time.process_time()
    for number in range(epochs):
        key, drawn = jax.random.split(key)
        *state, share, cost = epoch(*state, drawn, beta_at(number / epochs))
        begun = time.process_time() if number == 0 else begun
        score, ebops = float(share), float(cost)
        best = max(best, score)
        least = chance + LEAST_GAIN * (best - chance)
        if score < least or ebops > MOST_EBOPS or any(s >= score and e <= ebops for s, e, *_ in kept):
            continue
        kept = [point for point in kept if point[0] > score or point[1] < ebops]
        kept.append((score, ebops, number, [[np.asarray(v) for v in part] for part in state[:2]]))
    return kept, time.process_time() - begun


def beta_at(done: float) -> Any:
    """The price of an EBOP at a share of the training done."""
    low, high = RAMP
    return jnp.float32(low * (high / low) ** max(0.0, (done - 0.1) / 0.9))


def jitted(model: keras.Model, data: dict[str, Any], epochs: int) -> tuple[Callable[..., Any], list[Any]]:
    """One epoch as a compiled function of (weights, other variables, the optimizer's, key, beta), and the first three."""
    x, y = data["x_train"].astype(jnp.float32), data["y_train"]
    size = min(BATCH, len(x))
    steps = len(x) // size
    cycle = max(1, epochs // RESTARTS) * steps
    schedule = keras.optimizers.schedules.CosineDecayRestarts(RATE, cycle, t_mul=1.0, m_mul=0.95, alpha=0.03)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(model.trainable_variables)
    names = [variable.name for variable in model.non_trainable_variables]
    prices = {index for index, name in enumerate(names) if name == "beta"}
    costs = [index for index, name in enumerate(names) if name == "ebops"]

    def loss(weights: Any, others: Any, x: Any, y: Any) -> Any:
        found, others, added = model.stateless_call(weights, others, x, training=True, return_losses=True)
        return error(found, y) + sum(added), others

    slope = jax.value_and_grad(loss, has_aux=True)

    def step(state: Any, chosen: Any) -> Any:
        weights, others, moments = state
        (_, others), gradient = slope(weights, others, x[chosen], y[chosen])
        weights, moments = optimizer.stateless_apply(moments, gradient, weights)
        return (weights, others, moments), None

    def epoch(weights: Any, others: Any, moments: Any, key: Any, beta: Any) -> Any:
        others = [beta if index in prices else value for index, value in enumerate(others)]
        rows = jax.random.permutation(key, len(x))[: steps * size].reshape(steps, size)
        (weights, others, moments), _ = jax.lax.scan(step, (weights, others, moments), rows)
        found, _ = model.stateless_call(weights, others, data["x_val"].astype(jnp.float32), training=False)
        share = (decided(found) == data["y_val"]).mean()
        return weights, others, moments, share, sum(others[index].astype(jnp.float32) for index in costs)

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    return jax.jit(epoch), [[variable.value for variable in group] for group in groups]


def error(found: Any, y: Any) -> Any:
    """Cross entropy of logits: a column a class, or one column for label 1."""
    if found.shape[-1] == 1:
        return jnp.mean(jnp.logaddexp(0.0, found[:, 0]) - y * found[:, 0])
    return -jnp.mean(jax.nn.log_softmax(found)[jnp.arange(len(y)), y])


def decided(found: Any) -> Any:
    """The class that logits say."""
    return (found[:, 0] > 0).astype(int) if found.shape[-1] == 1 else found.argmax(-1)


def exported(model: keras.Model, variables: Any, data: dict[str, Any], about: dict[str, Any]) -> Form:
    """The network with these variables, its integer bits wide enough for the training and validation inputs."""
    for group, values in zip(
        (model.trainable_variables, model.non_trainable_variables), variables, strict=True
    ):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
    seen = np.concatenate([data["x_train"], data["x_val"]]).astype(np.float32)
    trace_minmax(model, seen, batch_size=len(seen))
    dense = [layer for layer in model.layers if isinstance(layer, QDense)]
    read = [types(layer.iq.quantizer, layer.kernel.shape[0]) for layer in dense]
    layers = [
        Layer(
            np.asarray(layer.qkernel, np.float64),
            np.asarray(layer.qbias, np.float64),
            number < len(dense) - 1,
            read[number + 1] if number < len(dense) - 1 else None,
        )
        for number, layer in enumerate(dense)
    ]
    outputs = np.asarray(model(data["x_val"].astype(jnp.float32), training=False), np.float32)
    return Form(read[0], tuple(layers), outputs, about)


def types(quantizer: Any, n: int) -> Types:
    """What a quantizer of n values stores them in."""
    kif = [np.asarray(quantizer.bw_mapper.bw_to_x(part, (1, n)))[0] for part in quantizer.kif]
    return Types.of(n, (kif[0], kif[1], kif[2]), (quantizer.round_mode, quantizer.overflow_mode))


if __name__ == "__main__":
    main()
