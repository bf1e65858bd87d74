"""Run a csim library in a child process; whatever it does, the caller lives on."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.csim.build import Library, build, sound
from pquant_hls.errors import DataError, OutputError, ToolFailed
from pquant_hls.files import scratch
from pquant_hls.firmware import ENTRY
from pquant_hls.hls.project import HlsProject, Port
from pquant_hls.programs import Limits, run

Floats = NDArray[np.float64]
Outputs = Floats | list[Floats]
_RUNNER = Path(__file__).with_name("runner.py")
_DONE = "done"
CHUNK = 65_536
"""Events that one child is given at most."""


@overload
def predict(
    library: Library | HlsProject,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    trace: Literal[False] = False,
    timeout_s: float = 600.0,
) -> Outputs: ...


@overload
def predict(
    library: Library | HlsProject,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    trace: Literal[True],
    timeout_s: float = 600.0,
) -> tuple[Outputs, dict[str, Floats]]: ...


def predict(
    library: Library | HlsProject,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    trace: bool = False,
    timeout_s: float = 600.0,
) -> Outputs | tuple[Outputs, dict[str, Floats]]:
    """What the firmware computes, by the generated C++.

    Parameters
    ----------
    library : a compiled library, or a project, which is then built with the default cache.
    x : real numbers (n, *input shape), or a list of such arrays for several inputs.
    trace : also return every layer's result, by the firmware's layer names, float64 (n, *layer shape); none of a top
        in which no probes could be set.

    Returns
    -------
    float64 (n, *output shape), a list of them for several outputs. Values come as doubles, exact for types of up to 53 bits.

    Raises
    ------
    DataError : ``x`` does not fit the project's inputs.
    OutputError : the system's folder for temporary files cannot be written.
    ToolFailed : the library crashed, ended the process, ran beyond ``timeout_s`` seconds, took more memory than
        ``programs.Limits`` gives or cannot be loaded.
    """
    lib = build(library) if isinstance(library, HlsProject) else library
    given = _given(lib.project.inputs, x)
    if not trace and len(given[0]) > CHUNK:
        return _joined([predict(lib, part, timeout_s=timeout_s) for part in _chunks(given)])
    arrays = _as_inputs(lib.project.inputs, given)
    try:
        before = _stamp(lib)
        return _ran(sound(lib), arrays, trace, timeout_s)
    except ToolFailed:
        if _stamp(lib) == before:
            raise
        return _ran(sound(lib), arrays, trace, timeout_s)  # another process has put a new entry in its place


def _chunks(given: Sequence[np.ndarray]) -> Iterator[list[np.ndarray] | np.ndarray]:
    """Some events of every port at a time: the child holds its inputs and outputs in memory as doubles."""
    for start in range(0, len(given[0]), CHUNK):
        parts = [array[start : start + CHUNK] for array in given]
        yield parts if len(parts) > 1 else parts[0]


def _joined(parts: Sequence[Outputs]) -> Outputs:
    if isinstance(parts[0], list):
        return [np.concatenate(column) for column in zip(*parts, strict=True)]
    return np.concatenate(parts)


def _stamp(lib: Library) -> int | None:
    """Which entry of the cache this is; None while it is being replaced."""
    try:
        return lib.path.parent.stat().st_ino
    except OSError:
        return None


def _ran(
    lib: Library, arrays: list[Floats], trace: bool, timeout_s: float
) -> Outputs | tuple[Outputs, dict[str, Floats]]:
    with scratch() as folder:
        try:
            job = _write_job(lib, arrays, folder, trace)
        except OSError as cause:
            raise OutputError(f"the inputs cannot be written: {cause}", where=folder) from cause
        _run(job, lib.project, timeout_s)
        return _read(job, lib.project, trace)


def _given(ports: tuple[Port, ...], x: ArrayLike | Sequence[ArrayLike]) -> list[np.ndarray]:
    """One array for each port, which may lie on disk; DataError where they do not fit."""
    given = list(x) if len(ports) > 1 and isinstance(x, list | tuple) else [x]
    if len(given) != len(ports):
        raise DataError(f"the project has {len(ports)} inputs, got {len(given)} arrays")
    arrays = [np.asarray(array) for array in given]
    for port, array in zip(ports, arrays, strict=True):
        if array.ndim == 0 or (array.shape[1:] != port.shape and int(np.prod(array.shape[1:])) != port.size):
            raise DataError(
                f"expected (n, {', '.join(map(str, port.shape))}), got {array.shape}", where=port.name
            )
    if len({array.shape[0] for array in arrays}) != 1:
        raise DataError(f"inputs of different lengths {[array.shape[0] for array in arrays]}")
    return arrays


def _as_inputs(ports: tuple[Port, ...], given: Sequence[np.ndarray]) -> list[Floats]:
    """One contiguous float64 (n, size) array for each port."""
    arrays = [np.asarray(array, np.float64) for array in given]
    for port, array in zip(ports, arrays, strict=True):
        if not np.all(np.isfinite(array)):
            raise DataError("the input holds NaN or infinite values", where=port.name)
    return [np.ascontiguousarray(array.reshape(array.shape[0], -1)) for array in arrays]


def _write_job(lib: Library, arrays: list[Floats], scratch: Path, trace: bool) -> Path:
    for index, array in enumerate(arrays):
        np.save(scratch / f"in{index}.npy", array)
    traced = lib.project.traced if trace else {}
    job = {
        "library": str(lib.path),
        "folder": str(lib.path.parent),
        "entry": ENTRY,
        "inputs": [str(scratch / f"in{index}.npy") for index in range(len(arrays))],
        "outputs": [str(scratch / f"out{index}.npy") for index in range(len(lib.project.outputs))],
        "output_names": [port.name for port in lib.project.outputs],
        "output_sizes": [port.size for port in lib.project.outputs],
        "probe_sizes": [math.prod(shape) for shape in traced.values()],
        "probes": [str(scratch / f"trace{index}.npy") for index in range(len(traced))],
        "done": str(scratch / _DONE),
    }
    path = scratch / "job.json"
    path.write_text(json.dumps(job))
    return path


def _run(job: Path, project: HlsProject, timeout_s: float) -> None:
    command = [sys.executable, "-I", str(_RUNNER), str(job)]
    done = run(command, job.parent, Limits(timeout_s), job.with_name("csim.log"))
    if not done.ok:
        raise done.failure("csim", where=project.path)
    said = done.log.read_text(encoding="utf-8", errors="replace").splitlines()
    complaints = [line for line in said if "ERROR:" in line]
    if complaints:
        raise ToolFailed(f"csim complained: {complaints[0]}", where=project.path)
    if not job.with_name(_DONE).is_file():
        raise ToolFailed(
            "csim ended before it had given its outputs: the C++ calls exit(0)", where=project.path
        )


def _read(job: Path, project: HlsProject, trace: bool) -> Outputs | tuple[Outputs, dict[str, Floats]]:
    plan = json.loads(job.read_text())
    found = [np.load(path, allow_pickle=False) for path in plan["outputs"]]
    shaped = [array.reshape(-1, *port.shape) for array, port in zip(found, project.outputs, strict=True)]
    outputs = shaped[0] if len(shaped) == 1 else shaped
    if not trace:
        return outputs
    files = dict(zip(project.traced, plan["probes"], strict=True))
    layers = {
        name: np.load(path, allow_pickle=False).reshape(-1, *project.traced[name])
        for name, path in files.items()
        if Path(path).is_file()
    }
    return outputs, layers
