"""Compare a project's two copies of its weights: ``.txt`` is read by csim, ``.h`` by synthesis.

csim stays right when a ``.h`` is altered and the firmware does not, so every check reads both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware import SourceWeights
from pquant_hls.firmware.values import SourceNames
from pquant_hls.firmware.weights import numbers
from pquant_hls.hls import HlsProject
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
SHOWN_PER_FILE = 5
WIDEST = 52
"""Bits of the widest type whose codes are exact in float64, FixedType's own limit."""


@dataclass(frozen=True)
class WeightDifference:
    """``text`` as csim reads it and ``header`` as synthesis does.

    ``index`` counts numbers within the file; None where the file itself is meant.
    """

    file: str
    index: int | None
    text: str
    header: str

    def __str__(self) -> str:
        place = self.file if self.index is None else f"{self.file}[{self.index}]"
        return f"weights {place}: csim reads {self.text}, synthesis {self.header}"


def compare_weights(project: HlsProject) -> tuple[WeightDifference, ...]:
    """Every weight on which ``weights/*.txt`` and ``weights/*.h`` differ, on the grid of its declared type.

    At most five are listed for each array, and then how many more there are. A project without text copies,
    whose csim reads the headers, has none.
    """
    held = SourceWeights(project.read)
    pairs = {path.stem for path in project.weights.glob("*.txt") if path.with_suffix(".h").is_file()}
    found: list[WeightDifference] = []
    for variable in sorted({*held.loads, *pairs}):
        found += _compare(held, variable, project)
    return tuple(found)


def _compare(held: SourceWeights, variable: str, project: HlsProject) -> list[WeightDifference]:
    text, header = held.text_file(variable), project.weights / f"{variable}.h"
    if not text.is_file():
        return [WeightDifference(text.name, None, "no file", f"{header.name}")]
    array = held.arrays.get(variable)
    if array is None:
        return [WeightDifference(header.name, None, text.name, "no values")]
    try:
        read = numbers((text.read_text().splitlines() or [""])[0], text)
        built = held.numbers(variable)
    except (UnsupportedModel, UnicodeDecodeError) as cause:
        why = cause.message if isinstance(cause, UnsupportedModel) else str(cause)
        return [WeightDifference(variable, None, "numbers", f"or text: {why}")]
    if len(read) != len(built):
        return [WeightDifference(variable, None, f"{len(read)} numbers", str(len(built)))]
    columns = _columns(array.type, project.read.names)
    count = len(read) // len(columns)
    load = held.loads.get(variable)
    size = None if load is None else load.count
    if (array.length.isdigit() and int(array.length) != count) or size not in (None, count):
        return [WeightDifference(variable, None, f"{count} of {size}", f"an array of {array.length}")]
    return _values(variable, read, built, columns)


def _values(
    variable: str, read: Floats, built: Floats, columns: Sequence[FixedType | None]
) -> list[WeightDifference]:
    wrong = np.zeros(len(read), bool)
    for start, kind in enumerate(columns):
        every = slice(start, None, len(columns))
        wrong[every] = _stored(read[every], kind) != _stored(built[every], kind)
    places = np.flatnonzero(wrong)
    shown = places[:SHOWN_PER_FILE]
    listed = [WeightDifference(variable, int(i), f"{read[i]:.9g}", f"{built[i]:.9g}") for i in shown]
    more = len(places) - len(listed)
    return (
        [*listed, WeightDifference(variable, None, f"{more} more values", "others")] if more > 0 else listed
    )


def _stored(values: Floats, kind: FixedType | None) -> Floats:
    """Values as the type stores them; as they are without a type, or with one too wide for float64."""
    return values if kind is None or kind.width > WIDEST else kind.quantize(values)


def _columns(name: str, names: SourceNames) -> list[FixedType | None]:
    """The types of one element's fields: one for a plain weight, several for a struct."""
    struct = names.declared.structs.get(name.rpartition("::")[2])
    if struct is None:
        return [names.fixed(name)]
    return [names.fixed(kind) for kind, _, _ in struct.members]
