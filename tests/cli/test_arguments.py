"""Texts become arguments by their types."""

from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from conversations_hub import Attachment, ConversationState, Ref, Upload
from conversations_hub.cli.arguments import arguments, placeholder, read

FILES = Iterable[Path | bytes | AsyncIterable[bytes] | Upload | Attachment]


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("a=b", str, "a=b"),
        ("7", str | None, "7"),
        ("7", int, 7),
        ("7", float | None, 7.0),
        ("7", int | str, "7"),
        ("7.5", int | float, 7.5),
        ('{"a": 1}', Ref | str | Mapping[str, Any], {"a": 1}),
        ("true", bool | None, True),
        ("No", bool, False),
        ("x", Any, "x"),
        ("2026-01-02", datetime | None, datetime(2026, 1, 2, tzinfo=UTC)),
        ("closed", ConversationState | None, ConversationState.CLOSED),
        ("closed", ConversationState | str, ConversationState.CLOSED),
        ("resting", ConversationState | str, "resting"),
        ("clio:contact/7", Ref, Ref("clio", "contact/7")),
        ("clio:contact/7", Ref | str, Ref("clio", "contact/7")),
        ("whatsapp:+1555", Ref | str | None, "whatsapp:+1555"),
        ("a, b", Iterable[str], ["a", "b"]),
        ('["a,b", "c"]', list[str] | None, ["a,b", "c"]),
        ("1,2", tuple[int, ...], [1, 2]),
        ("twilio:CH1,x", Iterable[Ref | str], [Ref("twilio", "CH1"), "x"]),
        ('[{"a": 1}]', Iterable[Mapping[str, Any]], [{"a": 1}]),
        ('{"a": [1]}', Mapping[str, Any] | None, {"a": [1]}),
        ("a.txt,b.txt", FILES, [Path("a.txt"), Path("b.txt")]),
    ],
)
def test_a_text_is_read_by_its_type(text, hint, value):
    assert read(text, hint) == value


@pytest.mark.parametrize(
    ("text", "hint", "told"),
    [
        ("maybe", bool, "neither true nor false"),
        ("x", int, "is not a number"),
        ("x", Ref, "not a reference"),
        ("open?", ConversationState, "not a valid"),
        ("[1", list[str], "not JSON"),
        ("[1]", Mapping[str, Any], "a JSON object is wanted"),
    ],
)
def test_what_does_not_fit_is_told(text, hint, told):
    with pytest.raises(ValueError, match=told):
        read(text, hint)


def method(self, ref: Ref | str, *, count: int = 1, files: FILES = ()) -> None:
    """Stand for an operation."""


def test_arguments_are_found_by_their_names():
    assert arguments(method, ["ref=clio:1", "count=2"]) == {"ref": Ref("clio", "1"), "count": 2}


def test_a_wrong_date_is_named():
    def asked(self, *, since: datetime): ...

    with pytest.raises(click.UsageError, match=r"^since: 'today' is not an ISO 8601 date"):
        arguments(asked, ["since=today"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["clio:1"], "'clio:1' is not KEY=VALUE"),
        (["ref=1", "what=2"], "there is no 'what'; there are ref, count, files"),
        (["count=2"], "missing a required argument: 'ref'"),
        (["ref=1", "count=x"], "count: 'x' is not a number"),
    ],
)
def test_wrong_usage_is_named(given, told):
    with pytest.raises(click.UsageError, match=told):
        arguments(method, given)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (str | None, "TEXT"),
        (Ref | str, "PROVIDER:ID|TEXT"),
        (Iterable[str], "[TEXT,…]"),
        (FILES, "[FILE,…]"),
        (Mapping[str, Any] | None, "JSON"),
        (bool, "true|false"),
        (datetime, "DATE"),
    ],
)
def test_types_are_written_for_people(hint, shown):
    assert placeholder(hint) == shown
