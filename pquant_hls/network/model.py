"""The type of a model, for signatures: of type checkers alone, so that no room imports Keras for a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras import Model

    __all__ = ["Model"]
