"""The vendor's own Sunshine SDK judges the emulator, in the last release that pages right.

That is 16.0.1: 17.0.0 cannot be imported, and 17.0.1 writes pages and filters as JSON
(sunshine.md, section 7).
"""

import asyncio
import importlib
import json
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from attrs import evolve, frozen

from conversations_hub.emulator import Emulator

pytestmark = [
    pytest.mark.clients,
    # What other people's code warns of is not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NOBODY = "0" * 24


@pytest.fixture(scope="module")
def vendor(present):
    present("sunshine_conversations_client")
    return importlib.import_module("sunshine_conversations_client")


@frozen
class Sdk:
    """The SDK, which blocks, with one app."""

    vendor: Any
    client: Any
    app: str

    def model(self, name, **fields):
        return getattr(self.vendor, name)(**fields)

    async def ask(self, operation, *args, **fields):
        """Call an operation, named `Family.operation` as its class and method are."""
        family, name = operation.split(".")
        call = getattr(getattr(self.vendor, f"{family}Api")(self.client), name)
        return await asyncio.to_thread(partial(call, self.app, *args, **fields))

    @contextmanager
    def refused(self, status, code):
        with pytest.raises(self.vendor.ApiException) as raised:
            yield
        [error] = json.loads(raised.value.body)["errors"]
        assert (raised.value.status, error["code"]) == (status, code)

    async def every(self, operation, *args, items, backwards=False, **query):
        """Follow the cursors of a list: messages come newest page first."""
        found, pages, cursor = [], 0, {}
        while True:
            page = self.model("Page", size=2, **cursor)
            answer = await self.ask(operation, *args, page=page, **query)
            fresh = getattr(answer, items)
            found = [*fresh, *found] if backwards else [*found, *fresh]
            pages += 1
            if not answer.meta.has_more:
                return found, pages
            cursor = (
                {"before": answer.meta.before_cursor}
                if backwards
                else {"after": answer.meta.after_cursor}
            )

    async def user(self, name, **fields):
        # A must to the SDK; the API can do without since 17.11.
        fields["external_id"] = name
        body = self.model("UserCreateBody", **fields)
        return (await self.ask("Users.create_user", body)).user

    async def conversation(self, kind, *users, **fields):
        participants = [self.model("ParticipantSubSchema", user_id=one.id) for one in users]
        body = self.model("ConversationCreateBody", type=kind, participants=participants, **fields)
        return (await self.ask("Conversations.create_conversation", body)).conversation

    async def post(self, where, content, **author):
        author = self.model("Author", **(author or {"type": "business", "display_name": "Hub"}))
        body = self.model("MessagePost", author=author, content=content)
        [message] = (await self.ask("Messages.post_message", where.id, body)).messages
        return message

    async def messages(self, where):
        return await self.every("Messages.list_messages", where, items="messages", backwards=True)


@pytest.fixture
async def emulator():
    async with Emulator(seed=11, scale=0.1, only=["sunshine"]) as emulator:
        yield emulator


@pytest.fixture
async def sdk(vendor, emulator):
    settings = emulator.settings()["sunshine"]
    configuration = vendor.Configuration(
        host=settings["base_url"], username=settings["key_id"], password=settings["secret"]
    )
    with mended(vendor)(configuration) as client:
        yield Sdk(vendor, client, settings["app_id"])
        client.rest_client.pool_manager.clear()


def mended(vendor):
    """Return the SDK's client, able to read metadata.

    Of messages and users, even empty, it is of a type `dict`, which 16.0.1 does not know: it looks
    for a model of that name, and fails.
    """
    known = vendor.ApiClient.NATIVE_TYPES_MAPPING | {"dict": object}
    return type("Client", (vendor.ApiClient,), {"NATIVE_TYPES_MAPPING": known})


def is_readable(message):
    """Tell a message that the SDK takes: two subtypes of authors are newer (17.3) and refused."""
    return not {"agent", "bot"} & set(message["author"].get("subtypes", ()))


async def test_it_lists_what_the_emulator_holds(sdk, emulator):
    api, seen, most = emulator["sunshine"], set(), 0
    for user in emulator.settings()["sunshine"]["user_ids"]:
        chosen = sdk.model("ConversationListFilter", user_id=user)
        found, _ = await sdk.every(
            "Conversations.list_conversations", chosen, items="conversations"
        )
        seen |= {one.id for one in found}
        assert len(found) == len({one.id for one in found})
    assert seen == set(api.conversation_ids())
    for where in seen:
        people, _ = await sdk.every("Participants.list_participants", where, items="participants")
        assert [one.id for one in people] == api.participant_ids(where)
        if all(is_readable(one) for one in api.messages_of(where)):
            messages, pages = await sdk.messages(where)
            assert [one.id for one in messages] == api.message_ids(where)[::-1]
            most = max(most, pages)
    assert most > 1


async def test_users(sdk):
    profile = sdk.model("Profile", given_name="Ana", surname="Prieto ☀")
    made = await sdk.user("desk/7", profile=profile)
    assert (made.external_id, made.profile.surname) == ("desk/7", "Prieto ☀")
    with sdk.refused(409, "conflict"):
        await sdk.user("desk/7")
    body = sdk.model("UserUpdateBody", profile=sdk.model("Profile", given_name="Anna"))
    await sdk.ask("Users.update_user", made.id, body)
    # The name goes into a path with its slash encoded.
    shown = (await sdk.ask("Users.get_user", "desk/7")).user
    assert shown.id == made.id
    assert (shown.profile.given_name, shown.profile.surname) == ("Anna", "Prieto ☀")
    body = sdk.model("UserUpdateBody", metadata={"tier": "gold", "visits": 3})
    await sdk.ask("Users.update_user", made.id, body)
    shown = (await sdk.ask("Users.get_user", made.id)).user
    assert shown.metadata == {"tier": "gold", "visits": 3}
    await sdk.ask("Users.delete_user", made.id)
    with sdk.refused(404, "user_not_found"):
        await sdk.ask("Users.get_user", made.id)


async def test_conversations(sdk):
    ana = await sdk.user("ana")
    made = [await sdk.conversation("personal", ana) for _ in range(5)]
    assert [one.is_default for one in made] == [True, False, False, False, False]
    chosen = sdk.model("ConversationListFilter", user_id=ana.id)
    listed, pages = await sdk.every(
        "Conversations.list_conversations", chosen, items="conversations"
    )
    assert ([one.id for one in listed], pages) == ([one.id for one in made], 3)

    body = sdk.model(
        "ConversationUpdateBody", display_name="Übung", metadata={"case": 7, "urgent": True}
    )
    changed = (await sdk.ask("Conversations.update_conversation", made[1].id, body)).conversation
    shown = (await sdk.ask("Conversations.get_conversation", made[1].id)).conversation
    assert shown == changed
    assert (shown.display_name, shown.metadata) == ("Übung", {"case": 7, "urgent": True})

    await sdk.ask("Conversations.delete_conversation", made[1].id)
    with sdk.refused(404, "conversation_not_found"):
        await sdk.ask("Conversations.get_conversation", made[1].id)
    with sdk.refused(400, "bad_request"):
        await sdk.ask("Conversations.delete_conversation", made[0].id)


async def test_messages(sdk, emulator):
    api = emulator["sunshine"]
    api.switches = evolve(api.switches, message_page=3)
    ana = await sdk.user("ana")
    where = await sdk.conversation("personal", ana)
    texts = [f"Line {n} ✓" for n in range(7)]
    authors = [{"type": "user", "user_id": ana.id}, *[{}] * 6]
    posted = [
        await sdk.post(where, sdk.model("TextMessage", text=text), **author)
        for text, author in zip(texts, authors, strict=True)
    ]
    assert posted[0].author.user_id == ana.id
    assert {one.source.type for one in posted} == {"api:conversations"}
    listed, pages = await sdk.messages(where.id)
    assert ([one.content.text for one in listed], pages) == (texts, 3)
    shown = (await sdk.ask("Conversations.get_conversation", where.id)).conversation
    assert shown.last_updated_at == posted[-1].received

    place = sdk.model(
        "LocationMessage",
        coordinates=sdk.model("LocationMessageCoordinates", lat=38.7, long=-9.1),
    )
    actions = [sdk.model("Link", type="link", text="Go", uri="https://example.org/go")]
    await sdk.post(where, place)
    await sdk.post(where, sdk.model("TextMessage", text="Buttons", actions=actions))
    body = sdk.model(
        "MessagePost",
        author=sdk.model("Author", type="business"),
        content=sdk.model("TextMessage", text="Noted"),
        metadata={"hubKey": "a1"},
    )
    [noted] = (await sdk.ask("Messages.post_message", where.id, body)).messages
    assert noted.metadata == {"hubKey": "a1"}
    await sdk.ask("Messages.delete_message", where.id, noted.id)
    messages, _ = await sdk.messages(where.id)
    assert messages[7].content.coordinates.lat == 38.7
    assert messages[8].content.actions[0].uri == "https://example.org/go"
    assert messages[9].deleted is True

    await sdk.ask("Messages.delete_all_messages", where.id)
    left, _ = await sdk.messages(where.id)
    assert all(one.deleted for one in left)
    with sdk.refused(404, "conversation_not_found"):
        await sdk.ask("Messages.list_messages", NOBODY)


async def test_joining_and_leaving(sdk):
    ana, ben, cleo = [await sdk.user(name) for name in ("ana", "ben", "cleo")]
    where = await sdk.conversation("sdkGroup", ana, display_name="Round table")
    # The SDK's own class of this body has lost its fields.
    for who in ({"userId": ben.id}, {"userExternalId": "cleo"}):
        body = {**who, "subscribeSDKClient": False}
        joined = (await sdk.ask("Participants.join_conversation", where.id, body)).participant
        assert joined.user_id in {ben.id, cleo.id}
    listed, pages = await sdk.every(
        "Participants.list_participants", where.id, items="participants"
    )
    assert ([one.user_id for one in listed], pages) == ([ana.id, ben.id, cleo.id], 2)

    await sdk.post(where, sdk.model("TextMessage", text="Hello"), type="user", user_id=ben.id)
    reading = sdk.model(
        "ActivityPost",
        author=sdk.model("Author", type="user", user_id=ana.id),
        type="conversation:read",
    )
    await sdk.ask("Activities.post_activity", where.id, reading)
    people = (await sdk.ask("Participants.list_participants", where.id)).participants
    assert [one.unread_count for one in people] == [0, 0, 1]
    assert people[0].last_read

    body = sdk.model("ParticipantLeaveBody", participant_id=listed[1].id)
    await sdk.ask("Participants.leave_conversation", where.id, body)
    people = (await sdk.ask("Participants.list_participants", where.id)).participants
    assert [one.user_id for one in people] == [ana.id, cleo.id]
    with sdk.refused(404, "not_found"):
        await sdk.ask("Participants.leave_conversation", where.id, body)
    personal = await sdk.conversation("personal", ben)
    with sdk.refused(400, "bad_request"):
        await sdk.ask("Participants.join_conversation", personal.id, {"userId": ana.id})


async def test_files(sdk, tmp_path):
    ana = await sdk.user("ana")
    where = await sdk.conversation("personal", ana)
    file = tmp_path / "receipt.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 90)
    uploaded = await sdk.ask(
        "Attachments.upload_attachment",
        "public",
        str(file),
        _for="message",
        conversation_id=where.id,
    )
    url = uploaded.attachment.media_url
    assert uploaded.attachment.media_type == "image/png"
    image = sdk.model("ImageMessage", media_url=url, text="here it is")
    posted = await sdk.post(where, image)
    assert (posted.content.media_url, posted.content.media_size) == (url, 98)
    body = sdk.model("AttachmentDeleteBody", media_url=url)
    await sdk.ask("Attachments.delete_attachment", body)
    with sdk.refused(404, "not_found"):
        await sdk.ask("Attachments.delete_attachment", body)


async def test_webhooks(sdk):
    webhook = {"target": "https://hooks.example.org/sunshine", "triggers": ["conversation:message"]}
    custom = sdk.model(
        "Custom", type="custom", webhooks=[sdk.model("Webhook", **webhook)], display_name="Hub"
    )
    made = (await sdk.ask("Integrations.create_integration", custom)).integration
    [hook] = (await sdk.ask("Webhooks.list_webhooks", made.id)).webhooks
    assert (hook.target, hook.version, bool(hook.secret)) == (webhook["target"], "v2", True)
    body = sdk.model("WebhookBody", triggers=["conversation:read"], include_full_user=True)
    await sdk.ask("Webhooks.update_webhook", made.id, hook.id, body)
    shown = (await sdk.ask("Webhooks.get_webhook", made.id, hook.id)).webhook
    assert (shown.triggers, shown.include_full_user) == (["conversation:read"], True)
    chosen = sdk.model("IntegrationListFilter", types="custom")
    listed, _ = await sdk.every(
        "Integrations.list_integrations", items="integrations", filter=chosen
    )
    assert made.id in {one.id for one in listed}
    await sdk.ask("Webhooks.delete_webhook", made.id, hook.id)
    assert (await sdk.ask("Webhooks.list_webhooks", made.id)).webhooks == []
    await sdk.ask("Integrations.delete_integration", made.id)
    with sdk.refused(404, "integration_not_found"):
        await sdk.ask("Integrations.get_integration", made.id)


async def test_refusals(sdk, vendor, emulator):
    ana = await sdk.user("ana")
    with sdk.refused(404, "user_not_found"):
        chosen = sdk.model("ConversationListFilter", user_id=NOBODY)
        await sdk.ask("Conversations.list_conversations", chosen)
    where = await sdk.conversation("personal", ana)
    with sdk.refused(400, "bad_request"):
        await sdk.post(where, sdk.model("Content", type="text"))
    with sdk.refused(404, "not_found"):
        page = sdk.model("Page", before=NOBODY)
        await sdk.ask("Messages.list_messages", where.id, page=page)
    configuration = vendor.Configuration(
        host=emulator.base_url("sunshine"), username="app_0", password="wrong"
    )
    with mended(vendor)(configuration) as client:
        stranger = Sdk(vendor, client, sdk.app)
        with stranger.refused(401, "unauthorized"):
            await stranger.ask("Users.get_user", ana.id)
        client.rest_client.pool_manager.clear()
