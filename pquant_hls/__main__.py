"""``python -m pquant_hls``: the command ``pquant-hls``."""

from __future__ import annotations

from pquant_hls.cli import main

if __name__ == "__main__":
    main()
