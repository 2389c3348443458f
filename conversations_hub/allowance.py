"""What an account may still ask as its own answers tell, and how it is asked again after a 429."""

from __future__ import annotations

from math import inf

from attrs import field, frozen, mutable

# Nobody waits longer than this, in seconds, for the first answer to tell.
PATIENCE = 1.0
# From here on, the number at a time no longer matters.
WIDE = 64


@frozen(kw_only=True)
class Allowance:
    """What an answer tells: `remaining` of `limit` requests until the window ends.

    That is in `seconds` at the latest; `window` is the same for all answers of one window, and
    greater for those of a later one.
    """

    limit: int
    remaining: int
    seconds: float
    window: float


@mutable(kw_only=True)
class Learned:
    """Counts against what the answers tell; it is told the time, in seconds, and does not wait.

    Which of the requests under way an answer has counted nobody knows, so that all of them count
    beside the least that was told. As long as nothing is known, one asks for all.
    """

    _under_way: int = field(default=0, init=False)
    _last: Allowance | None = field(default=None, init=False)
    _left: int = field(default=0, init=False)
    _ends: float = field(default=0.0, init=False)
    _told_by: float = field(default=inf, init=False)
    """Until when the first answer is waited for."""

    def pause(self, now: float) -> float | None:
        """Return how long there is no place; None where first an answer has to come."""
        if self._last is None:
            return max(0.0, self._told_by - now) if self._told_by < inf else 0.0
        if now >= self._ends:
            self._left, self._ends = self._last.limit, inf
        if self._under_way < self._left:
            return 0.0
        if self._under_way:
            return None
        if self._ends == inf:  # its answers have fallen silent
            self._last, self._told_by = None, -inf
            return 0.0
        return self._ends - now

    def take(self, now: float) -> None:
        """Take a place for a request that is about to be sent."""
        self._under_way += 1
        self._told_by = min(self._told_by, now + PATIENCE)

    def told(self, allowance: Allowance | None, now: float) -> None:
        """Note what an answer says, before its request is over."""
        last = self._last
        if allowance is None:
            if last is None:
                self._told_by = -inf  # it tells nothing
            return
        # The request itself is still under way here, and counts no more when that is over.
        left = allowance.remaining + 1
        if last is None or allowance.window > last.window:
            self._left = left
        elif allowance.window == last.window:
            self._left = min(self._left, left)
        else:
            return  # of a window that is over
        self._last, self._ends = allowance, now + allowance.seconds

    def answered(self, now: float) -> None:
        """Note that an answer came, or that none will come any more."""
        del now
        self._under_way -= 1
        self._left -= 1
        if self._last is None and not self._under_way and self._told_by > -inf:
            self._told_by = inf  # it was refused or lost, so that the next one asks for all

    def give_back(self) -> None:
        """Take no place after all, since nothing was sent."""
        self._under_way -= 1
        if not self._under_way and self._last is None and self._told_by > -inf:
            self._told_by = inf  # another is to ask for all


@mutable(kw_only=True)
class Recovery:
    """An account that answered 429: it rests, and is then asked by one at a time, by two, by four.

    As for TCP (RFC 5681): the number doubles with each round up to half of what was too much, and
    grows by one a round from there.
    """

    _until: float = field(default=0.0, init=False)
    _at_once: float = field(default=WIDE, init=False)
    _enough: float = field(default=WIDE, init=False)
    _under_way: int = field(default=0, init=False)

    @property
    def is_over(self) -> bool:
        """Whether it is asked as before."""
        return self._at_once >= WIDE

    def rest(self, now: float) -> float:
        """Return how long it is left alone."""
        return max(0.0, self._until - now)

    def refused(self, now: float, until: float) -> None:
        """Let it rest until then, and begin anew; those who were sent together are one refusal."""
        if now >= self._until:
            # What is refused to one alone tells nothing new of how many are too much. That one has
            # been counted as answered.
            if self._at_once > 2.0:
                self._enough = self._at_once / 2
            self._at_once = 1.0
        self._until = max(until, self._until)

    def pause(self, now: float) -> float | None:
        """Return how long there is no place; None where first an answer has to come."""
        if now < self._until:
            return self._until - now
        return 0.0 if self._under_way < int(self._at_once) else None

    def take(self, now: float) -> None:
        """Take a place for a request that is about to be sent."""
        del now
        self._under_way += 1

    def answered(self, now: float) -> None:
        """Note that an answer came; where it refused, that is told next."""
        self._under_way -= 1
        if now >= self._until:
            self._at_once += 1.0 if self._at_once < self._enough else 1.0 / self._at_once

    def give_back(self) -> None:
        """Take no place after all, since nothing was sent."""
        self._under_way -= 1
