"""Keep hls4ml's and Keras' own talk out of our output, and keep it for the log."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

log = logging.getLogger("pquant_hls.hls")


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Collect what Python prints or warns inside the block; it is logged at DEBUG when the block ends."""
    text = io.StringIO()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        text.write(f"{category.__name__}: {message}\n")

    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show  # type: ignore[assignment]  # a recorder in its place
            yield text
    finally:
        if text.getvalue():
            log.debug("%s", text.getvalue().rstrip())
