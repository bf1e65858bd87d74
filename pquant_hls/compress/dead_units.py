"""Units that are not worth building: those that nothing reads, and constants, which go into the biases behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.calibration import layer_values
from pquant_hls.compress.channels import FIXED, Channels, trace_channels
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.compress.surgery import remove
from pquant_hls.errors import NoGain, UnsupportedModel
from pquant_hls.network.freeze import MAX_WEIGHT_BITS
from pquant_hls.network.frontend import front_of, reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, copy_layer, rebuild
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.paths import UNKNOWN_LENGTH, kernel_keys, kernels_of, reached, useful_weights
from pquant_hls.network.table import operation, stored_weights
from pquant_hls.spec.steps import SweepConfig

Floats = NDArray[np.float64]
Channel = Set[int]


class DeadUnitRemoval(Step[SweepConfig]):
    """Remove the units that no output depends on and those that depend on no input.

    The smaller model gives the same value for every input (a float one to float32's rounding). A unit stays where its layer
    would have none left, or where its constant fits in no bias: behind a convolution that pads, or beyond 18 bits.
    """

    Config = SweepConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Needs no data. Raises NoGain where every unit is needed, UnsupportedModel as pruning does."""
        del data
        sweep = Sweep.of(model)
        if not sweep.dead:
            raise NoGain("every unit is needed")
        smaller = remove(rebuild(model, sweep.folded), sweep.channels, sweep.dead)
        gone = {name: np.isin(ids, sorted(sweep.dead)) for name, ids in sweep.channels.made.items()}
        return Outcome(smaller, tuple(_said(name, dead) for name, dead in gone.items() if dead.any()))


def has_dead_units(model: keras.Model) -> bool:
    """Whether a sweep would remove any; False where channels cannot be followed."""
    try:
        return bool(Sweep.of(model).dead)
    except UnsupportedModel:
        return False


def _said(name: str, dead: NDArray[np.bool_]) -> str:
    return f"{name}: {dead.sum()} of {dead.size} units are dead and removed"


@dataclass(frozen=True)
class Sweep:
    """The dead channels of a model, and by layer what their constants add to its sums: float64 (units,)."""

    channels: Channels
    dead: frozenset[int]
    constants: Mapping[str, Floats]

    @classmethod
    def of(cls, model: keras.Model) -> Sweep:
        """Raises UnsupportedModel where channels cannot be followed."""
        channels = trace_channels(model)
        dead = _idle(channels)
        readers = _Readers(channels, model) if dead else None
        while dead and readers is not None:
            needed = _last_ones(channels, dead)
            found = {} if needed else {call.name: readers.adds(call, dead) for call in channels.graph.layers}
            needed |= set[int]().union(*(share.misfits for share in found.values()))
            if not needed:
                added = {name: share.added for name, share in found.items() if share.added.any()}
                return cls(channels, frozenset(dead), added)
            dead -= needed
        return cls(channels, frozenset(), {})

    def folded(self, call: Call) -> Sequence[NewLayer] | None:
        """The layer with the constants in its bias; None where it gets none."""
        if call.name not in self.constants:
            return None
        bias = _bias(call) + self.constants[call.name]
        layer = copy_layer(call.layer, use_bias=True, **_holding(call, bias))
        return [NewLayer(layer, [*call.weights[: len(kernel_keys(call))], bias.astype(np.float32)])]


def _idle(channels: Channels) -> set[int]:
    """Channels of which no unit lies on a path from an input to an output."""
    useful = useful_weights(channels.graph, kernels_of(channels.graph))
    made, alive = set[int](), {FIXED}
    for call in channels.graph.layers:
        if call.name in channels.made:
            ids, mask = channels.made[call.name], useful[kernel_keys(call)[-1]]
            alive.update(ids[mask.reshape(-1, mask.shape[-1]).any(axis=0)].tolist())
            made.update(ids.tolist())
    return made - alive


def _last_ones(channels: Channels, dead: Channel) -> set[int]:
    """One channel of each layer that would have none left."""
    return {int(ids[0]) for ids in channels.made.values() if all(int(item) in dead for item in ids)}


@dataclass(frozen=True)
class Share:
    """What dead units add to the sums of a layer, float64 (units,), and those that no bias can stand for."""

    added: Floats
    misfits: Channel


class _Readers:
    """What the layers of a model read of its dead units."""

    def __init__(self, channels: Channels, model: keras.Model) -> None:
        self.channels, graph = channels, channels.graph
        self.varies = reached(graph, kernels_of(graph))
        inputs = [tuple(size or UNKNOWN_LENGTH for size in tensor.shape[1:]) for tensor in model.inputs]
        self.values = layer_values(model, [np.zeros((1, *shape), np.float32) for shape in inputs])

    def adds(self, call: Call, dead: Channel) -> Share:
        """What they add to the sums of ``call`` that stay."""
        sums = operation(call.layer) in ("dense", "conv", "separable_conv")
        ids = self.channels.outputs[call.inputs[0]] if sums else np.zeros(1, np.int64)
        gone = np.isin(ids, sorted(dead))
        if not gone.any():
            return Share(np.zeros(1), set())
        kernel = stored_weights(call.layer)[0].astype(np.float64)
        value, varies = (_rows(part[call.inputs[0]])[:, gone] for part in (self.values, self.varies))
        if operation(call.layer) != "separable_conv":
            kernel = kernel * ~np.isin(self.channels.made[call.name], sorted(dead))
        taps = kernel[..., gone, :].reshape(-1, gone.sum(), kernel.shape[-1])
        used = taps.any(axis=(0, 2)) & ((value != 0) | varies).any(axis=0)
        fits = (value == value[:1]).all(axis=0) & ~varies.any(axis=0) & self._folds(call)
        added = np.einsum("c,tco->o", np.where(used & fits, value[0], 0.0), taps)
        if added.any() and _wide(call, _bias(call) + added) > MAX_WEIGHT_BITS:
            fits[:] = False
        return Share(added, set(ids[gone][used & ~fits].tolist()))

    def _folds(self, call: Call) -> bool:
        """Whether a constant input is a constant in every sum, and the same one wherever the layer is used."""
        kind, layer = operation(call.layer), call.layer
        plain = (
            len(call.weights) <= 1 + len(kernel_keys(call)) and len(self.channels.graph.uses[call.name]) == 1
        )
        even = kind == "conv" and (layer.padding == "valid" or math.prod(layer.kernel_size) == 1)
        return plain and (kind == "dense" or even)


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    """One row a position: (positions, channels)."""
    return values.reshape(-1, values.shape[-1])


def _bias(call: Call) -> Floats:
    """The layer's bias as stored, float64 (units,); 0 without one."""
    arrays = stored_weights(call.layer)[len(kernel_keys(call)) :]
    return arrays[0].astype(np.float64) if arrays else np.zeros(int(call.shape[-1] or 0))


def _wide(call: Call, bias: Floats) -> int:
    """Bits of the narrowest type with a sign that holds a quantized layer's bias; 0 for a float one."""
    if front_of(call.layer) is None:
        return 0
    integer, frac = _ends(bias)
    return integer + 1 + frac


def _ends(bias: Floats) -> tuple[int, int]:
    """Integer bits, without the sign, and fraction bits that hold the values."""
    kind = hull(holding(bias.astype(np.float32)))
    return max(kind.integer - int(kind.signed), 0), max(kind.frac, 0)


def _holding(call: Call, bias: Floats) -> dict[str, Any]:
    """The option that gives a quantized layer a bias quantizer which holds the values; none where its own does."""
    front = front_of(call.layer)
    if front is None:
        return {}
    found = reading_of(front.quantizer(call.layer, "bias"))
    if found is not None and found.type is not None and (found.type.quantize(bias) == bias).all():
        return {}
    integer, frac = _ends(bias)
    return {front.option("bias"): standard().make("linear", integer + 1 + frac, integer)}
