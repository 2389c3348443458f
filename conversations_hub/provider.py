"""The questions every provider answers, and what a provider needs in order to ask them."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar

import attrs
import msgspec
from attrs import NOTHING, evolve, field, fields, frozen
from yarl import URL

from conversations_hub.errors import (
    ConfigurationError,
    StatusError,
    UnsupportedError,
    class_for,
    remedy_for,
)
from conversations_hub.models import (
    Author,
    Conversation,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.recipes import Call, Listing, Question, Recipe, Runner
from conversations_hub.retrying import seconds_to_wait
from conversations_hub.wire import QueryValue, Request, Response, path_segment, query_text

P = ParamSpec("P")
R = TypeVar("R", bound=Recipe)
S = TypeVar("S", bound="Provider")


def operation(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Mark a method as a question: its recipes say who asked what, and are bound to the hub."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def ask(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        recipe = method(self, *args, **kwargs)
        bound = signature.bind_partial(self, *args)
        asked = dict(list(bound.arguments.items())[1:]) | kwargs
        question = Question(provider=self.name, name=method.__name__, arguments=asked)
        return evolve(recipe, question=question, runner=self._runner)

    ask.is_operation = True  # type: ignore[attr-defined]
    return ask


def _base_url(value: str | URL) -> URL:
    url = URL(value)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError(f"base_url {str(value)!r} is no http(s) URL with a host")
    if url.user or url.password or url.query_string or url.fragment:
        raise ConfigurationError("base_url takes a scheme, a host and a path, nothing else")
    return url.with_path(url.path.rstrip("/") or "/")


def base_url_field(default: Any = NOTHING) -> Any:
    """Return the field of a base URL: a text or a URL, checked."""
    return field(default=default, converter=_base_url)


def name_field(default: Any = NOTHING) -> Any:
    """Return the field of a provider's name, which refs must be able to carry."""
    return field(default=default, validator=_is_plain)


def _is_plain(_: Any, __: Any, name: str) -> None:
    if not name or ":" in name:
        raise ConfigurationError(f"{name!r} cannot name a provider; leave out the colon")


def secret_field(default: Any = NOTHING) -> Any:
    """Return the field of a credential, which `repr` leaves out and errors never show."""
    return field(default=default, repr=False, validator=_is_sendable)


def _is_sendable(provider: Any, field: attrs.Attribute[Any], secret: Any) -> None:
    if isinstance(secret, str) and not (secret.isprintable() and secret == secret.strip()):
        raise ConfigurationError(
            f"{field.name} has blanks around it or a line break in it", provider=provider.name
        )


@frozen(kw_only=True)
class Problem:
    """What a provider's refusal says, in our words; `kind` where the status alone misleads."""

    message: str = ""
    code: str | None = None
    request_id: str | None = None
    kind: type[StatusError] | None = None


@frozen(kw_only=True)
class Provider:
    """One account at one provider: it answers questions with recipes and sends nothing."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The customary environment variables of each argument, first choice first."""
    limits: ClassVar[Mapping[str, int]] = {}
    """The largest page of each listing."""

    name: str = name_field()
    base_url: URL = base_url_field()
    _runner: Runner | None = field(default=None, init=False, eq=False, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Build the provider from its customary environment variables."""
        environ = os.environ if environ is None else environ
        found: dict[str, Any] = {}
        for argument, names in cls.env.items():
            value = next((environ[name] for name in names if environ.get(name)), None)
            if value is not None:
                found[argument] = value
        return cls.from_settings(found)

    @classmethod
    def required_variables(cls) -> tuple[str, ...]:
        """Return the variables that show that somebody means this provider."""
        return next(iter(cls.env.values()), ())

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build the provider from arguments by name; a missing or unknown one is named."""
        known = {f.alias for f in fields(cls) if f.init}
        if unknown := sorted(set(settings) - known):
            raise ConfigurationError(f"{cls.__name__} has no setting {', '.join(unknown)}")
        try:
            return cls(**settings)
        except TypeError as cause:
            needed = [f.alias for f in fields(cls) if f.init and f.default is NOTHING]
            missing = [name for name in needed if name not in settings]
            if not missing:
                raise
            hints = [f"{name} ({' or '.join(cls.env.get(name, ()))})" for name in missing]
            raise ConfigurationError(f"{cls.__name__} needs {', '.join(hints)}") from cause

    def bound(self, runner: Runner) -> Self:
        """Return this provider for use in a hub: its recipes can be awaited and iterated."""
        bound = copy.copy(self)
        object.__setattr__(bound, "_runner", runner)
        return bound

    @property
    def capabilities(self) -> frozenset[str]:
        """The shared questions this provider answers."""
        mine = type(self)
        return frozenset(q for q in SHARED if getattr(mine, q) is not getattr(Provider, q))

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that prove who asks; they are added when a request is sent."""
        return {}

    def problem(self, request: Request, response: Response) -> Problem:  # noqa: ARG002
        """Read a refusal; without a provider's own way, its status says enough."""
        return Problem()

    def fingerprint(self, request: Request) -> str:
        """Return what a checkpoint knows a list by: where its first request goes, below the base.

        Hosts, ports and prefixes may differ where it is resumed.
        """
        return request.target.removeprefix(self.base_url.raw_path.rstrip("/"))

    def instead(self, request: Request, error: StatusError) -> Request | None:  # noqa: ARG002
        """Return another way to ask after this refusal, if there is one."""
        return None

    def people(
        self, conversation: Ref | None, refs: Sequence[Ref]
    ) -> Iterable[Call[Mapping[Ref, Author]]]:
        """Return the calls that find the names behind these refs, in batches."""
        del conversation, refs
        return ()

    def conversations(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List conversations."""
        del created_after, created_before, updated_after, state, participant, page_size
        raise self.unsupported("conversations")

    def messages(
        self,
        conversation: Ref,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Message]:
        """List the messages of a conversation."""
        del conversation, since, until, order, page_size
        raise self.unsupported("messages")

    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List who is in a conversation."""
        del conversation, page_size
        raise self.unsupported("participants")

    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one conversation."""
        del ref
        raise self.unsupported("conversation")

    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one message."""
        del conversation, id
        raise self.unsupported("message")

    # What providers build their answers with.

    def get(self, *segments: str, query: Mapping[str, QueryValue] | None = None) -> Request:
        """Return a GET for these path segments below the base URL, each of which stays one."""
        base = self.base_url
        path = "/".join([base.raw_path.rstrip("/"), *map(path_segment, segments)])
        text = query_text(query) if query else ""
        return Request(
            url=URL(f"{base.origin()}{path}" + (f"?{text}" if text else ""), encoded=True)
        )

    def id_of(self, ref: Ref) -> str:
        """Return the id in a ref of this provider."""
        if ref.provider != self.name:
            raise ConfigurationError(
                f"{ref} belongs to {ref.provider!r}; ask that provider", provider=self.name
            )
        return ref.id

    def page_size(self, listing: str, wanted: int | None) -> int:
        """Return the page size to ask for: what is wanted, at most what the API allows."""
        most = self.limits[listing]
        if wanted is not None and not (isinstance(wanted, int) and wanted >= 1):
            raise ConfigurationError(
                "page_size is a number from 1", provider=self.name, operation=listing
            )
        return min(wanted or most, most)

    def unsupported(self, question: str, nearest: str = "") -> UnsupportedError:
        """Return the error for what the API cannot say, with the nearest thing that it can."""
        hint = f"; {nearest}" if nearest else ""
        return UnsupportedError(
            f"the API of {type(self).__name__} has no way to ask this{hint}",
            provider=self.name,
            operation=question,
        )

    def redact(self, text: str) -> str:
        """Take this provider's credentials out of a text, and what they are sent as."""
        hidden = [getattr(self, f.name) for f in fields(type(self)) if f.repr is False]
        for sent in self.auth_headers().values():
            hidden += [sent, sent.partition(" ")[2]]
        texts = sorted((one for one in hidden if isinstance(one, str)), key=len, reverse=True)
        for secret in texts:
            # What is shorter is found by chance in any text.
            if len(secret) > 5:
                text = text.replace(secret, "***")
        return text

    def error_for(self, operation: str, request: Request, response: Response) -> StatusError:
        """Return what a refusal is: who refused what, why, and what to do about it."""
        problem = self.problem(request, response)
        kind = problem.kind or class_for(response.status)
        why = f": {self.redact(problem.message)[:300]}" if problem.message else ""
        told = self.redact(problem.code) if problem.code else None
        code = f" ({told})" if told else ""
        remedy = f"; {hint}" if (hint := remedy_for(kind)) else ""
        if 300 <= response.status < 400:
            remedy = (
                "; redirects are not followed, since credentials would go along; check base_url"
            )
        return kind(
            f"HTTP {response.status}{code}{why}{remedy} [{request.method} {request.place}]",
            provider=self.name,
            operation=operation,
            request=request,
            response=response,
            code=told,
            request_id=problem.request_id,
            retry_after=seconds_to_wait(response.header("Retry-After")),
        )


SHARED = ("conversations", "messages", "participants", "conversation", "message")
"""The questions that mean the same at every provider."""

ORDERS = ("oldest", "newest", None)


def check_order(order: str | None) -> None:
    """Refuse an order that does not exist."""
    if order not in ORDERS:
        raise ConfigurationError(f"order is 'oldest', 'newest' or None, not {order!r}")


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the answer's JSON object, or an empty one where it is anything else."""
    try:
        value = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def between(
    moment: Callable[[Any], datetime | None], start: datetime | None, end: datetime | None
) -> Callable[[Any], bool] | None:
    """Return the filter for `start <= moment < end`; what has no such time passes."""
    for bound in (start, end):
        if bound is not None and (not isinstance(bound, datetime) or bound.tzinfo is None):
            raise ConfigurationError(
                f"{bound!r} is no aware datetime; give one such as datetime.now(UTC)"
            )
    if start is None and end is None:
        return None

    def keep(item: Any) -> bool:
        at = moment(item)
        return at is None or ((start is None or at >= start) and (end is None or at < end))

    return keep


def both(*filters: Callable[[Any], bool] | None) -> Callable[[Any], bool] | None:
    """Return the filter that passes what all of these pass."""
    given = [f for f in filters if f is not None]
    if not given:
        return None
    return given[0] if len(given) == 1 else lambda item: all(f(item) for f in given)
