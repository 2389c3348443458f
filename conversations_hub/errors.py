"""What can go wrong, by who can put it right.

HubError
├── ConfigurationError       the caller's settings
├── UnsupportedError         this provider cannot do that
├── CheckpointError          a checkpoint that belongs to another query
└── ProviderError            between us and a provider; .transient says whether waiting may help
    ├── TransportError       no answer at all; .sent says whether the provider may have acted
    ├── AmbiguousWriteError  a write whose fate is unknown; .reconcile finds out
    ├── StatusError          an answer that says no: .request, .response
    │   ├── InvalidRequestError  AuthenticationError  PermissionDeniedError
    │   ├── NotFoundError  ConflictError  CursorExpiredError
    │   └── RateLimitError  ServerError
    ├── TranslationError     an answer we could not read: .path
    ├── PagingError          a list that does not move on
    └── TooLargeError        an answer or a file of more bytes than allowed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

if TYPE_CHECKING:
    from conversations_hub.recipes import Call, Outcome
    from conversations_hub.wire import Request, Response


UNDER_WAY = "a write was under way"
"""What a cancellation is noted with where it met one, for whoever knows what was to be written."""


class HubError(Exception):
    """The root of everything this package raises."""

    def __init__(
        self, message: str, *, provider: str | None = None, operation: str | None = None
    ) -> None:
        super().__init__(message)
        self.provider: str | None = provider
        self.operation: str | None = operation

    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        where = ".".join(filter(None, [self.provider, self.operation]))
        return f"{where}: {self.args[0]}" if where else str(self.args[0])


class ConfigurationError(HubError):
    """The caller's settings or arguments cannot work."""


class UnsupportedError(HubError):
    """The provider's API cannot do this."""


class CheckpointError(HubError):
    """A checkpoint that cannot be resumed here, for it belongs to another query or version."""


class ProviderError(HubError):
    """Something between us and a provider."""

    transient: bool = False


class TransportError(ProviderError):
    """No whole answer arrived.

    `sent` is False where the provider cannot have been reached; `timed_out` is True where it may
    still be at work.
    """

    transient = True

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        operation: str | None = None,
        sent: bool = True,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation)
        self.sent: bool = sent
        self.timed_out: bool = timed_out


class AmbiguousWriteError(ProviderError):
    """A write that may have happened; it was not repeated.

    `await error.reconcile` (or `hub.run(error.reconcile)`) reads back and gives an `Outcome`;
    it is None where the API has nothing to read back, and in a copy that was pickled. `cause`
    is what went wrong.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        operation: str | None = None,
        cause: HubError | None = None,
        reconcile: Call[Outcome[Any]] | None = None,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation)
        self.cause: HubError | None = cause
        self.reconcile: Call[Outcome[Any]] | None = reconcile
        if cause is not None:
            self.status: int | None = cause.status
            self.code: str | None = cause.code
            self.request_id: str | None = cause.request_id
            self.retry_after: float | None = cause.retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        # A recipe is bound to its hub, which stays in this process.
        return type(self), self.args, {**self.__dict__, "reconcile": None}


class StatusError(ProviderError):
    """The provider answered, and said no.

    A copy that was pickled has no body of the request, which is the caller's own words.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        operation: str | None = None,
        request: Request | None = None,
        response: Response | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation)
        self.request: Request | None = request
        self.response: Response | None = response
        self.status: int | None = response.status if response else None
        self.code: str | None = code
        self.request_id: str | None = request_id
        self.retry_after: float | None = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        request = None if self.request is None else evolve(self.request, body=None)
        return type(self), self.args, {**self.__dict__, "request": request}


class InvalidRequestError(StatusError):
    """The provider refuses what was asked (400, 422 and the like)."""


class AuthenticationError(StatusError):
    """The credentials are wrong, expired or of another region (401)."""


class PermissionDeniedError(StatusError):
    """The credentials are good but do not reach this (402, 403)."""


class NotFoundError(StatusError):
    """There is no such thing, or not for this account (404, 410)."""


class ConflictError(StatusError):
    """Something changed or exists already (409, 412)."""


class CursorExpiredError(StatusError):
    """The provider no longer knows the place in the list; the walk must start anew."""


class RateLimitError(StatusError):
    """Too many requests (429); `retry_after` in seconds where the provider says."""

    transient = True


class ServerError(StatusError):
    """The provider's own failure (5xx)."""

    transient = True


class TranslationError(ProviderError):
    """An answer that we could not read; `path` is the place in it, such as `messages[3].sid`."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        provider: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation)
        self.path: str | None = path


class PagingError(ProviderError):
    """A list that does not say how it goes on, or goes in circles."""


class TooLargeError(ProviderError):
    """An answer or a file has more bytes than allowed; no more of it was read."""


_CLASSES: dict[int, type[StatusError]] = {
    401: AuthenticationError,
    402: PermissionDeniedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    412: ConflictError,
    429: RateLimitError,
}
_REMEDIES: dict[type[StatusError], str] = {
    AuthenticationError: "check the credentials, and that they are of this region",
    PermissionDeniedError: "check what the credentials are allowed to see",
    NotFoundError: "check the id, and that this account can see it",
    RateLimitError: "ask less often",
    CursorExpiredError: "start the walk anew",
}


def class_for(status: int) -> type[StatusError]:
    """Return which error an HTTP status is."""
    if status >= 500:
        return ServerError
    if status < 400:
        return StatusError
    return _CLASSES.get(status, InvalidRequestError)


def remedy_for(error: type[StatusError]) -> str | None:
    """Return what the caller can do about it."""
    return _REMEDIES.get(error)
