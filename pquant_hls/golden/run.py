"""Compile and run a project on vectors, wherever a cache can be kept."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import Library, build, predict
from pquant_hls.errors import OutputError
from pquant_hls.files import scratch
from pquant_hls.golden.vectors import Vectors, one_or_all, output_vectors
from pquant_hls.hls import HlsProject


@contextmanager
def compiled(project: HlsProject, cache: Path | None, timeout_s: float) -> Iterator[Library]:
    """The project's csim library, from ``cache`` or the user's own; in a passing folder if it is read-only.

    Raises
    ------
    OutputError : the ``cache`` that was asked for cannot be written.
    """
    try:
        library = build(project, cache=cache, timeout_s=timeout_s)
    except (OSError, RuntimeError) as cause:  # RuntimeError: there is no home folder
        if cache is not None:
            raise OutputError(f"the cache cannot be written: {cause}", where=cache) from cause
        with scratch() as folder:
            yield build(project, cache=folder, timeout_s=timeout_s)
        return
    yield library


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
