"""Which commands there are. Each module of this room adds its own."""

from __future__ import annotations

import typer

from pquant_hls.cli import (
    compress,
    csim,
    dashboard,
    export,
    fifo,
    gate,
    importing,
    init_ci,
    lint,
    measure,
    report,
    schema,
    suggest,
    tune,
)


def register(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    compress.register(app)
    lint.register(app)
    measure.register(app)
    csim.register(app)
    fifo.register(app)
    tune.register(app)
    dashboard.register(app)
    suggest.register(app)
    gate.register(app)
    report.register(app)
    schema.register(app)
    export.register(app)
    importing.register(app)
    init_ci.register(app)
