"""ConversationsHub: the front door to every provider."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import cache, partial
from math import inf
from ssl import SSLContext
from typing import Any, Literal, Self, TypeVar, Unpack, overload

import aiohttp
from attrs import evolve

from conversations_hub.arguments import check, named
from conversations_hub.bulk import Bulk, Job, Options, Result, pooled
from conversations_hub.download import Download, owner_of
from conversations_hub.errors import ConfigurationError, HubError
from conversations_hub.fetch import Fetcher
from conversations_hub.models import (
    Attachment,
    Conversation,
    ConversationKind,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.network import Network
from conversations_hub.oauth import check_stores
from conversations_hub.observing import Observer, observers_of
from conversations_hub.pager import Pager, check_limit
from conversations_hub.people import Directory
from conversations_hub.provider import Provider, check_order
from conversations_hub.providers import configured
from conversations_hub.questions import File
from conversations_hub.recipes import Call, Listing
from conversations_hub.resuming import pager_of
from conversations_hub.secret import Shy
from conversations_hub.team import team_of
from conversations_hub.transport import Transport
from conversations_hub.watching import Watch

T = TypeVar("T")
P = TypeVar("P", bound=Provider)
K = TypeVar("K")
V = TypeVar("V")

Order = Literal["oldest", "newest"]
OnError = Literal["raise", "continue"]
Thing = Ref | str | Conversation | Call[Any] | Listing[Any]


class ConversationsHub:
    """Conversations, messages and participants of any number of providers.

    Building one does no I/O and needs no event loop. Times are in seconds: `timeout` bounds one
    attempt of a request, `deadline` all of them and every wait in between. With `resolve_names`,
    people whom a provider knows only by id get their names, looked up in batches. Without
    `keep_raw` nothing has a `raw`, and a list that is held takes less than half the memory. An
    answer of more than `answer_limit` bytes is a `TooLargeError`. An `observer`, or several, is
    told of every call, request, retry, pause and page.
    """

    def __init__(
        self,
        *providers: Provider,
        session: aiohttp.ClientSession | None = None,
        timeout: float = 30.0,
        deadline: float = 120.0,
        retries: int = 5,
        connections: int = 32,
        answer_limit: int = 64 * 1024**2,
        proxy: str | None = None,
        ssl: SSLContext | bool = True,
        user_agent: str | None = None,
        resolve_names: bool = False,
        keep_raw: bool = True,
        observer: Observer | Iterable[Observer] | None = None,
    ) -> None:
        bound: dict[str, Provider] = {}
        for provider in providers:
            if not isinstance(provider, Provider):
                raise ConfigurationError(
                    f"{provider!r} is not a provider; hand over objects such as Twilio(...)"
                )
            if provider.name in bound:
                raise ConfigurationError(
                    f"two providers are called {provider.name!r}; give one of them another name="
                )
            bound[provider.name] = provider.bound(self)
        check_stores(bound.values())
        watch = Watch(observers_of(observer))
        network = Network(
            session=session,
            timeout=timeout,
            deadline=deadline,
            answer_limit=answer_limit,
            proxy=proxy,
            ssl=ssl,
            user_agent=user_agent or _user_agent(),
            watch=watch,
        )
        self._transport = Transport(
            network=network,
            deadline=deadline,
            retries=retries,
            connections=connections,
            watch=watch,
        )
        self._fetcher = Fetcher(
            transport=self._transport,
            providers=bound,
            directory=Directory() if resolve_names else None,
            keep_raw=keep_raw,
            watch=watch,
        )
        # A pager that is kept after its loop was left early must not outlive the hub.
        self._pagers: weakref.WeakSet[Pager[Any]] = weakref.WeakSet()
        self._downloads: weakref.WeakSet[Download] = weakref.WeakSet()
        self._bulks: weakref.WeakSet[Bulk[Any, Any]] = weakref.WeakSet()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Build a hub of every provider whose environment variables are set."""
        return cls(*configured(environ), **options)

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers by name."""
        return dict(self._fetcher.providers)

    @overload
    def __getitem__(self, key: type[P]) -> P: ...
    @overload
    def __getitem__(self, key: str) -> Provider: ...
    def __getitem__(self, key: type[P] | str) -> P | Provider:
        providers = self._fetcher.providers
        if isinstance(key, str):
            if key not in providers:
                raise ConfigurationError(f"no provider is called {key!r}; {self._names()}")
            return providers[key]
        if not isinstance(key, type):
            raise ConfigurationError(f"{key!r} is neither a provider's name nor its class")
        found = [p for p in providers.values() if isinstance(p, key)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(repr(p.name) for p in found)
            raise ConfigurationError(f"several providers are {key.__name__}: ask by name, {names}")
        raise ConfigurationError(f"no provider is a {key.__name__}; {self._names()}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were opened here; a second time does nothing."""
        # If one is cancelled while closing, the rest are closed all the same.
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._transport.aclose)
            for pager in self._pagers:
                closing.push_async_callback(pager.aclose)
            for bulk in self._bulks:
                closing.push_async_callback(bulk.aclose)
            for download in self._downloads:
                closing.callback(download.close)

    def conversations(
        self,
        *providers: str | type[Provider] | Provider,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        parallel: int | None = None,
        prefetch: int = 1,
        on_error: OnError = "raise",
    ) -> Pager[Conversation]:
        """Iterate the conversations of the named providers, or of all, at the same time.

        `created_after <= created_at < created_before`, `updated_after <= updated_at`; a
        conversation whose provider does not give that time passes. With `on_error="continue"`
        a provider that fails is set aside in the pager's `errors`. With `parallel`, up to that
        many pages of each provider's list are read at once, and items come in no order. Raises
        `UnsupportedError` for a filter that a provider can neither be asked for nor the hub apply
        exactly, and for a list that cannot be read from several places.
        """
        chosen = [self._chosen(p) for p in providers] or list(self.providers.values())
        if not chosen:
            raise ConfigurationError(
                "this hub has no providers; hand them to ConversationsHub(...)"
            )
        if isinstance(participant, str):
            account, _, id_ = participant.partition(":")
            participant = Ref(account, id_) if id_ and account in self.providers else participant
        listings = [
            provider.conversations(
                created_after=created_after,
                created_before=created_before,
                updated_after=updated_after,
                state=state,
                participant=participant,
                page_size=page_size,
            )
            for provider in {p.name: p for p in chosen}.values()
        ]
        return self._pager(
            listings, parallel=parallel, limit=limit, prefetch=prefetch, on_error=on_error
        )

    def messages(
        self,
        ref: Ref | str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Order | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        parallel: int | None = None,
        prefetch: int = 1,
    ) -> Pager[Message]:
        """Iterate a conversation's messages with `since <= sent_at < until`.

        `order` is "oldest", "newest" or None, the provider's own. Where the API cannot give
        the order, the conversation is read to its end first. With `parallel`, up to that
        many of its pages are read at once, and messages come in no order; where the API has no way
        to do so, that is an `UnsupportedError`.
        """
        ref = _ref(ref)
        listing = self[ref.provider].messages(
            ref, since=since, until=until, order=order, page_size=page_size
        )
        return self._pager([listing], parallel=parallel, limit=limit, prefetch=prefetch)

    def participants(self, ref: Ref | str, *, limit: int | None = None) -> Pager[Participant]:
        """Iterate the participants of a conversation."""
        ref = _ref(ref)
        return self._pager([self[ref.provider].participants(ref)], limit=limit)

    def conversation(self, ref: Ref | str) -> Call[Conversation]:
        """Fetch one conversation."""
        ref = _ref(ref)
        return self[ref.provider].conversation(ref)

    def message(self, conversation: Ref | str, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one message of a conversation, by its id."""
        ref = _ref(conversation)
        return self[ref.provider].message(ref, id)

    def send(
        self,
        ref: Ref | str,
        text: str | None = None,
        *,
        html: str | None = None,
        attachments: Iterable[File] = (),
        reply_to: Ref | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Message]:
        """Send a message: plain text or markup, files, a reply to another message.

        A write is never sent twice: one that may have happened is an `AmbiguousWriteError`, whose
        `reconcile` finds out. With an `idempotency_key`, a message of the last 24 hours that has
        the key already is returned instead; where the provider has no place for a key, that is an
        `UnsupportedError`.
        """
        ref = _ref(ref)
        return self[ref.provider].send(
            ref,
            text,
            html=html,
            attachments=attachments,
            reply_to=reply_to,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )

    def edit(
        self,
        conversation: Ref | str,
        id: str,  # noqa: A002
        *,
        text: str | None = None,
        html: str | None = None,
    ) -> Call[Message]:
        """Change the text of a message."""
        ref = _ref(conversation)
        return self[ref.provider].edit(ref, id, text=text, html=html)

    def delete_message(self, conversation: Ref | str, id: str) -> Call[None]:  # noqa: A002
        """Delete a message of a conversation, by its id."""
        ref = _ref(conversation)
        return self[ref.provider].delete_message(ref, id)

    def create(
        self,
        provider: str | type[Provider] | Provider,
        *,
        title: str | None = None,
        description: str | None = None,
        kind: ConversationKind | None = None,
        participants: Iterable[Ref | str] = (),
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Conversation]:
        """Create a conversation at a provider; `text` is its first message.

        With an `idempotency_key`, the conversation that has it already is returned instead.
        """
        return self._chosen(provider).create(
            title=title,
            description=description,
            kind=kind,
            participants=participants,
            text=text,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )

    def update(
        self,
        ref: Ref | str,
        *,
        title: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[Conversation]:
        """Change a conversation's title, description or metadata; what is None stays."""
        ref = _ref(ref)
        return self[ref.provider].update(
            ref, title=title, description=description, metadata=metadata
        )

    def archive(self, ref: Ref | str) -> Call[Conversation]:
        """Archive a conversation."""
        ref = _ref(ref)
        return self[ref.provider].archive(ref)

    def unarchive(self, ref: Ref | str) -> Call[Conversation]:
        """Take a conversation out of the archive."""
        ref = _ref(ref)
        return self[ref.provider].unarchive(ref)

    def close(self, ref: Ref | str) -> Call[Conversation]:
        """Close a conversation; `aclose` closes the hub itself."""
        ref = _ref(ref)
        return self[ref.provider].close(ref)

    def delete(self, ref: Ref | str) -> Call[None]:
        """Delete a conversation with all that is in it."""
        ref = _ref(ref)
        return self[ref.provider].delete(ref)

    def add_participant(self, conversation: Ref | str, who: Ref | str) -> Call[Participant]:
        """Add a participant: the ref of a user, or a text that the provider knows people by."""
        ref = _ref(conversation)
        return self[ref.provider].add_participant(ref, who)

    def remove_participant(self, conversation: Ref | str, who: Ref | str) -> Call[None]:
        """Remove a participant: the ref of a user or participant, or a text as when adding."""
        ref = _ref(conversation)
        return self[ref.provider].remove_participant(ref, who)

    def mark_read(
        self, conversation: Ref | str, *, participant: Ref | str | None = None
    ) -> Call[None]:
        """Mark everything as read, for the account itself or for a participant."""
        ref = _ref(conversation)
        return self[ref.provider].mark_read(ref, participant=participant)

    def download(
        self,
        attachment: Attachment,
        *,
        provider: str | type[Provider] | Provider | Ref | None = None,
        limit: int | None = None,
    ) -> Download:
        """Read a file: `async for chunk in hub.download(attachment)`, or `await ….read()`.

        The credentials go to the provider's own origins alone. `provider` says whose file it is
        where its address does not, with a ref of its message, for example. More than `limit` bytes
        are a `TooLargeError`.
        """
        check("attachment", attachment, Attachment)
        check("limit", limit, int | None)
        if provider is None:
            owner = owner_of(attachment, self._fetcher.providers.values())
        else:
            owner = self._chosen(provider.provider if isinstance(provider, Ref) else provider)
        found = Download(attachment=attachment, fetcher=self._fetcher, provider=owner, limit=limit)
        self._downloads.add(found)
        return found

    async def run(self, call: Call[T]) -> T:
        """Carry out a call that a provider made."""
        if not isinstance(call, Call):
            check("call", call, Call)
        return await self._fetcher.run(call if call.runner is self else evolve(call, runner=self))

    def iterate(
        self,
        listing: Listing[T],
        *,
        limit: int | None = None,
        parallel: int | None = None,
        prefetch: int = 1,
        on_error: OnError = "raise",
    ) -> Pager[T]:
        """Iterate a listing that a provider made; `parallel` is how many pages to read at once."""
        check("listing", listing, Listing)
        return self._pager(
            [listing], parallel=parallel, limit=limit, prefetch=prefetch, on_error=on_error
        )

    async def authorize(self, provider: str | type[Provider] | Provider, *, code: str) -> None:
        """Exchange the code that a user came back with for a token, and keep it in `tokens`.

        The provider's `authorization_code` takes the code out of the address that the browser came
        back to. It is good for one try: where the answer is lost, send the user again.
        Raises `ConfigurationError` where the store did not take the token, which then works until
        the hub is closed.
        """
        check("code", code, str)
        code = Shy(code)
        await self._transport.authorize(self._chosen(provider), code)

    async def deauthorize(self, provider: str | type[Provider] | Provider) -> None:
        """End an account's token for good, and forget it, where the provider has a way."""
        await self._transport.deauthorize(self._chosen(provider))

    def fetch(
        self, things: AsyncIterable[Thing] | Iterable[Thing], **options: Unpack[Options]
    ) -> Bulk[Any, Any]:
        """Carry out many calls and listings at a time, and iterate their results.

        A ref or a conversation is fetched anew; the value of a listing is the list of its items.
        Things are taken from their source as results are consumed, so that it may be endless. The
        options are `concurrency=`, `per_provider=`, `ordered=`, `on_error=` and `progress=`.
        """
        return self._bulk(things, self._job, **options)

    def fetch_messages(
        self,
        conversations: AsyncIterable[Conversation | Ref | str] | Iterable[Conversation | Ref | str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Order | None = None,
        limit: int | None = None,
        **options: Unpack[Options],
    ) -> Bulk[Ref, list[Message]]:
        """Fetch the messages of many conversations at a time, at most `limit` of each.

        `hub.fetch_messages(hub.conversations())` reads everything there is. The options are those
        of `fetch`.
        """
        for name, moment in (("since", since), ("until", until)):
            check(name, moment, datetime | None)
        check_order(order)
        check_limit(limit)
        asked = partial(
            self.messages, since=since, until=until, order=order, limit=limit, prefetch=0
        )
        return self._bulk(conversations, partial(self._list_job, asked), **options)

    def fetch_participants(
        self,
        conversations: AsyncIterable[Conversation | Ref | str] | Iterable[Conversation | Ref | str],
        **options: Unpack[Options],
    ) -> Bulk[Ref, list[Participant]]:
        """Fetch the people in many conversations at a time; the options are those of `fetch`."""
        return self._bulk(conversations, partial(self._list_job, self.participants), **options)

    def resume(self, checkpoint: Mapping[str, Any]) -> Pager[Any]:
        """Go on where a pager's `checkpoint()` was taken, in this process or another.

        Raises `CheckpointError` before any request where the checkpoint belongs to another
        query, provider or format version.
        """
        pager = pager_of(self._fetcher, checkpoint)
        self._pagers.add(pager)
        return pager

    def _bulk(
        self,
        things: AsyncIterable[Any] | Iterable[Any],
        job_of: Callable[[Any], Job[K, V]],
        **options: Unpack[Options],
    ) -> Bulk[K, V]:
        if not isinstance(things, AsyncIterable | Iterable) or isinstance(things, str | bytes):
            raise ConfigurationError("give an iterable of refs, calls or listings")
        if unknown := sorted(options.keys() - Options.__annotations__.keys()):
            known = ", ".join(f"{name}=" for name in Options.__annotations__)
            raise ConfigurationError(f"there is no option {', '.join(unknown)}; there are {known}")
        bulk = pooled(things, job_of, self._transport.connections, **options)
        self._bulks.add(bulk)
        return bulk

    def _job(self, thing: Thing) -> Job[Any, Any]:
        if isinstance(thing, Call):
            name = self._fetcher.provider_of(thing).name
            return self._job_at(name, thing, partial(_called, thing, self.run, thing))
        if isinstance(thing, Listing):
            name = self._fetcher.provider_of(thing).name
            return self._job_at(name, thing, partial(_listed, thing, self._whole, thing))
        ref = _ref(thing)
        return self._job_at(
            ref.provider, ref, lambda: _called(ref, self.run, self.conversation(ref))
        )

    def _list_job(
        self, pager_of: Callable[[Ref], Pager[T]], thing: Conversation | Ref | str
    ) -> Job[Ref, list[T]]:
        ref = _ref(thing)
        return self._job_at(ref.provider, ref, partial(_listed, ref, pager_of, ref))

    def _job_at(self, name: str, key: K, do: Callable[[], Awaitable[Result[K, V]]]) -> Job[K, V]:
        provider = self._fetcher.providers.get(name)
        rate = provider.rate if provider is not None else None
        # Whoever waits for a turn spends its deadline, and these have all the time.
        return Job(key=key, provider=name, do=do, at_most=rate.requests if rate else inf)

    def _whole(self, listing: Listing[T]) -> Pager[T]:
        return self._pager([listing], prefetch=0)

    def _pager(
        self,
        listings: Sequence[Listing[T]],
        *,
        parallel: int | None = None,
        limit: int | None = None,
        prefetch: int = 1,
        on_error: str = "raise",
    ) -> Pager[T]:
        for listing in listings:
            self._fetcher.provider_of(listing)
        teams = [team_of(self._fetcher, listing, parallel) for listing in listings]
        pager = Pager(self._fetcher, teams, limit=limit, prefetch=prefetch, on_error=on_error)
        self._pagers.add(pager)
        return pager

    def _chosen(self, key: str | type[Provider] | Provider) -> Provider:
        return self[key.name] if isinstance(key, Provider) else self[key]

    def _names(self) -> str:
        return f"this hub has {', '.join(self._fetcher.providers) or 'none'}"


@cache
def _user_agent() -> str:
    # It takes longer to import than all of this module.
    from importlib.metadata import version  # noqa: PLC0415

    return f"conversations-hub/{version('conversations-hub')}"


async def _called(key: K, run: Callable[[Call[T]], Awaitable[T]], call: Call[T]) -> Result[K, T]:
    value = await run(call)
    return Result(key=key, value=value)


async def _listed(key: K, pager_of: Callable[[Any], Pager[T]], thing: Any) -> Result[K, list[T]]:
    """Read a list to its end; what came before an error is not lost."""
    found: list[T] = []
    async with pager_of(thing) as pager:
        try:
            async for page in pager.pages():
                found += page.items
        except HubError as error:
            return Result(key=key, value=found, error=error)
    return Result(key=key, value=found)


def _ref(thing: Conversation | Ref | str) -> Ref:
    """Return the ref of a conversation, or read one that is a text."""
    ref = thing.ref if isinstance(thing, Conversation) else thing
    if isinstance(ref, Ref):
        return ref
    if not isinstance(ref, str):
        raise ConfigurationError(f"{named(ref)} is not a reference; give a Ref or its text")
    try:
        return Ref.parse(ref)
    except ValueError as cause:
        raise ConfigurationError(str(cause)) from cause
