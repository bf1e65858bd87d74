"""JSON Schema of recipes and studies, for editors: with every step that is installed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pquant_hls.spec.recipe import Recipe
from pquant_hls.spec.registry import config_class, step_names
from pquant_hls.spec.study import StudySpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def recipe_schema() -> Schema:
    """That of a recipe: what it refuses a recipe has not; units and rules between keys are checked when it is read."""
    found = _schema(Recipe)
    steps = {name: _step(name) for name in step_names()}
    for schema in steps.values():
        found["$defs"] |= schema.pop("$defs", {})
    found["$defs"]["StepConfig"] = {
        "type": "object",
        "required": ["step"],
        "properties": {"step": {"enum": list(steps)}},
        "allOf": [
            {"if": {"properties": {"step": {"const": name}}}, "then": {"$ref": f"#/$defs/step-{name}"}}
            for name in steps
        ],
    }
    found["$defs"] |= {f"step-{name}": schema for name, schema in steps.items()}
    return found


def study_schema() -> Schema:
    """That of a study; its ``space`` holds what ranges may be written as."""
    found = _schema(StudySpec)
    found["properties"]["space"] = {
        "type": "object",
        "description": found["properties"]["space"].get("description", ""),
        "additionalProperties": {"type": ["boolean", "array", "object"]},
    }
    return found


SCHEMAS = {"recipe": recipe_schema, "study": study_schema}


def _schema(model: type[BaseModel]) -> Schema:
    return {"$schema": DIALECT, **model.model_json_schema(mode="validation")}


def _step(name: str) -> Schema:
    found = config_class(name).model_json_schema(mode="validation")
    found["properties"]["step"] = {"const": name}
    for declared in found["properties"].values():
        declared.pop("search", None)
        declared.pop("ladder", None)
    if name == "quantize":  # the word that pruning has for its mode, and a steady price
        found["properties"]["method"] = found["properties"]["mode"]
        found["$defs"]["Price"] = {"anyOf": [{"type": "number"}, found["$defs"]["Price"]]}
    return found
