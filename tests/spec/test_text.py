"""Recipes mean what they say: no key twice, no number in disguise, no bomb."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe, StudySpec
from pquant_hls.spec.text import read_yaml, yaml_values

RECIPE = """steps:
  - step: quantize
    bits: 6
budget:
  latency_ns: 50
"""


def test_a_second_key_is_named_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(f"{RECIPE}budget:\n  latency_ns: 500\n")
    for load in (Recipe.load, StudySpec.load):
        with pytest.raises(SpecError, match=r"key 'budget' stands twice, in lines 4 and 6") as caught:
            load(path)
        assert "two.yaml: line 6" in str(caught.value)


def test_a_second_key_deep_inside_is_found_too() -> None:
    with pytest.raises(SpecError, match="'bits' stands twice, in lines 3 and 4"):
        yaml_values("steps:\n  - step: quantize\n    bits: 6\n    bits: 8\n", "r")


@pytest.mark.parametrize("text", ["010", "-012", "0_7", "1:30", "12:30:45", "1:30.5", "+00"])
def test_a_number_that_yaml_reads_as_another_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="not the number it looks like"):
        yaml_values(f"bits: {text}", "r")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-3", "1e-3"),
        ("1.0e-3", 1e-3),
        ("0x10", 16),
        ("'010'", "010"),
        (".5", 0.5),
    ],
)
def test_other_values_are_read_as_before(text: str, value: object) -> None:
    assert yaml_values(f"x: {text}", "r") == {"x": value}


def test_aliases_are_fine_and_bombs_are_not(tmp_path: Path) -> None:
    assert yaml_values("a: &a {x: 1}\nb: *a\n", "r") == {"a": {"x": 1}, "b": {"x": 1}}
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    with pytest.raises(SpecError, match="unfolds to more than 100,000 values"):
        yaml_values(bomb, "r")
    with pytest.raises(SpecError, match="unfolds to more"):
        yaml_values("a: &a [*a]\n", "r")
    with pytest.raises(SpecError, match=r"nested too deeply|unfolds"):
        yaml_values("[" * 50_000 + "]" * 50_000, "r")
    (tmp_path / "long.yaml").write_text("# " + "x" * 1_100_000)
    with pytest.raises(SpecError, match="no recipe is that long"):
        read_yaml(tmp_path / "long.yaml")


def test_what_is_no_yaml_or_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not YAML"):
        yaml_values("a: [1, 2", "r")
    with pytest.raises(SpecError, match="cannot be read"):
        read_yaml(tmp_path / "absent.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert read_yaml(tmp_path / "empty.yaml") == {}
