"""What packages offer by name through entry points: backends and evaluators, this package's own among them."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from pquant_hls.errors import SpecError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name: what ``register`` was given, then the entry points of installed packages.

    An entry point names an object of type ``expected`` or a subclass of it, which is then called without arguments.
    Names are compared without regard to case.
    """

    def __init__(self, group: str, kind: str, expected: type[T]) -> None:
        self.group, self.kind, self._expected = group, kind, expected
        self._registered: dict[str, T] = {}

    def register(self, name: str, thing: T) -> None:
        """Offer ``thing`` in this process, also in place of what an installed package offers by this name."""
        self._registered[name] = thing

    def unregister(self, name: str) -> None:
        """Take back what ``register`` was given."""
        self._registered.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Every name that ``find`` knows, in alphabetical order; nothing is loaded."""
        return tuple(sorted({*self._registered, *_offers(self.group)}, key=str.lower))

    def find(self, name: str, *, where: object = None) -> T:
        """What goes by this name.

        Raises
        ------
        SpecError : nothing does, the known ones are named; or what an installed package offers is none of its kind.
        """
        known = {found.lower(): found for found in self.names()}
        if name.lower() not in known:
            raise SpecError(
                f"unknown {self.kind} {name!r}", where=where, mend=f"known are {', '.join(known.values())}"
            )
        exact = known[name.lower()]
        return self._registered[exact] if exact in self._registered else self._loaded(exact)

    def _loaded(self, name: str) -> T:
        point = _offers(self.group)[name]
        try:
            offered = point.load()
        except (ImportError, AttributeError) as cause:
            raise SpecError(f"{self.kind} {name!r} cannot be loaded: {cause}", where=self.group) from cause
        if isinstance(offered, type) and issubclass(offered, self._expected):
            offered = offered()
        if not isinstance(offered, self._expected):
            expected = self._expected.__name__
            raise SpecError(
                f"{self.kind} {name!r} is {point.value}, which is no {expected}", where=self.group
            )
        return offered


@functools.cache
def _offers(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; a name that two packages offer is an error, not a matter of order."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise SpecError(
                f"{point.name!r} is offered twice, as {other.value} and {point.value}",
                where=group,
                mend="uninstall one of the packages",
            )
    return found


def forget() -> None:
    """Look at the installed packages anew."""
    _offers.cache_clear()
