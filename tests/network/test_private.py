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


def test_one_file_knows_qkeras_by_name() -> None:
    """The random networks of the tests are made of it, and hls4ml is taught one of its layers."""
    package = Path(pquant_hls.__file__).parent
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if FRONT_END.search(path.read_text())
    }
    assert found == {"network/qkeras.py", "testing/networks.py", "hls/handlers.py"}


def test_one_file_touches_what_keras_keeps_to_itself() -> None:
    package = Path(pquant_hls.__file__).parent
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if PRIVATE.search(path.read_text())
    }
    assert found == {"network/graph.py"}
