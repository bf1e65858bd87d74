"""One run and the closed loop: propose, compress, write firmware, measure, decide, tighten or relax.

Names are loaded when first used, so that listening to events needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.engine.bench import Bench as Bench
    from pquant_hls.engine.bench import Fidelity as Fidelity
    from pquant_hls.engine.bench import Point as Point
    from pquant_hls.engine.bench import epoch_event as epoch_event
    from pquant_hls.engine.compress import ClosedLoop as ClosedLoop
    from pquant_hls.engine.compress import compress_model as compress_model
    from pquant_hls.engine.events import Event as Event
    from pquant_hls.engine.events import Listener as Listener
    from pquant_hls.engine.events import silent as silent
    from pquant_hls.engine.family import family_loop as family_loop
    from pquant_hls.engine.gates import Gate as Gate
    from pquant_hls.engine.gates import check_gates as check_gates
    from pquant_hls.engine.gates import floors_keeping as floors_keeping
    from pquant_hls.engine.gates import floors_on as floors_on
    from pquant_hls.engine.goal import Ending as Ending
    from pquant_hls.engine.goal import Goal as Goal
    from pquant_hls.engine.goal import Workbench as Workbench
    from pquant_hls.engine.goal import checked as checked
    from pquant_hls.engine.goal import conclude as conclude
    from pquant_hls.engine.goal import figures as figures
    from pquant_hls.engine.goal import quantized as quantized
    from pquant_hls.engine.handover import CompressionResult as CompressionResult
    from pquant_hls.engine.handover import StudyResult as StudyResult
    from pquant_hls.engine.handover import TaggerResult as TaggerResult
    from pquant_hls.engine.handover import TriggerResult as TriggerResult
    from pquant_hls.engine.handover import ValidationResult as ValidationResult
    from pquant_hls.engine.handover import hand_over as hand_over
    from pquant_hls.engine.loop import LoopResult as LoopResult
    from pquant_hls.engine.loop import View as View
    from pquant_hls.engine.loop import closed_loop as closed_loop
    from pquant_hls.engine.loop import reusing as reusing
    from pquant_hls.engine.policy import Order as Order
    from pquant_hls.engine.policy import Policy as Policy
    from pquant_hls.engine.policy import run_policy as run_policy
    from pquant_hls.engine.run import check_model as check_model
    from pquant_hls.engine.run import preflight as preflight
    from pquant_hls.engine.score import Score as Score
    from pquant_hls.engine.score import dropped as dropped
    from pquant_hls.engine.score import loss as loss
    from pquant_hls.engine.score import merit as merit
    from pquant_hls.engine.score import score_of as score_of
    from pquant_hls.engine.watch import Watch as Watch
    from pquant_hls.engine.watch import listener_of as listener_of

attach(globals())
