"""The command line: the only room that prints. Results go to stdout, progress and errors to stderr.

Exit status: 0 met or passed, 1 the check ran and failed, 2 bad input, 3 a tool is missing or failed, 4 not measured.
"""

from pquant_hls.cli.app import main

__all__ = ["main"]
