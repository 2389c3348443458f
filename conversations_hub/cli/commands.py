"""The commands that read, and those that run the emulator."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from rich.table import Table

from conversations_hub import codec
from conversations_hub.cli import render
from conversations_hub.cli.demo import demo as show_demo
from conversations_hub.cli.interrupts import SAFE
from conversations_hub.cli.options import (
    JSON,
    LATENCY,
    LIMIT,
    ONLY,
    SCALE,
    SEED,
    STATES,
    accounts,
    date,
    person,
    ref_of,
)
from conversations_hub.cli.program import finish, hub, report, write
from conversations_hub.cli.render import Rows, Screen, Thread
from conversations_hub.cli.settings import Accounts
from conversations_hub.emulator import Emulator
from conversations_hub.errors import HubError
from conversations_hub.hub import ConversationsHub, Order
from conversations_hub.models import ConversationState, Message, Ref
from conversations_hub.pager import Pager
from conversations_hub.providers import load

T = TypeVar("T")
Show = Callable[[Sequence[T]], None]


@hub.command()
@SEED
@LATENCY
@SCALE
@ONLY
@click.pass_context
def demo(
    ctx: click.Context, seed: int, latency: float, scale: float, only: tuple[str, ...]
) -> None:
    """Read everything from four emulated providers, and show it."""
    same = [f"--seed {seed}"] * (seed != 1) + [f"--scale {scale:g}"] * (scale != 1)
    program = ctx.find_root().command_path
    hint = " ".join([program, "messages", "{ref}", "--emulator", "--resolve-names", *same])

    async def work() -> None:
        emulator = Emulator(seed=seed, latency=latency / 1000, scale=scale, only=only or None)
        async with emulator:
            await show_demo(emulator, Screen(), hint)

    finish(work())


@hub.command()
@click.option(
    "--provider",
    "names",
    multiple=True,
    metavar="NAME",
    help="List only this account; can be repeated.",
)
@click.option("--created-after", type=date, help="Created then or later.")
@click.option("--created-before", type=date, help="Created earlier.")
@click.option("--updated-after", type=date, help="Changed then or later.")
@click.option("--state", type=click.Choice(STATES), help="In this state.")
@click.option(
    "--participant",
    metavar="WHO",
    help="With this person: a reference, or what the provider knows them by.",
)
@LIMIT
@JSON
@accounts
def conversations(
    found: Accounts,
    *,
    names: tuple[str, ...],
    state: str | None,
    participant: str | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """List conversations, of all accounts at the same time.

    An account that fails does not stop the others; it is reported at the end.
    """

    async def work() -> int:
        async with found.hub(names) as opened:
            filters["state"] = ConversationState(state) if state else None
            filters["participant"] = person(opened, participant)
            able, errors = _able(opened, filters)
            if able:
                pager = opened.conversations(*able, **filters, on_error="continue")
                rows = Rows(Screen(), render.CONVERSATIONS)
                await pour(pager, in_json if as_json else rows.show)
                errors += pager.errors
            for error in errors:
                report(error)
            return 1 if errors else 0

    finish(work())


@hub.command()
@click.argument("ref", type=ref_of)
@click.option("--since", type=date, help="Sent then or later.")
@click.option("--until", type=date, help="Sent earlier.")
@click.option(
    "--order",
    type=click.Choice(["oldest", "newest"]),
    help="What comes first; without it the oldest, and with --json the provider's own order.",
)
@click.option("--ids", is_flag=True, help="Show each message's id, for `show`.")
@LIMIT
@JSON
@accounts
def messages(
    found: Accounts, *, ref: Ref, order: Order | None, ids: bool, as_json: bool, **filters: Any
) -> None:
    """Show the messages of the conversation REF."""
    screen = Screen()
    thread = Thread(ids=ids)

    def show(page: Sequence[Message]) -> None:
        screen.print(thread.lay_out(page))

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            pager = opened.messages(ref, order=order or (None if as_json else "oldest"), **filters)
            plain = show if screen.is_terminal else Rows(screen, render.MESSAGES).show
            await pour(pager, in_json if as_json else plain)

    finish(work())


@hub.command()
@click.argument("ref", type=ref_of)
@LIMIT
@JSON
@accounts
def participants(found: Accounts, *, ref: Ref, limit: int | None, as_json: bool) -> None:
    """List the people in the conversation REF."""

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            pager = opened.participants(ref, limit=limit)
            rows = Rows(Screen(), render.PARTICIPANTS)
            await pour(pager, in_json if as_json else rows.show)

    finish(work())


@hub.command()
@click.argument("ref", type=ref_of)
@click.argument("message_id", required=False)
@JSON
@accounts
def show(found: Accounts, *, ref: Ref, message_id: str | None, as_json: bool) -> None:
    """Show the conversation REF, or its message MESSAGE_ID."""

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            if message_id is None:
                thing: Any = await opened.conversation(ref)
            else:
                own = message_id.removeprefix(f"{ref.provider}:")
                thing = await opened.message(ref, own)
        if as_json:
            write([codec.dumps(thing)])
        else:
            render.details(Screen(), thing)

    finish(work())


@hub.command()
@click.option("--json", "as_json", is_flag=True, help="Print the settings as one line of JSON.")
@SEED
@LATENCY
@SCALE
@ONLY
def emulate(as_json: bool, seed: int, latency: float, scale: float, only: tuple[str, ...]) -> None:
    """Serve the four APIs until SIGTERM or Ctrl-C."""

    async def work() -> None:
        stop = asyncio.Event()
        _on_terminate(stop)
        emulator = Emulator(seed=seed, latency=latency / 1000, scale=scale, only=only or None)
        async with emulator:
            if as_json:
                write([json.dumps(emulator.settings(), ensure_ascii=False)])
            else:
                _show_settings(emulator)
            await stop.wait()

    finish(work(), is_silent=True)


def _on_terminate(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    except NotImplementedError:  # Windows
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop.set))


def _show_settings(emulator: Emulator) -> None:
    screen = Screen()
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("Provider", style="cyan")
    table.add_column("Base URL", overflow="fold")
    for name in emulator.servers:
        table.add_row(name, emulator.base_url(name))
    screen.print(table)
    screen.print("\nTo speak to it from another shell:\n")
    for line in _exports(emulator):
        screen.print(line, soft_wrap=True, style="dim")
    screen.print("\nIt runs until Ctrl-C.")
    screen.file.flush()


def _exports(emulator: Emulator) -> list[str]:
    """Return the shell's words for the settings, by each provider's own variable names."""
    lines = []
    for name, server in emulator.servers.items():
        settings = {**server.api.arguments, "base_url": server.base_url}
        for argument, variables in load(name).env.items():
            if variables and argument in settings:
                value = settings[argument]
                text = value if isinstance(value, str) else ",".join(map(str, value))
                lines.append(f"export {variables[0]}={shlex.quote(text)}")
    return lines


def _able(opened: ConversationsHub, filters: dict[str, Any]) -> tuple[list[str], list[HubError]]:
    """Return the accounts that can be asked this, and what is in the way of the others."""
    able, errors = list[str](), list[HubError]()
    for name in opened.providers:
        try:
            opened.conversations(name, **filters)
        except HubError as error:
            errors.append(error)
        else:
            able.append(name)
    return able, errors


def in_json(items: Sequence[Any]) -> None:
    """Print each item as a line of JSON."""
    write(map(codec.dumps, items))


async def pour(pager: Pager[T], show: Show[T]) -> None:
    """Print each page when it arrives."""
    count = 0
    try:
        async with pager:
            async for page in pager.pages():
                show(page.items)
                count += len(page.items)
    except asyncio.CancelledError as error:
        error.add_note(f"{SAFE}; {count:,} were written out")
        raise
