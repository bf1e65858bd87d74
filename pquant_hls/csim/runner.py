"""Run one csim library on arrays from files; started as a script, so that nothing else is imported.

Usage: python runner.py JOB.json. The job names the library, the top function, sizes and the .npy files of
inputs and outputs. A crash, an exit or a hang in the library ends this process only.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _TraceData(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p)]


def _top(library: ctypes.CDLL, name: str, count: int) -> Any:
    top = library[f"{name}_double"]
    top.restype = None
    top.argtypes = [ctypes.c_void_p] * count
    return top


def _rows(array: NDArray[np.float64]) -> range:
    """The address of each row of a contiguous array; numpy's own argument types cost a fifth of a small network's time."""
    start = array.ctypes.data
    return range(start, start + array.nbytes, array.strides[0])


def _collect(library: ctypes.CDLL, traces: dict[str, NDArray[np.float64]], row: int, slots: int) -> None:
    data = (_TraceData * slots)()
    library.collect_trace_output(data)
    for entry in data:
        if entry.name and entry.name.decode() in traces:
            into = traces[entry.name.decode()]
            values = ctypes.cast(entry.data, ctypes.POINTER(ctypes.c_double))
            into[row] = np.ctypeslib.as_array(values, (into.shape[1],))


def run_library(job: dict[str, Any]) -> None:
    """Call the top function once for each row; write outputs and, where asked, traces."""
    inputs = [np.ascontiguousarray(np.load(path, allow_pickle=False), np.float64) for path in job["inputs"]]
    rows = inputs[0].shape[0]
    outputs = [np.zeros((rows, size)) for size in job["output_sizes"]]
    traces = {name: np.zeros((rows, size)) for name, size in job["traced"].items()}
    library = ctypes.CDLL(job["library"], mode=ctypes.RTLD_LOCAL)
    top = _top(library, job["name"], len(inputs) + len(outputs))
    if traces:
        library.allocate_trace_storage(ctypes.c_size_t(8))
    for row, addresses in enumerate(zip(*map(_rows, (*inputs, *outputs)), strict=True)):
        top(*addresses)
        if traces:
            _collect(library, traces, row, job["trace_slots"])
    for path, array in zip(job["outputs"], outputs, strict=True):
        np.save(path, array)
    for name, path in job["trace_files"].items():
        np.save(path, traces[name])
    Path(job["done"]).touch()


if __name__ == "__main__":
    run_library(json.loads(Path(sys.argv[1]).read_text()))
