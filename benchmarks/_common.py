"""What the benchmark scripts share: options, a table, and one JSON file with versions.

A script does ``args = parse(__doc__)``, computes rows, then calls ``show(title, rows)`` and
``save(args, name, results)``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SCHEMA_VERSION = 1
SHOWN: list[dict[str, Any]] = []
"""The tables that were shown, for the page made of the JSON files."""
CORPUS = Path(__file__).resolve().parents[2] / "shared" / "synthesis_corpus"
PACKAGES = ("pquant_hls", "tensorflow", "keras", "qkeras-v3", "hls4ml", "alkaid", "numpy", "optuna", "pyosys")


def parse(
    doc: str | None,
    extra: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: Sequence[str] | None = None,
) -> argparse.Namespace:
    """``--quick``, ``--json OUT``, ``--seed N`` and whatever options ``extra`` adds."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller run, under two minutes on two cores")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results to this file")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice (default 0)")
    if extra is not None:
        extra(parser)
    return parser.parse_args(argv)


def show(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print one table; the keys of the first row are the columns, None is shown as a dash. ``save`` keeps it too."""
    SHOWN.append({"title": title, "rows": [{key: cell(value) for key, value in row.items()} for row in rows]})
    table = Table(title=title)
    columns = list(rows[0]) if rows else []
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(cell(row.get(name)) for name in columns))
    # A file or a pipe has no width of its own; rich's 80 columns would cut every figure.
    (Console() if sys.stdout.isatty() else Console(width=180)).print(table)


def save(args: argparse.Namespace, name: str, results: object) -> None:
    """Write ``results`` with options and versions to ``args.json``, whole or not at all.

    Does nothing without ``--json``.
    """
    if args.json is None:
        return
    record = {
        "schema_version": SCHEMA_VERSION,
        "benchmark": name,
        "quick": args.quick,
        "seed": args.seed,
        "options": {name: value for name, value in vars(args).items() if _is_told(value)},
        "versions": versions(),
        "machine": machine(),
        "tables": SHOWN,
        "results": results,
    }
    args.json.parent.mkdir(parents=True, exist_ok=True)
    part = args.json.with_name(args.json.name + ".part")
    part.write_text(json.dumps(record, indent=2, default=str) + "\n")
    part.replace(args.json)


def _is_told(value: Any) -> bool:
    """Options that change figures: given, and no place on this machine."""
    given = value is not None and value is not False
    return given and not isinstance(value, Path)


def machine() -> dict[str, str]:
    """What the figures were taken on: processor, cores that this process may use, operating system, Python."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = ""
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": system(),
        "python": platform.python_version(),
    }


def system() -> str:
    """The distribution's own name where it tells one."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can change a figure."""
    found: dict[str, str] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cell(value: Any) -> str:
    """A figure as tables show it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value)


__all__ = ["CORPUS", "parse", "save", "show", "versions"]
