"""A contestant of ``front.py``: PQuantML's dense layers, its own ``train_model``, its pruning methods at their default epochs.

Runs in an environment of its own (requirements: pquantml.txt beside this file). Weights and values are fixed point: 6 bits
(``--bits``), one type a layer; ``pdp+hgq`` learns bits of each weight on top.

    python benchmarks/peers/pquantml.py DATA.npz FOLDER --widths 64 32 32 --outputs 5 --seed 0 --methods pdp:0.9 dst:5e-6
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pquant
import torch
from _neutral import Form, Layer, Types
from pquant import layers
from pquant.activations import PQActivation

METHODS = ("pdp:0.8", "pdp:0.9", "dst:5e-6", "autosparse:-5", "pdp+hgq:0.8")
RATE, LAST_RATE, BATCH, BETA = 3e-3, 1e-4, 1000, 1e-5
MOST_EPOCHS = 10_000


def main() -> None:
    """Train by each method, write one network each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", required=True)
    parser.add_argument("--outputs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bits", type=int, default=6)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--epochs", type=int, default=MOST_EPOCHS, help="at most these in each phase")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(args.data) as file:
        data = {name: file[name] for name in file.files}
    args.folder.mkdir(parents=True, exist_ok=True)
    for method in args.methods:
        torch.manual_seed(args.seed)
        sizes = (data["x_train"].shape[1], *args.widths, args.outputs)
        network, seconds = trained(configured(method, args.epochs), sizes, args.bits, data)
        about = {
            "contestant": "PQuantML",
            "design": method,
            "seed": args.seed,
            "trainings": {method: seconds},
        }
        exported(network, data, about).save(
            args.folder / f"pquantml_{args.seed}_{method.replace(':', '_')}.npz"
        )


def configured(method: str, most: int) -> Any:
    """The method's default configuration, its strength set."""
    name, strength = method.split(":")
    config = getattr(pquant, f"{name.removesuffix('+hgq')}_config")()
    pruning, bits, training = (
        config.pruning_parameters,
        config.quantization_parameters,
        config.training_parameters,
    )
    training.pretraining_epochs = min(training.pretraining_epochs, most)
    training.epochs = min(training.epochs, most)
    training.fine_tuning_epochs = min(training.fine_tuning_epochs, most)
    field = {"pdp": "sparsity", "dst": "alpha", "autosparse": "threshold_init"}[name.removesuffix("+hgq")]
    setattr(pruning, field, float(strength))
    bits.overflow_mode_data = "SAT"
    if name.endswith("+hgq"):
        bits.use_high_granularity_quantization, bits.granularity = True, "per_weight"
        bits.hgq_beta, bits.hgq_gamma, bits.overflow_mode_data = BETA, 0.0, "WRAP"
    return config


class Network(torch.nn.Module):  # type: ignore[misc]  # no stubs in the project's environment
    """Dense layers with ReLU between them; a (keep-negative, integer, fraction) triple starts each kind of value."""

    def __init__(self, config: Any, sizes: tuple[int, ...], bits: int) -> None:
        super().__init__()
        learned = config.quantization_parameters.use_high_granularity_quantization
        weight = (1.0, 1.0, 6.0) if learned else (1.0, 0.0, bits - 1.0)
        hidden = (0.0, 2.0, 5.0) if learned else (0.0, 2.0, bits - 2.0)
        first = (1.0, 3.0, 5.0) if learned else (1.0, 3.0, 4.0)
        self.dense = torch.nn.ModuleList(
            layers.PQDense(
                config,
                sizes[i],
                sizes[i + 1],
                in_quant_bits=hidden if i else first,
                weight_quant_bits=weight,
                bias_quant_bits=weight,
            )
            for i in range(len(sizes) - 1)
        )
        self.relu = torch.nn.ModuleList(
            PQActivation(config, "relu", quantize_input=False, enable_ebops=False) for _ in sizes[2:]
        )

    def forward(self, x: Any) -> Any:
        """Logits (events, outputs)."""
        for dense, relu in zip(self.dense, self.relu, strict=False):
            x = relu(dense(x))
        return self.dense[-1](x)


def trained(config: Any, sizes: tuple[int, ...], bits: int, data: dict[str, Any]) -> tuple[Network, float]:
    """The network after ``train_model``, and CPU seconds."""
    x = torch.tensor(data["x_train"], dtype=torch.float32)
    y = torch.tensor(data["y_train"]).long()
    network = Network(config, sizes, bits)
    network.train()
    network(x[:BATCH])
    phases = config.training_parameters
    epochs = phases.pretraining_epochs + phases.epochs + phases.fine_tuning_epochs
    steps = -(-len(x) // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps, LAST_RATE)

    def error(found: Any, y: Any) -> Any:
        if found.shape[1] == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(found[:, 0], y.float())
        return torch.nn.functional.cross_entropy(found, y)

    def teach(model: Any, **_: Any) -> None:
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            pquant.get_model_losses(model, error(model(x[rows]), y[rows])).backward()
            optimizer.step()
            schedule.step()

    begun = time.process_time()
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=BATCH)
    pquant.train_model(
        network,
        config,
        teach,
        lambda *_args, **_more: None,
        input_shape=(BATCH, sizes[0]),
        trainloader=batches,
        loss_function=error,
    )
    seconds = time.process_time() - begun
    network.eval()
    pquant.apply_final_compression(network)
    return network, seconds


def exported(network: Network, data: dict[str, Any], about: dict[str, Any]) -> Form:
    """Its numbers; PQuantML rounds half up."""
    dense = list(network.dense)
    read = [types(layer.input_quantizer, layer._weight.shape[1]) for layer in dense]
    made = [
        Layer(
            layer._weight.detach().numpy().T.astype(np.float64),
            layer._bias.detach().numpy().astype(np.float64),
            number < len(dense) - 1,
            read[number + 1] if number < len(dense) - 1 else None,
        )
        for number, layer in enumerate(dense)
    ]
    with torch.no_grad():
        outputs = network(torch.tensor(data["x_val"], dtype=torch.float32)).numpy()
    return Form(read[0], tuple(made), outputs, about)


def types(quantizer: Any, n: int) -> Types:
    """What a quantizer of n values stores them in."""
    kif = [part.detach().numpy().reshape(-1) for part in quantizer.get_quantization_bits()]
    return Types.of(n, (kif[0], kif[1], kif[2]), (quantizer.round_mode, quantizer.overflow))


if __name__ == "__main__":
    main()
