"""Pages of the reference that are read off the code: commands with their options, steps and keys of a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any


def write_reference(folder: Path) -> None:
    """Write ``_cli.md``, ``_recipe.md`` and ``_python.md`` there, where they differ from what is there."""
    for name, lines in (("_cli.md", commands()), ("_recipe.md", recipe()), ("_python.md", python())):
        text, path = "\n".join(lines) + "\n", folder / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def commands() -> Iterator[str]:
    """A section for each command: what it does, its arguments and options."""
    from typer.main import get_command

    from pquant_hls.cli.app import app

    group: Any = get_command(app)
    for name, command in sorted(group.commands.items()):
        inner = getattr(command, "commands", None)
        if inner is None:
            yield from _command(name, command)
        else:
            for own, each in sorted(inner.items()):
                yield from _command(f"{name} {own}", each)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{_plain(command.help or '')}\n"
    rows = [_option(each) for each in command.params if not getattr(each, "hidden", False)]
    yield "| option | what | default |\n|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in rows if row[0] != "`--help`")
    yield ""


def _option(each: Any) -> tuple[str, str, str]:
    argument = each.param_type_name == "argument"
    words = f"`{each.name.upper()}`" if argument else ", ".join(f"`{word}`" for word in each.opts)
    told = "" if each.default in (None, False, ()) or callable(each.default) else f"`{each.default}`"
    return words, _plain(getattr(each, "help", "") or ""), "required" if each.required else told


def recipe() -> Iterator[str]:
    """Keys of a recipe, then those of each step."""
    from pquant_hls.spec.schema import recipe_schema

    schema = recipe_schema()
    parts = {"recipe": schema, **{name: schema["$defs"][key] for name, key in PARTS.items()}}
    for name, part in parts.items():
        yield from _keys(name, part, schema)
    for key in sorted(key for key in schema["$defs"] if key.startswith("step-")):
        yield from _keys(f"step: {key.removeprefix('step-')}", schema["$defs"][key], schema)


PARTS = {"hls": "HlsSpec", "budget": "Budget", "budget.resources": "ResourceLimits", "loop": "LoopSpec"}


def _keys(name: str, part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    if part.get("description"):
        yield f"{_plain(part['description'])}\n"
    yield "| key | kind | default | what |\n|---|---|---|---|"
    for key, told in part["properties"].items():
        own = told.get("default")
        default = "" if own is None else "its own" if isinstance(own, dict) else f"`{json.dumps(own)}`"
        required = "required" if key in part.get("required", ()) else default
        yield f"| `{key}` | {_kind(told, schema)} | {required} | {_plain(told.get('description', ''))} |"
    yield ""


def _kind(told: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "anyOf" in told:
        kinds = (_kind(each, schema) for each in told["anyOf"])
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if "$ref" in told:
        return told["$ref"].rpartition("/")[2].removeprefix("step-")
    if "const" in told:
        return f"`{told['const']}`"
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = " ".join(f"{sign} {told[name]:g}" for name, sign in limits.items() if name in told)
    return f"{told.get('type', 'any')} {bounds}".strip()


ROOMS = [
    "pipelines",
    "compress",
    "train",
    "network",
    "datasets",
    "spec",
    "hls",
    "csim",
    "golden",
    "measure",
    "readers",
    "estimate",
    "rtl",
    "export",
    "fifo",
    "firmware",
    "engine",
    "tune",
    "decide",
    "lint",
    "qor",
    "store",
]


def python() -> Iterator[str]:
    """A section for each room: its public names with their docstrings, each where it is first met."""
    known: set[int] = set()
    for room in ("pquant_hls", *(f"pquant_hls.{name}" for name in ROOMS)):
        module = import_module(room)
        yield f"## {room}\n"
        first = (module.__doc__ or "").strip().partition("\n\n")[0]
        yield f"{_plain(first)}\n"
        yield "```{eval-rst}"
        for name in sorted(module.__all__):
            found = getattr(module, name)
            if id(found) not in known and (isinstance(found, type) or isfunction(found)):
                known.add(id(found))
                yield from _documented(found, room, name)
        yield "```\n"


def _documented(found: Any, room: str, name: str) -> Iterator[str]:
    """By the public name; fields that a class has of a library are left out."""
    if isfunction(found):
        yield f".. autofunction:: {room}.{name}\n"
        return
    yield f".. autoclass:: {room}.{name}"
    yield "   :members:"
    if hasattr(found, "model_fields"):
        yield "   :exclude-members: model_config, model_fields, model_computed_fields, model_post_init"
    yield ""


def _plain(text: str) -> str:
    """One line for a table: no bar, no angle bracket that HTML would take."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("``", "`")
