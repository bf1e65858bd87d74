"""What the linter says of one layer, and the list of all rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pquant_hls.network.frontend import Remarks
from pquant_hls.network.graph import Call
from pquant_hls.network.kinds import Context
from pquant_hls.qor.cards import listing

__all__ = ["ORDER", "Context", "Finding", "FindingList", "Findings", "Severity", "finding", "remarked"]

Severity = Literal["error", "warning", "note"]
ORDER: Mapping[str, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One finding.

    ``error``: the firmware would compute something else, or cannot be made; the conversion refuses.
    ``warning``: exact only within the bound or the condition stated.
    ``note``: hls4ml alone would get this wrong or slow; the conversion mends it without changing the model's
    function. ``fixable``: ``fix`` can mend it without retraining.
    """

    rule: str
    severity: Severity
    layer: str
    message: str
    mend: str
    fixable: bool = False

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return FindingList([self])._repr_html_()

    def __str__(self) -> str:
        return f"{self.severity} {self.rule} {self.layer}: {self.message} ({self.mend})"


Findings = Iterator[Finding]


class FindingList(list[Finding]):
    """Findings that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        heads = ("severity", "rule", "layer", "what", "mend")
        rows = ((row.severity, row.rule, row.layer, row.message, row.mend) for row in self)
        return listing(heads, rows, "no findings: the firmware computes what Keras does")


def finding(
    rule: str, call: Call, message: str, *, mend: str | None = None, fixable: bool | None = None
) -> Finding:
    """A finding of a listed rule; mend and fixable default to the rule's own."""
    from pquant_hls.lint.rules import RULES

    known = RULES[rule]
    return Finding(
        rule,
        known.severity,
        call.name,
        message,
        mend or known.mend,
        known.fixable if fixable is None else fixable,
    )


def remarked(call: Call, remarks: Remarks) -> Findings:
    """What a kind or a front-end has to say of a layer, as findings."""
    for remark in remarks:
        yield finding(remark.rule, call, remark.text, mend=remark.mend, fixable=remark.fixable)
