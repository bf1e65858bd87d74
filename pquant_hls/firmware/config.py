"""The configuration struct of a layer: ``parameters.h``."""

from __future__ import annotations

from dataclasses import dataclass

from pquant_hls.firmware.cpp import code_of
from pquant_hls.firmware.declared import Struct
from pquant_hls.firmware.values import SourceNames, Value
from pquant_hls.qor import FixedType


@dataclass(frozen=True)
class Config:
    """The struct that a call's last template argument names, and with it the one of its products (``mult_config``)."""

    structs: tuple[Struct, ...]
    names: SourceNames

    @classmethod
    def of(cls, name: str, names: SourceNames) -> Config:
        """The struct of this name; one without entries where none is declared."""
        found = names.declared.structs.get(name.rpartition("::")[2])
        if found is None:
            return cls((), names)
        inner = names.declared.structs.get(found.types.get("mult_config", ""))
        return cls((found,) if inner is None else (found, inner), names)

    def __bool__(self) -> bool:
        return len(self.structs) > 0

    def value(self, name: str) -> Value | None:
        for struct in self.structs:
            node = self.names.within(struct).member(name) if name in struct.kinds else None
            if node is not None:
                return self.names.within(struct).value(node)
        return None

    def number(self, name: str) -> int | None:
        found = self.value(name)
        return int(found) if isinstance(found, int) else None

    def numbers(self, *names: str) -> list[int] | None:
        """Of all names that the struct has, in order; None where it has none."""
        found = [number for name in names if (number := self.number(name)) is not None]
        return found or None

    def word(self, name: str) -> str | None:
        """An option such as ``nnet::latency``, without its namespaces."""
        found = self.value(name)
        return found if isinstance(found, str) else None

    def alias(self, name: str) -> str:
        """What a typedef or alias of the struct stands for; "" without."""
        return next((struct.types[name] for struct in self.structs if name in struct.types), "")

    def function(self, name: str) -> str:
        """The function, or the class that holds one, that a member or an alias of the struct names, without namespaces and
        template arguments; "" without."""
        members = (code_of(struct.values[name]) for struct in self.structs if name in struct.values)
        found = self.alias(name) or next(members, "")
        return found.partition("<")[0].rpartition("::")[2]

    def type(self, name: str) -> FixedType | None:
        """The fixed-point type behind ``name`` of the struct, a typedef or the type of a member."""
        for struct in self.structs:
            text = struct.types.get(name, struct.kinds.get(name))
            if text is not None:
                return self.names.fixed(text)
        return None
