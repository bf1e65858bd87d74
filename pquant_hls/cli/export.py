"""``export``: a project as a C++ emulator for other software, or as a bundle, which ``verify`` checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.plain import echo
from pquant_hls.cli.runs import project_in

if TYPE_CHECKING:
    from pquant_hls.hls import HlsProject


Project = Annotated[
    Path,
    typer.Argument(
        help="folder of hls4ml firmware, or a run folder; or one of the words cmssw, qonnx and bundle",
        callback=project_in,
    ),
]
Design = Annotated[Path | None, typer.Argument(help="after such a word: a run folder, or a firmware")]
Out = Annotated[Path, typer.Option("--out", help="new folder or file; of cmssw the repository's folder")]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", help="C++ namespace, such as jet_tagger_v2; one for each version"),
]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", help="cmssw: NAME=FOLDER, a design with other weights; may be repeated"),
]
GoldenFile = Annotated[
    Path | None, typer.Option("--golden", help="vectors to prove it by; random ones when left out")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def register(app: typer.Typer) -> None:
    app.command()(export)
    app.command()(verify)


def export(
    project: Project,
    design: Design = None,
    *,
    out: Out,
    namespace: Namespace = None,
    weights: Weights = None,
    golden: GoldenFile = None,
    timeout: Annotated[float, typer.Option("--timeout", help="seconds for compiling and running")] = 600.0,
    json: Json = False,
) -> int:
    """Write a C++ emulator: one file, weights inside, all names in a namespace, proven equal to csim.

    `export cmssw DESIGN --namespace NAME_vN --out NAME` writes NAME/NAME_vN as CMS' repositories have it, with as many
    `--weights` as there are, which are chosen at run time by name.

    `export qonnx DESIGN --out FILE.onnx` writes QONNX where that is exact, executed by qonnx and compared with csim.

    `export bundle RUN --out FILE` writes project, model, recipe, goldens, lint, QoR and licences as one archive: same input,
    same bytes; `verify FILE` checks it on another machine.
    """
    word = str(project) if design is not None else ""
    if word == "bundle":
        return _bundle(design or project, out, golden, timeout, json=json)
    if word == "qonnx":
        return _qonnx(design or project, out, golden, timeout, json=json)
    namespace = _checked(word, namespace, weights or [])
    if word:
        return _cmssw([str(design), *(weights or [])], out, namespace, golden, timeout, json=json)
    return _emulator(project, out, namespace, golden, timeout, json=json)


def _checked(word: str, namespace: str | None, weights: Sequence[str]) -> str:
    """The namespace of an emulator; SpecError where there is none, or the words are of no export."""
    from pquant_hls.errors import SpecError

    if namespace is not None and word in ("", "cmssw") and (word or not weights):
        return namespace
    cannot = f"cannot export {word or 'several weights'!r}"
    raise SpecError(
        "an emulator needs a namespace" if namespace is None else cannot,
        where="export",
        mend="export PROJECT --namespace NAME, export cmssw DESIGN --namespace NAME_v1, or export bundle RUN",
    )


def _emulator(
    project: Path, out: Path, namespace: str, golden: Path | None, timeout: float, *, json: bool
) -> int:
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
    echo(f"{made.path}: {made.namespace}::predict equals csim on every value of {made.vectors:,} vectors")
    for name, what in (
        (f"{made.namespace}.h, .cpp", "the emulator, with ap_types beside it"),
        (f"{made.namespace}_cmssw.cpp", "plug-in for CMSSW's hls4mlEmulator loader"),
        ("Makefile", f"`make check` repeats the comparison, `make` builds {made.namespace}.so"),
    ):
        if "cmssw" not in name or (made.path / name).is_file():
            echo(f"  {name:<24} {what}")
    return 0


def _cmssw(
    given: list[str], out: Path, namespace: str, golden: Path | None, timeout: float, *, json: bool
) -> int:
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.export import export_cmssw
    from pquant_hls.golden import Golden

    vectors = None if golden is None else Golden.load(golden)
    made = export_cmssw(_designs(given), out, namespace, golden=vectors, timeout_s=timeout)
    if json:
        print_json({"schema_version": 1, **asdict(made), "path": str(made.path)})
        return 0
    echo(f"{made.path}: every value of {made.vectors:,} vectors equals csim")
    for name, how in made.computed.items():
        echo(f"  weights {name}: computed by {how}")
    echo(f"  `make check` repeats it; `make EMULATOR_EXTRAS=FOLDER` builds {made.namespace}.so")
    return 0


def _designs(given: list[str]) -> dict[str, HlsProject]:
    """NAME=FOLDER, or a folder that gives the name; raises SpecError for two of one name."""
    from pquant_hls.errors import SpecError
    from pquant_hls.hls import load_project

    found: dict[str, HlsProject] = {}
    for text in given:
        name, equals, place = text.partition("=")
        path = Path(place) if equals and not Path(text).exists() else Path(text)
        name = name if path != Path(text) else path.resolve().name.replace("-", "_").replace(".", "_")
        if name in found:
            raise SpecError(
                f"two weights are called {name!r}", where="--weights", mend="--weights NAME=FOLDER"
            )
        found[name] = load_project(project_in(path) or path)
    return found


def _qonnx(design: Path, out: Path, golden: Path | None, timeout: float, *, json: bool) -> int:
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.export import export_qonnx
    from pquant_hls.golden import Golden
    from pquant_hls.hls import load_project

    vectors = None if golden is None else Golden.load(golden)
    project = load_project(project_in(design) or design)
    made = export_qonnx(project, out, golden=vectors, timeout_s=timeout)
    if json:
        print_json({"schema_version": 1, **asdict(made), "path": str(made.path)})
    else:
        echo(
            f"{made.path}: {made.nodes:,} nodes; qonnx gives csim's values, all bits, on {made.vectors:,} vectors"
        )
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
        parts = [name if count == 1 else f"{name} ({count})" for name, count in made.parts.items()]
        echo(f"{made.path}: {made.files} files, sha256 {made.sha256}\n  {', '.join(parts)}")
    return 0


def verify(
    bundle: Annotated[Path, typer.Argument(help="archive of export bundle")],
    unpack: Annotated[
        Path | None, typer.Option("--unpack", help="new folder for its files, written if all of it holds")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="seconds for compiling, and for running")
    ] = 600.0,
    json: Json = False,
) -> int:
    """Check a bundle on this machine: every byte, csim compiled anew against the golden, lint and the estimate."""
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.export import verify_bundle

    with busy(f"verifying {bundle}: bytes, csim, lint, estimate"):
        found = verify_bundle(bundle, unpack=unpack, timeout_s=timeout)
    if json:
        print_json({"schema_version": 1, "passed": found.passed, **asdict(found)})
    else:
        lines = [*(f"ok     {line}" for line in found.held), *(f"FAILED {line}" for line in found.faults)]
        if unpack is not None:
            lines.append(f"{unpack}: written" if found.passed else f"{unpack}: not written")
        echo("\n".join([*lines, f"sha256 {found.sha256}"]))
    return 0 if found.passed else 1
