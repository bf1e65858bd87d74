"""A child process: Yosys by pyosys over Verilog files, cell counts as JSON. Imports nothing of the package.

Usage: python _synth.py OUT.json FAMILY TOP FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(out: str, family: str, top: str, *files: str) -> None:
    from pyosys import libyosys

    design = libyosys.Design()
    for name in files:
        libyosys.run_pass(f'read_verilog -sv "{name}"', design)
    # Out of context: no pads and no clock buffers, as for a block inside a trigger's firmware.
    libyosys.run_pass(f"synth_xilinx -family {family} -top {top} -flatten -noiopad -noclkbuf", design)
    part = f"{out}.part"
    libyosys.run_pass(f'tee -o "{part}" stat -json', design)
    Path(part).replace(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
