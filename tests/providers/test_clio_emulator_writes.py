"""Clio's emulator over real sockets: what is written, refused, kept, and downloaded again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from attrs import evolve, frozen
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.clio.emulator import ClioApi
from support import seeded

ADA = {"id": 77001, "type": "Contact"}
COMPANY = {"id": 77002, "type": "Contact"}
COLLEAGUE = {"id": 302, "type": "User"}
TWIN = {"id": 303, "type": "Contact"}
NAMESAKE = {"id": 303, "type": "User"}
MESSAGE = {"body": "Hello", "subject": "New", "receivers": [ADA]}
HOOK = {"url": "https://example.com/hook", "model": "matter", "fields": "id,etag"}
FLAGS = "id,etag,archived,read,updated_at,matter{id},memberships{id,etag,read,archived}"
SENT = (
    "id,etag,date,body,created_at,updated_at,sender{id,type,name},receivers{id,type,name},"
    "document{id,filename},conversation{id,etag,subject,message_count,read}"
)
PLAIN = ("id", "etag", "date", "body", "created_at", "updated_at", "document")
HOOK_FIELDS = "id,etag,url,fields,shared_secret,model,status,events,expires_at,created_at"
FORM = "application/x-www-form-urlencoded"


@frozen
class Answer:
    status: int
    headers: Any
    content: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.content)["data"]

    @property
    def error(self) -> str:
        return json.loads(self.content)["error"]["type"]


class Client:
    def __init__(self, api: ClioApi, server: Server, session: aiohttp.ClientSession) -> None:
        self.api, self.server, self.session = api, server, session

    async def send(
        self, method: str, path: str, body: Any = None, *, fields: str = "", **headers: str
    ) -> Answer:
        url = URL(path if "://" in path else self.server.base_url + path, encoded=True)
        if not isinstance(body, bytes | None):
            body = json.dumps({"data": body}).encode()
        sent = {"Authorization": f"Bearer {self.api.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method,
            url.update_query(fields=fields) if fields else url,
            data=body,
            headers={name: value for name, value in sent.items() if value},
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, fields: str = "", **headers: str) -> Answer:
        return await self.send("GET", path, fields=fields, **headers)

    async def patch(self, record: dict[str, Any], body: Any, **headers: str) -> Answer:
        path = f"/conversations/{record['id']}.json"
        return await self.send("PATCH", path, body, fields=FLAGS, **headers)

    async def post(self, body: Any, **headers: str) -> Answer:
        return await self.send("POST", "/conversation_messages.json", body, fields=SENT, **headers)

    def named(self, subject: str) -> dict[str, Any]:
        records = self.api.store.conversations.values()
        return next(record for record in records if record["subject"] == subject)

    def switch(self, **changes: Any) -> None:
        self.api.switches = evolve(self.api.switches, **changes)


@pytest.fixture
async def clio() -> AsyncIterator[Client]:
    api = seeded("clio", seed=3, scale=0.05)
    server = Server(api)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(api, server, session)
    await server.stop()


def snapshot(api: ClioApi) -> Any:
    """Return what a refused write must leave as it was."""
    conversations = [
        (each["etag"], each["updated_at"], len(each["memberships"]), each["message_count"])
        for each in api.store.conversations.values()
    ]
    return conversations, dict(api.store.webhooks), len(api.store.messages), api.store.now


async def test_refused_before_anything(clio: Client) -> None:
    writes = [
        ("PATCH", f"/conversations/{clio.named('One message')['id']}.json", {"archived": True}),
        ("POST", "/conversation_messages.json", MESSAGE),
        ("POST", "/webhooks.json", HOOK),
        ("PATCH", "/webhooks/151.json", {"fields": "id"}),
        ("DELETE", "/webhooks/151.json", None),
        ("PUT", "/webhooks/151/activate", None),
        ("GET", "/documents/660001/download.json", None),
    ]
    before = snapshot(clio.api)
    for method, path, body in writes:
        answer = await clio.send(method, path, body, Authorization="Bearer wrong")
        assert (answer.status, answer.error) == (401, "UnauthorizedError")
        answer = await clio.send(method, path, body, X_API_VERSION="3")
        assert answer.status == 410
    clio.switch(permitted=False)
    for method, path, body in writes[:2]:
        assert (await clio.send(method, path, body)).status == 403
    clio.switch(permitted=True, rate_limit=0)
    for method, path, body in writes:
        assert (await clio.send(method, path, body)).status == 429
    assert snapshot(clio.api) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/conversations.json"),
        ("DELETE", "/conversations/8801.json"),
        ("PATCH", "/conversation_messages/99001.json"),
        ("DELETE", "/conversation_messages/99001.json"),
    ],
)
async def test_there_is_no_such_operation(clio: Client, method: str, path: str) -> None:
    answer = await clio.send(method, path, {"body": "x"})
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")


# Conversations


@pytest.mark.parametrize("ending", ["", ".json"])
@pytest.mark.parametrize("value", [True, False])
async def test_flags(clio: Client, ending: str, value: bool) -> None:
    record = clio.named("Between users")
    clio.api.store.mark(record["id"], clio.api.store.me, read=not value, archived=not value)
    others = [dict(each) for each in record["memberships"][1:]]
    etag, updated = record["etag"], record["updated_at"]
    path, body = f"/conversations/{record['id']}{ending}", {"archived": value, "read": value}
    answer = await clio.send("PATCH", path, body, fields=FLAGS, If_Match=etag)
    assert answer.status == 200
    assert set(answer.data) == {
        "id", "etag", "archived", "read", "updated_at", "matter", "memberships",
    }  # fmt: skip
    assert (answer.data["archived"], answer.data["read"]) == (value, value)
    assert answer.data["etag"] == answer.headers["ETag"] != etag
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == updated
    assert datetime.fromisoformat(answer.data["updated_at"]) == updated
    assert answer.headers["X-API-VERSION"] == "4.0.13"
    assert "X-RateLimit-Remaining" in answer.headers
    mine, *theirs = answer.data["memberships"]
    assert (mine["archived"], mine["read"]) == (value, value)
    assert [each["etag"] for each in theirs] == [each["etag"] for each in others]
    assert (await clio.get(path, FLAGS)).data == answer.data
    for name in ("archived", "read_status"):
        listed = await clio.get(f"/conversations.json?{name}={str(value).lower()}")
        assert record["id"] in [each["id"] for each in listed.data]


async def test_an_answer_without_fields_is_id_and_etag(clio: Client) -> None:
    path = f"/conversations/{clio.named('One message')['id']}.json"
    assert set((await clio.send("PATCH", path, {"archived": True})).data) == {"id", "etag"}
    created = await clio.send("POST", "/conversation_messages.json", MESSAGE)
    assert set(created.data) == {"id", "etag"}


async def test_a_matter_is_linked_but_not_unlinked(clio: Client) -> None:
    record = clio.named("Between users")
    now = datetime.now(UTC).replace(microsecond=0)
    answer = await clio.patch(record, {"matter": {"id": 51235}})
    assert answer.data["matter"] == {"id": 51235}
    assert datetime.fromisoformat(answer.data["updated_at"]) >= now
    listed = await clio.get("/conversations.json?matter_id=51235")
    assert record["id"] in [each["id"] for each in listed.data]
    for body in ({"matter": None}, {"matter": {}}, {"matter": {"id": None}}, {"matter": 51235}):
        assert (await clio.patch(record, body)).status == 422
    assert record["matter"]["id"] == 51235


async def test_the_same_again_changes_nothing(clio: Client) -> None:
    record = clio.named("One message")
    same = {"read": record["read"], "archived": record["archived"], "matter": {"id": 51234}}
    before = record["etag"], record["updated_at"]
    for body in (same, {}, {"subject": "Other", "message_count": 9}):
        assert (await clio.patch(record, body)).status == 200
    assert (record["etag"], record["updated_at"]) == before
    assert record["subject"] == "One message"


async def test_if_match(clio: Client) -> None:
    record = clio.named("One message")
    first, archived = record["etag"], record["archived"]
    clio.api.add_message(str(record["id"]))
    current = record["etag"]
    for stale in (first, '"x"', current.strip('"')):
        answer = await clio.patch(record, {"archived": not archived}, If_Match=stale)
        assert (answer.status, answer.error) == (412, "PreconditionFailedError")
    assert (record["archived"], record["etag"]) == (archived, current)
    answer = await clio.patch(record, {"archived": "broken"}, If_Match=first)
    assert answer.status == 412, "before the body is looked at"
    for good in (f'"x", W/{current}', "*"):
        answer = await clio.patch(record, {"archived": not archived}, If_Match=good)
        assert answer.status == 200


async def test_conditional_reads_see_a_write(clio: Client) -> None:
    record = clio.named("One message")
    path = f"/conversations/{record['id']}.json"
    etag = (await clio.get(path)).headers["ETag"]
    assert (await clio.get(path, If_None_Match=etag)).status == 304
    sent = await clio.post(MESSAGE | {"conversation": {"id": record["id"]}})
    changed = await clio.get(path, If_None_Match=etag)
    assert changed.status == 200
    modified = changed.headers["Last-Modified"]
    assert (await clio.get(path, If_Modified_Since=modified)).status == 304
    message = f"/conversation_messages/{sent.data['id']}.json"
    assert sent.headers["ETag"] == sent.data["etag"]
    answer = await clio.get(message, If_None_Match=sent.data["etag"])
    assert (answer.status, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("subject", "hidden", "status"),
    [
        ("Not for you", "not_found", 404),
        ("Not for you", "forbidden", 403),
        ("Read only", "not_found", 403),
    ],
)
async def test_what_the_user_may_not_change(
    clio: Client, subject: str, hidden: str, status: int
) -> None:
    clio.switch(hidden=hidden)
    record = clio.named(subject)
    before = snapshot(clio.api)
    assert (await clio.patch(record, {"archived": True})).status == status
    answer = await clio.post(MESSAGE | {"conversation": {"id": record["id"]}})
    assert answer.status == status
    assert answer.error == ("NotFoundError" if status == 404 else "ForbiddenError")
    assert snapshot(clio.api) == before


async def test_no_conversation(clio: Client) -> None:
    assert (await clio.patch({"id": 1}, {"archived": True})).status == 404
    assert (await clio.patch({"id": "x"}, {"archived": True})).status == 404


@pytest.mark.parametrize("ignored", ["nothing", "read", "archived", "matter"])
async def test_patch_ignores(clio: Client, ignored: str) -> None:
    clio.switch(patch_ignores=ignored)
    record = clio.named("Between users")
    clio.api.store.mark(record["id"], clio.api.store.me, read=False, archived=False)
    body = {"read": True, "archived": True, "matter": {"id": 51234}}
    answer = await clio.patch(record, body)
    assert answer.status == 200
    changed = {name for name in body if answer.data[name]}
    assert changed == set(body) - {ignored}


@pytest.mark.parametrize("bumps", [True, False])
async def test_marks_may_bump(clio: Client, bumps: bool) -> None:
    clio.switch(marks_bump_updated_at=bumps)
    record = clio.named("One message")
    before = record["updated_at"]
    await clio.patch(record, {"archived": not record["archived"]})
    assert (record["updated_at"] > before) is bumps


# Messages


async def test_a_new_conversation(clio: Client) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = await clio.post(
        MESSAGE | {"receivers": [ADA, COLLEAGUE, ADA], "matter": {"id": 51234}}
    )
    assert answer.status == 201
    assert answer.headers["ETag"] == answer.data["etag"]
    sent = dict(answer.data)
    created = datetime.fromisoformat(sent.pop("created_at"))
    assert before <= created <= datetime.now(UTC)
    assert sent.pop("updated_at") == answer.data["created_at"]
    assert sent.pop("date") == answer.data["created_at"][:10]
    thread = sent.pop("conversation")
    number, me = thread["id"], clio.api.store.me
    assert sent == {
        "id": max(clio.api.store.messages),
        "etag": answer.data["etag"],
        "body": "Hello",
        "sender": {"id": me["id"], "type": "User", "name": me["name"]},
        "receivers": [
            {"id": 77001, "type": "Person", "name": "Ada Okafor"},
            {"id": 302, "type": "User", "name": clio.api.store.users[302]["name"]},
        ],
        "document": None,
    }
    assert {name: thread[name] for name in ("subject", "message_count", "read")} == {
        "subject": "New",
        "message_count": 1,
        "read": True,
    }
    fields = (
        "etag,subject,created_at,read,read_only,current_user_is_member,matter{id},"
        "first_message{id},last_message{id},messages{id},memberships{read,archived,member}"
    )
    shown = (await clio.get(f"/conversations/{number}.json", fields)).data
    assert shown["etag"] == thread["etag"]
    assert shown["created_at"] == answer.data["created_at"]
    assert shown["matter"] == {"id": 51234}
    assert shown["first_message"] == shown["last_message"] == {"id": sent["id"]}
    assert shown["messages"] == [{"id": sent["id"]}]
    assert (shown["read_only"], shown["current_user_is_member"]) == (False, True)
    members = [(each["member"]["id"], each["read"]) for each in shown["memberships"]]
    assert members == [(me["id"], True), (77001, False), (302, False)]


async def test_a_message_is_listed_at_once(clio: Client) -> None:
    record = clio.named("Between users")
    number = record["id"]
    body = MESSAGE | {"body": "needle 🧵", "receivers": [COLLEAGUE], "subject": "Ignored"}
    sent = (await clio.post(body | {"conversation": {"id": number}})).data
    messages = f"/conversation_messages.json?conversation_id={number}"
    for query in ("", "&query=NEEDLE", f"&ids[]={sent['id']}", "&order=id(desc)"):
        listed = (await clio.get(messages + query, SENT)).data
        assert sent in listed
    assert (await clio.get(f"/conversation_messages/{sent['id']}.json", SENT)).data == sent
    newest = await clio.get("/conversations.json?order=last_message_id(desc)&limit=1", "id,subject")
    assert newest.data == [{"id": number, "subject": "Between users"}]
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat().replace("+", "%2B")
    updated = await clio.get(f"/conversations.json?updated_since={since}")
    assert [each["id"] for each in updated.data] == [number]
    kept = clio.api.messages_of(str(number))[-1]
    assert set(kept) == {each.partition("{")[0] for each in re.split(r",(?![^{]*})", SENT)}
    assert all(set(kept[name]) > set(sent[name]) for name in ("sender", "conversation"))
    assert kept | {name: sent[name] for name in kept if name in PLAIN} == kept
    assert clio.api.message_ids(str(number))[-1] == str(sent["id"])


async def test_a_reply_is_unread_for_the_others(clio: Client) -> None:
    record = clio.named("Between users")
    me, colleague = record["memberships"]
    clio.api.store.mark(record["id"], colleague["member"], read=True)
    clio.api.store.mark(record["id"], me["member"], read=False)
    count, etag = record["message_count"], record["etag"]
    await clio.post(MESSAGE | {"conversation": {"id": record["id"]}, "receivers": [COLLEAGUE]})
    assert (me["read"], colleague["read"], record["read"]) == (True, False, True)
    assert record["message_count"] == count + 1
    assert record["etag"] != etag


@pytest.mark.parametrize("bumps", [True, False])
async def test_a_message_may_bump(clio: Client, bumps: bool) -> None:
    clio.switch(message_bumps_updated_at=bumps)
    record = clio.named("Between users")
    before = record["updated_at"]
    await clio.post(MESSAGE | {"conversation": {"id": record["id"]}, "receivers": [COLLEAGUE]})
    assert (record["updated_at"] > before) is bumps


async def test_a_reply_may_link_a_matter(clio: Client) -> None:
    record = clio.named("Between users")
    body = MESSAGE | {"conversation": {"id": record["id"]}, "matter": {"id": 51235}}
    assert (await clio.post(body | {"receivers": [COLLEAGUE]})).status == 201
    assert record["matter"]["id"] == 51235


@pytest.mark.parametrize("outsiders", ["added", "refused"])
async def test_receivers_from_outside(clio: Client, outsiders: str) -> None:
    clio.switch(reply_receivers=outsiders)
    record = clio.named("One message")
    before = snapshot(clio.api)
    body = MESSAGE | {"conversation": {"id": record["id"]}, "receivers": [ADA, COMPANY]}
    answer = await clio.post(body)
    members = [each["member"]["id"] for each in record["memberships"]]
    if outsiders == "added":
        assert answer.status == 201
        assert members == [301, 77001, 77002]
        assert record["memberships"][-1]["read"] is False
    else:
        assert (answer.status, answer.error) == (422, "ArgumentError")
        assert snapshot(clio.api) == before


async def test_a_user_and_a_contact_with_one_number(clio: Client) -> None:
    answer = await clio.post(MESSAGE | {"receivers": [TWIN, NAMESAKE]})
    assert [each["type"] for each in answer.data["receivers"]] == ["Person", "User"]
    answer = await clio.post(MESSAGE | {"receivers": [COMPANY]})
    assert [each["type"] for each in answer.data["receivers"]] == ["Company"]


@pytest.mark.parametrize(
    "text", [*HARD_TEXTS, "", " \r\n ", "\x00\x1f\x7f\u2028", "x" * 100_000, "\U0010ffff\ufdd0"]
)
async def test_any_text_comes_back(clio: Client, text: str) -> None:
    sent = await clio.post(MESSAGE | {"body": text, "subject": text})
    assert (sent.data["body"], sent.data["conversation"]["subject"]) == (text, text)
    shown = await clio.get(f"/conversation_messages/{sent.data['id']}.json", "body")
    assert shown.data == {"body": text}


@pytest.mark.parametrize(
    "change",
    [
        {"body": None},
        {"body": 5},
        {"subject": None},
        {"subject": ["a"]},
        {"receivers": None},
        {"receivers": []},
        {"receivers": ADA},
        {"receivers": [77001]},
        {"receivers": [{"id": 77001}]},
        {"receivers": [{"type": "Contact"}]},
        {"receivers": [{"id": "77001", "type": "Contact"}]},
        {"receivers": [{"id": True, "type": "Contact"}]},
        {"receivers": [{"id": 77001, "type": "Person"}]},
        {"receivers": [{"id": 77002, "type": "Company"}]},
        {"conversation": None},
        {"conversation": {}},
        {"conversation": {"id": "one"}},
        {"matter": None},
        {"attachment": {}},
        {"attachment": {"document_id": "x"}},
        {"attachment": {"document_id": 660001, "document_version_id": 760002}},
    ],
)
async def test_invalid_messages(clio: Client, change: dict[str, Any]) -> None:
    for document in clio.api.store.documents.values():
        document["deleted_at"] = None
    before = snapshot(clio.api)
    answer = await clio.post(MESSAGE | change)
    assert (answer.status, answer.error) == (422, "ArgumentError")
    assert snapshot(clio.api) == before


@pytest.mark.parametrize("name", ["body", "subject", "receivers"])
async def test_required(clio: Client, name: str) -> None:
    answer = await clio.post({key: value for key, value in MESSAGE.items() if key != name})
    assert answer.status == 422
    assert f"{name} is required" in answer.content.decode()


@pytest.mark.parametrize("missing", ["not_found", "unprocessable"])
@pytest.mark.parametrize(
    "change",
    [
        {"conversation": {"id": 1}},
        {"conversation": {"id": 2**70}},
        {"matter": {"id": 1}},
        {"receivers": [ADA, {"id": 77001, "type": "User"}]},
        {"receivers": [{"id": 301, "type": "Contact"}]},
        {"attachment": {"document_id": 1}},
        {"attachment": {"document_version_id": 1}},
    ],
)
async def test_missing_references(clio: Client, missing: str, change: dict[str, Any]) -> None:
    clio.switch(missing_reference=missing)
    before = snapshot(clio.api)
    answer = await clio.post(MESSAGE | change)
    assert answer.status == (404 if missing == "not_found" else 422)
    assert snapshot(clio.api) == before


@pytest.mark.parametrize(
    "change",
    [{"archived": "true"}, {"read": 1}, {"archived": None}, {"read": "yes"}, {"read": []}],
)
async def test_invalid_flags(clio: Client, change: dict[str, Any]) -> None:
    before = snapshot(clio.api)
    answer = await clio.patch(clio.named("One message"), {"archived": True} | change)
    assert (answer.status, answer.error) == (422, "ArgumentError")
    assert snapshot(clio.api) == before


async def test_invalid_fields_write_nothing(clio: Client) -> None:
    before = snapshot(clio.api)
    path = f"/conversations/{clio.named('One message')['id']}.json"
    for method, where, body in (
        ("POST", "/conversation_messages.json", MESSAGE),
        ("PATCH", path, {"archived": True}),
        ("POST", "/webhooks.json", HOOK),
    ):
        answer = await clio.send(method, where, body, fields="id,color")
        assert answer.status == 400
        assert b"color is not a valid field" in answer.content
    assert snapshot(clio.api) == before


# Bodies


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"{", "application/json", 400, id="broken"),
        pytest.param(b'{"data":{"body":"\xff"}}', "application/json", 400, id="not utf-8"),
        pytest.param(b'{"data":{"body":"\\ud800"}}', "application/json", 400, id="half a pair"),
        pytest.param(b'{"data":{"body":NaN}}', "application/json", 400, id="nan"),
        pytest.param(b"[" * 100_000, "application/json", 400, id="deep"),
        pytest.param(b"[]", "application/json", 400, id="a list"),
        pytest.param(b"{}", "application/json", 422, id="no data"),
        pytest.param(b"", "application/json", 422, id="empty"),
        pytest.param(b'{"data":[]}', "application/json", 422, id="data is a list"),
        pytest.param(b'{"data":null}', "application/json", 422, id="data is null"),
        pytest.param(b'{"data":{}}', "text/plain", 400, id="text"),
        pytest.param(b"data[body]=%ff", FORM, 400, id="form not utf-8"),
        pytest.param(b"data=1&data[body]=2", FORM, 400, id="form of two minds"),
        pytest.param(b"data[][a]=1&data[b]=2", FORM, 400, id="form with a list"),
        pytest.param(b"data[a]=1&data[a][]=2", FORM, 400, id="form with a late list"),
        pytest.param(b"body=2", FORM, 422, id="form without data"),
        pytest.param(b"x", "multipart/form-data", 400, id="no boundary"),
    ],
)
async def test_unreadable_bodies(clio: Client, body: bytes, kind: str, status: int) -> None:
    answer = await clio.post(body, Content_Type=kind)
    assert (answer.status, answer.error) == (status, "ArgumentError")


FORM_PAIRS = [
    ("data[body]", "Grüße & 🌍\r\n=%5B"),
    ("data[subject]", "Form"),
    ("data[receivers][][id]", "77001"),
    ("data[receivers][][type]", "Contact"),
    ("data[receivers][][id]", "302"),
    ("data[receivers][][type]", "User"),
    ("data[matter][id]", "51234"),
]


async def test_forms(clio: Client) -> None:
    answer = await clio.post(urlencode(FORM_PAIRS).encode(), Content_Type=f"{FORM}; charset=utf-8")
    assert answer.status == 201
    assert answer.data["body"] == "Grüße & 🌍\r\n=%5B"
    assert [each["id"] for each in answer.data["receivers"]] == [77001, 302]
    record = clio.api.store.conversations[answer.data["conversation"]["id"]]
    assert record["matter"]["id"] == 51234
    for value in (True, False):
        text = str(value).lower()
        body = f"data[archived]={text}&data[read]={text}".encode()
        changed = await clio.patch(record, body, Content_Type=FORM)
        assert (changed.data["archived"], changed.data["read"]) == (value, value)
    refused = await clio.patch(record, b"data[archived]=yes", Content_Type=FORM)
    assert refused.status == 422


def parts(*pairs: tuple[str, str, str]) -> bytes:
    return (
        "".join(
            f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n{head}\r\n{text}\r\n'
            for name, head, text in pairs
        ).encode()
        + b"--edge--\r\n"
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (parts(*((name, "", value) for name, value in FORM_PAIRS)), FORM_PAIRS[0][1]),
        (
            parts(("data", "Content-Type: application/json\r\n", json.dumps(MESSAGE))),
            "Hello",
        ),
    ],
    ids=["one part for each", "JSON"],
)
async def test_multipart(clio: Client, body: bytes, text: str) -> None:
    answer = await clio.post(body, Content_Type="multipart/form-data; boundary=edge")
    assert answer.status == 201
    assert answer.data["body"] == text


@pytest.mark.parametrize("text", [*HARD_TEXTS, "", "a\rb\n\n", "\x0b\x0c\x1c\x85\u2028"])
async def test_any_text_comes_through_a_form(clio: Client, text: str) -> None:
    pairs = [("data[body]", text), *FORM_PAIRS[1:]]
    sent = await clio.post(urlencode(pairs).encode(), Content_Type=FORM)
    assert sent.data["body"] == text
    body = parts(*((name, "", value) for name, value in pairs))
    sent = await clio.post(body, Content_Type="multipart/form-data; boundary=edge")
    assert sent.data["body"] == text


# Documents


def carriers(api: ClioApi) -> list[dict[str, Any]]:
    """Return the seeded documents that can be opened, and the one that no message carries."""
    numbers = [each["id"] for each in api.store.documents.values()]
    return [each for each in map(api.store.visible_document, numbers) if each]


@pytest.mark.parametrize("ending", ["", ".json"])
async def test_download(clio: Client, ending: str) -> None:
    documents = carriers(clio.api)
    assert {each["filename"] for each in documents} >= {"lease.docx", "README", "voicemail.m4a"}
    digests = set()
    for document in documents[:6]:
        path = f"/documents/{document['id']}/download{ending}"
        answer = await clio.get(path)
        assert (answer.status, answer.content) == (303, b"")
        assert "X-RateLimit-Remaining" in answer.headers
        address = URL(answer.headers["Location"], encoded=True)
        assert (address.host, address.port) == ("localhost", URL(clio.server.base_url).port)
        file = await clio.get(str(address), Authorization="", Accept_Encoding="gzip")
        assert file.status == 200
        assert "Content-Encoding" not in file.headers
        assert len(file.content) == (512 if document["size"] is None else document["size"])
        assert file.headers["Content-Length"] == str(len(file.content))
        kind = document["content_type"] or "binary/octet-stream"
        assert file.headers["Content-Type"] == kind
        again = await clio.get(str(address), Authorization="")
        assert again.content == file.content
        digests.add(hashlib.sha256(file.content).digest())
    sizes = {each["size"] for each in documents[:6]}
    assert len(digests) >= len(sizes)


async def test_storage_wants_no_credentials(clio: Client) -> None:
    document = carriers(clio.api)[-1]
    address = (await clio.get(f"/documents/{document['id']}/download.json")).headers["Location"]
    refused = await clio.get(address)
    assert refused.status == 400
    assert refused.content.startswith(b"<Error><Code>InvalidArgument")
    assert "X-RateLimit-Remaining" not in refused.headers
    assert (await clio.get(address, Authorization="")).status == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda address: address.update_query(expires="9999999999"),
        lambda address: address.update_query(signature="0" * 64),
        lambda address: address.with_query(None),
        lambda address: address.with_path("/storage/660001/x", keep_query=True),
    ],
)
async def test_an_address_cannot_be_made_up(clio: Client, change: Any) -> None:
    document = carriers(clio.api)[-1]
    answer = await clio.get(f"/documents/{document['id']}/download.json")
    address = change(URL(answer.headers["Location"], encoded=True))
    refused = await clio.get(str(address), Authorization="")
    assert refused.status == 403
    assert b"SignatureDoesNotMatch" in refused.content


@pytest.mark.parametrize("seconds", [5, 60])
async def test_an_address_expires(clio: Client, seconds: int) -> None:
    clio.switch(link_seconds=seconds)
    now = 1_790_000_000.0
    clio.api.storage.clock = lambda: now
    document = carriers(clio.api)[-1]
    answer = await clio.get(f"/documents/{document['id']}/download.json")
    address = answer.headers["Location"]
    now += seconds
    assert (await clio.get(address, Authorization="")).status == 200
    now += 1
    refused = await clio.get(address, Authorization="")
    assert refused.status == 403
    assert b"Request has expired" in refused.content


async def test_documents_that_cannot_be_had(clio: Client) -> None:
    store = clio.api.store
    withdrawn = clio.named("Everything there is")["documents"][0]
    secret = store.new_document("secret.pdf", "application/pdf", 10)
    (hidden,) = store.hidden
    store.add_message(hidden, store.users[302], "x", document=secret)
    for number in (withdrawn["id"], secret["id"], 1, "x"):
        answer = await clio.get(f"/documents/{number}/download.json")
        assert (answer.status, answer.error) == (404, "NotFoundError")
    for number in (withdrawn["id"], secret["id"]):
        answer = await clio.post(MESSAGE | {"attachment": {"document_id": number}})
        assert answer.status == 404


@pytest.mark.parametrize("names", [("id",), ("version_id",), ("id", "version_id")])
async def test_attachments(clio: Client, names: tuple[str, ...]) -> None:
    document = carriers(clio.api)[-1]
    attachment = {f"document_{name}": document[name] for name in names}
    sent = await clio.post(MESSAGE | {"attachment": attachment})
    assert sent.data["document"] == {"id": document["id"], "filename": "engagement letter.pdf"}
    number = sent.data["conversation"]["id"]
    body = MESSAGE | {"attachment": attachment, "conversation": {"id": number}}
    assert (await clio.post(body)).data["document"]["id"] == document["id"]
    shown = await clio.get(f"/conversations/{number}.json", "documents{id,size}")
    assert shown.data["documents"] == [{"id": document["id"], "size": 20_480}]


# Webhooks


async def hook(clio: Client, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return await clio.send(method, f"/webhooks{path}.json", body, fields=HOOK_FIELDS, **headers)


async def test_webhooks_are_made(clio: Client) -> None:
    before = datetime.now(UTC)
    answer = await hook(clio, "POST", "", HOOK)
    assert answer.status == 201
    made = answer.data
    assert len(made["shared_secret"]) == 64
    life = datetime.fromisoformat(made["expires_at"]) - before
    assert timedelta(days=3, seconds=-2) < life < timedelta(days=3, seconds=10)
    assert {name: made[name] for name in HOOK} == HOOK
    assert made["status"] == "pending"
    assert made["events"] == ["created", "updated", "deleted"]
    assert (await hook(clio, "GET", f"/{made['id']}")).data == made
    assert (await hook(clio, "GET", "")).data[-1] == made


async def test_webhooks_with_everything(clio: Client) -> None:
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    events = ["matter_opened", "deleted"]
    body = HOOK | {"events": events, "expires_at": expires.isoformat()}
    made = (await hook(clio, "POST", "", body)).data
    assert made["events"] == events
    assert datetime.fromisoformat(made["expires_at"]) == expires
    payments = await hook(clio, "POST", "", HOOK | {"model": "clio_payments_payment"})
    assert payments.data["events"] == ["created", "updated"]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://example.com/hook"},
        {"url": "https://"},
        {"url": 5},
        {"url": None},
        {"model": "conversation"},
        {"model": 3},
        {"fields": "x" * 1001},
        {"fields": 1},
        {"events": ["read"]},
        {"events": "created"},
        {"model": "contact", "events": ["matter_opened"]},
        {"expires_at": "soon"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": (datetime.now(UTC) + timedelta(days=32)).isoformat()},
    ],
)
async def test_invalid_webhooks(clio: Client, change: dict[str, Any]) -> None:
    before = snapshot(clio.api)
    assert (await hook(clio, "POST", "", HOOK | change)).status == 422
    assert (await hook(clio, "PATCH", "/153", change)).status == 422
    assert snapshot(clio.api) == before


@pytest.mark.parametrize("name", ["url", "model", "fields"])
async def test_what_a_webhook_needs(clio: Client, name: str) -> None:
    body = {key: value for key, value in HOOK.items() if key != name}
    assert (await hook(clio, "POST", "", body)).status == 422


async def test_webhooks_are_changed(clio: Client) -> None:
    before = (await hook(clio, "GET", "/152")).data
    assert before["status"] == "enabled"
    stale = await hook(clio, "PATCH", "/152", {"fields": "id"}, If_Match='"x"')
    assert stale.status == 412
    same = await hook(clio, "PATCH", "/152", {"fields": before["fields"]})
    assert same.data == before
    later = (datetime.now(UTC) + timedelta(days=20)).replace(microsecond=0)
    body = {"fields": "id,name", "expires_at": later.isoformat(), "events": ["deleted"]}
    after = (await hook(clio, "PATCH", "/152", body, If_Match=before["etag"])).data
    assert datetime.fromisoformat(after.pop("expires_at")) == later
    assert after.pop("etag") != before["etag"]
    expected = before | {"fields": "id,name", "events": ["deleted"]}
    assert after == {name: expected[name] for name in after}
    moved = await hook(clio, "PATCH", "/152", {"url": "https://example.com/other"})
    assert moved.data["status"] == "pending"


async def test_a_model_must_have_the_events_it_had(clio: Client) -> None:
    made = await hook(clio, "POST", "", HOOK | {"events": ["matter_closed"]})
    path = f"/{made.data['id']}"
    assert (await hook(clio, "PATCH", path, {"model": "task"})).status == 422
    changed = await hook(clio, "PATCH", path, {"model": "task", "events": ["created"]})
    assert (changed.data["model"], changed.data["events"]) == ("task", ["created"])


async def test_webhooks_are_deleted(clio: Client) -> None:
    answer = await clio.send("DELETE", "/webhooks/151.json")
    assert (answer.status, answer.content) == (204, b"")
    assert [each["id"] for each in (await hook(clio, "GET", "")).data] == [152, 153]
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert (await clio.send(method, "/webhooks/151.json", body)).status == 404


@pytest.mark.parametrize("number", [151, 153])
async def test_the_handshake(clio: Client, number: int) -> None:
    record = clio.api.store.webhooks[number]
    path = f"/webhooks/{number}/activate"
    for secret in ("", "wrong"):
        assert (await clio.send("PUT", path, X_Hook_Secret=secret)).status == 422
    assert record["status"] != "enabled"
    answer = await clio.send("PUT", path, fields="status", X_Hook_Secret=record["shared_secret"])
    assert (answer.status, answer.data) == (200, {"status": "enabled"})
    assert (await clio.send("PUT", "/webhooks/9/activate", X_Hook_Secret="x")).status == 404


# Time


async def test_time_does_not_run_backwards(clio: Client) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).replace(microsecond=0)
    clio.api.store.now = ahead
    sent = await clio.post(MESSAGE)
    assert datetime.fromisoformat(sent.data["created_at"]) == ahead
    clio.api.store.clock = lambda: ahead + timedelta(seconds=90, microseconds=5)
    record = clio.named("Between users")
    body = MESSAGE | {"conversation": {"id": record["id"]}, "receivers": [COLLEAGUE]}
    later = await clio.post(body)
    moment = datetime.fromisoformat(later.data["created_at"])
    assert moment == ahead + timedelta(seconds=90) == record["updated_at"]
    assert later.data["created_at"].endswith("-05:00")
