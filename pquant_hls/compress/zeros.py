"""Setting weights to zero: the smallest ones, or all but the N largest of each M; every output keeps a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.network.graph import Topology, flat
from pquant_hls.network.paths import Key, best_paths, kernel_keys, kernels_of, live_outputs, useful_weights
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import PruneConfig

Ranks = dict[Key, NDArray[np.float64]]
Masks = dict[Key, NDArray[np.bool_]]
Choose = Callable[[Ranks], Masks]

TURNS = 8
"""How often weights that lead nowhere are exchanged for others, at most."""


def zero_weights(model: keras.Model, config: PruneConfig, share: float = 1.0) -> tuple[str, ...]:
    """Set kernel weights of ``model`` to zero in place, to ``share`` of the configuration's sparsity.

    Sparsity counts the zeros among all kernel weights, those already zero included. Weights that no path from an
    input to an output needs go first, and each output value keeps its strongest path: where that takes more weights
    than the sparsity leaves, more are left, and the remark returned says so (n:m blocks stay as they are asked for).
    Raises SpecError for an unknown layer name, UnsupportedModel where no layer has a kernel.
    """
    graph = flat(model)
    ranks = _ranks(graph, config)
    choose = _chooser(config, share)
    masks = connected(graph, ranks, choose, may_grow=config.method != "n_m")
    set_zeros(model, masks)
    asked, reached = _sparsity(choose(ranks)), _sparsity(masks)
    missed = f"sparsity {reached:.4g} instead of {asked:.4g}: less would cut outputs off"
    return (missed,) if reached < asked else ()


def set_zeros(model: keras.Model, masks: Masks) -> None:
    """Set kernel weights of ``model`` to zero in place where their mask is False."""
    for (name, index), mask in masks.items():
        layer = model.get_layer(name)
        arrays = layer.get_weights()
        arrays[index] = arrays[index] * mask
        layer.set_weights(arrays)


def _sparsity(masks: Masks) -> float:
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / sum(mask.size for mask in masks.values())


def _ranks(graph: Topology, config: PruneConfig) -> Ranks:
    """|weight| of every kernel that may be cut, or chance; in shares of the kernel's mean, and 0 for what is zero."""
    check_names(graph, config)
    found: Ranks = {}
    for call in graph.layers:
        for key in kernel_keys(call) if call.name not in config.exclude else ():
            found[key] = _rank(call.weights[key[1]], config, len(found))
    if not found:
        raise UnsupportedModel("no layer has weights that can be set to zero")
    return found


def check_names(graph: Topology, config: PruneConfig) -> None:
    """Raise SpecError for a layer of the configuration that has no kernel here."""
    names = [call.name for call in graph.layers if kernel_keys(call)]
    for place, given in (("exclude", config.exclude), ("layers", config.layers)):
        for name in given:
            if name not in names:
                raise SpecError(unknown_key(name, names, "layer"), where=place)


def _rank(kernel: NDArray[np.float32], config: PruneConfig, index: int) -> NDArray[np.float64]:
    size = np.abs(kernel.astype(np.float64))
    if config.importance == "random":
        chance = np.random.default_rng([config.seed, index]).random(kernel.shape) + 1e-9
        size = np.where(kernel == 0, 0.0, chance)
    return size / max(float(size.mean()), 1e-30)


def connected(graph: Topology, ranks: Ranks, choose: Choose, *, may_grow: bool = True) -> Masks:
    """The masks that ``choose`` makes of ranks, with ranks changed until every output that had a path has one.

    Weights on no path fall behind all others, those on the strongest path of an output that would lose its last one
    come before them. ``may_grow``: what is still missing after that is added to the masks.
    """
    stored = kernels_of(graph)
    had = live_outputs(graph, stored)
    ranks = {key: rank * (stored[key] != 0) for key, rank in ranks.items()}
    needed: Masks = {key: np.zeros(rank.shape, bool) for key, rank in ranks.items()}
    top = 1 + max(float(rank.max()) for rank in ranks.values())
    idle = {key: np.zeros(rank.shape, bool) for key, rank in ranks.items()}
    for _ in range(TURNS):
        asked = {key: rank * np.where(idle[key], 1e-6, 1) + top * needed[key] for key, rank in ranks.items()}
        masks = {key: mask | (needed[key] & may_grow) for key, mask in choose(asked).items()}
        left = {**stored, **{key: stored[key] * mask for key, mask in masks.items()}}
        dead = [was & ~now for was, now in zip(had, live_outputs(graph, left), strict=True)]
        if any(end.any() for end in dead):
            paths = best_paths(graph, _strengths(stored, ranks, masks), dead)
            changed = _added(needed, paths)
        else:
            useful = useful_weights(graph, left)
            changed = _added(idle, {key: (left[key] != 0) & ~useful[key] for key in ranks})
        if not changed:
            break
    return masks


def _added(masks: Masks, more: Mapping[Key, NDArray[np.bool_]]) -> bool:
    """Whether ``more`` has anything that ``masks``, which get it, had not."""
    new = [bool((more[key] & ~mask).any()) for key, mask in masks.items()]
    masks |= {key: mask | more[key] for key, mask in masks.items()}
    return any(new)


def _strengths(
    stored: Mapping[Key, NDArray[Any]], ranks: Ranks, masks: Masks
) -> dict[Key, NDArray[np.float64]]:
    """In (0, 1) by order, so that no two of a kernel are equal: upper half what stays, 0 what is not there."""
    found = {}
    for key, kernel in stored.items():
        size = ranks.get(key, np.abs(kernel.astype(np.float64)))
        place = np.argsort(np.argsort(size, axis=None, kind="stable"), kind="stable").reshape(size.shape)
        share = (place + 1.0) / (size.size + 1)
        found[key] = np.where(kernel == 0, 0.0, (share + (masks.get(key, True) & True)) / 4 + 0.5)
    return found


def _chooser(config: PruneConfig, share: float) -> Choose:
    if config.method == "n_m":
        return lambda ranks: {
            key: block_mask(rank, _kept(config, share), config.m) for key, rank in ranks.items()
        }
    return lambda ranks: {
        key: keep_largest(ranks[key], count) for key, count in _counts(ranks, config, share).items()
    }


def _counts(ranks: Ranks, config: PruneConfig, share: float) -> dict[Key, int]:
    """Weights that stay of each kernel."""
    own = {key: config.layers[key[0]] for key in ranks if key[0] in config.layers}
    rest = {key: rank for key, rank in ranks.items() if key not in own}
    kept = {key: _left(ranks[key].size, sparsity * share) for key, sparsity in own.items()}
    if not rest:
        return kept
    if config.ranking == "layer":
        shared = {key: _left(rank.size, config.sparsity * share) for key, rank in rest.items()}
    else:
        total = _left(sum(rank.size for rank in rest.values()), config.sparsity * share)
        shared = (_by_one_order if config.ranking == "global" else by_fan)(rest, total)
    return kept | shared


def _left(size: int, sparsity: float) -> int:
    return size - round(sparsity * size)


def _by_one_order(ranks: Ranks, total: int) -> dict[Key, int]:
    """One ranking over all kernels, each in shares of its mean so that wide layers do not win by small weights."""
    whole = keep_largest(np.concatenate([rank.ravel() for rank in ranks.values()]), total)
    parts = np.split(whole, np.cumsum([rank.size for rank in ranks.values()])[:-1])
    return {key: int(part.sum()) for key, part in zip(ranks, parts, strict=True)}


def by_fan(ranks: Mapping[Key, NDArray[Any]], total: int) -> dict[Key, int]:
    """``total`` weights shared by fan-in + fan-out (+ window), as a random graph of equal degrees has them.

    Erdos-Renyi-kernel (Mocanu et al., Nature Communications 9 (2018) 2383; Evci et al., arXiv:1911.11134): a kernel
    keeps a number proportional to the sum of its axes, all of it where that is more than it has.
    """
    weight = {key: float(sum(rank.shape)) for key, rank in ranks.items()}
    kept: dict[Key, int] = {}
    while weight:
        scale = max(0, total - sum(kept.values())) / sum(weight.values())
        full = [key for key in weight if weight[key] * scale >= ranks[key].size]
        if not full:
            break
        for key in full:
            kept[key] = ranks[key].size
            del weight[key]
    ends = np.round(np.cumsum([value * scale for value in weight.values()])) if weight else np.zeros(0)
    return kept | dict(zip(weight, np.diff(ends, prepend=0).astype(int).tolist(), strict=True))


def keep_largest(rank: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Mask of the ``count`` of highest rank."""
    order = np.argsort(rank, axis=None, kind="stable")
    mask = np.zeros(rank.size, bool)
    mask[order[rank.size - count :]] = True
    return mask.reshape(rank.shape)


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
