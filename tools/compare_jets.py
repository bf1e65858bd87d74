"""Measure how close a jet file is to reference jets, and print it.

    python tools/compare_jets.py --reference ../shared/data/lhc_jets_hlf_5120.npz
    python tools/compare_jets.py --reference real.npz --jets pquant_hls/datasets/lhc_jets.npz

The reference holds standardised `X` (n, 16), `y` (n,) and `class_names`, with observables and classes in the
order of the bundled file. Printed: for each observable, the class means of both sets, each standardised by
itself (in standard deviations); and the accuracy of 64-32-32 networks trained on the jets of the file, on
their own test split and on all reference jets. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

BUNDLED = Path(__file__).resolve().parents[1] / "pquant_hls" / "datasets" / "lhc_jets.npz"
HIDDEN_UNITS = (64, 32, 32)


class Jets(NamedTuple):
    """Standardised observables (n, 16), labels (n,), split codes (n,): 0 train, 1 validation, 2 test."""

    x: Floats
    y: Labels
    split: Labels
    features: tuple[str, ...]
    classes: tuple[str, ...]


class Accuracy(NamedTuple):
    """Shares of right answers of one network: on the test split of its own jets, and on the reference."""

    own: float
    reference: float


def read_jets(path: Path) -> Jets:
    """Jets of a file of tools/generate_jets.py, standardised with mean and width of the training split."""
    with np.load(path, allow_pickle=False) as file:
        x, split = file["x"].astype(np.float64), file["split"].astype(np.int64)
        features, classes = tuple(map(str, file["feature_names"])), tuple(map(str, file["class_names"]))
        train = x[split == 0]
        return Jets(
            (x - train.mean(axis=0)) / train.std(axis=0), file["y"].astype(np.int64), split, features, classes
        )


def read_reference(path: Path) -> Jets:
    """Reference jets, standardised by their makers; all of them count as test."""
    with np.load(path, allow_pickle=False) as file:
        y = file["y"].astype(np.int64)
        features, classes = tuple(map(str, file["feature_names"])), tuple(map(str, file["class_names"]))
        return Jets(file["X"].astype(np.float64), y, np.full(len(y), 2), features, classes)


def class_means(jets: Jets) -> Floats:
    """Mean of each observable in each class; (classes, 16)."""
    return np.array([jets.x[jets.y == label].mean(axis=0) for label in range(len(jets.classes))])


def train_and_score(jets: Jets, reference: Jets, *, seed: int, epochs: int) -> Accuracy:
    """Train a 64-32-32 network on the training split and score it on both test sets."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(HIDDEN_UNITS, batch_size=256, max_iter=1, warm_start=True, random_state=seed)
    train, test = jets.split == 0, jets.split == 2
    for _ in range(epochs):
        network.partial_fit(jets.x[train], jets.y[train], classes=np.arange(len(jets.classes)))
    return Accuracy(
        float(network.score(jets.x[test], jets.y[test])), float(network.score(reference.x, reference.y))
    )


def table(jets: Jets, reference: Jets) -> list[str]:
    """Lines of class means, ours / theirs, for each observable."""
    ours, theirs = class_means(jets), class_means(reference)
    lines = [f"{'observable':14s}" + "".join(f"{name:>15s}" for name in jets.classes) + "  largest gap"]
    for column, name in enumerate(jets.features):
        pairs = zip(ours[:, column], theirs[:, column], strict=True)
        cells = "".join(f"  {a:+6.2f}/{b:+6.2f}" for a, b in pairs)
        lines.append(f"{name:14s}{cells}  {np.abs(ours - theirs)[:, column].max():11.2f}")
    gaps = np.abs(ours - theirs)
    return [*lines, f"mean gap {gaps.mean():.3f}, largest {gaps.max():.3f} standard deviations"]


def main() -> None:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--jets", type=Path, default=BUNDLED)
    parser.add_argument("--seeds", type=int, default=3, help="networks to train")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    jets, reference = read_jets(args.jets), read_reference(args.reference)
    print("\n".join(table(jets, reference)))
    for seed in range(args.seeds):
        found = train_and_score(jets, reference, seed=seed, epochs=args.epochs)
        print(f"network {seed}: accuracy {found.own:.4f} on own test, {found.reference:.4f} on reference")


if __name__ == "__main__":
    main()
