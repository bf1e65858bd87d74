"""Which layers and forms does the firmware compute exactly as Keras, as they are or mended?

Each form is a small model of its own (``pquant_hls/testing/forms/``). It is linted, mended by ``fix`` where the linter
offers that, converted, and compared on 300 inputs, every output value, with the Keras model by the emulator and by g++'s
csim, many forms in one compile:

    python benchmarks/layers.py                                   # io_parallel, Vitis
    python benchmarks/layers.py --io-type io_stream --backend Vivado --json OUT
    python benchmarks/layers.py --only attention --emulator-only

``exact``: as it is. ``mended``: exact after ``fix``, which moved outputs by the share of their spread that is told.
``by ptq``: float layers, exact after ``quantize`` at 8 bits, calibrated on the same inputs without training.
``bound``: within what a warning states. ``refused``: with the linter's reason. WRONG and CRASH end the script with 1.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from _common import parse, save, show

from pquant_hls.spec import HlsSpec
from pquant_hls.testing.forms import forms
from pquant_hls.testing.trials import check_forms


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--io-type", choices=("io_parallel", "io_stream"), default="io_parallel")
    parser.add_argument("--backend", choices=("Vitis", "Vivado"), default="Vitis")
    parser.add_argument("--only", metavar="PATTERN", help="forms whose name holds this pattern")
    parser.add_argument("--emulator-only", action="store_true", help="leave g++ out")


def without_optimization() -> None:
    """Compile fast: every form runs once, on a few inputs."""
    module: Any = importlib.import_module("pquant_hls.csim.build")
    probe = module._probe

    def plain(path: str) -> Any:
        found = probe(path)
        return replace(found, flags=tuple(flag for flag in found.flags if flag != "-O3"))

    module._probe = plain


def main() -> int:
    without_optimization()
    args = parse(__doc__, options)
    names = [name for name in forms() if args.only is None or re.search(args.only, name)]
    spec = HlsSpec.parse({"io_type": args.io_type, "backend": args.backend})
    with tempfile.TemporaryDirectory() as scratch:
        places = Path(scratch) / "projects", Path(scratch) / "cache"
        rows = check_forms(names, spec, places[0], cache=places[1], csim=not args.emulator_only)
    shown = [
        {"form": row.name, "result": row.result, "emulator": row.emulated, "said": row.said} for row in rows
    ]
    save(args, "layers", {"spec": f"{args.io_type} {args.backend}", "forms": shown})
    show(f"Layers and forms, {args.io_type}, {args.backend}", shown)
    print(dict(Counter(row.result for row in rows)))
    return 1 if any(row.result in ("WRONG", "CRASH") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
