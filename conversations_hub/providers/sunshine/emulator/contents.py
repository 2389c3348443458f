"""Writes messages of every kind that the API's documentation tells us to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, field, frozen

from conversations_hub.emulator.corpus import HARD_TEXTS, SENTENCES, Corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Record = dict[str, Any]

PRIVATE_MEDIA = "https://acme.zendesk.com/sc/attachments/v2"
PUBLIC_MEDIA = "https://media.smooch.example/apps"
AVATAR = "https://www.gravatar.com/avatar/00000000000000000000000000000000.png?s=200&d=mm"
LONGEST_POST = " ".join(SENTENCES * 20)[:4096]
LONG_MAIL = "\n\n".join(SENTENCES * 60)

BUSINESS_AUTHORS: tuple[Record, ...] = (
    {"displayName": "Dana", "avatarUrl": AVATAR},
    {"displayName": "Support"},
    {"avatarUrl": AVATAR},
    {},
)


@frozen(kw_only=True)
class Scene:
    """Who may speak, and what the messages can refer to."""

    corpus: Corpus
    user: Record
    integrations: Mapping[str, str]
    """Ids of integrations by type."""
    earlier: Record | None = None
    """A message that can be quoted."""
    text: str = field(
        init=False, default=Factory(lambda scene: scene.corpus.text(), takes_self=True)
    )
    """What the scene's message says, where its kind leaves that open."""

    def by_user(
        self, content: Record, channel: str = "web", source: Record | None = None, **more: Any
    ) -> Record:
        """Return a message from the user over a channel."""
        origin = {"type": channel, "integrationId": self.integrations.get(channel)}
        author = {"type": "user", "userId": self.user["id"], **self._face()}
        return {
            "author": author,
            "content": content,
            "source": {**origin, **(source or {})},
            **more,
        }

    def by_business(
        self, content: Record, channel: str = "api:conversations", **more: Any
    ) -> Record:
        """Return a message from somebody of the business, who has no id."""
        author = {"type": "business", **self.corpus.random.choice(BUSINESS_AUTHORS)}
        return {"author": author, "content": content, "source": {"type": channel}, **more}

    def by_subtype(
        self, subtype: str, content: Record, channel: str = "zd:answerBot", **more: Any
    ) -> Record:
        """Return a message from the business whose author has a subtype."""
        message = self.by_business(content, channel, **more)
        message["author"]["subtypes"] = [subtype]
        return message

    def file(self, name: str, media_type: str, **more: Any) -> Record:
        """Return the fields of an uploaded file."""
        return {
            "mediaUrl": f"{PRIVATE_MEDIA}/{self.corpus.hex(26).upper()}/{name}",
            "mediaType": media_type,
            "mediaSize": self.corpus.random.randrange(200, 5_000_000),
            "altText": name,
            **more,
        }

    def _face(self) -> Record:
        profile = self.user.get("profile", {})
        names = [profile[key] for key in ("givenName", "surname") if profile.get(key)]
        face = {"displayName": " ".join(names)} if names else {}
        avatar = profile.get("avatarUrl")
        return {**face, "avatarUrl": avatar} if avatar else face


def _text(text: str, **more: Any) -> Record:
    return {"type": "text", "text": text, **more}


def _actions() -> list[Record]:
    return [
        {"type": "buy", "text": "Pay", "amount": 8000, "currency": "eur", "metadata": {"n": 1}},
        {"type": "link", "text": "Terms", "uri": "https://example.org/terms", "default": True},
        {"type": "locationRequest", "text": "Where are you?"},
        # Answers add noise: a postback comes back with an empty uri (§7, pitfalls).
        {"type": "postback", "text": "Later", "payload": "LATER", "uri": ""},
        {"type": "reply", "text": "Yes", "payload": "YES", "iconUrl": "https://example.org/y.png"},
        {
            "type": "webview",
            "text": "Choose a seat",
            "uri": "https://example.org/seats",
            "fallback": "https://example.org/seats?plain=1",
            "size": "tall",
            "openOnReceive": False,
        },
    ]


def _subset() -> list[Record]:
    return [action for action in _actions() if action["type"] not in ("locationRequest", "reply")]


def _items() -> list[Record]:
    return [
        {
            "title": "Kettle",
            "description": "1.7 litres, 2200 W",
            "mediaUrl": "https://example.org/kettle.jpg",
            "mediaType": "image/jpeg",
            "altText": "kettle.jpg",
            "size": "large",
            "actions": _subset()[:3],
            "metadata": {"sku": "K-17", "stock": 4, "used": False},
        },
        # Seen in the published examples: a page where a picture was promised.
        {
            "title": "Toaster",
            "mediaUrl": "https://example.org/toaster",
            "mediaType": "text/html; charset=UTF-8",
            "size": "compact",
            "actions": _subset()[2:3],
        },
        {"title": "Nothing else", "actions": _subset()[1:2]},
    ]


SIZES = [{"name": "s", "label": "Small"}, {"name": "l", "label": "Large"}]
QUESTIONS: tuple[Record, ...] = (
    {"type": "text", "name": "name", "label": "Your name", "placeholder": "Ada", "minSize": 1},
    {"type": "text", "name": "guests", "label": "Guests", "format": "integer", "maxSize": 3},
    {"type": "email", "name": "email", "label": "E-mail"},
    {"type": "select", "name": "room", "label": "Room", "options": SIZES},
)
REPLIES: tuple[Record, ...] = (
    {"type": "text", "name": "name", "label": "Your name", "text": "Ana Prieto"},
    {"type": "text", "name": "guests", "label": "Guests", "text": "3", "format": "integer"},
    {"type": "email", "name": "email", "label": "E-mail", "email": "ana@example.org"},
    {"type": "select", "name": "room", "label": "Room", "select": SIZES[1:]},
)
REPLY_TEXT = "Your name: Ana Prieto\nGuests: 3\nE-mail: ana@example.org\nRoom: Large"


def _form(*, submitted: bool, **more: Any) -> Record:
    return {"type": "form", "submitted": submitted, "fields": list(QUESTIONS), **more}


def _quoted(scene: Scene) -> Record:
    if scene.earlier is None:
        return {"type": "externalMessageId", "externalMessageId": f"wamid.{scene.corpus.hex(20)}"}
    message = {key: value for key, value in scene.earlier.items() if key != "quotedMessage"}
    return {"type": "message", "message": message}


def _whatsapp(scene: Scene) -> Record:
    return {
        "originalMessageId": f"wamid.{scene.corpus.hex(32)}",
        "originalMessageTimestamp": "2026-01-04T23:59:58.000Z",
    }


def _notice(kind: str, text: str, **data: Any) -> Callable[[Scene], Record]:
    def write(scene: Scene) -> Record:
        activity = {"type": kind, **data}
        return scene.by_subtype("activity", _text(text), "zd:agentWorkspace", activity=activity)

    return write


def _arrival(channel: str) -> Callable[[Scene], Record]:
    return lambda scene: scene.by_user(_text(scene.text), channel)


TEMPLATE: Record = {
    "name": "visit_reminder",
    "namespace": "6601f0cc",
    "language": {"code": "en", "policy": "deterministic"},
    "components": [{"type": "body", "parameters": [{"type": "text", "text": "Thursday"}]}],
}
REFERENCES = [
    {"uri": "https://example.org/help/12", "title": "Refunds", "description": "How they work"},
    {"uri": "https://example.org/help/13"},
]
NUMBERS = {"lat": 48.8584, "long": 2.2945}

SPECIMENS: tuple[Callable[[Scene], Record], ...] = (
    # Where messages come from.
    *map(_arrival, ("web", "ios", "android", "unity", "telegram", "messenger", "twilio", "sdk")),
    lambda s: s.by_user(_text(s.text), "whatsapp", _whatsapp(s)),
    lambda s: s.by_user(_text(LONG_MAIL), "mailgun", {"originalMessageId": "<a/b+c@example.org>"}),
    lambda s: s.by_user(_text(s.text), "web", {"originalMessageId": None}, metadata=None),
    lambda s: s.by_user(_text(LONGEST_POST), deleted=None),
    lambda s: s.by_user(_text("Yes", payload="YES"), deleted=False),
    # Who of the business writes.
    lambda s: s.by_subtype(
        "agent",
        _text(s.text),
        "zd:agentWorkspace",
        metadata={"__zendesk_msg.agent.id": "35436", "__zendesk_msg.channel": "web"},
    ),
    lambda s: s.by_subtype("bot", _text(s.text)),
    lambda s: s.by_subtype("AI", _text(s.text), references=REFERENCES),
    lambda s: s.by_business(
        _text(s.text), "zd:agentWorkspace", metadata={"__trigger": True, "ratio": 0.5, "n": 3}
    ),
    lambda s: s.by_business(_text(s.text), references=None, quotedMessage=None, metadata={}),
    _notice("ticket:closed", "The ticket was closed."),
    _notice("ticket:transfer:email", "We will write to you.", data={}),
    _notice("conversation:endedByUser", "The conversation was ended.", data={"reason": "done"}),
    # Text in its forms.
    lambda s: s.by_business(_text("Hello & bye", htmlText="<p>Hello &amp; <b>bye</b></p>")),
    lambda s: s.by_business({"type": "text", "htmlText": "<h1>Only markup</h1>"}),
    lambda s: s.by_business(_text("What next?", actions=_actions(), blockChatInput=True)),
    lambda s: s.by_business({"type": "text", "actions": _actions()[:1]}),
    lambda s: s.by_user(_text("")),
    # Pictures and files.
    lambda s: s.by_user({"type": "image", **s.file("receipt.png", "image/png", text="here it is")}),
    lambda s: s.by_business(
        {
            "type": "image",
            **s.file("plan.jpg", "image/jpeg", attachmentId=s.corpus.hex(24)),
            "text": "The plan",
            "htmlText": "<i>The plan</i>",
            "actions": _actions()[:2],
        }
    ),
    lambda s: s.by_user({"type": "image", "mediaUrl": f"{PUBLIC_MEDIA}/sticker.gif"}, "telegram"),
    lambda s: s.by_user({"type": "file", **s.file("Lease%20(2).pdf", "application/pdf")}),
    lambda s: s.by_business({"type": "file", "mediaUrl": f"{PUBLIC_MEDIA}/a.bin", "mediaSize": 0}),
    lambda s: s.by_user(
        {"type": "file", **s.file("voice.ogg", "audio/ogg; codecs=opus")}, "whatsapp"
    ),
    # Cards.
    lambda s: s.by_business(
        {
            "type": "carousel",
            "text": "Kettle\nToaster\nNothing else",
            "items": _items(),
            "displaySettings": {"imageAspectRatio": "square"},
        }
    ),
    lambda s: s.by_business({"type": "carousel", "items": _items()[:1]}),
    lambda s: s.by_business({"type": "list", "items": _items()[1:], "actions": _subset()}),
    lambda s: s.by_business({"type": "template", "template": TEMPLATE}),
    # Places and forms.
    lambda s: s.by_user(
        {
            "type": "location",
            "coordinates": NUMBERS,
            "location": {"address": "5 avenue Anatole France", "name": "Tour Eiffel"},
            "text": "Location shared:\nhttps://maps.example/?q=48.8584,2.2945",
        },
        "whatsapp",
    ),
    lambda s: s.by_user({"type": "location", "coordinates": {"lat": 0, "long": -0.5}}),
    lambda s: s.by_business(_form(submitted=True, blockChatInput=True, text="Before we begin")),
    lambda s: s.by_business(_form(submitted=False)),
    lambda s: s.by_user(
        {"type": "formResponse", "fields": list(REPLIES), "textFallback": REPLY_TEXT},
        quotedMessage=_quoted(s),
    ),
    lambda s: s.by_user({"type": "formResponse", "fields": list(REPLIES[:1])}),
    # Quotes.
    lambda s: s.by_user(_text(s.text), "whatsapp", _whatsapp(s), quotedMessage=_quoted(s)),
    lambda s: s.by_user(
        _text(s.text),
        "whatsapp",
        quotedMessage={"type": "externalMessageId", "externalMessageId": "wamid.HBgL"},
    ),
    # What is hard to carry.
    *(lambda s, text=text: s.by_user(_text(text)) for text in HARD_TEXTS),
)
"""One writer for each kind of message."""


def anything(scene: Scene) -> Record:
    """Write what is usual, most of the time."""
    dice = scene.corpus.random.random()
    if dice < 0.45:
        return scene.by_user(_text(scene.text), scene.corpus.random.choice(("web", "whatsapp")))
    if dice < 0.8:
        return scene.by_business(_text(scene.text))
    return scene.corpus.random.choice(SPECIMENS)(scene)
