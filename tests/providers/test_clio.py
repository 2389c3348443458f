"""Clio: its fields and their ladder, its pages, and what its payloads become."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from aiohttp import web
from attrs import evolve
from yarl import URL

from conversations_hub import (
    Attachment,
    Author,
    ConfigurationError,
    Conversation,
    ConversationKind,
    ConversationsHub,
    ConversationState,
    CursorExpiredError,
    Direction,
    InvalidRequestError,
    Message,
    MessageKind,
    NotFoundError,
    PagingError,
    Participant,
    PermissionDeniedError,
    Ref,
    Role,
    Secret,
    ServerError,
    TranslationError,
    UnsupportedError,
)
from conversations_hub.emulator.server import Server
from conversations_hub.models import MessageState
from conversations_hub.providers.clio import Clio, fields, payloads, translate
from conversations_hub.providers.clio.account import COUNTED, PAGES
from conversations_hub.raw import Raw
from conversations_hub.reading import Answer, convert
from conversations_hub.wire import Request, Response
from support import seeded

CLIO = Clio(token="canary-token")
ASKED = Ref("clio", "8801")
CREATED = datetime(2026, 2, 3, 14, 15, tzinfo=UTC)
UPDATED = datetime(2026, 2, 4, 21, 2, 11, tzinfo=UTC)
NOOR = Author(ref=Ref("clio", "user/301"), name="Noor Lind", role=Role.STAFF)
ADA = Author(ref=Ref("clio", "contact/77001"), name="Ada Okafor", role=Role.CUSTOMER)
FIRM = Author(ref=Ref("clio", "contact/77002"), name="Lind & Söhne GmbH", role=Role.CUSTOMER)


def members(conversation, *people):
    """Return members of unknown type, who are known by their number in one conversation alone."""
    return tuple(Ref("clio", f"member/{conversation}/{number}") for number in people)


MEMBERS = members(8801, 301, 77001)
FULL, SHORT, BARE = fields.LADDER


def read(payload, struct, translation):
    return translation(convert(payload, struct, "$"), Raw.of(payload))


# Translation

A_CONVERSATION = Conversation(
    ref=ASKED,
    kind=ConversationKind.DIRECT,
    state=ConversationState.OPEN,
    title="Deposition dates",
    created_at=CREATED,
    updated_at=UPDATED,
    last_message_at=UPDATED,
    members=MEMBERS,
    metadata={
        "matter": {
            "id": 51234,
            "display_number": "00042-Okafor",
            "description": "Okafor v. Lind",
        }
    },
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("matter", A_CONVERSATION),
        (
            "archived",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8802"),
                kind=ConversationKind.GROUP,
                state=ConversationState.ARCHIVED,
                members=members(8802, 301, 302, 77001),
            ),
        ),
        (
            "read-only",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8803"),
                members=members(8803, 301, 77001),
                updated_at=CREATED + timedelta(milliseconds=250),
                metadata={},
            ),
        ),
        (
            "redacted-matter",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8804"),
                members=members(8804, 301, 77001),
                metadata={"matter": {"redacted": True}},
            ),
        ),
        (
            "bare-matter",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8805"),
                members=members(8805, 301, 77001),
                metadata={"matter": {"id": 51235}},
            ),
        ),
        (
            "silent",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8806"),
                members=members(8806, 301, 77001),
                last_message_at=None,
                metadata={},
            ),
        ),
        (
            "typed",
            evolve(A_CONVERSATION, ref=Ref("clio", "8807"), members=(NOOR.ref, ADA.ref)),
        ),
        (
            "redacted-member",
            evolve(
                A_CONVERSATION,
                ref=Ref("clio", "8808"),
                kind=ConversationKind.GROUP,
                members=members(8808, 301),
            ),
        ),
        ("null", Conversation(ref=Ref("clio", "8809"))),
        ("least", Conversation(ref=Ref("clio", "8810"))),
    ],
)
def test_conversation(sample, name, expected):
    payload = sample("clio", f"conversation-{name}")
    found = read(payload, payloads.Conversation, partial(translate.conversation, "clio"))
    assert found == expected
    assert dict(found.raw) == payload


A_MESSAGE = Message(
    ref=Ref("clio", "99003"),
    conversation=ASKED,
    kind=MessageKind.TEXT,
    direction=Direction.INBOUND,
    author=ADA,
    recipients=(NOOR,),
    subject="Deposition dates",
    text="Confirmed.",
    state=MessageState.SENT,
    sent_at=UPDATED,
    updated_at=UPDATED,
)
SOMEBODY = Author()


def changed(number, **changes):
    return evolve(A_MESSAGE, ref=Ref("clio", str(number)), **changes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("contact", A_MESSAGE),
        (
            "user",
            changed(99004, direction=Direction.OUTBOUND, author=NOOR, recipients=(ADA, FIRM)),
        ),
        ("company", changed(99005, author=FIRM)),
        (
            "document",
            changed(
                99006,
                kind=MessageKind.MEDIA,
                text="",
                attachments=(
                    Attachment(
                        id="660001",
                        name="settlement-draft.pdf",
                        media_type="application/pdf",
                        size=48211,
                    ),
                ),
            ),
        ),
        (
            "document-redacted",
            changed(
                99007, kind=MessageKind.MEDIA, text="Please sign.", attachments=(Attachment(),)
            ),
        ),
        (
            "document-null",
            changed(
                99008,
                kind=MessageKind.MEDIA,
                attachments=(Attachment(id="660002", name="README"),),
            ),
        ),
        ("html", changed(99009, text="<p>Signed in <em>both</em> places.</p>")),
        (
            "hard-text",
            changed(
                99010,
                text='👩🏽‍⚖️ שלום "x"\r\n\t𠜎 & <b>',
                sent_at=UPDATED + timedelta(microseconds=123456),
                updated_at=UPDATED + timedelta(seconds=1),
            ),
        ),
        (
            "no-sender",
            changed(99011, direction=Direction.UNKNOWN, author=None, recipients=()),
        ),
        (
            "redacted-people",
            changed(
                99012, direction=Direction.UNKNOWN, author=SOMEBODY, recipients=(SOMEBODY, NOOR)
            ),
        ),
        (
            "short-people",
            changed(99013, direction=Direction.OUTBOUND, author=NOOR, recipients=(ADA,)),
        ),
        (
            "bare-people",
            changed(
                99014,
                direction=Direction.UNKNOWN,
                author=Author(ref=MEMBERS[0]),
                recipients=(Author(ref=MEMBERS[1]),),
            ),
        ),
        ("null", Message(ref=Ref("clio", "99016"), conversation=ASKED, kind=MessageKind.TEXT)),
        ("least", Message(ref=Ref("clio", "99017"), conversation=ASKED, kind=MessageKind.TEXT)),
    ],
)
def test_message(sample, name, expected):
    payload = sample("clio", f"message-{name}")
    found = read(payload, payloads.Message, partial(translate.message, ASKED))
    assert found == expected
    assert dict(found.raw) == payload


def test_a_message_tells_its_own_conversation(sample):
    payload = sample("clio", "message-contact")
    elsewhere = read(payload, payloads.Message, partial(translate.message, Ref("clio", "1")))
    assert elsewhere.conversation == ASKED


def test_a_sender_of_a_new_type(sample):
    payload = sample("clio", "message-contact")
    payload["sender"]["type"] = "Robot"
    found = read(payload, payloads.Message, partial(translate.message, ASKED))
    assert found.author == Author(ref=MEMBERS[1], name="Ada Okafor", role=Role.UNKNOWN)
    assert found.direction is Direction.UNKNOWN


def test_second_choices(sample):
    """Where the better name is missing there may be another."""
    payload = sample("clio", "message-document")
    payload["sender"]["name"] = None
    payload["document"]["filename"] = None
    found = read(payload, payloads.Message, partial(translate.message, ASKED))
    assert found.author.name == "Okafor, Ada"
    assert found.attachments[0].name == "settlement-draft"


def test_times_are_utc(sample):
    payload = sample("clio", "message-contact")
    found = read(payload, payloads.Message, partial(translate.message, ASKED))
    assert found.sent_at.tzinfo is UTC


A_PARTICIPANT = Participant(
    ref=Ref("clio", "4001"), conversation=ASKED, user=MEMBERS[0], joined_at=CREATED
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bare", A_PARTICIPANT),
        (
            "typed",
            evolve(
                A_PARTICIPANT,
                ref=Ref("clio", "4002"),
                user=ADA.ref,
                name="Ada Okafor",
                role=Role.CUSTOMER,
            ),
        ),
        (
            "full",
            evolve(
                A_PARTICIPANT,
                ref=Ref("clio", "4003"),
                user=NOOR.ref,
                name="Noor Lind",
                role=Role.STAFF,
                address="noor@firm.example",
            ),
        ),
        (
            "company",
            evolve(
                A_PARTICIPANT,
                ref=Ref("clio", "4004"),
                user=FIRM.ref,
                name=FIRM.name,
                role=Role.CUSTOMER,
            ),
        ),
        ("redacted", evolve(A_PARTICIPANT, ref=Ref("clio", "4005"), user=None)),
        ("null", Participant(ref=Ref("clio", "4006"), conversation=ASKED)),
        ("least", Participant(ref=Ref("clio", "4007"), conversation=ASKED)),
    ],
)
def test_participant(sample, name, expected):
    payload = sample("clio", f"participant-{name}")
    found = read(payload, payloads.Membership, partial(translate.participant, ASKED))
    assert found == expected
    assert dict(found.raw) == payload


def line(sender, *receivers):
    return {"sender": sender, "receivers": list(receivers)}


def person(number, sort=None, name=None):
    return {"id": number, "type": sort, "name": name}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param(
            [line(person(301, "User", "Noor Lind"), person(77001, "Person", "Ada Okafor"))],
            {MEMBERS[0]: NOOR, MEMBERS[1]: ADA},
            id="sender and receiver",
        ),
        pytest.param(
            [line(person(301, "User", "Noor Lind")), line(person(301, "Person", "Ana"))],
            {},
            id="a user's and a contact's number",
        ),
        pytest.param(
            [line(person(301, "User", "Noor Lind")), line(person(301, "User"))],
            {MEMBERS[0]: NOOR},
            id="once without a name",
        ),
        pytest.param([line(person(301, "Robot", "R")), line(person(301))], {}, id="no known type"),
        pytest.param([line(person(5, "User", "Ana"))], {}, id="not asked for"),
        pytest.param([line(None), {"sender": {"redacted": True}}, {}], {}, id="nobody told"),
    ],
)
def test_people_in_messages(lines, found):
    payload = {"data": lines}
    names = partial(translate.people, ASKED, MEMBERS)
    assert read(payload, payloads.Addresses, names) == found


def test_people_are_read_once_for_all():
    calls = list(CLIO.people(ASKED, [*MEMBERS, ADA.ref]))
    assert [call.request.query for call in calls] == [
        {
            "conversation_id": "8801",
            "order": "id(asc)",
            "limit": "200",
            "fields": f"sender{FULL},receivers{FULL}",
        }
    ]
    assert list(CLIO.people(ASKED, [ADA.ref])) == []
    assert list(CLIO.people(None, MEMBERS)) == []


def test_people_are_asked_for_as_far_as_is_known():
    clio = Clio(token="t")
    request = clio.messages(ASKED).request
    clio.instead(request, refusal(clio, request))
    (call,) = clio.people(ASKED, MEMBERS)
    assert call.request.query["fields"] == f"sender{SHORT},receivers{SHORT}"
    clio.instead(call.request, refusal(clio, call.request))
    assert list(clio.people(ASKED, MEMBERS)) == []


# Fields


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ((), "id,matter{id,number},read"),
        (("etag",), "id,matter{id,number},read,etag"),
        (("matter{status,id}", "matter"), "id,matter{id,number,status},read"),
        (("a{b,c},d", "id"), "id,matter{id,number},read,a{b,c},d"),
    ],
)
def test_fields_are_joined(extra, expected):
    assert fields.joined("id,matter{id,number},read", extra) == expected


@pytest.mark.parametrize("extra", ["a{b{c}}", "a{", "a b", "", ["a,"], ["a", "{b}"], "a{}"])
def test_fields_one_level_deep(extra):
    with pytest.raises(ConfigurationError, match="one level deep"):
        Clio(token="t", message_fields=extra)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("identifier is not a valid field", "identifier"),
        ("HTTP 400: picklist_option} is not a valid field.", "picklist_option"),
        ("`sender.type` is not a valid field", "type"),
        ("order is not valid", None),
    ],
)
def test_refused_field(message, name):
    assert fields.refused(message) == name


def refusal(clio, request, message="identifier is not a valid field", status=400):
    body = json.dumps({"error": {"type": "ArgumentError", "message": message}}).encode()
    return clio.error_for("messages", request, Response(status=status, body=body))


def test_ladder_goes_down_and_is_remembered():
    clio = Clio(token="t")
    bound = clio.bound(None)
    first = clio.messages(ASKED).request
    second = clio.instead(first, refusal(clio, first))
    assert second.query == first.query | {
        "fields": first.query["fields"].replace(FULL, SHORT),
    }
    assert bound.messages(ASKED).request.query["fields"] == second.query["fields"]
    third = clio.instead(second, refusal(clio, second))
    assert third.query["fields"] == first.query["fields"].replace(FULL, BARE)
    assert "sender,receivers," in third.query["fields"]
    assert bound.message(ASKED, "1").request.query["fields"] == third.query["fields"]
    assert Clio(token="t").messages(ASKED).request.query["fields"] == first.query["fields"]


def test_ladder_skips_what_others_found_out():
    clio = Clio(token="t")
    slow = clio.messages(ASKED).request
    second = clio.instead(slow, refusal(clio, slow))
    third = clio.instead(second, refusal(clio, second))
    assert clio.instead(slow, refusal(clio, slow)).query["fields"] == third.query["fields"]


def test_ladder_ends_and_forgets():
    """What the last rung does not mend was not for the fields of people."""
    clio = Clio(token="t")
    request = first = clio.messages(ASKED).request
    for _ in fields.LADDER[1:]:
        request = clio.instead(request, refusal(clio, request))
    assert clio.instead(request, refusal(clio, request)) is None
    assert clio.messages(ASKED).request == first


@pytest.mark.parametrize(
    ("changes", "message", "status"),
    [
        pytest.param({}, "limit must be between 1 and 200", 400, id="another complaint"),
        pytest.param({}, "identifier is not a valid field", 422, id="another status"),
        pytest.param({"method": "POST"}, "id is not a valid field", 400, id="a write"),
        pytest.param(
            {"url": CLIO.conversations().request.url},
            "matter is not a valid field",
            400,
            id="nobody asked for",
        ),
    ],
)
def test_ladder_is_for_fields_of_people(changes, message, status):
    clio = Clio(token="t")
    request = evolve(clio.messages(ASKED).request, **changes)
    assert clio.instead(request, refusal(clio, request, message, status)) is None
    assert clio.messages(ASKED).request.query["fields"] == fields.MESSAGE


def test_a_field_of_the_callers_own_is_named():
    clio = Clio(token="canary-token", message_fields=["mood", "sender{shoe_size}"])
    request = clio.messages(ASKED).request
    assert (
        request.query["fields"]
        == fields.MESSAGE.replace(
            "sender{id,type,name,identifier,secondary_identifier}",
            "sender{id,type,name,identifier,secondary_identifier,shoe_size}",
        )
        + ",mood"
    )
    for name in ("mood", "shoe_size"):
        error = refusal(clio, request, f"{name} is not a valid field")
        assert clio.instead(request, error) is None
        assert f"{name} is not a valid field; take it out of" in str(error)


# Paging

FIRST = Request(
    url=URL(
        "https://app.clio.com/api/v4/conversations.json?order=id%28asc%29&limit=2", encoded=True
    )
)


def answer(meta, count=2):
    return Answer(
        envelope={} if meta is None else {"meta": meta}, records=["x"] * count, count=count
    )


def link(host="app.clio.com", path="/api/v4/conversations.json", token="T%2F1"):
    return f"https://{host}{path}?limit=9&page_token={token}&order=mischief"


@pytest.mark.parametrize(
    ("meta", "count", "query"),
    [
        pytest.param(
            {"paging": {"next": link()}, "records": 5},
            2,
            "order=id%28asc%29&limit=2&page_token=T%2F1",
            id="the token alone is taken over",
        ),
        pytest.param(
            {"paging": {"next": link("eu.app.clio.com")}},
            0,
            "order=id%28asc%29&limit=2&page_token=T%2F1",
            id="an empty page is not the end",
        ),
        pytest.param({"paging": {}, "records": 2}, 2, None, id="the last page is full"),
        pytest.param({"paging": {"next": None}, "records": 1}, 1, None, id="null"),
        pytest.param({"paging": {}}, 2, None, id="no total"),
        pytest.param(None, 1, None, id="no meta, and not a full page"),
    ],
)
def test_pages(meta, count, query):
    request = PAGES.after(FIRST, answer(meta, count))
    assert (request and request.url.raw_query_string) == query


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param(None, id="a full page without meta"),
        pytest.param({"records": 9}, id="a full page without paging"),
        pytest.param({"paging": {"nxt": link()}, "records": 9}, id="a misspelt link"),
        pytest.param({"paging": {"next": link("app.clio.invalid")}}, id="elsewhere"),
        pytest.param({"paging": {"next": link("app.clio.com.evil.test")}}, id="nearly"),
        pytest.param({"paging": {"next": link(path="/api/v4/users.json")}}, id="another list"),
        pytest.param({"paging": {"next": link(token="")}}, id="no token"),
        pytest.param({"paging": {"next": 7}}, id="no link"),
    ],
)
def test_pages_that_lead_nowhere(meta):
    with pytest.raises(PagingError):
        PAGES.after(FIRST, answer(meta))


# Requests


def conversations(**filters):
    return CLIO.conversations(**filters).request.query


def test_conversations_request():
    assert CLIO.conversations().request.target == (
        "/api/v4/conversations.json?order=id%28asc%29&limit=200&fields="
        + fields.CONVERSATION.replace(",", "%2C").replace("{", "%7B").replace("}", "%7D")
    )


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"created_after": CREATED}, {"created_since": "2026-02-03T14:14:59.000Z"}),
        ({"updated_after": UPDATED}, {"updated_since": "2026-02-04T21:02:10.000Z"}),
        ({"created_before": UPDATED}, {}),
        ({"state": ConversationState.OPEN}, {"archived": "false"}),
        ({"state": ConversationState.ARCHIVED}, {"archived": "true"}),
        ({"participant": ADA.ref}, {"contact_id": "77001"}),
        ({"participant": "77001"}, {"contact_id": "77001"}),
        ({"participant": "contact/77001"}, {"contact_id": "77001"}),
        ({"page_size": 7}, {"limit": "7"}),
        ({"page_size": 999}, {"limit": "200"}),
        ({"read_status": False}, {"read_status": "false"}),
        ({"for_user": True}, {"for_user": "true"}),
        ({"matter_id": 51234}, {"matter_id": "51234"}),
        ({"matter_id": "null"}, {"matter_id": "null"}),
        ({"time_entries": True}, {"time_entries": "true"}),
        ({"date": "2026-02-03"}, {"date": "2026-02-03"}),
    ],
)
def test_filters_that_are_pushed(filters, query):
    assert conversations(**filters) == conversations() | query


def test_ids_are_repeated():
    target = CLIO.conversations(ids=[1, "2"]).request.target
    assert "?ids%5B%5D=1&ids%5B%5D=2&order=" in target
    target = CLIO.messages(ASKED, ids=[1, "2"], query="a*b").request.target
    assert "conversation_id=8801&query=a%2Ab&ids%5B%5D=1&ids%5B%5D=2&order=" in target


@pytest.mark.parametrize(
    ("filters", "nearest"),
    [
        ({"state": ConversationState.CLOSED}, "its conversations are open, archived"),
        ({"state": ConversationState.INACTIVE}, "its conversations are open, archived"),
        ({"participant": NOOR.ref}, "give contact/ID"),
        ({"participant": "user/301"}, "give contact/ID"),
        ({"participant": MEMBERS[1]}, "give contact/ID"),
        ({"participant": Ref("clio", "4001")}, "give contact/ID"),
        ({"participant": "Ada"}, "give contact/ID"),
    ],
)
def test_filters_that_are_refused(filters, nearest):
    with pytest.raises(UnsupportedError, match=nearest):
        CLIO.conversations(**filters)


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"created_after": CREATED}, [0, 1, None]),
        ({"created_before": CREATED}, [-1, None]),
        ({"updated_after": CREATED}, [0, 1, None]),
        (
            {"created_after": CREATED, "created_before": CREATED + timedelta(seconds=1)},
            [0, None],
        ),
    ],
)
def test_filters_are_exact(filters, kept):
    keep = CLIO.conversations(**filters).keep
    seconds = [-1, 0, 1, None]
    times = [None if s is None else CREATED + timedelta(seconds=s) for s in seconds]
    found = [
        s
        for s, at in zip(seconds, times, strict=True)
        if keep(Conversation(ref=ASKED, created_at=at, updated_at=at))
    ]
    assert found == kept


def test_a_state_is_exact_too():
    keep = CLIO.conversations(state=ConversationState.OPEN).keep
    states = [ConversationState.OPEN, ConversationState.ARCHIVED, None]
    assert [keep(Conversation(ref=ASKED, state=state)) for state in states] == [True, False, True]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [({"since": CREATED}, [0, 1]), ({"until": CREATED}, [-1]), ({}, [-1, 0, 1])],
)
def test_message_times_are_ours_to_judge(filters, kept):
    """The API's own times are those of the conversation."""
    listing = CLIO.messages(ASKED, **filters)
    assert listing.request == CLIO.messages(ASKED).request
    found = [
        s
        for s in (-1, 0, 1)
        if not listing.keep
        or listing.keep(evolve(A_MESSAGE, sent_at=CREATED + timedelta(seconds=s)))
    ]
    assert found == kept


def test_order_of_messages():
    assert CLIO.messages(ASKED, order="oldest").request.query["order"] == "id(asc)"
    newest = CLIO.messages(ASKED, order="newest")
    assert newest.request.query["order"] == "id(desc)"
    # Whatever is written meanwhile moves the pages.
    assert newest.repeats
    with pytest.raises(ConfigurationError, match="order"):
        CLIO.messages(ASKED, order="sideways")


def test_one_thing_is_one_segment():
    assert CLIO.conversation(Ref("clio", "a/b?x=1")).request.url.raw_path == (
        "/api/v4/conversations/a%2Fb%3Fx%3D1.json"
    )
    assert CLIO.message(ASKED, "..").request.url.raw_path == (
        "/api/v4/conversation_messages/...json"
    )
    with pytest.raises(ConfigurationError, match="belongs to 'twilio'"):
        CLIO.message(Ref("twilio", "CH1"), "99001")


# Settings


@pytest.mark.parametrize(
    ("region", "base"),
    [
        ("us", "https://app.clio.com/api/v4"),
        ("eu", "https://eu.app.clio.com/api/v4"),
        ("ca", "https://ca.app.clio.com/api/v4"),
        ("au", "https://au.app.clio.com/api/v4"),
    ],
)
def test_regions(region, base):
    assert str(Clio(token="t", region=region).base_url) == base


@pytest.mark.parametrize("more", [{}, {"base_url": "http://127.0.0.1:1"}])
def test_a_region_that_is_none(more):
    with pytest.raises(ConfigurationError, match=r"region 'uk'.*us, eu, ca, au"):
        Clio(token="t", region="uk", **more)


def test_from_env():
    environ = {"CLIO_TOKEN": "second", "CLIO_REGION": "ca"}
    assert Clio.from_env(environ) == Clio(token="second", region="ca")
    environ |= {"CLIO_ACCESS_TOKEN": "first", "CLIO_BASE_URL": "http://127.0.0.1:1/api/v4"}
    assert Clio.from_env(environ).token == Secret("first")
    assert str(Clio.from_env(environ).base_url) == "http://127.0.0.1:1/api/v4"
    with pytest.raises(ConfigurationError, match="token"):
        Clio.from_env({})
    with pytest.raises(ConfigurationError, match="token"):
        Clio(token="")


def test_the_token_goes_with_requests_and_nowhere_else():
    assert CLIO.auth_headers() == {"Authorization": "Bearer canary-token"}
    assert "canary" not in repr(CLIO)
    assert "canary" not in repr(CLIO.conversations())


def test_a_version_can_be_pinned():
    pinned = Clio(token="t", api_version="4.0.9")
    assert pinned.conversations().request.headers == {"X-API-VERSION": "4.0.9"}
    assert pinned.participants(ASKED).request.headers == {"X-API-VERSION": "4.0.9"}
    assert CLIO.conversations().request.headers == {}


def test_capabilities():
    assert CLIO.capabilities == {
        "conversations",
        "messages",
        "participants",
        "conversation",
        "message",
        "send",
        "create",
        "archive",
        "unarchive",
        "mark_read",
    }


# Errors


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"type":"ForbiddenError","message":"No."}}', ": No", "ForbiddenError"),
        (b'{"error":"invalid_grant","error_description":"Old."}', ": Old", "invalid_grant"),
        (b'{"error":"invalid_grant"}', "invalid_grant", "invalid_grant"),
        (b'{"error":{"type":null,"message":null}}', "HTTP 403", None),
        (b"<html>Forbidden</html>", "HTTP 403", None),
        (b"[1]", "HTTP 403", None),
        (b"", "HTTP 403", None),
    ],
)
def test_errors_are_read(body, message, code):
    response = Response(status=403, body=body, headers={"x-request-id": "abc"})
    error = CLIO.error_for("conversations", FIRST, response)
    assert type(error) is PermissionDeniedError
    assert message in str(error)
    assert (error.code, error.request_id) == (code, "abc")


def test_a_retired_version_is_no_missing_thing():
    error = CLIO.error_for("conversations", FIRST, Response(status=410))
    assert type(error) is InvalidRequestError
    assert "X-API-VERSION" in str(error)


def test_a_token_that_is_out_of_bounds():
    body = b'{"error":{"type":"ArgumentError","message":"page_token is now out of bounds"}}'
    response = Response(status=422, body=body)
    later = FIRST.with_query(page_token="T")
    assert type(CLIO.error_for("messages", later, response)) is CursorExpiredError
    assert type(CLIO.error_for("messages", FIRST, response)) is InvalidRequestError
    counted = later.with_query(order="id(desc)")
    error = CLIO.error_for("messages", counted, response)
    assert type(error) is InvalidRequestError
    assert "ask for the oldest first" in str(error)
    missing = evolve(response, status=404)
    assert type(CLIO.error_for("messages", later, missing)) is NotFoundError


# Nested lists


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"data":{"id":1,"memberships":null}}', "data.memberships"),
        (b'{"data":{"id":1}}', "data.memberships"),
        (b'{"data":null}', "data.memberships"),
        (b"[]", "data.memberships"),
        (b"<html>", "$"),
    ],
)
def test_memberships_that_are_not_told(body, path):
    """Not told is not the same as nobody."""
    listing = CLIO.participants(ASKED)
    with pytest.raises(TranslationError) as caught:
        listing.read(listing.request, Response(status=200, body=body))
    assert caught.value.path == path


def test_broken_memberships(sample):
    listing = CLIO.participants(ASKED)
    good = sample("clio", "participant-bare")
    records = [good, good | {"created_at": "yesterday"}, good | {"id": "x"}, good | {"id": 4002}]
    body = json.dumps({"data": {"id": 8801, "memberships": records}}).encode()
    page = listing.read(listing.request, Response(status=200, body=body))
    assert [item.ref.id for item in page.items] == ["4001", "4002"]
    assert dict(page.items[1].raw) == records[3]
    assert [(at, error.path) for at, error in page.broken] == [
        (1, "data.memberships[1].created_at"),
        (1, "data.memberships[2].id"),
    ]
    assert page.raw["data"]["id"] == 8801
    assert page.next is None


def test_a_time_without_an_offset_is_refused(sample):
    listing = CLIO.messages(ASKED)
    body = json.dumps(
        {"data": [sample("clio", "message-contact") | {"created_at": "2026-02-03T09:15:00"}]}
    )
    page = listing.read(listing.request, Response(status=200, body=body.encode()))
    assert [error.path for _, error in page.broken] == ["data[0].created_at"]


# Over real sockets


class Firm:
    """A served account, and the hub that reads it."""

    def __init__(self, api, server, hub):
        self.api, self.server, self.hub = api, server, hub

    def named(self, subject):
        records = self.api.store.conversations.values()
        return str(next(each["id"] for each in records if each["subject"] == subject))

    def asked(self):
        return [request.target for request in self.server.requests]


@asynccontextmanager
async def firm(*, scale=0.1, provider=None, **switches) -> AsyncIterator[Firm]:
    api = seeded("clio", seed=3, scale=scale, **switches)
    server = Server(api)
    await server.start()
    settings = {"base_url": server.base_url, **api.arguments, **(provider or {})}
    hub = ConversationsHub(Clio(**settings), retries=0)
    try:
        yield Firm(api, server, hub)
    finally:
        await hub.aclose()
        await server.stop()


def again(served, **options):
    """Return a hub of another process: nothing is remembered but the settings."""
    return ConversationsHub(
        Clio(base_url=served.server.base_url, **served.api.arguments), retries=0, **options
    )


def ids(items):
    return [item.ref.id for item in items]


async def check_everything(served, sizes=(7, 200)):
    """Compare all that is listed with what is stored."""
    api, hub = served.api, served.hub
    for size in sizes:
        found = await hub.conversations(page_size=size).collect(limit=None)
        assert ids(found) == api.conversation_ids()
    for conversation in api.conversation_ids():
        ref = Ref("clio", conversation)
        assert ids(await hub.participants(ref).collect(limit=None)) == api.participant_ids(
            conversation
        )
        for size in sizes:
            found = await hub.messages(ref, page_size=size).collect(limit=None)
            assert ids(found) == api.message_ids(conversation)
            assert {m.conversation for m in found} <= {ref}


@pytest.mark.parametrize("size", [1, 2, 3, 7, None])
async def test_truth(size):
    async with firm(scale=0.05) as served:
        api, hub = served.api, served.hub
        found = await hub.conversations(page_size=size).collect(limit=None)
        assert ids(found) == api.conversation_ids()
        for conversation in api.conversation_ids():
            expected = api.message_ids(conversation)
            for order, wanted in (("oldest", expected), ("newest", expected[::-1])):
                messages = hub.messages(Ref("clio", conversation), order=order, page_size=size)
                assert ids(await messages.collect(limit=None)) == wanted


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"records": "page"},
        {"page_end": "null"},
        {"default_order": "cursor"},
        {"depth": 10},
        {"member_defaults": "typed"},
        {"rejected_participant_fields": "identifiers"},
        {"rejected_participant_fields": "all"},
        {"rejected_participant_fields": "all", "member_defaults": "typed"},
        {"redacted_matters": False, "null_senders": False},
        {"since": "inclusive"},
        {"offset": "Z", "fractions": True},
        {"offset": "+09:30"},
        {"hidden": "forbidden"},
        {"message_bumps_updated_at": False},
    ],
    ids=str,
)
async def test_truth_with_switches(switches):
    async with firm(scale=0.05, **switches) as served:
        await check_everything(served)


async def test_long_conversation_over_pages_of_the_largest_size():
    async with firm(scale=1) as served:
        longest = max(served.api.conversation_ids(), key=lambda c: len(served.api.message_ids(c)))
        found = await served.hub.messages(f"clio:{longest}").collect(limit=None)
        assert ids(found) == served.api.message_ids(longest)
        assert len(served.asked()) == 3


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        ({"meta": "missing"}, "does not say whether there is more"),
        ({"next_link": "foreign"}, "leads to app.clio.invalid"),
        ({"next_link": "loop"}, "comes again|has no page_token"),
    ],
)
async def test_pages_that_do_not_move_on(switches, error):
    async with firm(**switches) as served:
        with pytest.raises(PagingError, match=error):
            await served.hub.conversations(page_size=3).collect(limit=None)
        assert len(served.asked()) <= 2


@pytest.mark.parametrize("meta", ["missing", "last_missing"])
async def test_a_list_without_meta(meta):
    """A page that is not full is the last one, though nothing says so."""
    async with firm(meta=meta) as served:
        found = await served.hub.conversations().collect(limit=None)
        assert ids(found) == served.api.conversation_ids()


async def test_newest_messages_end_at_a_depth():
    async with firm(depth=10) as served:
        long = served.named("In one second")
        with pytest.raises(InvalidRequestError, match="out of bounds"):
            await served.hub.messages(f"clio:{long}", order="newest", page_size=5).collect(
                limit=None
            )


@pytest.mark.parametrize("since", ["strict", "inclusive"])
async def test_filters_over_the_wire(since):
    async with firm(since=since) as served:
        everything = await served.hub.conversations().collect(limit=None)
        middle = everything[len(everything) // 2]
        for filters, wanted in (
            (
                {"created_after": middle.created_at},
                [c for c in everything if c.created_at >= middle.created_at],
            ),
            (
                {"created_before": middle.created_at},
                [c for c in everything if c.created_at < middle.created_at],
            ),
            (
                {"updated_after": middle.updated_at},
                [c for c in everything if c.updated_at >= middle.updated_at],
            ),
            (
                {"state": ConversationState.ARCHIVED},
                [c for c in everything if c.state is ConversationState.ARCHIVED],
            ),
        ):
            found = await served.hub.conversations(**filters, page_size=3).collect(limit=None)
            assert found == wanted
            assert 0 < len(found) < len(everything)


async def test_conversations_of_a_contact():
    async with firm() as served:
        contact = served.api.settings["receiver_id"]
        stored = served.api.store.visible_conversations()
        found = await served.hub.conversations(
            participant=Ref("clio", f"contact/{contact}")
        ).collect(limit=None)
        assert ids(found) == [
            str(each["id"])
            for each in stored
            if any(one["member"]["id"] == contact for one in each["memberships"])
        ]


async def test_native_filters():
    async with firm() as served:
        hub, clio = served.hub, served.hub[Clio]
        stored = served.api.store.visible_conversations()
        some = [stored[4]["id"], stored[1]["id"]]
        for filters, wanted in (
            ({"read_status": False}, lambda c: not c["read"]),
            ({"for_user": False}, lambda c: c["current_user_is_member"]),
            ({"matter_id": "null"}, lambda c: c["matter"] is None),
            ({"time_entries": True}, lambda c: c["time_entries_count"]),
            ({"ids": some}, lambda c: c["id"] in some),
        ):
            found = await hub.iterate(clio.conversations(**filters)).collect(limit=None)
            assert ids(found) == [str(each["id"]) for each in stored if wanted(each)]
            assert 0 < len(found) < len(stored)
        ref = Ref("clio", served.named("Everything there is"))
        found = await hub.iterate(clio.messages(ref, query="<p>Signed*both")).collect(limit=None)
        assert [m.text.startswith("<p>Signed") for m in found] == [True]


async def test_one_conversation_and_one_message():
    async with firm() as served:
        ref = Ref("clio", served.named("Everything there is"))
        listed = await served.hub.conversations().collect(limit=None)
        assert await served.hub.conversation(ref) == next(c for c in listed if c.ref == ref)
        for message in await served.hub.messages(ref).collect(limit=None):
            assert await served.hub.message(ref, message.ref.id) == message


async def test_what_is_not_to_be_seen():
    async with firm() as served:
        hidden = served.named("Not for you")
        with pytest.raises(NotFoundError, match=r"clio\.conversation: HTTP 404"):
            await served.hub.conversation(f"clio:{hidden}")
        with pytest.raises(NotFoundError, match=r"clio\.participants"):
            await served.hub.participants(f"clio:{hidden}").collect(limit=None)


async def test_a_page_in_html():
    """A path behind a wrong base URL, and a gateway's own words."""
    async with firm(provider={"region": "eu"}, bad_gateway_every=1) as served:
        with pytest.raises(ServerError, match="HTTP 502"):
            await served.hub.conversations().collect(limit=None)


async def test_a_wrong_version():
    async with firm(provider={"api_version": "3.9.9"}) as served:
        with pytest.raises(InvalidRequestError, match="X-API-VERSION"):
            await served.hub.conversations().collect(limit=None)


@pytest.mark.parametrize(("rejected", "steps"), [("identifiers", 1), ("all", 2)])
async def test_the_ladder_is_walked_once(rejected, steps):
    async with firm(rejected_participant_fields=rejected) as served:
        ref = Ref("clio", served.named("In one second"))
        for _ in range(3):
            found = await served.hub.messages(ref, page_size=9).collect(limit=None)
            assert ids(found) == served.api.message_ids(ref.id)
        assert [r.status for r in served.server.requests] == [400] * steps + [200] * 12
        assert (await served.hub.message(ref, found[0].ref.id)).text == found[0].text


async def test_extra_fields_are_in_raw():
    extra = {"conversation_fields": ["matter{number}"], "message_fields": "sender{initials}"}
    async with firm(provider=extra) as served:
        ref = Ref("clio", served.named("One message"))
        found = await served.hub.conversation(ref)
        assert found.raw["matter"]["number"] == 1
        assert found.metadata["matter"]["id"] == found.raw["matter"]["id"]
        (message,) = await served.hub.messages(ref).collect(limit=None)
        assert message.raw["sender"]["initials"]


async def test_extra_fields_that_do_not_exist():
    async with firm(provider={"message_fields": ["mood"]}) as served:
        with pytest.raises(InvalidRequestError, match="mood is not a valid field; take it out"):
            await served.hub.messages("clio:8801").collect(limit=None)
        assert len(served.asked()) == 1


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_resuming(order):
    async with firm() as served:
        ref = Ref("clio", served.named("In one second"))
        wanted = served.api.message_ids(ref.id)[:: 1 if order == "oldest" else -1]
        pager = served.hub.messages(ref, order=order, page_size=4)
        taken = [(await anext(pager)).ref.id for _ in range(10)]
        saved = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        assert served.api.token not in json.dumps(saved)
        async with again(served) as hub:
            rest = await hub.resume(saved).collect(limit=None)
        assert taken + ids(rest) == wanted


async def test_resuming_below_the_first_rung():
    """The next page keeps the rung; another process need not climb down again."""
    async with firm(rejected_participant_fields="all") as served:
        ref = Ref("clio", served.named("In one second"))
        pager = served.hub.messages(ref, page_size=4, prefetch=0)
        taken = [(await anext(pager)).ref.id for _ in range(8)]
        saved = pager.checkpoint()
        async with again(served) as hub:
            rest = await hub.resume(saved).collect(limit=None)
        assert taken + ids(rest) == served.api.message_ids(ref.id)


async def test_resuming_conversations_with_filters():
    async with firm() as served:
        listing = served.hub[Clio].conversations(time_entries=False, ids=list(range(8801, 8815)))
        wanted = ids(await served.hub.iterate(listing).collect(limit=None))
        pager = served.hub.iterate(listing)
        taken = [(await anext(pager)).ref.id for _ in range(3)]
        async with again(served) as hub:
            rest = await hub.resume(pager.checkpoint()).collect(limit=None)
        assert taken + ids(rest) == wanted
        assert len(wanted) > 3


async def test_what_is_written_meanwhile():
    """From the oldest it comes last; from the newest nothing comes twice."""
    async with firm() as served:
        ref = Ref("clio", served.named("In one second"))
        stored = served.api.message_ids(ref.id)
        for order in ("oldest", "newest"):
            found = []
            async for message in served.hub.messages(ref, order=order, page_size=4, prefetch=0):
                found.append(message.ref.id)
                if len(found) % 6 == 1 and len(found) < 20:
                    served.api.add_message(ref.id)
            assert len(found) == len(set(found))
            assert set(stored) <= set(found)


@pytest.mark.parametrize("taken", [1, 4, 6])
async def test_what_goes_away_lets_nothing_slip_by(taken):
    """Counted from the newest, the next page would begin too late: once, the list is read anew."""
    async with firm() as served:
        ref = Ref("clio", served.named("In one second"))
        stored = served.api.store.conversations[int(ref.id)]["messages"]
        pager = served.hub.messages(ref, order="newest", page_size=4, prefetch=0)
        found = ids(await pager.collect(limit=taken))
        del stored[-2]
        found += ids(await pager.collect(limit=len(stored) // 2))
        del stored[-2]
        with pytest.raises(CursorExpiredError, match="slipped by") as caught:
            await pager.collect(limit=None)
        assert (caught.value.provider, caught.value.operation) == ("clio", "messages")
        found += ids(await served.hub.resume(pager.checkpoint()).collect(limit=None))
        assert len(found) == len(set(found))
        assert found == sorted(found, key=int, reverse=True)
        assert set(served.api.message_ids(ref.id)) <= set(found)


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_what_goes_away_lets_nothing_slip_by_where_nobody_says_how_many_there_are(gone):
    """Then the list is read again, until it is as long as before."""
    async with firm(records="page") as served:
        ref = Ref("clio", served.named("In one second"))
        stored = served.api.store.conversations[int(ref.id)]["messages"]
        pager = served.hub.messages(ref, order="newest", page_size=4, prefetch=0)
        found = ids(await pager.collect(limit=4))
        before = len(served.server.requests)
        del stored[len(stored) - gone :]
        found += ids(await pager.collect(limit=None))
        assert len(found) == len(set(found))
        assert set(served.api.message_ids(ref.id)) <= set(found)
        pages = -(-len(stored) // 4)
        assert len(served.server.requests) - before == 2 * pages - 1


def test_a_list_that_never_stays_as_long_is_an_error():
    request = CLIO.messages(ASKED, order="newest", page_size=2).request
    link = f"{request.url.update_query(page_token='t')}"
    for count in (1, 0, 1, 0):
        onward = COUNTED.after(request, answer({"paging": {"next": link}}))
        request = COUNTED.after(onward, answer({"paging": {}}, count))
        assert "page_token" not in request.query
    onward = COUNTED.after(request, answer({"paging": {"next": link}}))
    with pytest.raises(PagingError, match="faster"):
        COUNTED.after(onward, answer({"paging": {}}, 1))


async def test_what_comes_into_a_list_behind_the_walk_is_not_missed():
    async with firm() as served:
        first, *_ = await served.hub.conversations().collect(limit=1)
        await served.hub.archive(first.ref)
        asked = {"state": ConversationState.OPEN, "page_size": 1, "prefetch": 0}
        wanted = ids(await served.hub.conversations(**asked).collect(limit=None))
        pager = served.hub.conversations(**asked)
        found = ids(await pager.collect(limit=1))
        await served.hub.unarchive(first.ref)
        assert found + ids(await pager.collect(limit=None)) == wanted


async def test_new_webhooks_bring_none_back():
    async with firm() as served:
        clio = served.hub["clio"]

        async def hook(number):
            await clio.create_webhook(
                url=f"https://hooks.example/{number}",
                model="matter",
                fields="id",
                events=["updated"],
            )

        for number in range(4):
            await hook(number)
        pager = served.hub.iterate(clio.webhooks(order="newest", page_size=2), prefetch=0)
        found = await pager.collect(limit=2)
        await hook(4)
        found += await pager.collect(limit=None)
        assert len(found) == len({one.id for one in found}) >= 4


def truth_of(api, conversation):
    """Return who is behind each membership, and whether the number stands for another too."""
    memberships = api.store.conversations[int(conversation)]["memberships"]
    numbers = [each["member"]["id"] for each in memberships]
    return {
        str(each["id"]): None
        if numbers.count(each["member"]["id"]) > 1
        else (each["member"]["type"], each["member"]["id"], each["member"]["name"])
        for each in memberships
    }


@pytest.mark.parametrize("rejected", ["none", "identifiers"])
async def test_names_of_members(rejected):
    async with (
        firm(rejected_participant_fields=rejected) as served,
        again(served, resolve_names=True) as hub,
    ):
        for conversation in reversed(served.api.conversation_ids()):
            told = {
                person["id"]
                for message in served.api.store.visible_messages(int(conversation))[:200]
                for person in (message["sender"], *message["receivers"])
                if not (message.get("sender_lost") and person is message["sender"])
            }
            truth = truth_of(served.api, conversation)
            found = await hub.participants(f"clio:{conversation}").collect(limit=None)
            for participant in found:
                who = truth[participant.ref.id]
                if who is None or who[1] not in told:
                    assert participant.name is None
                    assert participant.user.id.startswith(f"member/{conversation}/")
                    continue
                sort = "user" if who[0] == "User" else "contact"
                assert participant.user.id == f"{sort}/{who[1]}"
                assert participant.name == who[2]
                assert participant.role is (Role.STAFF if sort == "user" else Role.CUSTOMER)


async def test_names_take_one_request():
    async with firm() as served:
        conversation = served.named("Everything there is")
        async with again(served, resolve_names=True) as hub:
            await hub.participants(f"clio:{conversation}").collect(limit=None)
            await hub.participants(f"clio:{conversation}").collect(limit=None)
        assert len(served.asked()) == 3


async def test_names_that_messages_do_not_tell():
    async with firm(rejected_participant_fields="all") as served:
        conversation = served.named("Between users")
        async with again(served, resolve_names=True) as hub:
            found = await hub.messages(f"clio:{conversation}").collect(limit=None)
            assert {m.author.name for m in found} == {None}
            assert [r.status for r in served.server.requests] == [400, 400, 200]


async def test_names_are_told_with_the_messages():
    async with firm() as served:
        conversation = served.named("Between users")
        async with again(served, resolve_names=True) as hub:
            found = await hub.messages(f"clio:{conversation}").collect(limit=None)
        assert all(m.author.name and m.direction is Direction.OUTBOUND for m in found)
        assert len(served.asked()) == 1


async def test_behind_a_gateway(serve):
    """Links name Clio's own host; only their token is followed."""
    asked = []

    async def gateway(request):
        asked.append(request.raw_path)
        last = "page_token" in request.query
        paging = {} if last else {"next": link()}
        body = {"meta": {"paging": paging}, "data": [{"id": 2 if last else 1}]}
        return web.json_response(body)

    base = await serve(gateway)
    async with ConversationsHub(Clio(token="t", base_url=f"{base}/gw/api/v4")) as hub:
        found = await hub.conversations(page_size=1).collect(limit=None)
    assert ids(found) == ["1", "2"]
    assert [path.partition("?")[0] for path in asked] == ["/gw/api/v4/conversations.json"] * 2
    assert asked[1] == f"{asked[0]}&page_token=T%2F1"


async def test_a_checkpoint_survives_what_is_learnt_of_fields():
    async with firm(rejected_participant_fields="identifiers") as served:
        conversation = served.named("Everything there is")
        async with again(served) as hub:
            pager = hub.messages(f"clio:{conversation}", page_size=3)
            first = [(await anext(pager)).ref.id for _ in range(4)]
            rest = [m.ref.id async for m in hub.resume(pager.checkpoint())]
            later = hub.messages(f"clio:{conversation}", page_size=3).checkpoint()
        async with again(served) as hub:
            assert [m.ref.id async for m in hub.resume(later)] == first + rest
        assert first + rest == served.api.message_ids(conversation)
