"""Reads a file bit by bit, from wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Self

from attrs import define, evolve, field

from conversations_hub.errors import ConfigurationError, ProviderError, TooLargeError
from conversations_hub.fetch import Fetcher
from conversations_hub.models import Attachment
from conversations_hub.provider import Provider
from conversations_hub.recipes import Call, Question
from conversations_hub.stream import Stream
from conversations_hub.wire import Request

OPERATION = "download"


@define(kw_only=True, eq=False)
class Download:
    """A file on its way: `async for chunk in download`, or `await download.read()`.

    Nothing is asked for before the first chunk. With `async with`, or once it is closed or
    dropped, no connection stays behind.
    """

    attachment: Attachment
    _fetcher: Fetcher = field(repr=False, alias="fetcher")
    _provider: Provider | None = field(repr=False, alias="provider")
    _limit: int | None = field(default=None, alias="limit")
    _stream: Stream | None = field(default=None, init=False, repr=False)
    _count: int = field(default=0, init=False)
    _in_use: bool = field(default=False, init=False, repr=False)
    _over: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)
    _error: Exception | None = field(default=None, init=False, repr=False)

    @property
    def media_type(self) -> str | None:
        """The type that the answer gives, once there is one, else the attachment's."""
        told = self._stream.header("Content-Type") if self._stream else None
        return told or self.attachment.media_type

    @property
    def size(self) -> int | None:
        """The bytes that the answer promises, once there is one, else the attachment's."""
        told = self._stream.header("Content-Length") if self._stream else None
        return int(told) if told and told.isdecimal() else self.attachment.size

    async def __aenter__(self) -> Self:
        with self._alone():
            await self._opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Read no further; a second time does nothing."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with self._alone():
            return await self._next()

    async def _next(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        stream = await self._opened()
        try:
            chunk = await stream.read()
        except ProviderError as error:
            raise self._failed(error) from error.__cause__
        except asyncio.CancelledError:
            # The frames that a cancellation leaves behind may hold it for long.
            self.close()
            raise
        self._count += len(chunk)
        if not chunk:
            self._over = True
            self.close()
            raise StopAsyncIteration
        if self._limit is None or self._count <= self._limit:
            return chunk
        del chunk
        raise self._too_large(self._limit)

    async def read(self) -> bytes:
        """Return all of it; `TooLargeError` past the limit."""
        # The file is not among the variables of a frame that an error goes through.
        found = BytesIO()
        with suppress(StopAsyncIteration):
            while True:
                found.write(await anext(self))
        return found.getvalue()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else in: two would have parts of the file each, or all of it twice."""
        if self._in_use:
            raise ConfigurationError("a download is for one reader at a time; ask for another")
        self._in_use = True
        try:
            yield
        finally:
            self._in_use = False

    async def _opened(self) -> Stream:
        if self._error is not None:
            raise self._error
        if self._stream is None and not self._closed:
            name = self._provider.name if self._provider else None
            with self._fetcher.watch.call(name, OPERATION):
                request = await self._request()
                self._stream = await self._fetcher.transport.open(
                    self._provider, request, OPERATION
                )
            if self._closed:
                self._stream.close()
            elif (
                self._limit is not None
                and (self.size or 0) > self._limit
                and self._stream.header("Content-Encoding") is None
            ):
                raise self._too_large(self._limit)
        if self._stream is None or self._closed:
            raise ConfigurationError("this download is closed; ask for the file again")
        return self._stream

    async def _request(self) -> Request:
        if self._provider is None:
            # Not one of ours, so that it was given whole.
            return Request.of(self.attachment.url or "")
        where = self._provider.address(self.attachment)
        if not isinstance(where, Call):
            return where
        asked = Question(provider=self._provider.name, name=OPERATION)
        return await self._fetcher.run(evolve(where, question=asked))

    def _too_large(self, limit: int) -> ProviderError:
        return self._failed(
            TooLargeError(
                f"the file has more than the {limit:,} bytes of limit=",
                provider=self._provider.name if self._provider else None,
                operation=OPERATION,
            )
        )

    def _failed(self, error: ProviderError) -> ProviderError:
        """Remember what went wrong, so that no further step looks like the end."""
        self._error = error
        self.close()
        return error


def owner_of(attachment: Attachment, providers: Iterable[Provider]) -> Provider | None:
    """Return whose file it is, and so whose credentials to send; None for one elsewhere."""
    able = list(providers)
    if attachment.url and "://" in attachment.url.partition("?")[0]:
        url = Request.of(attachment.url).url
        able = [provider for provider in able if provider.owns(url)]
        if not able:
            return None
    if len(able) == 1:
        return able[0]
    names = " or ".join(repr(provider.name) for provider in able)
    raise ConfigurationError(
        f"this file may belong to {names or 'nobody here'}; say provider=", operation=OPERATION
    )
