"""The typer application, its global options, and how errors become one line and an exit status."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from typing import Annotated

import typer

from pquant_hls.cli import commands
from pquant_hls.cli.plain import echo
from pquant_hls.errors import OutputError, PquantError
from pquant_hls.errors.halves import MissingHalf
from pquant_hls.files import out_of_room
from pquant_hls.spec.plugins import use_custom

# typer brings its own copy of click in some versions and imports it in others; this is the one it raises.
UsageProblem: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

EXIT_MISSED, EXIT_BAD_INPUT, EXIT_TOOL, EXIT_UNKNOWN, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
EXIT_UNFORESEEN = 70
"""Of a failure that nobody foresaw, a fault of ours (sysexits.h, EX_SOFTWARE); 1 is a budget that was missed."""

app = typer.Typer(
    name="pquant-hls",
    help="Compress Keras models for FPGA triggers until the firmware meets a latency budget in nanoseconds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("pquant_hls"))
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    custom: Annotated[
        list[str] | None,
        typer.Option("--custom", help="MODULE or MODULE:CLASS of a model's own layers; may be repeated"),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    use_custom(custom or ())
    context.obj = {"debug": debug}


commands.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    # Quiet and repeatable unless the user says otherwise; must stand before TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    _stop_as_by_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(words, prog_name="pquant-hls", standalone_mode=False)
    except typer.Abort:
        status = EXIT_INTERRUPTED
    except UsageProblem as cause:
        said = cause.format_message()  # type: ignore[attr-defined]  # click
        if said.strip():  # without a command the help is all there is to say
            asked = [] if said.startswith("No such command") else words[:1]
            echo(f"error: {said} ({' '.join(['pquant-hls', *asked, '--help'])})", err=True)
        status = EXIT_BAD_INPUT
    except PquantError as cause:
        _explain(cause, "--debug" in words)
        status = cause.exit_code
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        status = EXIT_INTERRUPTED
    except ModuleNotFoundError as cause:
        status = _lacking(cause, words)
    except OSError as cause:
        status = _unwritten(cause, words)
    except Exception as cause:  # noqa: BLE001 - the end of the command line: what nobody foresaw is no verdict
        _confess(cause, words)
        status = EXIT_UNFORESEEN
    sys.exit(status if isinstance(status, int) else 0)


def _stop_as_by_ctrl_c(*numbers: signal.Signals) -> None:
    """Batch systems and closing terminals end a program by these: stop the tools it runs and keep the run resumable."""
    for number in numbers:
        if (
            signal.getsignal(number) is signal.SIG_DFL
            and threading.current_thread() is threading.main_thread()
        ):
            signal.signal(number, signal.default_int_handler)


def _unwritten(cause: OSError, words: list[str]) -> int:
    """A full disk is no fault of ours; any other file that cannot be used unforeseen is."""
    if not out_of_room(cause):
        _confess(cause, words)
        return EXIT_UNFORESEEN
    error = OutputError(
        "no space is left on the disk", where=cause.filename, mend="make room, then try again"
    )
    _explain(error, "--debug" in words)
    return error.exit_code


def _lacking(cause: ModuleNotFoundError, words: list[str]) -> int:
    """A half of the package that is not installed is named with its install line."""
    missing = MissingHalf.of(cause)
    if missing is None:
        _confess(cause, words)
        return EXIT_UNFORESEEN
    _explain(missing, "--debug" in words)
    return missing.exit_code


def _confess(cause: Exception, words: list[str]) -> None:
    """An unforeseen failure in one line; the traceback on demand."""
    if "--debug" in words:
        traceback.print_exception(cause)
    said = " ".join(str(cause).split())[:300]
    echo(
        f"error: unforeseen {type(cause).__name__}: {said or 'without a word'} "
        "(a fault of pquant-hls: --debug shows where, please report it)",
        err=True,
    )


def _explain(cause: PquantError, debug: bool) -> None:
    if debug:
        traceback.print_exception(cause)
    echo(f"error: {' '.join(str(cause).split())}", err=True)
