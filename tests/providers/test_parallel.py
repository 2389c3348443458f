"""One list read from several places: the same things, none lost and none twice."""

import asyncio
import gc
import itertools
import json
import random
import re
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from aiohttp import web
from yarl import URL

from conversations_hub import (
    CheckpointError,
    ConfigurationError,
    Conversation,
    ConversationState,
    RateLimitError,
    Ref,
    ServerError,
    UnsupportedError,
)
from conversations_hub.emulator import Emulator
from conversations_hub.emulator.server import json_response
from conversations_hub.providers.circuit.emulator.store import Refusal
from conversations_hub.providers.twilio.days import Days
from conversations_hub.wire import Request

LISTS = [
    ("circuit", "messages"),
    ("circuit", "conversations"),
    ("twilio", "conversations"),
    ("twilio", "messages"),
    ("clio", "messages"),
    ("clio", "conversations"),
]
WINDOWS = LISTS[:3]
ENDS = LISTS[3:]


class Served:
    """A provider's emulation, a hub on it, and one of its lists."""

    def __init__(self, emulator, name, what):
        self.emulator, self.name, self.what = emulator, name, what
        self.server, self.api = emulator.servers[name], emulator[name]
        self.hub = emulator.hub()
        lengths = {c: len(self.api.message_ids(c)) for c in self.api.conversation_ids()}
        self.where = max((c for c in lengths if lengths[c] < 100), key=lengths.get)

    def pager(self, hub=None, **options):
        hub = hub or self.hub
        if self.what == "messages":
            return hub.messages(Ref(self.name, self.where), **options)
        return hub.conversations(**options)

    def truth(self):
        if self.what == "messages":
            return self.api.message_ids(self.where)
        return self.api.conversation_ids()

    async def found(self, **options):
        return [one.ref.id async for one in self.pager(**options)]


@pytest.fixture
async def serve_list():
    """Serve a list: await serve_list("circuit", "messages", boundary="inclusive")."""
    opened = []

    async def start(name, what, *, scale=0, **switches):
        emulator = Emulator(seed=3, scale=scale, only=[name], switches={name: switches})
        await emulator.__aenter__()
        served = Served(emulator, name, what)
        opened.append(served)
        return served

    yield start
    for served in opened:
        await served.hub.aclose()
        await served.emulator.__aexit__(None, None, None)


def same(found, expected):
    assert Counter(found) == Counter(expected)


# The same set as one after the other.


@pytest.mark.parametrize(("name", "what"), LISTS)
@pytest.mark.parametrize("scale", [0, 0.1])
async def test_the_same_from_several_places(serve_list, name, what, scale):
    served = await serve_list(name, what, scale=scale)
    same(await served.found(page_size=5), served.truth())
    for parallel, size, prefetch in itertools.product((1, 2, 3, 16), (2, None), (0, 2)):
        same(
            await served.found(parallel=parallel, page_size=size, prefetch=prefetch),
            served.truth(),
        )


TURNED = [
    *(
        pytest.param(name, what, switches, id=f"{name} {what} {switches}")
        for name, what, options in (
            (
                "circuit",
                "messages",
                {
                    "boundary": ["exclusive", "inclusive"],
                    "page_order": ["asc", "desc"],
                    "after": ["nearest", "newest"],
                    "empty_list": ["array", "204"],
                },
            ),
            (
                "circuit",
                "conversations",
                {
                    "boundary": ["exclusive", "inclusive"],
                    "page_order": ["asc", "desc"],
                    "after": ["nearest", "newest"],
                    "conversation_sort": ["modification", "last_item"],
                },
            ),
            (
                "twilio",
                "conversations",
                {
                    "short_pages": [False, True],
                    "empty_middle_page": [False, True],
                    "end_date_second": ["excluded", "included"],
                },
            ),
            (
                "twilio",
                "messages",
                {"short_pages": [False, True], "empty_middle_page": [False, True]},
            ),
            ("clio", "messages", {"records": ["total", "page"], "depth": [10_000, 10]}),
            ("clio", "conversations", {"records": ["total", "page"], "depth": [10_000, 10]}),
        )
        for switches in (
            dict(zip(options, values, strict=True))
            for values in itertools.product(*options.values())
        )
    )
]


# Each position of a switch stands beside some of the others; all of them are tried with the marker.
@pytest.mark.parametrize(
    ("name", "what", "switches"),
    [
        pytest.param(
            *one.values, id=one.id, marks=() if number % 3 == 0 else pytest.mark.reliability
        )
        for number, one in enumerate(TURNED)
    ],
)
async def test_the_same_whatever_is_left_open(serve_list, name, what, switches):
    served = await serve_list(name, what, **switches)
    for parallel, size in ((2, 3), (5, 2), (16, 5)):
        same(await served.found(parallel=parallel, page_size=size), served.truth())


DAY = 86_400_000


def crowd(served, times):
    """Let one conversation have items of these times alone, in milliseconds."""
    store = served.api.store
    store.items[served.where].clear()
    start = store.clock.now - 400 * DAY
    store.conversations[served.where]["creationTime"] = start
    for at in times:
        store.add_text(served.where, store.me, {"content": "now"}, start + at)


CHANCE = random.Random(5)
SKEWED = {
    "empty": [],
    "one": [5],
    "all at one time": [7] * 30,
    "ties": [n // 7 for n in range(120)],
    "a crowd in the middle": [DAY * 50 + n for n in range(150)] + [DAY, DAY * 99],
    "a crowd at the end": [n * 60 for n in range(150)] + [DAY * 300],
    "a crowd at the start": [DAY * 300 + n for n in range(150)] + [DAY],
    "here and there": [DAY * CHANCE.randrange(5) * 40 + CHANCE.randrange(500) for _ in range(150)],
}


@pytest.mark.parametrize("times", SKEWED.values(), ids=SKEWED)
@pytest.mark.parametrize("boundary", ["exclusive", "inclusive"])
async def test_lists_of_every_shape(serve_list, times, boundary):
    served = await serve_list("circuit", "messages", boundary=boundary)
    crowd(served, times)
    for parallel, size in ((2, 7), (8, 2), (40, 10)):
        same(await served.found(parallel=parallel, page_size=size), served.truth())


async def test_a_list_of_one_page_is_hardly_split(serve_list):
    for name, what in LISTS:
        served = await serve_list(name, what)
        same(await served.found(parallel=16), served.truth())
        assert len(served.server.requests) <= 2, (name, what)


CREATED = [
    {},
    {"created_after": timedelta(days=-40)},
    {"created_after": timedelta(days=-40), "created_before": timedelta(days=20)},
    {"created_before": timedelta(days=20)},
    {"created_after": timedelta(days=4000)},
    {"state": ConversationState.CLOSED},
]


@pytest.mark.parametrize("dates", CREATED, ids=str)
@pytest.mark.parametrize("name", ["twilio", "circuit"])
async def test_filters(serve_list, name, dates):
    served = await serve_list(name, "conversations", scale=0.1)
    if name == "circuit" and "state" in dates:
        return
    everyone = [c async for c in served.hub.conversations()]
    middle = sorted(c.created_at for c in everyone)[len(everyone) // 2]
    asked = {k: middle + v if isinstance(v, timedelta) else v for k, v in dates.items()}
    expected = await served.found(**asked)
    for parallel, size in ((2, 3), (9, 2), (60, None)):
        same(await served.found(parallel=parallel, page_size=size, **asked), expected)


@pytest.mark.parametrize("name", ["twilio", "clio", "circuit"])
async def test_messages_of_a_time(serve_list, name):
    served = await serve_list(name, "messages")
    times = sorted(m.sent_at for m in await served.pager().collect(limit=None))
    span = {"since": times[len(times) // 4], "until": times[-len(times) // 4]}
    expected = await served.found(**span)
    assert 0 < len(expected) < len(times)
    same(await served.found(parallel=4, page_size=3, **span), expected)


async def test_conversations_in_an_order_that_the_description_denies(serve_list):
    """A walk then does not stop at its border, and nobody relies on how far it came."""
    served = await serve_list("twilio", "conversations", scale=0.1)
    chance = random.Random(2)

    def stir(request, response):
        body = json.loads(response.body)
        chance.shuffle(body["conversations"])
        return json_response(body)

    served.server.alter = stir
    for parallel in (2, 8):
        same(await served.found(parallel=parallel, page_size=5), served.truth())


@pytest.mark.parametrize(
    ("times", "before", "reach"),
    [
        ([], "05-09", ("05-09", "05-09")),
        (["05-09T12", "05-09T12", "05-07T01"], "05-12", ("05-09", "05-07")),
        (["05-09T12"], "05-09", ("05-09", "05-09")),
        # Its fraction is not told, so that another one of this second may follow.
        (["05-09T23:59:59"], "05-12", ("05-10", "05-10")),
        (["05-09T12", "05-09T13"], "05-12", None),
        (["05-10T12"], "05-09", None),
        (["05-09T12", None], "05-12", None),
    ],
)
def test_how_far_a_page_led(times, before, reach):
    """No further than its dates say, and nowhere if they ever rise."""
    first = Request(url=URL("http://x/Conversations?StartDate=1970"))
    day = lambda text: datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)  # noqa: E731
    items = [Conversation(ref=Ref("twilio", "CH"), created_at=time and day(time)) for time in times]
    found = Days.of(first, None, None).reached(items, first, day(before).toordinal())
    assert found == (reach and tuple(day(one).toordinal() for one in reach))


def test_the_days_asked_for_overlap():
    first = Request(url=URL("http://x/Conversations?StartDate=1970&State=closed"))
    days, monday = Days.of(first, None, None), date(2026, 5, 4).toordinal()
    assert days.part(None, monday, first).query == {
        "StartDate": "1970",
        "State": "closed",
        "EndDate": "2026-05-04T23:59:59Z",
    }
    upper = days.part(monday, monday + 7, first).query
    assert upper["StartDate"] == "2026-05-04T00:00:00Z"


# While the list changes.


def change(served, chance):
    """Let somebody do something to the list."""
    api, name, ids = served.api, served.name, served.truth()
    one = chance.choice(ids)
    with suppress(Refusal):
        if served.what == "messages":
            what = chance.choice([api.add_message, api.edit_message, api.remove_message])
            what(served.where) if what == api.add_message else what(served.where, one)
        elif name == "circuit" and chance.random() < 0.6:
            api.store.rename(one, api.store.me, "Another topic")
        elif chance.random() < 0.5:
            api.add_message(one)
        else:
            api.add_conversation()


@pytest.mark.parametrize(("name", "what"), LISTS)
@pytest.mark.parametrize("sort", ["modification", "last_item"])
async def test_nothing_is_lost_while_the_list_changes(serve_list, name, what, sort):
    switches = {"conversation_sort": sort} if name == "circuit" else {}
    if sort == "last_item" and (name, what) != ("circuit", "conversations"):
        return
    for seed in range(12):
        chance = random.Random(seed)
        served = await serve_list(name, what, **switches)
        before, left = set(served.truth()), 6

        def meanwhile(request, served=served, chance=chance):
            nonlocal left
            if left and chance.random() < 0.4:
                left -= 1
                change(served, chance)

        served.server.intercept = meanwhile
        found = await served.found(parallel=chance.choice([2, 3, 6]), page_size=3)
        assert not (before & set(served.truth())) - set(found), seed
        assert len(found) == len(set(found)), seed


async def test_a_row_that_moves_up_before_its_window_is_read(serve_list):
    """The walk from the newest on looks for it, though its own part was one page."""
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(60)])
    store, oldest = served.api.store, served.truth()[-1]

    def meanwhile(request):
        if len(served.server.requests) == 3:
            store.edit_text(oldest, {"content": "later"})

    served.server.intercept = meanwhile
    same(await served.found(parallel=12, page_size=5), served.truth())


async def test_catching_up_waits_for_all_the_others(serve_list):
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(60)])
    await served.found(parallel=5, page_size=5)
    targets = [request.target for request in served.server.requests]
    last = [n for n, target in enumerate(targets) if target.endswith("/items?results=100")]
    assert last == [len(targets) - 1]


# Two ends.


def is_backwards(target):
    return bool(re.search(r"[Oo]rder=(id%28|id\()?desc", target))


@pytest.mark.parametrize(("name", "what"), ENDS)
async def test_two_ends_meet(serve_list, name, what):
    served = await serve_list(name, what, scale=0.1)
    await served.found(page_size=3)
    alone = len(served.server.requests)
    same(await served.found(page_size=3, parallel=2), served.truth())
    assert len(served.server.requests) - alone <= alone + 2
    orders = Counter(is_backwards(r.target) for r in served.server.requests[alone:])
    assert abs(orders[True] - orders[False]) <= 4


async def test_more_places_than_ends(serve_list):
    served = await serve_list("twilio", "messages")
    same(await served.found(page_size=2, parallel=16), served.truth())


async def test_what_a_walk_meets_again_itself_is_no_meeting(serve_list):
    """Newer messages push what was counted from the newest onto the next page."""
    served = await serve_list("clio", "messages", scale=0.1)
    before = served.truth()

    def meanwhile(request):
        if is_backwards(request.raw_path) and len(served.server.requests) < 12:
            served.api.add_message(served.where)

    served.server.intercept = meanwhile
    found = await served.found(page_size=3, parallel=2)
    assert set(before) <= set(found)
    assert len(found) == len(set(found))


def forget(served, message):
    """Take a message away, as the API itself cannot."""
    messages = served.api.store.conversations[int(served.where)]["messages"]
    messages[:] = [one for one in messages if str(one["id"]) != message]


@pytest.mark.parametrize("records", ["total", "page"])
@pytest.mark.parametrize("keep_raw", [True, False])
async def test_rows_that_move_up_are_not_passed_over(serve_list, records, keep_raw):
    """Counted from the newest, a page after a deletion begins too late."""
    served = await serve_list("clio", "messages", scale=0.1, records=records)
    served.hub = served.emulator.hub(keep_raw=keep_raw)
    gone = []

    def meanwhile(request):
        if is_backwards(request.raw_path) and "page_token" in request.raw_path and len(gone) < 4:
            gone.append(served.truth()[-1])
            forget(served, gone[-1])

    served.server.intercept = meanwhile
    found = await served.found(page_size=3, parallel=2)
    assert gone or records == "page"
    assert set(served.truth()) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("late", range(1, 9))
@pytest.mark.parametrize("every", [2, 5, 11])
async def test_rows_that_move_up_are_not_passed_over_in_pieces(serve_list, late, every):
    """What lies behind a gap is no place to meet in the next process, either."""
    served = await serve_list("clio", "messages", scale=0.1)
    pages = 0

    def meanwhile(request):
        nonlocal pages
        pages += is_backwards(request.raw_path)
        if pages == late and is_backwards(request.raw_path):
            forget(served, served.truth()[-1])

    served.server.intercept = meanwhile
    pager, found = served.pager(page_size=3, parallel=2), []
    while taken := await pager.collect(limit=every):
        found += [one.ref.id for one in taken]
        saved = json.dumps(pager.checkpoint())
        await pager.aclose()
        pager = served.hub.resume(json.loads(saved))
    assert set(served.truth()) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("taken", [36, 39, 42, 44])
async def test_rows_that_move_up_after_the_ends_have_met(serve_list, taken):
    """A page of the newest end that nobody took may be what a checkpoint cannot ask for again."""
    served = await serve_list("clio", "messages", scale=0.1)

    async def late(request):
        if not is_backwards(request.raw_path):
            await asyncio.sleep(0.003)

    served.server.intercept = late
    pager = served.pager(page_size=3, parallel=2, prefetch=4)
    found = [message.ref.id for message in await pager.collect(limit=taken)]
    await asyncio.sleep(0.05)
    saved = json.loads(json.dumps(pager.checkpoint()))
    await pager.aclose()
    forget(served, served.truth()[-1])
    found += [message.ref.id for message in await served.hub.resume(saved).collect(limit=None)]
    assert set(served.truth()) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("taken", [78, 80, 84, 88])
@pytest.mark.parametrize("prefetch", [1, 4])
async def test_changes_between_two_pieces(serve_list, taken, prefetch):
    """What is edited moves to the top: who catches up there must not have been there before."""
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(90)])
    before, found = set(served.truth()), []
    pager = served.pager(parallel=8, page_size=5, prefetch=prefetch)
    while len(found) < taken:
        some = await pager.collect(limit=min(5, taken - len(found)))
        found += [message.ref.id for message in some]
        await asyncio.sleep(0.004)
    await asyncio.sleep(0.03)
    saved = json.loads(json.dumps(pager.checkpoint()))
    await pager.aclose()
    for one in sorted(before - set(found)):
        served.api.store.edit_text(one, {"content": "later"})
    found += [message.ref.id for message in await served.hub.resume(saved).collect(limit=None)]
    assert before <= set(found)


@pytest.mark.parametrize("bad", range(3, 9))
async def test_changes_to_a_part_that_was_given_up(serve_list, bad):
    served = await serve_list("circuit", "messages")
    served.hub = served.emulator.hub(retries=0)
    crowd(served, [n * DAY for n in range(90)])
    before, count = set(served.truth()), itertools.count()
    served.server.intercept = lambda _: web.Response(status=500) if next(count) == bad else None
    messages = served.hub["circuit"].messages(Ref("circuit", served.where), page_size=5)
    pager = served.hub.iterate(messages, parallel=4, on_error="continue")
    found = [message.ref.id async for message in pager]
    served.server.intercept = None
    for one in sorted(before - set(found)):
        served.api.store.edit_text(one, {"content": "later"})
    found += [message.ref.id async for message in served.hub.resume(pager.checkpoint())]
    assert before <= set(found)


@pytest.mark.parametrize("which", [0, 1])
async def test_a_deletion_where_the_walks_would_meet(serve_list, which):
    served = await serve_list("twilio", "messages", scale=0.1)
    before, read = served.truth(), {"asc": [], "desc": []}

    def meanwhile(request, response):
        order = "desc" if is_backwards(request.raw_path) else "asc"
        read[order] += [one["sid"] for one in json.loads(response.body)["messages"]]
        mine = read[("asc", "desc")[which]]
        if len(mine) > len(before) // 2 - 6 and mine[-1] in served.truth():
            for one in mine[-3:]:
                served.api.remove_message(served.where, one)

    served.server.alter = meanwhile
    found = await served.found(page_size=3, parallel=2)
    assert set(served.truth()) <= set(found)
    assert len(found) == len(set(found))


async def test_the_other_end_has_a_wall(serve_list):
    served = await serve_list("clio", "messages", scale=0.1, depth=6)
    same(await served.found(page_size=3, parallel=2), served.truth())
    walls = [r for r in served.server.requests if r.status == 422]
    assert len(walls) == 1


async def test_another_refusal_is_no_wall(serve_list):
    served = await serve_list("clio", "messages")
    served.server.intercept = lambda request: web.Response(status=403)
    with pytest.raises(Exception, match="403"):
        await served.found(parallel=2)


# Checkpoints.


@pytest.mark.parametrize(("name", "what"), LISTS)
@pytest.mark.parametrize("every", [1, 4, 7])
async def test_a_walk_in_pieces_is_the_same_walk(serve_list, name, what, every):
    served = await serve_list(name, what)
    secrets = [s for s in served.api.arguments.values() if isinstance(s, str) and len(s) > 30]
    found, saved, more = [], None, True
    while more:
        async with served.emulator.hub() as hub:
            if saved is None:
                pager = served.pager(hub, parallel=4, page_size=3)
            else:
                pager = hub.resume(json.loads(saved))
            taken = await pager.collect(limit=every)
            found += [one.ref.id for one in taken]
            saved = json.dumps(pager.checkpoint())
            assert not any(secret in saved for secret in secrets if name != "twilio")
            more = len(taken) == every
    same(found, served.truth())


@pytest.mark.parametrize(("name", "what"), LISTS)
async def test_what_happens_between_the_pieces(serve_list, name, what):
    for seed in range(8):
        chance, served = random.Random(seed), await serve_list(name, what)
        before = set(served.truth())
        pager, found = served.pager(parallel=chance.choice([2, 5]), page_size=3), []
        for _ in range(4):
            found += await pager.collect(limit=chance.randrange(9))
            saved = json.dumps(pager.checkpoint())
            await pager.aclose()
            for _ in range(2):
                change(served, chance)
            if name == "clio" and what == "messages":
                forget(served, chance.choice(served.truth()))
            pager = served.hub.resume(json.loads(saved))
        found += await pager.collect(limit=None)
        ids = [one.ref.id for one in found]
        assert not (before & set(served.truth())) - set(ids), seed


async def test_a_checkpoint_holds_no_words(serve_list):
    served = await serve_list("circuit", "messages")
    pager = served.pager(parallel=3, page_size=3)
    words = [m.text async for m in pager if m.text][:20]
    pager = served.pager(parallel=3, page_size=3)
    await pager.collect(limit=10)
    saved = json.dumps(pager.checkpoint())
    assert not any(word in saved for word in words if len(word) > 5)


def first(saved):
    return saved["questions"][0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: first(saved).update(parallel=0),
        lambda saved: first(saved).update(parallel="many"),
        lambda saved: first(saved).update(parallel=None),
        lambda saved: first(saved)["walks"][0].update(window=None),
        lambda saved: first(saved)["walks"][0].update(window={"lo": "x"}),
        lambda saved: first(saved)["walks"][1]["window"].update(hi=10**20),
        lambda saved: first(saved)["walks"][0].update(first="/elsewhere"),
        lambda saved: first(saved)["arguments"].update(page_size=99),
        lambda saved: first(saved)["arguments"].update(order="oldest"),
    ],
)
async def test_a_damaged_checkpoint_is_refused(serve_list, damage):
    served = await serve_list("circuit", "messages")
    pager = served.pager(parallel=3, page_size=3)
    await pager.collect(limit=20)
    saved = pager.checkpoint()
    assert len(first(saved)["walks"]) > 1
    await pager.aclose()
    asked = len(served.server.requests)
    damage(saved)
    with pytest.raises(CheckpointError):
        served.hub.resume(saved)
    assert len(served.server.requests) == asked


async def test_a_checkpoint_from_before_windows_still_loads(serve_list):
    served = await serve_list("circuit", "messages")
    pager = served.pager(page_size=3)
    found = await pager.collect(limit=4)
    saved = pager.checkpoint()
    del first(saved)["parallel"], first(saved)["walks"][0]["window"]
    found += await served.hub.resume(saved).collect(limit=None)
    same([m.ref.id for m in found], served.truth())


# How many requests, and how many at a time.


def busy(served):
    """Count how many requests are under way, and remember the most."""
    now = most = 0

    async def count(request):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1

    served.server.intercept = count
    return lambda: most


@pytest.mark.parametrize(("name", "what"), LISTS)
async def test_no_more_at_a_time_than_places(serve_list, name, what):
    served = await serve_list(name, what, scale=0.1)
    most = busy(served)
    for parallel in (2, 3, 8):
        same(await served.found(parallel=parallel, page_size=3, prefetch=2), served.truth())
        assert 1 < most() <= parallel


async def test_a_slow_reader_holds_the_walks_back(serve_list):
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(200)])
    pager = served.pager(parallel=4, page_size=5)
    await pager.collect(limit=5)
    await asyncio.sleep(0.3)
    # Each of the four has a page ready; the first page and the conversation came before.
    assert len(served.server.requests) <= 6
    await pager.aclose()


async def test_a_slow_reader_holds_the_walks_back_on_a_crowded_list_too(serve_list):
    """A walk that is over, but for a page that nobody took, leaves no place to another."""
    served = await serve_list("circuit", "messages")
    crowd(served, [DAY * (n % 40) * 5 + n for n in range(2000)])
    pager, most = served.pager(parallel=16, page_size=5), 0
    while await pager.collect(limit=5):
        await asyncio.sleep(0.003)
        most = max(most, sum(len(walk.ready) for walk in pager._walks))
    assert most <= 17


async def test_no_more_at_a_time_after_a_resume(serve_list):
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(200)])
    for taken in (7, 40, 100):
        pager = served.pager(parallel=4, page_size=5)
        await pager.collect(limit=taken)
        await asyncio.sleep(0.02)
        saved = pager.checkpoint()
        await pager.aclose()
        now = most = 0

        async def count(request):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1

        served.server.intercept = count
        await served.hub.resume(saved).collect(limit=None)
        served.server.intercept = None
        assert most <= 4


async def test_where_a_list_begins_is_not_worth_an_error(serve_list):
    """That question only helps; without its answer a list is read all the same."""
    served = await serve_list("circuit", "messages")
    served.hub = served.emulator.hub(retries=0)
    crowd(served, [n * DAY for n in range(40)])

    async def drop(request):
        if not request.path.endswith("/items"):
            request.transport.abort()

    served.server.intercept = drop
    same(await served.found(parallel=4, page_size=5), served.truth())


@pytest.mark.parametrize("skewed", [False, True])
async def test_so_many_requests_and_no_more(serve_list, skewed):
    served = await serve_list("circuit", "messages")
    chance = random.Random(1)
    span = DAY * 100
    crowd(
        served,
        [
            span // 2 + chance.randrange(span // 20)
            if skewed and chance.random() < 0.5
            else chance.randrange(span)
            for _ in range(1000)
        ],
    )
    same(await served.found(page_size=10), served.truth())
    alone = len(served.server.requests)
    same(await served.found(page_size=10, parallel=16), served.truth())
    # Small pages overlap by a tenth: of a hundred rows each, 103 and 113 requests.
    assert len(served.server.requests) - alone <= alone * (1.3 if skewed else 1.2)


class Rounds:
    """Answers those who ask at one time together, and counts how often: a time without a clock."""

    def __init__(self):
        self.count, self.waiting, self.answering = 0, [], None

    async def __call__(self, request):
        answered = asyncio.Event()
        self.waiting.append(answered)
        if len(self.waiting) == 1:
            self.answering = asyncio.create_task(self.answer())
        await answered.wait()

    async def answer(self):
        come = 0
        while come != len(self.waiting):
            come = len(self.waiting)
            for _ in range(10):
                await asyncio.sleep(0.001)
        self.count += 1
        waiting, self.waiting = self.waiting, []
        for answered in waiting:
            answered.set()


@pytest.mark.parametrize(
    ("name", "what", "parallel", "least"),
    [("circuit", "messages", 8, 2), ("twilio", "messages", 2, 1.3)],
)
async def test_it_takes_less_time(serve_list, name, what, parallel, least):
    served = await serve_list(name, what, scale=0.1)
    if name == "circuit":
        crowd(served, [n * DAY for n in range(300)])
    size = len(served.truth()) // 12
    times = []
    for places in (None, parallel):
        served.server.intercept = rounds = Rounds()
        same(await served.found(parallel=places, page_size=size), served.truth())
        times.append(rounds.count)
    assert times[0] / times[1] > least


async def test_a_window_for_every_day_that_was_asked_for(serve_list):
    served = await serve_list("twilio", "conversations", scale=0.1)
    newest = max([c.created_at async for c in served.hub.conversations()])
    asked = {"created_after": newest - timedelta(days=3), "created_before": newest}
    expected = await served.found(**asked)
    same(await served.found(parallel=16, **asked), expected)
    targets = [r.target for r in served.server.requests]
    assert len({t.split("EndDate")[1] for t in targets if "EndDate" in t}) >= 3


# Leaving, limits and errors.


@pytest.mark.parametrize(("name", "what"), LISTS)
@pytest.mark.parametrize("limit", [0, 1, 5, 14])
async def test_a_limit(serve_list, name, what, limit):
    served = await serve_list(name, what)
    found = await served.found(parallel=4, page_size=3, limit=limit)
    assert len(set(found)) == len(found) == min(limit, len(served.truth()))
    assert set(found) <= set(served.truth())


@pytest.mark.parametrize(("name", "what"), [LISTS[0], LISTS[3]])
async def test_leaving_early_leaves_nothing_behind(serve_list, name, what):
    served = await serve_list(name, what)
    # The server's own tasks come and go.
    ours = lambda: {t for t in asyncio.all_tasks() if "_fill" in repr(t.get_coro())}  # noqa: E731
    async for _ in served.pager(parallel=6, page_size=2):
        break
    gc.collect()
    await asyncio.sleep(0.05)
    assert not ours()
    async with served.pager(parallel=6, page_size=2) as pager:
        await pager.collect(limit=5)
    assert not ours()
    await served.found(parallel=6, page_size=2)
    assert not ours()


@pytest.mark.parametrize(("name", "what"), LISTS)
async def test_after_an_error_the_walk_goes_on(monkeypatch, serve_list, name, what):
    monkeypatch.setattr("conversations_hub.transport.pauses", lambda: iter([0.0] * 2))
    served = await serve_list(name, what)
    chance = random.Random(4)
    served.server.intercept = lambda request: (
        web.Response(status=500) if chance.random() < 0.5 else None
    )
    pager, found, failures = served.pager(parallel=5, page_size=3), [], 0
    while True:
        try:
            found.append((await anext(pager)).ref.id)
        except ServerError:
            failures += 1
        except StopAsyncIteration:
            break
    assert failures
    same(found, served.truth())


@pytest.mark.parametrize(("name", "what"), [("circuit", "conversations"), WINDOWS[2]])
async def test_what_is_set_aside_is_found_after_a_resume(monkeypatch, serve_list, name, what):
    monkeypatch.setattr("conversations_hub.transport.pauses", lambda: iter([]))
    served = await serve_list(name, what)
    down = itertools.count()
    served.server.intercept = lambda request: (
        web.Response(status=500) if next(down) in {5, 6} else None
    )
    pager = served.pager(parallel=4, page_size=2, on_error="continue")
    found = [one.ref.id async for one in pager]
    assert pager.errors
    served.server.intercept = None
    rest = served.hub.resume(pager.checkpoint())
    same([*found, *[one.ref.id async for one in rest]], served.truth())


async def test_one_refusal_for_haste_slows_all_of_them(monkeypatch, serve_list):
    served = await serve_list("circuit", "messages")
    crowd(served, [n * DAY for n in range(100)])
    told, asked = [], []

    def hurry(request):
        asked.append(time.monotonic())
        if len(asked) == 8:
            told.append(time.monotonic())
            return web.Response(status=429, headers={"Retry-After": "1"})
        return None

    served.server.intercept = hurry
    with suppress(RateLimitError):
        same(await served.found(parallel=8, page_size=4), served.truth())
    # What was on its way already may still arrive: no more than there are other places.
    assert len([at for at in asked if told[0] < at < told[0] + 0.9]) <= 7


# What cannot be asked.


async def test_what_cannot_be_split_is_refused_at_the_call(hub):
    sunshine, twilio = hub["sunshine"], hub["twilio"]
    one = Ref("sunshine", "c")
    for ask in (
        lambda: hub.messages(one, parallel=2),
        lambda: hub.conversations("sunshine", parallel=2),
        lambda: hub.conversations(parallel=2),
        lambda: hub.iterate(sunshine.participants(one), parallel=2),
        lambda: hub.iterate(twilio.conversations(participant="ann"), parallel=2),
        lambda: hub.conversations("twilio", participant="a@b.test", parallel=2),
        lambda: hub.conversations("clio", state=ConversationState.OPEN, parallel=2),
        lambda: hub.conversations("clio", participant="77", parallel=2),
        lambda: hub.iterate(hub["clio"].messages(Ref("clio", "1"), query="x"), parallel=2),
        lambda: hub.iterate(hub["circuit"].communities(), parallel=3),
    ):
        with pytest.raises(UnsupportedError, match="leave parallel= out") as caught:
            ask()
        assert caught.value.provider
        assert caught.value.operation


@pytest.mark.parametrize("parallel", [0, -1, "2", True, 2.0, 1001])
async def test_what_is_no_number_of_places(hub, parallel):
    with pytest.raises(ConfigurationError, match="1 to 1000"):
        hub.conversations(parallel=parallel)
    with pytest.raises(ConfigurationError, match="1 to 1000"):
        hub.messages("twilio:CH1", parallel=parallel)


@pytest.mark.parametrize("name", ["twilio", "clio", "circuit"])
async def test_an_order_takes_one_place(hub, name):
    for order in ("oldest", "newest"):
        with pytest.raises(ConfigurationError, match="leave out order= or parallel="):
            hub.messages(Ref(name, "1"), order=order, parallel=2)
        with pytest.raises(ConfigurationError, match="leave out order= or parallel="):
            hub.iterate(hub[name].messages(Ref(name, "1"), order=order), parallel=2)
        hub.messages(Ref(name, "1"), order=order, parallel=1)


async def test_several_providers_at_a_time(emulator, hub):
    found = [str(c.ref) async for c in hub.conversations("twilio", "clio", "circuit", parallel=3)]
    expected = [
        f"{name}:{id_}"
        for name in ("twilio", "clio", "circuit")
        for id_ in emulator[name].conversation_ids()
    ]
    same(found, expected)
