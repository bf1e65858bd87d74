"""Draw from a run folder's ledger; its verdict is judged anew."""

from pquant_hls.reporting.firmware import firmware_html
from pquant_hls.reporting.html import to_html
from pquant_hls.reporting.junit import checks_to_junit, to_junit
from pquant_hls.reporting.lines import Line, lines
from pquant_hls.reporting.run import RunReport, read_run
from pquant_hls.reporting.verdict import read_qor

__all__ = [
    "Line",
    "RunReport",
    "checks_to_junit",
    "firmware_html",
    "lines",
    "read_qor",
    "read_run",
    "to_html",
    "to_junit",
]
