"""What Sunshine Conversations is asked for in each operation, and what becomes of the answers."""

import json
from datetime import UTC, datetime

import pytest

from conversations_hub import (
    Attachment,
    ConfigurationError,
    ConversationKind,
    InvalidRequestError,
    NotFoundError,
    Ref,
    Sunshine,
    TranslationError,
    UnsupportedError,
    Upload,
)
from conversations_hub.providers.sunshine import values
from conversations_hub.providers.sunshine.contents import is_sent
from conversations_hub.recipes import Attempt, Call, Listing
from conversations_hub.wire import Response
from conversations_hub.writing import KEY

APP = "6601f0aa9d2c41b7e5a3c001"
USER = "6601f0bb9d2c41b7e5a3c0f2"
C = "6601f1049d2c41b7e5a3c110"
HERE, ANA = Ref("sunshine", C), Ref("sunshine", USER)
S = Sunshine(app_id=APP, token="a-token", users=(USER,))
ROOT = f"https://api.smooch.io/v2/apps/{APP}"
MOMENT = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
WHERE = f"/conversations/{C}"
BUSINESS = {"type": "business"}
RECEIPT = Attachment(name="a.png", media_type="image/png", url="https://x.test/a.png")
CRITERIA = {"type": "whatsapp", "integrationId": "i1", "phoneNumber": "1555"}
CLIENT = {
    "matchCriteria": CRITERIA,
    "confirmation": {"type": "immediate"},
    "target": {"conversationId": C},
}
HOOK = {"target": "https://h.test/", "triggers": ["*"]}
REFERENCE = dict.fromkeys(("url", "bid", "key", "signature", "owner"), "x")
ITEM = {"title": "K", "actions": [{"type": "postback", "text": "Buy", "payload": "k"}]}


def text_body(**more):
    return {"author": BUSINESS, "content": {"type": "text", "text": "hi"}, **more}


def answering(call):
    """Return the write of a call that reads a list before, which is empty here."""
    while call.request.method == "GET" and not isinstance(call, Listing):
        name = call.request.url.path.rpartition("/")[2]
        call = call.read(answer({name: [], "meta": {"hasMore": False}}))
    return call


def answer(body, status=200):
    return Response(status=status, body=json.dumps(body).encode())


REQUESTS = [
    # Conversations.
    (
        S.create(participants=[ANA]),
        "POST /conversations",
        {
            "type": "personal",
            "participants": [{"userId": USER, "subscribeSDKClient": False}],
        },
    ),
    (
        S.create(
            title="T",
            description="D",
            kind=ConversationKind.GROUP,
            participants=["crm/1"],
            metadata={"a": 1},
            icon_url="https://x.test/i",
            subscribe_sdk_client=True,
        ),
        "POST /conversations",
        {
            "type": "sdkGroup",
            "displayName": "T",
            "description": "D",
            "iconUrl": "https://x.test/i",
            "metadata": {"a": 1},
            "participants": [{"userExternalId": "crm/1", "subscribeSDKClient": True}],
        },
    ),
    (S.create(), "POST /conversations", {"type": "sdkGroup", "participants": []}),
    (
        S.update(HERE, title="T", metadata={}, icon_url="https://x.test/i"),
        f"PATCH {WHERE}",
        {"displayName": "T", "metadata": {}, "iconUrl": "https://x.test/i"},
    ),
    (S.delete(HERE), f"DELETE {WHERE}", None),
    # Messages.
    (S.send(HERE, "hi"), f"POST {WHERE}/messages", text_body()),
    (
        S.send(HERE, "hi", html="<b>hi</b>", metadata={"n": 1}),
        f"POST {WHERE}/messages",
        text_body(
            content={"type": "text", "text": "hi", "htmlText": "<b>hi</b>"}, metadata={"n": 1}
        ),
    ),
    (
        S.send(HERE, "hi", author="Dana", destination="whatsapp", schema="whatsapp", override={}),
        f"POST {WHERE}/messages",
        text_body(
            author={**BUSINESS, "displayName": "Dana"},
            destination={"integrationType": "whatsapp"},
            schema="whatsapp",
            override={},
        ),
    ),
    (
        S.send(HERE, "hi", author=ANA, destination=USER),
        f"POST {WHERE}/messages",
        text_body(author={"type": "user", "userId": USER}, destination={"integrationId": USER}),
    ),
    (
        S.send(HERE, "hi", author={"type": "user", "userExternalId": "crm/1"}),
        f"POST {WHERE}/messages",
        text_body(author={"type": "user", "userExternalId": "crm/1"}),
    ),
    (
        S.send(HERE, "hi", content={"actions": [], "blockChatInput": True}),
        f"POST {WHERE}/messages",
        text_body(content={"type": "text", "text": "hi", "actions": [], "blockChatInput": True}),
    ),
    (
        S.send(HERE, content={"type": "carousel", "items": [ITEM]}),
        f"POST {WHERE}/messages",
        text_body(content={"type": "carousel", "items": [ITEM]}),
    ),
    (
        S.send(HERE, "hi", attachments=[RECEIPT]),
        f"POST {WHERE}/messages",
        text_body(
            content={
                "type": "image",
                "mediaUrl": "https://x.test/a.png",
                "altText": "a.png",
                "text": "hi",
            }
        ),
    ),
    (
        S.send(HERE, attachments=[Attachment(url="https://x.test/a")]),
        f"POST {WHERE}/messages",
        text_body(content={"type": "file", "mediaUrl": "https://x.test/a"}),
    ),
    (S.delete_message(HERE, "a/b"), f"DELETE {WHERE}/messages/a%2Fb", None),
    (S.delete_messages(HERE), f"DELETE {WHERE}/messages", None),
    (
        S.download_message_ref(HERE, ANA, REFERENCE),
        f"POST {WHERE}/download",
        {"userId": USER, "apple": {"interactiveDataRef": REFERENCE}},
    ),
    (
        S.post_conversion_events(HERE, "whatsapp", ({"n": n} for n in range(2))),
        f"POST {WHERE}/conversionEvents",
        {"whatsapp": {"payload": {"data": [{"n": 0}, {"n": 1}]}}},
    ),
    # Files.
    (S.upload_attachment(b"x"), "POST /attachments?access=public", None),
    (
        S.upload_attachment(b"x", conversation=HERE, access="private"),
        f"POST /attachments?access=private&for=message&conversationId={C}",
        None,
    ),
    (
        S.delete_attachment(RECEIPT),
        "POST /attachments/remove",
        {"mediaUrl": "https://x.test/a.png"},
    ),
    (S.delete_attachment("u"), "POST /attachments/remove", {"mediaUrl": "u"}),
    # Participants.
    (
        S.add_participant(HERE, ANA),
        f"POST {WHERE}/join",
        {"userId": USER, "subscribeSDKClient": False},
    ),
    (
        S.add_participant(HERE, "crm/1", subscribe_sdk_client=True),
        f"POST {WHERE}/join",
        {"userExternalId": "crm/1", "subscribeSDKClient": True},
    ),
    (S.remove_participant(HERE, ANA), f"POST {WHERE}/leave", {"userId": USER}),
    (S.remove_participant(HERE, USER), f"POST {WHERE}/leave", {"userId": USER}),
    (S.remove_participant(HERE, "é"), f"POST {WHERE}/leave", {"userExternalId": "é"}),
    (
        S.mark_read(HERE),
        f"POST {WHERE}/activity",
        {"author": BUSINESS, "type": "conversation:read"},
    ),
    (
        S.mark_read(HERE, participant="crm/1"),
        f"POST {WHERE}/activity",
        {"author": {"type": "user", "userExternalId": "crm/1"}, "type": "conversation:read"},
    ),
    (
        S.start_typing(HERE, author="Dana"),
        f"POST {WHERE}/activity",
        {"author": {**BUSINESS, "displayName": "Dana"}, "type": "typing:start"},
    ),
    (S.stop_typing(HERE), f"POST {WHERE}/activity", {"author": BUSINESS, "type": "typing:stop"}),
    # Control.
    (
        S.pass_control(HERE, "next", metadata={"a": 1}),
        f"POST {WHERE}/passControl",
        {"switchboardIntegration": "next", "metadata": {"a": 1}},
    ),
    (
        S.offer_control(HERE, "bot"),
        f"POST {WHERE}/offerControl",
        {"switchboardIntegration": "bot"},
    ),
    (S.accept_control(HERE), f"POST {WHERE}/acceptControl", {}),
    (
        S.release_control(HERE, metadata={"a": 1}),
        f"POST {WHERE}/releaseControl",
        {"metadata": {"a": 1}},
    ),
    # Users.
    (
        S.users_by_email("a+b@x.test", brand_id="9"),
        "GET /users?filter%5Bidentities.email%5D=a%2Bb%40x.test&brandId=9",
        None,
    ),
    (S.user("crm/1", brand_id="9"), "GET /users/crm%2F1?brandId=9", None),
    (S.user(ANA), f"GET /users/{USER}", None),
    (
        S.create_user(
            external_id="crm/1",
            brand_id="9",
            signed_up_at=MOMENT,
            to_be_retained=False,
            profile={"email": None},
            metadata={},
        ),
        "POST /users",
        {
            "externalId": "crm/1",
            "brandId": "9",
            "signedUpAt": "2026-01-20T12:30:00.000Z",
            "toBeRetained": False,
            "profile": {"email": None},
            "metadata": {},
        },
    ),
    (S.create_user(), "POST /users", {}),
    (
        S.update_user(ANA, brand_id="9", signed_up_at=MOMENT, profile={"locale": "pt"}),
        f"PATCH /users/{USER}?brandId=9",
        {"signedUpAt": "2026-01-20T12:30:00.000Z", "profile": {"locale": "pt"}},
    ),
    (S.delete_user("crm/1", brand_id="9"), "DELETE /users/crm%2F1?brandId=9", None),
    (
        S.delete_personal_information("crm/1", brand_id="9"),
        "DELETE /users/crm%2F1/personalinformation?brandId=9",
        None,
    ),
    (
        S.sync_user("35436", surviving_zendesk_id="7"),
        "POST /users/35436/sync",
        {"survivingZendeskId": "7"},
    ),
    (S.clients(ANA, page_size=7), f"GET /users/{USER}/clients?page%5Bsize%5D=7", None),
    (
        S.create_client(ANA, conversation=HERE, match_criteria=CRITERIA, brand_id="9"),
        f"POST /users/{USER}/clients?brandId=9",
        CLIENT,
    ),
    (
        S.create_client(
            "crm/1",
            conversation=HERE,
            match_criteria=CRITERIA,
            confirmation={"type": "prompt", "message": text_body()},
        ),
        "POST /users/crm%2F1/clients",
        {**CLIENT, "confirmation": {"type": "prompt", "message": text_body()}},
    ),
    (S.remove_client("crm/1", "c1"), "DELETE /users/crm%2F1/clients/c1", None),
    # Integrations.
    (S.integrations(), "GET /integrations?page%5Bsize%5D=100", None),
    (
        S.integrations(types=["custom", "web"], page_size=500),
        "GET /integrations?filter%5Btypes%5D=custom%2Cweb&page%5Bsize%5D=100",
        None,
    ),
    (S.integration("i1"), "GET /integrations/i1", None),
    (
        S.create_integration("custom", display_name="Hub", webhooks=[HOOK]),
        "POST /integrations",
        {"type": "custom", "displayName": "Hub", "webhooks": [HOOK]},
    ),
    (
        S.create_integration("telegram", settings={"token": "t"}),
        "POST /integrations",
        {"type": "telegram", "token": "t"},
    ),
    (
        S.update_integration("i1", display_name="Hub", settings={"brandColor": "fff"}),
        "PATCH /integrations/i1",
        {"displayName": "Hub", "brandColor": "fff"},
    ),
    (S.delete_integration("i1"), "DELETE /integrations/i1", None),
    (S.integration_keys("i1"), "GET /integrations/i1/keys", None),
    (S.integration_key("i1", "int_1"), "GET /integrations/i1/keys/int_1", None),
    (S.create_integration_key("i1", "N"), "POST /integrations/i1/keys", {"displayName": "N"}),
    (S.delete_integration_key("i1", "int_1"), "DELETE /integrations/i1/keys/int_1", None),
    (S.webhooks("me"), "GET /integrations/me/webhooks", None),
    (S.webhook("i1", "w1"), "GET /integrations/i1/webhooks/w1", None),
    (
        S.create_webhook("i1", "https://h.test/", ["*"], include_full_user=True),
        "POST /integrations/i1/webhooks",
        {**HOOK, "includeFullUser": True},
    ),
    (
        S.update_webhook("i1", "w1", triggers=("a", "b"), include_full_source=False),
        "PATCH /integrations/i1/webhooks/w1",
        {"triggers": ["a", "b"], "includeFullSource": False},
    ),
    (S.delete_webhook("i1", "w1"), "DELETE /integrations/i1/webhooks/w1", None),
    # The app.
    (S.app(), "GET ", None),
    (
        S.update_app(display_name="A", settings={"echoPostback": True}, metadata={"a": 1}),
        "PATCH ",
        {"displayName": "A", "settings": {"echoPostback": True}, "metadata": {"a": 1}},
    ),
    (S.delete_app(), "DELETE ", None),
]
READ_FIRST = {"create_client", "create_integration", "create_integration_key", "create_webhook"}


@pytest.mark.parametrize(
    ("recipe", "line", "body"),
    REQUESTS,
    ids=[f"{n}-{case[0].question.name}" for n, case in enumerate(REQUESTS)],
)
def test_requests(recipe, line, body):
    name = recipe.question.name
    assert (recipe.request.method == "GET") == (line.startswith("GET") or name in READ_FIRST)
    request = recipe.request if line.startswith("GET") else answering(recipe).request
    assert f"{request.method} {str(request.url).removeprefix(ROOT)}" == line
    assert (json.loads(request.body) if request.body else None) == body
    assert request.headers == ({} if body is None else {"Content-Type": "application/json"})


def test_every_operation_says_where_it_goes():
    """The one line of help names the method and path of what is asked for in the end."""
    for recipe, line, _ in REQUESTS:
        help_ = getattr(Sunshine, recipe.question.name).__doc__.splitlines()[0]
        method, _, path = line.partition(" ")
        told = help_.rpartition("`")[0].rpartition("`")[2]
        assert told.partition(" ")[0] == method, help_
        parts = told.partition(" ")[2].removeprefix("/v2/apps/{appId}").split("/")
        asked = path.partition("?")[0].split("/")
        assert len(parts) == len(asked), help_
        assert all(a == b or a.startswith("{") for a, b in zip(parts, asked, strict=True)), help_


def test_files_are_sent_as_the_part_source():
    request = S.upload_attachment(Upload(b"abc", name="a.txt")).request
    assert (request.part, request.file.name, request.file.media_type) == (
        "source",
        "a.txt",
        "text/plain",
    )


# What cannot be said.


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: S.message(HERE, "m"), UnsupportedError, "messages"),
        (lambda: S.edit(HERE, "m", text="x"), UnsupportedError, "delete_message"),
        (lambda: S.archive(HERE), UnsupportedError, "metadata"),
        (lambda: S.unarchive(HERE), UnsupportedError, "metadata"),
        (lambda: S.close(HERE), UnsupportedError, "release_control"),
        (lambda: S.send(HERE, "x", reply_to="m"), UnsupportedError, "quote"),
        (lambda: S.send(HERE, attachments=[b"1", b"2"]), UnsupportedError, "one message for each"),
        (lambda: S.create(kind=ConversationKind.COMMUNITY), UnsupportedError, "groups"),
        (lambda: S.create(idempotency_key="k"), UnsupportedError, "participants"),
        (lambda: S.create(participants="dana"), ConfigurationError, "list"),
        (lambda: S.integrations(types="custom"), ConfigurationError, "list"),
        (lambda: S.create_webhook("i", "https://h.test", "*"), ConfigurationError, "list"),
        (lambda: S.update_webhook("i", "w", triggers="*"), ConfigurationError, "list"),
        (lambda: S.send(HERE, "x", idempotency_key=""), ConfigurationError, "one character"),
        (
            lambda: S.create(participants=[ANA], idempotency_key=""),
            ConfigurationError,
            "one character",
        ),
        (lambda: S.send(HERE, "x", metadata={1: "a"}), ConfigurationError, "keys"),
        (lambda: S.update(HERE, metadata={1: "a"}), ConfigurationError, "keys"),
        (lambda: S.update_user(USER), ConfigurationError, "nothing to change"),
        (S.update_app, ConfigurationError, "nothing to change"),
        (lambda: S.update_integration("i"), ConfigurationError, "nothing to change"),
        (lambda: S.update_webhook("i", "w"), ConfigurationError, "nothing to change"),
        (lambda: S.send(HERE), ConfigurationError, "nothing to send"),
        (lambda: S.send(HERE, ""), ConfigurationError, "nothing to send"),
        (lambda: S.send(HERE, "", html=""), ConfigurationError, "nothing to send"),
        (lambda: S.send(HERE, "\ud800"), ConfigurationError, "surrogate"),
        (lambda: S.send(HERE, "\ud800", attachments=[b"x"]), ConfigurationError, "surrogate"),
        (lambda: S.send(HERE, "x", idempotency_key="\udc00"), ConfigurationError, "surrogate"),
        (
            lambda: S.send(HERE, attachments=[Upload(b"", name="\ud800")]),
            ConfigurationError,
            "surrogate",
        ),
        (lambda: S.create(text="\ud800"), ConfigurationError, "surrogate"),
        (lambda: S.create(title="\ud800"), ConfigurationError, "surrogate"),
        (lambda: S.update(HERE, title="\ud800"), ConfigurationError, "surrogate"),
        (lambda: S.send(HERE, "x", metadata={"a": object()}), ConfigurationError, "JSON"),
        (lambda: S.send(HERE, attachments=["a.txt"]), ConfigurationError, "not a file"),
        (lambda: S.send(HERE, attachments=[Attachment(id="1")]), ConfigurationError, "address"),
        (lambda: S.delete_attachment(Attachment(id="1")), ConfigurationError, "address"),
        (lambda: S.update(HERE), ConfigurationError, "nothing to change"),
        (lambda: S.send(Ref("clio", "1"), "x"), ConfigurationError, "clio"),
        (lambda: S.send(HERE, "x", author=Ref("clio", "1")), ConfigurationError, "clio"),
        (lambda: S.add_participant(HERE, Ref("clio", "1")), ConfigurationError, "clio"),
        (lambda: S.remove_participant(HERE, Ref("clio", "1")), ConfigurationError, "clio"),
        (lambda: S.mark_read(HERE, participant=Ref("clio", "1")), ConfigurationError, "clio"),
        (lambda: S.create(participants=[Ref("clio", "1")]), ConfigurationError, "clio"),
        (lambda: S.user(Ref("clio", "1")), ConfigurationError, "clio"),
        (lambda: S.user(".."), ConfigurationError, "id"),
        (
            lambda: S.create_user(signed_up_at=datetime(2026, 1, 1)),  # noqa: DTZ001
            ConfigurationError,
            "aware datetime",
        ),
    ],
)
def test_what_cannot_be_said(ask, error, words):
    with pytest.raises(error, match=words):
        ask()


# What becomes of the answers.


def read_one(recipe, body):
    return recipe.read(answer(body))


def test_a_user():
    body = {
        "id": USER,
        "externalId": "crm/1",
        "zendeskId": 35436,
        "brandId": None,
        "authenticated": True,
        "signedUpAt": "2026-01-20T12:30:00.000Z",
        "toBeRetained": False,
        "profile": {"givenName": "Ana", "surname": None, "email": "a@x.test", "localeOrigin": "z"},
        "metadata": {"vip": True},
        "identities": [{"type": "email", "value": "a@x.test", "verification": "verified"}],
        "hasPaymentInfo": False,
    }
    expected = values.User(
        id=USER,
        external_id="crm/1",
        zendesk_id="35436",
        authenticated=True,
        signed_up_at=MOMENT,
        to_be_retained=False,
        profile=values.Profile(given_name="Ana", email="a@x.test"),
        metadata={"vip": True},
        identities=(values.Identity(type="email", value="a@x.test", verification="verified"),),
    )
    user = read_one(S.user(USER), {"user": body})
    assert user == expected
    assert user.raw["hasPaymentInfo"] is False
    found = S.users_by_email("a@x.test")
    page = found.read(found.request, answer({"users": [body, {"id": "u2"}]}))
    assert page.items == (expected, values.User(id="u2"))
    assert [user.ref for user in page.items] == [Ref("sunshine", USER), Ref("sunshine", "u2")]
    assert page.next is None


def test_clients_go_on_with_a_cursor():
    listing = S.clients(USER)
    body = {
        "id": "c1",
        "type": "whatsapp",
        "status": "active",
        "integrationId": "i1",
        "externalId": "1555",
        "lastSeen": "2026-01-20T12:30:00.000Z",
        "linkedAt": None,
        "displayName": "Ana",
        "avatarUrl": "https://x.test/a",
        "info": {"city": "Lisboa"},
        "raw": {"name": "Ana"},
    }
    meta = {"hasMore": True, "afterCursor": "a" * 24}
    page = listing.read(listing.request, answer({"clients": [body], "meta": meta}))
    assert page.items == (
        values.Client(
            id="c1",
            type="whatsapp",
            status="active",
            integration_id="i1",
            external_id="1555",
            last_seen=MOMENT,
            display_name="Ana",
            avatar_url="https://x.test/a",
            info={"city": "Lisboa"},
        ),
    )
    assert page.items[0].raw["raw"] == {"name": "Ana"}
    assert page.next.query["page[after]"] == "a" * 24
    silent = listing.read(S.clients(USER, page_size=1).request, answer({"clients": [body]}))
    assert silent.next.query["page[after]"] == "c1"


def test_an_integration_and_what_it_has():
    hook = {
        **HOOK,
        "id": "w1",
        "version": "v2",
        "secret": "hush-hush",
        "includeFullUser": True,
        "includeFullSource": False,
    }
    webhook = values.Webhook(
        id="w1",
        version="v2",
        target="https://h.test/",
        triggers=("*",),
        secret="hush-hush",
        include_full_user=True,
        include_full_source=False,
    )
    body = {"id": "i1", "type": "custom", "status": "active", "displayName": "Hub"}
    integration = read_one(S.integration("i1"), {"integration": {**body, "webhooks": [hook]}})
    assert integration == values.Integration(
        id="i1", type="custom", status="active", display_name="Hub", webhooks=(webhook,)
    )
    assert read_one(S.webhook("i1", "w1"), {"webhook": hook}) == webhook
    key = {"id": "int_1", "displayName": "N", "secret": "hush-hush"}
    read = read_one(S.integration_key("i1", "int_1"), {"key": key})
    assert read == values.IntegrationKey(id="int_1", display_name="N", secret="hush-hush")
    assert "hush" not in repr((webhook, read, integration))


def test_the_app_and_events():
    app = {"id": APP, "displayName": "Acme", "subdomain": "acme", "settings": {"a": True}}
    assert read_one(S.app(), {"app": app}) == values.App(
        id=APP, display_name="Acme", subdomain="acme", settings={"a": True}
    )
    counted = {"conversionEvents": {"datasetId": 123, "eventsReceived": 2}}
    got = read_one(S.post_conversion_events(HERE, "messenger", []), counted)
    assert got == values.ConversionEvents(dataset_id="123", events_received=2)
    assert read_one(S.download_message_ref(HERE, USER, REFERENCE), {"any": [1]}) == {"any": [1]}


def test_an_upload():
    got = read_one(
        S.upload_attachment(Upload(b"abc", name="a.txt")),
        {"attachment": {"mediaUrl": "https://x.test/a", "mediaType": "text/plain"}},
    )
    assert got == Attachment(name="a.txt", media_type="text/plain", size=3, url="https://x.test/a")


POSTED = {"id": "m1", "author": BUSINESS, "content": {"type": "text", "text": "hi"}}
SHOWN = {**POSTED, "id": "m2", "content": {"type": "image", "mediaUrl": "https://x.test/a.png"}}


def test_of_several_messages_the_one_with_the_file_counts():
    """A caption may become a message of its own."""
    both = {"messages": [POSTED, SHOWN]}
    assert read_one(S.send(HERE, "hi", attachments=[RECEIPT]), both).ref.id == "m2"
    assert read_one(S.send(HERE, "hi"), both).ref.id == "m1"


@pytest.mark.parametrize("body", [{"messages": []}, {"messages": [{"id": 5}]}, {}])
def test_an_answer_without_a_message(body):
    with pytest.raises(TranslationError):
        read_one(S.send(HERE, "hi"), body)


# Whether a message is the one that was sent.

SENT = text_body()
RICH = {"type": "text", "text": "hi", "actions": [{"type": "link", "uri": "u", "text": "t"}]}


@pytest.mark.parametrize(
    ("sent", "got", "same"),
    [
        ({}, {}, True),
        ({}, {"source": {"type": "api:conversations"}, "metadata": {}, "novelty": 1}, True),
        ({}, {"metadata": {"a": 1}}, False),
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1}}, True),
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1, "b": 2}}, False),
        ({"metadata": {"a": 1}}, {}, False),
        ({}, {"author": {"type": "user", "userId": USER}}, False),
        ({"author": {**BUSINESS, "displayName": "D"}}, {}, False),
        ({"author": {"type": "user", "userExternalId": "x"}}, {"author": {"type": "user"}}, True),
        ({}, {"content": {"type": "text", "text": "hi "}}, False),
        ({}, {"content": RICH}, False),
        ({}, {"content": {"type": "text", "text": "hi", "htmlText": "<b>hi</b>"}}, False),
        ({}, {"content": {"type": "text", "text": "hi", "actions": [], "htmlText": None}}, True),
        ({}, {"content": None}, False),
        ({"content": RICH}, {"content": RICH}, True),
        ({"content": RICH}, {}, False),
        (
            {"content": RICH},
            {"content": {**RICH, "actions": [{**RICH["actions"][0], "uri": "v"}]}},
            False,
        ),
        (
            {"content": {"type": "text", "htmlText": "<b>x</b>"}},
            {"content": {"type": "text", "htmlText": "<b>x</b>", "text": "x"}},
            True,
        ),
        (
            {"content": {"type": "text", "markdownText": "**x**"}},
            {"content": {"type": "text", "htmlText": "<b>x</b>", "text": "x"}},
            True,
        ),
        (
            {"content": {"type": "carousel", "items": [ITEM]}},
            {"content": {"type": "carousel", "items": [{**ITEM, "mediaType": "?"}], "text": "1"}},
            True,
        ),
        (
            {"content": {"type": "carousel", "items": [ITEM]}},
            {"content": {"type": "carousel", "items": [ITEM, ITEM]}},
            False,
        ),
        (
            {"content": {"type": "file", "mediaUrl": "u", "text": "hi"}},
            {"content": {"type": "file", "mediaUrl": "u", "altText": "u", "mediaSize": 3}},
            True,
        ),
        (
            {"content": {"type": "file", "mediaUrl": "u", "text": "hi"}},
            {"content": {"type": "file", "mediaUrl": "u", "text": "ho"}},
            False,
        ),
        (
            {"content": {"type": "file", "mediaUrl": "u"}},
            {"content": {"type": "file", "mediaUrl": "u", "text": "hi"}},
            False,
        ),
    ],
)
def test_the_message_that_was_sent(sent, got, same):
    assert is_sent({**SENT, **sent}, {**POSTED, **got}) is same


# Sequences, with a dictionary for a server.


def carried_out(call, answers):
    """Carry out a call; return what was asked for, and the value."""
    asked = []
    while isinstance(call, Call):
        line = f"{call.request.method} {str(call.request.url).removeprefix(ROOT)}"
        body = json.loads(call.request.body) if call.request.body else {}
        asked.append((line, body))
        status, content = answers[line.partition("?")[0]](body)
        response = answer(content, status)
        if status < 300:
            call = call.read(response)
            continue
        error = S.error_for(call.question.name if call.question else "", call.request, response)
        if call.recover is None:
            raise error
        call = call.recover(error)
    return asked, call


def refusal(status, code):
    return status, {"errors": [{"code": code, "title": code}]}


LOOKS_LIKE_ID = "0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (S.add_participant(HERE, LOOKS_LIKE_ID), f"{WHERE}/join"),
        (S.remove_participant(HERE, LOOKS_LIKE_ID), f"{WHERE}/leave"),
        (S.mark_read(HERE, participant=LOOKS_LIKE_ID), f"{WHERE}/activity"),
        (S.create(participants=[LOOKS_LIKE_ID]), "/conversations"),
    ],
    ids=["join", "leave", "activity", "create"],
)
def test_an_external_id_that_looks_like_an_id(call, path):
    """It is tried as an id first; nobody's id is a refusal, so that nothing has happened."""
    nobody = "not_found" if path.endswith("/leave") else "user_not_found"

    def serve(body):
        if LOOKS_LIKE_ID not in json.dumps(body).partition('"userExternalId": ')[2]:
            return refusal(404, nobody)
        return 200, {"participant": {"id": "p"}, "conversation": {"id": "c"}}

    asked, _ = carried_out(call, {f"POST {path}": serve})
    assert len(asked) == 2
    with pytest.raises(NotFoundError):
        carried_out(call, {f"POST {path}": lambda _: refusal(404, "user_not_found")})
    tries = []

    def refuse(body):
        tries.append(body)
        return refusal(404, "conversation_not_found")

    with pytest.raises(NotFoundError):
        carried_out(call, {f"POST {path}": refuse})
    assert len(tries) == 1


def test_a_ref_is_an_id_and_nothing_else():
    with pytest.raises(NotFoundError):
        carried_out(
            S.add_participant(HERE, ANA),
            {f"POST {WHERE}/join": lambda _: refusal(404, "user_not_found")},
        )


def test_a_ref_of_a_participant_leaves_too():
    def serve(body):
        return (200, {}) if "participantId" in body else refusal(404, "not_found")

    asked, _ = carried_out(S.remove_participant(HERE, ANA), {f"POST {WHERE}/leave": serve})
    assert [body for _, body in asked] == [{"userId": USER}, {"participantId": USER}]
    with pytest.raises(InvalidRequestError):
        carried_out(
            S.remove_participant(HERE, ANA),
            {f"POST {WHERE}/leave": lambda _: refusal(400, "bad_request")},
        )


@pytest.mark.parametrize("who", ["p1", "u1", "u9"])
def test_who_has_read_is_looked_up(who):
    people = [{"id": "p0", "userId": "u0"}, {"id": "p1", "userId": "u1"}]
    answers = {
        f"GET {WHERE}/participants": lambda _: (200, {"participants": people}),
        f"POST {WHERE}/activity": lambda _: (200, {}),
    }
    asked, _ = carried_out(S.mark_read(HERE, participant=Ref("sunshine", who)), answers)
    expected = "u9" if who == "u9" else "u1"
    assert asked[-1][1]["author"] == {"type": "user", "userId": expected}


def test_a_file_is_uploaded_and_then_shown():
    media = {"mediaUrl": "https://files.test/1", "mediaType": "image/png"}
    answers = {
        "POST /attachments": lambda _: (201, {"attachment": media}),
        f"POST {WHERE}/messages": lambda body: (
            201,
            {"messages": [{**body, "id": "m1", "content": {**body["content"], **media}}]},
        ),
    }
    file = Upload(b"x", name="a.png")
    asked, message = carried_out(S.send(HERE, "Look", attachments=[file]), answers)
    assert [line for line, _ in asked] == [
        f"POST /attachments?access=public&for=message&conversationId={C}",
        f"POST {WHERE}/messages",
    ]
    assert asked[1][1]["content"] == {
        "type": "image",
        "mediaUrl": "https://files.test/1",
        "altText": "a.png",
        "text": "Look",
    }
    assert message.attachments[0].url == "https://files.test/1"
    steps = S.send(HERE, attachments=[file])
    assert (steps.prepares, steps.reconcile) == (True, None)


def test_a_conversation_with_its_first_message():
    full = {"id": "c9", "createdAt": "2026-01-20T12:30:00.000Z"}
    answers = {
        "POST /conversations": lambda _: (201, {"conversation": {"id": "c9"}}),
        "POST /conversations/c9/messages": lambda _: (201, {"messages": [POSTED]}),
        "GET /conversations/c9": lambda _: (200, {"conversation": full}),
    }
    asked, conversation = carried_out(S.create(participants=[ANA], text="hi"), answers)
    assert [line for line, _ in asked] == list(answers)
    assert asked[1][1] == text_body()
    assert conversation.created_at == MOMENT


@pytest.mark.parametrize("state", ["absent", "silent", "complete"])
def test_a_key_finds_what_an_earlier_try_left(state):
    """A conversation that was begun and has no first message yet gets it."""
    kept = {"id": "c9", "metadata": {KEY: "k"}}
    messages = [{**POSTED, "metadata": {KEY: "k"}}] if state == "complete" else []
    answers = {
        "GET /conversations": lambda _: (200, {"conversations": [kept] * (state != "absent")}),
        "POST /conversations": lambda _: (201, {"conversation": kept}),
        "GET /conversations/c9/messages": lambda _: (200, {"messages": messages, "meta": {}}),
        "POST /conversations/c9/messages": lambda _: (201, {"messages": [POSTED]}),
        "GET /conversations/c9": lambda _: (200, {"conversation": kept}),
    }
    answers["GET /conversations/c9/messages"] = lambda _: (
        200,
        {"messages": messages, "meta": {"hasMore": False}},
    )
    call = S.create(participants=[ANA], text="hi", metadata={"a": 1}, idempotency_key="k")
    asked, conversation = carried_out(call, answers)
    lines = [line.partition("?")[0] for line, _ in asked]
    assert lines.count("POST /conversations") == (state == "absent")
    assert lines.count("POST /conversations/c9/messages") == (state != "complete")
    assert conversation.ref.id == "c9"
    for line, body in asked:
        if line.startswith("POST"):
            assert body["metadata"][KEY] == "k"


def test_without_people_there_is_nothing_to_read_back():
    attempt = Attempt(since=MOMENT)
    for served in ((200, {}), (403, {})):
        call = S.create(title="T").reconcile(attempt)
        assert carried_out(call, {"GET ": lambda _, served=served: served})[1].happened is None


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({}, True),
        ({"isDefault": False, "iconUrl": None}, True),
        ({"type": "sdkGroup"}, False),
        ({"displayName": "U"}, False),
        ({"description": "D"}, False),
        ({"metadata": {"a": 1}}, True),
        ({"metadata": {"a": 2}}, False),
        ({"metadata": {"a": 1, "b": 2}}, False),
        ({"createdAt": "2026-01-20T12:29:59.999Z"}, False),
        ({"createdAt": None}, None),
        ({"createdAt": None, "displayName": "U"}, False),
        ({"createdAt": None, "id": "known"}, False),
        ({"id": "known"}, False),
    ],
)
def test_the_conversation_that_was_begun(more, same):
    metadata = {"a": 1} if "metadata" in more else None
    call = S.create(title="T", participants=[ANA], metadata=metadata)
    record = {
        "id": "c9",
        "type": "personal",
        "displayName": "T",
        "createdAt": "2026-01-20T12:30:00.000Z",
        **more,
    }
    attempt = Attempt(since=MOMENT, known=frozenset({Ref("sunshine", "known")}))
    _, told = carried_out(
        call.reconcile(attempt),
        {"GET /conversations": lambda _: (200, {"conversations": [record]})},
    )
    assert told.happened is same


def test_what_only_fetches_is_no_write():
    assert S.download_message_ref(HERE, USER, REFERENCE).prepares


def test_a_typed_word_leaves_no_trace():
    for call in (S.start_typing(HERE), S.create_user(), S.delete_attachment("u")):
        assert call.reconcile is None


CLEARING = S.update(HERE, metadata={})


@pytest.mark.parametrize(
    ("call", "found", "happened"),
    [
        (CLEARING, {"conversation": {"id": "c"}}, True),
        (CLEARING, {"conversation": {"id": "c", "metadata": {"a": 1}}}, None),
        (
            S.update(HERE, title="T", metadata={}),
            {"conversation": {"id": "c", "metadata": {"a": 1}}},
            False,
        ),
        (
            S.update_integration("i", display_name="W", settings={"token": "t"}),
            {"integration": {"id": "i", "displayName": "W"}},
            None,
        ),
        (
            S.update_integration("i", display_name="W", settings={"token": "t"}),
            {"integration": {"id": "i", "displayName": "V"}},
            False,
        ),
        (S.update_integration("i", settings={"token": "t"}), {"integration": {"id": "i"}}, None),
        (S.delete_user(USER), {"user": {"id": USER}}, None),
    ],
)
def test_what_cannot_be_seen_is_neither_done_nor_undone(call, found, happened):
    assert call.reconcile(Attempt(since=MOMENT)).read(answer(found)).happened is happened


@pytest.mark.parametrize(
    ("told", "happened"),
    [
        ({"unreadCount": 0}, True),
        ({"unreadCount": 2}, False),
        ({"unreadCount": 2, "lastRead": "2026-01-20T12:30:00.000Z"}, True),
        ({}, None),
    ],
)
def test_whether_somebody_has_read(told, happened):
    look = S.mark_read(HERE, participant=USER).reconcile(Attempt(since=MOMENT))
    page = {"participants": [{"id": "p", "userId": USER, **told}]}
    assert look.read(answer(page)).happened is happened
