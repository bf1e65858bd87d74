"""The project's own files: continuous integration, citation, pages, floors of coverage."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_docs import broken_link, complaints, pages
from coverage_floors import complaints as below
from coverage_floors import raised, shares

ROOT = Path(__file__).parents[2]
SCHEMAS = {
    ".github/workflows/ci.yml": "github-workflows",
    ".github/dependabot.yml": "dependabot",
    ".github/ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/idea.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".gitlab-ci.yml": "gitlab-ci",
    "CITATION.cff": "citation-file-format",
}
PYTHONS = ["3.11", "3.12", "3.13"]


def of_schema(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_the_file_is_what_its_reader_takes(name: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema")
    found = of_schema(ROOT / name, schema)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_wrong_file_is_found(tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema")
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text((ROOT / "CITATION.cff").read_text().replace("authors:", "writers:"))
    assert of_schema(wrong, "citation-file-format").returncode == 1


def loaded(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


def test_both_forges_give_the_two_commands_on_every_python() -> None:
    github, gitlab = loaded(".github/workflows/ci.yml")["jobs"], loaded(".gitlab-ci.yml")
    assert github["test"]["strategy"]["matrix"]["python"] == PYTHONS
    assert gitlab["test"]["parallel"]["matrix"] == [{"PYTHON": PYTHONS}]
    assert (
        [step["run"] for step in github["test"]["steps"] if "run" in step]
        == gitlab["test"]["script"]
        == [".ci/run"]
    )
    full = [step["run"] for step in github["full"]["steps"] if "run" in step]
    assert full == gitlab["full"]["script"] == [".ci/packages", "make ci-full"]


def test_the_pythons_are_those_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [words.rpartition(" ")[2] for words in project["classifiers"] if "Python :: 3." in words]
    assert named == PYTHONS


def test_citation_and_package_say_the_same() -> None:
    project, cited = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"], loaded("CITATION.cff")
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert [author["name"] for author in cited["authors"]] == ["The pquant_hls developers"]


def test_pages_name_nothing_that_is_not_there() -> None:
    from check_docs import commands

    known = commands()
    assert {"compress", "csim", "gate"} <= known
    assert [said for page in pages() for said in complaints(page, known)] == []


def test_a_broken_link_is_found() -> None:
    page = ROOT / "README.md"
    assert broken_link(page, "docs/nowhere.md")
    assert broken_link(page, "docs/rtl.md#no-such-heading")
    assert not broken_link(page, "docs/rtl.md#what-is-exact")
    assert not broken_link(page, "https://example.org")


def test_coverage_is_counted_by_room() -> None:
    files = {
        "pquant_hls/decide/act.py": {"summary": {"covered_lines": 90, "num_statements": 100}},
        "pquant_hls/decide/judge.py": {"summary": {"covered_lines": 10, "num_statements": 100}},
        "pquant_hls/cli/app.py": {"summary": {"covered_lines": 0, "num_statements": 0}},
        "pquant_hls/_lazy.py": {"summary": {"covered_lines": 5, "num_statements": 5}},
    }
    assert shares(files) == {"decide": 50.0, "root": 100.0}
    assert below({"decide": 50.0, "new": 80.0}, {"decide": 50.5, "old": 10.0}) == [
        "new: no floor in [tool.coverage_floors]",
        "old: a floor, but no such room",
        "decide: 50.0 % is below its floor of 50.5 %",
    ]
    assert below({"decide": 50.0}, {"decide": 50.0}) == []


def test_floors_only_rise() -> None:
    text = "[a]\nx = 1\n\n[tool.coverage_floors]\nold = 50\ndecide = 90\n\n[tool.more]\ny = 2\n"
    found = raised(text, {"decide": 88.7, "new": 70.9}, {"old": 50, "decide": 90})
    assert tomllib.loads(found) == {
        "a": {"x": 1},
        "tool": {"coverage_floors": {"decide": 90, "new": 70}, "more": {"y": 2}},
    }


def test_every_room_has_a_floor() -> None:
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage_floors"]
    rooms = {path.parent.name for path in (ROOT / "pquant_hls").glob("*/__init__.py")}
    assert set(floors) == rooms | {"root"}
    assert all(0 < floor <= 100 for floor in floors.values())


def test_coverage_report_is_where_the_makefile_puts_it() -> None:
    text = (ROOT / "Makefile").read_text()
    assert "--cov-report=json:build/coverage.json" in text
    assert "tools/coverage_floors.py build/coverage.json" in text
