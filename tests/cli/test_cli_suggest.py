"""``suggest`` as a user calls it: the table, JSON, exit statuses, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.helpers import Shell


def test_what_fits_is_listed_first_with_its_interval_and_the_rest_on_demand(shell: Shell) -> None:
    words = (
        "suggest",
        "8-16-8-3",
        "--part",
        "xcvu9p-flga2104-2-e",
        "--clock",
        "200 MHz",
        "--latency",
        "30 ns",
    )
    status, out, err = shell(*words)
    assert (status, err) == (0, "")
    assert "8-16-8-3" in out
    assert "more with --all" in out
    assert "note: not trained" in out
    assert "MISSED" in shell(*words, "--all")[1]


def test_json_holds_every_row_with_its_estimate(shell: Shell) -> None:
    status, out, _ = shell("suggest", "4-8-2", "--latency", "100 ns", "--limit", "dsp=0", "--json")
    found = json.loads(out)
    assert status == 0
    first = found["suggestions"][0]
    assert (first["verdict"], first["sizes"][0], first["sizes"][-1]) == ("MET", 4, 2)
    assert first["qor"]["resources"]["intervals"]["dsp"] == [0.0, 0.0]
    assert len(found["suggestions"]) == 60


@pytest.mark.parametrize(("latency", "status"), [("1 ns", 1), ("1 us", 0)])
def test_the_status_says_whether_anything_fits(shell: Shell, latency: str, status: int) -> None:
    assert shell("suggest", "16-32-5", "--latency", latency)[0] == status


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("16", "--latency", "1 us"), "two or more"),
        (("0-5", "--latency", "1 us"), "above 0"),
        (("16-5",), "no limit"),
        (("16-5", "--latency", "40 parsec"), "latency_ns"),
        (("16-5", "--latency", "40 ns", "--part", "pynq-z2"), "part"),
        (("16-5", "--limit", "dsp"), "dsp needs a value"),
    ],
)
def test_what_cannot_be_meant_is_refused(shell: Shell, words: tuple[str, ...], told: str) -> None:
    status, _, err = shell("suggest", *words)
    assert status == 2
    assert told in err
