"""``dashboard``: a study in the browser, by optuna-dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from pquant_hls.cli.plain import echo


def register(app: typer.Typer) -> None:
    app.command()(dashboard)


def dashboard(
    study: Annotated[str, typer.Argument(help="run folder of tune, or the URL of a database with studies")],
    host: Annotated[str, typer.Option("--host", help="address to listen at")] = "localhost",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="port to listen at")] = 8080,
) -> int:
    """Show a study in the browser: its trials, the limits as constraints, the best that is feasible."""
    from pquant_hls.cli.life import busy
    from pquant_hls.tune.dashboard import serve_dashboard, url_of

    url_of(study)
    echo(f"http://{host}:{port}/ until Ctrl-C", err=True)
    with busy(f"optuna-dashboard shows {study}"):
        serve_dashboard(study, host, port)
    return 0
