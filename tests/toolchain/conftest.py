"""Mock tools on PATH: Python programs that take the real command lines and fail in the known ways."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.toolchain.tool_mocks import BANNER, SCRIPT

for room in ("readers", "programs"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / room))

from tests.programs.program_mocks import clock  # noqa: E402

__all__ = ["add_tool", "clock"]


@pytest.fixture
def add_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a mock tool, or another script, into a folder that with sleep and env is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sleep", "env"):
        found = next(Path(part) / name for part in ("/usr/bin", "/bin") if (Path(part) / name).exists())
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, text: str | None = None) -> Path:
        path = folder / name
        banner = BANNER.format(tool=name)
        path.write_text(SCRIPT.format(python=sys.executable, banner=banner) if text is None else text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return add
