"""The pencil of the network generator: random bits, quantizers and layers, noted down as a sketch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pquant_hls.testing.sketch import ELEMENTS, Quantizer, SketchNode, apply


@dataclass
class Drawer:
    """Notes nodes down while it applies them, so that shapes are known; ``outputs`` are those inside."""

    rng: np.random.Generator
    seed: int
    nodes: list[SketchNode] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    tensors: dict[int, Any] = field(default_factory=dict)
    layers: dict[int, Any] = field(default_factory=dict)

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def bits(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def any_of(self, *values: Any) -> Any:
        return values[self.bits(0, len(values) - 1)]

    def shape(self, key: int) -> tuple[int, ...]:
        return tuple(self.tensors[key].shape[1:])

    def name(self, word: str, key: int) -> str:
        separator = self.rng.choice(["_", "_", "_", ".", "-"])  # some names C++ would not take
        return f"n{self.seed}{separator}{word}{key}"

    def add(self, kind: str, *inputs: int, weights: str = "random", **options: Any) -> int:
        """Note a node down; layers get a name."""
        key = len(self.nodes)
        if kind not in ("Operator", "Again"):
            options["name"] = self.name(kind.lower().removeprefix("q"), key)
        node = SketchNode(key, kind, inputs, options, weights)
        self.tensors[key] = apply(node, [self.tensors[source] for source in inputs], self.layers, self.seed)
        self.nodes.append(node)
        return key

    def quantized_bits(self, low: int, high: int, integers: int, *, negative: bool = False) -> Quantizer:
        bits = self.bits(low, high)
        options: dict[str, Any] = {"bits": bits, "integer": self.bits(0, min(integers, bits - 1))}
        if negative:
            options["integer"] = -self.bits(1, 3)
        if self.chance(0.25):
            options["symmetric"] = 1
        return Quantizer("quantized_bits", {**options, "alpha": 1})

    def relu(self, low: int = 2, high: int = 8, integers: int = 3) -> Quantizer:
        return Quantizer("quantized_relu", {"bits": self.bits(low, high), "integer": self.bits(0, integers)})

    def weight_quantizer(self) -> Quantizer:
        kinds: list[Callable[[], Quantizer]] = [
            lambda: self.quantized_bits(2, 8, 2),
            lambda: Quantizer("binary", {"alpha": 1}),
            lambda: Quantizer("ternary", {"alpha": 1}),
            # QKeras gives it alpha='auto_po2'
            lambda: Quantizer("quantized_bits", {"bits": self.bits(2, 6), "integer": 0}),
            lambda: Quantizer("quantized_po2", {"bits": self.bits(2, 4), "max_value": self.any_of(1, 2)}),
            lambda: Quantizer("quantized_bits", {"bits": 4, "integer": 0, "keep_negative": 0, "alpha": 1}),
            lambda: self.quantized_bits(9, 16, 1),
            lambda: self.quantized_bits(2, 6, 0, negative=True),
            lambda: Quantizer(self.any_of("binary", "ternary"), {"alpha": self.any_of(0.5, 2.0)}),
            lambda: Quantizer("quantized_bits", {"bits": 4, "integer": 0, "alpha": self.any_of(0.5, 2.0)}),
        ]
        share = [0.42, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.04, 0.04]
        found = kinds[int(self.rng.choice(len(kinds), p=share))]()
        return Quantizer(found.name, found.options, "text") if self.chance(0.1) else found

    def bias_quantizer(self) -> Quantizer:
        kinds: list[Callable[[], Quantizer]] = [
            lambda: self.quantized_bits(3, 8, 1),
            lambda: self.quantized_bits(3, 10, 6),
            lambda: Quantizer("quantized_po2", {"bits": 3, "max_value": 1}),
            lambda: Quantizer("quantized_bits", {"bits": 4, "integer": 1}),
        ]
        return kinds[int(self.rng.choice(len(kinds), p=[0.7, 0.1, 0.1, 0.1]))]()

    def coarse(self) -> Quantizer:
        """A type whose least significant bit is worth more than 1."""
        bits = self.bits(2, 5)
        integer = bits + self.bits(0, 2)
        if self.chance(0.5):
            return Quantizer("quantized_relu", {"bits": bits, "integer": integer + 1})
        return Quantizer("quantized_bits", {"bits": bits, "integer": integer, "alpha": 1})

    def activation(self) -> Quantizer:
        symmetric = {"symmetric": int(self.chance(0.5))}
        kinds: list[Callable[[], Quantizer]] = [
            self.relu,
            lambda: self.quantized_bits(2, 8, 3),
            lambda: Quantizer("quantized_tanh", {"bits": self.bits(2, 8), **symmetric}),
            lambda: Quantizer("quantized_sigmoid", {"bits": self.bits(2, 8), **symmetric}),
            lambda: Quantizer("binary", {"alpha": 1}),
            lambda: Quantizer("ternary", self.any_of({}, {"alpha": 1}, {"alpha": 1, "threshold": 0.7})),
            lambda: self.any_of(self.relu(9, 16, 4), self.quantized_bits(9, 16, 4)),
            lambda: self.quantized_bits(2, 6, 0, negative=True),
            lambda: Quantizer("quantized_bits", {"bits": 4, "integer": 1, "keep_negative": 0, "alpha": 1}),
            lambda: Quantizer("ternary", {"alpha": 1, "threshold": self.any_of(1.3, 2.7)}),
        ]
        share = [0.42, 0.25, 0.07, 0.06, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01]
        return kinds[int(self.rng.choice(len(kinds), p=share))]()

    def quantizers(self, role: str = "kernel") -> dict[str, Any]:
        return {f"{role}_quantizer": self.weight_quantizer(), "bias_quantizer": self.bias_quantizer()}

    def dense(self, x: int, units: int, **options: Any) -> int:
        settings = {"units": units, "use_bias": self.chance(0.85), **self.quantizers(), **options}
        return self.add("QDense", x, **settings)

    def act(self, x: int, quantizer: Quantizer | None = None) -> int:
        chosen = self.activation() if quantizer is None else quantizer
        return self.add("QActivation", x, activation=chosen)

    def elements(self, x: int) -> int:
        """A type for each element, or each place of the last axis; some without bits, some with equal steps."""
        shape = self.shape(x) if self.chance(0.7) else self.shape(x)[-1:]
        width = self.rng.integers(0 if self.chance(0.7) else 1, self.bits(2, 9), shape)
        integer = self.rng.integers(-2, 5, shape)
        if self.chance(0.2):
            integer = width - self.bits(-1, 4)
        types = {"width": width, "integer": integer, "signed": self.rng.random(shape) < 0.6}
        modes = {
            "rounding": self.any_of("TRN", "RND", "RND_CONV"),
            "saturation": self.any_of("WRAP", "SAT", "SAT", "SAT_SYM"),
        }
        return self.add(ELEMENTS, x, **{key: part.tolist() for key, part in types.items()}, **modes)

    def activated(self, x: int) -> int:
        """An activation, in one of the ways users write one."""
        if self.chance(0.1):
            return self.add("ReLU", x) if self.chance(0.5) else self.add("Activation", x, activation="relu")
        form: Literal["object", "text"] = "text" if self.chance(0.2) else "object"
        found = self.activation()
        return self.act(x, Quantizer(found.name, found.options, form))


__all__ = ["Drawer"]
