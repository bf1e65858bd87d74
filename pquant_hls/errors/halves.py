"""The package comes in halves: firmware alone, and with compression; what lacks is named with its install line."""

from __future__ import annotations

from pquant_hls.errors import ToolNotFound

INSTALL = "pip install 'pquant_hls[compress]'"
COMPRESS = frozenset({"tensorflow", "keras", "qkeras", "hls4ml", "optuna", "h5py"})
"""What the extra ``compress`` brings, by the names that are imported."""


class MissingHalf(ToolNotFound):
    """The compression half is not installed; ``mend`` is its install line."""

    @classmethod
    def of(cls, cause: ModuleNotFoundError) -> MissingHalf | None:
        """The error behind an import that failed; None where what lacks is none of that half."""
        name = (cause.name or "").partition(".")[0]
        if name not in COMPRESS:
            return None
        return cls(
            f"this needs the compression half of pquant_hls, and {name} is not installed", mend=INSTALL
        )
