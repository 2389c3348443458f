"""The questions every provider answers, and what a provider needs in order to ask them."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import urljoin

import attrs
import msgspec
from attrs import NOTHING, evolve, field, fields, frozen
from yarl import URL

from conversations_hub.allowance import Allowance
from conversations_hub.arguments import check, kinds, named, surely
from conversations_hub.budget import Rate
from conversations_hub.errors import (
    ConfigurationError,
    HubError,
    StatusError,
    class_for,
    remedy_for,
)
from conversations_hub.models import Attachment, Author, Ref
from conversations_hub.questions import SHARED, File, Questions
from conversations_hub.raw import decode
from conversations_hub.recipes import Call, Question, Recipe, Runner
from conversations_hub.retrying import told_to_wait
from conversations_hub.secret import Secret, without
from conversations_hub.wire import (
    QueryValue,
    Request,
    Response,
    Upload,
    origin_of,
    path_segment,
    purged,
    query_text,
    upload,
)

P = ParamSpec("P")
R = TypeVar("R", bound=Recipe)
S = TypeVar("S", bound="Provider")


FORM = "application/x-www-form-urlencoded"


def operation(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Mark a method as a question: its recipes say who asked what, and are bound to the hub."""
    _, *names = inspect.signature(method).parameters
    types = functools.cache(lambda: kinds(method))
    sure = functools.cache(lambda: {name: surely(hint) for name, hint in types().items()})

    @functools.wraps(method)
    def ask(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        asked = dict(zip(names, args, strict=False)) | kwargs
        try:
            known = sure()
            for name, given in asked.items():
                if name in known and type(given) not in known[name]:
                    check(name, given, types()[name])
            recipe = method(self, *args, **kwargs)
        except HubError as error:
            # One question may ask another: what was called is what the caller knows.
            error.provider, error.operation = self.name, method.__name__
            raise
        question = Question(provider=self.name, name=method.__name__, arguments=asked)
        return evolve(recipe, question=question, runner=self._runner)

    ask.is_operation = True  # type: ignore[attr-defined]
    return ask


def _lone_surrogate(provider: Provider, cause: UnicodeEncodeError) -> ConfigurationError:
    return ConfigurationError(
        f"a text has half of a character in it, {cause.object[cause.start]!r}, and cannot "
        "be sent; take the lone surrogate out",
        provider=provider.name,
    )


def _base_url(value: str | URL) -> URL:
    try:
        url = URL(value)
    except (TypeError, ValueError):
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("base_url is not an http(s) URL with a host")
    if url.user or url.password or url.query_string or url.fragment:
        raise ConfigurationError("base_url takes a scheme, a host and a path, nothing else")
    return url.with_path(url.path.rstrip("/") or "/")


def base_url_field(default: Any = NOTHING) -> Any:
    """Return the field of a base URL: a text or a URL, checked."""
    return field(default=default, converter=_base_url)


def name_field(default: Any = NOTHING) -> Any:
    """Return the field of a provider's name, which refs must be able to carry."""
    return field(default=default, validator=_is_name)


def _is_name(_: Any, __: Any, name: str) -> None:
    if not isinstance(name, str) or not name or ":" in name:
        raise ConfigurationError(f"{name!r} cannot name a provider; leave out the colon")


def text_field(default: Any = NOTHING) -> Any:
    """Return the field of a setting that is a text, such as an id; a number is not one."""
    return field(default=default, validator=_is_text)


def _is_text(provider: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) and (value is not None or field.default is NOTHING):
        raise ConfigurationError(
            f"{field.name} must be a string, not {named(value)}", provider=provider.name
        )


def secret_field(default: Any = NOTHING) -> Any:
    """Return the field of a credential, a `Secret` that is given as one or as a text."""
    return field(default=default, repr=False, converter=_secret, validator=_is_sendable)


def _secret(given: Any) -> Any:
    return Secret(given) if isinstance(given, str) else given


def _is_sendable(provider: Any, field: attrs.Attribute[Any], secret: Any) -> None:
    text = secret.reveal() if isinstance(secret, Secret) else secret
    _is_text(provider, field, text)
    if text and not (text.isprintable() and text == text.strip()):
        raise ConfigurationError(
            f"{field.name} has blanks around it or a line break in it", provider=provider.name
        )


def is_rate(provider: Any, field: attrs.Attribute[Any], rate: Any) -> None:
    """Refuse what is no `Rate`, for fields that have one."""
    if rate is not None and not isinstance(rate, Rate):
        raise ConfigurationError(
            f"{field.name} must be a Rate, such as Rate(50, per=60), not {named(rate)}",
            provider=provider.name,
        )


@frozen(kw_only=True)
class Problem:
    """What a provider's refusal says, in our words; `kind` where the status alone misleads."""

    message: str = ""
    code: str | None = None
    request_id: str | None = None
    kind: type[StatusError] | None = None


@frozen(kw_only=True)
class Provider(Questions):
    """One account at one provider: it answers questions with recipes and sends nothing."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The customary environment variables of each argument, first choice first."""
    limits: ClassVar[Mapping[str, int]] = {}
    """The largest page of each listing."""
    tells_allowance: ClassVar[bool] = False
    """Whether its answers say what the account may still ask, see `allowance`."""
    read_lag: ClassVar[float] = 0.0
    """For how many seconds reads may not show yet what was written."""
    request_id_header: ClassVar[str] = "X-Request-Id"
    """Where an answer says what the provider calls the request."""

    name: str = name_field()
    base_url: URL = base_url_field()
    rate: Rate | None = field(default=None, validator=is_rate)
    """How fast each hub may ask the account; by default, as fast as it answers."""
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
        """Return the variables of which one must be set for `ConversationsHub.from_env`."""
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

    @property
    def origins(self) -> frozenset[URL]:
        """The places that get the credentials."""
        return frozenset({self.base_url.origin()})

    def owns(self, url: URL) -> bool:
        """Tell whether a URL leads to where the credentials may go."""
        return origin_of(url) in {origin_of(one) for one in self.origins}

    def address(self, attachment: Attachment) -> Request | Call[Request]:
        """Return where a file is, resolved against the place where the provider is.

        Raises `UnsupportedError` where the provider does not say.
        """
        if not attachment.url:
            raise self.unsupported("download", "this attachment has no address; see its raw")
        try:
            place = urljoin(str(self.base_url.origin()), attachment.url)
        except ValueError:
            place = attachment.url
        return Request.of(place)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers with the credentials; they are added when a request is sent."""
        return {}

    def rates(self, request: Request) -> Mapping[str, Rate]:  # noqa: ARG002
        """Return the budgets that a request takes from, each with a name of its own."""
        return {"": self.rate} if self.rate is not None else {}

    def allowance(self, response: Response, now: datetime) -> Allowance | None:  # noqa: ARG002
        """Return what an answer says may still be asked; `now` is by the provider's clock."""
        return None

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

    # What providers build their answers with.

    def get(self, *segments: str, query: Mapping[str, QueryValue] | None = None) -> Request:
        """Return a GET for these path segments below the base URL, each of which stays one."""
        return Request(url=self.url(*segments, query=query))

    def url(
        self,
        *segments: str,
        query: Mapping[str, QueryValue] | None = None,
        base: URL | None = None,
    ) -> URL:
        """Return the URL of these path segments, below the base URL or another `base`."""
        base = base or self.base_url
        try:
            path = "/".join([base.raw_path.rstrip("/"), *map(path_segment, segments)])
            text = query_text(query) if query else ""
        except UnicodeEncodeError as cause:
            raise _lone_surrogate(self, cause) from cause
        return URL(f"{base.origin()}{path}" + (f"?{text}" if text else ""), encoded=True)

    def ask(
        self,
        method: str,
        *segments: str,
        query: Mapping[str, QueryValue] | None = None,
        json: Any = None,
        form: Mapping[str, QueryValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Return a request of any method, with a body of JSON or of form fields.

        Of `form`, what is None is left out, as in a query; of `json`, nothing is.
        """
        body, kind = self.sendable(json=json, form=form)
        url = self.url(*segments, query=query)
        return Request(method=method, url=url, headers={**kind, **(headers or {})}, body=body)

    def sendable(
        self, *, json: Any = None, form: Mapping[str, QueryValue] | None = None
    ) -> tuple[bytes | None, Mapping[str, str]]:
        """Return a body and its headers; `ConfigurationError` for what no request can carry.

        A call of several requests makes its body first: what is refused asks nothing.
        """
        try:
            if json is not None:
                return msgspec.json.encode(json), {"Content-Type": "application/json"}
            if form is not None:
                return query_text(form).encode(), {"Content-Type": FORM}
        except UnicodeEncodeError as cause:
            raise _lone_surrogate(self, cause) from cause
        except (TypeError, ValueError, OverflowError, RecursionError) as cause:
            raise ConfigurationError(f"this is not JSON: {cause}", provider=self.name) from cause
        return None, {}

    def files(self, attachments: Iterable[File]) -> list[Upload | Attachment]:
        """Return what is to be sent along: files, and what the provider has already."""
        alone = (str, bytes, Path, AsyncIterable, Upload, Attachment)
        if isinstance(attachments, alone) or not isinstance(attachments, Iterable):
            raise ConfigurationError(
                "attachments must be a list; put the file into one", provider=self.name
            )
        return [one if isinstance(one, Attachment) else upload(one) for one in attachments]

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
                "page_size must be a number from 1", provider=self.name, operation=listing
            )
        return min(wanted or most, most)

    def secrets(self) -> Iterator[str]:
        """Yield what is never to be shown: the credentials, and what they are sent as."""
        for one in fields(type(self)):
            if isinstance(value := getattr(self, one.name), Secret):
                yield value.reveal()
        for sent in self.auth_headers().values():
            yield sent
            yield sent.partition(" ")[2]

    def redact(self, text: str) -> str:
        """Take this provider's credentials out of a text, and what they are sent as."""
        return without(text, self.secrets())

    def error_for(self, operation: str, request: Request, response: Response) -> StatusError:
        """Return the error for a refusal: who refused what, why, and what to do about it."""
        problem = self.problem(request, response)
        kind = problem.kind or class_for(response.status)
        message = line(self.redact(problem.message), 300).removesuffix(".")
        why = f": {message}" if message else ""
        told = line(self.redact(problem.code), 100) if problem.code else None
        code = f" ({told})" if told and told != str(response.status) else ""
        remedy = f"; {hint}" if (hint := remedy_for(kind)) else ""
        if 300 <= response.status < 400:
            remedy = (
                "; redirects are not followed, since credentials would go along; check base_url"
            )
        return kind(
            f"HTTP {response.status}{code}{why}{remedy} [{request.method} {request.place}]",
            provider=self.name,
            operation=operation,
            # A stream cannot be pickled, and has been read.
            request=evolve(request, file=None) if request.file else request,
            response=purged(response, self.redact),
            code=told,
            request_id=line(self.redact(problem.request_id), 100) if problem.request_id else None,
            retry_after=told_to_wait(response),
        )


def line(text: str, most: int) -> str:
    """Return the beginning of a text on one line, so that it makes no other in a log."""
    words = " ".join(text[: 2 * most].split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)[:most]


ORDERS = ("oldest", "newest", None)


def check_order(order: str | None) -> None:
    """Refuse an order that does not exist."""
    if order not in ORDERS:
        raise ConfigurationError(f"order must be 'oldest', 'newest' or None, not {order!r}")


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the answer's JSON object, or an empty one where it is anything else."""
    try:
        value = decode(response.body)
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
                f"{bound!r} is not an aware datetime; give one such as datetime.now(UTC)"
            )
    if start is None and end is None:
        return None

    def keep(item: Any) -> bool:
        at = moment(item)
        return at is None or ((start is None or at >= start) and (end is None or at < end))

    return keep


def all_of(*filters: Callable[[Any], bool] | None) -> Callable[[Any], bool] | None:
    """Return the filter that passes what all of the given ones pass."""
    given = [f for f in filters if f is not None]
    if not given:
        return None
    return given[0] if len(given) == 1 else lambda item: all(f(item) for f in given)
