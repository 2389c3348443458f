"""Whatever befalls those who read, what is delivered is all there is, each once.

A schedule is a list of faults for the requests to come, a page size, and when to save a
checkpoint and go on from it; Hypothesis finds the shortest that fails.
"""

import asyncio
import json
from collections import Counter
from functools import partial

import pytest
from attrs import field, frozen, mutable
from hypothesis import note
from hypothesis import strategies as st

from conversations_hub import HubError, ProviderError, Ref
from conversations_hub import transport as transport_module
from conversations_hub.emulator import FAULTS, Emulator, Faults
from conversations_hub.emulator.kinds import Means
from conversations_hub.providers import PROVIDERS
from conversations_hub.walk import key_of
from ledger import Ledger
from plans import count, tried

TIMEOUT = 0.3
SCHEDULES = count(2)
MEANS = Means(hang=20, retry_after=0)
SWITCHES = {"sunshine": {"message_page": 5, "deleted": "removed"}}

# A time-out takes its time.
SLOW = ["hang", "hang after", "drip"]
FAST = [name for name, kind in FAULTS.items() if not kind.is_large and name not in SLOW]
ON_PAGES = ["expired", "repeated", "twice"]
FAULT = st.one_of(
    st.none(),
    *[st.sampled_from(FAST)] * 8,
    *[st.sampled_from(ON_PAGES)] * 2,
    # Whoever tries but a few has no time for them.
    st.sampled_from(SLOW if SCHEDULES > 5 else ON_PAGES),
)
PLANS = st.lists(FAULT, min_size=2, max_size=14)
SIZES = st.sampled_from([2, 3, 5, None])
AHEAD = {"prefetch": st.integers(0, 2)}
ORDERS = {"order": st.sampled_from([None, "oldest", "newest"])}
PLACES = {"parallel": st.sampled_from([2, 5])}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.001] * 50))


@mutable(kw_only=True)
class World:
    """A provider's emulation and hubs on it; a new one where a schedule has changed what is there.

    `where` is a conversation of some pages, and `crowd` the one with the most people.
    """

    name: str
    emulator: Emulator | None = None
    hubs: dict = field(factory=dict)
    clean: dict = field(factory=dict)
    where: str = ""
    crowd: str = ""

    async def ready(self):
        """Begin anew where something has vanished."""
        if self.emulator is not None:
            struck = self.server.faults.struck if self.server.faults else []
            self.server.faults = None
            if not any(one.kind == "vanished" for one in struck):
                return
            await self.close()
        self.emulator = Emulator(
            seed=3,
            scale=0,
            only=[self.name],
            switches={name: one for name, one in SWITCHES.items() if name == self.name},
        )
        await self.emulator.__aenter__()
        self.hubs = {n: self.emulator.hub(timeout=TIMEOUT, retries=n) for n in (0, 2)}
        ids = self.api.conversation_ids()
        self.where = next(c for c in ids if 12 < len(self.api.message_ids(c)) < 30)
        self.crowd = max(ids, key=lambda c: len(self.api.participant_ids(c)))
        await FURNISH.get(self.name, nothing)(self.hubs[0])

    async def close(self):
        for hub in self.hubs.values():
            await hub.aclose()
        if self.emulator is not None:
            await self.emulator.__aexit__(None, None, None)
        self.emulator, self.clean = None, {}

    @property
    def server(self):
        return self.emulator.servers[self.name]

    @property
    def api(self):
        return self.emulator[self.name]


async def nothing(_hub):
    pass


async def hooks(hub):
    for number in range(7):
        url = f"https://hooks.example/{number}"
        await hub["clio"].create_webhook(url=url, model="matter", fields="id", events=["updated"])


FURNISH = {"clio": hooks}


@frozen(kw_only=True)
class Case:
    """A list: how to ask for it, and which ids the store holds of it, where it can tell."""

    name: str
    what: str
    ask: object
    options: dict
    truth: object = None

    def __str__(self):
        return f"{self.name}: {self.what}"


def conversations(hub, _world, **options):
    return hub.conversations(**options)


def messages(hub, world, **options):
    return hub.messages(Ref(world.name, world.where), **options)


def participants(hub, world, *, page_size, **options):
    listing = hub[world.name].participants(Ref(world.name, world.crowd), page_size=page_size)
    return hub.iterate(listing, **options)


def own(name, question, *given):
    """Return how to ask for a list that only this provider has."""

    def ask(hub, world, *, page_size, **options):
        words = [one(world) for one in given]
        return hub.iterate(getattr(hub[name], question)(*words, page_size=page_size), **options)

    return Case(name=name, what=question, ask=ask, options=AHEAD)


def cases():
    lists = {
        "conversations": (conversations, lambda w: w.api.conversation_ids(), {}),
        "messages": (messages, lambda w: w.api.message_ids(w.where), ORDERS),
        "participants": (participants, lambda w: w.api.participant_ids(w.crowd), {}),
    }
    for name in PROVIDERS:
        for what, (ask, truth, more) in lists.items():
            yield Case(name=name, what=what, ask=ask, truth=truth, options=AHEAD | more)
            if name != "sunshine" and what != "participants":
                many = f"{what} from several places"
                yield Case(name=name, what=many, ask=ask, truth=truth, options=AHEAD | PLACES)
    yield own("twilio", "users")
    yield own("twilio", "user_conversations", busiest)
    yield own("sunshine", "integrations")
    yield own("clio", "webhooks")
    yield own("circuit", "communities")
    yield own("circuit", "conversations_with_label", widest)


def busiest(world):
    """Return the user with the most conversations."""
    store = world.api.store

    def theirs(user):
        return store.memberships(user["chat_service_sid"], identity=user["identity"])

    return max(store.users, key=lambda user: len(theirs(user)))["sid"]


def widest(world):
    """Return the label of the most conversations."""
    labelled = world.api.store.labelled
    return max(labelled, key=lambda label: len(labelled[label]))


async def carried_out(case, ledger, world, draw):
    """Read a list through to its end, whatever befalls it, and compare."""
    retries, size = draw(st.sampled_from([0, 2])), draw(SIZES)
    options = {name: draw(one) for name, one in case.options.items()}
    stops, plan = draw(st.lists(st.integers(0, 20), max_size=3)), draw(PLANS)
    # How many errors there will be may depend on what comes first.
    moves = draw(st.lists(st.booleans(), max_size=len(plan)))
    await world.ready()
    hub = world.hubs[retries]

    def ask():
        return case.ask(hub, world, page_size=size, **options)

    if str(case) not in world.clean:
        # Nothing strikes yet.
        world.clean[str(case)] = {key_of(one): one for one in await ask().collect(limit=None)}
    clean = world.clean[str(case)]
    assert len(clean) > 1, "nothing could get lost"
    faults = world.server.faults = Faults(plan=plan, means=MEANS)
    before = len(world.server.requests)
    got, errors = await read(ask(), hub, stops, moves)
    note(f"struck: {[one.kind for one in faults.struck]}, errors: {errors}")
    times = Counter(key_of(one) for one in got)
    there, gone = set(clean), set()
    if any(one.kind == "vanished" for one in faults.struck):
        there = set(case.truth(world))
        gone = set(clean) - there
    elif case.truth is not None:
        assert there == set(case.truth(world))
    lost, doubled = there - set(times), [key for key, n in times.items() if n > 1]
    ledger.add(
        faults.struck,
        requests=len(world.server.requests) - before,
        errors=len(errors),
        delivered=len(got),
        lost=len(lost),
        doubled=len(doubled),
    )
    assert (lost, doubled, set(times) - there - gone) == (set(), [], set())
    if not gone:
        assert all(one == clean[key_of(one)] for one in got), "it is not what was written"
    if order := options.get("order"):
        sent = [one.sent_at for one in got]
        assert sent == sorted(sent, reverse=order == "newest")
    assert len(errors) <= len(faults.struck)


async def read(pager, hub, stops, moves):
    """Read to the end; after an error read on, or go on from a checkpoint as one may."""
    got, errors = [], []
    stops, moves = sorted(stops), iter(moves)
    while True:
        try:
            got.append(await anext(pager))
        except StopAsyncIteration:
            return got, errors
        except HubError as error:
            assert isinstance(error, ProviderError), error
            assert error.provider, error
            assert error.operation, error
            errors.append(error)
            elsewhere = next(moves, False)
        else:
            elsewhere = bool(stops) and len(got) > stops[0]
            stops = stops[1:] if elsewhere else stops
        if elsewhere:
            saved = json.dumps(pager.checkpoint())
            await pager.aclose()
            pager = hub.resume(json.loads(saved))


@pytest.fixture(scope="module")
def worlds():
    """Run what is done with each provider's world, which lasts as long as the tests do."""
    found = {name: World(name=name) for name in PROVIDERS}
    with asyncio.Runner() as runner:

        def schedules(name, case, carry_out, examples):
            tried(case, lambda draw: runner.run(carry_out(found[name], draw)), examples)

        yield schedules
        for world in found.values():
            runner.run(world.close())


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_all_there_is_and_each_once(case, worlds):
    ledger = Ledger(f"reads: {case}")
    worlds(case.name, ledger.case, partial(carried_out, case, ledger), SCHEDULES)
    ledger.keep()


# Everything of everybody, at a time.


async def bulk(ledger, world, draw):
    """Read the messages of all conversations; those that broke off are asked for again."""
    await world.ready()
    hub, plan = world.hubs[draw(st.sampled_from([0, 2]))], draw(st.lists(FAULT, max_size=40))
    faults = world.server.faults = Faults(plan=plan, means=MEANS)
    before, errors, got, broken = len(world.server.requests), [], {}, []
    source = hub.conversations(page_size=draw(SIZES), prefetch=draw(st.integers(0, 2)))
    concurrency = draw(st.integers(1, 5))

    def take(result):
        assert result.key not in got, "a conversation came twice"
        if result.error is None:
            got[result.key] = [key_of(message) for message in result.value]
            return
        assert isinstance(result.error, ProviderError)
        errors.append(result.error)
        broken.append(result.key)

    while True:
        try:
            async for result in hub.fetch_messages(source, concurrency=concurrency):
                take(result)
            break
        except HubError as error:
            assert error.operation == "conversations"
            errors.append(error)
            source = hub.resume(json.loads(json.dumps(source.checkpoint())))
    while broken:
        again, broken[:] = list(broken), []
        async for result in hub.fetch_messages(again, concurrency=concurrency):
            take(result)
    note(f"struck: {[one.kind for one in faults.struck]}, errors: {errors}")
    truth = {Ref(world.name, c): world.api.message_ids(c) for c in world.api.conversation_ids()}
    doubled = sum(len(ids) - len(set(ids)) for ids in got.values())
    lost = sum(len(set(ids) - set(got.get(ref, ()))) for ref, ids in truth.items())
    ledger.add(
        faults.struck,
        requests=len(world.server.requests) - before,
        errors=len(errors),
        delivered=sum(map(len, got.values())),
        lost=lost,
        doubled=doubled,
    )
    assert (lost, doubled, got.keys()) == (0, 0, truth.keys())
    if not any(one.kind == "vanished" for one in faults.struck):
        assert {ref: set(ids) for ref, ids in got.items()} == {r: set(i) for r, i in truth.items()}


@pytest.mark.parametrize("name", PROVIDERS)
def test_everything_at_a_time(name, worlds):
    ledger = Ledger(f"reads: {name}: everything")
    worlds(name, ledger.case, partial(bulk, ledger), max(1, SCHEDULES // 3))
    ledger.keep()
