"""``*_csim.log``: what C simulation printed, and whether it came to its end."""

from __future__ import annotations

import re

from pquant_hls.readers import values
from pquant_hls.readers.records import CsimReport
from pquant_hls.readers.tables import Block
from pquant_hls.readers.values import Spot

_START = re.compile(r"INFO: \[SIM (?:211-)?2\] \*+ CSIM start \*+")
_DONE = re.compile(r"INFO: \[SIM (?:211-)?1\] CSim done with (?P<errors>\S+) errors?\.")
_FINISH = re.compile(r"INFO: \[SIM (?:211-)?3\] \*+ CSIM finish \*+")
_ERROR = re.compile(r"\s*(?:ERROR\b|@E )")


def recognises(block: Block) -> bool:
    return any(_START.match(line) for line in block.lines)


def read(block: Block, spot: Spot) -> CsimReport:
    """Errors as counted by the tool, and the first line that names one."""
    done = [found for line in block.lines if (found := _DONE.match(line))]
    if sum(1 for line in block.lines if _START.match(line)) != 1 or len(done) > 1:
        raise spot.error("two simulations in one file")
    return CsimReport(
        kind="csim",
        file=spot.file,
        errors=values.whole_number(done[0]["errors"], spot.at("CSim done")) if done else None,
        is_finished=True if any(_FINISH.match(line) for line in block.lines) else None,
        first_error=next((line.strip()[:300] for line in block.lines if _ERROR.match(line)), None),
    )
