"""A walk whose cursor expires goes back to its start once, and finds its place again."""

import asyncio
import json

import pytest

from conversations_hub import CursorExpiredError, Ref, ServerError
from conversations_hub.emulator import Emulator, json_response
from conversations_hub.errors import TranslationError
from conversations_hub.providers import PROVIDERS
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
