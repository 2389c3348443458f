"""Calls every operation of Sunshine Conversations, from the first user to the app's end."""

from datetime import UTC, datetime

from conversations_hub import ConversationKind, Ref, Upload

MOMENT = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
CARD = {
    "title": "Kettle",
    "actions": [{"type": "postback", "text": "Buy", "payload": "kettle"}],
}
ON = {"page_size": 3}


async def everything(hub, name, api):
    """Create, use and delete one of everything that the API has."""
    sunshine = hub[name]
    user = await users(sunshine)
    group = await conversations(sunshine, name, user)
    await messages(sunshine, group, user)
    await participants(sunshine, group, user)
    await control(sunshine, group, api)
    await clients(sunshine, name, api)
    await integrations(sunshine, api)
    await sunshine.delete(group)
    await sunshine.delete_personal_information(user)
    await sunshine.delete_user(user)
    await sunshine.app()
    await sunshine.update_app(
        display_name="Acme & Co", settings={"echoPostback": True}, metadata={"tier": 1}
    )
    await sunshine.delete_app()


def read(listing, limit=None):
    return aiter(listing).collect(limit=limit)


async def users(sunshine):
    created = await sunshine.create_user(
        external_id="ops/1",
        signed_up_at=MOMENT,
        to_be_retained=True,
        profile={"givenName": "Ops", "email": "ops@example.org", "locale": "pt"},
        metadata={"vip": True},
    )
    await sunshine.update_user("ops/1", profile={"surname": "Last", "email": None})
    await sunshine.user("ops/1")
    await read(sunshine.users_by_email("user1@example.org"))
    await read(sunshine.users_by_email("user1@example.org", brand_id="9477922990333"), 5)
    return created.id


async def conversations(sunshine, name, user):
    """Begin a direct conversation and a group, and return the group."""
    await read(sunshine.conversations(participant=user, **ON), 5)
    await sunshine.create(participants=["ops/1"], text="Welcome", idempotency_key="first")
    group = await sunshine.create(
        kind=ConversationKind.GROUP,
        participants=[Ref(name, user)],
        title="Ops",
        description="What happens",
        metadata={"order": 7},
        icon_url="https://example.org/icon.png",
        subscribe_sdk_client=True,
    )
    await sunshine.update(group.ref, title="Operations", icon_url="https://example.org/2.png")
    await sunshine.conversation(group.ref)
    return group.ref


async def messages(sunshine, group, user):
    me = Ref(group.provider, user)
    sent = await sunshine.send(
        group, "Hello", html="<p>Hello</p>", metadata={"n": 1}, idempotency_key="k", author="Dana"
    )
    await sunshine.send(group, "I am here", author=me)
    await sunshine.send(
        group,
        content={"type": "carousel", "items": [CARD]},
        author={"type": "business", "subtypes": ["AI"], "displayName": "Robot"},
        override={"whatsapp": {"payload": {}}},
    )
    template = {"type": "template", "template": {"name": "hello"}}
    await sunshine.send(group, content=template, schema="whatsapp")
    file = Upload(b"a lease", name="lease.pdf")
    await sunshine.send(group, "Sign here", attachments=[file])
    uploaded = await sunshine.upload_attachment(file, conversation=group)
    await sunshine.send(group, attachments=[uploaded])
    await sunshine.delete_attachment(uploaded)
    await sunshine.upload_attachment(b"bytes")
    personal = (await read(sunshine.conversations(participant=me), 1))[0]
    await sunshine.send(personal.ref, "Quietly", destination="none")
    await read(sunshine.messages(group), 3)
    await sunshine.delete_message(group, sent.ref.id)
    await sunshine.delete_messages(group)
    reference = dict.fromkeys(("url", "bid", "key", "signature", "owner"), "x")
    await sunshine.download_message_ref(group, me, reference)
    await sunshine.post_conversion_events(group, "whatsapp", [{"event_name": "Purchase"}])


async def participants(sunshine, group, user):
    await sunshine.add_participant(group, "crm/778", subscribe_sdk_client=True)
    found = await read(sunshine.participants(group, **ON))
    await sunshine.mark_read(group)
    await sunshine.mark_read(group, participant=user)
    await sunshine.mark_read(group, participant=found[0].ref)
    await sunshine.start_typing(group, author="Dana")
    await sunshine.stop_typing(group)
    await sunshine.remove_participant(group, "crm/778")
    await sunshine.remove_participant(group, found[0].ref)
    await sunshine.add_participant(group, Ref(group.provider, user))


async def control(sunshine, group, api):
    one, two = (each["id"] for each in api.store.switchboard[:2])
    await sunshine.pass_control(group, one, metadata={"why": "ops"})
    await sunshine.offer_control(group, two)
    await sunshine.accept_control(group, metadata={"why": "ops"})
    await sunshine.release_control(group)
    await sunshine.pass_control(group, "next")


async def clients(sunshine, name, api):
    channel = next(i for i in api.store.integrations.values() if i["type"] == "whatsapp")
    mine = (await read(sunshine.conversations(participant="crm/778"), 1))[0]
    criteria = {"type": "whatsapp", "integrationId": channel["id"], "phoneNumber": "15550100"}
    client = await sunshine.create_client(
        "crm/778", conversation=mine.ref, match_criteria={**criteria, "primary": True}
    )
    await read(sunshine.clients("crm/778", **ON))
    await sunshine.remove_client("crm/778", client.id)
    kin = await sunshine.create_user(external_id="ops/2")
    api.store.users[kin.id]["zendeskId"] = "35436"
    await sunshine.sync_user("35436", surviving_zendesk_id="35437")
    await sunshine.sync_user("35437")


async def integrations(sunshine, api):
    """Change one that is there: the strict judge knows no words of a new one but its name."""
    made = await sunshine.create_integration("web", display_name="Ops")
    await sunshine.update_integration(made.id, display_name="Ops 2", settings={"brandColor": "0f0"})
    await sunshine.integration(made.id)
    await sunshine.delete_integration(made.id)
    await read(sunshine.integrations(types=["custom", "web"], **ON))
    await read(sunshine.integrations())
    custom = next(i["id"] for i in api.store.integrations.values() if i["type"] == "custom")
    key = await sunshine.create_integration_key(custom, "for ops")
    await read(sunshine.integration_keys(custom))
    await sunshine.integration_key(custom, key.id)
    await sunshine.delete_integration_key(custom, key.id)
    (first,) = await read(sunshine.webhooks(custom))
    await sunshine.delete_webhook(custom, first.id)
    webhook = await sunshine.create_webhook(
        custom,
        "https://hooks.example.org/ops",
        ["*"],
        include_full_user=True,
        include_full_source=False,
    )
    await sunshine.webhook(custom, webhook.id)
    await sunshine.update_webhook(custom, webhook.id, triggers=["conversation:read"])
