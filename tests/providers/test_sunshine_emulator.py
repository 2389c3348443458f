"""What the faked Sunshine Conversations answers, over real sockets."""

import hashlib
import hmac
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from attrs import evolve, frozen
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.sunshine.emulator import SunshineApi, SunshineSwitches
from conversations_hub.providers.sunshine.emulator.credentials import Key
from support import seeded

Record = dict[str, Any]
Query = dict[str, str]


def basic(key: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{key}:{secret}".encode()).decode()}


def jwt(key: str, secret: str, claims: Record | None = None, **header: str) -> dict[str, str]:
    parts = [{"alg": "HS256", "typ": "JWT", "kid": key, **header}, claims or {"scope": "app"}]
    signed = b".".join(urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts)
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    token = b".".join([signed, urlsafe_b64encode(signature).rstrip(b"=")])
    return {"Authorization": f"Bearer {token.decode()}"}


@frozen
class Caller:
    """Asks the served API as somebody with its key."""

    api: SunshineApi
    server: Server
    session: aiohttp.ClientSession

    async def ask(
        self,
        path: str,
        query: Query | None = None,
        headers: dict[str, str] | None = None,
        base: str | None = None,
    ) -> tuple[int, Record, Mapping[str, str]]:
        url = URL(f"{base or self.server.base_url}/v2/apps/{self.api.app_id}{path}", encoded=True)
        key = headers if headers is not None else basic(self.api.key.id, self.api.key.secret)
        async with self.session.get(url, params=query or {}, headers=key) as response:
            return response.status, await response.json(), response.headers

    async def get(self, path: str, query: Query | None = None) -> Record:
        status, body, _ = await self.ask(path, query)
        assert status == 200, body
        return body

    async def fails(
        self, path: str, query: Query | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        status, body, _ = await self.ask(path, query, headers)
        [error] = body["errors"]
        return status, error["code"]

    async def walk(
        self, path: str, key: str, size: int | None = None, query: Query | None = None
    ) -> list[Record]:
        """Follow a forward list to its end."""
        query = {**(query or {}), **({"page[size]": str(size)} if size else {})}
        found = []
        while True:
            body = await self.get(path, query)
            assert len(body[key]) <= (size or 25)
            found += body[key]
            assert len(found) < 1000, "the list does not end"
            if not body["meta"]["hasMore"]:
                return found
            query["page[after]"] = body["meta"]["afterCursor"]

    async def walk_back(self, conversation: str) -> list[Record]:
        """Read all messages, newest first."""
        found, query = [], {}
        while True:
            body = await self.get(f"/conversations/{conversation}/messages", query)
            found += sorted(body["messages"], key=lambda m: (m["received"], m["id"]), reverse=True)
            assert len(found) < 1000, "the list does not end"
            if not body.get("meta", {}).get("hasMore"):
                return found
            query = {"page[before]": body["meta"]["beforeCursor"]}


@asynccontextmanager
async def calling(api: SunshineApi) -> AsyncIterator[Caller]:
    server = Server(api)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(api, server, session)
    finally:
        await server.stop()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with calling(seeded("sunshine", scale=0.1)) as caller:
        yield caller


def switch(caller: Caller, **changes: Any) -> None:
    caller.api.switches = evolve(caller.api.switches, **changes)


def longest(api: SunshineApi) -> str:
    return max(api.conversation_ids(), key=lambda each: len(api.message_ids(each)))


def ids(records: Iterable[Record]) -> list[str]:
    return [record["id"] for record in records]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda k: basic(k.id, k.secret), id="basic"),
        pytest.param(lambda k: jwt(k.id, k.secret), id="token"),
        pytest.param(
            lambda k: jwt(k.id, k.secret, {"scope": "app", "exp": time.time() + 60}), id="exp"
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["/sc", ""])
async def test_the_key_opens(
    caller: Caller, header: Callable[[Key], dict[str, str]], prefix: str
) -> None:
    base = str(URL(caller.server.base_url).origin()) + prefix
    status, body, _ = await caller.ask("", headers=header(caller.api.key), base=base)
    assert (status, body["app"]["id"]) == (200, caller.api.app_id)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda k: {}, id="none"),
        pytest.param(lambda k: basic(k.id, "wrong"), id="secret"),
        pytest.param(lambda k: basic("app_0", k.secret), id="key"),
        pytest.param(lambda k: {"Authorization": "Basic =?"}, id="no base64"),
        pytest.param(lambda k: {"Authorization": f"Digest {k.id}"}, id="scheme"),
        pytest.param(lambda k: {"Authorization": "Bearer a.b"}, id="two parts"),
        pytest.param(lambda k: jwt(k.id, "wrong"), id="signature"),
        pytest.param(lambda k: jwt("app_0", k.secret), id="kid"),
        pytest.param(lambda k: jwt(k.id, k.secret, alg="none"), id="unsigned"),
        pytest.param(lambda k: jwt(k.id, k.secret, {"scope": "user"}), id="scope"),
        pytest.param(lambda k: jwt(k.id, k.secret, {"scope": "app", "exp": 1}), id="expired"),
    ],
)
async def test_strangers_stay_out(caller: Caller, header: Callable[[Key], dict[str, str]]) -> None:
    for path in ("", "/conversations/x", "/nowhere"):
        refused = await caller.fails(path, headers=header(caller.api.key))
        assert refused == (401, "unauthorized")


async def test_unknown_things(caller: Caller) -> None:
    user, conversation = caller.api.settings["user_ids"][0], caller.api.conversation_ids()[0]
    [integration, *_] = (await caller.get("/integrations"))["integrations"]
    expected = {
        "/nowhere": "not_found",
        "/conversations/x": "conversation_not_found",
        "/conversations/x/messages": "conversation_not_found",
        "/conversations/x/participants": "conversation_not_found",
        f"/conversations/{conversation}/messages/x": "not_found",
        "/users/x": "user_not_found",
        "/users/x/clients": "user_not_found",
        f"/users/{user}/x": "not_found",
        "/integrations/me": "integration_not_found",
        "/integrations/x/webhooks": "integration_not_found",
        f"/integrations/{integration['id']}/webhooks/x": "not_found",
    }
    found = {path: await caller.fails(path) for path in expected}
    assert found == {path: (404, code) for path, code in expected.items()}


async def test_another_app(caller: Caller) -> None:
    url = f"{caller.server.base_url}/v2/apps/{'0' * 24}/integrations"
    key = caller.api.key
    async with caller.session.get(url, headers=basic(key.id, key.secret)) as response:
        error = {"code": "app_not_found", "title": "App not found"}
        assert (response.status, await response.json()) == (404, {"errors": [error]})


def test_the_same_seed_is_the_same_app() -> None:
    one, other = SunshineApi(seed=3, scale=0.1), SunshineApi(seed=3, scale=0.1)
    assert one.settings == other.settings
    for api in (one, other):
        api.add_message(api.add_conversation())
    assert one.store == other.store
    assert SunshineApi(seed=4, scale=0.1).store != one.store


def test_how_much_there_is() -> None:
    api = SunshineApi()
    lengths = [len(api.message_ids(each)) for each in api.conversation_ids()]
    assert len(lengths) >= 120
    assert sum(lengths) >= 3000
    assert max(lengths) >= 450
    assert {0, 1} <= set(lengths)


def everything(api: SunshineApi) -> list[Record]:
    return [m for each in api.conversation_ids() for m in api.store.messages(each)]


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_every_kind_is_there(scale: float) -> None:
    api = SunshineApi(scale=scale)
    messages = everything(api)
    kinds = {m["content"]["type"] for m in messages if "content" in m}
    assert kinds == {
        *("text", "image", "file", "carousel", "list", "location"),
        *("form", "formResponse", "template"),
    }
    assert {m["deleted"] for m in messages if "deleted" in m} == {True, False, None}
    subtypes = {s for m in messages for s in m["author"].get("subtypes", ())}
    assert subtypes == {"AI", "activity", "agent", "bot"}
    assert {m["activity"]["type"] for m in messages if "activity" in m} == {
        *("ticket:closed", "ticket:transfer:email", "conversation:endedByUser"),
    }
    quoted = [m["quotedMessage"] for m in messages if m.get("quotedMessage")]
    assert {q["type"] for q in quoted} == {"message", "externalMessageId"}
    assert set(HARD_TEXTS) <= {m.get("content", {}).get("text") for m in messages}
    assert max(len(m.get("content", {}).get("text", "")) for m in messages) > 10_000
    conversations = api.store.conversations.values()
    assert {c["type"] for c in conversations} == {"personal", "sdkGroup"}
    assert any("createdAt" not in c for c in conversations)


def test_many_messages_at_the_same_moment() -> None:
    api = SunshineApi(scale=0.1)
    messages = api.store.messages(longest(api))
    [(_, most)] = Counter(m["received"] for m in messages).most_common(1)
    assert 50 < most < len(messages)


def test_ids_are_in_order_of_time() -> None:
    api = SunshineApi(scale=0.1)
    for each in api.conversation_ids():
        messages = api.store.messages(each)
        assert ids(messages) == sorted(ids(messages))
        received = [m["received"] for m in messages]
        assert received == sorted(received)
    assert {len(m["id"]) for m in everything(api)} == {24}


async def test_the_users_reach_every_conversation(caller: Caller) -> None:
    users = caller.api.settings["user_ids"]
    assert len(users) >= 12
    lists = [
        await caller.walk("/conversations", "conversations", query={"filter[userId]": user})
        for user in users
    ]
    assert all(sum(c["isDefault"] for c in each) == 1 and each[0]["isDefault"] for each in lists)
    reached = Counter(id_ for each in lists for id_ in ids(each))
    assert sorted(reached) == caller.api.conversation_ids()
    assert max(reached.values()) > 1


@pytest.mark.parametrize("size", [1, 7, None, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_forward_lists_are_complete(caller: Caller, size: int | None, order: str) -> None:
    switch(caller, list_order=order)
    user = caller.api.settings["user_ids"][0]
    paths = {
        f"/users/{user}/clients": ("clients", ids(caller.api.store.clients_of(user))),
        "/integrations": ("integrations", list(caller.api.store.integrations)),
    }
    for path, (key, expected) in paths.items():
        assert len(expected) > 25
        found = ids(await caller.walk(path, key, size))
        assert found == (expected if order == "asc" else expected[::-1])
    group = longest(caller.api)
    found = await caller.walk(f"/conversations/{group}/participants", "participants", size)
    assert ids(found) == caller.api.participant_ids(group)
    assert len(found) == 10


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_messages_run_backwards(caller: Caller, size: int | None, order: str) -> None:
    switch(caller, message_page=size, message_order=order)
    conversation = longest(caller.api)
    messages = await caller.walk_back(conversation)
    assert ids(messages) == caller.api.message_ids(conversation)


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_order_inside_a_page_of_messages(caller: Caller, order: str) -> None:
    switch(caller, message_order=order)
    conversation = longest(caller.api)
    newest = caller.api.message_ids(conversation)[:100]
    body = await caller.get(f"/conversations/{conversation}/messages", {"page[size]": "7"})
    assert ids(body["messages"]) == (newest if order == "desc" else newest[::-1])
    assert body["meta"] == {"hasMore": True, "beforeCursor": newest[-1]}


async def test_newer_messages(caller: Caller) -> None:
    switch(caller, message_page=10)
    conversation = longest(caller.api)
    oldest_first = caller.api.message_ids(conversation)[::-1]
    path = f"/conversations/{conversation}/messages"
    body = await caller.get(path, {"page[after]": oldest_first[-16]})
    assert ids(body["messages"]) == oldest_first[-15:-5]
    assert body["meta"]["hasMore"]
    body = await caller.get(path, {"page[after]": body["meta"]["afterCursor"]})
    assert ids(body["messages"]) == oldest_first[-5:]
    assert body["meta"] == {"hasMore": False, "beforeCursor": oldest_first[-5]}
    body = await caller.get(path, {"page[after]": oldest_first[-1]})
    assert body == {"messages": [], "meta": {"hasMore": False}}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_page_before(caller: Caller, order: str) -> None:
    switch(caller, list_order=order)
    whole = ids(await caller.walk("/integrations", "integrations"))
    body = await caller.get("/integrations", {"page[before]": whole[6], "page[size]": "4"})
    assert ids(body["integrations"]) == whole[2:6]
    cursors = {"afterCursor": whole[5], "beforeCursor": whole[2]}
    assert body["meta"] == {"hasMore": True, **cursors}


async def test_an_empty_and_a_short_list(caller: Caller) -> None:
    lengths = {len(caller.api.message_ids(c)): c for c in caller.api.conversation_ids()}
    for length in (0, 1):
        body = await caller.get(f"/conversations/{lengths[length]}/messages")
        assert (len(body["messages"]), body["meta"]) == (length, {"hasMore": False})
        assert "links" not in body


@pytest.mark.parametrize("foreign", [False, True])
async def test_links(caller: Caller, foreign: bool) -> None:
    switch(caller, foreign_links=foreign)
    user = caller.api.settings["user_ids"][0]
    query = {"filter[userId]": user, "page[size]": "1"}
    body = await caller.get("/conversations", query)
    assert set(body["links"]) == {"next"}
    link = URL(body["links"]["next"])
    assert (link.host == "127.0.0.1") is not foreign
    assert link.path == f"/sc/v2/apps/{caller.api.app_id}/conversations"
    assert dict(link.query) == {**query, "page[after]": body["meta"]["afterCursor"]}
    second = await caller.get("/conversations", dict(link.query))
    links = {name: dict(URL(link).query) for name, link in second["links"].items()}
    cursor = second["conversations"][0]["id"]
    expected = {"next": "page[after]", "prev": "page[before]"}
    assert links == {name: {**query, param: cursor} for name, param in expected.items()}


async def test_page_parameters_come_bare_or_encoded(caller: Caller) -> None:
    server, key = caller.server, caller.api.key
    answers = []
    for query in ("page[size]=2", "page%5Bsize%5D=2"):
        url = URL(
            f"{server.base_url}/v2/apps/{caller.api.app_id}/integrations?{query}", encoded=True
        )
        async with caller.session.get(url, headers=basic(key.id, key.secret)) as response:
            answers.append(ids((await response.json())["integrations"]))
    assert answers[0] == answers[1]
    assert len(answers[0]) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"page[size]": "0"},
        {"page[size]": "101"},
        {"page[size]": "ten"},
        {"page[after]": ""},
        {"page[after]": "short"},
        {"page[before]": "0" * 25},
        {"page[after]": "0" * 24, "page[before]": "0" * 24},
    ],
)
async def test_impossible_pages(caller: Caller, query: Query) -> None:
    switch(caller, unknown_cursor="position")
    status, body, _ = await caller.ask("/integrations", query)
    error = {"code": "bad_request", "title": "Invalid page query parameters"}
    assert (status, body) == (400, {"errors": [error]})


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({}, (400, "bad_request")),
        ({"filter[userId]": "x", "filter[userExternalId]": "x"}, (400, "bad_request")),
        ({"filter[userId]": "x"}, (404, "user_not_found")),
        ({"filter[userId]": "x", "page[size]": "0"}, (404, "user_not_found")),
        ({"filter[userId]": "crm/778"}, (404, "user_not_found")),
        ({"filter[userExternalId]": "crm-6"}, (404, "user_not_found")),
    ],
)
async def test_filters_of_conversations(
    caller: Caller, query: Query, answer: tuple[int, str]
) -> None:
    assert await caller.fails("/conversations", query) == answer


@pytest.mark.parametrize(
    "external_id", ["crm/778", "0123456789abcdef01234567", "ana+prieto@example.org", "kündé 12%"]
)
async def test_users_by_external_id(caller: Caller, external_id: str) -> None:
    [user] = [u for u in caller.api.store.users.values() if u.get("externalId") == external_id]
    segment = quote(external_id, safe="")
    assert (await caller.get(f"/users/{segment}"))["user"] == user
    assert (await caller.get(f"/users/{user['id']}"))["user"] == user
    body = await caller.get("/conversations", {"filter[userExternalId]": external_id})
    assert body["conversations"] == caller.api.store.conversations_of(user["id"])[:25]


async def test_an_external_id_is_unique_in_a_brand_only(caller: Caller) -> None:
    plain = (await caller.get("/users/crm-100"))["user"]
    branded = (await caller.get("/users/crm-100", {"brandId": "9477922990333"}))["user"]
    assert plain["id"] != branded["id"]
    assert branded["brandId"] == "9477922990333"


async def test_users_by_email(caller: Caller) -> None:
    async def find(email: str, **more: str) -> list[Record]:
        body = await caller.get("/users", {"filter[identities.email]": email, **more})
        assert set(body) == {"users"}
        return body["users"]

    assert len(await find("user0@example.org")) == 2
    assert await find("user6@example.org") == []
    assert await find("+15550100000") == []
    assert len(await find("user6@example.org", brandId="9477922990333")) == 1
    profile_only = "profile-user4@example.org"
    emails = [u["profile"].get("email") for u in caller.api.store.users.values()]
    assert profile_only in emails
    assert await find(profile_only) == []
    assert await caller.fails("/users") == (400, "bad_request")


async def test_integrations_and_webhooks(caller: Caller) -> None:
    whole = await caller.walk("/integrations", "integrations")
    query = {"filter[types]": "web,ios"}
    some = await caller.walk("/integrations", "integrations", query=query)
    assert some == [i for i in whole if i["type"] in ("web", "ios")]
    custom = next(i for i in whole if i["type"] == "custom")
    path = f"/integrations/{custom['id']}"
    assert (await caller.get(path)) == {"integration": custom}
    [webhook] = (await caller.get(f"{path}/webhooks"))["webhooks"]
    assert (await caller.get(f"{path}/webhooks/{webhook['id']}")) == {"webhook": webhook}
    assert webhook["secret"]
    assert custom["webhooks"] == [webhook]
    assert (await caller.get(f"/integrations/{some[0]['id']}/webhooks")) == {"webhooks": []}


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        pytest.param("full", ["meta", "links"], id="full"),
        pytest.param("bare", ["meta"], id="bare"),
        pytest.param("absent", [], id="absent"),
    ],
)
async def test_the_last_page(caller: Caller, kind: str, left: list[str]) -> None:
    switch(caller, last_page_meta=kind)
    size = {"page[size]": "20"}
    first = await caller.get("/integrations", size)
    cursor = first["meta"]["afterCursor"]
    last = await caller.get("/integrations", {**size, "page[after]": cursor})
    assert list(last) == ["integrations", *left]
    before = {"beforeCursor": last["integrations"][0]["id"]} if kind == "full" else {}
    assert last.get("meta", {"hasMore": False}) == {"hasMore": False, **before}


async def test_more_without_a_cursor(caller: Caller) -> None:
    switch(caller, more="cursorless")
    body = await caller.get("/integrations")
    assert body["meta"] == {"hasMore": True}
    assert "links" not in body


@pytest.mark.parametrize("way", ["after", "before"])
async def test_more_of_the_same(caller: Caller, way: str) -> None:
    switch(caller, more="looping", message_page=5)
    conversation = longest(caller.api)
    path = f"/conversations/{conversation}/messages"
    cursor = caller.api.message_ids(conversation)[2]
    body = await caller.get(path, {f"page[{way}]": cursor})
    assert body["meta"] == {"hasMore": True, f"{way}Cursor": cursor}


@pytest.mark.parametrize("kind", ["refused", "position"])
async def test_a_cursor_of_no_record(caller: Caller, kind: str) -> None:
    switch(caller, unknown_cursor=kind)
    conversation = longest(caller.api)
    path, cursor = f"/conversations/{conversation}/messages", {"page[before]": "f" * 24}
    if kind == "position":
        body = await caller.get(path, cursor)
        assert ids(body["messages"])[::-1] == caller.api.message_ids(conversation)[:100]
        assert (await caller.get("/integrations", cursor))["integrations"]
    else:
        assert await caller.fails(path, cursor) == (404, "not_found")
        assert await caller.fails("/integrations", cursor) == (400, "bad_request")


@pytest.mark.parametrize("kind", ["placeholder", "emptied", "removed"])
async def test_deleted_messages(caller: Caller, kind: str) -> None:
    switch(caller, deleted=kind)
    conversation = longest(caller.api)
    message = caller.api.message_ids(conversation)[3]
    caller.api.remove_message(conversation, message)
    served = {m["id"]: m for m in await caller.walk_back(conversation)}
    assert list(served) == caller.api.message_ids(conversation)
    if kind == "removed":
        assert message not in served
    else:
        assert served[message]["deleted"] is True
        empty = {"type": "text", "text": ""} if kind == "emptied" else None
        assert served[message].get("content") == empty


async def test_news_of_a_later_version(caller: Caller) -> None:
    path = f"/conversations/{longest(caller.api)}/messages"
    old = (await caller.get(path))["messages"][0]
    switch(caller, unknown_keys=True)
    message = (await caller.get(path))["messages"][0]
    assert all("novelty" in each for each in (message, message["author"], message["content"]))
    assert message["content"]["type"] == old["content"]["type"]
    switch(caller, unknown_keys=False, unknown_values=True)
    message = (await caller.get(path))["messages"][0]
    assert set(message) == set(old)
    assert message["content"]["type"] == message["author"]["type"] == "unheardOf"


@pytest.mark.parametrize("says_when", [True, False])
async def test_the_rate_is_limited_on_demand(caller: Caller, says_when: bool) -> None:
    switch(caller, rate_limit=2, rate_window=30, retry_after=says_when)
    answers = [await caller.ask("") for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    _, body, headers = answers[-1]
    assert body["errors"][0]["code"] == "too_many_requests"
    assert headers.get("Retry-After") == ("30" if says_when else None)
    switch(caller, rate_window=0)
    assert (await caller.ask(""))[0] == 200


async def test_a_message_arrives(caller: Caller) -> None:
    api, conversation = caller.api, longest(caller.api)
    before = {p["userId"]: p for p in await participants(caller, conversation)}
    known = {m["received"] for m in everything(api)}
    message = api.add_message(conversation)
    assert api.message_ids(conversation)[0] == message
    newest = (await caller.walk_back(conversation))[0]
    assert newest["id"] == message
    assert newest["received"] >= max(known)
    shown = (await caller.get(f"/conversations/{conversation}"))["conversation"]
    assert shown["lastUpdatedAt"] == newest["received"]
    for participant in await participants(caller, conversation):
        user = participant["userId"]
        unread = participant["unreadCount"] - before[user]["unreadCount"]
        assert unread == (user != newest["author"]["userId"])


async def participants(caller: Caller, conversation: str) -> list[Record]:
    return (await caller.get(f"/conversations/{conversation}/participants"))["participants"]


async def test_new_messages_do_not_move_older_pages(caller: Caller) -> None:
    switch(caller, message_page=10)
    conversation = longest(caller.api)
    expected = caller.api.message_ids(conversation)
    path = f"/conversations/{conversation}/messages"
    first = await caller.get(path)
    for _ in range(3):
        caller.api.add_message(conversation)
    second = await caller.get(path, {"page[before]": first["meta"]["beforeCursor"]})
    assert ids(second["messages"])[::-1] == expected[10:20]


async def test_a_conversation_begins(caller: Caller) -> None:
    conversation = caller.api.add_conversation()
    assert caller.api.conversation_ids()[-1] == conversation
    shown = (await caller.get(f"/conversations/{conversation}"))["conversation"]
    assert shown["isDefault"] is False
    [participant] = await participants(caller, conversation)
    query = {"filter[userId]": participant["userId"], "page[size]": "100"}
    mine = await caller.get("/conversations", query)
    assert ids(mine["conversations"])[-1] == conversation
    messages = [caller.api.add_message(conversation) for _ in range(20)]
    assert caller.api.message_ids(conversation) == messages[::-1]


async def test_messages_do_not_change(caller: Caller) -> None:
    conversation = longest(caller.api)
    before = await caller.walk_back(conversation)
    caller.api.edit_message(conversation, before[0]["id"])
    assert await caller.walk_back(conversation) == before


async def test_reading(caller: Caller) -> None:
    store, conversation = caller.api.store, longest(caller.api)
    user = store.participants(conversation)[0]["userId"]
    store.read_by_user(conversation, user)
    store.read_by_business(conversation)
    newest = store.messages(conversation)[-1]
    [mine] = [p for p in await participants(caller, conversation) if p["userId"] == user]
    assert (mine["unreadCount"], mine["lastRead"]) == (0, newest["received"])
    shown = (await caller.get(f"/conversations/{conversation}"))["conversation"]
    assert shown["businessLastRead"] >= newest["received"]
    assert shown["lastUpdatedAt"] == newest["received"]


async def test_coming_and_going(caller: Caller) -> None:
    store, conversation = caller.api.store, longest(caller.api)
    inside = [p["userId"] for p in store.participants(conversation)]
    newcomer = next(user for user in store.users if user not in inside)
    store.join(conversation, newcomer)
    assert (await participants(caller, conversation))[-1]["userId"] == newcomer
    assert store.leave(conversation, newcomer)
    assert not store.leave(conversation, newcomer)
    assert newcomer not in [p["userId"] for p in await participants(caller, conversation)]
    body = await caller.get("/conversations", {"filter[userId]": newcomer, "page[size]": "100"})
    assert conversation not in ids(body["conversations"])


async def test_deleting_a_conversation(caller: Caller) -> None:
    store, conversation = caller.api.store, longest(caller.api)
    store.delete_messages(conversation)
    assert all(m["deleted"] for m in await caller.walk_back(conversation))
    store.delete_conversation(conversation)
    gone = await caller.fails(f"/conversations/{conversation}")
    assert gone == (404, "conversation_not_found")
    assert conversation not in caller.api.conversation_ids()


def test_what_a_client_is_told() -> None:
    api = SunshineApi(scale=0.1)
    assert set(api.settings) == {"app_id", "key_id", "secret", "user_ids"}
    assert set(api.arguments) == {"app_id", "key_id", "secret", "users"}
    assert api.settings["secret"] not in repr(api.key)


@pytest.mark.parametrize("wrong", [{"message_page": 0}, {"rate_limit": -1}], ids=["page", "limit"])
def test_impossible_switches(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SunshineSwitches(**wrong)
