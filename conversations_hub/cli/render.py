"""Shows conversations, messages and participants to people; providers' texts are not trusted."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from errno import EPIPE
from typing import Any, Generic, NoReturn, TypeVar

from attrs import field, fields, frozen, mutable
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from conversations_hub.models import (
    Attachment,
    Author,
    Conversation,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Ref,
    Role,
)

T = TypeVar("T")

WIDTH_OF_A_PIPE = 100
NARROWEST = 12
"""What a column of free text needs at least."""

# What a terminal obeys, or what makes text look like another: C0 and C1 controls, line
# separators, marks that turn the writing direction, byte order marks, lone surrogates.
UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
ROLE_STYLES = {
    Role.CUSTOMER: "cyan",
    Role.GUEST: "cyan",
    Role.STAFF: "green",
    Role.MODERATOR: "green",
    Role.BOT: "magenta",
    Role.SYSTEM: "dim",
}


def visible(text: str) -> str:
    r"""Write out what a terminal would obey: an escape becomes `\x1b`; newlines stay."""
    text = text.replace("\r\n", "\n").expandtabs(4)
    return UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""Return a text on one line: a newline is written as `\n`."""
    return visible(text).replace("\n", r"\n")


class Screen(Console):
    """Standard output; control codes are for terminals alone, whatever the environment says."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        super().__init__(
            file=sys.stdout,
            force_terminal=terminal,
            force_interactive=terminal,
            width=None if terminal else WIDTH_OF_A_PIPE,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def put(self, shown: RenderableType) -> None:
        """Print something; a pipe does not get the blanks that fill its lines up."""
        if self.is_terminal:
            self.print(shown)
            return
        with self.capture() as captured:
            self.print(shown)
        lines = captured.get().splitlines()
        self.file.writelines(f"{line.rstrip()}\n" for line in lines)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the command to end quietly."""
        raise BrokenPipeError(EPIPE, "nobody reads on")


@frozen
class Column(Generic[T]):
    """A heading and what stands below it; without a width, what is left of the line."""

    heading: str
    value: Callable[[T], str | datetime | None]
    width: int | None = None
    style: str = ""
    optional: bool = False


def title(conversation: Conversation) -> str:
    """Return what a conversation is called, or else what kind it is."""
    return conversation.title or f"({conversation.kind})"


def name_of(author: Author | None) -> str:
    """Return what to call somebody."""
    if author is None:
        return "-"
    return author.name or (author.ref.id if author.ref else str(author.role))


def shortened(text: str, limit: int | None) -> str:
    """Return a text, or its beginning and how long it is."""
    if limit is None or len(text) <= limit:
        return text
    return f"{beginning(text, limit)} ({len(text):,} characters)"


def beginning(text: str, limit: int) -> str:
    """Return a text cut to a number of characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _file(attachment: Attachment) -> str:
    size = f" ({decimal(attachment.size)})" if attachment.size is not None else ""
    name = attachment.name or attachment.media_type or attachment.id or "file"
    return f"{one_line(name)}{size}"


def _rows_of(parts: list[Text | Table]) -> Table:
    """Return the table that goes on, or begin one."""
    last = parts[-1] if parts else None
    if isinstance(last, Table):
        return last
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", width=5)
    table.add_column(width=21, no_wrap=True, overflow="ellipsis")
    table.add_column(overflow="fold")
    parts.append(table)
    return table


def _gist(message: Message) -> str:
    if message.state is MessageState.DELETED:
        return "(deleted)"
    return one_line(message.text or f"({message.kind})")


def body(message: Message, answered: str | None = None, limit: int | None = None) -> list[Text]:
    """Return the lines of a message: what it answers, its words, its files, what became of it."""
    quiet = "dim" if message.kind in {MessageKind.SYSTEM, MessageKind.CALL} else ""
    lines = []
    if answered:
        lines.append(Text(f"↳ {answered}", style="dim"))
    if message.subject:
        lines.append(Text(one_line(message.subject), style="bold"))
    if message.state is MessageState.DELETED:
        lines.append(Text("(deleted)", style="dim italic"))
    elif message.text:
        lines.append(Text(visible(shortened(message.text, limit)).rstrip(), style=quiet))
    lines += [Text(f"+ {_file(attachment)}", style="blue") for attachment in message.attachments]
    if message.kind not in {MessageKind.TEXT, MessageKind.MEDIA} or not lines:
        _mark(lines, message.kind)
    if message.state is MessageState.EDITED:
        lines[-1] = Text.assemble(lines[-1], (" (edited)", "dim"))
    return lines


def _mark(lines: list[Text], kind: MessageKind) -> None:
    """Say what kind of message it is, where its words do not."""
    place = next((i for i, line in enumerate(lines) if not line.plain.startswith("↳ ")), None)
    mark = Text(f"[{kind}]", style="dim")
    if place is None:
        lines.append(mark)
    else:
        lines[place] = Text.assemble(mark, " ", lines[place])


REF: Column[Any] = Column("Reference", lambda thing: str(thing.ref), 0, "cyan")
CONVERSATIONS: tuple[Column[Conversation], ...] = (
    REF,
    Column(
        "Active (UTC)", lambda c: c.last_message_at or c.updated_at or c.created_at, 16, "", True
    ),
    Column("State", lambda c: c.state, 8, optional=True),
    Column("Title", title),
)
PARTICIPANTS: tuple[Column[Participant], ...] = (
    REF,
    Column("Name", lambda p: p.name, 18),
    Column("Role", lambda p: p.role, 9, optional=True),
    Column("Channel", lambda p: p.channel, 9, optional=True),
    Column("Address", lambda p: p.address),
)
MESSAGES: tuple[Column[Message], ...] = (
    REF,
    Column("Sent", lambda m: m.sent_at),
    Column("Author", lambda m: name_of(m.author)),
    Column("Text", lambda m: "  ".join(line.plain for line in body(m))),
)


class Rows(Generic[T]):
    """Prints items as they arrive: aligned on a terminal, separated by tabs in a pipe."""

    def __init__(self, screen: Screen, columns: Sequence[Column[T]]) -> None:
        self._screen = screen
        self._columns = columns
        self._widths: list[int] = []

    def show(self, items: Sequence[T]) -> None:
        """Print one page of items."""
        if self._screen.is_terminal:
            self._screen.print(self._table(items))
            return
        for item in items:
            cells = (one_line(_exact(column.value(item))) for column in self._columns)
            self._screen.file.write("\t".join(cells) + "\n")
        self._screen.file.flush()

    def _table(self, items: Sequence[T]) -> Table:
        first = not self._widths
        if first:
            self._settle(items)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=first)
        for column, width in zip(self._columns, self._widths, strict=True):
            # A reference is there to be copied: it may wrap, it is never cut.
            whole = column is REF
            table.add_column(
                column.heading,
                style=column.style,
                header_style="bold",
                width=width,
                no_wrap=not whole,
                overflow="fold" if whole else "ellipsis",
            )
        for item in items:
            table.add_row(*(one_line(_short(column.value(item))) for column in self._columns))
        return table

    def _settle(self, items: Sequence[T]) -> None:
        """Decide from the first page what fits on a line."""
        longest = max((cell_len(str(REF.value(item))) for item in items), default=0)
        columns = list(self._columns)

        def left() -> int:
            taken = (longest if c is REF else c.width for c in columns if c.width is not None)
            return self._screen.width - sum(taken) - 2 * len(columns)

        while left() < NARROWEST and (spare := [c for c in columns if c.optional]):
            columns.remove(spare[-1])
        rest = max(left(), NARROWEST)
        self._columns = columns
        self._widths = [longest if c is REF else c.width or rest for c in columns]


@mutable
class Thread:
    """Lays out one conversation's messages in the order in which they come."""

    limit: int | None = None
    """How much of a long text is shown."""
    ids: bool = False
    _day: date | None = field(default=None, init=False)
    _said: dict[Ref, str] = field(factory=dict, init=False)

    def lay_out(self, messages: Iterable[Message]) -> Group:
        """Return the next messages below the days they were sent: time, author, words."""
        parts: list[Text | Table] = []
        for message in messages:
            at = message.sent_at.astimezone(UTC) if message.sent_at else None
            if at and at.date() != self._day:
                self._day = at.date()
                parts.append(Text(f"── {at:%A} {at.day} {at:%B %Y}", style="dim"))
            self._add(_rows_of(parts), message, f"{at:%H:%M}" if at else "")
        return Group(*parts)

    def _add(self, table: Table, message: Message, time: str) -> None:
        lines = body(message, self._answered(message), self.limit)
        if self.ids:
            lines.append(Text(visible(message.ref.id), style="dim"))
        style = ROLE_STYLES.get(message.author.role, "") if message.author else "dim"
        who = one_line(name_of(message.author))
        table.add_row(time, Text(who, style=style), Text("\n").join(lines))
        self._said[message.ref] = beginning(f"{who}: {_gist(message)}", 60)

    def _answered(self, message: Message) -> str | None:
        ref = message.reply_to
        return self._said.get(ref, one_line(ref.id)) if ref else None


def details(screen: Screen, thing: Conversation | Message) -> None:
    """Print everything that is known about one thing, a field on each line."""
    known = [(name, shown) for name, shown in _known(thing) if shown]
    if not screen.is_terminal:
        for name, shown in known:
            screen.file.write(f"{name}\t{one_line(shown)}\n")
        screen.file.flush()
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, shown in known:
        table.add_row(name, visible(shown))
    screen.print(table)


def _known(thing: Any) -> Iterable[tuple[str, str]]:
    for f in fields(type(thing)):
        if f.name != "raw":
            yield f.name, _told(getattr(thing, f.name))


def _told(value: Any) -> str:
    if isinstance(value, Attachment):
        return "  ".join(filter(None, [_file(value), value.media_type, value.url]))
    if isinstance(value, Author):
        return f"{name_of(value)} ({value.role})"
    if isinstance(value, tuple):
        return "\n".join(map(_told, value))
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False) if value else ""
    return str(value) if isinstance(value, Ref) else _exact(value)


def _short(value: str | datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else value or ""


def _exact(value: str | datetime | None) -> str:
    return value.isoformat() if isinstance(value, datetime) else value or ""
