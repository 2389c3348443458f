"""The official Twilio SDK, sync and async, judges the emulator: it reads and writes everything.

What it writes goes to the account's default service, and to another one by its `Services` form.
"""

import asyncio
import json
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from attrs import frozen

from conversations_hub.emulator import Emulator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from twilio.base.exceptions import TwilioRestException
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

# The SDK's async client still hands its credentials to aiohttp the old way.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

# With a slash in them the SDK would ask for another path: it leaves names as they are.
ANA = "ana smith@example.org"
NOBODY = "CH" + "0" * 32
SINCE = "1970-01-01T00:00:00Z"
HOOK = "https://hooks.example.org/twilio"


def client_of(emulator, http_client):
    settings = emulator.settings()["twilio"]
    client = Client(settings["account_sid"], settings["auth_token"], http_client=http_client)
    client.conversations.base_url = settings["base_url"]
    return client


@frozen
class Sdk:
    """The SDK in one of its two kinds: every method has a twin whose name ends in `_async`."""

    emulator: Emulator
    client: Client
    is_async: bool

    @property
    def v1(self):
        return self.client.conversations.v1

    @property
    def log(self):
        return [(request.method, request.target) for request in self.emulator.requests]

    async def ask(self, resource, verb, **fields):
        if self.is_async:
            return await getattr(resource, f"{verb}_async")(**fields)
        return await asyncio.to_thread(getattr(resource, verb), **fields)


@pytest.fixture
async def twilio():
    async with Emulator(seed=11, scale=0.05, only=["twilio"]) as emulator:
        yield emulator


@pytest.fixture(params=["sync", "async"])
async def sdk(twilio, request):
    if request.param == "async":
        async with AsyncTwilioHttpClient() as http_client:
            yield Sdk(twilio, client_of(twilio, http_client), is_async=True)
    else:
        http_client = TwilioHttpClient()
        yield Sdk(twilio, client_of(twilio, http_client), is_async=False)
        http_client.session.close()


@frozen
class Place:
    """The chat service that is meant, and where the SDK keeps what is in it."""

    sid: str
    root: object


@pytest.fixture(params=["default service", "Services form"])
async def place(sdk, request):
    if request.param == "default service":
        configuration = await sdk.ask(sdk.v1.configuration(), "fetch")
        return Place(configuration.default_chat_service_sid, sdk.v1)
    made = await sdk.ask(sdk.v1.services, "create", friendly_name="Second desk")
    return Place(made.sid, sdk.v1.services(made.sid))


@contextmanager
def refused(status, code):
    with pytest.raises(TwilioRestException) as raised:
        yield
    assert (raised.value.status, raised.value.code) == (status, code)


def sids(found):
    return [one.sid for one in found]


async def test_it_lists_what_the_hub_lists(sdk):
    api, ask, v1 = sdk.emulator["twilio"], sdk.ask, sdk.v1
    found = sids(await ask(v1.conversations, "list", start_date=SINCE, page_size=3))
    assert found == api.conversation_ids()
    assert sum(target.startswith("/v1/Conversations?") for _, target in sdk.log) == -(
        -len(found) // 3
    )
    longest = max(found, key=lambda sid: len(api.message_ids(sid)))
    one = v1.conversations(longest)
    messages = sids(await ask(one.messages, "list", page_size=20))
    assert len(messages) > 40
    assert messages == api.message_ids(longest)
    people = sids(await ask(one.participants, "list", page_size=2))
    assert people == api.participant_ids(longest)
    async with sdk.emulator.hub() as hub:
        assert found == [c.ref.id async for c in hub.conversations(page_size=3)]
        assert messages == [m.ref.id async for m in hub.messages(f"twilio:{longest}", page_size=20)]
        assert people == [p.ref.id async for p in hub.participants(f"twilio:{longest}")]


async def test_conversations(sdk, place):
    ask, conversations = sdk.ask, place.root.conversations
    before = sids(await ask(conversations, "list", page_size=100))
    created = datetime(2024, 3, 24, 20, 37, 57, tzinfo=UTC)
    made = await ask(
        conversations,
        "create",
        friendly_name="Boiler ☃ visit",
        unique_name="boiler 7",
        attributes='{ "topic": "repair" }',
        date_created=created,
        x_twilio_webhook_enabled="true",
    )
    assert (made.chat_service_sid, made.state) == (place.sid, "active")
    assert (made.friendly_name, made.attributes) == ("Boiler ☃ visit", '{ "topic": "repair" }')
    assert (made.date_created, made.timers, made.bindings) == (created, {}, {})
    with refused(409, 50353):
        await ask(conversations, "create", unique_name="boiler 7")

    named = await ask(conversations("boiler 7"), "fetch")
    assert named.sid == made.sid
    one = conversations(made.sid)
    changed = await ask(
        one, "update", friendly_name="Boiler", state="inactive", timers_closed="PT10M"
    )
    assert (changed.friendly_name, changed.state) == ("Boiler", "inactive")
    closes = datetime.fromisoformat(changed.timers["date_closed"])
    assert closes - changed.date_updated == timedelta(minutes=10)
    assert changed.attributes == made.attributes

    inactive = await ask(conversations, "list", state="inactive")
    assert made.sid in sids(inactive)
    day = datetime(2024, 3, 24, tzinfo=UTC)
    dated = await ask(
        conversations, "list", start_date=f"{day:%FT%TZ}", end_date=f"{day:%F}T23:59:59Z"
    )
    assert made.sid in sids(dated)

    closed = await ask(one, "update", state="closed")
    assert closed.state == "closed"
    with refused(400, 50377):
        await ask(one, "update", state="active")
    with refused(400, 50377):
        await ask(one.messages, "create", body="too late")

    assert await ask(one, "delete") is True
    for gone in (one, conversations(NOBODY)):
        with refused(404, 20404):
            await ask(gone, "fetch")
    assert sids(await ask(conversations, "list", page_size=100)) == before


async def test_messages(sdk, place):
    ask = sdk.ask
    where = await ask(place.root.conversations, "create")
    messages = place.root.conversations(where.sid).messages
    texts = [f"Text {n} ✓ & more" for n in range(7)]
    made = [await ask(messages, "create", author="ana", body=text) for text in texts]
    assert [(one.index, one.author, one.body) for one in made] == [
        (index, "ana", text) for index, text in enumerate(texts)
    ]
    assert {one.conversation_sid for one in made} == {where.sid}

    asked = len(sdk.log)
    assert [one.body for one in await ask(messages, "list", page_size=3)] == texts
    assert len(sdk.log) - asked == 3
    latest = await ask(messages, "list", order="desc", limit=4, page_size=2)
    assert [one.body for one in latest] == texts[:2:-1]
    page = await ask(messages, "page", page_size=5)
    assert [one.index for one in page] == [0, 1, 2, 3, 4]
    following = await (
        page.next_page_async() if sdk.is_async else asyncio.to_thread(page.next_page)
    )
    assert [one.index for one in following] == [5, 6]

    second = messages(made[1].sid)
    attributes = json.dumps({"token": "a1"})
    await ask(second, "update", body="Edited", attributes=attributes)
    shown = await ask(second, "fetch")
    assert (shown.body, shown.attributes, shown.index) == ("Edited", attributes, 1)
    assert await ask(second, "delete") is True
    with refused(404, 20404):
        await ask(second, "fetch")
    with refused(404, 20404):
        await ask(second, "delete")
    left = await ask(messages, "list", page_size=4)
    assert [one.index for one in left] == [0, 2, 3, 4, 5, 6]


async def test_participants(sdk, place):
    ask = sdk.ask
    where = await ask(place.root.conversations, "create", unique_name="round table")
    participants = place.root.conversations(where.sid).participants
    ana = await ask(participants, "create", identity=ANA, attributes='{"role":"agent"}')
    guest = await ask(
        participants,
        "create",
        messaging_binding_address="+15558675310",
        messaging_binding_proxy_address="+15017122661",
    )
    assert (ana.identity, ana.messaging_binding) == (ANA, None)
    assert guest.messaging_binding == {
        "type": "sms",
        "address": "+15558675310",
        "proxy_address": "+15017122661",
    }
    with refused(409, 50433):
        await ask(participants, "create", identity=ANA)
    with refused(409, 50416):
        await ask(
            participants,
            "create",
            messaging_binding_address="+15558675310",
            messaging_binding_proxy_address="+15017122661",
        )

    listed = await ask(participants, "list", page_size=1)
    assert sids(listed) == [ana.sid, guest.sid]
    messages = place.root.conversations(where.sid).messages
    sent = await ask(messages, "create", author=ANA, body="Hello")
    assert sent.participant_sid == ana.sid
    [receipt] = await ask(messages(sent.sid).delivery_receipts, "list")
    assert (receipt.message_sid, receipt.participant_sid) == (sent.sid, guest.sid)

    await ask(participants(ana.sid), "update", last_read_message_index=0, attributes='{"a":1}')
    shown = await ask(participants(ANA), "fetch")
    assert (shown.sid, shown.last_read_message_index) == (ana.sid, 0)
    assert shown.attributes == '{"a":1}'
    for who in ({"identity": ANA}, {"address": "+15558675310"}):
        [theirs] = await ask(place.root.participant_conversations, "list", **who)
        assert theirs.conversation_sid == where.sid
        assert theirs.conversation_unique_name == "round table"

    for one in (ana.sid, guest.sid):
        assert await ask(participants(one), "delete") is True
    assert await ask(participants, "list") == []
    with refused(404, 20404):
        await ask(participants(ANA), "fetch")


async def test_a_conversation_with_its_participants(sdk, place):
    who = [json.dumps({"identity": name}) for name in ("ana", "ben")]
    made = await sdk.ask(
        place.root.conversation_with_participants, "create", friendly_name="Pair", participant=who
    )
    people = await sdk.ask(place.root.conversations(made.sid).participants, "list")
    assert {one.identity for one in people} == {"ana", "ben"}


async def test_scoped_webhooks(sdk, place):
    ask = sdk.ask
    where = await ask(place.root.conversations, "create")
    webhooks = place.root.conversations(where.sid).webhooks
    made = await ask(
        webhooks,
        "create",
        target="webhook",
        configuration_url=HOOK,
        configuration_method="get",
        configuration_filters=["onMessageAdded", "onMessageUpdated"],
    )
    assert made.configuration == {
        "url": HOOK,
        "method": "get",
        "filters": ["onMessageAdded", "onMessageUpdated"],
    }
    await ask(webhooks(made.sid), "update", configuration_filters=["onMessageRemoved"])
    shown = await ask(webhooks(made.sid), "fetch")
    assert (shown.target, shown.configuration["url"]) == ("webhook", HOOK)
    assert shown.configuration["filters"] == ["onMessageRemoved"]
    flow = "FW" + "a" * 32
    for _ in range(4):
        await ask(webhooks, "create", target="studio", configuration_flow_sid=flow)
    with refused(403, 50361):
        await ask(webhooks, "create", target="studio", configuration_flow_sid=flow)
    listed = await ask(webhooks, "list", page_size=2)
    assert [one.target for one in listed] == ["webhook"] + ["studio"] * 4
    assert await ask(webhooks(made.sid), "delete") is True
    assert sids(await ask(webhooks, "list")) == sids(listed[1:])


async def test_users_and_their_conversations(sdk, place):
    ask, users = sdk.ask, place.root.users
    made = await ask(users, "create", identity=ANA, friendly_name="Ana")
    assert (made.chat_service_sid, made.attributes) == (place.sid, "{}")
    with refused(409, 50201):
        await ask(users, "create", identity=ANA)
    await ask(users(made.sid), "update", friendly_name="Ana P.", attributes='{"desk":2}')
    shown = await ask(users(ANA), "fetch")
    assert (shown.sid, shown.friendly_name, shown.attributes) == (made.sid, "Ana P.", '{"desk":2}')
    assert made.sid in sids(await ask(users, "list", page_size=2))

    joined = []
    for n in range(3):
        where = await ask(place.root.conversations, "create", friendly_name=f"C{n}")
        await ask(place.root.conversations(where.sid).messages, "create", body="Hello")
        joined.append(
            await ask(
                place.root.conversations(where.sid).participants,
                "create",
                identity=ANA,
            )
        )
    theirs = users(ANA).user_conversations
    found = await ask(theirs, "list", page_size=2)
    assert {one.conversation_sid for one in found} == {one.conversation_sid for one in joined}
    assert {(one.user_sid, one.unread_messages_count) for one in found} == {(made.sid, None)}
    one = theirs(joined[0].conversation_sid)
    muted = await ask(one, "update", notification_level="muted", last_read_message_index=0)
    assert (muted.notification_level, muted.unread_messages_count) == ("muted", 0)
    shown = await ask(one, "fetch")
    assert (shown.participant_sid, shown.last_read_message_index) == (joined[0].sid, 0)
    assert await ask(one, "delete") is True
    with refused(404, 20404):
        await ask(one, "fetch")
    assert (
        await ask(place.root.conversations(joined[0].conversation_sid).participants, "list") == []
    )
    assert await ask(users(made.sid), "delete") is True
    with refused(404, 20404):
        await ask(users(ANA), "fetch")


async def test_what_is_in_one_service_is_not_in_another(sdk):
    ask, v1 = sdk.ask, sdk.v1
    service = await ask(v1.services, "create", friendly_name="Second desk")
    there = v1.services(service.sid).conversations
    made = await ask(there, "create", unique_name="same name")
    other = await ask(v1.conversations, "create", unique_name="same name")
    assert sids(await ask(there, "list")) == [made.sid]
    with refused(404, 20404):
        await ask(v1.conversations(made.sid), "fetch")
    default = await ask(v1.configuration(), "fetch")
    by_long_form = v1.services(default.default_chat_service_sid).conversations(other.sid)
    assert (await ask(by_long_form, "fetch")).unique_name == "same name"


async def test_addresses(sdk):
    ask, addresses = sdk.ask, sdk.v1.address_configurations
    made = await ask(
        addresses,
        "create",
        type="sms",
        address="+15017120099",
        friendly_name="Front desk",
        auto_creation_enabled=True,
        auto_creation_type="webhook",
        auto_creation_webhook_url=HOOK,
        auto_creation_webhook_method="POST",
        auto_creation_webhook_filters=["onMessageAdded"],
    )
    assert made.auto_creation["enabled"] is True
    assert made.auto_creation["webhook_filters"] == ["onMessageAdded"]
    with refused(409, 20409):
        await ask(addresses, "create", type="sms", address="+15017120099")
    await ask(addresses(made.sid), "update", friendly_name="Desk", auto_creation_enabled=False)
    shown = await ask(addresses(made.sid), "fetch")
    assert (shown.friendly_name, shown.auto_creation["enabled"]) == ("Desk", False)
    assert shown.auto_creation["webhook_url"] == HOOK
    assert made.sid in sids(await ask(addresses, "list", type="sms", page_size=1))
    assert made.sid not in sids(await ask(addresses, "list", type="email"))
    assert await ask(addresses(made.sid), "delete") is True
    with refused(404, 20404):
        await ask(addresses(made.sid), "fetch")


async def test_configuration(sdk):
    ask, v1 = sdk.ask, sdk.v1
    before = await ask(v1.configuration(), "fetch")
    service = await ask(v1.services, "create", friendly_name="Next desk")
    await ask(
        v1.configuration(),
        "update",
        default_chat_service_sid=service.sid,
        default_inactive_timer="PT5M",
        default_closed_timer="PT15M",
    )
    after = await ask(v1.configuration(), "fetch")
    assert (after.default_inactive_timer, after.default_closed_timer) == ("PT5M", "PT15M")
    assert after.default_messaging_service_sid == before.default_messaging_service_sid
    made = await ask(v1.conversations, "create")
    assert made.chat_service_sid == service.sid

    hooks = v1.configuration.webhooks()
    fields = {"filters": ["onMessageAdd"], "pre_webhook_url": HOOK, "post_webhook_url": HOOK}
    await ask(hooks, "update", method="POST", target="webhook", **fields)
    shown = await ask(hooks, "fetch")
    assert {name: getattr(shown, name) for name in fields} == fields
    assert (shown.method, shown.target) == ("POST", "webhook")

    there = v1.services(service.sid).configuration()
    assert (await ask(there, "update", reachability_enabled=True)).reachability_enabled is True
    theirs = v1.services(service.sid).configuration.webhooks()
    assert (await ask(theirs, "fetch")).post_webhook_url is None
    assert (await ask(theirs, "update", post_webhook_url=HOOK)).post_webhook_url == HOOK


async def test_wrong_credentials(sdk):
    sdk.client.auth = (sdk.client.username, "wrong")
    with refused(401, 20003):
        await sdk.ask(sdk.v1.configuration(), "fetch")
