"""Small arrays to write in every format, and the tools that made and compared the bundled jets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def generate_jets() -> ModuleType:
    """tools/generate_jets.py, without the generators it runs."""
    return _tool("generate_jets")


@pytest.fixture(scope="session")
def compare_jets() -> ModuleType:
    """tools/compare_jets.py."""
    return _tool("compare_jets")


@pytest.fixture
def arrays() -> dict[str, Any]:
    """100 events of 3 features and 3 classes, 50/30/20."""
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), (50, 30, 20))
    return {"x": rng.normal(size=(100, 3)).astype(np.float32), "y": rng.permutation(y)}
