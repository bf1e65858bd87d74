"""Pure rules: a QoR and a budget give a verdict; a history gives the next action and its reason."""

from pquant_hls.decide.act import (
    KNOBS,
    Action,
    Limit,
    Move,
    Round,
    best_round,
    costliest,
    next_action,
    relaxations,
    tightenings,
)
from pquant_hls.decide.drift import drift
from pquant_hls.decide.judge import Check, Judgement, Verdict, accuracy_floor, combine, judge

__all__ = [
    "KNOBS",
    "Action",
    "Check",
    "Judgement",
    "Limit",
    "Move",
    "Round",
    "Verdict",
    "accuracy_floor",
    "best_round",
    "combine",
    "costliest",
    "drift",
    "judge",
    "next_action",
    "relaxations",
    "tightenings",
]
