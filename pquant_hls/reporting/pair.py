"""Two runs side by side: figures of other data, parts or clocks do not compare."""

from __future__ import annotations

from collections.abc import Sequence

from pquant_hls.errors import SpecError
from pquant_hls.reporting.recorded import figures_of
from pquant_hls.reporting.run import RunReport


def differences(runs: Sequence[RunReport]) -> list[str]:
    """What keeps the rows of the runs from being compared, in words."""
    found = []
    for what, values in (
        ("data", [str(run.identity.get("data"))[:12] for run in runs]),
        ("part", [run.hls.get("part") for run in runs]),
        ("clock, ns", [run.hls.get("clock_ns") for run in runs]),
        ("source of latency", [(run.qor or {}).get("source") for run in runs]),
        ("split of the curves", [figures_of(run).get("split") for run in runs]),
    ):
        known = [value for value in values if value is not None]
        if len(set(known)) > 1:
            found.append(f"{what} {' and '.join(map(str, values))}")
    return found


def together(run: RunReport, beside: RunReport | None, *, unlike: bool) -> tuple[RunReport, ...]:
    """The one or two runs that are shown; SpecError, with what differs, for two whose rows do not compare, unless ``unlike``."""
    runs = (run,) if beside is None else (run, beside)
    found = [] if unlike else differences(runs)
    if found:
        names = " and ".join(str(run.folder) for run in runs)
        raise SpecError(
            f"are not alike: {'; '.join(found)}", where=names, mend="--unlike shows them all the same"
        )
    return runs
