"""What Clio refuses, each with the status and the name that it has on the wire (§9)."""

from __future__ import annotations

from typing import ClassVar


class RefusedError(Exception):
    """A request that is answered with an error."""

    status: ClassVar[int]
    kind: ClassVar[str]


class UnreadableError(RefusedError):
    """A body that cannot be read at all."""

    status = 400
    kind = "ArgumentError"


class InvalidArgumentError(RefusedError):
    """A query, token or member of a body that the API cannot work with."""

    status = 422
    kind = "ArgumentError"


class ForbiddenError(RefusedError):
    """Something that this user may not do."""

    status = 403
    kind = "ForbiddenError"

    def __init__(self) -> None:
        super().__init__("User is forbidden from taking that action")


class NotFoundError(RefusedError):
    """A record that is not there, or not for this user."""

    status = 404
    kind = "NotFoundError"

    def __init__(self, message: str = "Record not found") -> None:
        super().__init__(message)


class PreconditionFailedError(RefusedError):
    """A change to a record that has changed meanwhile."""

    status = 412
    kind = "PreconditionFailedError"
