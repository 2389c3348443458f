"""What Circuit's emulator does to conversations and messages, asked over real sockets."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from attrs import evolve
from yarl import URL

from conversations_hub.emulator.corpus import HARD_TEXTS
from conversations_hub.emulator.server import Server
from conversations_hub.providers.circuit.emulator import CircuitApi, kinds
from support import seeded

NOBODY = "00000000-0000-4000-8000-000000000000"
INVALID = "the request contains invalid data"


class Client:
    """Asks one server as the caller."""

    def __init__(self, server: Server, session: ClientSession) -> None:
        self.server, self.session = server, session
        self.api = cast("CircuitApi", server.api)
        self.store = self.api.store
        self.me = self.store.me

    async def ask(self, method: str, path: str, query: Any = None, **form: Any) -> tuple[int, Any]:
        url = self.server.base_url + path
        data = pairs(form) or None
        async with self.session.request(method, url, params=query, data=data) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None

    async def done(self, method: str, path: str, query: Any = None, **form: Any) -> Any:
        status, body = await self.ask(method, path, query, **form)
        assert status == 200, body
        return body

    async def refused(self, method: str, path: str, query: Any = None, **form: Any) -> str:
        status, body = await self.ask(method, path, query, **form)
        assert (status, body["errorCode"], body["errorDescription"]) == (400, "400", INVALID), body
        [reason] = body["validationErrors"]
        return reason

    async def get(self, path: str, **query: Any) -> Any:
        return await self.done("GET", path, pairs(query))

    def switch(self, **changes: Any) -> None:
        self.api.switches = evolve(self.api.switches, **changes)

    async def group(self, *others: str) -> str:
        made = await self.done("POST", "/conversations/group", participants=others or self.peer(1))
        return made["convId"]

    def peer(self, number: int) -> str:
        return self.api.settings["user_ids"][number]

    async def system(self, conv_id: str) -> list[Any]:
        items = await self.get(f"/conversations/{conv_id}/items", results=100)
        return [item["system"] for item in items if item["type"] == "SYSTEM"]


def pairs(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, str(one))
        for name, value in fields.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    api = seeded("circuit", scale=0.1)
    server = Server(api)
    await server.start()
    headers = {"Authorization": f"Bearer {api.settings['token']}"}
    async with ClientSession(headers=headers) as session:
        yield Client(server, session)
    await server.stop()


def only(api: CircuitApi, kind: str, own: bool = True) -> str:
    """Return a conversation of a kind, and of one's own one that is not moderated."""
    return next(
        conv_id
        for conv_id, one in api.store.conversations.items()
        if one["type"] == kind
        and api.store.takes_part(conv_id) is own
        and not (own and one["isModerated"])
    )


# Starting conversations.


async def test_a_group(client: Client) -> None:
    before = time.time_ns() // 10**6
    email = client.store.users[client.peer(2)]["emailAddress"]
    fields = {"participants": [client.peer(1), email, client.me], "topic": "Søndag & <b>"}
    made = await client.done("POST", "/conversations/group", **fields)
    stamp = made.pop("creationTime")
    assert made == {
        "type": "GROUP",
        "convId": made["convId"],
        "participants": [client.me, client.peer(1), client.peer(2)],
        "topic": "Søndag & <b>",
        "creatorId": client.me,
        "creatorTenantId": client.store.tenant,
        "modificationTime": stamp,
        "isModerated": False,
        "isGuestAccessDisabled": False,
    }
    assert before <= stamp <= time.time_ns() // 10**6
    conv_id = made["convId"]
    shown = await client.get(f"/conversations/{conv_id}")
    assert shown == made | {"creationTime": stamp}
    assert shown in await client.get("/conversations", results=1)
    assert shown in await client.get("/conversations/byIds", convIds=conv_id)
    assert await client.system(conv_id) == [
        {"type": "CONVERSATION_CREATED", "newTopic": "Søndag & <b>"}
    ]
    roster = await client.get(f"/conversations/{conv_id}/participants", pageSize=25)
    assert len(roster["participantList"]) == 3


async def test_a_group_without_a_topic_is_called_by_its_members(client: Client) -> None:
    made = await client.done("POST", "/conversations/group", participants=client.peer(1), topic="")
    assert "topic" not in made
    assert client.store.users[client.peer(1)]["firstName"] in made["topicPlaceholder"]


LISTS = [
    pytest.param(lambda a, b: {"data": [("participants", a), ("participants", b)]}, id="repeats"),
    pytest.param(lambda a, b: {"data": {"participants": f"{a},{b}"}}, id="commas"),
    pytest.param(lambda a, b: {"data": {"participants": json.dumps([a, b])}}, id="JSON in a form"),
    pytest.param(lambda a, b: {"json": {"participants": [a, b], "topic": None}}, id="JSON"),
    pytest.param(
        lambda a, b: {
            "data": json.dumps({"participants": [a, b]}),
            "headers": {"Content-Type": "text/plain"},
        },
        id="untyped JSON",
    ),
    pytest.param(
        lambda a, b: {
            "data": f"participants={a}&participants={b}".encode(),
            "headers": {"Content-Type": "application/octet-stream"},
        },
        id="untyped form",
    ),
]


@pytest.mark.parametrize("sent", LISTS)
async def test_bodies_are_read_in_every_form(client: Client, sent: Any) -> None:
    others = client.peer(1), client.peer(2)
    url = client.server.base_url + "/conversations/group"
    async with client.session.post(url, **sent(*others)) as response:
        assert response.status == 200
        assert (await response.json())["participants"] == [client.me, *others]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b'{"participants": {"a": 1}}'),
        ("application/json", b'{"topic": "\\ud800", "participants": ["x"]}'),
        ("application/x-www-form-urlencoded", b"topic=%ff"),
        ("application/x-www-form-urlencoded", b"participants=%5Bx"),
        ("text/plain", b"\xff"),
    ],
)
async def test_bodies_that_cannot_be_read(client: Client, kind: str, data: bytes) -> None:
    url = client.server.base_url + "/conversations/group"
    async with client.session.post(url, data=data, headers={"Content-Type": kind}) as response:
        assert response.status == 400
        assert (await response.json())["validationErrors"]


async def test_a_direct_conversation_is_there_once(client: Client) -> None:
    peer = client.peer(-1)
    made = await client.done("POST", "/conversations/direct", participant=peer)
    assert (made["type"], made["participants"]) == ("DIRECT", [client.me, peer])
    assert not made.keys() & {"topic", "topicPlaceholder"}
    email = client.store.users[peer]["emailAddress"]
    assert await client.ask("POST", "/conversations/direct", participant=email) == (409, made)
    assert await client.get("/conversations/direct", participant=peer) == made
    assert client.api.conversation_ids()[0] == made["convId"]


async def test_a_community(client: Client) -> None:
    made = await client.done(
        "POST", "/conversations/community", topic="Öffentlich", description="Für alle"
    )
    assert (made["type"], made["description"]) == ("COMMUNITY", "Für alle")
    assert made["participants"] == [client.me]
    more = {"topic": "T", "participants": [client.peer(1)]}
    assert len((await client.done("POST", "/conversations/community", **more))["participants"]) == 2
    found = await client.get("/conversations/community", includeOwn="true", results=100)
    assert made in found


REFUSED_STARTS = [
    ("direct", {}),
    ("direct", {"participant": "nobody"}),
    ("direct", {"participant": NOBODY}),
    ("group", {}),
    ("group", {"participants": ""}),
    ("group", {"participants": "nobody"}),
    ("group", {"participants": "x@example.org", "topic": "t" * 2049}),
    ("community", {}),
    ("community", {"topic": ""}),
    ("community", {"topic": "x", "description": "d" * 2049}),
    ("community", {"topic": "x", "participants": NOBODY}),
]


@pytest.mark.parametrize(("kind", "form"), REFUSED_STARTS)
async def test_refused_starts(client: Client, kind: str, form: Any) -> None:
    count = len(client.store.conversations)
    await client.refused("POST", f"/conversations/{kind}", **form)
    assert len(client.store.conversations) == count


async def test_with_whom_no_conversation_starts(client: Client) -> None:
    start = "POST", "/conversations/direct"
    assert "same who initiates" in await client.refused(*start, participant=client.me)
    start = "POST", "/conversations/group"
    assert "At least one" in await client.refused(*start, participants=client.me)
    [stranger] = client.store.unresolvable
    reason = await client.refused(*start, participants=[client.peer(1), stranger])
    assert reason == "One or more user do not exist."


# Changing conversations.


@pytest.mark.parametrize("kind", ["group", "community"])
async def test_renaming(client: Client, kind: str) -> None:
    conv_id = only(client.api, kind.upper())
    before = dict(client.store.conversations[conv_id])
    path = f"/conversations/{kind}/{conv_id}"
    shown = await client.done("PUT", path, topic="Ny & <i>")
    assert shown["topic"] == "Ny & <i>"
    assert shown["modificationTime"] > before["modificationTime"]
    assert await client.get(f"/conversations/{conv_id}") == shown
    renamed = (await client.system(conv_id))[-1]
    assert renamed == {"type": "CONVERSATION_RENAMED", "newTopic": "Ny & <i>"} | (
        {"oldTopic": before["topic"]} if "topic" in before else {}
    )
    assert (await client.done("PUT", path)) == shown
    blank = await client.done("PUT", path, topic="")
    assert "topic" not in blank
    assert blank["topicPlaceholder"]
    assert (await client.system(conv_id))[-1]["oldTopic"] == "Ny & <i>"


async def test_describing_a_community(client: Client) -> None:
    conv_id = only(client.api, "COMMUNITY")
    path, before = f"/conversations/community/{conv_id}", dict(client.store.conversations[conv_id])
    shown = await client.done("PUT", path, description="Neu")
    assert (shown["description"], shown["topic"]) == ("Neu", before["topic"])
    assert shown["modificationTime"] > before["modificationTime"]
    assert "description" not in await client.done("PUT", path, description="")


@pytest.mark.parametrize(
    ("kind", "path"), [("COMMUNITY", "group"), ("DIRECT", "group"), ("GROUP", "community")]
)
async def test_paths_are_split_by_kind(client: Client, kind: str, path: str) -> None:
    place = f"/conversations/{path}/{only(client.api, kind)}"
    members = f"{place}/participants"
    assert "not of type" in await client.refused("PUT", place, topic="x")
    assert "not of type" in await client.refused("POST", members, participants=client.peer(1))
    query = {"participants": client.me}
    assert "not of type" in await client.refused("DELETE", members, query)


async def test_the_path_of_large_conversations(client: Client) -> None:
    path = f"/conversations/group/{only(client.api, 'LARGE')}"
    assert (await client.done("PUT", path, topic="x"))["topic"] == "x"
    client.switch(large_is_group=False)
    assert "not of type GROUP" in await client.refused("PUT", path, topic="y")


# Who takes part.


@pytest.mark.parametrize("kind", ["group", "community"])
async def test_members_come_and_go(client: Client, kind: str) -> None:
    made = await client.done(
        "POST", f"/conversations/{kind}", participants=client.peer(1), topic="T"
    )
    conv_id, path = made["convId"], f"/conversations/{kind}/{made['convId']}/participants"
    client.store.rosters[conv_id][client.peer(1)] = "MODERATOR"
    added = await client.done("POST", path, participants=[client.peer(1), client.peer(2)])
    assert added["participants"] == [client.me, client.peer(1), client.peer(2)]
    assert client.store.rosters[conv_id][client.peer(1)] == "MODERATOR"
    assert added["modificationTime"] > made["modificationTime"]
    assert await client.done("POST", path, participants=client.peer(2)) == added
    email = client.store.users[client.peer(2)]["emailAddress"]
    gone = [("participants", email), ("participants", client.peer(1))]
    left = await client.done("DELETE", path, gone)
    assert left["participants"] == [client.me]
    assert (await client.system(conv_id))[1:] == [
        {"type": "PARTICIPANT_ADDED", "affectedParticipants": [client.peer(2)]},
        {"type": "PARTICIPANT_REMOVED", "affectedParticipants": [client.peer(2), client.peer(1)]},
    ]
    query = {"pageSize": 25, "type": "FORMER"}
    former = await client.get(f"/conversations/{conv_id}/participants", **query)
    assert len(former["participantList"]) == 2
    assert "last participant" in await client.refused("DELETE", path, {"participants": client.me})


async def test_leaving_hides_everything(client: Client) -> None:
    conv_id = await client.group()
    place = f"/conversations/{conv_id}"
    item = await client.done("POST", f"{place}/messages", content="x")
    await client.done("POST", f"{place}/favorite")
    await client.done("POST", f"{place}/messages/{item['itemId']}/flag")
    path = f"/conversations/group/{conv_id}/participants"
    shown = await client.done("DELETE", path, {"participants": client.me})
    assert client.me not in shown["participants"]
    assert conv_id not in client.api.conversation_ids()
    assert conv_id not in await client.get("/conversations/favorite")
    flagged = await client.get("/conversations/messages/flag")
    assert item["itemId"] not in [one["itemId"] for one in flagged]
    assert "no participant" in await client.refused("POST", f"{place}/messages", content="x")
    assert "no participant" in await client.refused("POST", path, participants=client.me)


async def test_joining_a_community(client: Client) -> None:
    conv_id = only(client.api, "COMMUNITY", own=False)
    path = f"/conversations/community/{conv_id}"
    assert "no participant" in await client.refused("PUT", path, topic="x")
    members = f"{path}/participants"
    assert "no participant" in await client.refused("POST", members, participants=client.me)
    joined = await client.done("POST", f"{path}/join")
    assert client.me in joined["participants"]
    assert conv_id == client.api.conversation_ids()[0]
    assert (await client.system(conv_id))[-1]["affectedParticipants"] == [client.me]
    assert "already" in await client.refused("POST", f"{path}/join")
    group = only(client.api, "GROUP", own=False)
    await client.refused("POST", f"/conversations/community/{group}/join")
    await client.refused("POST", f"/conversations/community/{NOBODY}/join")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("", "required"),
        (NOBODY, "do not exist"),
        ("nobody", "data format"),
        ("a" * 6501, "longer than 6500"),
    ],
)
async def test_members_must_exist(client: Client, names: str, reason: str) -> None:
    path = f"/conversations/group/{await client.group()}/participants"
    assert reason in await client.refused("POST", path, participants=names)
    if len(names) < 6500:
        assert reason in await client.refused("DELETE", path, {"participants": names})


# Moderation.


async def test_only_moderators_change_members(client: Client) -> None:
    conv_id = await client.group(client.peer(1), client.peer(2))
    members = f"/conversations/group/{conv_id}/participants"
    rights = f"/conversations/{conv_id}/moderators"
    assert await client.done("POST", f"/conversations/moderate/{conv_id}") is None
    assert (await client.get(f"/conversations/{conv_id}"))["isModerated"] is True
    assert client.store.rosters[conv_id][client.me] == "MODERATOR"
    await client.done("POST", members, participants=client.peer(3))
    assert await client.done("POST", rights, moderators=[client.peer(1), client.peer(2)]) is None
    query = {"pageSize": 25, "type": "MODERATOR"}
    found = await client.get(f"/conversations/{conv_id}/participants", **query)
    assert len(found["participantList"]) == 3
    assert await client.done("DELETE", rights, moderators=[client.me, client.peer(2)]) is None
    assert [one["type"] for one in await client.system(conv_id)] == [
        "CONVERSATION_CREATED", "CONVERSATION_MODERATED", "PARTICIPANT_ADDED",
        "MODERATOR_RIGHTS_GRANTED", "MODERATOR_RIGHTS_DROPPED",
    ]  # fmt: skip
    assert "moderated" in await client.refused("POST", members, participants=client.peer(4))
    assert "moderated" in await client.refused("DELETE", members, {"participants": client.peer(3)})
    assert "moderated" in await client.refused("POST", rights, moderators=client.peer(3))
    assert "moderated" in await client.refused("DELETE", rights, moderators=client.peer(1))
    left = await client.done("DELETE", members, {"participants": client.me})
    assert client.me not in left["participants"]


async def test_the_end_of_moderation(client: Client) -> None:
    conv_id = await client.group()
    for path in ("moderate", "moderate", "unmoderate", "unmoderate"):
        assert await client.done("POST", f"/conversations/{path}/{conv_id}") is None
    assert (await client.get(f"/conversations/{conv_id}"))["isModerated"] is False
    assert client.store.rosters[conv_id][client.me] == "REGULAR"
    assert len(await client.system(conv_id)) == 3


@pytest.mark.parametrize("status", [403, 401])
@pytest.mark.parametrize("verb", ["moderate", "unmoderate"])
async def test_who_may_not_moderate(client: Client, verb: str, status: int) -> None:
    client.switch(moderation_denied=str(status))
    conv_id = await client.group()
    client.store.conversations[conv_id]["isModerated"] = True
    for place in (conv_id, only(client.api, "DIRECT"), NOBODY):
        found, body = await client.ask("POST", f"/conversations/{verb}/{place}")
        assert (found, body["errorCode"]) == (status, str(status))


async def test_moderators_must_take_part(client: Client) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/moderators"
    assert "list" in await client.refused("POST", path, moderators=client.peer(5))
    assert "list" in await client.refused("DELETE", path, moderators=client.peer(1))
    await client.refused("POST", path)
    direct = f"/conversations/{only(client.api, 'DIRECT')}/moderators"
    assert "direct" in await client.refused("POST", direct, moderators=client.me)


# Messages.


async def test_a_message(client: Client) -> None:
    conv_id = await client.group()
    changed = (await client.get(f"/conversations/{conv_id}"))["modificationTime"]
    before = time.time_ns() // 10**6
    fields = {"content": "Hej <b>du</b>", "subject": "Om & <b>", "formMetaData": '{"ü": [1]}'}
    item = await client.done("POST", f"/conversations/{conv_id}/messages", **fields)
    stamp = item["creationTime"]
    assert item == {
        "type": "TEXT",
        "itemId": item["itemId"],
        "convId": conv_id,
        "creatorId": client.me,
        "creationTime": stamp,
        "modificationTime": stamp,
        "includeInUnreadCount": True,
        "text": {
            "state": "CREATED",
            "isWebhookMessage": False,
            "contentType": "RICH",
            **fields,
        },
    }
    assert before <= stamp <= time.time_ns() // 10**6
    assert await client.get(f"/conversations/messages/{item['itemId']}") == item
    assert item in await client.get(f"/conversations/{conv_id}/items", results=2)
    assert item in client.api.messages_of(conv_id)
    found = await client.get("/conversations/search", term="Om & <b>", includeItemIds="true")
    assert {"convId": conv_id, "itemIds": [item["itemId"]]} in found["matchingConversations"]
    assert (await client.get(f"/conversations/{conv_id}"))["modificationTime"] == changed


async def test_times_never_go_back(client: Client) -> None:
    conv_id = await client.group()
    client.store.clock.now = ahead = time.time_ns() // 10**6 + 10**6
    path = f"/conversations/{conv_id}/messages"
    item = await client.done("POST", path, content="x")
    assert item["creationTime"] == ahead
    edited = await client.done("PUT", f"{path}/{item['itemId']}", content="y")
    assert edited["modificationTime"] == ahead + 1
    newest = await client.get(f"/conversations/{conv_id}/items", results=1)
    assert newest == [edited]


ESCAPED = [kinds.rich(text) for text in HARD_TEXTS]


@pytest.mark.parametrize("content", [*ESCAPED, *map(kinds.with_entities, ESCAPED), *HARD_TEXTS[:2]])
async def test_text_survives(client: Client, content: str) -> None:
    path = f"/conversations/{only(client.api, 'GROUP')}/messages"
    subject = content[:255]
    item = await client.done("POST", path, content=content, subject=subject)
    assert (item["text"]["content"], item["text"]["subject"]) == (content, subject)
    url = client.server.base_url + path
    async with client.session.post(url, json={"content": content}) as response:
        item_id = (await response.json())["itemId"]
    shown = await client.get(f"/conversations/messages/{item_id}")
    assert shown["text"]["content"] == content


MARKUP = [
    "<b>b</b><i>i</i><br>x<br/>y<br />z<hr/><hr>",
    "<ul><li>1</li></ul><ol><li>2</li></ol><B>caps</B>",
    "<a href=\"https://example.org/?a=1&amp;b=2\">x</a> <a href='mailto:a@b.c'>y</a>",
    '<span class="rich-text-highlight">hi</span>',
    f'<span class="mention" abbr="{NOBODY}">@Ana &amp; Co</span>',
    '<img class="emoticon-icon smile" abbr=":)">',
    '<img abbr="<3" class="emoticon-icon"/>',
    "a < b & c > d, 1<2, <3, &amp;lt; &#128526; &nbsp;",
    "||::$$privateData={&quot;a&quot;:1}::||rest",
    "unfinished <b",
    "</i> stray",
]


@pytest.mark.parametrize("content", MARKUP)
async def test_allowed_markup_survives(client: Client, content: str) -> None:
    path = f"/conversations/{only(client.api, 'GROUP')}/messages"
    item = await client.done("POST", path, content=content)
    assert item["text"]["content"] == content


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("<p>one</p><div>two</div>", "onetwo"),
        ("<b style='x' onclick=\"y>z\">b</b>", "<b>b</b>"),
        ("<br clear=all>", "<br>"),
        ('<a href="https://x.org" target="_blank">x</a>', '<a href="https://x.org">x</a>'),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ("<a>x</a>", "x"),
        ('<span class="other">a<span class="mention" abbr="u">b</span>c</span>',
         'a<span class="mention" abbr="u">b</span>c'),
        ('<span class="mention" abbr="u" style="x">b</span>',
         '<span class="mention" abbr="u">b</span>'),
        ('<img src="x.png">', ""),
        ('<img src="x.png" class="emoticon-icon" abbr=":)"/>',
         '<img class="emoticon-icon" abbr=":)"/>'),
        ("a<script>alert('<b>')</script>b<style>c</style>d<script>e", "abd"),
        ("a<!-- b -->c<!doctype html>d<?php e ?>f", "acdf"),
        ("Ann <ann@example.org> wrote", "Ann  wrote"),
        ("<em>x</em></span>", "x"),
    ],
)  # fmt: skip
async def test_other_markup_is_stripped(client: Client, content: str, left: str) -> None:
    path = f"/conversations/{only(client.api, 'GROUP')}/messages"
    item = await client.done("POST", path, content=content)
    assert item["text"]["content"] == left
    edited = await client.done("PUT", f"{path}/{item['itemId']}", content=f"{content}.")
    assert edited["text"]["content"] in (f"{left}.", left)


LIMITS = [
    ({"content": "c" * 16384, "subject": "s" * 255, "formMetaData": "f" * 32768}, None),
    ({"content": "c" * 16385}, "longer than 16384"),
    ({"content": "c", "subject": "s" * 256}, "longer than 255"),
    ({"content": "c", "formMetaData": "f" * 32769}, "longer than 32768"),
    ({}, "content is required"),
    ({"content": ""}, "content is required"),
    ({"subject": "only"}, "content is required"),
    ({"content": "c", "attachments": NOBODY}, "attachment does not exist"),
]


@pytest.mark.parametrize("reply", [False, True])
@pytest.mark.parametrize(("form", "reason"), LIMITS)
async def test_limits_of_messages(
    client: Client, form: Any, reason: str | None, reply: bool
) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/messages"
    root = await client.done("POST", path, content="root")
    path = f"{path}/{root['itemId']}" if reply else path
    if reason is None:
        await client.done("POST", path, **form)
    else:
        assert reason in await client.refused("POST", path, **form)
        assert len(client.api.messages_of(conv_id)) == 2


async def test_a_reply(client: Client) -> None:
    path = f"/conversations/{await client.group()}/messages"
    root = await client.done("POST", path, content="root")
    reply = await client.done("POST", f"{path}/{root['itemId']}", content="ok")
    assert reply["text"]["parentId"] == root["itemId"]
    assert (await client.get(f"/conversations/messages/{root['itemId']}")) == root
    client.switch(reply_moves_root=True)
    reply = await client.done("POST", f"{path}/{root['itemId']}", content="ok")
    moved = await client.get(f"/conversations/messages/{root['itemId']}")
    assert moved["modificationTime"] == reply["creationTime"]


@pytest.mark.parametrize("switch", ["root", "given", "400"])
async def test_a_reply_to_a_reply(client: Client, switch: str) -> None:
    client.switch(reply_to_reply=switch)
    path = f"/conversations/{await client.group()}/messages"
    root = (await client.done("POST", path, content="root"))["itemId"]
    first = (await client.done("POST", f"{path}/{root}", content="1"))["itemId"]
    if switch == "400":
        assert "reply" in await client.refused("POST", f"{path}/{first}", content="2")
        return
    second = await client.done("POST", f"{path}/{first}", content="2")
    assert second["text"]["parentId"] == {"root": root, "given": first}[switch]


async def test_editing_keeps_or_clears_what_is_not_sent(client: Client) -> None:
    path = f"/conversations/{await client.group()}/messages"
    fields = {"content": "a", "subject": "s", "formMetaData": "{}"}
    item = await client.done("POST", path, **fields)
    place = f"{path}/{item['itemId']}"
    kept = await client.done("PUT", place, formMetaData='{"a": 1}')
    text = item["text"] | {"state": "EDITED", "formMetaData": '{"a": 1}'}
    assert kept["text"] == text
    assert kept["modificationTime"] > kept["creationTime"] == item["creationTime"]
    assert (await client.done("PUT", place, subject=""))["text"].keys() == text.keys() - {"subject"}
    client.switch(update_omitted="clear")
    cleared = (await client.done("PUT", place, subject="new"))["text"]
    assert cleared.keys() == {"state", "isWebhookMessage", "contentType", "subject"}
    assert (await client.get(f"/conversations/messages/{item['itemId']}"))["text"] == cleared
    assert "required" in await client.refused("PUT", place, content="")
    assert "longer" in await client.refused("PUT", place, content="c" * 16385)


async def test_an_edit_makes_plain_text_rich(client: Client) -> None:
    conv_id = await client.group()
    text = {"contentType": "PLAIN", "content": "a < b"}
    item = client.store.add_text(conv_id, client.me, text)
    path = f"/conversations/{conv_id}/messages/{item['itemId']}"
    assert (await client.done("PUT", path, subject="s"))["text"]["contentType"] == "PLAIN"
    assert (await client.done("PUT", path, content="x"))["text"]["contentType"] == "RICH"


async def test_deleting_leaves_a_tombstone(client: Client) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/messages"
    root = await client.done("POST", path, content="root", subject="s")
    reply = await client.done("POST", f"{path}/{root['itemId']}", content="1")
    gone = await client.done("DELETE", f"{path}/{reply['itemId']}")
    assert gone["text"] == {"state": "DELETED", "parentId": root["itemId"]}
    assert gone["modificationTime"] > gone["creationTime"]
    assert (await client.done("DELETE", f"{path}/{root['itemId']}"))["text"] == {"state": "DELETED"}
    assert gone in await client.get(f"/conversations/{conv_id}/items")
    for method in ("PUT", "DELETE"):
        assert "deleted" in await client.refused(method, f"{path}/{reply['itemId']}")
    assert "deleted" in await client.refused("POST", f"{path}/{reply['itemId']}/like")


async def test_only_the_creator_changes_a_message(client: Client) -> None:
    conv_id = await client.group()
    item = client.store.add_text(conv_id, client.peer(1), {"content": "x"})
    path = f"/conversations/{conv_id}/messages/{item['itemId']}"
    for method in ("PUT", "DELETE"):
        assert "not the creator" in await client.refused(method, path, content="y")
    assert item["text"]["content"] == "x"


async def test_items_belong_to_their_conversation(client: Client) -> None:
    conv_id = await client.group()
    elsewhere = await client.done(
        "POST", f"/conversations/{await client.group()}/messages", content="x"
    )
    for item_id in (elsewhere["itemId"], NOBODY):
        path = f"/conversations/{conv_id}/messages/{item_id}"
        for method in ("POST", "PUT", "DELETE"):
            assert "does not exist" in await client.refused(method, path, content="y")
        for mark in (f"{path}/like", f"{path}/flag", f"/conversations/{conv_id}/pins/{item_id}"):
            for method in ("POST", "DELETE"):
                assert "does not exist" in await client.refused(method, mark)


async def test_only_texts_are_written_to(client: Client) -> None:
    conv_id = await client.group()
    [system] = client.api.messages_of(conv_id)
    path = f"/conversations/{conv_id}/messages/{system['itemId']}"
    for method, place in (
        ("POST", path),
        ("PUT", path),
        ("DELETE", path),
        ("POST", f"{path}/like"),
    ):
        assert "text item" in await client.refused(method, place, content="y")


# Marks.


@pytest.mark.parametrize("moves", [False, True])
async def test_likes(client: Client, moves: bool) -> None:
    client.switch(like_moves_item=moves)
    conv_id = await client.group()
    item = client.store.add_text(conv_id, client.peer(1), {"content": "x"})
    before = item["modificationTime"]
    path = f"/conversations/{conv_id}/messages/{item['itemId']}/like"
    for _ in range(2):
        assert await client.done("POST", path) is None
    shown = await client.get(f"/conversations/messages/{item['itemId']}")
    assert shown["text"]["likedUserIds"] == [client.me]
    assert (shown["modificationTime"] > before) is moves
    for _ in range(2):
        assert await client.done("DELETE", path) is None
    shown = await client.get(f"/conversations/messages/{item['itemId']}")
    assert "likedUserIds" not in shown["text"]


async def test_flags(client: Client) -> None:
    conv_id = await client.group()
    item = await client.done("POST", f"/conversations/{conv_id}/messages", content="x")
    path = f"/conversations/{conv_id}/messages/{item['itemId']}/flag"
    fields = {"itemCreationTime": item["creationTime"], "parentId": item["itemId"]}
    assert await client.done("POST", path, **fields) is None
    assert await client.get(f"/conversations/{conv_id}/messages/flag") == [item]
    assert item in await client.get("/conversations/messages/flag")
    for _ in range(2):
        assert await client.done("DELETE", path) is None
    assert await client.get(f"/conversations/{conv_id}/messages/flag") == []
    assert "longer" in await client.refused("POST", path, parentId="x" * 2049)


async def test_pins(client: Client) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/messages"
    root = await client.done("POST", path, content="root")
    reply = await client.done("POST", f"{path}/{root['itemId']}", content="1")
    pin = f"/conversations/{conv_id}/pins/{root['itemId']}"
    shown = await client.done("POST", pin)
    assert shown == await client.get(f"/conversations/{conv_id}")
    [pinned] = await client.get(f"/conversations/{conv_id}/pins")
    assert pinned.pop("pinnedTime") >= root["creationTime"]
    assert pinned == {"conversationId": conv_id, "conversationItemId": root["itemId"]}
    await client.done("POST", pin)
    assert len(await client.get(f"/conversations/{conv_id}/pins")) == 1
    replies = f"/conversations/{conv_id}/pins/{reply['itemId']}"
    assert "topics" in await client.refused("POST", replies)
    assert await client.done("DELETE", pin) == shown
    assert await client.get(f"/conversations/{conv_id}/pins") == []
    assert "not pinned" in await client.refused("DELETE", pin)


@pytest.mark.parametrize("mark", ["favorite", "archive"])
async def test_favorites_and_archived(client: Client, mark: str) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/{mark}"
    assert "not" in await client.refused("DELETE", path)
    for _ in range(2):
        assert await client.done("POST", path) is None
    kept = client.store.archived if mark == "archive" else client.store.favorites
    assert conv_id in kept
    assert (conv_id in await client.get("/conversations/favorite")) is (mark == "favorite")
    assert await client.done("DELETE", path) is None
    assert conv_id not in kept
    assert "not exist" in await client.refused("POST", f"/conversations/{NOBODY}/{mark}")


async def test_labels_of_conversations(client: Client) -> None:
    conv_id = await client.group()
    path = f"/conversations/{conv_id}/label"
    label = await client.done("POST", path, label="ny / 50% & mere")
    assert label == {"labelId": label["labelId"], "value": "ny / 50% & mere"}
    assert label in await client.get("/users/labels")
    page = await client.get(f"/conversations/label/{label['labelId']}")
    assert [one["convId"] for one in page["conversationList"]] == [conv_id]
    assert await client.done("POST", path, label="ny / 50% & mere") == label
    assert await client.done("DELETE", f"{path}/{label['labelId']}") == label
    assert "not assigned" in await client.refused("DELETE", f"{path}/{label['labelId']}")
    assert label in await client.get("/users/labels")
    await client.refused("POST", path)
    await client.refused("POST", path, label="x" * 2049)


@pytest.mark.parametrize("by", ["labelId", "value"])
async def test_labels_of_the_caller(client: Client, by: str) -> None:
    label = await client.done("POST", "/users/labels", label="æ / 50%2F & , mere")
    assert await client.done("POST", "/users/labels", label=label["value"]) == label
    client.switch(duplicate_label="400")
    assert "exists" in await client.refused("POST", "/users/labels", label=label["value"])
    conv_id = await client.group()
    await client.done("POST", f"/conversations/{conv_id}/label", label=label["value"])
    path = f"/users/labels/{quote(label[by], safe='')}"
    url = client.server.base_url + path
    async with client.session.delete(URL(url, encoded=True)) as response:
        assert (response.status, await response.json()) == (200, label)
    assert label not in await client.get("/users/labels")
    await client.refused("GET", f"/conversations/label/{label['labelId']}")
    await client.refused("DELETE", f"/users/labels/{label['labelId']}")


async def test_there_are_250_labels(client: Client) -> None:
    for number in range(250 - len(client.store.labels)):
        client.store.add_label(str(number))
    place = f"/conversations/{await client.group()}/label"
    for path in ("/users/labels", place):
        assert "250" in await client.refused("POST", path, label="one too many")
    await client.done("POST", place, label="7")


# The caller's own records.


async def test_the_profile(client: Client) -> None:
    before = await client.get("/users/profile")
    fields = {
        "firstname": "Åse",
        "lastname": "Nĳs",
        "jobTitle": "Chef & <b>",
        "locale": "ZH_HANS_CN",
    }
    shown = await client.done("PUT", "/users/profile", **fields)
    assert shown == before | {
        "firstName": "Åse", "lastName": "Nĳs", "displayName": "Åse Nĳs", "jobTitle": "Chef & <b>",
        "locale": "zh-Hans-CN",
    }  # fmt: skip
    assert await client.get(f"/users/{client.me}") == shown
    assert await client.done("PUT", "/users/profile") == shown
    assert "jobTitle" not in await client.done("PUT", "/users/profile", jobTitle="")
    for bad in ({"firstname": "x" * 129}, {"locale": "en-US"}, {"locale": "XX"}):
        await client.refused("PUT", "/users/profile", **bad)


async def test_the_presence(client: Client) -> None:
    until = {"state": "DND", "dndUntil": "2030-01-01T00:00:00.005Z", "statusMessage": "Møde"}
    shown = await client.done("PUT", "/users/presence", **until)
    assert (shown["state"], shown["dndUntil"]) == ("DND", 1893456000005)
    assert await client.get(f"/users/{client.me}/presence") == shown
    free = await client.done("PUT", "/users/presence", state="AVAILABLE", clearDND="true")
    assert "dndUntil" not in free
    assert free["statusMessage"] == "Møde"
    gone = await client.done("PUT", "/users/presence", state="AWAY", statusMessage="")
    assert "statusMessage" not in gone
    for bad in ({}, {"state": "HERE"}, {"state": "DND"}, until | {"dndUntil": "1893456000005"}):
        await client.refused("PUT", "/users/presence", **bad)


# Everything that is written.

WRITES = [
    ("POST", "/conversations/direct"),
    ("POST", "/conversations/group"),
    ("POST", "/conversations/community"),
    *((method, f"/conversations/{kind}/c{path}")
      for kind in ("group", "community")
      for method, path in (("PUT", ""), ("POST", "/participants"), ("DELETE", "/participants"))),
    ("POST", "/conversations/community/c/join"),
    ("POST", "/conversations/moderate/c"),
    ("POST", "/conversations/unmoderate/c"),
    ("POST", "/conversations/c/messages"),
    ("PUT", "/conversations/c/messages/i"),
    *((method, f"/conversations/c/{path}")
      for method in ("POST", "DELETE")
      for path in ("favorite", "archive", "moderators", "messages/i", "messages/i/like",
                   "messages/i/flag", "pins/i")),
    ("POST", "/conversations/c/label"),
    ("DELETE", "/conversations/c/label/l"),
    ("POST", "/users/labels"),
    ("DELETE", "/users/labels/l"),
    ("PUT", "/users/profile"),
    ("PUT", "/users/presence"),
    ("POST", "/webhooks"),
    ("POST", "/webhooks/presence"),
    ("POST", "/webhooks/incoming/create/c"),
    ("DELETE", "/webhooks/incoming/w"),
    ("DELETE", "/webhooks"),
    ("PUT", "/webhooks/w"),
    ("PUT", "/webhooks/presence/w"),
    ("DELETE", "/webhooks/w"),
    ("POST", "/fileapi"),
]  # fmt: skip


async def test_only_the_token_writes(client: Client) -> None:
    async with ClientSession(headers={"Authorization": "Bearer x"}) as session:
        for method, path in WRITES:
            for base in (client.server.base_url, client.server.base_url.removesuffix("/v2")):
                async with session.request(method, base + path) as response:
                    assert response.status == 401, path
                    assert (await response.json())["errorDescription"] == "Invalid Token Error"


async def test_participants_may_be_truncated_in_answers(client: Client) -> None:
    client.switch(truncate_participants=True)
    others = client.api.settings["user_ids"][1:12]
    made = await client.done("POST", "/conversations/group", participants=others)
    assert len(made["participants"]) == 8
    assert len(client.store.conversations[made["convId"]]["participants"]) == 12
