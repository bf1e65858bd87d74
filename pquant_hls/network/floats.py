"""The width of floats that Keras and QKeras compute in, changed for a block."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Literal

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def keras_floats(kind: Literal["float32", "float64"]) -> Iterator[None]:
    """Let Keras compute in ``kind``. Its setting is one for the process: of two threads that changed it by turns the
    last would leave the other's width behind for good, so that one waits for the other."""
    import keras

    with _ONE_AT_A_TIME:
        before = keras.config.floatx()
        keras.config.set_floatx(kind)
        try:
            yield
        finally:
            keras.config.set_floatx(before)
