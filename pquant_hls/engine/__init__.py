"""One run and the closed loop: propose, compress, write firmware, measure, decide, tighten or relax.

Names are loaded when first used, so that listening to events needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.engine.bench import Bench, Fidelity, Point, epoch_event
    from pquant_hls.engine.compress import ClosedLoop, compress_model
    from pquant_hls.engine.events import Event, Listener, silent
    from pquant_hls.engine.goal import Ending, Goal, Workbench, checked, conclude, figures, quantized
    from pquant_hls.engine.handover import (
        CompressionResult,
        StudyResult,
        TaggerResult,
        TriggerResult,
        ValidationResult,
        hand_over,
    )
    from pquant_hls.engine.loop import LoopResult, View, closed_loop, reusing
    from pquant_hls.engine.policy import Order, Policy, run_policy
    from pquant_hls.engine.run import check_model, preflight
    from pquant_hls.engine.score import Gate, Score, check_gates, dropped, loss, score_of

_HOMES = {
    "bench": ("Bench", "Fidelity", "Point", "epoch_event"),
    "compress": ("ClosedLoop", "compress_model"),
    "events": ("Event", "Listener", "silent"),
    "goal": ("Ending", "Goal", "Workbench", "checked", "conclude", "figures", "quantized"),
    "handover": (
        "CompressionResult",
        "StudyResult",
        "TaggerResult",
        "TriggerResult",
        "ValidationResult",
        "hand_over",
    ),
    "loop": ("LoopResult", "View", "closed_loop", "reusing"),
    "policy": ("Order", "Policy", "run_policy"),
    "run": ("check_model", "preflight"),
    "score": ("Gate", "Score", "check_gates", "dropped", "loss", "score_of"),
}

__all__ = [
    "Bench",
    "ClosedLoop",
    "CompressionResult",
    "Ending",
    "Event",
    "Fidelity",
    "Gate",
    "Goal",
    "Listener",
    "LoopResult",
    "Order",
    "Point",
    "Policy",
    "Score",
    "StudyResult",
    "TaggerResult",
    "TriggerResult",
    "ValidationResult",
    "View",
    "Workbench",
    "check_gates",
    "check_model",
    "checked",
    "closed_loop",
    "compress_model",
    "conclude",
    "dropped",
    "epoch_event",
    "figures",
    "hand_over",
    "loss",
    "preflight",
    "quantized",
    "reusing",
    "run_policy",
    "score_of",
    "silent",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
