"""Designs of other tools, taken in as projects of this package: hls4ml's own, and programs of alkaid and da4ml."""

from pquant_hls.intake.logic import import_logic, logic_file
from pquant_hls.intake.project import import_project
from pquant_hls.intake.taken import GOLDEN_FILE, Taken

__all__ = ["GOLDEN_FILE", "Taken", "import_logic", "import_project", "logic_file"]
