"""What a check found, as a record, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pquant_hls.golden.compare import Mismatch, OutputComparison, Rule
from pquant_hls.golden.weights import WeightDifference

SHOWN = 10


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check; ``passed`` only if outputs, interface and both copies of the weights hold.

    ``layer`` is the first layer, in the order of computation, whose result is not the golden's on some input,
    ``layer_inputs`` on how many; None where none differs or the layers are not traced. It does not decide: a
    layer may differ and the outputs agree. ``interface`` names port types that changed, ``changed`` the files
    that are not those of the recorded project. ``notes`` say what could not be checked.
    """

    project: str
    rule: Rule
    count: int
    values: int
    outputs: OutputComparison
    weights: tuple[WeightDifference, ...] = ()
    interface: tuple[str, ...] = ()
    layer: str | None = None
    layer_inputs: int = 0
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outputs.passed and not self.weights and not (self.interface and self.rule.mode == "exact")

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """The first values that break the rule."""
        return self.outputs.mismatches

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema_version": 1,
            "passed": self.passed,
            "project": self.project,
            "rule": asdict(self.rule),
            "count": self.count,
            "values": self.values,
            "outputs": asdict(self.outputs),
            "weights": [asdict(entry) for entry in self.weights],
            "interface": list(self.interface),
            "first_divergent_layer": self.layer,
            "layer_inputs": self.layer_inputs,
            "changed": list(self.changed),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """The result for people, one fact a line."""
        verdict = "passed" if self.passed else "FAILED"
        found = [f"csim {verdict}: {self.project}, {self.count:,} inputs, {self.rule}"]
        found += [f"  {entry}" for entry in self.interface]
        found += self._outputs()
        found += self._decision()
        found += self._layer()
        found += [f"  {entry}" for entry in self.weights]
        if self.changed and not self.passed:
            names = ", ".join(self.changed[:SHOWN]) + (", ..." if len(self.changed) > SHOWN else "")
            found.append(f"  changed since it was recorded: {names}")
        return found + [f"  note: {note}" for note in self.notes]

    def _outputs(self) -> list[str]:
        if self.outputs.wrong_values == 0:
            return []
        wrong, inputs = self.outputs.wrong_values, len(self.outputs.wrong_inputs)
        worst = f"by up to {self.outputs.worst_lsbs:g} LSB"
        found = [
            f"  {wrong:,} of {self.values:,} values differ, on {inputs:,} of {self.count:,} inputs, {worst}"
        ]
        found.append(f"  {'index':>7} {'channel':>7} {'expected':>14} {'obtained':>14} {'LSBs':>8}  output")
        found += [
            f"  {m.index:>7} {m.channel:>7} {m.expected:>14.9g} {m.obtained:>14.9g} {m.lsbs:>+8g}  {m.output}"
            for m in self.mismatches[:SHOWN]
        ]
        more = wrong - min(SHOWN, len(self.mismatches))
        return [*found, f"  ... and {more:,} more"] if more > 0 else found

    def _decision(self) -> list[str]:
        d = self.outputs.decision
        if d is None:
            return []
        found = [f"  agreement {100 * d.agreement:.4g} % of the inputs"]
        if d.rate_expected is not None:
            found.append(f"  rate, the share that fires {d.rate_expected:.4g} -> {d.rate_obtained:.4g}")
        if d.efficiency_expected is not None:
            found.append(f"  signal efficiency {d.efficiency_expected:.4g} -> {d.efficiency_obtained:.4g}")
        return found

    def _layer(self) -> list[str]:
        if self.layer is None:
            return []
        aside = "" if self.outputs.wrong_values else ", though the outputs agree"
        where = f"on {self.layer_inputs:,} of {self.count:,} inputs{aside}"
        return [f"  first divergent layer: {self.layer}, {where}"]
