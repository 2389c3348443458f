"""What Twilio is asked for each operation, and what becomes of its answers; nothing is sent."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import (
    Attachment,
    ConfigurationError,
    ConflictError,
    ConversationKind,
    ConversationState,
    NotFoundError,
    Outcome,
    Ref,
    TranslationError,
    Twilio,
    UnsupportedError,
    Upload,
)
from conversations_hub.providers.twilio import evidence, values
from conversations_hub.recipes import Attempt, Call
from conversations_hub.wire import Response

ACCOUNT = "AC" + "0" * 32
SERVICE = "IS" + "1" * 32
CH, IM, MB, WH = ("CH" + "2" * 32, "IM" + "3" * 32, "MB" + "4" * 32, "WH" + "5" * 32)
IG, US, ME, DY, HX = ("IG" + "6" * 32, "US" + "7" * 32, "ME" + "8" * 32, "DY" + "9" * 32, "HX1")
TWILIO = Twilio(account_sid=ACCOUNT, auth_token="a-token")
SERVED = evolve(TWILIO, service_sid=SERVICE)
HERE = Ref("twilio", CH)
DANA = Ref("twilio", "dana")
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 700_000, tzinfo=UTC)
STAMP = "2026-02-03T04:05:06.700Z"
HOOKED = {"X-Twilio-Webhook-Enabled": "true"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOST = "https://conversations.twilio.com/v1/"
FILES = f"https://mcs.us1.twilio.com/v1/Services/{SERVICE}/Media"


def ref(id_):
    return Ref("twilio", id_)


C, M, P = f"Conversations/{CH}", f"Conversations/{CH}/Messages", f"Conversations/{CH}/Participants"
UC = f"Users/dana/Conversations/{CH}"
ADDRESSES = "Configuration/Addresses"
AUTO = {
    "auto_creation_enabled": False,
    "auto_creation_type": "webhook",
    "auto_creation_conversation_service_sid": SERVICE,
    "auto_creation_webhook_url": "https://a.test",
    "auto_creation_webhook_method": "get",
    "auto_creation_webhook_filters": ["onMessageAdded", "onParticipantAdded"],
    "auto_creation_studio_flow_sid": "FW1",
    "auto_creation_studio_retry_count": 3,
}
AUTO_FORM = [
    ("AutoCreation.Enabled", "false"),
    ("AutoCreation.Type", "webhook"),
    ("AutoCreation.ConversationServiceSid", SERVICE),
    ("AutoCreation.WebhookUrl", "https://a.test"),
    ("AutoCreation.WebhookMethod", "get"),
    ("AutoCreation.WebhookFilters", "onMessageAdded"),
    ("AutoCreation.WebhookFilters", "onParticipantAdded"),
    ("AutoCreation.StudioFlowSid", "FW1"),
    ("AutoCreation.StudioRetryCount", "3"),
]
DATES = {"date_created": MOMENT, "date_updated": MOMENT}
DATES_FORM = [("DateCreated", STAMP), ("DateUpdated", STAMP)]
ABOUT = {
    "title": "Visit",
    "metadata": {"a": [1, "é"]},
    "unique_name": "case/1",
    "state": ConversationState.INACTIVE,
    "messaging_service_sid": "MG1",
    "timers_inactive": timedelta(minutes=90),
    "timers_closed": "P1D",
    "bindings_email_address": "help@a.test",
    "bindings_email_name": "Help",
}
ABOUT_FORM = [
    ("FriendlyName", "Visit"),
    ("Attributes", '{"a":[1,"é"]}'),
    ("UniqueName", "case/1"),
    ("State", "inactive"),
    ("MessagingServiceSid", "MG1"),
    ("Timers.Inactive", "PT5400S"),
    ("Timers.Closed", "P1D"),
    ("Bindings.Email.Address", "help@a.test"),
    ("Bindings.Email.Name", "Help"),
]
TARGET = {
    "url": "https://a.test",
    "method": "get",
    "filters": ["onMessageAdded", "onMessageRemoved"],
    "triggers": ("help", "stop"),
    "flow_sid": "FW1",
}
TARGET_FORM = [
    ("Configuration.Url", "https://a.test"),
    ("Configuration.Method", "get"),
    ("Configuration.Filters", "onMessageAdded"),
    ("Configuration.Filters", "onMessageRemoved"),
    ("Configuration.Triggers", "help"),
    ("Configuration.Triggers", "stop"),
    ("Configuration.FlowSid", "FW1"),
]

# An operation, its method, its path with the query, and its form; True where it has hooks.
READS = {
    "conversation": (lambda t: t.conversation(ref("a/b")), "Conversations/a%2Fb"),
    "message": (lambda t: t.message(HERE, IM), f"{M}/{IM}"),
    "receipts": (
        lambda t: t.receipts(HERE, ref(IM), page_size=99),
        f"{M}/{IM}/Receipts?PageSize=50",
    ),
    "receipt": (lambda t: t.receipt(CH, IM, ref(DY)), f"{M}/{IM}/Receipts/{DY}"),
    "participant": (lambda t: t.participant(HERE, ref("d a/na")), f"{P}/d%20a%2Fna"),
    "webhooks": (lambda t: t.webhooks(HERE), f"{C}/Webhooks?PageSize=5"),
    "webhook": (lambda t: t.webhook(CH, ref(WH)), f"{C}/Webhooks/{WH}"),
    "users": (lambda t: t.users(page_size=7), "Users?PageSize=7"),
    "user": (lambda t: t.user("dana@a.test"), "Users/dana%40a.test"),
    "user_conversations": (
        lambda t: t.user_conversations(DANA),
        "Users/dana/Conversations?PageSize=50",
    ),
    "user_conversation": (lambda t: t.user_conversation("dana", HERE), UC),
    "participant_conversations": (
        lambda t: t.participant_conversations(identity="+1"),
        "ParticipantConversations?Identity=%2B1&PageSize=50",
    ),
    "participant_conversations at an address": (
        lambda t: t.participant_conversations(address="+1", page_size=3),
        "ParticipantConversations?Address=%2B1&PageSize=3",
    ),
}
WRITES = {
    "create": (
        lambda t: t.create(**ABOUT, **DATES, webhook_enabled=True),
        "POST",
        "Conversations",
        [*ABOUT_FORM, *DATES_FORM],
    ),
    "update": (
        lambda t: t.update(ref("a/b"), **ABOUT, **DATES, webhook_enabled=True),
        "POST",
        "Conversations/a%2Fb",
        [*ABOUT_FORM, *DATES_FORM],
    ),
    "close": (lambda t: t.close(HERE, webhook_enabled=True), "POST", C, [("State", "closed")]),
    "delete": (lambda t: t.delete(HERE, webhook_enabled=True), "DELETE", C, None),
    "send": (
        lambda t: t.send(
            HERE,
            "a&b=c +%0A 👍\r\n\x00",
            metadata={"k": None},
            author="dana",
            subject="Visit",
            **DATES,
            webhook_enabled=True,
        ),
        "POST",
        M,
        [
            ("Author", "dana"),
            ("Body", "a&b=c +%0A 👍\r\n\x00"),
            ("Attributes", '{"k":null}'),
            ("Subject", "Visit"),
            *DATES_FORM,
        ],
    ),
    "send a file that is there": (
        lambda t: t.send(HERE, attachments=[Attachment(id=ME)], webhook_enabled=True),
        "POST",
        M,
        [("MediaSid", ME)],
    ),
    "send a file with an address": (
        lambda t: t.send(
            HERE, attachments=[Attachment(url=f"{FILES}/{ME}/Content")], webhook_enabled=True
        ),
        "POST",
        M,
        [("MediaSid", ME)],
    ),
    "send a template": (
        lambda t: t.send(
            HERE, content_sid=HX, content_variables={"1": "nine"}, webhook_enabled=True
        ),
        "POST",
        M,
        [("ContentSid", HX), ("ContentVariables", '{"1":"nine"}')],
    ),
    "edit": (
        lambda t: t.edit(
            HERE,
            IM,
            text="",
            metadata={},
            author="dana",
            subject="Visit",
            **DATES,
            webhook_enabled=True,
        ),
        "POST",
        f"{M}/{IM}",
        [("Author", "dana"), ("Body", ""), ("Attributes", "{}"), ("Subject", "Visit"), *DATES_FORM],
    ),
    "delete_message": (
        lambda t: t.delete_message(HERE, IM, webhook_enabled=True),
        "DELETE",
        f"{M}/{IM}",
        None,
    ),
    "add_participant": (
        lambda t: t.add_participant(
            HERE, DANA, metadata={"a": 1}, role_sid="RL1", **DATES, webhook_enabled=True
        ),
        "POST",
        P,
        [("Identity", "dana"), ("Attributes", '{"a":1}'), ("RoleSid", "RL1"), *DATES_FORM],
    ),
    "add_participant by name": (
        lambda t: t.add_participant(HERE, "d@a.test", webhook_enabled=True),
        "POST",
        P,
        [("Identity", "d@a.test")],
    ),
    "add_participant by e-mail": (
        lambda t: t.add_participant(
            HERE, "d@a.test", proxy_address="o@b.test", webhook_enabled=True
        ),
        "POST",
        P,
        [("MessagingBinding.Address", "d@a.test"), ("MessagingBinding.ProxyAddress", "o@b.test")],
    ),
    "add_participant by number": (
        lambda t: t.add_participant(HERE, "whatsapp:+15558675310", webhook_enabled=True),
        "POST",
        P,
        [("MessagingBinding.Address", "whatsapp:+15558675310")],
    ),
    "add_participant with a number": (
        lambda t: t.add_participant(HERE, DANA, address="+1555", webhook_enabled=True),
        "POST",
        P,
        [("Identity", "dana"), ("MessagingBinding.Address", "+1555")],
    ),
    "add_participant of a group text": (
        lambda t: t.add_participant(HERE, projected_address="+1555", webhook_enabled=True),
        "POST",
        P,
        [("MessagingBinding.ProjectedAddress", "+1555")],
    ),
    "update_participant": (
        lambda t: t.update_participant(
            HERE,
            ref(MB),
            identity="eve",
            proxy_address="null",
            projected_address="+1",
            metadata={},
            role_sid="RL1",
            last_read_message_index=0,
            last_read_at=MOMENT,
            **DATES,
            webhook_enabled=True,
        ),
        "POST",
        f"{P}/{MB}",
        [
            ("Identity", "eve"),
            ("MessagingBinding.ProxyAddress", "null"),
            ("MessagingBinding.ProjectedAddress", "+1"),
            ("Attributes", "{}"),
            ("RoleSid", "RL1"),
            ("LastReadMessageIndex", "0"),
            ("LastReadTimestamp", STAMP),
            *DATES_FORM,
        ],
    ),
    "remove_participant": (
        lambda t: t.remove_participant(HERE, ref(MB), webhook_enabled=True),
        "DELETE",
        f"{P}/{MB}",
        None,
    ),
    "create_user": (
        lambda t: t.create_user(
            "dana", friendly_name="Dana", metadata={}, role_sid="RL1", webhook_enabled=True
        ),
        "POST",
        "Users",
        [("Identity", "dana"), ("FriendlyName", "Dana"), ("Attributes", "{}"), ("RoleSid", "RL1")],
    ),
    "update_user": (
        lambda t: t.update_user(
            DANA, friendly_name="Dana", metadata={}, role_sid="RL1", webhook_enabled=True
        ),
        "POST",
        "Users/dana",
        [("FriendlyName", "Dana"), ("Attributes", "{}"), ("RoleSid", "RL1")],
    ),
    "delete_user": (
        lambda t: t.delete_user("da/na", webhook_enabled=True),
        "DELETE",
        "Users/da%2Fna",
        None,
    ),
}
# The same, where Twilio knows no header for webhooks.
SILENT_WRITES = {
    "update_user_conversation": (
        lambda t: t.update_user_conversation(
            "dana",
            HERE,
            notification_level="muted",
            last_read_message_index=0,
            last_read_at=MOMENT,
        ),
        "POST",
        UC,
        [
            ("NotificationLevel", "muted"),
            ("LastReadMessageIndex", "0"),
            ("LastReadTimestamp", STAMP),
        ],
    ),
    "delete_user_conversation": (
        lambda t: t.delete_user_conversation(DANA, CH),
        "DELETE",
        UC,
        None,
    ),
    "create_webhook": (
        lambda t: t.create_webhook(HERE, "trigger", **TARGET, replay_after=0),
        "POST",
        f"{C}/Webhooks",
        [("Target", "trigger"), *TARGET_FORM, ("Configuration.ReplayAfter", "0")],
    ),
    "update_webhook": (
        lambda t: t.update_webhook(HERE, WH, **TARGET),
        "POST",
        f"{C}/Webhooks/{WH}",
        TARGET_FORM,
    ),
    "update_webhook to no filters": (
        lambda t: t.update_webhook(HERE, WH, filters=[]),
        "POST",
        f"{C}/Webhooks/{WH}",
        [("Configuration.Filters", "")],
    ),
    "delete_webhook": (
        lambda t: t.delete_webhook(CH, ref(WH)),
        "DELETE",
        f"{C}/Webhooks/{WH}",
        None,
    ),
}
OF_THE_ACCOUNT = {
    "configuration": (lambda t: t.configuration(), "GET", "Configuration", None),
    "update_configuration": (
        lambda t: t.update_configuration(
            default_chat_service_sid=SERVICE,
            default_messaging_service_sid="MG1",
            default_inactive_timer=timedelta(minutes=1),
            default_closed_timer="PT10M",
        ),
        "POST",
        "Configuration",
        [
            ("DefaultChatServiceSid", SERVICE),
            ("DefaultMessagingServiceSid", "MG1"),
            ("DefaultInactiveTimer", "PT60S"),
            ("DefaultClosedTimer", "PT10M"),
        ],
    ),
    "configuration_webhook": (
        lambda t: t.configuration_webhook(),
        "GET",
        "Configuration/Webhooks",
        None,
    ),
    "update_configuration_webhook": (
        lambda t: t.update_configuration_webhook(
            method="GET",
            filters="onMessageAdded",
            pre_webhook_url="https://a.test",
            post_webhook_url="",
            target="flex",
        ),
        "POST",
        "Configuration/Webhooks",
        [
            ("Method", "GET"),
            ("Filters", "onMessageAdded"),
            ("PreWebhookUrl", "https://a.test"),
            ("PostWebhookUrl", ""),
            ("Target", "flex"),
        ],
    ),
    "address_configurations": (
        lambda t: t.address_configurations(type="sms", page_size=7),
        "GET",
        f"{ADDRESSES}?Type=sms&PageSize=7",
        None,
    ),
    "address_configuration": (
        lambda t: t.address_configuration("+1"),
        "GET",
        f"{ADDRESSES}/%2B1",
        None,
    ),
    "create_address_configuration": (
        lambda t: t.create_address_configuration(
            "sms", "+1", friendly_name="Ours", address_country="US", **AUTO
        ),
        "POST",
        ADDRESSES,
        [
            ("Type", "sms"),
            ("Address", "+1"),
            ("FriendlyName", "Ours"),
            ("AddressCountry", "US"),
            *AUTO_FORM,
        ],
    ),
    "update_address_configuration": (
        lambda t: t.update_address_configuration(ref(IG), friendly_name="Ours", **AUTO),
        "POST",
        f"{ADDRESSES}/{IG}",
        [("FriendlyName", "Ours"), *AUTO_FORM],
    ),
    "delete_address_configuration": (
        lambda t: t.delete_address_configuration(IG),
        "DELETE",
        f"{ADDRESSES}/{IG}",
        None,
    ),
}


def check(request, method, url, form, headers):
    assert (request.method, str(request.url)) == (method, url)
    assert dict(request.headers) == ({**FORM, **headers} if form is not None else headers)
    sent = None if request.body is None else parse_qsl(request.body.decode(), True, True)
    assert sent == form


@pytest.mark.parametrize("name", READS)
def test_what_is_read(name):
    ask, path = READS[name]
    check(ask(TWILIO).request, "GET", HOST + path, None, {})
    check(ask(SERVED).request, "GET", f"{HOST}Services/{SERVICE}/{path}", None, {})


@pytest.mark.parametrize("name", [*WRITES, *SILENT_WRITES])
def test_what_is_written(name):
    hooks = HOOKED if name in WRITES else {}
    ask, method, path, form = (WRITES | SILENT_WRITES)[name]
    check(ask(TWILIO).request, method, HOST + path, form, hooks)
    check(ask(SERVED).request, method, f"{HOST}Services/{SERVICE}/{path}", form, hooks)
    assert ask(TWILIO).reconcile is not None


@pytest.mark.parametrize("name", OF_THE_ACCOUNT)
@pytest.mark.parametrize("provider", [TWILIO, SERVED], ids=["default", "service"])
def test_what_the_account_is_asked(name, provider):
    """There is one configuration, whichever service is set."""
    ask, method, path, form = OF_THE_ACCOUNT[name]
    check(ask(provider).request, method, HOST + path, form, {})


def test_hooks_stay_silent_unless_told():
    assert TWILIO.send(HERE, "x").request.headers == FORM
    header = TWILIO.send(HERE, "x", webhook_enabled=False).request.headers
    assert header["X-Twilio-Webhook-Enabled"] == "false"


def test_every_operation_says_what_it_asks():
    operations = {
        name: method
        for name in dir(Twilio)
        if getattr(method := getattr(Twilio, name), "is_operation", False)
    }
    assert len(operations) == 45
    for name, method in operations.items():
        line = method.__doc__.partition("\n")[0]
        assert re.search(r": `(GET|POST|DELETE) /v1/\S+`\.$", line), name


@pytest.mark.parametrize(
    "ask",
    [
        TWILIO.close,
        TWILIO.webhooks,
        TWILIO.user,
        TWILIO.delete_address_configuration,
        lambda other: TWILIO.receipts(HERE, other),
        lambda other: TWILIO.participant(HERE, other),
        lambda other: TWILIO.webhook(HERE, other),
        lambda other: TWILIO.add_participant(HERE, other),
        lambda other: TWILIO.user_conversation("dana", other),
        lambda other: TWILIO.mark_read(HERE, participant=other),
    ],
)
def test_what_is_another_providers(ask):
    with pytest.raises(ConfigurationError, match="belongs to"):
        ask(Ref("clio", "1"))


@given(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.integers(-9, 9) | st.none()))
def test_any_text_is_sent_as_it_is(text, metadata):
    try:
        text.encode()
        json.dumps(metadata, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(ConfigurationError):
            TWILIO.send(HERE, text, metadata=metadata)
        return
    body = TWILIO.send(HERE, text, metadata=metadata).request.body
    sent = dict(parse_qsl(body.decode(), True, True))
    assert (sent["Body"], json.loads(sent["Attributes"])) == (text, metadata)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda t: t.send(HERE), ConfigurationError, "nothing to send; give text="),
        (lambda t: t.send(HERE, ""), ConfigurationError, "nothing to send"),
        (lambda t: t.send(HERE, html="<b>"), UnsupportedError, "give text="),
        (lambda t: t.send(HERE, "x", reply_to=IM), UnsupportedError, "metadata="),
        (lambda t: t.send(HERE, attachments=[b"", b""]), UnsupportedError, "one message for each"),
        (lambda t: t.send(HERE, attachments=["x"]), ConfigurationError, "not a file"),
        (lambda t: t.send(HERE, attachments=[Attachment(id="7")]), ConfigurationError, "download"),
        (lambda t: t.send(HERE, "x", content_sid=HX), ConfigurationError, "leave those out"),
        (lambda t: t.send(HERE, "\ud83d"), ConfigurationError, "surrogate"),
        (lambda t: t.send(HERE, "x", metadata={"a": "\udc00"}), ConfigurationError, "JSON"),
        (lambda t: t.send(HERE, "x", metadata={"a": float("nan")}), ConfigurationError, "JSON"),
        (lambda t: t.send(HERE, "x", metadata={"a": (1,)}), ConfigurationError, "lists"),
        (lambda t: t.send(HERE, "x", metadata={1: 2}), ConfigurationError, "keys"),
        (lambda t: t.send(HERE, "x", metadata={"a": MOMENT}), ConfigurationError, "JSON"),
        (lambda t: t.send(HERE, "x", metadata={"a": object()}), ConfigurationError, "JSON"),
        (lambda t: t.send(HERE, "x", idempotency_key=""), ConfigurationError, "one character"),
        (
            lambda t: t.send(HERE, "x", date_created=datetime(2026, 1, 1)),  # noqa: DTZ001
            ConfigurationError,
            "aware",
        ),
        (lambda t: t.send(Ref("clio", "1"), "x"), ConfigurationError, "belongs to"),
        (lambda t: t.edit(HERE, IM), ConfigurationError, "nothing is to change"),
        (lambda t: t.edit(HERE, IM, html="x"), UnsupportedError, "give text="),
        (lambda t: t.update(HERE), ConfigurationError, "nothing is to change"),
        (lambda t: t.update(HERE, description="x"), UnsupportedError, "metadata="),
        (
            lambda t: t.update(HERE, state=ConversationState.ARCHIVED),
            UnsupportedError,
            "open, inactive, closed",
        ),
        (lambda t: t.create(description="x"), UnsupportedError, "metadata="),
        (lambda t: t.create(kind=ConversationKind.DIRECT), UnsupportedError, "group"),
        (lambda t: t.create(participants=[ref(MB)]), UnsupportedError, "`user`"),
        (lambda t: t.create(participants=[Ref("clio", "1")]), ConfigurationError, "belongs to"),
        (lambda t: t.create(text="\ud83d"), ConfigurationError, "surrogate"),
        (lambda t: t.create(participants="dana"), ConfigurationError, "list"),
        (lambda t: t.create(unique_name="a", idempotency_key="b"), ConfigurationError, "one of"),
        (lambda t: t.create(idempotency_key=""), ConfigurationError, "one character"),
        (lambda t: t.archive(HERE), UnsupportedError, "close\\(\\)"),
        (lambda t: t.unarchive(HERE), UnsupportedError, "active"),
        (lambda t: t.add_participant(HERE, ref(MB)), UnsupportedError, "`user`"),
        (lambda t: t.add_participant(HERE, ref(US)), UnsupportedError, "`identity`"),
        (lambda t: t.add_participant(HERE, "+15551", address="+15552"), ConfigurationError, "who="),
        (lambda t: t.remove_participant(HERE, ref(US)), UnsupportedError, "`identity`"),
        (lambda t: t.conversations(participant=ref(US)), UnsupportedError, "`identity`"),
        (lambda t: t.update_participant(HERE, MB), ConfigurationError, "nothing is to change"),
        (lambda t: t.mark_read(HERE), UnsupportedError, "participant="),
        (lambda t: t.update_user("dana"), ConfigurationError, "nothing is to change"),
        (lambda t: t.update_user_conversation("d", HERE), ConfigurationError, "nothing is"),
        (lambda t: t.update_webhook(HERE, WH), ConfigurationError, "nothing is to change"),
        (lambda t: t.update_configuration(), ConfigurationError, "nothing is to change"),
        (lambda t: t.update_configuration_webhook(), ConfigurationError, "nothing is to change"),
        (lambda t: t.update_address_configuration(IG), ConfigurationError, "nothing is to change"),
        (lambda t: t.participant_conversations(), ConfigurationError, "one of"),
        (
            lambda t: t.participant_conversations(identity="a", address="b"),
            ConfigurationError,
            "one of",
        ),
        (lambda t: t.address(Attachment(name="x")), UnsupportedError, "no address"),
    ],
)
def test_what_cannot_be_said(ask, error, words):
    with pytest.raises(error, match=words):
        ask(TWILIO)


@pytest.mark.parametrize("url", ["ftp://a.test", "files", "https://a.test?x=1", "https://u@a.test"])
def test_media_url_is_a_place(url):
    with pytest.raises(ConfigurationError, match="media_url"):
        evolve(TWILIO, media_url=url)


# Answers.

WHEN = "2026-02-03T04:05:06Z"
AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
META = {"meta": {"next_page_url": None}}
DATED = {"date_created": WHEN, "date_updated": WHEN}
AT_BOTH = {"date_created": AT, "date_updated": AT}
CASES = {
    "user": (
        lambda t: t.user("dana"),
        lambda t: t.users(),
        "users",
        {"sid": US, "identity": "dana", "attributes": '{"a":1}', "is_online": True, **DATED},
        values.User(
            ref=ref(US), sid=US, identity="dana", attributes='{"a":1}', is_online=True, **AT_BOTH
        ),
    ),
    "user's conversation": (
        lambda t: t.user_conversation("dana", CH),
        lambda t: t.user_conversations("dana"),
        "conversations",
        {
            "conversation_sid": CH,
            "unread_messages_count": None,
            "last_read_message_index": 0,
            "notification_level": "muted",
        },
        values.UserConversation(
            ref=HERE, conversation_sid=CH, last_read_message_index=0, notification_level="muted"
        ),
    ),
    "participant's conversation": (
        None,
        lambda t: t.participant_conversations(identity="dana"),
        "conversations",
        {
            "conversation_sid": CH,
            "participant_sid": MB,
            "participant_messaging_binding": {"type": "sms", "address": "+1", "level": None},
            "conversation_date_created": WHEN,
        },
        values.ParticipantConversation(
            ref=HERE,
            conversation_sid=CH,
            participant_sid=MB,
            participant_messaging_binding=values.Binding(type_="sms", address="+1"),
            conversation_date_created=AT,
        ),
    ),
    "receipt": (
        lambda t: t.receipt(CH, IM, DY),
        lambda t: t.receipts(CH, IM),
        "delivery_receipts",
        {"sid": DY, "status": "queued", "error_code": 0, "date_created": WHEN, "new": 1},
        values.Receipt(ref=ref(DY), sid=DY, status="queued", error_code=0, date_created=AT),
    ),
    "webhook": (
        lambda t: t.webhook(CH, WH),
        lambda t: t.webhooks(CH),
        "webhooks",
        {"sid": WH, "target": "webhook", "configuration": {"url": "u", "filters": ["a", "b"]}},
        values.Webhook(
            ref=ref(WH),
            sid=WH,
            target="webhook",
            configuration=values.WebhookConfiguration(url="u", filters=("a", "b")),
        ),
    ),
    "address": (
        lambda t: t.address_configuration(IG),
        lambda t: t.address_configurations(),
        "address_configurations",
        {"sid": IG, "type": "sms", "auto_creation": {"enabled": True, "type": "default"}},
        values.AddressConfiguration(
            ref=ref(IG),
            sid=IG,
            type_="sms",
            auto_creation=values.AutoCreation(enabled=True, type_="default"),
        ),
    ),
    "configuration": (
        lambda t: t.configuration(),
        None,
        None,
        {"account_sid": ACCOUNT, "default_chat_service_sid": SERVICE},
        values.AccountConfiguration(
            ref=ref(ACCOUNT), account_sid=ACCOUNT, default_chat_service_sid=SERVICE
        ),
    ),
    "account's webhook": (
        lambda t: t.configuration_webhook(),
        None,
        None,
        {"account_sid": ACCOUNT, "filters": [], "method": "GET"},
        values.AccountWebhook(ref=ref(ACCOUNT), account_sid=ACCOUNT, filters=(), method="GET"),
    ),
}


def answer(body, status=200):
    return Response(status=status, body=json.dumps(body).encode())


@pytest.mark.parametrize("name", CASES)
def test_what_answers_become(name):
    fetch, listed, items, payload, expected = CASES[name]
    if fetch:
        got = fetch(TWILIO).read(answer(payload))
        assert got == expected
        assert dict(got.raw) == payload
    if listed:
        listing = listed(TWILIO)
        assert listing.repeats
        page = listing.read(listing.request, answer({items: [payload], **META}))
        assert page.items == (expected,)
        assert dict(page.items[0].raw) == payload


@pytest.mark.parametrize("key", ["filename", "file_name"])
def test_a_file(key):
    body = {"sid": ME, "size": 3, "content_type": "text/plain", key: "a.txt"}
    found = SERVED.media_file(ME).read(answer(body))
    attachment = Attachment(id=ME, name="a.txt", media_type="text/plain", size=3)
    assert found.attachment == attachment


def test_metadata_of_a_user():
    assert values.User(sid=US, identity="d", attributes='{"a":1}').metadata == {"a": 1}
    assert values.User(sid=US, identity="d").metadata == {}


# Sequences, walked with dictionaries.


def refusal(code, status=409, message="no"):
    error = TWILIO.error_for(
        "create", TWILIO.create().request, answer({"code": code, "message": message}, status)
    )
    assert isinstance(error, ConflictError if status == 409 else NotFoundError)
    return error


class Desk:
    """Answers by method and path; each answer is used once, the last one again and again."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def walk(self, call):
        while isinstance(call, Call):
            request = call.request
            asked = f"{request.method} {request.url.path.rpartition('/')[2]}"
            self.asked.append(asked)
            script = self.answers[asked.replace(" ", "_")]
            found = script.pop(0) if len(script) > 1 else script[0]
            failed = isinstance(found, Exception)
            call = call.recover(found) if failed else call.read(answer(found))
        return call


def conversation_payload(**fields):
    return {"sid": CH, "state": "active", "attributes": "{}", **DATED, **fields}


def people(*identities):
    rows = [{"sid": MB, "identity": one, **DATED} for one in identities]
    return {"participants": rows, **META}


def messages(*rows):
    return {"messages": list(rows), **META}


NEW = {"sid": MB, "identity": "dana"}
SAID = {"sid": IM, "body": "hi", "author": "system", "attributes": '{"idempotency_key":"k"}'}


def test_a_conversation_begins_step_by_step():
    desk = Desk(
        POST_Conversations=[conversation_payload()],
        POST_Participants=[NEW],
        POST_Messages=[SAID],
        **{f"GET_{CH}": [conversation_payload(friendly_name="now")]},
    )
    got = desk.walk(TWILIO.create(participants=["dana", "+15551"], text="hi", proxy_address="+1"))
    assert desk.asked == [
        "POST Conversations",
        "POST Participants",
        "POST Participants",
        "POST Messages",
        f"GET {CH}",
    ]
    assert got.title == "now"


def test_a_key_takes_what_is_there_and_adds_the_rest():
    desk = Desk(
        POST_Conversations=[refusal(50353)],
        GET_k=[conversation_payload()],
        POST_Participants=[refusal(50433), NEW],
        GET_Messages=[messages()],
        POST_Messages=[SAID],
        **{f"GET_{CH}": [conversation_payload()]},
    )
    desk.walk(TWILIO.create(participants=["dana", "eve"], text="hi", idempotency_key="k"))
    assert desk.asked == [
        "POST Conversations",
        "GET k",
        "POST Participants",
        "POST Participants",
        "GET Messages",
        "POST Messages",
        f"GET {CH}",
    ]


def test_a_key_says_nothing_twice():
    desk = Desk(
        POST_Conversations=[refusal(50353)],
        GET_k=[conversation_payload()],
        GET_Messages=[messages(SAID)],
        **{f"GET_{CH}": [conversation_payload()]},
    )
    desk.walk(TWILIO.create(text="hi", idempotency_key="k"))
    assert desk.asked == ["POST Conversations", "GET k", "GET Messages", f"GET {CH}"]


def test_a_key_of_a_closed_conversation():
    closed = conversation_payload(state="closed")
    desk = Desk(POST_Conversations=[refusal(50353)], GET_k=[closed])
    got = desk.walk(TWILIO.create(participants=["dana"], text="hi", idempotency_key="k"))
    assert got.state is ConversationState.CLOSED


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (TWILIO.create(unique_name="k"), refusal(50353)),
        (TWILIO.create(idempotency_key="k"), refusal(50438)),
        (TWILIO.create(idempotency_key="k"), refusal(20404, 404)),
    ],
)
def test_other_refusals_stay(call, error):
    with pytest.raises(type(error)) as caught:
        call.recover(error)
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (refusal(50433), True),
        (refusal(50437), True),
        (refusal(50416, message=f"bound in {CH}"), True),
        (refusal(50416, message=f"bound in CH{'f' * 32}"), False),
        (refusal(50438), False),
        (refusal(20404, 404), False),
    ],
)
def test_who_is_in_already(error, goes_on):
    """A pair of addresses may be bound here, which is well, or elsewhere."""
    desk = Desk(
        POST_Conversations=[conversation_payload()],
        POST_Participants=[error],
        **{f"GET_{CH}": [conversation_payload()]},
    )
    call = TWILIO.create(participants=["+15551"], idempotency_key="k", proxy_address="+1")
    if goes_on:
        assert desk.walk(call).ref == HERE
    else:
        with pytest.raises(type(error)):
            desk.walk(call)
    with pytest.raises(type(error)):  # without a key nothing is taken for done
        desk.walk(TWILIO.create(participants=["+15551"], proxy_address="+1"))


def test_a_file_goes_first():
    sent = {"sid": IM, "media": [{"sid": ME}]}
    file = Upload(b"abc", name="a b.txt")
    call = SERVED.send(HERE, "hi", attachments=[file], webhook_enabled=True)
    request = call.request
    assert (request.method, str(request.url)) == ("POST", f"{FILES}?Filename=a%20b.txt")
    assert (request.headers, request.file, request.part) == (
        {"Content-Type": "text/plain"},
        file,
        None,
    )
    assert call.prepares
    post = call.read(answer({"sid": ME}))
    check(post.request, "POST", f"{HOST}Services/{SERVICE}/{M}",
          [("Body", "hi"), ("MediaSid", ME)], HOOKED)  # fmt: skip
    assert not post.prepares
    assert post.reconcile is not None
    assert post.read(answer(sent)).attachments == (Attachment(id=ME),)


def test_files_of_the_default_service():
    service = {"account_sid": ACCOUNT, "default_chat_service_sid": SERVICE}
    for call in (TWILIO.upload_media(b"abc"), TWILIO.send(HERE, attachments=[b"abc"])):
        assert str(call.request.url) == f"{HOST}Configuration"
        assert str(call.read(answer(service)).request.url) == f"{FILES}?Filename=file"
    assert str(TWILIO.media_file(ME).read(answer(service)).request.url) == f"{FILES}/{ME}"
    found = TWILIO.address(Attachment(id=ME)).read(answer(service))
    assert str(found.url) == f"{FILES}/{ME}/Content"
    assert str(SERVED.address(Attachment(id=ME)).url) == f"{FILES}/{ME}/Content"
    assert str(TWILIO.address(Attachment(id=ME, url=f"{FILES}/x")).url) == f"{FILES}/x"
    with pytest.raises(ConfigurationError, match="service_sid"):
        TWILIO.upload_media(b"abc").read(answer({"account_sid": ACCOUNT}))


def test_a_key_is_looked_for_first():
    call = TWILIO.send(HERE, "hi", metadata={"a": 1}, idempotency_key="k")
    assert str(call.request.url) == f"{HOST}{M}?Order=desc&PageSize=100"
    assert call.read(answer(messages({**SAID, **DATED}))).ref.id == IM
    post = call.read(answer(messages({**SAID, "attributes": "{}"})))
    sent = dict(parse_qsl(post.request.body.decode()))
    assert json.loads(sent["Attributes"]) == {"a": 1, "idempotency_key": "k"}


def test_a_key_of_a_message_with_a_date_of_its_own_is_looked_for_everywhere():
    """Messages that were brought in later have dates of long ago in front of those of today."""
    old = {"sid": IM, "date_created": "2001-01-01T00:00:00Z", "attributes": "{}"}
    link = f"{HOST}{M}?Order=desc&PageSize=100&Page=1&PageToken=PT1"
    first = {"messages": [old], "meta": {"next_page_url": link}}
    call = TWILIO.send(HERE, "hi", idempotency_key="k", date_created=MOMENT)
    onward = call.read(answer(first))
    assert onward.request.query["PageToken"] == "PT1"
    assert onward.read(answer(messages({**SAID, **DATED}))).ref.id == IM
    assert onward.read(answer(messages(old))).request.method == "POST"


@pytest.mark.parametrize(
    ("who", "first"),
    [
        (ref(MB), f"DELETE {MB}"),
        (MB, f"DELETE {MB}"),
        (DANA, "GET dana"),
        ("dana", "GET dana"),
        (ref("+15558675310"), "GET +15558675310"),
        ("+15558675310", "GET Participants"),
        ("d@a.test", "GET Participants"),
    ],
)
def test_who_is_shown_out(who, first):
    row = {
        "sid": MB,
        "identity": "d@a.test" if who == "d@a.test" else None,
        "messaging_binding": {"address": "+15558675310"},
    }
    name = who.id if isinstance(who, Ref) else who
    desk = Desk(
        **{f"GET_{name}": [NEW], f"DELETE_{MB}": [{}]},
        GET_Participants=[{"participants": [{"sid": "MBx"}, row], **META}],
    )
    assert desk.walk(TWILIO.remove_participant(HERE, who)) is None
    assert (desk.asked[0], desk.asked[-1]) == (first, f"DELETE {MB}")


def test_nobody_is_shown_out():
    with pytest.raises(NotFoundError, match="nobody") as caught:
        Desk(GET_Participants=[people("eve")]).walk(TWILIO.remove_participant(HERE, "+15551"))
    assert (caught.value.provider, caught.value.operation) == ("twilio", "remove_participant")


def test_everything_is_marked_as_read():
    desk = Desk(GET_dana=[NEW], GET_Messages=[messages({**SAID, "index": 7})])
    desk.answers[f"POST_{MB}"] = [NEW]
    call = TWILIO.mark_read(HERE, participant=DANA, webhook_enabled=True)
    newest = call.read(answer(NEW))
    assert str(newest.request.url) == f"{HOST}{M}?Order=desc&PageSize=1"
    mark = newest.read(answer(messages({**SAID, "index": 7})))
    check(mark.request, "POST", f"{HOST}{P}/{MB}", [("LastReadMessageIndex", "7")], HOOKED)
    assert desk.walk(call) is None
    assert newest.read(answer(messages())) is None  # nothing there to be read
    look = mark.reconcile(Attempt(since=AT))
    for horizon, happened in ((6, False), (7, True), (8, True), (None, False)):
        told = look.read(answer({**NEW, "last_read_message_index": horizon}))
        assert told == Outcome(happened=happened)
    assert look.read(answer({"sid": MB})) == Outcome(happened=False)
    for silent in ({}, {"index": None}, {"index": "7"}):
        with pytest.raises(TranslationError, match="index"):
            newest.read(answer(messages({"sid": IM, **silent})))


@pytest.mark.parametrize(
    ("call", "rename"),
    [
        (TWILIO.update(ref("old"), unique_name="new"), {"sid": CH, "unique_name": "new"}),
        (TWILIO.update_participant(HERE, "old", identity="new"), {"sid": MB, "identity": "new"}),
    ],
    ids=["conversation", "participant"],
)
def test_what_was_renamed_is_found_under_its_new_name(call, rename):
    look = call.reconcile(Attempt(since=AT))
    error = NotFoundError("", response=Response(status=404))
    elsewhere = look.recover(error)
    assert (look.request.url.name, elsewhere.request.url.name) == ("old", "new")
    assert elsewhere.read(answer(rename)).happened is True
    with pytest.raises(NotFoundError):
        TWILIO.update(HERE, title="x").reconcile(Attempt(since=AT)).recover(error)


@pytest.mark.parametrize("date", [{}, {"date_created": None}])
def test_what_has_no_date_may_be_an_older_twin(date):
    row = {"sid": IM, "body": "hi", "author": "system", "attributes": "{}"} | date
    told = reconciled(TWILIO.send(HERE, "hi"), messages(row))
    assert (told.happened, told.value.ref.id) == (None, IM)
    told = reconciled(TWILIO.create_user("dana"), {"sid": US, "identity": "dana"} | date)
    assert told.happened is None
    row["attributes"] = '{"idempotency_key":"k"}'
    sent = TWILIO.send(HERE, "hi", idempotency_key="k").read(answer(messages()))
    assert reconciled(sent, messages(row)).happened is True


# What is read back.

EMAIL = {"projected_address": "a"}


@pytest.mark.parametrize(
    ("form", "payload", "told"),
    [
        ({"FriendlyName": "a", "RoleSid": None}, {"friendly_name": "a"}, True),
        ({"FriendlyName": "a"}, {"friendly_name": "A"}, False),
        ({"FriendlyName": ""}, {"friendly_name": None}, True),
        ({"Subject": "a"}, {}, None),
        ({"Subject": "a", "Body": "b"}, {"body": "c"}, False),
        ({"Timers.Inactive": "PT1M"}, {"timers": {"date_inactive": WHEN}}, None),
        ({"Configuration.Method": "get"}, {"configuration": {"method": "GET"}}, True),
        ({"Configuration.Filters": ("a", "b")}, {"configuration": {"filters": ["b", "a"]}}, True),
        ({"Configuration.Filters": ("a",)}, {"configuration": {"filters": ["a", "b"]}}, False),
        ({"Configuration.Filters": ("",)}, {"configuration": {"filters": []}}, True),
        ({"Configuration.Filters": ("a",)}, {"configuration": {"filters": ["a", 7]}}, False),
        ({"Configuration.Filters": ("a",)}, {"configuration": {"filters": 7}}, False),
        ({"Configuration.Triggers": ("a",)}, {"configuration": {"filters": ["a"]}}, True),
        ({"Configuration.Triggers": ("a",)}, {"configuration": {"triggers": ["a"]}}, True),
        ({"Configuration.Triggers": ("a",)}, {"configuration": {"triggers": ["b"]}}, False),
        ({"Configuration.Method": "get"}, {"configuration": {"flow_sid": "f"}}, None),
        ({"Configuration.Url": "u"}, {"configuration": {"url": None}}, False),
        ({"Configuration.ReplayAfter": 1}, {"configuration": {}}, None),
        ({"MessagingBinding.ProxyAddress": "null"}, {"messaging_binding": None}, True),
        ({"MessagingBinding.ProxyAddress": "+1"}, {"messaging_binding": {}}, False),
        (
            {"Bindings.Email.Address": "a"},
            {"bindings": {"email": {"projected_address": "a"}}},
            True,
        ),
        ({"Bindings.Email.Address": "a"}, {"bindings": {}}, False),
        ({"AutoCreation.Enabled": False}, {"auto_creation": {"enabled": False}}, True),
        ({"AutoCreation.Enabled": True}, {"auto_creation": {"enabled": False}}, False),
        ({"LastReadMessageIndex": 0}, {"last_read_message_index": None}, False),
        ({"DateCreated": STAMP}, {"date_created": WHEN}, True),
        ({"DateCreated": STAMP}, {"date_created": "2026-02-03T04:05:05Z"}, False),
        ({"DateCreated": STAMP}, {"date_created": None}, False),
        ({"Attributes": '{"a":1}'}, {"attributes": '{ "a": 1 }'}, True),
        ({"Attributes": "{}"}, {"attributes": None}, True),
        ({"Attributes": "{}"}, {"attributes": '{"a":1}'}, False),
        ({"MediaSid": ME}, {"media": [{"sid": ME}]}, True),
        ({"MediaSid": ""}, {"media": None}, True),
        ({"MediaSid": ""}, {"media": [{"sid": ME}]}, False),
    ],
)
def test_whether_a_thing_is_as_it_was_told(form, payload, told):
    assert evidence.shows(form, payload) is told


LATE, EARLY = "2026-02-03T04:05:10Z", "2026-02-03T04:05:02Z"


def reconciled(call, rows, known=()):
    attempt = Attempt(since=AT, known=frozenset(known))
    return call.reconcile(attempt).read(answer(rows))


@pytest.mark.parametrize(
    ("changes", "known", "happened"),
    [
        ({}, (), True),
        ({"date_created": EARLY}, (), False),
        ({}, (ref(IM),), False),
        ({"body": "ho"}, (), False),
        ({"author": "dana"}, (), False),
        ({"attributes": '{"a":1}'}, (), False),
        ({"media": [{"sid": ME}]}, (), False),
    ],
)
def test_what_became_of_a_message(changes, known, happened):
    row = {"sid": IM, "body": "hi", "author": "system", "attributes": "{}", "date_created": LATE}
    told = reconciled(TWILIO.send(HERE, "hi"), messages(row | changes), known)
    assert told.happened is happened
    assert (told.value is not None) is happened


@pytest.mark.parametrize(("key", "happened"), [(None, None), ("k", True)])
def test_what_became_of_a_message_with_a_date_of_its_own(key, happened):
    """It may be an older twin, unless it has a key."""
    call = TWILIO.send(HERE, "hi", date_created=AT, idempotency_key=key)
    if key:
        call = call.read(answer(messages()))
    row = {**SAID, **DATED} if key else {**SAID, **DATED, "attributes": "{}"}
    late = Attempt(since=AT + timedelta(days=99))
    told = call.reconcile(late).read(answer(messages(row)))
    assert (told.happened, told.value.ref.id) == (happened, IM)
    assert not call.reconcile(late).read(answer(messages())).happened


@pytest.mark.parametrize(("date", "goes_on"), [(None, False), (AT, True)])
def test_how_far_a_message_is_looked_for(date, goes_on):
    """A page of old ones is the end, unless the message itself is dated long ago."""
    link = f"{HOST}{M}?Order=desc&PageSize=100&Page=1&PageToken=PT1"
    old = {"sid": IM, "body": "ho", "date_created": "2001-01-01T00:00:00Z"}
    page = {"messages": [old], "meta": {"next_page_url": link}}
    told = reconciled(TWILIO.send(HERE, "hi", date_created=date), page)
    assert isinstance(told, Call) is goes_on
    assert goes_on or told == Outcome(happened=False)


@pytest.mark.parametrize(("identity", "happened"), [(None, True), ("dana", False)])
def test_what_became_of_a_participant(identity, happened):
    """Somebody of that number who has a name, too, is somebody else."""
    call = TWILIO.add_participant(HERE, "+15558675310", proxy_address="+15017122661")
    binding = {"type": "sms", "address": "+15558675310", "proxy_address": "+15017122661"}
    row = {"sid": MB, "identity": identity, "messaging_binding": binding, "date_created": LATE}
    assert reconciled(call, {"participants": [row], **META}).happened is happened


def test_what_became_of_a_template():
    call = TWILIO.send(HERE, content_sid=HX, content_variables={"1": "x"})
    row = {"sid": IM, "author": "system", "content_sid": HX, "date_created": LATE}
    row |= {"body": "Good day x", "attributes": "{}"}
    assert reconciled(call, messages(row)).happened
    assert not reconciled(call, messages(row | {"content_sid": "HX2"})).happened


@pytest.mark.parametrize(
    ("call", "payload", "known", "happened"),
    [
        (TWILIO.create(unique_name="k"), {"date_created": LATE}, (), True),
        (TWILIO.create(unique_name="k"), {"date_created": EARLY}, (), False),
        (TWILIO.create(unique_name="k"), {"date_created": LATE}, (HERE,), False),
        (TWILIO.create(unique_name="k", title="a"), {"date_created": LATE}, (), False),
        (TWILIO.create(unique_name="k", text="hi"), {"date_created": LATE}, (), None),
        (TWILIO.create(unique_name="k", date_created=AT), {"date_created": WHEN}, (), None),
    ],
)
def test_what_became_of_a_named_conversation(call, payload, known, happened):
    row = conversation_payload(unique_name="k", friendly_name=None) | payload
    assert reconciled(call, row, known).happened is happened


@pytest.mark.parametrize(
    ("call", "changes", "happened"),
    [
        (TWILIO.create(title="a"), {}, True),
        (TWILIO.create(title="a"), {"friendly_name": "b"}, False),
        (TWILIO.create(title="a"), {"unique_name": "c"}, False),
        (TWILIO.create(title="a"), {"date_created": EARLY}, False),
        (TWILIO.create(title="a", participants=["dana"]), {}, None),
        (TWILIO.create(title="a", date_created=AT), {"date_created": WHEN}, None),
    ],
)
def test_what_became_of_a_conversation(call, changes, happened):
    row = {"friendly_name": "a", "unique_name": None, "date_created": LATE}
    rows = {"conversations": [conversation_payload(**(row | changes))], **META}
    assert call.reconcile(Attempt(since=AT)).request.query["StartDate"] == "2026-02-03T00:00:00Z"
    assert reconciled(call, rows).happened is happened


def test_what_became_of_the_rest_of_a_conversation():
    """All that it was to begin with has to be there."""
    call = TWILIO.create(participants=["dana"], text="hi")
    joining = call.read(answer(conversation_payload()))
    speaking = joining.read(answer(NEW))
    for step in (joining, speaking):
        for who, said, happened in (
            (people("dana"), messages({**SAID, "attributes": "{}"}), True),
            (people("dana"), messages(), None),
            (people("eve"), messages({**SAID, "attributes": "{}"}), None),
        ):
            desk = Desk(GET_Participants=[who], GET_Messages=[said])
            desk.answers[f"GET_{CH}"] = [conversation_payload()]
            told = desk.walk(step.reconcile(Attempt(since=AT)))
            assert (told.happened, told.value.ref) == (happened, HERE)


def test_what_became_of_a_user():
    call = TWILIO.create_user("dana")
    for when, happened in ((LATE, True), (EARLY, False)):
        row = {"sid": US, "identity": "dana", "date_created": when}
        assert reconciled(call, row).happened is happened
    missing = call.reconcile(Attempt(since=AT)).recover(refusal(20404, 404))
    assert missing == Outcome(happened=False)
    with pytest.raises(ConflictError):
        call.reconcile(Attempt(since=AT)).recover(refusal(50353))
