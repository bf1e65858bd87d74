"""What a package outside pquant_hls writes to add an operation."""

from pquant_hls.qor import Op

FAR = Op("far", "clip")
