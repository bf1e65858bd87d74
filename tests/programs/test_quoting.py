"""What comes out of a door is read as the text that went in, by the language's own reader, and does nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

from pquant_hls.cli.app import main
from pquant_hls.engine.progress import PlainConsole
from pquant_hls.errors import SpecError
from pquant_hls.programs import quoting
from pquant_hls.qor import Target
from pquant_hls.reporting.junit import checks_to_junit
from pquant_hls.rtl.testbench import constraints, vivado_script
from pquant_hls.spec import HlsSpec

HOSTILE = (
    "[exec touch PWNED]",
    "$::env(HOME)",
    '"; exec touch PWNED; "',
    "{a} b\nexec touch PWNED",
    "back\\",
    "a\tb",
    "é ∂ \U0001f600",
    "</script><script>alert(1)</script>",
    "'\" onload='x",
    "]]><!ENTITY x>",
    "\x1b]0;title\x07\x1b[2J",
    "[bold red]x[/]",
    "$(shell touch PWNED)",
    "a#b%c",
    "\u202etxt.exe",
    "*/ system(0); //",
    "??/",
    "",
)


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh")
def test_tcl_reads_one_word_and_runs_nothing(tmp_path: Path) -> None:
    lines = ["proc show {text} {puts [binary encode hex [encoding convertto utf-8 $text]]}"]
    lines += [
        f"show {quoting.tcl(text)}" for text in HOSTILE if "\U0001f600" not in text
    ]  # Tcl 8.6 has 16 bits
    (tmp_path / "t.tcl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(["tclsh", "t.tcl"], cwd=tmp_path, capture_output=True, text=True, check=True)
    read = [bytes.fromhex(line).decode() for line in done.stdout.splitlines()]
    assert read == [text for text in HOSTILE if "\U0001f600" not in text]
    assert [path.name for path in tmp_path.iterdir()] == ["t.tcl"]


@pytest.mark.gxx
def test_a_cpp_literal_holds_the_bytes_and_a_comment_ends_with_its_line(tmp_path: Path) -> None:
    texts = [*HOSTILE, "\udcff"]
    body = "\n".join(f"    show({quoting.cpp_string(text)}); // {quoting.comment(text)}" for text in texts)
    source = (
        '#include <cstdio>\nstatic void show(const char *s) { while (*s) std::printf("%02x", (unsigned char)*s++); '
        f'std::puts(""); }}\nint main() {{\n{body}\n}}\n'
    )
    (tmp_path / "t.cpp").write_text(source, encoding="utf-8")
    subprocess.run(["g++", "-w", "-trigraphs", "t.cpp", "-o", "t"], cwd=tmp_path, check=True)
    said = subprocess.run(["./t"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [bytes.fromhex(line) for line in said.splitlines()] == [
        text.encode("utf-8", errors="surrogateescape") for text in texts
    ]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_finds_the_file_of_that_name_or_the_name_is_refused(tmp_path: Path) -> None:
    for text in ("a$b", "a#b", "$(shell touch PWNED)", "-x", "é", "a'b"):
        if " " in text:
            with pytest.raises(SpecError, match="cannot stand in a makefile"):
                quoting.make(text)
            continue
        (tmp_path / text).write_text("")
        (tmp_path / "Makefile").write_text(f"all: {quoting.make(text)}\n\t@echo found\n")
        done = subprocess.run(
            ["make", "--no-print-directory"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout == "found\n"
    for text in ("a b", "a\nb", "a%b", "a:b", "a;b", "", "a=b"):
        with pytest.raises(SpecError):
            quoting.make(text)
    assert not (tmp_path / "PWNED").exists()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.attribute: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attribute = dict(attrs).get("title")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_shows_the_text_and_has_no_tag_more(text: str) -> None:
    reader = _Reader()
    reader.feed(f'<p title="{quoting.html(text)}">{quoting.html(text)}</p>')
    assert reader.tags == ["p"]
    assert reader.text == quoting.xml(text)
    assert reader.attribute == quoting.xml(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[])))
def test_any_text_leaves_junit_well_formed(text: str) -> None:
    suite = ElementTree.fromstring(checks_to_junit(text, "MISSED", text, []))
    assert suite.get("name") is not None


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[])))
def test_a_terminal_gets_no_control_characters(text: str) -> None:
    shown = quoting.terminal(text)
    assert not any(
        (ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160 for letter in shown
    )
    shown.encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_the_console_shows_brackets_and_commands_nothing(text: str) -> None:
    out = StringIO()
    console = PlainConsole(file=out, force_terminal=True, width=200, color_system=None)
    table = Table()
    table.add_column("name")
    table.add_row(text)
    console.print(text)
    console.print(table)
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert "[bold red]x[/]" in out.getvalue() or "bold" not in text


def test_a_part_from_anywhere_is_one_word_of_the_vivado_script() -> None:
    """A Target may be made without a recipe, which refuses such a part itself."""
    target = Target(part='[exec touch PWNED]"; exec x\nputs y', clock_ns=5, clock_uncertainty_ns=0)
    script = vivado_script("top", target.part)
    assert f"-part {quoting.tcl(target.part)} -mode" in script
    assert "[exec" not in script.replace("\\[exec", "")
    assert constraints(target).count("\n") == 2
    for key, value in (
        ("part", target.part),
        ("project_name", "x;y"),
        ("precision", "ap_fixed<16,6>; int x"),
    ):
        with pytest.raises(SpecError):
            HlsSpec.parse({key: value})


def test_an_error_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lint", "\x1b]0;title\x07\x1b[31m[bold]x.keras"])
    assert "\\x1b]0;title\\x07\\x1b[31m[bold]x.keras: no such model file" in capsys.readouterr().err


def test_only_the_doors_quote() -> None:
    """A second way to quote is a way to forget one."""
    package = Path(quoting.__file__).parents[1]
    found = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"^(import html\b|from html\b|.*xml\.sax|from rich\.markup)", path.read_text(), re.M)
    }
    assert found <= {"quoting.py"}
