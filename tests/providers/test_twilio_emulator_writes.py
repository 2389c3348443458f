"""What the faked Twilio does with what is written: effects, limits, conflicts, files, switches."""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from attrs import evolve
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.twilio.emulator import TwilioApi
from support import seeded

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
OURS, THEIRS = "+15017122661", "+15558675310"
Form = dict[str, Any]


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"}


class Site:
    """A running emulator, a client with its credentials, and the form of its paths."""

    def __init__(
        self, api: TwilioApi, server: Server, session: aiohttp.ClientSession, form: str
    ) -> None:
        self.api = api
        self.store = api.store
        self.server = server
        self.session = session
        self.auth = basic(*api.settings.values())
        self.form = form

    def set(self, **switches: Any) -> None:
        self.api.switches = evolve(self.api.switches, **switches)

    def url(self, path: str) -> URL:
        if path.startswith("http"):
            return URL(path, encoded=True)
        both = re.match(r"/(Conv|Users|Part)", path)
        return URL(f"{self.server.base_url}/v1{self.form if both else ''}{path}", encoded=True)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        options.setdefault("headers", self.auth)
        async with self.session.request(method, self.url(path), **options) as response:
            body = await response.read()
            if response.content_type == "application/json":
                body = json.loads(body)
            return response.status, body, response.headers

    async def post(self, path: str, form: Form | None = None, status: int = 201) -> Any:
        data = aiohttp.FormData(encoded(form or {}))
        found, body, _ = await self.ask("POST", path, data=data)
        assert found == status, body
        return body

    async def change(self, path: str, form: Form) -> Any:
        return await self.post(path, form, 200)

    async def delete(self, path: str) -> None:
        status, body, headers = await self.ask("DELETE", path)
        assert (status, body) == (204, b"")
        assert "Twilio-Request-Id" in headers

    async def get(self, path: str) -> Any:
        status, body, _ = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def listed(self, path: str) -> list[Any]:
        page = await self.get(path)
        return page[page["meta"]["key"]]

    async def refused(self, path: str, form: Form | None = None, method: str = "POST") -> Any:
        data = aiohttp.FormData(encoded(form or {}))
        status, body, _ = await self.ask(method, path, data=data)
        assert set(body) == {"code", "message", "more_info", "status"}
        assert status == body["status"]
        return status, body["code"]

    async def talk(self, **fields: Any) -> str:
        return f"/Conversations/{(await self.post('/Conversations', fields))['sid']}"


def encoded(form: Form) -> list[tuple[str, str]]:
    return [
        (name, one)
        for name, value in form.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def attached(**binding: str) -> Form:
    names = {"address": "Address", "proxy": "ProxyAddress", "projected": "ProjectedAddress"}
    return {f"MessagingBinding.{names[name]}": value for name, value in binding.items()}


CHAT = {"Identity": "eve"}
SMS = attached(address=THEIRS, proxy=OURS)
OUTSIDER = attached(address=THEIRS)
PROJECTED = attached(projected=OURS)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(seeded("twilio", scale=0.1))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def site(server: Server) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession() as session:
        yield Site(server.api, server, session, "")


@pytest.fixture(params=["short", "service"])
async def both(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    form = "" if request.param == "short" else f"/Services/{server.api.store.services[1]['sid']}"
    async with aiohttp.ClientSession() as session:
        yield Site(server.api, server, session, form)


def service_of(site: Site) -> str:
    return site.form.rpartition("/")[2] or site.store.default_service


def scoped(site: Site) -> dict[str, str]:
    """Return what the service form adds."""
    return {"chat_service_sid": service_of(site)} if site.form else {}


# Conversations.


async def test_a_conversation_comes_changes_and_goes(both: Site) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    body = await both.post("/Conversations")
    url = f"{both.server.base_url}/v1{both.form}/Conversations/{body['sid']}"
    stamp = body["date_created"]
    assert DATE.fullmatch(stamp)
    assert before <= datetime.fromisoformat(stamp) <= datetime.now(UTC)
    assert body == {
        "sid": body["sid"],
        "account_sid": both.store.account_sid,
        "chat_service_sid": service_of(both),
        "messaging_service_sid": both.store.messaging_service,
        "friendly_name": None,
        "unique_name": None,
        "attributes": "{}",
        "state": "active",
        "date_created": stamp,
        "date_updated": stamp,
        "timers": {},
        "bindings": {},
        "url": url,
        "links": {
            "participants": f"{url}/Participants",
            "messages": f"{url}/Messages",
            "webhooks": f"{url}/Webhooks",
            "export": f"{url}/Export",
        },
    }
    assert (await both.listed("/Conversations"))[0] == body
    assert await both.get(url) == body
    changed = await both.change(
        url, {"FriendlyName": "Boiler", "UniqueName": "a/b ü", "Attributes": '{ "x": [1] }'}
    )
    assert changed == body | {
        "friendly_name": "Boiler",
        "unique_name": "a/b ü",
        "attributes": '{ "x": [1] }',
        "date_updated": changed["date_updated"],
    }
    by_name = f"/Conversations/{quote('a/b ü', safe='')}"
    assert await both.get(by_name) == changed
    closed = await both.change(by_name, {"State": "closed"})
    assert closed["state"] == "closed"
    await both.delete(by_name)
    assert await both.refused(url, method="GET") == (404, 20404)
    assert await both.refused(url, method="DELETE") == (404, 20404)


async def test_everything_that_a_conversation_can_have(site: Site) -> None:
    body = await site.post(
        "/Conversations",
        {
            "FriendlyName": "x" * 256,
            "UniqueName": "one",
            "DateCreated": "2020-02-29T10:00:00Z",
            "MessagingServiceSid": "MG" + "a" * 32,
            "State": "inactive",
            "Timers.Inactive": "PT1M",
            "Timers.Closed": "P1DT2H",
            "Bindings.Email.Address": "help@x.org",
            "Bindings.Email.Name": "Help",
        },
    )
    assert body["date_created"] == body["date_updated"] == "2020-02-29T10:00:00Z"
    assert body["state"] == "inactive"
    assert body["messaging_service_sid"] == "MG" + "a" * 32
    assert body["bindings"] == {"email": {"projected_address": "help@x.org", "name": "Help"}}
    assert set(body["timers"]) == {"date_closed"}
    path = f"/Conversations/{body['sid']}"
    changed = await site.change(path, {"State": "active", "Bindings.Email.Name": "Us"})
    assert set(changed["timers"]) == {"date_inactive", "date_closed"}
    left = datetime.fromisoformat(changed["timers"]["date_closed"]) - site.store.now
    assert timedelta(hours=25, minutes=59) < left <= timedelta(hours=26)
    assert changed["bindings"]["email"] == {"projected_address": "help@x.org", "name": "Us"}
    cleared = await site.change(
        path,
        {"FriendlyName": "", "UniqueName": "", "Timers.Inactive": "", "Timers.Closed": "",
         "Attributes": "", "Bindings.Email.Address": "", "Bindings.Email.Name": ""},
    )  # fmt: skip
    assert [cleared[name] for name in ("friendly_name", "unique_name", "timers", "bindings")] == [
        None, None, {}, {},
    ]  # fmt: skip
    named = {"FriendlyName": "null", "Attributes": "null"}
    assert (await site.change(path, named))["friendly_name"] == "null"
    dated = await site.change(path, {"DateUpdated": "2021-01-01T00:00:00Z"})
    assert (dated["date_updated"], dated["attributes"]) == ("2021-01-01T00:00:00Z", "null")


async def test_null_clears_if_told(site: Site) -> None:
    site.set(clear_with="null")
    path = await site.talk(FriendlyName="x")
    assert (await site.change(path, {"FriendlyName": ""}))["friendly_name"] == ""
    assert (await site.change(path, {"FriendlyName": "null"}))["friendly_name"] is None


async def test_unique_names(both: Site) -> None:
    first = await both.talk(UniqueName="mine")
    assert await both.refused("/Conversations", {"UniqueName": "mine"}) == (409, 50353)
    assert await both.refused("/Conversations", {"UniqueName": "CH" + "0" * 32}) == (400, 50390)
    await both.change(first, {"UniqueName": "mine", "FriendlyName": "x"})
    second = await both.talk(UniqueName="other")
    assert await both.refused(second, {"UniqueName": "mine"}) == (409, 50353)
    await both.delete(first)
    await both.change(second, {"UniqueName": "mine"})


async def test_unique_names_are_of_a_service(site: Site) -> None:
    other = site.store.services[1]["sid"]
    await site.talk(UniqueName="mine")
    body = await site.post(f"/Services/{other}/Conversations", {"UniqueName": "mine"})
    assert body["chat_service_sid"] == other


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": "x" * 257}, 20001),
        ({"Attributes": "{not json"}, 20001),
        ({"Attributes": "[NaN]"}, 20001),
        ({"Attributes": json.dumps("é" * 8192, ensure_ascii=False)}, 20001),
        ({"State": "archived"}, 20001),
        ({"DateCreated": "yesterday"}, 20001),
        ({"DateCreated": "2026-02-30T00:00:00Z"}, 20001),
        ({"MessagingServiceSid": "MG1"}, 20001),
        ({"State": "active", "Timers.Inactive": "PT59S"}, 20001),
        ({"State": "active", "Timers.Closed": "PT9M59S"}, 20001),
        ({"State": "active", "Timers.Closed": "ten minutes"}, 20001),
        ({"State": "active", "Timers.Closed": "PT" + "9" * 400 + "H"}, 20001),
        ({"Timers.Closed": "PT10M"}, 50382),
    ],
)
async def test_bad_conversations(site: Site, form: Form, code: int) -> None:
    count = len(site.store.conversations)
    assert await site.refused("/Conversations", form) == (400, code)
    assert len(site.store.conversations) == count


async def test_attributes_have_sixteen_kilobytes(site: Site) -> None:
    longest = json.dumps("é" * 8191, ensure_ascii=False)
    assert len(longest.encode()) == 16 * 1024
    body = await site.post("/Conversations", {"Attributes": longest})
    assert body["attributes"] == longest


async def test_timers_take_effect(site: Site) -> None:
    timers = {"Timers.Inactive": "PT1M", "Timers.Closed": "PT1H"}
    path = await site.talk(State="active", **timers)
    site.store.now += timedelta(minutes=2)
    site.store.expire()
    assert (await site.get(path))["state"] == "inactive"
    await site.post(f"{path}/Messages", {"Body": "Still here?"})
    assert (await site.get(path))["state"] == "active"
    site.store.now += timedelta(hours=2)
    await site.talk()
    assert (await site.get(path))["state"] == "closed"


async def test_timers_begin_when_they_are_set(site: Site) -> None:
    path = await site.talk()
    site.store.now += timedelta(days=3)
    body = await site.change(path, {"Timers.Inactive": "PT1M"})
    await site.talk()
    assert datetime.fromisoformat(body["timers"]["date_inactive"]) > site.store.now
    assert (await site.get(path))["state"] == "active"


async def test_default_timers(site: Site) -> None:
    assert (await site.post("/Conversations"))["timers"] == {}
    site.set(default_timers=True)
    assert set((await site.post("/Conversations"))["timers"]) == {"date_inactive", "date_closed"}


async def test_nothing_is_written_into_what_is_closed(site: Site) -> None:
    path = await site.talk()
    message = (await site.post(f"{path}/Messages", {"Body": "x"}))["sid"]
    person = (await site.post(f"{path}/Participants", CHAT))["sid"]
    hook = (await site.post(f"{path}/Webhooks", {"Target": "studio"}))["sid"]
    await site.change(path, {"State": "closed"})
    sid = path.rpartition("/")[2]
    for place, form in [
        (path, {"State": "active"}), (f"{path}/Messages", {"Body": "x"}),
        (f"{path}/Messages/{message}", {"Body": "y"}), (f"{path}/Participants", SMS),
        (f"{path}/Participants/{person}", {"Attributes": "1"}),
        (f"{path}/Webhooks", {"Target": "studio"}), (f"{path}/Webhooks/{hook}", {}),
        (f"/Users/eve/Conversations/{sid}", {"NotificationLevel": "muted"}),
    ]:  # fmt: skip
        assert await site.refused(place, form) == (400, 50377), place
    for place in (
        f"{path}/Messages/{message}", f"{path}/Participants/eve", f"{path}/Webhooks/{hook}",
        f"/Users/eve/Conversations/{sid}",
    ):  # fmt: skip
        assert await site.refused(place, method="DELETE") == (400, 50377), place
    assert len(await site.listed(f"{path}/Messages")) == 1
    await site.delete(path)


async def test_what_is_initializing(site: Site) -> None:
    path = await site.talk(State="initializing")
    assert await site.refused(f"{path}/Messages", {"Body": "x"}) == (400, 20001)
    site.set(initializing="accept")
    await site.post(f"{path}/Messages", {"Body": "x"})
    site.set(initializing="refuse")
    await site.change(path, {"State": "active"})
    await site.post(f"{path}/Messages", {"Body": "x"})


async def test_a_conversation_with_participants(both: Site) -> None:
    people = [
        json.dumps({"identity": "eve", "attributes": '{"a":1}'}),
        json.dumps({"messaging_binding": {"address": THEIRS, "proxy_address": OURS}}),
        json.dumps(
            {"messaging_binding.address": "+15550001", "messaging_binding.proxy_address": OURS}
        ),
    ]
    path = "/ConversationWithParticipants"
    body = await both.post(path, {"FriendlyName": "x", "Participant": people})
    assert (body["friendly_name"], body["state"]) == ("x", "active")
    found = await both.listed(f"/Conversations/{body['sid']}/Participants")
    assert {one["identity"] for one in found} == {"eve", None}
    assert {(one["messaging_binding"] or {}).get("address") for one in found} == {
        None, THEIRS, "+15550001",
    }  # fmt: skip
    count = len(both.store.conversations)
    assert await both.refused(path, {"Participant": people}) == (409, 50416)
    assert await both.refused(path, {"Participant": "[]"}) == (400, 20001)
    assert await both.refused(path, {"Participant": "{"}) == (400, 20001)
    many = [json.dumps({"identity": str(number)}) for number in range(11)]
    assert await both.refused(path, {"Participant": many}) == (403, 50426)
    assert len(both.store.conversations) == count
    both.set(with_participants="accepted")
    body = await both.post(path, {"Participant": many[:10]}, 202)
    assert body["state"] == "initializing"
    assert (await both.get(f"/Conversations/{body['sid']}"))["state"] == "active"


# Messages.


async def test_a_message_comes_changes_and_goes(both: Site) -> None:
    path = await both.talk()
    person = await both.post(f"{path}/Participants", CHAT)
    body = await both.post(f"{path}/Messages", {"Author": "eve", "Body": "Hello", "Subject": "s"})
    url = f"{both.server.base_url}/v1{both.form}{path}/Messages/{body['sid']}"
    assert body == scoped(both) | {
        "sid": body["sid"],
        "account_sid": both.store.account_sid,
        "conversation_sid": path.rpartition("/")[2],
        "index": 0,
        "author": "eve",
        "participant_sid": person["sid"],
        "body": "Hello",
        "media": None,
        "attributes": "{}",
        "content_sid": None,
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "delivery": None,
        "url": url,
        "links": {
            "delivery_receipts": f"{url}/Receipts",
            "channel_metadata": f"{url}/ChannelMetadata",
        },
    }
    assert await both.listed(f"{path}/Messages") == [body]
    changed = await both.change(
        url, {"Body": "Bye", "Author": "nobody", "Attributes": "[1, 2]", "Subject": "t"}
    )
    assert changed == body | {
        "body": "Bye", "author": "nobody", "participant_sid": None, "attributes": "[1, 2]",
        "date_updated": changed["date_updated"],
    }  # fmt: skip
    assert await both.get(url) == changed
    await both.delete(url)
    assert await both.refused(url, method="GET") == (404, 20404)
    assert await both.refused(url, {"Body": "x"}) == (404, 20404)
    assert await both.listed(f"{path}/Messages") == []
    after = await both.post(f"{path}/Messages", {"Body": ""})
    assert (after["index"], after["author"], after["body"]) == (1, "system", "")
    assert (after["participant_sid"], (await both.post(f"{path}/Messages"))["body"]) == (None, None)


@pytest.mark.parametrize("text", [*HARD_TEXTS, "null", " +&=%%\r\n\0", "é" * 16_384])
async def test_any_text_survives(site: Site, text: str) -> None:
    path = await site.talk(FriendlyName=text[:256])
    assert (await site.get(path))["friendly_name"] == text[:256]
    await site.post(f"{path}/Messages", {"Body": text})
    sid = (await site.post(f"{path}/Messages", {"Body": "before"}))["sid"]
    await site.change(f"{path}/Messages/{sid}", {"Body": text})
    assert [one["body"] for one in await site.listed(f"{path}/Messages")] == [text, text]
    written = await site.post(f"{path}/Messages", {"Author": text[:256]})
    assert written["author"] == text[:256]


@pytest.mark.parametrize(
    "form",
    [
        {"Body": "é" * 16_384 + "x"},
        {"Subject": "x" * 257},
        {"Author": "x" * 257},
        {"Author": ""},
        {"Attributes": json.dumps("x" * 4095)},
        {"Attributes": "nonsense"},
        {"MediaSid": "ME" + "0" * 32},
        {"MediaSid": "nonsense"},
        {"ContentSid": "nonsense"},
        {"ContentVariables": "nonsense"},
        {"DateCreated": "now"},
    ],
)
async def test_bad_messages(site: Site, form: Form) -> None:
    path = await site.talk()
    assert await site.refused(f"{path}/Messages", form) == (400, 20001)
    assert await site.listed(f"{path}/Messages") == []


async def test_messages_of_the_past(site: Site) -> None:
    path = await site.talk()
    await site.post(f"{path}/Participants", SMS)
    past = {"DateCreated": "2019-05-05T05:05:05Z"}
    dates = [
        (one["index"], one["date_created"], one["date_updated"])
        for one in [
            await site.post(f"{path}/Messages", past),
            await site.post(f"{path}/Messages", past | {"DateUpdated": "2019-06-06T06:06:06Z"}),
        ]
    ]
    assert dates == [
        (0, "2019-05-05T05:05:05Z", "2019-05-05T05:05:05Z"),
        (1, "2019-05-05T05:05:05Z", "2019-06-06T06:06:06Z"),
    ]
    await site.post(f"{path}/Messages", {"DateCreated": "2999-01-01T00:00:00Z"})
    assert site.store.now.year < 2999


async def test_a_template_wins(site: Site) -> None:
    path, content = await site.talk(), "HX" + "a" * 32
    form = {"ContentSid": content, "Body": "x", "ContentVariables": '{"1":"y"}'}
    body = await site.post(f"{path}/Messages", form)
    assert (body["content_sid"], body["body"], body["media"]) == (content, None, None)


async def test_messages_are_delivered_outside_the_chat(site: Site) -> None:
    path = await site.talk()
    await site.post(f"{path}/Participants", CHAT)
    person = await site.post(f"{path}/Participants", SMS)
    body = await site.post(f"{path}/Messages", {"Author": "eve", "Body": "x" * 1600})
    assert body["delivery"]["sent"] == "all"
    (receipt,) = await site.listed(body["links"]["delivery_receipts"])
    assert (receipt["participant_sid"], receipt["status"]) == (person["sid"], "sent")
    body = await site.post(f"{path}/Messages", {"Author": "eve", "Body": "x" * 1601})
    assert body["delivery"]["failed"] == "all"
    (receipt,) = await site.listed(body["links"]["delivery_receipts"])
    assert (receipt["status"], receipt["error_code"]) == ("failed", 21617)
    site.set(long_texts="refuse")
    form = {"Author": "eve", "Body": "x" * 1601}
    assert await site.refused(f"{path}/Messages", form) == (400, 21617)
    inbound = await site.post(f"{path}/Messages", {"Author": THEIRS, "Body": "x" * 1601})
    assert (inbound["participant_sid"], inbound["delivery"]) == (person["sid"], None)


async def test_written_times_fit_the_date_header(site: Site) -> None:
    path = await site.talk()
    options = {"data": {"Body": "x"}}
    _, body, headers = await site.ask("POST", f"{path}/Messages", **options)
    sent = datetime.fromisoformat(body["date_created"])
    assert abs(sent - parsedate_to_datetime(headers["Date"])) <= timedelta(seconds=2)
    later = site.store.now = site.store.now.replace(microsecond=0) + timedelta(days=3)
    body = await site.post(f"{path}/Messages", {"Body": "never before the store's own time"})
    assert datetime.fromisoformat(body["date_created"]) == later


async def test_what_is_written_comes_first(site: Site) -> None:
    path = await site.talk()
    other = await site.talk()
    await site.post(f"{path}/Messages", {"Body": "x"})
    first, second = (await site.listed("/Conversations"))[:2]
    assert [f"/Conversations/{one['sid']}" for one in (first, second)] == [path, other]
    dated = await site.listed("/Conversations?StartDate=2026-01-01T00:00:00Z")
    assert f"/Conversations/{dated[0]['sid']}" == other
    assert [one["body"] for one in site.api.messages_of(first["sid"])] == ["x"]
    (shown,) = await site.listed(f"{path}/Messages")
    (held,) = site.api.messages_of(first["sid"])
    assert {**held, "url": "", "links": {}} == {**shown, "url": "", "links": {}}


# Participants.


async def test_a_participant_comes_changes_and_goes(both: Site) -> None:
    path = await both.talk()
    body = await both.post(f"{path}/Participants", CHAT | {"Attributes": "true"})
    url = f"{both.server.base_url}/v1{both.form}{path}/Participants/{body['sid']}"
    assert body == scoped(both) | {
        "sid": body["sid"],
        "account_sid": both.store.account_sid,
        "conversation_sid": path.rpartition("/")[2],
        "identity": "eve",
        "attributes": "true",
        "messaging_binding": None,
        "role_sid": both.store.member_role,
        "last_read_message_index": None,
        "last_read_timestamp": None,
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "url": url,
    }
    assert await both.listed(f"{path}/Participants") == [body]
    assert (await both.get("/Users/eve"))["chat_service_sid"] == service_of(both)
    assert len(await both.listed("/ParticipantConversations?Identity=eve")) == 1
    assert len(await both.listed("/Users/eve/Conversations")) == 1
    role = "RL" + "a" * 32
    changed = await both.change(f"{path}/Participants/eve", {"RoleSid": role, "Attributes": "{}"})
    assert changed == body | {
        "role_sid": role, "attributes": "{}", "date_updated": changed["date_updated"],
    }  # fmt: skip
    await both.post(f"{path}/Messages", {"Author": "eve"})
    await both.delete(f"{path}/Participants/eve")
    assert await both.refused(url, method="GET") == (404, 20404)
    assert (await both.listed(f"{path}/Messages"))[0]["participant_sid"] == body["sid"]
    assert await both.listed("/Users/eve/Conversations") == []
    await both.post(f"{path}/Participants", CHAT)


@pytest.mark.parametrize(
    ("form", "binding"),
    [
        (SMS, {"type": "sms", "address": THEIRS, "proxy_address": OURS}),
        (CHAT | SMS, {"type": "sms", "address": THEIRS, "proxy_address": OURS}),
        (
            attached(address=THEIRS, proxy="12345"),
            {"type": "sms", "address": THEIRS, "proxy_address": "12345"},
        ),
        (
            attached(address="whatsapp:+15551", proxy="whatsapp:+15552"),
            {"type": "whatsapp", "address": "whatsapp:+15551", "proxy_address": "whatsapp:+15552"},
        ),
        (
            attached(address="a@x.org", proxy="b@x.org"),
            {"type": "email", "address": "a@x.org", "proxy_address": "b@x.org"},
        ),
        (OUTSIDER, {"type": "sms", "address": THEIRS}),
        (PROJECTED, {"type": "sms", "projected_address": OURS}),
        (CHAT | PROJECTED, {"type": "sms", "projected_address": OURS}),
    ],
)
async def test_bindings(site: Site, form: Form, binding: dict[str, str]) -> None:
    path = await site.talk()
    body = await site.post(f"{path}/Participants", form)
    assert body["messaging_binding"] == binding
    assert body["identity"] == form.get("Identity")
    assert (body["role_sid"] is None) == (form == OUTSIDER)
    assert await site.listed(f"{path}/Participants") == [body]
    if "address" in binding:
        address = quote(binding["address"], safe="")
        (found,) = await site.listed(f"/ParticipantConversations?Address={address}")
        assert found["participant_sid"] == body["sid"]


@pytest.mark.parametrize(
    ("there", "form", "refusal"),
    [
        ([], {}, (400, 20001)),
        ([], {"Identity": "x" * 257}, (400, 20001)),
        ([], {"Identity": ""}, (400, 20001)),
        ([], CHAT | {"RoleSid": "admin"}, (400, 20001)),
        ([], CHAT | {"Attributes": json.dumps("x" * 4095)}, (400, 20001)),
        ([], attached(address="+1" * 200, proxy=OURS), (400, 20001)),
        ([], attached(address="phone", proxy=OURS), (400, 50407)),
        ([], attached(address="", proxy=OURS), (400, 50407)),
        ([], attached(proxy=OURS), (400, 50407)),
        ([], attached(address=THEIRS, proxy="phone"), (400, 50408)),
        ([], attached(address=THEIRS, proxy="whatsapp:" + OURS), (400, 50408)),
        ([], attached(projected="whatsapp:" + OURS), (400, 50408)),
        ([], attached(address=OURS, proxy=OURS), (400, 50409)),
        ([], attached(address="whatsapp:" + THEIRS), (400, 50420)),
        ([], attached(address=THEIRS, projected=OURS), (400, 50420)),
        ([], CHAT | OUTSIDER, (400, 50420)),
        ([PROJECTED], SMS, (400, 50441)),
        ([SMS], PROJECTED, (400, 50443)),
        ([SMS], attached(address="+15550001"), (400, 50443)),
        ([CHAT], CHAT, (409, 50433)),
        ([SMS], SMS, (409, 50416)),
        ([PROJECTED], PROJECTED, (409, 50437)),
        ([OUTSIDER], OUTSIDER, (409, 50437)),
    ],
)
async def test_who_cannot_come(
    site: Site, there: list[Form], form: Form, refusal: tuple[int, int]
) -> None:
    path = await site.talk()
    for one in there:
        await site.post(f"{path}/Participants", one)
    assert await site.refused(f"{path}/Participants", form) == refusal
    assert len(await site.listed(f"{path}/Participants")) == len(there)


async def test_a_pair_belongs_to_one_live_conversation(site: Site) -> None:
    first, second = await site.talk(), await site.talk()
    await site.post(f"{first}/Participants", SMS)
    status, body, _ = await site.ask("POST", f"{second}/Participants", data=SMS)
    assert (status, body["code"]) == (409, 50416)
    assert body["message"].endswith(first.rpartition("/")[2])
    other = f"/Services/{site.store.services[1]['sid']}/Conversations"
    elsewhere = (await site.post(other))["sid"]
    assert await site.refused(f"{other}/{elsewhere}/Participants", SMS) == (409, 50416)
    await site.post(f"{second}/Participants", attached(address=THEIRS, proxy="+15550009"))
    await site.change(first, {"State": "closed"})
    await site.post(f"{second}/Participants", SMS)


async def test_a_group_is_one_conversation(site: Site) -> None:
    first, second, third = await site.talk(), await site.talk(), await site.talk()
    await site.post(f"{third}/Participants", OUTSIDER)
    for one in (PROJECTED, OUTSIDER):
        await site.post(f"{first}/Participants", one)
    await site.post(f"{second}/Participants", OUTSIDER)
    assert await site.refused(f"{second}/Participants", PROJECTED) == (409, 50438)
    await site.delete(first)
    await site.post(f"{second}/Participants", PROJECTED)


async def test_addresses_change(site: Site) -> None:
    path = await site.talk()
    sid = (await site.post(f"{path}/Participants", SMS))["sid"]
    chat = (await site.post(f"{path}/Participants", CHAT))["sid"]
    place, proxy = f"{path}/Participants/{sid}", "MessagingBinding.ProxyAddress"
    body = await site.change(place, {proxy: "+15550001"})
    assert body["messaging_binding"]["proxy_address"] == "+15550001"
    assert await site.refused(place, {proxy: "phone"}) == (400, 50408)
    assert await site.refused(place, {proxy: THEIRS}) == (400, 50409)
    assert await site.refused(place, PROJECTED) == (400, 50443)
    assert await site.refused(f"{path}/Participants/{chat}", {proxy: OURS}) == (400, 50441)
    assert await site.refused(f"{path}/Participants/{chat}", PROJECTED) == (400, 50443)
    other = await site.talk()
    await site.post(f"{other}/Participants", SMS)
    assert await site.refused(place, {proxy: OURS}) == (409, 50416)
    body = await site.change(place, {proxy: "null"})
    assert body["messaging_binding"] == {"type": "sms", "address": THEIRS}
    projecting = f"{path}/Participants/{chat}"
    body = await site.change(projecting, PROJECTED)
    assert body["messaging_binding"] == {"type": "sms", "projected_address": OURS}
    body = await site.change(projecting, {"MessagingBinding.ProjectedAddress": "null"})
    assert body["messaging_binding"] is None


async def test_identities_change(site: Site) -> None:
    path = await site.talk()
    for name in ("eve", "bob"):
        await site.post(f"{path}/Participants", {"Identity": name})
    assert await site.refused(f"{path}/Participants/bob", {"Identity": "eve"}) == (409, 50433)
    body = await site.change(f"{path}/Participants/bob", {"Identity": "carol"})
    assert body["identity"] == "carol"
    assert (await site.get("/Users/carol"))["identity"] == "carol"
    await site.change(f"{path}/Participants/carol", {"Identity": "carol"})


async def test_what_was_read(site: Site) -> None:
    path = await site.talk()
    await site.post(f"{path}/Participants", CHAT)
    for _ in range(5):
        await site.post(f"{path}/Messages")
    mine = f"/Users/eve{path}"
    assert (await site.get(mine))["unread_messages_count"] is None
    body = await site.change(f"{path}/Participants/eve", {"LastReadMessageIndex": "2"})
    assert body["last_read_message_index"] == 2
    assert DATE.fullmatch(body["last_read_timestamp"])
    assert (await site.get(mine))["unread_messages_count"] == 2
    await site.post(f"{path}/Messages")
    assert (await site.get(mine))["unread_messages_count"] == 3
    stamp = "2026-01-01T00:00:00Z"
    body = await site.change(mine, {"LastReadMessageIndex": "4", "LastReadTimestamp": stamp})
    assert (body["unread_messages_count"], body["last_read_message_index"]) == (1, 4)
    assert (await site.get(f"{path}/Participants/eve"))["last_read_timestamp"] == stamp
    body = await site.change(mine, {"LastReadMessageIndex": "null"})
    assert (body["unread_messages_count"], body["last_read_message_index"]) == (None, None)
    assert (await site.get(f"{path}/Participants/eve"))["last_read_timestamp"] is None
    assert await site.refused(mine, {"LastReadMessageIndex": "-1"}) == (400, 20001)


def fill(site: Site, path: str, count: int, **binding: str) -> None:
    talk = site.store.conversations[path.rpartition("/")[2]]
    for number in range(count):
        who: Form = {"identity": f"m{number}"}
        if binding:
            addresses = {"type": "sms", "address": f"+1555{number}", **binding}
            who = {"messaging_binding": addresses}
        site.store.add_participant(talk, at=site.store.now, **who)


@pytest.mark.parametrize("status", [403, 400])
async def test_limits_of_participants(site: Site, status: int) -> None:
    site.set(limit_status=status)
    crowded, outside, group = await site.talk(), await site.talk(), await site.talk()
    fill(site, crowded, 999)
    await site.post(f"{crowded}/Participants", {"Identity": "last"})
    full = await site.refused(f"{crowded}/Participants", {"Identity": "late"})
    assert full == (status, 50417)
    fill(site, outside, 49, proxy_address=OURS)
    await site.post(f"{outside}/Participants", SMS)
    late = attached(address="+15559999", proxy=OURS)
    assert await site.refused(f"{outside}/Participants", late) == (status, 50422)
    await site.post(f"{outside}/Participants", CHAT)
    fill(site, group, 9)
    fill(site, group, 9, projected_address="+1")
    await site.post(f"{group}/Participants", PROJECTED)
    late = attached(projected="+15559999")
    assert await site.refused(f"{group}/Participants", late) == (status, 50422)
    assert await site.refused(f"{group}/Participants/m1", late) == (status, 50422)


async def test_a_user_is_in_a_thousand_conversations(site: Site) -> None:
    talks = [site.store.add_conversation(at=site.store.now) for _ in range(1000)]
    for talk in talks:
        site.store.add_participant(talk, identity="eve", at=site.store.now)
    path = await site.talk()
    assert await site.refused(f"{path}/Participants", CHAT) == (403, 50214)
    await site.change(f"/Conversations/{talks[0].sid}", {"State": "closed"})
    await site.post(f"{path}/Participants", CHAT)


# Users.


async def test_a_user_comes_changes_and_goes(both: Site) -> None:
    form = {"Identity": "a/b", "FriendlyName": "Eve", "Attributes": '{"x": "é"}'}
    body = await both.post("/Users", form)
    url = f"{both.server.base_url}/v1{both.form}/Users/{body['sid']}"
    assert body == {
        "sid": body["sid"],
        "account_sid": both.store.account_sid,
        "chat_service_sid": service_of(both),
        "identity": "a/b",
        "friendly_name": "Eve",
        "role_sid": both.store.member_role,
        "attributes": '{"x": "é"}',
        "is_online": None,
        "is_notifiable": None,
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "url": url,
        "links": {"user_conversations": f"{url}/Conversations"},
    }
    assert body in await both.listed("/Users")
    assert await both.refused("/Users", {"Identity": "a/b"}) == (409, 50201)
    assert await both.refused("/Users", {"FriendlyName": "x"}) == (400, 20001)
    changed = await both.change("/Users/a%2Fb", {"FriendlyName": "", "RoleSid": "RL" + "1" * 32})
    assert (changed["friendly_name"], changed["role_sid"]) == (None, "RL" + "1" * 32)
    path = await both.talk()
    await both.post(f"{path}/Participants", {"Identity": "a/b"})
    await both.delete("/Users/a%2Fb")
    assert await both.refused(url, method="GET") == (404, 20404)
    assert await both.listed(f"{path}/Participants") == []


async def test_a_users_conversations(both: Site) -> None:
    path = await both.talk(UniqueName="our talk")
    await both.post(f"{path}/Participants", CHAT)
    mine = "/Users/eve/Conversations/our%20talk"
    assert (await both.get(mine))["notification_level"] == "default"
    body = await both.change(mine, {"NotificationLevel": "muted"})
    assert body["notification_level"] == "muted"
    assert (await both.listed("/Users/eve/Conversations"))[0]["notification_level"] == "muted"
    assert await both.refused(mine, {"NotificationLevel": "loud"}) == (400, 20001)
    await both.change(mine, {"NotificationLevel": "default"})
    assert (await both.get(mine))["notification_level"] == "default"
    await both.change(mine, {"NotificationLevel": "muted"})
    await both.delete(mine)
    await both.post(f"{path}/Participants", CHAT)
    assert (await both.get(mine))["notification_level"] == "default"
    await both.delete(mine)
    assert await both.listed(f"{path}/Participants") == []
    assert await both.refused(mine, {}) == (404, 20404)
    assert (await both.get("/Users/eve"))["identity"] == "eve"


# Webhooks and settings.

HOOK = "https://hooks.example.org/x"


@pytest.mark.parametrize(
    ("form", "configuration"),
    [
        (
            {"Target": "webhook", "Configuration.Url": HOOK, "Configuration.Method": "GET",
             "Configuration.Filters": ["onMessageAdded", "onMessageUpdated"]},
            {"url": HOOK, "method": "get", "filters": ["onMessageAdded", "onMessageUpdated"]},
        ),
        ({"Target": "webhook"}, {"url": None, "method": "post", "filters": []}),
        (
            {"Target": "trigger", "Configuration.Url": HOOK, "Configuration.Triggers": ["help"],
             "Configuration.ReplayAfter": "3"},
            {"url": HOOK, "method": "post", "filters": ["help"]},
        ),
        (
            {"Target": "studio", "Configuration.FlowSid": "FW" + "0" * 32},
            {"flow_sid": "FW" + "0" * 32},
        ),
    ],
)  # fmt: skip
async def test_webhooks_of_a_conversation(both: Site, form: Form, configuration: Form) -> None:
    path = await both.talk()
    body = await both.post(f"{path}/Webhooks", form)
    url = f"{both.server.base_url}/v1{both.form}{path}/Webhooks/{body['sid']}"
    assert body == scoped(both) | {
        "sid": body["sid"],
        "account_sid": both.store.account_sid,
        "conversation_sid": path.rpartition("/")[2],
        "target": form["Target"],
        "configuration": configuration,
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "url": url,
    }
    assert await both.listed(f"{path}/Webhooks") == [body]
    changed = await both.change(
        url,
        {"Configuration.Url": HOOK + "y", "Configuration.FlowSid": "FW" + "1" * 32,
         "Configuration.Filters": "", "Configuration.Triggers": "stop"},
    )  # fmt: skip
    expected = {
        "webhook": configuration | {"url": HOOK + "y", "filters": []},
        "trigger": configuration | {"url": HOOK + "y", "filters": ["stop"]},
        "studio": {"flow_sid": "FW" + "1" * 32},
    }
    assert changed["configuration"] == expected[form["Target"]]
    await both.delete(url)
    assert await both.listed(f"{path}/Webhooks") == []


async def test_five_webhooks(site: Site) -> None:
    path = await site.talk()
    for _ in range(5):
        await site.post(f"{path}/Webhooks", {"Target": "webhook"})
    assert await site.refused(f"{path}/Webhooks", {"Target": "webhook"}) == (403, 50361)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"Target": "pigeon"},
        {"Target": "webhook", "Configuration.Url": "hooks"},
        {"Target": "webhook", "Configuration.Method": "put"},
        {"Target": "studio", "Configuration.FlowSid": "flow"},
        {"Target": "webhook", "Configuration.ReplayAfter": "x"},
    ],
)
async def test_bad_webhooks(site: Site, form: Form) -> None:
    path = await site.talk()
    assert await site.refused(f"{path}/Webhooks", form) == (400, 20001)


async def test_the_configuration(site: Site) -> None:
    other = site.store.services[1]["sid"]
    messaging = "MG" + "1" * 32
    form = {
        "DefaultChatServiceSid": other, "DefaultMessagingServiceSid": messaging,
        "DefaultInactiveTimer": "PT5M", "DefaultClosedTimer": "",
    }  # fmt: skip
    before = await site.get("/Configuration")
    body = await site.change("/Configuration", form)
    assert body == before | {
        "default_chat_service_sid": other,
        "default_messaging_service_sid": messaging,
        "default_inactive_timer": "PT5M",
        "default_closed_timer": None,
        "links": body["links"],
    }
    created = await site.post("/Conversations")
    assert (created["chat_service_sid"], created["messaging_service_sid"]) == (other, messaging)
    bad = {"DefaultChatServiceSid": "IS" + "0" * 32}
    assert await site.refused("/Configuration", bad) == (400, 20001)
    assert await site.refused("/Configuration", {"DefaultClosedTimer": "PT1M"}) == (400, 20001)


async def test_the_accounts_webhook(site: Site) -> None:
    before = await site.get("/Configuration/Webhooks")
    form = {
        "Method": "get", "Filters": ["onUserAdded"], "PreWebhookUrl": HOOK,
        "PostWebhookUrl": "", "Target": "flex",
    }  # fmt: skip
    body = await site.change("/Configuration/Webhooks", form)
    assert body == before | {
        "method": "GET", "filters": ["onUserAdded"], "pre_webhook_url": HOOK,
        "post_webhook_url": None, "target": "flex",
    }  # fmt: skip
    assert await site.get("/Configuration/Webhooks") == body


async def test_addresses(site: Site) -> None:
    form = {"Type": "sms", "Address": OURS, "FriendlyName": "Office", "AddressCountry": "CA",
            "AutoCreation.Enabled": "true", "AutoCreation.Type": "webhook",
            "AutoCreation.ConversationServiceSid": site.store.default_service,
            "AutoCreation.WebhookUrl": HOOK, "AutoCreation.WebhookMethod": "post",
            "AutoCreation.WebhookFilters": ["onMessageAdded", "onParticipantAdded"]}  # fmt: skip
    path = "/Configuration/Addresses"
    body = await site.post(path, form)
    assert body == {
        "sid": body["sid"],
        "account_sid": site.store.account_sid,
        "type": "sms",
        "address": OURS,
        "friendly_name": "Office",
        "address_country": "CA",
        "auto_creation": {
            "enabled": True,
            "type": "webhook",
            "conversation_service_sid": site.store.default_service,
            "webhook_url": HOOK,
            "webhook_method": "POST",
            "webhook_filters": ["onMessageAdded", "onParticipantAdded"],
        },
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "url": f"{site.server.base_url}/v1{path}/{body['sid']}",
    }
    assert body in await site.listed(path + "?Type=sms")
    assert await site.refused(path, form) == (409, 20409)
    assert await site.refused(path, {"Type": "sms"}) == (400, 20001)
    assert await site.refused(path, {"Type": "fax", "Address": "x"}) == (400, 20001)
    elsewhere = {"AutoCreation.ConversationServiceSid": "IS" + "0" * 32}
    assert await site.refused(body["url"], elsewhere) == (400, 20001)
    studio = {"AutoCreation.Type": "studio", "AutoCreation.StudioFlowSid": "FW" + "0" * 32,
              "AutoCreation.StudioRetryCount": "2", "AutoCreation.Enabled": "false"}  # fmt: skip
    changed = await site.change(f"{path}/{quote(OURS, safe='')}", studio)
    assert changed["auto_creation"] == {
        "enabled": False,
        "type": "studio",
        "conversation_service_sid": site.store.default_service,
        "studio_flow_sid": "FW" + "0" * 32,
        "studio_retry_count": 2,
    }
    await site.delete(body["url"])
    assert await site.refused(body["url"], {}) == (404, 20404)


async def test_services(site: Site) -> None:
    body = await site.post("/Services", {"FriendlyName": "Third"})
    path = f"/Services/{body['sid']}"
    assert body in await site.listed("/Services")
    talk = (await site.post(f"{path}/Conversations"))["sid"]
    await site.post(f"{path}/Users", CHAT)
    form = {"DefaultConversationRoleSid": "RL" + "0" * 32, "ReachabilityEnabled": "true"}
    settings = await site.change(f"{path}/Configuration", form)
    assert settings["reachability_enabled"] is True
    assert settings["default_conversation_role_sid"] == "RL" + "0" * 32
    hook = await site.change(f"{path}/Configuration/Webhooks", {"PostWebhookUrl": HOOK})
    assert (hook["post_webhook_url"], hook["pre_webhook_url"]) == (HOOK, None)
    assert await site.get(f"{path}/Configuration/Webhooks") == hook
    await site.delete(path)
    assert talk not in site.store.conversations
    assert await site.refused(f"{path}/Conversations") == (404, 20404)
    assert await site.refused("/Services", {}) == (400, 20001)
    default = f"/Services/{site.store.default_service}"
    assert await site.refused(default, method="DELETE") == (400, 20001)


# Files.


async def uploaded(site: Site, data: bytes, kind: str = "image/png", query: str = "") -> Any:
    path = f"/Services/{site.store.default_service}/Media{query}"
    headers = site.auth | {"Content-Type": kind}
    status, body, _ = await site.ask("POST", path, data=data, headers=headers)
    assert status == 201, body
    return body


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 40, "текст".encode()])
async def test_a_file_goes_in_and_comes_out(site: Site, data: bytes) -> None:
    name = quote("größe &.txt")
    body = await uploaded(site, data, "text/plain; charset=utf-8", f"?Filename={name}")
    url = f"{site.server.base_url}/v1/Services/{site.store.default_service}/Media/{body['sid']}"
    temporary = body["links"]["content_direct_temporary"]
    assert body == {
        "sid": body["sid"],
        "account_sid": site.store.account_sid,
        "service_sid": site.store.default_service,
        "channel_sid": None,
        "message_sid": None,
        "size": len(data),
        "content_type": "text/plain; charset=utf-8",
        "filename": "größe &.txt",
        "author": None,
        "date_created": body["date_created"],
        "date_updated": body["date_created"],
        "url": url,
        "links": {"content": f"{url}/Content", "content_direct_temporary": temporary},
    }
    path = await site.talk()
    message = await site.post(f"{path}/Messages", {"MediaSid": body["sid"], "Body": "See"})
    assert (message["body"], message["media"]) == (
        "See",
        [{"sid": body["sid"], "size": len(data), "content_type": "text/plain; charset=utf-8",
          "filename": "größe &.txt"}],
    )  # fmt: skip
    held = await site.get(url)
    assert (held["message_sid"], held["author"]) == (message["sid"], "system")
    assert f"/Conversations/{held['channel_sid']}" == path
    for place, headers in ((body["links"]["content"], site.auth), (temporary, {})):
        status, found, answer = await site.ask("GET", place, headers=headers)
        assert (status, found) == (200, data)
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
    await site.delete(f"{path}/Messages/{message['sid']}")
    assert await site.refused(url, method="GET") == (404, 20404)


async def test_files_of_the_seed(site: Site) -> None:
    talk, message, file = next(
        (talk, message, file)
        for talk in site.store.of(site.store.default_service)
        for message in talk.messages
        for file in message["media"] or ()
        if file["filename"]
    )
    body = await site.get(f"/Services/{talk.service}/Media/{file['sid']}")
    assert (body["message_sid"], body["channel_sid"]) == (message["sid"], talk.sid)
    assert body["filename"] == file["filename"]
    contents = [
        (await site.ask("GET", url, headers=headers))[1]
        for url, headers in [
            (body["links"]["content"], site.auth),
            (body["links"]["content_direct_temporary"], {}),
        ]
    ]
    assert len(contents[0]) == file["size"]
    assert contents[0] == contents[1]
    other = site.store.services[1]["sid"]
    place = f"/Services/{other}/Media/{file['sid']}"
    assert await site.refused(place, method="GET") == (404, 20404)


async def test_files_need_credentials_here_and_none_elsewhere(site: Site) -> None:
    body = await uploaded(site, b"x")
    for place in (body["url"], body["links"]["content"]):
        assert (await site.ask("GET", place, headers={}))[0] == 401
    temporary = body["links"]["content_direct_temporary"]
    assert temporary.startswith("http://localhost:")
    status, text, headers = await site.ask("GET", temporary)
    assert (status, headers["Content-Type"]) == (400, "application/xml; charset=utf-8")
    assert b"<Code>InvalidArgument</Code>" in text
    for bad in (temporary[:-1] + "!", temporary.partition("?")[0], temporary + "0"):
        assert (await site.ask("GET", bad, headers={}))[0] == 403
    path = await site.talk()
    message = await site.post(f"{path}/Messages", {"MediaSid": body["sid"]})
    await site.delete(f"{path}/Messages/{message['sid']}")
    assert (await site.ask("GET", temporary, headers={}))[0] == 404


async def test_temporary_addresses_expire(site: Site) -> None:
    site.set(media_seconds=-1)
    body = await uploaded(site, b"x")
    old = body["links"]["content_direct_temporary"]
    assert (await site.ask("GET", old, headers={}))[0] == 403
    site.set(media_seconds=300)
    new = (await site.get(body["url"]))["links"]["content_direct_temporary"]
    assert (await site.ask("GET", new, headers={}))[1] == b"x"


async def test_content_that_is_elsewhere(site: Site) -> None:
    site.set(media_content="redirect", media_name="file_name")
    body = await uploaded(site, b"abc", query="?Filename=a.png")
    assert (body["file_name"], "filename" in body) == ("a.png", False)
    content = body["links"]["content"]
    status, _, headers = await site.ask("GET", content, allow_redirects=False)
    assert status == 307
    assert (await site.ask("GET", headers["Location"], headers={}))[1] == b"abc"
    assert (await site.ask("GET", content))[1] == b"abc"


async def test_a_file_belongs_to_a_service(site: Site) -> None:
    body, other = await uploaded(site, b"x"), site.store.services[1]["sid"]
    talk = (await site.post(f"/Services/{other}/Conversations"))["sid"]
    place = f"/Services/{other}/Conversations/{talk}/Messages"
    assert await site.refused(place, {"MediaSid": body["sid"]}) == (400, 20001)


# Bodies, credentials and what may go wrong.


WRITES = [
    ("POST", "/Conversations"), ("POST", "/Conversations/x"), ("DELETE", "/Conversations/x"),
    ("POST", "/Conversations/x/Messages"), ("DELETE", "/Conversations/x/Messages/y"),
    ("POST", "/Conversations/x/Participants"), ("DELETE", "/Conversations/x/Participants/y"),
    ("POST", "/Conversations/x/Webhooks"), ("DELETE", "/Conversations/x/Webhooks/y"),
    ("POST", "/Users"), ("DELETE", "/Users/x"), ("POST", "/Users/x/Conversations/y"),
    ("POST", "/Configuration"), ("POST", "/Configuration/Webhooks"),
    ("POST", "/Configuration/Addresses"), ("POST", "/Services"), ("POST", "/Services/x/Media"),
    ("POST", "/ConversationWithParticipants"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_writes_need_credentials(site: Site, method: str, path: str) -> None:
    count = len(site.store.conversations)
    for headers in ({}, basic(site.store.account_sid, "wrong")):
        status, body, _ = await site.ask(method, path, headers=headers)
        assert (status, body["code"]) == (401, 20003)
    assert len(site.store.conversations) == count


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/json", b'{"Body": "x"}'),
        ("application/x-www-form-urlencoded", b"Body=%FF"),
        ("application/x-www-form-urlencoded", b"Body=\xff"),
    ],
)
async def test_bodies_that_are_no_forms(site: Site, kind: str, data: bytes) -> None:
    path = await site.talk()
    headers = site.auth | {"Content-Type": kind}
    status, body, _ = await site.ask("POST", f"{path}/Messages", data=data, headers=headers)
    assert (status, body["code"]) == (400, 20001)


async def test_misspelt_parameters(site: Site) -> None:
    assert (await site.post("/Conversations", {"friendlyName": "x"}))["friendly_name"] is None
    site.set(unknown_parameters="reject")
    assert await site.refused("/Conversations", {"friendlyName": "x"}) == (400, 20001)
    await site.post("/Conversations", {"FriendlyName": "x"})


async def test_answers_that_get_lost(site: Site) -> None:
    path = await site.talk()
    site.set(write_answers="fail")
    assert await site.refused(f"{path}/Messages", {"Body": "x"}) == (500, 20500)
    assert [one["body"] for one in await site.listed(f"{path}/Messages")] == ["x"]
    assert await site.refused(path, method="DELETE") == (500, 20500)
    assert await site.refused(path, method="GET") == (404, 20404)


async def test_things_that_are_not_there(site: Site) -> None:
    path = await site.talk()
    for place in (
        "/Conversations/CH" + "0" * 32, f"{path}/Messages/IM" + "0" * 32,
        f"{path}/Participants/nobody", f"{path}/Webhooks/WH" + "0" * 32, "/Users/nobody",
        f"/Users/ada{path}", "/Configuration/Addresses/x",
    ):  # fmt: skip
        assert await site.refused(place, {}) == (404, 20404), place
        assert await site.refused(place, method="DELETE") == (404, 20404), place
    assert await site.refused("/Conversations", method="DELETE") == (405, 20004)
    unknown = f"/Services/IS{'0' * 32}/Conversations"
    assert await site.refused(unknown) == (404, 20404)


async def test_a_walk_survives_what_is_written(site: Site) -> None:
    path = await site.talk()
    sids = [(await site.post(f"{path}/Messages", {"Body": str(n)}))["sid"] for n in range(6)]
    page = await site.get(f"{path}/Messages?PageSize=2")
    await site.delete(f"{path}/Messages/{sids[1]}")
    sids.append((await site.post(f"{path}/Messages"))["sid"])
    seen = [one["sid"] for one in page["messages"]]
    while url := page["meta"]["next_page_url"]:
        page = await site.get(url)
        seen += [one["sid"] for one in page["messages"]]
    assert seen == sids


# The official client.


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_official_client(site: Site) -> None:
    client = Client(site.store.account_sid, site.store.auth_token)
    client.conversations.base_url = site.server.base_url
    site.set(unknown_parameters="reject")
    v1, text, when = client.conversations.v1, HARD_TEXTS[0], datetime(2024, 2, 29, 1, tzinfo=UTC)

    def write() -> None:
        talk = v1.conversations.create(
            friendly_name=text, unique_name="sdk", state="active", timers_inactive="PT5M",
            date_created=when, x_twilio_webhook_enabled="true",
        )  # fmt: skip
        assert (talk.friendly_name, talk.date_created) == (text, when)
        with pytest.raises(TwilioRestException) as caught:
            v1.conversations.create(unique_name="sdk")
        assert (caught.value.status, caught.value.code) == (409, 50353)
        here = v1.conversations(talk.sid)
        person = here.participants.create(identity="eve", attributes="{}")
        here.participants.create(
            messaging_binding_address=THEIRS, messaging_binding_proxy_address=OURS
        )
        message = here.messages.create(author="eve", body=text)
        assert (message.body, message.participant_sid) == (text, person.sid)
        assert here.messages(message.sid).update(body="x").body == "x"
        read = here.participants("eve").update(last_read_message_index=0)
        assert read.last_read_message_index == 0
        mine = v1.users("eve").user_conversations("sdk").update(notification_level="muted")
        assert mine.notification_level == "muted"
        hook = here.webhooks.create(
            target="webhook", configuration_url=HOOK, configuration_method="POST",
            configuration_filters=["onMessageAdded", "onMessageRemoved"],
        )  # fmt: skip
        assert hook.configuration["filters"] == ["onMessageAdded", "onMessageRemoved"]
        assert here.messages(message.sid).delete()
        assert here.webhooks(hook.sid).delete()
        assert here.update(state="closed").state == "closed"
        assert v1.conversations("sdk").delete()
        user = v1.services(site.store.services[1]["sid"]).users.create(identity="zed")
        assert v1.services(user.chat_service_sid).users("zed").delete()
        address = v1.address_configurations.create(
            type="sms", address=OURS, auto_creation_enabled=True, auto_creation_type="default"
        )
        assert address.auto_creation["enabled"] is True
        joint = v1.conversation_with_participants.create(participant=['{"identity":"eve"}'])
        assert v1.conversations(joint.sid).participants.list()[0].identity == "eve"

    await asyncio.to_thread(write)
    client.http_client.session.close()
