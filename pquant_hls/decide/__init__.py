"""Pure rules: a QoR and a budget give a verdict; a history gives the next action and its reason."""

from pquant_hls.decide.act import best_round, costliest, lacks_events, next_action
from pquant_hls.decide.check import Check, Judgement, Verdict, combine, unmet
from pquant_hls.decide.depth import shallower
from pquant_hls.decide.drift import drift
from pquant_hls.decide.judge import (
    LEAST_ABOVE,
    all_on_test,
    floor_check,
    judge,
    measured,
    on_test,
    quality_check,
)
from pquant_hls.decide.knobs import (
    KINDS,
    Bits,
    Depth,
    Distributed,
    Knob,
    Knobs,
    Rank,
    ReuseFactor,
    Sparsity,
    kind_of,
)
from pquant_hls.decide.lock import Lock
from pquant_hls.decide.moves import Action, Limit, Move, Reach, Round, relaxations, tightenings, trades

__all__ = [
    "KINDS",
    "LEAST_ABOVE",
    "Action",
    "Bits",
    "Check",
    "Depth",
    "Distributed",
    "Judgement",
    "Knob",
    "Knobs",
    "Limit",
    "Lock",
    "Move",
    "Rank",
    "Reach",
    "ReuseFactor",
    "Round",
    "Sparsity",
    "Verdict",
    "all_on_test",
    "best_round",
    "combine",
    "costliest",
    "drift",
    "floor_check",
    "judge",
    "kind_of",
    "lacks_events",
    "measured",
    "next_action",
    "on_test",
    "quality_check",
    "relaxations",
    "shallower",
    "tightenings",
    "trades",
    "unmet",
]
