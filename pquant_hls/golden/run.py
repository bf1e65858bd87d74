"""Run a compiled project on vectors."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import Library, predict
from pquant_hls.golden.vectors import Vectors, one_or_all, output_vectors


def run_traced(
    library: Library, inputs: Sequence[Vectors], timeout_s: float
) -> tuple[tuple[Vectors, ...], dict[str, NDArray[np.uint32]]]:
    """Outputs, and for each traced layer a checksum of its result for each input, uint32 (n,)."""
    project = library.project
    x = one_or_all([vectors.values for vectors in inputs])
    outputs, layers = predict(library, x, trace=True, timeout_s=timeout_s)
    arrays = outputs if isinstance(outputs, list) else [outputs]
    found = tuple(output_vectors(port, array) for port, array in zip(project.outputs, arrays, strict=True))
    return found, {name: _checksums(values) for name, values in layers.items()}


def _checksums(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """crc32 of each row's bytes; adding 0.0 makes a negative zero positive."""
    rows = np.ascontiguousarray(values.reshape(len(values), -1) + 0.0)
    return np.array([zlib.crc32(row.tobytes()) for row in rows], np.uint32)
