"""Run folders, ledgers and files that are written whole or not at all."""

from pquant_hls.files import write_bytes
from pquant_hls.store.files import digest_of, read_json, versions, write_json
from pquant_hls.store.ledger import Checked, Entry, Status
from pquant_hls.store.run import RunFolder, check_free, read_ledger, working

__all__ = [
    "Checked",
    "Entry",
    "RunFolder",
    "Status",
    "check_free",
    "digest_of",
    "read_json",
    "read_ledger",
    "versions",
    "working",
    "write_bytes",
    "write_json",
]
