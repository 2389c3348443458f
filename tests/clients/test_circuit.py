"""A client generated from Circuit's description judges the emulator: forms, pages, conflicts."""

from datetime import UTC, datetime, timedelta

import pytest

from conversations_hub.emulator import Emulator

pytestmark = [
    pytest.mark.clients,
    # What other people's code warns of is not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TICK = timedelta(milliseconds=1)
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def package(generated):
    return generated("circuit")


@pytest.fixture
async def emulator():
    async with Emulator(seed=11, scale=0.1, only=["circuit"]) as emulator:
        yield emulator


@pytest.fixture(params=["sync", "async"])
async def circuit(package, emulator, request):
    settings = emulator.settings()["circuit"]
    client = package.at(settings["base_url"], settings["token"], is_async=request.param == "async")
    async with client.sender:
        with client.sender:
            yield client


@pytest.fixture
def peers(emulator):
    """Return the others, the first of whom is the caller."""
    return emulator.settings()["circuit"]["user_ids"]


def at(stamp):
    return datetime.fromtimestamp(stamp // 1000, UTC) + timedelta(milliseconds=stamp % 1000)


async def backwards(circuit, operation, *path, key, results):
    """Walk a list of times from its newest end, as circuit.md tells in section 3.2."""
    found, pages, before = {}, 0, {}
    while True:
        page = await circuit.done(operation, *path, results=results, **before)
        pages += 1
        fresh = [one for one in page if getattr(one, key) not in found]
        if not fresh:
            return list(found.values()), pages
        found |= {getattr(one, key): one for one in fresh}
        before = {"mod_time": at(min(one.modification_time for one in page)) + TICK}


async def test_lists_page_by_page(circuit, emulator):
    api = emulator["circuit"]
    operation = "conversations.get_conversations"
    found, pages = await backwards(circuit, operation, key="conv_id", results=10)
    assert {one.conv_id for one in found} == set(api.conversation_ids())
    assert pages > 2
    by_length = sorted(api.conversation_ids(), key=lambda one: len(api.message_ids(one)))
    # In the longest 70 messages have one time, so that smaller pages could not pass them.
    operation = "conversations.get_conversation_items"
    for where, results in ((by_length[-1], 80), (by_length[-2], 10)):
        items, pages = await backwards(circuit, operation, where, key="item_id", results=results)
        assert {one.item_id for one in items} == set(api.message_ids(where))
        assert {one.conv_id for one in items} == {where}
        assert pages > 2
    assert len(await circuit.done(operation, by_length[-1])) == 25


async def test_rosters_page_by_page(circuit, emulator):
    api = emulator["circuit"]
    large = max(api.conversation_ids(), key=lambda one: len(api.participant_ids(one)))
    found, pages = set(), 0
    for kind in ("REGULAR", "MODERATOR", "GUEST", "FORMER", "BOT"):
        pointer = {}
        while True:
            page = await circuit.done(
                "conversations.get_participants_by_conv_id",
                large,
                page_size=5,
                type_=circuit.word("GetParticipantsByConvIdType", kind),
                **pointer,
            )
            found |= {one.user_id for one in page.participant_list or ()}
            pages += 1
            if page.has_more is not True:
                break
            pointer = {"search_pointer": page.search_pointer}
    assert found == set(api.participant_ids(large))
    assert pages > 6


async def begin(circuit, kind, **fields):
    body = circuit.model(f"Create{kind.title()}ConversationBody", fields)
    return await circuit.ask(f"conversations.create_{kind}_conversation", body=body)


async def test_a_direct_conversation_exists_once(circuit, peers):
    made = await begin(circuit, "direct", participant=peers[-1])
    assert (made.status_code, made.parsed.type_) == (200, "DIRECT")
    again = await begin(circuit, "direct", participant=peers[-1])
    assert (again.status_code, again.parsed) == (409, made.parsed)
    found = await circuit.done("conversations.get_direct_conversation", participant=peers[-1])
    assert found == made.parsed


@pytest.mark.parametrize("kind", ["group", "community"])
async def test_conversations(circuit, peers, kind):
    me, *others = peers
    made = (await begin(circuit, kind, topic="Übung & <1>", participants=others[:2])).parsed
    assert (made.type_, made.topic) == (kind.upper(), "Übung & <1>")
    assert set(made.participants) == {me, *others[:2]}
    where = made.conv_id

    body = circuit.model(f"UpdateConversation{kind.title()}Body", {"topic": "Neu"})
    changed = await circuit.done(f"conversations.update_conversation_{kind}", where, body=body)
    assert (changed.topic, changed.conv_id) == ("Neu", where)
    body = circuit.model(f"AddParticipant{kind.title()}Body", {"participants": others[2:4]})
    more = await circuit.done(f"conversations.add_participant_{kind}", where, body=body)
    assert set(more.participants) == {me, *others[:4]}
    fewer = await circuit.done(
        f"conversations.remove_participant_{kind}", where, participants=others[:2]
    )
    assert set(fewer.participants) == {me, *others[2:4]}
    assert await circuit.done("conversations.get_conversationby_id", where) == fewer
    by_ids = await circuit.done("conversations.get_conversations_by_id", conv_ids=[where, NOBODY])
    assert by_ids == [fewer]
    wrong = {"group": "community", "community": "group"}[kind]
    body = circuit.model(f"UpdateConversation{wrong.title()}Body", {"topic": "Neuer"})
    refused = await circuit.ask(f"conversations.update_conversation_{wrong}", where, body=body)
    assert refused.status_code == 400


async def test_messages(circuit, emulator, peers):
    where = (await begin(circuit, "group", participants=peers[1:3])).parsed.conv_id

    async def items():
        found = await circuit.done("conversations.get_conversation_items", where, results=100)
        return {one.item_id: one for one in found if one.type_ == "TEXT"}

    body = circuit.model("AddTextItemBody", {"content": "Grüße &amp; <b>mehr</b>", "subject": "S"})
    root = await circuit.done("conversations.add_text_item", where, body=body)
    assert (root.text.content, root.text.subject) == ("Grüße &amp; <b>mehr</b>", "S")
    body = circuit.model("AddTextItemWithParentBody", {"content": "Ja"})
    path = (where, root.item_id)
    reply = await circuit.done("conversations.add_text_item_with_parent", *path, body=body)
    assert reply.text.parent_id == root.item_id
    assert await items() == {root.item_id: root, reply.item_id: reply}

    path = (where, reply.item_id)
    body = circuit.model("UpdateTextItemBody", {"content": "Nein"})
    edited = await circuit.done("conversations.update_text_item", *path, body=body)
    assert (edited.text.state, edited.text.content) == ("EDITED", "Nein")
    assert await circuit.done("conversations.get_single_conversationtem", path[1]) == edited
    liked = await circuit.ask("conversations.like_item", *path)
    assert liked.status_code == 200
    assert (await items())[path[1]].text.liked_user_ids == [peers[0]]
    assert (await circuit.ask("conversations.unlike_item", *path)).status_code == 200

    deleted = await circuit.done("conversations.delete_text_item", *path)
    assert (deleted.text.state, bool(deleted.text.content)) == ("DELETED", False)
    assert (await items())[path[1]].text.state == "DELETED"
    again = await circuit.ask("conversations.delete_text_item", where, NOBODY)
    assert again.status_code == 400


async def test_marks_of_ones_own(circuit, peers):
    where = (await begin(circuit, "group", participants=peers[1:2])).parsed.conv_id
    for add, remove in (("add_favorite", "delete_favorite"), ("archive", "undo_archive")):
        names = [f"{one}_conversation" if "archive" in one else one for one in (add, remove)]
        for name, status in ((names[0], 200), (names[1], 200), (names[1], 400)):
            answer = await circuit.ask(f"conversations.{name}", where)
            assert answer.status_code == status
    await circuit.ask("conversations.add_favorite", where)
    assert where in await circuit.done("conversations.get_favorite_conversations")

    body = circuit.model("AddTextItemBody", {"content": "Topic"})
    item = await circuit.done("conversations.add_text_item", where, body=body)
    pinned = await circuit.done("conversations.pin_a_conversation", where, item.item_id)
    assert pinned.conv_id == where
    [pin] = await circuit.done("conversations.get_pinned_conversations", where)
    assert pin.conversation_item_id == item.item_id
    body = circuit.model("FlagItemBody", {"itemCreationTime": str(int(item.creation_time))})
    flag = await circuit.ask("conversations.flag_item", where, item.item_id, body=body)
    assert flag.status_code == 200
    flagged = await circuit.done("conversations.get_flag_item", where)
    assert [one.item_id for one in flagged] == [item.item_id]


async def test_labels_page_by_page(circuit, peers):
    made, label = set(), None
    for number in range(3):
        answer = await begin(circuit, "group", participants=[peers[1], peers[2 + number]])
        made.add(answer.parsed.conv_id)
        body = circuit.model("AssignLabelBody", {"label": "urgent ☂"})
        label = await circuit.done("conversations.assign_label", answer.parsed.conv_id, body=body)
    assert label in await circuit.done("users.get_label")
    found, pointer, pages = [], {}, 0
    while True:
        page = await circuit.done(
            "conversations.get_conversations_by_label", label.label_id, page_size=2, **pointer
        )
        found += page.conversation_list
        pages += 1
        if page.has_more is not True:
            break
        pointer = {"next_page_pointer": page.next_page_pointer}
    assert ({one.conv_id for one in found}, len(found), pages) == (made, 3, 2)
    one = made.pop()
    await circuit.done("conversations.unassign_label", one, label.label_id)
    again = await circuit.ask("conversations.unassign_label", one, label.label_id)
    assert again.status_code == 400
    assert (await circuit.done("conversations.remove_label", label.value)).value == label.value
    assert label not in await circuit.done("users.get_label")


async def test_moderation(circuit, peers):
    where = (await begin(circuit, "community", topic="T", participants=peers[1:3])).parsed.conv_id
    body = circuit.model("AddModeratorsBody", {"moderators": peers[1:2]})
    assert (await circuit.ask("conversations.moderate_conversation", where)).status_code == 200
    added = await circuit.ask("conversations.add_moderators", where, body=body)
    assert added.status_code == 200
    assert (await circuit.done("conversations.get_conversationby_id", where)).is_moderated is True
    # A form in the body of a DELETE.
    body = circuit.model("RemoveModeratorsBody", {"moderators": peers[1:2]})
    removed = await circuit.ask("conversations.remove_moderators", where, body=body)
    assert removed.status_code == 200
    assert (await circuit.ask("conversations.unmoderate_conversation", where)).status_code == 200


async def test_search(circuit, peers):
    where = (await begin(circuit, "group", participants=peers[1:2])).parsed.conv_id
    body = circuit.model("AddTextItemBody", {"content": "a quizzaciously rare word"})
    item = await circuit.done("conversations.add_text_item", where, body=body)
    found = await circuit.done(
        "conversations.search_conversations", term="quizzaciously", include_item_ids=True
    )
    [match] = found.matching_conversations
    assert (match.conv_id, match.item_ids) == (where, [item.item_id])


async def test_webhooks_come_and_go(circuit):
    events = ["CONVERSATION.CREATE", "CONVERSATION.ADD_ITEM"]
    fields = {"url": "https://hooks.example.org/circuit", "filter": events}
    made = await circuit.done(
        "outgoing_webhooks.add_web_hook", body=circuit.model("AddWebHookBody", fields)
    )
    assert (made.url, made.filter_) == (fields["url"], events)
    body = circuit.model("UpdateWebHookBody", {"filter": events[:1]})
    changed = await circuit.done("outgoing_webhooks.update_web_hook", made.id, body=body)
    assert changed.filter_ == events[:1]
    assert changed in await circuit.done("outgoing_webhooks.get_web_hook")
    gone = await circuit.ask("outgoing_webhooks.remove_web_hook", made.id)
    assert gone.status_code == 204
    missing = await circuit.ask("outgoing_webhooks.get_web_hook_by_id", made.id)
    assert missing.status_code == 404


async def test_profile_and_presence(circuit, peers):
    body = circuit.model("UpdateProfileBody", {"jobTitle": "Köchin", "locale": "DE_DE"})
    await circuit.done("conversations.update_profile", body=body)
    me = await circuit.done("users.get_profile")
    assert (me.user_id, me.job_title) == (peers[0], "Köchin")
    body = circuit.model("SetUserPresenceBody", {"state": "BUSY"})
    await circuit.done("users.set_user_presence", body=body)
    assert (await circuit.done("users.get_user_presence", peers[0])).state == "BUSY"


async def test_refusals(circuit, package, emulator):
    missing = await circuit.ask("conversations.get_conversationby_id", NOBODY)
    assert missing.status_code == 400
    nobody = await circuit.ask("users.get_user_by_id", NOBODY)
    assert nobody.status_code == 404
    stranger = package.at(emulator.base_url("circuit"), "wrong", is_async=False)
    with stranger.sender:
        answer = await stranger.ask("users.get_profile")
    assert answer.status_code == 401
