"""Run the command line in this process and see what a user sees."""

from __future__ import annotations

import pytest

from pquant_hls.cli import main


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
