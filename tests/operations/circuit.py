"""Calls every operation of Circuit: begins conversations, writes, marks, and clears up."""

from datetime import UTC, datetime

from conversations_hub import ConversationKind, Ref, Upload

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


def read(listing, limit=None):
    return aiter(listing).collect(limit=limit)


async def everything(hub, name, api):
    """Call every operation, native arguments included, and leave what was there before."""
    circuit, (me, ana, bo, *_) = hub[name], api.settings["user_ids"]
    group = await begin(circuit, name, ana, bo)
    await write(circuit, group)
    await mark(circuit, group)
    await gather(circuit, group, name, bo)
    await govern(circuit, group, ana, bo)
    await know_people(circuit, me, ana)
    await listen(circuit, group, me, ana)
    await circuit.remove_participant(group, me)


async def begin(circuit, name, ana, bo):
    direct = await circuit.create(
        kind=ConversationKind.DIRECT, participants=[Ref(name, ana)], text="Hello"
    )
    assert (await circuit.direct_conversation(ana)).ref == direct.ref
    community = await circuit.create(
        kind=ConversationKind.COMMUNITY, title="Tea", description="Green", participants=[ana]
    )
    await circuit.update(community.ref, description="Black")
    await circuit.add_participants(community.ref, [bo])
    await circuit.remove_participants(community.ref, [ana, bo])
    group = await circuit.create(title="Everything", participants=[ana, bo], text="Hello")
    await circuit.update(group.ref, title="Everything else")
    await circuit.conversation(group.ref)
    await read(circuit.conversations(), 5)
    await read(circuit.conversations_by_id([direct.ref, group.ref]))
    await read(circuit.communities(include_own=True), 5)
    return group.ref


async def write(circuit, group):
    file = await circuit.upload_file(Upload(b"abc", name="a.txt"))
    root = await circuit.send(
        group,
        html="<b>See</b>",
        attachments=[file, b"more"],
        metadata={"form": {"id": "f"}},
        subject="Plan",
    )
    reply = await circuit.send(group, "Seen", reply_to=root.ref)
    await circuit.edit(group, root.ref.id, text="See this", subject="New plan")
    await circuit.message(group, reply.ref.id)
    await read(circuit.messages(group), 5)
    await circuit.delete_message(group, reply.ref.id)


async def mark(circuit, group):
    topic = await circuit.send(group, "A topic")
    item = topic.ref.id
    await circuit.like_message(group, item)
    await circuit.unlike_message(group, item)
    await circuit.flag_message(group, item, item_creation_time=topic.sent_at)
    await read(circuit.flagged_messages())
    await read(circuit.flagged_messages(group))
    await circuit.unflag_message(group, item)
    await circuit.pin_topic(group, item)
    await read(circuit.pinned_topics(group))
    await circuit.unpin_topic(group, item)
    await circuit.archive(group)
    await circuit.unarchive(group)
    await circuit.add_favorite(group)
    await read(circuit.favorites())
    await circuit.remove_favorite(group)
    label = await circuit.assign_label(group, "urgent & co")
    await read(circuit.conversations_with_label(label.label_id))
    await circuit.unassign_label(group, label.label_id)
    await circuit.create_label("later")
    await read(circuit.labels())
    await circuit.delete_label("later")


async def gather(circuit, group, name, bo):
    await circuit.remove_participant(group, Ref(name, bo))
    await circuit.add_participant(group, Ref(name, bo))
    await read(circuit.participants(group, type="REGULAR"))


async def govern(circuit, group, ana, bo):
    await circuit.moderate_conversation(group)
    await circuit.add_moderators(group, [ana, bo])
    await circuit.remove_moderators(group, [bo])
    await circuit.unmoderate_conversation(group)
    (other, *_) = await read(circuit.communities(), 1)
    await circuit.join_community(other.ref)
    await read(circuit.search_conversations("e", include_item_ids=True), 5)
    await read(circuit.join_details_of([group]))
    details = await circuit.join_details(group)
    await circuit.resolve_invitation(details.link.partition("token=")[2])


async def know_people(circuit, me, ana):
    profile = await circuit.profile()
    await circuit.update_profile(first_name="Kim", job_title="Clerk", locale="PT_BR")
    user = await circuit.user(ana)
    await circuit.user_by_email(user.email_address, secondary_lookup=True)
    await read(circuit.users(user.display_name))
    await read(circuit.users_by_id([me, user.email_address], return_full_user_info=True))
    await circuit.update_presence("DND", dnd_until=UNTIL, status_message="In court")
    await circuit.update_presence("AVAILABLE", clear_dnd=True)
    await circuit.presence(profile.user_id)
    await read(circuit.presences([me, ana]))
    await circuit.support_info()


async def listen(circuit, group, me, ana):
    url = "https://example.org/hook?secret=1"
    hook = await circuit.create_webhook(url, ["CONVERSATION.ADD_ITEM", "CONVERSATION.CREATE"])
    await circuit.update_webhook(hook.id, filter=["CONVERSATION.UPDATE"])
    await circuit.webhook(hook.id)
    presence = await circuit.create_presence_webhook(url, [ana])
    await circuit.update_presence_webhook(presence.id, user_ids=[me, ana])
    await read(circuit.webhooks())
    await circuit.delete_webhook(hook.id)
    await circuit.delete_webhooks()
    way = await circuit.create_incoming_webhook(group, name="CI", user=me, description="Builds")
    await circuit.post_to_webhook(way.webhook_id, "*Build 82* passed", markdown=True)
    await read(circuit.incoming_webhooks(me))
    await circuit.delete_incoming_webhook(way.webhook_id)
