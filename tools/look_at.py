"""Pages looked at by headless Chromium: what it complains of, what is cut, covered, too faint or on top of each other.

    python tools/look_at.py PAGE.html...

Looks at each page in windows of 400, 800, 1280 and 1600 pixels, light and dark, and as it is printed on A4. Exit 1 where a reader
would stumble, 3 without a browser.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

QUIET = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync disable-background-networking "
    "disable-component-update hide-scrollbars force-device-scale-factor=1"
)
WIDTHS = (400, 800, 1280, 1600)
SHEET = (702, 1016)
"""Pixels within the margins of A4: 210 less 24 mm, and 297 less 28 mm."""
PROBE = Path(__file__).with_name("probe.js")


def browser() -> str | None:
    """The browser's program; None where there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def browse(folder: Path, address: str, *words: str, dark: bool = False) -> subprocess.CompletedProcess[str]:
    """Chromium, with a profile in ``folder``, at an address."""
    program = browser()
    if program is None:
        raise FileNotFoundError("no chromium on PATH")
    scheme = f"blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [program, *(f"--{word}" for word in (*QUIET.split(), scheme, *words))]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", address]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603 - our own words


def _framed(page: str, folder: Path, width: int, height: int, script: str = "") -> str:
    """Address of a page with the page in a frame of this width: a window of Chromium's own is never narrower than 500."""
    held = json.dumps(page).replace("</", "<\\/")
    inside = f"<iframe id='f' style='border:0;width:{width}px;height:{height}px;display:block'></iframe>"
    (folder / "framed.html").write_text(
        f"<!doctype html><html style='color-scheme:light dark'><meta charset='utf-8'><body style='margin:0'>{inside}"
        f"<script>const frame=document.getElementById('f');frame.srcdoc={held};{script}</script></body></html>"
    )
    return (folder / "framed.html").as_uri()


def complaints(
    page: str, folder: Path, width: int, *, dark: bool = False, sheet: int | None = None
) -> list[str]:
    """What a reader in a window of this width would stumble over, in words; empty for a sound page. ``sheet`` is the height of
    the paper of a page that is printed."""
    asked = f"(frame.contentWindow, {json.dumps(sheet)})"
    script = (
        f"frame.onload=()=>{{const out=document.createElement('pre');out.id='found';"
        f"out.textContent=JSON.stringify(({PROBE.read_text()}){asked});document.body.append(out)}};"
    )
    address = _framed(page, folder, width, 1200, script)
    done = browse(folder, address, f"window-size={max(width, 600)},1300", "dump-dom", dark=dark)
    said = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    if said is None:
        raise RuntimeError(f"the probe gave no answer: {done.stderr[-2000:]}")
    text = said[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return [*console, *json.loads(text)]


def on_paper(page: str, folder: Path, *, dark: bool = False) -> list[str]:
    """What a reader of the page on A4 would stumble over: its rules for print, in a window of the width of a sheet."""
    width, height = SHEET
    return complaints(page.replace("@media print", "@media all"), folder, width, dark=dark, sheet=height)


def screenshot(
    page: str, folder: Path, width: int, picture: Path, *, dark: bool = False, height: int = 1600
) -> None:
    """The upper ``height`` pixels of the page in a window of this width, as PNG."""
    address = _framed(page, folder, width, height)
    browse(folder, address, f"window-size={max(width, 500)},{height}", f"screenshot={picture}", dark=dark)


def all_complaints(page: Path) -> list[str]:
    """Those of a page in every window, by day and by night, each with its window."""
    found, text = [], page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for dark in (False, True):
            look = "dark" if dark else "light"
            for width in WIDTHS:
                said = complaints(text, Path(folder), width, dark=dark)
                found += [f"{page.name}, {width} px, {look}: {word}" for word in said]
            printed = on_paper(text, Path(folder), dark=dark)
            found += [f"{page.name}, on paper, {look}: {word}" for word in printed]
    return found


def main(pages: list[Path]) -> int:
    """All pages; 0 where they are sound."""
    if browser() is None:
        print("no chromium on PATH", file=sys.stderr)
        return 3
    found = [word for page in pages for word in all_complaints(page)]
    print(
        "\n".join(found)
        or f"{len(pages)} pages read well at {', '.join(map(str, WIDTHS))} px and on paper, light and dark"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main([Path(word) for word in sys.argv[1:]]))
