"""Names of a network's layers, by the ``configN`` that hls4ml puts into its C++ and so into module names."""

from __future__ import annotations

import re
from pathlib import Path

# hls4ml writes: nnet::dense<input_t, layer2_t, config2>(input, layer2_out, w2, b2); // fc1
_CALL = re.compile(r"\s*nnet::(?P<op>\w+)<[^;]*?config(?P<index>\d+)\b[^;]*;\s*//\s*(?P<name>\S+)\s*\Z")


def layer_names(firmware: Path) -> dict[str, tuple[str, str]]:
    """Config number to (layer name, nnet function) from the firmware's C++; empty without it."""
    if not firmware.is_file():
        return {}
    lines = firmware.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found["index"]: (found["name"], found["op"]) for line in lines if (found := _CALL.match(line))}
