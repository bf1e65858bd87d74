"""Scores of firmware outputs against labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedPointGraph


def decision_threshold(graph: FixedPointGraph | None) -> float:
    """Where a single output turns from class 0 to class 1: 0.5 behind a sigmoid, 0 on logits."""
    if graph is None:
        return 0.0
    return 0.5 if graph.node(graph.outputs[0]).op in {"sigmoid", "hard_sigmoid"} else 0.0


def classes_of(outputs: NDArray[np.floating], threshold: float = 0.0) -> NDArray[np.int64]:
    """Class index of each sample from outputs (n, k): argmax (the first of equals), or the threshold where k is 1."""
    flat = outputs.reshape(len(outputs), -1)
    if flat.shape[1] == 1:
        return (flat[:, 0] > threshold).astype(np.int64)
    return np.asarray(np.argmax(flat, axis=1), dtype=np.int64)


def accuracy(outputs: NDArray[np.floating], labels: NDArray[np.int64], threshold: float = 0.0) -> float:
    """Share of the samples (n,) whose class is right."""
    return float(np.mean(classes_of(outputs, threshold) == labels))
