"""Draw from a run folder's ledger; its verdict is judged anew."""

from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.firmware import firmware_html
from pquant_hls.reporting.frames import frame
from pquant_hls.reporting.html import result_html, to_html
from pquant_hls.reporting.junit import checks_to_junit, to_junit
from pquant_hls.reporting.lines import Line, lines
from pquant_hls.reporting.markdown import to_markdown
from pquant_hls.reporting.plots import Plots
from pquant_hls.reporting.record import to_record
from pquant_hls.reporting.run import RunReport, read_run
from pquant_hls.reporting.verdict import read_qor

__all__ = [
    "Line",
    "Picture",
    "Plots",
    "RunReport",
    "TextTable",
    "checks_to_junit",
    "firmware_html",
    "frame",
    "lines",
    "read_qor",
    "read_run",
    "result_html",
    "to_html",
    "to_junit",
    "to_markdown",
    "to_record",
]
