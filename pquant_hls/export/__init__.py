"""Hand a design to other software: a C++ emulator with its weights inside and its names to itself."""

from pquant_hls.export.emulator import WrittenEmulator, export_emulator

__all__ = ["WrittenEmulator", "export_emulator"]
