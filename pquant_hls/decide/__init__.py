"""Pure rules: a QoR and a budget give a verdict; a history gives the next action and its reason."""

from pquant_hls.decide.act import best_round, costliest, lacks_events, next_action
from pquant_hls.decide.check import Check, Judgement, Verdict, combine
from pquant_hls.decide.depth import shallower
from pquant_hls.decide.drift import drift
from pquant_hls.decide.judge import floor_check, judge, on_test
from pquant_hls.decide.knobs import KINDS, Bits, Depth, Knob, Knobs, Rank, ReuseFactor, Sparsity, kind_of
from pquant_hls.decide.moves import Action, Limit, Move, Reach, Round, relaxations, tightenings, trades

__all__ = [
    "KINDS",
    "Action",
    "Bits",
    "Check",
    "Depth",
    "Judgement",
    "Knob",
    "Knobs",
    "Limit",
    "Move",
    "Rank",
    "Reach",
    "ReuseFactor",
    "Round",
    "Sparsity",
    "Verdict",
    "best_round",
    "combine",
    "costliest",
    "drift",
    "floor_check",
    "judge",
    "kind_of",
    "lacks_events",
    "next_action",
    "on_test",
    "relaxations",
    "shallower",
    "tightenings",
    "trades",
]
