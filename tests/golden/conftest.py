"""Helpers for the golden tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.golden import Golden, random_inputs, record
from pquant_hls.hls import load_project


@pytest.fixture
def golden(mini_project: Path, csim_cache: Path) -> Golden:
    """128 random vectors of the mini project."""
    return record(mini_project, random_inputs(load_project(mini_project), 128, seed=1), cache=csim_cache)
