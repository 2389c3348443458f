"""What the whole emulator speaks of: records, refusals and the time."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from attrs import mutable

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - what the API answers, not a fault
    """What Circuit does not do; the API answers it with 400."""


class Missing(Refusal):
    """A thing whose absence has its own status."""


class Exhausted(Refusal):
    """More of something than a user may have."""


class NotPermitted(Refusal):
    """What only a moderator may do."""


def wire(**members: Any) -> Json:
    """Leave out what is null, as the API does."""
    return {name: value for name, value in members.items() if value is not None}


@mutable
class Clock:
    """The server's time in epoch milliseconds; a pause of zero repeats a millisecond."""

    now: int
    pauses: Iterator[int]

    def tick(self) -> int:
        """Let a pause pass and return the time."""
        self.now += next(self.pauses)
        return self.now

    def stamp(self, after: int = 0) -> int:
        """Return the real time, but no earlier one than ever before, and one after another."""
        self.now = max(self.now, time_ns() // 10**6, after + 1)
        return self.now
