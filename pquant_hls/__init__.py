"""pquant_hls compresses Keras models for FPGA triggers until the firmware meets a latency budget in nanoseconds.

Data flows one way, and lower rooms never import higher ones:

    Keras model + data + Recipe (with a Budget)
        network    one reading of a Keras graph: calls, grids, normal form, types
        compress   prune, low rank, quantize, fine-tune (train)     Keras -> QKeras
        lint, hls  what would differ; write the HLS project         QKeras -> HlsProject + FixedPointGraph
        csim       the project's C++ compiled and run               -> outputs
        measure    estimate, readers, rtl, csynth, cosim            -> QoR
        decide     QoR against Budget -> MET | MISSED | UNKNOWN and the next action
        engine     the closed loop over these, kept in a run folder (store)
        pipelines, tune                                             policies and studies over the engine
        cli, testing, reporting                                     what people and CI touch

Names are loaded when first used, so that ``import pquant_hls`` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach
from pquant_hls._moved import install

if TYPE_CHECKING:
    from pquant_hls.decide import judge as judge
    from pquant_hls.engine import compress_model as compress_model
    from pquant_hls.estimate import suggest as suggest
    from pquant_hls.measure import measure_project as measure_project
    from pquant_hls.spec import Budget as Budget
    from pquant_hls.spec import Recipe as Recipe
    from pquant_hls.tune import sweep as sweep
    from pquant_hls.tune import tune_model as tune_model

attach(globals())

install()
