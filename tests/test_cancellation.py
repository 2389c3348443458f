"""Cancelled at any moment, nothing is left behind, and what comes after is as it ever was."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from attrs import field, frozen, mutable

from conversations_hub import (
    AmbiguousWriteError,
    Circuit,
    ConfigurationError,
    ConversationsHub,
    Rate,
    Ref,
    Upload,
)
from conversations_hub import transport as transport_module
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS
from interrupting import cancelled_at, rested, tasks

FEW = 3
"""So many moments of each kind of work are tried always; all of them with `-m reliability`."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.001] * 50))


@mutable
class Stage:
    """A hub on an emulated account, and what the work that is cancelled had been given."""

    emulator: Emulator
    name: str
    options: dict
    where: Ref | None = None
    hub: ConversationsHub | None = None
    pager: object = None
    got: list = field(factory=list)
    extra: dict = field(factory=dict)

    @property
    def api(self):
        return self.emulator[self.name]

    @property
    def server(self):
        return self.emulator.servers[self.name]

    def opened(self):
        """Return a new hub."""
        rest = dict(self.options)
        providers = self.emulator.providers(**rest.pop("provider", {}))
        if rest.pop("oauth", False):
            app, url = self.api.oauth, self.emulator.base_url(self.name)
            mine = Circuit(client_id=app.client_id, client_secret=app.client_secret, base_url=url)
            providers = [mine]
        return ConversationsHub(*providers, **rest)

    async def take(self, pager):
        """Take all, one after the other."""
        self.pager = pager
        async for one in pager:
            self.got.append(one.ref.id)


# Work that reads.


async def one(stage):
    stage.got.append(await stage.hub.conversation(stage.where))


async def items(stage):
    await stage.take(stage.hub.messages(stage.where, page_size=5))


async def unhurried(stage):
    await stage.take(stage.hub.messages(stage.where, page_size=5, prefetch=0))


async def ahead(stage):
    await stage.take(stage.hub.messages(stage.where, page_size=5, prefetch=3))


async def in_order(stage):
    await stage.take(stage.hub.messages(stage.where, page_size=5, order="newest"))


async def parallel_messages(stage):
    await stage.take(stage.hub.messages(stage.where, page_size=5, parallel=3))


async def conversations(stage):
    await stage.take(stage.hub.conversations(page_size=5))


async def parallel_conversations(stage):
    await stage.take(stage.hub.conversations(page_size=5, parallel=3))


async def pages(stage):
    stage.pager = stage.hub.messages(stage.where, page_size=5)
    async for page in stage.pager.pages():
        stage.got += [m.ref.id for m in page.items]


async def collected(stage):
    stage.pager = stage.hub.messages(stage.where, page_size=5)
    stage.got += [m.ref.id for m in await stage.pager.collect(limit=None)]


async def collected_in_parallel(stage):
    stage.pager = stage.hub.conversations(page_size=5, parallel=3)
    stage.got += [c.ref.id for c in await stage.pager.collect(limit=None)]


async def fetched(stage):
    refs = [Ref(stage.name, id_) for id_ in stage.api.conversation_ids()][:8]
    async with stage.hub.fetch(refs, concurrency=3) as bulk:
        async for result in bulk:
            assert result.error is None
            stage.got.append(result.key.id)


async def fetched_messages(stage):
    async with stage.hub.fetch_messages(stage.hub.conversations(), concurrency=3) as bulk:
        stage.got += [result.key.id for result in await bulk.collect()]


async def renewed(stage):
    """Its token ends on the way, which a refusal tells."""
    await stage.hub.conversation(stage.where)
    stage.api.oauth.expire_all()
    await stage.hub.conversation(stage.where)


async def gathered(stage):
    await asyncio.gather(*(stage.hub.run(stage.hub.conversation(stage.where)) for _ in range(5)))


async def timed(stage):
    async with asyncio.timeout(30):
        await stage.hub.conversation(stage.where)


async def downloaded(stage):
    stage.got.append(await stage.hub.download(stage.extra["file"]).read())


async def downloaded_bit_by_bit(stage):
    async with stage.hub.download(stage.extra["file"]) as file:
        async for chunk in file:
            stage.got.append(chunk)


async def closed(stage):
    """Close the hub while something of each kind is at work."""
    pager = stage.hub.messages(stage.where, page_size=5, prefetch=3)
    await anext(pager)
    bulk = stage.hub.fetch([stage.where] * 20, concurrency=3)
    await anext(bulk)
    stage.extra["held"] = pager, bulk
    stage.extra["closing"] = True
    await stage.hub.aclose()


# Work that writes.


async def sent(stage):
    await stage.hub.send(stage.where, "hello")


async def sent_once(stage):
    await stage.hub.send(stage.where, "hello", idempotency_key=stage.extra["key"])


async def sent_bytes(stage):
    file = Upload(b"x" * 200_000, name="a.txt", media_type="text/plain")
    await stage.hub.send(stage.where, "hello", attachments=[file])


async def sent_path(stage):
    await stage.hub.send(stage.where, "hello", attachments=[stage.extra["path"]])


async def sent_stream(stage):
    async def chunks():
        for _ in range(4):
            await asyncio.sleep(0)
            yield b"x" * 10_000

    file = Upload(chunks(), name="a.txt", media_type="text/plain")
    await stage.hub.send(stage.where, "hello", attachments=[file])


async def read_back(stage):
    def lost(request, _):
        request.transport.abort()
        return web.Response()

    if "call" not in stage.extra:
        stage.server.alter = lost
        with suppress(AmbiguousWriteError):
            try:
                await stage.hub.send(stage.where, "hello")
            except AmbiguousWriteError as error:
                stage.extra["call"] = error.reconcile
                raise
            finally:
                stage.server.alter = None
    stage.extra["outcome"] = await stage.extra["call"]


@frozen(kw_only=True)
class Scene:
    """Kind of work, at one provider."""

    work: object
    name: str
    options: dict = field(factory=dict)
    writes: bool = False
    refuses: bool = False

    def __str__(self):
        extra = "-".join(["", *self.options.get("provider", {}), *self.options])
        return f"{self.name}-{self.work.__name__}{extra}{'-refused' * self.refuses}"


SCENES = [
    *(Scene(work=work, name=name) for name in PROVIDERS for work in (one, items)),
    Scene(work=unhurried, name="sunshine"),
    Scene(work=ahead, name="circuit"),
    Scene(work=in_order, name="sunshine"),
    Scene(work=pages, name="twilio"),
    Scene(work=collected, name="twilio"),
    Scene(work=collected_in_parallel, name="circuit"),
    Scene(work=conversations, name="clio"),
    Scene(work=parallel_messages, name="clio"),
    Scene(work=parallel_messages, name="circuit"),
    Scene(work=parallel_conversations, name="twilio"),
    Scene(work=items, name="circuit", options={"resolve_names": True}),
    Scene(work=items, name="clio", options={"provider": {"rate": Rate(4, per=0.02)}}),
    Scene(work=gathered, name="circuit", options={"connections": 2}),
    Scene(work=gathered, name="twilio", options={"provider": {"rate": Rate(2, per=0.02)}}),
    Scene(work=one, name="sunshine", refuses=True),
    Scene(work=timed, name="clio"),
    Scene(work=one, name="circuit", options={"oauth": True}),
    Scene(work=renewed, name="circuit", options={"oauth": True}),
    Scene(work=fetched, name="clio"),
    Scene(work=fetched_messages, name="twilio", options={"connections": 2}),
    Scene(work=downloaded, name="circuit"),
    Scene(work=downloaded_bit_by_bit, name="circuit"),
    Scene(work=closed, name="circuit"),
    Scene(work=sent, name="clio", writes=True),
    Scene(work=sent, name="sunshine", writes=True, refuses=True),
    Scene(work=sent, name="twilio", writes=True, options={"provider": {"rate": Rate(1, per=0.02)}}),
    Scene(work=sent_once, name="twilio", writes=True),
    Scene(work=sent_bytes, name="circuit", writes=True),
    Scene(work=sent_path, name="circuit", writes=True),
    Scene(work=sent_stream, name="twilio", writes=True),
    Scene(work=read_back, name="twilio", writes=True),
]
HOWS = ("turn", "wait")


@asynccontextmanager
async def staged(scene, tmp_path):
    async with Emulator(seed=7, scale=0.05, only=[scene.name]) as emulator:
        stage = Stage(emulator, scene.name, scene.options)
        ids = {id_: len(stage.api.message_ids(id_)) for id_ in stage.api.conversation_ids()}
        long = max((id_ for id_ in ids if ids[id_] < 60), key=ids.get)
        stage.where = Ref(scene.name, long)
        if scene.work.__name__.startswith("downloaded"):
            async with stage.opened() as hub:
                file = Upload(b"x" * 300_000, name="a.txt", media_type="text/plain")
                message = await hub.send(stage.where, "file", attachments=[file])
                stage.extra["file"] = message.attachments[0]
        stage.extra["path"] = tmp_path / "a.txt"
        stage.extra["path"].write_bytes(b"x" * 200_000)
        yield stage


async def cancelled(scene, stage, at, how):
    """Do a scene's work on a hub of its own, cancelled at a step; return how many it had."""
    stage.got, stage.pager = [], None
    stage.extra.pop("call", None)
    before, messages = tasks(), stage.api.message_ids(stage.where.id)
    stage.extra["key"] = f"k{len(messages)}"
    if scene.refuses:
        stage.server.intercept = refusing(2)
    broken = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    async with stage.opened() as hub:
        stage.hub = hub
        result, steps = await cancelled_at(scene.work(stage), at, how)
        stage.server.intercept = stage.server.alter = None
        if steps < at or at < 1:
            if isinstance(result, BaseException):
                raise result
        else:
            assert isinstance(result, asyncio.CancelledError), repr(result)
        if scene.work is closed:
            if stage.extra.pop("closing", False):
                assert await rested(hub, before) == {}
                with pytest.raises(ConfigurationError, match="closed"):
                    await hub.conversation(stage.where)
        else:
            if stage.pager is not None:
                await is_resumed(stage)
            assert await rested(hub, before) == {}
            assert (await hub.conversation(stage.where)).ref == stage.where
        if scene.writes:
            await is_told(scene, stage, messages, result, over=steps < at or at < 1)
    assert await rested(hub, before) == {}
    assert broken == []
    return steps


def refusing(times):
    left = iter(range(times))

    def refuse(_):
        if next(left, None) is None:
            return None
        return web.json_response({}, status=429, headers={"Retry-After": "0"})

    return refuse


async def is_resumed(stage):
    """Neither the pager nor its checkpoint has lost a thing, or delivers one again."""
    checkpoint = json.loads(json.dumps(stage.pager.checkpoint()))
    kind = stage.pager._teams[0].listing.question.name
    if kind == "messages":
        truth = stage.api.message_ids(stage.where.id)
    else:
        truth = stage.api.conversation_ids()
    rest = [one.ref.id async for one in stage.pager]
    assert Counter(stage.got + rest) == Counter(truth)
    async with stage.opened() as other:
        again = [one.ref.id async for one in other.resume(checkpoint)]
    assert Counter(stage.got + again) == Counter(truth)


async def is_told(scene, stage, before, result, *, over):
    """It was done once or not at all; what may have been done was said, and how to go on."""
    done = set(stage.api.message_ids(stage.where.id)) - set(before)
    if not over and done and scene.work is not read_back:
        assert "it may have been done" in str(result.__notes__)
    if scene.work is sent_once:
        await sent_once(stage)
        over = True
    if scene.work is read_back and "call" in stage.extra:
        outcome = await stage.extra["call"]
        assert outcome.happened is True
        over = True
    await asyncio.sleep(0)
    new = [id_ for id_ in stage.api.message_ids(stage.where.id) if id_ not in before]
    assert len(new) in ((1,) if over else (0, 1))


@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_cancelled_at_some_moments(scene, tmp_path):
    async with staged(scene, tmp_path) as stage:
        await cancelled(scene, stage, 0, "wait")
        for how in HOWS:
            steps = await cancelled(scene, stage, 0, how)
            for part in range(FEW):
                await cancelled(scene, stage, 1 + steps * part // FEW, how)


@pytest.mark.reliability
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_cancelled_at_every_moment(scene, how, tmp_path):
    async with staged(scene, tmp_path) as stage:
        at = 1
        while await cancelled(scene, stage, at, how) >= at:
            at += 1
    assert at > 1
