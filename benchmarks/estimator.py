"""How good the estimator is on synthesised designs: cycles, their interval, LUT, FF and DSP against the
tool's report.

    python benchmarks/estimator.py --corpus DIR [--cross-validate] [--quick] [--json OUT] [--seed N]

For every folder of designs in the schema ``synthesis-corpus-design/1``: share of designs whose cycles are
exact, within 1 and within 2; mean absolute error; share of true values inside the stated intervals and the
intervals' widths (upper over lower end, each plus one; median) in cycles, ns, LUT, FF and DSP; median relative error
of LUT, FF and DSP; for each kind of model, tool and family. A family of which the fit has seen no design is named,
and its designs stay out of the coverage: for those no coverage is promised. Beside it the mean absolute
error of saying the best constant number of cycles for that row, and of saying 10. By default the shipped
constants are judged, which were fitted on part of such data; ``--cross-validate`` refits everything,
intervals too, without the group being judged. Designs of trust "low" (changed kernels, a wrapper's report)
have rows of their own. Where values have types of their own, LUT and FF are compared by each value's bits and by the
widest's. What cannot be read, and what has no rule, is listed with its reason and counted.
``--quick`` judges a random part of the designs, or refits in four folds.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from _common import CORPUS, parse, save, show
from _dense_table import read_dense_table
from _designs import DAMAGED, Design, Designs, read_designs, reason

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import UNPROMISED, estimate
from pquant_hls.qor import FixedPointGraph, QoR

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
QUICK_DESIGNS = 60
USED = ("lut", "ff", "dsp")
FAMILIES = ("ultrascale+", "ultrascale", "7series", "versal")
Judged = tuple[Design, QoR]


@dataclass
class Verdicts:
    """Designs with their estimates, and why the others of the folder have none, by id or file name."""

    found: list[Judged] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, design: Design) -> None:
        """Estimate one design; a damaged one must not end the run."""
        try:
            self.found.append((design, estimate(design.graph, design.target)))
        except NotMeasured as cause:
            self.refused[design.id] = cause.message
        except DAMAGED as cause:
            self.failed[design.id] = reason(cause)


def judge(designs: Sequence[Design]) -> Verdicts:
    """Estimates under the constants in force."""
    verdicts = Verdicts()
    for design in designs:
        verdicts.add(design)
    return verdicts


def cross_judge(designs: Sequence[Design], corpus: Path, folds: int) -> Verdicts:
    """The same, each design under constants and intervals fitted without its group."""
    import fit_estimator

    from pquant_hls.estimate.constants import using

    delays = fit_estimator.adder_delays(fit_estimator.inner(corpus) / "op_delays.csv")
    cases = fit_estimator.neutral([*designs, *fit_estimator.single_layers(corpus)], delays)
    groups = sorted({design.group for design in designs})
    if len(groups) < folds:
        raise SystemExit(f"{corpus}: {len(groups)} groups of designs; refitting in folds needs {folds}")
    verdicts = Verdicts()
    for fold in range(folds):
        held = set(groups[fold::folds])
        rest = [case for case in cases if case.design.group not in held]
        constants = fit_estimator.fit(rest, delays)
        constants["intervals"] = fit_estimator.error_bounds(fit_estimator.cross_validate(rest, delays))
        with using(constants):
            for design in designs:
                if design.group in held:
                    verdicts.add(design)
    return verdicts


def row(name: str, members: Sequence[Judged]) -> dict[str, object]:
    """The figures of one group of designs."""
    known = [(d.truth.cycles, q) for d, q in members if d.truth.cycles is not None and q.latency is not None]
    truth = np.array([cycles for cycles, _ in known])
    latency = [q.latency for _, q in known if q.latency is not None]
    promised = [pair for pair in members if not is_stranger(pair[1])]
    told = [pair for pair in promised if not hides_widths(pair[0])]
    error = np.abs(np.array([x.cycles_max for x in latency]) - truth)
    return {
        "designs": name,
        "n": len(known),
        "exact": float((error == 0).mean()),
        "<=1": float((error <= 1).mean()),
        "<=2": float((error <= 2).mean()),
        "MAE": float(error.mean()),
        "MAE const": float(np.abs(truth - np.median(truth)).mean()),
        "MAE 10": float(np.abs(truth - 10).mean()),
        "in interval": _cycles_held(promised),
        "in clock bound": _clock_held(promised),
        "hi/lo": _width([(x.cycles_max_lo or 0, x.cycles_max_hi or 0) for x in latency]),
        "ns hi/lo": _width([(x.worst_ns_lo or 0.0, x.worst_ns_hi or 0.0) for x in latency]),
        **{what.upper(): _relative(members, what) for what in USED},
        **{f"{what.upper()} hi/lo": _width(_spans(members, what)) for what in USED},
        **{f"in {what.upper()}": _covered(told, (what,)) for what in USED},
        "in (LUT,FF,DSP)": _covered(told, USED),
    }


def is_stranger(qor: QoR) -> bool:
    """Whether the estimate says that its family, its tool or its rule was never seen."""
    return any(map(is_unpromised, qor.notes))


def is_unpromised(note: str) -> bool:
    return note.startswith(UNPROMISED)


def hides_widths(design: Design) -> bool:
    """Whether its values have widths of their own that its file does not tell: resources are counted by the widest."""
    return any(node.attrs.get("untold_widths") for node in design.graph.nodes)


def _width(spans: Sequence[tuple[float, float]]) -> float | None:
    """Median of upper over lower end, each plus one."""
    return float(np.median([(high + 1) / (low + 1) for low, high in spans])) if spans else None


def _spans(members: Sequence[Judged], what: str) -> list[tuple[float, float]]:
    return [qor.resources.intervals[what] for _, qor in members if qor.resources is not None]


def _cycles_held(members: Sequence[Judged]) -> float | None:
    """Share of designs whose true cycles lie in the interval."""
    held = [
        (q.latency.cycles_max_lo or 0) <= d.truth.cycles <= (q.latency.cycles_max_hi or 0)
        for d, q in members
        if d.truth.cycles is not None and q.latency is not None
    ]
    return float(np.mean(held)) if held else None


def _clock_held(members: Sequence[Judged]) -> float | None:
    """Share of designs whose estimated clock the bound holds; the report's last digit is rounded."""
    pairs = [
        (d.clock_estimated_ns, None if q.latency is None else q.latency.clock_estimated_hi_ns)
        for d, q in members
    ]
    held = [true <= bound + 0.005 for true, bound in pairs if true is not None and bound is not None]
    return float(np.mean(held)) if held else None


def _relative(members: Sequence[Judged], what: str) -> float | None:
    """Median relative error; where the tool uses none, an estimate of none is no error."""
    pairs = [(getattr(d.truth, what), getattr(q.resources, what)) for d, q in members]
    errors = [abs(value - true) / max(true, 1.0) for true, value in pairs if true is not None]
    return float(np.median(errors)) if errors else None


def _covered(members: Sequence[Judged], names: Sequence[str]) -> float | None:
    hits = []
    for design, qor in members:
        for what in names:
            true = getattr(design.truth, what)
            if true is not None and qor.resources is not None:
                low, high = qor.resources.intervals[what]
                hits.append(low <= true <= high)
    return float(np.mean(hits)) if hits else None


def table(found: Sequence[Judged]) -> list[dict[str, object]]:
    """One row for each kind, weight kind, tool, family and clock that occurs, then the totals."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for design, qor in found:
        if design.truth.cycles is None:
            continue
        kind = design.kind if design.weight_kind == "-" else f"nairods {design.weight_kind}"
        trust = " (trust low)" if design.trust == "low" else ""
        groups[f"{kind} | {design.tool} | {design.family} | {design.target.clock_ns:g} ns{trust}"].append(
            (design, qor)
        )
    rows = [row(name, members) for name, members in sorted(groups.items())]
    trusted = [
        pair for name, members in groups.items() if not name.endswith("(trust low)") for pair in members
    ]
    goal = [pair for pair in trusted if pair[0].weight_kind in ("dense", "qkeras", "hgq")]
    signs = [pair for pair in trusted if pair[0].weight_kind in ("binary", "ternary")]
    sums = [
        ("ORDINARY WEIGHTS (dense, qkeras, hgq)", goal),
        ("BINARY AND TERNARY", signs),
        ("ALL, TRUST NOT LOW", trusted),
    ]
    return rows + [row(name, members) for name, members in sums if members]


def dense_table(corpus: Path) -> list[dict[str, object]]:
    """One row for each strategy of the table of single dense layers, under the shipped constants."""
    inner = corpus / "designs" if (corpus / "designs").is_dir() else corpus
    groups: dict[str, list[Judged]] = defaultdict(list)
    for design, qor in judge(read_dense_table(inner / "wa_hls4ml_dense.csv")).found:
        groups[f"{design.kind} | {design.tool} | {design.family}"].append((design, qor))
    return [row(name, members) for name, members in sorted(groups.items())]


def by_own_bits(found: Sequence[Judged]) -> list[dict[str, object]]:
    """LUT and FF over the report's where values have types of their own: by each value's bits, and by the widest's."""
    told = [
        (design, qor) for design, qor in found if any(node.grid is not None for node in design.graph.nodes)
    ]
    ways = {
        "by each value's bits": told,
        "all by the widest's": [(d, estimate(_alike(d.graph), d.target)) for d, _ in told],
    }
    return [
        {"counted": way, "n": len(pairs), **_ratios(pairs, "lut"), **_ratios(pairs, "ff")}
        for way, pairs in ways.items()
        if pairs
    ]


def _alike(graph: FixedPointGraph) -> FixedPointGraph:
    """With one type for all values of a node."""
    return replace(graph, nodes=tuple(replace(node, grid=None) for node in graph.nodes))


def _ratios(pairs: Sequence[Judged], what: str) -> dict[str, object]:
    """Least, median and largest of estimate over report."""
    stated = [(getattr(qor.resources, what), getattr(design.truth, what)) for design, qor in pairs]
    ratios = [value / true for value, true in stated if true]
    names = {"least": np.min, "median": np.median, "most": np.max}
    return {f"{what.upper()} {name}": float(of(ratios)) for name, of in names.items() if ratios}


def left_out(read: Designs, verdicts: Verdicts) -> list[dict[str, object]]:
    """Why files or designs have no figures above, or none that count in the coverage, and how many of each reason."""
    untold = [d.id for d, _ in verdicts.found if d.truth.cycles is None]
    reasons = {
        **{name: f"cannot be read: {why}" for name, why in read.unread.items()},
        **{name: f"NotMeasured: {why}" for name, why in verdicts.refused.items()},
        **{name: f"cannot be estimated: {why}" for name, why in verdicts.failed.items()},
        **dict.fromkeys(untold, "its report tells no cycles"),
        **{
            d.id: "HGQ, widths of single values untold: resources outside the coverage"
            for d, _ in verdicts.found
            if hides_widths(d)
        },
        **{
            d.id: f"outside the coverage: {note}"
            for d, q in verdicts.found
            for note in q.notes
            if is_unpromised(note)
        },
    }
    count = Counter(reasons.values())
    first = {why: name for name, why in reversed(reasons.items())}
    return [{"reason": why, "designs": count[why], "first": first[why]} for why in sorted(count)]


def unseen_families(verdicts: Verdicts) -> list[dict[str, object]]:
    """The families of which no design is here: nothing above speaks for them."""
    seen = {design.family for design, _ in verdicts.found}
    return [
        {"reason": f"{UNPROMISED} family {name}: outside the coverage", "designs": 0, "first": "-"}
        for name in FAMILIES
        if name not in seen
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpus", type=Path, default=CORPUS, metavar="DIR", help="folder of design JSON files"
    )
    parser.add_argument(
        "--cross-validate", action="store_true", help="refit without each group and judge that group"
    )


def main() -> None:
    args = parse(__doc__, _options)
    read = read_designs(args.corpus)
    designs = read.designs
    if args.quick and not args.cross_validate:
        picks = np.random.default_rng(args.seed).permutation(len(designs))[:QUICK_DESIGNS]
        designs = [designs[index] for index in sorted(picks)]
    folds = 4 if args.quick else 12
    verdicts = cross_judge(designs, args.corpus, folds) if args.cross_validate else judge(designs)
    rows, missing = table(verdicts.found), left_out(read, verdicts) + unseen_families(verdicts)
    show("estimate against report" + (", refitted without each group" if args.cross_validate else ""), rows)
    show("designs without figures above", missing)
    own = by_own_bits(verdicts.found)
    if own:
        show("LUT and FF over the report where values have types of their own", own)
    single = dense_table(args.corpus)
    if single:
        show("single dense layers with weights that are not known, by the shipped constants", single)
    total = len(verdicts.found) + len(verdicts.refused) + len(verdicts.failed)
    print(f"{len(verdicts.found)} of {total} designs estimated; {len(read.unread)} files could not be read")
    results = {
        "rows": rows,
        "left_out": missing,
        "own_bits": own,
        "dense": single,
        "cross_validated": args.cross_validate,
    }
    save(args, "estimator", results)


if __name__ == "__main__":
    main()
