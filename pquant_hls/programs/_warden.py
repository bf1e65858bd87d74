"""The process between this package and an outside program: it ends the program together with all that it started.

Usage: python _warden.py PARENT STATUS LIMIT PROGRAM ARGUMENT...

The program runs in a session of its own. What it leaves behind, in whatever session, becomes the warden's child
(prctl(2), PR_SET_CHILD_SUBREAPER). SIGTERM is handed on to the program's group. Everything is killed when the program
ends, at SIGHUP, which the kernel also sends when process PARENT dies (PR_SET_PDEATHSIG), and when all of it together
holds more than LIMIT bytes of resident memory. How it ended goes to file descriptor STATUS: ``ended CODE`` (negative
for a signal), ``memory BYTES``, ``stopped`` or ``unstarted REASON``. Linux only. Imports nothing of the package.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP}
PERIOD_S = 0.1
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main(parent: int, status: int, limit: int, command: list[str]) -> None:
    os.set_inheritable(status, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    _prctl(PR_SET_PDEATHSIG, signal.SIGHUP)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:  # it died before the kernel was told to say so
        return
    program = os.fork()
    if program == 0:
        _become(command, status)
    words = watch(program, limit)
    end_all()
    os.write(status, words.encode())


def _become(command: list[str], status: int) -> None:
    """The program in place of this process, with the signals as a shell would give them; never returns."""
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        for number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        os.execvp(command[0], command)  # noqa: S606
    except OSError as cause:
        os.write(status, f"unstarted {cause.strerror}\n".encode())
    finally:
        os._exit(127)


def watch(program: int, limit: int) -> str:
    """Until the program ends, or must end; says which."""
    while True:
        found = signal.sigtimedwait(WATCHED, PERIOD_S)
        if found is not None and found.si_signo == signal.SIGHUP:
            return "stopped"
        if found is not None and found.si_signo == signal.SIGTERM:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program, signal.SIGTERM)
        code = _reap(program)
        if code is not None:
            return f"ended {code}"
        used = sum(resident_bytes(pid) for pid in descendants(os.getpid()))
        if used > limit:
            return f"memory {used}"


def _reap(program: int) -> int | None:
    """The program's return code once it has ended; others that ended are reaped on the way."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return None
        if pid == program:
            return os.waitstatus_to_exitcode(status)


def end_all() -> None:
    """Kill the children, then theirs, which become this process's own, until none is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in children(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    left = [pid]
    while left:
        below = children(left.pop())
        found += below
        left += below
    return found


def children(pid: int) -> list[int]:
    """proc(5); none for a process that has just ended."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib doubles the warden's start
            with open(f"/proc/{pid}/task/{task}/children") as stream:  # noqa: PTH123
                found += map(int, stream.read().split())
    return found


def resident_bytes(pid: int) -> int:
    """proc(5), statm; 0 for a process that has just ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as stream:  # noqa: PTH123
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
