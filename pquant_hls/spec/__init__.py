"""Recipes and their parts: frozen, strict, versioned."""

from pquant_hls.spec.backends import BACKENDS, Backend, backend_of
from pquant_hls.spec.budget import AUTO, REPORT, Budget, ResourceLimits
from pquant_hls.spec.hls import HlsSpec
from pquant_hls.spec.model import Spec
from pquant_hls.spec.plugins import EVALUATOR_GROUP, Plugins, plugin_names
from pquant_hls.spec.recipe import (
    BitsLadder,
    LoopSpec,
    RankLadder,
    Recipe,
    ReuseLadder,
    SparsityLadder,
    recipe_folder,
    recipe_names,
    step_config,
)
from pquant_hls.spec.registry import STEP_GROUP, config_class, step_names
from pquant_hls.spec.steps import Place, StepConfig, Turn
from pquant_hls.spec.study import Range, StudySpec

__all__ = [
    "AUTO",
    "BACKENDS",
    "EVALUATOR_GROUP",
    "REPORT",
    "STEP_GROUP",
    "Backend",
    "BitsLadder",
    "Budget",
    "HlsSpec",
    "LoopSpec",
    "Place",
    "Plugins",
    "Range",
    "RankLadder",
    "Recipe",
    "ResourceLimits",
    "ReuseLadder",
    "SparsityLadder",
    "Spec",
    "StepConfig",
    "StudySpec",
    "Turn",
    "backend_of",
    "config_class",
    "plugin_names",
    "recipe_folder",
    "recipe_names",
    "step_config",
    "step_names",
]
