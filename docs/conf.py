"""The site: Sphinx reads these pages, the docstrings, the command line and the schema of recipes.

make site        # build/site/index.html; warnings are errors
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from _reference import write_reference  # noqa: E402 - it lies here

project = "pquant_hls"
author = copyright = "The pquant_hls developers"  # noqa: A001 - Sphinx' own word
version = release = importlib.metadata.version("pquant_hls")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["deflist", "dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["reference/_*.md"]
html_theme = "furo"
html_title = "pquant_hls"
html_static_path: list[str] = []
html_last_updated_fmt = None

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["ref.python"]  # a field's name that two classes have
linkcheck_timeout = 10

write_reference(HERE / "reference")


def escaped(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Shapes such as (n, *shape) are no emphasis."""
    lines[:] = [re.sub(r"(?<![`*\w])\*(?=\w)", r"\\*", line) for line in lines]


def setup(app: Any) -> None:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", escaped)
