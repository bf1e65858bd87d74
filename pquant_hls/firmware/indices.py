"""Input ports that are indices of an embedding, which has so many entries and reads beyond them whatever lies there."""

from __future__ import annotations

from pquant_hls.firmware.config import Config
from pquant_hls.firmware.layout import Layout


def index_ports(layout: Layout) -> dict[str, int]:
    """Entries behind each input port that an embedding reads, by the port's name; none where its struct does not tell."""
    ports, found = {port.name for port in layout.top.inputs}, dict[str, int]()
    for call in layout.top.calls:
        if not call.function.startswith("embedding") or not call.types:
            continue
        entries = Config.of(call.type_names[-1], layout.names).number("vocab_size")
        for name in ports.intersection(call.reads):
            if entries is not None and entries > 0:
                found[name] = min(entries, found.get(name, entries))
    return found
