"""Damages reports in fourteen ways and counts what the readers make of them.

Takes made reports of every layout and, where the corpus is there, the real ones. A mutant counts as

right     all figures as in the whole report
none      some figures are None, the rest right
error     ReportError naming the file
restated  a different true report: each changed figure stands word for word in the mutant and the file
          states it only once (the LUT count in an XML report, a part name), or as closely as its other
          printing can tell
WRONG     anything else: a figure the file contradicts, one that stands nowhere in it, another exception

WRONG must be 0. ``--mutants`` sets their number: 10,000, or 2,000 with ``--quick``.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from _common import CORPUS, parse, save, show

from pquant_hls.errors import ReportError
from pquant_hls.readers import AnyReport, read_text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.readers.mutants import MUTATIONS, judge
from tests.readers.report_factory import every_kind

VERDICTS = ("right", "none", "error", "restated", "WRONG")


def sources(folder: Path) -> dict[str, tuple[str, AnyReport]]:
    """Text and record of each report that can be read whole, by name."""
    texts = {f"made {name}": text for name, text in every_kind().items()}
    for path in sorted((folder / "reports").glob("*")):
        texts[path.name] = path.read_bytes().decode("utf-8", errors="replace")
    found = {}
    for name, text in texts.items():
        try:
            found[name] = (text, read_text(text, name))
        except ReportError:
            continue
    return found


def fuzz(
    reports: dict[str, tuple[str, AnyReport]], mutants: int, seed: int
) -> tuple[Counter[str], list[str]]:
    """Counts by ``mutation verdict``, and a line for each wrong one."""
    rng = random.Random(seed)  # noqa: S311
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(mutants):
        mutation = sorted(MUTATIONS)[number % len(MUTATIONS)]
        name = rng.choice(sorted(reports))
        text, original = reports[name]
        mutant = MUTATIONS[mutation](text, rng)
        try:
            verdict = judge(original, mutant)
        except Exception as crash:  # noqa: BLE001 - a crash is a result of this benchmark
            verdict = f"WRONG: crash {type(crash).__name__}: {crash}"
        counts[f"{mutation} {verdict.partition(':')[0]}"] += 1
        if verdict.startswith("WRONG"):
            wrong.append(f"{verdict} ({mutation} of {name})")
    return counts, wrong


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mutants", type=int, help="how many (default 10,000; 2,000 with --quick)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with reports/ of real tools")


def main() -> int:
    args = parse(__doc__, add_options)
    mutants = args.mutants if args.mutants is not None else 2000 if args.quick else 10_000
    reports = sources(args.corpus)
    start = time.perf_counter()
    counts, wrong = fuzz(reports, mutants, args.seed)
    seconds = time.perf_counter() - start
    rows = [
        {"mutation": mutation, **{verdict: counts[f"{mutation} {verdict}"] for verdict in VERDICTS}}
        for mutation in sorted(MUTATIONS)
    ]
    total = {verdict: sum(counts[f"{mutation} {verdict}"] for mutation in MUTATIONS) for verdict in VERDICTS}
    show(
        f"{mutants} mutants of {len(reports)} reports in {seconds:.1f} s",
        [*rows, {"mutation": "all", **total}],
    )
    crashes = sum("crash" in line for line in wrong)
    for line in wrong[:20]:
        print(line)
    print(f"wrong: {len(wrong)}, of these crashes: {crashes}")
    results = {
        "mutants": mutants,
        "reports": len(reports),
        "seconds": seconds,
        "total": total,
        "wrong": wrong,
    }
    save(args, "readers", results)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
