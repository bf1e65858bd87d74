"""``export``: a project as a C++ emulator for other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.plain import echo
from pquant_hls.cli.runs import project_in


def register(app: typer.Typer) -> None:
    app.command()(export)
    app.command()(verify)


def export(
    project: Annotated[
        Path,
        typer.Argument(
            help="folder of hls4ml firmware, or a run folder; or the word bundle", callback=project_in
        ),
    ],
    design: Annotated[
        Path | None, typer.Argument(help="after bundle: a run folder, or a firmware with --golden")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="new folder for the emulator, or file of the bundle")],
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", help="C++ namespace, such as jet_tagger_v2; one for each version"),
    ] = None,
    golden: Annotated[
        Path | None, typer.Option("--golden", help="vectors to prove it by; random ones when left out")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="seconds for compiling and running")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Write a C++ emulator: one file, weights inside, all names in a namespace, proven equal to csim.

    `export bundle RUN --out FILE` writes project, model, recipe, goldens, lint, QoR and licences as one archive: same input,
    same bytes; `verify FILE` checks it on another machine.
    """
    from pquant_hls.errors import SpecError

    if project == Path("bundle") and design is not None:
        return _bundle(design, out, golden, timeout, json=json)
    if design is not None or namespace is None:
        what = f"what is {str(design)!r}?" if design is not None else "an emulator needs a namespace"
        raise SpecError(what, where="export", mend="export PROJECT --namespace NAME, or export bundle RUN")
    from pquant_hls.cli.console import print_json
    from pquant_hls.export import export_emulator
    from pquant_hls.golden import Golden
    from pquant_hls.hls import load_project

    vectors = None if golden is None else Golden.load(golden)
    with busy("the emulator written, compiled and compared with csim"):
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


def _bundle(design: Path, out: Path, golden: Path | None, timeout: float, *, json: bool) -> int:
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.export import bundle

    with busy(f"bundling {design}"):
        made = bundle(design, out, golden=golden, timeout_s=timeout)
    if json:
        print_json({"schema_version": 1, **asdict(made), "path": str(made.path)})
    else:
        echo(f"{made.path}: {made.files} files, sha256 {made.sha256}")
    return 0


def verify(
    bundle: Annotated[Path, typer.Argument(help="archive of export bundle")],
    timeout: Annotated[
        float, typer.Option("--timeout", help="seconds for compiling, and for running")
    ] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Check a bundle on this machine: every byte, csim compiled anew against the golden, lint and the estimate."""
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.export import verify_bundle

    with busy(f"verifying {bundle}: bytes, csim, lint, estimate"):
        found = verify_bundle(bundle, timeout_s=timeout)
    if json:
        print_json({"schema_version": 1, "passed": found.passed, **asdict(found)})
    else:
        lines = [*(f"ok     {line}" for line in found.held), *(f"FAILED {line}" for line in found.faults)]
        echo("\n".join([*lines, f"sha256 {found.sha256}"]))
    return 0 if found.passed else 1
