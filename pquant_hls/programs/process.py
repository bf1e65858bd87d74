"""Run one outside program: live lines, a log, limits of time and memory, polite stop, then kill; never a shell.

A warden (``_warden.py``) stands between: whatever the program started ends with it, and it ends with this process,
even when that is killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from pquant_hls.errors import ToolFailed, ToolNotFound
from pquant_hls.files import scratch
from pquant_hls.programs.limits import MORE_MEMORY, Limits

GRACE_S = 5.0
_POLL_S = 0.05
_CHUNK = 65536
_PIPE_BYTES = 1048576  # the most a pipe holds (pipe(7), pipe-max-size)
_LINE_BYTES = 65536
_WARDEN = Path(__file__).with_name("_warden.py")
OnLine = Callable[[str], None]


class Status(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
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

    def last(self, count: int = 1) -> str:
        """The last ``count`` lines of the log that are not empty, joined by `` | ``."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join([line.strip() for line in lines if line.strip()][-count:])

    def failure(self, name: str, *, where: object, mend: str | None = None, lines: int = 1) -> ToolFailed:
        """The error that says how the program ended, with its own last words."""
        words = self.last(lines)
        if self.status is Status.MEMORY and mend is None:
            mend = MORE_MEMORY
        return ToolFailed(f"{name} {self.reason}" + (f": {words}" if words else ""), where=where, mend=mend)


def run(
    args: Sequence[str],
    cwd: Path,
    limits: Limits,
    log: Path,
    on_line: OnLine | None = None,
    prefix: Sequence[str] = (),
) -> RunResult:
    """Run one program and write its output (stdout and stderr together) to ``log`` as it comes.

    ``on_line`` gets each line without its end, in the calling thread. At the time limit, at KeyboardInterrupt
    and at an exception of ``on_line`` the program's group gets SIGTERM, ``GRACE_S`` seconds later everything it
    started is killed; the exception then goes on. At the memory limit, looked at ten times a second, it is killed at
    once. What a program leaves running is killed when it ends, and so is all of it when this process dies. Its temporary
    files (``TMPDIR``) go with it.

    ``prefix`` runs it elsewhere, e.g. ``("ssh", "build01")`` or ``("apptainer", "exec", "image.sif")``: the
    folder must have the same path there. Stopping ssh reaches the far side only with ``ssh -tt``; the memory
    that is counted is this side's.

    Raises
    ------
    ToolNotFound : the program, or the first word of ``prefix``, is not on PATH.
    """
    command = with_prefix(args, cwd, prefix)
    if shutil.which(command[0]) is None:
        raise ToolNotFound(f"{command[0]} is not on PATH", where=command[0])
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream, scratch() as temporary:
        env = {**os.environ, "TMPDIR": str(temporary)}  # a compiler that is killed leaves its files there
        in_time, words = _watched(command, limits, _Lines(stream, on_line), cwd=cwd, env=env)
    return _result(words, in_time, time.monotonic() - start, limits, log)


def with_prefix(args: Sequence[str], cwd: Path, prefix: Sequence[str]) -> list[str]:
    """The command with its prefix; the far side changes folder by ``env -C`` (coreutils 8.28)."""
    if not prefix:
        return list(args)
    far = ["env", "-C", str(cwd.absolute()), *args]
    # ssh joins its arguments with spaces and the far shell splits them again.
    return [*prefix, *(map(shlex.quote, far) if Path(prefix[0]).name == "ssh" else far)]


def ask(args: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> str | None:
    """All output of a short question such as ``g++ --version``; None when it cannot start or takes too long."""
    found: list[str] = []
    in_time, words = _watched(args, Limits(timeout_s), _Lines(None, found.append), env=env)
    return "\n".join(found) if in_time and words.startswith("ended") else None


def _watched(
    command: Sequence[str],
    limits: Limits,
    lines: _Lines,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[bool, str]:
    """Whether the program ended in time, and the warden's words about its end."""
    deadline = time.monotonic() + limits.time_s
    python = (sys.executable, "-I", "-S", str(_WARDEN))
    memory = str(limits.memory_bytes)
    mine, its = os.pipe()
    with os.fdopen(mine, encoding="utf-8", errors="replace") as status:
        try:
            process = subprocess.Popen(  # noqa: S603
                [*python, str(os.getpid()), str(its), memory, *command],
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(its,),
            )
        finally:
            os.close(its)
        in_time = False
        try:
            in_time = _follow(process, lines, deadline)
        finally:
            _stop(process)
        return in_time, status.readline().strip()


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
        while process.poll() is None:
            if time.monotonic() > deadline:
                return False
            if not is_open:
                _wait(process)
            elif selector.select(_POLL_S):
                is_open = _read(pipe, lines)
        # All that could write has ended: what is left is what the pipe holds.
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


def _wait(process: subprocess.Popen[bytes]) -> None:
    """For its end, or a moment."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End what is left and reap the warden; a second Ctrl-C ends the patience."""
    try:
        process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + GRACE_S
        while process.poll() is None and time.monotonic() < limit:
            _wait(process)
    finally:
        process.send_signal(signal.SIGHUP)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _result(words: str, in_time: bool, seconds: float, limits: Limits, log: Path) -> RunResult:
    kind, _, rest = words.partition(" ")
    if not in_time:
        return RunResult(
            Status.TIMEOUT, -signal.SIGKILL, seconds, f"took longer than {limits.time_s:g} s", log
        )
    if kind == "memory":
        reason = f"took more than {limits.memory_bytes / 1e6:g} MB of memory"
        return RunResult(Status.MEMORY, -signal.SIGKILL, seconds, reason, log)
    if kind == "unstarted":
        return RunResult(Status.FAILED, 127, seconds, f"cannot be started: {rest}", log)
    code = int(rest) if kind == "ended" else -signal.SIGKILL
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
