"""Does the Containerfile make an image that works? By a container tool where there is one, else step by step in an empty folder.

    python tools/check_container.py [--steps]

Without a tool that answers, or with ``--steps``, each instruction is followed by hand: COPY into the folder, ENV into the
environment, RUN by /bin/sh with an environment of its own first on PATH and absolute targets moved below the folder. Steps of
apt-get are left to .ci/packages and said. At the end the image's commands run on a firmware. Exit 1 where a step fails.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from check_install import Failed, wheel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.firmware import miniature

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "pquant_hls:check"
SILENT = {"FROM", "CMD", "WORKDIR"}
USES = (
    ["pquant-hls", "doctor"],
    ["pquant-hls", "csim", "record", "mini", "--golden", "mini.golden", "--random", "16"],
    ["pquant-hls", "csim", "check", "mini", "--golden", "mini.golden"],
)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """(keyword, rest) of each instruction; comments and continued lines as Containerfile has them."""
    for line in text.replace("\\\n", " ").splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword and not keyword.startswith("#"):
            yield keyword.upper(), rest.strip()


def run(words: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
    print("$", shlex.join(words)[:100], flush=True)
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode not in ((0, 3) if "doctor" in words else (0,)):
        raise Failed(f"{shlex.join(words)}: status {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")


def by_hand(source: Path, folder: Path) -> None:
    """Follow the Containerfile of ``source`` in ``folder``."""
    venv.create(folder / "venv", with_pip=True)
    (folder / "work").mkdir()
    env = {**os.environ, "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"}
    for keyword, rest in instructions((source / "Containerfile").read_text()):
        if keyword == "ENV":
            env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif keyword == "COPY":
            pattern, target = shlex.split(rest)
            place = folder / target.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            for file in source.glob(pattern):
                shutil.copy2(file, place)
        elif keyword == "RUN" and "apt-get" in rest:
            print(f"left to .ci/packages: {rest}")
        elif keyword == "RUN":
            run(["/bin/sh", "-c", rest.replace(" /opt/", f" {folder}/opt/")], folder, env)
        elif keyword not in SILENT:
            raise Failed(f"Containerfile: {keyword} is not followed here")
    miniature.project(folder / "work" / "mini")
    for words in USES:
        run(words, folder / "work", env)


def by_tool(tool: str, source: Path, folder: Path) -> None:
    """Build the image and run its commands on a mounted firmware."""
    run([tool, "build", "-f", "Containerfile", "-t", IMAGE, "."], source)
    miniature.project(folder / "mini")
    for words in USES:
        run([tool, "run", "--rm", "-v", f"{folder}:/work", IMAGE, *words], folder)


def tool_that_answers() -> str | None:
    """podman or docker, if its daemon is there."""
    for name in filter(shutil.which, ("podman", "docker")):
        if subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:  # noqa: S603 - a name of ours
            return name
    return None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", action="store_true", help="by hand even where there is a container tool")
    args = parser.parse_args()
    tool = None if args.steps else tool_that_answers()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheel(folder)
        source = folder / "context"
        shutil.copytree(folder / "dist", source / "dist")
        shutil.copy2(ROOT / "Containerfile", source)
        place = folder / "image"
        place.mkdir()
        try:
            if tool is None:
                by_hand(source, place)
            else:
                by_tool(tool, source, place)
        except Failed as cause:
            print(cause, file=sys.stderr)
            return 1
    print(f"the Containerfile works, {'step by step in an empty folder' if tool is None else f'by {tool}'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
