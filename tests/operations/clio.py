"""Asks for each of Clio's operations once, and for what only Clio can be asked."""

from datetime import UTC, datetime, timedelta

from conversations_hub import Attachment, Ref

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def everything(hub, name, api):
    """Begin a conversation, use it in every way, and subscribe to something."""
    clio = hub[name]
    ref = await conversation(hub, clio, name, api)
    await messages(hub, clio, ref, api)
    await flags(clio, ref, api)
    await webhooks(hub, clio)
    me = await clio.who_am_i(fields="account{name}")
    await clio.show_who_am_i(if_none_match=me.etag)


async def conversation(hub, clio, name, api):
    """Begin one and find it again."""
    colleague, contact = list(api.store.users)[1], api.settings["receiver_id"]
    begun = await clio.create(
        title="Everything that can be asked",
        participants=[Ref(name, f"contact/{contact}"), f"user/{colleague}"],
        text="To begin with",
        matter=list(api.store.matters)[1],
    )
    await hub.iterate(clio.conversations(created_after=LONG_AGO, for_user=False)).collect(limit=5)
    await hub.iterate(clio.participants(begun.ref)).collect(limit=5)
    await clio.conversation(begun.ref)
    # The description wants dates in If-Modified-Since that HTTP does not know; it is left out.
    await clio.show_conversation(begun.ref, if_none_match=begun.raw["etag"])
    return begun.ref


async def messages(hub, clio, ref, api):
    """Reply in both ways, with and without a document, and read it."""
    await clio.send(ref, "To all of them")
    document = list(api.store.documents.values())[-1]
    sent = await clio.send(
        ref,
        "To one of them",
        attachments=[Attachment(id=str(document["id"]))],
        document_version=document["version_id"],
        subject="About something else",
        receivers=[f"contact/{api.settings['receiver_id']}"],
        matter=next(iter(api.store.matters)),
    )
    await hub.iterate(clio.messages(ref, order="newest", query="one")).collect(limit=5)
    await clio.message(ref, sent.ref.id)
    await clio.show_message(ref, sent.ref.id, if_none_match=sent.raw["etag"])


async def flags(clio, ref, api):
    """Set what the user sees."""
    read = await clio.update_conversation(
        ref, read=True, archived=False, matter=list(api.store.matters)[1]
    )
    await clio.archive(ref, if_match=read.raw["etag"])
    await clio.unarchive(ref)
    await clio.mark_read(ref)


async def webhooks(hub, clio):
    """Subscribe, look, prolong and end."""
    made = await clio.create_webhook(
        url="https://hooks.example/clio",
        model="matter",
        fields="id,etag,status",
        events=["updated", "matter_closed"],
        expires_at=datetime.now(UTC) + timedelta(days=9),
    )
    await hub.iterate(clio.webhooks(created_after=LONG_AGO, order="newest")).collect(limit=5)
    await clio.webhook(made.id)
    await clio.show_webhook(made.id, if_none_match=made.etag)
    await clio.update_webhook(
        made.id, expires_at=datetime.now(UTC) + timedelta(days=30), if_match=made.etag
    )
    await clio.delete_webhook(made.id)
