"""Compare a project's two copies of its weights: ``.txt`` is read by csim, ``.h`` by synthesis.

csim stays right when a ``.h`` is altered and the firmware does not, so every check reads both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import PquantError
from pquant_hls.hls import HlsProject
from pquant_hls.hls.project import Defines
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
SHOWN_PER_FILE = 5
WIDEST = 52
"""Bits of the widest type whose codes are exact in float64, FixedType's own limit."""
_LOAD = re.compile(
    r'nnet::load_(?:\w+_)?weights_from_txt<\s*[\w:]+\s*,\s*(\d+)\s*>\(\s*([\w:]+)\s*,\s*"([^"]+)"'
)
_STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{([^}]*)\}")


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
    source = project.firmware / f"{project.name}.cpp"
    calls = _LOAD.findall(source.read_text())
    loads = {variable.rpartition("::")[2]: (file, int(size)) for size, variable, file in calls}
    pairs = {path.stem for path in project.weights.glob("*.txt") if path.with_suffix(".h").is_file()}
    defines = project.firmware / "defines.h"
    found: list[WeightDifference] = []
    for variable in sorted({*loads, *pairs}):
        text, size = loads.get(variable, (f"{variable}.txt", None))
        found += _compare(project.weights / text, project.weights / f"{variable}.h", size, defines)
    return tuple(found)


def _compare(text: Path, header: Path, size: int | None, defines: Path) -> list[WeightDifference]:
    variable = header.stem
    if not text.is_file():
        return [WeightDifference(text.name, None, "no file", f"{header.name}")]
    declared = _declaration(header)
    if declared is None:
        return [WeightDifference(header.name, None, text.name, "no values")]
    try:
        read, built = _numbers((text.read_text().splitlines() or [""])[0]), _numbers(declared[3])
    except ValueError as cause:
        return [WeightDifference(variable, None, "numbers", f"or text: {cause}")]
    if len(read) != len(built):
        return [WeightDifference(variable, None, f"{len(read)} numbers", str(len(built)))]
    columns = _columns(declared[1], defines)
    count = len(read) // len(columns)
    if count != int(declared[2]) or size not in (None, count):
        return [WeightDifference(variable, None, f"{count} of {size}", f"an array of {declared[2]}")]
    return _values(variable, read, built, columns)


def _declaration(header: Path) -> re.Match[str] | None:
    """Type, length and values of the array that synthesis sees."""
    if not header.is_file():
        return None
    pattern = rf"([\w:]+)\s+{re.escape(header.stem)}\s*\[(\d+)\]\s*=\s*\{{(.*?)\}}\s*;"
    return re.search(pattern, header.read_text(), re.S)


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


def _numbers(text: str) -> Floats:
    """All numbers of a list, through the braces of compressed weights and exponents."""
    words = re.sub(r"[{}]", " ", text).split(",")
    return np.array([float(word) for word in words if word.strip()], np.float64)


def _columns(name: str, defines: Path) -> list[FixedType | None]:
    """The types of one element's fields: one for a plain weight, several for a struct."""
    types = Defines.read(defines).types
    fields = next((body for struct, body in _STRUCT.findall(defines.read_text()) if struct == name), None)
    if fields is None:
        return [_fixed(name, types)]
    return [_fixed(field.rsplit(None, 1)[0].strip(), types) for field in fields.split(";") if field.strip()]


def _fixed(text: str, types: Mapping[str, str]) -> FixedType | None:
    """The fixed-point type behind a name, through typedefs of typedefs; None for any other type."""
    for _ in types:
        text = types.get(text, text)
    try:
        return FixedType.parse(text)
    except PquantError:
        return None
