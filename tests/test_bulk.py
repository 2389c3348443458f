"""Many things at a time: bounded, in order or not, fair, and gone when nobody waits."""

import asyncio
import gc
import tracemalloc
from collections import Counter

import pytest

from conversations_hub import ConfigurationError, NotFoundError, Ref, Twilio
from conversations_hub.bulk import Bulk, Job, Pool, Result
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS
from support import hub_on, ids, page


class Works:
    """Jobs that last as long as they are told, and what was going on at a time."""

    def __init__(self, lasts=lambda thing: 0.0):
        self.lasts = lasts
        self.now = Counter()
        self.most = Counter()
        self.taken = 0
        self.most_tasks = 0

    def job(self, thing):
        self.taken += 1
        name = thing[0] if isinstance(thing, tuple) else "one"

        async def do():
            self.now[name] += 1
            self.now["all"] += 1
            for key, count in self.now.items():
                self.most[key] = max(self.most[key], count)
            self.most_tasks = max(self.most_tasks, len(asyncio.all_tasks()))
            try:
                await asyncio.sleep(self.lasts(thing))
                if thing == "bad":
                    raise NotFoundError("gone")
                if thing == "bug":
                    raise KeyError("bug")
                return Result(key=thing, value=f"{thing}!")
            finally:
                self.now[name] -= 1
                self.now["all"] -= 1

        return Job(key=thing, provider=name, do=do)


def bulk(works, things, progress=None, **options):
    chosen = {"concurrency": 4, "per_provider": 4, "ordered": False, "fail_fast": False} | options
    return Bulk(Pool(things=things, job_of=works.job, **chosen), progress)


async def stream(things):
    for thing in things:
        await asyncio.sleep(0)
        yield thing


@pytest.mark.parametrize("source", [list, iter, stream])
@pytest.mark.parametrize("ordered", [True, False])
async def test_every_thing_has_its_result(source, ordered):
    works = Works(lambda n: 0.001 * (n % 5))
    found = await bulk(works, source(range(100)), ordered=ordered).collect()
    assert sorted(r.key for r in found) == list(range(100))
    assert all(r.value == f"{r.key}!" for r in found)
    assert ([r.key for r in found] == list(range(100))) is ordered


async def test_nothing_in_nothing_out():
    assert await bulk(Works(), []).collect() == []


async def test_results_come_as_they_are_ready():
    found = await bulk(Works(lambda n: 0.05 if n == 0 else 0.0), range(4)).collect()
    assert [r.key for r in found][-1] == 0


async def test_no_more_tasks_than_workers_and_one():
    works = Works(lambda _: 0.001)
    before = len(asyncio.all_tasks())
    async for _ in bulk(works, range(200), concurrency=8, per_provider=8):
        pass
    assert works.most["all"] == 8
    assert works.most_tasks <= before + 9


async def test_nobody_runs_ahead_of_a_slow_consumer():
    works = Works()
    running = bulk(works, iter(range(10_000)), concurrency=2)
    for count in range(1, 20):
        await anext(running)
        await asyncio.sleep(0.002)
        assert works.taken <= count + 2 * 4 + 1
    await running.aclose()


@pytest.mark.parametrize("ordered", [True, False])
async def test_one_provider_does_not_take_all_workers(ordered):
    works = Works(lambda _: 0.002)
    things = [("slow", n) for n in range(12)] + [("quick", n) for n in range(12)]
    found = await bulk(works, things, concurrency=6, per_provider=3, ordered=ordered).collect()
    assert len(found) == 24
    assert (works.most["slow"], works.most["quick"]) == (3, 3)


async def test_who_has_fewer_workers_comes_next():
    """A long queue of one provider does not make another's few wait to its end."""
    works = Works(lambda _: 0.002)
    things = [("many", n) for n in range(12)] + [("few", n) for n in range(2)]
    found = await bulk(works, things, concurrency=4, per_provider=4).collect()
    places = [n for n, r in enumerate(found) if r.key[0] == "few"]
    assert places[-1] < 10


async def test_providers_that_have_nothing_to_do_are_not_looked_at():
    """With thousands of accounts, each job would be looked for among all of them."""
    running = bulk(Works(), [(f"one of {n}", n) for n in range(50)])
    assert len(await running.collect()) == 50
    assert (running._pool._waiting, running._pool._running) == ({}, {})


async def test_an_error_stands_in_its_place():
    counted = []
    found = await bulk(
        Works(),
        ["a", "bad", "b"],
        ordered=True,
        progress=lambda b: counted.append((b.done, b.failed)),
    ).collect()
    assert [r.value for r in found] == ["a!", None, "b!"]
    assert isinstance(found[1].error, NotFoundError)
    assert found[0] == Result(key="a", value="a!")
    assert counted == [(1, 0), (2, 1), (3, 1)]


async def test_what_was_not_told_of_comes_again():
    told = []

    def progress(bulk):
        told.append((bulk.done, bulk.failed))
        if len(told) in {2, 4}:
            raise LookupError

    running = bulk(Works(), ["bad", "a", "b"], ordered=True, progress=progress)
    first = await anext(running)
    with pytest.raises(LookupError):
        await anext(running)
    assert (running.done, running.failed) == (1, 1)
    with pytest.raises(LookupError):
        await running.collect()
    assert (running.done, running.failed) == (1, 1)
    assert [r.key for r in [first, *await running.collect()]] == ["bad", "a", "b"]
    assert (running.done, running.failed) == (3, 1)
    assert told == [(1, 1), (2, 1), (2, 1), (3, 1), (2, 1), (3, 1)]


async def test_the_first_error_can_end_everything():
    works = Works(lambda thing: 0.0 if thing == "bad" else 0.2)
    running = bulk(works, ["a", "b", "bad", "c", "d", "e"], fail_fast=True)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await anext(running)
    assert works.now["all"] == 0


@pytest.mark.parametrize("fail_fast", [True, False])
async def test_what_is_no_error_of_a_provider_is_raised(fail_fast):
    running = bulk(Works(), ["a", "bug"], fail_fast=fail_fast, ordered=True)
    with pytest.raises(KeyError, match="bug"):
        await running.collect()


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_source_that_breaks_is_raised_behind_what_came_before(ordered):
    def broken():
        yield from "abc"
        raise OSError("disk")

    running = bulk(Works(lambda _: 0.01), broken(), ordered=ordered)
    assert sorted([(await anext(running)).key for _ in range(3)]) == list("abc")
    for _ in range(2):
        with pytest.raises(OSError, match="disk"):
            await anext(running)


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_was_not_collected_to_the_end_comes_again(ordered):
    gate = asyncio.Event()

    async def things():
        for n in range(9):
            yield n
        await gate.wait()
        yield 9

    running = bulk(Works(lambda _: 0.0), things(), ordered=ordered)
    assert (await anext(running)).key == 0
    collecting = asyncio.create_task(running.collect())
    await asyncio.sleep(0.02)
    assert running.done > 1
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert running.done == 1
    gate.set()
    assert sorted(result.key for result in await running.collect()) == list(range(1, 10))
    assert running.done == 10


async def test_who_closes_at_the_same_time_waits_too():
    """A task is given the time that it takes to end, and is cancelled once."""
    ended = []

    async def things():
        try:
            yield 0
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.02)
            ended.append(True)

    running = bulk(Works(lambda _: 0.0), things())
    await anext(running)
    first, second = (asyncio.create_task(running.aclose()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert ended == [True]


@pytest.mark.parametrize("leave", ["aclose", "with", "drop", "cancel"])
async def test_leaving_early_leaves_nothing_running(leave):
    works = Works(lambda n: 0.0 if n == 0 else 5.0)
    before = len(asyncio.all_tasks())
    running = bulk(works, iter(range(1000)))
    if leave == "with":
        async with running:
            await anext(running)
    elif leave == "cancel":
        task = asyncio.create_task(running.collect())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
    else:
        await anext(running)
    if leave == "aclose":
        await running.aclose()
        await running.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await anext(running)
    del running
    gc.collect()
    await asyncio.sleep(0.01)
    assert works.now["all"] == 0
    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("end", ["left", "failed", "read"])
async def test_a_source_is_closed_with_its_bulk(kind, end):
    closed = []

    async def slowly():
        try:
            async for thing in stream(range(100)):
                yield thing
        finally:
            await asyncio.sleep(0)
            closed.append("async")

    def quickly():
        try:
            yield from range(100)
        finally:
            closed.append("sync")

    def fails(_):
        raise KeyError

    source = slowly() if kind == "async" else quickly()
    mine = bulk(Works(), source)
    if end == "failed":
        mine._pool.job_of = fails
        with pytest.raises(KeyError):
            await anext(mine)
    elif end == "left":
        await anext(mine)
        await mine.aclose()
    else:
        await mine.collect()
    assert closed == [kind]


async def test_who_waits_is_told_that_it_was_closed():
    mine = bulk(Works(lambda _: 60.0), range(4))
    waiting = asyncio.create_task(mine.collect())
    await asyncio.sleep(0.01)
    await mine.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await asyncio.wait_for(waiting, 1)


async def test_what_was_cancelled_inside_is_not_waited_for():
    class Cancelled(Works):
        def job(self, thing):
            async def do():
                raise asyncio.CancelledError

            return Job(key=thing, provider="one", do=do)

    with pytest.raises(ConfigurationError, match="closed"):
        await asyncio.wait_for(bulk(Cancelled(), range(4)).collect(), 1)


def test_a_loop_that_ended_ends_its_bulk():
    mine = bulk(Works(lambda n: 60.0 if n else 0.0), range(4))

    async def rest():
        return await asyncio.wait_for(mine.collect(), 1)

    async def first():
        return await anext(mine)

    assert asyncio.run(first()).key == 0
    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(rest())


async def test_memory_does_not_grow_with_the_input():
    async def peak(count):
        tracemalloc.start()
        async for _ in bulk(Works(), iter(range(count)), concurrency=8):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    await peak(100)
    assert await peak(2_000) < 3 * await peak(200)


# Through a hub.


async def test_all_messages_of_everything(emulator, hub):
    """From the list of conversations into their messages, all providers at the same time."""
    found = {}
    async with hub.fetch_messages(hub.conversations(), concurrency=8) as running:
        async for result in running:
            assert result.error is None
            found[result.key] = ids(result.value)
    expected = {
        Ref(name, conversation): emulator[name].message_ids(conversation)
        for name in PROVIDERS
        for conversation in emulator[name].conversation_ids()
    }
    assert found == expected
    assert (running.done, running.failed) == (len(expected), 0)


async def test_people_of_some_conversations(emulator, hub):
    refs = [Ref("clio", c) for c in emulator["clio"].conversation_ids()[:5]]
    found = await hub.fetch_participants(refs, ordered=True).collect()
    assert [r.key for r in found] == refs
    for result in found:
        assert ids(result.value) == emulator["clio"].participant_ids(result.key.id)


async def test_refs_calls_and_listings(emulator, hub):
    ref = Ref("twilio", emulator["twilio"].conversation_ids()[0])
    conversation = await hub.conversation(ref)
    call, listing = hub[Twilio].conversation(ref), hub[Twilio].messages(ref)
    things = [ref, str(ref), conversation, call, listing]
    found = await hub.fetch(things, ordered=True).collect()
    assert [r.key for r in found] == [ref, ref, ref, call, listing]
    assert [r.value for r in found[:4]] == [conversation] * 4
    assert ids(found[4].value) == emulator["twilio"].message_ids(ref.id)


async def test_what_is_not_there_stands_in_its_result(emulator, hub):
    there = Ref("circuit", emulator["circuit"].conversation_ids()[0])
    things = [there, Ref("circuit", "gone"), "nobody:1", "no ref"]
    good, gone, nobody, nothing = await hub.fetch(things, ordered=True).collect()
    assert good.error is None
    assert isinstance(gone.error, NotFoundError)
    assert gone.key == things[1]
    assert isinstance(nobody.error, ConfigurationError)
    assert isinstance(nothing.error, ConfigurationError)
    assert nothing.key == "no ref"
    with pytest.raises(NotFoundError):
        await hub.fetch(things[:2], on_error="raise").collect()


async def test_a_list_that_breaks_off_keeps_what_came():
    hub = hub_on({None: page(["1", "2"], "b"), "b": NotFoundError("gone")})
    (result,) = await hub.fetch([hub["acme"].conversations()]).collect()
    assert ids(result.value) == ["1", "2"]
    assert isinstance(result.error, NotFoundError)


@pytest.mark.parametrize("thing", [7, None, object()])
async def test_what_cannot_be_fetched_is_an_error_of_the_source(hub, thing):
    with pytest.raises(ConfigurationError, match="ref"):
        await hub.fetch([thing], on_error="raise").collect()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": 0}, "numbers from 1"),
        ({"per_provider": -1}, "numbers from 1"),
        ({"on_error": "ignore"}, "on_error"),
    ],
)
async def test_options_that_cannot_work(hub, options, told):
    with pytest.raises(ConfigurationError, match=told):
        hub.fetch([], **options)


@pytest.mark.parametrize("things", ["twilio:CH1", Ref("twilio", "CH1"), 7, None])
async def test_one_thing_is_no_list(hub, things):
    with pytest.raises(ConfigurationError, match="iterable"):
        hub.fetch(things)


async def test_a_hub_that_closes_ends_its_bulks(emulator):
    async with emulator.hub() as hub:
        running = hub.fetch_messages(hub.conversations())
        await anext(running)
        assert any("Pool" in repr(task) for task in asyncio.all_tasks())
    assert not any("Pool" in repr(task) for task in asyncio.all_tasks())
    with pytest.raises(ConfigurationError, match="closed"):
        await anext(running)


async def test_a_busy_hub_does_not_time_out():
    """A thousand things over ten connections: whoever waits for one loses no time by it."""
    async with Emulator(seed=2, scale=0.1, only=["twilio"], latency=0.01) as emulator:
        refs = [Ref("twilio", c) for c in emulator["twilio"].conversation_ids()] * 40
        async with emulator.hub(connections=10, timeout=1.0, retries=0) as hub:
            found = await hub.fetch(refs[:400], concurrency=50).collect()
    assert [r.error for r in found] == [None] * 400


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"order": "asc"}, "order must be 'oldest'"),
        ({"since": "today"}, "since must be an aware datetime"),
        ({"limit": -1}, "limit must be a number"),
        ({"pages": 5}, "no option pages; there are concurrency=, "),
        ({"progress": 5}, "progress must be a function"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(options, told):
    """And not once for each conversation."""
    with pytest.raises(ConfigurationError, match=told):
        hub_on({}).fetch_messages([], **options)
