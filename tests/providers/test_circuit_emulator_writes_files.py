"""What Circuit's emulator does with files and webhooks, asked over real sockets."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from attrs import evolve

from conversations_hub.emulator.server import Server
from conversations_hub.providers.circuit.emulator import CircuitApi
from support import seeded

NOBODY = "00000000-0000-4000-8000-000000000000"
DATA = bytes(range(256)) * 8
EVENTS = ["CONVERSATION.ADD_ITEM", "CONVERSATION.UPDATE_ITEM"]


class Client:
    """Asks one server as the caller, below the base path and at the root."""

    def __init__(self, server: Server, session: ClientSession) -> None:
        self.server, self.session = server, session
        self.api = cast("CircuitApi", server.api)
        self.store = self.api.store
        self.host = server.base_url.removesuffix("/rest/v2")

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        url = path if path.startswith("http") else self.server.base_url + path
        async with self.session.request(method, url, **options) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None

    async def upload(self, name: str = "a.bin", data: bytes = DATA, place: str = "") -> Any:
        headers = {
            "Content-Type": "image/png",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        url = f"{place or self.server.base_url}/fileapi"
        return await self.ask("POST", url, data=data, headers=headers)

    async def uploaded(self, name: str = "a.bin", data: bytes = DATA) -> str:
        status, [ids] = await self.upload(name, data)
        assert status == 200
        assert ids.keys() == {"fileId", "attachmentId"}
        return ids["attachmentId"]

    async def group(self) -> str:
        form = {"participants": self.api.settings["user_ids"][1]}
        status, made = await self.ask("POST", "/conversations/group", data=form)
        assert status == 200
        return made["convId"]

    async def post(self, conv_id: str, *attachments: str, **form: str) -> tuple[int, Any]:
        data = [*form.items(), *(("attachments", one) for one in attachments)]
        return await self.ask("POST", f"/conversations/{conv_id}/messages", data=data)

    def switch(self, **changes: Any) -> None:
        self.api.switches = evolve(self.api.switches, **changes)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    api = seeded("circuit", scale=0.1)
    server = Server(api)
    await server.start()
    headers = {"Authorization": f"Bearer {api.settings['token']}"}
    async with ClientSession(headers=headers) as session:
        yield Client(server, session)
    await server.stop()


@pytest.mark.parametrize(
    "name",
    ["a.bin", "Verträge & Entwürfe (2); x.pdf", "日本 👍.png", 'a \\"q\\".txt', "a%20b,c.txt"],
)
async def test_a_file_comes_back_as_it_went(client: Client, name: str) -> None:
    attachment_id = await client.uploaded(name)
    conv_id = await client.group()
    status, item = await client.post(conv_id, attachment_id)
    assert status == 200
    assert "content" not in item["text"]
    [file] = item["attachments"]
    assert file == {
        "fileId": file["fileId"],
        "fileName": name.replace('\\"', '"'),
        "mimeType": "image/png",
        "size": len(DATA),
        "itemId": item["itemId"],
        "creatorId": client.store.me,
        "creationTime": item["creationTime"],
        "modificationTime": item["creationTime"],
        "url": f"/fileapi?fileid={file['fileId']}&itemid={item['itemId']}",
        "deleteUrl": f"/fileapi?fileid={file['fileId']}",
    }
    async with client.session.get(client.host + file["url"]) as response:
        assert response.content_type == "image/png"
        assert response.content_disposition.filename == file["fileName"]
        assert await response.read() == DATA
    _, found = await client.ask(
        "GET", "/conversations/search", params={"term": file["fileName"], "scope": "FILES"}
    )
    assert conv_id in [one["convId"] for one in found["matchingConversations"]]


@pytest.mark.parametrize("place", ["base", "root"])
async def test_the_place_of_uploads(client: Client, place: str) -> None:
    client.switch(upload_place=place)
    places = {"base": client.server.base_url, "root": client.host}
    for name, url in places.items():
        status, _ = await client.upload(place=url)
        assert status == (200 if name == place else 404)


async def test_uploads_that_are_refused(client: Client) -> None:
    client.switch(largest_file=10)
    assert (await client.upload(data=b"x" * 10))[0] == 200
    status, body = await client.upload(data=b"x" * 11)
    assert (status, body["errorCode"]) == (413, "413")
    status, body = await client.ask("POST", "/fileapi", data=b"x")
    assert (status, body["validationErrors"]) == (
        400, ["Content-Disposition: a filename is required."],
    )  # fmt: skip


async def test_ten_files_are_the_most(client: Client) -> None:
    ids = [await client.uploaded(f"{number}.txt", b"%d" % number) for number in range(11)]
    conv_id = await client.group()
    status, body = await client.post(conv_id, *ids, content="x")
    assert (status, body["validationErrors"]) == (400, ["No more than 10 attachments."])
    status, item = await client.post(conv_id, ",".join(ids[:10]), content="x")
    assert status == 200
    assert [file["fileName"] for file in item["attachments"]] == [f"{n}.txt" for n in range(10)]


@pytest.mark.parametrize(("reply", "longest"), [(False, 16000), (True, 4096)])
async def test_the_length_of_attachment_ids(client: Client, reply: bool, longest: int) -> None:
    conv_id = await client.group()
    _, item = await client.post(conv_id, content="root")
    path = f"/conversations/{conv_id}/messages" + (f"/{item['itemId']}" if reply else "")
    for length, reason in ((longest, "does not exist"), (longest + 1, f"longer than {longest}")):
        status, body = await client.ask("POST", path, data={"attachments": "x" * length})
        assert status == 400
        assert reason in body["validationErrors"][0]


async def test_files_of_an_edited_message(client: Client) -> None:
    conv_id = await client.group()
    one, two = await client.uploaded("1.txt"), await client.uploaded("2.txt")
    _, item = await client.post(conv_id, one, content="x")
    path = f"/conversations/{conv_id}/messages/{item['itemId']}"
    [first] = item["attachments"]
    _, kept = await client.ask("PUT", path, data={"content": "y"})
    assert kept["attachments"] == [first]
    form = [("attachments", first["fileId"]), ("attachments", two)]
    _, both = await client.ask("PUT", path, data=form)
    assert both["attachments"][0] == first
    assert both["attachments"][1]["fileName"] == "2.txt"
    assert both["attachments"][1]["creationTime"] == both["modificationTime"]
    _, none = await client.ask("PUT", path, data={"attachments": ""})
    assert "attachments" not in none
    assert (await client.ask("GET", client.host + first["url"]))[0] == 404
    client.switch(update_omitted="clear")
    await client.ask("PUT", path, data={"attachments": one})
    _, cleared = await client.ask("PUT", path, data={"content": "z"})
    assert "attachments" not in cleared


async def test_a_deleted_message_loses_its_files(client: Client) -> None:
    conv_id = await client.group()
    _, item = await client.post(conv_id, await client.uploaded())
    await client.ask("DELETE", f"/conversations/{conv_id}/messages/{item['itemId']}")
    [file] = item["attachments"]
    assert (await client.ask("GET", client.host + file["url"]))[0] == 404


async def test_a_seeded_file_has_the_bytes_of_its_seed(client: Client) -> None:
    file = next(
        file
        for conv_id in client.api.conversation_ids()
        for item in client.api.messages_of(conv_id)
        for file in item.get("attachments", [])
        if file["size"] > 10_000
    )
    bodies = []
    for _ in range(2):
        async with client.session.get(client.host + file["url"]) as response:
            bodies.append(await response.read())
    assert len(bodies[0]) == file["size"]
    assert bodies[0] == bodies[1] != bytes(file["size"])


@pytest.mark.parametrize(("downloads", "status"), [("token", 401), ("open", 200)])
async def test_whether_a_file_asks_for_the_token(
    client: Client, downloads: str, status: int
) -> None:
    client.switch(downloads=downloads)
    _, item = await client.post(await client.group(), await client.uploaded())
    url = client.host + item["attachments"][0]["url"]
    async with ClientSession() as session, session.get(url) as response:
        assert response.status == status


async def test_files_on_another_host_take_no_token(client: Client) -> None:
    client.switch(downloads="foreign")
    conv_id = await client.group()
    _, item = await client.post(conv_id, await client.uploaded())
    [file] = item["attachments"]
    assert file["url"].startswith(f"http://localhost:{client.server.base_url.split(':')[2][:5]}")
    _, shown = await client.ask("GET", f"/conversations/messages/{item['itemId']}")
    _, listed = await client.ask("GET", f"/conversations/{conv_id}/items")
    # Items of one millisecond come in any order.
    [found] = [one for one in listed if one["itemId"] == item["itemId"]]
    assert shown == item == found
    assert (await client.ask("GET", file["url"]))[0] == 400
    async with ClientSession() as session:
        async with session.get(file["url"]) as response:
            assert (response.status, await response.read()) == (200, DATA)
        for url, status in (
            (file["url"].replace("localhost", "127.0.0.1"), 404),
            (file["url"] + "0", 403),
            (file["url"].split("?")[0], 403),
        ):
            async with session.get(url) as response:
                assert response.status == status


# Webhooks.


async def test_a_webhook(client: Client) -> None:
    form = [("url", "https://example.org/h?x=1"), *(("filter", one) for one in EVENTS)]
    status, hook = await client.ask("POST", "/webhooks", data=form)
    assert status == 201
    assert hook == {
        "id": hook["id"],
        "url": "https://example.org/h?x=1",
        "type": "MANUAL",
        "userId": client.store.me,
        "creationTime": hook["creationTime"],
        "filter": EVENTS,
    }
    path = f"/webhooks/{hook['id']}"
    assert await client.ask("GET", path) == (200, hook)
    assert hook in (await client.ask("GET", "/webhooks"))[1]
    changed = hook | {"filter": ["CONVERSATION.CREATE"]}
    assert await client.ask("PUT", path, data={"filter": "CONVERSATION.CREATE"}) == (200, changed)
    changed |= {"url": "http://127.0.0.1:9/"}
    assert await client.ask("PUT", path, data={"url": changed["url"]}) == (200, changed)
    assert (await client.ask("PUT", path))[0] == 400
    assert await client.ask("DELETE", path) == (204, None)
    for method in ("GET", "PUT", "DELETE"):
        assert (await client.ask(method, path, data={"url": "https://x.org/"}))[0] == 404
        assert (await client.ask(method, "/webhooks/one", data={"url": "https://x.org/"}))[0] == 400


async def test_a_presence_webhook(client: Client) -> None:
    one, two = client.api.settings["user_ids"][:2]
    form = [("url", "https://example.org/p"), ("userIds", f"{one},{two}")]
    status, hook = await client.ask("POST", "/webhooks/presence", data=form)
    assert status == 201
    assert hook["subscriptionIds"] == [one, two]
    assert hook["filter"] == ["USER.USER_PRESENCE_CHANGE"]
    path = f"/webhooks/presence/{hook['id']}"
    replaced = await client.ask("PUT", path, data={"userIds": two})
    assert replaced == (200, hook | {"subscriptionIds": [two]})
    assert (await client.ask("PUT", path))[0] == 400
    other = next(one for one in client.store.webhooks.values() if "subscriptionIds" not in one)
    path = f"/webhooks/presence/{other['id']}"
    assert (await client.ask("PUT", path, data={"userIds": two}))[0] == 404


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("", {"filter": EVENTS[0]}),
        ("", {"url": "https://example.org/"}),
        ("", {"url": "example.org", "filter": EVENTS[0]}),
        ("", {"url": "ftp://example.org", "filter": EVENTS[0]}),
        ("", {"url": "https://[x", "filter": EVENTS[0]}),
        ("", {"url": "https://example.org/", "filter": "CONVERSATION.NOTHING"}),
        ("/presence", {"url": "https://example.org/"}),
        ("/presence", {"url": "https://example.org/", "userIds": "nobody"}),
        ("/presence", {"url": "https://example.org/", "userIds": NOBODY}),
    ],
)
async def test_webhooks_that_are_refused(client: Client, path: str, form: Any) -> None:
    status, body = await client.ask("POST", f"/webhooks{path}", data=form)
    assert (status, body["errorCode"]) == (400, "400")


async def test_webhooks_have_an_end(client: Client) -> None:
    client.switch(most_webhooks=len(client.store.webhooks) + 1, most_presence_users=1)
    users = ",".join(client.api.settings["user_ids"][:2])
    form = {"url": "https://example.org/", "filter": EVENTS[0], "userIds": users}
    for path in ("/webhooks/presence", "/webhooks"):
        status, body = await client.ask("POST", path, data=form)
        assert status == (403 if path.endswith("presence") else 201)
    status, body = await client.ask("POST", "/webhooks", data=form)
    assert (status, body["errorCode"]) == (403, "403")
    assert await client.ask("DELETE", "/webhooks") == (204, None)
    assert await client.ask("GET", "/webhooks") == (200, [])


async def incoming(client: Client, conv_id: str, **query: str) -> Any:
    path = f"/webhooks/incoming/create/{conv_id}"
    status, hook = await client.ask("POST", path, params=query)
    assert status == 200
    return hook


async def test_an_incoming_webhook(client: Client) -> None:
    conv_id, author = await client.group(), client.api.settings["user_ids"][1]
    query = {"name": "Bygg", "userId": author, "description": "CI"}
    hook = await incoming(client, conv_id, **query)
    assert hook["url"] == f"{client.server.base_url}/webhooks/incoming/{hook['webhookId']}"
    assert hook["creationTime"] == hook["modificationTime"]
    assert {name: hook[name] for name in query} == query
    assert (hook["status"], hook["conversationId"]) == ("ENABLED", conv_id)
    assert await client.ask("GET", f"/webhooks/incoming/user/{author}") == (200, [hook])
    body = {"text": "*Fed* og _kursiv_ <u>x</u>", "subject": "S", "markdown": True}
    async with ClientSession() as session:
        for options in ({"json": body}, {"data": body | {"markdown": "true"}}):
            async with session.post(hook["url"], **options) as response:
                assert (response.status, await response.read()) == (200, b"")
    item = client.api.messages_of(conv_id)[-1]
    assert item["creatorId"] == author
    assert item["text"] == {
        "state": "CREATED",
        "isWebhookMessage": True,
        "contentType": "RICH",
        "subject": "S",
        "content": "<b>Fed</b> og <i>kursiv</i> x",
    }
    assert await client.ask("DELETE", f"/webhooks/incoming/{hook['webhookId']}") == (200, None)
    assert (await client.ask("DELETE", f"/webhooks/incoming/{hook['webhookId']}"))[0] == 404
    assert (await client.ask("POST", hook["url"], json=body))[0] == 400


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"text": "*a* _b_ 2 * 3"}, "*a* _b_ 2 * 3"),
        ({"text": "se", "fileURL": "https://x.org/?a=1&b", "filename": "a<b"},
         'se<br><a href="https://x.org/?a=1&amp;b">a&lt;b</a>'),
        ({"fileURL": "https://x.org/"}, '<a href="https://x.org/">https://x.org/</a>'),
        ({}, None),
        ({"text": "x" * 16385}, None),
        ({"text": "x", "subject": "s" * 256}, None),
        ({"text": "x", "markdown": "maybe"}, None),
    ],
)  # fmt: skip
async def test_what_is_posted(client: Client, body: Any, content: str | None) -> None:
    conv_id = await client.group()
    hook = await incoming(client, conv_id)
    status, _ = await client.ask("POST", hook["url"], json=body)
    assert status == (400 if content is None else 200)
    newest = client.api.messages_of(conv_id)[-1]
    assert newest.get("text", {}).get("content") == content


async def test_incoming_webhooks_that_are_refused(client: Client) -> None:
    conv_id = await client.group()
    for place, user_id in ((NOBODY, ""), (conv_id, NOBODY)):
        path = f"/webhooks/incoming/create/{place}"
        assert (await client.ask("POST", path, params={"userId": user_id}))[0] == 400
    disabled = next(
        hook for hook in client.store.incoming_webhooks.values() if hook["status"] == "DISABLED"
    )
    path = f"/webhooks/incoming/{disabled['webhookId']}"
    assert (await client.ask("POST", path, data={"text": "x"}))[0] == 400
    author = client.api.settings["user_ids"][1]
    hook = await incoming(client, conv_id, userId=author)
    client.store.remove_participants(conv_id, client.store.me, [author])
    assert (await client.ask("POST", hook["url"], data={"text": "x"}))[0] == 400
