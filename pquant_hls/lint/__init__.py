"""Say, before any conversion, where the firmware would differ from Keras, and mend what needs no retraining."""

from pquant_hls.lint.check import changes, errors, lint, lint_with_form
from pquant_hls.lint.finding import Finding
from pquant_hls.lint.fix import Moved, fix, moved_by_fix
from pquant_hls.lint.rules import RULES, LintRule

__all__ = [
    "RULES",
    "Finding",
    "LintRule",
    "Moved",
    "changes",
    "errors",
    "fix",
    "lint",
    "lint_with_form",
    "moved_by_fix",
]
