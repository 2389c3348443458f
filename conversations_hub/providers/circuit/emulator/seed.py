"""Fills a store with a tenant's people and what they said to each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, cycle, islice
from typing import TYPE_CHECKING

from attrs import field, frozen

from conversations_hub.emulator.corpus import EPOCH, Corpus
from conversations_hub.providers.circuit.emulator import kinds
from conversations_hub.providers.circuit.emulator.records import Clock, Json, wire
from conversations_hub.providers.circuit.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

START = int(EPOCH.timestamp() * 1000)
DAY = 86_400_000
TIED_ITEMS = 70
TIED_CONVERSATIONS = 40
KINDS = ("DIRECT", "COMMUNITY", "GROUP", "GROUP", "DIRECT", "GROUP", "LARGE", "GROUP")
LOCALES = ("en-US", "de-DE", "en-GB", "pt-BR", "zh-Hans-CN")
LABELS = ("urgent", "später / später", "50% done?", "unused")


def seeded(seed: int, scale: float) -> Store:
    """Return the store that belongs to a seed."""
    corpus = Corpus(seed, "circuit")
    pauses = Pauses(Corpus(seed, "circuit/clock"))
    store = Store(corpus, corpus.uuid(), corpus.uuid(), Clock(START, pauses))
    seeder = Seeder(store=store, scale=scale)
    seeder.fill()
    store.clock.now = store.newest() + 1
    return store


@frozen
class Pauses(Iterator[int]):
    """How many milliseconds pass; no generator, since a store can be copied and pickled."""

    corpus: Corpus

    def __next__(self) -> int:
        """Return the next one."""
        return self.corpus.pause(timedelta(seconds=30)) // timedelta(milliseconds=1)


@frozen(kw_only=True)
class Seeder:
    """Invents the records of one store."""

    store: Store
    scale: float
    peers: list[str] = field(factory=list, init=False)
    """Whom the caller works with: regular, active users."""
    visitors: list[str] = field(factory=list, init=False)
    """Three users of every other type, then one of every other state."""

    @property
    def corpus(self) -> Corpus:
        """Return the store's own stream."""
        return self.store.corpus

    def some(self, number: int, least: int = 1) -> int:
        """Return a number of things at this scale."""
        return max(least, round(number * self.scale))

    def fill(self) -> None:
        """Invent everything."""
        self._people()
        special = self._special_conversations()
        self._ordinary_conversations(self.some(120, 12) - len(special))
        self._elsewhere()
        self._bookmarks()
        self._webhooks()
        self.store.support = {"supportEmailAddress": "help@example.org", "supportType": 1}

    # People.

    def _people(self) -> None:
        self._person(self.store.me, "REGULAR", "ACTIVE")
        for _ in range(self.some(60, 48)):
            self.peers.append(self._person(self.corpus.uuid(), "REGULAR", "ACTIVE"))
        for kind in kinds.USER_TYPES:
            for _ in range(3):
                self.visitors.append(self._person(self.corpus.uuid(), kind, "ACTIVE"))
        for state in kinds.USER_STATES:
            self.visitors.append(self._person(self.corpus.uuid(), "REGULAR", state))
        stranger = self.corpus.uuid()
        self.store.users[stranger] = {
            "userId": stranger, "displayName": "Ex Tern", "userType": "REGULAR",
            "userState": "DELETED",
        }  # fmt: skip
        self.store.unresolvable.add(stranger)

    def _person(self, user_id: str, kind: str, state: str) -> str:
        number = len(self.store.users)
        first, last = self.corpus.person()
        user = wire(
            userId=user_id,
            displayName=f"{first} {last}",
            firstName=first,
            lastName=last,
            emailAddress=f"u{number}+circuit@example.org",
            userType=kind,
            userState=state,
            primaryTenantId=self.store.tenant,
            locale=LOCALES[number % len(LOCALES)],
        )
        self.store.users[user_id] = user | (self._details(number) if number % 3 == 0 else {})
        presence = kinds.PRESENCES[number % len(kinds.PRESENCES)]
        self.store.presences[user_id] = {"userId": user_id, **presence}
        return user_id

    def _details(self, number: int) -> Json:
        second = f"second.{number}@example.net"
        return {
            "secondaryEmailAddress": second,
            "emailAddresses": [{"type": "OTHER", "address": second}],
            "phoneNumber": self.corpus.phone(),
            "phoneNumbers": [{"type": "MOBILE", "phoneNumber": self.corpus.phone()}],
            "jobTitle": "Paralegal",
            "company": "Example & Søns",
            "department": "Legal",
            "avatar": f"https://avatars.example.org/{number}_s.png",
            "avatarLarge": f"https://avatars.example.org/{number}_b.png",
        }

    def _others(self, number: int) -> list[str]:
        return self.corpus.random.sample(self.peers, min(number, len(self.peers)))

    def _roster(self, regulars: Sequence[str]) -> dict[str, str]:
        """Return the caller, regulars, and now and then everybody else."""
        roster = dict.fromkeys([*regulars, self.store.me], "REGULAR")
        if len(regulars) > 2:
            roster[regulars[1]] = "MODERATOR"
            roster[regulars[-1]] = "FORMER"
        if len(regulars) > 4:
            roster |= {one: self.store.role(one) for one in self.visitors[::3]}
            roster |= dict.fromkeys(self.store.unresolvable, "FORMER")
        return roster

    # Conversations.

    def _special_conversations(self) -> list[Json]:
        store, others = self.store, self._others(6)
        roster = self._roster(others)
        start = START + 21 * DAY
        single = store.insert_conversation("GROUP", store.me, roster, start, topic="Just one")
        store.add_text(single["convId"], store.me, {"content": "one"}, start + DAY)
        nothing = store.insert_conversation("GROUP", store.me, {store.me: "REGULAR"}, start)
        everyone = self._roster(self._others(40))
        large = store.create_conversation("LARGE", others[0], everyone, start, topic="All hands")
        # The older name of a community.
        older = store.create_conversation("OPEN", others[0], roster, start, topic="Open house")
        for conversation in (large, older):
            self._talk(conversation, 12, start + 50 * DAY)
        return [self._showcase(roster), self._long(roster), self._ties(roster),
                single, nothing, large, older]  # fmt: skip

    def _long(self, roster: dict[str, str]) -> Json:
        conversation = self._group(roster, "The long one")
        self._talk(conversation, self.some(430, 60), START + 60 * DAY)
        return conversation

    def _ties(self, roster: dict[str, str]) -> Json:
        conversation = self._group(roster, "All at once")
        conv_id, members = conversation["convId"], conversation["participants"]
        start = conversation["creationTime"]
        self._talk(conversation, 20, start + 5 * DAY)
        self._talk(conversation, 20, start + 15 * DAY)
        for number in range(TIED_ITEMS):
            author = members[number % len(members)]
            self.store.add_text(conv_id, author, {"content": f"tie {number}"}, start + 10 * DAY)
        return conversation

    def _group(self, roster: dict[str, str], topic: str) -> Json:
        return self.store.create_conversation("GROUP", self.store.me, roster, START, topic=topic)

    def _showcase(self, roster: dict[str, str]) -> Json:
        """Hold one of every kind of item."""
        conversation = self._group(roster, 'Everything & "more" <b>')
        conv_id, members = conversation["convId"], conversation["participants"]
        users = [self.store.users[one] for one in members]
        times, authors = count(START + DAY, 61_000), cycle([*members, *self.store.unresolvable])
        texts = [*kinds.hard_texts(), *kinds.texts(users[0])]
        items = [self.store.add_text(conv_id, next(authors), one, next(times)) for one in texts]
        items += [
            self.store.add_text(conv_id, members[0], {}, next(times), files)
            for files in kinds.file_sets()
        ]
        for system in kinds.system_items(members):
            # What the retention service does has no author.
            by = None if system["type"].startswith("RETENTION") else members[0]
            self.store.add_system(conv_id, by, system, next(times))
        for rtc in kinds.rtc_items(users[0], users[1], conv_id):
            self.store.add_rtc(conv_id, members[0], rtc, next(times))
        self._changes(conv_id, items, members, times)
        return conversation

    def _changes(
        self, conv_id: str, items: list[Json], members: list[str], times: Iterator[int]
    ) -> None:
        """Reply to some items, edit, delete, like and pin others."""
        store, root = self.store, items[0]["itemId"]
        replies = [
            store.add_text(conv_id, one, {"parentId": root, "content": "ok"}, next(times))
            for one in (members * 2)[:7]
        ]
        # Other shapes name the thread on the item.
        replies[-1]["parentItemId"] = replies[-1]["text"].pop("parentId")
        replies[-2]["parentId"] = replies[-2]["text"].pop("parentId")
        store.edit_text(items[1]["itemId"], {"content": "edited"}, next(times))
        store.edit_text(replies[0]["itemId"], {"content": "edited too"}, next(times))
        for item in (items[2], replies[1]):
            store.delete_text(item["itemId"], next(times))
        for user_id in members[:3]:
            store.set_like(items[0]["itemId"], user_id)
        store.pin(conv_id, root, next(times))

    def _ordinary_conversations(self, number: int) -> None:
        """Invent conversations whose order by change says nothing of their order by activity."""
        changes = list(islice(self._change_times(), number))
        self.corpus.random.shuffle(changes)
        strangers = iter(self.peers)
        for kind, change in zip(cycle(KINDS), changes, strict=False):
            peer = next(strangers, None) if kind == "DIRECT" else None
            conversation = (
                self._direct(peer) if peer else self._crowd("GROUP" if kind == "DIRECT" else kind)
            )
            self._change(conversation, change)
            self._talk(conversation, self.corpus.random.randint(5, 45), self._last_activity())

    def _change_times(self) -> Iterator[int]:
        """Yield times in groups that share a millisecond, one group larger than a page."""
        yield from [START + 25 * DAY] * self.some(TIED_CONVERSATIONS, 3)
        for group in cycle((1, 1, 2, 1, 5, 1, 1, 3)):
            yield from [START + 20 * DAY + self.corpus.random.randrange(20 * DAY)] * group

    def _last_activity(self) -> int:
        quiet = self.corpus.random.random() < 0.2
        first, last = (1, 20) if quiet else (45, 90)
        return START + self.corpus.random.randrange(first * DAY, last * DAY)

    def _began(self) -> int:
        return START + self.corpus.random.randrange(DAY)

    def _direct(self, peer: str) -> Json:
        pair = {peer: "REGULAR", self.store.me: "REGULAR"}
        return self.store.create_conversation("DIRECT", peer, pair, self._began())

    def _crowd(self, kind: str, own: bool = True) -> Json:
        chance = self.corpus.random
        size = 35 if kind == "LARGE" else chance.choice((1, 2, 3, 4, 6, 9, 12))
        others = self._others(size)
        roster = self._roster(others)
        if not own:
            del roster[self.store.me]
        facts = wire(
            # Absent, empty and set are all seen.
            topic=chance.choice((self.corpus.topic(), self.corpus.topic(), "", None)),
            description="Where we meet & talk" if kind == "COMMUNITY" or size == 4 else None,
            avatar="https://avatars.example.org/c_s.png" if size == 6 else None,
            avatarLarge="https://avatars.example.org/c_b.png" if size == 6 else None,
            isModerated=size == 9,
            isGuestAccessDisabled=size == 12,
        )
        if kind == "COMMUNITY":
            facts["topic"] = self.corpus.topic()
        return self.store.create_conversation(kind, others[0], roster, self._began(), **facts)

    def _change(self, conversation: Json, at: int) -> None:
        if self.corpus.random.random() < 0.1:
            return
        conv_id, by = conversation["convId"], conversation["creatorId"]
        if "topic" in conversation and self.corpus.random.random() < 0.5:
            self.store.rename(conv_id, by, self.corpus.topic(), at)
        else:
            self.store.change_conversation(conv_id, by, {"type": "CONFERENCE_DETAILS_CHANGED"}, at)

    # Talk.

    def _talk(self, conversation: Json, number: int, end: int) -> None:
        chance, start = self.corpus.random, conversation["creationTime"]
        times = sorted(chance.randrange(start, max(end, start + 1)) for _ in range(number))
        for index in range(1, number):
            if chance.random() < 0.1:
                times[index] = times[index - 1]
        roots: list[str] = []
        for time in times:
            self._say(conversation, time, roots)

    def _say(self, conversation: Json, time: int, roots: list[str]) -> None:
        store, chance, conv_id = self.store, self.corpus.random, conversation["convId"]
        author = chance.choice(conversation["participants"])
        if chance.random() < 0.05:
            other = store.users[chance.choice(conversation["participants"])]
            calls = kinds.rtc_items(store.users[author], other, conv_id)
            store.add_rtc(conv_id, author, chance.choice(calls), time)
            return
        files = chance.choice(kinds.file_sets()) if chance.random() < 0.05 else ()
        item = store.add_text(conv_id, author, self._text(roots), time, files)
        if "parentId" not in item["text"]:
            roots.append(item["itemId"])
        self._react(item, conversation["participants"])

    def _text(self, roots: list[str]) -> Json:
        chance, said = self.corpus.random, self.corpus.text()
        kind = chance.choice(("RICH", "RICH", "RICH", "PLAIN", None))
        parent = chance.choice(roots) if roots and chance.random() < 0.25 else None
        return wire(
            parentId=parent,
            contentType=kind,
            subject=self.corpus.topic() if parent is None and chance.random() < 0.1 else None,
            content=said if kind == "PLAIN" else kinds.rich(said),
        )

    def _react(self, item: Json, members: list[str]) -> None:
        chance, later = self.corpus.random, item["creationTime"]
        if chance.random() < 0.08:
            self.store.set_like(item["itemId"], chance.choice(members))
        if chance.random() < 0.1:
            later += chance.randrange(DAY // 24)
            change = {"content": item["text"]["content"] + " (changed)"}
            self.store.edit_text(item["itemId"], change, later)
        elif chance.random() < 0.04:
            self.store.delete_text(item["itemId"], later + chance.randrange(DAY // 24))

    # What is not in the caller's list, and what only the caller sees.

    def _elsewhere(self) -> None:
        """Invent communities to explore, and a group the caller must not read."""
        for _ in range(self.some(30, 4)):
            self._talk(self._crowd("COMMUNITY", own=False), 2, START + 30 * DAY)
        self._talk(self._crowd("GROUP", own=False), 3, START + 30 * DAY)

    def _bookmarks(self) -> None:
        mine = [one["convId"] for one in self.store.mine()]
        for conv_id in mine[::6]:
            self.store.set_favorite(conv_id)
        for number, value in enumerate(LABELS):
            self.store.add_label(value)
            for conv_id in mine[: len(mine) * (3 - number) // 4]:
                self.store.assign_label(conv_id, value)
        for conv_id in mine[::7]:
            self.store.set_archived(conv_id)
        for conv_id in mine[::5]:
            for item_id in list(self.store.items[conv_id])[:3]:
                self.store.set_flag(item_id)

    def _webhooks(self) -> None:
        events = ["CONVERSATION.ADD_ITEM", "CONVERSATION.UPDATE_ITEM"]
        presence = {"filter": ["USER.USER_PRESENCE_CHANGE"], "subscriptionIds": self.peers[:2]}
        for kind, rest in (
            ("MANUAL", {"filter": events}), ("EXTENSION", {}), ("MANUAL", presence)
        ):  # fmt: skip
            hook_id = self.corpus.uuid()
            self.store.webhooks[hook_id] = {
                "id": hook_id, "url": f"https://hooks.example.org/{self.corpus.hex(16)}",
                "type": kind, "userId": self.store.me, "creationTime": START, **rest,
            }  # fmt: skip
        for number, status in enumerate(("ENABLED", "DISABLED", "ENABLED")):
            self._incoming_webhook(number, status)

    def _incoming_webhook(self, number: int, status: str) -> None:
        hook_id = self.corpus.uuid()
        self.store.incoming_webhooks[hook_id] = {
            "webhookId": hook_id,
            "name": f"Build {number}",
            "status": status,
            "userId": self.store.me,
            "creatorId": self.store.me,
            "conversationId": self.store.mine()[number]["convId"],
            "tenantId": self.store.tenant,
            "creationTime": START,
            "modificationTime": START,
        }
