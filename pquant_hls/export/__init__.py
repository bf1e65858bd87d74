"""Hand a design to other software: a C++ emulator with its weights inside and its names to itself; and a bundle."""

from pquant_hls.export.bundle import Bundled, Verified, bundle, verify_bundle
from pquant_hls.export.emulator import WrittenEmulator, export_emulator

__all__ = ["Bundled", "Verified", "WrittenEmulator", "bundle", "export_emulator", "verify_bundle"]
