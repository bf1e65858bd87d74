"""What stands beside the labelled events: inputs as such, zero-bias and signal samples, event weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets import several
from pquant_hls.datasets.records import Part, Split, ZeroBias
from pquant_hls.datasets.several import Several
from pquant_hls.errors import DataError

UNSPLIT = "all"
"""The name of the one part of data that come unsplit."""
ZERO_BIAS, ZERO_BIAS_HZ, SIGNAL = "x_zero_bias", "zero_bias_hz", "x_signal"
WEIGHTS = ("w", "weight", "weights", "sample_weight")
"""Names of the array that counts events more or less; with ``_train`` and so on of one split."""
Rows = dict[Split, npt.NDArray[np.int64]]


def read_inputs(value: Any, key: str, where: str) -> Several:
    """Inputs under a key, float32 (events, ...), in the structure they were given in; DataError for what is none."""
    if isinstance(value, Mapping):
        return {name: _input(part, f"{key}.{name}", where) for name, part in value.items()}
    if isinstance(value, list | tuple) and value and all(hasattr(part, "shape") for part in value):
        return [_input(part, f"{key}.{place}", where) for place, part in enumerate(value)]
    return _input(value, key, where)


def _input(value: Any, key: str, where: str) -> npt.NDArray[np.float32]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{key} holds {array.dtype}, not numbers", where=where)
    if array.ndim < 2:
        mend = "inputs are (events, features...)"
        raise DataError(f"{key} has shape {array.shape}", where=where, mend=mend)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, which check_dataset reports
        return array.astype(np.float32, copy=False)


def zero_bias_of(given: Mapping[str, Any], parts: Mapping[Split, Part], where: str) -> ZeroBias | None:
    """The zero-bias sample; DataError for one without its rate, or of another shape than the inputs."""
    if ZERO_BIAS not in given and ZERO_BIAS_HZ not in given:
        return None
    for key, other in ((ZERO_BIAS, ZERO_BIAS_HZ), (ZERO_BIAS_HZ, ZERO_BIAS)):
        if key not in given:
            raise DataError(f"holds {other} but no {key}", where=where, mend="a rate needs both")
    x, rate = _sample(given[ZERO_BIAS], parts, ZERO_BIAS, where), np.asarray(given[ZERO_BIAS_HZ])
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not (np.isfinite(rate) & (rate > 0)).all():
        raise DataError(f"{ZERO_BIAS_HZ} is {rate.tolist()}, not one rate in Hz above 0", where=where)
    return ZeroBias(x, float(rate.reshape(())))


def signals_of(given: Mapping[str, Any], parts: Mapping[Split, Part], where: str) -> dict[str, Several]:
    """Samples of signals by name; one array without a name is ``signal``. Of several inputs each is a mapping, or arrays
    named ``x_signal.<name>.<input>``."""
    samples = given.get(SIGNAL, {})
    if not isinstance(samples, Mapping):
        samples = {"signal": samples}
    elif several.is_several(parts["train"][0]) and not any(map(several.is_several, samples.values())):
        samples = _by_signal(samples)
    return {name: _sample(x, parts, f"{SIGNAL}.{name}", where) for name, x in samples.items()}


def _by_signal(arrays: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Arrays ``<name>.<input>`` by signal and input; those of no name are ``signal``."""
    found: dict[str, dict[str, Any]] = {}
    for key, array in arrays.items():
        name, _, place = key.rpartition(".")
        found.setdefault(name or "signal", {})[place] = array
    return found


def _in_order_of(inputs: Several, sample: Several, where: str) -> Several:
    """A sample of several inputs in their order; DataError where one of the two names its arrays and the other does not, or
    has other names."""
    named = [isinstance(each, Mapping) for each in (inputs, sample)]
    if named[0] != named[1] and all(map(several.is_several, (inputs, sample))):
        raise DataError(
            "the inputs and this sample must both be lists, or both name their arrays",
            where=where,
            mend="give both as mappings by input",
        )
    if not all(named):
        return sample
    if set(inputs) != set(sample):
        raise DataError(
            f"holds {', '.join(map(str, sample))}, the inputs are {', '.join(map(str, inputs))}", where=where
        )
    return {name: sample[name] for name in inputs}


def _sample(given: Any, parts: Mapping[Split, Part], key: str, where: str) -> Several:
    """Events beside the splits, of the same shape as the inputs."""
    inputs = parts["train"][0]
    x = _in_order_of(inputs, read_inputs(given, key, where), f"{where}: {key}")
    shapes, wanted = several.event_shapes(x), several.event_shapes(inputs)
    if shapes != wanted or several.events_in(x, key) == 0:
        told = [part.shape for part in several.arrays_of(x)]
        single = len(told) == len(wanted) == 1
        raise DataError(
            f"{key} has shape {told[0] if single else told}, the inputs are (events, {wanted[0] if single else wanted})",
            where=where,
        )
    if not all(np.isfinite(part).all() for part in several.arrays_of(x)):
        raise DataError(f"{key} holds NaN or infinity", where=where)
    return x


def event_weights(
    given: Mapping[str, Any], parts: Mapping[str, Part], rows: Rows, where: str
) -> dict[Split, npt.NDArray[np.float64]]:
    """Event weights of each split; DataError where some splits lack them, or they cannot weigh."""
    if UNSPLIT in parts:
        key = next((name for name in WEIGHTS if name in given), None)
        if key is None:
            return {}
        whole = _weigh(given[key], several.events_in(parts[UNSPLIT][0]), key, where)
        return {which: whole[chosen] for which, chosen in rows.items()}
    keys = {which: f"{name}_{which}" for which in parts for name in WEIGHTS if f"{name}_{which}" in given}
    if not keys:
        return {}
    if missing := [which for which in parts if which not in keys]:
        raise DataError(f"holds weights for some splits but none for {missing[0]}", where=where)
    found = {}
    for which, chosen in rows.items():
        part = which if which in parts else "train"
        found[which] = _weigh(given[keys[part]], several.events_in(parts[part][0]), keys[part], where)[chosen]
    return found


def _weigh(value: Any, events: int, key: str, where: str) -> npt.NDArray[np.float64]:
    weights = np.asarray(value).reshape(-1)
    if weights.dtype.kind not in "biuf" or len(weights) != events:
        raise DataError(f"{key} holds {len(weights)} {weights.dtype} for {events} events", where=where)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size > 0 or not weights.any():
        at = int(wrong[0]) if wrong.size else 0
        raise DataError(
            f"{key} holds {weights[at]} at row {at}", where=where, mend="weights are at least 0, not all 0"
        )
    return weights.astype(np.float64)
