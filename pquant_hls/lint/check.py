"""Say, before any conversion, where the firmware would differ from Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pquant_hls.lint import activations, layers, model, weights
from pquant_hls.lint.finding import ORDER, Context, Finding, FindingList
from pquant_hls.lint.rules import RULES
from pquant_hls.network.graph import topology
from pquant_hls.network.heads import exact_heads
from pquant_hls.network.inline import inlined
from pquant_hls.network.kinds import is_exact
from pquant_hls.network.normal import normal_form
from pquant_hls.network.types import typed
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model


def lint(keras_model: Model, spec: HlsSpec | None = None) -> list[Finding]:
    """All findings on a Keras model, errors first, then in the order of the layers.

    Parameters
    ----------
    keras_model : a built Sequential or functional model; it is not changed.
    spec : the project's options, some rules depend on them; the defaults without.

    Raises
    ------
    UnsupportedModel : the model has no fixed graph.
    """
    return FindingList(lint_with_form(keras_model, HlsSpec() if spec is None else spec)[0])


def lint_with_form(keras_model: Model, spec: HlsSpec) -> tuple[list[Finding], Any]:
    """``lint``, and the model in normal form that it looked at; None where errors were found before."""
    keep = spec.keep_softmax
    keras_model = exact_heads(keras_model) if keep == "exact" else inlined(keras_model)
    context, normal = Context(topology(keras_model), spec), None
    found = list(model.model_findings(context))
    tables = typed(context.graph)[1]
    for call in context.graph.calls:
        found.extend(layers.layer_findings(call, context))
        if is_exact(call.layer):
            found.extend(
                [
                    *weights.weight_findings(call, context),
                    *activations.activation_findings(call, context, tables),
                ]
            )
    if not errors(found):
        normal = normal_form(keras_model, keep_softmax=context.spec.keep_softmax)
        found.extend(model.check_types(topology(normal), context))
    return sorted(dict.fromkeys(found), key=lambda finding: ORDER[finding.severity]), normal


def errors(findings: list[Finding]) -> list[Finding]:
    """The findings for which the conversion refuses."""
    return [finding for finding in findings if finding.severity == "error"]


SHOWN = 3
"""Layers that a note names one by one where each has words of its own."""


def changes(findings: Sequence[Finding], spec: HlsSpec) -> list[str]:
    """What a conversion drops, replaces, renames or rounds, one line a rule: for the notes of a design.

    Of an inexact conversion the errors are told too, in one line: their values are taken at ``spec.precision``.
    """
    found = [_together(rule, group) for rule, group in _grouped(findings) if RULES[rule].told]
    rounded = ", ".join(
        f"{rule} ({_few([f.layer for f in group])})" for rule, group in _grouped(errors(list(findings)))
    )
    return [*found, *([f"not exact, values rounded to {spec.precision}: {rounded}"] if rounded else [])]


def _grouped(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    rules = dict.fromkeys(finding.rule for finding in findings)
    return [(rule, [finding for finding in findings if finding.rule == rule]) for rule in rules]


def _together(rule: str, group: Sequence[Finding]) -> str:
    """``drop, drop_2: Dropout is left out [dropout]``; layers with words of their own one after the other."""
    texts = dict.fromkeys(finding.message for finding in group)
    lines = [f"{_few([f.layer for f in group if f.message == text])}: {text}" for text in texts]
    return f"{_few(lines, '; ')} [{rule}]"


def _few(names: Sequence[str], between: str = ", ") -> str:
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return between.join([*names[:SHOWN], *more])
