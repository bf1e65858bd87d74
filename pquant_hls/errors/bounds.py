"""What a file may ask of the machine: every bound on input from outside, in one place (docs/bounds.md).

No real file comes near; a hostile or damaged one ends with an error of ours before it takes memory or time.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

YAML_BYTES = 200_000
"""Of a recipe or study; a long one has 5,000."""
YAML_VALUES = 100_000
"""Of a document with every alias written out."""
JSON_BYTES = 256 * 2**20
"""Of a JSON text; the largest of a run is its ledger's line."""
REPORT_BYTES = 64 * 2**20
"""Of a tool's report."""
REPORT_LINE = 20_000
"""Characters; the longest lines of real reports, names of templates, have a few thousand."""
XML_ELEMENTS = 500_000
"""Some hundred times what the largest real report has; a megabyte of them costs about 30 of memory."""
CONFIG_BYTES = 16 * 2**20
"""Of a model's configuration; that of 1,000 layers has 2."""
MODEL_BYTES = 2 * 2**30
"""Of a model file, unpacked."""
MODEL_UNITS = 65_536
"""Units or filters of one layer, and the length of one axis of an input."""
GRAPH_BYTES = 2**30
"""Of a FixedPointGraph, unpacked."""
DATA_BYTES = 8 * 2**30
"""Of a data set, as arrays."""
CSV_LINE = 1_000_000
"""Characters of a line, and of a label 1,000."""
LABEL_CHARACTERS = 1_000
CPP_BYTES = 8 * 2**20
"""Of a C++ source of firmware without its weights; the largest of a real project has 0.2 million."""
CPP_DEPTH = 64
"""Expressions within expressions, and names that stand for names."""
WEIGHT_BYTES = 128 * 2**20
"""Of one header or text of weights; a million weights take 20 million."""
BUNDLE_BYTES = 2 * 2**30
"""Of a bundle, which is not compressed; one of a tagger has 5 million."""
FOLDER_FILES = 20_000
"""Files that are looked at for the parts of firmware; a repository of many versions has 1,000."""


def json_values(text: str | bytes) -> Any:
    """The values of a JSON text; ValueError where it is none, longer than JSON_BYTES or nested beyond Python's stack."""
    if len(text) > JSON_BYTES:
        raise ValueError(f"more than {JSON_BYTES:,} bytes of JSON")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def unpacked(archive: zipfile.ZipFile, limit: int, member: str | None = None) -> None:
    """ValueError where the members of an archive, or one of them, state more than ``limit`` bytes; zipfile unpacks no
    more than is stated.
    """
    stated = sum(entry.file_size for entry in archive.infolist() if member in (None, entry.filename))
    if stated > limit:
        raise ValueError(f"unpacks to {stated:,} bytes, more than {limit:,}")
