"""Studies over the engine: Optuna proposes, the bench measures, the budget is a constraint.

Attributes are loaded when first used, so importing this package imports neither TensorFlow nor Optuna.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.tune.objectives import OBJECTIVES, Objective, TrialFigures, gain
    from pquant_hls.tune.study import tune_model

_HOMES = {"objectives": ("OBJECTIVES", "Objective", "TrialFigures", "gain"), "study": ("tune_model",)}

__all__ = ["OBJECTIVES", "Objective", "TrialFigures", "gain", "tune_model"]

__getattr__, __dir__ = lazy(__name__, _HOMES)
