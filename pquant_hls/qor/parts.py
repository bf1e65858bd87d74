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
# As the data sheets count them; not yet seen in a report, so no report is held against these.
_DATA_SHEETS: dict[str, tuple[int, int, int, int]] = {
    "7a15t": (10_400, 45, 50, 0),
    "7a50t": (32_600, 120, 150, 0),
    "7a75t": (47_200, 180, 210, 0),
    "7k70t": (41_000, 240, 270, 0),
    "7k160t": (101_400, 600, 650, 0),
    "7k325t": (203_800, 840, 890, 0),
    "7k355t": (222_600, 1_440, 1_430, 0),
    "7k410t": (254_200, 1_540, 1_590, 0),
    "7k420t": (260_600, 1_680, 1_670, 0),
    "7k480t": (298_600, 1_920, 1_910, 0),
    "7v585t": (364_200, 1_260, 1_590, 0),
    "7v2000t": (1_221_600, 2_160, 2_584, 0),
    "7vx330t": (204_000, 1_120, 1_500, 0),
    "7vx415t": (257_600, 2_160, 1_760, 0),
    "7vx485t": (303_600, 2_800, 2_060, 0),
    "7vx550t": (346_400, 2_880, 2_360, 0),
    "7vx980t": (612_000, 3_600, 3_000, 0),
    "7vx1140t": (712_000, 3_360, 3_760, 0),
    "7z012s": (34_400, 120, 144, 0),
    "7z014s": (40_600, 170, 214, 0),
    "7z015": (46_200, 160, 190, 0),
    "7z030": (78_600, 400, 530, 0),
    "7z035": (171_900, 900, 1_000, 0),
    "7z045": (218_600, 900, 1_090, 0),
    "7z100": (277_400, 2_020, 1_510, 0),
    "ku025": (145_440, 1_152, 720, 0),
    "ku040": (242_400, 1_920, 1_200, 0),
    "ku060": (331_680, 2_760, 2_160, 0),
    "ku085": (497_520, 4_100, 3_240, 0),
    "ku095": (537_600, 768, 3_360, 0),
    "ku3p": (162_720, 1_368, 720, 48),
    "ku5p": (216_960, 1_824, 960, 64),
    "ku9p": (274_080, 2_520, 1_824, 0),
    "ku11p": (298_560, 2_928, 1_200, 80),
    "ku13p": (341_280, 3_528, 1_488, 112),
    "vu065": (358_080, 600, 2_520, 0),
    "vu095": (537_600, 768, 3_456, 0),
    "vu125": (716_160, 1_200, 5_040, 0),
    "vu160": (926_400, 1_560, 6_552, 0),
    "vu190": (1_074_240, 1_800, 7_560, 0),
    "vu440": (2_532_960, 2_880, 5_040, 0),
    "vu3p": (394_080, 2_280, 1_440, 320),
    "vu7p": (788_160, 4_560, 2_880, 640),
    "vu11p": (1_296_000, 9_216, 4_032, 960),
    "vu19p": (4_085_760, 3_840, 4_320, 320),
    "vu35p": (871_680, 5_952, 2_688, 640),
    "vu37p": (1_303_680, 9_024, 4_032, 960),
    "vu47p": (1_303_680, 9_024, 4_032, 960),
    "zu2eg": (47_232, 240, 300, 0),
    "zu4ev": (87_840, 728, 256, 48),
    "zu11eg": (298_560, 2_928, 1_200, 80),
    "zu15eg": (341_280, 3_528, 1_488, 112),
    "zu19eg": (522_720, 1_968, 1_968, 128),
}
# xcvu13p-flga2577-2-e, xc7z020clg400-1, 7z020clg400-1: the package's letters may follow without a dash. A low-power
# device (xc7a200tl) is the same die.
_ORDERED = r"(?:x[caq])?(?P<device>{devices})l?(?:[a-z]{{2,4}}\d{{2,4}}.*|[:-].*)?\Z"
_REPORTED = re.compile(_ORDERED.format(devices="|".join(_DEVICES)))
_KNOWN = re.compile(_ORDERED.format(devices="|".join([*_DEVICES, *_DATA_SHEETS])))

PART_NUMBER = re.compile(
    r"(?!0)\w+(?:(?::-?|-)[a-z]{2,4}\d{2,4})?(?:(?::-?|-)[1-3][a-z]{0,3})?(?:(?::-?|-)[a-z](?:-\w{1,4})*)?\Z",
    re.ASCII | re.IGNORECASE,
)
"""Device, package, speed grade and temperature grade (AMD DS890, ordering information)."""


def same_part(one: str, other: str) -> bool:
    """Whether two part numbers name one part; what only one of them tells (package, grades) is not held against it."""
    left, right = (re.split(r"[-:]+", text.strip().lower()) for text in (one, other))
    return all(first == second for first, second in zip(left, right, strict=False))


def available(part: str | None) -> Available | None:
    """Resources of the device a part number names, as reports of it have them; None for one not seen in a report."""
    return _found(part, _REPORTED)


def capacity(part: str | None) -> Available | None:
    """As ``available``, or as AMD's data sheets have it; None for a device that is not listed here."""
    return _found(part, _KNOWN)


def _found(part: str | None, names: re.Pattern[str]) -> Available | None:
    found = None if part is None else names.match(part.strip().lower())
    if found is None:
        return None
    lut, dsp, bram, uram = (_DEVICES | _DATA_SHEETS)[found["device"]]
    return Available(lut=lut, ff=2 * lut, dsp=dsp, bram_18k=bram, uram=uram)
