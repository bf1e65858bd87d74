"""What packages offer by name: found whatever its case, loaded when it is asked for, refused by name where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import BACKENDS, Budget, HlsSpec, LoopSpec
from pquant_hls.spec.backends import AMD_FLOW, VITIS, VIVADO, Backend, backend_of
from pquant_hls.spec.model import Spec, short_names, unknown_key
from pquant_hls.spec.plugins import Plugins, by_name, known_name, load, plugin_names
from pquant_hls.spec.steps import StepConfig, Turn, parameter

GROUP = "pquant_hls.things"
OWN = EntryPoint("Ours", "pquant_hls.spec.steps:PruneConfig", GROUP)


class Thing:
    """What the group offers."""


class Better(Thing):
    """Another of its kind."""


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins[Thing]]:
    """A group of which one entry point is known, ``Ours``."""
    monkeypatch.setattr("pquant_hls.spec.plugins.points_of", lambda group: by_name(group, [OWN]))
    made = Plugins(GROUP, "thing", Thing)
    yield made
    for name in ("mine", "ours", "Ours", "odd"):
        made.unregister(name)


def test_what_is_registered_is_found_whatever_its_case(things: Plugins[Thing]) -> None:
    mine = Thing()
    things.register("mine", mine)
    assert things.names() == plugin_names(GROUP) == ("mine", "Ours")
    assert things.find("MINE") is mine
    assert known_name(GROUP, "thing", "oURS") == "Ours"
    things.unregister("mine")
    assert things.names() == ("Ours",)
    things.unregister("mine")


def test_a_class_is_called_and_an_object_is_not(things: Plugins[Thing]) -> None:
    things.register("mine", Better)  # type: ignore[arg-type]  # as an entry point names a class
    assert isinstance(things.find("mine"), Better)
    assert things.find("mine") is not things.find("mine")


def test_what_is_registered_goes_before_what_is_installed(things: Plugins[Thing]) -> None:
    with pytest.raises(SpecError, match=r"thing 'Ours' is a .*, no Thing") as caught:
        things.find("ours")
    assert caught.value.where == GROUP
    things.register("Ours", Better())
    assert isinstance(things.find("ours"), Better)


@pytest.mark.parametrize("thing", [7, object, "Thing"])
def test_what_is_of_another_kind_is_refused(things: Plugins[Thing], thing: object) -> None:
    things.register("odd", thing)  # type: ignore[arg-type]  # refused is what is tested
    with pytest.raises(SpecError, match=f"thing 'odd' is a {type(thing).__name__}, no Thing"):
        things.find("odd")


def test_an_unknown_name_lists_the_known(things: Plugins[Thing]) -> None:
    things.register("mine", Thing())
    with pytest.raises(SpecError, match=r"budget\.thing: unknown thing 'mime' \(known are mine, Ours\)"):
        things.find("mime", where="budget.thing")


def test_an_entry_point_is_loaded_or_says_why_not() -> None:
    assert load("thing", OWN).__name__ == "PruneConfig"  # type: ignore[attr-defined]
    for value, words in (("no_such_module:X", "No module named"), ("pquant_hls.spec:Nothing", "Nothing")):
        with pytest.raises(SpecError, match=f"thing 'x' cannot be loaded: .*{words}") as caught:
            load("thing", EntryPoint("x", value, GROUP))
        assert caught.value.where == GROUP


def test_the_same_offer_twice_is_no_matter() -> None:
    assert list(by_name(GROUP, [OWN, OWN])) == ["Ours"]
    with pytest.raises(SpecError, match="imported but not installed"):
        by_name(GROUP, [])


# Backends


def test_a_backend_is_found_by_the_words_of_a_projects_own_files() -> None:
    assert backend_of("vitis") == VITIS
    assert backend_of("Vivado") == backend_of("vivadoaccelerator") == VIVADO
    with pytest.raises(SpecError, match=r"unknown backend 'Quartus' \(known are Vitis, Vivado\)"):
        backend_of("Quartus")


def test_a_backends_programs_and_what_single_steps_need() -> None:
    assert VITIS.program_names == ("vitis_hls", "vitis-run")
    assert [program.name for program in VITIS.all_programs] == ["vitis_hls", "vitis-run", "vivado"]
    assert VITIS.flow is AMD_FLOW
    bare = Backend("Bare", (), "0%")
    assert (bare.program_names, bare.all_programs, bare.tool, bare.licenses) == ((), (), None, ())


def test_a_backend_builds_what_its_record_says() -> None:
    BACKENDS.register(
        "Narrow", Backend("Narrow", (), "0.5", strategies=("resource",), io_types=("io_stream",))
    )
    try:
        with pytest.raises(SpecError, match="Narrow builds no strategy 'latency', known are resource"):
            HlsSpec.parse({"backend": "narrow", "io_type": "io_stream"})
        with pytest.raises(SpecError, match="Narrow builds no io_type 'io_parallel', known are io_stream"):
            HlsSpec.parse({"backend": "narrow", "strategy": "resource"})
        spec = HlsSpec.parse({"backend": "narrow", "strategy": "resource", "io_type": "io_stream"})
        assert (spec.backend, spec.clock_uncertainty_ns, spec.target.tool) == ("Narrow", 0.5, None)
    finally:
        BACKENDS.unregister("Narrow")
    with pytest.raises(SpecError, match=r"backend: unknown backend 'narrow'"):
        HlsSpec.parse({"backend": "narrow"})


# The base of every spec


class Inner(Spec):
    width: int = 1


class Outer(Spec):
    inner: Inner = Inner()
    maybe: Inner | None = None
    several: tuple[Inner, ...] = ()
    number: int = 0
    needed: int


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({}, "", r"^needed: this key is required$"),
        ({}, "a.b", r"^a\.b\.needed: this key is required$"),
        ({"needed": 1, "inner": {"widt": 1}}, "", r"^inner\.widt: unknown key, did you mean 'width'\?$"),
        ({"needed": 1, "maybe": {"zzz": 1}}, "", r"^maybe\.zzz: unknown key, known are width$"),
        (
            {"needed": 1, "several": [{"width": 1}, {"widt": 1}]},
            "",
            r"^several\.1\.widt: unknown key, did you mean 'width'",
        ),
        ({"needed": 1, "nummber_": 2}, "x", r"^x\.nummber_: unknown key, did you mean 'number'\?$"),
        ({"needed": "six"}, "", r"^needed: input should be a valid integer.*, got 'six'$"),
        ({"needed": 1, "number": {"a": 1}}, "", r"^number: input should be a valid integer, got \{'a': 1\}$"),
        ([1], "", r"^Outer: expected keys and values, got list$"),
        (None, "steps.0", r"^steps\.0: expected keys and values, got NoneType$"),
    ],
)
def test_a_wrong_key_is_named_by_its_path(values: object, path: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Outer.parse(values, path=path)


def test_keys_are_counted_by_the_model_they_stand_in() -> None:
    with pytest.raises(SpecError, match=r"loop\.sparsity\.stp: unknown key, did you mean 'step'"):
        LoopSpec.parse({"sparsity": {"stp": 0.1}}, path="loop")
    with pytest.raises(SpecError, match=r"resources\.lutt: unknown key, did you mean 'lut'"):
        Budget.parse({"latency_ns": 1, "resources": {"lutt": 1}})


def test_the_nearest_name_or_all_of_them() -> None:
    assert unknown_key("fc", ["fc1", "out"], "layer") == "unknown layer, did you mean 'fc1'?"
    assert unknown_key("zzz", ["b", "a"]) == "unknown key, known are a, b"
    assert unknown_key("zzz", iter(())) == "unknown key, known are "


def test_short_names_of_paths() -> None:
    assert short_names([]) == {}
    assert short_names(["a.b", "c.b", "c.d", "e"]) == {"a.b": "a.b", "c.b": "c.b", "c.d": "d", "e": "e"}


# A step of another package


class ScaleConfig(StepConfig):
    step: str = "scale"
    by: float = parameter(2.0, "factor", search=(1.0, 8.0, "log"), ladder="sparsity")
    kind: str = parameter("a", "which", search=["a", "b"])
    width: int | None = parameter(None, "bits", ladder="bits")
    plain: int = parameter(1, "no range")


def test_a_steps_ranges_and_ladders_are_read_off_its_parameters() -> None:
    assert ScaleConfig.search_space() == {
        "by": {"low": 1.0, "high": 8.0, "log": True},
        "kind": {"choices": ["a", "b"]},
    }
    assert ScaleConfig().turns() == {"by": Turn("sparsity")}
    assert ScaleConfig(width=4).turns() == {"by": Turn("sparsity"), "width": Turn("bits")}


def test_a_turned_step_keeps_the_types_of_its_parameters() -> None:
    found = ScaleConfig(width=4).turned({"width": 3.0, "by": 1}, {"fc": 2})
    assert (found.width, type(found.width), found.by, type(found.by)) == (3, int, 1.0, float)
    assert ScaleConfig().turned({}, {}) == ScaleConfig()
