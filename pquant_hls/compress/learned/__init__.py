"""Widths that are trained with the weights: grids with a gradient, a price on what they cost, the front of one training.

quantizer -> twin; front, price; search reads them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.compress.learned.front import Front as Front
    from pquant_hls.compress.learned.front import FrontPoint as FrontPoint
    from pquant_hls.compress.learned.search import Learned as Learned
    from pquant_hls.compress.learned.search import learn as learn

attach(globals())
