"""What Circuit's emulator answers, asked over real sockets."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import product, repeat
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from attrs import evolve

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.circuit.emulator import CircuitApi, CircuitSwitches, kinds
from conversations_hub.providers.circuit.emulator.store import ROLES, Json, Refusal
from support import seeded

NOBODY = "00000000-0000-4000-8000-000000000000"


class Client:
    """Asks one server as the caller."""

    def __init__(self, server: Server, session: ClientSession) -> None:
        self.server, self.session = server, session
        self.api = cast("CircuitApi", server.api)
        self.store = self.api.store

    async def ask(self, path: str, **query: Any) -> tuple[int, Any]:
        url = self.server.base_url + path
        async with self.session.get(url, params=_pairs(query)) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None

    async def get(self, path: str, **query: Any) -> Any:
        status, body = await self.ask(path, **query)
        assert status == 200, body
        return body

    def switch(self, **changes: Any) -> None:
        self.api.switches = evolve(self.api.switches, **changes)


def _pairs(query: Json) -> list[tuple[str, Any]]:
    return [
        (name, one)
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    api = seeded("circuit", scale=0.1)
    server = Server(api)
    await server.start()
    headers = {"Authorization": f"Bearer {api.settings['token']}"}
    async with ClientSession(headers=headers) as session:
        yield Client(server, session)
    await server.stop()


@pytest.fixture(scope="module")
def whole() -> CircuitApi:
    """Only read."""
    return CircuitApi()


def iso(stamp: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=stamp)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp % 1000:03d}Z"


def topic_id(api: CircuitApi, topic: str) -> str:
    [found] = [c["convId"] for c in api.store.mine() if c.get("topic") == topic]
    return found


def stamps(rows: Iterable[Json]) -> list[int]:
    return [row["modificationTime"] for row in rows]


def key(row: Json) -> tuple[int, str]:
    return row["modificationTime"], row.get("itemId") or row["convId"]


async def walk(client: Client, path: str, results: int) -> list[str]:
    """Read backwards with one millisecond of overlap, as the provider's document advises."""
    seen, query = {}, {}
    while True:
        page = await client.get(path, results=results, **query)
        new = [row for row in page if key(row) not in seen]
        seen |= {key(row): row for row in page}
        if len(page) < results:
            return [ident for _, ident in sorted(seen, reverse=True)]
        assert new
        query = {"modTime": iso(min(stamps(page)) + 1)}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("boundary", ["exclusive", "inclusive"])
@pytest.mark.parametrize(
    ("topic", "results"),
    [("The long one", 7), ("The long one", 100), ("All at once", 75), ("All at once", 100)],
)
async def test_items_are_complete_however_pages_are_cut(
    client: Client, boundary: str, order: str, topic: str, results: int
) -> None:
    client.switch(boundary=boundary, page_order=order)
    conv_id = topic_id(client.api, topic)
    ids = await walk(client, f"/conversations/{conv_id}/items", results)
    assert ids == client.api.message_ids(conv_id)


@pytest.mark.parametrize("boundary", ["exclusive", "inclusive"])
@pytest.mark.parametrize("results", [6, 7, 25])
async def test_conversations_are_complete_however_pages_are_cut(
    client: Client, boundary: str, results: int
) -> None:
    client.switch(boundary=boundary)
    assert await walk(client, "/conversations", results) == client.api.conversation_ids()


async def test_boundary_and_milliseconds(client: Client) -> None:
    conv_id = topic_id(client.api, "Just one")
    [item] = client.store.items[conv_id].values()
    path, at = f"/conversations/{conv_id}/items", item["modificationTime"]

    async def found(stamp: int, direction: str) -> bool:
        return bool(await client.get(path, modTime=iso(stamp), direction=direction))

    for boundary, holds in (("exclusive", False), ("inclusive", True)):
        client.switch(boundary=boundary)
        assert await found(at, "BEFORE") is holds
        assert await found(at, "AFTER") is holds
    assert [await found(at + 1, "BEFORE"), await found(at - 1, "BEFORE")] == [True, False]
    assert [await found(at + 1, "AFTER"), await found(at - 1, "AFTER")] == [False, True]


async def test_page_order(client: Client) -> None:
    path = f"/conversations/{topic_id(client.api, 'The long one')}/items"
    rows = await client.get(path, results=10)
    assert len(rows) == 10
    assert stamps(rows) == sorted(stamps(rows))
    client.switch(page_order="desc")
    assert await client.get(path, results=10) == rows[::-1]


async def test_after_returns_the_nearest_or_the_newest(client: Client) -> None:
    conv_id = topic_id(client.api, "The long one")
    ids = client.api.message_ids(conv_id)
    query = {"modTime": "1970-01-01T00:00:00Z", "direction": "AFTER", "results": 5}
    path = f"/conversations/{conv_id}/items"
    assert {row["itemId"] for row in await client.get(path, **query)} == set(ids[-5:])
    client.switch(after="newest")
    assert {row["itemId"] for row in await client.get(path, **query)} == set(ids[:5])


async def test_without_a_time_it_is_now(client: Client) -> None:
    conv_id = topic_id(client.api, "Just one")
    newest = client.api.add_message(conv_id)
    path = f"/conversations/{conv_id}/items"
    assert (await client.get(path, results=1))[0]["itemId"] == newest
    assert await client.get(path, direction="AFTER") == []
    assert (
        len(await client.get(f"/conversations/{topic_id(client.api, 'All at once')}/items")) == 25
    )


async def test_more_than_sixty_items_share_a_millisecond(client: Client) -> None:
    conv_id = topic_id(client.api, "All at once")
    items = client.store.items[conv_id].values()
    [(time, number)] = Counter(stamps(items)).most_common(1)
    assert number >= 60
    query = {"modTime": iso(time + 1), "results": 100}
    rows = await client.get(f"/conversations/{conv_id}/items", **query)
    assert stamps(rows).count(time) == number


async def test_conversations_may_be_sorted_by_their_last_item(client: Client) -> None:
    def activity(row: Json) -> int:
        return client.store.activity(row["convId"])

    rows = await client.get("/conversations", results=100)
    assert stamps(rows) == sorted(stamps(rows))
    client.switch(conversation_sort="last_item")
    rows = await client.get("/conversations", results=100)
    times = [activity(row) for row in rows]
    assert times == sorted(times)
    assert stamps(rows) != sorted(stamps(rows))
    edge = times[5]
    page = await client.get("/conversations", results=3, modTime=iso(edge))
    assert page == [row for row in rows if activity(row) < edge][-3:]


def test_activity_says_nothing_of_modification(whole: CircuitApi) -> None:
    """Whoever pages by modificationTime in activity order loses most conversations."""
    store = whole.store
    mine = sorted(store.mine(), key=lambda one: store.activity(one["convId"]), reverse=True)
    oldest = min(stamps(mine[:25]))
    skipped = [one for one in mine[25:] if store.activity(one["convId"]) > oldest]
    assert len(skipped) > 70


BAD_WINDOWS: list[Json] = [
    {"results": 0},
    {"results": 101},
    {"results": "many"},
    {"results": ""},
    {"direction": "before"},
    {"modTime": "1569942763745"},
    {"modTime": "2026-01-05"},
    {"modTime": "2026-01-05T08:00:00"},
    {"modTime": "2026-13-05T08:00:00Z"},
    {"modTime": ""},
]


async def test_time_listings_refuse_bad_arguments(client: Client) -> None:
    items = f"/conversations/{topic_id(client.api, 'Just one')}/items"
    for path, query in product(("/conversations", items), BAD_WINDOWS):
        status, body = await client.ask(path, **query)
        assert (status, body["errorCode"]) == (400, "400"), query
        assert body["errorDescription"] == "the request contains invalid data"
        assert len(body["validationErrors"]) == 1


async def test_plus_in_a_time_must_be_escaped(client: Client) -> None:
    path = client.server.base_url + "/conversations?modTime=2027-01-05T08:00:00"
    for offset, status in (("%2B02:00", 200), ("+02:00", 400)):
        async with client.session.get(path + offset) as response:
            assert response.status == status


WRONG = [
    (f"/conversations/{NOBODY}", {}),
    (f"/conversations/{NOBODY}/items", {}),
    (f"/conversations/{NOBODY}/participants", {"pageSize": 25}),
    (f"/conversations/{NOBODY}/pins", {}),
    (f"/conversations/{NOBODY}/messages/flag", {}),
    (f"/conversations/{NOBODY}/conversationdetails", {}),
    (f"/conversations/messages/{NOBODY}", {}),
    (f"/conversations/label/{NOBODY}", {}),
    ("/conversations/conversationdetails", {"convIds": NOBODY}),
    ("/conversations/conversationdetails", {}),
    ("/conversations/byIds", {}),
    ("/conversations/direct", {}),
    ("/conversations/direct", {"participant": NOBODY}),
    ("/conversations/direct", {"participant": "nobody"}),
    ("/conversations/resolveinvitetoken", {}),
    ("/conversations/search", {}),
    ("/conversations/search", {"term": "x" * 2049}),
    ("/conversations/search", {"term": "x", "scope": "SOME"}),
    ("/conversations/search", {"term": "x", "includeItemIds": "yes"}),
    ("/conversations/community", {"startIndex": 256}),
    ("/conversations/community", {"startIndex": -1}),
    ("/conversations/community", {"sort": "AGE"}),
    ("/conversations/community", {"order": "UP"}),
    ("/users", {}),
    ("/users/list", {}),
    ("/users/nobody", {}),
    ("/users/nobody/presence", {}),
    ("/users/presence", {}),
    ("/webhooks/one", {}),
    ("/webhooks/incoming/user/x", {"pagesize": 101}),
    ("/webhooks/incoming/user/x", {"searchpointer": "p"}),
]


async def test_not_found_and_wrong_is_400(client: Client) -> None:
    for path, query in WRONG:
        status, body = await client.ask(path, **query)
        assert (status, body["errorCode"]) == (400, "400"), path


MISSING = [
    ("/conversations/resolveinvitetoken", {"token": "x"}),
    (f"/users/{NOBODY}", {}),
    (f"/users/{NOBODY}/presence", {}),
    ("/users/presence", {"userIds": NOBODY}),
    ("/users/list", {"name": NOBODY}),
    ("/users", {"name": "nobody at all"}),
    ("/users/nobody@example.org/getUserByEmail", {}),
    (f"/webhooks/{NOBODY}", {}),
]


async def test_not_found_is_404_where_documented(client: Client) -> None:
    for path, query in MISSING:
        status, body = await client.ask(path, **query)
        assert (status, body["errorCode"]) == (404, "404"), path


async def test_outsiders_may_not_read(client: Client) -> None:
    [private] = [
        one["convId"]
        for one in client.store.conversations.values()
        if one["type"] == "GROUP" and not client.store.takes_part(one["convId"])
    ]
    item_id = next(iter(client.store.items[private]))
    for path in (f"/conversations/{private}", f"/conversations/messages/{item_id}"):
        assert (await client.ask(path))[0] == 400
    assert await client.get("/conversations/byIds", convIds=private) == []
    [token] = [token for token, one in client.store.invitations.items() if one == private]
    assert (await client.ask("/conversations/resolveinvitetoken", token=token))[0] == 404


async def test_only_the_token_admits(client: Client) -> None:
    url = client.server.base_url + "/users/profile"
    token = client.api.settings["token"]
    async with ClientSession() as session:
        for credentials in ("", "Bearer x", "Bearer", f"Basic {token}", token):
            headers = {"Authorization": credentials}
            async with session.get(url, headers=headers) as response:
                assert response.status == 401
                assert (await response.json())["errorDescription"] == "Invalid Token Error"


async def test_unknown_routes_and_the_older_prefix(client: Client) -> None:
    assert await client.ask("/nothing") == (404, None)
    async with client.session.put(client.server.base_url + "/conversations") as response:
        assert response.status == 405
    url = client.server.base_url.removesuffix("/v2") + "/users/profile"
    async with client.session.get(url) as response:
        assert (await response.json())["userId"] == client.store.me


async def roster(client: Client, conv_id: str, role: str, size: int) -> list[Json]:
    """Walk one type of participants."""
    found, query = [], {}
    while True:
        page = await client.get(
            f"/conversations/{conv_id}/participants", type=role, pageSize=size, **query
        )
        assert len(page["participantList"]) <= size
        found += page["participantList"]
        if not page.get("hasMore"):
            return found
        query = {"searchPointer": page["searchPointer"]}


@pytest.mark.parametrize("moderators", [True, False])
@pytest.mark.parametrize("size", [1, 25])
async def test_roster_is_the_walk_of_all_types(client: Client, size: int, moderators: bool) -> None:
    client.switch(regular_includes_moderators=moderators)
    conv_id = topic_id(client.api, "All hands")
    rows = [row for role in ROLES for row in await roster(client, conv_id, role, size)]
    ids = [row["userId"] for row in rows]
    assert list(dict.fromkeys(ids)) == client.api.participant_ids(conv_id)
    assert (len(ids) > len(set(ids))) is moderators
    assert {row["type"] for row in rows} == set(ROLES)
    assert {row["userId"] for row in rows if row["type"] != "FORMER"} == set(
        (await client.get(f"/conversations/{conv_id}"))["participants"]
    )
    assert any(row["isDeleted"] for row in rows)


@pytest.mark.parametrize("query", [{}, {"pageSize": 26}, {"pageSize": 0}, {"type": "ALL"}])
async def test_participants_refuse_bad_arguments(client: Client, query: Json) -> None:
    path = f"/conversations/{topic_id(client.api, 'All hands')}/participants"
    query = {"pageSize": 25} | query if "type" in query else query
    assert (await client.ask(path, **query))[0] == 400


async def test_pointers_belong_to_their_search(client: Client) -> None:
    path = f"/conversations/{topic_id(client.api, 'All hands')}/participants"
    page = await client.get(path, pageSize=2)
    query = {"pageSize": 2, "searchPointer": page["searchPointer"]}
    again = [await client.get(path, **query) for _ in range(2)]
    assert again[0]["participantList"] == again[1]["participantList"]
    assert (await client.ask(path, type="GUEST", **query))[0] == 400
    assert (await client.ask(path, pageSize=2, searchPointer="x"))[0] == 400


async def test_participants_by_name(client: Client) -> None:
    conv_id = topic_id(client.api, "All hands")
    name = client.store.users[client.store.me]["displayName"].upper()
    page = await client.get(f"/conversations/{conv_id}/participants", pageSize=25, name=name)
    assert client.store.me in {row["userId"] for row in page["participantList"]}
    assert all(row["displayName"].upper() == name for row in page["participantList"])


async def test_participants_as_a_list_and_with_last_pointers(client: Client) -> None:
    path = f"/conversations/{topic_id(client.api, 'Just one')}/participants"
    query = {"type": "MODERATOR", "pageSize": 25}
    page = await client.get(path, **query)
    assert list(page) == ["participantList"]
    client.switch(participants_reply="list")
    assert await client.get(path, **query) == [page]
    client.switch(participants_reply="object", last_pointer="present", has_more="text")
    last = await client.get(path, **query)
    assert last["hasMore"] == "false"
    assert last["searchPointer"]
    assert (await client.get(path, pageSize=1))["hasMore"] == "true"


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_labels_page_by_pointer(client: Client, size: int) -> None:
    labels = await client.get("/users/labels")
    assert labels == list(client.store.labels.values())
    for label in labels:
        found, query = [], {}
        while True:
            page = await client.get(
                f"/conversations/label/{label['labelId']}", pageSize=size, **query
            )
            found += [one["convId"] for one in page["conversationList"]]
            if not page.get("hasMore"):
                break
            query = {"nextPagePointer": page["nextPagePointer"]}
        labelled = client.store.labelled[label["labelId"]]
        assert found == [one for one in client.api.conversation_ids() if one in labelled]


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("sort", ["ALPHABETICALLY", "RECENT_ACTIVITY", "POPULARITY"])
async def test_communities_page_by_offset(client: Client, sort: str, order: str) -> None:
    query = {"sort": sort, "order": order, "includeOwn": "true"}
    everything = await client.get("/conversations/community", results=100, **query)
    pages = [
        await client.get("/conversations/community", results=2, startIndex=start, **query)
        for start in range(0, len(everything) + 2, 2)
    ]
    assert [row for page in pages for row in page] == everything
    keys = {
        "ALPHABETICALLY": lambda one: one.get("topic", "").casefold(),
        "RECENT_ACTIVITY": lambda one: client.store.activity(one["convId"]),
        "POPULARITY": lambda one: len(one["participants"]),
    }
    values = [keys[sort](one) for one in everything]
    assert values == sorted(values, reverse=order == "DESCENDING")
    assert len(set(values)) > 1


async def test_communities_hide_ones_own(client: Client) -> None:
    mine = set(client.api.conversation_ids())
    others = {one["convId"] for one in await client.get("/conversations/community")}
    everything = await client.get("/conversations/community", includeOwn="true")
    assert others
    assert not others & mine
    assert {one["convId"] for one in everything} - others <= mine
    assert len(everything) > len(others)


async def test_by_ids_reads_repeats_and_commas(client: Client) -> None:
    one, two, *_ = client.api.conversation_ids()
    for wanted in ([one, two, NOBODY, one], f"{one},{two}"):
        found = await client.get("/conversations/byIds", convIds=wanted)
        assert [row["convId"] for row in found] == [one, two]


async def test_truncated_participants(client: Client) -> None:
    conv_id = topic_id(client.api, "All hands")
    whole = (await client.get(f"/conversations/{conv_id}"))["participants"]
    assert len(whole) > 25
    client.switch(truncate_participants=True)
    rows = await client.get("/conversations", results=100)
    assert {row["convId"]: row["participants"] for row in rows}[conv_id] == whole[:8]


async def test_direct_conversations(client: Client) -> None:
    [direct, *_] = [one for one in client.store.mine() if one["type"] == "DIRECT"]
    assert "topic" not in direct
    [peer] = set(direct["participants"]) - {client.store.me}
    for name in (peer, client.store.users[peer]["emailAddress"]):
        found = await client.get("/conversations/direct", participant=name)
        assert found["convId"] == direct["convId"]
    assert (await client.ask("/conversations/direct", participant=client.store.me))[0] == 400


@pytest.mark.parametrize(("switch", "status"), [("body", 200), ("204", 204), ("404", 404)])
async def test_a_missing_direct_conversation(client: Client, switch: str, status: int) -> None:
    client.switch(missing_direct=switch)
    loner = client.store.users[client.api.settings["user_ids"][-1]]["emailAddress"]
    found, body = await client.ask("/conversations/direct", participant=loner)
    assert found == status
    assert (body is None) is (status != 404)


@pytest.mark.parametrize(
    ("switch", "answer"),
    [
        ("array", (200, [])),
        ("absent", (200, [])),
        ("body", (200, None)),
        ("204", (204, None)),
    ],
)
async def test_empty_lists(client: Client, switch: str, answer: tuple[int, Any]) -> None:
    client.switch(empty_list=switch)
    empty = client.store.insert_conversation("GROUP", client.store.me, {client.store.me: "REGULAR"})
    client.store.favorites.clear()
    for path in (f"/conversations/{empty['convId']}/items", "/conversations/favorite"):
        assert await client.ask(path) == answer
    held = await client.get("/conversations/search", term="nobody says this", scope="MESSAGES")
    assert held == ({} if switch == "absent" else {"matchingConversations": []})


async def test_bookmarks_of_the_caller(client: Client) -> None:
    assert await client.get("/conversations/favorite") == list(client.store.favorites) != []
    flagged = await client.get("/conversations/messages/flag")
    assert [item["itemId"] for item in flagged] == list(client.store.flags) != []
    conv_id = flagged[0]["convId"]
    here = await client.get(f"/conversations/{conv_id}/messages/flag")
    assert here == [item for item in flagged if item["convId"] == conv_id] != flagged


async def test_items_and_pins(client: Client) -> None:
    conv_id = topic_id(client.api, 'Everything & "more" <b>')
    for item_id in client.api.message_ids(conv_id)[:3]:
        item = await client.get(f"/conversations/messages/{item_id}")
        assert item == client.store.items[conv_id][item_id]
    [pin] = await client.get(f"/conversations/{conv_id}/pins")
    assert pin["conversationId"] == conv_id
    assert pin["conversationItemId"] in client.store.items[conv_id]


async def test_join_details_and_invitations(client: Client) -> None:
    conv_id = client.api.conversation_ids()[0]
    details = await client.get(f"/conversations/{conv_id}/conversationdetails")
    host = client.server.base_url.removesuffix("/rest/v2")
    link, token = details["link"].split("=")
    assert link == f"{host}/guest?token"
    found = await client.get("/conversations/resolveinvitetoken", token=token)
    assert found["convId"] == conv_id
    many = await client.get("/conversations/conversationdetails", convIds=[conv_id, conv_id])
    assert many == [details, details]
    query = {"convIds": [conv_id, NOBODY]}
    assert (await client.ask("/conversations/conversationdetails", **query))[0] == 400


@pytest.mark.parametrize(
    ("term", "scope", "items"),
    [
        ("TIE 69", "MESSAGES", True),
        ("TIE 69", "ALL", True),
        ("unnamed", "FILES", True),
        ("all AT once", "CONVERSATIONS", False),
        ("u0+circuit", "MEMBERS", False),
        ("u0+circuit", "SENTBY", True),
        ("urgent", "LABEL", False),
    ],
)
async def test_search(client: Client, term: str, scope: str, items: bool) -> None:
    query = {"term": term, "scope": scope}
    shallow = (await client.get("/conversations/search", **query))["matchingConversations"]
    assert shallow
    assert not any(one["itemIds"] for one in shallow)
    query["includeItemIds"] = "true"
    deep = (await client.get("/conversations/search", **query))["matchingConversations"]
    assert [one["convId"] for one in deep] == [one["convId"] for one in shallow]
    found = [item_id for one in deep for item_id in one["itemIds"]]
    assert bool(found) is items
    assert len(found) <= 100


async def test_search_scopes_differ(client: Client) -> None:
    query = {"term": "tie 69", "scope": "CONVERSATIONS"}
    assert await client.get("/conversations/search", **query) == {"matchingConversations": []}


async def test_users(client: Client) -> None:
    me = await client.get("/users/profile")
    assert me["userId"] == client.store.me == client.api.settings["user_ids"][0]
    for name in (me["userId"], me["emailAddress"]):
        assert await client.get(f"/users/{name}") == me
    assert await client.get(f"/users/{me['emailAddress']}/getUserByEmail") == me
    assert me in await client.get("/users", name=me["displayName"].lower())
    presence = await client.get(f"/users/{me['userId']}/presence")
    assert await client.get("/users/presence", userIds=[me["userId"]]) == [presence]
    assert presence["userId"] == me["userId"]
    assert (await client.get("/users/supportinfo"))["supportEmailAddress"]


async def test_users_in_batches(client: Client) -> None:
    ids = client.api.settings["user_ids"][:4]
    [stranger] = client.store.unresolvable
    for names in ([*ids, stranger, NOBODY], ",".join(ids)):
        found = await client.get("/users/list", name=names)
        assert [user["userId"] for user in found] == ids
    full = await client.get("/users/list", name=ids, returnFullUserInfo="true")
    assert full == [client.store.users[one] for one in ids]
    assert "locale" not in found[0]


async def test_secondary_addresses_are_asked_for(client: Client) -> None:
    user = next(one for one in client.store.users.values() if "secondaryEmailAddress" in one)
    address = user["secondaryEmailAddress"]
    path = f"/users/{address}/getUserByEmail"
    assert (await client.ask(path))[0] == 404
    assert await client.get(path, secondaryLookup="true") == user
    assert (await client.ask("/users/list", name=address))[0] == 404
    [found] = await client.get("/users/list", name=address, secondaryLookup="true")
    assert found["userId"] == user["userId"]


async def test_webhooks(client: Client) -> None:
    hooks = await client.get("/webhooks")
    assert {hook["type"] for hook in hooks} == {"MANUAL", "EXTENSION"}
    assert await client.get(f"/webhooks/{hooks[0]['id']}") == hooks[0]
    path = f"/webhooks/incoming/user/{client.store.me}"
    incoming = await client.get(path)
    assert {hook["status"] for hook in incoming} == {"ENABLED", "DISABLED"}
    root = f"{client.server.base_url}/webhooks/incoming/"
    assert all(hook["url"] == root + hook["webhookId"] for hook in incoming)
    assert await client.get(path, pagesize=1) == incoming[:1]


async def test_attachments_are_relative_to_the_host(client: Client) -> None:
    conv_id = topic_id(client.api, 'Everything & "more" <b>')
    rows = client.store.items[conv_id].values()
    files = next(row["attachments"] for row in rows if len(row.get("attachments", [])) == 10)
    assert files[0]["url"].startswith("/fileapi?fileid=")
    host = client.server.base_url.removesuffix("/rest/v2")
    async with client.session.get(host + files[0]["url"]) as response:
        assert len(await response.read()) == files[0]["size"]
        assert response.content_type == files[0]["mimeType"]
    async with client.session.get(f"{host}/fileapi?fileid=x") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("switch", "names"),
    [
        ("dotted", ["CONVERSATION.ADD_ITEM", "CONVERSATION.UPDATE"]),
        ("camel", ["itemAdded", "conversationUpdated"]),
    ],
)
def test_events_have_names_of_two_kinds(switch: str, names: list[str]) -> None:
    api = CircuitApi(scale=0.1, switches=CircuitSwitches(webhook_types=switch))
    events = [api.event("CONVERSATION.ADD_ITEM", {}), api.event("CONVERSATION.UPDATE", {})]
    assert events == [{"type": names[0], "item": {}}, {"type": names[1], "conversation": {}}]


def every_item(api: CircuitApi) -> list[Json]:
    return [item for items in api.store.items.values() for item in items.values()]


def test_counts(whole: CircuitApi) -> None:
    numbers = sorted(len(whole.message_ids(one)) for one in whole.conversation_ids())
    assert len(numbers) >= 120
    assert sum(numbers) >= 3000
    assert numbers[:2] == [0, 1]
    assert numbers[-1] >= 400
    shared = Counter(stamps(whole.store.mine())).most_common(3)
    assert shared[0][1] > 25
    assert shared[2][1] > 1


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_every_kind_of_content_is_there(scale: float) -> None:
    api = CircuitApi(scale=scale)
    items = every_item(api)
    texts = [item["text"] for item in items if item["type"] == "TEXT"]
    calls = [item["rtc"] for item in items if item["type"] == "RTC"]
    system = {item["system"]["type"] for item in items if item["type"] == "SYSTEM"}
    assert {item["type"] for item in items} == {"TEXT", "SYSTEM", "RTC"}
    assert system == set(kinds.SYSTEM_TYPES)
    assert {text["state"] for text in texts} == {"CREATED", "EDITED", "DELETED", "CLUSTERED"}
    assert {text.get("contentType") for text in texts} == {"RICH", "PLAIN", None}
    for member in ("subject", "preview", "formMetaData", "likedUserIds", "parentId"):
        assert any(member in text for text in texts), member
    assert any(text.get("isWebhookMessage") for text in texts)
    assert any("parentId" in item for item in items)
    assert any("parentItemId" in item for item in items)
    assert {call["type"] for call in calls} == {
        "STARTED", "ENDED", "MISSED", "PARTICIPANT_JOINED", "PARTICIPANT_LEFT", "MOVED",
    }  # fmt: skip
    assert {call.get("missed") for call in calls} - {None} == set(kinds.MISSED)
    assert len({one["type"] for call in calls for one in call.get("rtcParticipants", [])}) == 7
    contents = {text.get("content", "") for text in texts}
    for hard in HARD_TEXTS:
        assert hard in contents
        assert kinds.rich(hard) in contents
    assert max(map(len, contents)) == kinds.CONTENT_LIMIT
    for part in ('class="mention"', "emoticon-icon", "&#128526;", "||::$$privateData=", "<li>"):
        assert any(part in content for content in contents), part
    assert any(item["creatorId"] in api.store.unresolvable for item in items if "creatorId" in item)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_every_kind_of_conversation_and_user_is_there(scale: float) -> None:
    api = CircuitApi(scale=scale)
    mine = api.store.mine()
    assert {"DIRECT", "GROUP", "COMMUNITY", "LARGE", "OPEN"} == {one["type"] for one in mine}
    assert any("topicPlaceholder" in one for one in mine)
    users = api.store.users.values()
    assert {user["userType"] for user in users} == {"REGULAR", *kinds.USER_TYPES}
    assert {user["userState"] for user in users} == {"ACTIVE", *kinds.USER_STATES}
    assert None not in {value for record in (*mine, *users) for value in map(_hashable, record)}


def _hashable(value: Any) -> Any:
    return value if value is None else repr(value)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def dump(seed: int) -> str:
        api = CircuitApi(seed=seed, scale=0.1)
        conv_id = api.add_conversation()
        api.add_message(conv_id)
        return json.dumps([api.store.conversations, api.store.items, api.settings])

    assert dump(1) == dump(1) != dump(2)


def test_scale_multiplies(whole: CircuitApi) -> None:
    assert len(CircuitApi(scale=0.1).conversation_ids()) == 12
    assert len(CircuitApi(scale=2).conversation_ids()) == 2 * len(whole.conversation_ids())


def test_what_is_added_comes_first() -> None:
    api = CircuitApi(scale=0.1)
    conv_id = api.add_conversation()
    assert api.conversation_ids()[0] == conv_id
    older = api.conversation_ids()[-1]
    before = dict(api.store.conversations[older])
    added = [api.add_message(older) for _ in range(20)]
    items = [api.store.items[older][one] for one in added]
    assert stamps(items) == sorted(stamps(items))
    assert set(api.message_ids(older)[:20]) == set(added)
    assert api.store.conversations[older] == before


def test_the_clock_can_repeat_a_millisecond() -> None:
    api = CircuitApi(scale=0.1)
    api.store.clock.pauses = repeat(0)
    conv_id = api.add_conversation()
    api.add_message(conv_id)
    assert len(set(stamps(api.store.items[conv_id].values()))) == 1


def test_edits_and_deletes_move_the_item_only() -> None:
    api = CircuitApi(scale=0.1)
    conv_id = topic_id(api, "Just one")
    item_id = api.add_message(conv_id)
    item, conversation = api.store.items[conv_id][item_id], api.store.conversations[conv_id]
    changed, created = conversation["modificationTime"], item["creationTime"]
    api.store.clock.pauses = repeat(5)
    api.edit_message(conv_id, item_id)
    assert item["text"]["state"] == "EDITED"
    assert item["modificationTime"] == created + 5
    api.remove_message(conv_id, item_id)
    assert item["text"] == {"state": "DELETED"}
    assert (item["creationTime"], item["modificationTime"]) == (created, created + 10)
    assert conversation["modificationTime"] == changed
    with pytest.raises(Refusal):
        api.edit_message(conv_id, item_id)


def test_a_deleted_reply_keeps_its_thread_and_loses_its_files() -> None:
    api = CircuitApi(scale=0.1)
    conv_id = topic_id(api, "Just one")
    [root] = api.store.items[conv_id]
    text = {"parentId": root, "content": "x"}
    item = api.store.add_text(conv_id, api.store.me, text, attachments=[kinds.THUMBNAIL])
    assert item["attachments"][0]["itemId"] == item["itemId"]
    api.store.delete_text(item["itemId"])
    assert item["text"] == {"state": "DELETED", "parentId": root}
    assert "attachments" not in item


def test_changes_of_a_conversation_leave_a_system_item() -> None:
    api = CircuitApi(scale=0.1)
    store, conv_id = api.store, api.add_conversation()
    newcomer = next(one for one in store.users if one not in store.rosters[conv_id])
    store.clock.pauses = repeat(7)
    store.rename(conv_id, store.me, "New")
    store.add_participants(conv_id, store.me, [newcomer])
    store.remove_participants(conv_id, store.me, [newcomer])
    system = [item for item in store.items[conv_id].values() if item["type"] == "SYSTEM"]
    assert [item["system"]["type"] for item in system[1:]] == [
        "CONVERSATION_RENAMED", "PARTICIPANT_ADDED", "PARTICIPANT_REMOVED",
    ]  # fmt: skip
    conversation = store.conversations[conv_id]
    assert conversation["modificationTime"] == system[-1]["creationTime"]
    assert newcomer not in conversation["participants"]
    assert api.participant_ids(conv_id)[-1] == newcomer
    with pytest.raises(Refusal):
        store.remove_participants(conv_id, store.me, conversation["participants"])


@pytest.mark.parametrize("setter", ["set_favorite", "set_archived", "set_flag"])
def test_what_is_not_marked_cannot_be_unmarked(setter: str) -> None:
    store = CircuitApi(scale=0.1).store
    mark = getattr(store, setter)
    with pytest.raises(Refusal):
        mark(NOBODY, False)
    mark(NOBODY)
    mark(NOBODY, False)
    with pytest.raises(Refusal):
        mark(NOBODY, False)


def test_labels_are_made_once_and_end_at_a_limit() -> None:
    api = CircuitApi(scale=0.1)
    store, conv_id = api.store, api.conversation_ids()[0]
    label = store.assign_label(conv_id, "mine")
    assert store.add_label("mine") == label
    assert store.unassign_label(conv_id, label["labelId"]) == label
    with pytest.raises(Refusal):
        store.unassign_label(conv_id, label["labelId"])
    for number in range(250 - len(store.labels)):
        store.add_label(str(number))
    with pytest.raises(Refusal):
        store.add_label("one too many")


def test_likes_come_and_go() -> None:
    api = CircuitApi(scale=0.1)
    store, conv_id = api.store, topic_id(api, "Just one")
    item_id = api.add_message(conv_id)
    text = store.items[conv_id][item_id]["text"]
    for user_id in (store.me, NOBODY, store.me):
        store.set_like(item_id, user_id)
    assert text["likedUserIds"] == [NOBODY, store.me]
    store.set_like(item_id, NOBODY, like=False)
    store.set_like(item_id, store.me, like=False)
    assert "likedUserIds" not in text


def test_only_topics_are_pinned() -> None:
    api = CircuitApi(scale=0.1)
    store, conv_id = api.store, topic_id(api, "Just one")
    [root] = store.items[conv_id]
    reply = store.add_text(conv_id, store.me, {"parentId": root, "content": "x"})
    with pytest.raises(Refusal):
        store.pin(conv_id, reply["itemId"])
    store.pin(conv_id, root, at=5)
    assert store.pins[conv_id][root]["pinnedTime"] == 5
    store.unpin(conv_id, root)
    with pytest.raises(Refusal):
        store.unpin(conv_id, root)


def test_moderators_are_granted_and_dropped() -> None:
    api = CircuitApi(scale=0.1)
    store, conv_id = api.store, api.add_conversation()
    store.set_moderators(conv_id, store.me, [store.me])
    assert store.rosters[conv_id][store.me] == "MODERATOR"
    store.set_moderators(conv_id, store.me, [store.me], moderate=False)
    assert store.rosters[conv_id][store.me] == "REGULAR"
