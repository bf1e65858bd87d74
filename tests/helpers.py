"""What tests of several rooms share: types of fixtures, and figures that a test expects to be known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from pquant_hls.qor import Latency, QoR, Resources

Edit = Callable[[Path, str, str, str], None]
Shell = Callable[..., tuple[int, str, str]]
T = TypeVar("T")

PART = "xcvu13p-flga2577-2-e"
SMALL = Resources(lut=900, ff=100, dsp=0, bram_18k=0)
"""What a design takes that fits PART with room to spare."""


class Tiny(NamedTuple):
    """A 4-3-2 QKeras network: its file and its HLS project."""

    model: Path
    project: Path


def known(value: T | None, name: str = "this value") -> T:
    """The value, which must not be None."""
    assert value is not None, f"{name} is not known"
    return value


def latency_of(qor: QoR | None) -> Latency:
    return known(known(qor, "the QoR").latency, "its latency")


def cycles_of(qor: QoR | None) -> int:
    return known(latency_of(qor).cycles_max, "cycles_max")


def resources_of(qor: QoR | None) -> Resources:
    return known(known(qor, "the QoR").resources, "its resources")


def single(values: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """The values of a design's one input or output, not a list of arrays."""
    assert isinstance(values, np.ndarray), f"{len(values)} arrays where one is expected"
    return values


def linked(folder: Path, x: np.ndarray) -> np.ndarray:
    """What stock hls4ml predicts from a project, as its own documentation goes."""
    from hls4ml.converters import link_existing_project

    from pquant_hls.network.capture import captured

    with captured():
        model = link_existing_project(str(folder))
        model.compile()
        return np.asarray(model.predict(np.ascontiguousarray(x, np.float32)))
