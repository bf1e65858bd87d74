"""What a part offers, by its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pquant_hls.qor.parts import available
from tests.helpers import known


@pytest.mark.parametrize(
    ("part", "lut", "dsp"),
    [
        ("xcvu13p-flga2577-2-e", 1_728_000, 12_288),
        ("xcvu13p:-flga2577:-2-e", 1_728_000, 12_288),
        ("xc7vx690tffg1927-2", 433_200, 3_600),
        ("7z020clg400-1", 53_200, 220),
        ("XCZU9EGFFVB1156-2", 274_080, 2_520),
        ("xc7a200tl-ffg1156-2L", 134_600, 740),
    ],
)
def test_every_way_to_write_a_part_is_understood(part: str, lut: int, dsp: int) -> None:
    found = known(available(part))
    assert (found.lut, found.ff, found.dsp) == (lut, 2 * lut, dsp)


@pytest.mark.parametrize(
    "part", [None, "", "xcvu13", "xcvu13px-flga2577-2-e", "xcvu13p_CIV-fsga2577-2-e", "xc7z0200"]
)
def test_another_part_is_not_guessed(part: str | None) -> None:
    assert available(part) is None


@pytest.mark.corpus
def test_the_counts_are_those_of_every_synthesised_design(corpus: Path) -> None:
    compared = 0
    for path in (corpus / "synthesis_corpus" / "designs").glob("*.json"):
        record = json.loads(path.read_text())
        told, known = record["result"].get("available"), available(record["target"]["part"])
        for name, count in (told or {}).items():
            if count is not None and known is not None:
                assert getattr(known, name) == count, f"{path.name}: {name}"
                compared += 1
    assert compared > 500
