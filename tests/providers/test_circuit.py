"""What is special about Circuit: its content, and lists that are cut by time."""

import itertools
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from conversations_hub import (
    Attachment,
    Author,
    ConfigurationError,
    Conversation,
    ConversationKind,
    ConversationsHub,
    ConversationState,
    CursorExpiredError,
    Direction,
    InvalidRequestError,
    Message,
    MessageKind,
    MessageState,
    NotFoundError,
    PagingError,
    Participant,
    Ref,
    Role,
    TranslationError,
    UnsupportedError,
)
from conversations_hub.emulator.server import Server
from conversations_hub.providers.circuit import Circuit
from conversations_hub.providers.circuit.hidden_order import HiddenOrder
from conversations_hub.providers.circuit.lists import Communities, Roster
from conversations_hub.providers.circuit.paging import Place, TimePaging, text
from conversations_hub.providers.circuit.payloads import Conversation as ConversationPayload
from conversations_hub.reading import Answer
from conversations_hub.wire import Request, Response
from conversations_hub.writing import gather
from support import seeded

ME = "aa000001-0000-4000-8000-000000000001"
ANA = "aa000002-0000-4000-8000-000000000002"
KIM = "aa000003-0000-4000-8000-000000000003"
CONV = "1b2c0001-0000-4000-8000-000000000001"
ITEM = "17e40001-0000-4000-8000-000000000001"
ROOT = "17e40000-0000-4000-8000-000000000000"
FILE = "f11e0001-0000-4000-8000-000000000001"
SENT = datetime(2019, 10, 1, 15, 12, 43, 745000, tzinfo=UTC)
CHANGED = datetime(2019, 10, 1, 15, 13, 19, 1000, tzinfo=UTC)
HERE = Ref("circuit", CONV)
CIRCUIT = Circuit(token="canary", me=ME)


def ref(id_):
    return Ref("circuit", id_)


def answer(body, status=200):
    return Response(status=status, body=json.dumps(body).encode())


# Translation.

MINE = {
    "ref": ref(ITEM),
    "conversation": HERE,
    "kind": MessageKind.TEXT,
    "direction": Direction.OUTBOUND,
    "author": Author(ref=ref(ME)),
    "sent_at": SENT,
    "updated_at": SENT,
}
EVENT = {**MINE, "kind": MessageKind.SYSTEM, "direction": Direction.SYSTEM}
CALL = {**EVENT, "kind": MessageKind.CALL}
RICH = (
    f'Hello <b>all</b><br>see <span class="mention" abbr="{ANA}">@Ana</span> &#128526; '
    '<img class="emoticon-icon" abbr=":)">'
)
PRIVATE = "||::$$privateData={&quot;by&quot;:&quot;bot&quot;}::||Visible <b>part</b>"
LINK = "https://example.org/"
OK = {"text": "ok", "html": "ok", "reply_to": ref(ROOT)}
MESSAGES = {
    "rich": {
        **MINE,
        "subject": "Plan",
        "text": "Hello all\nsee @Ana 😎 :)",
        "html": RICH,
        "metadata": {"likes": [ANA, KIM]},
    },
    "plain": {**MINE, "text": "1 < 2 & <b>so on</b>"},
    "no-content-type": {**MINE, "text": "no type", "html": "no <i>type</i>"},
    "unknown-content-type": {**MINE, "kind": MessageKind.UNKNOWN, "text": "*words*"},
    "private-data": {**MINE, "text": "Visible part", "html": PRIVATE},
    "reply": {**MINE, **OK},
    "reply-on-item": {**MINE, **OK},
    "reply-parent-item": {**MINE, **OK},
    "edited": {
        **MINE,
        "text": "better",
        "html": "better",
        "state": MessageState.EDITED,
        "updated_at": CHANGED,
    },
    "deleted": {
        **MINE,
        "reply_to": ref(ROOT),
        "state": MessageState.DELETED,
        "updated_at": CHANGED,
    },
    "webhook": {
        **MINE,
        "author": Author(ref=ref(ME), role=Role.BOT),
        "text": "Build 81 passed",
        "html": "<b>Build 81</b> passed",
    },
    "form": {
        **MINE,
        "kind": MessageKind.FORM,
        "text": "Choose",
        "html": "Choose",
        "metadata": {"form": {"id": "visit", "controls": [{"type": "LABEL", "text": "When?"}]}},
    },
    "form-unreadable": {
        **MINE,
        "kind": MessageKind.FORM,
        "text": "Choose",
        "html": "Choose",
        "metadata": {"form": "{not json"},
    },
    "preview": {**MINE, "text": LINK, "html": f'<a href="{LINK}">{LINK}</a>'},
    "attachments": {
        **MINE,
        "kind": MessageKind.MEDIA,
        "attachments": (
            Attachment(
                id=FILE,
                name="Entwürfe (2).pdf",
                media_type="application/pdf",
                size=88120,
                url=f"https://eu.yourcircuit.com/fileapi?fileid={FILE}&itemid={ITEM}",
            ),
            Attachment(name="unnamed", size=12),
        ),
    },
    "clustered": {**MINE, "text": "clustered", "html": "clustered"},
    "system-added": {
        **EVENT,
        "text": "added participants",
        "metadata": {"affected": [ANA, KIM]},
    },
    "system-renamed": {**EVENT, "text": "renamed the conversation from A to B & <C>"},
    "system-created": {**EVENT, "text": "created the conversation Release 7"},
    "system-no-author": {**EVENT, "author": None, "text": "changed the retention policy"},
    "system-unknown": {**EVENT, "text": "lights dimmed"},
    "rtc-ended": {**CALL, "text": "the call ended"},
    "rtc-missed": {**CALL, "text": "missed a call: user busy"},
    "rtc-moved": {**CALL, "text": "the call moved to another conversation"},
    "rtc-started": {**CALL, "text": "a call started"},
    "unknown": {**MINE, "kind": MessageKind.UNKNOWN, "direction": Direction.UNKNOWN},
    "bare": {"ref": ref(ITEM), "conversation": HERE},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(sample, name):
    payload = sample("circuit", f"message-{name}")
    page = CIRCUIT.messages(HERE).read(CIRCUIT.messages(HERE).request, answer([payload]))
    assert page.items == (Message(**MESSAGES[name]),)
    assert dict(page.items[0].raw) == payload
    assert page.next is None


GROUP = {
    "ref": HERE,
    "kind": ConversationKind.GROUP,
    "created_at": datetime(2019, 7, 12, 6, 38, 4, 680000, tzinfo=UTC),
    "updated_at": datetime(2019, 7, 12, 6, 38, 20, 1000, tzinfo=UTC),
    "members": (ref(ME), ref(ANA)),
}
COMMUNITY = {**GROUP, "kind": ConversationKind.COMMUNITY}
CONVERSATIONS = {
    "group": {**GROUP, "title": "Release 7"},
    "direct": {**GROUP, "kind": ConversationKind.DIRECT},
    "community": {**COMMUNITY, "title": "Café", "description": "Where we meet & talk"},
    "open": {**COMMUNITY, "title": "Open house"},
    "large": {**GROUP, "title": "Kim, Ana, Jo"},
    "unknown": {"ref": HERE},
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations(sample, name):
    payload = sample("circuit", f"conversation-{name}")
    found = CIRCUIT.conversation(HERE).read(answer(payload))
    assert found == Conversation(**CONVERSATIONS[name])


@pytest.mark.parametrize(
    ("name", "shown", "role"),
    [
        ("regular", "Ana Lima", Role.UNKNOWN),
        ("moderator", "Ana Lima", Role.MODERATOR),
        ("guest", "Ana", Role.GUEST),
        ("bot", "Builder", Role.BOT),
        ("former", None, Role.UNKNOWN),
    ],
)
@pytest.mark.parametrize("wrap", ["object", "list", "two pages"])
def test_participants(sample, name, shown, role, wrap):
    payload = sample("circuit", f"participant-{name}")
    listing = CIRCUIT.participants(HERE)
    body = {"participantList": [payload]}
    bodies = {"object": body, "list": [body], "two pages": [{"participantList": []}, body]}
    page = listing.read(listing.request, answer(bodies[wrap]))
    expected = Participant(ref=ref(ANA), conversation=HERE, user=ref(ANA), name=shown, role=role)
    assert page.items == (expected,)
    assert dict(page.items[0].raw) == payload


def test_the_direction_takes_knowing_who_asks(sample):
    payload = sample("circuit", "message-plain")
    for me, direction in [(None, Direction.UNKNOWN), (ANA, Direction.INBOUND)]:
        asked = Circuit(token="t", me=me).message(HERE, ITEM)
        assert asked.read(answer(payload)).direction is direction


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_times_keep_their_milliseconds(milliseconds):
    call = CIRCUIT.conversation(HERE)
    found = call.read(answer({"convId": CONV, "creationTime": milliseconds}))
    assert found.created_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        milliseconds=milliseconds
    )
    assert datetime.fromisoformat(text(milliseconds)) == found.created_at


# Lists that are cut by time.


class Fake:
    """A server that answers every open question the way it is told to."""

    def __init__(self, chance, *, rows, span, boundary, order, after, hidden, tied):
        self.chance, self.boundary, self.order, self.after = chance, boundary, order, after
        self.hidden, self.tied = hidden, tied
        self.rows = {f"r{n:03}": 1_000_000 + chance.randrange(span) for n in range(rows)}
        self.items = {
            row: time + chance.choice([-5, 0, 1, 2, chance.randrange(2 * span)])
            for row, time in self.rows.items()
            if chance.random() < 0.7
        }
        self.now = max([*self.rows.values(), *self.items.values(), 1])

    def time(self, row):
        return max(self.rows[row], self.items.get(row, 0)) if self.hidden else self.rows[row]

    def page(self, request):
        query = request.query
        if request.url.path.endswith("/items"):
            row = request.url.parts[-2]
            return [(self.items[row], "i")] if row in self.items else []
        size, backward = int(query["results"]), query.get("direction", "BEFORE") == "BEFORE"
        assert 1 <= size <= 100
        edge = self.now + 1
        if "modTime" in query:
            edge = round(datetime.fromisoformat(query["modTime"]).timestamp() * 1000)
        found = [row for row in self.rows if self.holds(self.time(row), edge, backward)]
        found.sort(key=lambda row: (self.time(row), row if self.tied == "id" else row[::-1]))
        page = found[:size] if not backward and self.after == "nearest" else found[-size:]
        page = [(self.rows[row], row) for row in page]
        return page if self.order == "asc" else page[::-1]

    def holds(self, time, edge, backward):
        return self.boundary == "inclusive" if time == edge else (time < edge) is backward

    def change(self, often):
        while self.rows and self.chance.random() < often:
            row = self.chance.choice(list(self.rows))
            self.now += self.chance.choice([0, 0, 1, 3])
            times = self.items if self.hidden and self.chance.random() < 0.7 else self.rows
            times[row] = self.now


def asked_by(rule_of, size):
    first = Request(url=URL(f"http://x/conversations?results={size}"))
    if rule_of is TimePaging:
        return first, TimePaging()
    items = lambda row: Request(url=URL(f"http://x/conversations/{row}/items?results=1"))  # noqa: E731
    return first, HiddenOrder(listing=first, items=items)


def walk(server, request, rule, often=0.0):
    """Return what whoever reads gets, and the requests it took."""
    got, asked = {}, []
    while request is not None:
        assert request.key not in [r.key for r in asked], "the list goes in circles"
        asked.append(request)
        # The memory survives being saved.
        request = evolve(request, note=json.loads(json.dumps(dict(request.note))))
        rows, place = server.page(request), Place.of(request)
        if place.step:
            request = rule.learned(request, rows, len(rows))
        else:
            for row in sorted(rows, reverse=True):
                if rule.wants(place, row):
                    got.setdefault(row[1], row)
            request = rule.after(request, rows, len(rows))
        server.change(often)
    return list(got), asked


SERVERS = {
    "rows": [0, 1, 2, 5, 20, 99, 101, 150],
    "span": [1, 3, 10, 100, 100_000],
    "hidden": [False, True],
    "boundary": ["exclusive", "inclusive"],
    "order": ["asc", "desc"],
    "after": ["nearest", "newest"],
    "tied": ["id", "other"],
}


@settings(max_examples=250)
@given(
    seed=st.integers(0, 10**9),
    size=st.sampled_from([1, 2, 3, 7, 25, 100]),
    often=st.sampled_from([0, 0.2, 0.5]),
    rule_of=st.sampled_from([TimePaging, HiddenOrder]),
    told=st.fixed_dictionaries({name: st.sampled_from(of) for name, of in SERVERS.items()}),
)
def test_nothing_is_skipped_whatever_the_server_does(seed, size, often, rule_of, told):
    """What existed throughout comes, and once; or the walk says that it cannot tell."""
    told["hidden"] = told["hidden"] and rule_of is HiddenOrder
    server = Fake(random.Random(seed), **told)
    before = dict(server.rows)
    try:
        got, _ = walk(server, *asked_by(rule_of, size), often)
    except PagingError:
        # Only where more rows share a time than the largest page holds, or all is in motion.
        assert len(before) >= 100 or often
        return
    assert set(got) == set(before)
    if not often and not told["hidden"] and told["tied"] == "id":
        assert got == [row for _, row in sorted(((t, r) for r, t in before.items()), reverse=True)]


def still(times, **told):
    server = Fake(
        random.Random(0),
        **{"rows": 0, "span": 1, "boundary": "exclusive", "order": "asc", "after": "nearest",
           "hidden": False, "tied": "id", **told},
    )  # fmt: skip
    server.rows = {f"r{n:03}": time for n, time in enumerate(times)}
    server.now = max(times, default=0)
    return server


def queries(asked):
    return [dict(request.query) for request in asked]


def test_the_walk_goes_down_and_overlaps_by_a_millisecond():
    server = still([1000, 2000, 3000, 4000])
    got, asked = walk(server, *asked_by(TimePaging, 3))
    assert got == ["r003", "r002", "r001", "r000"]
    assert queries(asked) == [
        {"results": "3"},
        {"modTime": "1970-01-01T00:00:02.001Z", "results": "3"},
        # Rows may have moved meanwhile, so it looks once more from the top.
        {"results": "100"},
    ]


@pytest.mark.parametrize("times", [[], [1], [1, 2]])
def test_a_list_of_one_page_is_read_once(times):
    got, asked = walk(still(times), *asked_by(TimePaging, 3))
    assert (len(got), len(asked)) == (len(times), 1)


@pytest.mark.parametrize("boundary", ["exclusive", "inclusive"])
@pytest.mark.parametrize(("tied", "fits"), [(99, True), (150, True), (199, True), (201, False)])
def test_a_crowded_millisecond_is_read_from_both_ends(tied, fits, boundary):
    server = still([1000, *[2000] * tied, 3000, *range(4000, 4200)], boundary=boundary)
    if fits:
        got, _ = walk(server, *asked_by(TimePaging, 25))
        assert sorted(got) == sorted(server.rows)
    else:
        with pytest.raises(PagingError, match="some may be missing"):
            walk(server, *asked_by(TimePaging, 25))


def test_a_crowd_that_only_the_newest_end_shows_is_not_passed_over():
    server = still([1000, *[2000] * 150, *range(4000, 4200)], after="newest")
    with pytest.raises(PagingError, match="some may be missing"):
        walk(server, *asked_by(TimePaging, 100))


def test_a_server_that_never_rests_is_given_up():
    class Restless(Fake):
        def page(self, request):
            self.rows = {row: self.now + n for n, row in enumerate(self.rows)}
            self.now += 1000
            return super().page(request)

    server = still([*range(300)])
    server.__class__ = Restless
    with pytest.raises(PagingError, match="changes faster"):
        walk(server, *asked_by(TimePaging, 100))


@pytest.mark.parametrize("to", [5000, 6000])
def test_a_row_that_moves_during_the_walk_is_caught_up_with(to):
    """Even where it moves to the very millisecond at which the walk began."""
    server = still([1000, 2000, 3000, 4000, 5000])
    page = server.page

    def moving(request):
        rows = page(request)
        if "modTime" not in request.query:
            server.rows["r000"] = server.now = to
        return rows

    server.page = moving
    got, _ = walk(server, *asked_by(TimePaging, 2))
    assert set(got) == set(server.rows)


def test_a_floor_ends_the_walk():
    first, _ = asked_by(TimePaging, 2)
    got, asked = walk(still(range(0, 10_000, 1000)), first, TimePaging(floor=7000))
    assert {"r009", "r008", "r007"} <= set(got)
    assert "r004" not in got
    assert len(asked) == 4


def test_a_full_page_without_times_is_no_end():
    with pytest.raises(PagingError, match="when it was modified"):
        TimePaging().after(asked_by(TimePaging, 2)[0], [], 2)


def test_a_damaged_memory_is_an_error():
    request = asked_by(TimePaging, 2)[0].with_note(bound="yesterday")
    with pytest.raises(PagingError, match="damaged"):
        TimePaging().after(request, [], 0)


def steps(asked):
    kinds = {"probe": "probe", "verdict": "verdict"}
    return [kinds.get(request.note.get("step"), "page") for request in asked]


def test_the_order_is_asked_for_once_where_it_is_the_documented_one():
    server = still(range(1000, 9000, 1000))
    server.items = dict.fromkeys(server.rows, 20_000)
    got, asked = walk(server, *asked_by(HiddenOrder, 3))
    assert len(got) == 8
    assert steps(asked) == ["page", "probe", "verdict", *["page"] * 4]


def test_an_order_that_makes_no_difference_stays_open():
    server = still(range(1000, 8000, 1000))
    _, asked = walk(server, *asked_by(HiddenOrder, 3))
    assert steps(asked) == ["page", "probe", "page", "probe", "page", "probe", "page", "page"]


def test_by_activity_both_ends_of_each_page_are_asked():
    server = still(range(1000, 8000, 1000), hidden=True)
    server.items = {row: 20_000 - time for row, time in server.rows.items()}
    server.now = 20_000
    got, asked = walk(server, *asked_by(HiddenOrder, 3))
    assert set(got) == set(server.rows)
    assert steps(asked)[:6] == ["page", "probe", "verdict", "probe", "probe", "page"]


@pytest.mark.parametrize(
    ("order", "top", "fresh", "moved"),
    [
        pytest.param("modification", 9, False, False, id="the rule for items says enough"),
        pytest.param("modification", 9, True, True, id="something new"),
        pytest.param("activity", 9, False, True, id="a known row may have moved"),
        pytest.param("activity", 5, False, False, id="nothing newer"),
        pytest.param(None, 5, False, True, id="not known"),
    ],
)
def test_when_rows_may_have_moved(order, top, fresh, moved):
    _, rule = asked_by(HiddenOrder, 2)
    assert rule.moved(Place(order=order, mark=5, top=top, fresh=fresh)) is moved


def test_a_row_above_its_bound_begins_the_walk_anew():
    first, rule = asked_by(HiddenOrder, 2)
    request = first.with_note(size=2, bound=5000, order="modification", later=True)
    onward = rule.after(request, [(9000, "a"), (4000, "b")], 2)
    assert onward.query == {"results": "2"}
    assert onward.note["order"] == "activity"


def test_a_broken_row_comes_once_and_blocks_nothing(sample):
    def row(number, **more):
        return {"itemId": f"i{number}", "modificationTime": number * 1000, **more}

    listing = CIRCUIT.messages(HERE, page_size=2)
    page = listing.read(listing.request, answer([row(1, type=5), row(2)]))
    assert [m.ref.id for m in page.items] == ["i2"]
    assert [error.path for _, error in page.broken] == ["[0].type"]
    assert page.next.query["modTime"] == "1970-01-01T00:00:01.001Z"
    page = listing.read(page.next, answer([row(1, type=5)]))
    assert (page.items, page.broken) == ((), ())


# The other lists.

FIRST = CIRCUIT.communities(page_size=100).request


def rows_of(*numbers):
    records = [ConversationPayload(conv_id=f"c{n}") for n in numbers]
    return Answer(records=records, count=len(records))


@pytest.mark.parametrize(
    ("start", "count", "onward"),
    [(0, 100, "99"), (99, 100, "198"), (198, 100, "255"), (198, 99, "0"), (0, 99, None)],
)
def test_communities_by_offset(start, count, onward):
    request = Communities().after(FIRST.with_query(startIndex=start), rows_of(*range(count)))
    assert (request and request.query["startIndex"]) == onward


def test_a_community_that_comes_twice_takes_no_others_place():
    onward = Communities().after(FIRST.with_query(startIndex=0, results=4), rows_of(0, 1, 0, 2))
    assert onward.query["startIndex"] == "2"


def walked(rows, changes, size=100):
    """Walk through communities that change after each page; return what came, and the pages."""
    came, asked = set(), 0
    request = CIRCUIT.communities(page_size=size).request
    while request is not None:
        start, count = (int(request.query[name]) for name in ("startIndex", "results"))
        there = rows if request.query["order"] == "ASCENDING" else rows[::-1]
        came.update(there[start : start + count])
        request = Communities().after(request, rows_of(*there[start : start + count]))
        asked += 1
        for place, onward in changes.pop(0) if changes else ():
            one = rows.pop(place % len(rows))
            rows[:0] = [] if onward is None else [one]
            if onward:
                rows.insert(onward, rows.pop(0))
    return came, asked


CHANGES = st.lists(st.tuples(st.integers(0, 11), st.none() | st.integers(0, 11)), max_size=2)


@given(size=st.integers(1, 5), changes=st.lists(CHANGES, max_size=9))
def test_communities_that_move_are_read_again(size, changes):
    rows = list(range(12))
    came, asked = walked(rows, changes, size)
    assert came >= set(rows)
    assert asked < 90


def test_a_community_that_comes_where_another_went_is_not_passed():
    """The page after that begins with the last row of the one before, as if nothing was."""
    came, _ = walked([*range(12)], [[(0, None), (8, 0)]], size=4)
    assert came == {*range(12)}


def test_a_community_that_moved_to_the_other_end_is_no_meeting():
    came, _ = walked([*range(600)], [[], [], [], [(7, 598)]])
    assert came == {*range(600)}


def test_a_page_of_broken_communities_is_no_meeting():
    request = FIRST.with_query(order="DESCENDING").with_note(near=["c1"])
    assert Communities().after(request, Answer(count=100)).query["startIndex"] == "99"


def test_communities_beyond_reach_come_from_the_other_end():
    rule, request = Communities(), FIRST.with_query(startIndex=255)
    request = rule.after(request, rows_of(*range(255, 355)))
    assert (request.query["order"], request.query["startIndex"]) == ("DESCENDING", "0")
    again = rule.after(request, rows_of(*range(399, 340, -1)))
    assert (again.query["order"], again.query["startIndex"]) == ("ASCENDING", "0")
    onward = rule.after(request, rows_of(*range(599, 499, -1)))
    assert onward.query["startIndex"] == "99"
    end = rule.after(onward.with_query(startIndex=255), rows_of(*range(499, 399, -1)))
    with pytest.raises(PagingError, match="do not meet"):
        rule.after(end, rows_of(*range(499, 399, -1)))


@pytest.mark.parametrize("note", [{"seen": 1}, {"near": [None]}, {"apart": "x"}])
def test_a_damaged_memory_of_communities_is_an_error(note):
    with pytest.raises(PagingError, match="damaged"):
        Communities().after(FIRST.with_query(startIndex=0).with_note(**note), rows_of(1))


@pytest.mark.parametrize(
    ("envelope", "type_", "onward"),
    [
        ({"hasMore": True, "searchPointer": "p"}, "GUEST", ("GUEST", "p")),
        ({"hasMore": "true", "searchPointer": "p"}, "GUEST", ("GUEST", "p")),
        ({"hasMore": False, "searchPointer": "p"}, "GUEST", ("FORMER", None)),
        ({"hasMore": "false"}, "REGULAR", ("MODERATOR", None)),
        ({}, "FORMER", ("BOT", None)),
        ({}, "BOT", None),
    ],
)
def test_the_roster_goes_through_the_types(envelope, type_, onward):
    request = CIRCUIT.participants(HERE).request.with_query(type=type_)
    found = Roster().after(request, Answer(envelope=envelope))
    query = found and found.query
    assert (query and (query["type"], query.get("searchPointer"))) == onward


def test_the_roster_remembers_whom_it_met(sample):
    listing = CIRCUIT.participants(HERE)
    body = {"participantList": [sample("circuit", "participant-regular")]}
    request = listing.request.with_note(seen=[ME])
    assert listing.read(request, answer(body)).next.note == {"seen": [ME, ANA]}


def test_more_participants_without_a_pointer_are_an_error():
    with pytest.raises(PagingError):
        Roster().after(CIRCUIT.participants(HERE).request, Answer(envelope={"hasMore": True}))


@pytest.mark.parametrize(
    ("body", "onward"),
    [
        (b"{}", "MODERATOR"),
        (b"[{}]", "MODERATOR"),
        (b'{"hasMore":false}', "MODERATOR"),
        (
            b'[{"participantList":[{"userId":"u1"}]},{"hasMore":true,"searchPointer":"p"}]',
            "REGULAR",
        ),
    ],
)
def test_participants_that_are_left_out_are_none(body, onward):
    listing = CIRCUIT.participants(HERE)
    page = listing.read(listing.request, Response(status=200, body=body))
    assert (len(page.items), page.next.query["type"]) == (b"u1" in body, onward)


@pytest.mark.parametrize("body", [b'{"people":[]}', b'[{"people":[]},{}]', b"[1]", b"<html>"])
def test_an_answer_that_is_no_roster(body):
    listing = CIRCUIT.participants(HERE)
    with pytest.raises(TranslationError):
        listing.read(listing.request, Response(status=200, body=body))


@pytest.mark.parametrize("body", [b"", b"[]", b" \n"])
def test_nothing_is_an_empty_list(body):
    for listing in (CIRCUIT.conversations(), CIRCUIT.messages(HERE), CIRCUIT.communities()):
        page = listing.read(listing.request, Response(status=204, body=body))
        assert (page.items, page.next) == ((), None)


# Settings, filters and errors.


def test_settings():
    environ = {
        "CIRCUIT_ACCESS_TOKEN": "t0k3n",
        "CIRCUIT_DOMAIN": "na.yourcircuit.com",
        "CIRCUIT_USER_ID": ME,
    }
    circuit = Circuit.from_env(environ)
    assert circuit == Circuit(token="t0k3n", domain="na.yourcircuit.com", me=ME)
    assert str(circuit.base_url) == "https://na.yourcircuit.com/rest/v2"
    assert circuit.auth_headers() == {"Authorization": "Bearer t0k3n"}
    assert "t0k3n" not in repr(circuit)
    with pytest.raises(ConfigurationError, match="CIRCUIT_TOKEN"):
        Circuit.from_env({})
    with pytest.raises(ConfigurationError, match="base_url"):
        Circuit(token="t", domain="https://na.yourcircuit.com")


def test_what_circuit_cannot_be_asked():
    for filters in ({"state": ConversationState.OPEN}, {"participant": ref(ANA)}):
        with pytest.raises(UnsupportedError):
            CIRCUIT.conversations(**filters)
    with pytest.raises(ConfigurationError):
        CIRCUIT.messages(HERE, order="sideways")
    with pytest.raises(ConfigurationError):
        CIRCUIT.participants(HERE, type="ADMIN")
    with pytest.raises(ConfigurationError):
        CIRCUIT.message(Ref("twilio", "CH1"), ITEM)


def test_a_refusal_is_read():
    body = {
        "errorCode": "400",
        "errorDescription": "the request contains invalid data",
        "validationErrors": ["One or more user do not exist."],
    }
    request = CIRCUIT.conversation(HERE).request
    error = CIRCUIT.error_for("conversation", request, answer(body, 400))
    assert (type(error), error.code) == (NotFoundError, "400")
    assert "invalid data: One or more user do not exist; check" in str(error)
    error = CIRCUIT.error_for("conversation", request, Response(status=404, body=b"<html>"))
    assert type(error) is NotFoundError


@pytest.mark.parametrize("name", ["searchPointer", "nextPagePointer"])
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("The pointer has expired.", InvalidRequestError),
        ("The pointer does not exist.", NotFoundError),
    ],
)
def test_a_pointer_that_is_no_longer_known(name, said, kind):
    """The query was good without it; without a pointer it is a query that is not good."""
    body = {"errorCode": "400", "validationErrors": [said]}
    request = CIRCUIT.participants(HERE).request
    error = CIRCUIT.error_for("participants", request.with_query(**{name: "p"}), answer(body, 400))
    assert type(error) is CursorExpiredError
    error = CIRCUIT.error_for("participants", request, answer(body, 400))
    assert type(error) is kind


def test_a_flagged_item_of_another_conversation_takes_none_along():
    listing = CIRCUIT.flagged_messages(HERE)
    page = listing.read(
        listing.request, answer([{"itemId": "i1", "convId": "c9"}, {"itemId": "i2"}])
    )
    assert [one.conversation for one in page.items] == [ref("c9"), HERE]


def test_an_item_of_another_conversation_is_not_found(sample):
    call = CIRCUIT.message(ref("elsewhere"), ITEM)
    assert call.request.url.path == f"/rest/v2/conversations/messages/{ITEM}"
    with pytest.raises(NotFoundError, match="another conversation"):
        call.read(answer(sample("circuit", "message-plain")))


# Against the emulator.


@pytest.fixture
async def served():
    servers, hubs = [], []

    async def start(scale=0.05, hub_options=None, **switches):
        api = seeded("circuit", seed=5, scale=scale, **switches)
        server = Server(api)
        await server.start()
        circuit = Circuit(**api.arguments, base_url=server.base_url, me=api.store.me)
        servers.append(server)
        hubs.append(ConversationsHub(circuit, **(hub_options or {})))
        return server, api, hubs[-1]

    yield start
    for hub in hubs:
        await hub.aclose()
    for server in servers:
        await server.stop()


def found(items):
    return [item.ref.id for item in items]


ANSWERS = [
    {"boundary": b, "page_order": o, "after": a}
    for b, o, a in itertools.product(*(SERVERS[k] for k in ("boundary", "order", "after")))
]


@pytest.mark.parametrize("answers", ANSWERS)
async def test_conversations_at_every_page_size(served, answers):
    _, api, hub = await served(**answers)
    for size in (1, 2, 3, 7, 100):
        got = await hub.conversations(page_size=size).collect(limit=None)
        assert found(got) == api.conversation_ids()
    api.switches = evolve(api.switches, conversation_sort="last_item", empty_list="204")
    for size in (1, 2, 3, 7, 100):
        got = await hub.conversations(page_size=size).collect(limit=None)
        assert sorted(found(got)) == sorted(api.conversation_ids())


async def test_many_conversations_by_activity(served):
    server, api, hub = await served(scale=1.0, conversation_sort="last_item")
    got = await hub.conversations(page_size=25).collect(limit=None)
    assert len(got) == len(set(found(got))) == 120
    assert set(found(got)) == set(api.conversation_ids())
    assert len(server.requests) < 40


@pytest.mark.parametrize("answers", ANSWERS)
async def test_messages_at_every_page_size(served, answers):
    _, api, hub = await served(**answers)
    tied = [c for c in api.store.mine() if c.get("topic") in ("All at once", "The long one")]
    for conversation, size in itertools.product(tied, (1, 2, 3, 7, 100)):
        where = conversation["convId"]
        got = await hub.messages(ref(where), page_size=size).collect(limit=None)
        assert found(got) == api.message_ids(where)


@pytest.mark.parametrize("empty_list", ["array", "body", "204", "absent"])
async def test_a_conversation_without_items(served, empty_list):
    _, api, hub = await served(empty_list=empty_list)
    [where] = [c for c in api.conversation_ids() if not api.message_ids(c)]
    assert await hub.messages(ref(where)).collect(limit=None) == []


@pytest.mark.parametrize("reply", ["object", "list"])
@pytest.mark.parametrize("last_pointer", ["absent", "present"])
@pytest.mark.parametrize("more", ["bool", "text"])
@pytest.mark.parametrize("moderators", [True, False])
async def test_participants_at_every_page_size(served, reply, last_pointer, more, moderators):
    _, api, hub = await served(
        participants_reply=reply,
        last_pointer=last_pointer,
        has_more=more,
        regular_includes_moderators=moderators,
    )
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "All hands"]
    for size in (1, 3, 25):
        got = await hub.iterate(hub[Circuit].participants(ref(where), page_size=size)).collect(
            limit=None
        )
        assert found(got) == api.participant_ids(where)
    roles = {p.role for p in got}
    assert {Role.MODERATOR, Role.GUEST, Role.BOT} <= roles
    assert [p.raw["type"] for p in got].count("MODERATOR") == 1


async def test_participants_by_type_and_name(served):
    server, api, hub = await served()
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "All hands"]
    everybody = await hub.participants(ref(where)).collect(limit=None)
    server.requests.clear()
    bots = await hub.iterate(hub[Circuit].participants(ref(where), type="BOT")).collect(limit=None)
    assert found(bots) == [p.ref.id for p in everybody if p.role is Role.BOT]
    assert len(server.requests) == 1
    name = everybody[0].name
    named = await hub.iterate(hub[Circuit].participants(ref(where), name=name)).collect(limit=None)
    assert everybody[0].ref.id in found(named)
    assert all(name.casefold() in p.name.casefold() for p in named)


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_communities_and_labels(served, size):
    _, api, hub = await served()
    circuit = hub[Circuit]

    async def listed(listing):
        return found(await hub.iterate(listing).collect(limit=None))

    everything = api.store.communities(True)
    everything.sort(key=lambda c: (c["topic"].casefold(), c["convId"]))
    got = await listed(circuit.communities(include_own=True, page_size=size))
    assert got == [c["convId"] for c in everything]
    foreign = circuit.communities(sort="POPULARITY", order="DESCENDING", page_size=size)
    assert set(await listed(foreign)) == {c["convId"] for c in api.store.communities(False)}
    for label, members in api.store.labelled.items():
        labelled = await listed(circuit.conversations_with_label(label, page_size=size))
        assert len(labelled) == len(members)
        assert set(labelled) == set(members)


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_communities_that_are_joined_let_none_slip_by(served, size):
    """One that is joined is no longer listed, so that the others move up."""
    _, api, hub = await served()
    circuit, there = hub[Circuit], {c["convId"] for c in api.store.communities(False)}
    pager, joined = hub.iterate(circuit.communities(page_size=size), prefetch=0), []
    while one := await pager.collect(limit=1):
        joined += found(one)
        await circuit.join_community(one[0].ref)
        pager = hub.resume(json.loads(json.dumps(pager.checkpoint())))
    assert len(there) > 3
    assert sorted(joined) == sorted(there)


@pytest.mark.parametrize("sort", ["modification", "last_item"])
async def test_conversations_that_are_left_hold_up_no_list(served, sort):
    """The walk asks what is new in a page's last one, which whoever left it may not."""
    _, api, hub = await served(conversation_sort=sort)
    there = [api.add_conversation() for _ in range(20)]
    pager, came = hub.conversations(page_size=3, prefetch=0), []
    while page := await pager.collect(limit=3):
        came += found(page)
        for one in {*found(page)} & {*there}:
            await hub.remove_participant(ref(one), api.store.me)
    assert {*came} >= {*there}
    assert len(came) == len({*came})


def test_a_look_for_what_became_of_a_write_passes_one_that_was_left():
    def row(number):
        return {"convId": f"c{number}", "modificationTime": number * 1000}

    call = gather(CIRCUIT.conversations(page_size=2), lambda _: True, lambda found: found)
    call = call.read(answer([row(9), row(8)]))
    assert call.request.url.path.endswith("/c8/items")
    # What `instead` asks for is read by the same call.
    call = call.read(answer([row(9), row(7)]))
    assert call.request.url.path.endswith("/c7/items")
    call = call.read(answer([{"itemId": "i1", "modificationTime": 7000}]))
    assert call.request.query["modTime"] == "1970-01-01T00:00:07.001Z"


def test_a_conversation_that_is_listed_and_cannot_be_read_is_an_error():
    step = {"results": "2", "direction": "BEFORE"}, {"step": "probe", "page": "results=2"}
    request = CIRCUIT.get("conversations", "c1", "items", query=step[0]).with_note(**step[1])
    refused = CIRCUIT.error_for("conversations", request, answer({}, 403))
    for again in (1, 2, 3):
        page = CIRCUIT.instead(request, refused)
        assert (page.url.path, page.query) == ("/rest/v2/conversations", {"results": "2"})
        assert page.note["again"] == again
        request = request.with_note(**step[1], again=again)
    assert CIRCUIT.instead(request, refused) is None
    broken = CIRCUIT.error_for("conversations", request, answer({}, 503))
    assert CIRCUIT.instead(request.with_note(**step[1]), broken) is None


@pytest.mark.parametrize("sort", ["modification", "last_item"])
@pytest.mark.parametrize("taken", [1, 4, 9])
async def test_a_walk_goes_on_in_another_process(served, sort, taken):
    _, api, hub = await served(conversation_sort=sort)
    where = next(c for c in api.conversation_ids() if len(api.message_ids(c)) > 15)
    for pager, truth in [
        (hub.conversations(page_size=3), api.conversation_ids()),
        (hub.messages(ref(where), page_size=3), api.message_ids(where)),
    ]:
        before = await pager.collect(limit=taken)
        saved = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        after = await hub.resume(saved).collect(limit=None)
        assert sorted(found(before) + found(after)) == sorted(truth)


async def test_a_roster_goes_on_in_another_process(served):
    _, api, hub = await served(regular_includes_moderators=True)
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "All hands"]
    truth = api.participant_ids(where)
    pager = hub.iterate(hub[Circuit].participants(ref(where), page_size=5))
    before = await pager.collect(limit=len(truth) - 2)
    after = await hub.resume(pager.checkpoint()).collect(limit=None)
    await pager.aclose()
    assert found(before) + found(after) == truth


async def test_edits_during_a_walk_lose_nothing(served):
    _, api, hub = await served()
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "The long one"]
    texts = [i for i in api.message_ids(where) if api.store.items[where][i]["type"] == "TEXT"]
    alive = [i for i in texts if api.store.items[where][i]["text"]["state"] != "DELETED"]
    truth, got = set(api.message_ids(where)), []
    async for message in hub.messages(ref(where), page_size=5, prefetch=0):
        got.append(message.ref.id)
        if len(got) % 5 == 0 and alive:
            api.edit_message(where, alive.pop())
    assert truth == set(got)
    assert len(got) == len(set(got))


async def test_filters_are_exact_and_end_the_walk(served):
    server, api, hub = await served(scale=0.2)
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "The long one"]
    items = api.store.items[where].values()
    times = sorted(item["creationTime"] for item in items)
    since, until = times[-20], times[-5]

    def at(ms):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)

    got = await hub.messages(ref(where), since=at(since), until=at(until), page_size=10).collect(
        limit=None
    )
    wanted = {i["itemId"] for i in items if since <= i["creationTime"] < until}
    assert set(found(got)) == wanted
    assert len(server.requests) < len(items) / 10

    mine = api.store.mine()
    changed = sorted(c["modificationTime"] for c in mine)[-5]
    late = await hub.conversations(updated_after=at(changed), page_size=7).collect(limit=None)
    assert set(found(late)) == {c["convId"] for c in mine if c["modificationTime"] >= changed}
    created = sorted(c["creationTime"] for c in mine)
    some = await hub.conversations(
        created_after=at(created[3]), created_before=at(created[-3]), page_size=7
    ).collect(limit=None)
    within = {c["convId"] for c in mine if created[3] <= c["creationTime"] < created[-3]}
    assert set(found(some)) == within


async def test_the_order_of_sending(served):
    _, api, hub = await served()
    [where] = [c["convId"] for c in api.store.mine() if c.get("topic") == "The long one"]
    oldest = await hub.messages(ref(where), order="oldest", page_size=7).collect(limit=None)
    newest = await hub.messages(ref(where), order="newest", page_size=7).collect(limit=None)
    times = [m.sent_at for m in oldest]
    assert times == sorted(times)
    assert [m.sent_at for m in newest] == times[::-1]
    assert sorted(found(oldest)) == sorted(found(newest)) == sorted(api.message_ids(where))


async def test_one_conversation_and_one_item(served):
    _, api, hub = await served()
    where = api.conversation_ids()[0]
    item = api.message_ids(where)[0]
    assert (await hub.conversation(ref(where))).ref == ref(where)
    assert (await hub.message(ref(where), item)).ref == ref(item)
    with pytest.raises(NotFoundError, match="does not exist"):
        await hub.conversation(ref(ROOT))
    with pytest.raises(NotFoundError, match="another conversation"):
        await hub.message(ref(api.conversation_ids()[1]), item)


async def test_names_are_looked_up_in_batches(served):
    server, api, hub = await served(hub_options={"resolve_names": True})
    [where] = [c["convId"] for c in api.store.mine() if "Everything" in c.get("topic", "")]
    got = await hub.messages(ref(where)).collect(limit=None)
    users = {u: user["displayName"] for u, user in api.store.users.items()}
    for message in got:
        if message.author and message.author.ref.id not in api.store.unresolvable:
            assert message.author.name == users[message.author.ref.id]
    lookups = [r for r in server.requests if "/users/list" in r.target]
    authors = {m.author.ref for m in got if m.author}
    assert 1 <= len(lookups) <= 1 + len(authors) // 20 + len(got) // 100


async def test_nobody_found_is_no_failure(served):
    server, api, hub = await served(hub_options={"resolve_names": True})
    server.intercept = lambda request: (
        web.Response(status=404) if request.path.endswith("/users/list") else None
    )
    where = api.conversation_ids()[0]
    got = await hub.messages(ref(where)).collect(limit=None)
    assert found(got) == api.message_ids(where)
    assert {m.author.name for m in got if m.author} == {None}
