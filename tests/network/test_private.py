"""Keras' private records are read in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pquant_hls

PRIVATE = re.compile(
    r"_keras_history|_inbound_nodes|_outbound_nodes|_nodes_by_depth|_functional\b|keras\.src"
)


FRONT_END = re.compile(
    r"^\s*(?:import|from) qkeras|startswith\(\"Q|\"Q[A-Z]\w+\"|_quantizer_internal|\"quantized_\w+\"",
    re.MULTILINE,
)


WITNESSES = ("testing/", "network/witness.py")
"""Random networks, and the reference they are judged by: it shares no code with what it judges."""


def matching(pattern: re.Pattern[str]) -> set[str]:
    package = Path(pquant_hls.__file__).parent
    files = {str(path.relative_to(package)): path for path in package.rglob("*.py")}
    return {
        name
        for name, path in files.items()
        if pattern.search(path.read_text()) and not name.startswith(WITNESSES)
    }


def test_one_file_knows_qkeras_by_name() -> None:
    """hls4ml is taught one of its layers. WITNESSES are apart."""
    assert matching(FRONT_END) == {"network/qkeras.py", "hls/handlers.py"}


def test_one_file_touches_what_keras_keeps_to_itself() -> None:
    assert matching(PRIVATE) == {"network/graph.py"}
