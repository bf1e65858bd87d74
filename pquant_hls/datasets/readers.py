"""Files of the accepted formats, read into named arrays; nothing in a file is ever executed."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.errors import DataError

Arrays = dict[str, Any]

LABEL_COLUMNS = ("label", "y", "target")
"""Names, in any case, that mark the label column of a table; otherwise it is the last one."""

DAMAGE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, csv.Error)
"""What the readers raise for a damaged file; pyarrow's errors are kinds of ValueError."""

NEEDS_COLUMNS = "needs at least one feature column and the label column"


def read_file(path: Path) -> Arrays:
    """The named arrays of a file, or of a folder with x.npy and y.npy.

    Raises DataError where there is no such file, its format is not accepted, or it is damaged.
    """
    if path.is_dir():
        return read_npy_pair(path / "x.npy", path / "y.npy")
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
            return np.asarray(np.load(file, allow_pickle=False))
    except DAMAGE as error:
        raise DataError(f"cannot be read: {_first_line(error)}", where=path) from error


def _read_npz(path: Path) -> Arrays:
    # opened here: np.load would leave a damaged file open
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _read_h5(path: Path) -> Arrays:
    import h5py

    with h5py.File(path, "r") as file:
        found = {key: value for key, value in file.items() if isinstance(value, h5py.Dataset)}
        texts = {key for key, value in found.items() if h5py.check_string_dtype(value.dtype) is not None}
        return {key: value.asstr()[...] if key in texts else value[...] for key, value in found.items()}


def _read_csv(path: Path) -> Arrays:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        first, second = next(rows, []), next(rows, [])
    if len(first) < 2:
        raise DataError(NEEDS_COLUMNS, where=path)
    has_header = not all(_is_number(cell) for cell in first[:-1])
    if has_header and not second:
        raise DataError("has a header but no events", where=path)
    columns = [cell.strip() for cell in first] if has_header else [f"x{i}" for i in range(len(first))]
    label = _label_column(columns)
    inputs = [i for i in range(len(columns)) if i != label]
    skip = int(has_header)
    options: dict[str, Any] = {"delimiter": ",", "skiprows": skip, "comments": None, "quotechar": '"'}
    x = np.loadtxt(path, dtype=np.float32, usecols=inputs, ndmin=2, **options)
    y = np.loadtxt(path, dtype=str, usecols=label, ndmin=1, **options)
    return {"x": x, "y": _numbers_if_possible(y), "features": [columns[i] for i in inputs]}


def _read_parquet(path: Path) -> Arrays:
    try:
        from pyarrow import parquet
    except ImportError as error:
        mend = "pip install 'pquant_hls[data]'"
        raise DataError("reading .parquet needs pyarrow", where=path, mend=mend) from error
    table = parquet.read_table(path)
    columns = [str(name) for name in table.column_names]
    if len(columns) < 2:
        raise DataError(NEEDS_COLUMNS, where=path)
    label = _label_column(columns)
    inputs = [i for i in range(len(columns)) if i != label]
    x = np.column_stack([table.column(i).to_numpy() for i in inputs])
    return {"x": x, "y": table.column(label).to_numpy(), "features": [columns[i] for i in inputs]}


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
