"""What we promise of every provider, run over PROVIDERS and over a fifth one."""

import json
import sys
from textwrap import dedent

import pytest
from aiohttp import web

from contract import CHECKS
from conversations_hub import ConversationsHub
from conversations_hub.providers import PROVIDERS, load


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_every_provider(name, check):
    check(load(name))


FILES = {
    "__init__.py": "from slate.provider import Slate",
    "payloads.py": """
        from msgspec import Struct


        class Chat(Struct, frozen=True):
            key: str
            about: str | None = None
        """,
    "translate.py": """
        from conversations_hub import Conversation, Message, MessageKind, Participant, Ref


        def conversation(provider, payload, raw):
            return Conversation(ref=Ref(provider, payload.key), title=payload.about, raw=raw)


        def message(where, payload, raw):
            return Message(
                ref=Ref(where.provider, payload.key), conversation=where,
                kind=MessageKind.TEXT, text=payload.about, raw=raw,
            )
        """,
    "provider.py": """
        from functools import partial
        from typing import ClassVar

        from attrs import frozen

        from conversations_hub.paging import CursorPaging
        from conversations_hub.provider import (
            Provider, base_url_field, name_field, operation, secret_field,
        )
        from conversations_hub.reading import Record, Records
        from conversations_hub.recipes import Call, Listing
        from slate import payloads, translate

        PAGES = CursorPaging(param="from", cursor=("next",), more=("more",))


        @frozen(kw_only=True)
        class Slate(Provider):
            env: ClassVar = {"token": ("SLATE_TOKEN",)}
            limits: ClassVar = {"conversations": 2, "messages": 2}

            name: str = name_field("slate")
            token: str = secret_field()
            base_url = base_url_field("https://slate.test/v1")

            def auth_headers(self):
                return {"X-Slate": self.token.reveal()}

            @operation
            def conversations(self, *, page_size=None, **filters):
                size = self.page_size("conversations", page_size)
                return Listing(
                    request=self.get("chats", query={"size": size}),
                    read=Records(
                        payload=payloads.Chat, items="chats", paging=PAGES,
                        translate=partial(translate.conversation, self.name),
                    ),
                )

            @operation
            def messages(self, conversation, *, page_size=None, **filters):
                return Listing(
                    request=self.get("chats", self.id_of(conversation), "lines"),
                    read=Records(
                        payload=payloads.Chat, items="chats", paging=PAGES,
                        translate=partial(translate.message, conversation),
                    ),
                )

            @operation
            def conversation(self, ref):
                return Call(
                    request=self.get("chats", self.id_of(ref)),
                    read=Record(
                        payload=payloads.Chat,
                        translate=partial(translate.conversation, self.name),
                    ),
                )
        """,
}


@pytest.fixture
def fifth(tmp_path, monkeypatch):
    """Add a provider: one folder, one line."""
    (tmp_path / "slate").mkdir()
    for name, text in FILES.items():
        (tmp_path / "slate" / name).write_text(dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PROVIDERS, "slate", "slate:Slate")
    yield load("slate")
    for name in [name for name in sys.modules if name.partition(".")[0] == "slate"]:
        del sys.modules[name]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_a_fifth_provider(fifth, check):
    check(fifth)


async def test_a_fifth_provider_in_a_hub(fifth, serve):
    chats = [{"key": str(n), "about": f"chat {n}"} for n in range(5)]

    async def answer(request):
        at = int(request.query.get("from", 0))
        rest = chats[at : at + 2]
        more = at + 2 < len(chats)
        body = {"chats": rest, "more": more} | ({"next": str(at + 2)} if more else {})
        return web.Response(body=json.dumps(body), content_type="application/json")

    hub = ConversationsHub.from_env({"SLATE_TOKEN": "t"})
    assert list(hub.providers) == ["slate"]
    async with ConversationsHub(fifth(token="t", base_url=await serve(answer))) as hub:
        titles = [c.title async for c in hub.conversations()]
        pager = hub.messages("slate:1")
        first = (await anext(pager)).text
        rest = [m.text async for m in hub.resume(pager.checkpoint())]
    assert titles == [first, *rest] == [f"chat {n}" for n in range(5)]
