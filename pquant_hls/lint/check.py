"""Say, before any conversion, where the firmware would differ from Keras."""

from __future__ import annotations

from typing import Any

from pquant_hls.lint import activations, layers, model, weights
from pquant_hls.lint.finding import ORDER, Context, Finding
from pquant_hls.network.graph import topology
from pquant_hls.network.kinds import is_exact
from pquant_hls.network.normal import normal_form
from pquant_hls.spec import HlsSpec


def lint(keras_model: Any, spec: HlsSpec | None = None) -> list[Finding]:
    """All findings on a Keras model, errors first, then in the order of the layers.

    Parameters
    ----------
    keras_model : a built Sequential or functional model; it is not changed.
    spec : the project's options, some rules depend on them; the defaults without.

    Raises
    ------
    UnsupportedModel : the model has no fixed graph.
    """
    context = Context(topology(keras_model), HlsSpec() if spec is None else spec)
    found = list(model.model_findings(context))
    for call in context.graph.calls:
        found.extend(layers.layer_findings(call, context))
        if is_exact(call.layer):
            found.extend(
                [*weights.weight_findings(call, context), *activations.activation_findings(call, context)]
            )
    if not errors(found):
        normal = topology(normal_form(keras_model, keep_softmax=context.spec.keep_softmax))
        found.extend(model.check_types(normal, context))
    return sorted(dict.fromkeys(found), key=lambda finding: ORDER[finding.severity])


def structural(keras_model: Any, spec: HlsSpec) -> list[Finding]:
    """Findings on how layers are made and joined, whatever their weights and activations."""
    context = Context(topology(keras_model), spec)
    found = list(model.model_findings(context))
    for call in context.graph.calls:
        found.extend(layers.layer_findings(call, context))
    return found


def errors(findings: list[Finding]) -> list[Finding]:
    """The findings for which the conversion refuses."""
    return [finding for finding in findings if finding.severity == "error"]
