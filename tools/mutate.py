"""Plant faults in the rooms of pure logic, one at a time, and list those that no test notices.

    python tools/mutate.py [--only decide qor engine/forecast.py] [--mutants 300] [--seed 0] [--json OUT]

A mutant is one change of the syntax tree: a comparison turned or shifted, an operator exchanged, a number one larger, a
truth value, a condition or a returned value exchanged. ``--mutants`` of them are drawn by ``--seed`` from the chosen modules,
planted in a copy of the package, and judged by the tests that TESTS names: pytest must fail, or run out of time. Of
properties they see a quarter of the examples, so that the true share of survivors is the printed one or smaller.

What survives is listed with its place. Exit 1 if more than ``--most`` percent do (10).
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "decide": ("tests/decide", "tests/engine/test_forecast.py"),
    "qor": ("tests/qor",),
    "engine/forecast.py": ("tests/engine/test_forecast.py",),
    "engine/score.py": ("tests/engine/test_score.py",),
    "engine/goal.py": ("tests/engine/test_goal.py",),
    "engine/loop.py": ("tests/engine/test_loop.py", "tests/engine/test_rounds.py"),
}
"""Modules or rooms under pquant_hls, and the tests that must notice a fault in them: pure ones, which run in seconds."""

LOADED, MODELS = ("hypothesis", "numpy", "pydantic", "pytest", "yaml"), ("keras", "qkeras")
"""Loaded once, in the parent: every child finds them there. The second for modules that name models: MODELLED."""

MODELLED = ("engine/goal.py", "engine/loop.py")

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
REWRITE = "ignore::pytest.PytestAssertRewriteWarning"
"""Plugins that a child finds imported already."""

PLUGIN = "_hypothesis_pytestplugin"
"""The only plugin that the tests of logic need; what else is installed takes seconds to import."""

TIME_FACTOR, LEAST_S = 10.0, 20.0
"""A mutant may take this many times the tests' own time, and at least so many seconds."""

TABLE = 20
"""Rows of a literal from which on it is data."""


@dataclass(frozen=True)
class Mutant:
    """The ``index``-th change of a module; ``was`` and ``now`` are the changed expression or statement."""

    module: str
    index: int
    line: int
    was: str
    now: str


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Every change of one node, each as a new node."""
    match node:
        case ast.Compare(ops=[first, *_]):
            for other in COMPARISONS.get(type(first), ()):
                yield _changed(node, ops=[other(), *node.ops[1:]])
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            yield _changed(node, op=OPERATORS[type(operator)]())
        case ast.BoolOp(op=operator):
            yield _changed(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield _changed(node, value=not value)
        case ast.Constant(value=int() | float() as value):
            yield _changed(node, value=value + 1)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield _changed(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield _changed(node, value=ast.Constant(None))


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    found = copy.copy(node)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class Planter(ast.NodeTransformer):
    """Makes the change numbered ``wanted`` of a module; without a number it makes none and notes every one."""

    def __init__(self, wanted: int | None = None) -> None:
        self.wanted, self.count = wanted, 0
        self.noted: list[tuple[int, str, str]] = []

    def visit(self, node: ast.AST) -> ast.AST:
        for new in changes(node):
            self.count += 1
            if self.wanted in {None, self.count - 1}:
                self.noted.append((cast(ast.expr, node).lineno, _brief(node), _brief(new)))
            if self.wanted == self.count - 1:
                return new
        return cast(ast.AST, super().visit(node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None and not _is_data(node.value):
            node.value = cast(ast.expr, self.visit(node.value))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [cast(ast.stmt, self.visit(statement)) for statement in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.args.defaults = [cast(ast.expr, self.visit(value)) for value in node.args.defaults]
        node.args.kw_defaults = [
            value and cast(ast.expr, self.visit(value)) for value in node.args.kw_defaults
        ]
        node.body = [cast(ast.stmt, self.visit(statement)) for statement in node.body]
        return node


def _is_data(value: ast.expr) -> bool:
    """Whether it is a table of numbers from data sheets, which is held against reports and not against logic."""
    rows = value.values if isinstance(value, ast.Dict) else []
    return len(rows) >= TABLE and all(isinstance(row, ast.Tuple) for row in rows)


def _brief(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:90]


def planted(source: str, index: int) -> tuple[str, tuple[int, str, str]]:
    """The source with its ``index``-th change, and (line, was, now)."""
    planter = Planter(index)
    tree = planter.visit(ast.parse(source))
    if not planter.noted:
        raise IndexError(index)
    return ast.unparse(ast.fix_missing_locations(tree)), planter.noted[0]


def mutants(module: str) -> list[Mutant]:
    """Every mutant of a module, given by its place under the package."""
    source = (ROOT / "pquant_hls" / module).read_text()
    counter = Planter()
    counter.visit(ast.parse(source))
    return [Mutant(module, index, *noted) for index, noted in enumerate(counter.noted)]


def modules(name: str) -> list[str]:
    """The modules of a room, or the one module."""
    place = ROOT / "pquant_hls" / name
    found = [place] if place.suffix == ".py" else sorted(place.rglob("*.py"))
    return [str(path.relative_to(ROOT / "pquant_hls")) for path in found]


def judges_of(module: str) -> tuple[str, ...]:
    """The tests that must notice a fault in a module, its own file first: most end there."""
    named = next(tests for name, tests in TESTS.items() if module == name or module.startswith(f"{name}/"))
    files = [path for name in named for path in _files(name)]
    return tuple(sorted(files, key=lambda path: Path(module).stem not in Path(path).stem))


def _files(name: str) -> list[str]:
    place = ROOT / name
    found = [place] if place.suffix == ".py" else sorted(place.glob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in found]


def passes(copied: Path, tests: Sequence[str], limit_s: float) -> bool:
    """Whether the tests pass in the copy within the time. A child of this process, where what is heavy is loaded."""
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(copied, tests))
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return False


def _run_tests(copied: Path, tests: Sequence[str]) -> int:
    import pytest

    os.setsid()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(copied)
    sys.path.insert(0, str(copied))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ["-p", PLUGIN, "-p", "no:cacheprovider"]
    options = [
        "-x",
        "-q",
        *plugins,
        "--hypothesis-seed=0",
        "--hypothesis-profile=few",
        "-m",
        "not gxx",
        "-W",
        REWRITE,
    ]
    return int(pytest.main([*options, *tests]))


def copy_of_project(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.tar.gz")
    for name in ("pquant_hls", "tests", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def survivors(chosen: Sequence[Mutant], copied: Path) -> list[Mutant]:
    """Those that the tests do not notice; raises SystemExit where the tests fail without any."""
    judges = {mutant.module: judges_of(mutant.module) for mutant in chosen}
    limits: dict[frozenset[str], float] = {}
    for tests in set(map(frozenset, judges.values())):
        begun = time.monotonic()
        if not passes(copied, sorted(tests), 600.0):
            raise SystemExit(f"{' '.join(sorted(tests))} fail without any fault planted")
        limits[tests] = max(LEAST_S, TIME_FACTOR * (time.monotonic() - begun))
    left = []
    for number, mutant in enumerate(chosen, start=1):
        place = copied / "pquant_hls" / mutant.module
        whole = place.read_text()
        place.write_text(planted(whole, mutant.index)[0])
        named = judges[mutant.module]
        if passes(copied, named, limits[frozenset(named)]):
            left.append(mutant)
            print(
                f"[{number}/{len(chosen)}] {mutant.module}:{mutant.line}: {mutant.was}  ->  {mutant.now}",
                flush=True,
            )
        place.write_text(whole)
    return left


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", nargs="+", choices=TESTS, default=list(TESTS), help="rooms or modules (default all)"
    )
    parser.add_argument("--mutants", type=int, default=300, help="how many are drawn (300)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--most", type=float, default=10.0, help="percent that may survive (10)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the survivors to this file")
    return parser.parse_args()


def main() -> int:
    args = options()
    # Without the bytecode of an earlier mutant: two changes within a second look alike to Python.
    sys.dont_write_bytecode = True
    every = [mutant for name in args.only for module in modules(name) for mutant in mutants(module)]
    draw = random.Random(args.seed)  # noqa: S311 - no secret
    chosen = draw.sample(every, min(args.mutants, len(every)))
    print(f"{len(chosen)} of {len(every)} mutants of {', '.join(args.only)}, seed {args.seed}")
    for name in LOADED + (MODELS if set(MODELLED) & set(args.only) else ()):
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as scratch:
        left = survivors(chosen, copy_of_project(Path(scratch)))
    share = 100.0 * len(left) / max(len(chosen), 1)
    for name in args.only:
        of = [mutant for mutant in chosen if mutant.module in modules(name)]
        print(f"{name:<20} {len([m for m in left if m in of]):4d} of {len(of):4d} survive")
    print(f"{len(left)} of {len(chosen)} survive, {share:.1f} %")
    if args.json is not None:
        args.json.write_text(json.dumps([asdict(mutant) for mutant in left], indent=1) + "\n")
    return 1 if share > args.most else 0


if __name__ == "__main__":
    sys.exit(main())
