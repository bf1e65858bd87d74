"""Every error a user can meet: what happened, where, and the mend, in one line.

The command line maps each class to its exit status (``exit_code``): 2 for bad input, 3 for a tool
that is missing or failed, 4 for what could not be measured.
"""

from __future__ import annotations


class PquantError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message : what is wrong, with the value received.
    where : the file, recipe key, layer or option that is wrong.
    mend : what the user can do about it.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: object = None, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = None if where is None else str(where)
        self.mend = mend

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return text if self.mend is None else f"{text} ({self.mend})"


class SpecError(PquantError):
    """A recipe or option is wrong; ``where`` is its path, e.g. ``steps.0.sparsity``."""


class NoGain(SpecError):
    """A step that is right in itself has nothing to gain on this model; pipelines leave it out and say so."""


class DataError(PquantError):
    """A data set cannot be read or does not fit the model."""


class UnsupportedModel(PquantError):
    """A model cannot be loaded, compressed or converted; ``where`` names the layer or file."""


class OutputError(PquantError):
    """An output folder or file cannot be used."""


class ReportError(PquantError):
    """A tool's report is damaged or says something impossible; ``where`` is file and place."""


class GoldenError(PquantError):
    """A golden file is damaged, of another shape or made from another design."""


class ToolNotFound(PquantError):
    """An outside program is not on this machine."""

    exit_code = 3


class ToolFailed(PquantError):
    """An outside program ran and failed, hung or died; the message holds its own words."""

    exit_code = 3


class NotMeasured(PquantError):
    """A figure could not be measured with what is available; it is never guessed."""

    exit_code = 4


class Waiting(NotMeasured):
    """A figure that a tool elsewhere must tell first; the run goes on from there when it is resumed."""


__all__ = [
    "DataError",
    "GoldenError",
    "NoGain",
    "NotMeasured",
    "OutputError",
    "PquantError",
    "ReportError",
    "SpecError",
    "ToolFailed",
    "ToolNotFound",
    "UnsupportedModel",
    "Waiting",
]
