import logging

import attrs
import pytest

from conversations_hub import journal, observing
from conversations_hub.observing import (
    CallBegan,
    CallEnded,
    PageRead,
    Paused,
    RequestBegan,
    RequestEnded,
    Retrying,
)

WHERE = {"provider": "acme", "operation": "messages", "call": 7}
SENT = {**WHERE, "number": 2, "attempt": 1, "method": "GET", "url": "https://acme/notes"}
QUIET = [CallBegan(**WHERE), RequestBegan(**SENT)]
LINES = [
    (
        CallEnded(**WHERE, seconds=0.25, requests=2),
        logging.DEBUG,
        "acme.messages: done after 0.250 s, requests: 2",
    ),
    (
        CallEnded(**WHERE, seconds=1, requests=1, error="NotFoundError"),
        logging.DEBUG,
        "acme.messages: raised NotFoundError after 1.000 s, requests: 1",
    ),
    (
        RequestEnded(**SENT, seconds=0.5, status=200),
        logging.DEBUG,
        "acme.messages: GET https://acme/notes: 200 after 0.500 s",
    ),
    (
        RequestEnded(**SENT, seconds=0.5, error="ServerDisconnectedError"),
        logging.DEBUG,
        "acme.messages: GET https://acme/notes: ServerDisconnectedError after 0.500 s",
    ),
    (
        RequestEnded(**SENT | {"provider": None}, seconds=0.5, status=404),
        logging.DEBUG,
        "messages: GET https://acme/notes: 404 after 0.500 s",
    ),
    (
        Retrying(**WHERE, attempt=1, seconds=2, error="ServerError", status=503),
        logging.INFO,
        "acme.messages: attempt 1 ended with ServerError (503); the next in 2.000 s",
    ),
    (
        Retrying(**WHERE, attempt=2, seconds=2, error="TransportError"),
        logging.INFO,
        "acme.messages: attempt 2 ended with TransportError; the next in 2.000 s",
    ),
    (
        Paused(**WHERE, seconds=3, why="refusal"),
        logging.INFO,
        "acme.messages: the account is not asked for 3.000 s, since it refuses more requests",
    ),
    (
        Paused(**WHERE, seconds=3, why="rate"),
        logging.DEBUG,
        "acme.messages: the account is not asked for 3.000 s, since its rate is used up",
    ),
    (
        PageRead(**WHERE, items=50, broken=0, last=True),
        logging.DEBUG,
        "acme.messages: a page of 50 items, the last",
    ),
    (
        PageRead(**WHERE, items=49, broken=1, last=False),
        logging.WARNING,
        "acme.messages: a page of 49 items, 1 that cannot be read",
    ),
]


@pytest.mark.parametrize(("event", "level", "line"), LINES)
def test_an_event_is_a_line(caplog, event, level, line):
    caplog.set_level(logging.DEBUG, "conversations_hub")
    journal.write(event)
    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "conversations_hub.events",
        level,
        line,
    )


def test_every_kind_has_a_line_or_is_told_of_by_its_end():
    kinds = {cls for cls in vars(observing).values() if attrs.has(cls)}
    told = {type(event) for event, _, _ in LINES} | {type(event) for event in QUIET}
    assert kinds - told == {observing.Event, observing.RequestEvent}


def test_extras_say_all_and_take_no_name_of_a_records(caplog):
    caplog.set_level(logging.DEBUG, "conversations_hub")
    own = set(vars(logging.makeLogRecord({})))
    for event, _, _ in LINES:
        caplog.clear()
        journal.write(event)
        [record] = caplog.records
        extras = {name: value for name, value in vars(record).items() if name.startswith("hub_")}
        assert extras.pop("hub_event") == type(event).__name__
        said = {f"hub_{name}": value for name, value in attrs.asdict(event).items()}
        assert extras == said
        assert not set(said) & own


@pytest.mark.parametrize("event", QUIET)
def test_what_its_end_says_again_is_not_logged(caplog, event):
    caplog.set_level(logging.DEBUG, "conversations_hub")
    journal.write(event)
    assert caplog.records == []


def test_by_default_only_what_somebody_should_look_at_is_logged(caplog):
    for event, _, _ in LINES:
        journal.write(event)
    assert [record.hub_broken for record in caplog.records] == [1]


def test_whoever_does_not_set_up_logging_reads_nothing():
    handlers = logging.getLogger("conversations_hub").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
