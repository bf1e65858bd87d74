"""What makes each output of a project, read from its C++: the layer's name, and a softmax or sigmoid from tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.firmware.config import Config
from pquant_hls.hls.project import HlsProject, Port
from pquant_hls.lint.model import USEFUL_BOUND, table_bound
from pquant_hls.qor import FixedType

SOFTMAX_FUNCTIONS = ("softmax", "softmax_multidim")
SLOPE = 0.25
"""The steepest slope of a sigmoid."""
SIGMOID_SPAN = 16.0
"""hls4ml's sigmoid table reaches from -8 to 8, where a sigmoid is within 3.4e-4 of 0 and 1."""
SIGMOID_TAIL = 3.4e-4


@dataclass(frozen=True)
class Writer:
    """The call that makes an output: nnet:: ``function``, template ``arguments``, and the layer's name ("" unknown)."""

    function: str
    arguments: tuple[str, ...]
    layer: str

    @property
    def is_head(self) -> bool:
        """Whether it turns logits into probabilities."""
        return self.function in (*SOFTMAX_FUNCTIONS, "sigmoid")


def writer_of(project: HlsProject, port: Port) -> Writer | None:
    """The call of the top function that makes this output; None where no layer does."""
    for call in reversed(project.read.top.calls):
        if port.name in call.writes and call.is_layer:
            return Writer(call.function, call.type_names, call.name)
    return None


@dataclass(frozen=True)
class Head:
    """A softmax or sigmoid from tables. ``error`` is how far from the exact value of the firmware's own logits its
    values can lie, ``reach`` the largest difference of two logits that it can hold (infinite for a sigmoid)."""

    function: str
    error: float
    reach: float = math.inf

    @property
    def bound(self) -> float:
        """Differences up to which values count as equal: ``error``, or 0 where that would pass any answer."""
        return self.error if self.error <= USEFUL_BOUND else 0.0

    def said(self, output: str) -> str:
        """How an output that it makes is compared with Keras."""
        text = f"output {output}: a {self.function} from tables, compared within {self.bound:.2g}"
        if self.bound < self.error:
            return f"{text}: they are too coarse for any answer, off by up to {self.error:.2g}"
        return text


def table_head(project: HlsProject, port: Port) -> Head | None:
    """The softmax or sigmoid that makes this output; None where something else does.

    Raises
    ------
    UnsupportedModel : a softmax for which no bound is known, such as ``latency`` or ``argmax``.
    """
    writer = writer_of(project, port)
    if writer is None or not writer.is_head:
        return None
    tables = _Tables.read(project, writer)
    lsb = 2.0**-10 if port.type is None else port.type.lsb
    if writer.function == "sigmoid":
        step = SIGMOID_SPAN / tables.size("table_size")
        return Head("sigmoid", SLOPE * step + SIGMOID_TAIL + tables.type("table_t").lsb + lsb)
    kind = tables.implementation
    if kind != "stable":
        raise UnsupportedModel(
            f"the project's softmax is hls4ml's {kind!r}, for which no bound is known",
            where=writer.layer or port.name,
            mend="write the project with Strategy: Stable, or without its softmax",
        )
    lsbs = [lsb, *(tables.type(name).lsb for name in ("exp_table_t", "inv_table_t", "accum_t"))]
    norm = tables.type("inp_norm_t")
    step = 2.0**norm.integer / tables.size("exp_table_size")
    inverse = 2.0 ** tables.type("inv_inp_t").integer / tables.size("inv_table_size")
    return Head("softmax", table_bound(step, inverse, max(lsbs)), norm.high)


@dataclass(frozen=True)
class _Tables:
    """The configuration struct of one activation, and what stands for what it leaves out (hls4ml before 1.0)."""

    config: Config
    source: FixedType | None
    where: str

    @classmethod
    def read(cls, project: HlsProject, writer: Writer) -> _Tables:
        names, name = project.read.names, writer.arguments[-1]
        return cls(Config.of(name, names), names.fixed(writer.arguments[0]), f"parameters.h: {name}")

    @property
    def implementation(self) -> str:
        return self.config.word("implementation") or "stable"

    def type(self, name: str) -> FixedType:
        first = self.config.type("exp_table_t")
        instead = {"inp_norm_t": self.source, "inv_inp_t": first, "accum_t": first}
        found = self.config.type(name) or instead.get(name)
        if found is None:
            raise self.unread(name)
        return found

    def size(self, name: str) -> int:
        for wanted in (name, "table_size"):
            found = self.config.number(wanted)
            if found is not None and found > 0:
                return found
        raise self.unread(name)

    def unread(self, name: str) -> PquantError:
        return UnsupportedModel(f"cannot read {name} of this softmax or sigmoid", where=self.where)
