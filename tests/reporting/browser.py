"""Pages looked at by headless Chromium (``tools/look_at.py``), where there is one."""

from __future__ import annotations

import pytest
from look_at import WIDTHS, browser, complaints, on_paper, screenshot

__all__ = ["WIDTHS", "chromium", "complaints", "on_paper", "screenshot"]


def chromium() -> str:
    """The browser; skips where there is none."""
    found = browser()
    if found is None:
        pytest.skip("no chromium on this machine")
    return found
