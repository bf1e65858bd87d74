"""``export``: a project as a C++ emulator for other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pquant_hls.cli.plain import echo


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    project: Annotated[Path, typer.Argument(help="HLS project folder, the one that holds build_prj.tcl")],
    out: Annotated[Path, typer.Option("--out", help="new folder for the emulator")],
    namespace: Annotated[
        str, typer.Option("--namespace", help="C++ namespace, such as jet_tagger_v2; one for each version")
    ],
    golden: Annotated[
        Path | None, typer.Option("--golden", help="vectors to prove it by; random ones when left out")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="seconds for compiling and running")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Write a C++ emulator: one file, weights inside, all names in a namespace, proven equal to csim."""
    from pquant_hls.cli.console import print_json
    from pquant_hls.export import export_emulator
    from pquant_hls.golden import Golden
    from pquant_hls.hls import load_project

    vectors = None if golden is None else Golden.load(golden)
    made = export_emulator(load_project(project), out, namespace, golden=vectors, timeout_s=timeout)
    if json:
        print_json(
            {
                "schema_version": 1,
                "folder": str(made.path),
                "namespace": made.namespace,
                "vectors": made.vectors,
            }
        )
        return 0
    echo(f"{made.path}: {made.namespace}::predict equals csim on every value of {made.vectors} vectors")
    for name, what in (
        (f"{made.namespace}.h, .cpp", "the emulator, with ap_types beside it"),
        (f"{made.namespace}_cmssw.cpp", "plug-in for CMSSW's hls4mlEmulator loader"),
        ("Makefile", f"`make check` repeats the comparison, `make` builds {made.namespace}.so"),
    ):
        if "cmssw" not in name or (made.path / name).is_file():
            echo(f"  {name:<24} {what}")
    return 0
