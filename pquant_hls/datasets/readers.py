"""Files of the accepted formats, read into named arrays; nothing in a file is ever executed."""

from __future__ import annotations

import csv
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.spill import IN_MEMORY, ROWS, Spill
from pquant_hls.errors import DataError
from pquant_hls.errors.bounds import CSV_LINE, DATA_BYTES, LABEL_CHARACTERS, unpacked

Arrays = dict[str, Any]

LABEL_COLUMNS = ("label", "y", "target")
"""Names, in any case, that mark the label column of a table; otherwise it is the last one. Several are ``y.<output>``."""
WEIGHT_COLUMNS = ("w", "weight", "weights", "sample_weight")
"""Names, in any case, of the column of event weights."""

DAMAGE = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, csv.Error)
"""What the readers raise for a damaged file; pyarrow's errors are kinds of ValueError."""

_PANDAS_INDEX = re.compile(r"Unnamed: 0|__index_level_\d+__")

NEEDS_COLUMNS = "needs at least one feature column and the label column"


def read_file(path: Path) -> Arrays:
    """The named arrays of a file, or of a folder of .npy files, each an array of its file's name.

    Raises DataError where there is no such file, its format is not accepted, or it is damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise DataError("no such file or folder", where=path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"cannot read {path.suffix or 'a file without suffix'!r}",
            where=path,
            mend=f"give one of {', '.join(READERS)}, 'x.npy,y.npy', or package.module:function",
        )
    try:
        return reader(path)
    except DAMAGE as error:
        raise DataError(f"cannot be read: {_first_line(error)}", where=path) from error


def _read_folder(path: Path) -> Arrays:
    """Every .npy in a folder, and in folders in it as an array of their groups: ``x/jets.npy`` is ``x.jets``,
    ``x_signal/tt/jets.npy`` is ``x_signal.tt.jets``."""
    files = sorted({*path.glob("*.npy"), *path.glob("*/*.npy"), *path.glob("*/*/*.npy")})
    if not files:
        return read_npy_pair(path / "x.npy", path / "y.npy")
    return {".".join(file.relative_to(path).with_suffix("").parts): _read_npy(file) for file in files}


def read_npy_pair(x: Path, y: Path) -> Arrays:
    """x and y of two .npy files; the one for y may be absent where both come from a folder."""
    arrays = {"x": _read_npy(x)}
    if y.exists() or y.parent != x.parent:
        arrays["y"] = _read_npy(y)
    return arrays


def _read_npy(path: Path) -> npt.NDArray[Any]:
    if not path.is_file():
        raise DataError("no such file", where=path)
    try:
        with path.open("rb") as file:
            _fits(file, path.stat().st_size)
            if path.stat().st_size > IN_MEMORY:
                return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
            return np.asarray(np.load(file, allow_pickle=False))
    except DAMAGE as error:
        raise DataError(f"cannot be read: {_first_line(error)}", where=path) from error


def _fits(file: IO[bytes], size: int) -> None:
    """ValueError where an .npy states more than its ``size`` in bytes, for which numpy would ask before it reads."""
    start = file.tell() if file.seekable() else 0
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    stated = math.prod(shape) * dtype.itemsize
    if stated > size:
        raise ValueError(f"states {stated:,} bytes of values and has {size:,}")
    file.seek(start)


def _read_npz(path: Path) -> Arrays:
    # opened here: np.load would leave a damaged file open
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        unpacked(archive.zip, DATA_BYTES)
        for entry in archive.zip.infolist():
            with archive.zip.open(entry) as member:
                if entry.filename.endswith(".npy"):
                    _fits(member, entry.file_size)
        return {key: archive[key] for key in archive.files}


GROUPS = 3
"""Levels of an HDF5 file that are read, as ``x_signal/tt/jets`` has."""


def _datasets(group: Any, within: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(``x_signal.tt.jets``, the array) of an HDF5 file's groups."""
    import h5py

    for name, value in group.items():
        path = (*within, name)
        if isinstance(value, h5py.Dataset):
            yield ".".join(path), value
        elif isinstance(value, h5py.Group) and len(path) < GROUPS:
            yield from _datasets(value, path)


def _read_h5(path: Path) -> Arrays:
    import h5py

    with h5py.File(path, "r") as file:
        found = dict(_datasets(file))
        stated = sum(value.size * value.dtype.itemsize for value in found.values())
        if stated > DATA_BYTES:  # what was never written takes no room in the file
            raise ValueError(f"states {stated:,} bytes of values, more than {DATA_BYTES:,}")
        texts = {key for key, value in found.items() if h5py.check_string_dtype(value.dtype) is not None}
        return {
            key: value.asstr()[...] if key in texts else _streamed(value, path)
            for key, value in found.items()
        }


def _streamed(value: Any, path: Path) -> npt.NDArray[Any]:
    """An HDF5 array, in memory where it is small, else on disk."""
    if value.ndim == 0 or value.size * value.dtype.itemsize <= IN_MEMORY:
        return np.asarray(value[...])
    spill = Spill(str(path))
    for start in range(0, len(value), ROWS):
        spill.append(value[start : start + ROWS])
    return spill.array


def _read_csv(path: Path) -> Arrays:
    _check_lines(path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        first, second = next(rows, []), next(rows, [])
    if len(first) < 2:
        raise DataError(NEEDS_COLUMNS, where=path)
    has_header = _is_header(first, second)
    if has_header and not second:
        raise DataError("has a header but no events", where=path)
    columns = [cell.strip() for cell in first] if has_header else [f"x{i}" for i in range(len(first))]
    options: dict[str, Any] = {
        "delimiter": ",",
        "skiprows": int(has_header),
        "comments": None,
        "quotechar": '"',
    }

    def column(index: int) -> npt.NDArray[Any]:
        return _short(np.loadtxt(path, dtype=object, usecols=index, ndmin=1, **options))

    def labels(index: int) -> npt.NDArray[Any]:
        return _numbers_if_possible(column(index))

    table = _columns(columns, column, path)
    x = np.loadtxt(path, dtype=np.float32, usecols=table.inputs, ndmin=2, **options)
    return {"x": x, **table.beside(columns, labels), "line": 1 + int(has_header)}


def _check_lines(path: Path) -> None:
    """ValueError for a line longer than CSV_LINE, before any of it is taken for columns."""
    with path.open("rb") as file:
        number = 1
        while line := file.readline(CSV_LINE + 1):
            if len(line) > CSV_LINE:
                raise ValueError(f"line {number} has more than {CSV_LINE:,} characters")
            number += 1


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row names the columns, by words or by numbers as pandas writes them (0, 1, 2, ...)."""
    cells = [cell.strip() for cell in first]
    if not all(_is_number(cell) for cell in cells[:-1]) or cells[-1].lower() in LABEL_COLUMNS:
        return True
    counted = cells if _is_number(cells[-1]) else cells[:-1]
    is_counted = any(counted == [str(start + i) for i in range(len(counted))] for start in (0, 1))
    # two or three small numbers in a row may be an event; the second row then counts as the first does
    return is_counted and (
        len(counted) > 3 or any(not cell.strip().isdigit() for cell in second[: len(counted)])
    )


def _read_parquet(path: Path) -> Arrays:
    try:
        from pyarrow import parquet
    except ImportError as error:
        mend = "pip install 'pquant_hls[data]'"
        raise DataError("reading .parquet needs pyarrow", where=path, mend=mend) from error
    if path.stat().st_size > IN_MEMORY:
        return _parquet_in_batches(parquet.ParquetFile(path), path)
    table = parquet.read_table(path)
    columns = [str(name) for name in table.column_names]
    if len(columns) < 2:
        raise DataError(NEEDS_COLUMNS, where=path)

    def column(index: int) -> npt.NDArray[Any]:
        return np.asarray(table.column(index).to_numpy())

    found = _columns(columns, column, path)
    return {"x": np.column_stack([column(i) for i in found.inputs]), **found.beside(columns, column)}


def _parquet_in_batches(file: Any, path: Path) -> Arrays:
    """As ``_read_parquet``; inputs and labels in float32, batch by batch."""
    columns = [str(name) for name in file.schema_arrow.names]
    head = next(file.iter_batches(batch_size=ROWS))
    found = _columns(
        columns, lambda index: np.asarray(head.column(index).to_numpy(zero_copy_only=False)), path
    )
    x, others = (
        Spill(str(path)),
        {index: Spill(str(path)) for index in (*found.labels.values(), found.weights)},
    )
    for batch in file.iter_batches(batch_size=ROWS):
        values = [np.asarray(column.to_numpy(zero_copy_only=False)) for column in batch.columns]
        x.append(np.column_stack([values[i] for i in found.inputs]).astype(np.float32))
        for index, spill in others.items():
            if index is not None:
                spill.append(values[index])
    return {"x": x.array, **found.beside(columns, lambda index: others[index].array)}


class Columns(NamedTuple):
    """Numbers of a table's columns: those of inputs, of labels by output (the empty name where there is one), of the event
    weights, and remarks."""

    inputs: list[int]
    labels: dict[str, int]
    weights: int | None
    notes: list[str]

    def beside(self, columns: Sequence[str], values: Callable[[int], npt.NDArray[Any]]) -> Arrays:
        """What belongs to the inputs, as named arrays."""
        several = {name: values(index) for name, index in self.labels.items()}
        found: Arrays = {"y": several.get("", several), "features": [columns[i] for i in self.inputs]}
        weights = {} if self.weights is None else {"w": np.asarray(values(self.weights), np.float64)}
        return {**found, **weights, "notes": self.notes}


def _columns(columns: Sequence[str], values: Callable[[int], npt.NDArray[Any]], path: Path) -> Columns:
    """Which column is what: row numbers that pandas wrote along are neither a feature nor the label."""
    index = [i for i, name in enumerate(columns) if _is_index(name, i, values)]
    weights = next((i for i, name in enumerate(columns) if name.lower() in WEIGHT_COLUMNS), None)
    kept = [i for i in range(len(columns)) if i not in index and i != weights]
    if len(kept) < 2:
        raise DataError(NEEDS_COLUMNS, where=path)
    labels = {name[2:]: i for i in kept if (name := columns[i]).lower().startswith("y.")}
    labels = labels or {"": kept[_label_column([columns[i] for i in kept])]}
    notes = [f"column {columns[i] or 'without a name'!r} counts the rows: left out" for i in index]
    notes += [] if weights is None else [f"column {columns[weights]!r} is taken for event weights"]
    return Columns([i for i in kept if i not in labels.values()], labels, weights, notes)


def _is_index(name: str, place: int, values: Callable[[int], npt.NDArray[Any]]) -> bool:
    """Whether a column is pandas' index: by its name there, or where it counts the rows under none of its own."""
    if _PANDAS_INDEX.fullmatch(name):
        return True
    if place > 0 or name.lower() not in ("", "index", "x0"):
        return False
    cells = np.asarray(values(place)).astype(str)
    return len(cells) > 2 and any(
        np.array_equal(cells, np.arange(start, start + len(cells)).astype(str)) for start in (0, 1)
    )


READERS: Mapping[str, Callable[[Path], Arrays]] = {
    ".npz": _read_npz,
    ".h5": _read_h5,
    ".hdf5": _read_h5,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def _label_column(columns: Sequence[str]) -> int:
    lowered = [name.lower() for name in columns]
    return next((lowered.index(name) for name in LABEL_COLUMNS if name in lowered), len(columns) - 1)


def _short(cells: npt.NDArray[np.object_]) -> npt.NDArray[np.str_]:
    """As an array of texts, all of which take the room of the longest."""
    longest = max(map(len, cells))
    if longest > LABEL_CHARACTERS:
        raise ValueError(f"a label of {longest:,} characters")
    return cells.astype(str)


def _numbers_if_possible(values: npt.NDArray[np.str_]) -> npt.NDArray[Any]:
    try:
        return values.astype(np.float64)
    except ValueError:  # the labels are names
        return np.char.strip(values)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
