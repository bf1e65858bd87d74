"""Things by name, and a graph's own checks: what is wrong is named, what is not known is loaded once."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.parts import PART_NUMBER, available, capacity
from pquant_hls.qor.registry import Registry

KIND = FixedType(8, 3)


def test_a_registry_is_a_mapping_that_grows() -> None:
    things: Registry[int] = Registry("thing")
    assert things.add("one", 1) == things.add("one", 1) == 1
    assert things.named("two", "also two")(2) == 2
    assert dict(things) == {"one": 1, "two": 2, "also two": 2}
    assert (len(things), "two" in things, things.get("three")) == (3, True, None)
    things.drop("two")
    things.drop("two")
    assert list(things) == ["one", "also two"]


def test_a_name_belongs_to_one_thing() -> None:
    things: Registry[int] = Registry("thing")
    things.add("one", 1)
    with pytest.raises(SpecError, match=r"one: there are two things of this name \(rename one\)"):
        things.add("one", 2)
    assert things["one"] == 1


def test_what_is_offered_is_loaded_once_and_only_when_it_is_needed() -> None:
    loaded: list[str] = []

    def load() -> None:
        loaded.append("now")
        things.add("late", 7)

    things: Registry[int] = Registry("thing", load)
    things.add("early", 1)
    assert (things["early"], loaded) == (1, [])
    assert (things["late"], loaded) == (7, ["now"])
    with pytest.raises(KeyError):
        things["never"]
    assert (list(things), len(things), loaded) == (["early", "late"], 2, ["now"])


@pytest.mark.parametrize("ask", [len, list])
def test_counting_or_listing_loads_all(ask: Any) -> None:
    things: Registry[int] = Registry("thing", lambda: things.add("late", 7))
    ask(things)
    assert dict(things) == {"late": 7}


def test_a_thing_may_be_dropped_while_all_are_listed() -> None:
    things: Registry[int] = Registry("thing")
    for name in "abc":
        things.add(name, 1)
    for name in things:
        things.drop(name)
    assert dict(things) == {}


# A graph's own checks


def node(name: str, op: str = "relu", inputs: tuple[str, ...] = ("x",), **parts: Any) -> Node:
    return Node(name, op, inputs, (2,), KIND, **parts)


X = node("x", "input", ())


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        ((X, node("a", inputs=("b",)), node("b")), ("b",), r"a: reads \['b'\] before they are computed"),
        ((X, node("a"), node("a")), ("a",), "a: two nodes carry this name"),
        ((X, node("a")), ("a", "z"), r"myproject: outputs \['z'\] are not nodes of the graph"),
    ],
)
def test_a_graph_that_is_none(nodes: tuple[Node, ...], outputs: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        FixedPointGraph(nodes, outputs)


def test_a_node_that_is_not_there_is_named_with_those_that_are() -> None:
    graph = FixedPointGraph((X, node("a")), ("a",))
    with pytest.raises(UnsupportedModel, match=r"z: no such node \(nodes: x, a\)"):
        graph.node("z")
    assert graph.inputs == (X,)


def test_a_nodes_parts_cannot_be_changed() -> None:
    attrs = {"slope": 0.5}
    made = node("a", attrs=attrs)
    attrs["slope"] = 1.0
    assert made.attrs == {"slope": 0.5}
    with pytest.raises(TypeError):
        made.attrs["slope"] = 2  # type: ignore[index]  # refused is what is tested
    assert (made.strategy, made.reuse_factor, made.is_input, made.kind.clips) == ("latency", 1, False, True)


def packed(**changes: Any) -> bytes:
    """A graph's file with parts of its header changed."""
    whole = FixedPointGraph(
        (X, node("a", arrays={"weight": FixedArray(np.ones(2, np.int64), 1)})), ("a",)
    ).to_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        header = {**json.loads(old.read("graph.json")), **changes}
        new.writestr("graph.json", json.dumps({k: v for k, v in header.items() if v is not None}))
        for name in old.namelist()[1:]:
            new.writestr(name, old.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 3}, r"graph schema 3 is none of \(1, 2\)"),
        ({"schema_version": None}, "damaged graph file: 'schema_version'"),
        ({"nodes": [{"name": "x"}]}, "damaged graph file"),
        ({"outputs": ["z"]}, "are not nodes of the graph"),
    ],
)
def test_a_file_of_another_version_or_damaged_is_named(changes: dict[str, Any], message: str) -> None:
    assert FixedPointGraph.from_bytes(packed()).node("a").arrays["weight"].values.tolist() == [0.5, 0.5]
    with pytest.raises(UnsupportedModel, match=message):
        FixedPointGraph.from_bytes(packed(**changes), "g.zip")


def test_a_file_that_is_absent_or_no_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"g\.zip: no such graph file"):
        FixedPointGraph.load(tmp_path / "g.zip")
    with pytest.raises(UnsupportedModel, match=r"^here: damaged graph file"):
        FixedPointGraph.from_bytes(b"PK not a zip", "here")


def test_a_graph_is_written_whole(tmp_path: Path) -> None:
    graph = FixedPointGraph((X, node("a")), ("a",))
    graph.save(tmp_path / "g.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["g.zip"]
    assert FixedPointGraph.load(tmp_path / "g.zip").digest() == graph.digest()


# Parts


@pytest.mark.parametrize("part", ["xcvu13p-flga2577-2-e", " XCVU13P ", "xcvu13p:-flga2577:-2-e"])
def test_a_part_has_two_flip_flops_a_lut(part: str) -> None:
    found = available(part)
    assert found is not None
    assert (found.lut, found.ff, found.dsp, found.uram) == (1_728_000, 3_456_000, 12_288, 1_280)
    assert capacity(part) == found


@pytest.mark.parametrize("part", [None, "", "xcvu99p", "not a part"])
def test_what_is_not_listed_has_no_resources(part: str | None) -> None:
    assert available(part) is capacity(part) is None


@pytest.mark.parametrize("part", ["xcvu13p-flga2577-2-e\n", "xcvu13p;rm", "[exec]", "xcvu13p -2"])
def test_a_part_number_is_one_word(part: str) -> None:
    assert PART_NUMBER.match(part) is None
