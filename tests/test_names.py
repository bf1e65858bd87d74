"""One name, one meaning: a public class or function has one home in the package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED: dict[str, tuple[str, tuple[str, ...]]] = {
    "main": ("what a script or the command line starts with", ("cli.app", "programs._warden", "rtl._synth")),
    "register": ("each module of the command line adds its commands", ("cli.",)),
    "read": ("one module a kind of report, read by the same call", ("readers.",)),
    "recognises": ("one module a kind of report, told by the same call", ("readers.",)),
    "predict": ("the outputs for inputs, of firmware and of a model", ("csim.predict", "train.answers")),
    "synthesize": ("cells and cycles of a project, of HLS and of Verilog", ("toolchain.", "rtl.synthesis")),
    "lint": ("a command, and the function it calls", ("cli.lint", "lint.check")),
    "suggest": (
        "a command, the function it calls, and Optuna's word for a trial's values",
        ("cli.suggest", "estimate.suggest", "tune.space"),
    ),
    "doctor": ("a command, and the function it calls", ("cli.measure", "toolchain.doctor")),
    "check": ("a command, and the function it calls", ("cli.csim", "golden.check")),
    "compare": (
        "a command for two firmwares, and the function for firmware and Keras",
        ("cli.csim", "csim.comparison"),
    ),
    "sweep": ("folders that killed processes left, and designs over a grid", ("files.scratch", "tune.grid")),
    "record": ("a command, and the function it calls", ("cli.csim", "golden.check")),
}
"""Names that several modules define on purpose: why, and which modules."""


def public_names(root: Path) -> Iterator[tuple[str, str]]:
    """(name, module) of each public class and function at the top of a module; an overload counts once."""
    for path in sorted((root / "pquant_hls").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        found = {
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        yield from ((name, module) for name in found if not name.startswith("_"))


def homes(root: Path) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, module in public_names(root):
        found[name].append(module)
    return dict(found)


def stray(name: str, where: list[str]) -> list[str]:
    """The modules of ``where`` that have no leave to define ``name`` beside another."""
    _, allowed = SHARED.get(name, ("", ()))
    return [
        module for module in where if not module.removeprefix("pquant_hls.").startswith(allowed or ("-",))
    ]


def test_a_name_has_one_home() -> None:
    several = {name: where for name, where in homes(ROOT).items() if len(where) > 1 and stray(name, where)}
    assert several == {}


def test_what_is_shared_on_purpose_is_still_shared() -> None:
    found = homes(ROOT)
    assert [name for name in SHARED if len(found.get(name, [])) < 2] == []


def test_two_homes_are_found(tmp_path: Path) -> None:
    for room in ("one", "two"):
        (tmp_path / "pquant_hls" / room).mkdir(parents=True)
        (tmp_path / "pquant_hls" / room / "it.py").write_text("def same(): ...\ndef _own(): ...\n")
    assert homes(tmp_path) == {"same": ["pquant_hls.one.it", "pquant_hls.two.it"]}
