"""A PostgreSQL server of one's own, reached by a socket in its folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/usr/bin"))


def missing() -> str | None:
    """What is not here of a server and Python's driver; None where all is."""
    if not (BIN / "initdb").exists():
        return "no PostgreSQL server: apt-get install postgresql"
    if importlib.util.find_spec("psycopg2") is None:
        return "no driver for PostgreSQL: pip install psycopg2-binary"
    return None


@contextmanager
def server() -> Iterator[str]:
    """Its URL, for SQLAlchemy."""
    with tempfile.TemporaryDirectory(
        prefix="pg-"
    ) as home:  # short: a socket's name has 107 characters at most
        if os.geteuid() == 0:
            shutil.chown(home, "postgres")
        data, options = f"{home}/data", f"-k {home} -c listen_addresses='' -c fsync=off"
        _program("initdb", "-D", data, "-U", "study", "-A", "trust", "--no-sync")
        _program("pg_ctl", "-D", data, "-o", options, "-l", f"{home}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg2://study@/postgres?host={home}"
        finally:
            _program("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _program(name: str, *words: str) -> None:
    """As the user postgres where we are root: the server refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(  # noqa: S603
        [*user, str(BIN / name), *words], check=True, capture_output=True, timeout=60, cwd="/"
    )
