"""The base of every spec: frozen, strict about keys, with errors that name the path."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pquant_hls.errors import SpecError


class Spec(BaseModel):
    """A frozen model that refuses unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def parse(cls, values: object, *, path: str = "") -> Self:
        """Validate ``values``; raises SpecError naming the path of the first wrong key."""
        if not isinstance(values, Mapping):
            raise SpecError(
                f"expected keys and values, got {type(values).__name__}", where=path or cls.__name__
            )
        try:
            return cls.model_validate(dict(values))
        except ValidationError as cause:
            raise as_spec_error(cause, cls, path) from None

    def with_(self, **changes: Any) -> Self:
        """A validated copy with some fields replaced."""
        return type(self).parse(
            {**{name: getattr(self, name) for name in type(self).model_fields}, **changes}
        )


KINDS_OF_VALUES = ("literal[", "dict[")
"""How pydantic tells in a path which of several kinds of values it tried; these are no keys."""


def as_spec_error(cause: ValidationError, root: type[BaseModel], path: str = "") -> SpecError:
    """The first of pydantic's findings as one line with its path and, for a misspelt key, the nearest one."""
    first = cause.errors()[0]
    keys = [str(part) for part in first["loc"] if not str(part).startswith(KINDS_OF_VALUES)]
    where = ".".join([part for part in [path] if part] + keys)
    return SpecError(_wording(first, root), where=where or None)


def _wording(first: ErrorDetails, root: type[BaseModel]) -> str:
    if first["type"] == "extra_forbidden":
        return unknown_key(str(first["loc"][-1]), _known_keys(root, first["loc"][:-1]))
    if first["type"] == "missing":
        return "this key is required"
    if first["type"] == "value_error":
        return str(first["msg"]).removeprefix("Value error, ")
    return f"{first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}"


def unknown_key(name: str, known: Iterable[str], what: str = "key") -> str:
    """``unknown <what>``, with the nearest known one where there is one; ``what`` is a key, layer, step..."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(names))}"
    return f"unknown {what}, {hint}"


def _known_keys(root: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    model: Any = root
    for part in loc:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    """The model inside ``X``, ``X | None``, ``list[X]`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for inner in typing.get_args(annotation):
            found = _model_in(inner)
            if found is not None:
                return found
    return None


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Each path by its last part, for people; by the whole of it where another ends in the same."""
    given = list(paths)
    last = [path.rpartition(".")[2] for path in given]
    return {path: name if last.count(name) == 1 else path for path, name in zip(given, last, strict=True)}
