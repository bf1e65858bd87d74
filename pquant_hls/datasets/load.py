"""One name for every kind of data: bundled, public, the user's files, the user's function."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from pquant_hls.datasets.assemble import assemble
from pquant_hls.datasets.bundled import BUNDLED, OPENML_PREFIX, load_lhc_jets, load_openml
from pquant_hls.datasets.readers import read_file, read_npy_pair
from pquant_hls.datasets.records import Dataset
from pquant_hls.datasets.triggers import PREFIX, load_triggers
from pquant_hls.errors import DataError

FUNCTION = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.\w+)*):(?P<function>[A-Za-z_]\w*)")


def load_dataset(name: str | PathLike[str], *, seed: int = 0) -> Dataset:
    """The data set of a name.

    - ``lhc_jets``: the bundled jets (fixed split, standardised).
    - ``bundled:triggers``, and behind another colon ``flat``, ``jet_pt``, ``id_and_jet_pt`` or ``top_or_zero_bias``: simulated
      bunch crossings and signals (``load_triggers``).
    - ``openml:hls4ml_lhc_jets_hlf``: the real ones, or another set of openml.org, over the network.
    - a file .npz, .h5, .csv or .parquet, a folder with x.npy and y.npy, or ``x.npy,y.npy``.
    - ``package.module:function``: what the function returns: a Dataset, (x, y), or a mapping of arrays.

    Unsplit data is split 60/20/20 within each class, by `seed`. Inputs of the user's own data are taken as
    they are, as float32. Raises DataError where the data cannot be found or read.
    """
    text = fspath(name)
    if text == BUNDLED:
        return load_lhc_jets()
    if text.startswith(PREFIX):
        return load_triggers(text.removeprefix(PREFIX))
    if text.startswith(OPENML_PREFIX):
        return load_openml(text.removeprefix(OPENML_PREFIX))
    function = FUNCTION.fullmatch(text)
    if function and not Path(text).exists():
        return _from_function(function["module"], function["function"], seed)
    if text.endswith(".npy") and not Path(text).exists():
        return assemble(_npy_pair(text), name=text, where=text, seed=seed)
    return assemble(read_file(Path(text)), name=Path(text).stem, where=text, seed=seed)


def _npy_pair(text: str) -> dict[str, Any]:
    paths = [Path(part.strip()) for part in text.split(",")]
    if len(paths) != 2:
        raise DataError("is not a pair of .npy files", where=text, mend="give 'x.npy,y.npy'")
    return read_npy_pair(*paths)


def _from_function(module: str, function: str, seed: int) -> Dataset:
    where = f"{module}:{function}"
    made = _called(_find_function(module, function, where), where)
    if isinstance(made, Dataset):
        return made
    if isinstance(made, tuple | list) and len(made) == 2:
        made = {"x": made[0], "y": made[1]}
    if not isinstance(made, Mapping):
        mend = "return a Dataset, (x, y) or a mapping of arrays"
        raise DataError(f"returned {type(made).__name__}", where=where, mend=mend)
    return assemble(made, name=where, where=where, seed=seed)


def _called(function: Callable[[], Any], where: str) -> Any:
    """What the user's code gives. Whatever it raises, an exit among it, is its own failure: it ends no command."""
    try:
        return function()
    except DataError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"raised {type(error).__name__}: {_line(error)}", where=where) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or "without a word"


def _find_function(module: str, function: str, where: str) -> Callable[[], Any]:
    try:
        with _working_folder_on_path():
            found = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise DataError(f"cannot be imported: {error}", where=where) from error
    except (Exception, SystemExit) as error:
        raise DataError(
            f"cannot be imported, it raised {type(error).__name__}: {_line(error)}", where=where
        ) from error
    if not callable(found):
        raise DataError(f"module {module} has no function {function!r}", where=where)
    return found  # type: ignore[no-any-return]  # asked: callable


@contextmanager
def _working_folder_on_path() -> Iterator[None]:
    """Let a module beside the user be found, as `python -m` would; a console script does not."""
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
