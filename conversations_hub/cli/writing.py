"""The commands that write, and what they say where nobody knows what became of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from conversations_hub import codec
from conversations_hub.cli import render
from conversations_hub.cli.interrupts import STANDING
from conversations_hub.cli.options import JSON, accounts, person, ref_of
from conversations_hub.cli.program import finish, hub, write
from conversations_hub.cli.render import Screen, visible
from conversations_hub.cli.settings import Accounts
from conversations_hub.errors import AmbiguousWriteError, HubError
from conversations_hub.hub import ConversationsHub
from conversations_hub.models import ConversationKind, Ref
from conversations_hub.recipes import Call, Outcome

T = TypeVar("T")

DONE = "it was done"
KINDS = [kind.value for kind in ConversationKind if kind is not ConversationKind.UNKNOWN]
KEY = click.option(
    "--key",
    metavar="KEY",
    help="Idempotency key: what was written with it before is shown instead.",
)


async def carried_out(
    opened: ConversationsHub, call: Call[T], *, where: Ref | None = None, key: str | None = None
) -> T | None:
    """Carry out a call; what may have happened is read back, so that nobody does it twice.

    Whoever interrupts it is told how to find out what became of it: by what is at `where`, or by
    the idempotency `key`; afterwards, while all is being closed, that it was done or what failed.
    """
    standing = STANDING.get()
    try:
        thing = await _carried_out(opened, call)
    except asyncio.CancelledError as error:
        if getattr(error, "__notes__", None):
            for way in _ways(where, key):
                error.add_note(way)
        else:
            error.add_note("nothing was written")
        raise
    except HubError as error:
        ways = _ways(where, key) if isinstance(error, AmbiguousWriteError) else ()
        standing.told = "; ".join([visible(str(error)), *ways])
        raise
    standing.told = DONE
    return thing


def _ways(where: Ref | None, key: str | None) -> Iterator[str]:
    """Yield how to find out what became of a write."""
    if where is not None:
        yield f"see `conversations-hub messages {where}` or `show {where}`"
    if key is not None:
        yield f"again with --key {key} it is done once"


async def _carried_out(opened: ConversationsHub, call: Call[T]) -> T | None:
    try:
        return await opened.run(call)
    except AmbiguousWriteError as error:
        outcome = await _read_back(opened, error)
        if outcome.happened is None:
            raise
        if not outcome:
            click.echo("It was not done; it can be tried again.", err=True)
            raise (error.cause or error) from None
        click.echo("The answer was lost, but it was done.", err=True)
        return outcome.value


async def _read_back(opened: ConversationsHub, error: AmbiguousWriteError) -> Outcome[Any]:
    """Return what became of a write; nobody knows where reading back fails, too."""
    if error.reconcile is None:
        return Outcome(happened=None)
    try:
        return await opened.run(error.reconcile)
    except asyncio.CancelledError as cancelled:
        cancelled.add_note(visible(str(error)))
        raise
    except HubError as failure:
        click.echo(f"It could not be read back: {visible(str(failure))}", err=True)
        return Outcome(happened=None)


def show(thing: Any, *, as_json: bool) -> None:
    """Print what a write gave: in a pipe its ref alone, with --json all of it."""
    if as_json:
        write([codec.dumps(thing)])
        return
    screen = Screen()
    if screen.is_terminal:
        render.details(screen, thing)
    else:
        write([str(thing.ref)])


@hub.command()
@click.argument("ref", type=ref_of)
@click.argument("text", required=False)
@click.option("--html", metavar="MARKUP", help="The message as markup, where the provider has it.")
@click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Attach a file; can be repeated.",
)
@click.option("--reply-to", metavar="MESSAGE_ID", help="Reply to this message.")
@KEY
@JSON
@accounts
def send(
    found: Accounts,
    *,
    ref: Ref,
    text: str | None,
    html: str | None,
    attach: tuple[Path, ...],
    reply_to: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Send TEXT, or standard input, to the conversation REF."""
    if text is None and html is None and not attach:
        text = sys.stdin.read().removesuffix("\n")

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            call = opened.send(
                ref,
                text,
                html=html,
                attachments=attach,
                reply_to=reply_to,
                idempotency_key=key,
            )
            show(await carried_out(opened, call, where=ref, key=key), as_json=as_json)

    finish(work())


@hub.command()
@click.argument("provider")
@click.option("--title", help="What it is called.")
@click.option("--description", help="What it is about, where the provider has that.")
@click.option("--kind", type=click.Choice(KINDS), help="By default, the provider's usual kind.")
@click.option(
    "--participant",
    "participants",
    multiple=True,
    metavar="WHO",
    help="A reference, or what the provider knows them by; can be repeated.",
)
@click.option("--text", help="The first message.")
@KEY
@JSON
@accounts
def create(
    found: Accounts,
    *,
    provider: str,
    kind: str | None,
    participants: tuple[str, ...],
    key: str | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Create a conversation at PROVIDER, such as circuit."""

    async def work() -> None:
        async with found.hub([provider]) as opened:
            people = [person(opened, who) or who for who in participants]
            call = opened.create(
                provider,
                kind=ConversationKind(kind) if kind else None,
                participants=people,
                idempotency_key=key,
                **told,
            )
            show(await carried_out(opened, call, key=key), as_json=as_json)

    finish(work())


@hub.command()
@click.argument("ref", type=ref_of)
@click.option("--undo", is_flag=True, help="Unarchive it instead.")
@JSON
@accounts
def archive(found: Accounts, *, ref: Ref, undo: bool, as_json: bool) -> None:
    """Archive the conversation REF."""

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            call = opened.unarchive(ref) if undo else opened.archive(ref)
            show(await carried_out(opened, call, where=ref), as_json=as_json)

    finish(work())


@hub.command("add-participant")
@click.argument("ref", type=ref_of)
@click.argument("who")
@JSON
@accounts
def add_participant(found: Accounts, *, ref: Ref, who: str, as_json: bool) -> None:
    """Add WHO to the conversation REF.

    WHO is a reference, or what the provider knows them by.
    """

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            call = opened.add_participant(ref, person(opened, who) or who)
            show(await carried_out(opened, call, where=ref), as_json=as_json)

    finish(work())


@hub.command()
@click.argument("ref", type=ref_of)
@click.argument("message_id", required=False)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@accounts
def delete(found: Accounts, *, ref: Ref, message_id: str | None, yes: bool) -> None:
    """Delete the conversation REF, or its message MESSAGE_ID.

    Without MESSAGE_ID, the conversation is deleted with all its messages.
    """
    own = message_id if message_id is None else message_id.removeprefix(f"{ref.provider}:")
    if own == "":
        # As of an unset variable: without it, all the messages would go.
        raise click.BadParameter("it is empty; leave it out to delete all", param_hint="MESSAGE_ID")
    what = f"message {own} of {ref}" if own else f"{ref} and all its messages"
    if not yes:
        click.confirm(f"Delete {what}?", abort=True, err=True)

    async def work() -> None:
        async with found.hub([ref.provider]) as opened:
            call = opened.delete_message(ref, own) if own else opened.delete(ref)
            await carried_out(opened, call, where=ref)

    finish(work())
