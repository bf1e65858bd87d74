"""The structure of a first training, which retrainings are held to: types, zeros, signs and digits of every weight.

Cycles by the estimator's rules depend on types and on the signed digits of weights alone (``estimate``); one that stays within
its old digits, with its sign or zero, adds nothing to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pquant_hls.decide.check import Check
from pquant_hls.errors import DataError, SpecError
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.qor.digits import Codes, digit_pattern, within
from pquant_hls.qor.words import counted

SCHEMA_VERSION = 1
FACTORS = ("weight", "scale", "recurrent_weight")
"""Arrays that multiply."""
SHOWN = 3
"""Breaches of a layer that its check tells in words."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class LockedLayer:
    """``types`` by role, ``result`` among them; ``patterns`` by array: signed digits as ``digit_pattern`` gives them."""

    types: Mapping[str, str]
    patterns: Mapping[str, Codes]


@dataclass(frozen=True)
class Lock:
    """What a design's structure was when it was locked, layer by layer."""

    layers: Mapping[str, LockedLayer]

    @classmethod
    def of(cls, graph: FixedPointGraph) -> Lock:
        """The structure of a design."""
        return cls({node.name: _locked(node) for node in graph.nodes})

    def checks(self, graph: FixedPointGraph) -> tuple[Check, ...]:
        """One for each layer: how many of its types and weights broke the lock, and in words which first."""
        now = Lock.of(graph).layers
        values = {node.name: node for node in graph.nodes}
        found = []
        for name in dict.fromkeys((*self.layers, *now)):
            old, new = self.layers.get(name), now.get(name)
            broken = (
                ["was not there" if old is None else "is not there any more"]
                if old is None or new is None
                else [*_types_broken(old, new), *_weights_broken(old, new, values[name])]
            )
            more = f", and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
            count = float(len(broken))
            why = "; ".join(broken[:SHOWN]) + more
            found.append(Check(f"lock of {name}", 0.0, count, count, "broken", why=why))
        return tuple(found)

    def record(self) -> dict[str, Any]:
        """As JSON: a string of digits for each array, a sign before those of negative weights."""
        return {
            "schema_version": SCHEMA_VERSION,
            "layers": {
                name: {
                    "types": dict(layer.types),
                    "digits": {
                        key: {"shape": list(codes.shape), "pattern": _written(codes)}
                        for key, codes in layer.patterns.items()
                    },
                }
                for name, layer in self.layers.items()
            },
        }

    @classmethod
    def of_record(cls, told: Any, where: object) -> Lock:
        """From ``record``; raises DataError for what is none."""
        try:
            if told["schema_version"] != SCHEMA_VERSION:
                raise DataError(f"is not of schema version {SCHEMA_VERSION}", where=where)
            return cls({str(name): _read(layer) for name, layer in told["layers"].items()})
        except (KeyError, TypeError, ValueError, AttributeError, SpecError) as cause:
            raise DataError(
                f"is no lock: {cause}", where=where, mend="delete it, and lock the first training again"
            ) from cause


def _locked(node: Node) -> LockedLayer:
    kinds = {"result": node.result, **node.types}
    patterns = {key: digit_pattern(node.arrays[key].codes) for key in FACTORS if key in node.arrays}
    return LockedLayer({role: str(kind) for role, kind in sorted(kinds.items())}, patterns)


def _types_broken(old: LockedLayer, new: LockedLayer) -> Iterator[str]:
    for role in dict.fromkeys((*old.types, *new.types)):
        before, now = old.types.get(role), new.types.get(role)
        if before != now and (before is None or now is None or not _holds(before, now)):
            yield f"{role} is {now or 'not there'}, {before or 'not there'} before"


def _holds(before: str, now: str) -> bool:
    """Whether a type has no more bits on either side of the point, and the same sign and modes."""
    one, other = FixedType.parse(before), FixedType.parse(now)
    alike = (one.signed, one.rounding, one.saturation) == (other.signed, other.rounding, other.saturation)
    return alike and other.integer <= one.integer and other.frac <= one.frac


def _weights_broken(old: LockedLayer, new: LockedLayer, node: Node) -> Iterator[str]:
    for key in dict.fromkeys((*old.patterns, *new.patterns)):
        before, now = old.patterns.get(key), new.patterns.get(key)
        if before is None or now is None or before.shape != now.shape:
            shapes = ["none" if codes is None else str(codes.shape) for codes in (now, before)]
            yield f"{key} has the shape {shapes[0]}, {shapes[1]} before"
            continue
        for place in np.argwhere(~within(now, before)).tolist():
            index = tuple(place)
            at = f"{key}[{', '.join(map(str, index))}] is {node.arrays[key].values[index]:g}"
            yield f"{at}: {_said(int(now[index]))}, {_said(int(before[index]))} before"


def _said(pattern: int) -> str:
    if pattern == 0:
        return "zero"
    sign = "negative, " if pattern < 0 else ""
    return f"{sign}{counted(abs(pattern), 'digit')}"


def _written(codes: Codes) -> str:
    return "".join(f"{'-' if code < 0 else ''}{_DIGITS[abs(code)]}" for code in codes.ravel().tolist())


def _read(layer: Any) -> LockedLayer:
    patterns = {}
    for key, told in layer["digits"].items():
        text = str(told["pattern"])
        signs = np.array([text[place - 1] == "-" if place else False for place in range(len(text))])
        kept = np.array([letter != "-" for letter in text], bool)
        digits = np.array([_DIGITS.index(letter) for letter in text if letter != "-"], np.int64)
        patterns[str(key)] = np.where(signs[kept], -digits, digits).reshape([int(n) for n in told["shape"]])
    types = {str(role): str(FixedType.parse(kind)) for role, kind in layer["types"].items()}
    return LockedLayer(types, patterns)
