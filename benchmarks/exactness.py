"""How many random QKeras networks does the firmware compute exactly as Keras?

Random small networks (dense, 1D and 2D convolutions, depthwise, pooling, batch normalization to be folded,
merges, mixed bits, binary, ternary and power-of-two weights) are linted, mended where that needs no
retraining, converted, compiled with g++ and compared with Keras on 200 random inputs each, every output
value. Half of them in io_parallel, half in io_stream; one group in four for the Vivado backend. Refused
networks are those with a lint error that cannot be mended. The emulator runs on the same inputs: ``emulated``
counts networks on which it equals csim, ``EMULATED WRONG`` those on which it does not; a layer it cannot take
counts in neither. Both WRONGs must be 0, else the script ends with 1. Each group is reported as it ends.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _common import parse, save, show

from pquant_hls.spec import HlsSpec
from pquant_hls.testing.exactness import Exactness, check_networks

GROUP = 10
"""Networks compiled into one library."""
QUICK_GROUP = 6


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--networks", type=int, default=300, help="networks to try (300); 12 if --quick")


def spec_of(group: int) -> HlsSpec:
    """io_type alternates from group to group, every fourth group is for Vivado."""
    io_type = "io_parallel" if group % 2 == 0 else "io_stream"
    return HlsSpec.parse({"io_type": io_type, "backend": "Vivado" if group % 4 == 3 else "Vitis"})


def main() -> int:
    args = parse(__doc__, options)
    size = QUICK_GROUP if args.quick else GROUP
    total = min(args.networks, 2 * size) if args.quick else args.networks
    rows, found = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for group in range((total + size - 1) // size):
            seeds = range(args.seed + group * size, args.seed + min((group + 1) * size, total))
            spec, start = spec_of(group), time.perf_counter()
            verdicts = check_networks(seeds, spec, Path(scratch) / f"g{group}", cache=Path(scratch) / "cache")
            found += [(spec, verdict) for verdict in verdicts]
            rows.append(row(spec, verdicts, time.perf_counter() - start))
            print(f"group {group}: {rows[-1]}", file=sys.stderr, flush=True)
    count = Counter(verdict.result for _, verdict in found)
    show("Exactness by group", rows)
    summary = {
        "tried": len(found),
        "exact": count["exact"],
        "refused": count["refused"],
        "WRONG": count["wrong"],
        **emulated([verdict for _, verdict in found]),
    }
    show("Exactness", [summary])
    unfit = [{"seed": v.seed, "result": v.result, "why": v.detail} for _, v in found if v.result != "exact"]
    if unfit:
        show("Not exact", unfit)
    save(args, "exactness", {**summary, "groups": rows, "not_exact": unfit})
    return 1 if summary["WRONG"] + summary["EMULATED WRONG"] > 0 else 0


def emulated(verdicts: list[Exactness]) -> dict[str, int]:
    said = Counter(verdict.emulated for verdict in verdicts)
    return {"emulated": said[True], "EMULATED WRONG": said[False]}


def row(spec: HlsSpec, verdicts: list[Exactness], seconds: float) -> dict[str, object]:
    count = Counter(verdict.result for verdict in verdicts)
    return {
        "backend": spec.backend,
        "io_type": spec.io_type,
        "tried": len(verdicts),
        "exact": count["exact"],
        "refused": count["refused"],
        "WRONG": count["wrong"],
        **emulated(verdicts),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
