"""Arrays that grow batch by batch, in memory while they are small and on disk beyond that."""

from __future__ import annotations

import tempfile
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.errors import DataError

ROWS = 65_536
"""Events that are read at once of what does not stay in memory."""
IN_MEMORY = 2**28
"""Bytes up to which an array stays in memory: 4 million events of 16 features."""


class Spill:
    """Batches (events, ...) put one after another; ``array`` is all of them, and ends it. What does not stay in memory
    lies in a file without a name, which goes with the array."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.parts: list[npt.NDArray[Any]] = []
        self.file: Any = None
        self.held = self.rows = self.nbytes = 0

    def append(self, batch: npt.NDArray[Any]) -> None:
        """Raises DataError for a batch of another shape, and where the disk is full."""
        first = self.parts[0] if self.parts else batch
        if batch.shape[1:] != first.shape[1:]:
            raise DataError(
                f"batches do not fit together: events of shape {batch.shape[1:]} after {first.shape[1:]}",
                where=self.where,
            )
        self.parts.append(batch)
        self.held += batch.nbytes
        self.nbytes += batch.nbytes
        self.rows += len(batch)
        if self.held > IN_MEMORY and first.dtype.kind in "biuf":
            self._write()

    def _write(self) -> None:
        if self.file is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the array
            weakref.finalize(self, self.file.close)
            self.dtype = np.result_type(*self.parts)
        try:
            for part in self.parts:
                part.astype(self.dtype, copy=False).tofile(self.file)
        except OSError as cause:
            raise DataError(
                f"does not fit into the folder of temporary files: {cause}", where=self.where
            ) from cause
        self.parts, self.held = [self.parts[0][:0]], 0

    @property
    def array(self) -> npt.NDArray[Any]:
        """All events (rows, ...)."""
        if self.file is None:
            return np.concatenate(self.parts)
        self._write()
        self.file.flush()
        found = np.memmap(self.file, self.dtype, "r", shape=(self.rows, *self.parts[0].shape[1:]))
        self.file.close()  # the mapping stays
        return found
