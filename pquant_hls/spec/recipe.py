"""The recipe: steps, HLS options, budget and how the loop may tighten."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from pquant_hls.errors import SpecError
from pquant_hls.spec.budget import Budget
from pquant_hls.spec.hls import HlsSpec
from pquant_hls.spec.model import Spec
from pquant_hls.spec.quality import TaskText
from pquant_hls.spec.registry import config_class, step_names
from pquant_hls.spec.steps import StepConfig, TeachingConfig
from pquant_hls.spec.text import read_yaml


def step_config(values: object, *, path: str = "steps") -> StepConfig:
    """Validate one step, built in or from an entry point; raises SpecError with its path."""
    if isinstance(values, StepConfig):
        return values
    if not isinstance(values, Mapping):
        raise SpecError(f"expected a step such as {{step: prune, sparsity: 0.5}}, got {values!r}", where=path)
    name = values.get("step")
    if not isinstance(name, str):
        raise SpecError(
            "a step needs its name in the key 'step'", where=path, mend=f"one of {', '.join(step_names())}"
        )
    return config_class(name, path).parse(values, path=path)


def _step_list(values: Any) -> tuple[StepConfig, ...]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"expected a list of steps, got {type(values).__name__}")
    return tuple(step_config(value, path=f"steps.{index}") for index, value in enumerate(values))


class SparsityLadder(Spec):
    """How the loop raises the ``sparsity`` of a prune step: a share of what is left goes each round."""

    step: float = Field(
        0.2, gt=0, lt=1, description="share of the remaining units (or weights) taken away a round"
    )
    max: float = Field(0.9, ge=0, lt=1, description="never beyond this sparsity")


class BitsLadder(Spec):
    """How the loop lowers the ``bits`` of a quantize step."""

    step: int = Field(1, ge=1)
    min: int = Field(3, ge=2, description="never below this many bits")


class RankLadder(Spec):
    """How the loop lowers the ``rank`` of a low_rank step: a share of it goes each round."""

    step: float = Field(0.25, gt=0, lt=1, description="share of the rank taken away a round")
    min: int = Field(2, ge=1, description="never below this rank")


class ReuseLadder(Spec):
    """How the loop turns ``hls.reuse_factor``: down where cycles are missed, up where resources are."""

    factor: int = Field(2, ge=2, description="what it is divided or multiplied by")
    min: int = Field(1, ge=1)
    max: int = Field(64, ge=1)


class DepthLadder(Spec):
    """How far the loop raises the ``dropped_layers`` of a prune_layers step, one a round."""

    max: int = Field(2, ge=0, description="never more layers left out")


def _usual(ladder: object) -> bool:
    return ladder == DepthLadder()


def _left_out(value: object) -> bool:
    """What 0.1.0 did not know stays out of a run's identity while it is not used, so that its runs can be resumed."""
    return value is None


def _closed(value: object) -> bool:
    return value is False


class LoopSpec(Spec):
    """Limits of the closed loop."""

    max_rounds: int = Field(10, ge=1, le=100)
    sparsity: SparsityLadder | None = SparsityLadder()
    bits: BitsLadder | None = BitsLadder()
    rank: RankLadder | None = Field(None, exclude_if=_left_out, description="left out: ranks stay")
    reuse_factor: ReuseLadder | None = Field(
        None, exclude_if=_left_out, description="left out: the reuse factor stays"
    )
    distributed_arithmetic: bool = Field(
        False,
        exclude_if=_closed,
        description="whether the loop may turn to strategy distributed_arithmetic; it needs the extra da",
    )
    dropped_layers: DepthLadder | None = Field(
        DepthLadder(), exclude_if=_usual, description="without a prune_layers step of no effect"
    )
    smaller: TeachingConfig | None = Field(
        None,
        exclude_if=_left_out,
        description="where the architecture is the limit: how the smaller network that fits is trained from the model and "
        "taken through the same loop; left out: it is only named",
    )
    relax: bool = Field(False, description="after MET with slack, give accuracy back while it stays met")


class Recipe(Spec):
    """What to do with a model: steps, HLS options, budget, loop."""

    schema_version: Literal[1] = 1
    name: str = Field("recipe", min_length=1)
    description: str = ""
    seed: int = Field(0, ge=0)
    steps: Annotated[tuple[SerializeAsAny[StepConfig], ...], BeforeValidator(_step_list)] = Field(
        min_length=1
    )
    hls: HlsSpec = HlsSpec()
    budget: Budget
    loop: LoopSpec = LoopSpec()
    task: TaskText = ""

    @model_validator(mode="after")
    def _budget_fits_the_clock(self) -> Self:
        if self.budget.latency_ns is not None and self.budget.latency_ns < self.hls.clock_ns:
            raise ValueError(
                f"budget.latency_ns {self.budget.latency_ns:g} is less than one clock of {self.hls.clock_ns:g} ns"
            )
        return self

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Read a recipe from a YAML file or by the name of one in ``hls_configs``; raises SpecError with its path."""
        path = find_recipe(source)
        values = read_yaml(path)
        with _in_file(path):
            return cls.parse(values)

    def _repr_html_(self) -> str:
        """What a notebook shows: budget, target, and of each step what differs from its defaults."""
        from pquant_hls.qor.cards import card
        from pquant_hls.qor.words import limits

        hls = self.hls
        rows = [("budget", limits(self.budget.model_dump()) or "none")]
        rows.append(
            ("target", f"{hls.backend}, {hls.part}, {hls.clock_ns:g} ns clock, reuse {hls.reuse_factor}")
        )
        rows += [(f"step {number}", step.brief) for number, step in enumerate(self.steps)]
        return card(f"recipe {self.name}", rows, [self.description] if self.description else [])

    def dump(self) -> str:
        """The recipe as YAML, every default spelt out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    try:
        yield
    except SpecError as cause:
        raise SpecError(
            cause.message, where=f"{path.name}: {cause.where}" if cause.where else path, mend=cause.mend
        ) from None


def recipe_folder() -> Path:
    """Where the shipped recipes are: beside the package in a checkout, under share/ when installed."""
    beside = Path(__file__).resolve().parents[2] / "hls_configs"
    return (
        beside
        if beside.is_dir()
        else Path(sysconfig.get_path("data")) / "share" / "pquant_hls" / "hls_configs"
    )


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in recipe_folder().glob("*.yaml"))


def find_recipe(source: str | Path) -> Path:
    """The file of a recipe given by path or by shipped name; raises SpecError listing the names."""
    path = Path(source)
    if path.is_file():
        return path
    shipped = recipe_folder() / f"{path}.yaml"
    if path.parent == Path() and shipped.is_file():
        return shipped
    raise SpecError(
        "no such recipe", where=source, mend=f"a YAML file, or one of {', '.join(recipe_names())}"
    )
