"""The fitted numbers of the estimator, read once from ``constants.json`` beside this file.

``tools/fit_estimator.py`` writes that file; it says of each group where its numbers come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

SCHEMA_VERSION = 1

_override: list[Mapping[str, Any]] = []


def constants() -> Mapping[str, Any]:
    """The shipped constants, or those of the innermost ``using``."""
    return _override[-1] if _override else _shipped()


@contextmanager
def using(table: Mapping[str, Any]) -> Iterator[None]:
    """Estimate with other constants, as a cross-validation does with those of each fold."""
    _override.append(table)
    try:
        yield
    finally:
        _override.pop()


@cache
def _shipped() -> Mapping[str, Any]:
    text = resources.files("pquant_hls.estimate").joinpath("constants.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
