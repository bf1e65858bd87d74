"""The ledger's one record: what was tried from where, what it gave, and whether it was kept.

Every policy writes entries of this form, a line of JSON each. Lines of version 0.1.0, whose outcome stood in the words
of their reason, are read by ``from_v1`` and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from pquant_hls.errors import OutputError
from pquant_hls.qor import Record
from pquant_hls.spec.model import short_names
from pquant_hls.store.files import digest_of

Status = Literal["kept", "rolled_back", "left_out", "idle", "failed"]
"""``left_out``: nothing to gain; ``idle``: changed nothing; ``failed``: could not be made."""

Kind = Literal["float", "round", "step", "stage", "sensitivity", "target", "relax", "trial", "stop", "note"]

WORDS = {"left_out": "left out", "idle": "changes nothing", "failed": "not possible"}
"""What a reason of these statuses begins with for people."""


class Checked(Record):
    """One limit as it was judged: figure and limit in words, and the verdict. ``figures`` are those it is judged anew
    by; empty in lines written before they were kept, whose words are all there is."""

    text: str
    verdict: str
    figures: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def read(cls, told: str | Mapping[str, Any]) -> Checked:
        """From a line's own form, or from a text of 0.1.0, which ends in its verdict."""
        if isinstance(told, Mapping):
            return cls.model_validate(told)
        text, _, verdict = told.rpartition(": ")
        return cls(text=text, verdict=verdict)

    @property
    def record(self) -> dict[str, Any]:
        """What ``decide.Check.of_record`` takes."""
        return self.figures or _figures_v1(self.text)

    def __str__(self) -> str:
        return f"{self.text}: {self.verdict}"


class Entry(Record):
    """One thing that a policy did.

    ``name`` is what people call it, ``parent`` and ``digest`` the models before and after. ``settings`` say what was
    asked (``knobs`` by path, ``settings`` of steps, ``params``, ``move``, ``target``, ``layer`` and ``probe``),
    ``figures`` what it gave: shares, cycles, ns; None is what was not measured. ``status`` is None for what is no
    attempt. An entry also reads as a mapping of the flat form that ``told`` gives.
    """

    schema_version: Literal[2] = 2
    kind: Kind
    name: str = ""
    number: int | None = None
    parent: str | None = None
    digest: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)
    status: Status | None = None
    reason: str = ""
    verdict: str | None = None
    checks: tuple[Checked, ...] = ()

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Entry:
        """From a line of the ledger, of this version or of 0.1.0.

        Raises
        ------
        OutputError : a line of neither.
        """
        try:
            if line.get("schema_version") == 2:
                return cls.model_validate(line)
            return from_v1(line)
        except (ValidationError, ValueError, TypeError, AttributeError) as cause:
            raise OutputError(
                f"holds a line of another version: {cause}", mend="read it by its own"
            ) from cause

    def with_(self, **changes: Any) -> Entry:
        """A copy with some fields replaced."""
        return self.model_copy(update=changes)

    @property
    def key(self) -> str:
        """What tells it from other entries: a resumed run repeats it, and it is not written twice."""
        place = (self.kind, self.name, self.number, self.settings.get("folder"))
        return digest_of([*place, self.parent, self.digest, self.verdict, self.reason])

    @property
    def why(self) -> str:
        """The reason in words, with what the status adds to it."""
        return ": ".join(filter(None, (WORDS.get(self.status or ""), self.reason)))

    def told(self) -> dict[str, Any]:
        """All of it side by side, by the names that histories have."""
        flat: dict[str, Any] = {"kind": self.kind, "step": self.name}
        flat |= {"parent": self.parent, "digest": self.digest}
        if self.number is not None:
            flat["round" if self.kind in {"float", "round"} else "number"] = self.number
        if self.kind == "stage":
            flat["stage"] = self.name
        if self.kind == "step":
            flat["child"] = self.digest
        flat |= {**self.settings, **self.figures, "verdict": self.verdict, "reason": self._outcome()}
        flat["checks"] = [str(check) for check in self.checks]
        if "knobs" in self.settings:
            names = short_names(self.settings["knobs"])
            flat["knobs"] = {names[path]: value for path, value in self.settings["knobs"].items()}
        if self.status is not None:
            flat["kept"] = self.status == "kept"
        if self.status == "failed":
            flat["error"] = self.reason
        return flat

    def _outcome(self) -> str:
        if self.kind != "stage":
            return self.why
        if self.status == "kept":
            return self.reason or "kept"
        return f"rolled back: {self.why}" if self.status in {"rolled_back", "failed"} else self.why

    def keys(self) -> Iterable[str]:
        return self.told().keys()

    def __getitem__(self, name: str) -> Any:
        return self.told()[name]

    def __contains__(self, name: str) -> bool:
        return name in self.told()

    def get(self, name: str, default: Any = None) -> Any:
        """As of a mapping."""
        return self.told().get(name, default)


FIGURES = frozenset(
    [
        "accuracy",
        "accuracy_error",
        "degradation",
        "degradation_error",
        "compression_ratio",
        "units",
        "ebops",
        "cycles",
        "worst_ns",
        "lut",
        "value",
        "excess",
        "account",
        "qor",
        "before",
        "after",
        "seconds",
    ]
)
OWN = frozenset(
    [
        "schema_version",
        "kind",
        "stage",
        "number",
        "round",
        "parent",
        "digest",
        "child",
        "kept",
        "reason",
        "error",
        "verdict",
        "checks",
        "figures",
    ]
)


_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_TEXT_V1 = re.compile(
    rf"(?P<name>.+?) (?P<low>{_NUMBER})(?:\.\.(?P<high>{_NUMBER}))?(?: (?P<unit>\w+))? "
    rf"\(limit (?P<sign>[<>]=) (?P<limit>{_NUMBER})\)"
)


def _figures_v1(text: str) -> dict[str, Any]:
    """Name, figure and limit of a check, which 0.1.0 kept as words alone; no figure where it was not measured."""
    found = _TEXT_V1.fullmatch(text)
    if found is None:
        return {"name": text}
    low, at_least = float(found["low"]), found["sign"] == ">="
    return {
        "name": found["name"],
        "limit": float(found["limit"]),
        "low": low,
        "high": low if found["high"] is None else float(found["high"]),
        "unit": found["unit"] or "",
        "at_least": at_least,
        "quality": at_least and found["name"].startswith(("accuracy", "auc", "efficiency@")),
        "exactness": found["name"] == "csim match",
    }


def from_v1(line: Mapping[str, Any]) -> Entry:
    """A line that 0.1.0 wrote, each kind with keys of its own."""
    kind, number = line.get("kind", "note"), line.get("number", line.get("round"))
    status, reason = _outcome_v1(line)
    figures = {name: line[name] for name in FIGURES if name in line}
    if "figures" in line:  # what a step measured beside its accounts
        figures["measured"] = line["figures"]
    numbered = {"round": f"round {number}", "trial": f"trial {number}"}
    name = numbered.get(kind) or str(line.get("stage") or line.get("step") or kind)
    known = OWN | FIGURES | ({"step"} if name == line.get("step") else set())
    return Entry(
        kind=kind,
        name=name,
        number=number,
        parent=line.get("parent"),
        digest=line.get("digest", line.get("child")),
        settings={name: value for name, value in line.items() if name not in known},
        figures=figures,
        status=status,
        reason=reason,
        verdict=line.get("verdict"),
        checks=tuple(Checked.read(check) for check in line.get("checks") or ()),
    )


def _outcome_v1(line: Mapping[str, Any]) -> tuple[Status | None, str]:
    """Status and bare reason; in 0.1.0 the words of the reason held both."""
    if line.get("error"):
        return "failed", str(line["error"])
    reason, kept = str(line.get("reason") or ""), line.get("kept")
    if line.get("kind") == "trial" and line.get("excess") is not None:
        return ("kept" if line["excess"] <= 0 else "rolled_back"), reason
    if kept:
        return "kept", "" if reason == "kept" else reason
    bare = reason.removeprefix("rolled back: ")
    starts: dict[str, Status] = {"left out": "left_out", "changes nothing": "idle", "not possible": "failed"}
    for words, status in starts.items():
        if bare.startswith(words):
            return status, bare.removeprefix(words).removeprefix(": ")
    return (None if kept is None else "rolled_back"), bare
