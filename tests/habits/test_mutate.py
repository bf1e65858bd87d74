"""The script that plants faults: what it changes, and that it changes one thing at a time."""

from __future__ import annotations

import ast

import pytest
from mutate import ROOT, TESTS, Planter, judges_of, modules, mutants, planted

SOURCE = '''
def f(x: int = 1) -> bool:
    """Text, never changed."""
    if x < 3 and not x == 2:
        return x + 1 >= -x
    return None
'''


def every(source: str) -> list[tuple[str, str]]:
    counter = Planter()
    counter.visit(ast.parse(source))
    made = [planted(source, index)[1] for index in range(counter.count)]
    assert made == counter.noted
    return [change[1:] for change in made]


@pytest.mark.parametrize(
    "change",
    [
        ("x < 3", "x <= 3"),
        ("x < 3", "x > 3"),
        ("3", "4"),
        ("1", "2"),
        ("not x == 2", "x == 2"),
        ("x == 2", "x != 2"),
        ("x < 3 and (not x == 2)", "x < 3 or not x == 2"),
        ("x + 1", "x - 1"),
        ("-x", "x"),
        ("return x + 1 >= -x", "return None"),
        ("x + 1 >= -x", "x + 1 > -x"),
    ],
)
def test_a_change(change: tuple[str, str]) -> None:
    assert change in every(SOURCE)


def test_each_mutant_differs_from_the_source_and_from_the_others() -> None:
    texts = [planted(SOURCE, index)[0] for index in range(len(every(SOURCE)))]
    assert len({ast.unparse(ast.parse(SOURCE)), *texts}) == len(texts) + 1
    assert all("Text, never changed." in text and "x: int" in text for text in texts)


def test_there_is_no_change_after_the_last() -> None:
    with pytest.raises(IndexError):
        planted(SOURCE, len(every(SOURCE)))


@pytest.mark.parametrize("name", TESTS)
def test_a_chosen_room_is_there_and_has_tests(name: str) -> None:
    assert modules(name)
    for module in modules(name):
        assert all(path.startswith(TESTS[name]) for path in judges_of(module))
        assert all((ROOT / path).is_file() for path in judges_of(module))
    assert len([mutant for module in modules(name) for mutant in mutants(module)]) > 10


def test_the_file_that_is_named_after_a_module_runs_first() -> None:
    assert judges_of("decide/judge.py")[0] == "tests/decide/test_judge.py"
    assert judges_of("qor/fixed.py")[:2] == ("tests/qor/test_fixed.py", "tests/qor/test_fixed_exact.py")
    assert judges_of("engine/score.py") == ("tests/engine/test_score.py",)
    assert sorted(judges_of("decide/judge.py")) == sorted(judges_of("decide/act.py"))
