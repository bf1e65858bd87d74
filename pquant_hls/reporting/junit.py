"""Verdicts as JUnit XML, which CI servers show: a test case for each limit of the budget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from xml.etree import ElementTree as Xml

from pquant_hls.errors import OutputError
from pquant_hls.programs.quoting import xml
from pquant_hls.reporting.run import RunReport


class Judged(Protocol):
    """A limit with its verdict: ``store.Checked`` and ``decide.Check`` are such."""

    @property
    def text(self) -> str: ...
    @property
    def verdict(self) -> str: ...


def to_junit(run: RunReport) -> str:
    """The limits on what was handed over: a missed one is a failure, one that is not known an error."""
    if run.status != "finished" and not run.records:
        raise OutputError("no round was finished in this run", where=run.folder)
    return checks_to_junit(run.name, run.verdict, run.reason or run.status, run.checks)


def checks_to_junit(name: str, verdict: str, reason: str, checks: Iterable[Judged]) -> str:
    """One suite: the verdict with its reason, then each check."""
    suite = Xml.Element("testsuite", name=xml(name))
    _case(suite, "verdict", verdict, reason)
    for check in checks:
        _case(suite, check.text, check.verdict, str(check))
    for kind, cases in (("tests", "testcase"), ("failures", ".//failure"), ("errors", ".//error")):
        suite.set(kind, str(len(suite.findall(cases))))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Xml.Element, name: str, outcome: str, text: str) -> None:
    case = Xml.SubElement(suite, "testcase", classname="budget", name=xml(name))
    if outcome != "MET":
        Xml.SubElement(case, "failure" if outcome == "MISSED" else "error", message=xml(text or outcome))
