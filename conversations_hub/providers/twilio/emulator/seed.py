"""Fills a store with invented conversations in which everything occurs that Twilio may answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from conversations_hub.emulator.corpus import EPOCH, HARD_TEXTS, Corpus
from conversations_hub.providers.twilio.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record

    Cast = Callable[["Author"], None]

MINUTES = timedelta(minutes=1)
# Half a second before midnight: is it within the day's EndDate? (section 4)
END_OF_DAY = EPOCH.replace(hour=23, minute=59, second=59, microsecond=500_000)

STATES = ("active", "active", "inactive", "active", "closed", "active", "initializing", "active")
# Any JSON is legal, and so is text that is none; it comes back as it was written (sections 5, 9).
ATTRIBUTES = (
    "{}", '{ "topic": "repair" }', '{"prio":1,"tags":["é","👍"]}', '"just text"', "[1, 2]",
    "null", "{not json", "{}",
)  # fmt: skip
UNIQUE_NAMES = ("order-{}", "case/2026/{}", "Müller & Söhne {}", "100%-{}?x=1#y")
TIMERS = (
    (None, None),
    (timedelta(days=400), timedelta(days=500)),
    (timedelta(minutes=10), timedelta(days=500)),
    (timedelta(days=400), None),
    (None, timedelta(days=500)),
    (timedelta(minutes=1), timedelta(minutes=10)),
    (None, None),
)
IDENTITIES = (
    "ada", "Ada", "agent/7", "dana@office.example.org", "user+one", "mail box", "美咲", "100%sure",
    "{curly}",
)  # fmt: skip
STATUSES = ("read", "delivered", "sent", "failed", "undelivered")
MEDIA = (
    ("image/jpeg", "car.jpg", None),
    ("application/pdf", "vertrag größe 1.pdf", None),
    ("audio/amr", None, None),
    ("text/html", "body.html", "body"),
    ("text/plain", "history.txt", "history"),
    ("video/mp4", "clip.mp4", "media"),
)


class Author:
    """Writes into one conversation as time goes by."""

    def __init__(self, store: Store, corpus: Corpus, conversation: Conversation) -> None:
        self.store = store
        self.corpus = corpus
        self.conversation = conversation
        self.time: datetime = conversation.record["date_created"]

    def wait(self, longest: timedelta) -> datetime:
        """Let time pass and return it."""
        self.time += self.corpus.pause(longest)
        return self.time

    def join(self, **who: Any) -> Record:
        """Let somebody in at once."""
        return self.store.add_participant(self.conversation, at=self.time, **who)

    def write(self, **what: Any) -> Record:
        """Write a message now, as anybody unless it says as whom."""
        author = what.pop("author", None) or self.anybody()
        return self.store.add_message(self.conversation, author=author, at=self.time, **what)

    def anybody(self) -> str:
        """Return a name under which somebody in the conversation writes."""
        people = self.conversation.participants
        if not people:
            return "system"
        who = self.corpus.random.choice(people)
        binding = who["messaging_binding"] or {}
        return str(who["identity"] or binding.get("address") or binding["projected_address"])

    def agent(self) -> str:
        """Return the identity of somebody who works here."""
        first, last = self.corpus.person()
        return f"{first}.{last}".casefold().replace(" ", "-")

    def channel(self, kind: str, prefix: str = "") -> None:
        """Let somebody in who writes from a phone."""
        binding = {
            "type": kind,
            "address": prefix + self.corpus.phone(),
            "proxy_address": prefix + self.corpus.phone(),
        }
        self.join(
            messaging_binding=binding, role_sid=self.store.member_role, attributes='{"role": "x"}'
        )


def chat(author: Author) -> None:
    """Let two colleagues talk, of whom one has read something."""
    for identity in (author.agent(), author.corpus.random.choice(IDENTITIES)):
        author.join(identity=identity, role_sid=author.store.member_role)


def sms(author: Author) -> None:
    """Let an agent text with a customer, and a customer who has an identity too."""
    author.channel("sms")
    author.join(identity=author.agent())
    binding = {
        "type": "sms",
        "address": author.corpus.phone(),
        "proxy_address": author.corpus.phone(),
    }
    author.join(identity="alice", messaging_binding=binding)


def whatsapp(author: Author) -> None:
    """Let an agent write with a customer on WhatsApp."""
    author.channel("whatsapp", "whatsapp:")
    author.join(identity=author.agent())


def rcs(author: Author) -> None:
    """Let two customers in by RCS, for one of whom it has fallen back to SMS (section 5)."""
    author.channel("rcs", "rcs:")
    author.channel("sms", "rcs:")
    author.join(identity=author.agent())


def messenger(author: Author) -> None:
    """Let an agent write with a customer on Messenger."""
    binding = {
        "type": "messenger",
        "address": f"messenger:{author.corpus.random.randrange(10**15)}",
        "proxy_address": f"messenger:{author.corpus.random.randrange(10**15)}",
    }
    author.join(messaging_binding=binding)
    author.join(identity=author.agent())


def group_mms(author: Author) -> None:
    """Make a group text: our side has projected addresses, outsiders only their own."""
    phone = author.corpus.phone
    author.join(
        identity=author.agent(), messaging_binding={"type": "sms", "projected_address": phone()}
    )
    author.join(messaging_binding={"type": "sms", "projected_address": phone()})
    author.join(messaging_binding={"type": "sms", "address": phone()})
    author.join(messaging_binding={"type": "sms", "address": phone(), "proxy_address": None})


def email(author: Author) -> None:
    """Let people in by e-mail."""
    for level in ("from", "to", "cc"):
        first, last = author.corpus.person()
        binding = {
            "type": "email",
            "address": f"{level}.{author.corpus.hex(6)}@mail.example.org",
            "proxy_address": "help+123@office.example.org",
            "name": f"{first} {last}",
            "level": level,
        }
        author.join(messaging_binding=binding)
    author.join(identity=author.agent())


CASTS: tuple[Cast, ...] = (chat, sms, whatsapp, rcs, messenger, group_mms, email, chat)


def media(store: Store, corpus: Corpus, count: int) -> list[Record]:
    """Invent files that come with a message."""
    files = []
    for content_type, filename, category in corpus.random.sample(MEDIA, count):
        size = corpus.random.randrange(1, 5_000_000)
        file = {"sid": store.sid("ME"), "size": size, "content_type": content_type}
        files.append(file | {"filename": filename} | ({"category": category} if category else {}))
    return files


def everything(author: Author, _count: int) -> None:
    """Write one message of every kind that there is."""
    for text in (*HARD_TEXTS, "", "x" * 32_768):
        author.wait(5 * MINUTES)
        author.write(body=text)
    for attributes in ATTRIBUTES:
        author.write(body=f"attributes {attributes}", attributes=attributes)
    for count in range(1, len(MEDIA) + 1):
        author.write(media=media(author.store, author.corpus, count))
    author.write(body="with a photo", media=media(author.store, author.corpus, 1))
    author.write(content_sid=author.store.sid("HX"))
    author.write(author="system", body="The visit is confirmed.")
    author.write(author="nobody-we-know", body="An author who matches no participant.")
    author.write(author="+15550000000", body="A number that has left.")
    author.write(author="whatsapp:+15550000001", body="And one on WhatsApp.")
    author.write(author="gone@mail.example.org", body="And one by e-mail.")
    leave(author)
    plain = [author.write(body=author.corpus.text()) for _ in range(12)]
    edit(author, plain[:6])
    remove(author, plain[4:8])


def leave(author: Author) -> None:
    """Let somebody write and leave, which leaves their messages pointing nowhere."""
    guest = author.join(identity=author.agent() + ".guest")
    author.write(author=guest["identity"], body="Goodbye.")
    author.store.remove_participant(author.conversation, guest["sid"])


def edit(author: Author, messages: list[Record]) -> None:
    """Edit messages some time later."""
    for message in messages:
        at = author.wait(MINUTES) + timedelta(seconds=1)
        text = author.corpus.text()
        author.store.edit_message(author.conversation, message["sid"], body=text, at=at)


def remove(author: Author, messages: list[Record]) -> None:
    """Delete messages, which leaves gaps in the index."""
    for message in messages:
        author.store.remove_message(author.conversation, message["sid"])


def nothing(_author: Author, _count: int) -> None:
    """Write nothing."""


def single(author: Author, _count: int) -> None:
    """Write one message."""
    author.write(body=author.corpus.text())


def long(author: Author, count: int) -> None:
    """Write for weeks, with a burst in the middle that has one time."""
    for number in range(count):
        if not count // 4 < number < count // 2:
            author.wait(30 * MINUTES)
        author.write(body=author.corpus.text())
    remove(author, author.conversation.messages[7:count:50])


def crowd(author: Author, count: int) -> None:
    """Let so many in that their list has several pages, many at the same time."""
    for number in range(count // 3):
        author.join(identity=f"member-{number:04d}")
    ordinary(author, count)


def ordinary(author: Author, _count: int) -> None:
    """Write as people do."""
    for _ in range(author.corpus.random.randint(10, 38)):
        author.wait(120 * MINUTES)
        plain = author.corpus.random.random() < 0.93
        files = None if plain else media(author.store, author.corpus, 1)
        body = author.corpus.text() if plain or author.corpus.random.random() < 0.5 else None
        author.write(body=body, media=files)
    edit(author, author.conversation.messages[4::17])
    remove(author, author.conversation.messages[6::23])


SCRIPTS: tuple[Callable[[Author, int], None], ...] = (everything, nothing, single, long, crowd)


def filled(seed: int, scale: float) -> Store:
    """Return a store with about 130 conversations, times the scale."""
    store, corpus = Store(seed), Corpus(seed, "twilio/seed")
    configure(store)
    for number, identity in enumerate(IDENTITIES):
        online = (True, False, None)[number % 3]
        name = None if number == 4 else " ".join(corpus.person())
        attributes = ATTRIBUTES[number % len(ATTRIBUTES)]
        store.add_user(
            identity, friendly_name=name, attributes=attributes,
            is_online=online, is_notifiable=online, at=EPOCH,
        )  # fmt: skip
    long_count = max(30, round(420 * scale))
    for number in range(max(12, round(132 * scale))):
        author = Author(store, corpus, begin(store, corpus, number, store.default_service))
        CASTS[number % len(CASTS)](author)
        script = SCRIPTS[number] if number < len(SCRIPTS) else ordinary
        script(author, long_count)
        finish(author, number)
    elsewhere(store, corpus, max(3, round(5 * scale)))
    store.now += timedelta(seconds=1)
    store.expire()
    return store


def begin(store: Store, corpus: Corpus, number: int, service: str) -> Conversation:
    """Begin a conversation; every fourth begins with the one before it."""
    at = END_OF_DAY if number in {5, 6} else EPOCH + (number - number // 4) * 180 * MINUTES
    if number % 4 == 1:
        at += timedelta(milliseconds=corpus.random.randrange(400))
    unique_name = UNIQUE_NAMES[number % len(UNIQUE_NAMES)].format(number)
    return store.add_conversation(
        service=service,
        friendly_name=None if number % 9 == 8 else corpus.topic(),
        unique_name=unique_name if number % 3 == 0 else None,
        attributes=ATTRIBUTES[number % len(ATTRIBUTES)],
        bindings=bindings(number),
        created_by=corpus.random.choice(IDENTITIES),
        timers=TIMERS[number % len(TIMERS)],
        at=at,
        **({"messaging_service_sid": store.sid("MG")} if number % 11 == 7 else {}),
    )


def bindings(number: int) -> Record:
    """Bind the conversations whose people write by e-mail to an address of ours."""
    if CASTS[number % len(CASTS)] is not email:
        return {}
    return {"email": {"projected_address": "help+123@office.example.org", "name": "Help"}}


def finish(author: Author, number: int) -> None:
    """Set what comes of a conversation: receipts, read horizons, webhooks, its state."""
    receive(author)
    read(author)
    if number % 6 == 0:
        hook(author, number)
    if number % 10 == 9:
        mute(author)
    state = STATES[number % len(STATES)]
    if state != "active":
        author.store.update_conversation(author.conversation, state=state, at=author.time)


def receive(author: Author) -> None:
    """Let messages arrive, or not; the newest are only sent."""
    conversation, corpus = author.conversation, author.corpus
    for number, receipts in enumerate(conversation.receipts.values()):
        for receipt in receipts if number % 4 else ():
            at = receipt["date_created"] + timedelta(seconds=number % 90)
            weights = (0 if number % 3 else 9, 4, 2, 1, 1)
            (status,) = corpus.random.choices(STATUSES, weights)
            code = corpus.random.choice((30003, 63016)) if status in STATUSES[3:] else 0
            author.store.set_receipt(conversation, receipt, status, error_code=code, at=at)


def read(author: Author) -> None:
    """Let every second person in the chat have read something."""
    messages = author.conversation.messages
    for participant in author.conversation.participants[::2]:
        if messages and participant["messaging_binding"] is None:
            index = author.corpus.random.choice(messages)["index"]
            author.store.mark_read(participant, index, at=author.time)


def hook(author: Author, number: int) -> None:
    """Add webhooks of every target."""
    url = "https://hooks.example.org/twilio"
    hooks: list[tuple[str, Record]] = [
        ("webhook", {"url": url, "method": "get", "filters": ["onMessageAdded"]}),
        ("trigger", {"url": url, "method": "post", "filters": ["help", "stop"]}),
        ("studio", {"flow_sid": author.store.sid("FW")}),
        ("trigger", {"url": url, "method": "POST", "triggers": ["agent"]}),
        ("webhook", {"url": url, "method": "post", "filters": []}),
    ]
    for target, configuration in islice(cycle(hooks), 5 if number == 0 else 2):
        author.store.add_webhook(author.conversation, target, configuration, at=author.time)


def mute(author: Author) -> None:
    """Let the first user in the conversation have it muted."""
    for participant in author.conversation.participants:
        user = author.store.user(author.conversation.service, participant["identity"] or "")
        if user is not None:
            author.conversation.muted.add(user["sid"])
            return


def elsewhere(store: Store, corpus: Corpus, count: int) -> None:
    """Fill a second chat service, in which the same names are other people."""
    service = store.add_service("Night shift", at=EPOCH)["sid"]
    for number in range(count):
        author = Author(store, corpus, begin(store, corpus, number, service))
        (chat, sms, email)[number % 3](author)
        ordinary(author, count)
        finish(author, number)


def configure(store: Store) -> None:
    """Set the account's timers, webhook and addresses."""
    store.configuration.update(default_inactive_timer="PT1M", default_closed_timer="PT10M")
    store.account_webhook.update(
        post_webhook_url="https://hooks.example.org/post",
        filters=["onMessageAdded", "onConversationUpdated"],
    )
    service = {"conversation_service_sid": store.default_service}
    hooked = {"webhook_url": "https://hooks.example.org", "webhook_method": "POST"}
    creations: list[Record] = [
        {"enabled": True, "type": "default"},
        {"enabled": True, "type": "webhook", **service, **hooked, "webhook_filters": []},
        {"enabled": False, "type": "studio", **service, "studio_flow_sid": store.sid("FW"),
         "studio_retry_count": 3},
    ]  # fmt: skip
    own = (
        ("sms", "+37256123457", "CA"), ("whatsapp", "whatsapp:+37256123458", "EE"),
        ("messenger", "messenger:100200300", None), ("gbm", "gbm:office", None),
        ("email", "help@office.example.org", None), ("rcs", "rcs:office", "PT"),
        ("apple", "apple:office", None), ("chat", "office", None), ("sms", "+37256123459", "NG"),
    )  # fmt: skip
    for number, (kind, address, country) in enumerate(own):
        name = None if kind == "gbm" else f"{kind} of the office"
        creation = creations[number % len(creations)]
        fields = {"friendly_name": name, "address_country": country, "auto_creation": creation}
        store.add_address(kind, address, at=EPOCH, **fields)
