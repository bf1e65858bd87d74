"""From a Keras model to hls4ml's picture of it and to the FixedPointGraph; nothing is written."""

from __future__ import annotations

import importlib.util
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.hls.adders import widen_results, with_adders
from pquant_hls.hls.graph import extract
from pquant_hls.hls.handlers import teach_hls4ml
from pquant_hls.lint import Finding, changes, errors, lint_with_form
from pquant_hls.network.capture import captured
from pquant_hls.network.freeze import weights_read_once
from pquant_hls.network.graph import Topology, topology
from pquant_hls.network.kinds import LayerPlan, layer_kind
from pquant_hls.network.normal import normal_form
from pquant_hls.network.plan import Plan, plan, reuse_factors
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

STRATEGIES = {
    "latency": "Latency",
    "resource": "Resource",
    "resource_unrolled": "resource_unrolled",
    "distributed_arithmetic": "distributed_arithmetic",
}
ALWAYS_REFUSED = frozenset({"lambda", "no-arithmetic", "input-shape"})
"""Rules that an inexact conversion breaks on too."""


def fixed_graph(model: Model, spec: HlsSpec | None = None, *, exact: bool = False) -> FixedPointGraph:
    """The design that ``convert`` would write for this model and these options, as integers.

    Parameters
    ----------
    model : Keras or QKeras model, Sequential or functional; it is not changed.
    spec : backend, part, clock, strategy, reuse factor and io type; the defaults without.
    exact : refuse what the firmware would compute differently from Keras. By default layers without a
        quantizer are taken at ``spec.precision`` and rounded.

    Raises
    ------
    UnsupportedModel : a layer hls4ml cannot take; with ``exact`` lint errors too.
    SpecError : the strategy needs a package that is not installed.
    """
    spec = HlsSpec() if spec is None else spec
    with weights_read_once():
        normal, _ = checked_form(model, spec, exact=exact)
        with captured():
            return designed(normal, spec, Path("unwritten"), exact=exact)[1]


def checked_form(model: Model, spec: HlsSpec, *, exact: bool) -> tuple[Any, list[str]]:
    """The normal form of a model that these options can take, and what was dropped, replaced, renamed or rounded on
    the way to it; raises as ``fixed_graph`` does."""
    if spec.strategy == "distributed_arithmetic":
        need_da4ml("hls.strategy")
    findings, normal = lint_with_form(model, spec)
    _refuse(findings, exact)
    if normal is None:
        normal = normal_form(model, keep_softmax=spec.keep_softmax)
    return normal, changes(findings, spec)


def need_da4ml(where: str) -> None:
    """Raises SpecError, which names ``where``, if the package of distributed arithmetic is not installed."""
    if importlib.util.find_spec("da4ml") is None:
        mend = "pip install 'pquant_hls[da]'"
        raise SpecError("distributed_arithmetic needs da4ml", where=where, mend=mend)


def _refuse(findings: list[Finding], exact: bool) -> None:
    found = [finding for finding in errors(findings) if exact or finding.rule in ALWAYS_REFUSED]
    if found:
        others = "".join(
            f"; {finding.layer}: {finding.message} [{finding.rule}: {finding.mend}]" for finding in found[1:]
        )
        first = found[0]
        raise UnsupportedModel(
            f"{first.message} [{first.rule}]", where=first.layer, mend=f"{first.mend}{others}"
        )


def designed(normal: Any, spec: HlsSpec, folder: Path, *, exact: bool) -> tuple[Any, FixedPointGraph]:
    """hls4ml's ModelGraph of a model in normal form, to be written to ``folder``, and the graph read from it."""
    teach_hls4ml()
    graph = topology(normal)
    distributed = spec.strategy == "distributed_arithmetic"
    default, wide = FixedType.parse(spec.precision), spec.wide_accumulators
    planned = plan(graph, default, wide=wide, baked=distributed)
    hls_model = _converted(normal, graph, planned, spec, folder)
    if not distributed:
        return hls_model, extract(hls_model, exact=exact)
    widen_results(hls_model)
    plain = _converted(normal, graph, planned, spec.with_(strategy="latency"), folder)
    return hls_model, with_adders(extract(plain, exact=exact), hls_model)  # it keeps no weights itself


def _not_taken(normal: Any, graph: Topology, cause: Exception) -> UnsupportedModel:
    """hls4ml's failure, which seldom names what it stumbled over, beside the layers and operations that nothing is known
    of."""
    said = f"hls4ml cannot take this model: {cause}"
    strange = [call for call in graph.calls if layer_kind(call.layer).operation == "other"]
    if not strange:
        return UnsupportedModel(said, where=normal.name)
    kinds = ", ".join(f"{call.name} ({call.kind})" for call in strange)
    return UnsupportedModel(
        f"no conversion of {kinds}; {said}", where=strange[0].name, mend="build it from supported layers"
    )


def _converted(normal: Any, graph: Topology, planned: Plan, spec: HlsSpec, folder: Path) -> Any:
    """hls4ml's ModelGraph with the planned types and biases."""
    import hls4ml

    try:
        hls_model = hls4ml.converters.convert_from_keras_model(
            normal,
            output_dir=str(folder),
            project_name=spec.project_name,
            backend=spec.backend,
            hls_config=_config(graph, planned, spec),
            part=spec.part,
            clock_period=spec.clock_ns,
            clock_uncertainty=uncertainty(spec),
            io_type=spec.io_type,
            bit_exact=False,
            allow_da_fallback=False,
        )
    except Exception as cause:  # hls4ml raises bare Exception for all it cannot take
        raise _not_taken(normal, graph, cause) from cause
    for name, layer in planned.layers.items():
        if layer.bias is not None:
            _set_bias(hls_model.graph[name].weights["bias"], layer)
    return hls_model


def _set_bias(variable: Any, layer: LayerPlan) -> None:
    """The planned biases, in their planned type: that of the layer's own quantizer may have no room for them."""
    kind, precision = FixedType.parse(layer.precisions["bias"]), copy(variable.type.precision)
    precision.width, precision.integer, precision.signed = kind.width, kind.integer, kind.signed
    variable.data = layer.bias
    variable.update_precision(precision)


def _config(graph: Topology, planned: Plan, spec: HlsSpec) -> dict[str, Any]:
    """hls4ml's configuration: the types of every layer, and reuse factors that it computes rightly."""
    layers = planned.config()
    for name, factor in reuse_factors(graph, spec).items():
        layers[name]["ReuseFactor"] = factor
    whole = {
        "Precision": {"default": spec.precision},
        "ReuseFactor": spec.reuse_factor,
        "Strategy": STRATEGIES[spec.strategy],
        "BramFactor": 1_000_000_000,
    }
    return {"Model": whole, "LayerName": layers}


def uncertainty(spec: HlsSpec) -> str | None:
    """As the tools' ``set_clock_uncertainty`` takes it, a percentage or ns; None is the backend's default."""
    return None if spec.clock_uncertainty is None else str(spec.clock_uncertainty)
