"""What people see, above all of texts that were written to deceive them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from conversations_hub import (
    Attachment,
    Author,
    Conversation,
    Message,
    MessageKind,
    MessageState,
    Ref,
    Role,
)
from conversations_hub.cli.render import (
    CONVERSATIONS,
    MESSAGES,
    Rows,
    Screen,
    Thread,
    body,
    details,
    one_line,
    visible,
)

HOSTILE = "[red]x[/red] \x1b[31mred \x1b]0;title\x07 \x9b2J \u202eevil\u202c :boom: \r over"
HARMLESS = r"[red]x[/red] \x1b[31mred \x1b]0;title\x07 \x9b2J \u202eevil\u202c :boom: \r over"
CONVERSATION = Ref("clio", "7")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADA = Author(ref=Ref("clio", "1"), name="Ada", role=Role.STAFF)


def message(id_="1", **changes):
    given = {"kind": MessageKind.TEXT, "author": ADA, "text": "Hello", "sent_at": NOON}
    return Message(ref=Ref("clio", id_), conversation=CONVERSATION, **(given | changes))


def plain(out):
    """Take away our own colours, and nothing else."""
    return re.sub(r"\x1b\[[0-9;]*m", "", out)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb\tc", "a\nb   c", id="newlines and tabs"),
        pytest.param("a\r\nb", "a\nb", id="line ends of Windows"),
        pytest.param("a\rb", r"a\rb", id="carriage return"),
        pytest.param("\x00\x1b\x7f\x85\x9b", r"\x00\x1b\x7f\x85\x9b", id="C0 and C1"),
        pytest.param(
            "\u202e\u2066\u200f\u2028\ufeff", r"\u202e\u2066\u200f\u2028\ufeff", id="bidi"
        ),
        pytest.param("\ud800", r"\ud800", id="half a pair"),
        pytest.param("שלום 👩🏽‍⚖️ é", "שלום 👩🏽‍⚖️ é", id="honest text"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_one_line():
    assert one_line("a\nb") == r"a\nb"


@pytest.mark.usefixtures("terminal")
def test_hostile_text_on_a_terminal(capsys):
    author = Author(name=HOSTILE, role=Role.CUSTOMER)
    files = (Attachment(name=HOSTILE, url=HOSTILE, media_type=HOSTILE),)
    nasty = message(text=HOSTILE, subject=HOSTILE, author=author, attachments=files)
    reply = message("2\x1b[2J", reply_to=nasty.ref, author=author)
    conversation = Conversation(
        ref=Ref("clio", "\x1b[2J"), title=HOSTILE, metadata={"a": HOSTILE}, description=HOSTILE
    )
    screen = Screen()
    screen.print(Thread(ids=True).lay_out([nasty, reply]))
    Rows(screen, CONVERSATIONS).show([conversation])
    details(screen, conversation)
    details(screen, nasty)
    out = plain(capsys.readouterr().out)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out)
    assert "[red]x[/red]" in out


def test_hostile_text_in_a_pipe(capsys):
    Rows(Screen(), MESSAGES).show([message(text=HOSTILE)])
    Rows(Screen(), CONVERSATIONS).show([Conversation(ref=CONVERSATION, title="a\tb\nc" + HOSTILE)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("\t") for line in lines] == [3, 3]
    assert all(line.endswith(HARMLESS) for line in lines)


def test_a_long_ref_is_whole_in_a_pipe(capsys):
    ref = Ref("sunshine", "x" * 500)
    Rows(Screen(), CONVERSATIONS).show([Conversation(ref=ref, title="t" * 500)])
    assert capsys.readouterr().out.split("\t")[0] == str(ref)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("columns", [40, 72, 100, 200])
def test_lines_fit_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    ref = Ref("twilio", "CH" + "0" * 32)
    rows = Rows(Screen(), CONVERSATIONS)
    rows.show([Conversation(ref=ref, title="A title " * 30, updated_at=NOON)])
    rows.show([Conversation(ref=ref, updated_at=NOON)])
    out = plain(capsys.readouterr().out)
    assert all(len(line) <= columns for line in out.splitlines())
    assert out.count("Reference") == 1
    if columns > 60:
        assert out.count(str(ref)) == 2


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        pytest.param(message(), ["Hello"], id="text"),
        pytest.param(message(state=MessageState.EDITED), ["Hello (edited)"], id="edited"),
        pytest.param(message(text=None, state=MessageState.DELETED), ["(deleted)"], id="deleted"),
        pytest.param(message(kind=MessageKind.CALL, text=None), ["[call]"], id="call"),
        pytest.param(message(kind=MessageKind.SYSTEM), ["[system] Hello"], id="system"),
        pytest.param(message(text=None), ["[text]"], id="nothing in it"),
        pytest.param(message(subject="About"), ["About", "Hello"], id="subject"),
        pytest.param(
            message(
                kind=MessageKind.MEDIA,
                text=None,
                attachments=(Attachment(name="a.pdf", size=2048), Attachment(id="9")),
            ),
            ["+ a.pdf (2.0 kB)", "+ 9"],
            id="files",
        ),
    ],
)
def test_body(message, lines):
    assert [line.plain for line in body(message)] == lines


def test_a_long_text_is_cut_where_wanted():
    assert body(message(text="x" * 300), limit=10)[0].plain == "xxxxxxxxx… (300 characters)"


def test_a_thread_tells_days_and_answers(capsys):
    tomorrow = NOON + timedelta(days=1)
    later = message("2", text="Hi", sent_at=tomorrow, reply_to=Ref("clio", "1"))
    unseen = message("3", text="Hm", sent_at=tomorrow, reply_to=Ref("clio", "0"))
    thread = Thread()
    Screen().put(thread.lay_out([message(), later]))
    Screen().put(thread.lay_out([unseen]))
    assert [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()] == [
        ["──", "Monday", "5 January 2026"],
        ["12:00", "Ada", "Hello"],
        ["──", "Tuesday", "6 January 2026"],
        ["12:00", "Ada", "↳ Ada: Hello"],
        ["Hi"],
        ["12:00", "Ada", "↳ 0"],
        ["Hm"],
    ]


def test_details_leave_nothing_out(capsys):
    details(Screen(), message(recipients=(ADA,), metadata={"é": 1}, html="<p>Hello</p>"))
    known = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert known["recipients"] == "Ada (staff)"
    assert known["metadata"] == '{"é": 1}'
    assert known["html"] == "<p>Hello</p>"
    assert known["sent_at"] == "2026-01-05T12:00:00+00:00"
