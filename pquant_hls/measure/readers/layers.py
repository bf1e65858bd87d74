"""Modules of a synthesis report to layers of the network, by the ``configN`` in their names."""

from __future__ import annotations

import re
from pathlib import Path

from pquant_hls.measure.readers.records import Module
from pquant_hls.qor import LayerQoR

# hls4ml writes: nnet::dense<input_t, layer2_t, config2>(input, layer2_out, w2, b2); // fc1
_CALL = re.compile(r"\s*nnet::(?P<op>\w+)<[^;]*?config(?P<index>\d+)\b[^;]*;\s*//\s*(?P<name>\S+)\s*\Z")
_INDEX = re.compile(r"config(?P<index>\d+)")
_OP = re.compile(r"(?P<op>[a-z][a-z0-9_]*?)(?:_(?:ap_u?fixed|array|config|ac_|\d)|_s\Z|\Z)")


def layer_names(firmware: Path) -> dict[str, tuple[str, str]]:
    """Config number to (layer name, nnet function) from the firmware's C++; empty without it."""
    if not firmware.is_file():
        return {}
    lines = firmware.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found["index"]: (found["name"], found["op"]) for line in lines if (found := _CALL.match(line))}


def to_layers(modules: tuple[Module, ...], names: dict[str, tuple[str, str]]) -> tuple[LayerQoR, ...]:
    """One record for each instance, in the report's order; ``cycles`` is its worst case."""
    return tuple(_layer(module, names) for module in modules)


def _layer(module: Module, names: dict[str, tuple[str, str]]) -> LayerQoR:
    indices = _INDEX.findall(module.module)
    known = names.get(indices[-1]) if indices else None
    prefix = _OP.match(module.module)
    name, op = known or (module.instance, prefix["op"] if prefix else module.module)
    note = module.module if known else ""
    spread = "" if module.cycles_min in (None, module.cycles_max) else f"best case {module.cycles_min} cycles"
    return LayerQoR(
        name=name,
        op=op,
        cycles=module.cycles_max,
        ii_cycles=module.ii_cycles,
        lut=module.lut,
        ff=module.ff,
        dsp=module.dsp,
        bram_18k=module.bram_18k,
        note="; ".join(text for text in (note, spread) if text),
    )
