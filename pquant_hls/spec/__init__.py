"""Recipes and their parts: frozen, strict, versioned."""

from pquant_hls.spec.backends import BACKENDS, Backend, backend_of
from pquant_hls.spec.budget import AUTO, Budget, ResourceLimits
from pquant_hls.spec.hls import HlsSpec
from pquant_hls.spec.model import Spec
from pquant_hls.spec.plugins import EVALUATOR_GROUP, Plugins, offered
from pquant_hls.spec.recipe import (
    BitsLadder,
    LoopSpec,
    Recipe,
    SparsityLadder,
    recipe_folder,
    recipe_names,
    step_config,
)
from pquant_hls.spec.steps import STEP_CONFIGS, StepConfig
from pquant_hls.spec.study import Range, StudySpec

__all__ = [
    "AUTO",
    "BACKENDS",
    "EVALUATOR_GROUP",
    "STEP_CONFIGS",
    "Backend",
    "BitsLadder",
    "Budget",
    "HlsSpec",
    "LoopSpec",
    "Plugins",
    "Range",
    "Recipe",
    "ResourceLimits",
    "SparsityLadder",
    "Spec",
    "StepConfig",
    "StudySpec",
    "backend_of",
    "offered",
    "recipe_folder",
    "recipe_names",
    "step_config",
]
