"""Walks through lists that change, over lines that break, in one process and the next."""

import asyncio
import json
import re
from contextlib import suppress

import pytest
from aiohttp import web
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conversations_hub import CursorExpiredError, PagingError, Ref, TranslationError
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS
from conversations_hub.providers.circuit.emulator.store import Refusal

SIZES = st.sampled_from([1, 2, 3, 7, None])
PLACES = st.integers(0, 1000)
PLACES_AT_A_TIME = [{"parallel": 2}, {"parallel": 5}]

# What the walk shall hold for, besides what happens during it.
SWITCHES = {
    "twilio": {"short_pages": [False, True], "empty_middle_page": [False, True]},
    "sunshine": {
        "message_page": [1, 2, 5, 100],
        "message_order": ["asc", "desc"],
        "list_order": ["asc", "desc"],
        "last_page_meta": ["full", "bare", "absent"],
        "deleted": ["placeholder", "removed"],
        "unknown_cursor": ["refused", "position"],
    },
    "clio": {
        "records": ["total", "page"],
        "rejected_participant_fields": ["none", "all"],
        "message_bumps_updated_at": [True, False],
    },
    "circuit": {
        "boundary": ["exclusive", "inclusive"],
        "page_order": ["asc", "desc"],
        "after": ["nearest", "newest"],
        "conversation_sort": ["modification", "last_item"],
    },
}
TURNED = {
    name: st.fixed_dictionaries({key: st.sampled_from(values) for key, values in switches.items()})
    for name, switches in SWITCHES.items()
}

# What a walk may end with where Circuit's documentation leaves no better way.
TOO_MANY = r"more than Circuit can list|hides in which order|do not lead on"
TOO_FAST = r"changes faster than it can be read|do not lead on"
MOST = 100


def broken(request):
    return web.Response(status=500, text="no")


def reset(request):
    request.transport.abort()
    return web.Response()


def garbage(request):
    return web.Response(text='{"meta": ', content_type="application/json")


class Walk(RuleBasedStateMachine):
    """One walk through one list, and everything that may happen to it."""

    def __init__(self, name, what):
        super().__init__()
        self.name, self.what = name, what
        self.runner = asyncio.Runner()
        self.hub = self.pager = self.emulator = None
        self.failed = self.over = False
        self.garbled = 0
        self.found = []
        """The ids that came, with the moment of each."""
        self.now = 0
        self.changed = {}
        """When a row was last changed."""
        self.resumed = False
        self.changes = 0
        self.saved = None

    def do(self, coroutine):
        """Wait for something; what goes wrong is told once."""
        try:
            return self.runner.run(coroutine)
        except BaseException:
            self.failed = True
            raise

    # The walk.

    @initialize(
        data=st.data(),
        size=SIZES,
        prefetch=st.integers(0, 2),
        # From several places, things come in no order.
        way=st.sampled_from([{}, {"order": "oldest"}, {"order": "newest"}, *PLACES_AT_A_TIME]),
        count=st.integers(0, 12),
    )
    def begin(self, data, size, prefetch, way, count):
        order, parallel = way.get("order"), way.get("parallel")
        self.switches = data.draw(TURNED[self.name])
        self.order = order if self.what == "messages" else None
        self.size = size
        self.parallel = None if self.name == "sunshine" else parallel
        self.do(self.start(prefetch))
        self.do(self.take(count))

    async def start(self, prefetch):
        self.emulator = Emulator(
            seed=3, scale=0, only=[self.name], switches={self.name: self.switches}
        )
        await self.emulator.__aenter__()
        self.api = self.emulator[self.name]
        self.hub = self.emulator.hub()
        if self.what == "messages":
            # Some pages of three; Circuit's has ties, and a tombstone.
            self.where = next(
                c for c in self.api.conversation_ids() if 12 < len(self.api.message_ids(c)) < 30
            )
            self.pager = self.hub.messages(
                Ref(self.name, self.where),
                page_size=self.size,
                prefetch=prefetch,
                order=self.order,
                parallel=self.parallel,
            )
        else:
            self.where = self.api.conversation_ids()[0]
            self.pager = self.hub.conversations(
                page_size=self.size, prefetch=prefetch, parallel=self.parallel
            )
        self.at_first = self.truth()

    def truth(self):
        """Return what the list would hold if it were read now."""
        if self.what == "messages":
            return self.api.message_ids(self.where)
        return self.api.conversation_ids()

    async def take(self, count):
        """Take so many items, or all; an error that we asked for is met once."""
        while count is None or count > 0:
            try:
                item = await anext(self.pager)
            except StopAsyncIteration:
                self.over = True
                return
            except TranslationError:
                assert self.garbled, "an error out of nothing"
                self.garbled -= 1
            except (PagingError, CursorExpiredError) as error:
                self.give_up(error)
                return
            else:
                self.receive(item)
                count = count and count - 1

    def receive(self, item):
        """Nothing comes twice, but for what was changed since, where that is documented."""
        assert item.ref.provider == self.name
        id_ = item.ref.id
        moments = [moment for one, moment in self.found if one == id_]
        if moments:
            assert self.name == "circuit", f"{id_} came twice"
            assert self.resumed, f"{id_} came twice in one process"
            assert self.changed.get(id_, -1) > moments[-1], f"{id_} came twice, unchanged"
        self.now += 1
        self.found.append((id_, self.now))

    def give_up(self, error):
        """Accept an end where there is no way on, and where that is documented."""
        self.over = True
        self.saved = None
        self.excused = str(error)
        if isinstance(error, CursorExpiredError):
            # A cursor is a message's id.
            assert self.name == "sunshine"
            assert self.what == "messages"
            assert (self.switches["deleted"], self.switches["unknown_cursor"]) == (
                "removed",
                "refused",
            )
            return
        assert self.name == "circuit", error
        crowded = self.tied() >= MOST
        if crowded and re.search(TOO_MANY, str(error)):
            return
        assert re.search(TOO_FAST, str(error)), error
        # Each pass must have met a change of its own.
        assert self.changes >= 4, error

    excused = None

    def tied(self):
        """Return how many rows share a millisecond."""
        store = self.api.store
        rows = store.items[self.where].values() if self.what == "messages" else store.mine()
        times = [row["modificationTime"] for row in rows]
        return max(map(times.count, set(times)), default=0)

    # What happens.

    @precondition(lambda self: not self.over)
    @rule(count=st.integers(1, 9))
    def step(self, count):
        self.do(self.take(count))

    @rule(count=st.integers(1, 8))
    def write(self, count):
        """Let the list grow."""
        for _ in range(count):
            self.tick()
            if self.what == "messages":
                self.note(self.where, self.api.add_message(self.where))
            else:
                self.api.add_conversation()

    @precondition(lambda self: self.what == "conversations")
    @rule(place=PLACES)
    def write_elsewhere(self, place):
        self.tick()
        ids = self.api.conversation_ids()
        one = ids[place % len(ids)]
        self.note(one, self.api.add_message(one))

    @precondition(lambda self: self.what == "messages")
    @rule(place=PLACES)
    def edit(self, place):
        self.change(self.api.edit_message, place)

    @precondition(lambda self: self.what == "messages")
    @rule(place=PLACES)
    def remove(self, place):
        self.change(self.api.remove_message, place)

    @precondition(lambda self: self.name == "circuit" and self.what == "conversations")
    @rule(place=PLACES)
    def rename(self, place):
        """Move a conversation to the top of its list."""
        ids = self.api.conversation_ids()
        one = ids[place % len(ids)]
        with suppress(Refusal):
            self.tick()
            self.api.store.rename(one, self.api.store.me, "Another topic")
            self.note(one, one)

    @precondition(lambda self: self.name == "circuit" and self.what == "messages")
    @rule(count=st.integers(30, 60))
    def crowd(self, count):
        """Write many at one time."""
        self.tick()
        store = self.api.store
        at = store.clock.tick()
        for _ in range(count):
            store.add_text(self.where, store.me, {"content": "now"}, at)

    def change(self, how, place):
        """Do something to a message, where that can be done."""
        ids = self.api.message_ids(self.where)
        if ids:
            one = ids[place % len(ids)]
            with suppress(Refusal):
                self.tick()
                how(self.where, one)
                self.note(self.where, one)

    def tick(self):
        self.now += 1
        self.changes += 1

    def note(self, conversation, message):
        """Remember that both rows may have moved."""
        self.changed[conversation] = self.changed[message] = self.now

    @precondition(lambda self: not self.over)
    @rule(fault=st.sampled_from([broken, reset, garbage]))
    def fail(self, fault):
        """Let the next request go wrong, once."""
        server = self.emulator.servers[self.name]

        def once(request):
            server.intercept = None
            self.garbled += fault is garbage
            return fault(request)

        server.intercept = once

    @precondition(lambda self: not self.over)
    @rule(ahead=st.integers(0, 9), meanwhile=st.integers(0, 4))
    def move(self, ahead, meanwhile):
        """Go on in another process, which takes a while to begin."""
        self.do(self.take(ahead))
        if self.over:
            return
        saved = json.dumps(self.pager.checkpoint())
        self.write(meanwhile)
        self.do(self.restart(saved))

    @precondition(lambda self: not self.over)
    @rule()
    def save(self):
        self.saved = json.dumps(self.pager.checkpoint()), len(self.found)

    @precondition(lambda self: self.saved)
    @rule()
    def crash(self):
        """Lose what came since the last save, and go on from there."""
        saved, count = self.saved
        del self.found[count:]
        self.over = False
        self.do(self.restart(saved))

    async def restart(self, saved):
        await self.pager.aclose()
        await self.hub.aclose()
        self.resumed = True
        # An error that the other process did not live to see is nobody's.
        self.garbled = 0
        self.hub = self.emulator.hub()
        self.pager = self.hub.resume(json.loads(saved))

    # The end.

    def teardown(self):
        try:
            if self.pager is not None and not self.failed:
                self.do(self.finish())
        finally:
            self.runner.run(self.close())
            self.runner.close()

    async def finish(self):
        """Nothing that was there throughout is missing."""
        if not self.over:
            await self.take(None)
        if self.excused:
            return
        now = self.truth()
        found = [one for one, _ in self.found]
        there = set(self.at_first) & set(now)
        assert not there - set(found), "missing"
        if self.keeps_its_order():
            assert [one for one in found if one in there] == [one for one in now if one in there]

    def keeps_its_order(self):
        if self.parallel:
            return False
        if self.name in ("twilio", "clio"):
            return self.order in (None, "oldest")
        return self.name == "sunshine" and self.what == "messages" and self.order is None

    async def close(self):
        if self.pager is not None:
            await self.pager.aclose()
            await self.hub.aclose()
        if self.emulator is not None:
            await self.emulator.__aexit__(None, None, None)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("what", ["conversations", "messages"])
def test_a_walk_through_a_list_that_changes(monkeypatch, name, what):
    monkeypatch.setattr("conversations_hub.transport.pauses", lambda: iter([0.0] * 9))
    run_state_machine_as_test(
        lambda: Walk(name, what),
        settings=settings(
            max_examples=9,
            stateful_step_count=10,
            # An explanation would take longer than the search.
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
        ),
    )


@pytest.mark.parametrize("taken", [1, 3])
@pytest.mark.parametrize(
    ("name", "what", "order"),
    [
        ("twilio", "conversations", None),
        ("twilio", "messages", "newest"),
        ("sunshine", "messages", None),
        ("clio", "messages", "newest"),
        ("circuit", "conversations", None),
        ("circuit", "messages", None),
    ],
)
async def test_newer_rows_do_not_bring_back_what_came(name, what, order, taken):
    """They push what a saved page had onto the next."""
    switches = {"sunshine": {"message_page": 2}} if name == "sunshine" else {}
    async with Emulator(seed=3, scale=0, only=[name], switches=switches) as emulator:
        api = emulator[name]
        where = Ref(name, next(c for c in api.conversation_ids() if len(api.message_ids(c)) > 12))
        async with emulator.hub() as hub:
            if what == "messages":
                pager = hub.messages(where, order=order, page_size=2, prefetch=0)
            else:
                pager = hub.conversations(page_size=2, prefetch=0)
            found = await pager.collect(limit=taken)
            saved = json.dumps(pager.checkpoint())
        for _ in range(2):
            api.add_message(where.id) if what == "messages" else api.add_conversation()
        async with emulator.hub() as hub:
            found += await hub.resume(json.loads(saved)).collect(limit=None)
        assert len(found) == len({one.ref for one in found})
