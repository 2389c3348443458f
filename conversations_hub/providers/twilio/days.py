"""How the list of conversations is cut by the days on which they were created."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Self

from attrs import frozen

from conversations_hub.models import Conversation
from conversations_hub.recipes import Listing
from conversations_hub.wire import Request, shifted

BEGINNING = date(2019, 1, 1)
"""There were no conversations before; an import may say otherwise, and is found, too."""
SECOND = timedelta(seconds=1)


@frozen(kw_only=True)
class Days:
    """Windows of days. With a date filter the newest comes first; both its days are included.

    A border is a day as its number: that day is asked for on both sides of it. Whether its last
    second is in the lower part is not documented, so that the upper one reads down to there. A
    page token cannot be changed, and so a walk whose border was raised stops by the dates that
    it meets: only where they never rise, as the description has it.
    """

    first: Request
    bottom: int
    extent: tuple[int, int] | None = None
    scout: Listing[int] | None = None

    @classmethod
    def of(
        cls, first: Request, created_after: datetime | None, created_before: datetime | None
    ) -> Self:
        """Return the windows of a list that begins with this request."""
        if created_after is None:
            return cls(first=first, bottom=BEGINNING.toordinal())
        now = datetime.now(UTC)
        oldest = shifted(created_after, timedelta()).toordinal()
        newest = shifted(min(created_before or now, now), timedelta()).toordinal()
        return cls(first=first, bottom=oldest, extent=(oldest, newest))

    def part(self, lo: int | None, hi: int, like: Request) -> Request:
        """Return the request for these days."""
        del like
        part = self.first.with_query(EndDate=f"{date.fromordinal(hi)}T23:59:59Z")
        if lo is None:
            return part
        return part.with_query(StartDate=f"{date.fromordinal(lo)}T00:00:00Z")

    def reached(
        self, items: Sequence[Conversation], onward: Request, before: int
    ) -> tuple[int, int] | None:
        """Return the days that a page led through, unless its dates are in no order."""
        del onward
        times = [item.created_at for item in items]
        if not times:
            return before, before
        known = [time for time in times if time is not None]
        if len(known) < len(times) or known != sorted(known, reverse=True):
            return None
        top, bottom = known[0].astimezone(UTC).toordinal(), _day(known[-1])
        return None if top > before else (max(top, bottom), bottom)

    def after_all(self, onward: Request) -> None:
        """Go on with nothing: a date of creation stays as it is."""

    def waits(self, onward: Request) -> bool:
        """Wait for nothing."""
        del onward
        return False


def _day(moment: datetime) -> int:
    """Return the day after whose last second all is read, once this moment is.

    Times come without their fractions, so that in a last second one more may be left.
    """
    return shifted(moment, SECOND).toordinal()
