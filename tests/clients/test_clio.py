"""A client generated from Clio's description judges the emulator: reading, writing, conflicts."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from conversations_hub.emulator import Emulator

pytestmark = [
    pytest.mark.clients,
    # What other people's code warns of is not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

INDEX = "conversations.conversationindex"
SHOW = "conversations.conversationshow"
UPDATE = "conversations.conversationupdate"
MESSAGES = "conversation_messages.conversation_messageindex"
SEND = "conversation_messages.conversation_messagecreate"
SHOWN = "id,etag,subject,archived,read,created_at,matter{id,status},memberships{id,read,member}"
MESSAGE = "id,etag,body,created_at,sender{id,name},document{id},conversation{id,etag,subject}"


@pytest.fixture(scope="module")
def package(generated):
    return generated("clio")


@pytest.fixture
async def emulator():
    async with Emulator(seed=11, scale=0.1, only=["clio"]) as emulator:
        yield emulator


@pytest.fixture(params=["sync", "async"])
async def clio(package, emulator, request):
    settings = emulator.settings()["clio"]
    client = package.at(settings["base_url"], settings["token"], is_async=request.param == "async")
    async with client.sender:
        with client.sender:
            yield client


async def every(clio, operation, **query):
    """Follow the pages of a list, which are not in the description."""
    found, pages, token = [], 0, {}
    while True:
        page = await clio.done(operation, **query, **token)
        found += page.data
        pages += 1
        following = page["meta"]["paging"].get("next")
        if following is None:
            return found, pages
        token = {"page_token": parse_qs(urlsplit(following).query)["page_token"][0]}


async def test_lists_page_by_page(clio, emulator):
    api = emulator["clio"]
    by_id = clio.word("ConversationindexOrder", "id(asc)")
    found, pages = await every(clio, INDEX, order=by_id, limit=3, fields=SHOWN)
    assert [str(one.id) for one in found] == api.conversation_ids()
    assert pages == -(-len(found) // 3) > 2
    assert all(one.created_at.tzinfo for one in found)
    longest = max(found, key=lambda one: len(api.message_ids(str(one.id))))
    by_id = clio.word("ConversationMessageindexOrder", "id(asc)")
    messages, pages = await every(
        clio, MESSAGES, conversation_id=longest.id, order=by_id, limit=5, fields=MESSAGE
    )
    assert [str(one.id) for one in messages] == api.message_ids(str(longest.id))
    assert pages > 2
    assert {one.conversation.subject for one in messages} == {longest.subject}


async def test_filters(clio):
    everything = (await clio.done(INDEX, fields="id,read,archived,created_at")).data
    some = [everything[0].id, everything[-1].id]
    assert {one.id for one in (await clio.done(INDEX, ids=some)).data} == set(some)
    unread = (await clio.done(INDEX, read_status=False, fields="id,read")).data
    assert {one.id for one in unread} == {one.id for one in everything if not one.read}
    middle = sorted(one.created_at for one in everything)[len(everything) // 2]
    later = (await clio.done(INDEX, created_since=middle)).data
    assert {one.id for one in later} == {one.id for one in everything if one.created_at > middle}


async def test_messages_are_created_and_read_back(clio, emulator):
    contact = emulator.settings()["clio"]["receiver_id"]
    before = datetime.now(UTC) - timedelta(seconds=5)
    data = {
        "subject": "Deposition ☃ dates",
        "body": "Tuesday & <b>Friday</b>",
        "receivers": [{"id": contact, "type": "Contact"}],
    }
    body = clio.model("ConversationMessagecreateJsonBody", {"data": data})
    answer = await clio.ask(SEND, body=body, fields=MESSAGE)
    assert answer.status_code == 201
    first = answer.parsed.data
    assert (first.body, first.conversation.subject) == (data["body"], data["subject"])
    assert first.created_at > before

    reply = data | {"body": "Friday then", "conversation": {"id": first.conversation.id}}
    body = clio.model("ConversationMessagecreateJsonBody", {"data": reply})
    second = (await clio.done(SEND, body=body, fields=MESSAGE)).data
    assert second.conversation.id == first.conversation.id
    listed = (await clio.done(MESSAGES, conversation_id=first.conversation.id, fields=MESSAGE)).data
    assert [one.body for one in listed] == [data["body"], reply["body"]]
    shown = await clio.done(
        "conversation_messages.conversation_messageshow", second.id, fields=MESSAGE
    )
    assert shown.data == second
    me = await clio.done("users.userwho_am_i", fields="id,name")
    assert (second.sender["id"], second.sender["name"]) == (me.data.id, me.data.name)


async def test_updates_and_conflicts(clio, emulator):
    where = int(emulator["clio"].add_conversation())
    shown = (await clio.done(SHOW, where, fields=SHOWN)).data
    unchanged = await clio.ask(SHOW, where, fields=SHOWN, if_none_match=shown.etag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")

    body = clio.model("ConversationupdateJsonBody", {"data": {"archived": True, "read": True}})
    changed = (await clio.done(UPDATE, where, body=body, fields=SHOWN, if_match=shown.etag)).data
    assert (changed.archived, changed.read) == (True, True)
    assert changed.etag != shown.etag

    back = clio.model("ConversationupdateJsonBody", {"data": {"archived": False}})
    stale = await clio.ask(UPDATE, where, body=back, fields=SHOWN, if_match=shown.etag)
    assert stale.status_code == 412
    assert stale.parsed.error.type_
    assert (await clio.done(SHOW, where, fields=SHOWN)).data == changed
    fresh = await clio.done(UPDATE, where, body=back, fields=SHOWN, if_match=changed.etag)
    assert fresh.data.archived is False


async def test_webhooks_come_and_go(clio):
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    data = {
        "url": "https://hooks.example.org/clio",
        "model": "matter",
        "fields": "id,etag",
        "events": ["created", "updated"],
        "expires_at": expires.isoformat(),
    }
    fields = "id,etag,url,model,events,status,expires_at"
    body = clio.model("WebhookcreateJsonBody", {"data": data})
    made = (await clio.done("webhooks.webhookcreate", body=body, fields=fields)).data
    assert (made.url, made.model.value, made.expires_at) == (data["url"], "matter", expires)

    body = clio.model("WebhookupdateJsonBody", {"data": {"events": ["deleted"]}})
    stale = await clio.ask("webhooks.webhookupdate", made.id, body=body, if_match='"0"')
    assert stale.status_code == 412
    changed = await clio.done(
        "webhooks.webhookupdate", made.id, body=body, if_match=made.etag, fields=fields
    )
    assert [event.value for event in changed.data.events] == ["deleted"]
    shown = await clio.done("webhooks.webhookshow", made.id, fields=fields)
    assert shown.data == changed.data
    listed, _ = await every(clio, "webhooks.webhookindex", limit=1)
    assert made.id in {one.id for one in listed}

    gone = await clio.ask("webhooks.webhookdestroy", made.id)
    assert gone.status_code == 204
    again = await clio.ask("webhooks.webhookdestroy", made.id)
    assert again.status_code == 404
    assert (await clio.ask("webhooks.webhookshow", made.id)).parsed.error.message


async def test_errors_are_in_the_described_shape(clio, package, emulator):
    unknown = await clio.ask(INDEX, fields="id,colour")
    assert (unknown.status_code, "colour" in unknown.parsed.error.message) == (400, True)
    assert (await clio.ask(SHOW, 1)).parsed.error.type_
    body = clio.model(
        "ConversationMessagecreateJsonBody", {"data": {"subject": "", "body": "", "receivers": []}}
    )
    assert (await clio.ask(SEND, body=body)).status_code == 422
    stranger = package.at(emulator.base_url("clio"), "wrong", is_async=False)
    with stranger.sender:
        answer = await stranger.ask(INDEX)
    assert (answer.status_code, answer.parsed.error.type_) == (401, "UnauthorizedError")
