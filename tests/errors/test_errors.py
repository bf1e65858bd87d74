"""Errors: one line that says what, where and how to mend it; an exit status for each kind."""

from __future__ import annotations

import pytest

from pquant_hls import errors
from pquant_hls.errors import (
    NoGain,
    NotMeasured,
    PquantError,
    SpecError,
    ToolFailed,
    ToolNotFound,
    Waiting,
)

KINDS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize(
    ("where", "mend", "text"),
    [
        (None, None, "got 3"),
        ("steps.0.bits", None, "steps.0.bits: got 3"),
        (None, "give 4", "got 3 (give 4)"),
        ("steps.0.bits", "give 4", "steps.0.bits: got 3 (give 4)"),
        (0, None, "0: got 3"),
        ("", "", ": got 3 ()"),
    ],
)
def test_an_error_says_where_and_how_to_mend(where: object, mend: str | None, text: str) -> None:
    found = SpecError("got 3", where=where, mend=mend)
    assert str(found) == text
    assert found.message == "got 3"
    assert found.where == (None if where is None else str(where))
    assert found.mend == mend


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_as_ours(kind: type[PquantError]) -> None:
    with pytest.raises(PquantError, match="layer fc1: odd"):
        raise kind("odd", where="layer fc1")


def test_the_exit_status_tells_bad_input_from_missing_tools_and_from_what_is_not_known() -> None:
    status = {kind: kind.exit_code for kind in KINDS}
    tools = {ToolNotFound: 3, ToolFailed: 3, NotMeasured: 4, Waiting: 4}
    assert status == {kind: tools.get(kind, 2) for kind in KINDS}


def test_nothing_to_gain_is_a_kind_of_wrong_spec() -> None:
    assert issubclass(NoGain, SpecError)


def test_the_list_of_names_is_whole() -> None:
    made = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert made == set(errors.__all__)
