"""A failing network made small: fewer outputs, fewer layers, narrower, emptier, plainer, while it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pquant_hls.testing.sketch import ELEMENTS, WEIGHTED, Quantizer, Sketch, SketchNode, apply, is_plain

PLAIN: Mapping[str, Any] = {
    "use_bias": False,
    "padding": "valid",
    "strides": 1,
    "filters": 1,
    "kernel_size": 1,
}
KERNEL = Quantizer("quantized_bits", {"bits": 3, "integer": 1, "alpha": 1})
INPUT = Quantizer("quantized_bits", {"bits": 5, "integer": 2, "alpha": 1})


def shrink(sketch: Sketch, fails: Callable[[Sketch], bool], *, limit: int = 60) -> Sketch:
    """The smallest sketch found in ``limit`` tries for which ``fails`` still holds, as it does for ``sketch``."""
    tried: set[str] = {repr(sketch)}
    while True:
        for smaller in candidates(sketch):
            if len(tried) > limit:
                return sketch
            if repr(smaller) in tried:
                continue
            tried.add(repr(smaller))
            if fails(smaller):
                sketch = smaller
                break
        else:
            return sketch


def candidates(sketch: Sketch) -> Iterator[Sketch]:
    """Smaller sketches, the boldest cuts first; some do not fit together."""
    yield from _fewer_outputs(sketch)
    yield from _later_starts(sketch)
    yield from _without_nodes(sketch)
    if sketch.file:
        yield replace(sketch, file="")
    yield from _narrower(sketch)
    yield from _plainer(sketch)


def pruned(sketch: Sketch, nodes: tuple[SketchNode, ...], outputs: tuple[int, ...]) -> Sketch:
    """The sketch with only those of ``nodes`` that an output needs."""
    needed = set(outputs)
    for node in reversed(nodes):
        if node.key in needed:
            needed.update(node.inputs)
            needed.update([node.options["of"]] if node.kind == "Again" else [])
    return replace(sketch, nodes=tuple(node for node in nodes if node.key in needed), outputs=outputs)


def _fewer_outputs(sketch: Sketch) -> Iterator[Sketch]:
    """Each single output, each without one, and each node as the only output, early ones first."""
    keys = [node.key for node in sketch.nodes if node.kind != "Input"]
    choices: list[tuple[int, ...]] = [(key,) for key in [*sketch.outputs, *keys] if (key,) != sketch.outputs]
    if len(sketch.outputs) > 2:
        choices += [sketch.outputs[:i] + sketch.outputs[i + 1 :] for i in range(len(sketch.outputs))]
    for outputs in choices:
        smaller = pruned(sketch, sketch.nodes, outputs)
        if len(smaller.nodes) < len(sketch.nodes) or len(outputs) < len(sketch.outputs):
            yield smaller


def shapes(sketch: Sketch) -> dict[int, tuple[int, ...]]:
    """The shape of each node's result, without the batch axis."""
    tensors: dict[int, Any] = {}
    layers: dict[int, Any] = {}
    for node in sketch.nodes:
        tensors[node.key] = apply(node, [tensors[key] for key in node.inputs], layers, sketch.seed)
    return {key: tuple(tensor.shape[1:]) for key, tensor in tensors.items()}


def _later_starts(sketch: Sketch) -> Iterator[Sketch]:
    """A fresh input in place of a node and of what only it needs, late ones first."""
    found = shapes(sketch)
    free = max(found) + 1
    for node in reversed(sketch.nodes):
        if node.kind == "Input" or node.key in sketch.outputs:
            continue
        entry = SketchNode(free, "Input", (), {"shape": found[node.key], "name": f"n{sketch.seed}_x{free}"})
        start = SketchNode(
            free + 1, "QActivation", (free,), {"activation": INPUT, "name": f"n{sketch.seed}_q{free}"}
        )
        nodes = tuple(_redirected(other, node.key, free + 1) for other in sketch.nodes)
        smaller = pruned(sketch, (entry, start, *nodes), sketch.outputs)
        if len(smaller.nodes) < len(sketch.nodes):
            yield smaller


def _redirected(node: SketchNode, old: int, new: int) -> SketchNode:
    return replace(node, inputs=tuple(new if key == old else key for key in node.inputs))


def _without_nodes(sketch: Sketch) -> Iterator[Sketch]:
    """Each node bypassed: who used it takes one of its inputs."""
    for node in reversed(sketch.nodes):
        for source in node.inputs:
            nodes = tuple(_redirected(other, node.key, source) for other in sketch.nodes)
            outputs = tuple(source if key == node.key else key for key in sketch.outputs)
            if sketch.node(source).kind != "Input" or node.key not in sketch.outputs:
                yield pruned(sketch, nodes, outputs)


def _changed(sketch: Sketch, node: SketchNode, **changes: Any) -> Sketch:
    new = replace(node, **changes)
    return replace(sketch, nodes=tuple(new if other is node else other for other in sketch.nodes))


def _optioned(sketch: Sketch, node: SketchNode, **options: Any) -> Sketch:
    return _changed(sketch, node, options={**node.options, **options})


def _narrower(sketch: Sketch) -> Iterator[Sketch]:
    for node in sketch.nodes:
        if "units" in node.options and node.options["units"] > 1:
            yield _optioned(sketch, node, units=1)
        changes = {k: v for k, v in PLAIN.items() if k in node.options and node.options[k] != v}
        for key, value in changes.items():
            yield _optioned(sketch, node, **{key: value})
        if node.kind == "Input":
            shape = node.options["shape"]
            for axis in range(len(shape)):
                if shape[axis] > 2:
                    yield _optioned(sketch, node, shape=(*shape[:axis], 2, *shape[axis + 1 :]))
        if node.kind == ELEMENTS:
            yield from _one_type(sketch, node)
        if node.kind in WEIGHTED and node.weights != "zeros":
            yield _changed(sketch, node, weights="zeros")


def _one_type(sketch: Sketch, node: SketchNode) -> Iterator[Sketch]:
    """All elements in each of their types in turn, which fits any shape."""
    widths = np.asarray(node.options["width"])
    if widths.ndim:
        for place in list(np.ndindex(widths.shape))[:8]:
            names = ("width", "integer", "signed")
            types = {name: np.asarray(node.options[name])[place].item() for name in names}
            yield _optioned(sketch, node, **types)


def _plainer(sketch: Sketch) -> Iterator[Sketch]:
    for node in sketch.nodes:
        if not is_plain(node.options.get("name", "")):
            yield _optioned(sketch, node, name=f"n{sketch.seed}_l{node.key}")
        for option, value in node.options.items():
            if isinstance(value, Quantizer):
                yield from (
                    _optioned(sketch, node, **{option: simpler}) for simpler in _simpler(option, value)
                )


def _simpler(option: str, quantizer: Quantizer) -> Iterator[Quantizer]:
    if option != "activation":
        if quantizer != KERNEL:
            yield KERNEL
        return
    if quantizer.form == "text":
        yield replace(quantizer, form="object")
    for name, value in quantizer.options.items():
        less = (
            {"bits": max(2, int(value) // 2), "symmetric": 0, "integer": 0}.get(name)
            if name != "alpha"
            else None
        )
        if less is not None and less != value:
            yield replace(quantizer, options={**quantizer.options, name: less})


__all__ = ["candidates", "pruned", "shapes", "shrink"]
