"""What packages offer by name through entry points: backends and evaluators, this package's own among them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pquant_hls.errors import SpecError

EVALUATOR_GROUP = "pquant_hls.evaluators"
T = TypeVar("T")
_registered: dict[str, dict[str, object]] = {}
"""What was registered in this process, by group."""


class Plugins(Generic[T]):
    """Things of one kind by name: what ``register`` was given, then the entry points of installed packages.

    An entry point names an object of type ``expected`` or a subclass of it, which is then called without arguments.
    Names are compared without regard to case.
    """

    def __init__(self, group: str, kind: str, expected: type[T]) -> None:
        self.group, self.kind, self._expected = group, kind, expected

    def register(self, name: str, thing: T) -> None:
        """Offer ``thing`` in this process, also in place of what an installed package offers by this name."""
        _registered.setdefault(self.group, {})[name] = thing

    def unregister(self, name: str) -> None:
        """Take back what ``register`` was given."""
        _registered.get(self.group, {}).pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Every name that ``find`` knows."""
        return plugin_names(self.group)

    def find(self, name: str, *, where: object = None) -> T:
        """What goes by this name.

        Raises
        ------
        SpecError : nothing does, the known ones are named; or what an installed package offers is none of its kind.
        """
        exact = known_name(self.group, self.kind, name, where=where)
        thing = _registered.get(self.group, {}).get(exact)
        return self._checked(exact, load(self.kind, points_of(self.group)[exact]) if thing is None else thing)

    def _checked(self, name: str, thing: object) -> T:
        if isinstance(thing, type) and issubclass(thing, self._expected):
            thing = thing()
        if not isinstance(thing, self._expected):
            expected = self._expected.__name__
            raise SpecError(
                f"{self.kind} {name!r} is a {type(thing).__name__}, no {expected}", where=self.group
            )
        return thing


_custom: list[str] = []
"""Modules or classes of the user's own, as ``module`` or ``module:Class``, in the order given."""


def use_custom(names: Iterable[str]) -> None:
    """Let these classes be found when a model is loaded; the modules are imported then."""
    _custom.extend(name for name in names if name not in _custom)


def custom_classes() -> dict[str, Any]:
    """The classes that ``use_custom`` named, by name; SpecError where a module or class is not there.

    Of a module without a class all those defined in it are taken, beside those it registers with Keras itself.
    """
    found: dict[str, Any] = {}
    for name in _custom:
        module, _, wanted = name.partition(":")
        thing = import_module_beside(module, where=f"--custom {name}")
        classes = {key: value for key, value in vars(thing).items() if isinstance(value, type)}
        if wanted and wanted not in classes:
            raise SpecError(f"module {module} has no class {wanted!r}", where=f"--custom {name}")
        own = {key: value for key, value in classes.items() if value.__module__ == module}
        found |= {wanted: classes[wanted]} if wanted else own
    return found


def import_module_beside(name: str, *, where: object = None) -> Any:
    """A module, also one in the working folder, as ``python -m`` would find it; SpecError where it cannot be imported."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as cause:
        said = " ".join(str(cause).split())[:200]
        raise SpecError(f"cannot be imported: {type(cause).__name__}: {said}", where=where) from cause
    finally:
        if added:
            sys.path.remove(here)


def plugin_names(group: str) -> tuple[str, ...]:
    """The names of a group, in alphabetical order; nothing is loaded."""
    return tuple(sorted({*_registered.get(group, {}), *points_of(group)}, key=str.lower))


def known_name(group: str, kind: str, name: str, *, where: object = None) -> str:
    """``name`` as it is spelt in the group, whatever its case; SpecError that names the known ones otherwise."""
    known = {found.lower(): found for found in plugin_names(group)}
    if name.lower() not in known:
        raise SpecError(
            f"unknown {kind} {name!r}", where=where, mend=f"known are {', '.join(known.values())}"
        )
    return known[name.lower()]


def load(kind: str, point: EntryPoint) -> object:
    """What an entry point names; SpecError where that cannot be imported."""
    try:
        return point.load()
    except (ImportError, AttributeError) as cause:
        raise SpecError(f"{kind} {point.name!r} cannot be loaded: {cause}", where=point.group) from cause


def points_of(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group that the packages on ``sys.path`` have; raises SpecError as ``by_name``."""
    return _points_of(group, tuple(sys.path))


@functools.lru_cache(maxsize=32)
def _points_of(group: str, path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    del path  # what is found depends on it
    return by_name(group, entry_points(group=group))


def by_name(group: str, points: Iterable[EntryPoint]) -> Mapping[str, EntryPoint]:
    """Entry points by name.

    Raises
    ------
    SpecError : two packages offer one name, which is no matter of order; or this package's own are not among them.
    """
    found: dict[str, EntryPoint] = {}
    for point in points:
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            values = " and ".join(sorted((other.value, point.value)))
            raise SpecError(
                f"{point.name!r} is offered by {values}", where=group, mend="uninstall one of the packages"
            )
    if not any(point.value.startswith("pquant_hls.") for point in found.values()):
        raise SpecError(
            "what pquant_hls itself offers is not registered: the package is imported but not installed",
            where=group,
            mend="pip install pquant_hls, or in a checkout pip install -e .",
        )
    return found
