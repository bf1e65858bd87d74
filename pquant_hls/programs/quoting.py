"""One door for each language that a text of the user's may reach: what comes out of it is read as that text alone.

Layer names, paths, parts, names of projects and recipes, words of errors and of other tools: none of them may become
a command, a tag or a control sequence on the way. Nothing else in the package quotes for these languages.
"""

from __future__ import annotations

import html as _html
import re
import unicodedata

from pquant_hls.errors import SpecError

_TCL_PLAIN = re.compile(r"[\w.:/+,=-]+", re.ASCII)
_MAKE_WORD = re.compile(r"[^\s\0%=:;|]+")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tcl(text: str) -> str:
    """One word of a Tcl script: every character that Tcl may give a meaning stands behind a backslash (Tcl(n), [9])."""
    if _TCL_PLAIN.fullmatch(text):
        return text
    return "".join(_tcl_character(letter) for letter in text) or "{}"


def _tcl_character(letter: str) -> str:
    if _TCL_PLAIN.fullmatch(letter) or (letter.isalnum() and letter.isprintable()):
        return letter
    return (
        f"\\{letter}"
        if " " <= letter <= "~"
        else f"\\U{ord(letter):08x}"
        if ord(letter) > 0xFFFF
        else f"\\u{ord(letter):04x}"
    )


def cpp_string(text: str) -> str:
    """A string literal of C++, quotes included: bytes of UTF-8, and of undecodable file names, in octal."""
    plain = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", errors="surrogateescape")
    )
    return f'"{plain}"'


def comment(text: str) -> str:
    """A text for a comment that ends with its line, of C++, Tcl, XDC or make: a backslash (or its trigraph) at its
    end joins no line.
    """
    line = terminal(" ".join(text.split()))
    return line + " ." if line.endswith(("\\", "??/")) else line


def make(name: str) -> str:
    """A file's name as target or prerequisite of a makefile (GNU make, 4.3 and 6.1).

    Raises SpecError for names that make cannot hold: with blanks, or one of ``% = : ; |``.
    """
    if not _MAKE_WORD.fullmatch(name):
        raise SpecError(f"{name!r} cannot stand in a makefile", mend="a name without blanks and % = : ; |")
    return name.replace("$", "$$").replace("#", "\\#")


def html(text: str) -> str:
    """Text or an attribute's value in a page."""
    return _html.escape(xml(text), quote=True)


def xml(text: str) -> str:
    """Text for a writer of XML: what XML 1.0 has no character for (2.2) is shown as Python's ``\\x1b``."""
    return _NOT_XML.sub(_shown, text)


def terminal(text: str) -> str:
    """Text for a terminal: control characters, and those that turn its direction, are shown, lines and tabs stay."""
    return "".join(letter if letter in "\n\t" or not _commands(letter) else _shown(letter) for letter in text)


def _commands(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in "\u200c\u200d"


def _shown(found: str | re.Match[str]) -> str:
    return repr(found if isinstance(found, str) else found[0])[1:-1]
