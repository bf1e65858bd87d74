"""Which channels go: by a share for each layer, by one ranking, down to a number of units or of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pquant_hls.compress.channels import Channels
from pquant_hls.compress.cut import Cut
from pquant_hls.compress.importance import Scores
from pquant_hls.compress.latency import CycleCounter, drop_by_cycles
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.network.paths import WEIGHTED
from pquant_hls.network.table import operation
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import PruneConfig


def choose_channels(
    channels: Channels, scores: Scores, config: PruneConfig, counter: CycleCounter | None = None
) -> Cut:
    """Drop channels until the configuration's sparsity is reached or every layer is at its least.

    With a ``counter`` the order is by cycles saved. Raises SpecError for an unknown layer name or a number of
    units that a layer does not have.
    """
    _known_layers(channels, config)
    cut = Cut.of(channels, config)
    worth = channel_scores(cut, scores, normalised=config.ranking == "global" or counter is not None)
    single = [
        family
        for family in cut.families()
        if any(name in config.keep or name in config.layers for name in family)
    ]
    for family in single:
        _to(cut, family, _target(cut, family, config), worth)
    rest = [family for family in cut.families() if family not in single and _counts(family, config)]
    if counter is not None:
        drop_by_cycles(cut, rest, worth, counter, _done(cut, config))
    elif config.sparsity_of == "units" and config.ranking == "layer":
        for family in rest:
            _to(cut, family, _target(cut, family, config), worth)
    else:
        _by_ranking(cut, rest, worth, config)
    return cut


def _known_layers(channels: Channels, config: PruneConfig) -> None:
    for key, names in (("exclude", config.exclude), ("layers", config.layers), ("keep", config.keep)):
        for name in names:
            if name not in channels.made:
                raise SpecError(unknown_key(name, channels.made, "layer"), where=key)
            if key != "exclude" and name in config.exclude:
                raise SpecError("the layer is excluded as well", where=f"{key}.{name}")
            if key != "exclude" and name not in channels.prunable():
                raise UnsupportedModel(
                    "its units cannot be removed: they reach an output or a fixed shape", where=name
                )


def _counts(family: list[str], config: PruneConfig) -> bool:
    """Whether a share of the original's units can be meant: layers that it has not, such as factors, stay as they are."""
    return not config.reference or any(name in config.reference for name in family)


def channel_scores(cut: Cut, scores: Scores, *, normalised: bool) -> dict[int, float]:
    """Score of each channel: the sum over the units it has; divided by each layer's length
    to compare layers.
    """
    worth = dict.fromkeys(cut.members, 0.0)
    for name, values in scores.items():
        scale = float(np.linalg.norm(values)) if normalised else 1.0
        for item, value in zip(map(int, cut.channels.made[name]), values, strict=True):
            if item in worth:
                worth[item] += float(value) / (scale if scale > 0 else 1.0)
    return worth


def _target(cut: Cut, family: list[str], config: PruneConfig) -> int:
    """Units that the family's layers shall keep; the most any of them asks for."""
    wanted = []
    for name in family:
        if name in config.keep and config.keep[name] > cut.kept[name]:
            raise SpecError(
                f"{config.keep[name]} units asked of a layer of {cut.kept[name]}", where=f"keep.{name}"
            )
        share = config.layers.get(name, config.sparsity)
        whole = config.reference.get(name, cut.kept[name])
        wanted.append(config.keep.get(name, round((1 - share) * whole)))
    named = [
        value
        for name, value in zip(family, wanted, strict=True)
        if name in config.keep or name in config.layers
    ]
    return max(named or wanted)


def _to(cut: Cut, family: list[str], target: int, worth: Mapping[int, float]) -> None:
    """Drop the family's least channels while every one of its layers has more units than ``target``."""
    for item in sorted(cut.items_of(family), key=worth.__getitem__):
        if all(cut.kept[name] - n >= target for name, n in cut.members[item].items()):
            cut.drop(item)


def _by_ranking(cut: Cut, families: list[list[str]], worth: Mapping[int, float], config: PruneConfig) -> None:
    """One order over all channels; the ``layer`` ranking takes the same share of each family along it."""
    order: list[tuple[float, int]] = []
    for family in families:
        items = sorted(cut.items_of(family), key=worth.__getitem__)
        place = {item: (rank + 0.5) / len(items) for rank, item in enumerate(items)}
        order += [(worth[item] if config.ranking == "global" else place[item], item) for item in items]
    done = _done(cut, config)
    for _, item in sorted(order):
        if done():
            return
        cut.drop(item)


def _done(cut: Cut, config: PruneConfig) -> Callable[[], bool]:
    return _units_done(cut, config) if config.sparsity_of == "units" else _weights_done(cut, config)


def _units_done(cut: Cut, config: PruneConfig) -> Callable[[], bool]:
    names = [name for name in cut.kept if _counts([name], config)]
    target = round((1 - config.sparsity) * sum(config.reference.get(name, cut.kept[name]) for name in names))
    return lambda: sum(cut.kept[name] for name in names) <= target


def _weights_done(cut: Cut, config: PruneConfig) -> Callable[[], bool]:
    whole = kernel_weights(cut) if config.reference_weights is None else config.reference_weights
    target = (1 - config.sparsity) * whole
    return lambda: kernel_weights(cut) <= target


def kernel_weights(cut: Cut) -> int:
    """Kernel weights of the model with the cut's channels gone."""
    gone = np.array(sorted(cut.dropped), np.int64)
    stays = {name: int((~np.isin(ids, gone)).sum()) for name, ids in cut.channels.outputs.items()}
    total = 0
    for call in cut.channels.graph.layers:
        kind = operation(call.layer)
        if kind not in WEIGHTED:
            continue
        arrays, source = call.weights, stays[call.inputs[0]]
        first = arrays[0].size // (arrays[0].shape[-2] * arrays[0].shape[-1])
        if kind in ("dense", "conv"):
            total += first * source * stays[call.output]
        else:
            total += first * source * arrays[0].shape[-1]
        if kind == "separable_conv":
            total += source * call.layer.depth_multiplier * stays[call.output]
    return total
