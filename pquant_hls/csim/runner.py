"""Run one csim library on arrays from files; started as a script, so that nothing else is imported.

Usage: python runner.py JOB.json. The job names the library, its entry, sizes and the .npy files of
inputs, outputs and layers. A crash, an exit or a hang in the library ends this process only.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _pointers(arrays: Sequence[Floats]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))


def run_library(job: dict[str, Any]) -> None:
    """One call for all rows; write outputs and, where asked, layers."""
    inputs = [np.ascontiguousarray(np.load(path, allow_pickle=False), np.float64) for path in job["inputs"]]
    rows = inputs[0].shape[0]
    outputs = [np.zeros((rows, size)) for size in job["output_sizes"]]
    os.chdir(job["folder"])  # hls4ml before 1.0 reads weights/ from where it runs
    library = ctypes.CDLL(job["library"], mode=ctypes.RTLD_LOCAL)
    probed = ctypes.c_int.in_dll(library, f"{job['entry']}_probes").value == len(job["probes"])
    layers = [np.zeros((rows, size)) for size in job["probe_sizes"]] if probed else []
    entry = library[job["entry"]]
    entry.argtypes, entry.restype = [ctypes.c_size_t, *[ctypes.c_void_p] * 3], ctypes.c_int
    wrong = entry(rows, _pointers(inputs), _pointers(outputs), _pointers(layers) if layers else None)
    if wrong != 0:
        sys.exit(
            f"ERROR: the stream {job['output_names'][wrong - 1]} holds another number of values than its size"
        )
    for path, array in zip(job["outputs"], outputs, strict=True):
        np.save(path, array)
    for path, array in zip(job["probes"], layers, strict=False):
        np.save(path, array)
    Path(job["done"]).touch()


if __name__ == "__main__":
    run_library(json.loads(Path(sys.argv[1]).read_text()))
