"""Where firmware and Keras part: the first layer that differs, by how much, an example, the likely rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from pquant_hls.csim.build import Library, compiled
from pquant_hls.csim.difference import Floats, LayerDifference
from pquant_hls.csim.model_weights import WeightGap, weight_gaps
from pquant_hls.csim.predict import predict
from pquant_hls.csim.sides import Sides
from pquant_hls.hls.project import HlsProject
from pquant_hls.lint import lint
from pquant_hls.network.graph import Topology

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

UNTRACED = "no layer of the project's top can be seen in csim: only its outputs are compared"


@dataclass(frozen=True)
class Comparison:
    """Firmware beside Keras: ``layers`` in order of computation, ``weights`` that are not the model's, ``likely`` a guess at
    the cause, ``notes`` on what was compared with what."""

    outputs: tuple[LayerDifference, ...]
    layers: tuple[LayerDifference, ...]
    likely: str | None = None
    notes: tuple[str, ...] = ()
    weights: tuple[WeightGap, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether all outputs are equal; a softmax or sigmoid from tables never is."""
        return all(output.max_lsb == 0 for output in self.outputs)

    @property
    def match(self) -> float:
        """Share (0..1) of output values that are equal, or within the bound of a softmax or sigmoid from tables."""
        total = sum(output.values for output in self.outputs)
        return 1.0 - sum(output.differing for output in self.outputs) / total if total > 0 else 1.0

    @property
    def first(self) -> LayerDifference | None:
        """The first layer that differs, else the first output that does; None when all are equal."""
        return next((part for part in (*self.layers, *self.outputs) if not part.equal), None)


def compare(
    project: HlsProject | Library,
    model: Model,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    timeout_s: float = 600.0,
) -> Comparison:
    """Run csim and Keras on ``x`` and compare layer by layer; the project is built as it is, not rewritten.

    Keras is ``model`` itself, by ``network.reference``. An output whose softmax or sigmoid the project leaves out is
    compared before it; one that the project makes from tables, within the bound that these have.

    Parameters
    ----------
    project : a project folder's record, hand-edited or foreign ones included, or its compiled library.
    model : the Keras model it was made from.
    x : (n, *input shape), or a list of them for several inputs, in the model's order.

    Raises
    ------
    UnsupportedModel : the model's inputs or outputs are not the project's, or a softmax has no bound.
    DataError : ``x`` does not fit the model, or the project takes it at another scale.
    ToolFailed : the sources do not compile, or csim dies.
    """
    found = project.project if isinstance(project, Library) else project
    sides = Sides.of(found, model, x)
    data = sides.data
    given, traces, library = _run(project, sides.fed, timeout_s)
    gaps, compared = ((), None) if sides.normal is None else weight_gaps(found, model)
    bare = Comparison(
        sides.outputs(given if isinstance(given, list) else [given]),
        sides.layers(traces),
        notes=(
            *library.notes,
            *sides.notes,
            *(() if traces else (UNTRACED,)),
            *([compared] if compared else []),
        ),
        weights=gaps,
    )
    first = bare.first
    if first is None or sides.normal is None:
        return bare
    differ = [f"weights that are not the model's in {', '.join(dict.fromkeys(gap.layer for gap in gaps))}"]
    cause = likely_cause(found, model, sides.normal, first)
    words = [*(differ if gaps else []), cause, *data]
    return replace(bare, likely="; ".join(words))


def _run(project: HlsProject | Library, x: Any, timeout_s: float) -> tuple[Any, dict[str, Floats], Library]:
    """csim's outputs, its layers, and the library that gave them."""
    if isinstance(project, Library):
        return *predict(project, x, trace=True, timeout_s=timeout_s), project
    with compiled(project, None, timeout_s) as library:
        return _run(library, x, timeout_s)


def likely_cause(project: HlsProject, model: Model, normal: Topology, first: LayerDifference) -> str:
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
