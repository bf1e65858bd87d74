"""Recurrent layers step by step: each gate a dense layer, each step's state a tensor of its own.

hls4ml runs one cell over the sequence and stores its states, sums and gates in types that it derives itself; written out,
every value has the type that the quantizers give it. It takes the resources of all steps, and their latency in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.frontend import front_of, standard
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.quantizers import quantized_values

Array = NDArray[np.float64]
GATES = {"SimpleRNN": ("h",), "GRU": ("z", "r", "h"), "LSTM": ("i", "f", "c", "o")}
MOST_STEPS = 32
"""Steps that are written out: each is built in firmware."""
L = keras.layers


@keras.saving.register_keras_serializable(package="pquant_hls")
class RecurrentState(keras.layers.Identity):  # type: ignore[misc]  # Keras has no types
    """A state on its way to the next step: what a quantization step rounds."""


def cell_kind(layer: Any) -> str | None:
    """``GRU``, ``LSTM`` or ``SimpleRNN`` for a layer that can be written out; None for others."""
    front = front_of(layer)
    name = type(layer).__name__ if front is None else str(front.stands_for(layer))
    plain = name in GATES and not (layer.stateful or layer.return_state)
    return name if plain else None


def unrolled(layer: Any, x: Any, name: str, *, turned: bool = False) -> Any:
    """The layer's result on a Keras tensor (batch, steps, features), by layers of its gates; the last is called ``name``.

    ``turned``: the last state of those that are returned stands first.
    """
    cell = _Cell(layer, str(cell_kind(layer)), name, int(x.shape[1]))
    states = list(cell.states(x))
    if not layer.return_sequences:
        return L.Reshape((layer.units,), name=name)(states[-1])
    rows = [L.Reshape((1, layer.units), name=f"{name}_row{t}")(state) for t, state in enumerate(states)]
    if turned:
        rows.reverse()
    return (
        L.Concatenate(axis=1, name=name)(rows)
        if len(rows) > 1
        else L.Reshape((1, layer.units), name=name)(rows[0])
    )


@dataclass
class _Cell:
    layer: Any
    kind: str
    name: str
    steps: int

    def __post_init__(self) -> None:
        cell, gates = self.layer.cell, GATES[self.kind]
        kernel, recurrent = (self._values(role) for role in ("kernel", "recurrent"))
        bias = self._values("bias") if self.layer.use_bias else np.zeros(kernel.shape[1])
        self.after = self.kind == "GRU" and bool(cell.reset_after)
        inner, outer = (bias, np.zeros_like(bias)) if bias.ndim == 1 else bias
        if self.after:  # the gates add both at once, the candidate multiplies one by its gate first
            units = self.layer.units
            inner = inner + np.concatenate([outer[: 2 * units], np.zeros(units)])
        parts = [np.split(part, len(gates), axis=-1) for part in (kernel, recurrent, inner, outer)]
        self.kernels, self.recurrents, self.biases, self.late = (
            dict(zip(gates, p, strict=True)) for p in parts
        )
        self.loops = {gate: self._dense(f"{gate}_loop", self.recurrents[gate], None) for gate in gates}

    def _values(self, role: str) -> Array:
        cell = self.layer.cell
        variable = {"kernel": cell.kernel, "recurrent": cell.recurrent_kernel, "bias": cell.bias}[role]
        front = front_of(self.layer)
        return quantized_values(None if front is None else front.quantizer(cell, role), np.asarray(variable))

    def _dense(self, word: str, kernel: Array, bias: Array | None) -> Callable[[Any], Any]:
        """A dense layer of these weights, quantized as the cell's are."""
        options: dict[str, Any] = {"use_bias": bias is not None, "name": f"{self.name}_{word}"}
        made: Any = L.Dense
        if front_of(self.layer) is not None:
            made, parts = standard().layer("Dense"), {"kernel": kernel, "bias": bias}
            options |= {
                standard().option(key): _grid(part) for key, part in parts.items() if part is not None
            }
        layer = made(kernel.shape[1], **options)

        def apply(x: Any) -> Any:
            fresh, result = not layer.built, layer(x)
            if fresh:
                layer.set_weights([part.astype(np.float32) for part in (kernel, bias) if part is not None])
            return result

        return apply

    def act(self, function: Any, x: Any, word: str) -> Any:
        """The cell's own function or quantizer."""
        front, name = front_of(function), f"{self.name}_{word}"
        if front is not None:
            return front.activation(function, name)(x)
        return L.Activation(function, name=name)(x)

    def stored(self, state: Any, word: str) -> Any:
        """What the next step reads of a state."""
        front = front_of(self.layer)
        quantizer = None if front is None else front.quantizer(self.layer.cell, "state")
        if quantizer is not None:
            return self.act(quantizer, state, word)
        return RecurrentState(name=f"{self.name}_{word}")(state)

    def states(self, x: Any) -> Sequence[Any]:
        """The hidden state (batch, units) after each step."""
        sums = {gate: self._dense(gate, self.kernels[gate], self.biases[gate])(x) for gate in self.kernels}
        found: list[Any] = []
        memory: Any = None
        for t in range(self.steps):
            place = self.steps - 1 - t if self.layer.go_backwards else t
            here = {gate: self._at(value, place, f"{gate}{t}") for gate, value in sums.items()}
            before = None if t == 0 else self.stored(found[-1], f"state{t}")
            if self.kind == "LSTM":
                kept = None if memory is None else self.stored(memory, f"memory{t}")
                memory, state = self._lstm(here, before, kept, t)
            else:
                state = self._gru(here, before, t) if self.kind == "GRU" else self._simple(here, before, t)
            found.append(state)
        return found

    def _at(self, values: Any, t: int, word: str) -> Any:
        row = values
        if self.steps > 1:
            row = L.Cropping1D((t, self.steps - 1 - t), name=f"{self.name}_{word}_row")(values)
        return L.Reshape((self.layer.units,), name=f"{self.name}_{word}_x")(row)

    def _sum(self, here: Any, gate: str, read: Any, word: str) -> Any:
        return here if read is None else L.Add(name=f"{self.name}_{word}")([here, self.loops[gate](read)])

    def _simple(self, here: dict[str, Any], before: Any, t: int) -> Any:
        return self.act(self.layer.cell.activation, self._sum(here["h"], "h", before, f"sum{t}"), f"h{t}")

    def _gru(self, here: dict[str, Any], before: Any, t: int) -> Any:
        cell = self.layer.cell
        gates = {
            gate: self.act(
                cell.recurrent_activation, self._sum(here[gate], gate, before, f"{gate}_sum{t}"), f"{gate}{t}"
            )
            for gate in ("z", "r")
        }
        candidate = self.act(cell.activation, self._candidate(here["h"], gates["r"], before, t), f"h{t}")
        rest = FixedPointScale(-1.0, 1.0, name=f"{self.name}_rest{t}")(gates["z"])
        new = L.Multiply(name=f"{self.name}_new{t}")([rest, candidate])
        if before is None:
            return new
        old = L.Multiply(name=f"{self.name}_old{t}")([gates["z"], before])
        return L.Add(name=f"{self.name}_next{t}")([old, new])

    def _candidate(self, here: Any, reset: Any, before: Any, t: int) -> Any:
        late = self.late["h"]
        if not self.after:
            if before is None:
                return here
            kept = L.Multiply(name=f"{self.name}_kept{t}")([reset, before])
            return self._sum(here, "h", kept, f"h_sum{t}")
        if before is None:
            if not late.any():
                return here
            looped = FixedPointScale(late, name=f"{self.name}_late{t}")(reset)
        else:
            inner = self.loops["h"](before)
            if late.any():
                inner = FixedPointScale(1.0, late, name=f"{self.name}_inner{t}")(inner)
            looped = L.Multiply(name=f"{self.name}_late{t}")([reset, inner])
        return L.Add(name=f"{self.name}_h_sum{t}")([here, looped])

    def _lstm(self, here: dict[str, Any], before: Any, memory: Any, t: int) -> tuple[Any, Any]:
        cell = self.layer.cell
        functions = {gate: cell.activation if gate == "c" else cell.recurrent_activation for gate in here}
        gates = {
            gate: self.act(function, self._sum(here[gate], gate, before, f"{gate}_sum{t}"), f"{gate}{t}")
            for gate, function in functions.items()
            if gate != "f" or memory is not None
        }
        new = L.Multiply(name=f"{self.name}_new{t}")([gates["i"], gates["c"]])
        if memory is not None:
            old = L.Multiply(name=f"{self.name}_old{t}")([gates["f"], memory])
            new = L.Add(name=f"{self.name}_memory_sum{t}")([old, new])
        out = self.act(cell.activation, new, f"out{t}")
        return new, L.Multiply(name=f"{self.name}_next{t}")([gates["o"], out])


def _grid(values: Array) -> Any:
    """A linear quantizer that holds these values, which their own quantizer has rounded."""
    kind = hull(holding(values))
    frac = max(kind.frac, 0)
    width = max(kind.integer + frac + int(not kind.signed), frac + 1, 2)
    return standard().make("linear", width, width - frac - 1)
