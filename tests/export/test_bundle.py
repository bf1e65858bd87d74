"""Bundles: the same bytes of the same design, every altered byte named, hostile archives refused before they unpack."""

from __future__ import annotations

import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import DataError, OutputError
from pquant_hls.export import bundle, verify_bundle
from pquant_hls.export.archive import MANIFEST, SEAL, packed, read_archive
from pquant_hls.golden import random_inputs, record
from pquant_hls.hls import load_project
from tests.firmware import miniature
from tests.helpers import Edit, Shell, Tiny, linked, single

FILES = {"a.txt": b"one\n", "project/b.h": b"two\n" * 20}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "x.bundle"
    path.write_bytes(packed(FILES, {"name": "x"}))
    return path


def test_what_is_packed_is_read(archive: Path) -> None:
    files, manifest = read_archive(archive)
    assert files == FILES
    assert manifest["name"] == "x"


def test_the_bytes_follow_from_names_and_contents() -> None:
    turned = dict(reversed(FILES.items()))
    assert packed(FILES, {"name": "x", "b": 1}) == packed(turned, {"b": 1, "name": "x"})
    assert packed(FILES, {}) != packed({**FILES, "a.txt": b"One\n"}, {})


def test_every_altered_byte_is_found_and_named(archive: Path) -> None:
    """Each byte of the archive in turn, of the files, the manifest and what zip keeps between them."""
    whole = archive.read_bytes()
    named = {"a.txt": 0, "project/b.h": 0, MANIFEST: 0, SEAL: 0}
    for place in range(len(whole)):
        blob = bytearray(whole)
        blob[place] ^= 0x10
        archive.write_bytes(bytes(blob))
        with pytest.raises(DataError) as found:
            read_archive(archive)
        for name in named:
            named[name] += f"{name} was altered" in found.value.message
    assert all(count > 0 for count in named.values()), named
    for name, content in FILES.items():
        start = whole.index(content)
        altered = bytearray(whole)
        altered[start] ^= 1
        archive.write_bytes(bytes(altered))
        with pytest.raises(DataError, match=f"{name} was altered"):
            read_archive(archive)


def test_bytes_behind_or_cut_off_are_found(archive: Path) -> None:
    whole = archive.read_bytes()
    for blob in (whole + b"x", b"x" + whole, whole[:-1], whole[: len(whole) // 2], b""):
        archive.write_bytes(blob)
        with pytest.raises(DataError):
            read_archive(archive)


def zipped(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        write(made)
    return buffer.getvalue()


def named(
    name: str, mode: int = stat.S_IFREG, kind: int = zipfile.ZIP_STORED
) -> Callable[[zipfile.ZipFile], None]:
    entry = zipfile.ZipInfo(name)
    entry.external_attr, entry.compress_type = (mode | 0o644) << 16, kind
    return lambda made: made.writestr(entry, b"0" * 100_000)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (named("../out"), "leads out of the bundle"),
        (named("/etc/passwd"), "leads out of the bundle"),
        (named("a/../../out"), "leads out of the bundle"),
        (named("a\\..\\out"), "leads out of the bundle"),
        (named("./a"), "no plain path"),
        (named("C:/a"), "leads out of the bundle"),
        (named("link", stat.S_IFLNK), "is a link"),
        (named("device", stat.S_IFCHR), "is a link, a folder or a device"),
        (named("bomb", kind=zipfile.ZIP_DEFLATED), "than an archive without compression can"),
    ],
)
def test_hostile_archives_are_refused(
    archive: Path, write: Callable[[zipfile.ZipFile], None], words: str
) -> None:
    archive.write_bytes(zipped(write))
    with pytest.raises(DataError, match=words):
        read_archive(archive)


def test_two_files_of_one_name_are_refused(archive: Path) -> None:
    def write(made: zipfile.ZipFile) -> None:
        for _ in range(2):
            named("a")(made)

    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.write_bytes(zipped(write))
    with pytest.raises(DataError, match="two files are called 'a'"):
        read_archive(archive)


def test_a_file_that_the_manifest_does_not_know_is_named(archive: Path) -> None:
    files, _ = read_archive(archive)
    with zipfile.ZipFile(archive) as made:
        kept = {name: made.read(name) for name in (MANIFEST, SEAL)}
    for changed, words in (
        ({**files, "c": b""}, "c was added"),
        ({"a.txt": files["a.txt"]}, "b.h is missing"),
    ):

        def write(made: zipfile.ZipFile, changed: dict[str, bytes] = changed) -> None:
            for name, blob in {**changed, **kept}.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                made.writestr(entry, blob)

        archive.write_bytes(zipped(write))
        with pytest.raises(DataError, match=words):
            read_archive(archive)


@pytest.fixture
def design(tmp_path: Path, csim_cache: Path) -> tuple[Path, Path]:
    """A firmware and its golden."""
    folder = miniature.project(tmp_path / "p")
    project = load_project(folder)
    record(project, random_inputs(project, 32), cache=csim_cache).save(tmp_path / "p.golden")
    return folder, tmp_path / "p.golden"


@pytest.mark.gxx
def test_a_design_is_bundled_twice_alike_and_verified(
    design: tuple[Path, Path], tmp_path: Path, shell: Shell
) -> None:
    folder, golden = design
    one = bundle(folder, tmp_path / "one.bundle", golden=golden)
    two = bundle(folder, tmp_path / "two.bundle", golden=golden)
    assert one.sha256 == two.sha256
    assert (tmp_path / "one.bundle").read_bytes() == (tmp_path / "two.bundle").read_bytes()
    files, _ = read_archive(one.path)
    assert {"project/firmware/mini.cpp", "golden.npz", "lint.json", "estimate.json", "LICENCES.md"} <= {
        *files
    }
    assert json.loads(files["lint.json"])[0].startswith("warning sum-cuts fc1")
    found = verify_bundle(one.path)
    assert (found.passed, found.sha256, len(found.held)) == (True, one.sha256, 5)
    status, told, _ = shell("verify", one.path, "--unpack", tmp_path / "new")
    assert (status, told.splitlines()[-1]) == (0, f"sha256 {one.sha256}")
    assert (tmp_path / "new" / "project" / "firmware" / "mini.cpp").read_bytes() == files[
        "project/firmware/mini.cpp"
    ]
    with pytest.raises(OutputError, match="exists already"):
        bundle(folder, one.path, golden=golden)


@pytest.mark.gxx
def test_another_firmware_under_a_right_manifest_fails_csim(
    design: tuple[Path, Path], tmp_path: Path, edit: Edit
) -> None:
    """Whoever makes the manifest anew for changed weights does not get past the golden."""
    folder, golden = design
    made = bundle(folder, tmp_path / "a.bundle", golden=golden)
    files, manifest = read_archive(made.path)
    weights = files["project/firmware/weights.h"].replace(b"{0.75000, -0.50000", b"{0.78125, -0.50000")
    about = {name: manifest[name] for name in ("name", "project", "made_by")}
    made.path.write_bytes(packed({**files, "project/firmware/weights.h": weights}, about))
    found = verify_bundle(made.path, unpack=tmp_path / "not")
    assert not found.passed
    assert not (tmp_path / "not").exists()
    assert found.faults[0] == "the project is not the one that was bundled"
    assert "first divergent layer: out" in found.faults[1]
    edit(folder, "firmware/weights.h", "{0.75000, -0.50000", "{0.78125, -0.50000")
    with pytest.raises(DataError, match="csim does not give the golden"):
        bundle(folder, tmp_path / "b.bundle", golden=golden)


@pytest.mark.gxx
def test_a_run_is_bundled_with_its_model_and_recipe(tiny: Tiny, tmp_path: Path, csim_cache: Path) -> None:
    run = tmp_path / "run"
    hand = run / "handover"
    shutil.copytree(tiny.project, hand / "project")
    shutil.copy(tiny.model, hand / "model.keras")
    (hand / "qor.json").write_text("{}")
    (run / "run.json").write_text(json.dumps({"recipe": {"name": "r"}, "folder": str(run)}))
    project = load_project(hand / "project")
    record(project, random_inputs(project, 16), cache=csim_cache).save(hand / "project.golden")
    made = bundle(run, tmp_path / "run.bundle")
    assert {name: made.parts[name] for name in ("model.keras", "golden.npz", "recipe.json")} == {
        "model.keras": 1,
        "golden.npz": 1,
        "recipe.json": 1,
    }
    assert made.parts["project"] > 10
    files, _ = read_archive(made.path)
    assert {"model.keras", "qor.json", "recipe.json", "golden.npz"} <= {*files}
    assert json.loads(files["recipe.json"]) == {"name": "r"}
    assert not any(str(tmp_path).encode() in blob for name, blob in files.items() if name.endswith(".json"))
    assert not any(str(tiny.project).encode() in blob for blob in files.values()), "where it lay is not told"
    assert verify_bundle(made.path, unpack=tmp_path / "else where" / "unpacked").passed
    unpacked = tmp_path / "else where" / "unpacked" / "project"
    assert load_project(unpacked).digest() == project.digest()
    with pytest.raises(OutputError, match="exists already"):
        verify_bundle(made.path, unpack=tmp_path / "else where" / "unpacked")
    x = np.random.default_rng(0).integers(-64, 64, (50, 4)) / 16
    assert np.array_equal(linked(unpacked, x), single(record(project, x, cache=csim_cache).y))
    moved = tmp_path / "moved"
    shutil.move(run, moved)
    assert bundle(moved, tmp_path / "again.bundle").sha256 == made.sha256


def test_the_command_line_names_what_it_needs(tmp_path: Path, shell: Shell) -> None:
    folder = miniature.project(tmp_path / "p")
    assert shell("export", "bundle", folder, "--out", tmp_path / "x")[0::2] == (
        2,
        f"error: {folder}: a bundle needs a golden (--golden FILE of csim record)\n",
    )
    status, _, said = shell("export", folder, "--out", tmp_path / "x")
    assert (status, "an emulator needs a namespace" in said) == (2, True)
    (tmp_path / "no.bundle").write_text("no")
    status, _, said = shell("verify", tmp_path / "no.bundle")
    assert (status, "is no bundle, or damaged" in said) == (2, True)
