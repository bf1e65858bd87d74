"""When two sets of outputs count as equal, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import SpecError
from pquant_hls.golden.vectors import Vectors

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Labels = NDArray[np.int64]
Mode = Literal["exact", "lsb", "argmax", "decision"]
SHOWN = 20
"""Mismatches listed one by one; all are counted."""


@dataclass(frozen=True)
class Rule:
    """How outputs are compared.

    ``exact``: every integer and every port type equal. ``lsb``: within ``tolerance_lsb`` LSBs of the golden's
    type. ``argmax``: the same class of the first output (the first of equals). ``decision``: the same side of
    ``threshold`` (in the output's own units; above it fires) on ``channel`` of the first output.
    ``agreement`` is the share (0..1] of inputs on which class or decision must agree.
    """

    mode: Mode = "exact"
    tolerance_lsb: int = 0
    threshold: float = 0.0
    channel: int = 0
    agreement: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            mend = f"one of {', '.join(get_args(Mode))}"
            raise SpecError(f"unknown mode {self.mode!r}", where="mode", mend=mend)
        if self.tolerance_lsb < 0 or self.channel < 0:
            raise SpecError(f"negative {(self.tolerance_lsb, self.channel)}", where="tolerance_lsb, channel")
        if not 0.0 < self.agreement <= 1.0:
            raise SpecError(f"{self.agreement} is no share in (0, 1]", where="agreement")

    def __str__(self) -> str:
        share = "" if self.agreement == 1.0 else f" on at least {100 * self.agreement:g} % of the inputs"
        words = {
            "exact": "every bit equal",
            "lsb": f"within {self.tolerance_lsb} LSB",
            "argmax": f"same argmax{share}",
            "decision": f"same decision, channel {self.channel} > {self.threshold:g}{share}",
        }
        return words[self.mode]


@dataclass(frozen=True)
class Mismatch:
    """One output value that differs; ``lsbs`` is obtained minus expected in LSBs of the golden's type."""

    output: str
    index: int
    channel: int
    expected: float
    obtained: float
    lsbs: float


@dataclass(frozen=True)
class Decision:
    """Shares (0..1): inputs that agree, inputs that fire, and signal inputs (by label) that fire.

    Without labels the efficiencies are None.
    """

    agreement: float
    rate_expected: float | None = None
    rate_obtained: float | None = None
    efficiency_expected: float | None = None
    efficiency_obtained: float | None = None


@dataclass(frozen=True)
class OutputComparison:
    """Outcome of one rule on all outputs; ``wrong_inputs`` are indices, sorted."""

    passed: bool
    wrong_values: int
    wrong_inputs: tuple[int, ...]
    worst_lsbs: float
    mismatches: tuple[Mismatch, ...]
    decision: Decision | None = None


def compare_outputs(
    expected: Sequence[Vectors], obtained: Sequence[Vectors], rule: Rule, labels: Labels | None = None
) -> OutputComparison:
    """Compare outputs port by port; shapes must agree."""
    lsbs = [_difference(old, new) for old, new in zip(expected, obtained, strict=True)]
    worst = max(float(np.max(np.abs(one))) for one in lsbs)
    if rule.mode in ("exact", "lsb"):
        beyond = [np.abs(one) > (rule.tolerance_lsb if rule.mode == "lsb" else 0) for one in lsbs]
        decision, passed = None, not any(one.any() for one in beyond)
    else:
        flips, decision = _decide(expected[0], obtained[0], rule, labels)
        beyond = [(one != 0) & flips[:, None] for one in lsbs]
        passed = decision.agreement >= rule.agreement
    wrong = np.unique(np.concatenate([np.nonzero(one)[0] for one in beyond]))
    listed = _list(expected, obtained, lsbs, beyond)
    return OutputComparison(
        passed, sum(int(one.sum()) for one in beyond), tuple(int(i) for i in wrong), worst, listed, decision
    )


def _difference(expected: Vectors, obtained: Vectors) -> Floats:
    """Obtained minus expected in LSBs of the expected type, (n, size); exact up to 53 bits."""
    values = obtained.codes.astype(np.float64) * 2.0 ** (expected.frac_bits - obtained.frac_bits)
    return values - expected.codes.astype(np.float64)


def _decide(
    expected: Vectors, obtained: Vectors, rule: Rule, labels: Labels | None
) -> tuple[Marks, Decision]:
    if rule.mode == "argmax":
        flips = np.argmax(expected.codes, axis=1) != np.argmax(obtained.codes, axis=1)
        return flips, Decision(float(1 - np.mean(flips)))
    channels = expected.codes.shape[1]
    if rule.channel >= channels:
        raise SpecError(f"there is no channel {rule.channel}", where="channel", mend=f"0 to {channels - 1}")
    old, new = (one.codes[:, rule.channel] * one.lsb > rule.threshold for one in (expected, obtained))
    flips = old != new
    agreement, rates = float(1 - np.mean(flips)), (float(np.mean(old)), float(np.mean(new)))
    signal = None if labels is None else labels == (rule.channel if channels > 1 else 1)
    if signal is None or not signal.any():
        return flips, Decision(agreement, *rates)
    return flips, Decision(agreement, *rates, float(np.mean(old[signal])), float(np.mean(new[signal])))


def _list(
    expected: Sequence[Vectors], obtained: Sequence[Vectors], lsbs: Sequence[Floats], where: Sequence[Marks]
) -> tuple[Mismatch, ...]:
    found = []
    for old, new, one, wrong in zip(expected, obtained, lsbs, where, strict=True):
        for index, channel in np.argwhere(wrong)[:SHOWN]:
            values = float(old.codes[index, channel] * old.lsb), float(new.codes[index, channel] * new.lsb)
            found.append(Mismatch(old.name, int(index), int(channel), *values, float(one[index, channel])))
    return tuple(sorted(found, key=lambda entry: (entry.index, entry.output, entry.channel))[:SHOWN])
