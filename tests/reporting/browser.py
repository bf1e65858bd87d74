"""Pages looked at by headless Chromium: what it complains of, what is cut, covered, too faint or on top of each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

QUIET = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync disable-background-networking "
    "disable-component-update hide-scrollbars force-device-scale-factor=1"
)
WIDTHS = (400, 800, 1280)
PROBE = Path(__file__).with_name("probe.js")


def chromium() -> str:
    """The browser; skips where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


def _run(folder: Path, page: Path, *words: str, dark: bool) -> subprocess.CompletedProcess[str]:
    scheme = f"blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [chromium(), *(f"--{word}" for word in (*QUIET.split(), scheme, *words))]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def _framed(page: str, folder: Path, width: int, height: int, script: str = "") -> Path:
    """A page with the page in a frame of this width: a window of Chromium's own is never narrower than 500."""
    held = json.dumps(page).replace("</", "<\\/")
    inside = f"<iframe id='f' style='border:0;width:{width}px;height:{height}px;display:block'></iframe>"
    (folder / "framed.html").write_text(
        f"<!doctype html><html style='color-scheme:light dark'><meta charset='utf-8'><body style='margin:0'>{inside}"
        f"<script>const frame=document.getElementById('f');frame.srcdoc={held};{script}</script></body></html>"
    )
    return folder / "framed.html"


def complaints(page: str, folder: Path, width: int, *, dark: bool = False) -> list[str]:
    """What a reader in a window of this width would stumble over, in words; empty for a sound page."""
    script = (
        f"frame.onload=()=>{{const out=document.createElement('pre');out.id='found';"
        f"out.textContent=JSON.stringify(({PROBE.read_text()})(frame.contentWindow));document.body.append(out)}};"
    )
    done = _run(
        folder,
        _framed(page, folder, width, 1200, script),
        f"window-size={max(width, 600)},1300",
        "dump-dom",
        dark=dark,
    )
    said = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said is not None, f"the probe gave no answer: {done.stderr[-2000:]}"
    text = said[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return [*console, *json.loads(text)]


def screenshot(
    page: str, folder: Path, width: int, picture: Path, *, dark: bool = False, height: int = 1600
) -> None:
    """The upper ``height`` pixels of the page in a window of this width."""
    framed = _framed(page, folder, width, height)
    _run(folder, framed, f"window-size={max(width, 500)},{height}", f"screenshot={picture}", dark=dark)
