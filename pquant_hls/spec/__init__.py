"""Recipes and their parts: frozen, strict, versioned."""

from pquant_hls.spec.budget import Budget, ResourceLimits
from pquant_hls.spec.hls import HlsSpec
from pquant_hls.spec.model import Spec
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
    "STEP_GROUP",
    "BitsLadder",
    "Budget",
    "HlsSpec",
    "LoopSpec",
    "Place",
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
    "config_class",
    "recipe_folder",
    "recipe_names",
    "step_config",
    "step_names",
]
