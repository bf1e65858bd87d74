"""Studies over the engine: Optuna proposes, the bench measures, the budget is a constraint.

Attributes are loaded when first used, so importing this package imports neither TensorFlow nor Optuna.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pquant_hls.tune.objectives import OBJECTIVES, Objective, TrialFigures, gain
    from pquant_hls.tune.study import tune_model

_HOMES = {"objectives": ("OBJECTIVES", "Objective", "TrialFigures", "gain"), "study": ("tune_model",)}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["OBJECTIVES", "Objective", "TrialFigures", "gain", "tune_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
