"""``--ptq BITS``: what fixed point by calibration alone costs a float model, without any training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pquant_hls.lint import Moved
    from pquant_hls.spec import HlsSpec

PtqBits = Annotated[
    int | None,
    typer.Option(
        "--ptq", min=2, max=16, help="take MODEL at so many bits, calibrated on the inputs without training"
    ),
]


def calibrated(model: Any, x: Any, bits: int, spec: HlsSpec) -> tuple[Any, list[Moved]]:
    """The model at ``bits`` bits, calibrated on ``x`` (n, *input shape), a list of them for several inputs, and how far its
    outputs lie from the original's there."""
    import numpy as np

    from pquant_hls.compress import QuantizationCompression
    from pquant_hls.lint import moved_by_fix

    events = len(x[0] if isinstance(x, list) else x)
    made = QuantizationCompression(mode="ptq", bits=bits).compress(model, (x, np.zeros(events, int))).model
    return made, moved_by_fix(model, made, x, spec, headless=False)
