"""The command line as a whole: its name, what it prints, and what its ends mean to a shell."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterable, Sequence
from io import TextIOWrapper
from typing import Any

import click

from conversations_hub.cli.interrupts import STANDING, Interruption, Standing
from conversations_hub.cli.render import visible
from conversations_hub.errors import HubError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="conversations-hub")
def hub() -> None:
    """Read and write the conversations of Clio, Circuit, Sunshine Conversations and Twilio.

    Try `demo` first: it needs no account. The other commands take their accounts from the
    providers' customary environment variables, from --config FILE, or from --emulator.

    Dates are ISO 8601; one without an offset is in UTC.
    """


def write(lines: Iterable[str]) -> None:
    """Write lines of JSON and let them go."""
    _encode("utf-8")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _encode(encoding: str | None = None) -> None:
    """Write out what the encoding lacks; in UTF-8 that leaves JSON's own escapes."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def report(error: HubError) -> None:
    """Tell standard error what went wrong."""
    click.echo(f"error: {visible(str(error))}", err=True)


def finish(work: Coroutine[Any, Any, int | None], *, is_silent: bool = False) -> None:
    """Wait for a command to end; a reader that closed the pipe had enough, which is no error."""
    try:
        with Interruption(is_silent, STANDING.get()) as interruption:
            code = asyncio.run(interruption.watched(work))
            sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush what is left at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    if code:
        raise click.exceptions.Exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code."""
    _encode()
    standing = Standing()
    STANDING.set(standing)
    try:
        code: int | None = hub.main(args=args, standalone_mode=False)
    except click.exceptions.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):
            click.echo(f"interrupted: {standing.told}", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HubError as error:
        report(error)
        return 1
    return code or 0
