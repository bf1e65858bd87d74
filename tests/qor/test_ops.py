"""Operations: what each one is, and one that a package outside adds."""

from __future__ import annotations

import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.qor import OPS, FixedPointGraph, FixedType, Node, Op, ops, register_op

WRITTEN = Path(__file__).parent / "graph_schema_1.zip"

# Name: the properties that are true, then rank. Written by hand from what the operations are.
TRUE = {
    "input": "moves wire 0",
    "reshape": "moves wire 0",
    "transpose": "moves 0",
    "clone": "moves 0",
    "concatenate": "moves 0",
    "zero_padding1d": "moves 1",
    "zero_padding2d": "moves 2",
    "cropping1d": "moves 1",
    "cropping2d": "moves 2",
    "upsampling2d": "moves 2",
    "quantize": "elementwise 0",
    "relu": "clips elementwise 0",
    "leaky_relu": "clips elementwise 0",
    "hard_tanh": "clips elementwise 0",
    "hard_sigmoid": "clips elementwise 0",
    "binary_tanh": "clips elementwise 0",
    "ternary_tanh": "clips elementwise 0",
    "elu": "table elementwise 0",
    "tanh": "table elementwise 0",
    "sigmoid": "table elementwise 0",
    "lookup": "table elementwise 0",
    "softmax": "table 0",
    "batchnorm": "elementwise 0",
    "add": "merge 0",
    "subtract": "merge 0",
    "multiply": "merge 0",
    "average": "merge 0",
    "maximum": "merge 0",
    "minimum": "merge 0",
    "max_pooling1d": "pool 1",
    "max_pooling2d": "pool 2",
    "average_pooling1d": "pool 1",
    "average_pooling2d": "pool 2",
    "global_max_pooling1d": "pool whole 1",
    "global_max_pooling2d": "pool whole 2",
    "global_average_pooling1d": "pool whole 1",
    "global_average_pooling2d": "pool whole 2",
    "dense": "weighted dense 0",
    "conv1d": "weighted convolution 1",
    "conv2d": "weighted convolution 2",
    "depthwise_conv1d": "weighted convolution depthwise 1",
    "depthwise_conv2d": "weighted convolution depthwise 2",
    "other": "0",
    "logic": "0",
}
PROPERTIES = (
    *("weighted", "dense", "convolution", "depthwise", "moves", "wire", "clips", "table", "merge", "pool"),
    *("whole", "elementwise"),
)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes back whatever operation a test registers."""
    monkeypatch.setattr(ops._ops, "_things", dict(ops._ops._things))


@pytest.mark.parametrize("name", TRUE)
def test_each_operation_is_what_the_table_says(name: str) -> None:
    *wanted, rank = TRUE[name].split()
    kind = Node("n", name, (), (1,), FixedType(8, 1)).kind
    assert {key for key in PROPERTIES if getattr(kind, key)} == set(wanted)
    assert kind.rank == int(rank)
    assert kind.pooled == ("max" if "max_pool" in name else "average" if "average_pool" in name else "")


def test_the_table_has_every_operation() -> None:
    assert set(OPS) >= set(TRUE)
    assert {each.name for each in ops._BUILT_IN} == set(TRUE)


def test_an_unknown_operation_names_the_node_and_the_known_ones() -> None:
    with pytest.raises(UnsupportedModel, match=r"n7: unknown operation 'absolute'.*max_pooling2d"):
        Node("n7", "absolute", (), (1,), FixedType(8, 1))


def test_a_name_belongs_to_one_operation(added: None) -> None:
    register_op(Op("absolute", "clip"))
    register_op(Op("absolute", "clip"))
    with pytest.raises(SpecError, match=r"absolute: there are two operations of this name"):
        register_op(Op("absolute", "table"))


@pytest.fixture
def installed(added: None, monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points that ``load_installed`` finds, as if nobody had asked for an operation before."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(ops, "entry_points", lambda group: points if group == "pquant_hls.ops" else [])
    monkeypatch.setattr(ops, "_groups", [ops.GROUP])
    monkeypatch.setattr(ops._ops, "_pending", [ops.load_installed])
    return points


def test_an_installed_package_adds_an_operation(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("far", "outside_op:FAR", ops.GROUP))
    assert Node("n", "far", (), (1,), FixedType(8, 1)).kind == Op("far", "clip")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("outside_op:NEAR", "cannot be loaded"),
        ("no_such_module:X", "cannot be loaded"),
        ("outside_op:__name__", "is a str"),
    ],
)
def test_an_entry_point_that_is_no_operation_is_named(
    installed: list[EntryPoint], value: str, words: str
) -> None:
    installed.append(EntryPoint("far", value, ops.GROUP))
    with pytest.raises(SpecError, match=rf"pquant_hls\.ops: far: {words}"):
        Node("n", "far", (), (1,), FixedType(8, 1))


def test_a_graph_of_version_0_1_0_is_written_with_the_same_bytes(tmp_path: Path) -> None:
    graph = FixedPointGraph.load(WRITTEN)
    graph.save(tmp_path / "again.zip")
    with zipfile.ZipFile(WRITTEN) as old, zipfile.ZipFile(tmp_path / "again.zip") as new:
        assert old.namelist() == new.namelist()
        assert all(old.read(name) == new.read(name) for name in old.namelist())
    assert graph.node("conv").kind.convolution
