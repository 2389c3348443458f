"""Files come bit by bit, from wherever they are, and credentials go nowhere else."""

import asyncio
import gc
import math
import time
import traceback

import pytest
from aiohttp import ClientError, web

from conversations_hub import (
    Attachment,
    Circuit,
    Clio,
    ConfigurationError,
    ConversationsHub,
    Download,
    NotFoundError,
    PermissionDeniedError,
    Rate,
    RateLimitError,
    Ref,
    ServerError,
    TooLargeError,
    TransportError,
    UnsupportedError,
)
from conversations_hub import transport as transport_module
from support import Acme

FILE = b"0123456789" * 30_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 50))


class Store:
    """Serves one file, and whatever else a path says."""

    def __init__(self):
        self.requests = []
        self.faults = []

    async def __call__(self, request):
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)
        kind, _, rest = request.path.strip("/").partition("/")
        if kind == "slow":
            await asyncio.sleep(0.1)
        if kind in {"to", "loop"}:
            place = request.query.get("url", request.path)
            return web.Response(status=302, headers={"Location": place})
        if kind in {"drip", "cut"}:
            return await self.drip(request, end=kind == "drip")
        if kind in {"file", "slow"}:
            return web.Response(body=FILE, content_type="image/png")
        return web.Response(status=404, text=rest)

    async def drip(self, request, *, end=True):
        """Send the file without saying how long it is, or half of it after saying so."""
        headers = {} if end else {"Content-Length": str(len(FILE))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(FILE if end else FILE[:1000])
        if not end:
            await asyncio.sleep(0.05)
            request.transport.close()
        return response

    def asked(self):
        return [(r.host.partition(":")[0], r.headers.get("Authorization")) for r in self.requests]


@pytest.fixture
async def store(serve):
    store = Store()
    store.url = await serve(store)
    store.elsewhere = store.url.replace("127.0.0.1", "localhost")
    return store


@pytest.fixture
async def hub(store):
    async with ConversationsHub(
        Acme(token="canary-token", base_url=f"{store.url}/api"), timeout=1.0
    ) as opened:
        yield opened


PROOF = ("127.0.0.1", "Bearer canary-token")
NONE = ("localhost", None)


async def test_it_comes_bit_by_bit_and_whole(store, hub):
    chunks = [chunk async for chunk in hub.download(Attachment(url=f"{store.url}/file"))]
    assert len(chunks) > 1
    assert b"".join(chunks) == FILE
    assert await hub.download(Attachment(url=f"{store.url}/drip")).read() == FILE


async def test_two_at_a_time_do_not_share_it(store, hub):
    file = hub.download(Attachment(url=f"{store.url}/slow"))
    first = asyncio.create_task(anext(file))
    await asyncio.sleep(0)
    for step in (anext(file), file.read(), file.__aenter__()):
        with pytest.raises(ConfigurationError, match="one reader at a time"):
            await step
    assert await first + await file.read() == FILE
    assert len(store.requests) == 1


async def test_what_the_answer_says_of_it(store, hub):
    async with hub.download(Attachment(url=f"{store.url}/file", media_type="x/y")) as file:
        assert (file.media_type, file.size) == ("image/png", len(FILE))
        assert await file.read() == FILE
    unopened = hub.download(Attachment(url="/file", media_type="x/y", size=3))
    assert (unopened.media_type, unopened.size) == ("x/y", 3)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param("{own}/file", [PROOF], id="own origin"),
        pytest.param("/file", [PROOF], id="relative to the host"),
        pytest.param("{elsewhere}/file", [NONE], id="elsewhere"),
        pytest.param("{own}/to?url={elsewhere}/file", [PROOF, NONE], id="sent elsewhere"),
        pytest.param(
            "{elsewhere}/to?url={own}/file", [NONE, ("127.0.0.1", None)], id="sent back from afar"
        ),
        pytest.param("{own}/to?url=/file", [PROOF, PROOF], id="sent on"),
    ],
)
async def test_credentials_go_to_the_own_origin_alone(store, hub, path, asked):
    url = path.format(own=store.url, elsewhere=store.elsewhere)
    assert await hub.download(Attachment(url=url)).read() == FILE
    assert store.asked() == asked


async def test_a_redirect_back_home_proves_who_asks_where_the_owner_is_known(store, hub):
    url = f"{store.elsewhere}/to?url={store.url}/file"
    assert await hub.download(Attachment(url=url), provider=Ref("acme", "1")).read() == FILE
    assert store.asked() == [NONE, PROOF]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("{own}/gone", NotFoundError),
        ("{elsewhere}/gone", NotFoundError),
        ("{own}/to?url=file:///etc/passwd", TransportError),
        ("{own}/to?url=ftp://127.0.0.1/x", TransportError),
    ],
)
async def test_what_is_not_there(store, hub, url, error):
    url = url.format(own=store.url, elsewhere=store.elsewhere)
    with pytest.raises(error) as caught:
        await hub.download(Attachment(url=url)).read()
    assert caught.value.operation == "download"
    assert "canary" not in str(caught.value)


async def test_redirects_end(store, hub):
    with pytest.raises(Exception, match="HTTP 302"):
        await hub.download(Attachment(url=f"{store.url}/loop")).read()
    assert len(store.requests) == 6


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "http://", "http://[x", "http://x:99999"]
)
async def test_what_is_no_address_is_refused(hub, url):
    with pytest.raises(ConfigurationError, match="not an http"):
        await hub.download(Attachment(url=url)).read()


async def test_a_file_without_an_address(hub):
    with pytest.raises(UnsupportedError, match="has no address"):
        await hub.download(Attachment(id="1")).read()


@pytest.mark.parametrize("path", ["file", "drip"])
async def test_more_than_the_limit_is_not_read(store, hub, path):
    file = hub.download(Attachment(url=f"{store.url}/{path}"), limit=100_000)
    with pytest.raises(TooLargeError, match="100,000 bytes"):
        await file.read()
    with pytest.raises(TooLargeError):
        await anext(file)
    assert await hub.download(Attachment(url="/file"), limit=len(FILE)).read() == FILE


async def test_a_file_that_is_cut_short_is_an_error_and_stays_one(store, hub):
    file = hub.download(Attachment(url=f"{store.url}/cut"))
    for _ in range(2):
        with pytest.raises(TransportError):
            await file.read()


async def test_it_is_asked_for_again_before_it_begins(store, hub):
    store.faults = [web.Response(status=503), web.Response(status=429)]
    assert await hub.download(Attachment(url="/file")).read() == FILE
    assert len(store.requests) == 3


async def test_a_refusal_that_lasts(store, hub):
    store.faults = [web.Response(status=503) for _ in range(9)]
    with pytest.raises(ServerError):
        await hub.download(Attachment(url="/file")).read()


@pytest.mark.parametrize("leave", ["close", "drop", "with"])
async def test_leaving_early_frees_the_connection(store, leave):
    provider = Acme(token="canary-token", base_url=store.url)
    async with ConversationsHub(provider, connections=1) as hub:
        for _ in range(3):
            file = hub.download(Attachment(url="/drip"))
            if leave == "with":
                async with file:
                    await anext(file)
            else:
                await anext(file)
            if leave == "close":
                file.close()
                file.close()
                with pytest.raises(ConfigurationError, match="closed"):
                    await anext(file)
            del file
            gc.collect()


async def test_a_hub_that_closes_takes_its_downloads_along(store):
    hub = ConversationsHub(Acme(token="canary-token", base_url=store.url))
    file = hub.download(Attachment(url="/drip"))
    await anext(file)
    await hub.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await anext(file)


async def test_whose_file_it_is_must_be_clear(store):
    one, two = (Acme(name=n, token=f"canary-{n}", base_url=store.url) for n in ("one", "two"))
    async with ConversationsHub(one, two) as hub:
        with pytest.raises(ConfigurationError, match="'one' or 'two'; say provider="):
            hub.download(Attachment(url=f"{store.url}/file"))
        with pytest.raises(ConfigurationError, match="say provider="):
            hub.download(Attachment(url="/file"))
        file = hub.download(Attachment(url="/file"), provider="two")
        assert isinstance(file, Download)
        assert await file.read() == FILE
        assert await hub.download(Attachment(url=f"{store.elsewhere}/file")).read() == FILE
    assert store.asked() == [("127.0.0.1", "Bearer canary-two"), NONE]


async def test_nothing_is_asked_before_it_is_wanted(store, hub):
    hub.download(Attachment(url="/file"))
    await asyncio.sleep(0.02)
    assert store.requests == []


async def test_one_that_was_closed_before_it_began_is_closed(store, hub):
    file = hub.download(Attachment(url="/file"))
    file.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await file.read()
    assert store.requests == []


async def test_one_that_is_closed_while_it_begins_keeps_no_connection(store):
    """Another task closes it, or the hub, before there is an answer."""
    provider = Acme(token="canary-token", base_url=store.url)
    async with ConversationsHub(provider, connections=1) as hub:
        file = hub.download(Attachment(url="/slow"))
        reading = asyncio.create_task(file.read())
        await asyncio.sleep(0.05)
        file.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await reading
        assert await hub.download(Attachment(url="/file")).read() == FILE


@pytest.mark.parametrize("place", ["http://[x", "http://x:99999/"])
async def test_a_redirect_to_nowhere(store, hub, place):
    store.faults = [web.Response(status=302, headers={"Location": place}) for _ in range(9)]
    with pytest.raises(TransportError, match="redirects to no address") as caught:
        await hub.download(Attachment(url="/file")).read()
    assert caught.value.provider == "acme"
    assert not caught.value.transient
    assert len(store.faults) == 8


@pytest.mark.parametrize(
    "place",
    [
        "canary-token://x",
        "/canary-token/x",
        "http://canary-token.test/x",
        "http://127.0.0.1:1/?t=canary%2Dtoken&u=canary-token",
    ],
)
async def test_a_redirect_with_a_credential_in_it_is_not_followed(store, hub, place):
    """Whoever is shown a credential may not have it carried on, nor into an error."""
    store.faults = [web.Response(status=302, headers={"Location": place}) for _ in range(9)]
    with pytest.raises(TransportError, match="with a credential in it") as caught:
        await hub.download(Attachment(url="/file"), provider="acme").read()
    trace = traceback.TracebackException.from_exception(caught.value)
    assert "canary-token" not in "".join(trace.format())
    assert len(store.faults) == 8


async def test_a_refusal_is_read_however_many_pieces_it_comes_in(serve):
    async def refuse(request):
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        for piece in (b'{"code', b'": "C7"}'):
            await response.write(piece)
            await asyncio.sleep(0.02)
        return response

    async with ConversationsHub(Acme(token="t", base_url=await serve(refuse))) as hub:
        with pytest.raises(PermissionDeniedError) as caught:
            await hub.download(Attachment(url="/file")).read()
    assert caught.value.response.body == b'{"code": "C7"}'


async def test_an_error_of_a_body_carries_nothing_of_aiohttps(store, hub):
    with pytest.raises(TransportError) as caught:
        await hub.download(Attachment(url="/cut")).read()
    assert caught.value.__context__ is None
    assert type(caught.value.__cause__) is ClientError
    assert caught.value.__cause__.__traceback__ is None


async def test_one_proof_is_enough(store, hub):
    """An address may name a user, who is nobody at the provider's own place."""
    url = store.url.replace("://", "://user:canary-word@")
    assert await hub.download(Attachment(url=f"{url}/file")).read() == FILE
    with pytest.raises(NotFoundError) as caught:
        await hub.download(Attachment(url=f"{url}/gone")).read()
    assert store.asked() == [PROOF, PROOF]
    assert "canary-word" not in str(caught.value)


@pytest.mark.parametrize("path", ["/file", "/to?url=/file", "/drip"])
async def test_one_that_is_cancelled_frees_its_connection(store, path):
    """At whichever step, and whoever still holds what was cancelled."""
    provider = Acme(token="canary-token", base_url=store.url)
    async with ConversationsHub(provider, connections=1) as hub:
        for step in range(40):
            reading = asyncio.create_task(hub.download(Attachment(url=path)).read())
            for _ in range(step):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            async with asyncio.timeout(5):
                assert await hub.download(Attachment(url="/file")).read() == FILE


async def test_whoever_waits_for_a_token_or_a_turn_holds_no_connection(serve):
    """Else a download and a read would each wait for what the other has."""
    times = []

    async def handler(request):
        times.append(request.path)
        if request.path == "/oauth/token":
            return web.json_response({"access_token": f"t{len(times)}"})
        if request.path == "/file" and times.count("/file") == 1:
            return web.Response(status=401)
        if request.path == "/file":
            return web.Response(body=b"file")
        return web.json_response({"convId": "1", "type": "DIRECT"})

    url = await serve(handler)
    bot = Circuit(
        client_id="id", client_secret="s", base_url=f"{url}/rest/v2", rate=Rate(1, per=0.3)
    )
    async with ConversationsHub(bot, connections=1, deadline=10.0) as hub, asyncio.timeout(8):
        loading = asyncio.ensure_future(hub.download(Attachment(url=f"{url}/file")).read())
        await asyncio.sleep(0.05)
        reading = asyncio.ensure_future(hub.run(hub.conversation("circuit:1")))
        assert await loading == b"file"
        assert await reading


async def test_a_download_tells_what_may_still_be_asked(serve):
    """Clio counts them, too."""
    asked = []

    async def handler(request):
        asked.append(request)
        end = math.ceil(time.time()) + 60
        told = {"Limit": "50", "Remaining": "0", "Reset": str(end)}
        headers = {f"X-RateLimit-{name}": text for name, text in told.items()}
        return web.Response(body=FILE, headers=headers)

    url = f"{await serve(handler)}/api/v4"
    async with ConversationsHub(Clio(token="t", base_url=url), deadline=5) as hub:
        assert await hub.download(Attachment(url=f"{url}/documents/1")).read() == FILE
        with pytest.raises(RateLimitError, match="used up"):
            await hub.download(Attachment(url=f"{url}/documents/2")).read()
    assert len(asked) == 1
