"""Fills a store with an app's channels, people and conversations."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any

from attrs import define, field

from conversations_hub.emulator.corpus import EPOCH
from conversations_hub.providers.sunshine.emulator.contents import (
    AVATAR,
    SPECIMENS,
    Scene,
    anything,
)
from conversations_hub.providers.sunshine.emulator.files import remember_seeded
from conversations_hub.providers.sunshine.emulator.store import Store, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.emulator.corpus import Corpus

    Writer = Callable[[Scene], dict[str, Any]]

Record = dict[str, Any]

CHANNELS: tuple[tuple[str, Record], ...] = (
    ("custom", {"displayName": "Hub"}),
    ("web", {"displayName": "Web Messenger", "brandColor": "65758e", "businessName": "Acme"}),
    ("ios", {"displayName": "iOS app", "production": True}),
    ("android", {"displayName": None}),
    ("unity", {}),
    ("whatsapp", {"displayName": "WhatsApp", "phoneNumber": "15550100200"}),
    ("messenger", {"pageAccessToken": "EAAinvented", "appId": "119002210", "pageId": 1232123}),
    ("telegram", {"displayName": "Telegram", "username": "acme_bot", "botId": "192033615"}),
    ("twilio", {"accountSid": "AC" + "0" * 32, "status": "error"}),
    ("mailgun", {"domain": "mg.example.org", "incomingAddress": "help@mg.example.org"}),
    ("line", {"status": "inactive"}),
    *(("custom", {"displayName": f"Relay {n}"}) for n in range(18)),
)
TRIGGERS = ("conversation:message", "conversation:read", "user:merge")

CLIENT_TYPES = (
    "apple", "gbm", "googlercs", "instagram", "kakao", "line", "mailgun", "messagebird",
    "messenger", "sdk", "slackconnect", "telegram", "twilio", "twitter", "viber", "wechat",
    "whatsapp",
)  # fmt: skip
CLIENT_STATES = ("active", "blocked", "inactive", "pending")

BRAND = "9477922990333"
NAMES: tuple[Record, ...] = (
    {"externalId": "crm/778"},
    {"externalId": "0123456789abcdef01234567"},
    {"externalId": "ana+prieto@example.org"},
    {"externalId": "kündé 12%"},
    # External ids are unique in a brand only.
    {"externalId": "crm-100"},
    {"externalId": "crm-100", "brandId": BRAND},
    {"externalId": "crm-6", "brandId": BRAND},
    {"externalId": None, "brandId": None},
    {},
)
"""What the first users are called by others; those after them have no external id."""

BOT = {"id": "5ef21b86e933b7355c11c604", "name": "bot", "integrationType": "zd:answerBot"}
DESK = {
    "id": "5ef21b86e933b7355c11c605",
    "name": "agent-workspace",
    "integrationId": "5ef21b86e933b7355c11c606",
    "integrationType": "zd:agentWorkspace",
}
SDKS = {"web", "ios", "android", "unity"}
LONGEST_PAUSE = timedelta(hours=6)


@define
class Seeder:
    """Writes an app from its first integration to its last message."""

    store: Store
    corpus: Corpus
    scale: float
    now: datetime = field(default=EPOCH - timedelta(days=30), init=False)
    channels: dict[str, str] = field(factory=dict, init=False)
    users: list[Record] = field(factory=list, init=False)

    def write(self) -> None:
        """Fill the store."""
        for kind, fields in CHANNELS:
            self._write_integration(kind, fields)
        self._connect()
        self.users = [self._write_user(n) for n in range(self._count(24, 12))]
        self._write_clients()
        self.now = EPOCH
        conversations = [
            self._write_conversation(kind, cast, look)
            for (kind, cast), look in zip(self._casts(), cycle(_looks(self.corpus)), strict=False)
        ]
        for n, conversation in enumerate(conversations):
            self._tell(conversation, self._story(n))
        self._leave_gaps(conversations)
        remember_seeded(self.store)

    def _count(self, number: int, least: int) -> int:
        return max(least, round(number * self.scale))

    def _later(self, longest: timedelta = timedelta(minutes=20)) -> datetime:
        self.now += self.corpus.pause(longest)
        return self.now

    def _write_integration(self, kind: str, fields: Record) -> None:
        at = self._later()
        integration = self.store.add_integration(kind, at=at, **fields)
        self.channels.setdefault(kind, integration["id"])
        if kind == "custom":
            target = f"https://hooks.example.org/{integration['id']}"
            full = self.corpus.random.random() < 0.5
            self.store.add_webhook(integration["id"], target, TRIGGERS, at=at, includeFullUser=full)

    def _connect(self) -> None:
        store = self.store
        store.managed = {each["id"] for each in store.integrations.values() if each["type"] in SDKS}
        store.seeded = {each["id"] for webhooks in store.webhooks.values() for each in webhooks}
        custom = [each for each in store.integrations.values() if each["type"] == "custom"]
        # Two of a type, so that the type alone names neither.
        others = [
            {
                "id": f"5ef21b86e933b7355c11c7{n:02d}",
                "name": each["displayName"].lower().replace(" ", "-"),
                "integrationId": each["id"],
                "integrationType": "custom",
            }
            for n, each in enumerate(custom[:2])
        ]
        store.switchboard = [BOT, DESK, *others]

    def _write_user(self, n: int) -> Record:
        at = self._later()
        name = NAMES[min(n, len(NAMES) - 1)]
        email = f"user{n % 10}@example.org"
        states = _states(n, email)
        profiles = _profiles(self.corpus, email)
        return self.store.create_user(
            at=at,
            signedUpAt=stamp(at),
            profile=profiles[n % len(profiles)],
            **name,
            **states[n % len(states)],
        )

    def _write_clients(self) -> None:
        for n in range(30):
            self._write_client(self.users[0], n)
        for n, user in enumerate(self.users[1:]):
            for m in range(n % 4):
                self._write_client(user, n + m)

    def _write_client(self, user: Record, n: int) -> None:
        at = self._later()
        kind = CLIENT_TYPES[n % len(CLIENT_TYPES)]
        looks: tuple[Record, ...] = (
            {"externalId": self.corpus.phone(), "displayName": "Ana", "avatarUrl": AVATAR},
            {"lastSeen": None, "linkedAt": None, "displayName": None, "info": None, "raw": None},
            {"info": {"city": "Lisboa", "carrier": "?"}, "raw": {"name": "Ana", "ids": [1, 2]}},
            {},
        )
        fields = {"lastSeen": stamp(EPOCH), "linkedAt": stamp(at), **looks[n % len(looks)]}
        if kind != "sdk":
            fields["integrationId"] = self.channels.get(kind)
        status = CLIENT_STATES[n // 4 % len(CLIENT_STATES)]
        self.store.add_client(user["id"], kind, at=at, status=status, **fields)

    def _casts(self) -> list[tuple[str, list[Record]]]:
        return [
            *(("personal", [user]) for user in self.users),
            *(("sdkGroup", self._group(n)) for n in range(self._count(60, 6))),
            *(
                ("personal", [self.corpus.random.choice(self.users)])
                for _ in range(self._count(40, 4))
            ),
        ]

    def _group(self, n: int) -> list[Record]:
        if n < 2:
            return self.users[:10]
        others = self.corpus.random.sample(self.users[1:], self.corpus.random.randint(1, 6))
        return [self.users[0], *others] if n % 2 else others

    def _write_conversation(self, kind: str, cast: list[Record], look: Record) -> Record:
        ids = [user["id"] for user in cast]
        return self.store.create_conversation(kind, ids, at=self._later(LONGEST_PAUSE), **look)

    def _story(self, n: int) -> list[Writer]:
        special: dict[int, list[Writer]] = {
            0: list(SPECIMENS),
            1: [anything] * self._count(480, 120),
            2: [],
            3: [anything],
        }
        usual: list[Writer] = [anything] * self.corpus.random.randint(10, 40)
        # The groups follow the default conversations; the first ones are out of the ordinary.
        return special.get(n - len(self.users), usual)

    def _tell(self, conversation: Record, story: list[Writer]) -> None:
        moment = datetime.fromisoformat(conversation["createdAt"])
        members = [m["userId"] for m in self.store.participants(conversation["id"])]
        message: Record | None = None
        for n, write in enumerate(story):
            # More at the same moment than a page holds.
            if not 60 <= n < 180:
                moment += self.corpus.pause(LONGEST_PAUSE)
            scene = Scene(
                corpus=self.corpus,
                user=self.store.users[self.corpus.random.choice(members)],
                integrations=self.channels,
                earlier=message,
            )
            message = self.store.post_message(conversation["id"], write(scene), at=moment)
            if n == len(story) // 2:
                self._pause_and_read(conversation, members, moment)
        if story.count(anything) > 30:
            self._delete_one(conversation)

    def _pause_and_read(self, conversation: Record, members: list[str], moment: datetime) -> None:
        for user_id in members[::2]:
            self.store.read_by_user(conversation["id"], user_id)
        if self.corpus.random.random() < 0.5:
            self.store.read_by_business(conversation["id"], at=moment)

    def _delete_one(self, conversation: Record) -> None:
        message = self.corpus.random.choice(self.store.messages(conversation["id"]))
        self.store.delete_message(conversation["id"], message["id"])

    def _leave_gaps(self, conversations: list[Record]) -> None:
        # `createdAt` came in 2024-09, and times may be null (§4).
        del conversations[0]["createdAt"]
        for conversation in conversations:
            if not self.store.messages(conversation["id"]):
                conversation["lastUpdatedAt"] = None
                for participant in self.store.participants(conversation["id"]):
                    participant["lastRead"] = None


def _states(n: int, email: str) -> tuple[Record, ...]:
    identities = [
        {"type": "email", "value": email, "verification": "sso"},
        {"type": "phone_number", "value": f"+1555010{n:04d}"},
    ]
    return (
        {"authenticated": True, "hasPaymentInfo": False, "identities": identities},
        {"authenticated": False, "identities": [], "metadata": {}},
        {"zendeskId": str(35436 + n), "identities": identities, "toBeRetained": True},
        {"zendeskId": None, "metadata": {"tier": "gold", "visits": n, "vip": True}},
    )


def _profiles(corpus: Corpus, email: str) -> tuple[Record, ...]:
    given, surname = corpus.person()
    full = {"givenName": given, "surname": surname, "email": email, "avatarUrl": AVATAR}
    return (
        {**full, "locale": "pt-PT", "localeOrigin": "browser"},
        {"givenName": given, "surname": surname},
        {**dict.fromkeys(full), "locale": None},
        {"givenName": given, "locale": "en", "localeOrigin": "zendeskAccount"},
        # Not among the identities, so nobody is found by it.
        {"surname": surname, "email": f"profile-{email}"},
        {},
    )


def _looks(corpus: Corpus) -> tuple[Record, ...]:
    return (
        {
            "displayName": corpus.topic(),
            "description": "What it is about",
            "iconUrl": AVATAR,
            "metadata": {"lang": "en-ca", "order": 4411, "ratio": 0.25, "vip": True},
        },
        dict.fromkeys(("displayName", "description", "iconUrl", "metadata", "businessLastRead")),
        {},
        {"displayName": "Équipe 👩🏽\u200d⚖️ «Eins» & Co", "activeSwitchboardIntegration": DESK},
        {"activeSwitchboardIntegration": BOT, "pendingSwitchboardIntegration": DESK},
        {"brandId": BRAND, "metadata": {}},
        {"pendingSwitchboardIntegration": None, "description": corpus.text()[:100]},
    )


def fill(store: Store, corpus: Corpus, scale: float) -> None:
    """Fill an empty store; the same corpus, the same app."""
    Seeder(store, corpus, scale).write()
