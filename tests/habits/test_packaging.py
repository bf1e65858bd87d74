"""What the package is handed out as: metadata, extras, the conda recipe and the Containerfile agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"PyYAML": "pyyaml", "tree-sitter": "tree_sitter"}
"""Names that conda-forge has for packages of PyPI, where they differ."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def needed(requirement: str) -> tuple[str, str]:
    name, limits = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
    return name, limits


def test_the_conda_recipe_asks_for_what_the_wheel_does(project: dict[str, Any]) -> None:
    rattler = pytest.importorskip("rattler_build")
    path = ROOT / "conda" / "recipe.yaml"
    (variant,) = rattler.Stage0Recipe.from_file(path).render()
    assert str(variant.recipe.package.version) == project["version"]
    run = set(yaml.safe_load(path.read_text())["requirements"]["run"])
    wheel = {
        f"{CONDA_NAMES.get(name, name)} {limits}" for name, limits in map(needed, project["dependencies"])
    }
    assert run == wheel | {f"python {project['requires-python']}", "gxx", "make"}
    with pytest.raises(rattler.RecipeParseError, match="unknown field 'noarhc'"):
        rattler.Stage0Recipe.from_yaml(path.read_text().replace("noarch", "noarhc"))


def test_every_extra_that_is_promised_is_there_and_in_the_lock(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    assert {"compress", "rtl", "data", "plot", "notebook", "docs", "cluster", "dashboard"} <= set(extras)
    made = {"datagen"}  # the bundled events are made once
    locked = re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert locked is not None
    assert set(locked[1].split()) | made == set(extras) - {"prove"}  # scipy, which compress has too
    lock = (ROOT / "requirements.lock").read_text().lower()
    for extra in locked[1].split():
        for name, _ in map(needed, extras[extra]):
            assert re.search(rf"^{re.escape(name.lower())}==", lock, re.MULTILINE), name


def test_the_author_is_the_projects_and_no_address_is_promised(project: dict[str, Any]) -> None:
    assert project["authors"] == [{"name": "The pquant_hls developers"}]
    assert "Typing :: Typed" in project["classifiers"]
    assert "urls" not in project
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["authors"] == project["authors"]
    assert cited["version"] == project["version"]


def test_the_readme_has_neither_badge_nor_address() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"https?://[^\s)]+", text)
    assert all("hls4ml" in link for link in links), links
    assert "shields.io" not in text
    assert not re.search(r"\w@\w+\.\w", text)
