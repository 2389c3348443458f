"""Clio: every operation as a request, writes of several steps, and what becomes of lost ones."""

import asyncio
import inspect
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    Author,
    ConfigurationError,
    ConflictError,
    Conversation,
    ConversationKind,
    ConversationsHub,
    ConversationState,
    InvalidRequestError,
    Message,
    NotFoundError,
    PermissionDeniedError,
    Ref,
    Role,
    StatusError,
    TranslationError,
    UnsupportedError,
)
from conversations_hub.emulator import Emulator
from conversations_hub.provider import SHARED
from conversations_hub.providers.clio import Clio, NotModified, User, Webhook, addressees, changes
from conversations_hub.providers.clio.drafts import Draft
from conversations_hub.providers.clio.payloads import Person
from conversations_hub.raw import Raw
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.wire import Response
from operations.clio import everything

WHERE = Ref("clio", "8801")
CREATED = datetime(2026, 2, 3, 14, 15, tzinfo=UTC)
UPDATED = datetime(2026, 2, 4, 21, 2, 11, tzinfo=UTC)
ETAG = '"3f0c2d0f4b8e4a6c9d1e7b5a2c4f6e80"'
NOW = Attempt(since=CREATED)


def clio(**settings):
    """Return a provider that has not learnt anything yet."""
    return Clio(token="canary-token", **settings)


CLIO = clio()


def answer(data=None, status=200, **more):
    body = b"" if data is None else json.dumps({"data": data, **more}).encode()
    return Response(status=status, body=body, headers={"Content-Type": "application/json"})


def asked(request):
    """Return what a request asks for, without the fields."""
    query = {name: value for name, value in request.query.items() if name != "fields"}
    body = json.loads(request.body)["data"] if request.body else None
    return request.method, request.url.path.removeprefix("/api/v4/"), query, body


def walked(call, *answers):
    """Carry a call out with these answers; return its value and the requests."""
    requests, found = [], call
    for data in answers:
        assert isinstance(found, Call), f"done after {len(requests)} requests"
        requests.append(found.request)
        found = found.read(data if isinstance(data, Response) else answer(data))
    return found, requests


# Each operation as a request

FLAGS = {"archived": True, "read": False, "matter": {"id": 51234}}
HOOK = {"url": "https://hooks.example", "model": "contact", "fields": "id"}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (CLIO.conversation(WHERE), ("GET", "conversations/8801.json", {}, None)),
        (CLIO.show_conversation(WHERE), ("GET", "conversations/8801.json", {}, None)),
        (
            CLIO.update_conversation(WHERE, archived=True, read=False, matter=51234),
            ("PATCH", "conversations/8801.json", {}, FLAGS),
        ),
        (
            CLIO.update_conversation(WHERE, matter=Ref("clio", "51234")),
            ("PATCH", "conversations/8801.json", {}, {"matter": {"id": 51234}}),
        ),
        (CLIO.archive(WHERE), ("PATCH", "conversations/8801.json", {}, {"archived": True})),
        (CLIO.unarchive(WHERE), ("PATCH", "conversations/8801.json", {}, {"archived": False})),
        (CLIO.mark_read(WHERE), ("PATCH", "conversations/8801.json", {}, {"read": True})),
        (CLIO.message(WHERE, "9"), ("GET", "conversation_messages/9.json", {}, None)),
        (CLIO.show_message(WHERE, "9"), ("GET", "conversation_messages/9.json", {}, None)),
        (CLIO.who_am_i(), ("GET", "users/who_am_i.json", {}, None)),
        (CLIO.show_who_am_i(), ("GET", "users/who_am_i.json", {}, None)),
        (
            CLIO.webhooks(),
            ("GET", "webhooks.json", {"order": "id(asc)", "limit": "200"}, None),
        ),
        (
            CLIO.webhooks(created_after=CREATED, ids=[7], order="newest", page_size=5),
            (
                "GET",
                "webhooks.json",
                {
                    "order": "id(desc)",
                    "limit": "5",
                    "ids[]": "7",
                    "created_since": "2026-02-03T14:14:59.000Z",
                },
                None,
            ),
        ),
        (CLIO.webhook(152), ("GET", "webhooks/152.json", {}, None)),
        (CLIO.webhook(Ref("clio", "152")), ("GET", "webhooks/152.json", {}, None)),
        (CLIO.show_webhook("152"), ("GET", "webhooks/152.json", {}, None)),
        (
            CLIO.update_webhook(152, events=("updated",), expires_at=UPDATED),
            (
                "PATCH",
                "webhooks/152.json",
                {},
                {"events": ["updated"], "expires_at": "2026-02-04T21:02:11.000Z"},
            ),
        ),
        (CLIO.delete_webhook(152), ("DELETE", "webhooks/152.json", {}, None)),
        (
            CLIO.create_webhook(**HOOK),
            ("GET", "webhooks.json", {"order": "id(desc)", "limit": "1"}, None),
        ),
    ],
    ids=lambda value: getattr(getattr(value, "question", None), "name", ""),
)
def test_requests(recipe, expected):
    assert asked(recipe.request) == expected
    assert recipe.request.headers == (
        {"Content-Type": "application/json"} if recipe.request.body else {}
    )


def test_every_request_says_which_fields_it_wants():
    """Without, Clio answers with the id and the etag alone, to writes as well."""
    assert "memberships{id" in CLIO.archive(WHERE).request.query["fields"]
    assert (
        "shared_secret" in CLIO.update_webhook(1, url="https://a.example").request.query["fields"]
    )
    assert CLIO.who_am_i(fields="account{name}").request.query["fields"].endswith(",account{name}")
    assert "fields" not in CLIO.delete_webhook(1).request.query


def test_a_pinned_version_goes_with_writes():
    pinned = clio(api_version="4.0.9")
    for call in (pinned.archive(WHERE, if_match=ETAG), pinned.delete_webhook(1)):
        assert call.request.headers["X-API-VERSION"] == "4.0.9"


@pytest.mark.parametrize(
    ("call", "headers"),
    [
        (CLIO.show_conversation(WHERE, if_none_match=ETAG), {"If-None-Match": ETAG}),
        (CLIO.show_message(WHERE, "9", if_none_match=ETAG), {"If-None-Match": ETAG}),
        (CLIO.show_webhook(9, if_none_match=ETAG), {"If-None-Match": ETAG}),
        (
            CLIO.show_who_am_i(if_modified_since=CREATED.astimezone()),
            {"If-Modified-Since": "Tue, 03 Feb 2026 14:15:00 GMT"},
        ),
    ],
)
def test_conditions_of_reading(call, headers):
    assert call.request.headers == headers
    response = Response(status=304, headers={"etag": ETAG})
    error = CLIO.error_for("show", call.request, response)
    found = call.recover(error)
    assert found == NotModified(etag=ETAG)
    assert not found
    other = CLIO.error_for("show", call.request, Response(status=404))
    with pytest.raises(NotFoundError):
        call.recover(other)


@pytest.mark.parametrize(
    "call",
    [
        CLIO.update_conversation(WHERE, read=True, if_match=ETAG),
        CLIO.archive(WHERE, if_match=ETAG),
        CLIO.unarchive(WHERE, if_match=ETAG),
        CLIO.mark_read(WHERE, if_match=ETAG),
        CLIO.update_webhook(1, fields="id", if_match=ETAG),
    ],
)
def test_conditions_of_writing(call):
    assert call.request.headers["If-Match"] == ETAG


def test_a_conflict_says_what_it_is_about():
    call = CLIO.archive(WHERE, if_match=ETAG)
    error = CLIO.error_for("archive", call.request, Response(status=412))
    assert type(error) is ConflictError
    assert "if_match" in str(error)


@pytest.mark.parametrize("bad", ["a\nb", "ü", ""])
def test_an_etag_that_no_header_can_hold(bad):
    with pytest.raises(ConfigurationError, match="If-Match"):
        CLIO.archive(WHERE, if_match=bad)
    with pytest.raises(ConfigurationError, match="If-None-Match"):
        CLIO.show_conversation(WHERE, if_none_match=bad)


def test_a_time_without_a_zone_is_no_condition():
    with pytest.raises(ConfigurationError, match="aware"):
        CLIO.show_conversation(WHERE, if_modified_since=datetime(2026, 2, 3))  # noqa: DTZ001


# What answers become


def test_user(sample):
    payload = sample("clio", "user")
    found = CLIO.who_am_i().read(answer(payload))
    assert found == User(
        id="301",
        etag=payload["etag"],
        name="Noor Lind",
        first_name="Noor",
        last_name="Lind",
        initials="NL",
        email="noor@firm.example",
        time_zone="America/New_York",
        enabled=True,
        account_owner=True,
        clio_connect=False,
        court_rules_default_attendee=False,
        default_calendar_id="77",
        subscription_type="Attorney",
        roles=("Attorney", "Admin"),
        rate=250.0,
        created_at=CREATED,
        updated_at=UPDATED,
    )
    assert found.raw["account"] == {"name": "Lind LLP"}


def test_webhook(sample):
    payload = sample("clio", "webhook")
    expected = Webhook(
        id="152",
        etag=payload["etag"],
        url="https://hooks.example/clio",
        fields="id,etag,status",
        shared_secret="canary-shared-secret",
        model="matter",
        status="pending",
        events=("updated", "matter_closed"),
        expires_at=CREATED + timedelta(days=3),
        created_at=CREATED,
        updated_at=UPDATED,
    )
    assert CLIO.webhook(152).read(answer(payload)) == expected
    listing = CLIO.webhooks()
    page = listing.read(listing.request, answer([payload, {"url": None}], meta={"paging": {}}))
    assert page.items == (expected,)
    assert [error.path for _, error in page.broken] == ["data[1].id"]
    assert "canary" not in repr(expected)


def test_an_answer_to_a_delete_is_nothing():
    assert CLIO.delete_webhook(1).read(Response(status=204)) is None
    with pytest.raises(TranslationError):
        CLIO.delete_webhook(1).read(Response(status=200, body=b"<html>"))
    assert CLIO.mark_read(WHERE).read(answer({"id": 8801, "read": True})) is None


# What cannot be said


@pytest.mark.parametrize(
    ("ask", "nearest"),
    [
        (lambda: CLIO.send(WHERE, html="<b>"), "text="),
        (lambda: CLIO.send(WHERE, "x", reply_to="9"), "reply_to"),
        (lambda: CLIO.send(WHERE, "x", metadata={"a": 1}), "matter="),
        (lambda: CLIO.send(WHERE, "x", idempotency_key="k"), "order='newest'"),
        (lambda: CLIO.send(WHERE, "x", attachments=[b"bytes"]), "Attachment"),
        (lambda: CLIO.send(WHERE, "x", attachments=[Attachment(id="1")] * 2), "one message for"),
        (lambda: CLIO.create(title="t", text="x", description="d"), "title"),
        (lambda: CLIO.create(title="t", text="x", metadata={"a": 1}), "matter="),
        (lambda: CLIO.create(title="t", text="x", idempotency_key="k"), "order='newest'"),
        (
            lambda: CLIO.create(
                title="t", text="x", participants=["1", "2"], kind=ConversationKind.DIRECT
            ),
            "group",
        ),
        (
            lambda: CLIO.create(
                title="t", text="x", participants=["1"], kind=ConversationKind.COMMUNITY
            ),
            "direct",
        ),
        (lambda: CLIO.mark_read(WHERE, participant="301"), "token's user"),
        (lambda: CLIO.edit(WHERE, "9", text="x"), "send another"),
        (lambda: CLIO.delete_message(WHERE, "9"), "archive"),
        (lambda: CLIO.update(WHERE, title="x"), "update_conversation"),
        (lambda: CLIO.close(WHERE), "archive"),
        (lambda: CLIO.delete(WHERE), "archive"),
        (lambda: CLIO.add_participant(WHERE, "301"), "receivers="),
        (lambda: CLIO.remove_participant(WHERE, "301"), "receivers="),
        (lambda: CLIO.address(Attachment(name="x")), "which document"),
    ],
)
def test_unsupported(ask, nearest):
    with pytest.raises(UnsupportedError, match=nearest) as caught:
        ask()
    assert caught.value.provider == "clio"


def test_whatever_is_not_answered_has_something_near():
    assert set(SHARED) - CLIO.capabilities == set(CLIO.nearest)


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda: CLIO.send(WHERE), "text="),
        (lambda: CLIO.send(WHERE, "half \ud83d"), "surrogate"),
        (lambda: CLIO.send(WHERE, "x", subject="half \ud83d"), "surrogate"),
        (lambda: CLIO.send(Ref("clio", "x"), "x"), "no conversation's id"),
        (lambda: CLIO.send(Ref("circuit", "1"), "x"), "belongs to"),
        (lambda: CLIO.send(WHERE, "x", receivers=[Ref("circuit", "user/1")]), "belongs to"),
        (lambda: CLIO.send(WHERE, "x", receivers=["member/8801/301"]), "user/ID or contact/ID"),
        (lambda: CLIO.send(WHERE, "x", receivers=["ada@example.com"]), "user/ID or contact/ID"),
        (lambda: CLIO.send(WHERE, "x", attachments=[Attachment(url="https://a")]), "document"),
        (lambda: CLIO.send(WHERE, "x", attachments=["a path"]), "not a file"),
        (lambda: CLIO.send(WHERE, "x", document_version=1), "attachment"),
        (lambda: CLIO.send(WHERE, "x", matter="Okafor"), "no matter's id"),
        (lambda: CLIO.create(text="x", participants=["1"]), "title="),
        (lambda: CLIO.create(title="x", participants=["1"]), "text="),
        (lambda: CLIO.create(title="x", text="x"), "participants="),
        (lambda: CLIO.create(title="half \ud83d", text="x", participants=["1"]), "surrogate"),
        (lambda: CLIO.update_conversation(WHERE), "nothing to change"),
        (lambda: CLIO.update_webhook(1), "nothing to change"),
        (lambda: CLIO.update_webhook(1, url="half \ud83d"), "surrogate"),
        (lambda: CLIO.update_webhook(1, events=[object()]), "each a string"),
        (lambda: CLIO.create_webhook(**HOOK, events=[object()]), "each a string"),
        (lambda: CLIO.create_webhook(**HOOK, expires_at=datetime(2026, 2, 3)), "aware"),  # noqa: DTZ001
        (lambda: CLIO.create_webhook(**{**HOOK, "url": "half \ud83d"}), "surrogate"),
        (lambda: evolve(CLIO, api_version="4\r\nX-Y: z").conversation(WHERE), "X-API-VERSION"),
        (lambda: CLIO.webhook("x"), "no webhook's id"),
        (lambda: CLIO.webhooks(order="sideways"), "order"),
    ],
)
def test_arguments_that_cannot_work(ask, why):
    with pytest.raises(ConfigurationError, match=why):
        ask()


# A reply, step by step

ME = {"id": 301}
CIRCLE = {
    "id": 8801,
    "subject": "Deposition dates",
    "memberships": [{"id": 1, "member": {"id": n}} for n in (301, 302, 77001, 5)],
}
ADA = {"id": 77001, "type": "Person", "name": "Ada Okafor"}
NOOR = {"id": 301, "type": "User", "name": "Noor Lind"}
LINES = [
    {"id": 99003, "sender": ADA, "receivers": [NOOR, {"id": 302, "type": "User"}]},
    {"id": 99001, "sender": None, "receivers": None},
]
SENT = {
    "id": 99007,
    "body": "Noted.",
    "sender": NOOR,
    "receivers": [ADA],
    "created_at": "2026-02-04T16:02:11-05:00",
    "conversation": {"id": 8801, "subject": "Deposition dates"},
}


def test_a_reply_goes_to_all_members():
    """A membership tells a number; what it is a number of, messages tell, or a filter does."""
    call = clio().send(WHERE, "Noted.")
    message, requests = walked(call, CIRCLE, ME, LINES, [{"id": 8801}], SENT)
    assert [asked(request) for request in requests] == [
        ("GET", "conversations/8801.json", {}, None),
        ("GET", "users/who_am_i.json", {}, None),
        (
            "GET",
            "conversation_messages.json",
            {"conversation_id": "8801", "order": "id(desc)", "limit": "200"},
            None,
        ),
        ("GET", "conversations.json", {"ids[]": "8801", "contact_id": "5", "limit": "1"}, None),
        (
            "POST",
            "conversation_messages.json",
            {},
            {
                "body": "Noted.",
                "subject": "Deposition dates",
                "receivers": [
                    {"id": 302, "type": "User"},
                    {"id": 77001, "type": "Contact"},
                    {"id": 5, "type": "Contact"},
                ],
                "conversation": {"id": 8801},
            },
        ),
    ]
    assert message.ref == Ref("clio", "99007")
    assert requests[-1].query["fields"] == CLIO.message(WHERE, "9").request.query["fields"]


def test_nobody_by_that_number_among_the_contacts_is_a_user():
    _, requests = walked(clio().send(WHERE, "x"), CIRCLE, ME, LINES, [], SENT)
    assert {"id": 5, "type": "User"} in asked(requests[-1])[3]["receivers"]


def test_who_the_user_is_is_asked_once():
    provider = clio()
    walked(provider.send(WHERE, "x"), CIRCLE, ME, LINES, [], SENT)
    _, requests = walked(provider.send(WHERE, "x"), CIRCLE, LINES, [], SENT)
    assert "users/who_am_i.json" not in [asked(request)[1] for request in requests]


def test_a_reply_to_somebody():
    call = clio().send(WHERE, "x", receivers=["user/7", Ref("clio", "contact/8"), "8"])
    _, requests = walked(call, CIRCLE, LINES, SENT)
    assert [asked(r)[:2] for r in requests[:2]] == [
        ("GET", "conversations/8801.json"),
        ("GET", "conversation_messages.json"),
    ]
    sent = asked(requests[-1])[3]
    assert sent["receivers"] == [{"id": 7, "type": "User"}, {"id": 8, "type": "Contact"}]
    assert sent["subject"] == "Deposition dates"


def test_a_reply_of_which_everything_is_said():
    call = clio().send(
        WHERE,
        attachments=[Attachment(id="660001")],
        document_version=760001,
        subject="",
        receivers=["user/7"],
        matter=51234,
    )
    _, requests = walked(call, [], SENT)
    assert asked(requests[-1])[3] == {
        "body": "",
        "subject": "",
        "receivers": [{"id": 7, "type": "User"}],
        "conversation": {"id": 8801},
        "matter": {"id": 51234},
        "attachment": {"document_id": 660001, "document_version_id": 760001},
    }


def test_a_reply_to_nobody():
    alone = {"subject": None, "memberships": [{"id": 1, "member": ME}, {"id": 2, "member": {}}]}
    with pytest.raises(ConfigurationError, match="receivers="):
        walked(clio().send(WHERE, "x"), alone, ME, [])


def test_what_clio_does_not_know_of_people_is_refused_before_the_write():
    """The ladder is for reads alone, so a read goes first and settles it."""
    provider = clio(message_fields=["date"])
    call, _ = walked(provider.send(WHERE, "x", subject="s", receivers=["7"]))
    body = b'{"error":{"type":"ArgumentError","message":"identifier is not a valid field"}}'
    error = provider.error_for("send", call.request, Response(status=400, body=body))
    assert provider.instead(call.request, error) is not None
    post = call.read(answer([]))
    assert post.request.method == "POST"
    assert "sender{id,type,name}," in post.request.query["fields"]
    assert provider.instead(post.request, error) is None


@pytest.mark.parametrize(
    ("members", "known", "sure", "unsure"),
    [
        pytest.param([1, 2], {"user/2"}, ["user/2"], [], id="told"),
        pytest.param([1, 2], {"contact/2"}, ["contact/2"], [], id="a contact"),
        pytest.param([1, 2], set(), [], [2], id="not told"),
        pytest.param([1, 2], {"user/2", "contact/2"}, [], [2], id="one of two"),
        pytest.param([1, 2, 2], set(), ["user/2", "contact/2"], [], id="both"),
        pytest.param([1, 1], set(), ["contact/1"], [], id="a contact of the user's own number"),
        pytest.param([1], {"user/1"}, [], [], id="alone"),
        pytest.param([1], {"contact/1"}, ["contact/1"], [], id="not a member"),
        pytest.param([None, 1], set(), [], [], id="hidden"),
    ],
)
def test_who_the_members_are(members, known, sure, unsure):
    people = [Person(id=number) for number in members]
    assert addressees.of_members(people, known, 1) == (sure, unsure)


def test_members_whose_type_is_told():
    people = [Person(id=2, type="Company"), Person(id=3, type="Robot")]
    assert addressees.of_members(people, set(), 1) == (["contact/2"], [3])


# Whether a message is the one that was sent

SELF = Author(ref=Ref("clio", "user/301"), role=Role.STAFF)
DRAFT = Draft(body="So be\nit ", receivers=("contact/5", "user/5"), document=7)
FIVES = (Author(ref=Ref("clio", "user/5")), Author(ref=Ref("clio", "contact/5")))
BARE_FIVES = (Author(ref=Ref("clio", "member/8801/5")),) * 2
THE_ONE = Message(
    ref=Ref("clio", "1"),
    conversation=WHERE,
    author=SELF,
    recipients=FIVES,
    text=DRAFT.body,
    attachments=(Attachment(id="7"),),
)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, True),
        ({"recipients": BARE_FIVES}, True),
        ({"author": Author(ref=Ref("clio", "member/8801/301"))}, True),
        ({"author": None}, None),
        ({"author": Author()}, None),
        ({"recipients": FIVES[:1]}, None),
        ({"recipients": (FIVES[0], FIVES[0])}, None),
        ({"recipients": (*FIVES, Author())}, None),
        ({"text": "So be it"}, None),
        ({"text": "So be it!"}, False),
        ({"text": None}, False),
        ({"author": Author(ref=Ref("clio", "user/302"))}, False),
        ({"author": Author(ref=Ref("clio", "contact/301"))}, False),
        ({"attachments": ()}, False),
        ({"attachments": (Attachment(id="8"),)}, False),
    ],
)
def test_sameness(changed, verdict):
    """What might also be another's, or was changed on the way, is not sure."""
    message = evolve(THE_ONE, **changed)
    assert DRAFT.may_be(message, 301) is (verdict is not False)
    assert DRAFT.is_sure(message, 301) is (verdict is True)


def test_a_number_alone_may_be_a_contacts():
    """A contact of the user's own number writes back the same words."""
    draft = Draft(body="Hello", receivers=("contact/301",))
    bare = Author(ref=Ref("clio", "member/8801/301"))
    message = evolve(THE_ONE, author=bare, recipients=(bare,), text="Hello", attachments=())
    assert draft.may_be(message, 301)
    assert not draft.is_sure(message, 301)


def test_a_document_alone_has_no_words():
    draft = evolve(DRAFT, body="")
    assert draft.is_sure(evolve(THE_ONE, text=None), 301)


# Looking for a reply


def lost(call, *answers):
    """Walk to the write, and return how to find out what became of it."""
    found, _ = walked(call, *answers)
    assert found.request.method == "POST"
    return found.reconcile


def line(number, **changes):
    return {**SENT, "id": number, **changes}


REPLY = ("Noted.",), {"subject": "s", "receivers": ["contact/77001"]}
NONE = Outcome(happened=False)


def page(*lines, following=None):
    paging = {"next": following} if following else {}
    return answer(list(lines), meta={"paging": paging})


@pytest.mark.parametrize(
    ("lines", "happened", "found"),
    [
        pytest.param([line(99007), line(99003)], True, 99007, id="there"),
        pytest.param([line(99003)], False, None, id="an older twin"),
        pytest.param([], False, None, id="nothing"),
        pytest.param([line(99007, body="No."), line(99003)], False, None, id="another"),
        pytest.param([line(99007, sender=ADA), line(99003)], False, None, id="another's"),
        pytest.param([line(99008, sender=ADA), line(99007)], True, 99007, id="below another's"),
        pytest.param([line(99007, sender=None)], None, 99007, id="whose it is, is not told"),
        pytest.param([line(99007, receivers=[])], None, 99007, id="to nobody"),
        pytest.param([line(99008), line(99007)], True, 99007, id="the first"),
        pytest.param([line(99008), line(99007, sender=None)], True, 99008, id="the sure one"),
    ],
)
def test_looking_for_a_reply(lines, happened, found):
    args, options = REPLY
    reconcile = lost(clio().send(WHERE, *args, **options), LINES)
    outcome, requests = walked(reconcile(NOW), ME, page(*lines))
    assert asked(requests[1])[2] == {"conversation_id": "8801", "order": "id(desc)", "limit": "200"}
    assert outcome.happened is happened
    assert outcome.value is None if found is None else outcome.value.ref.id == str(found)


def test_what_this_hub_wrote_itself_is_not_taken_for_it():
    args, options = REPLY
    reconcile = lost(clio().send(WHERE, *args, **options), LINES)
    attempt = Attempt(since=CREATED, known=frozenset({Ref("clio", "99007")}))
    outcome, _ = walked(reconcile(attempt), ME, page(line(99007), line(99003)))
    assert outcome == NONE
    outcome, _ = walked(reconcile(attempt), page(line(99008), line(99007)))
    assert outcome.value.ref.id == "99008"


def test_looking_on_the_next_page():
    """Pages are read until what was there before."""
    args, options = REPLY
    reconcile = lost(clio().send(WHERE, *args, **options), LINES)
    following = "https://app.clio.com/api/v4/conversation_messages.json?page_token=T"
    others = [line(number, body="Other") for number in (99009, 99008)]
    outcome, requests = walked(
        reconcile(NOW), ME, page(*others, following=following), page(line(99007), line(99003))
    )
    assert outcome.value.ref.id == "99007"
    assert requests[-1].query["page_token"] == "T"
    outcome, _ = walked(reconcile(NOW), page(*others, line(99003), following=following))
    assert outcome == NONE


def test_a_record_that_cannot_be_read_might_be_the_one():
    args, options = REPLY
    reconcile = lost(clio().send(WHERE, *args, **options), LINES)
    with pytest.raises(TranslationError):
        walked(reconcile(NOW), ME, page({"id": "?"}, line(99003)))


# A conversation's beginning

BEGIN = {"title": "Terms", "text": "Noted.", "participants": ["77001", "user/302"], "matter": 51234}
BEGUN = {"id": 8815, "subject": "Terms", "archived": False, "matter": {"id": 51234}}
OPENING = {**SENT, "receivers": [ADA, {"id": 302, "type": "User"}]}


def test_a_conversation_begins_with_a_message():
    call = CLIO.create(**BEGIN, kind=ConversationKind.GROUP)
    found, requests = walked(call, [{"id": 8812}], {"id": 1, "conversation": {"id": 8815}}, BEGUN)
    assert [asked(request) for request in requests] == [
        ("GET", "conversations.json", {"order": "id(desc)", "limit": "1"}, None),
        (
            "POST",
            "conversation_messages.json",
            {},
            {
                "body": "Noted.",
                "subject": "Terms",
                "receivers": [{"id": 77001, "type": "Contact"}, {"id": 302, "type": "User"}],
                "matter": {"id": 51234},
            },
        ),
        ("GET", "conversations/8815.json", {}, None),
    ]
    assert found == Conversation(
        ref=Ref("clio", "8815"),
        state=ConversationState.OPEN,
        title="Terms",
        metadata={"matter": {"id": 51234}},
    )


def test_an_answer_without_the_conversation_is_not_taken_for_one():
    with pytest.raises(TranslationError):
        walked(CLIO.create(**BEGIN), [], {"id": 1, "conversation": None})


def test_the_callers_fields_are_tried_before_the_write():
    call = clio(conversation_fields=["mood"]).create(**BEGIN)
    assert call.request.query["fields"] == "id,mood"


@pytest.mark.parametrize(
    ("answers", "happened", "found"),
    [
        pytest.param([page(BEGUN, {"id": 8812}), page(OPENING)], True, "8815", id="there"),
        pytest.param([page({**BEGUN, "id": 8812})], False, None, id="an older twin"),
        pytest.param([page()], False, None, id="nothing"),
        pytest.param([page({**BEGUN, "subject": "Others"})], False, None, id="another"),
        pytest.param([page(BEGUN), page(line(1, sender=ADA))], False, None, id="another's"),
        pytest.param([page(BEGUN), page()], False, None, id="without a message"),
        pytest.param(
            [page(BEGUN, {**BEGUN, "id": 8814}), page(line(1, body="No.")), page(OPENING)],
            True,
            "8815",
            id="behind another",
        ),
        pytest.param(
            [
                page(BEGUN, {**BEGUN, "id": 8814}),
                page({**OPENING, "sender": None}),
                page(OPENING),
            ],
            True,
            "8815",
            id="behind one that may be it",
        ),
        pytest.param(
            [page({**BEGUN, "id": 8816}, BEGUN), page(OPENING)], True, "8815", id="the first"
        ),
        pytest.param([page(BEGUN), page({**OPENING, "sender": None})], None, "8815", id="whose"),
        pytest.param(
            [page({**BEGUN, "subject": " Terms"}), page(OPENING)], None, "8815", id="trimmed"
        ),
    ],
)
def test_looking_for_a_beginning(answers, happened, found):
    reconcile = lost(clio().create(**BEGIN), [{"id": 8812}])
    outcome, _ = walked(reconcile(NOW), ME, *answers)
    assert outcome.happened is happened
    assert outcome.value is None if found is None else outcome.value.ref.id == found


# Flags and webhooks


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        ({"archived": True, "read": False, "matter": {"id": 51234}}, True),
        ({"archived": False, "read": False, "matter": {"id": 51234}}, False),
        ({"archived": True, "read": False, "matter": {"id": 1}}, False),
        ({"archived": True, "read": False, "matter": None}, False),
        ({"archived": True, "read": False, "matter": {"redacted": True}}, None),
        ({"archived": True, "read": None, "matter": {"id": 51234}}, None),
        ({"archived": True, "matter": {"id": 51234}}, None),
        ({"archived": True, "read": False}, None),
        ({"archived": False}, False),
    ],
)
def test_whether_changes_stand(raw, verdict):
    conversation = Conversation(ref=WHERE, raw=Raw.of(raw))
    assert changes.stand(conversation, FLAGS) is verdict
    call = CLIO.update_conversation(WHERE, archived=True, read=False, matter=51234)
    outcome, _ = walked(call.reconcile(NOW), {"id": 8801, **raw})
    assert outcome.happened is verdict
    assert outcome.value.ref == WHERE


def test_a_change_that_is_ignored():
    with pytest.raises(InvalidRequestError, match="leaves archived as it was") as caught:
        CLIO.archive(WHERE).read(answer({"id": 8801, "archived": False}))
    assert (caught.value.status, caught.value.provider) == (200, "clio")


def test_whether_all_is_read():
    reconcile = CLIO.mark_read(WHERE).reconcile
    assert walked(reconcile(NOW), {"id": 8801, "read": True})[0] == Outcome(happened=True)
    assert walked(reconcile(NOW), {"id": 8801, "read": False})[0] == NONE


def hook(number, **changes):
    return {"id": number, "events": ["created"], **HOOK, **changes}


@pytest.mark.parametrize(
    ("hooks", "found"),
    [
        ([hook(155), hook(152)], "155"),
        ([hook(152)], None),
        ([], None),
        ([hook(155, url="https://other.example")], None),
        ([hook(155, model="matter")], None),
        ([hook(156, fields="id,etag"), hook(155)], "155"),
        ([hook(156, events=["deleted"]), hook(155)], "155"),
        ([hook(156), hook(155)], "155"),
    ],
)
def test_looking_for_a_webhook(hooks, found):
    wanted = {**HOOK, "events": ["created"]}
    post, _ = walked(CLIO.create_webhook(**wanted), [{"id": 152}])
    assert asked(post.request) == ("POST", "webhooks.json", {}, wanted)
    outcome, _ = walked(post.reconcile(NOW), page(*hooks))
    assert outcome.happened is (found is not None)
    assert found is None or outcome.value.id == found


@pytest.mark.parametrize("changed", [{"fields": "etag,id"}, {"events": ["deleted"]}])
def test_a_webhook_that_is_only_alike_is_in_doubt(changed):
    """It may be another one, or what Clio made of it."""
    call = CLIO.create_webhook(**HOOK, events=["created"])
    post, _ = walked(call, [{"id": 152}])
    outcome, _ = walked(post.reconcile(NOW), page(hook(155, **changed)))
    assert (outcome.happened, outcome.value.id) == (None, "155")


def test_a_webhook_without_a_number_is_an_error_of_ours():
    post, _ = walked(CLIO.create_webhook(**HOOK), [{"id": 152}])
    with pytest.raises(TranslationError, match="no number"):
        walked(post.reconcile(NOW), page({**hook(155), "id": "a"}))


def test_one_event_is_not_taken_for_its_letters():
    assert json.loads(CLIO.update_webhook(1, events="created").request.body) == {
        "data": {"events": ["created"]}
    }


@pytest.mark.parametrize(
    ("changed", "happened"),
    [
        ({"events": ["b", "a"], "expires_at": "2026-02-04T16:02:11-05:00"}, True),
        ({"events": ["a"], "expires_at": "2026-02-04T16:02:11-05:00"}, False),
        ({"events": ["a", "b"], "expires_at": "2026-02-04T16:02:13-05:00"}, False),
        ({"events": ["a", "b"]}, False),
    ],
)
def test_whether_a_webhook_was_changed(changed, happened):
    expires = UPDATED + timedelta(milliseconds=600)
    call = CLIO.update_webhook(152, events=["a", "b"], expires_at=expires)
    outcome, _ = walked(call.reconcile(NOW), {"id": 152, **changed})
    assert outcome.happened is happened


def test_whether_a_webhook_is_gone():
    looked = CLIO.delete_webhook(152).reconcile(NOW)
    assert looked.read(answer(hook(152))) == NONE
    error = CLIO.error_for("x", looked.request, Response(status=404))
    assert looked.recover(error) == Outcome(happened=True)
    with pytest.raises(StatusError):
        looked.recover(CLIO.error_for("x", looked.request, Response(status=403)))


def test_where_a_document_is():
    request = CLIO.address(Attachment(id="660/1"))
    assert str(request.url) == "https://app.clio.com/api/v4/documents/660%2F1/download"


# Over real sockets


@asynccontextmanager
async def firm(retries=0, timeout=5.0, **switches):  # noqa: ASYNC109 - the hub's
    """Serve an account, and open a hub that nothing is known to yet."""
    options = {"seed": 7, "scale": 0.01, "only": ["clio"], "switches": {"clio": switches}}
    async with (
        Emulator(**options) as emulator,
        emulator.hub(retries=retries, timeout=timeout) as hub,
    ):
        yield Firm(emulator, hub)


class Firm:
    def __init__(self, emulator, hub):
        self.emulator = emulator
        self.api, self.server, self.hub = emulator["clio"], emulator.servers["clio"], hub
        self.store, self.clio = self.api.store, hub["clio"]

    def named(self, subject):
        records = self.store.conversations.values()
        return Ref("clio", str(next(r["id"] for r in records if r["subject"] == subject)))

    def record(self, ref):
        return self.store.conversations[int(ref.id)]

    def sent(self):
        return [r for r in self.server.requests if r.method not in {"GET", "HEAD"}]

    async def begin(self, **changes):
        contact = Ref("clio", f"contact/{self.api.settings['receiver_id']}")
        given = {"title": "Terms", "text": "Good morning", "participants": [contact]} | changes
        return await self.hub.create("clio", **given)


async def test_everything_is_asked_for():
    """Each operation of the provider is in the round that the published description judges."""
    asked_for = set()
    async with firm() as served:
        run, iterate = ConversationsHub.run, ConversationsHub.iterate

        async def noting(self, call):
            asked_for.add(call.question.name)
            return await run(self, call)

        def noting_too(self, listing, **options):
            asked_for.add(listing.question.name)
            return iterate(self, listing, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ConversationsHub, "run", noting)
            patch.setattr(ConversationsHub, "iterate", noting_too)
            await everything(served.hub, "clio", served.api)
        statuses = {request.status for request in served.server.requests}
    methods = inspect.getmembers(Clio, lambda member: getattr(member, "is_operation", False))
    assert {name for name, _ in methods} == asked_for
    assert statuses == {200, 201, 204, 304}


async def test_replies_reach_every_member():
    """Whatever Clio tells of people: nothing, numbers that two share, members added later."""
    async with firm() as served:
        for name in served.api.conversation_ids():
            record = served.record(Ref("clio", name))
            if record["read_only"]:
                continue
            await served.hub.send(Ref("clio", name), "To all")
            others = [m["member"] for m in record["memberships"]]
            others = [person for person in others if person is not served.store.me]
            received = record["last_message"]["receivers"]
            assert sorted(map(id, received)) == sorted(map(id, others)), record["subject"]


@pytest.mark.parametrize("rejected", ["none", "identifiers", "all"])
@pytest.mark.parametrize("defaults", ["id_etag", "typed"])
async def test_what_is_sent_is_what_is_read(rejected, defaults):
    switches = {"rejected_participant_fields": rejected, "member_defaults": defaults}
    async with firm(**switches) as served:
        hub = served.hub
        document = list(served.store.documents.values())[-1]
        attachment = Attachment(id=str(document["id"]), name=document["filename"])
        begun = await served.begin()
        assert begun == await hub.conversation(begun.ref)
        sent = await hub.send(begun.ref, "See this", attachments=[attachment])
        assert [file.id for file in sent.attachments] == [attachment.id]
        assert sent == await hub.message(begun.ref, sent.ref.id)
        listed = await hub.messages(begun.ref).collect(limit=None)
        assert [message.text for message in listed] == ["Good morning", "See this"]
        assert listed[-1] == sent
        assert await hub.messages(begun.ref, order="newest").collect(limit=1) == [sent]


async def test_any_text_comes_back():
    async with firm() as served:
        begun = await served.begin()

        @settings(max_examples=15)
        @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
        def round_trip(text):
            texts.append(text)

        texts = ["<b>&amp;</b> \r\n\t", "\0\x7f\u2028", "🙂‍↔️ e\u0301", " "]
        round_trip()
        receivers = [f"contact/{served.api.settings['receiver_id']}"]
        for text in texts:
            sent = await served.clio.send(begun.ref, text, subject="s", receivers=receivers)
            assert sent.text == text
        listed = await served.hub.messages(begun.ref).collect(limit=None)
        assert [message.text for message in listed[1:]] == texts


async def test_flags():
    async with firm() as served:
        hub, ref = served.hub, served.named("Between users")
        before = await hub.conversation(ref)
        archived = await hub.archive(ref)
        assert archived.state is ConversationState.ARCHIVED
        assert archived == await hub.conversation(ref)
        assert (await hub.unarchive(ref)).state is ConversationState.OPEN
        assert served.record(ref)["archived"] is False
        await served.clio.update_conversation(ref, read=False)
        await hub.mark_read(ref)
        assert served.record(ref)["read"] is True
        matter = next(iter(served.store.matters))
        linked = await served.clio.update_conversation(ref, matter=matter)
        assert linked.metadata["matter"]["id"] == matter
        assert linked.title == before.title


async def test_conflicts_and_what_is_not_modified():
    async with firm() as served:
        clio, ref = served.clio, served.named("Between users")
        known = await clio.show_conversation(ref)
        etag = known.raw["etag"]
        assert await clio.show_conversation(ref, if_none_match=etag) == NotModified(etag=etag)
        since = known.updated_at
        assert isinstance(await clio.show_conversation(ref, if_modified_since=since), NotModified)
        changed = await clio.update_conversation(ref, read=not known.raw["read"], if_match=etag)
        assert changed.raw["etag"] != etag
        assert await clio.show_conversation(ref, if_none_match=etag) == changed
        with pytest.raises(ConflictError) as caught:
            await clio.archive(ref, if_match=etag)
        assert caught.value.status == 412
        assert not served.record(ref)["archived"]
        me = await clio.who_am_i()
        assert isinstance(await clio.show_who_am_i(if_none_match=me.etag), NotModified)


async def test_webhooks():
    async with firm() as served:
        clio = served.clio
        made = await clio.create_webhook(**HOOK)
        assert (made.status, made.events) == ("pending", ("created", "updated", "deleted"))
        assert made.shared_secret
        assert await clio.webhook(made.id) == made
        listed = [hook async for hook in clio.webhooks(page_size=1)]
        assert listed[-1] == made
        assert [h async for h in clio.webhooks(order="newest", created_after=made.created_at)] == [
            made
        ]
        changed = await clio.update_webhook(made.id, events=["deleted"], if_match=made.etag)
        assert changed.events == ("deleted",)
        with pytest.raises(ConflictError):
            await clio.update_webhook(made.id, events=["created"], if_match=made.etag)
        await clio.delete_webhook(made.id)
        with pytest.raises(NotFoundError):
            await clio.webhook(made.id)


async def test_documents():
    """The token stays with Clio, which redirects to its storage."""
    async with firm() as served:
        messages = await served.hub.messages(served.named("Everything there is")).collect(
            limit=None
        )
        files = [file for message in messages for file in message.attachments if file.size]
        content = await served.hub.download(files[-1]).read()
        assert len(content) == files[-1].size
        with pytest.raises(NotFoundError):
            await served.hub.download(Attachment(id="1")).read()


async def test_refusals_change_nothing():
    async with firm(patch_ignores="archived") as served:
        hub, ref = served.hub, served.named("Between users")
        with pytest.raises(InvalidRequestError, match="leaves archived"):
            await hub.archive(ref)
        with pytest.raises(PermissionDeniedError):
            await hub.send(served.named("Read only"), "x")
        with pytest.raises(NotFoundError):
            await hub.send(served.named("Not for you"), "x")
        with pytest.raises(NotFoundError):
            await served.clio.send(ref, "x", receivers=["contact/1"])
        before = len(served.store.conversations)
        with pytest.raises(NotFoundError):
            await served.begin(participants=["contact/1"])
        assert len(served.store.conversations) == before


# What becomes of writes that nobody answers


def cut(request, response=None):
    """Commit, and cut the line; as an interception, cut it before."""
    request.transport.abort()
    return response or web.Response()


def unavailable(request, response=None):
    return web.Response(status=503)


def garbage(request, response=None):
    return web.Response(body=b"{", status=201, content_type="application/json")


async def silence(request, response=None):
    await asyncio.sleep(0.6)
    return response or web.Response(status=500)


FAULTS = [cut, unavailable, garbage, silence]


def once(fault):
    """Let the first write fail, and all that follows pass."""
    spent = []

    def failing(request, *response):
        if request.method in {"GET", "HEAD"} or spent:
            return None
        spent.append(True)
        return fault(request, *response)

    return failing


async def refs(served):
    ref = served.named("Between users")
    await served.clio.update_conversation(ref, read=False, archived=False)
    made = await served.clio.create_webhook(url="https://old.example", model="task", fields="id")
    return ref, made


def store_of(served, ref):
    """Return what the store holds of all that is written here."""
    record = served.record(ref)
    return {
        "send": [m["body"] for m in record["messages"]].count("Once"),
        "create": [c["subject"] for c in served.store.conversations.values()].count("Begun once"),
        "archive": record["archived"],
        "mark_read": record["read"],
        "update": record["matter"] is not None,
        "hooks": [h["url"] for h in served.store.webhooks.values()],
    }


WRITES = {
    "send": lambda served, ref, made: served.hub.send(ref, "Once"),
    "create": lambda served, ref, made: served.begin(title="Begun once"),
    "archive": lambda served, ref, made: served.hub.archive(ref),
    "mark_read": lambda served, ref, made: served.hub.mark_read(ref),
    "update": lambda served, ref, made: served.clio.update_conversation(ref, matter=51234),
    "hooks": lambda served, ref, made: served.clio.create_webhook(**HOOK),
    "hooks, changed": lambda served, ref, made: served.clio.update_webhook(
        made.id, url="https://new.example"
    ),
    "hooks, deleted": lambda served, ref, made: served.clio.delete_webhook(made.id),
}


async def outcome_of(served, write):
    with pytest.raises(AmbiguousWriteError) as caught:
        await write
    return await caught.value.reconcile


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_happened(name, fault):
    async with firm(timeout=0.5 if fault is silence else 5.0) as served:
        ref, made = await refs(served)
        before = store_of(served, ref)
        served.server.alter = once(fault)
        outcome = await outcome_of(served, WRITES[name](served, ref, made))
        assert outcome.happened is True
        kind = name.partition(",")[0]
        changed = store_of(served, ref)
        if kind in {"send", "create"}:
            expected = await served.hub.run(read_back(served, outcome.value))
            assert outcome.value == expected
            assert changed == before | {kind: 1} | ({} if kind == "create" else READ)
        else:
            assert changed[kind] != before[kind]
            assert changed | {kind: None} == before | {kind: None}


READ = {"mark_read": True}  # to its sender, a conversation is read


def read_back(served, value):
    if isinstance(value, Conversation):
        return served.clio.conversation(value.ref)
    return served.clio.message(value.conversation, value.ref.id)


@pytest.mark.parametrize("fault", [cut, unavailable, garbage], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_did_not_happen(name, fault):
    """Its older twins are there, written by this hub and by another process."""
    async with firm() as served:
        ref, made = await refs(served)
        if name in {"send", "create"}:
            await WRITES[name](served, ref, made)
            async with served.emulator.hub() as other:
                await WRITES[name](Firm(served.emulator, other), ref, made)
        before = store_of(served, ref)
        served.server.intercept = once(fault)
        outcome = await outcome_of(served, WRITES[name](served, ref, made))
        assert outcome.happened is False
        assert store_of(served, ref) == before
        await WRITES[name](served, ref, made)
        assert store_of(served, ref) != before


async def test_a_twin_of_somebody_else_meanwhile():
    """A colleague says the same in the same second."""
    async with firm() as served:
        hub, ref = served.hub, served.named("Between users")
        record = served.record(ref)
        colleague = next(
            m["member"] for m in record["memberships"] if m["member"] is not served.store.me
        )

        def meanwhile(request):
            served.store.add_message(
                record["id"], colleague, "Once", receivers=[colleague], at=served.store.tick()
            )
            return cut(request)

        served.server.intercept = once(meanwhile)
        assert await outcome_of(served, hub.send(ref, "Once")) == NONE


async def test_a_beginning_that_cannot_be_read_afterwards():
    """The write is done; what follows it fails."""
    async with firm() as served:
        begun = []

        def fail(request):
            if request.method == "GET" and "/conversations/" in request.path:
                begun.append(request.path)
                return web.Response(status=500) if len(begun) == 1 else None
            return None

        served.server.intercept = fail
        outcome = await outcome_of(served, served.begin(title="Begun once"))
        assert outcome.value == await served.hub.conversation(outcome.value.ref)
        titles = [record["subject"] for record in served.store.conversations.values()]
        assert titles.count("Begun once") == 1


@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_lost_replies_each_is_found(first):
    """The same words twice: whoever looks first leaves the other its own."""
    async with firm() as served:
        ref, errors = served.named("Between users"), []
        for _ in range(2):
            served.server.alter = once(cut)
            with pytest.raises(AmbiguousWriteError) as caught:
                await served.hub.send(ref, "Once")
            errors.append(caught.value)
        errors = [errors[first], errors[1 - first]]
        outcomes = [await error.reconcile for error in errors]
        assert [outcome.happened for outcome in outcomes] == [True, True]
        assert outcomes[0].value.ref != outcomes[1].value.ref


async def test_a_write_is_sent_again_only_where_it_was_not_processed():
    async with firm(retries=2) as served:
        ref = served.named("Between users")
        limited = web.Response(status=429, headers={"Retry-After": "0"})
        served.server.intercept = once(lambda request: limited)
        await served.hub.send(ref, "Once")
        assert [request.status for request in served.sent()] == [429, 201]
        assert store_of(served, ref)["send"] == 1
