"""What the fixture ``csim_regression`` does for one test."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TypedDict, Unpack

import numpy as np
import pytest
from numpy.typing import ArrayLike

from pquant_hls import golden as csim
from pquant_hls.errors import GoldenError, PquantError
from pquant_hls.golden import CheckResult, Golden, Rule
from pquant_hls.golden.file import to_text
from pquant_hls.hls import HlsProject, load_project

RANDOM_INPUTS = 256
Arrays = ArrayLike | list[ArrayLike]


class RuleOptions(TypedDict, total=False):
    """Options of ``pquant_hls.golden.Rule``."""

    mode: csim.Mode
    tolerance_lsb: int
    threshold: float
    channel: int
    agreement: float


class CsimRegression:
    """Goldens of one test, in a folder named like the test file without its suffix."""

    def __init__(
        self, test_file: Path, test_name: str, use: Callable[[Path], None], *, regenerate: bool
    ) -> None:
        self._folder = test_file.parent / test_file.stem
        self._test_name = test_name
        self._use = use
        self._regenerate = regenerate
        self._named = 0

    def check(
        self,
        project: Path | str,
        inputs: Arrays | None = None,
        *,
        labels: ArrayLike | None = None,
        name: str | None = None,
        **rule: Unpack[RuleOptions],
    ) -> CheckResult:
        """Compile the project with g++ and compare csim with the golden; fail the test where they differ.

        The first call records the golden and fails, so that it is looked at before it counts. With
        ``--csim-regen`` it is recorded anew, and a test whose golden changed fails.

        Parameters
        ----------
        project : folder that holds ``build_prj.tcl``.
        inputs : real inputs (n, *shape), a list for several ports. Left out: those of the golden, or 256
            random ones over the input type's range for the first.
        labels : class indices (n,), for the signal efficiency of ``mode="decision"``.
        name : of the golden file, the test's own by default; needed for a second call in one test.
        rule : ``mode`` (exact | lsb | argmax | decision), ``tolerance_lsb``, ``threshold``, ``channel``,
            ``agreement``; left out: the golden's own.
        """
        __tracebackhide__ = True
        path = self._path(name)
        self._use(path)
        try:
            given = _Given(inputs, labels, Rule(**rule) if rule else None)
            return self._check(load_project(Path(project)), path, given)
        except PquantError as cause:
            _fail(str(cause), path)

    def _path(self, name: str | None) -> Path:
        self._named += name is None
        if name is None and self._named > 1:
            _fail("a second golden in one test needs a name: check(..., name=...)", self._folder)
        stem = re.sub(r"[^\w.-]+", "_", name or self._test_name).strip("_")
        return self._folder / f"{stem}.golden"

    def _check(self, project: HlsProject, path: Path, given: _Given) -> CheckResult:
        __tracebackhide__ = True
        if self._regenerate or not path.exists():
            self._record(project, path, given)
        golden = Golden.load(path)
        if not given.fits(golden):
            _fail("the inputs or labels are not those of the golden; --csim-regen records it anew", path)
        result = csim.check(project, golden, rule=given.rule)
        if not result.passed:
            lines = "\n".join(result.lines())
            _fail(f"{lines}\n  where this is meant to be, --csim-regen records the golden anew", path)
        return result

    def _record(self, project: HlsProject, path: Path, given: _Given) -> None:
        """Write the golden and fail, unless the one that is there says the same."""
        __tracebackhide__ = True
        old = _readable(path)
        new = given.record(project, old)
        if old is not None and to_text(replace(old, versions=new.versions)) == to_text(new):
            return
        word = "recorded anew" if path.exists() else "recorded"
        new.save(path)
        _fail(f"the golden was {word}, from {new.count:,} inputs: look at it, commit it, run again", path)


@dataclass(frozen=True)
class _Given:
    """What the test states; None for what it leaves to the golden."""

    inputs: Arrays | None
    labels: ArrayLike | None
    rule: Rule | None

    def fits(self, golden: Golden) -> bool:
        """Whether the golden was recorded from these inputs and labels."""
        if self.labels is not None:
            known = golden.labels
            if known is None or not np.array_equal(known, np.asarray(self.labels)):
                return False
        return self.inputs is None or csim.same_inputs(golden.inputs, self.inputs)

    def record(self, project: HlsProject, old: Golden | None) -> Golden:
        """A golden of the project, taking from the old one what is not stated here."""
        rule = self.rule if self.rule is not None or old is None else old.rule
        if self.inputs is not None:
            return csim.record(project, self.inputs, rule=rule, labels=self.labels)
        if old is None or [port.size for port in project.inputs] != [
            one.codes.shape[1] for one in old.inputs
        ]:
            return csim.record(
                project, csim.random_inputs(project, RANDOM_INPUTS), rule=rule, labels=self.labels
            )
        return csim.record(
            project, old.x, rule=rule, labels=old.labels if self.labels is None else self.labels
        )


def _readable(path: Path) -> Golden | None:
    try:
        return Golden.load(path)
    except GoldenError:
        return None


def _fail(text: str, path: Path) -> NoReturn:
    __tracebackhide__ = True
    pytest.fail(f"csim_regression: {text}\n  golden: {path}", pytrace=False)
