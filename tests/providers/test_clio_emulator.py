"""Clio's emulator over real sockets: fields, pages, filters, limits and the firm it invents."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from attrs import evolve, frozen
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.clio.emulator import ClioApi
from conversations_hub.providers.clio.emulator.fields import (
    InvalidFieldError,
    Resource,
    Selection,
    parse,
)
from support import seeded

CONVERSATION = (
    "id,etag,subject,archived,read,read_only,current_user_is_member,message_count,"
    "time_entries_count,created_at,updated_at,matter{id,etag,display_number,description,status,"
    "client_id},first_message{id,created_at},last_message{id,etag,date,body,created_at,updated_at},"
    "memberships{id,etag,read,archived,created_at,updated_at,member},documents{id,etag,name,"
    "filename,content_type,size}"
)
PERSON = "{id,type,name,identifier,secondary_identifier}"
MESSAGE = (
    f"id,etag,date,body,created_at,updated_at,sender{PERSON},receivers{PERSON},"
    "document{id,etag,name,filename,content_type,size},conversation{id,etag,subject}"
)
BY_ID = ("order", "id(asc)")


@frozen
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def ids(self) -> list[str]:
        return [str(each["id"]) for each in self.body["data"]]

    @property
    def error(self) -> tuple[str, str]:
        return self.body["error"]["type"], self.body["error"]["message"]


class Client:
    def __init__(self, api: ClioApi, server: Server, session: aiohttp.ClientSession) -> None:
        self.api, self.server, self.session = api, server, session

    async def get(self, path: str, *query: tuple[str, str], **headers: str) -> Answer:
        pairs = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query)
        return await self.fetch(f"{self.server.base_url}{path}?{pairs}", **headers)

    async def fetch(self, url: str, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {self.api.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(URL(url, encoded=True), headers=sent) as response:
            return Answer(response.status, response.headers, await response.text())

    async def walk(self, path: str, *query: tuple[str, str]) -> list[Answer]:
        pages = [await self.get(path, *query)]
        while address := pages[-1].body["meta"]["paging"].get("next"):
            pages.append(await self.fetch(address))
        return pages

    def switch(self, **changes: Any) -> None:
        self.api.switches = evolve(self.api.switches, **changes)


@pytest.fixture
async def clio() -> AsyncIterator[Client]:
    api = seeded("clio", seed=3, scale=0.1)
    server = Server(api)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(api, server, session)
    await server.stop()


def named(api: ClioApi, subject: str | None) -> dict[str, Any]:
    records = api.store.conversations.values()
    return next(record for record in records if record["subject"] == subject)


def together(pages: list[Answer]) -> list[str]:
    return [each for page in pages for each in page.ids]


# What is stored


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts(seed: int) -> None:
    api = ClioApi(seed=seed)
    sizes = [len(api.message_ids(each)) for each in api.conversation_ids()]
    assert len(sizes) >= 120
    assert sum(sizes) >= 3_000
    assert max(sizes) >= 400
    assert 0 in sizes
    assert 1 in sizes


def test_scale_multiplies() -> None:
    assert 10 <= len(ClioApi(scale=0.1).conversation_ids()) <= 15
    assert len(ClioApi(scale=2).conversation_ids()) >= 240


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0])
def test_every_kind_is_there(scale: float) -> None:
    store = ClioApi(scale=scale).store
    messages, conversations = store.messages.values(), store.visible_conversations()
    bodies = {each["body"] for each in messages}
    assert {*HARD_TEXTS, "", None} <= bodies
    assert max(len(body or "") for body in bodies) > 100_000
    assert any((body or "").startswith("<p>") for body in bodies)
    assert {each["sender"]["type"] for each in messages} == {"User", "Person", "Company"}
    assert any(each.get("sender_lost") for each in messages)
    documents = [each["document"] for each in messages]
    assert None in documents
    kinds = {each["content_type"] for each in documents if each}
    assert len(kinds) == 5
    assert None in kinds
    assert {True, False} == {each["read_only"] for each in conversations}
    assert {None} < {each["subject"] for each in conversations}
    matters = [each["matter"] for each in conversations]
    assert None in matters
    assert any(matter and matter["redacted"] for matter in matters)
    assert {each["status"] for each in store.matters.values()} == {"Open", "Pending", "Closed"}
    assert {each["status"] for each in store.webhooks.values()} == {
        "pending",
        "enabled",
        "suspended",
    }
    assert len(store.hidden) == 1


def test_a_user_and_a_contact_share_a_number_in_one_conversation() -> None:
    members = [
        each["member"] for each in named(ClioApi(scale=0.1), "Same number twice")["memberships"]
    ]
    assert Counter(member["id"] for member in members)[303] == 2
    assert {member["type"] for member in members if member["id"] == 303} == {"User", "Person"}


def test_times_tie_and_ids_grow_with_time() -> None:
    api = ClioApi(scale=0.1)
    burst = named(api, "In one second")["messages"]
    assert len({each["created_at"] for each in burst}) == 1
    times = [each["created_at"] for each in api.store.messages.values()]
    assert times == sorted(times)
    assert list(api.store.messages) == sorted(api.store.messages)


async def test_same_seed_same_bytes() -> None:
    async def digest(seed: int) -> str:
        api = ClioApi(seed=seed, scale=0.1)
        server = Server(api)
        await server.start()
        async with aiohttp.ClientSession() as session:
            client = Client(api, server, session)
            first = await client.get("/conversations.json", ("fields", CONVERSATION), BY_ID)
            long = named(api, "Deposition dates")["id"]
            second = await client.get(
                "/conversation_messages.json", ("fields", MESSAGE), ("conversation_id", str(long))
            )
        await server.stop()
        return hashlib.sha256((first.text + second.text).encode()).hexdigest()

    assert await digest(5) == await digest(5)
    assert await digest(5) != await digest(6)


# Fields

INNER = Resource(frozenset({"id", "etag", "name"}), {"deep": Resource(frozenset({"id", "etag"}))})
OUTER = Resource(frozenset({"id", "etag", "subject"}), {"inner": INNER})


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        pytest.param("", {"id": None, "etag": None}, id="default"),
        pytest.param("subject", {"subject": None}, id="exactly what is listed"),
        pytest.param("inner,id", {"inner": {"id": None, "etag": None}, "id": None}, id="bare"),
        pytest.param("id,inner{name}", {"id": None, "inner": {"name": None}}, id="nested"),
        pytest.param(
            "inner{deep,name},id",
            {"inner": {"deep": {"id": None, "etag": None}, "name": None}, "id": None},
            id="bare second level",
        ),
    ],
)
def test_fields(text: str, selection: Selection) -> None:
    assert parse(text, OUTER) == selection


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("id,color", "color"),
        ("inner{color}", "color"),
        ("subject{id}", "subject"),
        ("inner{name,deep{id}}", "deep}"),
        ("inner{deep{id},name}", "deep}"),
        ("inner{}", ""),
        ("id,", ""),
        ("id,,etag", ""),
        ("inner{name", "inner{name"),
        ("id}", "id}"),
        ("*", "*"),
        ("id, etag", " etag"),
    ],
)
def test_invalid_fields(text: str, culprit: str) -> None:
    with pytest.raises(InvalidFieldError, match=f"^{re.escape(culprit)} is not a valid field$"):
        parse(text, OUTER)


@pytest.mark.parametrize(
    "path", ["/conversations.json", "/conversations/1.json", "/users/who_am_i.json", "/webhooks"]
)
async def test_invalid_field_is_refused_before_all_else(clio: Client, path: str) -> None:
    answer = await clio.get(path, ("fields", "id,memberships{id,member{id}}"), ("limit", "0"))
    assert answer.status == 400
    assert answer.error[0] == "ArgumentError"
    assert answer.error[1].endswith("is not a valid field")


async def test_defaults_are_id_and_etag(clio: Client) -> None:
    answer = await clio.get("/conversations.json")
    assert all(set(each) == {"id", "etag"} for each in answer.body["data"])
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.body["data"][0]["etag"])


async def test_the_recommended_fields_are_all_answered(clio: Client) -> None:
    answer = await clio.get("/conversations.json", ("fields", CONVERSATION), BY_ID)
    record = next(each for each in answer.body["data"] if each["subject"] == "Everything there is")
    assert list(record) == [
        each.partition("{")[0] for each in re.split(r",(?![^{]*})", CONVERSATION)
    ]
    assert set(record["first_message"]) == {"id", "created_at"}
    assert all(set(each["member"]) == {"id", "etag"} for each in record["memberships"])
    assert len(record["documents"]) == 5
    empty = next(each for each in answer.body["data"] if each["subject"] == "Nothing said yet")
    assert empty["last_message"] is None
    assert empty["documents"] == []


async def test_messages_name_people_in_full(clio: Client) -> None:
    record = named(clio.api, "One message")
    query = (("conversation_id", str(record["id"])), ("fields", MESSAGE))
    (message,) = (await clio.get("/conversation_messages.json", *query)).body["data"]
    person = {"id", "type", "name", "identifier", "secondary_identifier"}
    assert set(message["sender"]) == person
    assert [set(each) for each in message["receivers"]] == [person]
    assert message["conversation"]["subject"] == "One message"
    assert message["date"] == message["created_at"][:10]


async def test_member_defaults_typed(clio: Client) -> None:
    clio.switch(member_defaults="typed")
    answer = await clio.get("/conversations.json", ("fields", "memberships{member}"))
    member = answer.body["data"][0]["memberships"][0]["member"]
    assert set(member) == {"id", "etag", "type", "name"}


@pytest.mark.parametrize(
    ("rejected", "statuses"),
    [("none", [200, 200, 200]), ("identifiers", [400, 200, 200]), ("all", [400, 400, 200])],
)
async def test_the_ladder_of_participant_fields(
    clio: Client, rejected: str, statuses: list[int]
) -> None:
    clio.switch(rejected_participant_fields=rejected)
    conversation = ("conversation_id", clio.api.conversation_ids()[1])
    rungs = ("sender{id,type,name,identifier}", "sender{id,type,name}", "sender,receivers")
    answers = [
        await clio.get("/conversation_messages.json", conversation, ("fields", rung))
        for rung in rungs
    ]
    assert [each.status for each in answers] == statuses
    assert set(answers[2].body["data"][0]["sender"]) == {"id", "etag"}


@pytest.mark.parametrize("redacts", [True, False])
async def test_redacted_matters(clio: Client, redacts: bool) -> None:
    clio.switch(redacted_matters=redacts)
    answer = await clio.get("/conversations.json", ("fields", "subject,matter{id,status}"))
    matters = [each["matter"] for each in answer.body["data"]]
    assert ({"redacted": True} in matters) is redacts
    assert None in matters
    assert any(matter and set(matter) == {"id", "status"} for matter in matters)


@pytest.mark.parametrize("loses", [True, False])
async def test_null_senders(clio: Client, loses: bool) -> None:
    clio.switch(null_senders=loses)
    conversation = ("conversation_id", str(named(clio.api, "Everything there is")["id"]))
    answer = await clio.get("/conversation_messages.json", conversation, ("fields", "sender"))
    senders = [each["sender"] for each in answer.body["data"]]
    assert senders.count(None) == (2 if loses else 0)


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, r":\d\d-05:00"),
        ({"offset": "+05:30"}, r":\d\d\+05:30"),
        ({"offset": "Z"}, r":\d\dZ"),
        ({"offset": "+00:00", "fractions": True}, r":\d\d\.\d{3}\+00:00"),
    ],
)
async def test_timestamps(clio: Client, changes: dict[str, Any], ending: str) -> None:
    clio.switch(**changes)
    number = clio.api.conversation_ids()[0]
    answer = await clio.get(f"/conversations/{number}.json", ("fields", "created_at"))
    text = answer.body["data"]["created_at"]
    assert re.search(ending + "$", text)
    assert datetime.fromisoformat(text) == clio.api.store.conversations[int(number)]["created_at"]


# Pages


@pytest.mark.parametrize("order", [None, "id(asc)", "id(desc)"])
async def test_every_conversation_once(clio: Client, order: str | None) -> None:
    expected = clio.api.conversation_ids()
    for limit in (1, 2, 5, len(expected) - 1, len(expected), 200):
        query = [("limit", str(limit)), *([("order", order)] if order else [])]
        pages = await clio.walk("/conversations.json", *query)
        assert together(pages) == (expected[::-1] if order == "id(desc)" else expected)
        assert len(pages) == -(-len(expected) // limit)
        assert {page.body["meta"]["records"] for page in pages} == {len(expected)}


@pytest.mark.parametrize("limit", [7, 15, 200])
async def test_every_message_once(clio: Client, limit: int) -> None:
    for subject in ("Deposition dates", "In one second", "Nothing said yet"):
        number = str(named(clio.api, subject)["id"])
        query = (("conversation_id", number), ("limit", str(limit)), BY_ID)
        pages = await clio.walk("/conversation_messages.json", *query)
        assert together(pages) == clio.api.message_ids(number)


async def test_next_is_absolute_encoded_and_opaque(clio: Client) -> None:
    fields = ("fields", "id,memberships{id,member}")
    answer = await clio.get(
        "/conversations.json", ("ids[]", "8801"), ("ids[]", "8802"), fields, BY_ID, ("limit", "1")
    )
    address = answer.body["meta"]["paging"]["next"]
    assert address.startswith(f"{clio.server.base_url}/conversations.json?")
    query = address.partition("?")[2].split("&")
    assert query[:-1] == [
        "fields=id%2Cmemberships%7Bid%2Cmember%7D",
        "ids%5B%5D=8801",
        "ids%5B%5D=8802",
        "limit=1",
        "order=id%28asc%29",
    ]
    assert re.fullmatch(r"page_token=[\w-]+", query[-1])
    assert "8801" not in query[-1]


async def test_previous_leads_back(clio: Client) -> None:
    for order in ("id(asc)", "id(desc)"):
        first, second, *_ = await clio.walk("/conversations.json", ("order", order), ("limit", "4"))
        assert set(first.body["meta"]["paging"]) == {"next"}
        assert set(second.body["meta"]["paging"]) == {"next", "previous"}
        back = await clio.fetch(second.body["meta"]["paging"]["previous"])
        assert back.ids == first.ids


async def test_a_cursor_is_not_moved_by_new_records_but_an_offset_is(clio: Client) -> None:
    before = clio.api.conversation_ids()
    for order, overlap in (("id(asc)", 0), ("id(desc)", 1)):
        page = await clio.get("/conversations.json", ("order", order), ("limit", "5"))
        clio.api.add_conversation()
        rest = await clio.fetch(page.body["meta"]["paging"]["next"])
        assert len(set(page.ids) & set(rest.ids)) == overlap
    assert clio.api.conversation_ids()[: len(before)] == before


@pytest.mark.parametrize(
    ("query", "deep"),
    [
        pytest.param([BY_ID], True, id="cursor"),
        pytest.param([], False, id="no order"),
        pytest.param([("order", "id(desc)")], False, id="another order"),
        pytest.param([BY_ID, ("offset", "0")], False, id="an offset"),
    ],
)
async def test_only_a_cursor_goes_deep(
    clio: Client, query: list[tuple[str, str]], deep: bool
) -> None:
    clio.switch(depth=8)
    page = await clio.get("/conversations.json", ("limit", "4"), *query)
    page = await clio.fetch(page.body["meta"]["paging"]["next"])
    last = await clio.fetch(page.body["meta"]["paging"]["next"])
    assert (last.status == 200) is deep
    if not deep:
        assert last.status == 422
        text = "page_token is now out of bounds and cannot be used."
        assert last.error == ("ArgumentError", text)


async def test_no_order_may_be_a_cursor(clio: Client) -> None:
    clio.switch(depth=8, default_order="cursor")
    pages = await clio.walk("/conversations.json", ("limit", "4"))
    assert together(pages) == clio.api.conversation_ids()


async def test_offset(clio: Client) -> None:
    answer = await clio.get("/conversations.json", ("offset", "3"), ("limit", "2"))
    assert answer.ids == clio.api.conversation_ids()[3:5]


async def test_the_token_with_the_same_query_is_as_good_as_the_link(clio: Client) -> None:
    query = (("limit", "3"), BY_ID)
    page = await clio.get("/conversations.json", *query)
    token = URL(page.body["meta"]["paging"]["next"], encoded=True).query["page_token"]
    answer = await clio.get("/conversations.json", *query, ("page_token", token))
    assert answer.ids == clio.api.conversation_ids()[3:6]


async def test_meta_switches(clio: Client) -> None:
    clio.switch(records="page")
    *_, last = await clio.walk("/conversations.json", BY_ID, ("limit", "5"))
    assert last.body["meta"] == {
        "paging": {"previous": last.body["meta"]["paging"]["previous"]},
        "records": len(last.ids),
    }
    clio.switch(page_end="null")
    assert (await clio.get("/webhooks.json")).body["meta"]["paging"] == {
        "next": None,
        "previous": None,
    }
    clio.switch(meta="last_missing")
    assert set((await clio.get("/webhooks.json")).body) == {"data"}
    assert "meta" in (await clio.get("/webhooks.json", ("limit", "1"))).body
    clio.switch(meta="missing")
    assert set((await clio.get("/webhooks.json", ("limit", "1"))).body) == {"data"}


async def test_hostile_next_links(clio: Client) -> None:
    clio.switch(next_link="foreign")
    page = await clio.get("/conversations.json", BY_ID, ("limit", "2"))
    assert urlsplit(page.body["meta"]["paging"]["next"]).hostname == "app.clio.invalid"
    clio.switch(next_link="own")
    second = await clio.fetch(
        (await clio.get("/conversations.json", BY_ID, ("limit", "2"))).body["meta"]["paging"][
            "next"
        ]
    )
    clio.switch(next_link="loop")
    third = await clio.fetch(second.body["meta"]["paging"]["next"])
    again = await clio.fetch(third.body["meta"]["paging"]["next"])
    assert again.ids == third.ids


# Filters


async def ids(clio: Client, *query: tuple[str, str]) -> set[str]:
    return set((await clio.get("/conversations.json", *query)).ids)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("archived", "true", lambda each, api: each["archived"]),
        ("archived", "false", lambda each, api: not each["archived"]),
        ("read_status", "true", lambda each, api: each["read"]),
        ("read_status", "false", lambda each, api: not each["read"]),
        ("time_entries", "true", lambda each, api: each["time_entries_count"]),
        ("time_entries", "false", lambda each, api: not each["time_entries_count"]),
        ("for_user", "true", lambda each, api: each["group_access"]),
        ("for_user", "false", lambda each, api: api.store.me in _members(each)),
        ("contact_id", "77001", lambda each, api: api.store.contacts[77001] in _members(each)),
        ("contact_id", "303", lambda each, api: api.store.contacts[303] in _members(each)),
        ("matter_id", "null", lambda each, api: each["matter"] is None),
        ("matter_id", "51234", lambda each, api: each["matter"] and each["matter"]["id"] == 51234),
        ("ids[]", "8803", lambda each, api: each["id"] == 8803),
    ],
)
async def test_conversation_filters(
    clio: Client, name: str, value: str, expected: Callable[[Any, ClioApi], Any]
) -> None:
    records = clio.api.store.visible_conversations()
    wanted = {str(each["id"]) for each in records if expected(each, clio.api)}
    assert 0 < len(wanted) < len(records)
    assert await ids(clio, (name, value)) == wanted


def _members(conversation: dict[str, Any]) -> list[Any]:
    return [each["member"] for each in conversation["memberships"]]


@pytest.mark.parametrize("name", ["created", "updated"])
@pytest.mark.parametrize("mode", ["strict", "inclusive"])
async def test_since(clio: Client, name: str, mode: str) -> None:
    clio.switch(since=mode)
    records = clio.api.store.visible_conversations()
    edge = sorted(each[f"{name}_at"] for each in records)[len(records) // 2]
    later = {str(each["id"]) for each in records if each[f"{name}_at"] > edge}
    at = {str(each["id"]) for each in records if each[f"{name}_at"] == edge}
    local = edge.astimezone().isoformat()
    assert await ids(clio, (f"{name}_since", local)) == (later if mode == "strict" else later | at)


async def test_date_is_a_day_in_the_users_zone(clio: Client) -> None:
    record = next(
        each for each in clio.api.store.visible_conversations() if each["created_at"].hour < 5
    )
    day = record["created_at"].date() - timedelta(days=1)
    assert str(record["id"]) in await ids(clio, ("date", day.isoformat()))
    assert str(record["id"]) not in await ids(
        clio, ("date", record["created_at"].date().isoformat())
    )


@pytest.mark.parametrize("name", ["last_message_id", "matter_id"])
async def test_orders(clio: Client, name: str) -> None:
    key = name.removesuffix("_id")
    records = clio.api.store.visible_conversations()
    numbers = sorted(each[key]["id"] if each[key] else 0 for each in records)
    for direction, expected in (("asc", numbers), ("desc", numbers[::-1])):
        order = ("order", f"{name}({direction})")
        pages = await clio.walk("/conversations.json", order, ("limit", "5"))
        found = [clio.api.store.conversations[int(each)][key] for each in together(pages)]
        assert [each["id"] if each else 0 for each in found] == expected
        assert sorted(together(pages), key=int) == clio.api.conversation_ids()


async def test_message_filters(clio: Client) -> None:
    record = named(clio.api, "Everything there is")
    conversation = ("conversation_id", str(record["id"]))

    async def find(*query: tuple[str, str]) -> list[str]:
        return (await clio.get("/conversation_messages.json", conversation, *query)).ids

    every = clio.api.message_ids(str(record["id"]))
    assert await find(("ids[]", every[2]), ("ids[]", every[4]), ("ids[]", "1")) == [
        every[2],
        every[4],
    ]
    emoji = [
        str(each["id"]) for each in record["messages"] if "emoji:" in (each["body"] or "").lower()
    ]
    assert await find(("query", "EMOJI:*family")) == emoji
    assert await find(("order", "id(desc)")) == every[::-1]
    # The times are the conversation's, so it is all or nothing.
    before, after = record["created_at"] - timedelta(1), record["created_at"] + timedelta(1)
    assert await find(("created_since", before.isoformat())) == every
    assert await find(("created_since", after.isoformat())) == []


async def test_messages_of_nothing(clio: Client) -> None:
    for value in ("null", "1"):
        assert (await clio.get("/conversation_messages.json", ("conversation_id", value))).ids == []


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/conversations", "limit", "0"),
        ("/conversations", "limit", "201"),
        ("/conversations", "limit", "ten"),
        ("/conversations", "order", "subject(asc)"),
        ("/conversations", "archived", "True"),
        ("/conversations", "contact_id", "Ada"),
        ("/conversations", "matter_id", "none"),
        ("/conversations", "created_since", "yesterday"),
        ("/conversations", "updated_since", "2026-02-03T09:15:00 05:00"),
        ("/conversations", "date", "3 May"),
        ("/conversations", "ids[]", "a"),
        ("/conversations", "offset", "-1"),
        ("/conversations", "page_token", "abc"),
        ("/conversations", "page_token", "e30"),
        ("/conversations", "page_token", "\u00e9"),
        ("/conversation_messages", "limit", "5"),
        ("/conversation_messages", "conversation_id", "x"),
        ("/conversation_messages", "order", "last_message_id(asc)"),
    ],
)
async def test_bad_arguments(clio: Client, path: str, name: str, value: str) -> None:
    answer = await clio.get(f"{path}.json", (name, value))
    assert answer.status == 422
    assert answer.error[0] == "ArgumentError"


async def test_a_token_belongs_to_its_mode(clio: Client) -> None:
    page = await clio.get("/conversations.json", ("limit", "2"))
    token = URL(page.body["meta"]["paging"]["next"], encoded=True).query["page_token"]
    assert (await clio.get("/conversations.json", BY_ID, ("page_token", token))).status == 422


# Single records


@pytest.mark.parametrize("ending", ["", ".json"])
async def test_show(clio: Client, ending: str) -> None:
    message = named(clio.api, "One message")["messages"][0]
    paths = {
        f"/conversations/{message['conversation']['id']}": message["conversation"],
        f"/conversation_messages/{message['id']}": message,
        "/users/who_am_i": clio.api.store.me,
        "/webhooks/151": clio.api.store.webhooks[151],
    }
    for path, record in paths.items():
        answer = await clio.get(path + ending)
        assert answer.body == {"data": {"id": record["id"], "etag": record["etag"]}}
        assert answer.headers["ETag"] == record["etag"]
        assert parsedate_to_datetime(answer.headers["Last-Modified"]) == record["updated_at"]


async def test_who_am_i_and_webhooks(clio: Client) -> None:
    fields = ("fields", "name,email,time_zone,groups,job_title{name},contact,account{name}")
    me = (await clio.get("/users/who_am_i.json", fields)).body["data"]
    assert me["email"] == f"user{clio.api.store.me['id']}@firm.example"
    assert me["job_title"] == {"name": "Partner"}
    assert me["contact"] is None
    hooks = await clio.get("/webhooks.json", ("fields", "status,events,user{name}"))
    assert [each["status"] for each in hooks.body["data"]] == ["pending", "enabled", "suspended"]
    assert {each["user"]["name"] for each in hooks.body["data"]} == {me["name"]}


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/1.json",
        "/conversations/x",
        "/webhooks/0.json",
        "/conversation_messages/-5.json",
    ],
)
async def test_not_found(clio: Client, path: str) -> None:
    answer = await clio.get(path)
    assert answer.status == 404
    assert answer.error[0] == "NotFoundError"


@pytest.mark.parametrize(("hidden", "status"), [("not_found", 404), ("forbidden", 403)])
async def test_hidden_conversation(clio: Client, hidden: str, status: int) -> None:
    clio.switch(hidden=hidden)
    (number,) = clio.api.store.hidden
    message = clio.api.store.conversations[number]["messages"][0]["id"]
    assert str(number) not in together(await clio.walk("/conversations.json", BY_ID))
    assert (await clio.get(f"/conversations/{number}.json")).status == status
    assert (await clio.get(f"/conversation_messages/{message}.json")).status == status
    listed = await clio.get("/conversation_messages.json", ("conversation_id", str(number)))
    assert (listed.status, listed.body.get("data")) == ((200, []) if status == 404 else (403, None))


async def test_conditional_requests(clio: Client) -> None:
    number = clio.api.conversation_ids()[1]
    path = f"/conversations/{number}.json"
    shown = await clio.get(path)
    etag, modified = shown.headers["ETag"], shown.headers["Last-Modified"]
    earlier = "Mon, 05 Jan 2026 00:00:00 GMT"
    for headers in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"x", W/{etag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": modified},
    ):
        answer = await clio.get(path, **headers)
        assert (answer.status, answer.text, answer.headers["ETag"]) == (304, "", etag)
    for headers in (
        {"If_None_Match": '"x"', "If_Modified_Since": modified},
        {"If_Modified_Since": earlier},
        {"If_Modified_Since": "soon"},
    ):
        assert (await clio.get(path, **headers)).status == 200
    clio.api.add_message(number)
    assert (await clio.get(path, If_None_Match=etag)).status == 200


# Who may ask, and how often


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer wrong", "Basic abc", "Token {token}", "Bearer {token} x"]
)
async def test_unauthorized(clio: Client, value: str) -> None:
    answer = await clio.get("/conversations.json", Authorization=value.format(token=clio.api.token))
    assert answer.status == 401
    assert answer.error == ("UnauthorizedError", "User is not authorized")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "X-Request-Id" in answer.headers
    assert not [name for name in answer.headers if name.startswith(("X-RateLimit", "X-API", "WWW"))]


async def test_permission(clio: Client) -> None:
    clio.switch(permitted=False)
    answer = await clio.get("/conversations.json")
    assert answer.status == 403
    assert answer.error == ("ForbiddenError", "User is forbidden from taking that action")
    assert (await clio.get("/users/who_am_i.json")).status == 200


async def test_versions(clio: Client) -> None:
    answer = await clio.get("/conversations.json")
    assert answer.headers["X-API-VERSION"] == "4.0.13"
    answer = await clio.get("/conversations.json", X_API_VERSION="4.0.9")
    assert answer.headers["X-API-VERSION"] == "4.0.9"
    for version in ("4.0.1", "5", "latest"):
        answer = await clio.get("/conversations.json", X_API_VERSION=version, Authorization="no")
        assert answer.status == 410
        assert "X-API-VERSION" not in answer.headers


@pytest.mark.parametrize("path", ["/communications.json", "/conversations/1/messages.json", ""])
async def test_unknown_routes_are_pages(clio: Client, path: str) -> None:
    answer = await clio.get(path, Authorization="none")
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert len(answer.text) > 20_000


async def test_rate_limit(clio: Client) -> None:
    clio.switch(rate_limit=50)
    now = 1_790_000_000.5
    clio.api.limiter.clock = lambda: now
    for left in range(49, -1, -1):
        answer = await clio.get("/users/who_am_i.json")
        assert answer.status == 200
        assert answer.headers["X-RateLimit-Remaining"] == str(left)
    assert answer.headers["X-RateLimit-Limit"] == "50"
    assert answer.headers["X-RateLimit-Reset"] == "1790000061"
    now += 20
    answer = await clio.get("/users/who_am_i.json")
    assert answer.status == 429
    assert answer.error[1] == "Rate limit of 50 exceeded. Retry in 40 seconds."
    assert answer.headers["Retry-After"] == "40"
    clio.switch(retry_after="date")
    answer = await clio.get("/users/who_am_i.json")
    assert parsedate_to_datetime(answer.headers["Retry-After"]).timestamp() == 1_790_000_061
    clio.switch(retry_after="missing")
    assert "Retry-After" not in (await clio.get("/users/who_am_i.json")).headers
    clio.api.tokens.add("another")
    other = await clio.get("/users/who_am_i.json", Authorization="Bearer another")
    assert other.headers["X-RateLimit-Remaining"] == "49"
    now += 40
    assert (await clio.get("/users/who_am_i.json")).status == 200


async def test_errors_are_counted_too(clio: Client) -> None:
    first = await clio.get("/conversations/1.json")
    second = await clio.get("/conversations.json", ("limit", "0"))
    left = [int(each.headers["X-RateLimit-Remaining"]) for each in (first, second)]
    assert left[0] - left[1] == 1
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def test_bad_gateway(clio: Client) -> None:
    clio.switch(bad_gateway_every=3)
    answers = [await clio.get("/users/who_am_i.json") for _ in range(6)]
    assert [each.status for each in answers] == [200, 200, 502, 200, 200, 502]
    assert answers[2].headers["Content-Type"].startswith("text/html")


# What changes


async def shown(clio: Client, number: str) -> dict[str, Any]:
    return (await clio.get(f"/conversations/{number}.json", ("fields", CONVERSATION))).body["data"]


@pytest.mark.parametrize("bumps", [True, False])
async def test_a_new_message(clio: Client, bumps: bool) -> None:
    clio.switch(message_bumps_updated_at=bumps)
    number = str(named(clio.api, "One message")["id"])
    clio.api.store.mark(int(number), clio.api.store.contacts[77001], read=True)
    before = await shown(clio, number)
    message = clio.api.add_message(number)
    after = await shown(clio, number)
    assert after["message_count"] == before["message_count"] + 1
    assert str(after["last_message"]["id"]) == message == clio.api.message_ids(number)[-1]
    assert after["first_message"] == before["first_message"]
    assert after["etag"] != before["etag"]
    assert (after["updated_at"] != before["updated_at"]) is bumps
    sender = clio.api.store.messages[int(message)]["sender"]["id"]
    read = {each["member"]["id"]: each["read"] for each in after["memberships"]}
    assert read == {301: sender == 301, 77001: sender == 77001}
    assert after["read"] is read[301]


async def test_new_things_come_after_everything_else(clio: Client) -> None:
    newest = max(each["updated_at"] for each in clio.api.store.conversations.values())
    number = clio.api.add_conversation()
    assert clio.api.conversation_ids()[-1] == number
    assert len(clio.api.message_ids(number)) == 1
    assert len(clio.api.participant_ids(number)) == 2
    assert clio.api.store.conversations[int(number)]["created_at"] >= newest
    assert await ids(clio, ("updated_since", newest.isoformat())) >= {number}


async def test_marks_are_one_members_own(clio: Client) -> None:
    record = named(clio.api, "Between users")
    me, colleague = _members(record)
    number = str(record["id"])
    clio.api.store.mark(record["id"], me, read=False, archived=False)
    before = await shown(clio, number)
    clio.api.store.mark(record["id"], colleague, archived=not record["memberships"][1]["archived"])
    assert (await shown(clio, number))["archived"] is False
    clio.api.store.mark(record["id"], me, read=True, archived=True)
    after = await shown(clio, number)
    assert after["archived"] is after["read"] is True
    assert after["updated_at"] == before["updated_at"]
    assert after["etag"] != before["etag"]
    assert after["memberships"][0]["etag"] != before["memberships"][0]["etag"]


async def test_members_and_matters_are_added(clio: Client) -> None:
    record = named(clio.api, "Read only")
    number = str(record["id"])
    clio.api.store.add_member(record["id"], clio.api.store.me)
    clio.api.store.link_matter(record["id"], clio.api.store.matters[51235])
    after = await shown(clio, number)
    assert after["current_user_is_member"] is True
    assert after["read_only"] is False
    assert after["matter"]["id"] == 51235
    assert [str(each["id"]) for each in after["memberships"]] == clio.api.participant_ids(number)


async def test_messages_are_neither_edited_nor_removed(clio: Client) -> None:
    number = clio.api.conversation_ids()[2]
    before = await shown(clio, number)
    message = clio.api.message_ids(number)[0]
    clio.api.edit_message(number, message)
    clio.api.remove_message(number, message)
    assert await shown(clio, number) == before
    assert message in clio.api.message_ids(number)


def test_settings() -> None:
    api = ClioApi(seed=4, scale=0.1)
    assert set(api.settings) == {"token", "receiver_id"}
    assert api.arguments == {"token": api.token}
    receiver = api.settings["receiver_id"]
    assert receiver in api.store.contacts
    assert receiver not in api.store.users
    assert ClioApi(seed=5, scale=0.1).token != api.token
