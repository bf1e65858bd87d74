"""One outside program: own process group, live lines, time limit, polite stop, then kill; never a shell."""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from pquant_hls.errors import ToolNotFound

GRACE_S = 5.0
_POLL_S = 0.05
_CHUNK = 65536
_PIPE_BYTES = 1048576  # the most a pipe holds (pipe(7), pipe-max-size)
_LINE_BYTES = 65536
OnLine = Callable[[str], None]


class Status(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    DIED = "died"


@dataclass(frozen=True)
class RunResult:
    """``returncode`` is negative for a signal, as subprocess has it; ``seconds`` is wall time."""

    status: Status
    returncode: int
    seconds: float
    reason: str
    log: Path

    @property
    def ok(self) -> bool:
        return self.status is Status.OK


def run(
    args: Sequence[str],
    cwd: Path,
    timeout_s: float,
    log: Path,
    on_line: OnLine | None = None,
    prefix: Sequence[str] = (),
) -> RunResult:
    """Run one program and write its output (stdout and stderr together) to ``log`` as it comes.

    ``on_line`` gets each line without its end, in the calling thread. At the time limit, at KeyboardInterrupt
    and at an exception of ``on_line`` the whole group gets SIGTERM, ``GRACE_S`` seconds later SIGKILL; the
    exception then goes on. What a program leaves running in its group is killed when it ends.

    ``prefix`` runs it elsewhere, e.g. ``("ssh", "build01")`` or ``("apptainer", "exec", "image.sif")``: the
    folder must have the same path there. Stopping ssh reaches the far side only with ``ssh -tt``.

    Raises
    ------
    ToolNotFound : the program, or the first word of ``prefix``, is not on PATH.
    """
    command = with_prefix(args, cwd, prefix)
    if shutil.which(command[0]) is None:
        raise ToolNotFound(f"{command[0]} is not on PATH", where=command[0])
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        in_time = False
        try:
            in_time = _follow(process, _Lines(stream, on_line), start + timeout_s)
        finally:
            _stop(process, polite=not in_time)
    return _result(process.returncode, in_time, time.monotonic() - start, timeout_s, log)


def with_prefix(args: Sequence[str], cwd: Path, prefix: Sequence[str]) -> list[str]:
    """The command with its prefix; the far side changes folder by ``env -C`` (coreutils 8.28)."""
    if not prefix:
        return list(args)
    far = ["env", "-C", str(cwd.absolute()), *args]
    # ssh joins its arguments with spaces and the far shell splits them again.
    return [*prefix, *(map(shlex.quote, far) if Path(prefix[0]).name == "ssh" else far)]


def ask(args: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> str | None:
    """All output of a short question such as ``g++ --version``; None when it fails or takes too long."""
    try:
        process = subprocess.Popen(  # noqa: S603
            list(args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if env is None else dict(env),
        )
    except OSError:
        return None
    found: list[str] = []
    in_time = False
    try:
        in_time = _follow(process, _Lines(None, found.append), time.monotonic() + timeout_s)
    finally:
        _stop(process, polite=False)
    return "\n".join(found) if in_time else None


class _Lines:
    """Bytes to whole lines, for a log file and a callback."""

    def __init__(self, stream: IO[str] | None, on_line: OnLine | None) -> None:
        self._stream, self._on_line, self._rest = stream, on_line, b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._give(line)
        if len(self._rest) > _LINE_BYTES:
            self.close()

    def close(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = b""

    def _give(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        if self._stream is not None:
            self._stream.write(text + "\n")
            self._stream.flush()
        if self._on_line is not None:
            self._on_line(text)


def _follow(process: subprocess.Popen[bytes], lines: _Lines, deadline: float) -> bool:
    """Read until the program ends; False when the deadline comes first."""
    pipe = process.stdout
    if pipe is None:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        is_open = True
        while not _has_ended(process):
            if time.monotonic() > deadline:
                return False
            if not is_open:
                time.sleep(_POLL_S)
            elif selector.select(_POLL_S):
                is_open = _read(pipe, lines)
        # What a child left behind goes on writing is not waited for: no more than a pipe holds is read.
        for _ in range(_PIPE_BYTES // _CHUNK):
            if not (is_open and selector.select(0)):
                break
            is_open = _read(pipe, lines)
    lines.close()
    return True


def _read(pipe: IO[bytes], lines: _Lines) -> bool:
    chunk = os.read(pipe.fileno(), _CHUNK)
    lines.feed(chunk)
    return chunk != b""


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without reaping, so that the group's number stays taken until ``_stop`` has used it."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _stop(process: subprocess.Popen[bytes], *, polite: bool) -> None:
    """End what is left of the group and reap the program; a second Ctrl-C ends the patience."""
    try:
        if polite:
            _signal_group(process, signal.SIGTERM)
            limit = time.monotonic() + GRACE_S
            while not _has_ended(process) and time.monotonic() < limit:
                time.sleep(_POLL_S)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone already


def _result(code: int, in_time: bool, seconds: float, timeout_s: float, log: Path) -> RunResult:
    if not in_time:
        return RunResult(Status.TIMEOUT, code, seconds, f"took longer than {timeout_s:g} s", log)
    if code < 0:
        return RunResult(Status.DIED, code, seconds, f"died by {_signal_name(-code)}", log)
    if code > 0:
        return RunResult(Status.FAILED, code, seconds, f"ended with status {code}", log)
    return RunResult(Status.OK, code, seconds, "", log)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
