"""What the faked Twilio promises: its pages, shapes, switches and errors, over real HTTP."""

import asyncio
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from attrs import evolve
from twilio.rest import Client
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.twilio.emulator import TwilioApi
from conversations_hub.providers.twilio.emulator.conversation import Conversation
from support import seeded

Query = dict[str, str | int]
DATED = {"StartDate": "2026-01-01T00:00:00Z"}


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"}


class Site:
    """A running emulator and a client with its credentials."""

    def __init__(self, api: TwilioApi, server: Server, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.store = api.store
        self.server = server
        self.session = session
        self.auth = basic(*api.settings.values())

    def set(self, **switches: Any) -> None:
        self.api.switches = evolve(self.api.switches, **switches)

    async def ask(
        self, path: str, query: Query | None = None, method: str = "GET", **options: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        url = path if path.startswith("http") else self.server.base_url + "/v1" + path
        options.setdefault("headers", self.auth)
        async with self.session.request(
            method, URL(url, encoded=True), params=query, **options
        ) as response:
            return response.status, await response.json(), response.headers

    async def get(self, path: str, **query: str | int) -> Any:
        status, body, _ = await self.ask(path, query)
        assert status == 200, body
        return body

    async def refused(self, path: str, **query: str | int) -> tuple[int, int]:
        status, body, _ = await self.ask(path, query)
        assert status == body["status"]
        return status, body["code"]

    async def pages(self, path: str, **query: str | int) -> list[Any]:
        found = [await self.get(path, **query)]
        while url := found[-1]["meta"]["next_page_url"]:
            found.append(await self.get(url))
        return found

    async def items(self, path: str, **query: str | int) -> list[Any]:
        pages = await self.pages(path, **query)
        return [item for page in pages for item in page[page["meta"]["key"]]]

    async def sids(self, path: str, **query: str | int) -> list[str]:
        return [item["sid"] for item in await self.items(path, **query)]

    def conversation(self, wanted: Callable[[Conversation], Any]) -> Conversation:
        return next(one for one in self.store.conversations.values() if wanted(one))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    api = seeded("twilio", scale=0.1)
    server = Server(api)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Site(api, server, session)
    await server.stop()


def longest(site: Site) -> Conversation:
    return max(site.store.conversations.values(), key=lambda one: len(one.messages))


# The seed.


def test_same_seed_same_bytes() -> None:
    first, again, other = (
        json.dumps(
            [
                [one.record, one.messages, one.participants]
                for one in api.store.conversations.values()
            ],
            default=str,
        )
        for api in (
            TwilioApi(seed=4, scale=0.3),
            TwilioApi(seed=4, scale=0.3),
            TwilioApi(seed=5, scale=0.3),
        )
    )
    assert first == again
    assert first != other


def test_counts_at_full_scale() -> None:
    api = TwilioApi()
    counts = [len(api.message_ids(one)) for one in api.conversation_ids()]
    assert len(counts) >= 120
    assert sum(counts) >= 3000
    assert max(counts) >= 400
    assert counts.count(1) >= 1
    assert counts.count(0) >= 1
    assert max(len(one.participants) for one in api.store.conversations.values()) > 100


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_everything_occurs(scale: float) -> None:
    api = TwilioApi(scale=scale)
    store = api.store
    mine = [store.conversations[sid] for sid in api.conversation_ids()]
    messages = [message for one in mine for message in one.messages]
    people = [person for one in mine for person in one.participants]
    receipts = [one for talk in mine for each in talk.receipts.values() for one in each]

    assert {one.record["state"] for one in mine} == {"active", "inactive", "closed", "initializing"}
    assert {frozenset(one.timers) for one in mine} >= {
        frozenset(),
        frozenset({"date_inactive"}),
        frozenset({"date_closed"}),
        frozenset({"date_inactive", "date_closed"}),
    }
    assert {None} < {one.record["unique_name"] for one in mine}
    assert {bool(one.record["bindings"]) for one in mine} == {True, False}
    assert {one.record["friendly_name"] is None for one in mine} == {True, False}

    bodies = {message["body"] for message in messages}
    assert bodies >= {*HARD_TEXTS, "", None}
    assert max(len(body or "") for body in bodies) == 32_768
    assert {
        (one["body"] is None, one["media"] is None, one["content_sid"] is None) for one in messages
    } == {(False, True, True), (True, False, True), (False, False, True), (True, True, False)}
    files = [file for one in messages for file in one["media"] or ()]
    assert {file.get("category") for file in files} == {None, "media", "body", "history"}
    assert None in {file["filename"] for file in files}
    joined = {person["sid"] for person in people}
    assert {(one["participant_sid"] is None, one["author"] == "system") for one in messages} >= {
        (True, True),
        (True, False),
        (False, False),
    }
    assert any(one["participant_sid"] not in {None, *joined} for one in messages)
    assert any(one["date_updated"] > one["date_created"] for one in messages)
    assert {one["delivery"] is None for one in messages} == {True, False}
    assert any(one.next_index > len(one.messages) for one in mine)

    kinds = {
        (one["identity"] is not None, *sorted((one["messaging_binding"] or {}).keys()))
        for one in people
    }
    assert kinds >= {
        (True,),
        (False, "address", "proxy_address", "type"),
        (True, "address", "proxy_address", "type"),
        (True, "projected_address", "type"),
        (False, "projected_address", "type"),
        (False, "address", "type"),
        (False, "address", "level", "name", "proxy_address", "type"),
    }
    types = {(one["messaging_binding"] or {}).get("type") for one in people}
    assert types == {None, "sms", "whatsapp", "rcs", "messenger", "email"}
    assert {one["last_read_message_index"] is None for one in people} == {True, False}

    statuses = {one["status"] for one in receipts}
    assert statuses == {"sent", "delivered", "read", "failed", "undelivered"}
    assert {one["error_code"] == 0 for one in receipts} == {True, False}
    assert None in {one["date_updated"] for one in receipts}
    assert {one["channel_message_sid"][:2] for one in receipts} == {"SM", "MM", "WA"}
    hooks = [hook for one in mine for hook in one.webhooks]
    assert {hook["target"] for hook in hooks} == {"webhook", "trigger", "studio"}
    assert {"ada", "Ada", "agent/7"} <= {user["identity"] for user in store.users}
    assert len({one["type"] for one in store.addresses}) == 8

    ties = Counter(one["date_created"] for one in messages).most_common(1)[0][1]
    assert ties > 5
    created = [one.record["date_created"] for one in mine]
    assert len(set(created)) < len(created)


def test_users_meet_again() -> None:
    api = TwilioApi()
    assert len(api.store.memberships(api.store.default_service, identity="alice")) > 5


# Pages.


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_conversations_by_creation(site: Site, size: int) -> None:
    assert await site.sids("/Conversations", PageSize=size, **DATED) == site.api.conversation_ids()


@pytest.mark.parametrize("size", [13, 100])
@pytest.mark.parametrize("order", ["asc", "DESC"])
async def test_messages_by_index(site: Site, size: int, order: str) -> None:
    found = longest(site)
    for _ in range(70):
        site.api.add_message(found.sid)
    path = f"/Conversations/{found.sid}/Messages"
    sids = await site.sids(path, PageSize=size, Order=order)
    expected = site.api.message_ids(found.sid)
    assert len(expected) > 100
    assert sids == (expected if order == "asc" else expected[::-1])
    assert f"Order={order.lower()}&" in (await site.get(path, Order=order))["meta"]["url"]


@pytest.mark.parametrize("size", [3, 100])
async def test_participants_with_ties(site: Site, size: int) -> None:
    crowd = max(site.store.conversations.values(), key=lambda one: len(one.participants))
    path = f"/Conversations/{crowd.sid}/Participants"
    assert await site.sids(path, PageSize=size) == site.api.participant_ids(crowd.sid)


async def test_users_webhooks_receipts_and_addresses(site: Site) -> None:
    mine = [
        one for one in site.store.users if one["chat_service_sid"] == site.store.default_service
    ]
    assert set(await site.sids("/Users", PageSize=7)) == {one["sid"] for one in mine}
    hooked = site.conversation(lambda one: len(one.webhooks) == 5)
    hooks = await site.sids(f"/Conversations/{hooked.sid}/Webhooks", PageSize=2)
    assert sorted(hooks) == sorted(one["sid"] for one in hooked.webhooks)
    talk = site.conversation(lambda one: any(len(each) > 2 for each in one.receipts.values()))
    message, receipts = next(pair for pair in talk.receipts.items() if len(pair[1]) > 2)
    path = f"/Conversations/{talk.sid}/Messages/{message}/Receipts"
    assert set(await site.sids(path, PageSize=1)) == {one["sid"] for one in receipts}
    fetched = await site.get(f"{path}/{receipts[0]['sid']}")
    assert fetched["status"] == receipts[0]["status"]
    assert {one["type"] for one in await site.items("/Configuration/Addresses", Type="sms")} == {
        "sms"
    }
    assert len(await site.sids("/Configuration/Addresses", PageSize=2)) == len(site.store.addresses)


async def test_meta_block(site: Site) -> None:
    path = f"/Conversations/{longest(site).sid}/Messages"
    first, second, *_ = await site.pages(path, Order="asc", PageSize=10)
    url = f"{site.server.base_url}/v1{path}?Order=asc&PageSize=10&Page="
    following = first["meta"]["next_page_url"]
    assert first["meta"] == {
        "page": 0,
        "page_size": 10,
        "first_page_url": url + "0",
        "previous_page_url": None,
        "url": url + "0",
        "next_page_url": following,
        "key": "messages",
    }
    assert re.fullmatch(re.escape(url) + r"1&PageToken=PT[^&]+", following)
    assert second["meta"]["url"] == following
    back = await site.get(second["meta"]["previous_page_url"])
    assert back["messages"] == first["messages"]
    assert back["meta"]["previous_page_url"] is None


async def test_filters_are_repeated_and_kept(site: Site) -> None:
    day = {"StartDate": "2026-01-05T00:00:00Z", "EndDate": "2026-01-07T23:59:59Z"}
    pages = await site.pages("/Conversations", State="active", PageSize=2, **day)
    for page in pages:
        assert "StartDate=2026-01-05T00%3A00%3A00Z&" in page["meta"]["url"]
        assert "State=active&PageSize=2" in page["meta"]["first_page_url"]
        assert {one["state"] for one in page["conversations"]} == {"active"}
    expected = {
        one.sid
        for one in site.store.of(site.store.default_service)
        if one.record["state"] == "active" and one.record["date_created"].day <= 7
    }
    found = [one["sid"] for page in pages for one in page["conversations"]]
    assert len(found) == len(set(found)) > 2
    assert set(found) <= expected


async def test_new_conversations_do_not_shift_dated_pages(site: Site) -> None:
    before = site.api.conversation_ids()
    page = await site.get("/Conversations", PageSize=5, **DATED)
    seen = [one["sid"] for one in page["conversations"]]
    new = [site.api.add_conversation() for _ in range(3)]
    seen += await site.sids(page["meta"]["next_page_url"])
    assert seen == before
    now = await site.sids("/Conversations", **DATED)
    assert set(now[:3]) == set(new)
    assert now[3:] == before


async def test_a_walk_survives_removed_rows(site: Site) -> None:
    found = longest(site)
    path = f"/Conversations/{found.sid}/Messages"
    page = await site.get(path, PageSize=10)
    site.api.remove_message(found.sid, page["messages"][-1]["sid"])
    rest = await site.sids(page["meta"]["next_page_url"])
    assert rest == site.api.message_ids(found.sid)[9:]


async def test_undated_order_is_activity_and_moves(site: Site) -> None:
    listed = await site.sids("/Conversations", PageSize=4)
    active = {sid: site.store.conversations[sid].active_at for sid in listed}
    assert listed == sorted(listed, key=lambda sid: (active[sid], sid), reverse=True)
    assert listed != site.api.conversation_ids()
    site.store.now += timedelta(seconds=1)
    site.api.add_message(listed[-1])
    assert (await site.sids("/Conversations"))[0] == listed[-1]


async def test_conversation_tokens_look_like_twilios(site: Site) -> None:
    page = await site.get("/Conversations", State="closed", PageSize=1, **DATED)
    assert re.search(
        r"PageToken=PTclosed_\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{3}Z_CH[0-9a-f]{32}$",
        page["meta"]["next_page_url"],
    )


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/Conversations", {"PageSize": "0"}, 20001),
        ("/Conversations", {"PageSize": "ten"}, 20001),
        ("/Conversations", {"PageSize": "101"}, 20001),
        ("/Users", {"PageSize": "51"}, 20001),
        ("/Conversations", {"Page": "-1"}, 20001),
        ("/Conversations", {"PageToken": "PTnonsense"}, 21481),
        ("/Conversations", {"PageToken": f"PTall_noon_CH{'a' * 32}"}, 21481),
        ("/Conversations", {"PageToken": f"PTclosed_2026-01-01T00:00:00.000Z_CH{'a' * 32}"}, 21481),
        ("/Conversations", {"State": "archived"}, 20001),
        ("/Conversations", {"StartDate": "yesterday"}, 20001),
        ("/Conversations", {"EndDate": "2026-02-31T00:00:00Z"}, 20001),
        ("/Configuration/Addresses", {"Type": "pigeon"}, 20001),
        ("/ParticipantConversations", {}, 20001),
        ("/ParticipantConversations", {"Identity": "a", "Address": "b"}, 20001),
    ],
)
async def test_bad_arguments(site: Site, path: str, query: dict[str, str], code: int) -> None:
    assert await site.refused(path, **query) == (400, code)


async def test_webhooks_hold_five_a_page(site: Site) -> None:
    sid = site.api.conversation_ids()[0]
    assert (await site.get(f"/Conversations/{sid}/Webhooks"))["meta"]["page_size"] == 5
    assert await site.refused(f"/Conversations/{sid}/Webhooks", PageSize=6) == (400, 20001)


# Shapes, and the two forms.


async def test_conversation(site: Site) -> None:
    found = site.conversation(lambda one: len(one.timers) == 2)
    body = await site.get(f"/Conversations/{found.sid}")
    url = f"{site.server.base_url}/v1/Conversations/{found.sid}"
    assert body["url"] == url
    assert body["links"] == {
        "participants": f"{url}/Participants",
        "messages": f"{url}/Messages",
        "webhooks": f"{url}/Webhooks",
        "export": f"{url}/Export",
    }
    dates = [body["date_created"], body["date_updated"], *body["timers"].values()]
    assert all(re.fullmatch(r"\d{4}(-\d\d){2}T\d\d:\d\d:\d\dZ", date) for date in dates)
    assert set(body["timers"]) == {"date_inactive", "date_closed"}
    assert body["attributes"] == found.record["attributes"]


async def test_service_form_adds_the_service(site: Site) -> None:
    service = f"/Services/{site.store.default_service}"
    found = longest(site)
    path = f"/Conversations/{found.sid}/Messages"
    short, full = await site.items(path, PageSize=50), await site.items(service + path, PageSize=50)
    assert "chat_service_sid" not in short[0]
    assert {one["chat_service_sid"] for one in full} == {site.store.default_service}
    assert [one["sid"] for one in full] == [one["sid"] for one in short]
    assert full[0]["url"] == f"{site.server.base_url}/v1{service}{path}/{full[0]['sid']}"
    people = f"/Conversations/{found.sid}/Participants"
    assert "chat_service_sid" not in (await site.items(people))[0]
    assert "chat_service_sid" in (await site.items(service + people))[0]
    assert await site.sids(f"{service}/Conversations", **DATED) == site.api.conversation_ids()


async def test_another_service_is_apart(site: Site) -> None:
    other = site.store.services[1]["sid"]
    theirs = [one.sid for one in site.store.of(other)]
    assert len(theirs) >= 3
    assert set(await site.sids(f"/Services/{other}/Conversations")) == set(theirs)
    assert not set(theirs) & set(await site.sids("/Conversations"))
    for path in (f"/Conversations/{theirs[0]}", f"/Conversations/{theirs[0]}/Messages"):
        assert await site.refused(path) == (404, 20404)
        assert await site.refused(f"/Services/{site.store.default_service}{path}") == (404, 20404)
        await site.get(f"/Services/{other}{path}")
    assert await site.refused(f"/Services/IS{'0' * 32}/Conversations") == (404, 20404)
    listed = await site.sids("/Services")
    assert sorted(listed) == sorted([site.store.default_service, other])
    default = (await site.get("/Configuration"))["default_chat_service_sid"]
    assert (await site.get(f"/Services/{default}"))["sid"] == site.store.default_service
    hook = await site.get(f"/Services/{other}/Configuration/Webhooks")
    assert hook["post_webhook_url"] is None


async def test_lookup_by_name(site: Site) -> None:
    named = [one for one in site.store.of(site.store.default_service) if one.record["unique_name"]]
    for one in named[:5]:
        name = quote(one.record["unique_name"], safe="")
        assert (await site.get(f"/Conversations/{name}"))["sid"] == one.sid
    for user in site.store.users[:9]:
        found = await site.get(f"/Users/{quote(user['identity'], safe='')}")
        assert found["sid"] == user["sid"]
    talk = site.conversation(lambda one: one.participants and one.participants[0]["identity"])
    person = talk.participants[0]
    path = f"/Conversations/{talk.sid}/Participants/{quote(person['identity'], safe='')}"
    assert (await site.get(path))["sid"] == person["sid"]
    assert (await site.get(path.rpartition("/")[0] + "/" + person["sid"]))["sid"] == person["sid"]


async def test_listed_users_do_not_say_who_is_online(site: Site) -> None:
    assert {one["is_online"] for one in await site.items("/Users")} == {None}
    assert (await site.get("/Users/ada"))["is_online"] is True


async def test_user_conversations(site: Site) -> None:
    talk, person = next(
        pair
        for pair in site.store.memberships(site.store.default_service, identity="alice")
        if pair[0].messages
    )
    unread = await site.get(f"/Users/alice/Conversations/{talk.sid}")
    assert unread["unread_messages_count"] is None
    last = talk.messages[-3]["index"]
    site.store.mark_read(person, last)
    body = await site.get(f"/Users/alice/Conversations/{talk.sid}")
    assert (body["unread_messages_count"], body["last_read_message_index"]) == (2, last)
    assert body["participant_sid"] == person["sid"]
    assert body["links"]["conversation"].endswith(f"/v1/Conversations/{talk.sid}")
    assert "sid" not in body
    mine = site.store.memberships(site.store.default_service, identity="alice")
    listed = await site.items("/Users/alice/Conversations", PageSize=1)
    assert {one["conversation_sid"] for one in listed} == {one.sid for one, _ in mine}
    muted = site.conversation(lambda one: one.muted)
    user = next(iter(muted.muted))
    body = await site.get(f"/Users/{user}/Conversations/{muted.sid}")
    assert body["notification_level"] == "muted"


async def test_participant_conversations(site: Site) -> None:
    talk = site.conversation(lambda one: one.receipts and one.service == site.store.default_service)
    person = next(one for one in talk.participants if "address" in (one["messaging_binding"] or {}))
    address = person["messaging_binding"]["address"]
    page = await site.get("/ParticipantConversations", Address=address)
    (body,) = page["conversations"]
    assert f"Address={quote(address, safe='')}&" in page["meta"]["url"]
    assert body["participant_sid"] == person["sid"]
    assert body["conversation_sid"] == talk.sid
    assert set(body["participant_messaging_binding"]) == {
        "type", "address", "proxy_address", "projected_address", "name", "level",
    }  # fmt: skip
    assert not {"sid", "url"} & set(body)
    chats = await site.items("/ParticipantConversations", Identity="alice", PageSize=1)
    assert chats
    assert {one["participant_user_sid"] for one in chats} == {
        site.store.user(site.store.default_service, "alice")["sid"]
    }


async def test_members_do_not_see_what_is_initializing(site: Site) -> None:
    talk = site.store.add_conversation(state="initializing")
    site.store.add_participant(talk, identity="eve")
    assert await site.items("/Users/eve/Conversations") == []
    assert await site.items("/ParticipantConversations", Identity="eve") == []
    assert await site.refused(f"/Users/eve/Conversations/{talk.sid}") == (404, 20404)
    site.store.update_conversation(talk, state="active")
    assert len(await site.items("/Users/eve/Conversations")) == 1


async def test_configuration(site: Site) -> None:
    body = await site.get("/Configuration")
    assert body["default_closed_timer"] == "PT10M"
    assert (await site.get(body["links"]["service"]))["reachability_enabled"] is False
    assert (await site.get(body["links"]["webhooks"]))["target"] == "webhook"


# Credentials and errors.


@pytest.mark.parametrize("headers", [{}, basic("", ""), {"Authorization": "Basic %%%"}])
async def test_bad_credentials(site: Site, headers: dict[str, str]) -> None:
    status, body, _ = await site.ask("/Conversations", headers=headers)
    assert (status, body["code"]) == (401, 20003)


async def test_credentials(site: Site) -> None:
    wrong = basic(site.store.account_sid, site.store.key_secret)
    assert (await site.ask("/Conversations", headers=wrong))[0] == 401
    key = basic(site.store.key_sid, site.store.key_secret)
    assert (await site.ask("/Conversations", headers=key))[0] == 200


async def test_not_found(site: Site) -> None:
    sid = site.api.conversation_ids()[0]
    status, body, headers = await site.ask(f"/Conversations/CH{'0' * 32}")
    assert status == 404
    assert body == {
        "code": 20404,
        "message": f"The requested resource /Conversations/CH{'0' * 32} was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }
    assert re.fullmatch("RQ[0-9a-f]{32}", headers["Twilio-Request-Id"])
    assert headers["Twilio-Concurrent-Requests"].isdigit()
    for path in (
        f"/Conversations/{sid}/Messages/IM{'0' * 32}",
        f"/Conversations/{sid}/Participants/nobody",
        f"/Conversations/{sid}/Nothing",
        "/Nothing",
        "/Users/ADA",
        f"/Users/agent%2F7/Conversations/CH{'0' * 32}",
    ):
        assert await site.refused(path) == (404, 20404)
    status, body, _ = await site.ask("/Conversations", method="PUT")
    assert (status, body["code"]) == (405, 20004)


async def test_request_ids_differ(site: Site) -> None:
    ids = {(await site.ask("/Configuration"))[2]["Twilio-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


# The switches; their defaults are tested above.


async def test_clamped_page_size(site: Site) -> None:
    site.set(page_size_above_cap="clamp")
    found = longest(site)
    for _ in range(70):
        site.api.add_message(found.sid)
    path = f"/Conversations/{found.sid}/Messages"
    page = await site.get(path, PageSize=1000)
    assert (page["meta"]["page_size"], len(page["messages"])) == (100, 100)


async def test_page_without_token(site: Site) -> None:
    page = await site.get("/Conversations", PageSize=2, Page=1)
    assert page["meta"]["page"] == 1
    assert "&Page=2&PageToken=" in page["meta"]["next_page_url"]
    first = await site.get("/Conversations", PageSize=2)
    assert page["conversations"] == first["conversations"]
    site.set(reject_page_without_token=True)
    assert await site.refused("/Conversations", Page=1) == (400, 70002)


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("generic", "https://conversations.twilio.com/v1/Conversations?"),
        ("foreign", "https://conversations.example.org/v1/Conversations?"),
        ("path", "{base}/v1/Credentials?"),
    ],
)
async def test_next_page_elsewhere(site: Site, value: str, start: str) -> None:
    site.set(next_page_url=value)
    page = await site.get("/Conversations", PageSize=2)
    assert page["meta"]["next_page_url"].startswith(start.format(base=site.server.base_url))
    assert page["meta"]["url"].startswith(site.server.base_url)


async def test_next_page_that_loops(site: Site) -> None:
    site.set(next_page_url="loop")
    page = await site.get("/Conversations", PageSize=2)
    assert page["meta"]["next_page_url"] == page["meta"]["url"]


async def test_empty_middle_page(site: Site) -> None:
    site.set(empty_middle_page=True)
    pages = await site.pages("/Conversations", PageSize=10, **DATED)
    assert [bool(page["conversations"]) for page in pages[:3]] == [True, False, True]
    found = [one["sid"] for page in pages for one in page["conversations"]]
    assert found == site.api.conversation_ids()
    assert [page["meta"]["page"] for page in pages] == list(range(len(pages)))


async def test_short_pages(site: Site) -> None:
    site.set(short_pages=True)
    pages = await site.pages("/Conversations", PageSize=10, **DATED)
    assert (len(pages[0]["conversations"]), pages[0]["meta"]["page_size"]) == (5, 10)
    assert sum(len(page["conversations"]) for page in pages) == len(site.api.conversation_ids())


async def test_millisecond_dates(site: Site) -> None:
    site.set(dates="milliseconds")
    (body, *_) = await site.items("/Conversations", **DATED)
    assert re.fullmatch(r".*T\d\d:\d\d:\d\d\.\d{3}Z", body["date_created"])


async def test_date_updated_of_unedited_messages(site: Site) -> None:
    path = f"/Conversations/{longest(site).sid}/Messages"
    before = await site.items(path)
    assert None not in {one["date_updated"] for one in before}
    site.api.edit_message(longest(site).sid, before[0]["sid"])
    site.set(date_updated="edited")
    after = await site.items(path)
    assert after[0]["date_updated"] is not None
    assert after[1]["date_updated"] is None


async def test_unknown_enums(site: Site) -> None:
    talk = site.conversation(lambda one: one.receipts and one.webhooks)
    message = next(iter(talk.receipts))
    base = f"/Conversations/{talk.sid}"
    site.set(unknown_enums=True)
    assert (await site.get(base))["state"] == "archived"
    receipts = await site.items(f"{base}/Messages/{message}/Receipts")
    assert {one["status"] for one in receipts} == {"queued"}
    people = await site.items(f"{base}/Participants")
    assert {(one["messaging_binding"] or {}).get("type") for one in people} <= {None, "telepathy"}
    assert {one["target"] for one in await site.items(f"{base}/Webhooks")} == {"carrier-pigeon"}


async def test_extra_fields(site: Site) -> None:
    assert "invented_field" not in await site.get("/Users/ada")
    site.set(extra_fields=True)
    assert "invented_field" in await site.get("/Users/ada")
    assert "invented_field" in (await site.items("/Conversations"))[0]


async def test_binding_keys(site: Site) -> None:
    talk = site.conversation(
        lambda one: one.participants and one.participants[0]["messaging_binding"]
    )
    path = f"/Conversations/{talk.sid}/Participants/{talk.participants[0]['sid']}"
    assert (await site.get(path))["messaging_binding"] == talk.participants[0]["messaging_binding"]
    site.set(binding_keys="all")
    assert len((await site.get(path))["messaging_binding"]) == 6
    site.set(binding_keys="none")
    assert (await site.get(path))["messaging_binding"] == {}


async def test_delivery_within_the_chat(site: Site) -> None:
    talk = site.conversation(lambda one: one.messages and not one.receipts)
    path = f"/Conversations/{talk.sid}/Messages/{talk.messages[0]['sid']}"
    assert (await site.get(path))["delivery"] is None
    site.set(chat_delivery="zero")
    assert (await site.get(path))["delivery"]["total"] == 0


async def test_last_second_of_a_day(site: Site) -> None:
    day = {"StartDate": "2026-01-05T00:00:00Z", "EndDate": "2026-01-05T23:59:59Z"}
    without = await site.sids("/Conversations", **day)
    site.set(end_date_second="included")
    edge = set(await site.sids("/Conversations", **day)) - set(without)
    assert {site.store.conversations[sid].record["date_created"].second for sid in edge} == {59}
    exact = day | {"EndDate": "2026-01-05T23:59:59.999Z"}
    site.set(end_date_second="excluded")
    assert set(await site.sids("/Conversations", **exact)) == edge | set(without)


async def test_unique_name_above_messages(site: Site) -> None:
    one = site.conversation(lambda one: one.record["unique_name"] and one.messages)
    path = f"/Conversations/{quote(one.record['unique_name'], safe='')}/Messages"
    assert await site.refused(path) == (404, 20404)
    site.set(unique_name_in_subresources=True)
    assert await site.sids(path) == site.api.message_ids(one.sid)[:]


async def test_specific_codes(site: Site) -> None:
    sid = site.api.conversation_ids()[0]
    site.set(not_found_codes="specific")
    assert await site.refused("/Conversations/nothing") == (404, 50350)
    assert await site.refused(f"/Conversations/{sid}/Participants/nobody") == (404, 50432)


async def test_error_shapes(site: Site) -> None:
    site.set(error_shape="problem")
    _, body, _ = await site.ask("/Conversations/nothing")
    assert set(body) == {"type", "title", "status", "code", "detail"}
    site.set(error_shape="codeless")
    for path in ("/Conversations/nothing", "/Nothing"):
        assert "code" not in (await site.ask(path))[1]


# What changes.


async def test_mutators(site: Site) -> None:
    store = site.store
    newest = max(one.active_at for one in store.conversations.values())
    sid = site.api.add_conversation()
    assert site.api.conversation_ids()[0] == sid
    assert store.conversations[sid].record["date_created"] > newest
    first, second, third = (site.api.add_message(sid) for _ in range(3))
    site.api.edit_message(sid, second)
    site.api.remove_message(sid, first)
    found = await site.items(f"/Conversations/{sid}/Messages")
    assert [(one["sid"], one["index"]) for one in found] == [(second, 1), (third, 2)]
    assert found[0]["body"].endswith("(edited)")
    assert {(one["author"], one["participant_sid"]) for one in found} == {("system", None)}
    assert site.api.message_ids(sid) == [second, third]


def test_states_follow_activity_and_timers() -> None:
    store = TwilioApi(scale=0.1).store
    timers = (timedelta(minutes=10), timedelta(minutes=30))
    talk = store.add_conversation(timers=timers)
    began = talk.record["date_created"]
    assert talk.timers == {"date_inactive": began + timers[0], "date_closed": began + timers[1]}
    store.now = began + timedelta(minutes=11)
    store.expire()
    assert (talk.record["state"], set(talk.timers)) == ("inactive", {"date_closed"})
    message = store.add_message(talk, body="Still here?")
    assert talk.record["state"] == "active"
    store.now = message["date_created"] + timedelta(hours=1)
    store.expire()
    assert (talk.record["state"], talk.timers) == ("closed", {})


def test_delivery_sums_up_receipts() -> None:
    store = TwilioApi(scale=0.1).store
    talk = store.add_conversation()
    store.add_participant(talk, identity="agent")
    for address in ("+1", "whatsapp:+2"):
        kind = "whatsapp" if ":" in address else "sms"
        store.add_participant(talk, messaging_binding={"type": kind, "address": address})
    message = store.add_message(talk, author="agent", body="Hello")
    assert message["participant_sid"] == talk.participants[0]["sid"]
    first, second = talk.receipts[message["sid"]]
    assert [one["channel_message_sid"][:2] for one in (first, second)] == ["SM", "WA"]
    store.set_receipt(talk, first, "read")
    store.set_receipt(talk, second, "failed", error_code=30003)
    assert message["delivery"] == {
        "total": 2, "sent": "some", "delivered": "some", "read": "some",
        "failed": "some", "undelivered": "none",
    }  # fmt: skip
    reply = store.add_message(talk, author="+1", body="Hi")
    assert len(talk.receipts[reply["sid"]]) == 1


def test_people_leave_and_their_messages_stay() -> None:
    store = TwilioApi(scale=0.1).store
    talk = store.add_conversation()
    store.add_participant(talk, identity="gone")
    message = store.add_message(talk, author="gone", body="Bye")
    store.remove_user(store.user(store.default_service, "gone"))
    assert (talk.participants, talk.messages) == ([], [message])
    store.remove_conversation(talk)
    assert talk.sid not in store.conversations


# The official client.


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_official_client(site: Site) -> None:
    client = Client(site.store.account_sid, site.store.auth_token)
    client.conversations.base_url = site.server.base_url
    v1 = client.conversations.v1
    found = longest(site)
    for number in range(20):
        site.store.add_user(f"one-more-{number}")

    def walk() -> list[list[str]]:
        talks = v1.conversations.stream(start_date=DATED["StartDate"], page_size=7)
        messages = v1.conversations(found.sid).messages.stream(page_size=40)
        scoped = v1.services(site.store.services[1]["sid"]).conversations.list()
        people = v1.conversations(found.sid).participants.list()
        users = v1.users.list()
        return [[one.sid for one in each] for each in (talks, messages, scoped, people, users)]

    talks, messages, scoped, people, users = await asyncio.to_thread(walk)
    client.http_client.session.close()
    assert talks == site.api.conversation_ids()
    assert messages == site.api.message_ids(found.sid)
    assert set(scoped) == {one.sid for one in site.store.of(site.store.services[1]["sid"])}
    assert people == site.api.participant_ids(found.sid)
    assert len(users) == len(set(users)) > 50
