"""The compression steps that are installed, ours and other packages': entry points of one group.

An entry point names a StepConfig, whose ``made_by`` tells lazily which Step it configures, or a Step class with its
``Config``. Ours name configurations, so that a recipe is checked without importing TensorFlow.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from pquant_hls.errors import SpecError
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.plugins import load, points_of
from pquant_hls.spec.steps import StepConfig

STEP_GROUP = "pquant_hls.steps"
"""Entry points by which every package, this one too, offers its steps."""


def step_names() -> list[str]:
    """Names of all installed steps, sorted; SpecError where not even this package's own are registered."""
    return sorted(points_of(STEP_GROUP))


def offered(name: str, path: str = "") -> type[Any]:
    """What the installed package offers as the step ``name``: a StepConfig or a Step class.

    Raises
    ------
    SpecError : no package or more than one offers it, it cannot be loaded, or it is neither; ``path`` is where the
        name was written.
    """
    points = points_of(STEP_GROUP)
    if name not in points:
        raise SpecError(unknown_key(name, points, "step"), where=f"{path}.step" if path else "step")
    return load_step(points[name])


def load_step(point: EntryPoint) -> type[Any]:
    """The class that an entry point names; SpecError where there is none."""
    found = load("step", point)
    if not isinstance(found, type):
        raise SpecError(
            f"step {point.name!r} is {found!r}, not a Step class or a StepConfig", where=STEP_GROUP
        )
    return found


def config_class(name: str, path: str = "") -> type[StepConfig]:
    """The configuration of the step ``name``; raises SpecError as ``offered`` does."""
    found = offered(name, path)
    config = found if issubclass(found, StepConfig) else getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, StepConfig)):
        raise SpecError(
            f"step {name!r} is {found.__name__}, not a Step class or a StepConfig", where=STEP_GROUP
        )
    return config
