"""One run as JUnit XML, which CI servers show: a test case for each limit of the budget."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from pquant_hls.errors import OutputError
from pquant_hls.reporting.run import RunReport


def to_junit(run: RunReport) -> str:
    """The checks of the round that was handed over: a missed limit is a failure, one that is not known an error."""
    if run.final is None:
        raise OutputError("no round was finished in this run", where=run.folder)
    checks = run.final.get("checks", [])
    suite = Xml.Element(
        "testsuite", name=str(run.recipe.get("name", run.folder.name)), tests=str(len(checks) + 1)
    )
    verdict = run.verdict or "UNKNOWN"
    _case(suite, "verdict", verdict, run.reason)
    for check in checks:
        text, _, outcome = check.rpartition(": ")
        _case(suite, text, outcome, check)
    suite.set("failures", str(len(suite.findall(".//failure"))))
    suite.set("errors", str(len(suite.findall(".//error"))))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Xml.Element, name: str, outcome: str, text: str) -> None:
    case = Xml.SubElement(suite, "testcase", classname="budget", name=name)
    if outcome != "MET":
        Xml.SubElement(case, "failure" if outcome == "MISSED" else "error", message=text or outcome)
