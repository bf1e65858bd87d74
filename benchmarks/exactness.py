"""How many random QKeras networks does the firmware compute exactly as Keras?

Random small networks (see pquant_hls/testing/parts.py) are built, linted, mended where that needs no retraining,
converted, and compared on 200 inputs each, at the rails and off every grid, every output value, with the Keras model
handed in. Two judges: the emulator on each network, and g++'s csim on ten that passed it in one compile. Half of
them in io_parallel, half in io_stream; one group in four for the Vivado backend. Each network that is WRONG or
crashes after a clean lint is shrunk to a few layers and printed with its seed; any such ends the script with 1.
Networks that hold a construct refused by name are left out and counted, unless ``--refused``; refusals by rules that
stood in version 0.1.0 are counted apart. With ``--json`` the file is written after each group; a second run with the same
file goes on from there:

    python benchmarks/exactness.py --networks 200 --json OUT        # then --networks 400, ... up to 1000
    python benchmarks/exactness.py --seed 17 --networks 1 --refused   # replay one network
    python benchmarks/exactness.py --networks 40 --holds "types of single values" --io-type io_parallel
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from _common import parse, save, show

from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import CONSTRUCTS, REFUSED, constructs
from pquant_hls.testing.exactness import Exactness, check_sketches, failing
from pquant_hls.testing.networks import draw
from pquant_hls.testing.shrink import shrink

GROUP = 10
"""Networks compiled into one library; the group of a seed decides its backend and io_type."""
RESULTS = ("exact", "bounded", "refused", "wrong", "crash", "unbuilt", "unjudged", "left out")
SINCE = frozenset(
    {"active-dropout", "inner-probability", "input-type", "one-value", "stream-elements", "weight-mask"}
)
"""Rules that version 0.1.0 had not."""
Row = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--networks",
        type=int,
        default=300,
        help="networks to try, beside those left out (300); 20 if --quick",
    )
    parser.add_argument(
        "--shrink", type=int, default=50, help="tries to make a failing network small (50; 0: none)"
    )
    parser.add_argument(
        "--refused",
        action="store_true",
        help="also networks that hold what the linter refuses by name (constructs.REFUSED)",
    )
    parser.add_argument(
        "--holds", choices=CONSTRUCTS, metavar="NAME", help="only networks that hold this construct"
    )
    parser.add_argument("--io-type", choices=("io_parallel", "io_stream"), help="this alone")
    parser.add_argument("--backend", choices=("Vitis", "Vivado"), help="this alone")
    parser.add_argument("--emulator-only", action="store_true", help="leave g++ out: a quarter of the time")


def spec_of(group: int, args: argparse.Namespace) -> HlsSpec:
    """io_type alternates from group to group, every fourth group is for Vivado, where the options do not tell."""
    io_type = args.io_type or ("io_parallel" if group % 2 == 0 else "io_stream")
    return HlsSpec.parse(
        {"io_type": io_type, "backend": args.backend or ("Vivado" if group % 4 == 3 else "Vitis")}
    )


def main() -> int:
    args = parse(__doc__, options)
    total = min(args.networks, 20) if args.quick else args.networks
    rows = known(args)
    done = {row["seed"] for row in rows}
    for group, seeds in groups(args.seed, args.holds):
        if (lack := total - tried(rows)) <= 0:
            break
        start = time.perf_counter()
        rows += judged([seed for seed in seeds if seed not in done][:lack], spec_of(group, args), args)
        told = Counter(row["result"] for row in rows)
        print(
            f"{seeds[0]}-{seeds[-1]}: {time.perf_counter() - start:.0f} s, so far {dict(told)}",
            file=sys.stderr,
        )
        save(args, "exactness", {**summary(rows), "networks": rows})
    report(rows)
    return 1 if summary(rows)["fails"] else 0


def groups(first: int, holds: str | None) -> Iterator[tuple[int, Sequence[int]]]:
    """Seeds from ``first`` on, those that share a compile together under the group's number; ten that hold a construct
    are a group."""
    if holds is None:
        for group in itertools.count(first // GROUP):
            yield group, range(max(group * GROUP, first), (group + 1) * GROUP)
    found = (seed for seed in itertools.count(first) if holds in constructs(draw(seed)))
    for group in itertools.count():
        yield group, list(itertools.islice(found, GROUP))


def tried(rows: list[Row]) -> int:
    return sum(row["result"] != "left out" for row in rows)


def known(args: argparse.Namespace) -> list[Row]:
    """The networks that the file named by ``--json`` holds already."""
    if args.json is None or not args.json.exists():
        return []
    rows: list[Row] = json.loads(args.json.read_text())["results"]["networks"]
    return rows


def judged(seeds: list[int], spec: HlsSpec, args: argparse.Namespace) -> list[Row]:
    if not seeds:
        return []
    drawn = [draw(seed) for seed in seeds]
    refused = {sketch.seed: constructs(sketch) & REFUSED for sketch in drawn if not args.refused}
    sketches = [sketch for sketch in drawn if not refused.get(sketch.seed)]
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / "group", Path(scratch) / "cache"
        verdicts = check_sketches(sketches, spec, folder, cache=cache, csim=not args.emulator_only)
    out = [
        Exactness(seed, "left out", "", ", ".join(sorted(held)), held)
        for seed, held in refused.items()
        if held
    ]
    found = sorted([*verdicts, *out], key=lambda verdict: verdict.seed)
    return [row(spec, verdict, args.shrink) for verdict in found]


def row(spec: HlsSpec, verdict: Exactness, limit: int) -> Row:
    found = {
        "seed": verdict.seed,
        "spec": f"{spec.io_type} {spec.backend}",
        "result": verdict.result,
        "kind": verdict.kind,
        "detail": verdict.detail,
        "emulated": verdict.emulated,
        "holds": sorted(verdict.holds),
    }
    if not verdict.failed or limit == 0:
        return found
    small, said = shrunk(spec, verdict, limit)
    print(
        f"\nseed {verdict.seed}, {found['spec']}, {verdict.kind}: {said}\n{small}\n",
        file=sys.stderr,
        flush=True,
    )
    return {**found, "shrunk": small, "shrunk_detail": said}


def shrunk(spec: HlsSpec, verdict: Exactness, limit: int) -> tuple[str, str]:
    """(the smallest network that fails in the same way, what is said of it)."""
    with tempfile.TemporaryDirectory() as scratch:
        places = folders(Path(scratch))
        fails = failing(spec, lambda: next(places), verdict.kind, cache=Path(scratch) / "cache")
        tries = limit // 2 if " csim" in verdict.kind else limit  # a compile each
        smaller = shrink(draw(verdict.seed), lambda sketch: fails(sketch) is not None, limit=tries)
        last = fails(smaller)
    return str(smaller), verdict.detail if last is None else last.detail


def folders(root: Path) -> Iterator[Path]:
    return (root / f"t{index}" for index in itertools.count())


def summary(rows: list[Row]) -> Row:
    count = Counter(row["result"] for row in rows)
    unequal = sum(row["emulated"] is False for row in rows)
    later = sum(by_later_rule(row) for row in rows)
    return {
        "tried": tried(rows),
        **{name: count[name] for name in RESULTS},
        "refused by rules since 0.1.0": later,
        "share of these, %": round(100 * later / max(tried(rows), 1), 1),
        "emulator equals csim": sum(row["emulated"] is True for row in rows),
        "EMULATED WRONG": unequal,
        "fails": count["wrong"] + count["crash"] + unequal,
    }


def rules(row: Row) -> set[str]:
    """The lint rules that refuse the network."""
    return set(re.findall(r"(?:^|; )([a-z0-9-]+):", row["detail"])) if row["result"] == "refused" else set()


def by_later_rule(row: Row) -> bool:
    """Whether no rule that stood in 0.1.0 refuses the network too."""
    return row["result"] == "refused" and rules(row) <= SINCE


def report(rows: list[Row]) -> None:
    show("Constructs", [construct(name, rows) for name in CONSTRUCTS])
    refused = Counter(rule for row in rows for rule in rules(row))
    show(
        "Refused by rule",
        [{"rule": rule, "in 0.1.0": rule not in SINCE, "networks": n} for rule, n in refused.most_common()],
    )
    failed = [row for row in rows if row["result"] in ("wrong", "crash", "unbuilt")]
    show("Not exact", [{key: row[key] for key in ("seed", "spec", "kind", "detail")} for row in failed])
    for row in failed:
        if "shrunk" in row:
            print(
                f"\nseed {row['seed']}, {row['spec']}, {row['kind']}: {row['shrunk_detail']}\n{row['shrunk']}"
            )
    show("Exactness", [summary(rows)])


def construct(name: str, rows: list[Row]) -> Row:
    held = [row for row in rows if name in row["holds"]]
    count = Counter(row["result"] for row in held)
    return {"construct": name, "drawn": len(held), **{result: count[result] for result in RESULTS}}


if __name__ == "__main__":
    sys.exit(main())
