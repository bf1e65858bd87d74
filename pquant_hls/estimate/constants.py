"""The fitted numbers of the estimator, read once from ``constants.json`` beside this file.

``tools/fit_estimator.py`` writes that file; nothing here is tuned by hand.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

SCHEMA_VERSION = 1


@cache
def constants() -> dict[str, Any]:
    """The content of ``constants.json``: delays in ns, cycles, LUT and FF per bit; each entry names its unit."""
    text = resources.files(__package__).joinpath("constants.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
