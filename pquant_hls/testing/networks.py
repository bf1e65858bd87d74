"""Random small QKeras networks: the raw material of the exactness property and of its benchmark.

A network is a ``Sketch``: a body of usual blocks into which two or three of the ``PARTS`` are put, the same for
the same seed. What it holds is read off the sketch by ``testing.constructs``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.testing.blocks import body, entry, head
from pquant_hls.testing.constructs import constructs
from pquant_hls.testing.drawing import Drawer
from pquant_hls.testing.parts import ENDS, PARTS, SHARES, WHOLES
from pquant_hls.testing.sketch import ELEMENTS, Quantizer, Sketch, keras_model

FAMILIES = ("mlp", "sequence", "image")
Grid = tuple[float, float, float]


def draw(seed: int, family: str | None = None, *, without: Sequence[str] = ()) -> Sketch:
    """One random network: dense, convolutions, pooling, merges, mixed bits and up to three odd parts.

    It may hold what the linter mends or refuses (batch normalization, scaled weights, odd names, a softmax).

    Parameters
    ----------
    family : ``mlp``, ``sequence`` or ``image``; a random one without.
    without : names of PARTS, WHOLES and ENDS that are not drawn.
    """
    rng = np.random.default_rng(seed)
    chosen = str(rng.choice(FAMILIES)) if family is None else family
    drawer = Drawer(rng, seed)
    parts = _some(rng, PARTS, drawer.bits(1, 2), without)
    x = body(drawer, entry(drawer, _shape(rng, chosen)), [PARTS[name] for name in parts])
    outputs = [*drawer.outputs, *_end(drawer, head(drawer, x), without)]
    sketch = Sketch(seed, tuple(drawer.nodes), tuple(outputs))
    for name in _some(rng, WHOLES, int(drawer.chance(0.6)), without):
        sketch = WHOLES[name](drawer, sketch)
    return sketch


def _some(rng: np.random.Generator, table: dict[str, Any], count: int, without: Sequence[str]) -> list[str]:
    names = [name for name in table if name not in without]
    shares = np.array([SHARES.get(name, 1.0) for name in names])
    found = rng.choice(names, min(count, len(names)), replace=False, p=shares / shares.sum())
    return [str(name) for name in found]


def _end(drawer: Drawer, x: int, without: Sequence[str]) -> list[int]:
    if not drawer.chance(0.45):
        return [x]
    [name] = _some(drawer.rng, ENDS, 1, without)
    return ENDS[name](drawer, x)


def _shape(rng: np.random.Generator, family: str) -> tuple[int, ...]:
    return {
        "mlp": (int(rng.integers(1, 9)),),
        "sequence": (int(rng.integers(2, 9)), int(rng.integers(1, 4))),
        "image": (int(rng.integers(3, 7)), int(rng.integers(3, 7)), int(rng.integers(1, 3))),
    }[family]


def seeds_without(names: Iterable[str], count: int, start: int = 0) -> list[int]:
    """The first ``count`` seeds from ``start`` on whose networks hold none of these constructs."""
    unwanted = frozenset(names)
    found = (seed for seed in itertools.count(start) if not constructs(draw(seed)) & unwanted)
    return list(itertools.islice(found, count))


def random_model(seed: int, family: str | None = None, *, without: Sequence[str] = ()) -> Any:
    """``keras_model(draw(seed, ...))``: the Keras model."""
    return keras_model(draw(seed, family, without=without))


def drawn_inputs(model: Any, count: int, seed: int) -> list[NDArray[np.float32]]:
    """One (count, *shape) float32 array for each input, off every grid, a tenth of it out of range."""
    rng = np.random.default_rng(seed)
    found = []
    for tensor in model.inputs:
        values = rng.normal(0.0, 2.0, (count, *tensor.shape[1:]))
        values[: count // 10] *= 10.0
        found.append(values.astype(np.float32))
    return found


def sketch_inputs(sketch: Sketch, count: int, precision: Grid) -> list[NDArray[np.float32]]:
    """One (count, *shape) float32 array for each input of the network, the same for the same seed.

    Half of the rows are off every grid; the others hold, of each quantizer that takes up the input, its least
    and largest value, half an LSB and one float beyond them, ties between two values, and any of its values.
    What no quantizer takes up lies on the grid of ``precision`` (lsb, least, largest), as it is exact there only.
    """
    rng = np.random.default_rng((sketch.seed, count))
    return [_rows(sketch, node.key, count, precision, rng) for node in sketch.entries]


def _rows(
    sketch: Sketch, key: int, count: int, precision: Grid, rng: np.random.Generator
) -> NDArray[np.float32]:
    node = sketch.node(key)
    shape = (count, *node.options["shape"])
    rows = [user.options["input_dim"] for user in sketch.users(key) if user.kind == "Embedding"]
    if rows or "int" in str(node.options.get("dtype", "float32")):
        return rng.integers(0, min(rows, default=40), shape).astype(np.float32)
    values = rng.normal(0.0, 2.0, shape)
    values[: count // 10] *= 10.0
    if any(user.kind == ELEMENTS and user.options["rounding"] != "RND_CONV" for user in sketch.users(key)):
        return values.astype(np.float32)  # the port is as fine as its readers need
    grids = [found.grid for user in sketch.users(key) if (found := _taken_by(user)) is not None]
    if len(set(grids)) != 1 or len(grids) != len(sketch.users(key)) or grids[0] is None:
        return on_grid(values, precision).astype(np.float32)
    edges = rng.choice(rails(grids[0]), shape)
    return np.where(np.arange(count).reshape(-1, *[1] * (len(shape) - 1)) % 2 == 0, edges, values).astype(
        np.float32
    )


def _taken_by(node: Any) -> Quantizer | None:
    found = node.quantizer() if node.kind in ("QActivation", "Activation") else None
    return found if found is not None and found.name in ("quantized_bits", "quantized_relu") else None


def on_grid(values: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    lsb, least, largest = grid
    return np.clip(np.round(values / lsb) * lsb, least, largest)


def rails(grid: Grid) -> NDArray[np.float64]:
    """The ends of a type, what lies just beyond them, the smallest values, ties, and a few others."""
    lsb, least, largest = grid
    ends = [least, largest, least - lsb / 2, largest + lsb / 2, least - lsb, largest + lsb, 8 * largest]
    ends += [float(np.nextafter(np.float32(end), np.float32(way))) for end in ends[:4] for way in (-1e9, 1e9)]
    small = [k * lsb / 2 for k in range(-7, 8)] + [-4 * largest, -(2.0**-20), 2.0**-20]
    return np.array(ends + small + [largest - lsb / 2, least + lsb / 2, largest - 3 * lsb / 2])


def combined(models: Sequence[Any]) -> Any:
    """One functional model that holds copies of all ``models`` side by side: one compile serves all."""
    import keras

    inputs, outputs = [], []
    for index, model in enumerate(models):
        copy = keras.models.clone_model(model, clone_function=_renaming(f"m{index}_"))
        copy.set_weights(model.get_weights())
        inputs.extend(copy.inputs)
        outputs.extend(copy.outputs)
    return keras.Model(inputs, outputs)


def _renaming(prefix: str) -> Callable[[Any], Any]:
    def copy(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": prefix + layer.name})

    return copy


__all__ = [
    "FAMILIES",
    "combined",
    "draw",
    "drawn_inputs",
    "rails",
    "random_model",
    "seeds_without",
    "sketch_inputs",
]
