"""Tables at the widths that terminals have: nothing is cut, no word is broken, every column has its room."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from pquant_hls.cli.fifo import COLUMNS as FIFOS
from pquant_hls.cli.measure import layers_table
from pquant_hls.cli.plain import hanging
from pquant_hls.cli.suggest import COLUMNS as SUGGESTED
from pquant_hls.cli.tables import LINES, ROUNDS, fitting_table, stacked
from pquant_hls.engine.progress import PlainConsole
from pquant_hls.qor import LayerQoR
from tests.helpers import Shell

WIDTHS = [80, 100, 132, 200]
ROWS: dict[Sequence[str], Sequence[str]] = {
    ROUNDS: [
        "1",
        "12,906",
        "51-26-26-5",
        "8, 6",
        "74.49 ± 0.44 %",
        "+0.03 ± 0.15",
        "15 [14..16]",
        "75.0 [70.0..80.0]",
        "csynth",
        "MISSED",
        "stop: every limit of the budget holds [x]",
    ],
    LINES: [
        "quantize [x]",
        "quantize.bits 7, prune.sparsity 0.8079",
        "69.17 ± 0.40 %",
        "+5.83 ± 0.12",
        "12.51",
        "1,290 [1,280..1,300]",
        "<= 6,500.0",
        "within budget",
        "score 0.6917; breaks accuracy",
    ],
    SUGGESTED: [
        "UNKNOWN",
        "16-64-32-32-5",
        "6 bits",
        "resource",
        "16",
        "78 [60..122]",
        "390.0 [300.0..610.0]",
        "74,800 [19,855..806,929]",
        "0 [0..65]",
        "latency 300..610 ns (limit <= 40 ns)",
    ],
}


def shown(table: RenderableType, console: Console) -> list[str]:
    with console.capture() as heard:
        console.print(table)
    return [line.rstrip() for line in heard.get().splitlines()]


def console(columns: int) -> Console:
    return PlainConsole(width=columns, file=StringIO())


def words(text: str) -> set[str]:
    """Words and numbers of a text, without the lines of a table."""
    return set(re.sub(r"[^\w\s.,<>=%()\[\]±+-]|,(?!\w)", " ", text).split())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("names", list(ROWS))
def test_every_cell_is_shown_whole(names: Sequence[str], columns: int) -> None:
    row = ROWS[names]
    found = shown(fitting_table(console(columns), names, [row, row]), console(columns))
    assert max(map(len, found)) <= columns
    assert words(" ".join(row)) <= words(" ".join(found))
    ns = dict(zip(names, row, strict=True))["ns"]
    assert any(ns in line for line in found), "the latency stands on one line"


def layer(name: str, note: str = "") -> LayerQoR:
    cycles = {"cycles": 1200, "cycles_lo": 1100, "cycles_hi": 1300, "ii_cycles": 1}
    return LayerQoR(
        name=name, op="quantize", **cycles, lut=12345.0, ff=6789.0, dsp=0.0, bram_18k=4.0, note=note
    )


@pytest.mark.parametrize("columns", [60, *WIDTHS])
def test_names_of_layers_are_not_broken(columns: int) -> None:
    name = "encoder_block_1_relu_positive_part"
    found = shown(layers_table(console(columns), [layer("fc1"), layer(name)]), console(columns))
    assert max(map(len, found)) <= columns
    (row,) = [line for line in found if name in line]
    assert "1,200 [1,100..1,300]" in row or columns == 60
    assert {"12,345", "6,789", "quantize"} <= words(" ".join(found))


def test_names_of_fifos_are_not_broken() -> None:
    name, writer = "layer2_out_of_the_first_convolution", "conv_block_1_first_convolution"
    for columns in (64, 80, 132):
        table = fitting_table(console(columns), FIFOS, [(name, writer, "12,544", "1,024", "12")])
        found = shown(table, console(columns))
        assert max(map(len, found)) <= columns
        assert {name, writer, "12,544", "1,024", "12"} <= words(" ".join(found))


def test_a_column_without_a_word_is_left_out() -> None:
    wide = console(150)
    assert "note" not in words(shown(layers_table(wide, [layer("fc1")]), wide)[2])
    assert "note" in words(shown(layers_table(wide, [layer("fc1", "shared")]), wide)[2])


def test_where_nothing_fits_the_widest_cells_give_way() -> None:
    small = console(30)
    rows = [(("error", "weights-off-grid", "a" * 40), ("why it is so",))]
    found = shown(stacked(small, "", ("severity", "rule", "layer"), rows), small)
    assert max(map(len, found)) <= 30
    assert found[2].split()[0] == "error"
    assert sum(line.count("a") for line in found) >= 40, "every letter is there"


def test_a_long_line_goes_on_beneath_further_in_and_a_path_is_whole() -> None:
    path = "/runs/" + "a" * 60
    found = hanging(f"  {path} is the folder of it", 30).split("\n")
    assert found == [f"  {path}", "      is the folder of it"]
    assert hanging("  as it is:  two  spaces", 30) == "  as it is:  two  spaces"
    assert hanging("", 30) == ""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with long names that the linter says much of."""
    import keras
    from qkeras import QActivation, QDense, quantized_bits

    bits = quantized_bits(6, 0, alpha="auto")
    layers = [
        keras.Input((16,)),
        QDense(8, kernel_quantizer=bits, bias_quantizer=bits, name="first_dense_of_the_encoder"),
        QActivation(quantized_bits(5, 1, alpha=1), name="narrowed"),
        keras.layers.Activation("elu", name="elu"),
        keras.layers.BatchNormalization(),
    ]
    path = tmp_path_factory.mktemp("nets") / "net [x].keras"
    keras.Sequential(layers).save(path)
    return path


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_lint_breaks_no_word(net: Path, columns: int, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from pquant_hls.lint import lint
    from pquant_hls.network import load_model
    from pquant_hls.spec import HlsSpec

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(net.parent)
    status, out, _ = shell("lint", net.name)
    assert status == 1
    assert max(map(len, out.splitlines())) <= columns
    assert out.startswith("net [x].keras\n")
    findings = lint(load_model(net), HlsSpec())
    assert {finding.rule for finding in findings} >= {
        "linear-quantizer",
        "unsupported-activation",
        "batchnorm",
    }
    for finding in findings:
        (row,) = [line for line in out.splitlines() if {finding.rule, finding.layer} <= set(line.split())]
        assert row.split()[0] == finding.severity
        assert set(finding.message.split()) | set(finding.mend.split()) <= set(out.split())
