"""The rows of hls4ml's functions that look values up, crop an image or repeat its rows and columns."""

from __future__ import annotations

from pquant_hls.firmware.layers import Attrs, CallSite, FunctionRule, Shape, register_function


def _cropped(site: CallSite) -> Attrs:
    """Values left out before and behind, outermost axis first."""
    pairs = [site.config.numbers("crop_top", "crop_bottom"), site.config.numbers("crop_left", "crop_right")]
    return {"cropping": [pair for pair in pairs if pair]}


def _kept(site: CallSite) -> Shape | None:
    found = site.config.numbers("out_height", "out_width", "n_chan") or ()
    return tuple(found) if len(found) >= 2 else None


def _image(site: CallSite) -> Shape | None:
    found = site.config.numbers("new_height", "new_width", "n_chan") or ()
    return tuple(found) if len(found) == 3 else None


def _factors(site: CallSite) -> Attrs:
    """How often each row and column is repeated."""
    before, after = (site.config.numbers(f"{word}height", f"{word}width") or [1, 1] for word in ("", "new_"))
    return {"factors": [new // old for old, new in zip(before, after, strict=True)]}


def _entries(site: CallSite) -> Attrs:
    return {"table_size": site.number("table_size", 0)}


for _rank in (1, 2):
    register_function(
        FunctionRule(f"cropping{_rank}d", gives=_kept, types={}, attrs=_cropped), f"cropping{_rank}d_cl"
    )
register_function(FunctionRule("upsampling2d", gives=_image, types={}, attrs=_factors), "resize_nearest")
register_function(
    FunctionRule("lookup", types={"table": "table_t"}, arrays=("table",), attrs=_entries), "unary_lut"
)
