"""What is special about Twilio Conversations."""

import json
from base64 import b64encode
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import msgspec
import pytest
from attrs import evolve
from yarl import URL

from conftest import SAMPLES as ALL_SAMPLES
from conversations_hub import (
    Attachment,
    AuthenticationError,
    Author,
    ConfigurationError,
    ConflictError,
    Conversation,
    ConversationKind,
    ConversationsHub,
    ConversationState,
    CursorExpiredError,
    Direction,
    InvalidRequestError,
    Message,
    MessageKind,
    MessageState,
    NotFoundError,
    PagingError,
    Participant,
    PermissionDeniedError,
    RateLimitError,
    Ref,
    Role,
    ServerError,
    TranslationError,
    Twilio,
    UnsupportedError,
)
from conversations_hub.emulator import Server
from conversations_hub.providers.twilio import payloads, translate
from conversations_hub.providers.twilio.account import PAGES
from conversations_hub.questions import SHARED
from conversations_hub.raw import Raw
from conversations_hub.reading import Answer
from conversations_hub.wire import Request, Response
from support import seeded

SAMPLES = ALL_SAMPLES / "twilio"
ACCOUNT = "AC6f1d0aa29d2c41b7e5a3c0010b2d4e6f"
SERVICE = "IS7a20b1c39d2c41b7e5a3c0020b2d4e6f"
HERE = Ref("twilio", "CH9c42d3e59d2c41b7e5a3c0040b2d4e6f")
TWILIO = Twilio(account_sid=ACCOUNT, auth_token="a-token")
ROOT = "https://conversations.twilio.com/v1"
MEDIA = "https://mcs.us1.twilio.com"
FILES = f"{MEDIA}/v1/Services/{SERVICE}/Media"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sid(kind, n):
    return f"{kind}0f8a{n:02}b39d2c41b7e5a3c0070b2d4e6f"


def ref(id_):
    return Ref("twilio", id_)


DANA = Author(ref=ref(sid("MB", 1)), name="dana", role=Role.STAFF)
ANA = Author(ref=ref(sid("MB", 2)), name="+15558675310", role=Role.CUSTOMER)
MAIL = "ana@mail.example.org"


def conversation(n, **fields):
    """Return what the n-th sample conversation becomes."""
    expected = Conversation(
        ref=ref(sid("CH", n)),
        kind=ConversationKind.GROUP,
        state=ConversationState.OPEN,
        title="Boiler visit",
        created_at=at("2026-03-02T09:00:00"),
        updated_at=at("2026-03-02T09:14:51"),
    )
    return evolve(expected, **fields)


def message(n, **fields):
    """Return what the n-th sample message becomes: Dana's, unless it says otherwise."""
    author = fields.get("author", DANA)
    inbound = author is not None and author.role is Role.CUSTOMER
    moment = at(f"2026-03-02T09:14:{n:02}")
    expected = Message(
        ref=ref(sid("IM", n)),
        conversation=HERE,
        kind=MessageKind.TEXT,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        author=DANA,
        sent_at=moment,
        updated_at=moment,
    )
    return evolve(expected, **fields)


def participant(n, **fields):
    """Return what the n-th sample participant becomes."""
    expected = Participant(
        ref=ref(sid("MB", n)), conversation=HERE, joined_at=at("2026-03-02T09:05:50")
    )
    return evolve(expected, **fields)


CONVERSATIONS = {
    "full": conversation(1, metadata={"topic": "repair", "tags": ["é", "👍"]}),
    "null": conversation(2, state=None, title=None, created_at=None, updated_at=None),
    "inactive": conversation(3, state=ConversationState.INACTIVE),
    "closed": conversation(4, state=ConversationState.CLOSED, title="Équipe 👩🏽‍⚖️ «Eins» & Co"),
    "initializing": conversation(5, state=ConversationState.UNKNOWN),
    "unknown": conversation(
        6,
        state=ConversationState.UNKNOWN,
        created_at=at("2026-03-02T09:00:00.516"),
        updated_at=at("2026-03-02T09:00:00.516"),
    ),
    "least": Conversation(ref=ref(sid("CH", 7)), kind=ConversationKind.GROUP),
}
MESSAGES = {
    "chat": message(1, text="On my way", metadata={"topic": "repair"}),
    "sms": message(2, author=ANA, text="Thanks"),
    "whatsapp": message(
        3, author=evolve(ANA, name="whatsapp:+15558675310"), text="Olá & bom dia 👍"
    ),
    "system": message(
        4, author=Author(name="system", role=Role.SYSTEM), text="The visit is confirmed."
    ),
    "mail-known": message(
        5,
        author=Author(ref=ANA.ref, name=MAIL),
        direction=Direction.UNKNOWN,
        text="See below",
    ),
    "mail-gone": message(6, author=Author(name=MAIL, role=Role.CUSTOMER), text="See below"),
    "number-gone": message(7, author=evolve(ANA, ref=None), text="Stop"),
    "nobody": message(
        8,
        author=Author(name="somebody-we-know-not"),
        direction=Direction.UNKNOWN,
        text="Hello?",
    ),
    "media": message(
        9,
        kind=MessageKind.MEDIA,
        author=ANA,
        attachments=(
            Attachment(
                id=sid("ME", 1),
                name="car.jpg",
                media_type="image/jpeg",
                size=42056,
                url=f"{FILES}/{sid('ME', 1)}/Content",
            ),
        ),
    ),
    "media-default": message(
        10,
        kind=MessageKind.MEDIA,
        author=Author(ref=ANA.ref, name=MAIL),
        direction=Direction.UNKNOWN,
        text="with files",
        attachments=(
            Attachment(id=sid("ME", 2), name="body.html", media_type="text/html", size=512),
            Attachment(id=sid("ME", 3), media_type="audio/amr", size=0),
            Attachment(),
        ),
    ),
    "content": message(11, kind=MessageKind.CARD),
    "content-body": message(12, text="Your visit is at nine."),
    "edited": message(
        13, text="At ten", state=MessageState.EDITED, updated_at=at("2026-03-02T10:00:00")
    ),
    "never-edited": message(14, text="At nine", updated_at=None),
    "empty": message(15, text=""),
    "nothing": message(16, kind=MessageKind.UNKNOWN),
    "no-author": message(
        17,
        author=Author(ref=DANA.ref),
        direction=Direction.UNKNOWN,
        text="From somebody",
        sent_at=at("2026-03-02T09:14:17.516"),
        updated_at=at("2026-03-02T09:14:17.516"),
    ),
    "named-system": message(18, author=evolve(DANA, name="system"), text="I chose this name"),
    "least": Message(ref=ref(sid("IM", 19)), conversation=HERE),
}
PARTICIPANTS = {
    "chat": participant(
        1,
        user=ref("dana"),
        name="dana",
        role=Role.STAFF,
        channel="chat",
        address="dana",
        last_read_at=at("2026-03-02T09:20:00"),
        metadata={"role": "driver"},
    ),
    "sms": participant(2, role=Role.CUSTOMER, channel="sms", address="+15558675310"),
    "whatsapp": participant(
        3, role=Role.CUSTOMER, channel="whatsapp", address="whatsapp:+15558675310"
    ),
    "rcs-as-sms": participant(4, role=Role.CUSTOMER, channel="sms", address="rcs:+15558675310"),
    "both": participant(5, user=ref("alice"), name="alice", channel="sms", address="+15558675310"),
    "group-ours": participant(
        6,
        user=ref("dana"),
        name="dana",
        role=Role.STAFF,
        channel="sms",
        address="+15017122661",
    ),
    "group-nameless": participant(7, role=Role.STAFF, channel="sms", address="+15017122661"),
    "group-outsider": participant(8, role=Role.CUSTOMER, channel="sms", address="+15558675310"),
    "mail": participant(9, name="Ana Prieto", role=Role.CUSTOMER, channel="email", address=MAIL),
    "nulls": participant(10, user=ref("dana"), name="dana", role=Role.STAFF, address="dana"),
    "bare": participant(11),
    "unknown": participant(
        12,
        role=Role.CUSTOMER,
        channel="telepathy",
        address="mind:42",
        joined_at=at("2026-03-02T09:05:50.516"),
    ),
    "least": participant(13, channel="chat", joined_at=None),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations(sample, name):
    payload = sample("twilio", f"conversation-{name}")
    read = msgspec.convert(payload, payloads.Conversation)
    got = translate.conversation("twilio", read, Raw.of(payload))
    assert got == CONVERSATIONS[name]
    assert got.raw == payload


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(sample, name):
    payload = sample("twilio", f"message-{name}")
    read = msgspec.convert(payload, payloads.Message)
    got = translate.message(HERE, MEDIA, read, Raw.of(payload))
    assert got == MESSAGES[name]
    assert got.raw == payload


@pytest.mark.parametrize("name", PARTICIPANTS)
def test_participants(sample, name):
    payload = sample("twilio", f"participant-{name}")
    read = msgspec.convert(payload, payloads.Participant)
    got = translate.participant(HERE, read, Raw.of(payload))
    assert got == PARTICIPANTS[name]
    assert got.raw == payload


@pytest.mark.parametrize(
    ("samples", "models"),
    [("conversation", CONVERSATIONS), ("message", MESSAGES), ("participant", PARTICIPANTS)],
)
def test_every_sample_is_compared(samples, models):
    found = {file.stem for file in SAMPLES.glob(f"{samples}-*.json")}
    assert found == {f"{samples}-{name}" for name in models}


def read_page(listing, **body):
    body = {"meta": {"next_page_url": None}} | body
    return listing.read(listing.request, Response(status=200, body=json.dumps(body).encode()))


def test_what_a_participants_list_says_of_conversations():
    """The same facts, each under a longer name."""
    record = {
        "account_sid": ACCOUNT,
        "conversation_sid": sid("CH", 1),
        "conversation_friendly_name": "Boiler visit",
        "conversation_unique_name": None,
        "conversation_attributes": '{"topic": "repair", "tags": ["é", "👍"]}',
        "conversation_state": "active",
        "conversation_date_created": "2026-03-02T09:00:00Z",
        "conversation_date_updated": "2026-03-02T09:14:51Z",
        "participant_sid": sid("MB", 1),
        "participant_identity": "dana",
    }
    page = read_page(TWILIO.conversations(participant=ref("dana")), conversations=[record])
    assert page.items == (CONVERSATIONS["full"],)
    assert page.items[0].raw == record


@pytest.mark.parametrize(
    ("author", "present", "direction", "role"),
    [
        ("system", False, Direction.OUTBOUND, Role.SYSTEM),
        ("system", True, Direction.OUTBOUND, Role.STAFF),
        ("+15558675310", True, Direction.INBOUND, Role.CUSTOMER),
        ("+15558675310", False, Direction.INBOUND, Role.CUSTOMER),
        ("WhatsApp:+15558675310", False, Direction.INBOUND, Role.CUSTOMER),
        ("rcs:+15558675310", True, Direction.INBOUND, Role.CUSTOMER),
        ("messenger:100200300", True, Direction.INBOUND, Role.CUSTOMER),
        (MAIL, True, Direction.UNKNOWN, Role.UNKNOWN),
        (MAIL, False, Direction.INBOUND, Role.CUSTOMER),
        ("dana", True, Direction.OUTBOUND, Role.STAFF),
        ("agent:7", True, Direction.OUTBOUND, Role.STAFF),
        ("dana", False, Direction.UNKNOWN, Role.UNKNOWN),
        ("100%", True, Direction.OUTBOUND, Role.STAFF),
        ("", True, Direction.OUTBOUND, Role.STAFF),
        ("+", False, Direction.UNKNOWN, Role.UNKNOWN),
        (None, True, Direction.UNKNOWN, Role.UNKNOWN),
    ],
)
def test_direction(author, present, direction, role):
    who = sid("MB", 1) if present else None
    body = {"sid": "IM1", "author": author, "participant_sid": who}
    got = translate.message(HERE, MEDIA, msgspec.convert(body, payloads.Message), Raw.of(body))
    assert got.direction is direction
    assert got.author == Author(ref=ref(who) if who else None, name=author, role=role)


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        pytest.param('{"a": {"b": [1, null]}}', {"a": {"b": [1, None]}}, id="an object"),
        pytest.param(' {"a":1,"a":2} ', {"a": 2}, id="spaces, and a name twice"),
        pytest.param("", {}, id="empty"),
        pytest.param("{ }", {}, id="an empty object"),
        pytest.param("null", {}, id="null"),
        pytest.param("7", {}, id="a number"),
        pytest.param('"text"', {}, id="a string"),
        pytest.param("[{}]", {}, id="a list"),
        pytest.param("{not json", {}, id="no JSON"),
        pytest.param('{"a": "\\ud800"}', {}, id="half a character"),
        pytest.param("{" * 100_000, {}, id="braces"),
        pytest.param("[" * 100_000 + "]" * 100_000, {}, id="lists in lists"),
        pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, {}, id="objects in objects"),
        pytest.param('{"a":' + "1" * 5000 + "}", {}, id="a number too long"),
    ],
)
def test_attributes(text, metadata):
    """Whatever somebody attached, the record is read, and `raw` keeps it as it was."""
    kinds = {
        "conversations": TWILIO.conversations(),
        "messages": TWILIO.messages(HERE),
        "participants": TWILIO.participants(HERE),
    }
    for items, listing in kinds.items():
        page = read_page(listing, **{items: [{"sid": "X1", "attributes": text}, {"sid": "X2"}]})
        assert [(i.ref.id, i.metadata) for i in page.items] == [("X1", metadata), ("X2", {})]
        assert page.items[0].raw["attributes"] == text


def test_a_message_says_where_it_is():
    """It may have been asked for by the conversation's unique name."""
    for listing, items in ((TWILIO.messages, "messages"), (TWILIO.participants, "participants")):
        records = [{"sid": "X1", "conversation_sid": HERE.id}, {"sid": "X2"}]
        page = read_page(listing(ref("case/2026/1")), **{items: records})
        assert [i.conversation for i in page.items] == [HERE, ref("case/2026/1")]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({}, "https://mcs.us1.twilio.com"),
        ({"edge": "sydney"}, "https://mcs.us1.twilio.com"),
        ({"edge": "dublin", "region": "ie1"}, "https://mcs.ie1.twilio.com"),
        (
            {"base_url": "https://conversations.dublin.ie1.twilio.com", "region": "ie1"},
            "https://mcs.ie1.twilio.com",
        ),
        ({"base_url": "http://gateway.test/t/", "region": "ie1"}, "http://gateway.test/t"),
        ({"media_url": "https://files.test/m/"}, "https://files.test/m"),
        (
            {"base_url": "http://gateway.test", "media_url": "https://files.test"},
            "https://files.test",
        ),
    ],
)
def test_where_files_are(settings, place):
    record = {"sid": "IM1", "chat_service_sid": SERVICE, "media": [{"sid": "ME1"}]}
    provider = evolve(TWILIO, service_sid=SERVICE, **settings)
    page = read_page(provider.messages(HERE), messages=[record])
    body = json.dumps(record).encode()
    one = provider.message(HERE, "IM1").read(Response(status=200, body=body))
    for found in (page.items[0], one):
        url = found.attachments[0].url
        assert url == f"{place}/v1/Services/{SERVICE}/Media/ME1/Content"
    assert provider.origins == {provider.base_url.origin(), URL(place).origin()}


def test_another_name_goes_into_every_ref():
    """Two accounts of one provider do not mix up their people."""
    second = evolve(TWILIO, name="second")
    where = Ref("second", "CH1")
    record = {"sid": "X", "author": "dana", "participant_sid": "MB", "conversation_sid": "CH2"}
    found = read_page(second.messages(where), messages=[record]).items[0]
    person = {"sid": "X", "identity": "dana", "conversation_sid": "CH2"}
    who = read_page(second.participants(where), participants=[person]).items[0]
    of = read_page(second.conversations(), conversations=[{"sid": "CH1"}]).items[0]
    refs = [found.ref, found.conversation, found.author.ref, who.ref, who.conversation, who.user]
    assert {r.provider for r in [*refs, of.ref]} == {"second"}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"media": [{"size": "big"}]}, "messages[1].media[0].size"),
        ({"date_created": "yesterday"}, "messages[1].date_created"),
        ({"date_created": "2026-03-02T09:00:00"}, "messages[1].date_created"),
        ({"sid": None}, "messages[1].sid"),
    ],
)
def test_a_broken_message_stands_alone(wrong, path):
    """Its neighbours come, and the page still leads to the next one."""
    listing = TWILIO.messages(HERE)
    records = [{"sid": "IM1"}, {"sid": "IM2", **wrong}, {"sid": "IM3"}]
    url = f"{ROOT}/Conversations/{HERE.id}/Messages?Page=1&PageToken=PT1"
    page = read_page(listing, messages=records, meta={"next_page_url": url})
    assert [m.ref.id for m in page.items] == ["IM1", "IM3"]
    assert [error.path for _, error in page.broken] == [path]
    assert isinstance(page.broken[0][1], TranslationError)
    assert page.next.query == {"Page": "1", "PageToken": "PT1"}


# Paging.

LIST = f"{ROOT}/Conversations"
DUBLIN = "https://conversations.dublin.ie1.twilio.com/v1/Conversations"
GATEWAY = "https://gateway.test:8443/twilio/v1/Conversations"
LINK = "?State=active&PageSize=2&Page=1&PageToken=PTactive_2026-03-02T09%3A00%3A00.516Z_CH%2B1"


@pytest.mark.parametrize(
    ("asked", "link"),
    [
        pytest.param(LIST, LIST, id="the same host"),
        pytest.param(DUBLIN, LIST, id="an edge was asked, the generic host is named"),
        pytest.param(LIST, DUBLIN, id="the generic host was asked, an edge is named"),
        pytest.param(DUBLIN, "https://conversations.ie1.twilio.com/v1/Conversations", id="region"),
        pytest.param(GATEWAY, LIST, id="a gateway with a prefix was asked"),
        pytest.param(GATEWAY, GATEWAY, id="a gateway that rewrites answers"),
        pytest.param(LIST, LIST.replace(".com/", ".com:443/"), id="the port written out"),
    ],
)
def test_a_next_link_leads_on_at_the_host_that_was_asked(asked, link):
    """Its query comes along byte for byte."""
    request = Request(url=URL(f"{asked}?PageSize=2", encoded=True))
    onward = PAGES.after(request, Answer(envelope={"meta": {"next_page_url": link + LINK}}))
    assert str(onward.url) == asked + LINK


@pytest.mark.parametrize("quoted", ["dana%40x.org%2fb", "dana@x.org%2Fb", "dana%40x.org%2Fb"])
def test_a_next_link_leads_on_however_its_path_is_quoted(quoted):
    asked = TWILIO.user_conversations("dana@x.org/b").request
    link = f"{ROOT}/Users/{quoted}/Conversations{LINK}"
    onward = PAGES.after(asked, Answer(envelope={"meta": {"next_page_url": link}}))
    assert str(onward.url) == f"{ROOT}/Users/dana%40x.org%2Fb/Conversations{LINK}"


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://conversations.example.org/v1/Conversations", id="a foreign host"),
        pytest.param("https://conversations.twilio.com.evil.test/v1/Conversations", id="a suffix"),
        pytest.param("https://evil-conversations.twilio.com/v1/Conversations", id="a prefix"),
        pytest.param("https://conversations.a.b.c.twilio.com/v1/Conversations", id="too deep"),
        pytest.param("https://api.twilio.com/v1/Conversations", id="another service of Twilio"),
        pytest.param("http://conversations.twilio.com/v1/Conversations", id="without TLS"),
        pytest.param("https://conversations.twilio.com:8443/v1/Conversations", id="another port"),
        pytest.param("https://u:p@conversations.twilio.com/v1/Conversations", id="credentials"),
        pytest.param(f"{ROOT}/Credentials", id="another list"),
        pytest.param(f"{ROOT}/Services/{SERVICE}/Conversations", id="the other form"),
        pytest.param("/v1/Conversations", id="no host"),
        pytest.param("", id="no link"),
        pytest.param("https://[", id="no URL"),
        pytest.param(7, id="a number"),
    ],
)
def test_a_next_link_elsewhere_is_not_followed(link):
    request = Request(url=URL(f"{LIST}?PageSize=2", encoded=True))
    with pytest.raises(PagingError):
        PAGES.after(request, Answer(envelope={"meta": {"next_page_url": link}}, count=2))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_only_null_ends_a_list(count):
    request = Request(url=URL(f"{LIST}?PageSize=2", encoded=True))
    end = Answer(envelope={"meta": {"next_page_url": None}}, count=count)
    assert PAGES.after(request, end) is None
    more = Answer(envelope={"meta": {"next_page_url": LIST + LINK}}, count=count)
    assert PAGES.after(request, more) is not None


@pytest.mark.parametrize("envelope", [{}, {"meta": {}}, {"meta": None}, {"meta": {"next": None}}])
def test_a_list_that_does_not_say_how_it_goes_on(envelope):
    with pytest.raises(PagingError):
        PAGES.after(Request(url=URL(LIST)), Answer(envelope=envelope, count=2))


# What is asked.


def targets(listing):
    return [str(part.request.url).removeprefix(ROOT) for part in listing.parts]


def days(first, last):
    return f"/Conversations?StartDate={first}T00%3A00%3A00Z&EndDate={last}T23%3A59%3A59Z"


EARLY = "StartDate=1970-01-01T00%3A00%3A00Z"
HANOI = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param(
            TWILIO.conversations(),
            [f"/Conversations?{EARLY}&PageSize=100"],
            id="in order of creation, which is stable",
        ),
        pytest.param(
            TWILIO.conversations(
                created_after=at("2026-03-02T09:00:00.5"),
                created_before=at("2026-03-04T10:30:00"),
                state=ConversationState.INACTIVE,
                page_size=1000,
            ),
            [days("2026-03-02", "2026-03-04") + "&State=inactive&PageSize=100"],
            id="whole days",
        ),
        pytest.param(
            TWILIO.conversations(created_before=at("2026-03-04T23:59:59.2"), page_size=7),
            [f"/Conversations?{EARLY}&EndDate=2026-03-05T23%3A59%3A59Z&PageSize=7"],
            id="the second that EndDate may leave out",
        ),
        pytest.param(
            TWILIO.conversations(
                created_after=datetime(2026, 3, 2, 6, 59, tzinfo=HANOI),
                created_before=datetime(2026, 3, 3, 6, 59, tzinfo=HANOI),
                state=ConversationState.OPEN,
            ),
            [days("2026-03-01", "2026-03-02") + "&State=active&PageSize=100"],
            id="days of UTC",
        ),
        pytest.param(
            TWILIO.conversations(created_before=datetime.max.replace(tzinfo=UTC)),
            [f"/Conversations?{EARLY}&EndDate=9999-12-31T23%3A59%3A59Z&PageSize=100"],
            id="the end of time",
        ),
        pytest.param(
            TWILIO.conversations(participant="+15558675310"),
            ["/ParticipantConversations?Address=%2B15558675310&PageSize=50"],
            id="a number",
        ),
        pytest.param(
            TWILIO.conversations(participant="whatsapp:+15558675310", page_size=3),
            ["/ParticipantConversations?Address=whatsapp%3A%2B15558675310&PageSize=3"],
            id="an address",
        ),
        pytest.param(
            TWILIO.conversations(participant="Müller & Söhne"),
            ["/ParticipantConversations?Identity=M%C3%BCller%20%26%20S%C3%B6hne&PageSize=50"],
            id="a name",
        ),
        pytest.param(
            TWILIO.conversations(participant=ref("+15558675310")),
            ["/ParticipantConversations?Identity=%2B15558675310&PageSize=50"],
            id="a ref is an identity, whatever it looks like",
        ),
        pytest.param(
            TWILIO.conversations(participant=MAIL),
            [
                "/ParticipantConversations?Identity=ana%40mail.example.org&PageSize=50",
                "/ParticipantConversations?Address=ana%40mail.example.org&PageSize=50",
            ],
            id="an e-mail address, which may be a name",
        ),
        pytest.param(
            TWILIO.conversations(participant=ref(MAIL)),
            ["/ParticipantConversations?Identity=ana%40mail.example.org&PageSize=50"],
            id="a ref to somebody named like an e-mail address",
        ),
        pytest.param(
            TWILIO.messages(ref("case/2026 #1"), order="newest", page_size=7),
            ["/Conversations/case%2F2026%20%231/Messages?Order=desc&PageSize=7"],
            id="messages by unique name",
        ),
        pytest.param(
            TWILIO.messages(HERE, since=at("2026-03-02T09:00:00")),
            [f"/Conversations/{HERE.id}/Messages?Order=asc&PageSize=100"],
            id="messages",
        ),
        pytest.param(
            TWILIO.participants(HERE, page_size=101),
            [f"/Conversations/{HERE.id}/Participants?PageSize=100"],
            id="participants",
        ),
        pytest.param(
            evolve(TWILIO, service_sid=SERVICE).conversations(participant="dana"),
            [f"/Services/{SERVICE}/ParticipantConversations?Identity=dana&PageSize=50"],
            id="another service",
        ),
    ],
)
def test_requests(listing, expected):
    assert targets(listing) == expected


@pytest.mark.parametrize("service", [None, SERVICE])
def test_calls(service):
    provider = evolve(TWILIO, service_sid=service)
    root = f"{ROOT}/Services/{service}" if service else ROOT
    one, message = provider.conversation(ref("a/b")), provider.message(HERE, "IM1")
    assert str(one.request.url) == f"{root}/Conversations/a%2Fb"
    assert str(message.request.url) == f"{root}/Conversations/{HERE.id}/Messages/IM1"


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        pytest.param(
            lambda t: t.conversations(state=ConversationState.ARCHIVED),
            UnsupportedError,
            "never archived",
            id="a state that is none",
        ),
        pytest.param(
            lambda t: t.conversations(state=ConversationState.UNKNOWN, participant="dana"),
            UnsupportedError,
            "never unknown",
            id="an unknown state of somebody's",
        ),
        pytest.param(
            lambda t: t.conversations(participant=Ref("clio", "1")),
            ConfigurationError,
            "clio",
            id="somebody of another provider",
        ),
        pytest.param(
            lambda t: t.conversations(participant=DANA.ref),
            UnsupportedError,
            "`user`",
            id="a participant, who is in one conversation alone",
        ),
        pytest.param(
            lambda t: t.conversations(participant=DANA.ref.id),
            UnsupportedError,
            "`user`",
            id="a participant's SID, which nobody has for a name",
        ),
        pytest.param(
            lambda t: t.add_participant(HERE, sid("US", 1)),
            UnsupportedError,
            "`identity`",
            id="a user's SID, which would become a name",
        ),
        pytest.param(
            lambda t: t.messages(HERE, order="desc"), ConfigurationError, "desc", id="order"
        ),
        pytest.param(
            lambda t: t.messages(HERE, page_size=0), ConfigurationError, "page_size", id="size"
        ),
        pytest.param(
            lambda t: t.conversations(created_before=datetime(2026, 1, 1)),  # noqa: DTZ001
            ConfigurationError,
            "aware datetime",
            id="a time without zone",
        ),
        pytest.param(
            lambda t: t.conversations(participant="d", created_after=datetime(2026, 1, 1)),  # noqa: DTZ001
            ConfigurationError,
            "aware datetime",
            id="a time without zone, of somebody",
        ),
    ],
)
def test_what_cannot_be_asked(ask, error, words):
    with pytest.raises(error, match=words):
        ask(TWILIO)


def test_capabilities():
    assert set(SHARED) - TWILIO.capabilities == {"archive", "unarchive"} == set(TWILIO.nearest)


CREATED, UPDATED = at("2026-03-02T09:00:00"), at("2026-03-02T09:14:51")
TICK = timedelta(milliseconds=1)


@pytest.mark.parametrize("who", [{}, {"participant": "dana"}, {"participant": MAIL}])
@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, True),
        ({"created_after": CREATED}, True),
        ({"created_after": CREATED + TICK}, False),
        ({"created_before": CREATED}, False),
        ({"created_before": CREATED + TICK}, True),
        ({"updated_after": UPDATED}, True),
        ({"updated_after": UPDATED + TICK}, False),
        ({"created_after": CREATED, "updated_after": UPDATED + TICK}, False),
    ],
)
def test_times_are_exact_whatever_the_api_is_asked_for(who, filters, kept):
    parts = TWILIO.conversations(**who, **filters).parts
    assert {p.keep is None or p.keep(CONVERSATIONS["full"]) for p in parts} == {kept}
    assert all(p.keep is None or p.keep(CONVERSATIONS["null"]) for p in parts)


# Who asks, and where.


def test_token_and_key():
    def header(text):
        return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}

    key = Twilio(account_sid=ACCOUNT, api_key_sid="SK1", api_key_secret="s3cret-key")
    assert TWILIO.auth_headers() == header(f"{ACCOUNT}:a-token")
    assert key.auth_headers() == header("SK1:s3cret-key")
    assert evolve(key, auth_token="t").auth_headers() == header("SK1:s3cret-key")
    assert evolve(TWILIO, api_key_sid="SK1").auth_headers() == header(f"{ACCOUNT}:a-token")
    assert "s3cret" not in repr(key)
    assert "a-token" not in repr(TWILIO)


@pytest.mark.parametrize(
    "given", [{}, {"auth_token": ""}, {"api_key_sid": "SK1"}, {"api_key_secret": "s"}]
)
def test_nothing_that_proves_who_asks(given):
    with pytest.raises(ConfigurationError, match="auth_token"):
        Twilio(account_sid=ACCOUNT, **given)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://conversations.twilio.com"),
        ({"edge": "sydney"}, "https://conversations.sydney.us1.twilio.com"),
        (
            {"edge": "dublin", "region": "ie1"},
            "https://conversations.dublin.ie1.twilio.com",
        ),
        ({"region": "us1"}, "https://conversations.twilio.com"),
        ({"region": "ie1", "base_url": "http://gateway.test/t/"}, "http://gateway.test/t"),
    ],
)
def test_hosts(settings, url):
    provider = Twilio(account_sid=ACCOUNT, auth_token="t", **settings)
    assert str(provider.base_url).rstrip("/") == url
    assert str(provider.conversation(HERE).request.url) == f"{url}/v1/Conversations/{HERE.id}"


def test_a_region_needs_an_edge():
    with pytest.raises(ConfigurationError, match="ie1"):
        Twilio(account_sid=ACCOUNT, auth_token="t", region="ie1")


@pytest.mark.parametrize(
    "settings",
    [
        {"edge": "elsewhere.test/dublin"},
        {"edge": "dublin", "region": "ie1.elsewhere.test/"},
        {"edge": "dublin\n"},
        {"edge": 1},
    ],
)
def test_no_region_or_edge_leads_to_another_host(settings):
    """Credentials would go there."""
    with pytest.raises(ConfigurationError, match="no region or edge"):
        Twilio(account_sid=ACCOUNT, auth_token="t", **settings)


def test_a_password_in_an_address_is_not_shown():
    with pytest.raises(ConfigurationError, match="media_url takes") as caught:
        Twilio(account_sid=ACCOUNT, auth_token="t", media_url="https://me:canary@media.test/")
    assert "canary" not in str(caught.value)


def test_from_env():
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": "t",
        "TWILIO_API_KEY": "SK1",
        "TWILIO_API_SECRET": "s",
        "TWILIO_CHAT_SERVICE_SID": SERVICE,
        "TWILIO_REGION": "ie1",
        "TWILIO_EDGE": "dublin",
    }
    assert Twilio.from_env(environ) == Twilio(
        account_sid=ACCOUNT,
        auth_token="t",
        api_key_sid="SK1",
        api_key_secret="s",
        service_sid=SERVICE,
        region="ie1",
        edge="dublin",
    )


# What is refused.

PLAIN = TWILIO.conversations().request
ONWARD = PLAIN.with_query(Page=1, PageToken="PTall_x")


def says(status, code, message="No"):
    return status, {"code": code, "message": message, "more_info": "…", "status": status}


PROBLEM = 400, {"type": "…/21481", "title": "Bad token", "status": 400, "code": 21481}
DETAILED = 404, {"title": "Not found", "detail": "No such thing", "code": "20404", "errors": []}
CODELESS = 400, {"message": "Invalid page token", "status": 400}


@pytest.mark.parametrize(
    ("request_", "answer", "kind", "code", "words"),
    [
        (PLAIN, says(400, 20001), InvalidRequestError, "20001", ": No"),
        (PLAIN, says(401, 20003), AuthenticationError, "20003", "check the credentials"),
        (PLAIN, says(403, 50417), PermissionDeniedError, "50417", ": No"),
        (PLAIN, says(404, 20404), NotFoundError, "20404", "check the id"),
        (PLAIN, says(404, 50350), NotFoundError, "50350", "check the id"),
        (PLAIN, says(400, 50350), NotFoundError, "50350", "check the id"),
        (ONWARD, says(400, 50432), NotFoundError, "50432", "check the id"),
        (PLAIN, says(400, 50437), ConflictError, "50437", ": No"),
        (PLAIN, says(400, 50438), ConflictError, "50438", ": No"),
        (PLAIN, says(429, 20429), RateLimitError, "20429", "ask less often"),
        (PLAIN, says(400, 50385, "Region"), InvalidRequestError, "50385", "Region"),
        (PLAIN, DETAILED, NotFoundError, "20404", "No such thing"),
        (PLAIN, PROBLEM, InvalidRequestError, "21481", "Bad token"),
        (ONWARD, PROBLEM, CursorExpiredError, "21481", "start the walk anew"),
        (ONWARD, says(400, 20001), CursorExpiredError, "20001", "start the walk anew"),
        (ONWARD, says(400, 70002), CursorExpiredError, "70002", "start the walk anew"),
        (ONWARD, CODELESS, CursorExpiredError, None, "Invalid page token"),
        (PLAIN, CODELESS, InvalidRequestError, None, "Invalid page token"),
        (ONWARD, says(400, 50385), InvalidRequestError, "50385", ": No"),
        (ONWARD, says(404, 20404), NotFoundError, "20404", ": No"),
        (ONWARD, (404, {"message": "gone"}), NotFoundError, None, "gone"),
        (ONWARD, (503, "<html>"), ServerError, None, "HTTP 503 [GET"),
        (PLAIN, (502, "<html>Bad gateway</html>"), ServerError, None, "HTTP 502 [GET"),
        (PLAIN, (400, [{"code": 1}]), InvalidRequestError, None, "HTTP 400 [GET"),
        (PLAIN, (400, {"message": {"a": 1}, "code": 0}), InvalidRequestError, "0", ""),
    ],
)
def test_refusals(request_, answer, kind, code, words):
    status, body = answer
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response = Response(status=status, body=content, headers={"twilio-request-id": "RQ1"})
    error = TWILIO.error_for("conversations", request_, response)
    assert type(error) is kind
    assert (error.code, error.request_id, error.status) == (code, "RQ1", status)
    assert words in str(error)


# Against the emulator, over real sockets.


@asynccontextmanager
async def running(scale=0.02, hub=None, intercept=None, settings=None, **switches):
    """Serve a small account; yield it, a hub, and the server with its log."""
    api = seeded("twilio", seed=5, scale=scale, **switches)
    server = Server(api, intercept=intercept)
    await server.start()
    try:
        async with ConversationsHub(account(server, **(settings or {})), **(hub or {})) as opened:
            yield api, opened, server
    finally:
        await server.stop()


def account(server, **changes):
    return Twilio(**{"base_url": server.base_url, **server.api.arguments, **changes})


async def ids(pager):
    return [item.ref.id async for item in pager]


def fullest(api):
    """Return the conversations with most of all kinds of messages, and with most people."""
    everything, *_, crowd = list(api.store.conversations)[:5]
    return everything, crowd


async def check_lists(api, hub, size):
    """Compare ids and order of every list with what the emulator holds."""
    assert await ids(hub.conversations(page_size=size)) == api.conversation_ids()
    for conversation in fullest(api):
        there = ref(conversation)
        expected = api.message_ids(conversation)
        assert await ids(hub.messages(there, page_size=size)) == expected
        listing = hub["twilio"].participants(there, page_size=size)
        assert await ids(hub.iterate(listing)) == api.participant_ids(conversation)


SIZES = (1, 2, 3, 7, None)


@pytest.mark.parametrize("size", SIZES)
async def test_lists_are_whole_and_in_order(size):
    async with running() as (api, hub, server):
        await check_lists(api, hub, size)
        for conversation in fullest(api):
            newest = await ids(hub.messages(ref(conversation), order="newest", page_size=size))
            assert newest == api.message_ids(conversation)[::-1]
        assert {r.status for r in server.requests} == {200}


PAGING = [
    {"empty_middle_page": True},
    {"short_pages": True},
    {"empty_middle_page": True, "short_pages": True, "next_page_url": "generic"},
    {"reject_page_without_token": True, "page_size_above_cap": "clamp"},
]


@pytest.mark.parametrize("switches", PAGING, ids="-".join)
@pytest.mark.parametrize("size", SIZES)
async def test_only_the_end_of_a_list_ends_it(size, switches):
    async with running(**switches) as (api, hub, server):
        await check_lists(api, hub, size)
        assert {r.status for r in server.requests} == {200}


async def read_models(**switches):
    """Return the conversations, and the messages and participants of some, as they are read."""
    async with running(**switches) as (api, hub, _):
        some = [ref(c) for c in list(api.store.conversations)[:8]]
        conversations = await hub.conversations().collect(limit=None)
        messages = [m for c in some async for m in hub.messages(c)]
        people = [p for c in some async for p in hub.participants(c)]
        return conversations, messages, people


@pytest.mark.parametrize(
    "switches",
    [
        {"extra_fields": True},
        {"binding_keys": "all"},
        {"chat_delivery": "zero"},
        {"end_date_second": "included"},
        {"unique_name_in_subresources": True},
        {"not_found_codes": "specific"},
        {"error_shape": "problem"},
        {"error_shape": "codeless"},
    ],
    ids=lambda s: "-".join(map(str, *s.items())),
)
async def test_what_makes_no_difference(switches):
    assert await read_models(**switches) == await read_models()


async def test_dates_with_milliseconds():
    conversations, messages, people = await read_models(dates="milliseconds")
    assert any(c.created_at.microsecond for c in conversations)

    def whole(item, *names):
        times = {n: getattr(item, n) and getattr(item, n).replace(microsecond=0) for n in names}
        return evolve(item, **times)

    # They are in order of creation to the millisecond.
    assert ([whole(c, "created_at", "updated_at") for c in conversations],
        [whole(m, "sent_at", "updated_at") for m in messages],
        [whole(p, "joined_at", "last_read_at") for p in people]) == await read_models()  # fmt: skip


async def test_messages_without_a_date_until_they_are_edited():
    _, messages, _ = await read_models(date_updated="edited")
    _, expected, _ = await read_models()
    assert {m.state for m in messages} == {MessageState.SENT, MessageState.EDITED}
    assert messages == [
        m if m.state is MessageState.EDITED else evolve(m, updated_at=None) for m in expected
    ]


async def test_words_nobody_has_heard_of():
    conversations, messages, people = await read_models(unknown_enums=True)
    expected = await read_models()
    unknown = [evolve(c, state=ConversationState.UNKNOWN) for c in expected[0]]
    bound = [p if p.channel == "chat" else evolve(p, channel="telepathy") for p in expected[2]]
    assert (conversations, messages, people) == (unknown, expected[1], bound)


async def test_bindings_without_keys():
    """Who is not known to chat or to have an address is neither staff nor customer."""
    conversations, messages, people = await read_models(binding_keys="none")
    expected = await read_models()

    def less(p):
        if p.channel == "chat":
            return p
        name = p.user.id if p.user else None
        role = Role.STAFF if name else Role.UNKNOWN
        return evolve(p, channel=None, address=name, name=name, role=role)

    assert (conversations, messages) == expected[:2]
    assert people == [less(p) for p in expected[2]]


@pytest.mark.parametrize("empty_middle_page", [False, True])
@pytest.mark.parametrize("size", SIZES)
async def test_another_service(size, empty_middle_page):
    switches = {"empty_middle_page": empty_middle_page}
    async with running(**switches) as (api, hub, server):
        service = api.store.services[1]["sid"]
        theirs = sorted(api.store.of(service), key=by_creation, reverse=True)
        async with ConversationsHub(account(server, service_sid=service)) as other:
            assert await ids(other.conversations(page_size=size)) == [c.sid for c in theirs]
            for conversation in theirs:
                there = ref(conversation.sid)
                expected = api.message_ids(conversation.sid)
                assert await ids(other.messages(there, page_size=size)) == expected
                assert (await other.conversation(there)).ref == there
        with pytest.raises(NotFoundError):
            await hub.conversation(ref(theirs[0].sid))


def by_creation(conversation):
    return conversation.record["date_created"].replace(microsecond=0), conversation.sid


# The first page's own link has no token.
@pytest.mark.parametrize("hostile", ["foreign", "path", "loop"])
async def test_a_list_that_leads_elsewhere_or_in_circles(hostile):
    async with running(next_page_url=hostile) as (api, hub, server):
        with pytest.raises(PagingError):
            await ids(hub.messages(ref(fullest(api)[0]), page_size=7, prefetch=0))
        assert len(server.requests) == 1


@pytest.mark.parametrize("dates", ["seconds", "milliseconds"])
@pytest.mark.parametrize("end_date_second", ["excluded", "included"])
async def test_conversations_of_a_time(dates, end_date_second):
    """Any moment cuts the list in two; nothing is lost at midnight or within a second."""
    switches = {"dates": dates, "end_date_second": end_date_second}
    async with running(scale=0.1, **switches) as (_, hub, server):
        everything = await hub.conversations().collect(limit=None)
        late = next(c for c in everything if c.created_at.hour == 23 and c.created_at.second == 59)
        midnight = late.created_at.replace(hour=0, minute=0, second=0, microsecond=0)
        moments = [late.created_at, midnight + timedelta(days=1), everything[7].created_at]
        for moment in (*moments, late.created_at + TICK):
            after = await ids(hub.conversations(created_after=moment, page_size=3))
            before = await ids(hub.conversations(created_before=moment, page_size=3))
            assert after + before == [c.ref.id for c in everything]
            assert after == [c.ref.id for c in everything if c.created_at >= moment]
        assert all("T23%3A59%3A59Z" in r.target for r in server.requests if "EndDate" in r.target)


@pytest.mark.parametrize("state", ["active", "inactive", "closed"])
async def test_conversations_in_a_state(state):
    async with running(scale=0.1) as (api, hub, server):
        expected = [
            id_
            for id_ in api.conversation_ids()
            if api.store.conversations[id_].record["state"] == state
        ]
        assert expected
        wanted = translate.STATES[state]
        assert await ids(hub.conversations(state=wanted, page_size=2)) == expected
        assert all(f"State={state}" in r.target for r in server.requests)


async def test_conversations_that_changed():
    async with running(scale=0.1) as (_, hub, _):
        everything = await hub.conversations().collect(limit=None)
        moment = sorted(c.updated_at for c in everything)[-4]
        got = await ids(hub.conversations(updated_after=moment))
        assert got == [c.ref.id for c in everything if c.updated_at >= moment]
        assert 4 <= len(got) < len(everything)


def memberships(api, **who):
    """Return where somebody is; those that only begin are not listed."""
    found = api.store.memberships(api.store.default_service, **who)
    return [c.sid for c, _ in found if c.record["state"] != "initializing"]


def join(api, **who):
    """Let somebody into half of the conversations, and into some twice."""
    for number, conversation in enumerate(list(api.store.conversations.values())[:12]):
        for _ in range(number % 3):
            api.store.add_participant(conversation, **who)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("identity", ["new", "agent/7", "dana@office.example.org", "100%sure"])
async def test_conversations_of_somebody(size, identity):
    """Whatever the name looks like, each conversation comes once."""
    async with running() as (api, hub, _):
        join(api, identity=identity)
        expected = set(memberships(api, identity=identity))
        assert len(expected) > 6
        for who in (identity, ref(identity)):
            got = await ids(hub.conversations(participant=who, page_size=size))
            assert sorted(got) == sorted(expected)


@pytest.mark.parametrize("kind", ["sms", "whatsapp", "messenger", "email"])
async def test_conversations_at_an_address(kind):
    """The address of a participant finds them; what is found is what the list says of it."""
    async with running(scale=0.1) as (api, hub, _):
        everything = {c.ref: c async for c in hub.conversations()}
        found = {}
        for conversation in everything:
            async for who in hub.participants(conversation):
                if who.channel == kind and who.role is Role.CUSTOMER:
                    found.setdefault(who.address, []).append(conversation)
        assert found
        for address in found:
            expected = memberships(api, address=address)
            got = await hub.conversations(participant=address).collect(limit=None)
            assert [c.ref.id for c in got] == expected
            assert got == [everything[c.ref] for c in got]


@pytest.mark.parametrize("state", [ConversationState.OPEN, ConversationState.CLOSED])
async def test_conversations_of_somebody_in_a_state_and_of_a_time(state):
    async with running(scale=0.2) as (api, hub, _):
        join(api, identity="ada")
        everything = await hub.conversations(participant="ada").collect(limit=None)
        moment = sorted(c.created_at for c in everything)[2]
        got = await ids(
            hub.conversations(participant="ada", state=state, created_after=moment, page_size=2)
        )
        assert got == [c.ref.id for c in everything if c.state is state and c.created_at >= moment]
        assert 0 < len(got) < len(everything)


async def test_an_address_that_is_a_name_too():
    """Both lists are read, and what they share comes once."""
    async with running() as (api, hub, server):
        mail = next(iter(api.store.conversations.values()))
        binding = {"type": "email", "address": MAIL, "proxy_address": "help@office.example.org"}
        api.store.add_participant(mail, identity=MAIL, messaging_binding=binding)
        got = await ids(hub.conversations(participant=MAIL))
        assert got == [mail.sid]
        assert len(server.requests) == 2


@pytest.mark.parametrize("size", [1, 3, None])
async def test_somebody_who_is_in_a_conversation_at_two_addresses_of_ours(size):
    """The conversation comes once, and each of the two who they are in it."""
    async with running() as (api, hub, _):
        talk, other = list(api.store.conversations.values())[:2]
        for where, proxy in (
            (talk, "+15017122661"),
            (talk, "+15017122662"),
            (other, "+15017122663"),
        ):
            binding = {"type": "sms", "address": "+15005550199", "proxy_address": proxy}
            api.store.add_participant(where, messaging_binding=binding)
        both = {where.sid for where in (talk, other)}
        assert set(await ids(hub.conversations(participant="+15005550199"))) == both
        pager = hub["twilio"].participant_conversations(address="+15005550199", page_size=size)
        walk = aiter(pager)
        first = await anext(walk)
        got = [first, *await hub.resume(walk.checkpoint()).collect(limit=None)]
        proxies = [one.participant_messaging_binding.proxy_address[-1] for one in got]
        assert sorted(proxies) == ["1", "2", "3"]


async def test_messages_of_a_time():
    async with running() as (api, hub, _):
        conversation = ref(list(api.store.conversations)[3])
        everything = await hub.messages(conversation).collect(limit=None)
        since, until = everything[3].sent_at, everything[-3].sent_at
        expected = [m.ref.id for m in everything if since <= m.sent_at < until]
        assert 0 < len(expected) < len(everything)
        for order, step in (("oldest", 1), (None, 1), ("newest", -1)):
            got = hub.messages(conversation, since=since, until=until, order=order, page_size=7)
            assert await ids(got) == expected[::step]


async def test_one_of_each():
    async with running() as (api, hub, _):
        everything = fullest(api)[0]
        first = await hub.messages(ref(everything)).collect(limit=40)
        for message in first[::7]:
            assert await hub.message(ref(everything), message.ref.id) == message
        for conversation in await hub.conversations().collect(limit=5):
            assert await hub.conversation(conversation.ref) == conversation


async def test_one_by_its_unique_name():
    async with running(unique_name_in_subresources=True) as (api, hub, _):
        named = {c.record["unique_name"]: c.sid for c in api.store.of(api.store.default_service)}
        del named[None]
        assert any("/" in name for name in named)
        for name, expected in named.items():
            assert (await hub.conversation(ref(name))).ref == ref(expected)
            found = [m async for m in hub.messages(ref(name), page_size=20)]
            assert [m.ref.id for m in found] == api.message_ids(expected)
            assert {m.conversation for m in found} <= {ref(expected)}


@pytest.mark.parametrize("codes", ["general", "specific"])
@pytest.mark.parametrize("shape", ["classic", "problem", "codeless"])
async def test_what_is_not_there(shape, codes):
    switches = {"error_shape": shape, "not_found_codes": codes}
    async with running(**switches) as (_, hub, _):
        gone = ref("CH" + "f" * 32)
        asked = [
            hub.conversation(gone),
            hub.message(gone, "IM1"),
            hub.messages(gone).collect(limit=1),
            hub.participants(gone).collect(limit=1),
        ]
        for question in asked:
            with pytest.raises(NotFoundError) as caught:
                await question
            code = {"general": "20404", "specific": "50350"}[codes]
            assert caught.value.code == (None if shape == "codeless" else code)
            assert caught.value.request_id.startswith("RQ")
            assert gone.id in str(caught.value)


@pytest.mark.parametrize("shape", ["classic", "problem", "codeless"])
async def test_a_place_that_is_no_longer_known(shape):
    """The checkpoint of a list whose token Twilio refuses finds its place from the start."""
    async with running(error_shape=shape) as (api, hub, _):
        pager = hub.conversations(page_size=2, prefetch=0)
        first = [(await anext(pager)).ref.id for _ in range(2)]
        checkpoint = json.loads(
            json.dumps(pager.checkpoint()).replace("PageToken=PT", "PageToken=XX")
        )
        assert first + await ids(hub.resume(checkpoint)) == api.conversation_ids()


@pytest.mark.parametrize("settings", [{}, {"account_sid": "ACno"}, {"auth_token": "no"}])
async def test_keys(settings):
    """An API key stands for account and token, whatever they are."""
    async with running() as (api, _, server):
        key = {"api_key_sid": api.store.key_sid, "api_key_secret": api.store.key_secret}
        async with ConversationsHub(account(server, **key, **settings)) as hub:
            assert await ids(hub.conversations()) == api.conversation_ids()
        wrong = account(server, api_key_sid=api.store.key_sid, api_key_secret="no")
        async with ConversationsHub(wrong) as hub:
            with pytest.raises(AuthenticationError) as caught:
                await ids(hub.conversations())
        assert caught.value.code == "20003"


def every_list(hub, api):
    """Return a way to ask, and the ids that come."""
    everything = fullest(api)[0]
    messages = api.message_ids(everything)
    return {
        "conversations": (partial(hub.conversations, page_size=2), api.conversation_ids()),
        "messages": (partial(hub.messages, ref(everything), page_size=7), messages),
        "newest": (
            partial(hub.messages, ref(everything), order="newest", page_size=7),
            messages[::-1],
        ),
    }


@pytest.mark.parametrize("switches", [{}, {"empty_middle_page": True, "short_pages": True}])
@pytest.mark.parametrize("stop", [1, 2, 7, 10])
@pytest.mark.parametrize("name", ["conversations", "messages", "newest"])
async def test_resume(name, stop, switches):
    async with running(**switches) as (api, hub, server):
        ask, expected = every_list(hub, api)[name]
        pager = ask()
        first = [(await anext(pager)).ref.id for _ in range(stop)]
        checkpoint = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        assert server.api.store.auth_token not in json.dumps(checkpoint)
        async with ConversationsHub(account(server)) as another:
            rest = await ids(another.resume(checkpoint))
        assert first + rest == expected


async def test_resume_what_two_lists_may_share():
    async with running() as (api, hub, server):
        join(api, identity=MAIL, messaging_binding={"type": "email", "address": MAIL})
        expected = await ids(hub.conversations(participant=MAIL))
        pager = hub.conversations(participant=MAIL, page_size=2)
        first = [(await anext(pager)).ref.id for _ in range(3)]
        checkpoint = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        async with ConversationsHub(account(server)) as another:
            rest = await ids(another.resume(checkpoint))
        assert sorted(first + rest) == sorted(expected)


async def test_what_happens_while_a_list_is_read():
    """New and active conversations move nothing: the list is in order of creation."""
    async with running() as (api, hub, _):
        expected = api.conversation_ids()
        pager = hub.conversations(page_size=3, prefetch=0)
        found = [(await anext(pager)).ref.id for _ in range(3)]
        api.add_conversation()
        for conversation in (expected[0], expected[-1], expected[5]):
            api.add_message(conversation)
        assert found + await ids(pager) == expected


async def test_messages_that_go_while_they_are_read():
    """The index has gaps; nothing that stays is skipped."""
    async with running() as (api, hub, _):
        conversation = fullest(api)[0]
        expected = api.message_ids(conversation)
        pager = hub.messages(ref(conversation), page_size=7, prefetch=0)
        found = [(await anext(pager)).ref.id for _ in range(7)]
        gone = [expected[6], expected[2], expected[9]]
        for message in gone:
            api.remove_message(conversation, message)
        new = api.add_message(conversation)
        found += await ids(pager)
        assert found == [i for i in [*expected, new] if i != expected[9]]


async def test_names_are_not_asked_for():
    """Twilio's names are in the payload."""
    async with running(hub={"resolve_names": True}) as (api, hub, server):
        conversation = fullest(api)[0]
        assert await ids(hub.participants(ref(conversation))) == api.participant_ids(conversation)
        assert await ids(hub.messages(ref(conversation))) == api.message_ids(conversation)
        assert len(server.requests) == 2


async def test_every_kind_of_person():
    async with running(scale=0.1) as (_, hub, _):
        found = set()
        async for conversation in hub.conversations():
            found |= {(p.channel, p.role) async for p in hub.participants(conversation.ref)}
    expected = {(c, Role.CUSTOMER) for c in ("sms", "whatsapp", "rcs", "messenger", "email")}
    ours = {("chat", Role.STAFF), ("sms", Role.STAFF), ("sms", Role.UNKNOWN)}
    assert found == expected | ours
