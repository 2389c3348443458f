from typing import ClassVar

import pytest
from attrs import evolve, frozen
from msgspec import Struct

from conversations_hub import (
    Author,
    ConversationsHub,
    Message,
    NotFoundError,
    Participant,
    PermissionDeniedError,
    Ref,
    Role,
    ServerError,
)
from conversations_hub.people import Directory, named, nameless
from conversations_hub.provider import name_field
from conversations_hub.reading import Record
from conversations_hub.recipes import Call
from support import Acme, FakeTransport, page

ANA, BO = Ref("acme", "ana"), Ref("acme", "bo")
WHERE = Ref("acme", "t")


def message(ref, author, **more):
    return Message(ref=Ref("acme", ref), conversation=WHERE, author=author, **more)


class Names(Struct, frozen=True):
    names: dict[str, str]


@frozen(kw_only=True)
class Nameless(Acme):
    """Acme whose notes name their writers by id alone."""

    batch: ClassVar[int] = 2
    name: str = name_field("acme")

    def messages(self, conversation, **filters):
        listing = Acme.messages(self, conversation)
        translate = lambda p, raw: message(p.id, Author(ref=Ref("acme", p.name)))  # noqa: E731
        return evolve(listing, read=evolve(listing.read, translate=translate))

    def people(self, conversation, refs):
        for at in range(0, len(refs), self.batch):
            ids = [ref.id for ref in refs[at : at + self.batch]]
            yield Call(
                request=self.get("people", query={"cursor": ",".join(ids)}),
                read=Record(payload=Names, translate=self._found),
            )

    def _found(self, payload, raw):
        return {
            Ref("acme", id_): Author(ref=Ref("acme", id_), name=name, role=Role.STAFF)
            for id_, name in payload.names.items()
        }


NOTES = {
    None: page([{"id": str(i), "name": w} for i, w in enumerate(["ana", "bo", "ana", "cy"])], "2",
               key="notes"),
    "2": page([{"id": "9", "name": "bo"}, {"id": "8", "name": "di"}], key="notes"),
    "ana,bo": b'{"names": {"ana": "Ana Prieto", "bo": "Bo Lind"}}',
    "cy": b'{"names": {}}',
    "di": b'{"names": {"di": "Di"}}',
}  # fmt: skip


def hub_on(answers, **options):
    hub = ConversationsHub(Nameless(token="t"), **options)
    hub._fetcher.transport = FakeTransport(answers)
    return hub


async def test_names_are_looked_up_in_batches_and_remembered():
    hub = hub_on(NOTES, resolve_names=True)
    first = [m.author.name async for m in hub.messages(WHERE, prefetch=0)]
    assert first == ["Ana Prieto", "Bo Lind", "Ana Prieto", None, "Bo Lind", "Di"]
    asked = hub._fetcher.transport.asked
    assert asked == [None, "ana,bo", "cy", "2", "di"]
    again = [m.author.role async for m in hub.messages(WHERE)]
    assert again[0] is Role.STAFF
    assert asked == [None, "ana,bo", "cy", "2", "di", None, "2"]


async def test_nobody_is_looked_up_without_being_asked_to():
    hub = hub_on(NOTES)
    assert {m.author.name async for m in hub.messages(WHERE)} == {None}
    assert hub._fetcher.transport.asked == [None, "2"]


async def test_nobody_found_is_no_error_but_a_failure_is(caplog):
    hub = hub_on(NOTES | {"ana,bo": NotFoundError("none")}, resolve_names=True)
    assert (await anext(hub.messages(WHERE))).author.name is None
    assert caplog.text == ""
    hub = hub_on(NOTES | {"ana,bo": PermissionDeniedError("may not look")}, resolve_names=True)
    assert (await anext(hub.messages(WHERE))).author.name is None
    assert "no names" in caplog.text
    hub = hub_on(NOTES | {"ana,bo": b""}, resolve_names=True)
    assert (await anext(hub.messages(WHERE))).author.name is None
    hub = hub_on(NOTES | {"cy": [ServerError("down"), NOTES["cy"]]}, resolve_names=True)
    pager = hub.messages(WHERE)
    with pytest.raises(ServerError):
        await anext(pager)
    assert (await anext(pager)).author.name == "Ana Prieto"


def test_what_is_known_is_forgotten_in_time():
    directory = Directory(ttl=0.0)
    directory.learn([ANA], {ANA: Author(ref=ANA, name="Ana")})
    assert directory.unknown([ANA, BO, ANA]) == [ANA, BO]
    directory = Directory()
    directory.learn([ANA, BO], {ANA: Author(ref=ANA, name="Ana")})
    assert directory.unknown([ANA, BO]) == []
    assert directory.get(BO) is None


def test_participants_get_the_person_behind_an_untyped_ref():
    person = Ref("acme", "user/7")
    directory = Directory()
    directory.learn([ANA], {ANA: Author(ref=person, name="Ana", role=Role.STAFF)})
    nobody = Participant(ref=Ref("acme", "p"), conversation=WHERE, user=ANA)
    assert nameless([nobody]) == [ANA]
    got = named(nobody, directory)
    assert (got.user, got.name, got.role) == (person, "Ana", Role.STAFF)
    known = Participant(ref=Ref("acme", "p"), conversation=WHERE, user=ANA, name="A.")
    assert named(known, directory) is known
    assert nameless([known, message("1", None), "text"]) == []


def test_recipients_get_names_too_and_roles_are_not_overwritten():
    directory = Directory()
    directory.learn([ANA], {ANA: Author(ref=ANA, name="Ana", role=Role.STAFF)})
    before = message("1", None, recipients=(Author(ref=ANA, role=Role.BOT), Author(ref=BO)))
    got = named(before, directory).recipients
    assert got == (Author(ref=ANA, name="Ana", role=Role.BOT), Author(ref=BO))


def test_memory_of_people_is_bounded(monkeypatch):
    monkeypatch.setattr("conversations_hub.people.MOST", 10)
    directory = Directory(ttl=0.0)
    for number in range(50):
        directory.learn([Ref("acme", str(number))], {})
    assert len(directory._known) <= 11
