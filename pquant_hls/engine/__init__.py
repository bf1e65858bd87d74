"""One run and the closed loop: propose, compress, write firmware, measure, decide, tighten or relax.

Names are loaded when first used, so that listening to events needs no TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "NO_LIMIT", "Bench", "CompressionResult", "Ending", "Event", "Gate", "Goal", "Listener", "LoopResult",
    "Point", "Score", "Workbench", "check_gates", "check_model", "closed_loop", "compress_model", "conclude", "dropped",
    "epoch_event", "finish", "hand_over", "loss", "preflight", "quantized", "score_of", "silent",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
