"""Whatever becomes of a line, the provider holds what the caller was told: no more and no less."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from attrs import field, mutable
from hypothesis import strategies as st

from conversations_hub import (
    AmbiguousWriteError,
    ConversationKind,
    ConversationsHub,
    MessageKind,
    MessageState,
    Ref,
    StatusError,
    TransportError,
)
from conversations_hub import transport as transport_module
from conversations_hub.emulator import FAULTS, Emulator, Faults
from conversations_hub.emulator.kinds import Means
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS, load
from ledger import Ledger
from plans import count, tried

TIMEOUT = 0.4
SCHEDULES = count(6)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.001] * 50))


def reset(request, _):
    request.transport.abort()
    return web.Response()


async def hang(_request, _):
    await asyncio.sleep(TIMEOUT * 3)
    return web.Response()


MEANS = Means(hang=20, retry_after=0)
SLOW = ["hang", "hang after", "drip"]
FAST = [n for n, k in FAULTS.items() if k.fits("POST") and not k.is_large and n not in SLOW]
AFTER = [name for name in FAST if name.endswith(" after")]
# A time-out takes its time, so that schedules have fewer of them; what was done is easily doubled.
FAULT = st.one_of(
    st.none(), *[st.sampled_from(FAST)] * 4, *[st.sampled_from(AFTER)] * 2, st.sampled_from(SLOW)
)
MOVED = {301, 307, 308}
"""What says that nothing was done; after 302 and 303 nobody knows."""

WORDS = st.sampled_from(["ok", "ok", "hello", "né", "a\nb", "<b>&amp;</b>", "🙂"])
NAMES = st.sampled_from(["Boiler", "Roof", "né <b>"])

BEGIN = {
    "twilio": lambda api: {"title": "Begun"},
    "sunshine": lambda api: {
        "title": "Begun",
        "kind": ConversationKind.GROUP,
        "participants": api.settings["user_ids"][:1],
    },
    "clio": lambda api: {
        "title": "Begun",
        "participants": [f"contact/{api.settings['receiver_id']}"],
        "text": "begun",
    },
    "circuit": lambda api: {
        "title": "Begun",
        "kind": ConversationKind.GROUP,
        "participants": api.settings["user_ids"][1:2],
    },
}
OTHERS = {
    "twilio": lambda api: ["ann@work", "bob"],
    "sunshine": lambda api: api.settings["user_ids"][1:3],
    "circuit": lambda api: api.settings["user_ids"][2:4],
}
# What cannot be read back: nobody is told that it was done, or that it was not.
UNREADABLE = {"circuit": {"archive", "unarchive"}}


@mutable(kw_only=True)
class Schedule:
    """One conversation, what befalls the writes to it, and what their caller was told."""

    name: str
    hub: ConversationsHub
    server: Any
    ledger: Ledger
    ref: Ref | None = None
    title: str | None = None
    messages: dict[str, str] = field(factory=dict)
    people: set[str] = field(factory=set)
    struck: list = field(factory=list)
    errors: int = 0

    async def told(self, call, faults):
        """Carry out a write: whether it happened, and what came of it."""
        plan = self.server.faults = Faults(plan=faults, means=MEANS, reads=False)
        try:
            return True, await call
        except AmbiguousWriteError as error:
            assert error.reconcile is not None, error
            self.errors += 1
            self.server.faults = None
            outcome = await error.reconcile
            assert outcome.happened is not None, error
            return outcome.happened, outcome.value
        except (StatusError, TransportError) as error:
            assert error.transient or error.status in MOVED, error
            self.errors += 1
            return False, None  # before anything was done that anyone sees
        finally:
            self.server.faults = None
            self.struck += plan.struck

    async def begin(self, faults):
        known = set(self.server.api.conversation_ids())
        asked = BEGIN[self.name](self.server.api)
        happened, made = await self.told(self.hub.create(self.name, **asked), faults)
        new = set(self.server.api.conversation_ids()) - known
        assert new == ({made.ref.id} if happened else set())
        if not happened:
            return
        self.ref, self.title = made.ref, "Begun"
        if "text" in asked:
            (first,) = await self.found_messages()
            self.messages[first] = asked["text"]
        self.people = await self.found_people()

    async def send(self, draw, faults):
        text = draw(WORDS)
        happened, sent = await self.told(self.hub.send(self.ref, text), faults)
        if happened:
            assert sent.ref.id not in self.messages
            self.messages[sent.ref.id] = text

    async def edit(self, draw, faults):
        if self.messages:
            chosen, text = draw(st.sampled_from(sorted(self.messages))), draw(WORDS)
            if (await self.told(self.hub.edit(self.ref, chosen, text=text), faults))[0]:
                self.messages[chosen] = text

    async def delete_message(self, draw, faults):
        if self.messages:
            chosen = draw(st.sampled_from(sorted(self.messages)))
            if (await self.told(self.hub.delete_message(self.ref, chosen), faults))[0]:
                del self.messages[chosen]

    async def update(self, draw, faults):
        title = draw(NAMES)
        if (await self.told(self.hub.update(self.ref, title=title), faults))[0]:
            self.title = title

    async def add_participant(self, draw, faults):
        who = draw(st.sampled_from(OTHERS[self.name](self.server.api)))
        if who not in self.people:
            happened, _ = await self.told(self.hub.add_participant(self.ref, who), faults)
            self.people |= {who} if happened else set()

    async def remove_participant(self, draw, faults):
        who = draw(st.sampled_from(OTHERS[self.name](self.server.api)))
        if who in self.people:
            happened, _ = await self.told(self.hub.remove_participant(self.ref, who), faults)
            self.people -= {who} if happened else set()

    async def found_messages(self):
        found = await self.hub.messages(self.ref).collect(limit=None)
        return {
            m.ref.id: m.text
            for m in found
            if m.kind is MessageKind.TEXT and m.state is not MessageState.DELETED
        }

    async def found_people(self):
        found = await self.hub.participants(self.ref).collect(limit=None)
        return {p.user.id for p in found if p.user and not _left(p)}

    async def check(self):
        """Compare what is there with what was told."""
        found = await self.found_messages()
        self.ledger.sums["lost"] += len(self.messages.keys() - found.keys())
        self.ledger.sums["doubled"] += len(found.keys() - self.messages.keys())
        assert found == self.messages
        assert (await self.hub.conversation(self.ref)).title == self.title
        assert await self.found_people() == self.people


STEPS = ["send", "edit", "delete_message", "update", "add_participant", "remove_participant"]


def _left(participant):
    return (participant.raw or {}).get("type") == "FORMER"


def able(name):
    capabilities = load(name)
    return [s for s in STEPS if getattr(capabilities, s) is not getattr(Provider, s)]


@pytest.mark.parametrize("name", PROVIDERS)
def test_random_schedules(name):
    ledger = Ledger(f"writes: {name}")
    with asyncio.Runner() as runner:
        emulator = Emulator(seed=3, scale=0, only=[name])
        runner.run(emulator.__aenter__())
        hub = emulator.hub(timeout=TIMEOUT)
        server = emulator.servers[name]

        def one(draw):
            before = len(server.requests)
            schedule = Schedule(name=name, hub=hub, server=server, ledger=ledger)
            runner.run(carried_out(schedule, draw))
            ledger.add(
                schedule.struck,
                requests=len(server.requests) - before,
                errors=schedule.errors,
                delivered=len(schedule.messages),
            )

        try:
            tried(ledger.case, one, SCHEDULES)
        finally:
            runner.run(hub.aclose())
            runner.run(emulator.__aexit__(None, None, None))
            ledger.keep()


FOLLOWED = {
    "twilio": {"text": "first"},
    "sunshine": {"text": "first"},
    "circuit": {"text": "first"},
    "clio": {},
}


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("cancelled", [False, True])
async def test_what_was_begun_in_part_is_not_another_ones(name, cancelled):
    """A conversation is there, and what was to follow never came; then one like it is lost."""
    async with Emulator(seed=3, scale=0, only=[name]) as emulator:
        server = emulator.servers[name]
        asked = BEGIN[name](server.api)
        known = set(server.api.conversation_ids())

        def begun():
            return set(server.api.conversation_ids()) - known

        async with emulator.hub(retries=0, timeout=TIMEOUT) as hub:
            server.intercept = lambda r: hang(r, None) if begun() else None
            first = asyncio.create_task(hub.run(hub.create(name, **asked | FOLLOWED[name])))
            await asyncio.sleep(TIMEOUT / 2)
            assert len(begun()) == 1
            if cancelled:
                first.cancel()
            (result,) = await asyncio.gather(first, return_exceptions=True)
            assert isinstance(result, asyncio.CancelledError if cancelled else AmbiguousWriteError)
            server.intercept = lambda r: None if r.method == "GET" else reset(r, None)
            with pytest.raises(AmbiguousWriteError) as caught:
                await hub.create(name, **asked)
            outcome = await caught.value.reconcile
            assert (outcome.happened, outcome.value) == (False, None)
            assert len(begun()) == 1


async def test_what_is_being_made_is_not_another_ones_either():
    """Who looks for what may have been done in part waits until others are told of theirs."""
    async with Emulator(seed=3, scale=0, only=["twilio"]) as emulator, emulator.hub() as hub:
        server = emulator.servers["twilio"]
        looked = asyncio.Event()

        async def slow(request, answer):
            if request.method == "POST" and request.path.endswith("/Conversations"):
                await looked.wait()
                await asyncio.sleep(0.1)

        server.alter = slow
        first = asyncio.create_task(hub.run(hub.create("twilio", title="Begun", text="hi")))
        await asyncio.sleep(0.1)
        server.intercept = lambda r: None if r.method == "GET" else reset(r, None)
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub.create("twilio", title="Begun", text="hi")
        server.intercept = None
        looked.set()
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value) == (False, None)
        assert (await first).title == "Begun"


async def test_what_was_begun_and_not_read_is_not_another_ones():
    """Of two that begin alike at once, one is answered, and what it began cannot be read."""
    async with (
        Emulator(seed=3, scale=0, only=["clio"]) as emulator,
        emulator.hub(retries=0) as hub,
    ):
        server = emulator.servers["clio"]
        asked = BEGIN["clio"](server.api)
        posts, both = [], asyncio.Event()

        async def strike(request):
            if request.method == "POST":
                posts.append(request)
                if len(posts) == 2:
                    both.set()
                    return reset(request, None)
                await both.wait()
            elif both.is_set() and not request.query.get("limit"):
                return web.Response(status=500)
            return None

        server.intercept = strike
        tasks = [asyncio.create_task(hub.run(hub.create("clio", **asked))) for _ in range(2)]
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        server.intercept = None
        begun, lost = sorted(errors, key=lambda e: e.status is None)
        assert not await lost.reconcile
        assert await begun.reconcile


async def carried_out(schedule, draw):
    faults, steps = st.lists(FAULT, max_size=3), st.sampled_from(["send", *able(schedule.name)])
    await schedule.begin(draw(faults))
    if schedule.ref is None:
        await schedule.begin([])
    for step in draw(st.lists(steps, min_size=3, max_size=6)):
        await getattr(schedule, step)(draw, draw(faults))
        await schedule.check()
