"""The look of pages and pictures: all colours, light and dark, for windows of any width and for paper.

Every text has a contrast of 4.5 or more with what lies behind it, every mark 3 or more (WCAG 2.1, 1.4.3 and 1.4.11); what
is pale on purpose has its figures in the table. Nothing outside ``.pquant`` is touched, so that a notebook keeps its look.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "raised": "#f5f7f9",
    "ink": "#1c2126",
    "soft": "#566069",
    "rule": "#d5dbe1",
    "met": "#176b2c",
    "missed": "#b01818",
    "unknown": "#845400",
    "pale": "#c3d3e6",
    "c0": "#2a67ad",
    "c1": "#b1540a",
    "c2": "#1b7a4b",
    "c3": "#7a48b0",
    "c4": "#ab275c",
    "c5": "#0a7083",
    "c6": "#6b6330",
}
DARK = {
    "paper": "#14181c",
    "raised": "#1e242a",
    "ink": "#e8ecf0",
    "soft": "#a7b1bb",
    "rule": "#39424b",
    "met": "#6fce88",
    "missed": "#ff8a80",
    "unknown": "#e6b450",
    "pale": "#2f4a68",
    "c0": "#74adee",
    "c1": "#f2a562",
    "c2": "#66c796",
    "c3": "#bd9fe9",
    "c4": "#f08db4",
    "c5": "#5fcbdb",
    "c6": "#cdc27a",
}
SERIES = 7
"""Colours of series: ``c0`` to ``c6``, then over again."""


def series(number: int) -> str:
    """The class of the colour of a series."""
    return f"c{number % SERIES}"


def _colours(values: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in values.items())


_TEXT = """
.pquant{color:var(--ink);background:var(--paper);font:15px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
.pquant h1,.pquant p,.pquant li,.pquant pre,.pquant .slim td{overflow-wrap:anywhere}
.pquant h1{font-size:1.5rem;line-height:1.25;margin:0 0 .3rem}
.pquant h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-top:.5rem;border-top:1px solid var(--rule)}
.pquant a{color:var(--c0)}.pquant :focus-visible{outline:2px solid var(--c1);outline-offset:2px}
.pquant .MET,.pquant .kept{color:var(--met)}.pquant .MISSED{color:var(--missed)}.pquant .UNKNOWN{color:var(--unknown)}
.pquant .note,.pquant .facts,.pquant .missing{color:var(--soft)}.pquant .note{font-size:.87rem;margin:.2rem 0}
.pquant .verdict{background:var(--raised);border-left:5px solid var(--soft);padding:.6rem .9rem;margin:1rem 0}
.pquant .verdict.MET{border-color:var(--met)}.pquant .verdict.MISSED{border-color:var(--missed)}
.pquant .verdict.UNKNOWN{border-color:var(--unknown)}.pquant .verdict,.pquant .verdict p{color:var(--ink)}
.pquant .verdict p{margin:.2rem 0}.pquant .verdict strong{font-size:1.15rem;color:inherit}
.pquant .verdict.MET strong{color:var(--met)}.pquant .verdict.MISSED strong{color:var(--missed)}
.pquant .verdict.UNKNOWN strong{color:var(--unknown)}
.pquant pre{background:var(--raised);padding:.6rem;white-space:pre-wrap;font-size:.85rem;margin:.5rem 0}
.pquant summary{cursor:pointer;color:var(--soft);font-size:.87rem}
"""
_TABLE = """
.pquant table{border-collapse:collapse;margin:.6rem 0;font-size:.87rem;font-variant-numeric:tabular-nums}
.pquant td,.pquant th{border-bottom:1px solid var(--rule);padding:.28rem .6rem;text-align:right;vertical-align:top;
background:none;color:inherit}
.pquant thead th{color:var(--soft);font-weight:600;border-bottom:2px solid var(--rule)}
.pquant th:first-child{text-align:left;font-weight:600}.pquant .text{text-align:left}
.pquant td.text{max-width:30em;min-width:5em}
.pquant .stack th[scope=row]{min-width:4.2rem}.pquant .broad td.text:last-child{min-width:14em}
.pquant .stack td:not(.text){white-space:nowrap}
.pquant .pair th[scope=row]{min-width:25cqw}.pquant .pair td:not(.text){white-space:normal}
"""
_PICTURE = """
.pquant figure{margin:.4rem 0 1.2rem;min-width:0}.pquant figcaption{font-weight:600;margin:.2rem 0}
.pquant svg.picture,svg.pquant.picture{display:block;width:100%;max-width:720px;height:auto;
font:12px system-ui,sans-serif}
.pquant .fit{container-type:inline-size}.pquant .picture.narrow{display:none}
@container (max-width:480px){.pquant .picture.wide{display:none}.pquant .picture.narrow{display:block}}
.pquant .picture text{fill:var(--ink);stroke:none}.pquant .picture .soft{fill:var(--soft)}
.pquant .picture .strong{font-weight:600}.pquant .picture .bad{fill:var(--missed)}
.pquant .picture .grid{stroke:var(--rule)}.pquant .picture .axis{stroke:var(--soft)}
.pquant .picture .limit{stroke:var(--missed);stroke-width:1.5;stroke-dasharray:6 4}
.pquant .picture .whisker{stroke:var(--ink);stroke-width:1.5}
.pquant .picture .bar{fill:var(--c0)}.pquant .picture .second{fill:var(--c1)}.pquant .picture .left{fill:var(--soft)}
.pquant .picture .box{fill:var(--pale)}.pquant .picture .over{fill:var(--missed)}
.pquant .picture .within{fill:var(--c0);fill-opacity:.85}.pquant .picture .full{fill:var(--missed);fill-opacity:.9}
.pquant .picture .dominated{fill:var(--pale);stroke:var(--soft);stroke-width:.7}
.pquant .picture .best{fill:var(--c0)}.pquant .picture .chosen{fill:none;stroke:var(--ink);stroke-width:1.6}
.pquant .picture .broke{fill:none;stroke:var(--missed);stroke-width:1.6}
.pquant .picture .key{stroke-width:3}.pquant .picture .thin{stroke-width:1.5;stroke-dasharray:4 3;fill:none}
.pquant .picture .solid{stroke-width:2;fill:none}.pquant .picture .area{fill-opacity:.22;stroke:none}
.pquant .picture .front{fill:none;stroke:var(--c0);stroke-width:1.2}
.pquant .picture .key.grey{stroke:var(--soft)}.pquant .picture .key.red{stroke:var(--missed)}
.pquant .picture rect.heat{fill:var(--c0)}.pquant .picture .h0{fill-opacity:.06}.pquant .picture .h1{fill-opacity:.18}
.pquant .picture .h2{fill-opacity:.32}.pquant .picture .h3{fill-opacity:.46}.pquant .picture text.t4{fill:var(--paper)}
.pquant .picture .swatch{stroke-width:9}.pquant .picture .box.swatch{stroke:var(--pale)}
.pquant .picture .within.swatch{stroke:var(--c0)}.pquant .picture .over.swatch{stroke:var(--missed)}
.pquant .picture .best.swatch,.pquant .picture .bar.swatch{stroke:var(--c0)}
.pquant .picture .dominated.swatch{stroke:var(--pale)}.pquant .picture .left.swatch{stroke:var(--soft)}
.pquant .picture .broke.swatch{stroke:var(--missed)}.pquant .picture .chosen.swatch{stroke:var(--ink)}
"""
_STACKED = """
.pquant .stack,.pquant .stack tbody,.pquant .stack tr,.pquant .stack tbody th{display:block}
.pquant .stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.pquant .stack tr{border-bottom:1px solid var(--rule);padding:.35rem 0}
.pquant .stack td,.pquant .stack th{border:0;padding:.1rem 0}
.pquant .stack td[data-head]{display:flex;justify-content:space-between;gap:1rem;max-width:none;white-space:normal;min-width:0}
.pquant .stack td[data-head]::before{content:attr(data-head);color:var(--soft);text-align:left;flex:none;max-width:45%}
"""
"""A table where it has no room for its columns: one block a row, each figure behind its head."""
_PRINT = """
@media print{.pquant{font-size:1rem}.pquant nav,.pquant figure details:not([open]){display:none}
.pquant h2,.pquant h3,.pquant summary{break-after:avoid}
.pquant figure,.pquant tr,.pquant .verdict,.pquant svg,.pquant pre{break-inside:avoid}
.pquant .broad tbody{columns:2;column-gap:2rem}}
"""
"""Paper: pictures and rows on one sheet each, two blocks of a long row side by side, nothing to be unfolded."""


def _strokes() -> str:
    return "".join(
        f".pquant .picture .{name}{{stroke:var(--{name})}}"
        f".pquant .picture .area.{name},.pquant .picture .fill.{name}{{fill:var(--{name});stroke:none}}"
        for name in map(series, range(SERIES))
    )


STYLE = (
    f".pquant{{color-scheme:light dark;{_colours(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{.pquant{{{_colours(DARK)}}}}}"
    f"@media print{{.pquant{{{_colours(LIGHT)}}}}}"
    f"{_TEXT}{_TABLE}{_PICTURE}{_strokes()}@container (max-width:600px){{{_STACKED}}}"
    f"@container (max-width:900px){{{_STACKED.replace('.stack', '.broad')}}}{_PRINT}"
).replace("\n", "")
PAGE = (
    "body{margin:0;background:var(--paper)}main{max-width:1400px;margin:0 auto;padding:1.2rem 1rem 3rem}"
    ".side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:0 2rem}"
    "@page{size:A4;margin:14mm 12mm}@media print{html{font-size:11px}main{padding:0;max-width:none}}"
    "nav ul{list-style:none;padding:0;margin:.6rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem}"
)
