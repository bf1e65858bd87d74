"""Designs that differ in their weights behind one library, in the layout of CMS' repositories: NAME/NAME_vN."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.csim import cpp_standard
from pquant_hls.errors import NotMeasured, OutputError, SpecError, UnsupportedModel
from pquant_hls.export import bank_texts as texts
from pquant_hls.export.emulator import (
    INFO_FILE,
    check_name,
    described,
    prove_folder,
    proven_vectors,
    vector_lines,
)
from pquant_hls.export.integers import integer_unit
from pquant_hls.export.texts import check_text, origin_line, plain_types, producer_types
from pquant_hls.export.unit import translation_unit
from pquant_hls.files import replacing
from pquant_hls.firmware import includes, top_ports
from pquant_hls.golden import Golden
from pquant_hls.hls import HlsProject
from pquant_hls.store import write_json

INTEGERS, SOURCES = "integers", "the firmware's sources"
_VERSIONED = re.compile(r"[A-Za-z][A-Za-z0-9_]*_v[0-9][A-Za-z0-9]*")


@dataclass(frozen=True)
class WrittenBank:
    """``path`` is NAME/NAME_vN; ``computed`` says of each set of weights how, with the reason where not by integers."""

    path: Path
    namespace: str
    vectors: int
    computed: dict[str, str]


def export_cmssw(
    designs: Mapping[str, HlsProject],
    out: Path,
    namespace: str,
    *,
    golden: Golden | None = None,
    timeout_s: float = 600.0,
) -> WrittenBank:
    """Write designs of the same ports as NAME_vN into the repository ``out``, each compared with its own csim.

    A design is computed on integers where a graph says all of it (many times as fast), else by its own sources.

    Parameters
    ----------
    designs : by the names that choose them at run time; the first is taken where none is chosen.
    out : the repository, which may hold other versions.
    namespace : NAME_vN, which holds all of it.
    golden : vectors to prove a single design by; 256 random inputs through csim when left out.
    timeout_s : seconds for each csim, and for compiling and running the emulator.

    Raises
    ------
    SpecError : a name that C++ or the layout does not take, or ports that differ (named).
    OutputError : this version exists already, or cannot be written.
    GoldenError, UnsupportedModel, ToolNotFound, ToolFailed : as ``export_emulator``, with the name of the weights.
    """
    _check(designs, namespace, golden)
    place = out / namespace
    if place.exists():
        raise OutputError("exists already", where=place, mend="give the next version, or another folder")
    vectors = {name: proven_vectors(one, golden, timeout_s) for name, one in designs.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(place) as folder:
            computed = _write(designs, folder, namespace, vectors, timeout_s)
            prove_folder(folder, place, timeout_s)
        if not (out / "Makefile").exists():
            name = namespace.rpartition("_v")[0]
            (out / "Makefile").write_text(texts.repository_makefile(name), encoding="utf-8")
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror or cause}", where=place) from cause
    return WrittenBank(place, namespace, min(one.count for one in vectors.values()), computed)


def _check(designs: Mapping[str, HlsProject], namespace: str, golden: Golden | None) -> None:
    if not designs:
        raise SpecError("no design", where="weights")
    if golden is not None and len(designs) > 1:
        raise SpecError("one golden cannot prove several weights", where="golden", mend="leave it out")
    if not _VERSIONED.fullmatch(namespace):
        raise SpecError(f"{namespace!r} is not NAME_vN", where="namespace", mend="such as jet_tagger_v2")
    for name in (namespace, *designs):
        check_name(name, "namespace" if name == namespace else "weights")
    first, one = next(iter(designs.items()))
    for name, other in designs.items():
        for side, here, there in (
            ("inputs", one.inputs, other.inputs),
            ("outputs", one.outputs, other.outputs),
        ):
            found, wanted = ([f"{p.size} x {p.type}" for p in ports] for ports in (there, here))
            if found != wanted:
                raise SpecError(
                    f"{name} has the {side} {', '.join(found)}; {first} has {', '.join(wanted)}",
                    where="weights",
                    mend="weights of one library share their ports; export the other as a version of its own",
                )


def _write(
    designs: Mapping[str, HlsProject],
    folder: Path,
    namespace: str,
    vectors: Mapping[str, Golden],
    timeout_s: float,
) -> dict[str, str]:
    first = next(iter(designs.values()))
    (folder / "NN").mkdir(parents=True)
    (folder / "vectors").mkdir()
    shutil.copytree(includes(first.read).folders[0], folder / "ap_types")
    computed = {}
    for name, project in designs.items():
        text, computed[name] = _unit(project, f"{namespace}::{name}", timeout_s)
        (folder / "NN" / f"{name}.cpp").write_text(f"{origin_line(project)}\n{text}", encoding="utf-8")
        (folder / "vectors" / f"{name}.txt").write_text(vector_lines(vectors[name]))
    ports = [port for side in top_ports(first.read) for port in side]
    plain = None if any(port.stream for port in ports) else plain_types(first)
    passed = None if plain is None else producer_types(first, plain)
    standard = max(cpp_standard(one) for one in designs.values())
    files = {
        f"{namespace}.h": texts.bank_header(designs, namespace),
        f"{namespace}.cpp": texts.bank_source(designs, namespace),
        f"{namespace}_check.cpp": check_text(first, namespace, list(designs)),
        "Makefile": texts.version_makefile(designs, namespace, standard, plugin=plain is not None),
        "README.md": texts.bank_readme(designs, namespace, passed, computed),
    }
    if plain is not None:
        files[texts.plugin_file(namespace)] = texts.bank_plugin(designs, namespace, plain)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    sets = {
        name: {
            "project": one.name,
            "digest": one.digest(),
            "vectors": vectors[name].count,
            "computed_by": computed[name],
        }
        for name, one in designs.items()
    }
    sides = {
        "inputs": [described(port) for port in first.inputs],
        "outputs": [described(p) for p in first.outputs],
    }
    write_json(folder / INFO_FILE, {"namespace": namespace, "weights": sets, **sides, "cmssw": passed})
    return computed


def _unit(project: HlsProject, namespace: str, timeout_s: float) -> tuple[str, str]:
    """The C++ of one design, and how it computes."""
    try:
        return integer_unit(project, namespace, timeout_s=timeout_s), INTEGERS
    except NotMeasured as cause:
        why = cause.message
    try:
        return translation_unit(project, namespace), f"{SOURCES} ({why})"
    except UnsupportedModel as cause:
        raise UnsupportedModel(
            f"{cause.message}; not by integers: {why}", where=cause.where, mend=cause.mend
        ) from cause
