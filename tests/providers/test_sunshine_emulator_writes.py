"""What the faked Sunshine Conversations does when it is written to, over real sockets."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from attrs import evolve, frozen
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.sunshine.emulator import SunshineApi
from support import seeded

Record = dict[str, Any]
NOBODY = "0" * 24
BUSINESS = {"type": "business", "displayName": "Hub"}


def basic(key: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{key}:{secret}".encode()).decode()}


def jwt(key: str, secret: str, scope: str) -> dict[str, str]:
    parts = [{"alg": "HS256", "typ": "JWT", "kid": key}, {"scope": scope}]
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

    @property
    def key(self) -> dict[str, str]:
        return basic(self.api.key.id, self.api.key.secret)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> tuple[int, Record]:
        url = URL(f"{self.server.base_url}/v2/apps/{self.api.app_id}{path}", encoded=True)
        headers = self.key if headers is None else headers
        if body is not None:
            more["json"] = body
        async with self.session.request(method, url, headers=headers, **more) as response:
            return response.status, await response.json()

    async def get(self, path: str, **query: str) -> Record:
        status, body = await self.ask("GET", path, params=query)
        assert status == 200, body
        return body

    async def does(self, method: str, path: str, body: Any = None, **more: Any) -> Record:
        status, answer = await self.ask(method, path, body, **more)
        assert status == 200, answer
        return answer

    async def makes(self, path: str, body: Any, **more: Any) -> Record:
        status, answer = await self.ask("POST", path, body, **more)
        assert status == 201, answer
        return answer

    async def fails(
        self, method: str, path: str, body: Any = None, **more: Any
    ) -> tuple[int, str, str]:
        status, answer = await self.ask(method, path, body, **more)
        assert set(answer) == {"errors"}, answer
        [error] = answer["errors"]
        assert set(error) == {"code", "title"}
        return status, error["code"], error["title"]

    async def post(self, conversation: str, content: Record | str, **more: Any) -> Record:
        content = {"type": "text", "text": content} if isinstance(content, str) else content
        body = {"author": BUSINESS, "content": content, **more}
        [message] = (await self.makes(f"/conversations/{conversation}/messages", body))["messages"]
        return message

    async def refuses(self, conversation: str, content: Record | None, **more: Any) -> str:
        content = {"type": "text", "text": "Hello"} if content is None else content
        body = {"author": BUSINESS, "content": content, **more}
        answer = await self.fails("POST", f"/conversations/{conversation}/messages", body)
        assert answer[:2] == (400, "bad_request")
        return answer[2]

    async def messages(self, conversation: str) -> list[Record]:
        return (await self.get(f"/conversations/{conversation}/messages"))["messages"]

    async def participants(self, conversation: str) -> dict[str, Record]:
        body = await self.get(f"/conversations/{conversation}/participants")
        return {each["userId"]: each for each in body["participants"]}

    async def new_user(self, **fields: Any) -> Record:
        return (await self.makes("/users", fields))["user"]

    async def new_conversation(self, kind: str = "personal", *users: str, **fields: Any) -> Record:
        names = [{"userId": user} for user in users]
        body = {"type": kind, "participants": names, **fields}
        return (await self.makes("/conversations", body))["conversation"]

    async def upload(self, data: bytes, name: str = "a.bin", **more: Any) -> tuple[int, Record]:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("source", data, filename=name, content_type=more.pop("content_type", None))
        query = more.pop("query", {"access": "public"})
        return await self.ask("POST", "/attachments", data=form, params=query, **more)

    async def download(self, url: str, *, key: bool = True) -> tuple[int, bytes, str]:
        headers = self.key if key else {}
        async with self.session.get(URL(url, encoded=True), headers=headers) as response:
            return response.status, await response.read(), response.headers["Content-Type"]


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    server = Server(seeded("sunshine", scale=0))
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(server.api, server, session)
    finally:
        await server.stop()


@pytest.fixture
def group(caller: Caller) -> str:
    """A group with room."""
    return next(
        each
        for each, record in caller.api.store.conversations.items()
        if record["type"] == "sdkGroup" and len(caller.api.store.participants(each)) < 8
    )


@pytest.fixture
def personal(caller: Caller) -> str:
    return next(
        each
        for each, record in caller.api.store.conversations.items()
        if record["type"] == "personal" and not record["isDefault"]
    )


def switch(caller: Caller, **changes: Any) -> None:
    caller.api.switches = evolve(caller.api.switches, **changes)


def member(caller: Caller, conversation: str) -> str:
    return caller.api.store.participants(conversation)[0]["userId"]


def stranger(caller: Caller, conversation: str) -> str:
    inside = {each["userId"] for each in caller.api.store.participants(conversation)}
    return next(user for user in caller.api.store.users if user not in inside)


def is_now(time: str, since: datetime) -> bool:
    moment = datetime.fromisoformat(time)
    return (
        time.endswith("Z") and len(time) == 24 and since <= moment <= max(since, datetime.now(UTC))
    )


@pytest.fixture
def start(caller: Caller) -> datetime:
    return caller.api.store.now()


WRITES = [
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/attachments"),
    ("POST", "/attachments/remove"),
    ("POST", "/conversations"),
    ("PATCH", "/conversations/x"),
    ("DELETE", "/conversations/x"),
    *(
        ("POST", f"/conversations/x/{action}")
        for action in (
            *("join", "leave", "activity", "download", "conversionEvents", "messages"),
            *("passControl", "offerControl", "acceptControl", "releaseControl"),
        )
    ),
    ("DELETE", "/conversations/x/messages"),
    ("DELETE", "/conversations/x/messages/x"),
    ("POST", "/users"),
    ("PATCH", "/users/x"),
    ("DELETE", "/users/x"),
    ("DELETE", "/users/x/personalinformation"),
    ("POST", "/users/x/sync"),
    ("POST", "/users/x/clients"),
    ("DELETE", "/users/x/clients/x"),
    ("POST", "/integrations"),
    ("PATCH", "/integrations/x"),
    ("DELETE", "/integrations/x"),
    ("GET", "/integrations/x/keys"),
    ("POST", "/integrations/x/keys"),
    ("GET", "/integrations/x/keys/x"),
    ("DELETE", "/integrations/x/keys/x"),
    ("POST", "/integrations/x/webhooks"),
    ("PATCH", "/integrations/x/webhooks/x"),
    ("DELETE", "/integrations/x/webhooks/x"),
]


async def test_strangers_write_nothing(caller: Caller) -> None:
    for method, path in WRITES:
        for headers in ({}, basic(caller.api.key.id, "wrong")):
            answer = await caller.fails(method, path, {}, headers=headers)
            assert answer == (401, "unauthorized", "Authorization is required")


async def test_what_is_not_there_comes_before_what_is_wrong(caller: Caller) -> None:
    for method, path in WRITES:
        if "/x" in path:
            kind = path.split("/")[1].rstrip("s")
            answer = await caller.fails(method, path, {"type": 1})
            assert answer == (404, f"{kind}_not_found", f"{kind.capitalize()} not found")
    root = f"{caller.server.base_url}/v2/apps/{NOBODY}/users"
    async with caller.session.post(root, json={}, headers=caller.key) as response:
        assert (response.status, (await response.json())["errors"][0]["code"]) == (
            404,
            "app_not_found",
        )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="broken"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"x"', id="a text"),
        pytest.param(b'{"type": "personal", "x": NaN}', id="NaN"),
        pytest.param(b'{"type": "personal", "x": 1e999}', id="infinite"),
        pytest.param(b'{"type": "personal", "x": "\\ud800"}', id="half a pair"),
        pytest.param(b'{"type": "personal", "x": "\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 90_000, id="deep"),
    ],
)
async def test_bodies_that_are_none(caller: Caller, raw: bytes) -> None:
    headers = {**caller.key, "Content-Type": "application/json"}
    answer = await caller.fails("POST", "/conversations", data=raw, headers=headers)
    assert answer[:2] == (400, "bad_request")


async def test_bodies_are_json_and_not_too_long(caller: Caller) -> None:
    body = json.dumps({"externalId": "new"}).encode()
    headers = {**caller.key, "Content-Type": "text/plain"}
    answer = await caller.fails("POST", "/users", data=body, headers=headers)
    assert answer == (400, "bad_request", "Content-Type must be application/json")
    headers["Content-Type"] = "application/json; charset=utf-8"
    assert (await caller.ask("POST", "/users", data=body, headers=headers))[0] == 201
    answer = await caller.fails("POST", "/users", {"metadata": {"x": "x" * 102_400}})
    assert answer[:2] == (413, "payload_too_large")


async def test_everything_that_is_wrong_is_said(caller: Caller) -> None:
    body = {"externalId": 1, "profile": {"email": "x"}, "toBeRetained": "yes"}
    status, answer = await caller.ask("POST", "/users", body)
    assert status == 400
    assert [each["code"] for each in answer["errors"]] == ["bad_request"] * 3
    assert [each["title"].split()[0] for each in answer["errors"]] == [
        *("externalId", "profile.email", "toBeRetained"),
    ]


@pytest.mark.parametrize("how", ["ignored", "refused"])
async def test_fields_that_are_not_documented(caller: Caller, personal: str, how: str) -> None:
    switch(caller, unknown_fields=how)
    path, body = f"/conversations/{personal}", {"displayName": "New", "type": "sdkGroup"}
    if how == "refused":
        answer = await caller.fails("PATCH", path, body)
        assert answer == (400, "bad_request", "type is not allowed")
    else:
        shown = (await caller.does("PATCH", path, body))["conversation"]
        assert (shown["displayName"], shown["type"]) == ("New", "personal")


async def test_writing_works_without_the_prefix(caller: Caller, personal: str) -> None:
    url = f"{URL(caller.server.base_url).origin()}/v2/apps/{caller.api.app_id}"
    body = {"author": BUSINESS, "content": {"type": "text", "text": "x"}}
    path = f"{url}/conversations/{personal}/messages"
    async with caller.session.post(path, json=body, headers=caller.key) as response:
        assert response.status == 201


async def test_a_conversation_begins(caller: Caller, start: datetime) -> None:
    user = await caller.new_user()
    looks = {
        "displayName": "Ré\u0301sumé 👩🏽‍⚖️",
        "description": "What it is about",
        "iconUrl": "https://example.org/i.png",
        "metadata": {"a": "1", "b": 2, "c": True},
    }
    first = await caller.new_conversation("personal", user["id"], **looks)
    second = await caller.new_conversation("personal", user["id"], displayName=None)
    assert first == {
        **looks,
        "id": first["id"],
        "type": "personal",
        "isDefault": True,
        **dict.fromkeys(("lastUpdatedAt", "createdAt"), first["createdAt"]),
    }
    assert is_now(first["createdAt"], start)
    assert set(second) == {"id", "type", "isDefault", "lastUpdatedAt", "createdAt"}
    assert second["isDefault"] is False
    assert (await caller.get(f"/conversations/{first['id']}"))["conversation"] == first
    listed = await caller.get("/conversations", **{"filter[userId]": user["id"]})
    assert listed["conversations"] == [first, second]
    assert caller.api.conversation_ids()[-2:] == [first["id"], second["id"]]
    assert await caller.messages(first["id"]) == []
    [participant] = (await caller.participants(first["id"])).values()
    assert {"unreadCount": 0, "clientAssociations": []}.items() <= participant.items()


async def test_a_group_begins(caller: Caller) -> None:
    users = list(caller.api.store.users)[:10]
    group = await caller.new_conversation("sdkGroup", *users)
    assert set(await caller.participants(group["id"])) == set(users)
    assert group["isDefault"] is False
    body = {"type": "sdkGroup", "participants": [{"userExternalId": "crm/778"}]}
    by_name = (await caller.makes("/conversations", body))["conversation"]
    [one] = (await caller.participants(by_name["id"])).values()
    assert one["userExternalId"] == "crm/778"
    empty = (await caller.makes("/conversations", {"type": "sdkGroup"}))["conversation"]
    assert await caller.participants(empty["id"]) == {}


LONG = {"displayName": 101, "description": 101}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no type"),
        pytest.param({"type": "group"}, id="type"),
        pytest.param({"type": "personal"}, id="nobody"),
        pytest.param({"type": "personal", "participants": "u"}, id="no list"),
        pytest.param({"type": "sdkGroup", "participants": [{}]}, id="who"),
        pytest.param(
            {"type": "sdkGroup", "participants": [{"userId": "x", "userExternalId": "x"}]},
            id="both",
        ),
        *(
            pytest.param({"type": "sdkGroup", name: "x" * length}, id=name)
            for name, length in LONG.items()
        ),
        pytest.param({"type": "sdkGroup", "displayName": ""}, id="empty"),
        pytest.param({"type": "sdkGroup", "iconUrl": "x"}, id="icon"),
        pytest.param({"type": "sdkGroup", "metadata": {"x": {}}}, id="deep metadata"),
        pytest.param({"type": "sdkGroup", "metadata": {"x": None}}, id="null metadata"),
        pytest.param({"type": "sdkGroup", "metadata": {"x": "é" * 2045}}, id="long metadata"),
    ],
)
async def test_conversations_that_cannot_begin(caller: Caller, body: Record) -> None:
    before = caller.api.conversation_ids()
    assert (await caller.fails("POST", "/conversations", body))[:2] == (400, "bad_request")
    assert caller.api.conversation_ids() == before


async def test_how_many_take_part(caller: Caller) -> None:
    users = [{"userId": user} for user in list(caller.api.store.users)[:11]]
    for kind, number in (("personal", 2), ("sdkGroup", 11)):
        body = {"type": kind, "participants": users[:number]}
        answer = await caller.fails("POST", "/conversations", body)
        assert answer[:2] == (400, "bad_request")
    body = {"type": "sdkGroup", "participants": [{"userId": NOBODY}]}
    answer = await caller.fails("POST", "/conversations", body)
    assert answer == (404, "user_not_found", "User not found")


async def test_metadata_of_4096_bytes(caller: Caller) -> None:
    fits = {"x": "é" * 2044}  # the rest is {"x":""}
    assert len(json.dumps(fits, ensure_ascii=False, separators=(",", ":")).encode()) == 4096
    assert (await caller.new_conversation("sdkGroup", metadata=fits))["metadata"] == fits
    body = {"type": "sdkGroup", "metadata": {"x": "é" * 2044 + "e"}}
    answer = await caller.fails("POST", "/conversations", body)
    assert answer[2] == "Conversation metadata is limited to 4096 bytes in size."


@pytest.mark.parametrize("how", ["merge", "replace"])
async def test_a_conversation_changes(caller: Caller, personal: str, how: str) -> None:
    switch(caller, metadata_patch=how)
    path = f"/conversations/{personal}"
    await caller.does("PATCH", path, {"displayName": "Old", "metadata": {"a": 1, "b": 2}})
    before = (await caller.get(path))["conversation"]
    answer = await caller.does(
        "PATCH", path, {"description": "D", "displayName": None, "metadata": {"b": "é"}}
    )
    metadata = {"a": 1, "b": "é"} if how == "merge" else {"b": "é"}
    expected = {**before, "description": "D", "metadata": metadata}
    del expected["displayName"]
    assert answer == {"conversation": expected} == await caller.get(path)
    assert "metadata" not in (await caller.does("PATCH", path, {"metadata": None}))["conversation"]
    assert (await caller.fails("PATCH", path, {"description": ""}))[0] == 400


async def test_a_conversation_goes(caller: Caller, personal: str) -> None:
    user = member(caller, personal)
    assert await caller.does("DELETE", f"/conversations/{personal}") == {}
    for method in ("GET", "DELETE"):
        answer = await caller.fails(method, f"/conversations/{personal}")
        assert answer == (404, "conversation_not_found", "Conversation not found")
    listed = await caller.get("/conversations", **{"filter[userId]": user, "page[size]": "100"})
    assert personal not in {each["id"] for each in listed["conversations"]}


async def test_the_default_conversation_stays(caller: Caller) -> None:
    default = next(c["id"] for c in caller.api.store.conversations.values() if c["isDefault"])
    title = f"Conversation {default} cannot be deleted because it is the default."
    answer = await caller.fails("DELETE", f"/conversations/{default}")
    assert answer == (400, "bad_request", title)
    assert await caller.does("DELETE", f"/conversations/{default}/messages") == {}
    assert all(each["deleted"] for each in await caller.messages(default))


async def test_joining_and_leaving(caller: Caller, group: str) -> None:
    path, user = f"/conversations/{group}", stranger(caller, group)
    body = {"userId": user, "subscribeSDKClient": True}
    participant = (await caller.makes(f"{path}/join", body))["participant"]
    assert {"id", "userId", "unreadCount", "clientAssociations"} <= set(participant)
    assert (await caller.participants(group))[user] == participant
    query = {"filter[userId]": user, "page[size]": "100"}
    assert group in {
        c["id"] for c in (await caller.get("/conversations", **query))["conversations"]
    }
    assert await caller.does("POST", f"{path}/leave", {"userId": user}) == {}
    assert user not in await caller.participants(group)
    gone = (404, "not_found", "User is not a member of the conversation")
    for body in ({"userId": user}, {"participantId": participant["id"]}):
        assert await caller.fails("POST", f"{path}/leave", body) == gone


@pytest.mark.parametrize("name", ["participantId", "userExternalId"])
async def test_leaving_by_another_id(caller: Caller, group: str, name: str) -> None:
    user = await caller.new_user(externalId="new/1")
    join, leave = (f"/conversations/{group}/{action}" for action in ("join", "leave"))
    participant = (await caller.makes(join, {"userExternalId": "new/1"}))["participant"]
    assert participant["userExternalId"] == "new/1"
    value = participant["id"] if name == "participantId" else "new/1"
    await caller.does("POST", leave, {name: value})
    assert user["id"] not in await caller.participants(group)


async def test_who_cannot_join_or_leave(caller: Caller, group: str, personal: str) -> None:
    for action in ("join", "leave"):
        path = f"/conversations/{group}/{action}"
        for body in ({}, {"userId": "x", "userExternalId": "x"}, {"userId": 1}):
            assert (await caller.fails("POST", path, body))[:2] == (400, "bad_request")
        answer = await caller.fails("POST", path, {"userId": NOBODY})
        assert answer == (404, "user_not_found", "User not found")
        body = {"userId": member(caller, personal)}
        answer = await caller.fails("POST", f"/conversations/{personal}/{action}", body)
        assert answer[:2] == (400, "bad_request")
    full = next(
        each
        for each in caller.api.store.conversations
        if len(caller.api.store.participants(each)) == 10
    )
    body = {"userId": stranger(caller, full)}
    answer = await caller.fails("POST", f"/conversations/{full}/join", body)
    assert answer == (400, "bad_request", "Too many participants")


@pytest.mark.parametrize("how", ["refused", "repeated"])
async def test_joining_again(caller: Caller, group: str, how: str) -> None:
    switch(caller, rejoin=how)
    user, path = member(caller, group), f"/conversations/{group}/join"
    before = await caller.participants(group)
    if how == "refused":
        assert (await caller.fails("POST", path, {"userId": user}))[:2] == (400, "bad_request")
    else:
        assert await caller.makes(path, {"userId": user}) == {"participant": before[user]}
    assert await caller.participants(group) == before


async def test_a_message_of_the_business(caller: Caller, group: str, start: datetime) -> None:
    before = await caller.participants(group)
    author = {**BUSINESS, "avatarUrl": "https://example.org/a.png", "subtypes": ["AI"]}
    message = await caller.post(group, "Thanks!", author=author, metadata={"key": "a1"})
    assert message == {
        "id": message["id"],
        "received": message["received"],
        "author": author,
        "content": {"type": "text", "text": "Thanks!"},
        "source": {"type": "api:conversations"},
        "metadata": {"key": "a1"},
    }
    assert is_now(message["received"], start)
    assert (await caller.messages(group))[-1] == message == caller.api.messages_of(group)[-1]
    shown = (await caller.get(f"/conversations/{group}"))["conversation"]
    assert shown["lastUpdatedAt"] == message["received"]
    after = await caller.participants(group)
    assert [p["unreadCount"] + 1 for p in before.values()] == [
        p["unreadCount"] for p in after.values()
    ]


@pytest.mark.parametrize("named", ["userId", "userExternalId", "brandId"])
async def test_a_message_of_a_user(caller: Caller, group: str, named: str) -> None:
    fields = {"externalId": "new/1", "profile": {"givenName": "Ana", "surname": "Prieto"}}
    if named == "brandId":
        fields["brandId"] = "77"
    user = await caller.new_user(**fields)
    await caller.makes(f"/conversations/{group}/join", {"userId": user["id"]})
    name = {"userId": user["id"]} if named == "userId" else {"userExternalId": "new/1"}
    brand = {"brandId": "77"} if named == "brandId" else {}
    message = await caller.post(group, "Hello", author={"type": "user", **name, **brand})
    assert message["author"] == {
        "type": "user",
        "userId": user["id"],
        "displayName": "Ana Prieto",
    }
    assert (await caller.participants(group))[user["id"]]["unreadCount"] == 0


async def test_authors_that_cannot_be(caller: Caller, personal: str) -> None:
    user, other = member(caller, personal), stranger(caller, personal)
    authors = [
        {},
        {"type": "bot"},
        {"type": "user"},
        {"type": "user", "userId": other},
        {"type": "user", "userId": user, "userExternalId": "x"},
        {"type": "business", "userId": user},
        {"type": "business", "subtypes": ["agent"]},
        {"type": "business", "subtypes": []},
        {"type": "business", "avatarUrl": "x"},
    ]
    before = caller.api.messages_of(personal)
    for author in authors:
        assert await caller.refuses(personal, None, author=author)
    body = {"author": {"type": "user", "userId": NOBODY}, "content": {"type": "text", "text": ""}}
    answer = await caller.fails("POST", f"/conversations/{personal}/messages", body)
    assert answer == (404, "user_not_found", "User not found")
    assert caller.api.messages_of(personal) == before


@pytest.mark.parametrize("text", [*HARD_TEXTS, "\x00\x1f\u2028\ufffe", "x" * 4096, "😀" * 4096])
async def test_texts_survive(caller: Caller, personal: str, text: str) -> None:
    message = await caller.post(personal, text[:4096], metadata={"key é": text[:500]})
    assert message["content"]["text"] == text[:4096]
    assert (await caller.messages(personal))[-1] == message


POSTBACK = {"type": "postback", "text": "Later", "payload": "LATER"}
LINK = {"type": "link", "text": "Terms", "uri": "https://example.org/terms", "default": True}
ITEM = {"title": "Kettle", "description": "1.7 litres", "actions": [POSTBACK, LINK]}
FIELD = {"type": "text", "name": "n", "label": "Name", "placeholder": "Ada", "minSize": 1}
WEBVIEW = {
    "type": "webview",
    "text": "W",
    "uri": "https://x.example",
    "fallback": "https://y.example",
}
PICTURE = "https://example.org/a%20b/kettle.jpg"
NOISY = [{**POSTBACK, "uri": ""}, LINK]
CARD_TEXT = "1. Kettle\n1.7 litres\nTerms: https://example.org/terms"


@pytest.mark.parametrize(
    ("content", "added"),
    [
        pytest.param(
            {"type": "text", "text": "a & b", "htmlText": "<b>a &amp; b</b>", "payload": "P"},
            {},
            id="both",
        ),
        pytest.param(
            {"type": "text", "htmlText": "<p>Hello &amp;<br>bye</p>"},
            {"text": "Hello &\nbye"},
            id="html",
        ),
        pytest.param(
            {"type": "text", "text": "?", "actions": [POSTBACK, LINK, WEBVIEW]},
            {"actions": [*NOISY, WEBVIEW]},
            id="actions",
        ),
        pytest.param(
            {
                "type": "text",
                "blockChatInput": True,
                "actions": [
                    {"type": "buy", "text": "Pay", "amount": 8000, "currency": "eur"},
                    {"type": "reply", "text": "Yes", "payload": "YES", "metadata": {"n": 1}},
                    {"type": "locationRequest", "text": "Where?"},
                ],
            },
            {},
            id="actions alone",
        ),
        pytest.param(
            {"type": "image", "mediaUrl": PICTURE, "text": "Here", "actions": [LINK]},
            {"mediaType": "image/jpeg", "altText": "kettle.jpg"},
            id="image",
        ),
        pytest.param(
            {"type": "file", "mediaUrl": "https://example.org/x", "altText": "X"},
            {"mediaType": "application/octet-stream"},
            id="file",
        ),
        pytest.param(
            {
                "type": "carousel",
                "items": [{**ITEM, "mediaUrl": PICTURE, "size": "large"}, ITEM],
                "displaySettings": {"imageAspectRatio": "square"},
            },
            {
                "text": f"{CARD_TEXT}\n\n2{CARD_TEXT[1:]}",
                "items": [
                    {
                        **ITEM,
                        "mediaUrl": PICTURE,
                        "size": "large",
                        "mediaType": "image/jpeg",
                        "actions": NOISY,
                    },
                    {**ITEM, "actions": NOISY},
                ],
            },
            id="carousel",
        ),
        pytest.param(
            {"type": "list", "items": [ITEM], "actions": [POSTBACK]},
            {"text": CARD_TEXT, "items": [{**ITEM, "actions": NOISY}], "actions": NOISY[:1]},
            id="list",
        ),
        pytest.param(
            {
                "type": "location",
                "coordinates": {"lat": 45.5, "long": -73},
                "location": {"name": "Montréal"},
            },
            {"text": "Location shared:\nhttps://maps.google.com/maps?q=45.5,-73"},
            id="location",
        ),
        pytest.param(
            {
                "type": "form",
                "text": "Before we begin",
                "fields": [
                    FIELD,
                    {"type": "email", "name": "e", "label": "E-mail"},
                    {
                        "type": "select",
                        "name": "s",
                        "label": "S",
                        "options": [{"name": "a", "label": "A"}],
                    },
                ],
            },
            {"submitted": False},
            id="form",
        ),
    ],
)
async def test_content_of_every_type(
    caller: Caller, personal: str, content: Record, added: Record
) -> None:
    message = await caller.post(personal, content)
    assert message["content"] == {**content, **added}
    assert (await caller.messages(personal))[-1] == message


async def test_a_template(caller: Caller, personal: str) -> None:
    content = {"type": "template", "template": {"name": "n", "language": {"code": "pt"}}}
    message = await caller.post(personal, content, schema="whatsapp")
    assert message["content"] == content
    assert "schema" not in message
    assert "schema" in await caller.refuses(personal, content)


async def test_markdown_becomes_html(caller: Caller, personal: str) -> None:
    markdown = "# Hi & bye\n\n**bold** *em* `x < y`\n[here](https://example.org)"
    message = await caller.post(personal, {"type": "text", "markdownText": markdown})
    assert message["content"] == {
        "type": "text",
        "htmlText": "<h1>Hi &amp; bye</h1><p><strong>bold</strong> <em>em</em> "
        '<code>x &lt; y</code><br><a href="https://example.org">here</a></p>',
        "text": "Hi & bye\nbold em x < y\nhere",
    }
    kept = await caller.post(personal, {"type": "text", "markdownText": "*a*", "text": "b"})
    assert kept["content"] == {"type": "text", "htmlText": "<p><em>a</em></p>", "text": "b"}
    title = await caller.refuses(personal, {"type": "text", "markdownText": "&" * 4096})
    assert "htmlText" in title


MEDIA = {"type": "image", "mediaUrl": PICTURE}
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"type": "text"}, "one of text"),
        ({**TEXT, "text": "x" * 4097}, "content.text"),
        ({**TEXT, "text": None}, "content.text"),
        ({**TEXT, "htmlText": "x" * 4097}, "content.htmlText"),
        ({**TEXT, "htmlText": "x", "markdownText": "x"}, "markdownText"),
        ({**TEXT, "actions": {}}, "content.actions"),
        ({**TEXT, "actions": [{"type": "buy", "text": "x"}]}, "content.actions[0].amount"),
        ({**TEXT, "actions": [{"type": "dance"}]}, "content.actions[0].type"),
        ({**TEXT, "blockChatInput": "yes"}, "content.blockChatInput"),
        ({"type": "email"}, "content.type"),
        ({"type": ["text"]}, "content.type"),
        ({"type": "formResponse", "fields": [FIELD]}, "content.type"),
        ({"type": "image"}, "content.mediaUrl"),
        ({**MEDIA, "mediaUrl": "ftp://example.org/x"}, "content.mediaUrl"),
        ({**MEDIA, "altText": "x" * 129}, "content.altText"),
        ({**MEDIA, "type": "file", "text": "x" * 4097}, "content.text"),
        ({"type": "carousel", "items": []}, "content.items"),
        ({"type": "carousel", "items": [ITEM] * 11}, "content.items"),
        ({"type": "carousel", "items": [{**ITEM, "title": "x" * 129}]}, "content.items[0].title"),
        ({"type": "list", "items": [{**ITEM, "actions": []}]}, "content.items[0].actions"),
        ({"type": "list", "items": [{**ITEM, "actions": [LINK] * 4}]}, "content.items[0].actions"),
        ({"type": "list", "items": [ITEM], "actions": [LINK] * 11}, "content.actions"),
        (
            {"type": "list", "items": [ITEM], "actions": [{"type": "reply", "text": "x"}]},
            "content.actions[0].type",
        ),
        ({"type": "location", "coordinates": {"lat": "1", "long": 2}}, "content.coordinates.lat"),
        ({"type": "form", "fields": []}, "content.fields"),
        ({"type": "form", "fields": [FIELD, FIELD]}, "unique"),
        ({"type": "form", "fields": [{**FIELD, "maxSize": 257}]}, "content.fields[0].maxSize"),
        ({"type": "form", "fields": [{**FIELD, "type": "date"}]}, "content.fields[0].type"),
    ],
)
async def test_content_that_is_refused(
    caller: Caller, personal: str, content: Record, names: str
) -> None:
    before = caller.api.messages_of(personal)
    assert names in await caller.refuses(personal, content)
    assert caller.api.messages_of(personal) == before


async def test_what_a_message_needs(caller: Caller, personal: str) -> None:
    path = f"/conversations/{personal}/messages"
    for body in ({"author": BUSINESS}, {"content": TEXT}):
        assert "is required" in (await caller.fails("POST", path, body))[2]
    for more in ({"metadata": {"x": []}}, {"schema": "x"}, {"override": {"line": {"payload": 1}}}):
        assert next(iter(more)) in await caller.refuses(personal, None, **more)
    override = {"line": {"payload": {"type": "text"}}}
    assert "override" not in await caller.post(personal, "x", override=override, metadata=None)


async def test_destinations(caller: Caller) -> None:
    user = await caller.new_user()
    personal = (await caller.new_conversation("personal", user["id"]))["id"]
    silent = await caller.post(personal, "psst", destination={"integrationType": "none"})
    assert (await caller.messages(personal)) == [silent]
    assert (await caller.participants(personal))[user["id"]]["unreadCount"] == 0
    assert await caller.refuses(personal, None, destination={"integrationType": "whatsapp"})
    channel = next(i for i in caller.api.store.integrations.values() if i["type"] == "whatsapp")
    client = caller.api.store.add_client(user["id"], "whatsapp", integrationId=channel["id"])
    caller.api.store.participants(personal)[0]["clientAssociations"] = [
        {"type": "whatsapp", "clientId": client["id"]}
    ]
    for destination in ({"integrationType": "whatsapp"}, {"integrationId": channel["id"]}):
        await caller.post(personal, "x", destination=destination)
    assert (await caller.participants(personal))[user["id"]]["unreadCount"] == 2
    for destination in (
        {},
        {"integrationId": NOBODY},
        {"integrationId": "x", "integrationType": "y"},
    ):
        assert await caller.refuses(personal, None, destination=destination)


async def test_destinations_are_for_the_business_in_personal_conversations(
    caller: Caller, group: str, personal: str
) -> None:
    silent = {"integrationType": "none"}
    assert await caller.refuses(group, None, destination=silent)
    author = {"type": "user", "userId": member(caller, personal)}
    assert await caller.refuses(personal, None, destination=silent, author=author)


async def test_a_conversation_is_full(caller: Caller) -> None:
    user = await caller.new_user()
    conversation = (await caller.new_conversation("personal", user["id"]))["id"]
    switch(caller, message_limit=2)
    first = await caller.post(conversation, "1")
    await caller.post(conversation, "2")
    path, body = f"/conversations/{conversation}/messages", {"author": BUSINESS, "content": TEXT}
    full = (423, "locked", "Message limit of 2 per conversation reached.")
    assert await caller.fails("POST", path, body) == full
    await caller.does("DELETE", f"{path}/{first['id']}")
    await caller.post(conversation, "3")
    assert await caller.fails("POST", path, body) == full


@pytest.mark.parametrize("how", ["kept", "split"])
async def test_an_answer_may_hold_several(caller: Caller, personal: str, how: str) -> None:
    switch(caller, captions=how)
    body = {"author": BUSINESS, "content": {**MEDIA, "text": "Here"}, "metadata": {"k": 1}}
    messages = (await caller.makes(f"/conversations/{personal}/messages", body))["messages"]
    assert [m["content"]["type"] for m in messages] == ["text", "image"][how == "kept" :]
    assert ("text" in messages[-1]["content"]) is (how == "kept")
    assert all(m["metadata"] == {"k": 1} for m in messages)
    assert (await caller.messages(personal))[-len(messages) :] == messages


async def test_deleting_messages(caller: Caller, personal: str) -> None:
    message = await caller.post(personal, "x")
    path = f"/conversations/{personal}/messages"
    assert await caller.does("DELETE", f"{path}/{message['id']}") == {}
    [left] = [each for each in await caller.messages(personal) if each["id"] == message["id"]]
    assert left["deleted"] is True
    assert "content" not in left
    for each in (message["id"], NOBODY):
        answer = await caller.fails("DELETE", f"{path}/{each}")
        assert answer == (404, "not_found", "Message not found")
    assert await caller.does("DELETE", path) == {}
    assert all(each["deleted"] for each in await caller.messages(personal))
    switch(caller, deleted="removed")
    assert await caller.messages(personal) == []


async def test_time_goes_on(caller: Caller, personal: str) -> None:
    times = [(await caller.post(personal, str(n)))["received"] for n in range(3)]
    assert times == sorted(times)
    later = caller.api.add_message(personal)
    assert caller.api.message_ids(personal)[0] == later
    after = await caller.post(personal, "after")
    assert caller.api.message_ids(personal)[0] == after["id"]
    newest = caller.api.messages_of(personal)[-2:]
    assert newest[0]["received"] <= newest[1]["received"]


async def test_reading(caller: Caller, personal: str, start: datetime) -> None:
    user, path = member(caller, personal), f"/conversations/{personal}"
    message = await caller.post(personal, "x")
    author = {"type": "user", "userId": user}
    body = {"author": author, "type": "conversation:read"}
    assert await caller.does("POST", f"{path}/activity", body) == {}
    mine = (await caller.participants(personal))[user]
    assert (mine["unreadCount"], mine["lastRead"]) == (0, message["received"])
    body = {"author": {"type": "business"}, "type": "conversation:read"}
    assert await caller.does("POST", f"{path}/activity", body) == {}
    shown = (await caller.get(path))["conversation"]
    assert is_now(shown["businessLastRead"], start)
    assert shown["lastUpdatedAt"] == message["received"]


async def test_typing(caller: Caller, personal: str) -> None:
    path, user = f"/conversations/{personal}/activity", member(caller, personal)
    for kind in ("typing:start", "typing:stop"):
        body = {"author": {"type": "business"}, "type": kind}
        assert await caller.does("POST", path, body) == {}
        body = {"author": {"type": "user", "userId": user}, "type": kind}
        assert (await caller.fails("POST", path, body))[:2] == (400, "bad_request")


async def test_activities_that_cannot_be(caller: Caller, personal: str) -> None:
    author = {"type": "user", "userId": stranger(caller, personal)}
    for body in (
        {"type": "conversation:read"},
        {"author": {"type": "business"}},
        {"author": {"type": "business"}, "type": "dancing"},
        {"author": author, "type": "conversation:read"},
    ):
        answer = await caller.fails("POST", f"/conversations/{personal}/activity", body)
        assert answer[:2] == (400, "bad_request")


async def control(caller: Caller, conversation: str) -> list[str | None]:
    shown = (await caller.get(f"/conversations/{conversation}"))["conversation"]
    states = ("activeSwitchboardIntegration", "pendingSwitchboardIntegration")
    return [shown[state]["name"] if state in shown else None for state in states]


async def test_control_changes_hands(caller: Caller, personal: str) -> None:
    async def act(action: str, target: str | None = None) -> list[str | None]:
        body = {"metadata": {"a": 1}, **({"switchboardIntegration": target} if target else {})}
        assert await caller.does("POST", f"/conversations/{personal}/{action}Control", body) == {}
        return await control(caller, personal)

    assert await act("release") == [None, None]
    assert await act("pass", "next") == ["bot", None]
    assert await act("pass", "bot") == ["bot", None]
    assert await act("offer", "zd:agentWorkspace") == ["bot", "agent-workspace"]
    assert await act("offer", "hub") == ["bot", "hub"]
    assert await act("accept") == ["hub", None]
    assert await act("offer", "5ef21b86e933b7355c11c604") == ["hub", "bot"]
    assert await act("pass", "next") == ["relay-0", None]
    assert await caller.does("POST", f"/conversations/{personal}/releaseControl") == {}
    assert await control(caller, personal) == [None, None]


async def test_control_that_cannot_be(caller: Caller, personal: str) -> None:
    path = f"/conversations/{personal}"
    await caller.does("POST", f"{path}/passControl", {"switchboardIntegration": "relay-0"})
    cases = [
        ("pass", {"switchboardIntegration": "nobody"}, 404),
        ("pass", {"switchboardIntegration": "custom"}, 400),
        ("pass", {"switchboardIntegration": "next"}, 400),
        ("pass", {}, 400),
        ("offer", {"switchboardIntegration": "relay-0"}, 400),
        ("offer", {"switchboardIntegration": "bot", "metadata": {"x": {}}}, 400),
        ("accept", {}, 400),
        ("accept", None, 400),
    ]
    for action, body, status in cases:
        answer = await caller.fails("POST", f"{path}/{action}Control", body)
        code = "bad_request" if status == 400 else "switchboard_integration_not_found"
        assert answer[:2] == (status, code)
    assert await control(caller, personal) == ["relay-0", None]


async def test_references_and_conversions(caller: Caller, personal: str) -> None:
    path, user = f"/conversations/{personal}", member(caller, personal)
    reference = dict.fromkeys(("url", "bid", "key", "signature", "owner"), "x")
    body = {"userId": user, "apple": {"interactiveDataRef": reference}}
    assert (await caller.does("POST", f"{path}/download", body))["bid"] == "x"
    assert await caller.does("POST", f"{path}/download", {"userId": user}) == {}
    del reference["owner"]
    assert (await caller.fails("POST", f"{path}/download", body))[0] == 400
    assert (await caller.fails("POST", f"{path}/download", {"userId": NOBODY}))[0] == 404
    for channel in ("messenger", "instagram", "whatsapp"):
        events = {channel: {"payload": {"data": [{}, {}]}}}
        answer = await caller.does("POST", f"{path}/conversionEvents", events)
        assert answer == {
            "conversionEvents": {"datasetId": "1234567890123456", "eventsReceived": 2}
        }
    for wrong in ({}, {"line": {}}, {"messenger": {"payload": {}}}):
        assert (await caller.fails("POST", f"{path}/conversionEvents", wrong))[0] == 400


DATA = bytes(range(256)) * 20 + b"\r\n--\r\n\r\r\n"


@pytest.mark.parametrize("media", ["private", "public", "foreign"])
@pytest.mark.parametrize("name", ["receipt.png", "Lease (2) é?#%2F&👍.pdf"])
async def test_a_file_goes_round(caller: Caller, personal: str, media: str, name: str) -> None:
    switch(caller, media=media)
    kind = "application/x-test"
    status, body = await caller.upload(DATA, name, content_type=kind)
    url = body["attachment"]["mediaUrl"]
    assert (status, body) == (201, {"attachment": {"mediaUrl": url, "mediaType": kind}})
    host = "localhost" if media == "foreign" else "127.0.0.1"
    assert URL(url).host == host
    assert url.startswith(f"http://{host}:{URL(caller.server.base_url).port}/sc/attachments/v2/")
    assert url.endswith("/" + quote(name))
    message = await caller.post(personal, {"type": "file", "mediaUrl": url})
    facts = {"mediaType": kind, "mediaSize": len(DATA), "altText": name}
    assert message["content"] == {"type": "file", "mediaUrl": url, **facts}
    answers = {key: await caller.download(url, key=key) for key in (True, False)}
    found = (200, DATA, kind)
    assert {key: answer == found for key, answer in answers.items()} == {
        True: media != "foreign",
        False: media != "private",
    }
    refused = {"private": answers[False][0], "foreign": answers[True][0]}
    assert refused.get(media) == {"private": 401, "foreign": 400}.get(media)


async def test_the_type_of_a_file(caller: Caller) -> None:
    boundary = "xyz"
    for head, kind in (('; filename="a.png"', "image/png"), ("", "application/octet-stream")):
        raw = (
            f'--xyz\r\nContent-Disposition: form-data; name="source"{head}\r\n\r\nx\r\n--xyz--\r\n'
        )
        headers = {**caller.key, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, body = await caller.ask(
            "POST", "/attachments", data=raw.encode(), params={"access": "public"}, headers=headers
        )
        assert (status, body["attachment"]["mediaType"]) == (201, kind)
        assert (await caller.download(body["attachment"]["mediaUrl"]))[:2] == (200, b"x")


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "C:\\temp\\new.txt", ""])
async def test_names_with_folders(caller: Caller, name: str) -> None:
    _, body = await caller.upload(b"x", name)
    url = body["attachment"]["mediaUrl"]
    assert url.rpartition("/")[2] in {"file", "passwd", "new.txt"}
    assert (await caller.download(url))[:2] == (200, b"x")


@pytest.mark.parametrize(
    "query",
    [{}, {"access": "private"}, {"access": "public", "for": "user"}],
    ids=["none", "private", "for"],
)
async def test_uploads_for_nothing(caller: Caller, query: dict[str, str]) -> None:
    assert (await caller.upload(b"x", query=query))[0] == 400


async def test_uploads_that_are_none(caller: Caller) -> None:
    path = "/attachments?access=public"
    assert (await caller.fails("POST", path, {"source": "x"}))[:2] == (400, "bad_request")
    form = aiohttp.FormData()
    form.add_field("file", b"x", filename="a")
    assert (await caller.fails("POST", path, data=form))[:2] == (400, "bad_request")
    query = {"access": "public", "conversationId": NOBODY}
    status, body = await caller.upload(b"x", query=query)
    assert (status, body["errors"][0]["code"]) == (404, "conversation_not_found")
    assert (await caller.upload(b"x", headers={}))[0] == 401
    switch(caller, upload_limit=4)
    assert (await caller.upload(b"12345"))[0] == 413
    assert (await caller.upload(b"1234"))[0] == 201


async def test_attachments_are_removed(caller: Caller, personal: str) -> None:
    url = (await caller.upload(b"x"))[1]["attachment"]["mediaUrl"]
    path = "/attachments/remove"
    assert await caller.does("POST", path, {"mediaUrl": url}) == {}
    assert (await caller.download(url))[0] == 404
    gone = (404, "not_found", "Attachment not found")
    assert await caller.fails("POST", path, {"mediaUrl": url}) == gone
    elsewhere = "https://badhost.com/image.png"
    title = f"Unsupported media URL for attachment deletion: {elsewhere}"
    assert await caller.fails("POST", path, {"mediaUrl": elsewhere}) == (400, "bad_request", title)
    assert (await caller.fails("POST", path, {}))[0] == 400
    assert "mediaUrl" in await caller.refuses(personal, {"type": "file", "mediaUrl": url})


@pytest.mark.parametrize("how", ["message", "messages", "conversation", "upload"])
@pytest.mark.parametrize("bound", [True, False])
async def test_attachments_go_with_their_message(
    caller: Caller, personal: str, how: str, bound: bool
) -> None:
    query = {
        "access": "public",
        **({"for": "message", "conversationId": personal} if bound else {}),
    }
    url = (await caller.upload(b"x", query=query))[1]["attachment"]["mediaUrl"]
    path = f"/conversations/{personal}"
    ends = {"messages": "/messages"}
    if how != "upload":
        message = await caller.post(personal, {"type": "file", "mediaUrl": url})
        ends["message"] = f"/messages/{message['id']}"
    await caller.does("DELETE", path + ends.get(how, ""))
    assert (await caller.download(url))[0] == (404 if bound else 200)


@pytest.mark.parametrize("media", ["private", "public", "foreign"])
async def test_seeded_files_can_be_had(caller: Caller, media: str) -> None:
    switch(caller, media=media)
    conversation = next(
        each
        for each in caller.api.conversation_ids()
        if sum("mediaUrl" in str(message) for message in caller.api.messages_of(each)) > 5
    )
    contents = [
        each["content"]
        for message in await caller.messages(conversation)
        for each in (message, (message.get("quotedMessage") or {}).get("message") or {})
        if "mediaUrl" in each.get("content", {})
    ]
    hosts = {URL(each["mediaUrl"]).host for each in contents}
    assert hosts == {"localhost", "localhost" if media == "foreign" else "127.0.0.1"}
    for content in contents:
        url = content["mediaUrl"]
        own = URL(url).host == "127.0.0.1"
        status, data, kind = await caller.download(url, key=own)
        assert status == 200
        assert len(data) == content.get("mediaSize", 43)
        assert kind == content.get("mediaType", kind)
        assert (await caller.download(url, key=own))[1] == data
        status, _, _ = await caller.download(url, key=not own)
        assert status == {(True, "private"): 401, (True, "public"): 200}.get((own, media), 400)


async def test_what_users_post_as_an_address_stays(caller: Caller, personal: str) -> None:
    for url in (
        "https://acme.zendesk.com/sc/attachments/v2/01HX0000000000000000000000/receipt.png",
        "https://example.org/sc/attachments/v2/x.png?a=%20b#c",
    ):
        message = await caller.post(personal, {"type": "file", "mediaUrl": url})
        assert message["content"]["mediaUrl"] == url
        assert (await caller.messages(personal))[-1] == message


async def test_no_file_at_all(caller: Caller) -> None:
    root = f"{URL(caller.server.base_url).origin()}/sc/attachments/v2/x/y"
    assert (await caller.download(root))[0] == 404
    assert (await caller.download(root, key=False))[0] == 401


async def test_a_user_is_made(caller: Caller, start: datetime) -> None:
    user = await caller.new_user(externalId="new/é", profile={"givenName": "Ana"})
    assert user == {
        "id": user["id"],
        "externalId": "new/é",
        "signedUpAt": user["signedUpAt"],
        "hasPaymentInfo": False,
        "identities": [],
        "metadata": {},
        "profile": {"givenName": "Ana", "locale": "en", "localeOrigin": "zendeskAccount"},
    }
    assert is_now(user["signedUpAt"], start)
    segment = quote("new/é", safe="")
    assert (await caller.get(f"/users/{segment}"))["user"] == user
    assert (await caller.get(f"/users/{user['id']}"))["user"] == user
    assert user["id"] in caller.api.settings["user_ids"]
    given = {
        "signedUpAt": "2025-02-03T19:10:08.152Z",
        "toBeRetained": True,
        "metadata": {"n": 1.5},
        "profile": {"locale": "pt-PT", "surname": None, "email": "a@example.org"},
    }
    other = await caller.new_user(**given)
    given["profile"] = {"locale": "pt-PT", "email": "a@example.org"}
    assert given.items() <= other.items()
    assert "externalId" not in other
    # The e-mail in the profile is none of the identities.
    found = await caller.get("/users", **{"filter[identities.email]": "a@example.org"})
    assert found == {"users": []}


async def test_an_external_id_is_taken(caller: Caller) -> None:
    answer = await caller.fails("POST", "/users", {"externalId": "crm/778"})
    assert answer == (409, "conflict", "User already exists")
    await caller.new_user(externalId="crm/778", brandId="77")
    body = {"externalId": "crm/778", "brandId": "77"}
    assert (await caller.fails("POST", "/users", body))[0] == 409


@pytest.mark.parametrize(
    "body",
    [
        {"externalId": ""},
        {"externalId": "x" * 1025},
        {"externalId": None},
        {"brandId": "x" * 25},
        {"signedUpAt": "yesterday"},
        {"profile": {"givenName": ""}},
        {"profile": {"surname": "x" * 129}},
        {"profile": {"avatarUrl": "x"}},
        {"profile": {"locale": "x" * 65}},
        {"metadata": {"x": [1]}},
    ],
    ids=str,
)
async def test_users_that_cannot_be(caller: Caller, body: Record) -> None:
    assert (await caller.fails("POST", "/users", body))[:2] == (400, "bad_request")


@pytest.mark.parametrize("how", ["merge", "replace"])
async def test_a_user_changes(caller: Caller, how: str) -> None:
    switch(caller, metadata_patch=how)
    profile = {"givenName": "Ana", "surname": "Prieto", "locale": "pt"}
    user = await caller.new_user(externalId="e", metadata={"a": 1, "b": 2}, profile=profile)
    changes = {
        "profile": {"surname": None, "givenName": "Ada"},
        "metadata": {"b": 3},
        "toBeRetained": True,
        "externalId": "other",
    }
    answer = await caller.does("PATCH", "/users/e", changes)
    metadata = {"a": 1, "b": 3} if how == "merge" else {"b": 3}
    expected = {
        **user,
        "profile": {"givenName": "Ada", "locale": "pt"},
        "metadata": metadata,
        "toBeRetained": True,
    }
    assert answer == {"user": expected} == await caller.get("/users/e")
    assert (await caller.does("PATCH", "/users/e", {"metadata": None}))["user"]["metadata"] == {}
    assert (await caller.fails("PATCH", "/users/e", {"signedUpAt": None}))[0] == 400


async def test_a_user_goes(caller: Caller, group: str) -> None:
    user = member(caller, group)
    personal = [c["id"] for c in caller.api.store.conversations_of(user) if c["type"] == "personal"]
    assert personal
    assert await caller.does("DELETE", f"/users/{user}") == {}
    for each in personal:
        assert (await caller.fails("GET", f"/conversations/{each}"))[0] == 404
    assert user not in await caller.participants(group)
    for method in ("GET", "PATCH", "DELETE"):
        answer = await caller.fails(method, f"/users/{user}", {})
        assert answer == (404, "user_not_found", "User not found")
    query = {"filter[userId]": user}
    assert (await caller.fails("GET", "/conversations", params=query))[1] == "user_not_found"


async def test_who_a_user_is_is_erased(caller: Caller) -> None:
    user = next(
        u
        for u in caller.api.store.users.values()
        if u.get("profile", {}).get("givenName") and "locale" in u["profile"]
    )
    caller.api.store.add_client(user["id"], "line", displayName="A", avatarUrl="B", info={}, raw={})
    await caller.does("PATCH", f"/users/{user['id']}", {"metadata": {"a": 1}})
    history = caller.api.store.conversations_of(user["id"])
    answer = await caller.does("DELETE", f"/users/{user['id']}/personalinformation")
    shown = answer["user"]
    assert shown["metadata"] == {}
    assert not {"givenName", "surname", "email", "avatarUrl"} & shown["profile"].keys()
    assert answer == await caller.get(f"/users/{user['id']}")
    query = {"page[size]": "100"}
    clients = (await caller.get(f"/users/{user['id']}/clients", **query))["clients"]
    assert not any({"displayName", "avatarUrl", "info", "raw"} & c.keys() for c in clients)
    assert caller.api.store.conversations_of(user["id"]) == history


async def test_users_are_synced(caller: Caller) -> None:
    user = next(u for u in caller.api.store.users.values() if u.get("zendeskId"))
    wanted = user["zendeskId"]
    assert await caller.does("POST", f"/users/{wanted}/sync") == {"user": user}
    body = {"survivingZendeskId": "99"}
    answer = await caller.does("POST", f"/users/{wanted}/sync", body)
    assert answer["user"] == {**user, "zendeskId": "99"}
    assert (await caller.fails("POST", f"/users/{wanted}/sync"))[1] == "user_not_found"


def link(caller: Caller, kind: str, conversation: str, **criteria: Any) -> Record:
    channel = next(i for i in caller.api.store.integrations.values() if i["type"] == kind)
    return {
        "matchCriteria": {"type": kind, "integrationId": channel["id"], **criteria},
        "confirmation": {"type": "immediate"},
        "target": {"conversationId": conversation},
    }


async def test_a_client_is_linked_and_removed(caller: Caller, personal: str) -> None:
    user = await caller.new_user()
    path = f"/users/{user['id']}/clients"
    body = link(caller, "whatsapp", personal, phoneNumber="+15550100")
    client = (await caller.makes(path, body))["client"]
    channel = body["matchCriteria"]["integrationId"]
    assert client == {
        "id": client["id"],
        "type": "whatsapp",
        "integrationId": channel,
        "status": "pending",
    }
    mail = link(caller, "mailgun", personal, address="a@example.org", subject="Hi")
    await caller.makes(path, mail)
    assert [c["type"] for c in (await caller.get(path))["clients"]] == ["whatsapp", "mailgun"]
    conversation = await caller.new_conversation("personal", user["id"])
    assert await caller.does("DELETE", f"{path}/{client['id']}") == {}
    [left] = (await caller.get(path))["clients"]
    [one] = (await caller.participants(conversation["id"])).values()
    assert one["clientAssociations"] == [{"type": "mailgun", "clientId": left["id"]}]
    answer = await caller.fails("DELETE", f"{path}/{client['id']}")
    assert answer == (404, "client_not_found", "Client not found")
    device = caller.api.store.add_client(user["id"], "sdk")
    answer = await caller.fails("DELETE", f"{path}/{device['id']}")
    assert answer == (400, "bad_request", "Cannot remove a client of type 'sdk'")


async def test_clients_that_cannot_be(caller: Caller, personal: str) -> None:
    path = f"/users/{caller.api.settings['user_ids'][0]}/clients"
    good = link(caller, "whatsapp", personal, phoneNumber="+15550100")
    criteria = good["matchCriteria"]
    other = link(caller, "telegram", personal)["matchCriteria"]["integrationId"]
    cases = [
        ({}, 400),
        ({**good, "confirmation": {"type": "never"}}, 400),
        ({**good, "matchCriteria": {**criteria, "type": "line"}}, 400),
        ({**good, "matchCriteria": {**criteria, "integrationId": other}}, 400),
        ({**good, "matchCriteria": {**criteria, "integrationId": NOBODY}}, 404),
        ({**good, "target": {"conversationId": NOBODY}}, 404),
        ({**good, "target": {}}, 400),
    ]
    del (short := {**criteria})["phoneNumber"]
    for body, status in [*cases, ({**good, "matchCriteria": short}, 400)]:
        assert (await caller.ask("POST", path, body))[0] == status


HOOK = {"target": "https://hooks.example.org/new", "triggers": ["conversation:message"]}


async def test_the_app_changes_and_goes(caller: Caller) -> None:
    app = (await caller.get(""))["app"]
    body = {"displayName": "New", "settings": {"echoPostback": True}, "metadata": {"a": 1}}
    settings = {**app["settings"], "echoPostback": True}
    expected = {**app, **body, "settings": settings}
    del expected["subdomain"]
    assert await caller.does("PATCH", "", body) == {"app": expected}
    assert (await caller.get(""))["app"] == {**expected, "subdomain": "acme"}
    for wrong in (
        {"displayName": None},
        {"settings": {"multiConvoEnabled": False}},
        {"settings": {"conversationRetentionSeconds": -1}},
    ):
        assert (await caller.fails("PATCH", "", wrong))[0] == 400
    answer = await caller.fails("PATCH", "", {"metadata": {"x": "x" * 4096}})
    assert answer[2] == "App metadata is limited to 4096 bytes in size."
    assert await caller.does("DELETE", "") == {}
    assert await caller.fails("GET", "") == (404, "app_not_found", "App not found")


async def test_an_integration_comes_and_goes(caller: Caller) -> None:
    body = {"type": "telegram", "token": "secret", "displayName": "Bot", "username": "b"}
    made = (await caller.makes("/integrations", body))["integration"]
    expected = {"id": made["id"], "type": "telegram", "status": "active"}
    assert made == {**expected, "displayName": "Bot", "username": "b"}
    path = f"/integrations/{made['id']}"
    assert await caller.get(path) == {"integration": made}
    listed = await caller.get("/integrations", **{"filter[types]": "telegram"})
    assert made in listed["integrations"]
    changes = {"displayName": None, "showAIDisclaimer": False, "type": "line"}
    changed = (await caller.does("PATCH", path, changes))["integration"]
    assert changed == {**expected, "username": "b", "showAIDisclaimer": False}
    assert (await caller.fails("PATCH", path, {"displayName": ""}))[0] == 400
    assert await caller.does("DELETE", path) == {}
    assert (await caller.fails("GET", path))[1] == "integration_not_found"


async def test_integrations_that_cannot_be(caller: Caller) -> None:
    answer = await caller.fails("POST", "/integrations", {"type": "pigeon"})
    assert answer == (400, "bad_request", "Invalid integration type")
    for body in (
        {},
        {"type": "twilio", "accountSid": "x"},
        {"type": "line", "displayName": "x" * 101},
        {"type": "custom"},
        {"type": "custom", "webhooks": []},
        {"type": "custom", "webhooks": [HOOK, HOOK]},
        {"type": "custom", "webhooks": [{"target": HOOK["target"]}]},
    ):
        assert (await caller.ask("POST", "/integrations", body))[0] == 400
    web = next(i for i in caller.api.store.integrations.values() if i["type"] == "web")
    title = "SDK integrations configured on Admin Center cannot be deleted"
    answer = await caller.fails("DELETE", f"/integrations/{web['id']}")
    assert answer == (400, "bad_request", title)
    own = (await caller.makes("/integrations", {"type": "web"}))["integration"]
    assert await caller.does("DELETE", f"/integrations/{own['id']}") == {}


async def custom(caller: Caller) -> Record:
    body = {"type": "custom", "displayName": "Mine", "webhooks": [HOOK]}
    return (await caller.makes("/integrations", body))["integration"]


@pytest.mark.parametrize("how", ["refused", "added"])
async def test_webhooks(caller: Caller, how: str) -> None:
    switch(caller, second_webhook=how)
    integration = await custom(caller)
    path = f"/integrations/{integration['id']}/webhooks"
    [first] = integration["webhooks"]
    assert first == {
        "id": first["id"],
        "version": "v2",
        "secret": first["secret"],
        **HOOK,
        "includeFullUser": False,
        "includeFullSource": False,
    }
    full = {**HOOK, "includeFullUser": True, "includeFullSource": True}
    if how == "refused":
        assert (await caller.fails("POST", path, full))[:2] == (400, "bad_request")
        assert await caller.does("DELETE", f"{path}/{first['id']}") == {}
    second = (await caller.makes(path, full))["webhook"]
    assert full.items() <= second.items()
    assert second["secret"] != first["secret"]
    listed = [second] if how == "refused" else [first, second]
    assert await caller.get(path) == {"webhooks": listed}
    shown = (await caller.get(f"/integrations/{integration['id']}"))["integration"]
    assert shown["webhooks"] == listed
    changes = {"triggers": ["user:merge"], "includeFullUser": False}
    changed = (await caller.does("PATCH", f"{path}/{second['id']}", changes))["webhook"]
    assert changed == {**second, **changes}
    assert await caller.get(f"{path}/{second['id']}") == {"webhook": changed}
    assert await caller.does("DELETE", f"{path}/{second['id']}") == {}
    for method in ("GET", "PATCH", "DELETE"):
        answer = await caller.fails(method, f"{path}/{second['id']}", {})
        assert answer == (404, "not_found", "Resource not found")


async def test_webhooks_that_cannot_be(caller: Caller) -> None:
    switch(caller, second_webhook="added")
    path = f"/integrations/{(await custom(caller))['id']}/webhooks"
    for wrong in (
        {},
        {**HOOK, "target": "x"},
        {**HOOK, "triggers": "x"},
        {**HOOK, "triggers": [""]},
    ):
        assert (await caller.ask("POST", path, wrong))[0] == 400
    web = next(i for i in caller.api.store.integrations.values() if i["type"] == "web")
    assert (await caller.fails("POST", f"/integrations/{web['id']}/webhooks", HOOK))[0] == 400
    for _ in range(9):
        await caller.makes(path, HOOK)
    body = {"type": "custom", "webhooks": [HOOK]}
    for place, each in ((path, HOOK), ("/integrations", body)):
        answer = await caller.fails("POST", place, each)
        assert answer == (400, "bad_request", "An app is limited to 10 webhooks")


async def test_keys(caller: Caller) -> None:
    path = f"/integrations/{(await custom(caller))['id']}/keys"
    made = [(await caller.makes(path, {"displayName": f"K{n}"}))["key"] for n in range(10)]
    key = made[0]
    assert key == {"id": key["id"], "displayName": "K0", "secret": key["secret"]}
    assert key["id"].startswith("int_")
    assert await caller.get(path) == {"keys": made}
    assert await caller.get(f"{path}/{key['id']}") == {"key": key}
    assert (await caller.fails("POST", path, {"displayName": "K"}))[:2] == (400, "bad_request")
    assert (await caller.fails("POST", path, {}))[0] == 400
    assert (await caller.ask("GET", "/users/x", headers=basic(key["id"], key["secret"])))[0] == 404
    assert await caller.does("DELETE", f"{path}/{key['id']}") == {}
    assert (await caller.fails("GET", f"{path}/{key['id']}"))[:2] == (404, "not_found")
    assert (await caller.ask("GET", "/users/x", headers=basic(key["id"], key["secret"])))[0] == 401


@pytest.mark.parametrize("bearer", [True, False])
async def test_how_far_an_integrations_key_reaches(
    caller: Caller, personal: str, bearer: bool
) -> None:
    integration = await custom(caller)
    path = f"/integrations/{integration['id']}"
    made = (await caller.makes(f"{path}/keys", {"displayName": "K"}))["key"]
    pair = (made["id"], made["secret"])
    key = jwt(*pair, "integration") if bearer else basic(*pair)
    assert (await caller.ask("GET", "/users/x", headers=jwt(*pair, "app")))[0] == 401
    body = {"author": BUSINESS, "content": TEXT}
    await caller.makes(f"/conversations/{personal}/messages", body, headers=key)
    for own in (path, "/integrations/me"):
        answer = await caller.does("GET", f"{own}/webhooks", headers=key)
        assert answer == {"webhooks": integration["webhooks"]}
    other = next(iter(caller.api.store.integrations))
    for beyond in ("", "/integrations", path, f"{path}/keys", f"/integrations/{other}/webhooks"):
        answer = await caller.fails("GET", beyond, headers=key)
        assert answer == (403, "forbidden", "Forbidden")


async def test_control_is_for_the_one_whose_turn_it_is(caller: Caller, personal: str) -> None:
    hub = next(each for each in caller.api.store.switchboard if each["name"] == "hub")
    body = {"displayName": "K"}
    made = (await caller.makes(f"/integrations/{hub['integrationId']}/keys", body))["key"]
    key = basic(made["id"], made["secret"])
    path = f"/conversations/{personal}"

    async def act(action: str, target: str) -> int:
        body = {"switchboardIntegration": target}
        await caller.does("POST", f"{path}/{action}Control", body)
        own = {"pass": "release", "offer": "accept"}[action]
        return (await caller.ask("POST", f"{path}/{own}Control", {}, headers=key))[0]

    assert [await act("pass", target) for target in ("bot", "hub")] == [403, 200]
    assert [await act("offer", target) for target in ("bot", "hub")] == [403, 200]
    assert await control(caller, personal) == ["hub", None]
