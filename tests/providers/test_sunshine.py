"""What is special about Sunshine Conversations."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from yarl import URL

from conversations_hub import (
    Attachment,
    AuthenticationError,
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
    MessageState,
    NotFoundError,
    PagingError,
    Participant,
    PermissionDeniedError,
    RateLimitError,
    Ref,
    Role,
    ServerError,
    Sunshine,
    TranslationError,
    UnsupportedError,
)
from conversations_hub.emulator import Server
from conversations_hub.providers.sunshine import payloads, translate
from conversations_hub.providers.sunshine.paging import BACKWARDS, FORWARDS
from conversations_hub.raw import Raw
from conversations_hub.reading import Answer, convert
from conversations_hub.wire import Request, Response
from support import seeded

APP = "6601f0aa9d2c41b7e5a3c001"
USER = "6601f0bb9d2c41b7e5a3c0f2"
HERE = Ref("sunshine", "6601f1049d2c41b7e5a3c110")
SUNSHINE = Sunshine(app_id=APP, token="a-token", users=(USER, "crm/778"))
ROOT = f"https://api.smooch.io/v2/apps/{APP}"

ANA = Author(ref=Ref("sunshine", USER), name="Ana Prieto", role=Role.CUSTOMER)
DANA = Author(ref=Ref("sunshine", "Dana"), name="Dana", role=Role.STAFF)
SOMEBODY = Author(ref=Ref("sunshine", "business"), role=Role.STAFF)
LEASE = "https://acme.zendesk.com/sc/attachments/v2/01HX0000000000000000000000/Lease%20(2).pdf"
RECEIPT = "https://acme.zendesk.com/sc/attachments/v2/01HX0000000000000000000000/receipt.png"
CARDS = (
    Attachment(name="kettle.jpg", media_type="image/jpeg", url="https://example.org/kettle.jpg"),
    Attachment(media_type="text/html; charset=UTF-8", url="https://example.org/toaster"),
)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def message(n, author, **fields):
    """Return what the n-th sample message becomes; the side of its author gives a direction."""
    inbound = author is not None and author.role is Role.CUSTOMER
    expected = Message(
        ref=Ref("sunshine", f"6601f2c09d2c41b7e5a3c{n:03x}"),
        conversation=HERE,
        kind=MessageKind.TEXT,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        author=author,
        sent_at=at(f"2026-03-02T09:14:{n:02}.020"),
    )
    return evolve(expected, **fields)


MESSAGES = {
    "text": message(1, ANA, text="hello", metadata={"lang": "pt", "visits": 3, "vip": True}),
    "html": message(2, DANA, text="Hello & bye", html="<p>Hello &amp; <b>bye</b></p>"),
    "only-html": message(
        3, SOMEBODY, text="Only\nmarkup\nhere", html="<h1>Only</h1><p>markup<br>here</p>"
    ),
    "actions": message(4, DANA, text="What next?"),
    "only-actions": message(5, DANA, text="Pay\nTerms"),
    "agent": message(
        6,
        Author(ref=Ref("sunshine", "35436"), name="Dana", role=Role.STAFF),
        text="I am looking.",
        metadata={"__zendesk_msg.agent.id": "35436"},
    ),
    "bot": message(
        7,
        Author(ref=Ref("sunshine", "Answer Bot"), name="Answer Bot", role=Role.BOT),
        text="Beep.",
    ),
    "ai": message(
        8, Author(ref=Ref("sunshine", "business"), role=Role.BOT), text="Refunds take a week."
    ),
    "activity": message(
        9,
        Author(ref=Ref("sunshine", "business"), role=Role.SYSTEM),
        kind=MessageKind.SYSTEM,
        direction=Direction.SYSTEM,
        text="The conversation was ended.",
    ),
    "image": message(
        10,
        ANA,
        kind=MessageKind.MEDIA,
        text="here it is",
        attachments=(
            Attachment(
                id="6601f2c09d2c41b7e5a3cfff",
                name="receipt.png",
                media_type="image/png",
                size=48213,
                url=RECEIPT,
            ),
        ),
    ),
    "image-bare": message(
        11,
        ANA,
        kind=MessageKind.MEDIA,
        attachments=(Attachment(url="https://media.smooch.example/apps/sticker.gif"),),
    ),
    "file": message(
        12,
        DANA,
        kind=MessageKind.MEDIA,
        text="The lease",
        html="<i>The lease</i>",
        attachments=(
            Attachment(name="Lease (2).pdf", media_type="application/pdf", size=0, url=LEASE),
        ),
    ),
    "carousel": message(13, DANA, kind=MessageKind.CARD, text="Kettle, toaster", attachments=CARDS),
    "list": message(
        14,
        DANA,
        kind=MessageKind.CARD,
        text="Kettle\nToaster\nNothing else",
        attachments=CARDS,
    ),
    "template": message(15, DANA, kind=MessageKind.CARD),
    "location": message(
        16,
        ANA,
        kind=MessageKind.LOCATION,
        text="Location shared:\nhttps://maps.example/?q=48.8584,2.2945",
    ),
    "location-named": message(
        17, ANA, kind=MessageKind.LOCATION, text="Tour Eiffel\n5 avenue Anatole France"
    ),
    "location-bare": message(18, ANA, kind=MessageKind.LOCATION, text="0.0, -0.5"),
    "form": message(19, DANA, kind=MessageKind.FORM, text="Before we begin"),
    "form-bare": message(20, DANA, kind=MessageKind.FORM, text="Your name\nE-mail"),
    "form-response": message(
        21,
        ANA,
        kind=MessageKind.FORM,
        text="Your name: Ana Prieto",
        reply_to=Ref("sunshine", "6601f2c09d2c41b7e5a3c0aa"),
    ),
    "form-response-bare": message(
        22,
        ANA,
        kind=MessageKind.FORM,
        text="Your name: Ana Prieto\nGuests: 3\nE-mail: ana@example.org\nRoom: Large, s",
    ),
    "quote-elsewhere": message(23, ANA, text="As I said"),
    "deleted": message(24, ANA, kind=MessageKind.UNKNOWN, state=MessageState.DELETED),
    "deleted-with-content": message(25, DANA, kind=MessageKind.MEDIA, state=MessageState.DELETED),
    "empty": message(26, Author(ref=Ref("sunshine", USER), role=Role.CUSTOMER), text=""),
    "unknown": message(
        27,
        Author(),
        kind=MessageKind.UNKNOWN,
        direction=Direction.UNKNOWN,
        text="Tea or coffee?",
    ),
    "least": message(28, None, kind=MessageKind.UNKNOWN, direction=Direction.UNKNOWN, sent_at=None),
}
CONVERSATIONS = {
    "full": Conversation(
        ref=Ref("sunshine", "6601f1049d2c41b7e5a3c110"),
        kind=ConversationKind.DIRECT,
        title="Order 4411",
        description="A kettle that leaks",
        created_at=at("2026-02-27T16:00:03.901"),
        updated_at=at("2026-03-02T09:14:51.020"),
        last_message_at=at("2026-03-02T09:14:51.020"),
        metadata={"lang": "en-ca", "order": 4411, "ratio": 0.25, "vip": True},
    ),
    "group": Conversation(
        ref=Ref("sunshine", "6601f1049d2c41b7e5a3c111"),
        kind=ConversationKind.GROUP,
        title="Équipe 👩🏽‍⚖️ «Eins» & Co",
        created_at=at("2026-02-27T16:00:03.901"),
        updated_at=at("2026-03-02T09:14:51.020"),
        last_message_at=at("2026-03-02T09:14:51.020"),
    ),
    "null": Conversation(
        ref=Ref("sunshine", "6601f1049d2c41b7e5a3c112"), kind=ConversationKind.DIRECT
    ),
    "silent": Conversation(
        ref=Ref("sunshine", "6601f1049d2c41b7e5a3c113"),
        kind=ConversationKind.DIRECT,
        created_at=at("2026-02-27T16:00:03.901"),
        updated_at=at("2026-02-27T16:00:03.901"),
    ),
    "unknown": Conversation(
        ref=Ref("sunshine", "6601f1049d2c41b7e5a3c114"),
        updated_at=at("2026-03-02T09:14:51.020"),
        last_message_at=at("2026-03-02T09:14:51.020"),
    ),
}
PARTICIPANTS = {
    "full": Participant(
        ref=Ref("sunshine", "6601f1059d2c41b7e5a3c111"),
        conversation=HERE,
        user=Ref("sunshine", USER),
        role=Role.CUSTOMER,
        channel="whatsapp",
        last_read_at=at("2026-03-01T18:22:10.555"),
    ),
    "mail": Participant(
        ref=Ref("sunshine", "6601f1059d2c41b7e5a3c112"),
        conversation=HERE,
        user=Ref("sunshine", "6601f0bb9d2c41b7e5a3c0f3"),
        role=Role.CUSTOMER,
        channel="email",
    ),
    "null": Participant(
        ref=Ref("sunshine", "6601f1059d2c41b7e5a3c113"),
        conversation=HERE,
        user=Ref("sunshine", "6601f0bb9d2c41b7e5a3c0f4"),
        role=Role.CUSTOMER,
    ),
    "least": Participant(
        ref=Ref("sunshine", "6601f1059d2c41b7e5a3c114"), conversation=HERE, role=Role.CUSTOMER
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(sample, name):
    payload = sample("sunshine", f"message-{name}")
    read = convert(payload, payloads.Message, "$")
    got = translate.message(HERE, read, Raw.of(payload))
    assert got == MESSAGES[name]
    assert got.raw == payload


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations(sample, name):
    payload = sample("sunshine", f"conversation-{name}")
    read = convert(payload, payloads.Conversation, "$")
    got = translate.conversation("sunshine", read, Raw.of(payload))
    assert got == CONVERSATIONS[name]
    assert got.raw == payload


@pytest.mark.parametrize("name", PARTICIPANTS)
def test_participants(sample, name):
    payload = sample("sunshine", f"participant-{name}")
    read = convert(payload, payloads.Participant, "$")
    got = translate.participant(HERE, read, Raw.of(payload))
    assert got == PARTICIPANTS[name]
    assert got.raw == payload


def test_another_name_goes_into_every_ref():
    """Two accounts of one provider do not mix up their people."""
    body = {"id": "m", "author": {"type": "business"}, "quotedMessage": {"message": {"id": "q"}}}
    read = convert(body, payloads.Message, "$")
    got = translate.message(Ref("second", "c"), read, Raw.of(body))
    refs = (got.ref, got.author.ref, got.reply_to)
    assert [ref.provider for ref in refs] == ["second"] * 3


@pytest.mark.parametrize(
    ("agent", "id_"),
    [
        pytest.param(35436, "35436", id="a number"),
        pytest.param("", "Dana", id="empty"),
        pytest.param(None, "Dana", id="null"),
    ],
)
def test_business_author_by_agent(agent, id_):
    body = {
        "id": "m",
        "author": {"type": "business", "displayName": "Dana"},
        "metadata": {"__zendesk_msg.agent.id": agent},
    }
    read = convert(body, payloads.Message, "$")
    assert translate.message(HERE, read, Raw.of(body)).author.ref.id == id_


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param({"activity": {"type": "ticket:closed"}}, id="an activity"),
        pytest.param(
            {"author": {"type": "business", "subtypes": ["new", "activity"]}}, id="author"
        ),
    ],
)
def test_one_sign_makes_a_notice(sign):
    body = {"id": "m", "author": {"type": "business"}, "content": {"type": "text"}, **sign}
    read = convert(body, payloads.Message, "$")
    got = translate.message(HERE, read, Raw.of(body))
    shown = (got.kind, got.direction, got.author.role)
    assert shown == (MessageKind.SYSTEM, Direction.SYSTEM, Role.SYSTEM)


def test_a_broken_message_stands_alone():
    """Its neighbours come, and the page still leads to the next one."""
    bodies = [{"id": "a" * 24}, {"id": "b" * 24, "content": {"items": [{"title": 5}]}}]
    page = read_page(SUNSHINE.messages(HERE), messages=bodies, meta={"hasMore": False})
    assert [m.ref.id for m in page.items] == ["a" * 24]
    assert [error.path for _, error in page.broken] == ["messages[1].content.items[0].title"]
    assert isinstance(page.broken[0][1], TranslationError)


def read_page(listing, **body):
    return listing.read(listing.request, Response(status=200, body=json.dumps(body).encode()))


# Paging.

FIRST = Request(url=URL(f"{ROOT}/conversations?page%5Bsize%5D=2", encoded=True))
ONE, TWO, THREE = (payloads.Conversation(id=c * 24) for c in "abc")


@pytest.mark.parametrize(
    ("rule", "meta", "records", "cursor"),
    [
        pytest.param(FORWARDS, {"hasMore": True, "afterCursor": "c2"}, [ONE], "c2", id="forwards"),
        pytest.param(
            BACKWARDS,
            {"hasMore": True, "beforeCursor": "c2", "afterCursor": "c9"},
            [ONE],
            "c2",
            id="backwards",
        ),
        pytest.param(FORWARDS, {"hasMore": False}, [ONE, TWO], None, id="forwards, the last"),
        pytest.param(
            BACKWARDS,
            {"hasMore": False, "beforeCursor": "c2", "afterCursor": "c9"},
            [ONE],
            None,
            id="backwards, the last",
        ),
        pytest.param(
            FORWARDS, {"hasMore": True, "afterCursor": "c2"}, [], "c2", id="empty, yet more"
        ),
        pytest.param(FORWARDS, None, [TWO, ONE], "a" * 24, id="forwards, full without meta"),
        pytest.param(FORWARDS, None, [ONE], None, id="forwards, short without meta"),
        pytest.param(BACKWARDS, None, [TWO, ONE, THREE], "a" * 24, id="backwards without meta"),
        pytest.param(BACKWARDS, None, [], None, id="backwards, nothing without meta"),
    ],
)
def test_pages(rule, meta, records, cursor):
    envelope = {} if meta is None else {"meta": meta}
    answer = Answer(envelope=envelope, records=records, count=len(records))
    onward = rule.after(FIRST, answer)
    assert (onward and onward.query) == (
        {"page[size]": "2", rule.param: cursor} if cursor else None
    )


@pytest.mark.parametrize("rule", [FORWARDS, BACKWARDS])
@pytest.mark.parametrize(
    "meta",
    [
        pytest.param({"hasMore": True}, id="no cursor"),
        pytest.param({"afterCursor": "c2", "beforeCursor": "c2"}, id="no hasMore"),
    ],
)
def test_a_list_that_cannot_go_on_says_so(rule, meta):
    with pytest.raises(PagingError):
        rule.after(FIRST, Answer(envelope={"meta": meta}, records=[ONE, TWO], count=2))


@pytest.mark.parametrize("ids", ["cab", "abc", "bca"])
def test_a_page_of_messages_is_put_in_order(ids):
    """By the time of reception first, and by id where that is the same."""
    times = {"a": "2026-03-02T09:14:51.020Z", "b": "2026-03-02T09:14:51.020Z"}
    records = [{"id": i, **({"received": times[i]} if i in times else {})} for i in ids]
    page = read_page(SUNSHINE.messages(HERE), messages=records, meta={"hasMore": False})
    assert [m.ref.id for m in page.items] == ["b", "a", "c"]


# What is asked.


def targets(listing):
    return [str(part.request.url).removeprefix(ROOT) for part in listing.parts]


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param(
            SUNSHINE.conversations(),
            [
                f"/conversations?filter%5BuserId%5D={USER}&page%5Bsize%5D=100",
                "/conversations?filter%5BuserExternalId%5D=crm%2F778&page%5Bsize%5D=100",
            ],
            id="one list for each user",
        ),
        pytest.param(
            SUNSHINE.conversations(participant="kündé 12%", page_size=7),
            ["/conversations?filter%5BuserExternalId%5D=k%C3%BCnd%C3%A9%2012%25&page%5Bsize%5D=7"],
            id="an external id",
        ),
        pytest.param(
            SUNSHINE.conversations(participant=Ref("sunshine", USER), page_size=1000),
            [f"/conversations?filter%5BuserId%5D={USER}&page%5Bsize%5D=100"],
            id="a ref",
        ),
        pytest.param(
            SUNSHINE.messages(Ref("sunshine", "a/b"), page_size=7),
            ["/conversations/a%2Fb/messages"],
            id="messages, whose pages have their own size",
        ),
        pytest.param(
            SUNSHINE.participants(HERE, page_size=3),
            [f"/conversations/{HERE.id}/participants?page%5Bsize%5D=3"],
            id="participants",
        ),
    ],
)
def test_requests(listing, expected):
    assert targets(listing) == expected


def test_base_url_keeps_its_path():
    zendesk = Sunshine(app_id=APP, token="t", base_url="https://acme.zendesk.com/sc/")
    url = zendesk.conversation(HERE).request.url
    assert str(url) == f"https://acme.zendesk.com/sc/v2/apps/{APP}/conversations/{HERE.id}"


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        pytest.param(
            lambda s: s.conversations(state=ConversationState.OPEN),
            UnsupportedError,
            "no state",
            id="state",
        ),
        pytest.param(
            lambda s: s.message(HERE, "m"), UnsupportedError, "cannot do this", id="one message"
        ),
        pytest.param(
            lambda s: evolve(s, users=()).conversations(),
            ConfigurationError,
            "SUNSHINE_USERS",
            id="nobody's conversations",
        ),
        pytest.param(
            lambda s: s.conversations(participant=Ref("clio", "1")),
            ConfigurationError,
            "clio",
            id="somebody of another provider",
        ),
        pytest.param(
            lambda s: s.messages(HERE, order="latest"), ConfigurationError, "latest", id="order"
        ),
        pytest.param(
            lambda s: s.messages(HERE, page_size=0), ConfigurationError, "page_size", id="size"
        ),
        pytest.param(
            lambda s: s.conversations(created_after=datetime(2026, 1, 1)),  # noqa: DTZ001
            ConfigurationError,
            "aware datetime",
            id="a time without zone",
        ),
    ],
)
def test_what_cannot_be_asked(ask, error, words):
    with pytest.raises(error, match=words):
        ask(SUNSHINE)


def test_capabilities():
    assert SUNSHINE.capabilities == {
        *("conversations", "messages", "participants", "conversation"),
        *("send", "delete_message", "create", "update", "delete"),
        *("add_participant", "remove_participant", "mark_read"),
    }


MOMENT = at("2026-02-27T16:00:03.901")
LATER = MOMENT + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, True),
        ({"created_after": MOMENT}, True),
        ({"created_after": LATER}, False),
        ({"created_before": MOMENT}, False),
        ({"created_before": LATER}, True),
        ({"updated_after": MOMENT}, True),
        ({"updated_after": LATER}, False),
        ({"created_after": MOMENT, "updated_after": LATER}, False),
    ],
)
def test_conversation_filters_are_applied_to_every_list(filters, kept):
    conversation = CONVERSATIONS["silent"]
    parts = SUNSHINE.conversations(**filters).parts
    assert [p.keep is None or p.keep(conversation) for p in parts] == [kept, kept]


# Who asks.


def test_key_and_token():
    key = Sunshine(app_id=APP, key_id="app_1", secret="s3cret")
    assert key.auth_headers() == {"Authorization": "Basic YXBwXzE6czNjcmV0"}
    assert SUNSHINE.auth_headers() == {"Authorization": "Bearer a-token"}
    assert "s3cret" not in repr(key)
    assert "a-token" not in repr(SUNSHINE)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"key_id": "app_1"},
        {"secret": "s"},
        {"key_id": "app_1", "secret": "s", "token": "t"},
        {"key_id": "app_1", "token": "t"},
    ],
)
def test_exactly_one_way_to_prove_who_asks(given):
    with pytest.raises(ConfigurationError, match="key_id"):
        Sunshine(app_id=APP, **given)


def test_from_env():
    environ = {
        "SMOOCH_APP_ID": APP,
        "SUNSHINE_KEY_ID": "app_1",
        "SMOOCH_KEY_ID": "app_2",
        "SUNSHINE_SECRET": "s",
        "SUNSHINE_USERS": f" {USER}, crm/778,,{USER}",
        "SUNSHINE_BASE_URL": "https://acme.zendesk.com/sc",
    }
    assert Sunshine.from_env(environ) == Sunshine(
        app_id=APP,
        key_id="app_1",
        secret="s",
        users=(USER, "crm/778"),
        base_url="https://acme.zendesk.com/sc",
    )


# What is refused.

PLAIN = Request(url=URL(f"{ROOT}/conversations?page%5Bsize%5D=2", encoded=True))
ONWARD = PLAIN.with_params({"page[after]": "c" * 24})
BACK = PLAIN.with_params({"page[before]": "c" * 24})


def says(status, code, title=""):
    return status, {"errors": [{"code": code, "title": title}]}


GONE = says(404, "not_found", "Resource not found")
BAD_PAGE = says(400, "bad_request", "Invalid page query parameters")
TWO_WRONG = 400, {"errors": [{"code": "bad_request", "title": "One"}, {"title": "Two"}]}
HTML = 502, "<html>Bad gateway</html>"


@pytest.mark.parametrize(
    ("request_", "answer", "kind", "code", "words"),
    [
        (PLAIN, says(401, "unauthorized", "Who?"), AuthenticationError, "unauthorized", "Who?"),
        (PLAIN, says(402, "payment_required"), PermissionDeniedError, "payment_required", ""),
        (PLAIN, says(403, "forbidden"), PermissionDeniedError, "forbidden", ""),
        (PLAIN, TWO_WRONG, InvalidRequestError, "bad_request", "One; Two"),
        (PLAIN, (404, {"error": {"code": "old", "description": "v1"}}), NotFoundError, "old", "v1"),
        (PLAIN, GONE, NotFoundError, "not_found", "Resource not found"),
        (BACK, GONE, CursorExpiredError, "not_found", "start the walk anew"),
        (ONWARD, GONE, CursorExpiredError, "not_found", "start the walk anew"),
        (ONWARD, says(404, "user_not_found"), NotFoundError, "user_not_found", ""),
        (BACK, says(404, "conversation_not_found"), NotFoundError, "conversation_not_found", ""),
        (ONWARD, BAD_PAGE, CursorExpiredError, "bad_request", "page query"),
        (PLAIN, BAD_PAGE, InvalidRequestError, "bad_request", "page query"),
        (
            ONWARD,
            says(400, "bad_request", "Bad request"),
            CursorExpiredError,
            "bad_request",
            "anew",
        ),
        (PLAIN, says(400, "bad_request", "Bad request"), InvalidRequestError, "bad_request", ""),
        (PLAIN, (429, {}), RateLimitError, None, "ask less often"),
        (PLAIN, HTML, ServerError, None, "HTTP 502 [GET"),
        (PLAIN, (400, {"errors": {"code": 1}, "error": "no"}), InvalidRequestError, None, ""),
        (PLAIN, (400, {"errors": ["x", {"code": 7}]}), InvalidRequestError, "7", ""),
    ],
)
def test_errors(request_, answer, kind, code, words):
    status, body = answer
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = SUNSHINE.error_for("conversations", request_, Response(status=status, body=content))
    assert type(error) is kind
    assert error.code == code
    assert words in str(error)


# Against the emulator, over real sockets.


@asynccontextmanager
async def app(scale=0.02, hub=None, **switches):
    """Serve a small app; yield it, a hub, and the server with its log."""
    api = seeded("sunshine", seed=5, scale=scale, **switches)
    server = Server(api)
    await server.start()
    try:
        async with ConversationsHub(account(server), **(hub or {})) as opened:
            yield api, opened, server
    finally:
        await server.stop()


def account(server, **changes):
    return Sunshine(**{"base_url": server.base_url, **server.api.arguments, **changes})


def ref(id_):
    return Ref("sunshine", id_)


async def ids(pager):
    return [item.ref.id async for item in pager]


def fullest(api):
    """Return the conversations with the most messages: every kind, and many at one time."""
    return sorted(api.conversation_ids(), key=lambda c: len(api.message_ids(c)))[-2:]


SIZES = (1, 2, 3, 7, 100)
SWITCHES = [
    pytest.param({}, id="as documented"),
    pytest.param({"message_order": "desc", "list_order": "desc"}, id="descending"),
    pytest.param({"last_page_meta": "bare"}, id="bare meta"),
    pytest.param({"last_page_meta": "absent"}, id="no meta"),
    pytest.param({"unknown_cursor": "position", "deleted": "emptied"}, id="lenient"),
    pytest.param({"deleted": "removed", "foreign_links": True}, id="foreign links"),
    pytest.param({"unknown_keys": True, "unknown_values": True}, id="novelties"),
]


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("size", SIZES)
async def test_lists_are_whole_and_in_order(size, switches):
    async with app(message_page=size, **switches) as (api, hub, server):
        assert sorted(await ids(hub.conversations(page_size=size))) == api.conversation_ids()
        for conversation in fullest(api):
            there = ref(conversation)
            assert await ids(hub.messages(there)) == api.message_ids(conversation)
            listing = hub["sunshine"].participants(there, page_size=size)
            assert await ids(hub.iterate(listing)) == api.participant_ids(conversation)
        assert {r.status for r in server.requests} == {200}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_one_user_has_conversations_in_their_order(order):
    async with app(list_order=order) as (api, hub, _):
        busiest = max(api.store.users, key=lambda u: len(api.store.conversations_of(u)))
        expected = [c["id"] for c in api.store.conversations_of(busiest)]
        got = await ids(hub.conversations(participant=ref(busiest), page_size=2))
        assert got == expected[:: 1 if order == "asc" else -1]


@pytest.mark.parametrize("external_id", ["crm/778", "0123456789abcdef01234567", "kündé 12%"])
async def test_users_by_external_id(external_id):
    """One that looks like an id is tried as such first."""
    async with app() as (api, hub, server):
        user = api.store.user_by_external_id(external_id)["id"]
        expected = [c["id"] for c in api.store.conversations_of(user)]
        assert await ids(hub.conversations(participant=external_id, page_size=1)) == expected
        assert [r.status for r in server.requests].count(404) == (external_id[0] == "0")


async def test_many_users_are_not_all_read_ahead():
    """Of a hundred lists some are begun, and the others when those are at their end."""
    async with app() as (api, _, server):
        for _ in range(100):
            user = api.store.create_user()
            for _ in range(3):
                api.store.create_conversation("sdkGroup", [user["id"]])
        async with ConversationsHub(account(server)) as hub:
            pager = hub.conversations(page_size=2)
            first = await anext(pager)
            await asyncio.sleep(0.1)
            assert len(server.requests) < 50
            got = [first.ref.id, *await ids(pager)]
            assert sorted(got) == sorted(api.conversation_ids())


async def test_an_unknown_user():
    async with app() as (_, hub, server):
        with pytest.raises(NotFoundError) as caught:
            await ids(hub.conversations(participant="f" * 24))
        assert caught.value.code == "user_not_found"
        assert len(server.requests) == 2


async def test_both_orders():
    async with app(message_page=7) as (api, hub, _):
        conversation = fullest(api)[-1]
        expected = api.message_ids(conversation)
        assert await ids(hub.messages(ref(conversation), order="newest")) == expected
        assert await ids(hub.messages(ref(conversation), order="oldest")) == expected[::-1]


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_messages_of_a_time(order):
    """The walk goes back no further than it must."""
    async with app(message_page=5) as (api, hub, server):
        conversation = fullest(api)[-1]
        everything = await hub.messages(ref(conversation)).collect(limit=None)
        server.requests.clear()
        since, until = everything[80].sent_at, everything[70].sent_at
        got = hub.messages(ref(conversation), since=since, until=until, order=order, prefetch=0)
        expected = [m.ref.id for m in everything if since <= m.sent_at < until]
        assert len(expected) > 5
        assert await ids(got) == expected[:: 1 if order == "newest" else -1]
        pages = 1 + next(n for n in range(0, 999, 5) if everything[n].sent_at < since) // 5
        assert len(server.requests) == pages < len(everything) // 5


async def test_conversations_of_a_time():
    async with app() as (api, hub, _):
        everything = await hub.conversations().collect(limit=None)
        moment = sorted(c.created_at for c in everything if c.created_at)[7]
        unknown = {c.ref.id for c in everything if c.created_at is None}
        after = set(await ids(hub.conversations(created_after=moment)))
        before = set(await ids(hub.conversations(created_before=moment)))
        assert after | before == set(api.conversation_ids())
        assert after & before == unknown != set()


async def test_one_conversation():
    async with app() as (api, hub, _):
        wanted = api.conversation_ids()[3]
        assert (await hub.conversation(ref(wanted))).ref == ref(wanted)
        with pytest.raises(NotFoundError) as caught:
            await hub.conversation(ref("f" * 24))
        assert caught.value.code == "conversation_not_found"


async def test_names_are_not_asked_for():
    """Participants have no names, and a request for each of them is not worth it."""
    async with app(hub={"resolve_names": True}) as (api, hub, server):
        conversation = fullest(api)[0]
        assert await ids(hub.participants(ref(conversation))) == api.participant_ids(conversation)
        assert len(server.requests) == 1


@pytest.mark.parametrize("stop", [1, 4, 9])
async def test_resume_conversations(stop):
    """What two users share does not come again in another process."""
    async with app() as (api, hub, server):
        pager = hub.conversations(page_size=2)
        first = [(await anext(pager)).ref.id for _ in range(stop)]
        checkpoint = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        async with ConversationsHub(account(server)) as another:
            rest = await ids(another.resume(checkpoint))
        assert sorted(first + rest) == api.conversation_ids()


@pytest.mark.parametrize("stop", [1, 7, 10])
async def test_resume_messages(stop):
    async with app(message_page=7) as (api, hub, server):
        conversation = fullest(api)[-1]
        pager = hub.messages(ref(conversation))
        first = [(await anext(pager)).ref.id for _ in range(stop)]
        checkpoint = json.loads(json.dumps(pager.checkpoint()))
        await pager.aclose()
        expected = api.message_ids(conversation)
        api.add_message(conversation)
        async with ConversationsHub(account(server)) as another:
            rest = await ids(another.resume(checkpoint))
        # Before the first page was read to its end it is asked for again, and what is new comes.
        assert [i for i in first + rest if i in expected] == expected


async def test_a_list_without_a_cursor_or_in_circles_does_not_end():
    for more in ("cursorless", "looping"):
        async with app(message_page=7, more=more) as (api, hub, server):
            with pytest.raises(PagingError):
                await ids(hub.messages(ref(fullest(api)[-1]), prefetch=0))
            assert len(server.requests) == (1 if more == "cursorless" else 2)


async def test_a_cursor_whose_message_is_gone():
    async with app(message_page=7, deleted="removed") as (api, hub, _):
        conversation = fullest(api)[-1]
        pager = hub.messages(ref(conversation), prefetch=0)
        page = [(await anext(pager)).ref.id for _ in range(7)]
        api.remove_message(conversation, page[-1])
        assert page[:-1] + await ids(pager) == api.message_ids(conversation)


@pytest.mark.parametrize("unknown_cursor", ["refused", "generic", "position"])
async def test_a_cursor_whose_conversation_is_gone(unknown_cursor):
    async with app(unknown_cursor=unknown_cursor) as (api, hub, _):
        user = next(iter(api.store.users))
        here = [c["id"] for c in api.store.conversations_of(user)]
        pager = hub.conversations(participant=user, page_size=2, prefetch=0)
        page = [(await anext(pager)).ref.id for _ in range(2)]
        api.store.delete_conversation(page[-1])
        assert page + await ids(pager) == here
        assert len(here) > 4


@pytest.mark.parametrize("retry_after", [True, False])
async def test_too_many_requests(retry_after):
    switches = {"rate_limit": 3, "rate_window": 0.5, "retry_after": retry_after}
    async with app(message_page=30, **switches) as (api, hub, server):
        conversation = fullest(api)[-1]
        assert await ids(hub.messages(ref(conversation))) == api.message_ids(conversation)
        assert {r.status for r in server.requests} == {200, 429}


async def test_a_wrong_key():
    async with app() as (_, _, server):
        async with ConversationsHub(account(server, secret="no")) as hub:
            with pytest.raises(AuthenticationError) as caught:
                await ids(hub.conversations())
        assert caught.value.code == "unauthorized"


async def test_the_host_without_the_prefix():
    async with app() as (api, _, server):
        host = server.base_url.removesuffix("/sc")
        async with ConversationsHub(account(server, base_url=host)) as hub:
            assert sorted(await ids(hub.conversations())) == api.conversation_ids()
