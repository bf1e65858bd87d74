"""``import``: designs of other tools, taken in as projects of this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pquant_hls.cli.plain import echo

if TYPE_CHECKING:
    from pquant_hls.intake import Taken
    from pquant_hls.spec import HlsSpec


def register(app: typer.Typer) -> None:
    app.command("import")(take_in)


def take_in(
    source: Annotated[
        Path,
        typer.Argument(
            help="hls4ml project (of HGQ2, PQuantML, ...), or alkaid's or da4ml's program: its folder or .json(.gz)"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="new folder for the project")],
    *,
    part: Annotated[
        str | None, typer.Option("--part", help="AMD part, where build files do not tell")
    ] = None,
    clock: Annotated[
        str | None, typer.Option("--clock", help="in ns or as a frequency: 2.5 or '360 MHz'")
    ] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="Vitis or Vivado")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="top function of a program; its file's name")
    ] = None,
    vectors: Annotated[
        int, typer.Option("--vectors", min=1, help="random inputs of proof and golden")
    ] = 1_000,
    timeout: Annotated[
        float, typer.Option("--timeout", help="seconds for compiling, and for running")
    ] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Take a design of another tool in: graph, csim, golden vectors; then measure, gate, report and export take it."""
    from pquant_hls.cli.console import clean_stdout, print_json
    from pquant_hls.cli.measure import target_asked
    from pquant_hls.intake import import_logic, import_project, logic_file

    asked, file = target_asked(part, clock, backend), _program(source, logic_file(source))
    with clean_stdout():
        if file is None:
            taken = import_project(source, out, asked, vectors=vectors, timeout_s=timeout)
        else:
            taken = import_logic(file, out, _named(asked, name, source), vectors=vectors, timeout_s=timeout)
    if json:
        print_json(_json(taken))
    else:
        echo("\n".join(_lines(taken)))
    return 0


def _program(source: Path, file: Path | None) -> Path | None:
    """The program's file, unless the folder is an hls4ml project, which may hold files of such names too."""
    return None if (source / "firmware").is_dir() else file


def _named(asked: HlsSpec | None, name: str | None, source: Path) -> HlsSpec:
    from pquant_hls.network.names import identifier
    from pquant_hls.spec import HlsSpec

    called = name or identifier(source.name.split(".")[0])
    return (asked or HlsSpec()).with_(project_name=called)


def _json(taken: Taken) -> dict[str, object]:
    from pquant_hls.intake import GOLDEN_FILE

    project = taken.project
    return {
        "schema_version": 1,
        "project": str(project.path),
        "kind": taken.kind,
        "graph": project.graph is not None,
        "proof": list(taken.proof),
        "golden": str(project.path / GOLDEN_FILE) if taken.vectors else None,
        "vectors": taken.vectors,
    }


def _lines(taken: Taken) -> list[str]:
    from pquant_hls.intake import GOLDEN_FILE

    project = taken.project
    golden = project.path / GOLDEN_FILE
    kept = (
        f"golden: {taken.vectors:,} vectors in {golden}" if taken.vectors else "golden: none, no output moves"
    )
    ports = [f"{port.name} {port.shape} {port.type or '?'}" for port in (*project.inputs, *project.outputs)]
    return [
        f"{taken.kind} {project.name}, taken in as {project.path}",
        f"ports: {'; '.join(ports)}",
        *taken.proof,
        kept,
        f"next: pquant-hls measure {project.path}",
    ]
