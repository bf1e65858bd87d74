"""The FIFOs of a written io_stream project: how deep they are, and the same project with others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from pquant_hls.errors import SpecError
from pquant_hls.files import write_bytes
from pquant_hls.hls.project import GRAPH_FILE, PROJECT_FILE, HlsProject, load_project

_PRAGMA = re.compile(r"(#pragma\s+HLS\s+STREAM\s+variable=)(\w+)(\s+depth=)(\d+)", re.IGNORECASE)
_CALL = re.compile(r"nnet::\w+\s*<[^;]*>\(([^;]*)\);[ \t]*//[ \t]*(\S+)")
SHALLOWEST = 2
"""Places that a FIFO of Vivado HLS and Vitis HLS has at least."""


def stream_depths(project: HlsProject) -> dict[str, int]:
    """Places of each FIFO of the top function, by its variable, as its ``HLS STREAM`` pragmas have them."""
    found = _PRAGMA.findall(_source(project))
    return {name: int(depth) for _, name, _, depth in found}


def with_fifo_depths(project: HlsProject, depths: Mapping[str, int]) -> HlsProject:
    """The project, its files rewritten, with these depths; FIFOs that are not named keep theirs.

    The sources change by their pragmas alone, which csim does not read: it computes what it did. The graph beside them says
    the depths too (``fifo_depth`` of the nodes that write the FIFOs), so that the estimate counts them.

    Raises
    ------
    SpecError : no FIFO of that name, or fewer than two places.
    OutputError : the project's folder cannot be written.
    """
    known = stream_depths(project)
    for name, depth in depths.items():
        if name not in known:
            raise SpecError(f"no FIFO of this name, they are {', '.join(known)}", where=name)
        if depth < SHALLOWEST:
            raise SpecError(f"a FIFO has at least {SHALLOWEST} places, got {depth}", where=name)

    def rewritten(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{found[3]}{depths.get(found[2], int(found[4]))}"

    text = _PRAGMA.sub(rewritten, _source(project))
    write_bytes(project.source, text.encode())
    if (project.path / PROJECT_FILE).is_file():
        _note(project, {**known, **depths})
    return load_project(project.path)


def _source(project: HlsProject) -> str:
    return project.source.read_text(encoding="utf-8")


def _note(project: HlsProject, depths: Mapping[str, int]) -> None:
    """In the graph and in the project's own record, with the digests of what is written now."""
    if project.graph is not None:
        deepest = _by_writer(project, depths)
        nodes = tuple(
            replace(node, attrs={**node.attrs, "fifo_depth": deepest[node.name]})
            if node.name in deepest
            else node
            for node in project.graph.nodes
        )
        replace(project.graph, nodes=nodes).save(project.path / GRAPH_FILE)
    info = {**project.info, "fifo_depths": dict(depths), "sources": project.source_digests()}
    write_bytes(project.path / PROJECT_FILE, f"{json.dumps(info, indent=1, sort_keys=True)}\n".encode())


def _by_writer(project: HlsProject, depths: Mapping[str, int]) -> dict[str, int]:
    """The places behind each node, by the comment that hls4ml puts behind its call; of copies the deepest.

    Calls stand in the order of the data, so that the first one that names a FIFO writes it.
    """
    found: dict[str, int] = {}
    left = dict(depths)
    for arguments, name in _CALL.findall(_source(project)):
        mine = [left.pop(word.strip()) for word in arguments.split(",") if word.strip() in left]
        if mine:
            found[name] = max(mine)
    return found
