"""Where firmware and Keras part: the first layer that differs, by how much, an example, the likely rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.csim.build import Library, build
from pquant_hls.csim.predict import predict
from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls.project import HlsProject
from pquant_hls.lint import lint
from pquant_hls.network.graph import Topology, topology
from pquant_hls.network.grids import bits_below
from pquant_hls.network.normal import normal_form
from pquant_hls.network.plan import is_linear
from pquant_hls.network.reference import layer_results

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerDifference:
    """How one layer's (or output's) values compare.

    ``index`` counts (sample, axes...) of the largest difference; ``lsb`` is the value of one least
    significant bit of the firmware's type, ``max_lsb`` the largest difference in such bits.
    """

    layer: str
    values: int
    differing: int
    lsb: float
    max_lsb: float
    index: tuple[int, ...] = ()
    expected: float = 0.0
    obtained: float = 0.0

    @property
    def equal(self) -> bool:
        return self.differing == 0

    def __str__(self) -> str:
        if self.equal:
            return f"{self.layer}: {self.values} values equal"
        return (
            f"{self.layer}: {self.differing} of {self.values} values differ, by up to {self.max_lsb:g} LSB "
            f"of {self.lsb:g}; at {list(self.index)} expected {self.expected:g}, obtained {self.obtained:g}"
        )


@dataclass(frozen=True)
class Comparison:
    """Firmware beside Keras: ``layers`` in order of computation, ``likely`` a guess at the cause."""

    outputs: tuple[LayerDifference, ...]
    layers: tuple[LayerDifference, ...]
    likely: str | None = None
    note: str | None = None

    @property
    def exact(self) -> bool:
        """Whether all outputs are equal."""
        return all(output.equal for output in self.outputs)

    @property
    def match(self) -> float:
        """Share (0..1) of output values that are equal."""
        total = sum(output.values for output in self.outputs)
        return 1.0 - sum(output.differing for output in self.outputs) / total if total > 0 else 1.0

    @property
    def first(self) -> LayerDifference | None:
        """The first layer that differs, else the first output that does; None when all are equal."""
        return next((part for part in (*self.layers, *self.outputs) if not part.equal), None)


def compare(
    project: HlsProject | Library, model: Any, x: ArrayLike | Sequence[ArrayLike], *, timeout_s: float = 600.0
) -> Comparison:
    """Run csim and Keras on ``x`` and compare layer by layer; the project is built as it is, not rewritten.

    Parameters
    ----------
    project : a project folder's record, hand-edited or foreign ones included, or its compiled library.
    model : the Keras model it was made from.
    x : (n, *input shape), or a list of them for several inputs.

    Raises
    ------
    UnsupportedModel : the model's outputs do not have the project's sizes.
    ToolFailed : the sources do not compile, or csim dies.
    """
    library = build(project, timeout_s=timeout_s) if isinstance(project, HlsProject) else project
    found = library.project
    softmax = found.spec is not None and found.spec.keep_softmax
    expected, wanted = layer_results(model, x, keep_softmax=softmax)
    given, traces = predict(library, x, trace=True, timeout_s=timeout_s)
    outputs = _outputs(found, wanted, given if isinstance(given, list) else [given])
    normal = topology(normal_form(model, keep_softmax=softmax))
    pairs = [
        (name, expected[keras], traces[name]) for name, keras in _same_place(normal, list(traces)).items()
    ]
    layers = tuple(difference(name, want, got, _lsb(found, name, got)) for name, want, got in pairs)
    note = (
        None
        if traces
        else "the project's sources report no layers (Trace: false): only its outputs are compared"
    )
    bare = Comparison(outputs, layers, note=note)
    first = bare.first
    return (
        bare
        if first is None
        else Comparison(outputs, layers, likely_cause(found, model, normal, first), note)
    )


def _outputs(project: HlsProject, wanted: list[Floats], given: list[Floats]) -> tuple[LayerDifference, ...]:
    sizes = [math.prod(array.shape[1:]) for array in wanted]
    if sizes != [port.size for port in project.outputs]:
        raise UnsupportedModel(
            f"the model has outputs of {sizes} values, the project {[port.size for port in project.outputs]}",
            where=project.path,
            mend="give the model this project was made from",
        )
    rows = zip(project.outputs, wanted, given, strict=True)
    lsbs = [_fraction(got) if port.type is None else port.type.lsb for port, _, got in rows]
    return tuple(
        difference(port.name, want, got, lsb)
        for port, want, got, lsb in zip(project.outputs, wanted, given, lsbs, strict=True)
    )


def difference(layer: str, expected: Floats, obtained: Floats, lsb: float) -> LayerDifference:
    """Compare two arrays of one size; the example is the largest difference."""
    obtained = obtained.reshape(expected.shape)
    apart = np.abs(expected - obtained)
    differing = int(np.count_nonzero(apart))
    if differing == 0:
        return LayerDifference(layer, expected.size, 0, lsb, 0.0)
    where = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return LayerDifference(
        layer,
        expected.size,
        differing,
        lsb,
        float(apart[where] / lsb),
        tuple(int(i) for i in where),
        float(expected[where]),
        float(obtained[where]),
    )


def _same_place(normal: Topology, traced: list[str]) -> dict[str, str]:
    """For each traced firmware layer the Keras layer whose values it should hold, in order of computation.

    A linear quantizer that hls4ml merged away acts in the layer before it; a ternary activation is traced
    under the name of the threshold layer it was merged with.
    """
    names = {
        name.removeprefix("bnbt_").removesuffix("_scale") if name.startswith("bnbt_") else name: name
        for name in traced
    }
    holder: dict[str, str] = {}
    found: dict[str, str] = {}
    for call in normal.calls:
        if call.name in names:
            holder[call.output] = names[call.name]
        elif is_linear(call):
            alone = len(normal.consumers(call.inputs[0])) == 1
            if call.inputs[0] in holder and alone:
                holder[call.output] = holder[call.inputs[0]]
        if call.output in holder:
            found[holder[call.output]] = call.name
    return found


def _lsb(project: HlsProject, layer: str, values: Floats) -> float:
    known = {} if project.graph is None else {node.name: node.result.lsb for node in project.graph.nodes}
    return known.get(layer, _fraction(values))


def _fraction(values: Floats) -> float:
    """The coarsest power of two of which all values are multiples."""
    bits = bits_below(values)
    return 2.0**-64 if bits is None else 2.0**-bits


def likely_cause(project: HlsProject, model: Any, normal: Topology, first: LayerDifference) -> str:
    """A guess at why ``first`` differs, from the project's own record and from the linter."""
    altered = _altered(project, first.layer)
    if altered is not None:
        return altered
    near = _near(normal, first.layer)
    findings = [
        f for f in lint(model, project.spec) if f.rule not in _HARMLESS and (not near or f.layer in near)
    ]
    if findings:
        return "; ".join(f"{f.rule} at {f.layer}: {f.message}" for f in findings[:3])
    if first.max_lsb <= 1:
        return "rounding: values are one LSB apart, as with TRN for RND_CONV"
    return "overflow or a changed type, weight or line of code: values are more than one LSB apart"


_HARMLESS = ("name", "dropout", "softmax", "shared-layer", "many-inputs")
"""Rules that say nothing of values."""


def _near(normal: Topology, layer: str) -> set[str]:
    """The layer and its neighbours; empty for an output port, whose name is no layer's."""
    here = [call for call in normal.calls if call.name == layer]
    others = {
        other.name for call in here for other in (*normal.sources(call), *normal.consumers(call.output))
    }
    return others | {call.name for call in here}


def _altered(project: HlsProject, layer: str) -> str | None:
    """What was edited since the conversion, where the project file remembers the sources."""
    known = project.info.get("sources")
    if not isinstance(known, dict):
        return None
    changed = [name for name, digest in project.source_digests().items() if known.get(name) != digest]
    if not changed:
        return None
    return f"edited since the conversion: {', '.join(changed[:5])} (first seen in {layer})"
