"""Running one program: lines, log, time limit, stops, and nobody left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pquant_hls.errors import SpecError, ToolFailed, ToolNotFound
from pquant_hls.programs import Limits, Status, ask, process, run
from tests.programs.program_mocks import Clock, is_gone

Script = Callable[[str], list[str]]


def test_lines_arrive_in_order_and_in_the_log(tmp_path: Path, script: Script) -> None:
    seen: list[str] = []
    command = script(
        "import sys\nprint('one', flush=True)\nprint('two \\u00b5s')\nprint('three', end='', file=sys.stderr)"
    )
    result = run(command, tmp_path, Limits(60), tmp_path / "logs" / "run.log", seen.append)
    assert (result.status, result.returncode, result.ok) == (Status.OK, 0, True)
    assert sorted(seen) == ["one", "three", "two \u00b5s"]
    assert result.log.read_text() == "\n".join(seen) + "\n"


def test_arguments_are_passed_as_they_are(tmp_path: Path, script: Script) -> None:
    hostile = ["$HOME", "a; touch boom", "`id`", "two words", ""]
    run([*script("import sys\nprint(sys.argv[1:])"), *hostile], tmp_path, Limits(60), tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == str(hostile)
    assert not (tmp_path / "boom").exists()


def test_a_failure_is_told_with_its_status(tmp_path: Path, script: Script) -> None:
    result = run(script("import sys\nsys.exit(7)"), tmp_path, Limits(60), tmp_path / "log")
    assert (result.status, result.returncode, result.reason) == (Status.FAILED, 7, "ended with status 7")


def test_a_death_by_signal_is_told_by_name(tmp_path: Path, script: Script) -> None:
    result = run(script("import os\nos.kill(os.getpid(), 9)"), tmp_path, Limits(60), tmp_path / "log")
    assert (result.status, result.reason) == (Status.DIED, "died by SIGKILL")


FAMILY = (
    "import os, signal, subprocess, sys, time\n"
    "{ignore}"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; {ignore_child}time.sleep(600)'])\n"
    "open('own.pid', 'w').write(str(os.getpid()))\n"
    "open('child.pid', 'w').write(str(child.pid))\nprint('started', flush=True)\n{then}\n"
)
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize("ignore", [False, True], ids=["polite", "stubborn"])
def test_the_time_limit_ends_program_and_child(
    tmp_path: Path, script: Script, clock: Clock, ignore: bool
) -> None:
    text = FAMILY.format(
        ignore=IGNORE + "\n" if ignore else "",
        ignore_child=IGNORE + "; " if ignore else "",
        then="time.sleep(600)",
    )
    result = run(script(text), tmp_path, Limits(900), tmp_path / "log", clock.put_forward)
    assert result.status is Status.TIMEOUT
    assert result.reason == "took longer than 900 s"
    assert is_gone(int((tmp_path / "child.pid").read_text()))


def test_a_child_left_behind_is_ended_too(tmp_path: Path, script: Script) -> None:
    result = run(
        script(FAMILY.format(ignore="", ignore_child="", then="sys.exit(0)")),
        tmp_path,
        Limits(60),
        tmp_path / "log",
    )
    assert result.ok
    assert is_gone(int((tmp_path / "child.pid").read_text()))


def test_a_program_that_closes_its_output_is_still_waited_for(tmp_path: Path, script: Script) -> None:
    text = (
        "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(0.3)\nopen('done', 'w').close()\nos._exit(0)"
    )
    assert run(script(text), tmp_path, Limits(60), tmp_path / "log").ok
    assert (tmp_path / "done").exists()


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored; a test of interrupts must not inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_interrupts")
def test_an_interrupt_stops_the_group_and_goes_on(tmp_path: Path, script: Script) -> None:
    def interrupt(line: str) -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        run(
            script(FAMILY.format(ignore="", ignore_child="", then="time.sleep(600)")),
            tmp_path,
            Limits(60),
            tmp_path / "log",
            interrupt,
        )
    assert is_gone(int((tmp_path / "child.pid").read_text()))
    assert (tmp_path / "log").read_text() == "started\n"


@pytest.mark.usefixtures("heeds_interrupts")
def test_a_second_interrupt_ends_the_patience(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 600.0)

    def interrupt_twice(line: str) -> None:
        for delay in (0.1, 0.8):
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()

    text = FAMILY.format(ignore=IGNORE + "\n", ignore_child=IGNORE + "; ", then="time.sleep(600)")
    with pytest.raises(KeyboardInterrupt):
        run(script(text), tmp_path, Limits(60), tmp_path / "log", interrupt_twice)
    assert is_gone(int((tmp_path / "child.pid").read_text()))


def test_a_child_that_goes_on_writing_is_not_waited_for(tmp_path: Path, script: Script) -> None:
    flood = "while True: print('x' * 1000)"
    then = f"subprocess.Popen([sys.executable, '-c', {flood!r}]); time.sleep(0.3); sys.exit(0)"
    result = run(script("import subprocess, sys, time\n" + then), tmp_path, Limits(60), tmp_path / "log")
    assert result.ok
    assert result.seconds < 30


def test_a_child_in_a_session_of_its_own_is_ended_too(tmp_path: Path, script: Script) -> None:
    text = FAMILY.format(ignore="", ignore_child="os.setsid(); ", then="sys.exit(0)")
    assert run(
        script(text.replace("import signal, time", "import os, signal, time")),
        tmp_path,
        Limits(60),
        tmp_path / "log",
    ).ok
    assert is_gone(int((tmp_path / "child.pid").read_text()))


HOG = "import os, time\nkept = bytearray(os.urandom(1)) * 150_000_000\nprint('full', flush=True)\ntime.sleep(600)\n"


def test_the_memory_limit_ends_the_program(tmp_path: Path, script: Script) -> None:
    result = run(script(HOG), tmp_path, Limits(600, memory_mb=100), tmp_path / "log")
    assert (result.status, result.reason) == (Status.MEMORY, "took more than 100 MB of memory")
    failure = result.failure("it", where="here")
    assert isinstance(failure, ToolFailed)
    assert "PQUANT_HLS_MEMORY_MB" in str(failure)


def test_memory_counts_together_with_what_was_started(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PQUANT_HLS_MEMORY_MB", "400")
    hog = script(HOG)
    text = f"import subprocess\nfor one in [subprocess.Popen({hog}) for _ in range(3)]: one.wait()"
    assert run(hog, tmp_path, Limits(2), tmp_path / "log").status is Status.TIMEOUT
    assert run(script(text), tmp_path, Limits(600), tmp_path / "log").status is Status.MEMORY


@pytest.mark.parametrize("text", ["", "much", "0", "-3", "nan", "inf"])
def test_a_memory_limit_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PQUANT_HLS_MEMORY_MB", text)
    with pytest.raises(SpecError, match="PQUANT_HLS_MEMORY_MB"):
        run([sys.executable, "-c", ""], tmp_path, Limits(60), tmp_path / "log")


def test_the_default_is_most_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PQUANT_HLS_MEMORY_MB", raising=False)
    total = int(re.findall(r"MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text())[0]) * 1024
    assert Limits(1).memory_bytes == pytest.approx(0.9 * total, rel=0.02)


def test_a_killed_parent_takes_the_program_along(tmp_path: Path, script: Script) -> None:
    family = script(FAMILY.format(ignore=IGNORE + "\n", ignore_child="", then="time.sleep(600)"))
    text = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom pquant_hls.programs import Limits, run\n"
        "print(os.getpid(), flush=True)\n"
        f"run({family}, Path({str(tmp_path)!r}), Limits(600), Path('log'), "
        "lambda line: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    subprocess.run(script(text), cwd=tmp_path, check=False, timeout=120)
    assert is_gone(int((tmp_path / "child.pid").read_text()))
    assert is_gone(int((tmp_path / "own.pid").read_text()))


def test_a_program_that_cannot_start_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    result = run([str(broken)], tmp_path, Limits(60), tmp_path / "log")
    assert (result.status, result.reason) == (Status.FAILED, "cannot be started: No such file or directory")
    assert ask([str(broken)], 60) is None
    assert ask(["no_such_tool"], 60) is None


def test_the_program_sees_signals_as_a_shell_gives_them(tmp_path: Path, script: Script) -> None:
    text = (
        "lines = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(lines['SigBlk'].strip(), lines['SigIgn'].strip())"
    )
    command = [sys.executable, "-c", text]
    plain = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert run(command, tmp_path, Limits(60), tmp_path / "log").last() == plain.strip()


def test_an_error_of_the_listener_stops_the_group(tmp_path: Path, script: Script) -> None:
    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="started"):
        run(
            script(FAMILY.format(ignore="", ignore_child="", then="time.sleep(600)")),
            tmp_path,
            Limits(60),
            tmp_path / "log",
            refuse,
        )
    assert is_gone(int((tmp_path / "child.pid").read_text()))


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolNotFound, match="no_such_tool"):
        run(["no_such_tool"], tmp_path, Limits(1), tmp_path / "log")
    with pytest.raises(ToolNotFound, match="no_such_host"):
        run(["tool"], tmp_path, Limits(1), tmp_path / "log", prefix=("no_such_host",))


def test_a_prefix_runs_the_program_in_the_same_folder(tmp_path: Path, script: Script) -> None:
    inner = tmp_path / "a folder"
    inner.mkdir()
    command = script("import os, sys\nprint(os.getcwd(), sys.argv[1:])")
    run([*command, "x y"], inner, Limits(60), tmp_path / "log", prefix=("env",))
    assert (tmp_path / "log").read_text().strip() == f"{inner} ['x y']"


def test_ssh_gets_words_that_the_far_shell_leaves_whole() -> None:
    words = process.with_prefix(["tool", "a b", "$x"], Path("/work dir"), ("/usr/bin/ssh", "build01"))
    assert words == ["/usr/bin/ssh", "build01", "env", "-C", "'/work dir'", "tool", "'a b'", "'$x'"]


def test_a_question_that_hangs_has_no_answer() -> None:
    assert process.ask([sys.executable, "-c", "print(5)"], 60) == "5"
    assert process.ask([sys.executable, "-c", "import time; time.sleep(600)"], 0.2) is None
    assert process.ask(["/no/such/program"], 1) is None
