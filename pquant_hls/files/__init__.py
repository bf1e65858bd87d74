"""Files and folders that are there whole or not at all, and folders of work that outlive no process."""

from pquant_hls.files.scratch import scratch, sweep
from pquant_hls.files.whole import out_of_room, replacing, sync, sync_entry, write_bytes

__all__ = ["out_of_room", "replacing", "scratch", "sweep", "sync", "sync_entry", "write_bytes"]
