"""The pytest plugin: the fixture ``csim_regression`` and the report of goldens that no test uses.

It is loaded in every pytest run of an environment that holds this package, so nothing heavy is imported here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pquant_hls.testing.regression import CsimRegression

PROPERTY = "csim_golden"
"""Key under which a test's report names the goldens it used; reports also travel between processes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    group = parser.getgroup("pquant_hls", "csim regression of HLS projects (pquant_hls)")
    group.addoption(
        "--csim-regen", action="store_true", help="record goldens anew; a test whose golden changes fails"
    )
    group.addoption(
        "--csim-strict", action="store_true", help="fail the session when a golden is used by no test"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch for unused goldens, in the process that sees all reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_UnusedGoldens(config), "pquant_hls_unused_goldens")


@pytest.fixture
def csim_regression(request: pytest.FixtureRequest) -> CsimRegression:
    """Check generated HLS projects against golden vectors kept beside the test file."""
    from pquant_hls.testing.regression import CsimRegression

    def use(golden: Path) -> None:
        request.node.user_properties.append((PROPERTY, str(golden)))

    return CsimRegression(
        request.path, request.node.name, use, regenerate=request.config.getoption("--csim-regen")
    )


class _UnusedGoldens:
    """Collects from the reports which goldens were used; says nothing of files that did not run whole."""

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        self.strict = bool(config.getoption("--csim-strict"))
        self.partial = any("::" in str(argument) for argument in config.args)
        self.used: set[Path] = set()
        self.ran: set[Path] = set()
        self.incomplete: set[Path] = set()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.partial |= bool(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = self.root / report.nodeid.partition("::")[0]
        self.ran.add(file)
        self.used |= {Path(str(value)) for key, value in report.user_properties if key == PROPERTY}
        if not report.passed:
            self.incomplete.add(file)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.partial |= bool(session.shouldfail or session.shouldstop)
        if self.strict and session.exitstatus == pytest.ExitCode.OK and self.unused():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        unused = self.unused()
        if unused:
            terminalreporter.section(
                "csim goldens that no test uses", yellow=not self.strict, red=self.strict
            )
            for path in unused:
                terminalreporter.line(str(path))

    def unused(self) -> list[Path]:
        """Goldens beside test files that ran whole, or whose test file is gone."""
        if self.partial or not (self.used or self.strict):
            return []
        folders = {file.parent for file in self.ran}
        goldens = [golden for folder in sorted(folders) for golden in sorted(folder.glob("*/*.golden"))]
        return [golden for golden in goldens if golden not in self.used and self._is_settled(golden)]

    def _is_settled(self, golden: Path) -> bool:
        file = golden.parent.with_suffix(".py")
        return not file.exists() or (file in self.ran and file not in self.incomplete)
