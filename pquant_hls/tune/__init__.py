"""Studies and sweeps over the engine: Optuna or a grid proposes, the bench measures, the budget is a constraint.

Attributes are loaded when first used, so importing this package imports neither TensorFlow nor Optuna.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.tune.grid import SweepResult as SweepResult
    from pquant_hls.tune.grid import sweep as sweep
    from pquant_hls.tune.objectives import OBJECTIVES as OBJECTIVES
    from pquant_hls.tune.objectives import Objective as Objective
    from pquant_hls.tune.objectives import TrialFigures as TrialFigures
    from pquant_hls.tune.objectives import gain as gain
    from pquant_hls.tune.study import tune_model as tune_model

attach(globals())
