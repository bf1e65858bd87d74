"""One run and the closed loop: propose, compress, write firmware, measure, decide, tighten or relax.

Names are loaded when first used, so that listening to events needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.engine.bench import Bench, Point, epoch_event
    from pquant_hls.engine.events import Event, Listener, silent
    from pquant_hls.engine.goal import NO_LIMIT, Ending, Goal, Workbench, conclude, finish, quantized
    from pquant_hls.engine.handover import CompressionResult, hand_over
    from pquant_hls.engine.loop import LoopResult, closed_loop
    from pquant_hls.engine.run import check_model, compress_model, preflight
    from pquant_hls.engine.score import Gate, Score, check_gates, dropped, loss, score_of

_HOMES = {
    "bench": ("Bench", "Point", "epoch_event"),
    "events": ("Event", "Listener", "silent"),
    "goal": ("NO_LIMIT", "Ending", "Goal", "Workbench", "conclude", "finish", "quantized"),
    "handover": ("CompressionResult", "hand_over"),
    "loop": ("LoopResult", "closed_loop"),
    "run": ("check_model", "compress_model", "preflight"),
    "score": ("Gate", "Score", "check_gates", "dropped", "loss", "score_of"),
}

__all__ = [
    "NO_LIMIT",
    "Bench",
    "CompressionResult",
    "Ending",
    "Event",
    "Gate",
    "Goal",
    "Listener",
    "LoopResult",
    "Point",
    "Score",
    "Workbench",
    "check_gates",
    "check_model",
    "closed_loop",
    "compress_model",
    "conclude",
    "dropped",
    "epoch_event",
    "finish",
    "hand_over",
    "loss",
    "preflight",
    "quantized",
    "score_of",
    "silent",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
