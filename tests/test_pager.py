"""The pager's promises, on a fake transport."""

import asyncio
import contextlib
import gc
import itertools
import json

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import (
    CheckpointError,
    ConfigurationError,
    ConversationsHub,
    CursorExpiredError,
    PagingError,
    Ref,
    ServerError,
    TranslationError,
    UnsupportedError,
)
from conversations_hub.walk import key_of
from support import Acme, FakeTransport, hub_on, ids, page

THREE = {
    None: page(["1", "2"], "b"),
    "b": page(["3", "4"], "c"),
    "c": page(["5"]),
}


async def take(pager, count):
    return [(await anext(pager)).ref.id for _ in range(count)]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
async def test_items_come_once_and_in_order(prefetch):
    hub = hub_on(THREE)
    assert ids([c async for c in hub.conversations(prefetch=prefetch)]) == list("12345")
    assert hub._fetcher.transport.asked == [None, "b", "c"]


@given(
    st.lists(st.lists(st.integers(), max_size=4), min_size=1, max_size=6),
    st.integers(0, 3),
    st.none() | st.integers(0, 12),
)
def test_however_pages_are_cut_every_item_comes_once(cuts, prefetch, limit):
    numbers = iter(range(1000))
    pages = [[str(next(numbers)) for _ in cut] for cut in cuts]
    answers = {
        (str(i) if i else None): page(p, str(i + 1) if i + 1 < len(pages) else None)
        for i, p in enumerate(pages)
    }

    async def run():
        pager = hub_on(answers).conversations(prefetch=prefetch, limit=limit)
        return ids([c async for c in pager])

    assert asyncio.run(run()) == list(itertools.chain(*pages))[:limit]


async def test_pages():
    pager = hub_on(THREE).conversations()
    got = [p async for p in pager.pages()]
    assert [ids(p.items) for p in got] == [["1", "2"], ["3", "4"], ["5"]]
    assert got[0].raw["meta"] == {"more": True, "cursor": "b"}
    assert [p.next is None for p in got] == [False, False, True]


async def test_pages_go_on_where_items_stopped():
    pager = hub_on(THREE).conversations()
    await take(pager, 1)
    assert [ids(p.items) async for p in pager.pages()] == [["2"], ["3", "4"], ["5"]]


async def test_collect_needs_a_limit_or_an_explicit_none():
    hub = hub_on(THREE)
    assert ids(await hub.conversations().collect(limit=3)) == ["1", "2", "3"]
    assert ids(await hub.conversations().collect(limit=None)) == list("12345")
    with pytest.raises(TypeError):
        await hub.conversations().collect()


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_after_an_error_the_same_page_is_asked_again(prefetch):
    hub = hub_on(THREE | {"b": [ServerError("down"), ServerError("down"), THREE["b"]]})
    pager = hub.conversations(prefetch=prefetch)
    assert await take(pager, 2) == ["1", "2"]
    for _ in range(2):
        with pytest.raises(ServerError):
            await anext(pager)
    assert await take(pager, 3) == ["3", "4", "5"]
    with pytest.raises(StopAsyncIteration):
        await anext(pager)
    with pytest.raises(StopAsyncIteration):
        await anext(pager)


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        pytest.param({None: page(["1"], "a"), "a": page(["2"], "a")}, 2, id="A-A"),
        pytest.param(
            {None: page(["1"], "a"), "a": page(["2"], "b"), "b": page(["3"], "a")}, 3, id="A-B-A"
        ),
    ],
)
async def test_a_list_in_circles_is_an_error_after_an_exact_number_of_requests(answers, requests):
    hub = hub_on(answers)
    pager = hub.conversations()
    assert await take(pager, requests) == list("123")[:requests]
    for _ in range(2):
        with pytest.raises(PagingError, match="circles") as caught:
            await anext(pager)
    assert (caught.value.provider, caught.value.operation) == ("acme", "conversations")
    assert "cursor=" not in str(caught.value)
    # After the first error the page that leads astray was asked for again.
    assert len(hub._fetcher.transport.asked) == requests + 1


async def test_a_page_that_led_astray_and_whose_cursor_then_expires():
    """The place is looked for behind what it delivered."""
    gone = CursorExpiredError("gone")
    answers = {None: [THREE[None]] * 2, "b": [page(["3", "4"], "b"), gone, THREE["b"]]}
    pager = hub_on(THREE | answers).conversations(prefetch=0)
    assert await take(pager, 4) == ["1", "2", "3", "4"]
    with pytest.raises(PagingError):
        await anext(pager)
    assert ids(await pager.collect(limit=None)) == ["5"]


async def test_a_list_in_order_that_led_astray_is_still_whole():
    notes = {key: one.replace(b"things", b"notes") for key, one in THREE.items()}
    answers = notes | {"b": page(["3", "4"], "b", key="notes")}
    pager = hub_on(answers).messages(Ref("acme", "t"), order="oldest")
    with pytest.raises(PagingError):
        await anext(pager)
    saved = json.loads(json.dumps(pager.checkpoint()))
    assert ids([m async for m in hub_on(notes).resume(saved)]) == list("12345")


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_page_that_holds_a_record_twice(prefetch):
    hub = hub_on(THREE | {"b": page(["3", "4", "3", "4"], "c")})
    assert ids([c async for c in hub.conversations(prefetch=prefetch)]) == list("12345")


def astray():
    return hub_on(THREE | {"b": [page(["3", "4"], "b"), THREE["b"]]})


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize("taken", [2, 3, 4])
async def test_a_page_that_led_astray_once_is_asked_for_again(taken, prefetch):
    """Neither who reads on nor who resumes gets an item twice, or misses one."""
    pager = astray().conversations(prefetch=prefetch)
    assert await take(pager, 4) == ["1", "2", "3", "4"]
    with pytest.raises(PagingError):
        await anext(pager)
    assert ids(await pager.collect(limit=None)) == ["5"]
    pager = astray().conversations(prefetch=prefetch)
    first = await take(pager, taken)
    saved = json.loads(json.dumps(pager.checkpoint()))
    assert first + ids([c async for c in hub_on(THREE).resume(saved)]) == list("12345")


async def test_a_broken_record_is_raised_in_its_place_and_passed():
    hub = hub_on(THREE | {"b": page([{"id": "3"}, {"id": 4}, {"id": "4"}], "c")})
    pager = hub.conversations()
    assert await take(pager, 3) == ["1", "2", "3"]
    with pytest.raises(TranslationError) as caught:
        await anext(pager)
    assert caught.value.path == "things[1].id"
    assert (caught.value.provider, caught.value.operation) == ("acme", "conversations")
    assert await take(pager, 2) == ["4", "5"]


async def test_broken_records_come_between_pages_too():
    hub = hub_on({None: page([{"id": "1"}, {"id": 2}, {"id": "3"}])})
    pages = hub.conversations().pages()
    assert ids((await anext(pages)).items) == ["1"]
    with pytest.raises(TranslationError):
        await anext(pages)
    assert ids((await anext(pages)).items) == ["3"]


async def test_broken_records_can_be_set_aside():
    hub = hub_on(THREE | {"b": page([{"id": "3"}, {"id": 4}, {"id": "4"}], "c")})
    pager = hub.conversations(on_error="continue")
    assert ids([c async for c in pager]) == list("12345")
    assert [e.path for e in pager.errors] == ["things[1].id"]


async def test_a_provider_that_fails_can_be_set_aside():
    hub = hub_on(THREE | {"b": ServerError("down")})
    pager = hub.conversations(on_error="continue")
    assert ids([c async for c in pager]) == ["1", "2"]
    assert [str(e) for e in pager.errors] == ["down"]


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 9])
async def test_limit_asks_for_no_page_it_does_not_need(limit):
    hub = hub_on(THREE)
    got = ids([c async for c in hub.conversations(limit=limit)])
    await asyncio.sleep(0)
    assert got == list("12345")[:limit]
    assert len(hub._fetcher.transport.asked) == {0: 0, 1: 1, 2: 1, 3: 2}.get(limit, 3)


async def test_only_so_many_pages_are_fetched_ahead():
    answers = {(str(i) if i else None): page([str(i)], str(i + 1)) for i in range(20)}
    hub = hub_on(answers)
    pager = hub.conversations(prefetch=2)
    await take(pager, 1)
    await asyncio.sleep(0.01)
    assert len(hub._fetcher.transport.asked) == 3
    await pager.aclose()


async def test_leaving_early_leaves_nothing_behind():
    class Slow(FakeTransport):
        async def send(self, provider, request, operation):
            if request.query.get("cursor"):
                await asyncio.sleep(60)
            return await super().send(provider, request, operation)

    hub = hub_on(THREE)
    hub._fetcher.transport = Slow(THREE)
    before = asyncio.all_tasks()
    async for _ in hub.conversations():
        break
    gc.collect()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before

    async with hub.conversations() as pager:
        await anext(pager)
        assert asyncio.all_tasks() != before
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("taken", range(6))
@pytest.mark.parametrize("prefetch", [0, 1, 2])
async def test_a_checkpoint_goes_on_in_another_process(taken, prefetch):
    pager = hub_on(THREE).conversations(page_size=2, prefetch=prefetch)
    first = await take(pager, taken)
    await asyncio.sleep(0)
    text = json.dumps(pager.checkpoint())
    assert "canary-token" not in text
    rest = hub_on(THREE).resume(json.loads(text))
    assert first + ids([c async for c in rest]) == list("12345")


async def test_a_checkpoint_counts_the_limit_and_moves_only_with_the_consumer():
    pager = hub_on(THREE).conversations(limit=4)
    assert pager.checkpoint()["limit"] == 4
    await take(pager, 3)
    saved = pager.checkpoint()
    assert saved["limit"] == 1
    assert ids([c async for c in hub_on(THREE).resume(saved)]) == ["4"]


async def test_resuming_survives_rows_that_moved_on_the_page():
    pager = hub_on(THREE).conversations()
    await take(pager, 3)
    moved = THREE | {"b": page(["9", "3", "4"], "c")}
    assert ids([c async for c in hub_on(moved).resume(pager.checkpoint())]) == ["9", "4", "5"]


async def test_what_came_is_remembered_over_two_resumes():
    """Newer rows push it onto a page that neither has come to yet."""
    long = {None: page(["1", "2", "3"], "b"), "b": page(["4"])}
    pager = hub_on(long).conversations()
    assert await take(pager, 2) == ["1", "2"]
    pushed = {None: page(["8", "9"], "b"), "b": page(["1", "2", "3", "4"])}
    second = hub_on(pushed).resume(pager.checkpoint())
    assert await take(second, 1) == ["8"]
    rest = hub_on(pushed).resume(second.checkpoint())
    assert ids([c async for c in rest]) == ["9", "3", "4"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 99}, id="version"),
        pytest.param({"questions": 7}, id="damaged"),
        pytest.param({}, id="page size"),
        pytest.param({"provider": "other"}, id="provider"),
        pytest.param({"name": "aclose"}, id="no listing"),
        pytest.param({"name": "error_for"}, id="no question"),
        pytest.param({"next": "http://evil.test/"}, id="elsewhere"),
        pytest.param({"next": "//evil.test/x"}, id="another host"),
        pytest.param({"next": "/things?a=1\r\nX-Evil: 1"}, id="a header in it"),
        pytest.param({"next": "/../secrets"}, id="climbing out"),
    ],
)
async def test_a_checkpoint_of_another_query_is_refused_before_any_request(change):
    pager = hub_on(THREE).conversations(page_size=2)
    await take(pager, 1)
    saved = pager.checkpoint()
    question = saved["questions"][0]
    for place in (saved, question, question["walks"][0]):
        place.update({k: v for k, v in change.items() if k in place})
    if not change:
        question["arguments"]["page_size"] = 3
    hub = hub_on(THREE)
    with pytest.raises(CheckpointError):
        hub.resume(saved)
    assert hub._fetcher.transport.asked == []


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ((), {"questions": []}),
        ((), {"limit": -1}),
        ((), {"on_error": "ignore"}),
        (("questions", 0), {"arguments": {"page_size": {"datetime": "yesterday"}}}),
        (("questions", 0), {"arguments": {"page_size": {"Ref": "nobody"}}}),
        (("questions", 0), {"arguments": {"page_size": {"Role": "king"}}}),
        (("questions", 0), {"arguments": {"page_size": {"a": 1, "b": 2}}}),
        (("questions", 0), {"arguments": {"nonsense": 1}}),
        (("questions", 0), {"name": "conversation"}),
        (("questions", 0, "walks", 0), {"steps": ["backwards"]}),
    ],
)
async def test_a_damaged_checkpoint_is_one_error_and_no_quiet_end(place, change):
    saved = hub_on(THREE).conversations(page_size=2).checkpoint()
    part = saved
    for step in place:
        part = part[step]
    part.update(change)
    with pytest.raises(CheckpointError):
        hub_on(THREE).resume(saved)


async def test_a_provider_set_aside_is_asked_again_after_a_resume():
    hub = hub_on(THREE | {"b": ServerError("down")})
    pager = hub.conversations(on_error="continue")
    first = ids([c async for c in pager])
    rest = ids([c async for c in hub_on(THREE).resume(pager.checkpoint())])
    assert first + rest == list("12345")


async def test_a_hub_takes_its_pagers_along():
    class Slow(FakeTransport):
        async def send(self, provider, request, operation):
            if request.query.get("cursor"):
                await asyncio.sleep(60)
            return await super().send(provider, request, operation)

        async def aclose(self):
            pass

    before = asyncio.all_tasks()
    async with hub_on(THREE) as hub:
        hub._fetcher.transport = Slow(THREE)
        pager = hub.conversations()
        await anext(pager)
        assert asyncio.all_tasks() != before
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("value", [None, [], "text", {}, {"version": 1}])
def test_what_is_no_checkpoint_is_refused(value):
    with pytest.raises(CheckpointError):
        hub_on(THREE).resume(value)


WHERE = Ref("acme", "t")
NOTES = {
    None: page(["b", "d"], "2", key="notes"),
    "2": page(["d", "a"], "3", key="notes"),
    "3": page(["a", "c"], key="notes"),
}


async def test_repeats_are_dropped():
    assert ids([m async for m in hub_on(NOTES).messages(WHERE)]) == list("bdac")


@pytest.mark.parametrize("taken", range(5))
async def test_an_order_the_api_cannot_give_is_read_to_the_end_first(taken):
    pager = hub_on(NOTES).messages(WHERE, order="oldest")
    first = await take(pager, taken)
    saved = json.loads(json.dumps(pager.checkpoint()))
    rest = ids([m async for m in hub_on(NOTES).resume(saved)])
    assert first + rest == list("abcd")


async def test_an_error_on_the_way_to_an_order_loses_nothing():
    hub = hub_on(NOTES | {"3": [ServerError("down"), NOTES["3"]]})
    pager = hub.messages(WHERE, order="oldest")
    with pytest.raises(ServerError):
        await anext(pager)
    saved = pager.checkpoint()
    assert ids([m async for m in pager]) == list("abcd")
    assert hub._fetcher.transport.asked == [None, "2", "3", "3"]
    assert ids([m async for m in hub_on(NOTES).resume(saved)]) == list("abcd")


async def test_providers_are_read_at_the_same_time():
    """Neither waits for the other: each answers only after the other was asked."""
    both = asyncio.Barrier(2)

    class Together(FakeTransport):
        async def send(self, provider, request, operation):
            async with asyncio.timeout(2):
                await both.wait()
            return await super().send(provider, request, operation)

    hub = ConversationsHub(Acme(token="t", name="one"), Acme(token="t", name="two"))
    hub._fetcher.transport = Together(THREE)
    got = [str(c.ref) async for c in hub.conversations()]
    assert sorted(got) == [f"{p}:{i}" for p in ("one", "two") for i in "12345"]


async def test_a_bug_is_not_swallowed():
    hub = hub_on({None: page(["1"], "b"), "b": ZeroDivisionError()})
    pager = hub.conversations(on_error="continue")
    await take(pager, 1)
    with pytest.raises(ZeroDivisionError):
        await anext(pager)


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_cancelling_a_step_loses_nothing(prefetch):
    class Slow(FakeTransport):
        async def send(self, provider, request, operation):
            await asyncio.sleep(0.02)
            return await super().send(provider, request, operation)

    hub = hub_on(THREE)
    hub._fetcher.transport = Slow(THREE)
    pager = hub.conversations(prefetch=prefetch)
    got = []
    while len(got) < 5:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.005):
                got.append((await anext(pager)).ref.id)
                continue
        got.append((await anext(pager)).ref.id)
    assert got == list("12345")


@pytest.mark.parametrize(
    "options",
    [
        {"limit": -1},
        {"limit": "5"},
        {"prefetch": "1"},
        {"prefetch": -1},
        {"on_error": "ignore"},
        {"page_size": 0},
    ],
)
def test_bad_options_are_refused_at_the_call(options):
    with pytest.raises(ConfigurationError):
        hub_on(THREE).conversations(**options)


def test_a_filter_that_nobody_can_apply_is_refused_at_the_call():
    with pytest.raises(UnsupportedError, match="ask for all of them"):
        hub_on(THREE).conversations(participant="x")


async def test_closing_wakes_whoever_waits():
    """Even where the task that would have is cancelled before it began."""
    hub = ConversationsHub(Acme(token="t", name="one"), Acme(token="t", name="two"))
    hub._fetcher.transport = FakeTransport(THREE)
    pager = hub.conversations()
    waiting = asyncio.create_task(anext(pager))
    await asyncio.create_task(pager.aclose())
    async with asyncio.timeout(2):
        with pytest.raises(ConfigurationError, match="closed"):
            await waiting
    assert hub._fetcher.transport.asked == []
    rest = hub.resume(pager.checkpoint())
    assert len(await rest.collect(limit=None)) == 10


async def test_a_step_under_way_ends_and_is_the_last():
    hub = hub_on(THREE)
    pager = hub.conversations()
    waiting = asyncio.create_task(anext(pager))
    await asyncio.create_task(pager.aclose())
    assert (await waiting).ref.id == "1"
    assert (await anext(pager)).ref.id == "2"
    with pytest.raises(ConfigurationError, match="closed"):
        await anext(pager)
    assert hub._fetcher.transport.asked == [None]


async def test_a_checkpoint_of_small_values_holds_none_of_their_words(emulator, hub):
    for value in ("canary-one", "canary-two", "canary-three"):
        await hub["circuit"].create_label(value)
    pager = hub.iterate(hub["circuit"].labels())
    first = await anext(pager)
    saved = json.dumps(pager.checkpoint())
    assert first.value not in saved
    assert "canary" not in saved
    rest = await pager.collect(limit=None)
    assert len(rest) >= 2
    assert await hub.resume(json.loads(saved)).collect(limit=None) == rest


def test_values_that_differ_in_a_secret_alone_are_two():
    """Ways into a conversation, for example, are told apart by what is not shown."""

    @frozen
    class Way:
        name: str
        secret: str = field(repr=False)
        raw: str = field(eq=False)

    assert key_of(Way("a", "1", "x")) == key_of(Way("a", "1", "y"))
    assert key_of(Way("a", "1", "x")) != key_of(Way("a", "2", "x"))
    assert key_of("a") == key_of("a") != key_of("b")


BREAKS_OFF = {
    None: page(["1", "2"], "b"),
    "b": page(["3", {"name": "no id"}, "4"], "c"),
    "c": [ServerError("busy"), page(["5"])],
}


@pytest.mark.parametrize("saved", ["between", "while"])
@pytest.mark.parametrize("begun", [0, 1, 2])
async def test_what_was_not_collected_to_the_end_comes_again(begun, saved):
    """But for a broken record, which was told."""
    hub = hub_on({**THREE, "c": [ServerError("busy"), page(["5"]), page(["5"])]})
    pager = hub.conversations(limit=5)
    taken = await take(pager, begun)
    if saved == "while":
        collecting = asyncio.create_task(pager.collect(limit=None))
        await asyncio.sleep(0)
        checkpoint = pager.checkpoint()
        await asyncio.gather(collecting, return_exceptions=True)
    else:
        with pytest.raises(ServerError):
            await pager.collect(limit=None)
        checkpoint = pager.checkpoint()
    assert taken + ids(await pager.collect(limit=None)) == list("12345")
    again = await hub.resume(json.loads(json.dumps(checkpoint))).collect(limit=None)
    assert taken + ids(again) == list("12345")
    assert await pager.collect(limit=None) == []


async def test_who_collects_holds_no_more_than_may_come_again():
    """Of what nobody wanted, one page."""
    last = 40
    pages = {
        (str(n) if n else None): page([str(n), f"{n}b"], str(n + 1) if n < last else None)
        for n in range(last + 1)
    }
    held = []

    class Counting(FakeTransport):
        async def send(self, *asked):
            held.append([len(one.batch.items) for one in pager._held or ()])
            return await super().send(*asked)

    hub = hub_on({})
    hub._fetcher.transport = Counting(pages | {str(last): [ServerError("busy"), page([str(last)])]})
    listing = evolve(hub["acme"].conversations(), keep=lambda c: c.ref.id in {"3", str(last)})
    pager = hub.iterate(listing, prefetch=0)
    with pytest.raises(ServerError):
        await pager.collect(limit=None)
    assert ids(await pager.collect(limit=None)) == ["3", str(last)]
    assert max(map(len, held)) < 6
    assert max(map(sum, held)) < 6


async def test_a_broken_record_does_not_hold_up_who_collects():
    pager = hub_on(BREAKS_OFF).conversations()
    with pytest.raises(TranslationError):
        await pager.collect(limit=None)
    checkpoint = pager.checkpoint()
    with pytest.raises(ServerError):
        await pager.collect(limit=None)
    assert ids(await pager.collect(limit=3)) == list("123")
    assert ids(await pager.collect(limit=None)) == list("45")
    hub = hub_on({**BREAKS_OFF, "c": page(["5"])})
    resumed = hub.resume(checkpoint)
    with pytest.raises(TranslationError):
        await resumed.collect(limit=None)
    assert ids(await resumed.collect(limit=None)) == list("12345")


async def test_who_closes_at_the_same_time_waits_too():
    """A task is given the time that it takes to end, and is cancelled once."""
    ended = []

    class Slow(FakeTransport):
        async def send(self, provider, request, operation):
            try:
                return await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.02)
                ended.append(True)

    hub = ConversationsHub(Acme(token="t", name="one"), Acme(token="t", name="two"))
    hub._fetcher.transport = Slow(THREE)
    pager = hub.conversations()
    waiting = asyncio.create_task(anext(pager))
    await asyncio.sleep(0.01)
    first, second = (asyncio.create_task(pager.aclose()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert ended == [True, True]
    with pytest.raises(ConfigurationError, match="closed"):
        await waiting
