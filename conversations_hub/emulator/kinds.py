"""The kinds of faults that may befall a request: each is one function, and its first line says it.

A fault may let the API act first, and spoil the answer; one that does not fit a request gives none.
"""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, Literal

from aiohttp import web
from attrs import frozen

from conversations_hub.emulator.server import Exchange, json_response

READING = frozenset({"GET", "HEAD"})

PAGE = "<!DOCTYPE html>\n<html><body><h1>We will be back soon</h1></body></html>\n"
MOVED = (301, 302, 303, 307, 308)
BLOCK = 65_536
TICK = 0.02
"""Seconds between two looks whether the client is still there."""


@frozen(kw_only=True)
class Means:
    """How long, how large and how far off faults are."""

    retry_after: int = 1
    """Seconds that a 429 asks to wait."""
    hang: float = 60.0
    """Seconds after which a line is cut on which nothing, or next to nothing, came."""
    skew: timedelta = timedelta(days=3)
    """How far the clock of an answer is off, ahead or behind."""
    elsewhere: str = "http://elsewhere.invalid"
    """Where redirects lead to."""
    size: int = 80 * 1024**2
    """Bytes of what is too large."""


Answer = web.StreamResponse | None
Strike = Callable[[Exchange, Means, Random], Awaitable[Answer]]
Methods = Literal["all", "reads", "writes"]


@frozen(kw_only=True)
class Kind:
    """One kind of fault."""

    name: str
    says: str
    acts: bool
    """Whether the API has done what it was told when the fault strikes."""
    strike: Strike
    methods: Methods = "all"
    is_large: bool = False
    """It sends more than most tests want to wait for, so that it is only used by name."""

    def fits(self, method: str) -> bool:
        """Tell whether requests of a method can meet it."""
        return self.methods in ("all", "reads" if method in READING else "writes")


FAULTS: dict[str, Kind] = {}
"""All kinds, by name."""


def fault(
    name: str, *, acts: bool, methods: Methods = "all", is_large: bool = False
) -> Callable[[Strike], Strike]:
    """Add a kind of fault, which is described by the first line of its docstring."""

    def add(strike: Strike) -> Strike:
        FAULTS[name] = Kind(
            name=name,
            says=(inspect.getdoc(strike) or "").partition("\n")[0],
            acts=acts,
            strike=strike,
            methods=methods,
            is_large=is_large,
        )
        return strike

    return add


# What the API, or whoever stands before it, says itself.


def _failing(status: int, *, acts: bool) -> Strike:
    async def strike(exchange: Exchange, _means: Means, _random: Random) -> Answer:
        if acts:
            await exchange.act()
        return exchange.api.failure(status)

    when = "after the API acted" if acts else "before the API acts"
    strike.__doc__ = f"Fail with {status} in the provider's words, {when}."
    return strike


for code in (500, 502, 503, 504):
    fault(f"{code}", acts=False)(_failing(code, acts=False))
    fault(f"{code} after", acts=True)(_failing(code, acts=True))


@fault("429", acts=False)
async def too_many(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Refuse with 429 and say nothing of when to come back."""
    answer = exchange.api.failure(429)
    answer.headers.popall("Retry-After", None)
    return answer


@fault("429 seconds", acts=False)
async def too_many_for_seconds(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Refuse with 429 and say in seconds when to come back."""
    answer = exchange.api.failure(429)
    answer.headers["Retry-After"] = str(means.retry_after)
    return answer


@fault("429 date", acts=False)
async def too_many_until(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Refuse with 429 and say as a date when to come back."""
    answer = exchange.api.failure(429)
    until = datetime.now(UTC) + timedelta(seconds=means.retry_after)
    answer.headers["Retry-After"] = format_datetime(until, usegmt=True)
    return answer


# What becomes of the connection.


def _cut(exchange: Exchange) -> web.Response:
    if exchange.request.transport is not None:
        exchange.request.transport.abort()
    return web.Response()


@fault("reset", acts=False)
async def reset(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Cut the connection before the API acts."""
    return _cut(exchange)


@fault("reset after", acts=True)
async def reset_after(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Cut the connection after the API acted."""
    await exchange.act()
    return _cut(exchange)


@fault("half a head", acts=True)
async def half_a_head(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Cut the connection within the headers of the answer."""
    answer = await exchange.act()
    if (transport := exchange.request.transport) is not None:
        transport.write(f"HTTP/1.1 {answer.status} OK\r\nContent-Ty".encode())
        transport.close()
    return web.Response()


@fault("half a body", acts=True)
async def half_a_body(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Cut the connection within the body of the answer."""
    body = _body(await exchange.act()) or b"{}"
    answer = await _begun(exchange, {"Content-Length": str(len(body))})
    await _write(answer, body[: len(body) // 2])
    if exchange.request.transport is not None:
        exchange.request.transport.close()
    return answer


async def _until_left(exchange: Exchange, means: Means) -> None:
    """Wait until the client gives up, or the time is over."""
    clock = asyncio.get_running_loop().time
    end = clock() + means.hang
    while not _has_left(exchange) and clock() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(TICK)


def _has_left(exchange: Exchange) -> bool:
    return exchange.request.transport is None or exchange.request.transport.is_closing()


@fault("hang", acts=False)
async def hang(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Answer nothing, and do nothing."""
    await _until_left(exchange, means)
    return _cut(exchange)


@fault("hang after", acts=True)
async def hang_after(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Answer nothing, though the API acted."""
    await exchange.act()
    await _until_left(exchange, means)
    return _cut(exchange)


@fault("drip", acts=True)
async def drip(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Send the body byte by byte, and never the last one."""
    body = _body(await exchange.act()) or b"{}"
    answer = await _begun(exchange, {"Content-Length": str(len(body))})
    clock = asyncio.get_running_loop().time
    end, left = clock() + means.hang, iter(body[:-1])
    while not _has_left(exchange) and clock() < end:
        if (byte := next(left, None)) is not None:
            await _write(answer, bytes((byte,)))
        await asyncio.sleep(TICK)
    _cut(exchange)
    return answer


# What the answer is written in.


def _body(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else None
    return body if isinstance(body, bytes) else b""


def _json(answer: web.StreamResponse, empty: bytes = b"") -> bytes | None:
    """Return the JSON that an answer is, or what stands for an empty one; None of a file."""
    if not (body := _body(answer)):
        return empty
    try:
        json.loads(body)
    except ValueError:  # whoever uploads a file may call it JSON
        return None
    return body if answer.content_type == "application/json" else None


async def _begun(exchange: Exchange, headers: dict[str, str]) -> web.StreamResponse:
    given = exchange.answer
    status = given.status if given is not None and given.status != 204 else 200
    kind = {"Content-Type": "application/json; charset=utf-8"}
    answer = web.StreamResponse(status=status, headers=kind | headers)
    await answer.prepare(exchange.request)
    return answer


async def _write(answer: web.StreamResponse, data: bytes) -> bool:
    """Send some bytes; say whether there was anybody to send them to."""
    try:
        await answer.write(data)
    except ConnectionError:
        return False
    return True


async def _instead(exchange: Exchange, body: bytes, kind: str) -> web.Response:
    """Give the API's answer another body, or another name for it."""
    given = await exchange.act()
    kept = {
        name: value
        for name, value in given.headers.items()
        if name not in ("Content-Type", "Content-Length", "Content-Encoding")
    }
    status = 200 if given.status == 204 else given.status
    return web.Response(body=body, status=status, headers={**kept, "Content-Type": kind})


@fault("bad JSON", acts=True)
async def bad_json(exchange: Exchange, _means: Means, random: Random) -> Answer:
    """Send a complete answer whose JSON breaks off."""
    body = _json(await exchange.act(), b"{}")
    if body is None or len(body) < 2:
        return None
    cut = body[: random.randrange(1, len(body))]
    return await _instead(exchange, cut, "application/json; charset=utf-8")


@fault("HTML", acts=False)
async def html(_exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Answer 200 with a proxy's HTML page, before the API acts."""
    return web.Response(text=PAGE, content_type="text/html")


@fault("wrong type", acts=True)
async def wrong_type(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Send the JSON with the content type of a text."""
    body = _json(await exchange.act())
    return None if body is None else await _instead(exchange, body, "text/plain; charset=utf-8")


@fault("wrong charset", acts=True)
async def wrong_charset(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Send UTF-8 and declare ISO 8859-1."""
    body = _json(await exchange.act())
    kind = "application/json; charset=iso-8859-1"
    return None if body is None else await _instead(exchange, body, kind)


@fault("wrong encoding", acts=True)
async def wrong_encoding(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Send UTF-16 and declare UTF-8."""
    body = _json(await exchange.act(), b'{"\xc3\xa9":1}')
    if body is None:
        return None
    moved = body.decode().encode("utf-16")
    return await _instead(exchange, moved, "application/json; charset=utf-8")


@fault("gzip bomb", acts=True, is_large=True)
async def gzip_bomb(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Send a small body that unpacks to a huge one, with the right JSON at its end."""
    body = b" " * means.size + _body(await exchange.act())
    packed = await asyncio.to_thread(gzip.compress, body, 1)
    answer = await _instead(exchange, packed, "application/json; charset=utf-8")
    answer.headers["Content-Encoding"] = "gzip"
    return answer


@fault("endless", acts=True, is_large=True)
async def endless(exchange: Exchange, means: Means, _random: Random) -> Answer:
    """Send a body of blanks that goes on for as long as somebody reads it."""
    await exchange.act()
    answer = await _begun(exchange, {})
    answer.enable_chunked_encoding()
    for _ in range(0, means.size, BLOCK):
        if not await _write(answer, b" " * BLOCK):
            break
    _cut(exchange)
    return answer


# Where it leads, and when it was.


@fault("redirect", acts=False)
async def redirect(exchange: Exchange, means: Means, random: Random) -> Answer:
    """Redirect the client to another host."""
    place = f"{means.elsewhere}{exchange.request.raw_path}"
    return web.Response(status=random.choice(MOVED), headers={"Location": place})


@fault("redirect to itself", acts=False)
async def redirect_to_itself(exchange: Exchange, _means: Means, random: Random) -> Answer:
    """Redirect the client to the address it asked."""
    place = exchange.request.raw_path
    return web.Response(status=random.choice(MOVED), headers={"Location": place})


@fault("clock", acts=True)
async def clock_skew(exchange: Exchange, means: Means, random: Random) -> Answer:
    """Answer with the date of a clock that is far ahead, or behind."""
    answer = await exchange.act()
    moment = datetime.now(UTC) + means.skew * random.choice((-1, 1))
    answer.headers["Date"] = format_datetime(moment, usegmt=True)
    return answer


# What a page of a list holds, and what it leads to.


async def _page(exchange: Exchange) -> Any:
    """Return what an answer says; None where that is no JSON, or no answer to a question."""
    answer = await exchange.act()
    body = _json(answer)
    return json.loads(body) if answer.status == 200 and body else None


async def _said(exchange: Exchange, page: Any) -> Answer:
    body = _body(json_response(page))
    return await _instead(exchange, body, "application/json; charset=utf-8")


@fault("twice", acts=True, methods="reads")
async def twice(exchange: Exchange, _means: Means, random: Random) -> Answer:
    """Put one of a page's records on it twice."""
    page = await _page(exchange)
    rows = exchange.api.rows(page)
    if not rows:
        return None
    first = random.randrange(len(rows))
    rows.insert(random.randint(first + 1, len(rows)), rows[first])
    return await _said(exchange, page)


@fault("vanished", acts=True, methods="reads")
async def vanished(exchange: Exchange, _means: Means, random: Random) -> Answer:
    """Delete one of a list's records just before a page is read."""
    return await exchange.act() if exchange.api.vanish(exchange.request, random) else None


@fault("expired", acts=False, methods="reads")
async def expired(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Refuse a cursor as expired."""
    return exchange.api.expired(exchange.request)


@fault("repeated", acts=True, methods="reads")
async def repeated(exchange: Exchange, _means: Means, _random: Random) -> Answer:
    """Let a page lead to itself."""
    page = exchange.api.repeated(exchange.request, await _page(exchange))
    return None if page is None else await _said(exchange, page)
