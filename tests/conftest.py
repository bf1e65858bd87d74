"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread each: the machine has few cores, and repeatable training needs it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real reports, designs and trigger data; skips where it is absent."""
    if not (SHARED / "synthesis_corpus").is_dir():
        pytest.skip(f"needs real reports and data in {SHARED.name}/ beside the checkout")
    return SHARED
