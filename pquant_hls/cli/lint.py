"""``lint``: where the firmware would differ from Keras, and what can be mended without retraining."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.plain import echo
from pquant_hls.cli.ptq import PtqBits, calibrated
from pquant_hls.cli.runs import project_in

if TYPE_CHECKING:
    from rich.console import Console, Group

    from pquant_hls.lint import Finding, Moved
    from pquant_hls.spec import HlsSpec


def register(app: typer.Typer) -> None:
    app.command()(lint)


def lint(
    model: Annotated[
        Path,
        typer.Argument(
            help="Keras or QKeras model: .keras, or .h5 of Keras 2 or 3; or a folder of hls4ml firmware, or a run folder",
            callback=project_in,
        ),
    ],
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="whose HLS options count; left out: the defaults")
    ] = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="write the model with all mended that needs no retraining")
    ] = None,
    overflow: Annotated[
        bool, typer.Option("--overflow", help="of a firmware: each type proven, or an input that wraps it")
    ] = False,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help="of the inputs: LOW:HIGH, or .npy of inputs (n, ...); one, or one a port"
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="of processor time, for --overflow")
    ] = 40.0,
    junit: Annotated[Path | None, typer.Option("--junit", help="of a firmware: write JUnit XML")] = None,
    ptq: PtqBits = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> int:
    """Say where the firmware would compute something else than Keras: rule, layer, what happens, the mend.

    Of a firmware folder: which types can wrap, which sums are cut, where its two copies of the weights differ.
    """
    if overflow or ranges:
        from pquant_hls.cli.overflow import lint_overflow

        return lint_overflow(model, ranges or [], seconds, junit, json=json)
    if model.is_dir() or model.suffix in (".cpp", ".cc"):
        return _lint_firmware(model, junit, json=json)
    from pquant_hls.cli.console import clean_stdout, load_tensorflow, print_json
    from pquant_hls.spec import HlsSpec, Recipe

    spec = HlsSpec() if recipe is None else Recipe.load(recipe).hls
    check_new(fix)
    with busy("loading TensorFlow, QKeras and hls4ml") as life, clean_stdout():
        load_tensorflow()
        life.at(f"linting {model}")
        from pquant_hls.lint import errors
        from pquant_hls.lint import lint as examine
        from pquant_hls.lint.fix import unit_inputs
        from pquant_hls.network import load_model

        loaded, costs = load_model(model), list[Any]()
        if ptq is not None:
            loaded, costs = calibrated(loaded, unit_inputs(loaded), ptq, spec)
        findings = examine(loaded, spec)
        left, apart = findings, list[Any]()
        if fix is not None:
            _, left, apart = fixed_model(loaded, fix, unit_inputs(loaded), spec)
    if json:
        result = {
            "model": str(model),
            "findings": _rows(findings),
            "left": _rows(left),
            "passed": not errors(left),
        }
        fixed = {
            "fixed": None if fix is None else str(fix),
            "moved": [part._asdict() for part in apart],
            "calibrated": [part._asdict() for part in costs],
        }
        print_json({"schema_version": 1, **result, **fixed})
    else:
        _show(model, findings, left, fix, apart)
        for part in costs:
            echo(f"{ptq} bits, calibrated on 1,000 random inputs of unit variance: {part}")
    return 1 if errors(left) else 0


def _lint_firmware(path: Path, junit: Path | None, *, json: bool) -> int:
    """Warnings give 1: what is computed may not be what was meant."""
    from dataclasses import asdict

    from pquant_hls.cli.console import print_json
    from pquant_hls.firmware import examine
    from pquant_hls.golden import compare_weights
    from pquant_hls.hls import load_project

    with busy(f"linting {path}"):
        project = load_project(path)
        remarks, apart = examine(project.read), compare_weights(project)
    passed = not apart and all(remark.severity == "note" for remark in remarks)
    if junit is not None:
        from pquant_hls.cli.junit import JunitCase, write_cases

        named = [(f"{one.rule} {one.layer}", one) for one in remarks]
        cases = [JunitCase.of(name, [] if one.severity == "note" else [str(one)]) for name, one in named]
        write_cases(junit, f"lint {project.name}", [JunitCase.of("weights", map(str, apart)), *cases])
    if json:
        found = [asdict(remark) for remark in remarks]
        weights = [str(difference) for difference in apart]
        print_json(
            {
                "schema_version": 1,
                "firmware": str(path),
                "findings": found,
                "weights": weights,
                "passed": passed,
            }
        )
    else:
        lines = [f"error {difference}" for difference in apart] + [str(remark) for remark in remarks]
        echo("\n".join(lines) or f"{project.name}: nothing to say")
    return 0 if passed else 1


def check_new(fix: Path | None) -> None:
    """Raise OutputError where a mended model could not be written."""
    from pquant_hls.errors import OutputError

    if fix is not None and (fix.exists() or fix.suffix not in {".keras", ".h5"}):
        raise OutputError(
            "exists" if fix.exists() else "is no .keras or .h5 file", where=fix, mend="give a new file"
        )


def fixed_model(model: Any, path: Path, x: Any, spec: HlsSpec) -> tuple[Any, list[Finding], list[Moved]]:
    """The mended model as it was saved, what is left to say of it, and how far it lies from the original on ``x``."""
    from pquant_hls.lint import fix, moved_by_fix
    from pquant_hls.network import load_model, save_model

    made, left = fix(model, spec)
    save_model(made, path)
    saved = load_model(path)
    return saved, left, moved_by_fix(model, saved, x, spec)


def _rows(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [
        {
            "rule": f.rule,
            "severity": f.severity,
            "layer": f.layer,
            "message": f.message,
            "mend": f.mend,
            "fixable": f.fixable,
        }
        for f in findings
    ]


def _show(
    model: Path,
    findings: Sequence[Finding],
    left: Sequence[Finding],
    fix: Path | None,
    apart: Sequence[Moved],
) -> None:
    from pquant_hls.cli.console import output_console

    console = output_console()
    if findings:
        console.print(_table(console, str(model), findings))
    count = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    console.print(f"{model}: {count} errors, {warnings} warnings, {len(findings) - count - warnings} notes")
    if fix is None:
        mendable = sum(finding.fixable for finding in findings if finding.severity == "error")
        if mendable:
            console.print(f"{mendable} of the errors can be mended without retraining: --fix NEW.keras")
        return
    console.print(f"mended model: {fix}; on 1,000 random inputs of unit variance:")
    for part in apart:
        console.print(f"  {part}")
    if left:
        console.print(_table(console, f"left in {fix}", left))


def _table(console: Console, title: str, findings: Sequence[Finding]) -> Group:
    from pquant_hls.cli.tables import listing

    rows = [
        ((f.severity, f.rule, f.layer or "-", "yes" if f.fixable else "no"), (f.message, f"mend: {f.mend}"))
        for f in findings
    ]
    return listing(console, title, ("severity", "rule", "layer", "--fix"), rows)
