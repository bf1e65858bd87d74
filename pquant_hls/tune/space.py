"""From a study's space to one trial's parameters, and from those to steps and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import optuna

from pquant_hls.engine import Point, reusing
from pquant_hls.spec import HlsSpec, Range, StepConfig, StudySpec, step_config
from pquant_hls.spec.registry import config_class
from pquant_hls.spec.steps import Place, TrainingConfig
from pquant_hls.spec.study import LAYER_BITS, ORDER, REUSE, SPECIAL, parameter_of


def suggest(trial: optuna.Trial, spec: StudySpec, layers: Sequence[str]) -> dict[str, Any]:
    """One value for each parameter of the space; ``layers`` get widths of their own where asked for."""
    params = {
        name: _value(trial, name, found)
        for name, found in spec.parameters.items()
        if name not in (ORDER, LAYER_BITS)
    }
    if ORDER in spec.space:
        params[ORDER] = trial.suggest_categorical(ORDER, orders(spec))
    if LAYER_BITS in spec.space:
        bits = spec.parameters.get("quantize.bits", Range(low=3, high=8))
        params |= {f"bits.{layer}": _value(trial, f"bits.{layer}", bits, whole=True) for layer in layers}
    return params


def _value(trial: optuna.Trial, name: str, found: Range, *, whole: bool | None = None) -> Any:
    if found.choices is not None:
        return trial.suggest_categorical(name, list(found.choices))
    if found.low is None or found.high is None:
        raise ValueError(f"{name} has no range")
    if _is_whole(name) if whole is None else whole:
        step = 1 if found.step is None else int(found.step)
        return trial.suggest_int(name, int(found.low), int(found.high), step=step, log=found.log)
    return trial.suggest_float(name, found.low, found.high, step=found.step, log=found.log)


def _is_whole(name: str) -> bool:
    """Whether the parameter takes integers only, by its declared type."""
    declared = parameter_of(name)
    text = "" if declared is None else str(declared.annotation)
    return "int" in text and "float" not in text


def steps_in(spec: StudySpec) -> tuple[str, ...]:
    """Steps with a parameter in the space, and quantization, in the usual order."""
    named = {name.partition(".")[0] for name in spec.parameters if "." in name} | {"quantize"}
    return tuple(sorted(named, key=lambda step: (_place(step), step)))


def _place(step: str) -> Place:
    return config_class(step).place


def orders(spec: StudySpec) -> list[str]:
    """Orders of the steps that can work: layers go and factors are made while all is float, and training comes last."""
    free = [step for step in steps_in(spec) if _place(step) is not Place.TRAINING]
    last = [step for step in steps_in(spec) if _place(step) is Place.TRAINING]
    found = [order for order in permutations(free) if _float_first(order)]
    return [" ".join([*order, *last]) for order in found]


def _float_first(order: Sequence[str]) -> bool:
    places = [_place(step) for step in order]
    early = [place for place in places if place <= Place.FACTORS]
    return early == sorted(early) and min(places[order.index("quantize") :]) > Place.FACTORS


def trial_steps(params: Mapping[str, Any], spec: StudySpec, epochs: int, point: Point) -> list[StepConfig]:
    """The steps these parameters mean, each training for ``epochs`` passes; ``point`` tells which layers
    there are."""
    order = params[ORDER].split() if ORDER in params else steps_in(spec)
    return [_step(name, params, spec, epochs, point) for name in order]


def _step(name: str, params: Mapping[str, Any], spec: StudySpec, epochs: int, point: Point) -> StepConfig:
    values: dict[str, Any] = {"step": name, "seed": spec.seed}
    if issubclass(config_class(name), TrainingConfig):
        values |= {"epochs": epochs, **spec.training}
    values |= {key.partition(".")[2]: value for key, value in params.items() if key.partition(".")[0] == name}
    if name == "quantize":
        there = {} if point.account is None else point.account.units
        own = {key.removeprefix("bits."): value for key, value in params.items() if key.startswith("bits.")}
        values["layers"] = {layer: bits for layer, bits in own.items() if layer in there}
    return step_config(values, path=name)


def hls_of(params: Mapping[str, Any], spec: StudySpec) -> HlsSpec:
    """The HLS options with the trial's reuse factor; above 1 the strategy that can reuse."""
    return reusing(spec.hls, int(params.get(REUSE, spec.hls.reuse_factor)))


__all__ = ["SPECIAL", "hls_of", "orders", "steps_in", "suggest", "trial_steps"]
