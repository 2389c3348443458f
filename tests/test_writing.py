"""Looking for what was written: how far, and what is an answer."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from attrs import evolve

from conversations_hub import Message, Outcome, PagingError, Ref, TranslationError
from conversations_hub.errors import NotFoundError, ServerError
from conversations_hub.recipes import Attempt, Call
from conversations_hub.wire import Request, Response
from conversations_hub.writing import (
    KEY,
    after,
    compared,
    find,
    found_again,
    gather,
    gone,
    keyed,
    sent_message,
    server_time,
)
from support import Acme, page

WHERE = Ref("acme", "1")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LISTING = Acme(token="canary-token").messages(WHERE)
URL = Request.of("http://acme.test/api/x")


def walk(call, *bodies, headers=None):
    """Answer a call's requests one after another; its value, and what was left unasked."""
    left = list(bodies)
    while isinstance(call, Call):
        answer = left.pop(0)
        if isinstance(answer, Exception):
            call = call.recover(answer)
        else:
            call = call.read(Response(status=200, body=answer, headers=headers or {}))
    return call, left


def notes(*texts, cursor=None):
    return page([{"id": t, "name": t} for t in texts], cursor, key="notes")


def named(name):
    return lambda m: m.text == name


def test_it_is_looked_for_page_by_page():
    pages = notes("a", "b", cursor="2"), notes("c", "d", cursor="3"), notes("e")
    found, left = walk(find(LISTING, named("c"), found_again), *pages)
    assert (found.happened, found.value.text, len(left)) == (True, "c", 1)
    found, left = walk(find(LISTING, named("x"), found_again), *pages)
    assert (found, left) == (Outcome(happened=False), [])


def test_it_is_not_looked_for_past_where_it_can_be():
    found, left = walk(
        find(LISTING, named("x"), found_again, enough=lambda page, _: page[-1].text == "b"),
        notes("a", "b", cursor="2"),
        notes("x"),
    )
    assert (found.happened, len(left)) == (False, 1)


def test_a_list_that_goes_in_circles_ends():
    with pytest.raises(PagingError, match="circles"):
        walk(find(LISTING, named("x"), found_again), *[notes("a", cursor="2")] * 3)


def test_what_cannot_be_read_may_be_it():
    broken = json.dumps({"notes": [{"id": 7}, {"id": "b"}], "meta": {"more": False}}).encode()
    with pytest.raises(TranslationError):
        walk(find(LISTING, named("x"), found_again), broken)
    found, _ = walk(find(LISTING, lambda m: m.ref.id == "b", found_again), broken)
    assert found.value.ref.id == "b"


def timed(*minutes, start=NOW, metadata=None, more=URL):
    """Return a listing whose one page has messages at these minutes past a moment."""
    messages = tuple(
        Message(
            ref=Ref("acme", f"m{n}"),
            conversation=WHERE,
            text="hi",
            sent_at=None if n is None else start + timedelta(minutes=n),
            metadata=metadata or {},
        )
        for n in minutes
    )
    whole = LISTING.read(LISTING.request, Response(status=200, body=notes()))
    return type(LISTING)(
        request=LISTING.request, read=lambda *_: type(whole)(items=messages, next=more)
    )


def outcome(listing, **attempt):
    return walk(sent_message(listing, named("hi"))(Attempt(since=NOW, **attempt)), b"")[0]


def test_an_older_twin_is_not_the_message():
    assert outcome(timed(1, -1, more=None)).value.ref.id == "m1"
    assert outcome(timed(0, more=None)).happened
    assert not outcome(timed(-1, -2))
    assert outcome(timed(None, more=None)).happened


def test_what_this_hub_knows_of_is_not_the_message():
    known = frozenset({Ref("acme", "m2")})
    assert outcome(timed(2, 1, more=None), known=known).value.ref.id == "m1"
    assert not outcome(timed(2, -1, more=None), known=known)


def test_of_equal_ones_the_oldest_is_the_message():
    """Whoever was first is told of the first, so that there is one left for the second."""
    assert outcome(timed(3, 2, 1, -1, more=None)).value.ref.id == "m1"
    known = {Ref("acme", "m1")}
    assert outcome(timed(3, 2, 1, -1, more=None), known=known).value.ref.id == "m2"


@pytest.mark.parametrize("whole", [True, False])
def test_all_is_gathered_that_is_wanted(whole):
    broken = json.dumps({"notes": [{"id": 7}, {"id": "b"}], "meta": {"more": False}}).encode()
    pages = notes("a", "b", cursor="2"), broken
    call = gather(LISTING, lambda m: m.ref.id in {"b", "x"}, list, whole=whole)
    if whole:
        with pytest.raises(TranslationError):
            walk(call, *pages)
    else:
        assert [m.ref.id for m in walk(call, *pages)[0]] == ["b", "b"]
    with pytest.raises(TranslationError):
        walk(gather(LISTING, lambda m: m.ref.id == "x", list), *pages)
    with pytest.raises(PagingError, match="circles"):
        walk(gather(LISTING, named("x"), list), *[notes("a", cursor="2")] * 3)


def test_what_was_written_on_the_way_goes_along():
    post = Call(request=evolve(URL, method="POST"), read=lambda _: Message(
        ref=Ref("acme", "m1"), conversation=WHERE
    ))  # fmt: skip
    get = Call(request=URL, read=lambda _: "done")
    assert after(post, lambda _: get).read(Response(status=200)).made == (Ref("acme", "m1"),)
    assert after(get, lambda _: get).read(Response(status=200)).made == ()
    twice = after(post, lambda _: after(post, lambda _: get)).read(Response(status=200))
    assert twice.made == (Ref("acme", "m1"),)


def test_a_key_is_looked_for_a_day_back_by_the_providers_clock():
    headers = {"Date": format_datetime(NOW, usegmt=True)}
    calls = []

    def send():
        calls.append(1)
        return Call(request=URL, read=lambda _: "sent")

    def look(key, *minutes):
        listing = timed(*minutes, metadata={KEY: "k"})
        return walk(keyed(listing, key, send), b"", b"", headers=headers)[0]

    assert look("k", -5).ref.id == "m-5"
    assert calls == []
    assert look("other", -60 * 24 - 1, -60 * 25) == "sent"
    assert calls == [1]


def test_a_thing_is_compared_and_gone():
    read = Call(request=URL, read=lambda r: r.body.decode())
    assert walk(compared(read, lambda v: v == "x")(Attempt(since=NOW)), b"x")[0] == Outcome(
        happened=True, value="x"
    )
    assert walk(compared(read, lambda v: v == "x")(Attempt(since=NOW)), b"y")[0].happened is False
    assert walk(gone(read)(Attempt(since=NOW)), NotFoundError("no"))[0].happened
    assert walk(gone(read)(Attempt(since=NOW)), b"x")[0].happened is False
    assert walk(gone(read, lambda v: v == "x")(Attempt(since=NOW)), b"x")[0].happened
    with pytest.raises(ServerError):
        walk(gone(read)(Attempt(since=NOW)), ServerError("no"))


def test_one_call_leads_on_to_the_next():
    def value(response):
        return response.body.decode()

    second = Call(request=URL, read=value)
    first = Call(request=URL, read=lambda _: second, recover=lambda _: "was there", prepares=True)
    whole = after(first, str.upper)
    assert (whole.request, whole.prepares) == (URL, True)
    assert walk(whole, b"a", b"b")[0] == "B"
    assert walk(whole, ServerError("no"))[0] == "WAS THERE"
    onward = after(second, lambda v: Call(request=URL, read=lambda r: v + value(r)))
    assert walk(onward, b"a", b"b")[0] == "ab"


def test_the_time_of_an_answer():
    assert server_time(Response(status=200, headers={"date": format_datetime(NOW)})) == NOW
    for headers in ({}, {"Date": "soon"}):
        told = server_time(Response(status=200, headers=headers))
        assert abs(datetime.now(UTC) - told) < timedelta(seconds=5)
