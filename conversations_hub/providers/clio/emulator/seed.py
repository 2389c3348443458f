"""Fills a store with a law firm's conversations, every documented oddity among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from attrs import field, frozen

from conversations_hub.emulator.corpus import EPOCH, HARD_TEXTS, TOPICS, Corpus
from conversations_hub.providers.clio.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conversations_hub.providers.clio.emulator.fields import Record

_CONVERSATIONS = 126
_LONG = 420
_SHARED_ID = 303
"""Users and contacts are numbered apart (§6.4), so here a contact has a user's number."""

_FILES = (
    ("settlement-draft.pdf", "application/pdf", 48_211),
    ("lease.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 0),
    ("Fotografía del salón.JPG", "image/jpeg", 3_145_728),
    ("voicemail.m4a", "audio/mp4", 912_004),
    ("README", None, None),
)
_BODIES = (
    *HARD_TEXTS,
    "",
    None,
    "<p>Signed in <em>both</em> places.</p><p>Best,<br>Noor</p>",
    "Very long: " + "whereas the party of the first part " * 3_000,
)


@frozen(kw_only=True)
class Plan:
    """What will be said in one conversation."""

    members: list[Record]
    size: int
    subject: str | None
    matter: Record | None = None
    longest: timedelta = timedelta(hours=6)
    """The longest pause between two messages; none puts all in one second."""
    bodies: tuple[str | None, ...] = ()
    """What the first messages say; the others are invented."""
    silent: tuple[int, ...] = ()
    """Which messages may come without a sender."""


@frozen
class Cast:
    """Who and what conversations are about."""

    users: list[Record]
    contacts: list[Record]
    matters: list[Record] = field(factory=list)


def seeded(seed: int, scale: float) -> Store:
    """Return a store with about 126 conversations at scale 1."""
    store = Store(seed=seed)
    cast = _cast(store, scale)
    plans = [*_odd(cast, scale), *_ordinary(store, cast, scale)]
    _play(store, plans)
    _finish(store, cast)
    return store


def token(seed: int) -> str:
    """Return an access token that looks like one of Clio's."""
    corpus = Corpus(seed, "clio/token")
    return f"{corpus.random.randrange(10**4, 10**5)}-{corpus.hex(40)}"


def _cast(store: Store, scale: float) -> Cast:
    users = [store.add_user("Noor", "Lind", account_owner=True, **_desk(store))]
    users += [store.add_user(*store.corpus.person(), job_title_name="Paralegal") for _ in range(4)]
    users.append(store.add_user(*store.corpus.person(), enabled=False))
    users.append(store.add_user(*store.corpus.person(), clio_connect=True, roles=[]))
    contacts = [
        store.add_contact("Ada", "Okafor"),
        store.add_contact("Lind & Söhne GmbH"),
        store.add_contact("Ana", "Prieto", id=_SHARED_ID),
    ]
    contacts += [
        store.add_contact(*store.corpus.person()) for _ in range(max(5, round(40 * scale)))
    ]
    contacts += [
        store.add_contact(f"{store.corpus.person()[1]} Ltd") for _ in range(round(6 * scale))
    ]
    cast = Cast(users, contacts)
    cast.matters.extend(_matters(store, cast, max(5, round(20 * scale))))
    return cast


def _desk(store: Store) -> Record:
    at = {"created_at": store.now, "updated_at": store.now}
    title = {"id": 1, "etag": f'"{1:032x}"', "name": "Partner", "initials": "P"}
    account = {"id": 1, "etag": f'"{2:032x}"', "name": "Lind LLP", "state": "active"} | at
    group = {"id": 1, "etag": f'"{3:032x}"', "name": "Firm", "type": "AccountGroup"} | at
    method = {"id": 1, "etag": f'"{4:032x}"', "type": "Popup"} | at
    return {
        "account": account,
        "groups": [group],
        "job_title": title,
        "job_title_name": "Partner",
        "notification_methods": [method],
    }


def _matters(store: Store, cast: Cast, count: int) -> Iterator[Record]:
    for number in range(count):
        client = cast.contacts[number % len(cast.contacts)]
        status = ("Open", "Pending", "Closed")[number % 3]
        matter = store.add_matter(client, store.corpus.topic(), status=status)
        # What the token may not see of a matter comes stripped (§2).
        matter["redacted"] = number % 9 == 2
        yield matter


def _odd(cast: Cast, scale: float) -> list[Plan]:
    me, colleague, namesake, *_ = cast.users
    ada, company, twin, *_ = cast.contacts
    plain, _, redacted, *_ = cast.matters
    long = max(45, round(_LONG * scale))
    return [
        Plan(members=[me, ada], size=0, subject="Nothing said yet"),
        Plan(members=[me, ada], size=1, subject="One message", matter=plain),
        Plan(members=[me, ada, colleague], size=long, subject=TOPICS[1], silent=(7,)),
        Plan(
            members=[me, ada, company],
            size=len(_BODIES) + len(_FILES),
            subject="Everything there is",
            matter=plain,
            bodies=_BODIES,
            silent=(2, 3),
        ),
        Plan(members=[me, ada], size=30, subject="In one second", longest=timedelta()),
        Plan(members=[colleague, ada], size=6, subject="Read only", matter=plain),
        Plan(members=[me, ada, colleague], size=4, subject="Redacted", matter=redacted),
        Plan(members=[me, colleague], size=5, subject="Between users"),
        Plan(members=[me, namesake, twin], size=8, subject="Same number twice"),
        Plan(members=[me, *cast.users[5:], ada], size=9, subject=None),
        Plan(members=[colleague, twin], size=3, subject="Not for you"),
    ]


def _ordinary(store: Store, cast: Cast, scale: float) -> Iterator[Plan]:
    random = store.corpus.random
    for _ in range(max(2, round(_CONVERSATIONS * scale) - 10)):
        colleagues = random.sample(cast.users[1:], random.choice((0, 0, 1, 2)))
        contacts = random.sample(cast.contacts, random.choice((1, 1, 1, 2)))
        # Most are the user's own; some are only seen through their matter.
        own = random.random() < 0.9
        matter = random.choice(cast.matters) if random.random() < 0.6 or not own else None
        yield Plan(
            members=[store.me if own else cast.users[1], *contacts]
            + [each for each in colleagues if own or each is not cast.users[1]],
            size=random.randint(10, 40),
            subject=store.corpus.topic(),
            matter=matter,
        )


def _play(store: Store, plans: list[Plan]) -> None:
    conversations: dict[int, Record] = {}
    for at, plan, number in sorted(_events(store.corpus, plans)):
        if number < 0:
            conversations[plan] = _begin(store, plans[plan], at)
        else:
            _say(store, plans[plan], conversations[plan], number, at)


def _events(corpus: Corpus, plans: list[Plan]) -> Iterator[tuple[datetime, int, int]]:
    """Give each beginning (-1) and each message its time, so that ids grow with time."""
    begins = EPOCH
    for index, plan in enumerate(plans):
        begins += corpus.pause(timedelta(hours=20))
        at = begins
        yield at, index, -1
        for number in range(plan.size):
            yield at, index, number
            at += corpus.pause(plan.longest) if plan.longest else timedelta()


def _begin(store: Store, plan: Plan, at: datetime) -> Record:
    return store.add_conversation(plan.subject, plan.members, matter=plan.matter, at=at)


def _say(store: Store, plan: Plan, conversation: Record, number: int, at: datetime) -> None:
    body = plan.bodies[number] if number < len(plan.bodies) else store.corpus.text()
    message = store.add_message(
        conversation["id"],
        store.corpus.random.choice(plan.members),
        body,
        document=_document(store, plan, number),
        at=at,
    )
    message["sender_lost"] = number in plan.silent


def _document(store: Store, plan: Plan, number: int) -> Record | None:
    if plan.bodies:
        index = number - len(plan.bodies)
        return store.new_document(*_FILES[index]) if index >= 0 else None
    if store.corpus.random.random() < 0.05:
        return store.new_document(*store.corpus.random.choice(_FILES))
    return None


def _finish(store: Store, cast: Cast) -> None:
    """Let time leave its marks: flags, time entries, a late member, a withdrawn document."""
    records = list(store.conversations.values())
    for record in records:
        _mark(store, record)
    everything = next(each for each in records if each["subject"] == "Everything there is")
    store.add_member(everything["id"], cast.users[4])
    everything["documents"][0]["deleted_at"] = store.now
    store.log_time(everything["id"], 2)
    store.hidden.update(each["id"] for each in records if each["subject"] == "Not for you")
    _hooks(store)
    # Attached to no message yet.
    store.new_document("engagement letter.pdf", "application/pdf", 20_480)


def _mark(store: Store, record: Record) -> None:
    random = store.corpus.random
    record["group_access"] = record["read_only"] or random.random() < 0.3
    record["time_entries_count"] = random.choice((0, 0, 0, 1, 3))
    for membership in record["memberships"]:
        if random.random() < 0.6:
            archived = random.random() < 0.25
            store.mark(record["id"], membership["member"], read=True, archived=archived)


def _hooks(store: Store) -> None:
    expires = datetime(2026, 12, 1, tzinfo=UTC)
    models = {"pending": "communication", "enabled": "contact", "suspended": "matter"}
    for status, model in models.items():
        url = f"https://hooks.example/clio/{model}"
        store.add_webhook(url, model, status=status, expires_at=expires)
