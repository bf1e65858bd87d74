"""Hand a design to other software: C++ emulators with their weights inside and their names to themselves; and a bundle."""

from pquant_hls.export.bank import WrittenBank, export_cmssw
from pquant_hls.export.bundle import Bundled, Verified, bundle, verify_bundle
from pquant_hls.export.emulator import WrittenEmulator, export_emulator
from pquant_hls.export.qonnx import WrittenQonnx, export_qonnx

__all__ = [
    "Bundled",
    "Verified",
    "WrittenBank",
    "WrittenEmulator",
    "WrittenQonnx",
    "bundle",
    "export_cmssw",
    "export_emulator",
    "export_qonnx",
    "verify_bundle",
]
