"""The bodies that the write operations take, field by field, as their description has them."""

from __future__ import annotations

from conversations_hub.providers.sunshine.emulator.shapes import (
    Shape,
    anything,
    array,
    either,
    flag,
    integer,
    metadata,
    number,
    one_of,
    record,
    text,
    typed,
    web_address,
)

LONGEST_TEXT = 4096
CAPTION = text(0, LONGEST_TEXT)
NAME = text(1, 100)
LABEL = text(1, 128)
HINT = text(0, 128)
TIME = text(pattern=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
ANY_TEXT = text()
FLAT = metadata("Action")
PAGE = text(1, 2048)


def _action(kind: str, members: dict[str, Shape]) -> Shape:
    return record({"type*": one_of(kind), "text*": ANY_TEXT, "metadata": FLAT, **members})


_OPENS: dict[str, Shape] = {"uri*": PAGE, "default": flag, "extraChannelOptions": anything}
_ANSWERS: dict[str, Shape] = {"payload*": ANY_TEXT}
ACTIONS: dict[str, Shape] = {
    "buy": _action("buy", {"amount*": integer(), "currency": ANY_TEXT}),
    "link": _action("link", _OPENS),
    # Answers carry an empty uri, so it is there when somebody sends them back (§7, pitfalls).
    "postback": _action("postback", {**_ANSWERS, "uri": ANY_TEXT}),
    "webview": _action(
        "webview",
        {
            **_OPENS,
            "fallback*": PAGE,
            "size": one_of("compact", "tall", "full"),
            "openOnReceive": flag,
        },
    ),
    "locationRequest": _action("locationRequest", {}),
    "reply": _action("reply", {**_ANSWERS, "iconUrl": ANY_TEXT}),
}
ANY_ACTION = typed(ACTIONS)
CARD_ACTION = typed({kind: ACTIONS[kind] for kind in ("buy", "link", "postback", "webview")})

ITEM = record(
    {
        "title*": LABEL,
        "description": HINT,
        "mediaUrl": web_address(),
        "mediaType": HINT,
        "altText": HINT,
        "size": one_of("compact", "large"),
        "actions*": array(CARD_ACTION, 1, 3),
        "metadata": metadata("Item"),
    }
)
_SIZE = integer(1, 256)
FIELD = record(
    {
        "type*": one_of("text", "email", "select"),
        "name*": LABEL,
        "label*": LABEL,
        "format": one_of("integer", "decimal"),
        "placeholder": LABEL,
        "minSize": _SIZE,
        "maxSize": _SIZE,
        "text": text(1, 256),
        "email": LABEL,
        "select": array(anything),
        "options": array(record({"name": LABEL, "label": LABEL}), 0, 200),
    }
)


def _content(kind: str, members: dict[str, Shape]) -> Shape:
    return record({"type*": one_of(kind), "blockChatInput": flag, **members})


_RICH: dict[str, Shape] = {"text": CAPTION, "htmlText": CAPTION, "markdownText": CAPTION}
_MEDIA: dict[str, Shape] = {
    **_RICH,
    "mediaUrl*": web_address(),
    "altText": HINT,
    "attachmentId": ANY_TEXT,
}
_ITEMS = array(ITEM, 1, 10)
_RATIO = one_of("horizontal", "square")
# A formResponse is only ever received (§4).
CONTENT = typed(
    {
        "text": _content("text", {**_RICH, "actions": array(ANY_ACTION), "payload": ANY_TEXT}),
        "image": _content("image", {**_MEDIA, "actions": array(ANY_ACTION)}),
        "file": _content("file", _MEDIA),
        "carousel": _content(
            "carousel", {"items*": _ITEMS, "displaySettings": record({"imageAspectRatio": _RATIO})}
        ),
        "list": _content("list", {"items*": _ITEMS, "actions": array(CARD_ACTION, 1, 10)}),
        "location": _content(
            "location",
            {
                "coordinates*": record({"lat*": number, "long*": number}),
                "location": record({"address": ANY_TEXT, "name": ANY_TEXT}),
            },
        ),
        "form": _content("form", {"fields*": array(FIELD, 1, 20), "text": CAPTION}),
        "template": _content("template", {"template*": anything}),
    }
)

AUTHOR = record(
    {
        "type*": one_of("business", "user"),
        # `agent` and `bot` are only ever received (§4).
        "subtypes": array(one_of("AI", "activity"), 1),
        "displayName": ANY_TEXT,
        "avatarUrl": web_address(),
        "userId": ANY_TEXT,
        "userExternalId": ANY_TEXT,
        "brandId": either(text(1, 24)),
    }
)
_OVERRIDE = record({"payload": anything, "withCapabilities": array(ANY_TEXT)})
MESSAGE = record(
    {
        "author*": AUTHOR,
        "content*": CONTENT,
        "destination": record({"integrationId": ANY_TEXT, "integrationType": ANY_TEXT}),
        "metadata": metadata("Message"),
        "override": record(dict.fromkeys(("apple", "line", "messenger", "whatsapp"), _OVERRIDE)),
        "schema": one_of("whatsapp"),
    }
)
ACTIVITY = record(
    {"author*": AUTHOR, "type*": one_of("conversation:read", "typing:start", "typing:stop")}
)

_WHO: dict[str, Shape] = {"userId": ANY_TEXT, "userExternalId": ANY_TEXT}
PARTICIPANT = record({**_WHO, "subscribeSDKClient": flag})
LEAVING = record({**_WHO, "participantId": ANY_TEXT})
_LOOKS: dict[str, Shape] = {
    "displayName": either(NAME),
    "description": either(NAME),
    "iconUrl": either(web_address()),
    "metadata": metadata("Conversation"),
}
NEW_CONVERSATION = record(
    {"type*": one_of("personal", "sdkGroup"), "participants": array(PARTICIPANT), **_LOOKS}
)
CONVERSATION = record(_LOOKS)

CONTROL = record({"metadata": metadata("Action")})
HANDOVER = record({"switchboardIntegration*": text(1), "metadata": metadata("Action")})
_REFERENCE = record(dict.fromkeys(("url*", "bid*", "key*", "signature*", "owner*"), ANY_TEXT))
DOWNLOAD = record({"userId*": ANY_TEXT, "apple": record({"interactiveDataRef*": _REFERENCE})})
_EVENTS = record({"payload*": record({"data*": array(anything)})})
CONVERSION = record(dict.fromkeys(("messenger", "instagram", "whatsapp"), _EVENTS))

PROFILE = record(
    {
        "givenName": either(LABEL),
        "surname": either(LABEL),
        "email": either(text(1, 128, r"[^@\s]+@[^@\s]+")),
        "avatarUrl": either(web_address()),
        "locale": either(text(1, 64)),
    }
)
_PERSON: dict[str, Shape] = {
    "signedUpAt": TIME,
    "toBeRetained": flag,
    "profile": PROFILE,
    "metadata": metadata("User"),
}
USER = record(_PERSON)
NEW_USER = record({"externalId": text(1, 1024), "brandId": either(text(1, 24)), **_PERSON})
SYNC = record({"survivingZendeskId": ANY_TEXT})


def _match(kind: str, address: str, more: dict[str, Shape]) -> Shape:
    members = {"type*": one_of(kind), "integrationId*": ANY_TEXT, "primary": flag}
    return record({**members, f"{address}*": text(1), **more})


NEW_CLIENT = record(
    {
        "matchCriteria*": typed(
            {
                "mailgun": _match("mailgun", "address", {"subject": ANY_TEXT}),
                **{
                    kind: _match(kind, "phoneNumber", {})
                    for kind in ("messagebird", "twilio", "whatsapp")
                },
            }
        ),
        "confirmation*": record(
            {"type*": one_of("immediate", "userActivity", "prompt"), "message": MESSAGE}
        ),
        "target*": record({"conversationId*": ANY_TEXT}),
    }
)

ATTACHMENT = record({"mediaUrl*": ANY_TEXT})

_WEBHOOK: dict[str, Shape] = {"includeFullUser": flag, "includeFullSource": flag}
NEW_WEBHOOK = record({"target*": web_address(), "triggers*": array(text(1)), **_WEBHOOK})
WEBHOOK = record({"target": web_address(), "triggers": array(text(1)), **_WEBHOOK})
KEY = record({"displayName*": NAME})
_SETTINGS = dict.fromkeys(
    (
        *("maskCreditCardNumbers", "useAnimalNames", "echoPostback", "multiConvoEnabled"),
        *("ignoreAutoConversationStart", "appLocalizationEnabled", "endSessionEnabled"),
        "disableConversationReopen",
    ),
    flag,
)
APP = record(
    {
        "displayName": NAME,
        "settings": record({**_SETTINGS, "conversationRetentionSeconds": integer(0)}),
        "metadata": metadata("App"),
    }
)
