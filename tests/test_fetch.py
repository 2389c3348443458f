"""A walk whose cursor expires goes back to its start once, and finds its place again."""

import asyncio
import json

import pytest
from attrs import evolve, field, mutable
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import CursorExpiredError, PagingError, ProviderError, Ref, ServerError
from conversations_hub import walk as walk_module
from conversations_hub.emulator import Emulator, json_response
from conversations_hub.errors import TranslationError
from conversations_hub.providers import PROVIDERS
from conversations_hub.recipes import TwoEnds
from conversations_hub.wire import Response
from support import hub_on, ids, page

GONE = CursorExpiredError("gone")
FOUR = {
    None: page(["1", "2"], "b"),
    "b": page(["3", "4"], "c"),
    "c": page(["5", "6"], "d"),
    "d": page(["7"]),
}


async def walked(answers, **options):
    hub = hub_on(answers)
    found = ids([c async for c in hub.conversations(**options)])
    return found, hub._fetcher.transport.asked


@pytest.mark.parametrize("prefetch", [0, 1, 3])
async def test_the_place_is_found_again(prefetch):
    found, asked = await walked(FOUR | {"c": [GONE, FOUR["c"]]}, prefetch=prefetch)
    assert found == list("1234567")
    assert asked == [None, "b", "c", None, "b", "c", "d"]


@pytest.mark.parametrize(
    ("again", "found"),
    [
        pytest.param([["0", "1", "2", "3"], ["4", "5", "6", "7"]], "1234567", id="new rows"),
        pytest.param([["1"], ["2"], ["3"], ["4"], ["5"], ["6", "7"]], "1234567", id="other pages"),
        pytest.param([["1", "2"], ["5", "6", "7"]], "1234567", id="the last ones deleted"),
        pytest.param([["4"], [], ["5", "6", "7"]], "1234567", id="the first ones deleted"),
        pytest.param([["1", "2"], [], ["3", "4"], ["5", "6", "7"]], "1234567", id="an empty page"),
        pytest.param([["1", "2", "3", "4"]], "1234", id="the rest deleted"),
    ],
)
async def test_the_place_is_found_whatever_became_of_the_list(again, found):
    keys = [None, *"vwxyz"]
    pages = {
        key: page(rows, keys[n + 1] if n + 1 < len(again) else None)
        for n, (key, rows) in enumerate(zip(keys, again, strict=False))
    }
    first = {None: [FOUR[None], pages.pop(None)], "b": FOUR["b"], "c": GONE}
    assert (await walked(first | pages))[0] == list(found)


async def test_a_place_that_nothing_is_left_of_is_the_error():
    answers = {None: [FOUR[None], page(["8", "9"])], "b": [FOUR["b"]], "c": GONE}
    hub = hub_on(answers)
    pager = hub.conversations(prefetch=0)
    first = [(await anext(pager)).ref.id for _ in range(4)]
    assert first == list("1234")
    with pytest.raises(CursorExpiredError):
        await anext(pager)


async def test_it_starts_anew_only_once():
    hub = hub_on(FOUR | {"c": [GONE, FOUR["c"]], "d": GONE})
    pager = hub.conversations(prefetch=0)
    for _ in range(2):
        with pytest.raises(CursorExpiredError):
            await pager.collect(limit=None)
    assert hub._fetcher.transport.asked == [None, "b", "c", None, "b", "c", "d", "d"]


async def test_a_first_page_has_no_cursor_to_expire():
    with pytest.raises(CursorExpiredError):
        await walked({None: GONE})


async def test_an_order_that_is_read_whole_is_still_whole():
    notes = {k: v.replace(b"things", b"notes") for k, v in FOUR.items()}
    hub = hub_on(notes | {"c": [GONE, notes["c"]]})
    found = ids([m async for m in hub.messages(Ref("acme", "t"), order="oldest")])
    assert found == list("1234567")


async def test_errors_after_the_place_are_told():
    broken = page([{"id": "3"}, {"id": "4"}, {"id": 5}, {"id": "6"}], "d")
    answers = FOUR | {"b": [FOUR["b"], broken], "c": GONE}
    pager = hub_on(answers).conversations(on_error="continue")
    assert ids([c async for c in pager]) == list("123467")
    assert [type(e) for e in pager.errors] == [TranslationError]


@pytest.mark.parametrize("taken", range(1, 7))
async def test_a_checkpoint_outlives_its_cursor(taken):
    """Whoever goes on days later finds the cursor gone, and the place all the same."""
    pager = hub_on(FOUR).conversations(prefetch=taken % 3)
    first = [(await anext(pager)).ref.id for _ in range(taken)]
    saved = json.loads(json.dumps(pager.checkpoint()))
    later = {key: [GONE, body] if key else body for key, body in FOUR.items()}
    stale = saved["questions"][0]["walks"][0]["next"] or ""
    cursor = stale.partition("cursor=")[2] or None
    answers = FOUR | {cursor: later[cursor]}
    assert first + ids([c async for c in hub_on(answers).resume(saved)]) == list("1234567")


@pytest.mark.parametrize("prefetch", [0, 1, 2, 3])
@pytest.mark.parametrize("taken", range(2, 7))
async def test_a_checkpoint_during_the_search_for_the_place(taken, prefetch):
    """It goes on from the place that is looked for, wherever the search is."""
    down = ServerError("down")
    answers = FOUR | {None: [FOUR[None], FOUR[None]], "b": [FOUR["b"], down, FOUR["b"]]}
    answers["c"] = [GONE, FOUR["c"]]
    pager = hub_on(answers).conversations(prefetch=prefetch)
    first = []
    while len(first) < taken:
        try:
            first.append((await anext(pager)).ref.id)
        except ServerError:
            break
    await asyncio.sleep(0)
    saved = json.loads(json.dumps(pager.checkpoint()))
    rest = ids([c async for c in hub_on(FOUR | {"c": [GONE, FOUR["c"]]}).resume(saved)])
    assert first + rest == list("1234567")


def resumed(pager, answers):
    return hub_on(answers).resume(json.loads(json.dumps(pager.checkpoint())))


async def test_a_checkpoint_during_the_search_behind_a_page_that_led_astray():
    """What that page delivered is not delivered again."""
    down = ServerError("down")
    answers = FOUR | {None: [FOUR[None]] * 2, "b": [page(["3", "4"], "b"), GONE, down]}
    pager = hub_on(answers).conversations(prefetch=0)
    assert [(await anext(pager)).ref.id for _ in range(4)] == list("1234")
    for error in (PagingError, ServerError):
        with pytest.raises(error):
            await anext(pager)
    assert ids(await resumed(pager, FOUR).collect(limit=None)) == list("567")


@pytest.mark.parametrize("taken", [4, 5, 6])
async def test_a_checkpoint_behind_the_place_that_was_found_on_other_pages(taken):
    """It goes on there, and not where the cursor was that had expired."""
    recut = {None: page(list("12345"), "x"), "x": page(["6"], "y"), "y": page(["7"])}
    answers = recut | {None: [FOUR[None], recut[None]], "b": FOUR["b"], "c": GONE}
    pager = hub_on(answers).conversations(prefetch=0)
    first = [(await anext(pager)).ref.id for _ in range(taken)]
    rest = await resumed(pager, FOUR | recut | {None: recut[None]}).collect(limit=None)
    assert first + ids(rest) == list("1234567")


async def test_the_pages_before_a_place_are_not_empty(monkeypatch):
    """Only what the answers hold counts, however long the search is."""
    monkeypatch.setattr(walk_module, "EMPTY", 2)
    monkeypatch.setattr(walk_module, "TRAIL", 1)
    again = {key: [one, one] for key, one in FOUR.items()} | {"d": [GONE, FOUR["d"]]}
    assert (await walked(again))[0] == list("1234567")


async def test_pages_that_cannot_be_read_are_not_empty(monkeypatch):
    monkeypatch.setattr(walk_module, "EMPTY", 2)
    broken = [{"id": 1}]
    answers = {None: page(broken, "b"), "b": page(broken, "c"), "c": page(["1"])}
    assert await walked(answers, on_error="continue") == (["1"], [None, "b", "c"])


async def test_what_came_once_more_is_forgotten():
    pager = hub_on(FOUR).conversations(prefetch=0)
    assert (await anext(pager)).ref.id == "1"
    rest = resumed(pager, FOUR)
    assert [(await anext(rest)).ref.id for _ in range(2)] == ["2", "3"]
    assert rest.checkpoint()["questions"][0]["walks"][0]["taken"] == ["3"]


async def test_a_list_that_moves_is_read_anew_as_a_whole():
    """What came before the place may have come there since."""
    gone = {None: [FOUR[None], page(["8", "9"], "x")], "b": GONE, "x": page(["1", "2", "3"])}
    hub = hub_on(gone)
    moving = evolve(hub["acme"].conversations(), repeats=True, moving=True)
    assert ids(await hub.iterate(moving).collect(limit=None)) == list("12893")


async def test_a_list_of_two_ends_is_read_anew_as_a_whole():
    """What was delivered is known, and may be gone from the list."""
    forth = {None: [FOUR[None], page(["8"], "c")], "b": GONE, "c": page(["3", "4"])}
    hub = hub_on(forth | {"z": page(["6"], "y"), "y": page(["5"], "x"), "x": page(["4"])})
    listing = hub["acme"].conversations()
    split = TwoEnds(backwards=listing.request.with_query(cursor="z"))
    pager = hub.iterate(evolve(listing, split=split), parallel=2)
    assert sorted(ids(await pager.collect(limit=None))) == list("1234568")


async def test_a_circle_is_seen_across_checkpoints():
    """However long it is, and though each process reads but a page."""
    keys = [None, *(f"to {n}" for n in range(10)), *map(str, range(40))]
    onward = dict(zip(keys, [*keys[1:], "0"], strict=True))
    circle = {key: page([f"i{key}"], onward[key]) for key in keys}
    pager, found = hub_on(circle).conversations(prefetch=0), []
    with pytest.raises(PagingError, match="circles"):
        while len(found) <= len(keys):
            found.append((await anext(pager)).ref.id)
            pager = resumed(pager, circle)
    assert found == [f"i{key}" for key in keys]
    straight = circle | {keys[-1]: page([f"i{keys[-1]}"], "on"), "on": page(["last"])}
    assert ids(await resumed(pager, straight).collect(limit=None)) == ["last"]


async def test_a_circle_is_seen_after_a_checkpoint_however_often_it_was_asked_for():
    circle = {None: page(["1"], "a"), "a": page(["2"], "b"), "b": page(["3"], "a")}
    pager = hub_on(circle).conversations(prefetch=0)
    assert [(await anext(pager)).ref.id for _ in range(3)] == ["1", "2", "3"]
    for _ in range(11):
        with pytest.raises(PagingError, match="circles"):
            await anext(pager)
    with pytest.raises(PagingError, match="circles"):
        await anext(resumed(pager, circle))


@mutable
class Odd:
    """A list in order whose pages go wrong by a plan, and are cut anew when a cursor expires."""

    plan: list
    sizes: list
    broken: int | None
    """A record that cannot be read."""
    overlap: int = 0
    key: str = "things"
    last: list = field(factory=list)

    async def send(self, provider, request, operation):
        cursor = request.query.get("cursor")
        fault = self.plan.pop(0) if self.plan else None
        if fault == "down":
            raise ServerError("down")
        if fault == "gone" and cursor:
            self.sizes, self.last = self.sizes[1:] or self.sizes, []
            raise CursorExpiredError("gone")
        at = int(cursor or 0)
        end = at + self.sizes[0]
        numbers = range(max(0, at - self.overlap), min(COUNT, end))
        rows = [{"id": n} if n == self.broken else f"{n:02}" for n in numbers]
        onward = str(end) if end < COUNT else None
        if fault == "twice":
            rows.append(rows[0])
        if fault == "astray" and cursor:
            onward = cursor
        if fault == "back" and self.last and int(self.last[0]) < at:
            onward = self.last[0]
        if cursor:
            self.last = [*self.last, cursor][-2:]
        return Response(body=page(rows, onward, key=self.key), status=200)


COUNT = 14
LIMITS = st.none() | st.integers(0, COUNT)
ODDITY = st.sampled_from([None, "down", "gone", "astray", "back", "twice"])
WAYS = {
    "in order": ("things", 0, lambda hub, **o: hub.conversations(**o)),
    "with repeats": ("notes", 2, lambda hub, **o: hub.messages(Ref("acme", "t"), **o)),
    "put in order": (
        "notes",
        0,
        lambda hub, **o: hub.messages(Ref("acme", "t"), order="oldest", **o),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@given(
    odd=st.builds(
        Odd,
        plan=st.lists(ODDITY, max_size=14),
        sizes=st.lists(st.sampled_from([1, 2, 3, 5]), min_size=1, max_size=3),
        broken=st.none() | st.integers(0, COUNT - 1),
    ),
    options=st.fixed_dictionaries({"prefetch": st.integers(0, 2), "limit": LIMITS}),
    stops=st.lists(st.booleans(), max_size=40),
)
def test_however_a_list_goes_wrong_every_item_comes_once(way, odd, options, stops):
    """Whoever reads on after an error, or goes on from a checkpoint, has all of them in order."""
    key, overlap, ask = WAYS[way]
    elsewhere = iter(stops)

    async def read():
        hub = hub_on({})
        hub._fetcher.transport = evolve(odd, plan=[*odd.plan], overlap=overlap, key=key)
        pager, found, errors, told = ask(hub, **options), [], 0, 0
        while True:
            try:
                found.append((await anext(pager)).ref.id)
            except StopAsyncIteration:
                return found, errors, told
            except TranslationError:
                told += 1
            except ProviderError:
                errors += 1
            if next(elsewhere, False):
                saved = json.dumps(pager.checkpoint())
                await pager.aclose()
                pager = hub.resume(json.loads(saved))

    found, errors, told = asyncio.run(read())
    wanted = [f"{n:02}" for n in range(COUNT) if n != odd.broken]
    assert found == wanted[: options["limit"]]
    assert errors <= len(odd.plan)
    assert told or odd.broken is None or options["limit"] is not None


async def test_a_list_in_order_is_resumed_whole_though_its_cursor_expires():
    notes = {k: v.replace(b"things", b"notes") for k, v in FOUR.items()}
    hub = hub_on(notes | {"d": ServerError("down")})
    pager = hub.messages(Ref("acme", "t"), order="oldest")
    with pytest.raises(ServerError):
        await anext(pager)
    saved = pager.checkpoint()
    assert saved["questions"][0]["walks"][0]["trail"] == []
    rest = hub_on(notes | {"b": [GONE, notes["b"]]}).resume(saved)
    assert ids([m async for m in rest]) == list("1234567")


REFUSALS = {
    "twilio": (400, {"code": 21481, "message": "Invalid page token", "status": 400}),
    "sunshine": (404, {"errors": [{"code": "not_found", "title": "Message not found"}]}),
    "clio": (422, {"error": {"type": "ArgumentError", "message": "page_token is out of bounds"}}),
}
CURSORS = {"twilio": "PageToken", "sunshine": "page%5B", "clio": "page_token"}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("what", ["conversations", "messages"])
async def test_every_provider_with_cursors_finds_its_place(name, what):
    switches = {"sunshine": {"message_page": 10}} if name == "sunshine" else {}
    async with Emulator(seed=3, scale=0.2, only=[name], switches=switches) as emulator:
        api, server = emulator[name], emulator.servers[name]
        longest = max(api.conversation_ids(), key=lambda c: len(api.message_ids(c)))
        turns = iter([False, False, True])

        def expired(request):
            """Refuse the third page once."""
            onward = f"{CURSORS[name]}after" in request.raw_path if name == "sunshine" else False
            onward |= f"{CURSORS[name]}before" in request.raw_path
            onward |= name != "sunshine" and CURSORS[name] in request.raw_path
            if onward and next(turns, False):
                status, body = REFUSALS[name]
                return json_response(body, status)
            return None

        async with emulator.hub() as hub:
            server.intercept = expired
            if what == "messages":
                found = await hub.messages(Ref(name, longest), page_size=10).collect(limit=None)
                assert ids(found) == api.message_ids(longest)
            else:
                found = await hub.conversations(page_size=2).collect(limit=None)
                assert len(found) == len(set(ids(found)))
                assert set(ids(found)) == set(api.conversation_ids())
            if (name, what) != ("sunshine", "conversations"):
                assert next(turns, None) is None


def test_every_provider_with_cursors_is_tried():
    assert set(REFUSALS) == set(PROVIDERS) - {"circuit"}
