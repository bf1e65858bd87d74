"""The exactness property: what the linter passes or mends, csim and the emulator compute as Keras does.

Every output value counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import build, predict
from pquant_hls.errors import NotMeasured, PquantError
from pquant_hls.hls import convert
from pquant_hls.lint import errors, fix, lint
from pquant_hls.network import keras_predict
from pquant_hls.qor import FixedPointGraph
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.networks import combined, drawn_inputs, random_model


@dataclass(frozen=True)
class Exactness:
    """What became of one network; ``detail`` is the linter's reason or the difference found.

    ``emulated``: whether the emulator gives csim's values; None where it was not run or cannot take a layer.
    """

    seed: int
    result: Literal["exact", "refused", "wrong"]
    detail: str = ""
    emulated: bool | None = None


def check_networks(
    seeds: Sequence[int], spec: HlsSpec, folder: Path, *, cache: Path | None = None, rows: int = 200
) -> list[Exactness]:
    """Judge ``random_model(seed)`` for each seed on ``rows`` random inputs, in one project and one compile.

    Parameters
    ----------
    folder : a new folder for the project.
    cache : where the csim library goes; the default cache without.
    """
    verdicts = []
    taken: dict[int, Any] = {}
    for seed in seeds:
        model, reason = mended(random_model(seed), spec)
        if reason:
            verdicts.append(Exactness(seed, "refused", reason))
        else:
            taken[seed] = model
    return verdicts + (_judged(taken, spec, folder, cache, rows) if taken else [])


def mended(model: Any, spec: HlsSpec) -> tuple[Any, str]:
    """(the model as it is to be converted, why the linter refuses it or nothing)."""
    found = errors(lint(model, spec))
    if not found:
        return model, ""
    if all(finding.fixable for finding in found):
        model, left = fix(model, spec)
        found = errors(left)
    return model, "; ".join(f"{finding.rule}: {finding.message}" for finding in found)


def _judged(
    models: dict[int, Any], spec: HlsSpec, folder: Path, cache: Path | None, rows: int
) -> list[Exactness]:
    whole = combined(list(models.values()))
    inputs = [drawn_inputs(model, rows, seed)[0] for seed, model in models.items()]
    try:
        project = convert(whole, spec, folder)
        library = build(project, cache=cache)
        found = predict(library, inputs if len(inputs) > 1 else inputs[0])
    except PquantError as cause:
        if len(models) == 1:
            return [Exactness(seed, "wrong", str(cause)) for seed in models]
        alone = {seed: folder.with_name(f"{folder.name}-{seed}") for seed in models}
        return [
            v
            for seed, model in models.items()
            for v in _judged({seed: model}, spec, alone[seed], cache, rows)
        ]
    outputs = found if isinstance(found, list) else [found]
    graphs = parts(project.graph) if project.graph is not None else [None] * len(models)
    rows_of = zip(models.items(), graphs, inputs, outputs, strict=True)
    return [
        replace(_verdict(seed, model, x, y), emulated=None if graph is None else emulates(graph, x, y))
        for (seed, model), graph, x, y in rows_of
    ]


def parts(graph: FixedPointGraph) -> list[FixedPointGraph]:
    """For each output the part of the graph it depends on."""
    return [_ending_in(graph, output) for output in graph.outputs]


def _ending_in(graph: FixedPointGraph, output: str) -> FixedPointGraph:
    needed = {output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    kept = tuple(node for node in graph.nodes if node.name in needed)
    return FixedPointGraph(kept, (output,), graph.io_type)


def emulates(graph: FixedPointGraph, x: NDArray[np.float32], obtained: NDArray[np.float64]) -> bool | None:
    """Whether the emulator gives the values csim gave; None where it cannot take a layer."""
    try:
        found = emulate(graph, x)
    except NotMeasured:
        return None
    return not isinstance(found, list) and np.array_equal(found.reshape(obtained.shape), obtained)


def _verdict(seed: int, model: Any, x: NDArray[np.float32], obtained: NDArray[np.float64]) -> Exactness:
    expected = keras_predict(model, x)
    if isinstance(expected, list):
        raise TypeError("a random network has one output")
    obtained = obtained.reshape(expected.shape)
    differing = int(np.count_nonzero(expected != obtained))
    if differing == 0:
        return Exactness(seed, "exact")
    apart = float(np.abs(expected - obtained).max())
    return Exactness(seed, "wrong", f"{differing} of {expected.size} values differ, by up to {apart:g}")


__all__ = ["Exactness", "check_networks", "emulates", "mended", "parts"]
