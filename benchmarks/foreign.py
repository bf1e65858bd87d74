"""The firmware door over any folders: what is read, run, proven, estimated, found and exported.

``benchmarks/foreign.py FOLDER...`` looks for every hls4ml firmware in the folders (a repository of several is taken apart)
and prints one row each:

layout      how it is kept: project, firmware or deployed, and the hls4ml versions that write such sources
csim        its own C++ compiled with our entry; the outputs of two runs are the same
proven      layers of the graph read from its sources that equal csim, of all, on the stated number of vectors; a layer that
            csim contradicts is named
estimate    cycles with their interval, on the part and clock of its build files, else on --part and --clock
lint        findings of ``pquant-hls lint PROJECT``
export      the emulator's vectors, every value equal to csim

Without folders it takes firmware that it writes itself, in three layouts. Nothing in the folders is changed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _common import parse, save, show

from pquant_hls.csim import build, predict
from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.export import export_emulator
from pquant_hls.firmware import find
from pquant_hls.firmware.target import read_spec
from pquant_hls.golden import random_inputs
from pquant_hls.hls import HlsProject, load_project
from pquant_hls.measure.proof import prove
from pquant_hls.spec import HlsSpec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.firmware import miniature

VECTORS, FEW = 10_000, 500
WORDS = 90
"""Characters of an error in the table; the JSON has all of it."""


def firmwares(folder: Path) -> Iterator[Path]:
    """The folder itself where it holds one firmware, else those of its folders that do."""
    try:
        find(folder)
    except UnsupportedModel:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        several = [place for path in inside for place in firmwares(path)]
        yield from several
    else:
        yield folder


def own(folder: Path) -> Iterator[Path]:
    """Firmware of a few lines, in three layouts."""
    yield miniature.project(folder / "whole")
    yield miniature.write(folder / "alone" / "firmware", namespace="jets", sizes=miniature.CONSTANTS)
    yield miniature.deployed(folder)


def attempt(row: dict[str, Any], column: str, work: Callable[[], Any]) -> Any:
    """What ``work`` gives; None, with the reason in the row, where it cannot."""
    try:
        return work()
    except PquantError as cause:
        row[column] = f"no: {cause}"
        return None


def looked_at(path: Path, args: argparse.Namespace, vectors: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("firmware", "layout", "version", "csim", "proven", "estimate", "lint", "export")
    )
    row["firmware"] = "/".join(path.absolute().parts[-2:])
    start = time.perf_counter()
    project = attempt(row, "layout", lambda: load_project(path))
    if project is not None:
        row["layout"], row["version"] = project.read.kind, project.read.version
        if attempt(row, "csim", lambda: csim(project, args.seed)):
            row["csim"] = "yes"
            proof = attempt(row, "proven", lambda: prove(project, vectors=vectors, seed=args.seed))
            if proof is not None:
                total = len(proof.layers) + len(proof.unseen)
                row["proven"] = f"{len(proof.layers)} of {total}"
                row["estimate"] = (
                    attempt(row, "estimate", lambda: cycles(project, proof.graph, args)) or row["estimate"]
                )
            row["lint"] = attempt(row, "lint", lambda: findings(project)) if not args.no_lint else None
            if not args.no_export:
                row["export"] = attempt(row, "export", lambda: exported(project)) or row["export"]
    row["seconds"] = round(time.perf_counter() - start, 1)
    return row


def csim(project: HlsProject, seed: int) -> bool:
    """Whether it compiles and two runs on the same inputs, with the layers and without, give the same outputs."""
    library, x = build(project), random_inputs(project, 200, seed)
    one, two = predict(library, x, trace=True)[0], predict(library, x)
    pairs = zip(*(found if isinstance(found, list) else [found] for found in (one, two)), strict=True)
    if not all(np.array_equal(a, b) for a, b in pairs):
        raise UnsupportedModel("two runs on the same inputs differ", where=project.path)
    return True


def cycles(project: HlsProject, graph: Any, args: argparse.Namespace) -> str:
    spec = read_spec(project.read) or HlsSpec.parse({"part": args.part, "clock_ns": args.clock})
    latency = estimate(graph, spec.target).latency
    if latency is None:
        return "no: no latency"
    return f"{latency.cycles_max} [{latency.cycles_max_lo}..{latency.cycles_max_hi}] cycles"


def findings(project: HlsProject) -> int:
    from pquant_hls.firmware import examine

    return len(examine(project.read))


def exported(project: HlsProject) -> str:
    with tempfile.TemporaryDirectory() as folder:
        made = export_emulator(project, Path(folder) / "out", "emulator_under_test")
    return f"equal on {made.vectors}"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, help="folders with hls4ml firmware")
    parser.add_argument("--vectors", type=int, help=f"of the proof (default {VECTORS:,}; {FEW} with --quick)")
    parser.add_argument("--part", default="xcvu9p-flga2104-2-e", help="where build files tell none")
    parser.add_argument("--clock", default="4.166", help="ns, where build files tell none")
    parser.add_argument("--no-export", action="store_true", help="leave out the export")
    parser.add_argument("--no-lint", action="store_true", help="leave out lint")


def main() -> int:
    args = parse(__doc__, add_options)
    vectors = args.vectors or (FEW if args.quick else VECTORS)
    with tempfile.TemporaryDirectory() as folder:
        places = [place for given in args.folders for place in firmwares(given)] or list(own(Path(folder)))
        rows = []
        for place in places:
            rows.append(looked_at(place, args, vectors))
            print(f"{place}: {rows[-1]['seconds']} s", file=sys.stderr)
    short = [
        {key: str(value)[:WORDS] if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]
    show(f"{len(rows)} firmwares, graphs proven on {vectors:,} vectors", short)
    read = sum(row["csim"] == "yes" for row in rows)
    proven = sum(row["proven"] is not None and not row["proven"].startswith("no") for row in rows)
    print(f"run by csim: {read} of {len(rows)}; graph borne out: {proven}")
    save(args, "foreign", rows)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
