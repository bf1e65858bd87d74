"""Values of ports as hexadecimal words, one line for each clock cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import ToolFailed
from pquant_hls.rtl.verilog import VerilogPort

Floats = NDArray[np.float64]


def pack(ports: Sequence[VerilogPort], rows: Floats) -> list[int]:
    """Rows (n, values of all ports) on the grids -> one word a row, the first value in the lowest bits."""
    kinds = [port.kind for port in ports for _ in range(port.size)]
    codes = np.stack([kind.to_codes(column) for kind, column in zip(kinds, rows.T, strict=True)], axis=1)
    shifts = np.cumsum([0, *(kind.width for kind in kinds)]).tolist()
    masks = [(1 << kind.width) - 1 for kind in kinds]
    return [
        sum((int(code) & mask) << shift for code, mask, shift in zip(row, masks, shifts, strict=False))
        for row in codes
    ]


def unpack(ports: Sequence[VerilogPort], words: Sequence[int]) -> Floats:
    """The inverse of ``pack``: float64 (n, values of all ports)."""
    kinds = [port.kind for port in ports for _ in range(port.size)]
    out = np.empty((len(words), len(kinds)))
    for row, word in enumerate(words):
        rest = word
        for column, kind in enumerate(kinds):
            code = rest & ((1 << kind.width) - 1)
            negative = kind.signed and code >> (kind.width - 1)
            out[row, column] = (code - (1 << kind.width) if negative else code) * kind.lsb
            rest >>= kind.width
    return out


def to_hex(words: Sequence[int], bits: int) -> str:
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def from_hex(text: str, where: object) -> list[int | None]:
    """One word a line; None where the simulator wrote undefined bits."""
    try:
        return [None if "x" in line or "z" in line else int(line, 16) for line in text.lower().split()]
    except ValueError as cause:
        raise ToolFailed(
            f"the simulator wrote something that is not hexadecimal: {cause}", where=where
        ) from cause
