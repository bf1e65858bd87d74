"""Hand a design to other software: a C++ emulator with its weights inside and its names to itself."""

from pquant_hls.export.emulator import Emulator, export_emulator

__all__ = ["Emulator", "export_emulator"]
