"""Things that carry a name: our own, and those that other packages add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from pquant_hls.errors import SpecError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A mapping that things are added to, each under a name of its own.

    Parameters
    ----------
    what : what one of them is called in an error.
    load : called once, before a name is said to be unknown or all are listed; it may add more.
    """

    def __init__(self, what: str, load: Callable[[], object] | None = None) -> None:
        self._what, self._pending = what, [] if load is None else [load]
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Raises SpecError where another thing has this name."""
        if self._things.setdefault(name, thing) != thing:
            raise SpecError(f"there are two {self._what}s of this name", where=name, mend="rename one")
        return thing

    def named(self, *names: str) -> Callable[[T], T]:
        """A decorator that adds what it decorates under each of ``names``."""

        def decorate(thing: T) -> T:
            for name in names:
                self.add(name, thing)
            return thing

        return decorate

    def drop(self, name: str) -> None:
        """Forget a thing, as a test does with one it added."""
        self._things.pop(name, None)

    def _load(self) -> None:
        while self._pending:
            self._pending.pop()()

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            self._load()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(tuple(self._things))

    def __len__(self) -> int:
        self._load()
        return len(self._things)
