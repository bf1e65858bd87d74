"""What the pages for users tell to type is typed: Python, commands and recipes, page after page in one folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import Shell

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [
    DOCS / "tutorial.md",
    *(DOCS / "guides" / f"{name}.md" for name in ("physicist", "ci-maintainer", "analyst")),
]
BLOCK = re.compile(r"```(python|yaml|console)\n(.*?)```", re.DOTALL)
EXPECTED = {
    "pquant-hls lint model.keras": 1,
    "pquant-hls tune": (0, 1, 4),
    "pquant-hls report runs/widths": (0, 1, 4),
}
"""Exit statuses other than 0: a float model has findings, and four short trials may miss their budget."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says_works(
    page: Path, folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, page, "exec", dont_inherit=True), names)  # noqa: S102 - our own page
        elif kind == "yaml":
            Path(f"{yaml.safe_load(text)['name']}.yaml").write_text(text)
        else:
            typed(text, shell)


def typed(text: str, shell: Shell) -> None:
    """Each line that begins with a prompt, with the status it must have."""
    for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
        program, *words = shlex.split(line)
        if program == "ls":
            assert any(Path(words[0]).iterdir())
            continue
        assert program == "pquant-hls"
        wanted = next((status for start, status in EXPECTED.items() if line.startswith(start)), 0)
        code, _, err = shell(*words)
        assert code in (wanted if isinstance(wanted, tuple) else (wanted,)), f"{line}: {code}\n{err}"
