"""Every operation of Twilio's, on the emulator."""

from datetime import UTC, datetime, timedelta

from conversations_hub import ConversationKind, ConversationState, Ref, Upload

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
OURS, THEIRS = "+15017122661", "+15558675399"
FLOW = "FW" + "1" * 32
HOOK = "https://hooks.example.org/twilio"


async def everything(hub, name, api):
    """Call every operation, in the form that the hub's provider has."""
    del api  # which is asked alone
    twilio = hub[name]
    await account(hub, twilio)
    user = await users(hub, twilio, "agent")
    where = await conversations(hub, twilio, user.identity, "key")
    await messages(hub, twilio, where)
    await participants(hub, twilio, where, user.identity)
    await memberships(hub, twilio, where, user)
    await webhooks(hub, twilio, where)
    await twilio.close(where, webhook_enabled=False)
    await twilio.delete(where, webhook_enabled=True)
    await twilio.delete_user(user.ref)


async def some(hub, listing):
    return await hub.iterate(listing).collect(limit=3)


async def account(hub, twilio):
    before = await twilio.configuration()
    await twilio.update_configuration(
        default_chat_service_sid=before.default_chat_service_sid,
        default_messaging_service_sid=before.default_messaging_service_sid,
        default_inactive_timer=timedelta(minutes=10),
        default_closed_timer="PT1H",
    )
    await twilio.configuration_webhook()
    await twilio.update_configuration_webhook(
        method="GET",
        filters=["onMessageAdded", "onConversationUpdated"],
        pre_webhook_url=HOOK,
        post_webhook_url=HOOK,
        target="flex",
    )
    address = await twilio.create_address_configuration(
        "sms",
        "+15005550199",
        friendly_name="Ours",
        address_country="US",
        auto_creation_enabled=True,
        auto_creation_type="webhook",
        auto_creation_conversation_service_sid=before.default_chat_service_sid,
        auto_creation_webhook_url=HOOK,
        auto_creation_webhook_method="post",
        auto_creation_webhook_filters=["onParticipantAdded", "onMessageAdded"],
    )
    await some(hub, twilio.address_configurations(page_size=2))
    await some(hub, twilio.address_configurations(type="sms"))
    await twilio.address_configuration(address.sid)
    await twilio.update_address_configuration(
        address.ref,
        friendly_name="Still ours",
        auto_creation_enabled=False,
        auto_creation_type="studio",
        auto_creation_studio_flow_sid=FLOW,
        auto_creation_studio_retry_count=2,
    )
    await twilio.delete_address_configuration(address.sid)


async def users(hub, twilio, identity):
    user = await twilio.create_user(
        identity, friendly_name="Dana", metadata={"desk": 4}, webhook_enabled=True
    )
    await twilio.update_user(
        identity,
        friendly_name="Dana P.",
        metadata={},
        role_sid=user.role_sid,
        webhook_enabled=False,
    )
    await some(hub, twilio.users(page_size=2))
    return await twilio.user(user.ref)


async def conversations(hub, twilio, identity, key):
    made = await twilio.create(
        title="Boiler visit",
        kind=ConversationKind.GROUP,
        participants=[Ref(twilio.name, identity), THEIRS],
        text="Good morning",
        metadata={"topic": "repair"},
        idempotency_key=key,
        state="active",
        timers_inactive=timedelta(days=1),
        timers_closed="P2D",
        bindings_email_address="help@mail.example.org",
        bindings_email_name="Help",
        date_created=MOMENT,
        date_updated=MOMENT,
        author=identity,
        proxy_address=OURS,
        webhook_enabled=True,
    )
    await some(hub, twilio.conversations(created_after=MOMENT, state=ConversationState.OPEN))
    await some(hub, twilio.conversations(participant=THEIRS))
    await some(hub, twilio.participant_conversations(identity=identity, page_size=2))
    await some(hub, twilio.participant_conversations(address=THEIRS))
    await twilio.conversation(made.ref)
    await twilio.update(
        made.ref,
        title="Boiler visit, again",
        metadata={},
        unique_name=f"{key}/again",
        state=ConversationState.OPEN,
        messaging_service_sid="MG" + "2" * 32,
        timers_inactive="PT1H",
        bindings_email_name="Help desk",
        date_updated=MOMENT,
        webhook_enabled=True,
    )
    return made.ref


async def messages(hub, twilio, where):
    first = await twilio.send(
        where,
        "On my way & soon there 👩🏽‍⚖️",
        metadata={"a": [1, "é"]},
        idempotency_key="once",
        author=OURS,
        subject="Visit",
        date_created=MOMENT,
        date_updated=MOMENT,
        webhook_enabled=True,
    )
    file = await twilio.upload_media(Upload(b"ABC", name="a b.txt"))
    await twilio.media_file(file.sid)
    await twilio.send(where, attachments=[file.attachment])
    await twilio.send(where, "See here", attachments=[b"\x89PNG"])
    await twilio.send(where, content_sid="HX" + "3" * 32, content_variables={"1": "nine"})
    await some(hub, twilio.messages(where, order="newest"))
    await twilio.message(where, first.ref.id)
    await twilio.edit(
        where, first.ref.id, text="Here", metadata={}, author="dana", webhook_enabled=True
    )
    for receipt in await some(hub, twilio.receipts(where, first.ref, page_size=1)):
        await twilio.receipt(where, first.ref, receipt.ref)
    await twilio.delete_message(where, first.ref.id, webhook_enabled=True)


async def participants(hub, twilio, where, identity):
    third = await twilio.add_participant(
        where,
        "+15558675310",
        proxy_address=OURS,
        metadata={"role": "owner"},
        date_created=MOMENT,
        date_updated=MOMENT,
        webhook_enabled=True,
    )
    await some(hub, twilio.participants(where))
    await twilio.participant(where, identity)
    await twilio.update_participant(
        where,
        third.ref,
        proxy_address="+15017122662",
        metadata={},
        last_read_message_index=1,
        last_read_at=MOMENT,
        webhook_enabled=True,
    )
    await twilio.mark_read(where, participant=Ref(twilio.name, identity))
    await twilio.remove_participant(where, "+15558675310", webhook_enabled=False)


async def memberships(hub, twilio, where, user):
    await some(hub, twilio.user_conversations(user.identity, page_size=2))
    await twilio.user_conversation(user.ref, where)
    await twilio.update_user_conversation(
        user.sid,
        where,
        notification_level="muted",
        last_read_message_index=0,
        last_read_at=MOMENT,
    )
    await twilio.delete_user_conversation(user.identity, where.id)


async def webhooks(hub, twilio, where):
    hook = await twilio.create_webhook(
        where,
        url=HOOK,
        method="get",
        filters=["onMessageAdded", "onMessageUpdated"],
        replay_after=0,
    )
    await twilio.create_webhook(where, "trigger", url=HOOK, triggers=["help", "stop"])
    await twilio.create_webhook(where, "studio", flow_sid=FLOW)
    await some(hub, twilio.webhooks(where, page_size=2))
    await twilio.webhook(where, hook.sid)
    await twilio.update_webhook(where, hook.ref, method="post", filters=[])
    await twilio.delete_webhook(where, hook.ref)
