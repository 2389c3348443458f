"""Reads everything that the emulated providers hold, and shows what came."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from time import monotonic

from attrs import field, frozen, mutable
from rich.cells import cell_len
from rich.live import Live
from rich.table import Table
from rich.text import Text

from conversations_hub.cli.render import (
    NARROWEST,
    Screen,
    Thread,
    beginning,
    one_line,
    title,
)
from conversations_hub.emulator import Emulator
from conversations_hub.hub import ConversationsHub
from conversations_hub.models import (
    Conversation,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Role,
)
from conversations_hub.pager import Pager

WORKERS = 4
"""How many conversations of a provider are read at the same time."""
NEWEST = 3
"""How many conversations of each provider are listed in the end."""
LONGEST_THREAD = 24
LONGEST_TEXT = 160
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@frozen(kw_only=True)
class Reading:
    """One conversation with all that belongs to it."""

    conversation: Conversation
    messages: list[Message]
    participants: list[Participant]

    @property
    def latest(self) -> datetime:
        """When somebody last wrote."""
        return max((m.sent_at for m in self.messages if m.sent_at), default=LONG_AGO)

    @property
    def name(self) -> str:
        """What to call it: its title, or who writes."""
        authors = dict.fromkeys(m.author.name for m in self.messages if m.author and m.author.name)
        return self.conversation.title or ", ".join(authors) or title(self.conversation)

    @property
    def variety(self) -> tuple[int, int]:
        """How many different things a reader gets to see in this thread, and how much of them."""
        seen: set[object] = set()
        for message in self.messages:
            seen |= {message.kind, message.state}
            seen |= {"reply"} if message.reply_to else set()
            seen |= {"file"} if message.attachments else set()
        dull = {MessageKind.UNKNOWN, MessageState.SENT}
        nameless = {m.author.ref for m in self.messages if m.author and not m.author.name}
        return len(seen - dull) - len(nameless), len(self.messages)


@mutable
class Tally:
    """What has come from one provider so far."""

    name: str
    conversations: int = 0
    messages: int = 0
    participants: int = 0
    requests: int = 0
    seconds: float = 0.0
    workers: int = WORKERS


@mutable
class Finds:
    """The little that is kept of everything read: the newest, and the thread to show."""

    screen: Screen
    thread: Reading | None = field(default=None, init=False)
    _newest: dict[str, list[Reading]] = field(factory=dict, init=False)

    def add(self, reading: Reading) -> None:
        """Look at one conversation."""
        ref = reading.conversation.ref
        known = [*self._newest.get(ref.provider, []), reading]
        self._newest[ref.provider] = sorted(known, key=_recency, reverse=True)[:NEWEST]
        if self._is_better(reading) and self._fits(reading):
            self.thread = reading

    @property
    def newest(self) -> list[Reading]:
        """Where somebody wrote last, a few of each provider in one list, the newest first."""
        return sorted(chain(*self._newest.values()), key=_recency, reverse=True)

    def _is_better(self, reading: Reading) -> bool:
        # The order in which answers arrive must not decide.
        best = self.thread
        return best is None or _rank(reading) > _rank(best)

    def _fits(self, reading: Reading) -> bool:
        if not 0 < len(reading.messages) <= LONGEST_THREAD:
            return False
        laid_out = Thread(limit=LONGEST_TEXT).lay_out(reading.messages)
        return len(self.screen.render_lines(laid_out)) <= LONGEST_THREAD


def _recency(reading: Reading) -> tuple[datetime, str]:
    return reading.latest, str(reading.conversation.ref)


def _rank(reading: Reading) -> tuple[tuple[int, int], str]:
    return reading.variety, str(reading.conversation.ref)


async def demo(emulator: Emulator, screen: Screen, hint: str) -> None:
    """Read all conversations of all providers at the same time and show what came."""
    tallies = [Tally(name) for name in emulator.servers]
    finds = Finds(screen)
    started = monotonic()
    async with emulator.hub(resolve_names=True) as hub:
        with _progress(screen, tallies, emulator):
            try:
                async with asyncio.TaskGroup() as group:
                    for tally in tallies:
                        _read(group, hub, tally, finds, started)
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
    _count_requests(tallies, emulator)
    if not screen.is_terminal:
        screen.put(table_of(tallies))
    _show_total(screen, tallies, monotonic() - started)
    _show_newest(screen, finds.newest)
    if finds.thread:
        _show_thread(screen, finds.thread)
        hint = hint.format(ref=finds.thread.conversation.ref)
        screen.print()
        screen.print(Text.assemble(("Next: ", "bold"), (hint, "cyan")), soft_wrap=True)


def _read(
    group: asyncio.TaskGroup, hub: ConversationsHub, tally: Tally, finds: Finds, started: float
) -> None:
    """Set a few workers to one provider's conversations; each takes the next when it is free."""
    conversations = hub.conversations(tally.name)
    turn = asyncio.Lock()

    async def work() -> None:
        while (conversation := await _next(conversations, turn)) is not None:
            tally.conversations += 1
            reading = await _whole(hub, conversation)
            tally.messages += len(reading.messages)
            tally.participants += len(reading.participants)
            finds.add(reading)
        tally.workers -= 1
        tally.seconds = monotonic() - started

    for _ in range(WORKERS):
        group.create_task(work())


async def _whole(hub: ConversationsHub, conversation: Conversation) -> Reading:
    return Reading(
        conversation=conversation,
        messages=await hub.messages(conversation.ref, order="oldest").collect(limit=None),
        participants=await hub.participants(conversation.ref).collect(limit=None),
    )


async def _next(pager: Pager[Conversation], turn: asyncio.Lock) -> Conversation | None:
    async with turn:
        return await anext(pager, None)


@contextmanager
def _progress(screen: Screen, tallies: list[Tally], emulator: Emulator) -> Iterator[None]:
    """Show the table while it fills; a pipe gets the finished one."""
    if not screen.is_terminal:
        yield
        return

    def table() -> Table:
        _count_requests(tallies, emulator)
        return table_of(tallies)

    with Live(get_renderable=table, console=screen, refresh_per_second=12):
        yield


def _count_requests(tallies: list[Tally], emulator: Emulator) -> None:
    for tally in tallies:
        tally.requests = len(emulator.servers[tally.name].requests)


def table_of(tallies: list[Tally]) -> Table:
    """Return the table of what came from each provider."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("Provider", style="cyan", min_width=10)
    for heading in ("Conversations", "Messages", "Participants", "Requests", "Time"):
        table.add_column(heading, justify="right", min_width=8)
    for tally in tallies:
        counts = (tally.conversations, tally.messages, tally.participants, tally.requests)
        time = f"{tally.seconds:.2f} s" if not tally.workers else "…"
        table.add_row(tally.name, *(f"{count:,}" for count in counts), time)
    return table


def _show_total(screen: Screen, tallies: list[Tally], seconds: float) -> None:
    conversations = sum(tally.conversations for tally in tallies)
    messages = sum(tally.messages for tally in tallies)
    providers = counted(len(tallies), "emulated provider")
    screen.print(
        f"\n{counted(conversations, 'conversation')} with {counted(messages, 'message')} "
        f"from {providers}, read at the same time in {seconds:.1f} s."
    )


def counted(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _show_newest(screen: Screen, newest: list[Reading]) -> None:
    _heading(screen, "The newest conversations of each provider (UTC)")
    refs = [one_line(str(reading.conversation.ref)) for reading in newest]
    counts = [counted(len(reading.messages), "message") for reading in newest]
    widths = [16, max(map(cell_len, counts), default=0), max(map(cell_len, refs), default=0)]
    left = screen.width - sum(widths) - 2 * len(widths) - 4  # emoji may be wide
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(width=max(left, NARROWEST), no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", overflow="fold")
    table.add_column(style="cyan", overflow="fold")
    for reading, ref, count in zip(newest, refs, counts, strict=True):
        latest = f"{reading.latest.astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(latest, one_line(reading.name), count, ref)
    screen.put(table)


def _show_thread(screen: Screen, reading: Reading) -> None:
    _heading(screen, f"One thread: {one_line(title(reading.conversation))}")
    people = ", ".join(_described(p) for p in reading.participants)
    screen.put(Text(beginning(people, 2 * screen.width), style="dim"))
    screen.put(Thread(limit=LONGEST_TEXT).lay_out(reading.messages))


def _described(person: Participant) -> str:
    name = person.name or person.address or (person.user or person.ref).id
    role = "" if person.role is Role.UNKNOWN else f" ({person.role})"
    return one_line(f"{name}{role}")


def _heading(screen: Screen, words: str) -> None:
    screen.print()
    screen.print(Text(words, style="bold"))
