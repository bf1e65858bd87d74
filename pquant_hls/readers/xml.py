"""XML through defusedxml: no entities, no document types, each element once."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pquant_hls.errors.bounds import XML_ELEMENTS
from pquant_hls.readers.values import Spot, words


class _Limited(TreeBuilder):
    """Refuses documents of more elements than any report has, before they take the memory."""

    def __init__(self, spot: Spot) -> None:
        super().__init__()
        self._spot, self._left = spot, XML_ELEMENTS

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._left -= 1
        if self._left < 0:
            raise self._spot.error(f"more than {XML_ELEMENTS:,} elements, no report has so many")
        return super().start(tag, attrs)


def parse(text: str, spot: Spot) -> Element:
    """The root element.

    Raises
    ------
    ReportError : not well-formed, or with entities or a document type, which no tool writes into its reports.
    """
    if not text.strip():
        raise spot.error("empty file", mend="run the tool again")
    parser = DefusedXMLParser(target=_Limited(spot), forbid_dtd=True)
    try:
        parser.feed(text)
        root: Element = parser.close()
    except ParseError as cause:
        line, column = cause.position
        raise spot.at(f"line {line} column {column}").error(f"not well-formed XML ({cause.msg})") from cause
    except DefusedXmlException as cause:
        raise spot.error(f"holds what no report holds: {type(cause).__name__}") from cause
    except (ValueError, LookupError) as cause:
        raise spot.error(f"not XML: {cause}") from cause
    return root


def one(parent: Element | None, path: str, spot: Spot) -> Element | None:
    """The element at ``path``, None where there is none; an element that stands twice is an error."""
    if parent is None:
        return None
    found = parent.findall(path)
    if len(found) > 1:
        raise spot.at(path).error(f"stands {len(found)} times")
    return found[0] if found else None


def text_of(parent: Element | None, path: str, spot: Spot) -> str | None:
    """Text of the element at ``path``; an element with children where a value should be is an error."""
    element = one(parent, path, spot)
    if element is None:
        return None
    if len(element) > 0:
        raise spot.at(path).error("holds elements where a value should be")
    return words(element.text, spot.at(path))
