"""Run the command line in this process and see what a user sees."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pquant_hls.cli import main

# The reports and the mock tools of the measure room's tests.
for room in ("readers", "toolchain", "programs"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / room))


@pytest.fixture
def shell(capfd):
    """``shell(*words)`` gives (exit status, stdout, stderr), both as the file descriptors saw them."""

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        return left.value.code, out, err

    return run
