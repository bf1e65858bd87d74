"""Low rank: one kernel as the product of two thinner ones, kept only where it pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from pquant_hls.compress.calibration import Values, layer_values, sample
from pquant_hls.compress.factors import Factor, factors
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.errors import DataError, NoGain, SpecError, UnsupportedModel
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, flat, rebuild
from pquant_hls.network.table import operation
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import LowRankConfig

DEFAULT_ENERGY = 0.95


class LowRankCompression(Step[LowRankConfig]):
    """Factorize dense layers and convolutions; with ``cost`` each one's extra cycles are charged.

    A rank given for a single layer must reduce its multiplications; a rank for all layers is used where it
    does.
    """

    Config = LowRankConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """``data`` is read for ``error: outputs`` alone. Raises SpecError, with the numbers, for a rank that saves nothing;
        NoGain where no layer is factorized in the end."""
        graph = flat(model)
        table = {call.name: call for call in graph.layers}
        self._known(table)
        seen = self._seen(model, data)
        notes: list[str] = []
        refused: list[str] = []
        for call in table.values():
            if call.name in self.config.exclude:
                continue
            if not _factorable(call):
                refused += (
                    [f"{call.name} is quantized: factorize before quantizing"] if _quantized(call) else []
                )
                continue
            found = [factor for factor in factors(call, seen(call)) if self._wanted(factor, call.name)]
            useful = [factor for factor in found if factor.multiplications < factor.before]
            if not useful:
                refused.append(_refusal(call, found))
                continue
            taken, note = self._take(model, call, self._candidates(useful))
            (refused if taken is model else notes).append(note)
            model = taken
        if not notes:
            raise NoGain("no layer gains: " + ("; ".join(refused) or "none can be factorized"), where="rank")
        return Outcome(model, (*notes, *refused))

    def _seen(self, model: keras.Model, data: Any) -> Callable[[Call], Values | None]:
        """What a dense layer reads on the data, float64 (events, inputs), where its outputs are to be kept; else None."""
        if self.config.error == "weights":
            return lambda _: None
        if data is None:
            raise DataError("error 'outputs' needs inputs", mend="give a data set, or set error: weights")
        values = layer_values(model, sample(data, self.config))

        def read(call: Call) -> Values | None:
            found = np.asarray(values[call.inputs[0]], np.float64)
            return found.reshape(-1, found.shape[-1]) if operation(call.layer) == "dense" else None

        return read

    def _known(self, table: dict[str, Call]) -> None:
        for key, given in (("exclude", self.config.exclude), ("layers", self.config.layers)):
            for name in given:
                if name not in table:
                    raise SpecError(unknown_key(name, table, "layer"), where=key)
        for name, rank in self.config.layers.items():
            _check_rank(table[name], rank)
            found = [factor for factor in factors(table[name]) if factor.rank == rank]
            if all(factor.multiplications >= factor.before for factor in found):
                raise SpecError(_refusal(table[name], found), where=f"layers.{name}")

    def _wanted(self, factor: Factor, name: str) -> bool:
        """Whether the configuration allows this rank for this layer."""
        if name in self.config.layers:
            return factor.rank == self.config.layers[name]
        if self.config.rank is not None:
            return factor.rank == self.config.rank
        if self.config.gain:
            return factor.energy >= self.config.min_energy
        return factor.energy >= (DEFAULT_ENERGY if self.config.energy is None else self.config.energy) - 1e-12

    def _candidates(self, useful: Sequence[Factor]) -> list[Factor]:
        """What to try: the one with the fewest multiplications; by gain, every one. Units are cut off only where all do."""
        useful = [factor for factor in useful if factor.cut_off == 0] or useful
        best_first = sorted(useful, key=lambda factor: (factor.multiplications, -factor.energy))
        if self.config.gain:
            return best_first
        if self.config.rank is not None or self.config.layers:
            best_first = sorted(useful, key=lambda factor: -factor.energy)
        return best_first[:1]

    def _take(self, model: keras.Model, call: Call, tried: Sequence[Factor]) -> tuple[keras.Model, str]:
        """The model with the best candidate in place, or unchanged where that costs cycles; and a remark."""
        before = self._cycles(model)
        made = [(factor, rebuild(model, factor.change)) for factor in tried]
        costs = [self._cycles(found) for _, found in made]
        best = int(np.argmin([np.inf if cost is None else cost for cost in costs]))
        factor, found = made[best]
        after = costs[best]
        text = f"{call.name}: {factor.text}"
        if before is None or after is None:
            return found, f"{text}; cycles not estimated"
        if self.config.roll_back is not False and after > before:
            return model, f"{text}: rolled back, {after} cycles instead of {before}"
        return found, f"{text}, {after} cycles instead of {before}"

    def _cycles(self, model: keras.Model) -> int | None:
        """Estimated cycles; None without ``cost``, unless the gain in cycles is asked for."""
        if self.cost is None and not self.config.gain:
            return None
        latency = self.estimator()(model).latency
        return None if latency is None else latency.cycles_max


def _factorable(call: Call) -> bool:
    """Float dense layers and ungrouped convolutions; quantized ones are factorized before
    they are quantized.
    """
    return (
        operation(call.layer) in ("dense", "conv")
        and getattr(call.layer, "groups", 1) == 1
        and not _quantized(call)
    )


def _quantized(call: Call) -> bool:
    return operation(call.layer) in ("dense", "conv") and front_of(call.layer) is not None


def _check_rank(call: Call, rank: int) -> None:
    if not _factorable(call):
        why = (
            "is quantized: factorize before quantizing"
            if _quantized(call)
            else f"a {call.kind} cannot be factorized"
        )
        raise UnsupportedModel(why, where=call.name)
    kernel = call.layer.kernel.shape
    largest = min(int(np.prod(kernel[:-1])), int(kernel[-1]))
    if rank > max(largest, 1):
        raise SpecError(
            f"rank {rank} is out of range for a kernel of {tuple(kernel)}: at most {largest}",
            where=f"layers.{call.name}",
        )


def _refusal(call: Call, found: Sequence[Factor]) -> str:
    if not found:
        kernel = tuple(call.layer.kernel.shape)
        return (
            f"{call.name}: a kernel of {kernel} has at most rank {min(int(np.prod(kernel[:-1])), kernel[-1])}"
        )
    cheapest = min(found, key=lambda factor: factor.multiplications)
    cost = f"{cheapest.multiplications:,} multiplications, the layer itself {cheapest.before:,}"
    return f"{call.name}: rank {cheapest.rank} takes {cost}"
