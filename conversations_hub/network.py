"""The only code that touches the network: one session, and one request at a time over it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from ssl import SSLContext
from typing import Any
from weakref import WeakSet

import aiohttp
from attrs import field, mutable

from conversations_hub.arguments import check_number, check_time
from conversations_hub.errors import (
    UNDER_WAY,
    ConfigurationError,
    TooLargeError,
    TransportError,
)
from conversations_hub.oauth import OAuthProvider, TokenRequest
from conversations_hub.sending import Sending
from conversations_hub.watching import Watch
from conversations_hub.wire import Request, Response, purged

# What goes wrong on the way, and of that what does before a request is written.
BROKEN = (aiohttp.ClientError, TimeoutError, OSError)
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
CONNECTING = 10.0
NO_FILES: AbstractContextManager[None] = nullcontext()
ERROR_SIZE = 65_536
# aiohttp's errors quote addresses with their passwords and queries.
UNTOLD = re.compile(r"(?<=://)[^\s/?#]*@|[?#]\S+")
# Those about garbled answers quote them: a header, a line of what may be people's words.
QUOTED = re.compile(r"[:\s]{0,9}(?<!message=)(\bb)?['\"].*", re.DOTALL)


@mutable(kw_only=True)
class Network:
    """Sends a request once; made without an event loop, opened by its first request.

    Times are in seconds: `timeout` bounds an exchange, or with a file each wait for more of it;
    whoever asks waits until a `deadline` in all.
    """

    session: aiohttp.ClientSession | None = None
    """The caller's own session, which is never closed here."""
    timeout: float = 30.0
    deadline: float = 120.0
    answer_limit: int = 64 * 1024**2
    """In bytes; files that are downloaded have none here."""
    proxy: str | None = field(default=None, repr=False)
    ssl: SSLContext | bool = True
    user_agent: str = "conversations-hub"
    watch: Watch = field(factory=Watch, repr=False)
    _own: aiohttp.ClientSession | None = field(default=None, init=False)
    _limits: aiohttp.ClientTimeout = field(init=False, repr=False)
    _unlimited: aiohttp.ClientTimeout = field(init=False, repr=False)
    _streams: WeakSet[Any] = field(factory=WeakSet, init=False, repr=False)
    """What can be read once, and was."""
    _closed: bool = field(default=False, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_time(timeout=self.timeout, deadline=self.deadline)
        check_number(1, answer_limit=self.answer_limit)
        agent = self.user_agent
        if not (isinstance(agent, str) and agent.isascii() and agent.isprintable()):
            raise ConfigurationError(f"user_agent cannot stand in a header: {agent!r}")
        # Less than the others: who is not connected in time has surely sent nothing.
        connecting = min(CONNECTING, self.timeout / 2, self.deadline / 2)
        # Finding out where a name leads counts, but not a queue in a session of the caller's.
        finding = connecting if self.session is None else None
        self._limits = aiohttp.ClientTimeout(
            total=self.timeout, connect=finding, sock_connect=connecting
        )
        # Reading a file takes as long as it takes, while bytes come; sending one, the deadline.
        self._unlimited = aiohttp.ClientTimeout(
            total=None, connect=finding, sock_connect=connecting, sock_read=self.timeout
        )

    def opened(self) -> aiohttp.ClientSession:
        """Return the session; `ConfigurationError` where this one can send nothing any more."""
        if self._closed:
            raise ConfigurationError("this hub is closed; open a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError("this hub belongs to another event loop; open one in each")
        if self.session is not None:
            if self.session.closed:
                raise ConfigurationError("the session that this hub was given is closed")
            return self.session
        if self._own is None:
            self._own = aiohttp.ClientSession(
                # A queue in here would eat into the time of an attempt; whoever asks queues before.
                connector=_Connector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._own

    def stop(self) -> None:
        """Begin no request any more."""
        self._closed = True

    async def aclose(self) -> None:
        """Close the session that was opened here; a second time does nothing."""
        self.stop()
        own, self._own = self._own, None
        if own is not None:
            _let_go_of(own, is_over=True)
            await own.close()

    async def exchange(
        self, sending: Sending, proof: Mapping[str, str], *, is_counted: bool = False
    ) -> Response:
        """Send one request and read its answer, whatever that says."""
        request, provider = sending.request, sending.provider
        with ExitStack() if request.file else NO_FILES as files:
            # What is sent is among the variables of no frame that an error goes through.
            exchanging = self._response(
                sending,
                proof,
                await self._body(request, files) if files else request.body,
                is_counted=is_counted,
            )
            sending.begin()
            try:
                with self.watch.request(provider, request, sending.operation, sending.attempt):
                    response: Response | Exception = await exchanging
            except asyncio.CancelledError as error:
                _let_go_of(self._own)
                if sending.is_write:
                    error.add_note(UNDER_WAY)
                # Among the variables of the frames below are credentials, and what is sent.
                raise error.with_traceback(None)  # noqa: B904 - the same error
            except BROKEN as error:
                _let_go_of(self._own)
                response = self.no_answer(sending, error)
            except BaseException as error:  # noqa: BLE001 - raised again
                # Nor of those below, which are left out.
                raise error.with_traceback(None)  # noqa: B904 - the same error
        sending.is_out = False
        if isinstance(response, Exception):
            # Here, since the error of before knows what was sent.
            raise response
        return response

    async def issue(
        self, provider: OAuthProvider, asked: TokenRequest, sending: Sending
    ) -> Response:
        """Ask the token endpoint once; raise what it refuses with."""
        sending.begin()
        try:
            with self.watch.request(provider, asked.request, asked.operation, sending.attempt):
                response: Response | Exception = await self._posted(asked, sending)
        except BROKEN as error:
            response = self.no_answer(sending, error)
        except BaseException as error:  # noqa: BLE001 - raised again
            # Among the variables of the frames below is what is sent.
            raise error.with_traceback(None)  # noqa: B904 - the same error
        finally:
            sending.is_out = False
        if isinstance(response, Exception):
            raise response
        if 200 <= response.status < 300:
            return response
        # A code is never issued to us, so that the provider does not know to hide it.
        raise provider.refused(purged(response, asked.redact), asked)

    async def get(
        self, request: Request, accept: str, proof: Mapping[str, str], is_counted: bool
    ) -> aiohttp.ClientResponse:
        """Ask for a file, with the credentials of whose it is."""
        session = self.opened()
        return await session.get(
            # Two proofs at once would be neither.
            request.url.with_user(None) if proof else request.url,
            headers={"Accept": accept, "User-Agent": self.user_agent, **proof},
            allow_redirects=False,
            raise_for_status=False,
            middlewares=_middlewares(session) if is_counted else None,
            timeout=self._unlimited,
            proxy=self.proxy,
            ssl=self.ssl,
        )

    def no_answer(self, sending: Sending, error: Exception) -> TransportError:
        """Return what it means that a request was not answered.

        To be raised where the error itself is none of its context, since that may carry requests
        and proxies, credentials and all.
        """
        request, provider = sending.request, sending.provider
        sent = not isinstance(error, NOT_SENT)
        timed_out = sent and isinstance(error, TimeoutError)
        if timed_out:
            # asyncio's own says nothing, and aiohttp's nothing that helps.
            told = str(error) if type(error) is TimeoutError else ""
            what = told or f"no whole answer within {self.timeout:g} s"
        else:
            what = provider.redact(_said(error)) if provider else _said(error)
        failed = TransportError(
            f"{request.method} {request.place}: {what}; check base_url, the network and any proxy",
            provider=sending.name,
            operation=sending.operation,
            sent=sent,
            timed_out=timed_out,
        )
        kind = TimeoutError if isinstance(error, TimeoutError) else aiohttp.ClientError
        failed.__cause__ = kind(what)
        return failed

    async def _response(
        self, sending: Sending, proof: Mapping[str, str], body: Any, *, is_counted: bool
    ) -> Response:
        request, session = sending.request, self.opened()
        async with session.request(
            request.method,
            request.url,
            headers={
                "Accept": "application/json",
                "User-Agent": self.user_agent,
                **request.headers,
                **proof,
            },
            data=body,
            # aiohttp would send some credentials along to another host.
            allow_redirects=False,
            raise_for_status=False,
            middlewares=_middlewares(session) if sending.is_write or is_counted else None,
            timeout=self._limits if request.file is None else self._unlimited,
            proxy=self.proxy,
            ssl=self.ssl,
        ) as answer:
            content = await self.content(answer, sending)
        return Response(status=answer.status, body=content, headers=answer.headers)

    async def content(self, answer: aiohttp.ClientResponse, sending: Sending) -> bytes:
        """Read an answer, decompressed, to its end; of a refusal, the beginning will do."""
        seen = self.watch.answered(answer.status, answer.headers, answer.version)
        blocks: list[bytes] = []
        size, is_good = 0, 200 <= answer.status < 300
        while block := await answer.content.readany():
            blocks.append(block)
            size += len(block)
            if not is_good and size > ERROR_SIZE:
                return b"".join(blocks)[:ERROR_SIZE]
            if size > self.answer_limit:
                raise TooLargeError(
                    f"an answer of more than {self.answer_limit} bytes; ask for smaller pages "
                    "with page_size=, or give the hub a greater answer_limit=",
                    provider=sending.name,
                    operation=sending.operation,
                )
        if seen is not None:
            seen.received = size
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    async def _posted(self, asked: TokenRequest, sending: Sending) -> Response:
        async with self.opened().post(
            asked.url,
            data=asked.form,
            headers={
                "Accept": "application/json",
                "User-Agent": self.user_agent,
                **asked.headers,
            },
            allow_redirects=False,
            raise_for_status=False,
            timeout=self._limits,
            proxy=self.proxy,
            ssl=self.ssl,
        ) as answer:
            content = await self.content(answer, sending)
        return Response(status=answer.status, body=content, headers=dict(answer.headers))

    async def _body(self, request: Request, files: ExitStack) -> Any:
        """Return what aiohttp sends as a body; a file is opened, and closed afterwards."""
        file = request.file
        if file is None:
            return request.body
        content: Any = file.content
        if isinstance(file.content, Path):
            content = await _open(file.content)
            files.callback(content.close)
        elif isinstance(file.content, AsyncIterator):
            if file.content in self._streams:
                raise ConfigurationError(
                    f"the stream of {file.name!r} was read already, and what is gone cannot be "
                    "sent again; give it anew"
                )
            self._streams.add(file.content)
        if request.part is None:
            return content
        if not file.name.isprintable():
            raise ConfigurationError(f"{file.name!r} cannot be sent as a name; give another name=")
        # Otherwise a name's accents and blanks would arrive as percent signs.
        form = aiohttp.FormData(quote_fields=False)
        form.add_field(request.part, content, filename=file.name, content_type=file.media_type)
        return form


class _Connector(aiohttp.TCPConnector):
    """A pool that knows its connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lines: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection, which is remembered."""
        connection = await super().connect(*args, **options)
        if connection.transport is not None:
            self.lines.add(connection.transport)
        return connection


def _let_go_of(session: aiohttp.ClientSession | None, *, is_over: bool = False) -> None:
    """Break connections that are given up, but would first send what nobody takes."""
    connector = session.connector if session is not None else None
    for line in connector.lines if isinstance(connector, _Connector) else ():
        if (is_over or line.is_closing()) and line.get_write_buffer_size():
            line.abort()


class _LineLostError(aiohttp.ClientError):
    """The connection broke when the request was on its way."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending what is no POST a second time when a connection breaks."""
    try:
        return await handler(request)
    except NOT_SENT:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LineLostError(str(error) or type(error).__name__) from error


def _middlewares(session: aiohttp.ClientSession) -> Sequence[aiohttp.ClientMiddlewareType]:
    """Return what a write, and what a rate counts, is sent through: the caller's own ones, too."""
    return (*getattr(session, "_middlewares", ()), _once)


async def _open(path: Path) -> Any:
    """Open a file; one that comes when nobody waits any more is closed at once."""
    opening = asyncio.ensure_future(asyncio.to_thread(path.open, "rb"))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_let_go)
        raise
    except OSError as cause:
        raise ConfigurationError(f"{path} cannot be read: {cause.strerror}") from cause


def _let_go(opening: asyncio.Task[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _said(error: Exception) -> str:
    """Return what an error says, on one line."""
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        text = QUOTED.sub("", text)
    return UNTOLD.sub("", f"{type(error).__name__.strip('_')}: {' '.join(text.split())}")
