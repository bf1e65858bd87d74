"""One run and the closed loop: propose, compress, write firmware, measure, decide, tighten or relax."""

from pquant_hls.engine.bench import Bench, Point, epoch_event
from pquant_hls.engine.events import Event, Listener, silent
from pquant_hls.engine.handover import CompressionResult, hand_over
from pquant_hls.engine.loop import LoopResult, closed_loop
from pquant_hls.engine.run import compress_model, preflight
from pquant_hls.engine.score import Gate, Score, dropped, loss, score_of

__all__ = [
    "Bench", "CompressionResult", "Event", "Gate", "Listener", "LoopResult", "Point", "Score", "closed_loop", "compress_model",
    "dropped", "epoch_event", "hand_over", "loss", "preflight", "score_of", "silent",
]  # fmt: skip
