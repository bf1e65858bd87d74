"""``lint``: where the firmware would differ from Keras, and what can be mended without retraining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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


Model = Annotated[
    Path,
    typer.Argument(
        help="Keras or QKeras model: .keras, or .h5 of Keras 2 or 3; or a folder of hls4ml firmware, or a run folder",
        callback=project_in,
    ),
]
OfRecipe = Annotated[
    str | None, typer.Option("--recipe", help="whose HLS options count; left out: the defaults")
]
Fix = Annotated[
    Path | None, typer.Option("--fix", help="write the model with all mended that needs no retraining")
]
Overflow = Annotated[
    bool, typer.Option("--overflow", help="of a firmware: each type proven, or an input that wraps it")
]
Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", help="of the inputs: LOW:HIGH, or .npy of inputs (n, ...); one, or one a port"),
]
Junit = Annotated[Path | None, typer.Option("--junit", help="of a firmware: write JUnit XML")]


def register(app: typer.Typer) -> None:
    app.command()(lint)


def lint(
    model: Model,
    recipe: OfRecipe = None,
    fix: Fix = None,
    overflow: Overflow = False,
    ranges: Ranges = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="of processor time, for --overflow")
    ] = 40.0,
    junit: Junit = None,
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
    from pquant_hls.cli.console import print_json

    check_new(fix)
    found = _linted(model, recipe, fix, ptq)
    if json:
        print_json(found.record(model, fix))
    else:
        _show(model, found, fix)
        for part in found.costs:
            echo(f"{ptq} bits, calibrated on 1,000 random inputs of unit variance: {part}")
    return 0 if found.passed else 1


@dataclass(frozen=True)
class Linted:
    """What the linter says of a model, what is ``left`` of it once mended, and how far the outputs moved: by the mends, and
    by the calibration, what that ``costs``."""

    findings: list[Finding]
    left: list[Finding]
    moved: Sequence[Moved]
    costs: Sequence[Any]

    @property
    def passed(self) -> bool:
        from pquant_hls.lint import errors

        return not errors(self.left)

    def record(self, model: Path, fix: Path | None) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema_version": 1,
            "model": str(model),
            "findings": _rows(self.findings),
            "left": _rows(self.left),
            "passed": self.passed,
            "fixed": None if fix is None else str(fix),
            "moved": [part._asdict() for part in self.moved],
            "calibrated": [part._asdict() for part in self.costs],
        }


def _linted(model: Path, recipe: str | None, fix: Path | None, ptq: int | None) -> Linted:
    from pquant_hls.cli.console import clean_stdout, load_tensorflow
    from pquant_hls.spec import HlsSpec, Recipe

    spec = HlsSpec() if recipe is None else Recipe.load(recipe).hls
    with busy("loading TensorFlow, QKeras and hls4ml") as life, clean_stdout():
        load_tensorflow()
        life.at(f"linting {model}")
        from pquant_hls.lint import lint as examine
        from pquant_hls.network import load_model, unit_inputs

        loaded, costs = load_model(model), list[Any]()
        if ptq is not None:
            loaded, costs = calibrated(loaded, unit_inputs(loaded), ptq, spec)
        findings = examine(loaded, spec)
        left, moved = findings, list[Any]()
        if fix is not None:
            _, left, moved = fixed_model(loaded, fix, unit_inputs(loaded), spec)
    return Linted(findings, left, moved, costs)


def _lint_firmware(path: Path, junit: Path | None, *, json: bool) -> int:
    """Warnings give 1: what is computed may not be what was meant."""
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


def _show(model: Path, found: Linted, fix: Path | None) -> None:
    from pquant_hls.cli.console import output_console
    from pquant_hls.lint.finding import ORDER
    from pquant_hls.qor.words import counted

    console, findings = output_console(), found.findings
    if findings:
        console.print(_table(console, str(model), findings))
    found_of = Counter[str](finding.severity for finding in findings)
    console.print(f"{model}: {', '.join(counted(found_of[each], each) for each in ORDER)}")
    if fix is None:
        mendable = sum(finding.fixable for finding in findings if finding.severity == "error")
        if mendable:
            console.print(f"{mendable} of the errors can be mended without retraining: --fix NEW.keras")
        return
    console.print(f"mended model: {fix}; on 1,000 random inputs of unit variance:")
    for part in found.moved:
        console.print(f"  {part}")
    if found.left:
        console.print(_table(console, f"left in {fix}", found.left))


def _table(console: Console, title: str, findings: Sequence[Finding]) -> Group:
    from pquant_hls.cli.tables import stacked

    rows = [
        ((f.severity, f.rule, f.layer or "-", "yes" if f.fixable else "no"), (f.message, f"mend: {f.mend}"))
        for f in findings
    ]
    return stacked(console, title, ("severity", "rule", "layer", "--fix"), rows)
