"""What the hub lists is what the emulators store, whatever the documentation leaves open."""

import json
import os
from collections import Counter
from typing import Any, Literal, get_args, get_origin

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import (
    PagingError,
    PermissionDeniedError,
    RateLimitError,
    Ref,
    ServerError,
    transport,
)
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS, attribute
from conversations_hub.retrying import pause_after
from support import ids
from switches import WRITING, turns

SIZES = (1, 2, 3, 7, None)
FEW = SIZES if os.environ.get("HYPOTHESIS_PROFILE") == "hunt" else (2, 7, None)
LISTS = ("conversations", "messages", "participants")
ALL_BUT_PEOPLE = LISTS[:2]


def always(rows, size):
    return True


def several_pages(rows, size):
    return rows > size


def full_first_page(rows, size):
    return rows >= size


def full_last_page(rows, size):
    return rows > 0 and rows % size == 0


@frozen
class Position:
    """One value of a switch; where `error` is set the truth cannot be had and that is raised."""

    value: Any
    beside: dict = field(factory=dict)
    """Other switches that this one takes to show."""
    error: type[Exception] | None = None
    when: Any = always
    """Whether so many rows on pages of this size meet the error."""
    lists: tuple = LISTS


def hostile(value, error, when=always, lists=LISTS, **beside):
    return Position(value, beside, error, when, lists)


def with_(value, **beside):
    return Position(value, beside)


NO_WAY_ON = {"error": PagingError, "when": several_pages}
BUSY = {"rate_limit": 20, "rate_window": 0.02}
# What answers tell of a window is in whole seconds, each of which is waited for.
BRISK = {"rate_limit": 45, "rate_window": 0.02}

# Every switch that an emulator has, in every position. The first is the default.
SWITCHES = {
    "twilio": {
        "page_size_above_cap": ["reject", "clamp"],
        "reject_page_without_token": [False, True],
        "next_page_url": [
            "own",
            "generic",
            hostile("foreign", **NO_WAY_ON),
            hostile("path", **NO_WAY_ON),
            hostile("loop", **NO_WAY_ON),
        ],
        "empty_middle_page": [False, True, with_(True, short_pages=True)],
        "short_pages": [False, True],
        "dates": ["seconds", "milliseconds"],
        "date_updated": ["always", "edited"],
        "unknown_enums": [False, True],
        "extra_fields": [False, True],
        "binding_keys": ["some", "all", "none"],
        "chat_delivery": ["null", "zero"],
        "end_date_second": ["excluded", "included"],
        "unique_name_in_subresources": [False, True],
        "not_found_codes": ["general", "specific"],
        "inferred_status": ["meaning", with_("plain", not_found_codes="specific")],
        "error_shape": ["classic", "problem", "codeless"],
    },
    "sunshine": {
        "message_page": [100, 1, 2, 3, 7],
        "message_order": ["asc", "desc", with_("desc", message_page=7)],
        "list_order": ["asc", "desc"],
        "last_page_meta": [
            "full",
            "bare",
            "absent",
            with_("absent", message_page=7, message_order="desc", list_order="desc"),
        ],
        "more": [
            "honest",
            hostile("cursorless", **NO_WAY_ON, message_page=7),
            hostile("looping", **NO_WAY_ON, message_page=7),
        ],
        "unknown_cursor": ["refused", "generic", "position"],
        "read_lag": [0.0, 0.2],
        "deleted": ["placeholder", "emptied", "removed", with_("removed", message_page=3)],
        "foreign_links": [False, with_(True, message_page=3)],
        "unknown_keys": [False, True],
        "unknown_values": [False, True],
        "rate_limit": [None, with_(20, rate_window=0.02), hostile(0, RateLimitError)],
        "rate_window": [60.0, with_(0.02, rate_limit=20)],
        "retry_after": [True, with_(True, **BUSY), with_(False, **BUSY)],
    },
    "clio": {
        "rate_limit": [50_000, with_(45, rate_window=0.02), hostile(0, RateLimitError)],
        "rate_window": [60.0, with_(0.02, rate_limit=45)],
        "retry_after": [
            "seconds",
            with_("seconds", **BRISK),
            with_("date", **BRISK),
            with_("missing", **BRISK),
        ],
        "records": ["total", "page"],
        "meta": [
            "present",
            # Whether a full page without a word is the last one cannot be known.
            hostile("last_missing", PagingError, full_last_page, ALL_BUT_PEOPLE),
            hostile("missing", PagingError, full_first_page, ALL_BUT_PEOPLE),
        ],
        "page_end": ["absent", "null"],
        "next_link": [
            "own",
            hostile("foreign", **NO_WAY_ON, lists=ALL_BUT_PEOPLE),
            hostile("loop", **NO_WAY_ON, lists=ALL_BUT_PEOPLE),
        ],
        "default_order": ["offset", "cursor"],
        "depth": [10_000, 5],
        "member_defaults": [
            "id_etag",
            "typed",
            with_("typed", rejected_participant_fields="identifiers"),
        ],
        "rejected_participant_fields": ["none", "identifiers", "all"],
        "redacted_matters": [True, False],
        "null_senders": [True, False],
        "since": ["strict", "inclusive"],
        "offset": ["-05:00", "+05:30", "Z"],
        "fractions": [False, True],
        "hidden": ["not_found", "forbidden"],
        "permitted": [True, hostile(False, PermissionDeniedError)],
        "message_bumps_updated_at": [True, False],
        "bad_gateway_every": [0, 3, hostile(1, ServerError)],
    },
    "circuit": {
        "boundary": ["exclusive", "inclusive", with_("inclusive", after="newest")],
        "page_order": ["asc", "desc", with_("desc", boundary="inclusive")],
        "after": ["nearest", "newest"],
        "conversation_sort": [
            "modification",
            "last_item",
            with_("last_item", boundary="inclusive"),
            with_("last_item", page_order="desc", after="newest"),
        ],
        "participants_reply": ["object", "list"],
        "truncate_participants": [False, True],
        "empty_list": ["array", "body", "204", "absent"],
        "webhook_types": ["dotted", "camel"],
        "last_pointer": ["absent", "present"],
        "has_more": ["bool", "text", with_("text", last_pointer="present")],
        "missing_direct": ["body", "204", "404"],
        "regular_includes_moderators": [False, True],
    },
}


def positions(values):
    return [one if isinstance(one, Position) else Position(one) for one in values]


def switches_of(name):
    module, _, cls = PROVIDERS[name].partition(":")
    return attrs.resolve_types(attribute(f"{module}.emulator:{cls}Switches"))


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_switch_is_declared_in_every_position(name):
    """A new switch, or a new position of one, begins here."""
    told = attrs.fields_dict(switches_of(name))
    ours = {s: [p.value for p in positions(v)] for s, v in SWITCHES[name].items()}
    ours |= {s: [t.value for t in turns(v)] for s, v in WRITING[name].items()}
    assert set(ours) == set(told)
    for switch, one in told.items():
        declared = ours[switch]
        assert declared[0] == one.default
        if get_origin(one.type) is Literal:
            assert set(declared) == set(get_args(one.type)), switch
        elif one.type is bool:
            assert set(declared) == {False, True}, switch
        else:
            assert len(set(declared)) > 1, switch


# Comparing.


@pytest.fixture
def _hurried(monkeypatch):
    """Ask again soon, but only where the real rule would ask again at all."""

    def soon(error, planned):
        pause = pause_after(error, planned)
        return pause and min(pause, 0.005)

    monkeypatch.setattr(transport, "pause_after", soon)


@frozen
class Case:
    """One walk and what it must find; `order` puts into a form what has no order."""

    what: str
    pager: Any
    truth: list
    size: int
    order: Any = list
    rows: int = 0
    """How many rows the longest of its lists has."""

    @property
    def label(self):
        return f"{self.what}, {len(self.truth)} on pages of {self.size}"


def longest(things, length, most=10_000):
    """Return the one with the most in it, of those with at most so many."""
    return max((one for one in things if length(one) <= most), key=length)


def cases(hub, name, api, size):
    """Yield every collection; of messages and participants what fits on a dozen pages."""
    conversations = api.conversation_ids()
    yield Case(
        "conversations",
        hub.conversations(name, page_size=size),
        conversations,
        size or hub[name].limits["conversations"],
        unordered(name, api),
        rows_of_a_list(name, api),
    )
    for most in {0, 12 * (size or 100)}:
        one = longest(conversations, lambda c: len(api.message_ids(c)), most)
        truth = api.message_ids(one)
        page = size or hub[name].limits["messages"]
        page = api.switches.message_page if name == "sunshine" else page
        pager = hub.messages(Ref(name, one), page_size=size)
        yield Case("messages", pager, truth, page, rows=len(truth))
    one = longest(conversations, lambda c: len(api.participant_ids(c)), 12 * (size or 100))
    truth = api.participant_ids(one)
    page = size or hub[name].limits.get("participants", 100)
    pager = hub.iterate(hub[name].participants(Ref(name, one), page_size=size))
    yield Case("participants", pager, truth, page, rows=len(truth))


def unordered(name, api):
    """Return what takes the order away where none is promised."""
    by_activity = name == "circuit" and api.switches.conversation_sort == "last_item"
    # Sunshine's users are read side by side.
    return sorted if name == "sunshine" or by_activity else list


def rows_of_a_list(name, api):
    if name == "sunshine":
        return max(len(api.store.conversations_of(user)) for user in api.store.users)
    return len(api.conversation_ids())


async def compare(case):
    found = ids(await case.pager.collect(limit=None))
    assert case.order(found) == case.order(case.truth), case.label


async def stumble(case, position):
    """Expect the error, and again, after nothing but the truth; there is no quiet end."""
    found = []
    for _ in range(2):
        with pytest.raises(position.error):
            while True:
                found.append((await anext(case.pager)).ref.id)
    await case.pager.aclose()
    assert set(found) <= set(case.truth), case.label
    assert len(found) == len(set(found)), case.label


def turned():
    """Yield every position but the defaults, which are one case."""
    for name, switches in SWITCHES.items():
        yield pytest.param(name, "", Position(None), id=f"{name}: defaults")
        for switch, values in switches.items():
            for one in positions(values)[1:]:
                others = "".join(f" {key}={value}" for key, value in one.beside.items())
                yield pytest.param(name, switch, one, id=f"{name}: {switch}={one.value}{others}")


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize(("name", "switch", "position"), list(turned()))
async def test_what_is_listed_is_what_is_stored(name, switch, position):
    told = {switch: position.value, **position.beside} if switch else {}
    # An account that rests for a minute is not waited for.
    retries, deadline = (1, 30.0) if position.error else (60, 120.0)
    async with (
        Emulator(seed=3, scale=0, only=[name], switches={name: told}) as emulator,
        emulator.hub(retries=retries, deadline=deadline) as hub,
    ):
        for size in FEW if switch else SIZES:
            for case in cases(hub, name, emulator[name], size):
                meets = position.error and case.what in position.lists
                if meets and position.when(case.rows, case.size):
                    await stumble(case, position)
                else:
                    await compare(case)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", SIZES)
async def test_sunshines_conversations_keep_each_users_order(order, size):
    switches = {"sunshine": {"list_order": order}}
    async with (
        Emulator(seed=3, scale=0, only=["sunshine"], switches=switches) as emulator,
        emulator.hub() as hub,
    ):
        store = emulator["sunshine"].store
        found = ids(await hub.conversations(page_size=size).collect(limit=None))
        theirs = {user: [c["id"] for c in store.conversations_of(user)] for user in store.users}
        members = Counter(one for conversations in theirs.values() for one in conversations)
        assert set(members) == set(found)
        for conversations in theirs.values():
            # One that is shared may have come with somebody else's.
            own = [one for one in conversations if members[one] == 1]
            own = own if order == "asc" else own[::-1]
            assert [one for one in found if one in own] == own


# More than two of the largest pages.


def crowd_twilio(api, one):
    for n in range(201):
        api.store.add_participant(api.store.conversations[one], identity=f"guest{n}")


def crowd_sunshine(api, one):
    for _ in range(201):
        user = api.store.create_user(profile={})["id"]
        api.store.join(one, user)


CROWDS = {"twilio": crowd_twilio, "sunshine": crowd_sunshine}


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("twilio", {}),
        ("sunshine", {}),
        ("clio", {}),
        ("circuit", {}),
        ("circuit", {"conversation_sort": "last_item", "boundary": "inclusive"}),
    ],
)
async def test_three_of_the_largest_pages(name, switches):
    async with (
        Emulator(seed=3, scale=0, only=[name], switches={name: switches}) as emulator,
        emulator.hub() as hub,
    ):
        api, most = emulator[name], hub[name].limits["conversations"]
        one = longest(api.conversation_ids(), lambda c: len(api.message_ids(c)))
        while len(api.message_ids(one)) <= 2 * most:
            api.add_message(one)
        CROWDS.get(name, lambda *_: None)(api, one)
        if name == "sunshine":  # where a list is one user's
            for user in list(api.store.users)[:2]:
                for _ in range(2 * most + 1):
                    api.store.create_conversation("personal", [user])
        for _ in range(0 if name == "sunshine" else 2 * most + 1):
            api.add_conversation()
        found = [case for case in cases(hub, name, api, None) if case.truth]
        assert {c.what for c in found if c.rows > 2 * c.size} >= set(ALL_BUT_PEOPLE)
        for case in found:
            await compare(case)


# Going on elsewhere.


async def in_pieces(emulator, ask, stops):
    """Take some, save, and go on as another process would, again and again."""
    found, saved = [], ""
    for stop in [*stops, None]:
        async with emulator.hub() as hub:
            pager = hub.resume(json.loads(saved)) if saved else ask(hub)
            found += ids(await pager.collect(limit=stop))
            saved = json.dumps(pager.checkpoint())
            await pager.aclose()
    return found


TURNED = {
    "twilio": st.fixed_dictionaries(
        {"short_pages": st.booleans(), "empty_middle_page": st.booleans()}
    ),
    "sunshine": st.fixed_dictionaries(
        {
            "message_page": st.sampled_from([1, 2, 3, 7, 100]),
            "message_order": st.sampled_from(["asc", "desc"]),
            "last_page_meta": st.sampled_from(["full", "bare", "absent"]),
        }
    ),
    "clio": st.fixed_dictionaries(
        {"rejected_participant_fields": st.sampled_from(["none", "identifiers", "all"])}
    ),
    "circuit": st.fixed_dictionaries(
        {
            "boundary": st.sampled_from(["exclusive", "inclusive"]),
            "page_order": st.sampled_from(["asc", "desc"]),
            "after": st.sampled_from(["nearest", "newest"]),
            "conversation_sort": st.sampled_from(["modification", "last_item"]),
        }
    ),
}
STOPS = st.lists(st.integers(0, 9), min_size=1, max_size=4)
HOW = st.sampled_from(SIZES), st.integers(0, 2)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("what", LISTS)
@settings(max_examples=6)
@given(data=st.data())
async def test_a_walk_in_pieces_is_the_same_walk(name, what, data):
    stops, size, prefetch = (data.draw(one) for one in (STOPS, *HOW))
    switches = {name: data.draw(TURNED[name])}
    async with Emulator(seed=3, scale=0, only=[name], switches=switches) as emulator:
        api = emulator[name]
        many = {"messages": api.message_ids, "participants": api.participant_ids}.get(what)
        one = many and Ref(name, longest(api.conversation_ids(), lambda c: len(many(c)), 30))

        def ask(hub):
            recipe = getattr(hub[name], what)
            listing = recipe(one, page_size=size) if one else recipe(page_size=size)
            return hub.iterate(listing, prefetch=prefetch)

        truth = many(one.id) if one else api.conversation_ids()
        order = list if one else unordered(name, api)
        assert order(await in_pieces(emulator, ask, stops)) == order(truth)


@settings(max_examples=4)
@given(stops=STOPS, size=HOW[0], prefetch=HOW[1])
async def test_a_walk_through_all_of_them_in_pieces(stops, size, prefetch):
    async with Emulator(seed=3, scale=0) as emulator:
        found = await in_pieces(
            emulator, lambda hub: hub.conversations(page_size=size, prefetch=prefetch), stops
        )
        assert sorted(found) == sorted(
            one for n in PROVIDERS for one in emulator[n].conversation_ids()
        )
