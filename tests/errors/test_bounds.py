"""Hostile input ends with an error of ours under a bound of memory that the system itself enforces (RLIMIT_AS)."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pquant_hls.errors import bounds

ADDRESS_SPACE = 2 * 2**30
"""Bytes, libraries included: what docs/bounds.md states for every reader but that of models."""

CHILD = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from pquant_hls.errors import PquantError
{imports}
path = Path(sys.argv[1])
try:
    {call}
except PquantError as cause:
    print(type(cause).__name__, cause)
"""

READERS = {
    "yaml": ("from pquant_hls.spec.text import read_yaml", "read_yaml(path)"),
    "report": ("from pquant_hls.readers import read_report", "read_report(path)"),
    "data": ("from pquant_hls.datasets import load_dataset", "load_dataset(path)"),
    "json": ("from pquant_hls.store import read_json", "read_json(path)"),
    "graph": ("from pquant_hls.qor import FixedPointGraph", "FixedPointGraph.load(path)"),
}


def npy(shape: tuple[int, ...]) -> bytes:
    """The header of an .npy of this shape, and no values."""
    blob = io.BytesIO()
    np.lib.format.write_array_header_1_0(blob, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return blob.getvalue()


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)


def unwritten(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2**40, 4), np.float32, chunks=(2**16, 4))
        file.create_dataset("y", (2**40,), np.int64, chunks=(2**16,))


ALIASES = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
CASES: dict[str, tuple[str, str | Callable[[Path], None], str]] = {
    "aliases.yaml": ("yaml", ALIASES, "unfolds to more than 100,000 values"),
    "deep.yaml": ("yaml", "[" * 90_000 + "]" * 90_000, "nested too deeply"),
    "deep_block.yaml": ("yaml", "- " * 90_000, "nested too deeply"),
    "long.yaml": ("yaml", "- 1\n" * 200_000, "no recipe is that long"),
    "blanks.yaml": ("yaml", "a:" + " " * 300_000 + "1", "no recipe is that long"),
    "blanks.rpt": ("report", "== Synthesis" + " " * 300_000 + "x\n", "no report has such a line"),
    "many.xml": ("report", "<r>" + "<a/>" * 15_000_000 + "</r>", "more than 500,000 elements"),
    "deep.xml": ("report", "<a>" * 400_000 + "</a>" * 400_000, "XML of a kind that is not known"),
    "text.xml": ("report", "<profile>" + " " * 60_000_000 + "</profile>", "XML of a kind that is not known"),
    "attribute.xml": ("report", f"<r a='{'x' * 60_000_000}'/>", "XML of a kind that is not known"),
    "entities.xml": ("report", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "holds what no report holds"),
    "deep.json": ("json", '{"a":' + "[" * 500_000 + "]" * 500_000 + "}", "nested too deeply"),
    "blanks.csv": ("data", "1,2" + " " * 300_000 + ",0\n1,2,1\n", ""),
    "line.csv": ("data", "1," * 2_000_000 + "0\n", "line 1 has more than 1,000,000 characters"),
    "label.csv": ("data", "1,2,a\n" * 20_000 + f"1,2,{'b' * 900_000}\n", "a label of 900,000 characters"),
    "stated.npz": (
        "data",
        lambda path: zipped(path, x__npy=npy((2**40,)), y__npy=npy((1,))),
        "bytes of values",
    ),
    "bomb.npz": ("data", lambda path: zipped(path, x__npy=npy((2**30,)) + bytes(2**20)), "bytes of values"),
    "unwritten.h5": ("data", unwritten, "bytes of values, more than"),
    "deep.graph": ("graph", lambda path: zipped(path, graph__json=b"[" * 500_000), "nested too deeply"),
    "bomb.graph": (
        "graph",
        lambda path: zipped(path, graph__json=b" " * (bounds.JSON_BYTES + 1)),
        "bytes of JSON",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_an_error_of_ours_in_little_memory(name: str, tmp_path: Path) -> None:
    reader, content, text = CASES[name]
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        content(path)
    imports, call = READERS[reader]
    script = CHILD.format(limit=ADDRESS_SPACE, imports=imports, call=call)
    environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-800:]
    assert text in done.stdout
    assert done.stdout or not text


def test_what_an_archive_states_is_held_to_a_limit(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", a=bytes(1000), b=bytes(10))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        bounds.unpacked(archive, 1010)
        bounds.unpacked(archive, 10, "b")
        with pytest.raises(ValueError, match="unpacks to 1,010 bytes, more than 1,009"):
            bounds.unpacked(archive, 1009)
        with pytest.raises(ValueError, match="unpacks to 1,000 bytes"):
            bounds.unpacked(archive, 999, "a")


def test_json_is_read_as_ever() -> None:
    value = {"a": [1, 2.5, None, "x"], "b": {"c": True}}
    assert bounds.json_values(json.dumps(value)) == value
    with pytest.raises(ValueError, match="Expecting"):
        bounds.json_values("{")


def test_json_beyond_its_bound_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "JSON_BYTES", 5)
    assert bounds.json_values("[1,2]") == [1, 2]
    with pytest.raises(ValueError, match="more than 5 bytes of JSON"):
        bounds.json_values("[1,22]")


def test_the_page_states_each_bound() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bounds.md").read_text()
    for name in (name for name in vars(bounds) if name.isupper()):
        assert f"`{name}` | {getattr(bounds, name):,} |" in page, name
