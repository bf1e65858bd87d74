"""Steps in whatever form a user writes them, as configurations or Step objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pquant_hls.compress import Step
from pquant_hls.errors import SpecError
from pquant_hls.pipelines.walk import AnyStep, settings_of
from pquant_hls.spec import StepConfig, step_config
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.registry import config_class, step_names
from pquant_hls.spec.steps import TrainingConfig

METHODS = {"pruning": "prune", "quantization": "quantize", "fine_tuning": "fine_tune", "low_rank": "low_rank"}
"""The mission's words for the steps, beside their names in recipes."""


SHARED = tuple(name for name in TrainingConfig.model_fields if name != "step")
"""Settings that may stand beside the steps and hold for each that trains."""


def as_steps(given: Any, *, path: str = "steps") -> tuple[AnyStep, ...]:
    """Steps of a list whose entries are names, mappings with ``step``, configurations or Step objects.

    Raises SpecError with the path of the first that is none of these.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence) or len(given) == 0:
        raise SpecError(f"expected a list of steps, got {given!r}", where=path)
    return tuple(as_step(entry, f"{path}.{index}") for index, entry in enumerate(given))


def as_step(entry: Any, path: str) -> AnyStep:
    """One step of whatever form."""
    if isinstance(entry, Step | StepConfig):
        return entry
    values = {"step": entry} if isinstance(entry, str) else entry
    if isinstance(values, Mapping) and values.get("step") in METHODS:
        values = {**values, "step": METHODS[values["step"]]}
    return step_config(values, path=path)


def steps_of(config: Any) -> tuple[AnyStep, ...]:
    """Steps of a pipeline's configuration: a list, ``{"methods": [...], "pruning": {settings}, ...}``, or
    another pipeline of steps.

    Without ``methods`` the order is that of the settings. Fields of a training, such as ``epochs`` or
    ``preserve_rare_classes``, may stand beside them: they hold for every step that trains and does not set them.
    """
    if not isinstance(config, Mapping):
        return as_steps(getattr(config, "steps", config))
    methods = config.get("methods", [key for key in config if key not in SHARED])
    if isinstance(methods, str | Mapping) or not isinstance(methods, Sequence):
        raise SpecError(f"expected a list of steps, got {methods!r}", where="methods")
    if not methods:
        raise SpecError(
            "no step is named", where="methods", mend="e.g. methods: [low_rank, pruning, quantization]"
        )
    _check_keys(config, methods)
    return as_steps([_joined(method, config) for method in methods], path="methods")


def _joined(method: Any, config: Mapping[str, Any]) -> Any:
    """A method with its settings and those that all trainings share."""
    if not isinstance(method, str):
        return method
    settings = config.get(method) or {}
    if not isinstance(settings, Mapping):
        raise SpecError(f"expected settings such as {{sparsity: 0.5}}, got {settings!r}", where=method)
    shared = {key: config[key] for key in SHARED if key in config and _trains(method)}
    return {"step": method, **shared, **settings}


def _trains(method: str) -> bool:
    name = METHODS.get(method, method)
    return name in step_names() and issubclass(config_class(name), TrainingConfig)


def _check_keys(config: Mapping[str, Any], methods: Sequence[Any]) -> None:
    """Settings of a method that is not run are an error: they would be without effect."""
    known = ["methods", *(method for method in methods if isinstance(method, str)), *SHARED]
    steps = [*METHODS, *step_names()]
    for key in config:
        if key not in known or ("methods" not in config and key not in [*steps, *SHARED]):
            raise SpecError(unknown_key(key, known if "methods" in config else [*steps, *SHARED]), where=key)


def describe(steps: Sequence[AnyStep]) -> list[Any]:
    """Steps for a run's digest: class and settings."""
    return [[f"{type(step).__module__}.{type(step).__qualname__}", settings_of(step)] for step in steps]
