"""Setting weights to zero: the smallest ones anywhere, or all but the N largest of each M."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.accounting import WEIGHTED
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.network.graph import flat
from pquant_hls.network.table import operation
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import PruneConfig

Kernel = NDArray[np.float32]


def zero_weights(model: keras.Model, config: PruneConfig, share: float = 1.0) -> None:
    """Set kernel weights of ``model`` to zero in place, to ``share`` of the configuration's sparsity.

    Sparsity counts the zeros among all kernel weights, those already zero included. Raises SpecError for an
    unknown layer name, UnsupportedModel where no layer has a kernel.
    """
    kernels = _kernels(model, config)
    ranks = {key: _rank(value, config, index) for index, (key, value) in enumerate(kernels.items())}
    if config.method == "n_m":
        masks = {key: block_mask(ranks[key], _kept(config, share), config.m) for key in kernels}
    elif config.ranking == "global" and not config.layers:
        masks = _global_masks(ranks, config.sparsity * share)
    else:
        masks = {
            key: keep_largest(ranks[key], config.layers.get(key[0], config.sparsity) * share)
            for key in kernels
        }
    for (name, index), mask in masks.items():
        layer = model.get_layer(name)
        arrays = layer.get_weights()
        arrays[index] = arrays[index] * mask
        layer.set_weights(arrays)


def _kernels(model: keras.Model, config: PruneConfig) -> dict[tuple[str, int], Kernel]:
    """Kernels that may be cut, by layer name and place among its weights."""
    table = [call for call in flat(model).layers if operation(call.layer) in WEIGHTED]
    names = [call.name for call in table]
    for key, given in (("exclude", config.exclude), ("layers", config.layers)):
        for name in given:
            if name not in names:
                raise SpecError(unknown_key(name, names, "layer"), where=key)
    found: dict[tuple[str, int], Kernel] = {}
    for call in table:
        count = 2 if operation(call.layer) == "separable_conv" else 1
        if call.name not in config.exclude:
            found |= {(call.name, index): call.weights[index] for index in range(count)}
    if not found:
        raise UnsupportedModel("no layer has weights that can be set to zero", where=model.name)
    return found


def _rank(kernel: Kernel, config: PruneConfig, index: int) -> NDArray[Any]:
    """|weight|, or chance; what is zero already stays last."""
    if config.importance != "random":
        return np.abs(kernel)
    chance = np.random.default_rng([config.seed, index]).random(kernel.shape) + 1e-9
    return np.where(kernel == 0, 0.0, chance)


def keep_largest(rank: NDArray[Any], sparsity: float) -> NDArray[np.bool_]:
    """Mask of all but the ``sparsity`` share of lowest rank."""
    zeros = round(sparsity * rank.size)
    order = np.argsort(rank, axis=None, kind="stable")
    mask = np.ones(rank.size, bool)
    mask[order[:zeros]] = False
    return mask.reshape(rank.shape)


def _global_masks(ranks: dict[tuple[str, int], NDArray[Any]], sparsity: float) -> dict[tuple[str, int], Any]:
    """One ranking over all kernels, each scaled by its mean so that wide layers do not win
    by small weights.
    """
    flat = [rank.ravel() / max(float(rank.mean()), 1e-30) for rank in ranks.values()]
    whole = keep_largest(np.concatenate(flat), sparsity)
    ends = np.cumsum([part.size for part in flat])[:-1]
    parts = np.split(whole, ends)
    return {key: part.reshape(ranks[key].shape) for key, part in zip(ranks, parts, strict=True)}


def _kept(config: PruneConfig, share: float) -> int:
    """Weights kept in each block at this share of the way from m to n."""
    return config.m - round((config.m - config.n) * share)


def block_mask(rank: NDArray[Any], n: int, m: int) -> NDArray[np.bool_]:
    """Mask of the ``n`` highest of each ``m`` along the input axis (the last but one); a last short block
    keeps n too.
    """
    rows = np.moveaxis(rank, -2, -1)
    padded = np.pad(rows, [*[(0, 0)] * (rows.ndim - 1), (0, -rows.shape[-1] % m)], constant_values=-1.0)
    blocks = padded.reshape(*rows.shape[:-1], -1, m)
    places = np.argsort(np.argsort(-blocks, axis=-1, kind="stable"), axis=-1, kind="stable")
    mask = (places < n).reshape(padded.shape)[..., : rows.shape[-1]]
    return np.moveaxis(mask, -1, -2)
