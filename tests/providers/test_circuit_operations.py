"""What Circuit is asked for each operation, and what becomes of what is written."""

import copy
import inspect
import json
import traceback
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    AuthenticationError,
    ConfigurationError,
    ConversationKind,
    ConversationsHub,
    InvalidRequestError,
    MessageKind,
    MessageState,
    NotFoundError,
    PagingError,
    Participant,
    PermissionDeniedError,
    ProviderError,
    Ref,
    Role,
    UnsupportedError,
    Upload,
)
from conversations_hub.emulator import Emulator
from conversations_hub.providers.circuit import (
    BridgeNumber,
    Circuit,
    EmailAddress,
    IncomingWebhook,
    JoinDetails,
    Label,
    PhoneNumber,
    PinnedTopic,
    Presence,
    SearchResult,
    SupportInfo,
    User,
    WebHook,
)
from conversations_hub.providers.circuit.markup import rich, shown
from conversations_hub.recipes import Attempt, Call, Listing
from conversations_hub.wire import Response

ME = "aa000001-0000-4000-8000-000000000001"
ANA = "aa000002-0000-4000-8000-000000000002"
BO = "aa000003-0000-4000-8000-000000000003"
CONV = "1b2c0001-0000-4000-8000-000000000001"
ITEM = "17e40001-0000-4000-8000-000000000001"
MILLIS = 1_569_942_763_745
SENT = datetime(2019, 10, 1, 15, 12, 43, 745000, tzinfo=UTC)
UNTIL = datetime(2030, 1, 1, tzinfo=UTC)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001
HERE = Ref("circuit", CONV)
CIRCUIT = Circuit(token="canary", me=ME)
FORM = "application/x-www-form-urlencoded"

C = f"/rest/v2/conversations/{CONV}"
M = f"{C}/messages/{ITEM}"
U = "/rest/v2/users"
W = "/rest/v2/webhooks"
HOOK = "https://example.org/hook"

# What a call asks first: method, path and query, form.
REQUESTS = {
    "conversations_by_id": (
        lambda c: c.conversations_by_id([HERE, "b"]),
        ("GET", f"/rest/v2/conversations/byIds?convIds={CONV}&convIds=b", None),
    ),
    "direct_conversation": (
        lambda c: c.direct_conversation("ana@example.org"),
        ("GET", "/rest/v2/conversations/direct?participant=ana%40example.org", None),
    ),
    "favorites": (lambda c: c.favorites(), ("GET", "/rest/v2/conversations/favorite", None)),
    "search_conversations": (
        lambda c: c.search_conversations("a b", scope="FILES", include_item_ids=True),
        (
            "GET",
            "/rest/v2/conversations/search?term=a%20b&scope=FILES&includeItemIds=true",
            None,
        ),
    ),
    "resolve_invitation": (
        lambda c: c.resolve_invitation("t/1"),
        ("GET", "/rest/v2/conversations/resolveinvitetoken?token=t%2F1", None),
    ),
    "join_details": (
        lambda c: c.join_details(HERE),
        ("GET", f"{C}/conversationdetails", None),
    ),
    "join_details_of": (
        lambda c: c.join_details_of([HERE]),
        ("GET", f"/rest/v2/conversations/conversationdetails?convIds={CONV}", None),
    ),
    "flagged_messages": (
        lambda c: c.flagged_messages(),
        ("GET", "/rest/v2/conversations/messages/flag", None),
    ),
    "flagged_messages of one": (
        lambda c: c.flagged_messages(HERE),
        ("GET", f"{C}/messages/flag", None),
    ),
    "send": (
        lambda c: c.send(HERE, "a & b", subject="S", metadata={"form": {"id": 1}}),
        (
            "POST",
            f"{C}/messages",
            [("content", "a &amp; b"), ("subject", "S"), ("formMetaData", '{"id":1}')],
        ),
    ),
    "send html": (
        lambda c: c.send(HERE, html="<b>a</b>"),
        ("POST", f"{C}/messages", [("content", "<b>a</b>")]),
    ),
    "send a file that is there": (
        lambda c: c.send(HERE, attachments=[Attachment(id="f1"), Attachment(id="f2")]),
        ("POST", f"{C}/messages", [("attachments", "f1"), ("attachments", "f2")]),
    ),
    "delete_message": (lambda c: c.delete_message(HERE, ITEM), ("DELETE", M, None)),
    "create direct": (
        lambda c: c.create(kind=ConversationKind.DIRECT, participants=[Ref("circuit", ANA)]),
        ("POST", "/rest/v2/conversations/direct", [("participant", ANA)]),
    ),
    "create group": (
        lambda c: c.create(title="T", participants=[ANA, "bo@example.org"]),
        (
            "POST",
            "/rest/v2/conversations/group",
            [("participants", ANA), ("participants", "bo@example.org"), ("topic", "T")],
        ),
    ),
    "create community": (
        lambda c: c.create(kind=ConversationKind.COMMUNITY, title="T", description="D"),
        (
            "POST",
            "/rest/v2/conversations/community",
            [("topic", "T"), ("description", "D")],
        ),
    ),
    "join_community": (
        lambda c: c.join_community(CONV),
        ("POST", f"/rest/v2/conversations/community/{CONV}/join", None),
    ),
    "add_moderators": (
        lambda c: c.add_moderators(HERE, [ANA, BO]),
        ("POST", f"{C}/moderators", [("moderators", ANA), ("moderators", BO)]),
    ),
    "remove_moderators": (
        lambda c: c.remove_moderators(HERE, ANA),
        ("DELETE", f"{C}/moderators", [("moderators", ANA)]),
    ),
    "moderate_conversation": (
        lambda c: c.moderate_conversation(HERE),
        ("POST", f"/rest/v2/conversations/moderate/{CONV}", None),
    ),
    "unmoderate_conversation": (
        lambda c: c.unmoderate_conversation(HERE),
        ("POST", f"/rest/v2/conversations/unmoderate/{CONV}", None),
    ),
    "add_favorite": (lambda c: c.add_favorite(HERE), ("POST", f"{C}/favorite", None)),
    "remove_favorite": (lambda c: c.remove_favorite(CONV), ("DELETE", f"{C}/favorite", None)),
    "assign_label": (
        lambda c: c.assign_label(HERE, "a,b"),
        ("POST", f"{C}/label", [("label", "a,b")]),
    ),
    "unassign_label": (
        lambda c: c.unassign_label(HERE, "l1"),
        ("DELETE", f"{C}/label/l1", None),
    ),
    "labels": (lambda c: c.labels(), ("GET", f"{U}/labels", None)),
    "create_label": (
        lambda c: c.create_label("later"),
        ("POST", f"{U}/labels", [("label", "later")]),
    ),
    "delete_label": (
        lambda c: c.delete_label("a/b é"),
        ("DELETE", f"{U}/labels/a%2Fb%20%C3%A9", None),
    ),
    "like_message": (lambda c: c.like_message(HERE, ITEM), ("POST", f"{M}/like", None)),
    "unlike_message": (lambda c: c.unlike_message(HERE, ITEM), ("DELETE", f"{M}/like", None)),
    "flag_message": (
        lambda c: c.flag_message(HERE, ITEM, item_creation_time=SENT, parent_id="p"),
        ("POST", f"{M}/flag", [("itemCreationTime", str(MILLIS)), ("parentId", "p")]),
    ),
    "unflag_message": (lambda c: c.unflag_message(HERE, ITEM), ("DELETE", f"{M}/flag", None)),
    "pinned_topics": (lambda c: c.pinned_topics(HERE), ("GET", f"{C}/pins", None)),
    "pin_topic": (lambda c: c.pin_topic(HERE, ITEM), ("POST", f"{C}/pins/{ITEM}", None)),
    "unpin_topic": (
        lambda c: c.unpin_topic(HERE, Ref("circuit", ITEM)),
        ("DELETE", f"{C}/pins/{ITEM}", None),
    ),
    "users": (lambda c: c.users("ana"), ("GET", f"{U}?name=ana", None)),
    "user": (lambda c: c.user(Ref("circuit", ANA)), ("GET", f"{U}/{ANA}", None)),
    "user_by_email": (
        lambda c: c.user_by_email("a@b.c", secondary_lookup=True),
        ("GET", f"{U}/a%40b.c/getUserByEmail?secondaryLookup=true", None),
    ),
    "users_by_id": (
        lambda c: c.users_by_id([ANA, "a@b.c"], return_full_user_info=True),
        ("GET", f"{U}/list?name={ANA}&name=a%40b.c&returnFullUserInfo=true", None),
    ),
    "profile": (lambda c: c.profile(), ("GET", f"{U}/profile", None)),
    "update_profile": (
        lambda c: c.update_profile(first_name="Kim", last_name="", job_title="J", locale="PT_BR"),
        (
            "PUT",
            f"{U}/profile",
            [("firstname", "Kim"), ("lastname", ""), ("jobTitle", "J"), ("locale", "PT_BR")],
        ),
    ),
    "presence": (lambda c: c.presence(ANA), ("GET", f"{U}/{ANA}/presence", None)),
    "presences": (
        lambda c: c.presences([ANA, BO]),
        ("GET", f"{U}/presence?userIds={ANA}&userIds={BO}", None),
    ),
    "update_presence": (
        lambda c: c.update_presence("DND", status_message="x", dnd_until=SENT, clear_dnd=False),
        (
            "PUT",
            f"{U}/presence",
            [
                ("state", "DND"),
                ("statusMessage", "x"),
                ("dndUntil", "2019-10-01T15:12:43.745Z"),
                ("clearDND", "false"),
            ],
        ),
    ),
    "support_info": (lambda c: c.support_info(), ("GET", f"{U}/supportinfo", None)),
    "webhooks": (lambda c: c.webhooks(), ("GET", W, None)),
    "webhook": (lambda c: c.webhook("h1"), ("GET", f"{W}/h1", None)),
    "create_webhook": (
        lambda c: c.create_webhook(HOOK, ["CONVERSATION.CREATE", "USER.USER_UPDATED"]),
        (
            "POST",
            W,
            [("url", HOOK), ("filter", "CONVERSATION.CREATE"), ("filter", "USER.USER_UPDATED")],
        ),
    ),
    "update_webhook": (
        lambda c: c.update_webhook("h1", filter="CONVERSATION.CREATE"),
        ("PUT", f"{W}/h1", [("filter", "CONVERSATION.CREATE")]),
    ),
    "delete_webhook": (lambda c: c.delete_webhook("h1"), ("DELETE", f"{W}/h1", None)),
    "delete_webhooks": (lambda c: c.delete_webhooks(), ("DELETE", W, None)),
    "create_presence_webhook": (
        lambda c: c.create_presence_webhook(HOOK, [Ref("circuit", ANA)]),
        ("POST", f"{W}/presence", [("url", HOOK), ("userIds", ANA)]),
    ),
    "update_presence_webhook": (
        lambda c: c.update_presence_webhook("h1", user_ids=[ANA, BO]),
        ("PUT", f"{W}/presence/h1", [("userIds", ANA), ("userIds", BO)]),
    ),
    "incoming_webhooks": (
        lambda c: c.incoming_webhooks(ANA),
        ("GET", f"{W}/incoming/user/{ANA}?pagesize=100", None),
    ),
    "create_incoming_webhook": (
        lambda c: c.create_incoming_webhook(HERE, name="CI", user=ANA, description="D"),
        ("POST", f"{W}/incoming/create/{CONV}?name=CI&userId={ANA}&description=D", None),
    ),
    "delete_incoming_webhook": (
        lambda c: c.delete_incoming_webhook("w1"),
        ("DELETE", f"{W}/incoming/w1", None),
    ),
    "post_to_webhook": (
        lambda c: c.post_to_webhook("w1", "*a*", markdown=True, file_url=HOOK, filename="f"),
        (
            "POST",
            f"{W}/incoming/w1",
            [("text", "*a*"), ("markdown", "true"), ("fileURL", HOOK), ("filename", "f")],
        ),
    ),
}


def spoken(request):
    body = None
    if request.body is not None:
        assert request.headers["Content-Type"] == FORM
        body = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
    return request.method, request.target, body


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name):
    ask, wanted = REQUESTS[name]
    recipe = ask(CIRCUIT)
    assert spoken(recipe.request) == wanted
    assert recipe.question.provider == "circuit"


# Sequences, walked with dictionaries.

GROUP = {"convId": CONV, "type": "GROUP", "topic": "Old", "creatorId": ME}
COMMUNITY = {**GROUP, "type": "COMMUNITY", "description": "What for"}
TEXT = {
    "itemId": ITEM,
    "convId": CONV,
    "type": "TEXT",
    "creatorId": ME,
    "creationTime": MILLIS,
    "modificationTime": MILLIS,
    "text": {"state": "CREATED", "contentType": "RICH", "content": "hi"},
}


@frozen
class Line:
    """Answers by method and path; a status that says no is raised, as the transport does."""

    answers: dict
    asked: list = field(factory=list)

    def run(self, call, provider=CIRCUIT):
        while isinstance(call, Call):
            self.asked.append(spoken(call.request) if not call.request.file else call.request)
            path = f"{call.request.method} {call.request.url.raw_path}"
            answer = self.answers[path]
            response = answer if isinstance(answer, Response) else said(answer)
            if response.status < 300:
                call = call.read(response)
                continue
            error = provider.error_for("test", call.request, response)
            if call.recover is None:
                raise error
            call = call.recover(error)
        return call


def said(body, status=200):
    return Response(status=status, body=json.dumps(body).encode() if body is not None else b"")


def refused(*reasons, status=400):
    body = {"errorCode": str(status), "errorDescription": "no", "validationErrors": [*reasons]}
    return said(body, status)


@pytest.mark.parametrize(
    ("found", "path", "description"),
    [
        pytest.param(GROUP, "group", None, id="group"),
        pytest.param({**GROUP, "type": "LARGE"}, "group", None, id="large"),
        pytest.param(COMMUNITY, "community", "What for", id="community"),
        pytest.param({**COMMUNITY, "type": "OPEN"}, "community", "What for", id="open"),
    ],
)
def test_an_update_goes_by_the_kind(found, path, description):
    place = f"/rest/v2/conversations/{path}/{CONV}"
    line = Line({f"GET {C}": found, f"PUT {place}": {**found, "topic": "New"}})
    assert line.run(CIRCUIT.update(HERE, title="New")).title == "New"
    kept = [("topic", "New"), *([("description", description)] if description else [])]
    assert line.asked[1] == ("PUT", place, kept)


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda c: c.update(HERE, title="x"), "create a group"),
        (lambda c: c.add_participant(HERE, ANA), "create a group"),
        (lambda c: c.remove_participant(HERE, ANA), "create a group"),
        (lambda c: c.add_participants(HERE, [ANA]), "create a group"),
    ],
)
def test_a_direct_conversation_stays_as_it_is(ask, hint):
    """Only the answer tells, and nothing has been written then."""
    line = Line({f"GET {C}": {**GROUP, "type": "DIRECT"}})
    with pytest.raises(UnsupportedError, match=hint):
        line.run(ask(CIRCUIT))
    assert [method for method, *_ in line.asked] == ["GET"]


def test_a_group_has_no_description():
    with pytest.raises(UnsupportedError, match="no description"):
        Line({f"GET {C}": GROUP}).run(CIRCUIT.update(HERE, description="x"))


def test_a_direct_conversation_that_is_there_is_returned():
    line = Line({"POST /rest/v2/conversations/direct": said(GROUP, 409)})
    found = line.run(CIRCUIT.create(kind=ConversationKind.DIRECT, participants=[ANA]))
    assert found.ref == HERE
    line = Line({"POST /rest/v2/conversations/direct": refused("The user does not exist.")})
    with pytest.raises(NotFoundError):
        line.run(CIRCUIT.create(kind=ConversationKind.DIRECT, participants=[ANA]))


@pytest.mark.parametrize("status", [200, 409])
def test_the_first_message_follows_its_conversation(status):
    line = Line({
        "POST /rest/v2/conversations/direct": said(GROUP, status),
        f"POST {C}/messages": TEXT,
        f"GET {C}": GROUP,
    })  # fmt: skip
    call = CIRCUIT.create(kind=ConversationKind.DIRECT, participants=[ANA], text="hi")
    assert line.run(call).ref == HERE
    assert line.asked[1] == ("POST", f"{C}/messages", [("content", "hi")])


@pytest.mark.parametrize(
    "answer",
    [said(None), said(None, 204), pytest.param(refused("none", status=404), id="404")],
)
def test_nobody_has_talked_yet(answer):
    line = Line({"GET /rest/v2/conversations/direct": answer})
    assert line.run(CIRCUIT.direct_conversation(ANA)) is None


@pytest.mark.parametrize(("parent", "root"), [(None, ITEM), ("r00t", "r00t")])
def test_an_answer_goes_below_the_root(parent, root):
    asked = {**TEXT, "text": {**TEXT["text"], **({"parentId": parent} if parent else {})}}
    line = Line({
        f"GET /rest/v2/conversations/messages/{ITEM}": asked,
        f"POST {C}/messages/{root}": TEXT,
    })  # fmt: skip
    line.run(CIRCUIT.send(HERE, "yes", reply_to=Ref("circuit", ITEM)))
    assert line.asked[1] == ("POST", f"{C}/messages/{root}", [("content", "yes")])


def test_an_answer_to_something_elsewhere_is_not_sent():
    line = Line({f"GET /rest/v2/conversations/messages/{ITEM}": {**TEXT, "convId": "other"}})
    with pytest.raises(NotFoundError):
        line.run(CIRCUIT.send(HERE, "yes", reply_to=ITEM))


OLD = {
    **TEXT,
    "text": {**TEXT["text"], "subject": "S", "formMetaData": '{"id":"f"}'},
    "attachments": [{"fileId": "f1"}, {"fileId": "f2"}],
}
KEPT = [("subject", "S"), ("formMetaData", '{"id":"f"}'), ("attachments", "f1")]


@pytest.mark.parametrize(
    ("old", "change", "sent"),
    [
        pytest.param(
            OLD, {"text": "a<b"}, [("content", "a&lt;b"), *KEPT, ("attachments", "f2")], id="text"
        ),
        pytest.param(
            OLD, {"html": "<i>x</i>", "attachments": [Attachment(id="f1")]},
            [("content", "<i>x</i>"), *KEPT], id="fewer files",
        ),
        pytest.param(
            OLD, {"text": "x", "attachments": []},
            [("content", "x"), *KEPT[:2], ("attachments", "")], id="no files",
        ),
        pytest.param(
            {**TEXT, "text": {"contentType": "PLAIN", "content": "a<b>"}}, {"subject": "New"},
            [("content", "a&lt;b&gt;"), ("subject", "New")], id="plain becomes markup",
        ),
    ],
)  # fmt: skip
def test_an_edit_sends_again_what_stays(old, change, sent):
    line = Line({f"GET /rest/v2/conversations/messages/{ITEM}": old, f"PUT {M}": TEXT})
    line.run(CIRCUIT.edit(HERE, ITEM, **change))
    assert line.asked[1] == ("PUT", M, sent)


def test_an_edit_does_not_drop_a_file_without_an_id():
    """An empty id would stand for no file at all."""
    old = {**TEXT, "attachments": [{"fileName": "a.txt"}]}
    line = Line({f"GET /rest/v2/conversations/messages/{ITEM}": old})
    with pytest.raises(UnsupportedError, match="without an id"):
        line.run(CIRCUIT.edit(HERE, ITEM, text="new"))


def test_archiving_returns_what_it_was():
    for ask, method in ((CIRCUIT.archive, "POST"), (CIRCUIT.unarchive, "DELETE")):
        line = Line({f"GET {C}": GROUP, f"{method} {C}/archive": said(None)})
        assert line.run(ask(HERE)).title == "Old"
        assert line.asked[1] == (method, f"{C}/archive", None)


def test_somebody_new_is_found_in_the_roster():
    people = {"participantList": [{"userId": ANA, "displayName": "Ana", "type": "GUEST"}]}
    line = Line({
        f"GET {C}": GROUP,
        f"GET {U}/ana%40example.org": {"userId": ANA, "displayName": "Ana"},
        f"POST /rest/v2/conversations/group/{CONV}/participants": GROUP,
        f"GET {C}/participants": people,
    })  # fmt: skip
    found = line.run(CIRCUIT.add_participant(HERE, "ana@example.org"))
    assert found == Participant(
        ref=Ref("circuit", ANA),
        conversation=HERE,
        user=Ref("circuit", ANA),
        name="Ana",
        role=Role.GUEST,
    )
    assert line.asked[2][2] == [("participants", ANA)]
    assert "name=Ana" in line.asked[3][1]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_id_needs_no_right_to_look_users_up(status):
    line = Line({
        f"GET {C}": COMMUNITY,
        f"GET {U}/{ANA}": refused("no", status=status),
        f"POST /rest/v2/conversations/community/{CONV}/participants": GROUP,
        f"GET {C}/participants": {"participantList": [{"userId": ANA}]},
    })  # fmt: skip
    assert line.run(CIRCUIT.add_participant(HERE, ANA)).ref.id == ANA


def test_somebody_is_shown_out_by_the_query():
    line = Line({
        f"GET {C}": COMMUNITY,
        f"DELETE /rest/v2/conversations/community/{CONV}/participants": COMMUNITY,
    })  # fmt: skip
    assert line.run(CIRCUIT.remove_participant(HERE, "a@b.c")) is None
    place = f"/rest/v2/conversations/community/{CONV}/participants"
    assert line.asked[1] == ("DELETE", f"{place}?participants=a%40b.c", None)


# Files.

UPLOADED = [{"fileId": "f1", "attachmentId": "a1"}]


async def stream():
    yield b"abc"


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ('a"b.txt', "attachment; filename*=UTF-8''a%22b.txt"),
        ("é.txt", "attachment; filename*=UTF-8''%C3%A9.txt"),
        ("a\nb.txt", "attachment; filename*=UTF-8''a%0Ab.txt"),
    ],
)
def test_an_upload(name, disposition):
    line = Line({"POST /rest/v2/fileapi": UPLOADED})
    call = CIRCUIT.upload_file(Upload(b"abc", name=name))
    assert call.prepares
    assert line.run(call) == Attachment(id="a1", name=name, media_type="text/plain", size=3)
    (request,) = line.asked
    assert request.headers == {"Content-Type": "text/plain", "Content-Disposition": disposition}
    assert request.file.content == b"abc"


@pytest.mark.parametrize("status", [404, 405])
def test_files_may_be_taken_at_the_root(status):
    line = Line({"POST /rest/v2/fileapi": said(None, status), "POST /fileapi": UPLOADED})
    assert line.run(CIRCUIT.upload_file(b"abc")).id == "a1"
    line = Line({"POST /rest/v2/fileapi": refused("no", status=403)})
    with pytest.raises(PermissionDeniedError):
        line.run(CIRCUIT.upload_file(b"abc"))


def test_what_can_be_read_once_is_sent_once():
    """A stream is sent where an empty request was no stranger."""
    for answer, where in ((refused("name"), "/rest/v2/fileapi"), (said(None, 404), "/fileapi")):
        line = Line({"POST /rest/v2/fileapi": answer, "POST /fileapi": UPLOADED})
        call = CIRCUIT.upload_file(stream())
        first = call.recover(CIRCUIT.error_for("t", call.request, answer))
        assert call.request.file is None
        assert call.prepares
        assert first.request.url.raw_path == where
        assert first.request.file.is_stream
        assert line.run(evolve(first, recover=None)) if where == "/fileapi" else True


def test_several_files_go_with_one_message():
    line = Line({"POST /rest/v2/fileapi": UPLOADED, f"POST {C}/messages": TEXT})
    call = CIRCUIT.send(HERE, "see", attachments=[b"1", Attachment(id="a0"), b"2"])
    line.run(call)
    assert line.asked[2][2] == [
        ("content", "see"),
        ("attachments", "a1"),
        ("attachments", "a0"),
        ("attachments", "a1"),
    ]


# What cannot be said.


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda c: c.close(HERE), "archive"),
        (lambda c: c.delete(HERE), "leave it"),
        (lambda c: c.mark_read(HERE), "clients"),
        (lambda c: c.send(HERE, "x", metadata={"a": 1}), "form"),
        (lambda c: c.send(HERE, "x", idempotency_key="k"), "idempotency_key; leave it out"),
        (lambda c: c.send(HERE, "x", html="<b>y</b>"), "one content"),
        (lambda c: c.send(HERE, attachments=[Attachment(name="x")]), "give the file"),
        (lambda c: c.create(participants=[ANA], idempotency_key="k"), "idempotency_key"),
        (lambda c: c.create(participants=[ANA], metadata={"a": 1}), "no metadata"),
        (lambda c: c.create(participants=[ANA], description="x"), "a community has"),
        (lambda c: c.create(kind=ConversationKind.UNKNOWN), "DIRECT, GROUP"),
        (lambda c: c.create(kind="foo", participants=[ANA]), "DIRECT, GROUP"),
        (lambda c: c.create(kind=ConversationKind.DIRECT, title="x"), "no title"),
        (lambda c: c.update(HERE, metadata={"a": 1}), "no metadata"),
    ],
)
def test_what_circuit_cannot_be_told(ask, hint):
    with pytest.raises(UnsupportedError, match=hint):
        ask(CIRCUIT)


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda c: c.send(HERE), "text="),
        (lambda c: c.send(HERE, ""), "text="),
        (lambda c: c.send(HERE, "half \ud83d"), "surrogate"),
        (lambda c: c.send(HERE, "x", subject="\ud83d"), "surrogate"),
        (lambda c: c.send(HERE, "x", reply_to=ITEM, metadata={"form": "\ud83d"}), "form"),
        (lambda c: c.send(HERE, "x", metadata={"form": object()}), "form"),
        (lambda c: c.send(HERE, attachments=["name.txt"]), "not a file"),
        (lambda c: c.send(HERE, attachments=[Upload(b"", name="\ud83d")]), "surrogate"),
        (lambda c: c.send(HERE, attachments=[Upload(b"", media_type="a\r\nb: c")]), "media type"),
        (lambda c: c.send(HERE, attachments=[Upload(b"", media_type="a/ü")]), "media type"),
        (lambda c: c.flag_message(HERE, ITEM, item_creation_time=NAIVE), "aware"),
        (lambda c: c.add_participants(HERE, []), "nobody"),
        (lambda c: c.remove_participants(HERE, []), "nobody"),
        (lambda c: c.add_moderators(HERE, []), "nobody"),
        (lambda c: c.remove_moderators(HERE, []), "nobody"),
        (lambda c: c.edit(HERE, ITEM), "text="),
        (lambda c: c.edit(HERE, ITEM, text="\ud83d"), "surrogate"),
        (lambda c: c.create(), "participants="),
        (lambda c: c.create(kind=ConversationKind.DIRECT, participants=[ANA, BO]), "not 2"),
        (lambda c: c.create(kind=ConversationKind.COMMUNITY), "title="),
        (lambda c: c.create(participants=[ANA], text="\ud83d"), "surrogate"),
        (lambda c: c.update(HERE), "title="),
        (lambda c: c.update(HERE, title="\ud83d"), "surrogate"),
        (lambda c: c.delete_label("\ud83d"), "surrogate"),
        (lambda c: c.delete_webhook(""), "id"),
        (lambda c: c.pin_topic(Ref("clio", "1"), ITEM), "belongs to"),
        (lambda c: c.create(participants=[Ref("clio", "1")]), "belongs to"),
        (lambda c: c.add_participant(HERE, Ref("clio", "1")), "belongs to"),
        (lambda c: c.send(HERE, "x", reply_to=Ref("clio", "1")), "belongs to"),
        (lambda c: c.flagged_messages(Ref("clio", "1")), "belongs to"),
    ],
)
def test_what_cannot_be_sent(ask, hint):
    with pytest.raises(ConfigurationError, match=hint):
        ask(CIRCUIT)


def test_a_401_of_moderation_is_no_bad_token():
    request = CIRCUIT.moderate_conversation(HERE).request
    for words, kind in (("denied", PermissionDeniedError), ("Invalid Token", AuthenticationError)):
        error = CIRCUIT.error_for("x", request, refused(words, status=401))
        assert type(error) is kind
    error = CIRCUIT.error_for("x", CIRCUIT.profile().request, refused("denied", status=401))
    assert type(error) is AuthenticationError


# Circuit's own things.

MOMENT = datetime(2019, 10, 1, 15, 12, 43, 745000, tzinfo=UTC)
VALUES = [
    (
        CIRCUIT.user(ANA),
        {
            "userId": ANA, "displayName": "Ana", "emailAddress": "a@b.c", "userType": "REGULAR",
            "emailAddresses": [{"type": "WORK", "address": "a@b.c"}], "avatarLarge": "/a",
            "phoneNumbers": [{"type": "WORK", "phoneNumber": "+1"}], "more": 1,
        },
        User(
            user_id=ANA, display_name="Ana", email_address="a@b.c", user_type="REGULAR",
            email_addresses=(EmailAddress(type="WORK", address="a@b.c"),), avatar_large="/a",
            phone_numbers=(PhoneNumber(type="WORK", phone_number="+1"),),
        ),
    ),
    (
        CIRCUIT.presence(ANA),
        {"userId": ANA, "state": "DND", "dndUntil": MILLIS, "isOptedOut": False, "latitude": 3},
        Presence(user_id=ANA, state="DND", dnd_until=MOMENT, is_opted_out=False, latitude=3.0),
    ),
    (
        CIRCUIT.support_info(),
        {"supportEmailAddress": "h@b.c", "supportType": 1},
        SupportInfo(support_email_address="h@b.c", support_type="1"),
    ),
    (
        CIRCUIT.create_label("x"),
        {"labelId": "l1", "value": "x"},
        Label(label_id="l1", value="x"),
    ),
    (
        CIRCUIT.join_details(HERE),
        {"convId": CONV, "pin": "123", "link": "https://x", "isRecordingAllowed": True,
         "bridgeNumbers": [{"bridgeNumber": "+1", "isMostUsed": True}]},
        JoinDetails(
            conv_id=CONV, pin="123", link="https://x", is_recording_allowed=True,
            bridge_numbers=(BridgeNumber(bridge_number="+1", is_most_used=True),),
        ),
    ),
    (
        CIRCUIT.webhook("h1"),
        {"id": "h1", "url": HOOK, "filter": ["A.B"], "creationTime": MILLIS, "type": "MANUAL"},
        WebHook(id="h1", url=HOOK, filter=("A.B",), creation_time=MOMENT, type="MANUAL"),
    ),
    (
        CIRCUIT.create_incoming_webhook(HERE),
        {"webhookId": "w1", "url": HOOK, "conversationId": CONV, "status": "ENABLED"},
        IncomingWebhook(webhook_id="w1", url=HOOK, conversation_id=CONV, status="ENABLED"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "payload", "value"), VALUES, ids=lambda v: type(v).__name__)
def test_values(call, payload, value):
    found = call.read(said(payload))
    assert found == value
    assert found.raw == payload


@pytest.mark.parametrize("secret", [VALUES[4], VALUES[5], VALUES[6]])
def test_what_lets_anybody_in_is_not_shown(secret):
    _, _, value = secret
    shown_ = repr(value)
    for word in ("123", "https://", "w1"):
        assert word not in shown_


LISTS = [
    (CIRCUIT.favorites(), ["c1", "c2"], [Ref("circuit", "c1"), Ref("circuit", "c2")]),
    (CIRCUIT.labels(), [{"labelId": "l1"}], [Label(label_id="l1")]),
    (
        CIRCUIT.pinned_topics(HERE),
        [{"conversationId": CONV, "conversationItemId": ITEM, "pinnedTime": MILLIS}],
        [PinnedTopic(conversation_id=CONV, conversation_item_id=ITEM, pinned_time=MOMENT)],
    ),
    (
        CIRCUIT.search_conversations("x"),
        {"matchingConversations": [{"convId": "c1", "itemIds": ["i1"]}, {"convId": "c2"}]},
        [SearchResult(conv_id="c1", item_ids=("i1",)), SearchResult(conv_id="c2")],
    ),
    (CIRCUIT.search_conversations("x"), {}, []),
    (CIRCUIT.conversations_with_label("l1"), {}, []),
    (CIRCUIT.conversations_with_label("l1"), {"hasMore": False, "nextPagePointer": "p"}, []),
]


@pytest.mark.parametrize(("listing", "payload", "items"), LISTS)
def test_lists(listing, payload, items):
    assert isinstance(listing, Listing)
    page = listing.read(listing.request, said(payload))
    assert (list(page.items), page.next) == (items, None)


@pytest.mark.parametrize("body", [b"", b"[]"])
@pytest.mark.parametrize("name", ["favorites", "labels", "webhooks", "flagged_messages"])
def test_nothing_is_an_empty_list(name, body):
    listing = getattr(CIRCUIT, name)()
    assert listing.read(listing.request, Response(status=200, body=body)).items == ()


@pytest.mark.parametrize("size", [2, None])
def test_more_ways_in_than_can_be_listed(size):
    """Those that are shown come first."""
    listing = CIRCUIT.incoming_webhooks(ME, page_size=size)
    full = said([{"webhookId": str(n)} for n in range(size or 100)])
    page = listing.read(listing.request, full)
    assert len(page.items) == (size or 100)
    with pytest.raises(PagingError, match="no way"):
        listing.read(page.next, full)


# Words.


@settings(max_examples=60)
@given(
    st.text(st.sampled_from("ab <>&;#10\r\n\t|:$'\"") | st.characters(exclude_categories=["Cs"]))
)
def test_any_text_reads_back(text):
    assert shown(rich(text)) == text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("a\nb", "a<br>b"),
        ("a\n\n", "a&#10;&#10;"),
        ("&#10;", "&amp;#10;"),
        ("||::$$privateData=x::||y", "&#124;|::$$privateData=x::||y"),
    ],
)
def test_the_markup_of_a_text(text, content):
    assert rich(text) == content
    assert shown(content) == text


# What became of it: on the emulator, over real sockets.

EVENT = "CONVERSATION.ADD_ITEM"


@frozen(kw_only=True)
class World:
    """An emulated Circuit with one group and some things in it."""

    hub: ConversationsHub
    circuit: Circuit
    server: object
    group: Ref
    community: Ref
    other: Ref
    topic: str
    me: str
    ana: str
    bo: str
    stranger: str
    label: str
    hook: str
    presence_hook: str
    way: str

    @property
    def store(self):
        return self.server.api.store

    def held(self):
        """Everything the emulator keeps, but who was where when, and files nobody sees."""
        names = [a.name for a in type(self.store).__attrs_attrs__]
        left_out = {"clock", "corpus", "uploads", "contents"}
        return {n: copy.deepcopy(getattr(self.store, n)) for n in names if n not in left_out}

    def emails(self, *ids):
        return [self.store.users[one]["emailAddress"] for one in ids]


@asynccontextmanager
async def opened(*, me=False, **switches):
    async with Emulator(seed=3, scale=0, only=["circuit"], switches={"circuit": switches}) as em:
        server = em.servers["circuit"]
        (provider,) = em.providers()
        if me:
            provider = evolve(provider, me=server.api.store.me)
        async with ConversationsHub(provider) as hub:
            yield await furnished(hub, server)


async def furnished(hub, server):
    circuit = hub[Circuit]
    me, ana, bo, *others = server.api.settings["user_ids"]
    group = (await circuit.create(title="Old", participants=[ana])).ref
    kind = ConversationKind.COMMUNITY
    community = (await circuit.create(kind=kind, title="Tea", participants=[ana])).ref
    other = (await circuit.create(kind=kind, title="Coffee", participants=[ana])).ref
    await circuit.remove_participant(other, me)
    world = World(
        hub=hub,
        circuit=circuit,
        server=server,
        group=group,
        community=community,
        other=other,
        topic=(await circuit.send(group, "A topic")).ref.id,
        me=me,
        ana=ana,
        bo=bo,
        stranger=next(one for one in others if server.api.store.direct(one) is None),
        label=(await circuit.assign_label(group, "old")).label_id,
        hook=(await circuit.create_webhook(f"{HOOK}/1", [EVENT])).id,
        presence_hook=(await circuit.create_presence_webhook(f"{HOOK}/2", [ana])).id,
        way=(await circuit.create_incoming_webhook(group, name="old")).webhook_id,
    )
    server.requests.clear()
    return world


def writes_of(world):
    return [r for r in world.server.requests if r.method != "GET" and "fileapi" not in r.target]


# What is done first, if anything, and the write itself.
NOTHING = None
DIRECT, IN_PUBLIC = ConversationKind.DIRECT, ConversationKind.COMMUNITY
WRITES = {
    "send": (NOTHING, lambda w: w.circuit.send(w.group, "Hi <you>\n")),
    "send markup": (NOTHING, lambda w: w.circuit.send(w.group, html="<p>a</p><b>b</b>")),
    "send a file": (NOTHING, lambda w: w.circuit.send(w.group, attachments=[b"abc"])),
    "send a form": (NOTHING, lambda w: w.circuit.send(w.group, "x", metadata={"form": [1]})),
    "answer": (NOTHING, lambda w: w.circuit.send(w.group, "Hi", reply_to=w.topic)),
    "edit": (NOTHING, lambda w: w.circuit.edit(w.group, w.topic, text="new")),
    "edit markup": (NOTHING, lambda w: w.circuit.edit(w.group, w.topic, html="<p>a</p><b>b</b>")),
    "edit a file in": (
        NOTHING, lambda w: w.circuit.edit(w.group, w.topic, attachments=[b"new"])
    ),
    "edit a file out": (
        lambda w: w.circuit.edit(w.group, w.topic, attachments=[b"old"]),
        lambda w: w.circuit.edit(w.group, w.topic, attachments=[]),
    ),
    "delete_message": (NOTHING, lambda w: w.circuit.delete_message(w.group, w.topic)),
    "create direct": (NOTHING, lambda w: w.circuit.create(kind=DIRECT, participants=[w.stranger])),
    "create group": (NOTHING, lambda w: w.circuit.create(participants=[w.bo])),
    "create by e-mail": (
        NOTHING, lambda w: w.circuit.create(title="T", participants=w.emails(w.ana, w.bo))
    ),
    "create community": (
        NOTHING, lambda w: w.circuit.create(kind=IN_PUBLIC, title="T", description="D")
    ),
    "update": (NOTHING, lambda w: w.circuit.update(w.group, title="New")),
    "update to nothing": (NOTHING, lambda w: w.circuit.update(w.group, title="")),
    "update community": (NOTHING, lambda w: w.circuit.update(w.community, description="D")),
    "add_participant": (NOTHING, lambda w: w.circuit.add_participant(w.group, w.bo)),
    "add by e-mail": (
        NOTHING, lambda w: w.circuit.add_participant(w.community, *w.emails(w.bo))
    ),
    "add_participants": (NOTHING, lambda w: w.circuit.add_participants(w.group, [w.ana, w.bo])),
    "remove_participant": (NOTHING, lambda w: w.circuit.remove_participant(w.group, w.ana)),
    "remove by e-mail": (
        NOTHING, lambda w: w.circuit.remove_participants(w.community, w.emails(w.ana))
    ),
    "leave": (NOTHING, lambda w: w.circuit.remove_participant(w.group, w.me)),
    "join_community": (NOTHING, lambda w: w.circuit.join_community(w.other)),
    "add_moderators": (NOTHING, lambda w: w.circuit.add_moderators(w.group, [w.ana])),
    "remove_moderators": (
        lambda w: w.circuit.add_moderators(w.group, [w.ana]),
        lambda w: w.circuit.remove_moderators(w.group, [w.ana]),
    ),
    "moderate": (NOTHING, lambda w: w.circuit.moderate_conversation(w.group)),
    "unmoderate": (
        lambda w: w.circuit.moderate_conversation(w.group),
        lambda w: w.circuit.unmoderate_conversation(w.group),
    ),
    "add_favorite": (NOTHING, lambda w: w.circuit.add_favorite(w.group)),
    "remove_favorite": (
        lambda w: w.circuit.add_favorite(w.group), lambda w: w.circuit.remove_favorite(w.group)
    ),
    "create_label": (NOTHING, lambda w: w.circuit.create_label("new")),
    "delete_label": (NOTHING, lambda w: w.circuit.delete_label("old")),
    "assign_label": (NOTHING, lambda w: w.circuit.assign_label(w.community, "old")),
    "assign a new label": (NOTHING, lambda w: w.circuit.assign_label(w.community, "new")),
    "unassign_label": (NOTHING, lambda w: w.circuit.unassign_label(w.group, w.label)),
    "like_message": (NOTHING, lambda w: w.circuit.like_message(w.group, w.topic)),
    "unlike_message": (
        lambda w: w.circuit.like_message(w.group, w.topic),
        lambda w: w.circuit.unlike_message(w.group, w.topic),
    ),
    "flag_message": (NOTHING, lambda w: w.circuit.flag_message(w.group, w.topic)),
    "unflag_message": (
        lambda w: w.circuit.flag_message(w.group, w.topic),
        lambda w: w.circuit.unflag_message(w.group, w.topic),
    ),
    "pin_topic": (NOTHING, lambda w: w.circuit.pin_topic(w.group, w.topic)),
    "unpin_topic": (
        lambda w: w.circuit.pin_topic(w.group, w.topic),
        lambda w: w.circuit.unpin_topic(w.group, w.topic),
    ),
    "update_profile": (
        NOTHING, lambda w: w.circuit.update_profile(first_name="Zoe", locale="ZH_HANS_CN")
    ),
    "update_presence": (
        NOTHING, lambda w: w.circuit.update_presence("BUSY", status_message="In a call")
    ),
    "prolong a presence": (
        lambda w: w.circuit.update_presence("DND", dnd_until=UNTIL),
        lambda w: w.circuit.update_presence("DND", dnd_until=UNTIL + timedelta(hours=1)),
    ),
    "clear a presence": (
        lambda w: w.circuit.update_presence("DND", dnd_until=UNTIL),
        lambda w: w.circuit.update_presence("DND", clear_dnd=True),
    ),
    "create_webhook": (NOTHING, lambda w: w.circuit.create_webhook(HOOK, [EVENT])),
    "update_webhook": (NOTHING, lambda w: w.circuit.update_webhook(w.hook, url=HOOK)),
    "delete_webhook": (NOTHING, lambda w: w.circuit.delete_webhook(w.hook)),
    "delete_webhooks": (NOTHING, lambda w: w.circuit.delete_webhooks()),
    "create_presence_webhook": (
        NOTHING, lambda w: w.circuit.create_presence_webhook(HOOK, [w.ana])
    ),
    "update_presence_webhook": (
        NOTHING, lambda w: w.circuit.update_presence_webhook(w.presence_hook, user_ids=[w.bo])
    ),
    "create_incoming_webhook": (
        NOTHING, lambda w: w.circuit.create_incoming_webhook(w.group, name="new")
    ),
}  # fmt: skip
# Nothing can be read back of these, one way or both.
UNTOLD = {
    "archive": (NOTHING, lambda w: w.circuit.archive(w.group), None, None),
    "unarchive": (
        lambda w: w.circuit.archive(w.group), lambda w: w.circuit.unarchive(w.group), None, None
    ),
    "delete_incoming_webhook": (
        NOTHING, lambda w: w.circuit.delete_incoming_webhook(w.way), None, False
    ),
    "create with a message": (
        NOTHING, lambda w: w.circuit.create(participants=[w.bo], text="Hi"), None, False
    ),
}  # fmt: skip


def once(fault):
    """Let the first write fail, uploads aside."""
    left = [fault]

    def at(request, response=None):
        if request.method == "GET" or "fileapi" in request.path or not left:
            return None
        return left.pop()(request)

    return at


def cut(request):
    request.transport.abort()
    return web.Response()


async def told(world, write, *, committed):
    """Carry out a write whose line is cut: what was there before, and what is found out."""
    before = world.held()
    world.server.requests.clear()
    if committed:
        world.server.alter = once(cut)
    else:
        world.server.intercept = once(cut)
    with pytest.raises(AmbiguousWriteError) as caught:
        await write(world)
    after = world.held()
    world.server.alter = world.server.intercept = None
    outcome = await caught.value.reconcile
    assert len(writes_of(world)) == 1
    assert world.held() == after
    return before, after, outcome


@pytest.mark.parametrize("name", WRITES)
async def test_what_became_of_a_write_is_found_out(name):
    """The line breaks before anything is done, then after it was."""
    first, write = WRITES[name]
    async with opened(me=True) as world:
        if first is not None:
            await first(world)
        before, after, outcome = await told(world, write, committed=False)
        assert before == after
        assert outcome.happened is False
        before, after, outcome = await told(world, write, committed=True)
        assert before != after
        assert outcome.happened is True


@pytest.mark.parametrize("name", ["send", "create group", "leave", "like_message"])
async def test_who_asks_is_looked_up_where_it_is_not_known(name):
    async with opened() as world:
        assert (await told(world, WRITES[name][1], committed=True))[2].happened is True


@pytest.mark.parametrize("name", UNTOLD)
async def test_what_cannot_be_told_is_not_guessed(name):
    first, write, done, not_done = UNTOLD[name]
    for committed, happened in ((False, not_done), (True, done)):
        async with opened(me=True) as world:
            if first is not None:
                await first(world)
            *_, outcome = await told(world, write, committed=committed)
            assert outcome.happened is happened


@pytest.mark.parametrize(
    "name", ["send", "send markup", "send a file", "answer", "create group", "create by e-mail"]
)
async def test_what_is_found_is_what_was_written(name):
    async with opened(me=True) as world:
        *_, outcome = await told(world, WRITES[name][1], committed=True)
        found = outcome.value
        if name.startswith("create"):
            assert found == await world.circuit.conversation(found.ref)
        else:
            assert found == await world.circuit.message(world.group, found.ref.id)


async def twice(world, text, between=None):
    """Write the same again in vain: what is found out."""
    await world.circuit.send(world.group, text)
    if between is not None:
        between()
    world.server.intercept = once(cut)
    with pytest.raises(AmbiguousWriteError) as caught:
        await world.circuit.send(world.group, text)
    world.server.intercept = None
    return await caught.value.reconcile


async def test_an_older_twin_is_not_it():
    async with opened() as world:
        assert (await twice(world, "ok")).happened is False


def test_of_several_equal_ones_the_first_is_it():
    """A later one belongs to a later write, which could not be found any more."""
    late = {**TEXT, "creatorId": ME, "modificationTime": MILLIS + 9, "creationTime": MILLIS + 9}
    early = {**late, "itemId": BO, "creationTime": MILLIS + 1, "modificationTime": MILLIS + 1}
    line = Line({f"GET {C}/items": [late, early]})
    call = CIRCUIT.send(HERE, html=TEXT["text"]["content"])
    assert line.run(call.reconcile(Attempt(since=SENT))).value.ref.id == BO


async def test_somebody_elses_words_are_not_it():
    async with opened() as world:

        def others_write():
            text = {"contentType": "RICH", "content": "ok"}
            world.store.add_text(world.group.id, world.ana, text, world.store.clock.stamp())
            text["isWebhookMessage"] = True
            world.store.add_text(world.group.id, world.me, text, world.store.clock.stamp())

        assert (await twice(world, "ok", others_write)).happened is False


async def test_markup_that_came_out_otherwise_is_in_doubt():
    """What the sanitizer made of it may be it, or not."""
    async with opened() as world:
        world.server.alter = once(cut)
        with pytest.raises(AmbiguousWriteError) as caught:
            await world.circuit.send(world.group, html='<img abbr=":)"> hi')
        outcome = await caught.value.reconcile
        assert outcome.happened is None
        assert outcome.value.text.strip() == "hi"


@pytest.mark.parametrize("name", ["send", "edit"])
async def test_a_text_whose_blanks_were_changed_is_in_doubt(name):
    """To say that it was not done would have it written twice."""
    async with opened(me=True) as world:

        def tidied(request):
            texts = [item.get("text", {}) for item in world.store.items[world.group.id].values()]
            [written] = [text for text in texts if text.get("content") == " Hi "]
            written["content"] = "Hi"
            return cut(request)

        world.server.alter = once(tidied)
        write = {
            "send": lambda: world.circuit.send(world.group, " Hi "),
            "edit": lambda: world.circuit.edit(world.group, world.topic, text=" Hi "),
        }
        with pytest.raises(AmbiguousWriteError) as caught:
            await write[name]()
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value.text) == (None, "Hi")


async def test_a_group_that_changed_at_once_is_in_doubt():
    async with opened() as world:
        world.server.alter = once(cut)
        with pytest.raises(AmbiguousWriteError) as caught:
            await world.circuit.create(title="T", participants=[world.ana])
        await world.circuit.add_participant(Ref("circuit", last(world)), world.bo)
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value.ref.id) == (None, last(world))


async def test_a_group_whose_title_lost_blanks_is_in_doubt():
    async with opened() as world:

        def tidied(request):
            world.store.conversations[last(world)]["topic"] = "T"
            return cut(request)

        world.server.alter = once(tidied)
        with pytest.raises(AmbiguousWriteError) as caught:
            await world.circuit.create(title=" T ", participants=[world.ana])
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value.ref.id) == (None, last(world))


def last(world):
    return list(world.store.conversations)[-1]


async def test_a_conversation_without_its_first_message_is_there_in_part():
    async with opened() as world:
        world.server.intercept = lambda r: (
            web.Response(status=400) if r.path.endswith("/messages") else None
        )
        with pytest.raises(AmbiguousWriteError, match="a part of it was done") as caught:
            await world.circuit.create(title="T", participants=[world.ana], text="Hi")
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value.ref.id) == (None, last(world))


async def test_a_first_message_that_was_not_answered_is_found():
    async with opened() as world:
        world.server.alter = lambda r, _: cut(r) if r.path.endswith("/messages") else None
        with pytest.raises(AmbiguousWriteError) as caught:
            await world.circuit.create(title="T", participants=[world.ana], text="Hi")
        outcome = await caught.value.reconcile
        assert (outcome.happened, outcome.value.ref.id) == (True, last(world))


@pytest.mark.parametrize("fault", [cut, lambda _: web.Response(status=403)], ids=["cut", "refused"])
async def test_errors_do_not_show_a_way_in(fault):
    """Whoever knows its id can write there."""
    async with opened() as world:
        for ask in (world.circuit.post_to_webhook, world.circuit.delete_incoming_webhook):
            call = ask(world.way)
            world.server.intercept = once(fault)
            with pytest.raises(ProviderError) as caught:
                await call
            assert "/webhooks/incoming/***" in str(caught.value)
            shown = "".join(traceback.format_exception(caught.value)) + repr(call.request)
            assert world.way not in shown


# Round trips on the emulator.


async def listed(world, message):
    found = await world.hub.messages(world.group).collect(limit=None)
    return next(one for one in found if one.ref == message.ref)


async def test_everything_that_can_be_sent_reads_back():
    async with opened(me=True) as world:
        form = {"id": "f", "controls": [{"type": "LABEL", "text": "é"}]}
        sent = await world.circuit.send(
            world.group,
            html="<b>See</b> &amp; say<br>",
            attachments=[b"one", Upload(b"two", name="zwei é.txt"), stream()],
            metadata={"form": form},
            subject="Plan",
        )
        assert sent == await listed(world, sent)
        assert sent == await world.circuit.message(world.group, sent.ref.id)
        assert (sent.kind, sent.subject, sent.text) == (MessageKind.FORM, "Plan", "See & say")
        assert sent.metadata == {"form": form}
        assert [a.name for a in sent.attachments] == ["file", "zwei é.txt", "file"]
        got = [await world.hub.download(a).read() for a in sent.attachments]
        assert got == [b"one", b"two", b"abc"]


@pytest.mark.parametrize("place", ["base", "root"])
async def test_files_go_where_they_are_taken(place, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"0" * 70_000)
    async with opened(upload_place=place) as world:
        files = [b"one", tmp_path / "a.bin", stream()]
        sent = await world.circuit.send(world.group, attachments=files)
        assert [a.size for a in sent.attachments] == [3, 70_000, 3]
        file = await world.circuit.upload_file(b"four")
        again = await world.circuit.send(world.group, "again", attachments=[file])
        assert [a.size for a in again.attachments] == [4]


@pytest.mark.parametrize("downloads", ["token", "open", "foreign"])
async def test_downloads(downloads):
    """What is on another host gets no credentials, which the emulator would refuse there."""
    async with opened(downloads=downloads) as world:
        sent = await world.circuit.send(world.group, attachments=[Upload(b"abc", name="a.txt")])
        (attachment,) = sent.attachments
        assert URL(attachment.url).is_absolute()
        assert await world.hub.download(attachment).read() == b"abc"


@pytest.mark.parametrize("omitted", ["keep", "clear"])
async def test_an_edit_loses_nothing(omitted):
    async with opened(update_omitted=omitted) as world:
        sent = await world.circuit.send(
            world.group, "a", attachments=[b"1", b"2"], subject="S", metadata={"form": {"n": 1}}
        )
        edited = await world.circuit.edit(world.group, sent.ref.id, text="b <c>\n")
        assert edited == await listed(world, edited)
        assert edited.state is MessageState.EDITED
        assert evolve(
            edited, state=sent.state, text="a", html="a", updated_at=sent.updated_at
        ) == sent  # fmt: skip
        assert edited.text == "b <c>\n"
        fewer = await world.circuit.edit(world.group, sent.ref.id, attachments=[b"3"], subject="")
        assert (len(fewer.attachments), fewer.subject, fewer.text) == (1, None, "b <c>\n")
        none = await world.circuit.edit(world.group, sent.ref.id, attachments=[])
        assert (none.attachments, none.text) == ((), "b <c>\n")


@pytest.mark.parametrize("rule", ["root", "given", "400"])
async def test_an_answer_to_an_answer_is_in_the_thread(rule):
    async with opened(reply_to_reply=rule) as world:
        one = await world.circuit.send(world.group, "one", reply_to=world.topic)
        two = await world.circuit.send(world.group, "two", reply_to=one.ref)
        assert two.reply_to == Ref("circuit", world.topic)
        assert two == await listed(world, two)


@pytest.mark.parametrize("missing", ["body", "204", "404"])
async def test_a_direct_conversation_begins_once(missing):
    async with opened(missing_direct=missing) as world:
        assert await world.circuit.direct_conversation(world.stranger) is None
        made = await world.circuit.create(kind=DIRECT, participants=world.emails(world.stranger))
        assert made == await world.circuit.conversation(made.ref)
        assert made == await world.circuit.create(kind=DIRECT, participants=[world.stranger])
        assert made == await world.circuit.direct_conversation(world.stranger)


@pytest.mark.parametrize("large", [True, False])
async def test_people_come_and_go(large):
    async with opened(truncate_participants=large) as world:
        came = await world.circuit.add_participant(world.group, Ref("circuit", world.bo))
        roster = await world.hub.participants(world.group).collect(limit=None)
        assert came in roster
        await world.circuit.remove_participant(world.group, came.ref)
        roster = await world.hub.participants(world.group).collect(limit=None)
        left = next(one for one in roster if one.ref == came.ref)
        assert left.raw["type"] == "FORMER"


@pytest.mark.parametrize("status", ["401", "403"])
async def test_who_may_not_moderate(status):
    async with opened(moderation_denied=status) as world:
        with pytest.raises(PermissionDeniedError):
            await world.circuit.moderate_conversation(world.other)


async def test_refusals_are_not_ambiguous():
    async with opened() as world:
        direct = await world.circuit.create(kind=DIRECT, participants=[world.bo])
        with pytest.raises(UnsupportedError, match="create a group"):
            await world.circuit.add_participant(direct.ref, world.ana)
        with pytest.raises(NotFoundError):
            await world.circuit.send(Ref("circuit", CONV), "x")
        with pytest.raises(InvalidRequestError):
            await world.circuit.unarchive(world.group)
        with pytest.raises(NotFoundError):
            await world.circuit.delete_webhook(CONV)
        with pytest.raises(InvalidRequestError):
            await world.circuit.send(world.group, "x" * 20_000)


async def test_nobody_found_is_an_error_of_its_own():
    async with opened() as world:
        with pytest.raises(NotFoundError):
            await aiter(world.circuit.users("nobody at all")).collect(limit=None)


def test_every_operation_is_documented_and_listed():
    """The table of requests has every native operation, and walks have the others."""
    walked = {
        "archive", "unarchive", "update", "edit", "add_participant", "remove_participant",
        "add_participants", "remove_participants", "upload_file", "conversations",
        "conversation", "messages", "message", "participants", "communities",
        "conversations_with_label", "create",
    }  # fmt: skip
    named = {name.partition(" ")[0] for name in REQUESTS} | walked
    there = {n for n, m in inspect.getmembers(Circuit) if getattr(m, "is_operation", False)}
    assert there == named


def test_a_write_knows_how_to_find_out():
    """Every write can be read back but one, of which Circuit says nothing."""
    at = Attempt(since=SENT - timedelta(days=1))
    for name, (ask, (method, *_)) in REQUESTS.items():
        recipe = ask(CIRCUIT)
        if method == "GET" or name == "post_to_webhook":
            assert getattr(recipe, "reconcile", None) is None
        else:
            assert recipe.reconcile(at).request.method == "GET", name
