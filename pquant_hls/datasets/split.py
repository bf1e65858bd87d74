"""The same rows always fall into the same split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.records import SPLITS, Labels, Split

SHARES = (0.6, 0.2, 0.2)
"""Shares of train, validation and test of data that come unsplit."""


def split_rows(
    events: int, labels: Labels | None, seed: int, shares: tuple[float, ...] = SHARES
) -> dict[Split, npt.NDArray[np.int64]]:
    """Row numbers of each split, in their original order: the shares hold within each class.

    events : number of rows. labels : int64 (events,) or None. Deterministic in `seed`.
    """
    rng = np.random.default_rng(seed)
    groups = np.zeros(events, dtype=np.int64) if labels is None else labels
    bounds = np.cumsum(shares)[:-1]
    parts: list[list[npt.NDArray[np.int64]]] = [[] for _ in shares]
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        for part, chosen in zip(parts, np.split(rows, np.round(bounds * rows.size).astype(int)), strict=True):
            part.append(chosen)
    empty = np.empty(0, dtype=np.int64)
    merged = [np.sort(np.concatenate([empty, *part])) for part in parts]
    return dict(zip(SPLITS, merged, strict=False))  # two shares: train and validation only
