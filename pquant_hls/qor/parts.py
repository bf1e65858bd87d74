"""What AMD's devices offer, as the HLS tools and Vivado count it: whole devices, BRAM in blocks of 18 kb."""

from __future__ import annotations

import re

from pquant_hls.qor.records import Available

# Device: LUT, DSP, BRAM_18K, URAM; flip-flops are twice the LUTs. From AMD's data sheets (DS180, DS190, DS890,
# DS891, DS926 and those of the Alveo cards); most were compared with the counts in synthesis reports.
_DEVICES: dict[str, tuple[int, int, int, int]] = {
    "7a35t": (20_800, 90, 100, 0),
    "7a100t": (63_400, 240, 270, 0),
    "7a200t": (134_600, 740, 730, 0),
    "7vx690t": (433_200, 3_600, 2_940, 0),
    "7z007s": (14_400, 66, 100, 0),
    "7z010": (17_600, 80, 120, 0),
    "7z020": (53_200, 220, 280, 0),
    "k26": (117_120, 1_248, 288, 64),
    "ku035": (203_128, 1_700, 1_080, 0),
    "ku115": (663_360, 5_520, 4_320, 0),
    "ku15p": (522_720, 1_968, 1_968, 128),
    "u200": (1_182_240, 6_840, 4_320, 960),
    "u250": (1_728_000, 12_288, 5_376, 1_280),
    "u280": (1_303_680, 9_024, 4_032, 960),
    "u50": (871_680, 5_952, 2_688, 640),
    "u55c": (1_303_680, 9_024, 4_032, 960),
    "vu13p": (1_728_000, 12_288, 5_376, 1_280),
    "vu9p": (1_182_240, 6_840, 4_320, 960),
    "zu28dr": (425_280, 4_272, 2_160, 80),
    "zu3eg": (70_560, 360, 432, 0),
    "zu48dr": (425_280, 4_272, 2_160, 80),
    "zu5ev": (117_120, 1_248, 288, 64),
    "zu7ev": (230_400, 1_728, 624, 96),
    "zu9eg": (274_080, 2_520, 1_824, 0),
}
# xcvu13p-flga2577-2-e, xc7z020clg400-1, 7z020clg400-1: the package's letters may follow without a dash. A low-power
# device (xc7a200tl) is the same die.
_NAME = re.compile(rf"(?:x[caq])?(?P<device>{'|'.join(_DEVICES)})l?(?:[a-z]{{2,4}}\d{{2,4}}.*|[:-].*)?\Z")


def available(part: str | None) -> Available | None:
    """Resources of the device a part number names; None for a device that is not listed here."""
    found = None if part is None else _NAME.match(part.strip().lower())
    if found is None:
        return None
    lut, dsp, bram, uram = _DEVICES[found["device"]]
    return Available(lut=lut, ff=2 * lut, dsp=dsp, bram_18k=bram, uram=uram)
