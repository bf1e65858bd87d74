"""Keras' private records are read in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pquant_hls

PRIVATE = re.compile(
    r"_keras_history|_inbound_nodes|_outbound_nodes|_nodes_by_depth|_functional\b|keras\.src"
)


def test_one_file_touches_what_keras_keeps_to_itself() -> None:
    package = Path(pquant_hls.__file__).parent
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if PRIVATE.search(path.read_text())
    }
    assert found == {"network/graph.py"}
